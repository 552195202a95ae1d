//! The search on a real attached network: two network namespaces joined by a cable, a /16 with a few hundred hosts on one end,
//! thousands of absent neighbours, the agent on the other. Needs root and Linux; says so where it cannot run.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    net::{Ipv4Addr, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sched::{CloneFlags, setns};
use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};
use system_tests::{
    programs::{Daemon, program},
    repository::root,
};

/// The agent's address.
const AGENT: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// Addresses that are there: all of this network.
const THERE: &str = "10.99.7.0/24";
const PRINTERS: u8 = 20;

/// Where the n-th printer is.
fn printer(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, 7, 5 + 9 * number)
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_are_found_among_thousands_that_are_not_there() -> Result<()> {
    if let Some(reason) = obstacle() {
        println!("not run here: {reason}");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let (agent, others) = (Namespace::new()?, Namespace::new()?);
    join(&agent, &others)?;
    let site = folder.path().join("site.toml");
    fs::write(&site, site_text())?;
    let mut simulator = others.inside(program("printer-sim")?);
    simulator.arg("--site").arg(&site);
    let mut simulator = Daemon::start(simulator, &folder.path().join("printers.log"))?;
    simulator.says("printers answer").await?;

    // With ARP of its own: 4,094 addresses, 200 of them there. The network of the exclusion is there too, and left alone.
    let capture = Capture::start(&others)?;
    let met = discover(&agent, &[], &["10.99.0.0/20", "--exclude", "10.99.7.200-255", "--rate", "4000"])?;
    let asked = capture.stop()?;
    let excluded = |address: &Ipv4Addr| address.octets()[2] == 7 && address.octets()[3] >= 200;
    let inside = |address: &Ipv4Addr| (1..4095).contains(&(u32::from(*address) - 0x0a63_0000)) && !excluded(address);
    let outside: Vec<_> = asked.iter().filter(|address| !inside(address)).collect();
    assert_eq!(outside, [] as [&Ipv4Addr; 0], "nothing outside the ranges is ever asked");
    assert_eq!(asked.len(), 4094 - 56 - 1, "everything else is, but for the agent itself");
    let expected: BTreeSet<_> = (0..PRINTERS).map(printer).collect();
    assert_eq!(met.printers, expected);
    // The other end of the cable, and all of the network that is there, each with its card.
    let alive = met.alive.len() + met.printers.len();
    assert_eq!(alive, 200 + 1, "{:?}", met.alive.keys());
    assert!(met.alive.values().all(|alive| alive["mac"].is_string()), "{:?}", met.alive);

    // Left to the kernel, for want of the right to send ARP.
    let capture = Capture::start(&others)?;
    let unable = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"];
    let met = discover(&agent, &unable, &["10.99.7.0/24", "10.99.8.0/24", "--exclude", "10.99.7.200-255"])?;
    let asked = capture.stop()?;
    assert!(asked.iter().all(|address| matches!(address.octets(), [10, 99, 7 | 8, _]) && !excluded(address)));
    assert_eq!(met.printers, expected);
    assert_eq!(met.alive.len() + met.printers.len(), 199, "{:?}", met.alive.keys());
    assert!(met.said.contains("CAP_NET_RAW"), "{}", met.said);
    Ok(())
}

/// Why the test cannot run here.
fn obstacle() -> Option<String> {
    for program in ["ip", "unshare", "nsenter", "setpriv"] {
        if Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            return Some(format!("there is no program {program}"));
        }
    }
    let made = Command::new("unshare").args(["-n", "true"]).stderr(Stdio::piped()).output().ok()?;
    let why = String::from_utf8_lossy(&made.stderr).trim().to_owned();
    (!made.status.success()).then(|| format!("no network namespace can be made, which takes root: {why}"))
}

/// A network namespace, which lives as long as a process in it.
struct Namespace {
    keeper: Child,
}

