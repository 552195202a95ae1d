//! What reading costs: packets, octets, time, processor, memory; each figure beside its limit, and beside what net-snmp takes for
//! the same where it is installed. Prints, and judges nothing: whoever runs it sees whether the machine was quiet.
//!
//! `cargo bench -p system-tests --bench snmp` builds the programs as they ship. The printers are a process of their own, on loopback
//! addresses, answer after a delay, and count the traffic themselves.
#![allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "figures for people")]

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use system_tests::repository::root;

/// Octets of the headers of IPv4 and UDP.
const HEADERS: u64 = 28;
/// UDP port of the simulated printers.
const PORT: &str = "16361";

fn main() -> Result<()> {
    let words: Vec<String> = env::args().collect();
    if let [_, mark, program, arguments @ ..] = words.as_slice()
        && mark == "--measure"
    {
        return measure(program, arguments);
    }
    build()?;
    packets()?;
    speed()?;
    slow_controllers()?;
    daemon()?;
    peer()
}

fn build() -> Result<()> {
    let arguments = ["build", "--release", "--locked", "-p", "agentd", "-p", "testkit", "--bins"];
    let status = Command::new("cargo").args(arguments).current_dir(root()).status()?;
    ensure!(status.success(), "the programs do not build");
    Ok(())
}

fn program(name: &str) -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("release").join(name)
}

fn packets() -> Result<()> {
    println!("\nOn the wire, a device on average (28 simulated models and their clones, IP and UDP headers included):");
    let devices = 112;
    let cost = |words: &[&str]| -> Result<[f64; 3]> {
        let fleet = Fleet::start(devices, Duration::ZERO)?;
        fleet.read(words)?;
        let traffic = fleet.stop()?;
        let octets = traffic.octets_in + traffic.octets_out + HEADERS * (traffic.packets_in + traffic.packets_out);
        Ok([traffic.packets_in, traffic.packets_out, octets].map(|number| number as f64 / devices as f64))
    };
    let cold = cost(&[])?;
    let reread = cost(&["--reread"])?;
    let polls = cost(&["--polls", "10"])?;
    let show = |what: &str, [sent, received, octets]: [f64; 3], limit: &str| {
        println!("  {what:<28} {sent:>5.1} packets out, {received:>5.1} in, {octets:>6.0} octets   (limit: {limit})");
    };
    show("first reading", cold, "9 each way, 8000");
    let less =
        |one: [f64; 3], other: [f64; 3], times: f64| [0, 1, 2].map(|at| (at_of(one, at) - at_of(other, at)) / times);
    show("whole again, known device", less(reread, cold, 1.0), "6000");
    show("routine poll", less(polls, cold, 10.0), "2, 2000");
    Ok(())
}

fn at_of(numbers: [f64; 3], at: usize) -> f64 {
    numbers.get(at).copied().unwrap_or_default()
}

fn speed() -> Result<()> {
    println!("\n1,000 devices, 20 ms away, one process:");
    let folder = tempfile::tempdir()?;
    let folder = folder.path().display().to_string();
    for (what, words) in [("read", vec![]), ("read and stored", vec!["--keep", folder.as_str()])] {
        let fleet = Fleet::start(1000, Duration::from_millis(20))?;
        let usage = fleet.read(&words)?;
        let traffic = fleet.stop()?;
        println!(
            "  {what:<16} {:.2} s (limit 1), {:.3} ms of processor a device (limit 0.5), {} repeated, {:.1} MiB (limit 32)",
            usage.wall.as_secs_f64(),
            usage.processor.as_secs_f64(),
            traffic.repeats,
            usage.memory as f64 / 1024.0
        );
    }
    Ok(())
}

fn slow_controllers() -> Result<()> {
    println!("\n50 controllers that take 300 ms for every request:");
    let fleet = Fleet::start(50, Duration::from_millis(300))?;
    let usage = fleet.read(&[])?;
    let traffic = fleet.stop()?;
    println!("  read             {:.2} s (limit 3), {} repeated", usage.wall.as_secs_f64(), traffic.repeats);
    Ok(())
}

