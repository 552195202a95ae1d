//! The image's tools as a person meets them: what `scripts/flash` writes, and above all what it refuses to write to. Uses files
//! and, where the kernel lends them, loop devices; never a disk of this machine other than to be refused in a dry run.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    process::{Command, Output},
};

use system_tests::repository::root;
use tempfile::TempDir;

const MIB: u64 = 1024 * 1024;
/// As image/layout.sh has them.
const SIGNATURE: u32 = 0x4452_5557;
const BOOT_OFFSET: u64 = 4 * MIB;

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

fn works(program: &str, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn flash(arguments: &[&str]) -> Output {
    run(root().join("scripts/flash").to_str().unwrap(), arguments)
}

/// The words with which it refused.
fn refusal(arguments: &[&str]) -> String {
    let output = flash(arguments);
    assert!(!output.status.success(), "flash {arguments:?} was not refused");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A small image in the form of the real one: signature, something where the boot loader's environment is, a boot partition.
fn image(folder: &Path) -> String {
    let path = folder.join("small.img");
    let mut file = File::create(&path).unwrap();
    file.set_len(12 * MIB).unwrap();
    file.seek(SeekFrom::Start(440)).unwrap();
    file.write_all(&SIGNATURE.to_le_bytes()).unwrap();
    file.seek(SeekFrom::Start(MIB)).unwrap();
    file.write_all(b"BOOT_ORDER=A B").unwrap();
    let boot = folder.join("boot.vfat");
    File::create(&boot).unwrap().set_len(8 * MIB).unwrap();
    works("mkfs.vfat", &["-n", "BOOT", boot.to_str().unwrap()]);
    file.seek(SeekFrom::Start(BOOT_OFFSET)).unwrap();
    file.write_all(&fs::read(&boot).unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn card(folder: &Path, name: &str, size: u64) -> String {
    let path = folder.join(name);
    File::create(&path).unwrap().set_len(size).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_image_and_its_configuration_reach_the_card() {
    let folder = TempDir::new().unwrap();
    let image = image(folder.path());
    works("xz", &["--keep", &image]);
    let packed = format!("{image}.xz");
    let toml = folder.path().join("site.toml");
    fs::write(&toml, "\u{feff}[manager]\r\n").unwrap();
    for image in [&image, &packed] {
        let card = card(folder.path(), "card", 16 * MIB);
        let output = flash(&["--yes", "--agent-toml", toml.to_str().unwrap(), image, &card]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut written = vec![0; 14];
        let mut file = File::open(&card).unwrap();
        file.seek(SeekFrom::Start(MIB)).unwrap();
        file.read_exact(&mut written).unwrap();
        assert_eq!(written, b"BOOT_ORDER=A B");
        assert_eq!(file.metadata().unwrap().len(), 16 * MIB, "what lies behind the image stays");
        assert_eq!(works("mtype", &["-i", &format!("{card}@@{BOOT_OFFSET}"), "::agent.toml"]), "\u{feff}[manager]\r\n");
    }
}

#[test]
fn what_is_no_card_or_no_image_is_refused_and_untouched() {
    let folder = TempDir::new().unwrap();
    let image = image(folder.path());
    let roomy = card(folder.path(), "roomy", 16 * MIB);
    let small = card(folder.path(), "small", 8 * MIB);
    let stranger = card(folder.path(), "stranger.img", MIB);
    for (arguments, reason) in [
        (vec![&*image, &*roomy], "ordinary file"),
        (vec!["--yes", &image, &small], "too small"),
        (vec!["--yes", &image, "/dev/null"], "neither a disk nor a file"),
        (vec!["--yes", &image, "/dev/no-such-card"], "there is no /dev/no-such-card"),
        (vec!["--yes", &image, &image], "onto itself"),
        (vec!["--yes", &stranger, &roomy], "no image of Druckwart"),
        (vec!["--yes", "--agent-toml", "/no/such.toml", &image, &roomy], "cannot read /no/such.toml"),
    ] {
        let words = refusal(&arguments);
        assert!(words.contains(reason), "flash {arguments:?} said: {words}");
    }
    for path in [&roomy, &small] {
        assert!(fs::read(path).unwrap().iter().all(|byte| *byte == 0), "{path} was written to");
    }

    // Damaged on its way: the sums beside it tell.
    let sums = works("sha256sum", &[&image]).replace(&image, "small.img");
    fs::write(folder.path().join("SHA256SUMS"), sums).unwrap();
    assert!(flash(&["--yes", "--check", &image, &roomy]).status.success());
    let mut file = OpenOptions::new().write(true).open(&image).unwrap();
    file.seek(SeekFrom::Start(11 * MIB)).unwrap();
    file.write_all(b"!").unwrap();
    assert!(refusal(&["--yes", "--check", &image, &roomy]).contains("does not match SHA256SUMS"));
    // The sum of the packed one, whose name begins the same, says nothing of it.
    works("xz", &["--keep", &image]);
    let sums = works("sha256sum", &[&format!("{image}.xz")]).replace(&image, "small.img");
    fs::write(folder.path().join("SHA256SUMS"), sums).unwrap();
    assert!(refusal(&["--yes", "--check", &image, &roomy]).contains("does not match SHA256SUMS"));
    assert!(flash(&["--yes", "--check", &format!("{image}.xz"), &roomy]).status.success());
}

#[test]
fn disks_of_this_machine_are_refused() {
    let folder = TempDir::new().unwrap();
    let image = image(folder.path());
    let disks = works("lsblk", &["--noheadings", "--paths", "--nodeps", "--output", "NAME,TYPE"]);
    let running = disks.lines().filter_map(|line| line.split_once(char::is_whitespace)).find_map(|(disk, kind)| {
        let mounted = works("lsblk", &["--noheadings", "--output", "MOUNTPOINTS", disk]);
        (kind.trim() == "disk" && mounted.lines().any(|line| line.trim() == "/")).then(|| disk.to_owned())
    });
    match running {
        Some(disk) => {
            let words = refusal(&["--check", "--yes", &image, &disk]);
            assert!(words.contains("holds the running system"), "{words}");
            let listed = flash(&["--list"]);
            assert!(!String::from_utf8_lossy(&listed.stdout).contains(&disk));
        }
        None => println!("no disk of this machine holds its system (a container?): not tried"),
    }

    // A card with something mounted, in a mount namespace of its own.
    let card = card(folder.path(), "card", 16 * MIB);
    works("mkfs.ext4", &["-q", "-F", &card]);
    let script = format!(
        "mount --make-rprivate / && loop=$(losetup --show --find {card}) || exit 77\n\
         mkdir {0}/here && mount $loop {0}/here || {{ losetup -d $loop; exit 77; }}\n\
         {1} --check --yes {image} $loop; code=$?; umount {0}/here\n\
         {1} --check --yes {image} $loop || code=99\n\
         {1} --check {image} $loop && code=98\n\
         losetup -d $loop; exit $code",
        folder.path().display(),
        root().join("scripts/flash").display(),
    );
    let output = run("unshare", &["--mount", "sh", "-c", &script]);
    let words = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) || words.contains("Operation not permitted") {
        println!("this kernel or user gets no loop device: not tried ({})", words.trim());
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("is mounted at"), "{words}");
    assert!(words.contains("it is a loop device"), "{words}");
}

/// A second card of ours in a USB reader has the same identifiers.
#[test]
fn updates_go_to_the_box_s_own_card() {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    let (config, rules) = (read("image/rauc/system.conf.in"), read("appliance/boxd/service/70-druckwart.rules"));
    let (script, build) = (read("image/boot/boot.cmd"), read("image/post-build"));
    let devices: Vec<_> = config.lines().filter_map(|line| line.strip_prefix("device=/dev/")).collect();
    let slots: Vec<_> = config.lines().filter_map(|line| line.strip_prefix("bootname=")).collect();
    assert_eq!((devices.len(), slots.as_slice()), (2, ["A", "B"].as_slice()), "every device is one of ours");
    for (device, slot) in devices.into_iter().zip(slots) {
        let rule = rules.lines().find(|line| line.ends_with(&format!("SYMLINK+=\"{device}\""))).unwrap();
        assert!(rule.contains("ENV{ID_BUS}!=\"usb\""), "{rule}");
        let chosen = script.lines().find(|line| line.contains(&format!("= \"{slot}\""))).unwrap();
        let number = chosen.split("setenv part ").nth(1).and_then(|rest| rest.split(';').next()).unwrap();
        assert!(rule.contains(&format!("ENV{{PARTN}}==\"{number}\"")), "{chosen}: {rule}");
    }
    assert!(!build.contains("@DISK@") && !config.contains("@DISK@"));
}

#[test]
fn where_nothing_was_built_that_is_said() {
    let folder = TempDir::new().unwrap();
    for subfolder in ["scripts", "image"] {
        fs::create_dir(folder.path().join(subfolder)).unwrap();
    }
    for file in ["scripts/lib.sh", "image/layout.sh", "scripts/flash", "scripts/run-image"] {
        fs::copy(root().join(file), folder.path().join(file)).unwrap();
    }
    for (script, builds) in
        [("scripts/flash", "scripts/build-image makes one"), ("scripts/run-image", "scripts/build-image qemu first")]
    {
        let output = run(folder.path().join(script).to_str().unwrap(), &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(builds), "{script}: {said}");
    }
}
