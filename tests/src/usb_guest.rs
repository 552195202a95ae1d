//! A machine with USB printers: Debian's kernel with printers made of software, in an emulator, with the real bridge. Its ports are
//! reached at a loopback address of its own; it reaches nothing.

use std::{
    collections::BTreeSet,
    env,
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use crate::{
    programs::{Daemon, program},
    repository::root,
    wait::until,
};

/// What `scripts/usb-guest` has fetched.
const KIT: &str = "target/usb-guest";
/// In the order in which they need each other.
const MODULES: [&str; 9] =
    ["configfs", "usb-common", "usbcore", "udc-core", "libcomposite", "usb_f_printer", "dummy_hcd", "usblp", "e1000"];
/// Ports of the guest that can be reached.
pub const PORTS: [u16; 3] = [9418, 9419, GADGETS];
/// Where the guest's printers take orders.
const GADGETS: u16 = 7000;
/// The first process: as few steps as there can be from a kernel to a bridge that runs without privilege.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
for module in MODULES; do
    options=
    [ $module != dummy_hcd ] || options=num=2
    [ ! -e /modules/$module.ko ] || insmod /modules/$module.ko $options
done
mount -t configfs config /sys/kernel/config
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
# What udev does on a real machine: USB devices belong to the printers' group.
mdev -d
mkdir -p /run/usbbridged /state
chown usbbridged /run/usbbridged /state
su usbbridged -s /bin/sh -c '/usr/bin/usbbridged --verbose --data /state --control /run/usbbridged/control' &
/usr/bin/usb_gadget 7000
echo "init: the end"
"#;

/// The machine, until it is dropped.
pub struct UsbGuest {
    address: IpAddr,
    daemon: Daemon,
    _folder: TempDir,
}

/// Why there can be no guest here; `None` where there can.
pub fn why_not() -> Option<String> {
    let kit = root().join(KIT);
    if !kit.join("complete").exists() {
        return Some(format!("{} is missing: run scripts/usb-guest", kit.display()));
    }
    let missing = ["qemu-system-x86_64", "busybox"].into_iter().find(|name| find(name).is_none());
    missing.map(|name| format!("there is no {name}: scripts/test installs it"))
}

/// A file of the kit.
pub fn kit(name: &str) -> PathBuf {
    root().join(KIT).join(name)
}

impl UsbGuest {
    /// Starts the machine with this bridge in it and waits until its printers take orders.
    pub async fn start(bridge: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let image = folder.path().join("initrd");
        fs::write(&image, initrd(bridge)?)?;
        let [.., high, low] = std::process::id().to_be_bytes();
        let address = IpAddr::from([127, high.max(1), low, 201]);
        let forwards: String =
            PORTS.iter().map(|port| format!(",hostfwd=tcp:{address}:{port}-10.0.2.15:{port}")).collect();
        let mut qemu = Command::new("qemu-system-x86_64");
        // In software everywhere, so that it is the same machine everywhere.
        qemu.args(["-M", "pc", "-accel", "tcg", "-m", "512", "-nographic", "-no-reboot"]);
        qemu.arg("-kernel").arg(kit("vmlinuz")).arg("-initrd").arg(&image);
        qemu.args(["-append", "console=ttyS0 quiet panic=-1"]);
        qemu.args(["-netdev", &format!("user,id=n0,restrict=on{forwards}"), "-device", "e1000,netdev=n0"]);
        let mut daemon = Daemon::start(qemu, &folder.path().join("console"))?;
        daemon.says("usb_gadget: ready").await?;
        Ok(Self { address, daemon, _folder: folder })
    }

    /// Where a port of the guest is reached.
    pub fn at(&self, port: u16) -> SocketAddr {
        (self.address, port).into()
    }

    /// What the guest's console has shown.
    pub fn console(&self) -> String {
        self.daemon.said()
    }

    /// Gives an order to the printers' side; gives its answer.
    pub fn order(&self, line: &str) -> Result<String> {
        let mut stream = self.connect(GADGETS)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        writeln!(stream, "{line}")?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        let answer = answer.trim().to_owned();
        ensure!(!answer.is_empty() && !answer.starts_with("error"), "{line}: {answer}");
        Ok(answer)
    }

    /// Sends bytes to a port and takes the answer to its end.
    pub fn ask(&self, port: u16, octets: &[u8]) -> Result<String> {
        let mut stream = self.connect(port)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        stream.write_all(octets)?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = Vec::new();
        // A connection may end with a reset: what came before counts.
        let _ = stream.read_to_end(&mut answer);
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Waits until a port answers a question with a text.
    pub async fn answers(&self, port: u16, question: &str, text: &str) -> Result<String> {
        let what = format!("port {port} answers {question} with {text}");
        let asked = format!("\x1b%-12345X@PJL {question}\r\n");
        until(&what, async || Ok(self.ask(port, asked.as_bytes()).ok().filter(|answer| answer.contains(text)))).await
    }

    /// Makes the bridge's control socket one of this machine, for as long as the process lives.
    pub fn control_at(&self, path: &Path) -> Result<()> {
        let listener = UnixListener::bind(path)?;
        let guest = self.at(GADGETS);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who is not served sees the connection end.
                let _ = pass_on(&stream, guest);
            }
        });
        Ok(())
    }

    fn connect(&self, port: u16) -> Result<TcpStream> {
        TcpStream::connect(self.at(port)).with_context(|| format!("port {port} of the guest"))
    }
}

