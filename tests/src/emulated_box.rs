//! The box as a whole, emulated: its root file system with Debian's packages in place of Buildroot's, on a card with the real
//! layout, started slot by slot as the boot loader does it. Nothing of it is in the shipped image but what it shares with it.

use std::{
    env,
    fmt::{self, Write as _},
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr},
    os::unix::{fs::FileExt as _, net::UnixStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use crate::{
    programs::{Daemon, program},
    redirected_printer::RedirectedPrinter,
    repository::root,
    wait::until_within,
};

/// What `scripts/appliance-guest` has fetched.
const KIT: &str = "target/appliance-guest";
/// How the names of workshops begin; the id of their process follows.
const WORKSHOP: &str = "druckwart-box-";
/// What a person's computer would reach of the box: a port here, the address that the box has to have, its port.
const FORWARDS: [(u16, &str, u16); 7] = [
    (8443, "10.0.2.15", 443),
    (8080, "10.0.2.15", 80),
    (9418, "10.0.2.15", 9418),
    (9440, "10.0.2.15", 9440),
    (7777, "10.0.2.15", 7777),
    (8444, FIXED, 443),
    (8081, FIXED, 80),
];
/// An address that is not the lease.
pub const FIXED: &str = "10.0.2.50";
/// The computer on which the tests run, as the box sees it.
pub const HOST: &str = "10.0.2.2";
/// Size of the card. Larger than the image, so that there is something to grow into.
const CARD: u64 = 512 << 20;
/// Where the boot partition begins, in bytes.
const BOOT: u64 = 4 << 20;
/// Where the slots begin and what they hold at most, as image/layout.sh has it.
const SLOTS: [u64; 2] = [64 << 20, 160 << 20];
/// What stands behind the answer to an order.
const END: &str = "<end of orders>\n";
/// Longest wait for a start: the emulator runs beside other tests.
const START: Duration = Duration::from_secs(300);

/// Why there can be no such box here; `None` where there can.
pub fn why_not() -> Option<String> {
    if !root().join(KIT).join("complete").exists() {
        return Some(format!("{KIT} is missing: run scripts/appliance-guest"));
    }
    let needed = ["qemu-system-x86_64", "rauc", "mksquashfs", "genimage", "mcopy", "mkimage", "fw_setenv", "objcopy"];
    let missing = needed.into_iter().find(|name| !is_there(name));
    missing.map(|name| format!("there is no {name}: scripts/test installs it"))
}

fn is_there(name: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).chain(["/usr/sbin".into(), "/sbin".into()]).any(|folder| folder.join(name).exists())
}

/// The one folder of everything that is made for these tests: systems, keys, bundles.
pub struct Workshop {
    folder: TempDir,
    /// One maker at a time: tests that run beside each other want the same bundles.
    making: Mutex<()>,
}

/// How an update is wrong, if it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It is not.
    None,
    /// Its agent starts and never answers.
    Silent,
    /// It is signed by someone else.
    Stranger,
    /// It is made for another kind of box.
    OtherBoard,
}

