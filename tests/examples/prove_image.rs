//! `cargo run -p system-tests --example prove_image -- DIR KEYS`: starts the image of QEMU's board that `scripts/build-image qemu` has
//! left in DIR, from its boot loader on, and does with it what a dealer, a technician and bad luck do: a prepared card, the first
//! visit, a report, a USB printer, an update, power cuts, another address, a reset, an update that fails. KEYS is the folder with
//! which it was signed. Needs root, to take the system apart for the updates. Says what it does and how long that took.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use system_tests::{
    box_site::{Site, answers, first_visit, has_a_usb_printer, is_itself, is_kept, to_fixed_address},
    emulated_box::{Card, Circumstances, Machine, Slot, run, stick},
    wait::until_within,
};

/// A system on trial has twelve minutes.
const PATIENCE: Duration = Duration::from_secs(40 * 60);
/// Where slot A begins on the card, in MiB, and its size.
const SLOT: (u32, u32) = (64, 96);

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = env::args().skip(1);
    let folder = PathBuf::from(words.next().context("which folder?")?);
    let keys = PathBuf::from(words.next().context("which keys?")?);
    let names = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
    let image = names.into_iter().find(|path| path.extension().is_some_and(|end| end == "img")).context("no image")?;
    let scratch = tempfile::tempdir()?;
    let site = Site::new().await?;
    let card = Card::of(&image, scratch.path(), &[("agent.toml", &site.prepare()?)])?;
    let switch_on = |circumstances| Machine::start_image(&card, &folder.join("u-boot.bin"), circumstances);
    let usual = Circumstances::default();
    let log = Log(Instant::now());
    log.say(&format!("{}", image.display()));

    let began = Instant::now();
    let machine = switch_on(usual)?;
    let visitor = answers(&machine, &machine.site()).await?;
    log.took("first start to page", began);
    first_visit(&visitor).await?;
    site.reports(1).await?;
    log.took("first start to first report at the manager", began);
    let visitor = is_itself(&machine, &machine.site()).await?;
    is_kept(&card, Slot::A).await?;
    log.took("first start to being found good", began);
    let times = has_a_usb_printer(&machine, &visitor, &site).await?;
    for (what, time) in [
        ("being on the page", times.listed),
        ("its page count on the page", times.read),
        ("its page count at the manager", times.reported),
    ] {
        log.say(&format!("a USB printer, from plugging in to {what}: {:.1} s", time.as_secs_f32()));
    }
    log.say(&format!("a USB printer, from pulling out to the page that says so: {:.1} s", times.missed.as_secs_f32()));
    machine.cut()?;
    ensure!(card.get("agent-status.txt")?.contains("agent: applied"));

    let began = Instant::now();
    let machine = switch_on(usual)?;
    is_itself(&machine, &machine.site()).await?;
    log.took("second start to page with its device", began);

    let began = Instant::now();
    let image = scratch.path().join("stick");
    let update = bundle(&card, scratch.path(), &keys, "98.0.0", false)?;
    stick(&image, &[&update])?;
    let began_update = Instant::now();
    log.took("making an update", began);
    machine.plug_stick(&image)?;
    is_kept(&card, Slot::B).await?;
    log.took("update from a stick to being installed", began_update);
    let tried = async || Ok((card.variables()?.left[1] < 3).then_some(()));
    until_within(PATIENCE, "the other slot is started", tried).await?;
    is_kept(&card, Slot::B).await?;
    is_itself(&machine, &machine.site()).await?;
    log.took("update from a stick to being found good in the other slot", began_update);
    machine.cut()?;

    for number in 0..3_u64 {
        let after = Duration::from_millis(4_000 + number * 7_919);
        let machine = switch_on(usual)?;
        tokio::time::sleep(after).await;
        machine.cut()?;
        let began = Instant::now();
        let machine = switch_on(usual)?;
        is_itself(&machine, &machine.site()).await?;
        log.took(&format!("back on its page after a power cut {} ms after power-on", after.as_millis()), began);
        // Three starts in a row that are cut off before that would bring back the system before it.
        is_kept(&card, Slot::B).await?;
        machine.cut()?;
        site.has_no_gaps()?;
    }

    let machine = switch_on(usual)?;
    to_fixed_address(&machine).await?;
    machine.cut()?;
    let machine = switch_on(usual)?;
    is_itself(&machine, &machine.fixed_site()).await?;
    log.say("a fixed address set on the page holds after a power cut");

    let began = Instant::now();
    let wish = scratch.path().join("agent.toml");
    fs::write(&wish, "[box]\nreset = \"everything\"\n")?;
    stick(&image, &[&wish])?;
    machine.plug_stick(&image)?;
    let asks = async || {
        let visitor = system_tests::visitor::Visitor::new(&machine.site())?;
        Ok(visitor.open("/").await.ok().filter(|page| page.path == "/setup").map(drop))
    };
    until_within(PATIENCE, "the first visit's page", asks).await?;
    log.took("a reset of everything, to the first visit's page", began);
    is_kept(&card, Slot::B).await?;
    machine.cut()?;

    // Last, because it takes longest: the emulator passes over the time in which nothing happens, but not over what happens in it.
    let update = bundle(&card, scratch.path(), &keys, "99.0.0", true)?;
    stick(&image, &[&update])?;
    let first = async |slot: Slot| {
        let is_first = async || Ok((card.variables()?.order.first() == Some(&slot)).then_some(()));
        until_within(PATIENCE, "the order of the slots", is_first).await
    };
    let machine = switch_on(usual)?;
    answers(&machine, &machine.site()).await?;
    // No update is taken before the present system is found good.
    is_kept(&card, Slot::B).await?;
    machine.plug_stick(&image)?;
    first(Slot::A).await?;
    machine.cut()?;
    let began = Instant::now();
    let machine = switch_on(Circumstances { does_time_fly: true, ..usual })?;
    first(Slot::B).await?;
    machine.cut()?;
    let machine = switch_on(usual)?;
    answers(&machine, &machine.site()).await?;
    log.took(
        "start of an update whose agent is silent, to the return of the system before it (idle time passed over)",
        began,
    );
    machine.cut()?;
    Ok(())
}