/// The daemon with all that is in it, until it has polled every device once.
fn daemon() -> Result<()> {
    println!("\nThe daemon with 1,000 devices:");
    let folder = tempfile::tempdir()?;
    let data = folder.path().display().to_string();
    let fleet = Fleet::start(1000, Duration::from_millis(20))?;
    fleet.read(&["--keep", &data])?;
    let mut agent = Command::new(program("agentd"))
        .args(["run", "--data", &data, "--listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("agentd does not start")?;
    std::thread::sleep(Duration::from_secs(20));
    let status = fs::read_to_string(format!("/proc/{}/status", agent.id()))?;
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    println!("  after 20 s       {} resident, {} at most (limit 64 MiB, on a Pi 2)", field("VmRSS:"), field("VmHWM:"));
    agent.kill()?;
    agent.wait()?;
    fleet.stop()?;
    Ok(())
}

/// net-snmp's walk of the Printer-MIB of some of the same devices.
fn peer() -> Result<()> {
    println!("\nBeside it, snmpbulkwalk -Cr25 of the Printer-MIB alone:");
    if Command::new("snmpbulkwalk").arg("-V").stderr(Stdio::null()).stdout(Stdio::null()).status().is_err() {
        println!("  is not installed (Debian's package `snmp`)");
        return Ok(());
    }
    let devices = 28;
    let fleet = Fleet::start(devices, Duration::ZERO)?;
    let mut processor = Duration::ZERO;
    for address in &fleet.addresses {
        let agent = format!("{address}:{PORT}");
        let words = ["-v2c", "-cpublic", "-Cr25", "-On", agent.as_str(), "1.3.6.1.2.1.43"];
        processor += usage(Path::new("snmpbulkwalk"), &words)?.processor;
    }
    let traffic = fleet.stop()?;
    let octets = traffic.octets_in + traffic.octets_out + HEADERS * (traffic.packets_in + traffic.packets_out);
    println!(
        "  a device on average: {:.1} packets out, {:.0} octets, {:.1} ms of processor",
        traffic.packets_in as f64 / devices as f64,
        octets as f64 / devices as f64,
        processor.as_secs_f64() * 1000.0 / devices as f64
    );
    Ok(())
}

/// Simulated printers in a process of their own.
struct Fleet {
    simulator: Child,
    output: BufReader<ChildStdout>,
    addresses: Vec<String>,
}

struct Traffic {
    packets_in: u64,
    octets_in: u64,
    repeats: u64,
    packets_out: u64,
    octets_out: u64,
}

impl Fleet {
    fn start(devices: usize, delay: Duration) -> Result<Self> {
        let mut command = Command::new(program("printer-sim"));
        command.current_dir(root()).args(["--port", PORT, "--clone", &devices.to_string()]);
        if !delay.is_zero() {
            command.args(["--delay", &delay.as_millis().to_string()]);
        }
        let mut simulator = command.stdout(Stdio::piped()).spawn().context("printer-sim does not start")?;
        let mut output = BufReader::new(simulator.stdout.take().context("printer-sim has no output")?);
        let mut addresses = Vec::new();
        loop {
            let mut line = String::new();
            ensure!(output.read_line(&mut line)? > 0, "printer-sim has ended");
            match line.split_once(':') {
                Some((address, _)) if address.starts_with("127.") => addresses.push(address.to_owned()),
                _ if line.contains("printers answer") => break,
                _ => {}
            }
        }
        ensure!(addresses.len() == devices, "{} of {devices} printers answer", addresses.len());
        Ok(Self { simulator, output, addresses })
    }

    /// Reads all of them.
    fn read(&self, words: &[&str]) -> Result<Usage> {
        let list = tempfile::NamedTempFile::new()?;
        fs::write(list.path(), self.addresses.join("\n"))?;
        let list = list.path().display().to_string();
        let usage =
            usage(&program("agentd"), &[&["read", "--targets", list.as_str(), "--port", PORT], words].concat())?;
        Ok(Usage { processor: usage.processor * 1000 / u32::try_from(self.addresses.len())?, ..usage })
    }

    fn stop(mut self) -> Result<Traffic> {
        kill(Pid::from_raw(i32::try_from(self.simulator.id())?), Signal::SIGTERM)?;
        let mut said = String::new();
        self.output.read_to_string(&mut said)?;
        self.simulator.wait()?;
        let line =
            said.lines().find_map(|line| line.strip_prefix("traffic: ")).context("printer-sim told no traffic")?;
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [packets_in, octets_in, repeats, packets_out, octets_out] = numbers.as_slice() else {
            anyhow::bail!("what printer-sim told is not understood: {line}");
        };
        Ok(Traffic {
            packets_in: *packets_in,
            octets_in: *octets_in,
            repeats: *repeats,
            packets_out: *packets_out,
            octets_out: *octets_out,
        })
    }
}

/// What a program took. Of [`Fleet::read`] the processor's time is that of a thousand devices.
struct Usage {
    wall: Duration,
    processor: Duration,
    /// Most memory, KiB.
    memory: i64,
}

/// Runs a program below another process of ours, which has no other child: so the system's account is of that program alone.
fn usage(program: &Path, words: &[&str]) -> Result<Usage> {
    let output = Command::new(env::current_exe()?).arg("--measure").arg(program).args(words).output()?;
    ensure!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<i64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [wall, processor, memory] = numbers.as_slice() else { anyhow::bail!("no measurement: {text}") };
    let micros = |number: &i64| u64::try_from(*number).map(Duration::from_micros);
    Ok(Usage { wall: micros(wall)?, processor: micros(processor)?, memory: *memory })
}

fn measure(program: &str, arguments: &[String]) -> Result<()> {
    let began = Instant::now();
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status()?;
    let wall = began.elapsed().as_micros();
    ensure!(status.success(), "{program}: {status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let processor = [usage.user_time(), usage.system_time()].map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    println!("{wall} {} {}", processor.iter().sum::<i64>(), usage.max_rss());
    Ok(())
}