impl Workshop {
    /// The folder with the keys and the system of version 1.0.0 in it; made once.
    pub fn open() -> Result<&'static Self> {
        static OPEN: OnceLock<Result<Workshop, String>> = OnceLock::new();
        let open = OPEN.get_or_init(|| Self::make().map_err(|error| format!("{error:#}")));
        open.as_ref().map_err(|error| anyhow::anyhow!("the emulated box can not be made: {error}"))
    }

    fn make() -> Result<Self> {
        // systemctl takes no path with `..` in it for a root.
        let kit = fs::canonicalize(root().join(KIT))?;
        remove_left_behind(&kit)?;
        let prefix = format!("{WORKSHOP}{}-", std::process::id());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in(kit)?;
        let workshop = Self { folder, making: Mutex::default() };
        for keys in ["keys", "strangers"] {
            let script = root().join("scripts/make-keys");
            run(Command::new(script).args(["--channel", "tests"]).arg(workshop.place(keys)))?;
        }
        fs::create_dir(workshop.place("programs"))?;
        for name in ["agentd", "boxd", "netcfgd", "usbbridged"] {
            let to = workshop.place("programs").join(name);
            run(Command::new("objcopy").arg("--strip-all").arg(program(name)?).arg(to))?;
        }
        workshop.system("1.0.0", Flaw::None)?;
        Ok(workshop)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of a system of this version, which is made if need be.
    fn system(&self, version: &str, flaw: Flaw) -> Result<PathBuf> {
        let system = self.place(version);
        if system.exists() {
            return Ok(system);
        }
        let mut programs = self.place("programs");
        if flaw == Flaw::Silent {
            let wrong = self.place("wrong-programs");
            run(Command::new("cp").arg("-r").args([&programs, &wrong]))?;
            fs::write(wrong.join("agentd"), "#!/bin/busybox sh\nexec /bin/busybox sleep 1000000\n")?;
            programs = wrong;
        }
        let mut script = Command::new(if nix::unistd::geteuid().is_root() { "env" } else { "fakeroot" });
        script.arg(root().join("scripts/appliance-guest")).arg("--system").arg(&system);
        script.arg("--programs").arg(programs).arg("--keys").arg(self.place("keys"));
        run(script.args(["--version", version]))?;
        Ok(system)
    }

    /// An update to this version.
    pub fn bundle(&self, version: &str, flaw: Flaw) -> Result<PathBuf> {
        let _alone = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let bundle = self.place(&format!("{version}-{flaw:?}.raucb"));
        if bundle.exists() {
            return Ok(bundle);
        }
        // Where the flaw is in the bundle itself any system will do.
        let built = if matches!(flaw, Flaw::None | Flaw::Silent) { version } else { "1.0.0" };
        let system = self.system(built, flaw)?;
        let content = self.place("content");
        fs::create_dir(&content)?;
        fs::hard_link(system.join("images/rootfs.squashfs"), content.join("rootfs.squashfs"))?;
        let board = if flaw == Flaw::OtherBoard { "pi2" } else { "qemu" };
        let manifest = format!(
            "[update]\ncompatible=druckwart-{board}\nversion={version}\n[bundle]\nformat=verity\n[image.rootfs]\nfilename=rootfs.squashfs\n"
        );
        fs::write(content.join("manifest.raucm"), manifest)?;
        let keys = self.place(if flaw == Flaw::Stranger { "strangers" } else { "keys" });
        let word = |name: &str, file: &str| format!("--{name}={}", keys.join(file).display());
        let mut rauc = Command::new("rauc");
        rauc.args([word("cert", "update.cert.pem"), word("key", "update.key.pem"), word("keyring", "keyring.pem")]);
        run(rauc.arg("bundle").arg(&content).arg(&bundle))?;
        fs::remove_dir_all(content)?;
        Ok(bundle)
    }

    /// A new card as it comes from `scripts/flash`, with these files on its boot partition.
    pub fn card(&self, files: &[(&str, &str)]) -> Result<Card> {
        Card::of(&self.place("1.0.0/images/qemu/sdcard.img"), self.folder.path(), files)
    }
}

