//! The program `printer-sim` as a user starts it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// prtMarkerLifeCount of the printer named Dispatch, which prints most.
const PAGES: (&str, &str) = ("Dispatch", "1.3.6.1.2.1.43.10.2.1.4.1.1");

#[test]
fn counters_never_fall_from_one_start_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("printers/state.json");
    let start = || Simulator::start(&["--state", state.to_str().unwrap(), "--speed", "300"]);

    let killed = start();
    let first = killed.pages();
    let seen = killed.pages_above(first);
    killed.kill();
    let stopped = start();
    assert!(stopped.pages() >= seen, "after a power cut");
    let seen = stopped.pages_above(seen);
    let status = stopped.stop();
    assert!(status.success(), "{status}");
    let last = start();
    assert!(last.pages() >= seen, "after an orderly end");
}

#[test]
fn a_port_in_use_is_named() {
    let first = Simulator::start(&[]);
    let port = first.lines[0].split_whitespace().next().unwrap().rsplit(':').next().unwrap().to_owned();
    let said = fails(&["--port", &port]);
    assert!(said.contains(&format!("UDP port {port} at 127.77.0.11")) && said.contains("running already?"), "{said}");
}

#[test]
fn faults_are_named_with_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    fs::write(&state, "{\"version\":1").unwrap();
    let said = fails(&["--state", state.to_str().unwrap()]);
    assert!(said.contains("state.json can not be read; without it the printers begin anew"), "{said}");
    assert!(fails(&["--site", "no/site.toml"]).contains("can not read the site no/site.toml"));
    assert!(fails(&["--speed", "0"]).contains("--speed 0 is out of range"));

    let site = folder.path().join("site.toml");
    let entry = "port = 0\nwalks = \"walks\"\nlife = \"life\"\n[[printer]]\nname = \"One\"\naddress = \"127.77.9.1\"\nmodel = \"x\"\n\
                 serial = \"S1\"\nmac = \"02:00:00:00:00:01\"\nlocation = \"Here\"\npace = 1\n";
    fs::write(&site, entry).unwrap();
    let said = fails(&["--site", site.to_str().unwrap()]);
    assert!(said.contains("printer One") && said.contains("walks/x.snmprec"), "{said}");
    fs::create_dir(folder.path().join("walks")).unwrap();
    fs::write(folder.path().join("walks/x.snmprec"), "# x\n1.3.6.1|2|many\n").unwrap();
    let said = fails(&["--site", site.to_str().unwrap()]);
    assert!(said.contains("x.snmprec is wrong") && said.contains("line 2: `many` is no number"), "{said}");
    fs::write(&site, entry.replace("pace", "peace")).unwrap();
    let said = fails(&["--site", site.to_str().unwrap()]);
    assert!(said.contains("site.toml is wrong") && said.contains("unknown field `peace`"), "{said}");
}

#[test]
fn a_thousand_clones_start_and_answer() {
    let simulator = Simulator::start(&["--clone", "1000"]);
    assert_eq!(simulator.lines.len(), 1000);
    let address = |line: &String| line.split(':').next().unwrap().to_owned();
    assert_eq!(address(&simulator.lines[0]), "127.78.0.1");
    assert_eq!(address(&simulator.lines[999]), "127.78.3.250");
    assert!(simulator.get(&simulator.lines[999], "1.3.6.1.2.1.1.6.0").is_some());
}

struct Simulator {
    child: Child,
    /// One for each printer.
    lines: Vec<String>,
}

impl Simulator {
    /// Starts it on a free port and waits until it has said that all printers answer.
    fn start(arguments: &[&str]) -> Self {
        let mut command = printer_sim(&[&["--port", "0"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let lines = said.take_while(|line| !line.contains(" printers answer. ")).collect();
        Self { child, lines }
    }

    fn pages(&self) -> u64 {
        let line = self.lines.iter().find(|line| line.ends_with(PAGES.0)).unwrap();
        self.get(line, PAGES.1).unwrap().parse().unwrap()
    }

    /// Asks until there are more, which a machine under load may take a while for.
    fn pages_above(&self, pages: u64) -> u64 {
        let deadline = Instant::now() + Duration::from_secs(120);
        let mut asked = std::iter::repeat_with(|| self.pages()).take_while(|_| Instant::now() < deadline);
        asked.find(|asked| *asked > pages).expect("it prints")
    }

    fn get(&self, line: &str, oid: &str) -> Option<String> {
        let address = line.split_whitespace().next().unwrap();
        let output = Command::new("snmpget").args(["-v2c", "-cpublic", "-Oqv", "-t5", address, oid]).output();
        let output = output.unwrap_or_else(|error| panic!("can not run snmpget (Debian package `snmp`): {error}"));
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// As a power cut does.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As systemd and the demo do.
    fn stop(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fails(arguments: &[&str]) -> String {
    let output = printer_sim(arguments).output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn printer_sim(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_printer-sim"));
    command.args(arguments).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).stderr(Stdio::piped());
    command
}
