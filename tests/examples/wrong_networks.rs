//! Tries wrong network configurations on boxes in network namespaces, and prints how each ended; then right ones, and how long
//! they took. As root:
//! `cargo run -p system-tests --example wrong_networks`.

use anyhow::{Result, bail};
use system_tests::{lan, wrong_networks};

fn main() -> Result<()> {
    if let Some(why) = lan::why_not() {
        bail!("not here: {why}");
    }
    println!("| what was wrong | how it ended | as before after | longest silence seen |\n|---|---|---|---|");
    for row in wrong_networks::all()? {
        let (took, silence) = (row.took.as_secs_f32(), row.silence.as_secs_f32());
        println!("| {} | {} | {took:.1} s | {silence:.1} s |", row.name, row.ending);
    }
    println!("\n| a right change | until the link is there | until it is committed |\n|---|---|---|");
    for number in 1..=5 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (link, committed) = runtime.block_on(wrong_networks::good())?;
        println!("| {number} | {:.1} s | {:.1} s |", link.as_secs_f32(), committed.as_secs_f32());
    }
    Ok(())
}