/// Removes the workshops of processes that are gone: one lasts as long as its process, which drops nothing at its end.
fn remove_left_behind(kit: &Path) -> Result<()> {
    for entry in fs::read_dir(kit)?.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(WORKSHOP)?.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            // Another process may be doing the same.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

/// A card, in the box or out of it.
pub struct Card {
    folder: TempDir,
}

impl Card {
    /// A card with this image on it, in a folder of its own, and with these files on its boot partition.
    pub fn of(image: &Path, folder: &Path, files: &[(&str, &str)]) -> Result<Self> {
        let card = Self { folder: tempfile::Builder::new().prefix("card-").tempdir_in(folder)? };
        run(Command::new("cp").arg("--sparse=always").arg(image).arg(card.path()))?;
        card.open()?.set_len(CARD)?;
        for (name, content) in files {
            card.put(name, content)?;
        }
        Ok(card)
    }

    /// The image.
    pub fn path(&self) -> PathBuf {
        self.place("card")
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self) -> Result<File> {
        Ok(File::options().read(true).write(true).open(self.path())?)
    }

    fn boot(&self) -> String {
        format!("{}@@{BOOT}", self.path().display())
    }

    /// Writes a file on the boot partition.
    pub fn put(&self, name: &str, content: &str) -> Result<()> {
        let file = self.place(name);
        fs::write(&file, content)?;
        run(Command::new("mcopy").args(["-o", "-i", &self.boot()]).arg(file).arg(format!("::/{name}"))).map(drop)
    }

    /// A file of the boot partition.
    pub fn get(&self, name: &str) -> Result<String> {
        run(Command::new("mtype").args(["-i", &self.boot()]).arg(format!("::/{name}")))
    }

    /// Writes the same octet over a part of a slot, as a card does that forgets.
    pub fn spoil_slot(&self, slot: Slot) -> Result<()> {
        let [a, b] = SLOTS;
        let at = if slot == Slot::A { a } else { b };
        Ok(self.open()?.write_all_at(&[0xff; 4096], at)?)
    }

    /// Where the data partition begins and how long it is, in bytes.
    pub fn data(&self) -> Result<(u64, u64)> {
        let dump = run(Command::new("sfdisk").arg("--dump").arg(self.path()))?;
        let line = dump.lines().filter(|line| line.contains("start=")).nth(3).context("a fourth partition")?;
        let number = |key: &str| -> Option<u64> {
            line.split(key).nth(1)?.split(',').next()?.trim().parse::<u64>().ok()?.checked_mul(512)
        };
        Ok((number("start=").context("its start")?, number("size=").context("its size")?))
    }

    /// Writes over the data partition, from an offset in it on.
    pub fn spoil_data(&self, from: u64, octets: &[u8]) -> Result<()> {
        let (start, _) = self.data()?;
        Ok(self.open()?.write_all_at(octets, start + from)?)
    }

    /// The boot loader's variables.
    pub fn variables(&self) -> Result<Variables> {
        let printed = run(Command::new("fw_printenv").arg("-c").arg(self.config()?))?;
        let value = |name: &str| printed.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let left = |name: &str| value(name).and_then(|value| value.parse().ok()).unwrap_or(3);
        let order = value("BOOT_ORDER").unwrap_or("A B");
        let order = order.split_whitespace().map(|name| if name == "A" { Slot::A } else { Slot::B }).collect();
        Ok(Variables { order, left: [left("BOOT_A_LEFT"), left("BOOT_B_LEFT")] })
    }

    fn set_variables(&self, variables: &Variables) -> Result<()> {
        let [a, b] = variables.left;
        let order: Vec<_> = variables.order.iter().map(Slot::to_string).collect();
        let text = format!("BOOT_ORDER={}\nBOOT_A_LEFT={a}\nBOOT_B_LEFT={b}\n", order.join(" "));
        fs::write(self.place("variables"), text)?;
        let mut set = Command::new("fw_setenv");
        run(set.arg("-c").arg(self.config()?).arg("-s").arg(self.place("variables"))).map(drop)
    }

    fn config(&self) -> Result<PathBuf> {
        let mut text = String::new();
        for offset in ["0x100000", "0x200000"] {
            writeln!(text, "{} {offset} 0x4000", self.path().display())?;
        }
        let config = self.place("fw_env.config");
        fs::write(&config, text)?;
        Ok(config)
    }

    /// Does what image/boot/boot.cmd does: chooses a slot whose system can be loaded, counting the tries. The script itself has a
    /// test of its own.
    fn choose(&self) -> Result<Slot> {
        for _ in 0..2 {
            let mut variables = self.variables()?;
            for slot in variables.order.clone() {
                let left = variables.left_mut(slot);
                if *left > 0 {
                    *left -= 1;
                    self.set_variables(&variables)?;
                    if self.can_be_loaded(slot)? {
                        return Ok(slot);
                    }
                }
            }
            self.set_variables(&Variables { order: vec![Slot::A, Slot::B], left: [3, 3] })?;
        }
        bail!("no slot can be started")
    }

    fn can_be_loaded(&self, slot: Slot) -> Result<bool> {
        let [a, b] = SLOTS;
        let mut head = [0; 4];
        self.open()?.read_exact_at(&mut head, if slot == Slot::A { a } else { b })?;
        Ok(&head == b"hsqs")
    }
}

/// One of the two systems on a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the boot loader's names")]
pub enum Slot {
    A,
    B,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::A { "A" } else { "B" })
    }
}

/// The boot loader's variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variables {
    /// Which slot comes first.
    pub order: Vec<Slot>,
    /// Tries left.
    pub left: [u8; 2],
}

impl Variables {
    fn left_mut(&mut self, slot: Slot) -> &mut u8 {
        let [a, b] = &mut self.left;
        if slot == Slot::A { a } else { b }
    }
}

