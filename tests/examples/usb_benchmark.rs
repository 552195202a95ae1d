//! Figures of the bridge on a real USB stack (see the README): throughput against the kernel's own driver, time until a printer
//! that is plugged in again answers, memory. `cargo run -p system-tests --example usb_benchmark target/release/usbbridged`.

use std::{env, path::PathBuf, time::Instant};

use anyhow::{Context as _, Result, bail};
use system_tests::usb_guest::{UsbGuest, why_not};

/// Octets of the job.
const JOB: usize = 50_000_000;
/// Rounds of each measurement; the middle one counts.
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() -> Result<()> {
    let bridge = env::args_os().nth(1).map(PathBuf::from).context("usage: usb_benchmark PATH-OF-USBBRIDGED")?;
    if let Some(reason) = why_not() {
        bail!("{reason}");
    }
    let guest = UsbGuest::start(&bridge).await?;
    guest.order("plug 0")?;
    guest.answers(9418, "INFO STATUS", "CODE=10001").await?;
    println!("memory at rest: {}", memory(&guest)?);
    guest.order(r#"control {"request":"printing","port":9418,"on":true}"#)?;
    let mut rates = Vec::new();
    for way in ["direct", "bridge"] {
        let mut taken = Vec::new();
        for _ in 0..ROUNDS {
            system_tests::wait::until_true("usblp has the printer", async || {
                Ok(guest.order("exists /dev/usb/lp0")? == "true")
            })
            .await?;
            taken.push(guest.order(&format!("{way} {JOB}"))?.parse::<f64>()?);
        }
        taken.sort_by(f64::total_cmp);
        let middle = taken.get(ROUNDS / 2).copied().unwrap_or(f64::NAN);
        #[allow(clippy::cast_precision_loss, reason = "a size that a float holds exactly")]
        let rate = JOB as f64 / middle;
        println!("{way}: {rate:.1} MB/s (50 MB in {:.2} s, the middle of {ROUNDS})", middle / 1e6);
        rates.push(rate);
    }
    if let [direct, through] = rates.as_slice() {
        println!("ratio: {:.2}", through / direct);
    }
    println!("memory after the jobs: {}", memory(&guest)?);
    for _ in 0..ROUNDS {
        guest.order("unplug 0")?;
        guest.answers(9418, "INFO LOCALAGENT", "CONNECTED=FALSE").await?;
        let began = Instant::now();
        guest.order("plug 0")?;
        guest.answers(9418, "INFO STATUS", "CODE=10001").await?;
        println!("plugged in again, it answers after {} ms", began.elapsed().as_millis());
    }
    Ok(())
}

/// The greatest part of memory that the bridge has had resident, and what it has.
fn memory(guest: &UsbGuest) -> Result<String> {
    let status = guest.order("process usbbridged")?;
    let lines = status.split("; ").filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"));
    Ok(lines.collect::<Vec<_>>().join(", "))
}
