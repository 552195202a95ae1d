//! `printer-sim`: plays the printers of a simulated site on loopback addresses. Arguments and signals only; the rest is in
//! `testkit::simulator`.

use std::{io, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use testkit::simulator::{self, Options};
use tokio::signal::unix::{SignalKind, signal};

/// Plays the printers of a simulated site: they answer SNMP on their own loopback addresses, print, run out of toner, open
/// their covers. Ends with Ctrl-C or SIGTERM.
#[derive(Debug, Parser)]
struct Arguments {
    /// The site's description
    #[arg(long, value_name = "FILE", default_value = "demo/site.toml")]
    site: PathBuf,
    /// UDP port instead of the one in the site's description; 0 takes a free one
    #[arg(long)]
    port: Option<u16>,
    /// Keep counters and levels in this file, and go on from it
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Let time go by so many times faster
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Play N printers made after those of the site instead, at 127.78.0.1 and following, for measurements of load
    #[arg(long, value_name = "N")]
    clone: Option<usize>,
    /// Let every printer answer so many milliseconds late, as if it were far away or slow
    #[arg(long, value_name = "MS", requires = "clone")]
    delay: Option<u64>,
    /// Play this recording as it is, at 127.79.0.1, further ones at the addresses after it, instead of a site
    #[arg(long, value_name = "FILE", conflicts_with_all = ["clone", "state"])]
    recording: Vec<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { site, port, state, speed, clone, delay, recording } = Arguments::parse();
    let mut interrupt = signal(SignalKind::interrupt()).context("can not listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("can not listen for SIGTERM")?;
    let stop = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    if !recording.is_empty() {
        return simulator::play_recordings(&recording, port.unwrap_or(16161), stop, &mut io::stdout()).await;
    }
    simulator::run(
        Options { site, port, state, speed, clones: clone, delay: delay.map(Duration::from_millis) },
        stop,
        &mut io::stdout(),
    )
    .await
}
