//! The bridge on a real USB stack: Linux' own, with printers made of its gadgets, in an emulated machine. Asked from outside as PJL
//! programs and CUPS do it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::{process::Command, time::Instant};

use anyhow::{Context as _, Result, ensure};
use system_tests::{
    house::{House, enrol, printers},
    programs::program,
    usb_guest::{UsbGuest, fingerprint, kit, output, why_not, written},
    wait::until_true,
};

#[tokio::test(flavor = "multi_thread")]
async fn printers_of_a_real_usb_stack_are_asked_and_print() -> Result<()> {
    if let Some(reason) = why_not() {
        ensure!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
        eprintln!("left out: {reason}");
        return Ok(());
    }
    let guest = UsbGuest::start(program("usbbridged")?).await?;
    let outcome = async {
        story(&guest).await?;
        agents_story(&guest).await.context("with an agent before the bridge")
    };
    let outcome = outcome.await;
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
    until_true("usblp has the printer", given_back).await?;

    // A PJL program of others, whose question has no frame.
    let at = guest.at(9418);
    let mut nmap = Command::new("nmap");
    nmap.args(["-Pn", "-sT", "-p", "9418", "--script", "+pjl-ready-message"]).arg(at.ip().to_string());
    let said = output(&mut nmap)?;
    assert!(said.contains("Ready to test"), "{said}");

    // A page by CUPS: refused, then printed byte for byte.
    let folder = tempfile::tempdir()?;
    let page = job();
    let file = written(&folder, "page.ps", &page)?;
    let is_idle =
        async || -> Result<bool> { Ok(guest.order(r#"control {"request":"list"}"#)?.contains(r#""connections":0"#)) };
    until_true("every connection is over", is_idle).await?;
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
    until_true(&format!("CUPS' page has arrived; it said: {said}"), arrived).await?;

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
    until_true("every connection is over", is_idle).await?;
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
        let printing = scope.spawn(|| guest.ask(9419, &vec![0x55; 2_000_000]));
        guest.order("unplug 1")?;
        printing.join().unwrap()
    })?;
    assert!(amid.is_empty() || amid.contains("REFUSED"), "{amid}");
    guest.answers(9419, "INFO LOCALAGENT", "CONNECTED=FALSE").await?;
    guest.answers(9418, "INFO STATUS", "CODE=10001").await?;
    assert!(!guest.console().contains("panicked"), "{}", guest.console());
    Ok(())
}

/// An agent reads the same bridge, beside a printer of the network, and tells a manager; all of it programs as they are used.
/// The printer 0 is plugged in.
async fn agents_story(guest: &UsbGuest) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let control = folder.path().join("control");
    guest.control_at(&control)?;
    let site = printers(&["kyocera_taskalfa-4054ci"]).await?;
    let mut manager = House::manager()?;
    manager.set_password()?;
    manager.start().await?;
    let bridge = guest.at(9418).ip().to_string();
    let mut agent = House::agent()?.with_options(&[
        "--usb-control",
        control.to_str().context("a path of letters")?,
        "--usb-bridge",
        &bridge,
    ]);
    agent.set_password()?;
    enrol(&agent, &manager, manager.url(), &site)?;
    agent.start().await?;

    // Beside the network's printer, on both sides, with what it says.
    let count = "SELECT count(*) FROM device WHERE removed_at IS NULL";
    until_true("both printers at the manager", async || Ok(manager.count(count)? == 2)).await?;
    let visitor = agent.visitor().await?;
    for visitor in [&visitor, &manager.visitor().await?] {
        let list = visitor.open("/").await?;
        ensure!(list.says("TASKalfa 4054ci"), "{}", list.text());
        let device = visitor.open(&list.link("Gadget 0")?).await?;
        for words in ["SER0", "4,711", "Ready to test", "Acme"] {
            ensure!(device.says(words), "{words} is missing: {}", device.text());
        }
    }

    // Named and switched on by the page.
    let page = visitor.open("/usb").await?;
    ensure!(page.says("Connected Status only") && page.says("SER0"), "{}", page.text());
    let page = visitor.fill_in(&page, "/usb/9418/name", &[("name", "Empfang")]).await?;
    ensure!(page.says("The name is saved") && page.link("Empfang").is_ok(), "{}", page.text());
    let page = visitor.fill_in(&page, "/usb/9418/printing", &[]).await?;
    ensure!(page.says("Port 9418 prints") && page.says("Connected Prints"), "{}", page.text());
    guest.order("clear 0")?;
    let sent = job();
    // Who prints while the agent reads waits for his turn.
    guest.ask(9418, &sent)?;
    until_true("the job has arrived", async || {
        let received = guest.order("received 0")?;
        let octets: usize = received.split(' ').next().unwrap_or_default().parse()?;
        Ok(octets >= sent.len())
    })
    .await?;

    // It is read in this mode, too; and what it has printed arrives at the manager.
    guest.order("pages 0 4712")?;
    for visitor in [&visitor, &manager.visitor().await?] {
        let device = visitor.open("/").await?.link("Gadget 0")?;
        until_true("the meter has moved", async || Ok(visitor.open(&device).await?.says("4,712"))).await?;
    }
    let page = visitor.open("/usb").await?;
    let page = visitor.fill_in(&page, "/usb/9418/printing", &[]).await?;
    ensure!(page.says("Connected Status only"), "{}", page.text());

    // Pulled out: the page says so at once, the list after two readings; plugged in: all is well.
    guest.order("unplug 0")?;
    until_true("the page sees it go", async || Ok(visitor.open("/usb").await?.says("Empfang Not connected"))).await?;
    let gadget = visitor.open("/").await?.link("Gadget 0")?;
    let is_missed = async || Ok(visitor.open(&gadget).await?.says("the printer is not connected to its USB port"));
    until_true("the agent misses it", is_missed).await?;
    let missed_at_manager = "SELECT count(*) FROM device WHERE silent_since IS NOT NULL";
    until_true("the manager hears of it", async || Ok(manager.count(missed_at_manager)? == 1)).await?;
    guest.order("plug 0")?;
    until_true("the page sees it come", async || Ok(visitor.open("/usb").await?.says("Empfang Connected"))).await?;
    until_true("the manager hears of it", async || Ok(manager.count(missed_at_manager)? == 0)).await?;
    ensure!(manager.count(count)? == 2, "it is the same printer as before");
    ensure!(agent.stop()? && manager.stop()?, "not ended well");
    Ok(())
}

/// A job with every octet in it, escapes and noughts among them.
fn job() -> Vec<u8> {
    let mut page = b"%!PS-Adobe-3.0\n\x1b%-12345X".to_vec();
    let mut state = 1_u32;
    while page.len() < 200_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        page.push(state.to_be_bytes()[0]);
    }
    page
}