/// What is special about a start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Circumstances {
    /// While the box has nothing to do time passes at once: for what it waits for minutes.
    pub does_time_fly: bool,
    /// The card says that it has written, and has not, as one that has come to its end.
    pub does_card_forget: bool,
}

/// A box that runs.
pub struct Machine {
    daemon: Daemon,
    address: IpAddr,
    /// The slot that was started.
    pub slot: Slot,
    orders: Option<Mutex<UnixStream>>,
    monitor: PathBuf,
}

impl Machine {
    /// Switches a box with this card on.
    pub async fn start(card: &Card) -> Result<Self> {
        Self::start_in(card, Circumstances::default()).await
    }

    /// The same in these circumstances.
    pub async fn start_in(card: &Card, circumstances: Circumstances) -> Result<Self> {
        let slot = card.choose()?;
        let number = if slot == Slot::A { 2 } else { 3 };
        let kit = root().join(KIT);
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-M", "q35", "-no-reboot", "-serial", "stdio"]);
        qemu.arg("-kernel").arg(kit.join("vmlinuz")).arg("-initrd").arg(kit.join("initrd"));
        qemu.arg("-append").arg(format!(
            "root=/dev/mmcblk0p{number} ro rauc.slot={slot} panic=10 quiet console=ttyS0 systemd.show_status=no"
        ));
        let orders = card.place("orders");
        let _ = fs::remove_file(&orders);
        qemu.arg("-chardev").arg(format!("socket,id=orders,path={},server=on,wait=off", orders.display()));
        qemu.args(["-device", "virtio-serial-pci", "-device", "virtserialport,chardev=orders,name=orders"]);
        let mut machine = Self::start_emulator(qemu, card, circumstances, slot)?;
        let connected = until_within(START, "the emulator", async || Ok(UnixStream::connect(&orders).ok())).await;
        machine.orders = Some(Mutex::new(connected.with_context(|| machine.console())?));
        Ok(machine)
    }

    /// Switches a box on that has a really built image on its card, from its boot loader on. What happens inside cannot be seen,
    /// and it restarts by itself.
    pub fn start_image(card: &Card, u_boot: &Path, circumstances: Circumstances) -> Result<Self> {
        let mut qemu = Command::new("qemu-system-aarch64");
        qemu.args(["-M", "virt", "-cpu", "cortex-a53", "-serial", "stdio", "-bios"]).arg(u_boot);
        Self::start_emulator(qemu, card, circumstances, Slot::A)
    }

    fn start_emulator(mut qemu: Command, card: &Card, circumstances: Circumstances, slot: Slot) -> Result<Self> {
        static STARTED: AtomicU8 = AtomicU8::new(0);
        let [.., high, low] = std::process::id().to_be_bytes();
        let number = STARTED.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let address = IpAddr::from([127, high.max(1), low, number.max(1)]);
        qemu.args(["-m", "512", "-display", "none"]);
        // In software everywhere, so that it is the same machine everywhere.
        qemu.args(match circumstances.does_time_fly {
            true => ["-accel", "tcg", "-icount", "shift=1,sleep=off"],
            false => ["-accel", "tcg,thread=multi", "-smp", "2"],
        });
        let path = card.path();
        let image = match circumstances.does_card_forget {
            // Writes fail in the emulator, and its card keeps that to itself.
            true => format!(
                "driver=blkdebug,image.driver=raw,image.file.driver=file,image.file.filename={},\
                 inject-error.0.event=none,inject-error.0.iotype=write",
                path.display()
            ),
            false => format!("format=raw,file={}", path.display()),
        };
        qemu.args(["-drive", &format!("if=none,id=card,{image}")]);
        qemu.args(["-device", "sdhci-pci", "-device", "sd-card,drive=card"]);
        let mut network = "user,id=lan".to_owned();
        for (port, inside, there) in FORWARDS {
            write!(network, ",hostfwd=tcp:{address}:{port}-{inside}:{there}")?;
        }
        qemu.args(["-netdev", &network, "-device", "virtio-net-pci,netdev=lan", "-device", "virtio-rng-pci"]);
        qemu.args(["-device", "qemu-xhci"]);
        let monitor = card.place("monitor");
        let _ = fs::remove_file(&monitor);
        qemu.arg("-monitor").arg(format!("unix:{},server=on,wait=off", monitor.display()));
        let daemon = Daemon::start(qemu, &card.place("console"))?;
        Ok(Self { daemon, address, slot, orders: None, monitor })
    }