struct Log(Instant);

impl Log {
    fn say(&self, what: &str) {
        println!("{:>7.1} s  {what}", self.0.elapsed().as_secs_f32());
    }

    fn took(&self, what: &str, began: Instant) {
        self.say(&format!("{what}: {:.1} s", began.elapsed().as_secs_f32()));
    }
}

/// An update made of the system in slot A, with another version; and with an agent that never answers, if it is to fail.
fn bundle(card: &Card, folder: &Path, keys: &Path, version: &str, is_silent: bool) -> Result<PathBuf> {
    let place = |name: &str| folder.join(format!("{name}-{version}"));
    let (start, size) = SLOT;
    let mut copy = Command::new("dd");
    copy.arg(format!("if={}", card.path().display())).arg(format!("of={}", place("slot").display()));
    run(copy.args(["bs=1M", &format!("skip={start}"), &format!("count={size}")]))?;
    run(Command::new("unsquashfs").args(["-q", "-n", "-d"]).arg(place("root")).arg(place("slot")))?;
    let release = place("root").join("usr/lib/os-release");
    let text = fs::read_to_string(&release)?;
    let lines = text.lines().map(|line| match line.strip_prefix("VERSION_ID=") {
        Some(_) => format!("VERSION_ID={version}\n"),
        None => format!("{line}\n"),
    });
    fs::write(&release, lines.collect::<String>())?;
    if is_silent {
        fs::write(place("root").join("usr/bin/agentd"), "#!/bin/sh\nexec sleep 1000000\n")?;
    }
    fs::create_dir(place("content"))?;
    let system = place("content").join("rootfs.squashfs");
    run(Command::new("mksquashfs").arg(place("root")).arg(system).args(["-quiet", "-no-progress", "-comp", "zstd"]))?;
    let manifest = format!(
        "[update]\ncompatible=druckwart-qemu\nversion={version}\n[bundle]\nformat=verity\n[image.rootfs]\nfilename=rootfs.squashfs\n"
    );
    fs::write(place("content").join("manifest.raucm"), manifest)?;
    let word = |name: &str, file: &str| format!("--{name}={}", keys.join(file).display());
    let mut rauc = Command::new("rauc");
    rauc.args([word("cert", "update.cert.pem"), word("key", "update.key.pem"), word("keyring", "keyring.pem")]);
    let bundle = folder.join(format!("{version}.raucb"));
    run(rauc.arg("bundle").arg(place("content")).arg(&bundle))?;
    for name in ["slot", "root", "content"] {
        run(Command::new("rm").arg("-rf").arg(place(name)))?;
    }
    Ok(bundle)
}
