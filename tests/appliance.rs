//! The box as a whole, from the prepared card to the update and the power cut, with a real systemd, RAUC and firewall in an emulated
//! machine; its manager and its printer are on this side.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use system_tests::{
    box_site::{PATIENCE, Site, answers, first_visit, has_a_usb_printer, is_itself, is_kept, to_fixed_address},
    emulated_box::{Circumstances, Flaw, Machine, Slot, Workshop, stick, why_not},
    power_cuts::power_cuts,
    visitor::Visitor,
    wait::until_within,
};

/// Units of ours with how exposed they may be at most, by systemd's own measure. boxd-data makes mounts that all others see, so
/// nothing can be hidden from it; what it can do it can do before anything else runs.
const UNITS: [(&str, f32); 11] = [
    ("agentd", 3.0),
    ("netcfgd", 3.0),
    ("usbbridged", 3.0),
    ("boxd", 3.0),
    ("boxd-data", 4.0),
    ("boxd-provision", 3.0),
    ("boxd-stick", 3.0),
    ("boxd-screen", 3.0),
    ("boxd-errors", 3.0),
    ("druckwart-firewall", 3.0),
    ("druckwart-swap", 3.0),
];

/// Whether there can be an emulated box here; says why not.
fn can_run() -> bool {
    let why_not = why_not();
    if let Some(why) = &why_not {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
        eprintln!("LEFT OUT: {why}");
    }
    why_not.is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_card_becomes_a_box_that_reports() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let site = Site::new().await?;
    let prepared = site.prepare()?;
    let card = Workshop::open()?.card(&[("agent.toml", &prepared)])?;
    let machine = Machine::start(&card).await?;
    let visitor = answers(&machine, &machine.site()).await?;
    first_visit(&visitor).await?;
    site.reports(1).await?;
    let visitor = is_itself(&machine, &machine.site()).await?;
    is_kept(&card, Slot::A).await?;
    has_a_usb_printer(&machine, &visitor, &site).await?;

    // Everything runs, nothing has failed, and no unit of ours may more than it needs.
    machine.sees("systemctl is-system-running", "running").await?;
    let failed = machine.look("systemctl --failed --no-legend --plain")?;
    ensure!(failed.is_empty(), "{failed}");
    for (unit, most) in UNITS {
        let said = machine.look(&format!("systemd-analyze --no-pager security {unit}.service | tail -n 1"))?;
        let exposed = said.split("service: ").nth(1).and_then(|rest| rest.split(' ').next()).context(said.clone())?;
        ensure!(exposed.parse::<f32>()? <= most, "{said}");
    }
    let said = machine.look("journalctl -b --no-pager -u agentd")?;
    ensure!(said.contains("the pages are at") && !said.contains("no key of a channel"), "{said}");
    // Nobody can log in; the name is the box's own; the partition has grown with the card.
    ensure!(machine.look("systemctl list-units --no-legend '*getty*.service'")?.is_empty(), "a login");
    let name = machine.look("cat /proc/sys/kernel/hostname")?;
    ensure!(name.starts_with("druckwart-"), "the box is called {name}");
    let page = visitor.open("/box").await?;
    ensure!(page.says(&name), "{}", page.text());
    let size: u64 = machine.look("busybox df -m /data | tail -n 1 | busybox awk '{ print $2 }'")?.parse()?;
    ensure!(size > 200, "the data partition has {size} MiB");
    ensure!(
        machine.look("busybox awk '$2 == \"/\" { print $4 }' /proc/mounts")?.contains("ro"),
        "the root is writable"
    );

    // Of two ports on which something listens, the one that is published is reached.
    machine.look("for port in 7777 9440; do busybox nc -l -p $port > /run/heard-$port & done")?;
    for port in [7777, 9440] {
        let mut stream = TcpStream::connect(machine.at(port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"hello\n")?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let _ = stream.read(&mut [0; 1]);
    }
    machine.sees("cat /run/heard-9440", "hello").await?;
    ensure!(machine.look("cat /run/heard-7777")?.is_empty(), "port 7777 is open");

    // The card's answer, and no secret on it any more.
    machine.cut()?;
    let status = card.get("agent-status.txt")?;
    ensure!(status.contains("agent: applied"), "{status}");
    let code = prepared.lines().find_map(|line| line.strip_prefix("enrolment_code = ")).context("a code")?;
    let rest = card.get("agent.toml")?;
    ensure!(rest.contains("enrolment_code") && !rest.contains(code), "the enrolment code is still there: {rest}");

    // From DHCP to a fixed address, through the page; a power cut does not undo it.
    let machine = Machine::start(&card).await?;
    to_fixed_address(&machine).await?;
    machine.cut()?;
    let machine = Machine::start(&card).await?;
    is_itself(&machine, &machine.fixed_site()).await?;
    site.has_no_gaps()
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_are_kept_or_taken_back() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let site = Site::new().await?;
    let prepared = site.prepare()?;
    let workshop = Workshop::open()?;
    let card = workshop.card(&[("agent.toml", &prepared)])?;
    let folder = tempfile::tempdir()?;
    let image = folder.path().join("stick");
    let machine = Machine::start(&card).await?;
    first_visit(&answers(&machine, &machine.site()).await?).await?;
    is_itself(&machine, &machine.site()).await?;
    is_kept(&card, Slot::A).await?;

    // What is not installed, and what the stick is told about it.
    let refused = [
        ("0.9.0", Flaw::None, "older"),
        ("9.0.0", Flaw::Stranger, "signature"),
        ("9.0.0", Flaw::OtherBoard, "druckwart-pi2"),
    ];
    for (version, flaw, why) in refused {
        stick(&image, &[&workshop.bundle(version, flaw)?])?;
        machine.plug_stick(&image)?;
        machine.sees("cat /var/lib/boxd/agent-status.txt", why).await?;
        machine.sees("systemctl is-active boxd-stick", "inactive").await?;
        machine.pull_stick()?;
        machine.sees("ls /dev/druckwart/stick", "No such file").await?;
    }

    // One that is good: into the other slot, started, found good.
    stick(&image, &[&workshop.bundle("1.1.0", Flaw::None)?])?;
    machine.plug_stick(&image)?;
    machine.ends().await?;
    let machine = Machine::start(&card).await?;
    ensure!(machine.slot == Slot::B, "the update is not started");
    is_itself(&machine, &machine.site()).await?;
    is_kept(&card, Slot::B).await?;
    ensure!(machine.look("cat /etc/os-release")?.contains("VERSION_ID=1.1.0"));

    // One whose agent never answers: left after its time, and the box says why.
    stick(&image, &[&workshop.bundle("1.2.0", Flaw::Silent)?])?;
    machine.plug_stick(&image)?;
    machine.ends().await?;
    let machine = Machine::start_in(&card, Circumstances { does_time_fly: true, ..Circumstances::default() }).await?;
    ensure!(machine.slot == Slot::A, "the update is not started");
    machine.ends().await?;
    let machine = Machine::start(&card).await?;
    ensure!(machine.slot == Slot::B, "the box did not go back");
    is_itself(&machine, &machine.site()).await?;
    machine.sees("cat /var/lib/boxd/update.json", "went_back").await?;
    machine.cut()?;

    // A slot that has rotted: the other one is still there.
    card.spoil_slot(Slot::B)?;
    let machine = Machine::start(&card).await?;
    ensure!(machine.slot == Slot::A);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_is_full_or_fails_is_told() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let site = Site::new().await?;
    let card = Workshop::open()?.card(&[("agent.toml", &site.prepare()?)])?;
    let machine = Machine::start(&card).await?;
    first_visit(&answers(&machine, &machine.site()).await?).await?;
    let visitor = is_itself(&machine, &machine.site()).await?;
    is_kept(&card, Slot::A).await?;

    // Full: the page says so, and so does the manager's; settings can still be changed.
    machine.look("dd if=/dev/zero of=/data/filler bs=64k")?;
    let says = async |visitor: &Visitor, place: &str, words: &str, wanted: bool| {
        let said = async || Ok((visitor.open(place).await?.says(words) == wanted).then_some(()));
        until_within(PATIENCE, words, said).await.with_context(|| format!("{place}: {words}, {wanted}"))
    };
    says(&visitor, "/", "The storage is full", true).await?;
    let told = "SELECT count(*) FROM agent_remark WHERE code = 'storageFull'";
    let is_told = async |count: i64| {
        let is_told = async || Ok((site.manager.count(told)? == count).then_some(()));
        until_within(PATIENCE, "the manager is told", is_told).await
    };
    is_told(1).await?;
    to_fixed_address(&machine).await?;
    // A start with it is one like any other.
    machine.cut()?;
    let machine = Machine::start(&card).await?;
    let visitor = is_itself(&machine, &machine.fixed_site()).await?;
    says(&visitor, "/", "The storage is full", true).await?;
    // With room again all is as before.
    machine.look("rm /data/filler")?;
    says(&visitor, "/", "The storage is full", false).await?;
    is_told(0).await?;
    machine.cut()?;

    // The head of its file system is gone: mended from the copies that the file system has.
    card.spoil_data(1024, &[0xff; 1024])?;
    let machine = Machine::start(&card).await?;
    let visitor = is_itself(&machine, &machine.fixed_site()).await?;
    says(&visitor, "/box", "The storage was damaged and has been repaired", true).await?;
    machine.cut()?;

    // It keeps nothing any more: the box works with what it knows.
    let worn = Circumstances { does_card_forget: true, ..Circumstances::default() };
    let machine = Machine::start_in(&card, worn).await?;
    let visitor = is_itself(&machine, &machine.fixed_site()).await?;
    says(&visitor, "/box", "The card cannot be written to", true).await?;
    machine.cut()?;

    // Rubbish from its beginning to its end: a new box, which says so.
    let (_, length) = card.data()?;
    card.spoil_data(0, &vec![0xa5; usize::try_from(length)?])?;
    let machine = Machine::start(&card).await?;
    let visitor = answers(&machine, &machine.site()).await?;
    first_visit(&visitor).await?;
    says(&visitor, "/box", "The storage was damaged beyond repair", true).await?;
    Ok(())
}

/// One cut of each kind; `cargo run -p system-tests --example power_cuts -- 200` makes more.
#[tokio::test(flavor = "multi_thread")]
async fn power_cuts_are_survived() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    power_cuts(4, 1).await
}
