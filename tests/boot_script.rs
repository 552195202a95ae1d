//! The script that chooses between the two systems on a card, run by a real U-Boot in an emulated machine: what it starts, what it
//! says to the kernel, and what it leaves behind for the next start.
//!
//! Debian's U-Boot for this machine knows no SD cards, no squashfs and no `env load`, so the card is a virtio disk, its slots are
//! ext4, and the three variables are read and written with two commands of the same effect. The rest is the script as it is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::{
    env,
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use system_tests::repository::root;

const U_BOOT: &str = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";
/// What this U-Boot cannot do, and what is done in its place. The memory is free at that time.
const INSTEAD: [(&str, &str); 3] = [
    (
        "env load",
        "virtio read 0x43000000 0x800 0x20; env import -c 0x43000000 0x4000 BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT",
    ),
    (
        "saveenv",
        "env export -c -s 0x4000 0x43000000 BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT; virtio write 0x43000000 0x800 0x20",
    ),
    ("mmc", "virtio"),
];
/// Where the script looks for the kernel and for the description of the machine; a board's U-Boot says so.
const PLACES: &str =
    "setenv scriptaddr 0x40200000; setenv kernel_addr_r 0x40400000; setenv fdt_addr 0x40000000; virtio scan; ";
/// A kernel: shows the description of the machine that it was given, with its command line in it, and switches off.
const KERNEL: [u32; 12] = [
    0xd2a1_2001, // mov  x1, the serial port
    0xb940_0402, // ldr  w2, [x0, #4]: the length
    0x5ac0_0842, // rev  w2, w2
    0x8b02_0002, // add  x2, x0, x2
    0x3840_1403, // ldrb w3, [x0], #1
    0x3900_0023, // strb w3, [x1]
    0xeb02_001f, // cmp  x0, x2
    0x54ff_ffa3, // b.lo the second before
    0xd2b0_8000, // mov  x0, SYSTEM_OFF
    0xf280_0100,
    0xd400_0002, // hvc  #0
    0x1400_0000, // b    here
];
const MIB: u64 = 1 << 20;
const ENVIRONMENT: u64 = MIB;
const PARTITIONS: [u64; 3] = [2 * MIB, 4 * MIB, 5 * MIB];