/// Takes one request to the guest's control socket, and its answer back.
fn pass_on(mut stream: &UnixStream, guest: SocketAddr) -> Result<()> {
    let (mut request, mut answer) = (String::new(), String::new());
    BufReader::new(stream).read_line(&mut request)?;
    let mut inside = TcpStream::connect(guest)?;
    write!(inside, "control {request}")?;
    BufReader::new(inside).read_line(&mut answer)?;
    Ok(stream.write_all(answer.as_bytes())?)
}

/// The first file system: our programs with their libraries, busybox, the modules, and who there is.
fn initrd(bridge: &Path) -> Result<Vec<u8>> {
    let gadget = program("usb_gadget")?;
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "etc", "modules", "proc", "run", "sys", "tmp", "usr", "usr/bin"] {
        archive.folder(folder);
    }
    archive.file("init", 0o755, INIT.replace("MODULES", &MODULES.join(" ")).as_bytes());
    archive.file("bin/busybox", 0o755, &fs::read(find("busybox").context("there is no busybox")?)?);
    archive.file("usr/bin/usbbridged", 0o755, &fs::read(bridge)?);
    archive.file("usr/bin/usb_gadget", 0o755, &fs::read(gadget)?);
    archive.file("etc/passwd", 0o644, b"root:x:0:0::/:/bin/sh\nusbbridged:x:900:900::/:/bin/false\n");
    archive.file("etc/group", 0o644, b"root:x:0:\nlp:x:7:usbbridged\nusbbridged:x:900:\n");
    archive.file("etc/mdev.conf", 0o644, b"bus/usb/.* root:lp 0660\n.* root:root 0660\n");
    archive.file("state/usbbridged.toml", 0o644, b"allowed = [\"10.0.2.2\"]\n");
    let mut libraries = BTreeSet::new();
    for program in [bridge, gadget] {
        libraries.extend(needed(program)?);
    }
    for library in libraries {
        archive.file(library.trim_start_matches('/'), 0o755, &fs::read(&library)?);
    }
    for module in MODULES {
        // Kernels have some of them built in.
        if let Ok(octets) = fs::read(kit(&format!("{module}.ko"))) {
            archive.file(&format!("modules/{module}.ko"), 0o644, &octets);
        }
    }
    Ok(archive.end())
}

/// The libraries of a program, the loader among them.
fn needed(program: &Path) -> Result<Vec<String>> {
    let output = Command::new("ldd").arg(program).output().context("ldd")?;
    let text = String::from_utf8(output.stdout)?;
    let paths = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    let paths: Vec<_> = paths.map(str::to_owned).collect();
    ensure!(!paths.is_empty(), "{} needs no libraries?", program.display());
    Ok(paths)
}

fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// An archive as the kernel takes it for its first file system (cpio, "newc").
#[derive(Default)]
struct Archive {
    octets: Vec<u8>,
    folders: BTreeSet<String>,
    count: u32,
}

impl Archive {
    fn folder(&mut self, name: &str) {
        if !name.is_empty() && self.folders.insert(name.to_owned()) {
            self.entry(name, 0o040_755, &[]);
        }
    }

    fn file(&mut self, name: &str, mode: u32, octets: &[u8]) {
        for (at, _) in name.match_indices('/') {
            self.folder(&name[..at]);
        }
        self.entry(name, 0o100_000 | mode, octets);
    }

    fn entry(&mut self, name: &str, mode: u32, octets: &[u8]) {
        self.count += 1;
        let length = u32::try_from(octets.len()).unwrap_or_default();
        let name_length = u32::try_from(name.len() + 1).unwrap_or_default();
        // inode, mode, user, group, links, time, size, device twice, own device twice, length of the name, checksum.
        let fields = [self.count, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name_length, 0];
        self.octets.extend(b"070701");
        for field in fields {
            self.octets.extend(format!("{field:08x}").into_bytes());
        }
        self.octets.extend(name.as_bytes());
        self.octets.push(0);
        self.pad();
        self.octets.extend(octets);
        self.pad();
    }

    fn pad(&mut self) {
        self.octets.resize(self.octets.len().next_multiple_of(4), 0);
    }

    fn end(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.octets
    }
}

/// The length and FNV-1a hash of bytes, as the printers' side tells them.
pub fn fingerprint(octets: &[u8]) -> String {
    let hash = octets
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3));
    format!("{} {hash:016x}", octets.len())
}

/// Runs a program to its end; gives what it said on both channels.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{:?} does not start", command.get_program()))?;
    let text = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Writes bytes to a file of this name in a folder.
pub fn written(folder: &TempDir, name: &str, octets: &[u8]) -> Result<PathBuf> {
    let path = folder.path().join(name);
    File::create(&path)?.write_all(octets)?;
    if !path.is_file() {
        bail!("{} is not there", path.display());
    }
    Ok(path)
}
