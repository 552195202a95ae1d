//! The box in a customer's network, with a real systemd-networkd and a real DHCP server: good changes are kept, everything
//! else is taken back, and whoever dies at whatever moment, the box answers at a published address.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use anyhow::{Result, ensure};
use netcfg::config::Form;
use netcfg::request::{Answer, Ending, Stage};
use system_tests::lan::{Lan, ROUTER, why_not};

fn fixed(address: &str, gateway: &str) -> Form {
    let word = str::to_owned;
    Form { mode: word("static"), address: word(address), gateway: word(gateway), dns: word(ROUTER), ..Form::default() }
}

/// Whether there can be a network here; says why not.
fn can_run() -> bool {
    let why_not = why_not();
    if let Some(why) = &why_not {
        eprintln!("LEFT OUT: {why}");
    }
    why_not.is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_change_is_kept() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut lan = Lan::new()?;
    lan.unit.power_on().await?;
    let lease = lan.unit.lease().await?;
    lan.answers(&lease).await?;
    let answer = lan.unit.attempt(&fixed("192.168.77.50/24", ROUTER), false).await?;
    ensure!(answer == Answer::Done {}, "{answer:?}");
    let trial = lan
        .unit
        .becomes("the trial", |status| status.trial.clone().filter(|trial| trial.stage == Stage::Awaiting))
        .await?;
    lan.answers("192.168.77.50").await?;
    lan.answers(&lease).await?;
    let answer = lan.unit.confirm(&trial.nonce, "192.168.77.50".parse()?).await?;
    ensure!(answer == Answer::Done {}, "{answer:?}");
    lan.unit
        .becomes("the end", |status| {
            (status.trial.is_none() && status.last.as_ref()?.ending == Ending::Committed).then_some(())
        })
        .await?;
    lan.answers("192.168.77.50").await?;
    lan.unit
        .becomes("the old address gone", |status| {
            status.link.as_ref()?.addresses.iter().all(|one| one.address.to_string() != lease).then_some(())
        })
        .await?;
    lan.unit.power_cut().await?;
    lan.answers("192.168.77.50").await
}
