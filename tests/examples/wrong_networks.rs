//! Tries wrong network configurations on boxes in network namespaces, and prints how each ended. As root:
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
    Ok(())
}
