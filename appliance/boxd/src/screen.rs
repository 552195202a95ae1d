//! What the screen shows: name, addresses, and a QR code that leads a phone to the page. Text, on the console.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use crate::system;

/// How often is looked whether something has changed.
const LOOK: Duration = Duration::from_secs(3);
/// Addresses that are shown.
const MOST: usize = 4;
/// Clears the screen, hides the cursor, and keeps the screen from going dark.
const CLEAR: &str = "\x1b[2J\x1b[H\x1b[?25l\x1b[9;0]";

/// What the command line says.
#[derive(Debug, Args)]
pub struct Settings {
    /// The console
    #[arg(long, value_name = "DEVICE", default_value = "/dev/tty1")]
    console: PathBuf,
    /// What says which version runs
    #[arg(long, value_name = "FILE", default_value = "/etc/os-release")]
    os_release: PathBuf,
    /// Write once and end
    #[arg(long)]
    once: bool,
}

/// Writes, and writes again when it changes.
pub fn run(settings: &Settings) -> Result<()> {
    let version = system::of_os_release(&settings.os_release, "VERSION_ID").unwrap_or_default();
    let mut shown = String::new();
    loop {
        let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
        let addresses = system::addresses().iter().map(ToString::to_string).collect::<Vec<_>>();
        let text = text(&version, &name, &addresses);
        if text != shown {
            let written = OpenOptions::new().write(true).open(&settings.console);
            let written = written.and_then(|mut console| console.write_all(format!("{CLEAR}{text}").as_bytes()));
            written.with_context(|| format!("{} cannot be written", settings.console.display()))?;
            shown = text;
        }
        if settings.once {
            return Ok(());
        }
        sleep(LOOK);
    }
}

fn text(version: &str, name: &str, addresses: &[String]) -> String {
    let mut text = format!("  Druckwart {version}   {name}.local\r\n");
    // The first address was given to the box, if any was; one in square brackets no phone can follow.
    match addresses.first().filter(|address| !address.contains(':')) {
        Some(address) => {
            let page = format!("https://{address}/");
            let _ = write!(text, "  {page}\r\n\r\n");
            if let Ok(code) = QrCode::with_error_correction_level(&page, EcLevel::L) {
                // Light on dark is the console's way; a code has to be dark on light.
                let code = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
                for line in code.lines() {
                    let _ = write!(text, "  {line}\r\n");
                }
            }
        }
        None => {
            text += "\r\n  No address yet. Is the network cable plugged in?\r\n  Noch keine Adresse. Steckt das Netzwerkkabel?\r\n\r\n"
        }
    }
    for address in addresses.iter().take(MOST) {
        let _ = write!(text, "  {address}\r\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_fits_and_says_where_the_page_is() {
        let addresses = ["192.168.178.122".to_owned(), "fe80::1234:5678:9abc:def0".to_owned()];
        let screen = text("1.2.0", "druckwart-a1b2c3", &addresses);
        assert!(screen.contains("druckwart-a1b2c3.local") && screen.contains("https://192.168.178.122/"));
        assert!(screen.contains('█') && screen.contains('▀'));
        // The smallest console has 25 lines of 80.
        assert!(screen.lines().count() <= 25, "{}", screen.lines().count());
        assert!(screen.lines().all(|line| line.chars().count() <= 80));
        assert!(text("1.2.0", "box", &[]).contains("cable"));
        assert!(text("1.2.0", "box", &["fe80::1".to_owned()]).contains("No address yet"));
    }
}