/// What is on the card before a start, and what has to come of it.
struct Row {
    name: &'static str,
    /// The variables; a card that was never written to has none.
    before: Option<[&'static str; 3]>,
    /// Slots with a kernel.
    kernels: &'static str,
    /// The slot that starts. None: the machine restarts.
    starts: Option<&'static str>,
    after: [&'static str; 3],
}

const ROWS: [Row; 9] = [
    row("the first is good", Some(["A B", "3", "3"]), "AB", Some("A"), ["A B", "2", "3"]),
    row("the second comes first", Some(["B A", "3", "3"]), "AB", Some("B"), ["B A", "3", "2"]),
    row("the last try counts", Some(["B A", "3", "1"]), "AB", Some("B"), ["B A", "3", "0"]),
    row("an exhausted one is passed over", Some(["B A", "3", "0"]), "AB", Some("A"), ["B A", "2", "0"]),
    row("one without a kernel costs no restart", Some(["B A", "3", "3"]), "A", Some("A"), ["B A", "2", "2"]),
    row("as it was flashed", Some(["A B", "3", "0"]), "A", Some("A"), ["A B", "2", "0"]),
    row("all exhausted", Some(["A B", "0", "0"]), "AB", None, ["A B", "3", "3"]),
    row("no kernel anywhere", Some(["A B", "1", "0"]), "", None, ["A B", "3", "3"]),
    row("nothing was ever stored", None, "AB", Some("A"), ["A B", "2", "3"]),
];

const fn row(
    name: &'static str,
    before: Option<[&'static str; 3]>,
    kernels: &'static str,
    starts: Option<&'static str>,
    after: [&'static str; 3],
) -> Row {
    Row { name, before, kernels, starts, after }
}

#[test]
fn the_script_starts_the_right_slot_and_counts() -> Result<()> {
    let programs = ["qemu-system-aarch64", "mkimage", "fw_printenv", "sfdisk", "mkfs.vfat", "mcopy", "mke2fs"];
    let lacks = programs.into_iter().find(|name| !is_there(name));
    if let Some(name) = lacks.or((!Path::new(U_BOOT).exists()).then_some(U_BOOT)) {
        ensure!(env::var("CI").as_deref() != Ok("true"), "there is no {name}: scripts/test installs it");
        eprintln!("LEFT OUT: there is no {name}: scripts/test installs it");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let card = Parts::make(folder.path())?;
    // Two at a time: most of it is waiting for the emulator.
    std::thread::scope(|scope| {
        let halves = ROWS.chunks(ROWS.len().div_ceil(2)).enumerate();
        let started: Vec<_> = halves
            .map(|(half, rows)| {
                let card = &card;
                scope.spawn(move || -> Result<()> {
                    rows.iter().try_for_each(|row| card.start(row, half).context(row.name))
                })
            })
            .collect();
        started.into_iter().try_for_each(|thread| thread.join().unwrap())
    })
}

/// What cards are made of.
struct Parts {
    folder: PathBuf,
    boot: Vec<u8>,
    slot: Vec<u8>,
    command: String,
}

impl Parts {
    fn make(folder: &Path) -> Result<Self> {
        let instead =
            |text: &str| INSTEAD.iter().fold(text.to_owned(), |text, (is, becomes)| text.replace(is, becomes));
        let script = fs::read_to_string(root().join("image/boot/boot.cmd"))?;
        for (is, _) in INSTEAD {
            ensure!(script.contains(is), "the script has no `{is}` any more: this test replaces something else now");
        }
        let place = |name: &str| folder.join(name);
        fs::write(place("boot.cmd"), instead(&script))?;
        run(Command::new("mkimage")
            .args(["-A", "arm", "-T", "script", "-C", "none", "-d"])
            .args([place("boot.cmd"), place("boot.scr")]))?;
        File::create(place("boot"))?.set_len(2 * MIB)?;
        run(Command::new("mkfs.vfat").arg(place("boot")))?;
        run(Command::new("mcopy").arg("-i").arg(place("boot")).arg(place("boot.scr")).arg("::/"))?;
        fs::create_dir_all(place("slot/boot"))?;
        fs::write(place("slot/boot/Image"), kernel())?;
        File::create(place("ext4"))?.set_len(MIB)?;
        run(Command::new("mke2fs")
            .args(["-q", "-t", "ext4", "-O", "^has_journal", "-d"])
            .args([place("slot"), place("ext4")]))?;
        // The board's own command that finds the script.
        let config = fs::read_to_string(root().join("image/uboot/common.config"))?;
        let command = config.lines().find_map(|line| line.strip_prefix("CONFIG_BOOTCOMMAND=\"")?.strip_suffix('"'));
        let command = format!("{PLACES}{}", instead(command.context("the configuration has no boot command")?));
        let (boot, slot) = (fs::read(place("boot"))?, fs::read(place("ext4"))?);
        Ok(Self { folder: folder.to_owned(), boot, slot, command })
    }

    /// Starts a machine with a card as the row has it.
    fn start(&self, row: &Row, number: usize) -> Result<()> {
        let place = |name: &str| self.folder.join(format!("{name}-{number}"));
        let _ = fs::remove_file(place("card"));
        let card = File::create(place("card"))?;
        card.set_len(8 * MIB)?;
        let table = "label: dos\nlabel-id: 0x44525557\n4096,4096,c\n8192,2048,83\n10240,2048,83\n";
        fs::write(place("table"), table)?;
        run(Command::new("sfdisk").arg("-q").arg(place("card")).stdin(File::open(place("table"))?))?;
        let [boot, a, b] = PARTITIONS;
        card.write_all_at(&self.boot, boot)?;
        for (name, at) in [("A", a), ("B", b)] {
            if row.kernels.contains(name) {
                card.write_all_at(&self.slot, at)?;
            }
        }
        if let Some([order, a, b]) = row.before {
            let lines = format!("BOOT_ORDER={order}\nBOOT_A_LEFT={a}\nBOOT_B_LEFT={b}\n");
            card.write_all_at(&self.environment(&lines, 0x4000, number)?, ENVIRONMENT)?;
        }
        // The board's U-Boot has this built in; this one reads it from its flash memory.
        let flash = self.environment(&format!("bootdelay=0\nbootcmd={}\n", self.command), 0x4_0000, number)?;
        fs::write(place("flash"), flash)?;
        File::options().write(true).open(place("flash"))?.set_len(64 * MIB)?;

        let mut qemu = Command::new("qemu-system-aarch64");
        qemu.args(["-M", "virt", "-cpu", "cortex-a53", "-accel", "tcg", "-m", "128", "-bios", U_BOOT, "-no-reboot"]);
        qemu.args(["-display", "none", "-monitor", "none", "-nic", "none"]);
        qemu.arg("-serial").arg(format!("file:{}", place("console").display()));
        qemu.arg("-drive").arg(format!("if=pflash,index=1,format=raw,file={}", place("flash").display()));
        qemu.arg("-drive").arg(format!("if=none,id=card,format=raw,file={}", place("card").display()));
        qemu.args(["-device", "virtio-blk-device,drive=card"]);
        run(&mut qemu)?;

        let console = String::from_utf8_lossy(&fs::read(place("console"))?).into_owned();
        let started = console.split("rauc.slot=").nth(1).and_then(|rest| rest.split(' ').next());
        ensure!(started == row.starts, "started {started:?}: {console}");
        let partition = match started {
            Some("A") => "root=PARTUUID=44525557-02 ",
            Some(_) => "root=PARTUUID=44525557-03 ",
            None => "",
        };
        ensure!(console.contains(partition), "not {partition}: {console}");
        fs::write(place("config"), format!("{} {ENVIRONMENT:#x} 0x4000\n", place("card").display()))?;
        let printed = run(Command::new("fw_printenv").arg("-c").arg(place("config")))?;
        for (name, expected) in ["BOOT_ORDER", "BOOT_A_LEFT", "BOOT_B_LEFT"].into_iter().zip(row.after) {
            let line = format!("{name}={expected}");
            ensure!(printed.lines().any(|printed| printed == line), "not {line}: {printed}{console}");
        }
        Ok(())
    }

    fn environment(&self, lines: &str, size: u32, number: usize) -> Result<Vec<u8>> {
        let place = |name: &str| self.folder.join(format!("{name}-{number}"));
        fs::write(place("variables"), lines)?;
        run(Command::new("mkenvimage")
            .args(["-s", &size.to_string(), "-o"])
            .args([place("environment"), place("variables")]))?;
        Ok(fs::read(place("environment"))?)
    }
}

/// With the head that a kernel for this processor has.
fn kernel() -> Vec<u8> {
    // A jump behind the head, no offset, a page of memory, anywhere.
    let mut image = 0x1400_0010_u64.to_le_bytes().to_vec();
    for word in [0_u64, 0x1000, 0xa, 0, 0, 0] {
        image.extend(word.to_le_bytes());
    }
    image.extend(b"ARM\x64\0\0\0\0");
    image.extend(KERNEL.iter().flat_map(|instruction| instruction.to_le_bytes()));
    image
}

fn is_there(name: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).chain(["/usr/sbin".into(), "/sbin".into()]).any(|folder| folder.join(name).exists())
}

fn run(command: &mut Command) -> Result<String> {
    let path = format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default());
    let output = command.env("PATH", path).stderr(Stdio::piped()).output();
    let output = output.with_context(|| format!("{:?} does not start", command.get_program()))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