impl Namespace {
    fn new() -> Result<Self> {
        let keeper = Command::new("unshare").args(["-n", "sleep", "600"]).spawn().context("unshare does not start")?;
        let namespace = Self { keeper };
        let own = fs::read_link("/proc/self/ns/net")?;
        // unshare makes the namespace before it becomes `sleep`.
        for _ in 0..1000 {
            let theirs = fs::read_link(namespace.path()).unwrap_or_default();
            let name = fs::read_to_string(format!("/proc/{}/comm", namespace.keeper.id())).unwrap_or_default();
            if theirs != own && name.trim() == "sleep" {
                namespace.ip("link set lo up")?;
                return Ok(namespace);
            }
            thread::sleep(Duration::from_millis(5));
        }
        bail!("no namespace came up")
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.keeper.id())
    }

    /// A program in this namespace.
    fn inside(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.keeper.id().to_string(), "-n"]).arg(program);
        command
    }

    fn ip(&self, words: &str) -> Result<()> {
        let status = self.inside(Path::new("ip")).args(words.split(' ')).status()?;
        ensure!(status.success(), "ip {words}: {status}");
        Ok(())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

fn join(agent: &Namespace, others: &Namespace) -> Result<()> {
    agent.ip(&format!("link add cable type veth peer name cable netns {}", others.keeper.id()))?;
    for (namespace, address) in [(agent, "10.99.0.1"), (others, "10.99.0.2")] {
        namespace.ip(&format!("addr add {address}/16 dev cable"))?;
        namespace.ip("link set cable up")?;
    }
    // Every address of a network that is local is answered for, by ARP too.
    others.ip(&format!("route add local {THERE} dev lo"))
}

fn site_text() -> String {
    let folder = root();
    let mut text = format!(
        "port = 161\nwalks = \"{}\"\nlife = \"{}\"\n",
        folder.join("agent-core/walks").display(),
        folder.join("demo/life").display()
    );
    for number in 0..PRINTERS {
        text += &format!(
            "[[printer]]\nname = \"P{number}\"\naddress = \"{}\"\nmodel = \"kyocera_ecosys-p3155dn\"\nserial = \"R8R07{number:05}\"\n\
             mac = \"00:17:c8:00:00:{number:02x}\"\nhost = \"P{number}\"\nlocation = \"Here\"\npace = 30\n",
            printer(number)
        );
    }
    text
}

/// What a search printed.
struct Met {
    printers: BTreeSet<Ipv4Addr>,
    alive: BTreeMap<Ipv4Addr, Value>,
    said: String,
}

fn discover(agent: &Namespace, before: &[&str], words: &[&str]) -> Result<Met> {
    let agentd = program("agentd")?;
    let mut command = match before {
        [first, rest @ ..] => {
            let mut command = agent.inside(Path::new(first));
            command.args(rest).arg(agentd);
            command
        }
        [] => agent.inside(agentd),
    };
    let output = command.arg("discover").args(words).arg("--json").output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{}: {said}", output.status);
    let mut met = Met { printers: BTreeSet::new(), alive: BTreeMap::new(), said };
    for line in String::from_utf8(output.stdout)?.lines() {
        let value: Value = serde_json::from_str(line)?;
        let address: Ipv4Addr = value["address"].as_str().context("no address")?.parse()?;
        match value["alive"].is_array() {
            true => drop(met.alive.insert(address, value)),
            false => drop(met.printers.insert(address)),
        }
    }
    Ok(met)
}

/// Whom the agent sends anything, as seen from the other end of the cable.
struct Capture {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<BTreeSet<Ipv4Addr>>>,
}

impl Capture {
    fn start(namespace: &Namespace) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (path, stopped) = (namespace.path(), stop.clone());
        let (ready, is_ready) = std::sync::mpsc::channel();
        // A thread of its own, because the namespace is a thread's.
        let thread = thread::spawn(move || {
            setns(File::open(path)?, CloneFlags::CLONE_NEWNET)?;
            let everything = Protocol::from(i32::from(3_u16.to_be()));
            let socket = Socket::new(Domain::PACKET, Type::RAW, Some(everything))?;
            let _ = socket.set_recv_buffer_size(64 << 20);
            // In the shape of a socket for datagrams it gives frames as they are.
            let socket = UdpSocket::from(socket);
            socket.set_read_timeout(Some(Duration::from_millis(50)))?;
            let _ = ready.send(());
            let mut frame = [0; 2048];
            let mut asked = BTreeSet::new();
            loop {
                match socket.recv(&mut frame) {
                    Ok(length) => asked.extend(target(&frame[..length])),
                    Err(_) if stopped.load(Ordering::Relaxed) => return Ok(asked),
                    Err(_) => {}
                }
            }
        });
        let _ = is_ready.recv();
        Ok(Self { stop, thread })
    }

    fn stop(self) -> Result<BTreeSet<Ipv4Addr>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the capture panicked"))?
    }
}

/// To whom a frame of the agent's goes, or whom it asks for; multicast is for nobody.
fn target(frame: &[u8]) -> Option<Ipv4Addr> {
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(frame.get(at..at + 4)?).ok()?));
    let (from, to) = match frame.get(12..14)? {
        [0x08, 0x06] if frame.get(21) == Some(&1) => (address(28)?, address(38)?),
        [0x08, 0x00] => (address(26)?, address(30)?),
        _ => return None,
    };
    (from == AGENT && !to.is_multicast()).then_some(to)
}
