//! `cargo run -p system-tests --example power_cuts -- 200 [SEED]`: cuts the power of an emulated box so many times, at random moments
//! of first starts, reports, configuration and updates. Hours, for 200. The same seed makes the same moments.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use system_tests::{emulated_box::why_not, power_cuts::power_cuts};

#[tokio::main]
async fn main() -> Result<()> {
    if let Some(why) = why_not() {
        anyhow::bail!("{why}");
    }
    let mut words = std::env::args().skip(1);
    let count = words.next().context("how many?")?.parse()?;
    let seed = match words.next() {
        Some(seed) => seed.parse()?,
        None => SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
    };
    power_cuts(count, seed).await?;
    println!("{count} cuts survived");
    Ok(())
}
