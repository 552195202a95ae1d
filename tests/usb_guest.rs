//! The bridge on a real USB stack: Linux' own, with printers made of its gadgets, in an emulated machine. Asked from outside as PJL
//! programs and CUPS do it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::{process::Command, time::Instant};

use anyhow::{Result, ensure};
use system_tests::{
    programs::program,
    usb_guest::{UsbGuest, fingerprint, kit, output, why_not, written},
};

#[tokio::test(flavor = "multi_thread")]
async fn printers_of_a_real_usb_stack_are_asked_and_print() -> Result<()> {
    if let Some(reason) = why_not() {
        ensure!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
        eprintln!("left out: {reason}");
        return Ok(());
    }
    let guest = UsbGuest::start(program("usbbridged")?).await?;
    let outcome = story(&guest).await;
    if outcome.is_err() {
        eprintln!("--- the guest's console:\n{}", guest.console());
    }
    outcome
}

async fn story(guest: &UsbGuest) -> Result<()> {
    guest.answers(9418, "INFO LOCALAGENT", "CONNECTED=FALSE").await?;

    // Plugged in, found, and told apart by what USB says.
    guest.order("plug 0")?;
    let greeting = guest.answers(9418, "INFO LOCALAGENT", "CONNECTED=TRUE").await?;
    for part in ["MODEL=\"Gadget 0\"", "SERIAL=\"SER0\"", "PORTSTATUS=\"24\"", "TWOWAY=TRUE"] {
        assert!(greeting.contains(part), "{greeting}");
    }
    guest.answers(9418, "INFO PAGECOUNT", "PAGECOUNT=4711").await?;
    assert!(guest.order("process usbbridged")?.contains("Uid: 900 900 900 900"), "it runs without privilege");

    // The kernel's driver has the printer while nobody asks it.
    let given_back = async || -> Result<bool> { Ok(guest.order("exists /dev/usb/lp0")? == "true") };
    system_tests::wait::until_true("usblp has the printer", given_back).await?;

    // A PJL program of others, whose question has no frame.
    let at = guest.at(9418);
    let mut nmap = Command::new("nmap");
    nmap.args(["-Pn", "-sT", "-p", "9418", "--script", "+pjl-ready-message"]).arg(at.ip().to_string());
    let said = output(&mut nmap)?;
    assert!(said.contains("Ready to test"), "{said}");

    // A page by CUPS: refused, then printed byte for byte.
    let folder = tempfile::tempdir()?;
    let page = page();
    let file = written(&folder, "page.ps", &page)?;
    let is_idle =
        async || -> Result<bool> { Ok(guest.order(r#"control {"request":"list"}"#)?.contains(r#""connections":0"#)) };
    system_tests::wait::until_true("every connection is over", is_idle).await?;
    guest.order("clear 0")?;
    let answer = guest.ask(9418, &page)?;
    assert!(answer.contains("switched off"), "{answer}");
    assert_eq!(guest.order("received 0")?, fingerprint(b""), "not a byte");
    guest.order(r#"control {"request":"printing","port":9418,"on":true}"#)?;
    let mut cups = Command::new(kit("cups-socket"));
    cups.args(["1", "somebody", "a page", "1", ""]).arg(&file);
    cups.env("DEVICE_URI", format!("socket://{at}"));
    let said = output(&mut cups)?;
    let arrived = async || -> Result<bool> { Ok(guest.order("received 0")? == fingerprint(&page)) };
    system_tests::wait::until_true(&format!("CUPS' page has arrived; it said: {said}"), arrived).await?;

    // Unplugged and plugged in again.
    guest.order("unplug 0")?;
    guest.answers(9418, "INFO LOCALAGENT", "CONNECTED=FALSE").await?;
    guest.order("plug 0")?;
    let began = Instant::now();
    guest.answers(9418, "INFO STATUS", "CODE=10001").await?;
    println!("a printer that was plugged in again answered after {} ms", began.elapsed().as_millis());

    // A second one beside it; the first hangs, then is well again.
    guest.order("plug 1")?;
    let greeting = guest.answers(9419, "INFO LOCALAGENT", "CONNECTED=TRUE").await?;
    assert!(greeting.contains("\t9418") && greeting.contains("\t9419") && greeting.contains("SER1"), "{greeting}");
    guest.order(r#"control {"request":"printing","port":9418,"on":false}"#)?;
    system_tests::wait::until_true("every connection is over", is_idle).await?;
    guest.order("hang 0")?;
    let silent = guest.ask(9418, b"\x1b%-12345X@PJL INFO STATUS\r\n")?;
    assert!(!silent.contains("CODE"), "{silent}");
    guest.answers(9419, "INFO STATUS", "CODE=10001").await?;
    guest.order("wake 0")?;
    guest.answers(9418, "INFO STATUS", "CODE=10001").await?;

    // Pulled out amid a job.
    guest.order(r#"control {"request":"printing","port":9419,"on":true}"#)?;
    guest.order("hang 1")?;
    let amid = std::thread::scope(|scope| {
        let job = scope.spawn(|| guest.ask(9419, &vec![0x55; 2_000_000]));
        guest.order("unplug 1")?;
        job.join().unwrap()
    })?;
    assert!(amid.is_empty() || amid.contains("REFUSED"), "{amid}");
    guest.answers(9419, "INFO LOCALAGENT", "CONNECTED=FALSE").await?;
    guest.answers(9418, "INFO STATUS", "CODE=10001").await?;
    assert!(!guest.console().contains("panicked"), "{}", guest.console());
    Ok(())
}

/// A job with every octet in it, escapes and noughts among them.
fn page() -> Vec<u8> {
    let mut page = b"%!PS-Adobe-3.0\n\x1b%-12345X".to_vec();
    let mut state = 1_u32;
    while page.len() < 200_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        page.push(state.to_be_bytes()[0]);
    }
    page
}