    /// Where a port is reached that leads to the box.
    pub fn at(&self, port: u16) -> SocketAddr {
        (self.address, port).into()
    }

    /// The site of its pages.
    pub fn site(&self) -> String {
        format!("https://{}", self.at(8443))
    }

    /// The site of its pages when it has [`FIXED`].
    pub fn fixed_site(&self) -> String {
        format!("https://{}", self.at(8444))
    }

    /// What its console has shown.
    pub fn console(&self) -> String {
        self.daemon.said()
    }

    /// Runs a command inside, as root; gives what it says, whatever comes of it.
    pub fn look(&self, command: &str) -> Result<String> {
        let orders = self.orders.as_ref().context("nobody can look into this box")?;
        let mut orders = orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.set_read_timeout(Some(START))?;
        write!(orders, "{{ {command}\n}} 2>&1; echo '{}'\n", END.trim_end())?;
        let said = read_to(&mut orders, END.as_bytes()).with_context(|| format!("{command}: {}", self.console()))?;
        Ok(said.trim_end().trim_end_matches(END.trim_end()).trim_end().to_owned())
    }

    /// Waits until what a command says inside contains a text.
    pub async fn sees(&self, command: &str, text: &str) -> Result<String> {
        let mut last = String::new();
        let seen = until_within(START, text, async || {
            last = self.look(command)?;
            Ok(last.contains(text).then(|| last.clone()))
        })
        .await;
        seen.with_context(|| format!("{command} says: {last}"))
    }

    /// Waits until it has switched itself off, as it does to restart.
    pub async fn ends(mut self) -> Result<()> {
        until_within(START, "the box restarts", async || Ok(self.daemon.has_ended()?.then_some(()))).await
    }

    /// Cuts its power.
    pub fn cut(self) -> Result<()> {
        self.daemon.kill()
    }

    /// Plugs in a stick labelled AGENTCFG with these files.
    pub fn plug_stick(&self, stick: &Path) -> Result<()> {
        self.order(&format!("drive_add 0 if=none,id=stick,format=raw,file={}\n", stick.display()))?;
        self.order("device_add usb-storage,drive=stick,id=stick\n")
    }

    /// Pulls it out again.
    pub fn pull_stick(&self) -> Result<()> {
        self.order("device_del stick\n")
    }

    /// Plugs in a printer that this process plays.
    pub fn plug_printer(&self, printer: &RedirectedPrinter) -> Result<()> {
        self.order(&format!("chardev-add socket,id=printer,path={}\n", printer.socket().display()))?;
        self.order("device_add usb-redir,chardev=printer,id=printer\n")
    }

    /// Pulls it out again.
    pub fn pull_printer(&self) -> Result<()> {
        self.order("device_del printer\n")
    }

    fn order(&self, line: &str) -> Result<()> {
        let mut monitor = UnixStream::connect(&self.monitor)?;
        monitor.set_read_timeout(Some(START))?;
        read_to(&mut monitor, b"(qemu) ")?;
        monitor.write_all(line.as_bytes())?;
        let said = read_to(&mut monitor, b"(qemu) ")?;
        ensure!(!said.contains("Error"), "{line}: {said}");
        Ok(())
    }
}

/// Reads to the end of a text.
fn read_to(stream: &mut UnixStream, end: &[u8]) -> Result<String> {
    let mut said = Vec::new();
    let mut octets = [0; 4096];
    while !said.ends_with(end) {
        let read = stream.read(&mut octets).context("no answer")?;
        ensure!(read > 0, "the emulator ended");
        said.extend_from_slice(octets.get(..read).unwrap_or_default());
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// Makes a stick labelled AGENTCFG with these files.
pub fn stick(image: &Path, files: &[&Path]) -> Result<()> {
    File::create(image)?.set_len(192 << 20)?;
    run(Command::new("mkfs.vfat").args(["-n", "AGENTCFG"]).arg(image))?;
    for file in files {
        run(Command::new("mcopy").arg("-i").arg(image).arg(file).arg("::/"))?;
    }
    Ok(())
}

/// Runs a program that has to succeed; gives what it says.
pub fn run(command: &mut Command) -> Result<String> {
    let path = format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default());
    let output = command.env("PATH", path).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("{:?} does not start", command.get_program()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    Ok(said)
}
