//! `agentd read` and `agentd discover`: the collector against real devices, without any set-up, store or daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agent_core::engine::{Event, Finished, ReadKind, ReadOrder};
use agent_core::printer_mib;
use agent_core::sweep::{SearchPlan, SearchProgress};
use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::Timestamp;
use wire::device::Snapshot;

use crate::driver::Driver;
use crate::json::{self, Circumstances};
use crate::print;
use crate::ranges::{self, Range};
use crate::snmp_options::SnmpOptions;

/// What both commands take.
#[derive(Debug, Args)]
pub struct Common {
    #[command(flatten)]
    snmp: SnmpOptions,
    /// Port that the devices listen on
    #[arg(long, default_value_t = 161)]
    port: u16,
    /// Read addresses from a file, one a line; # starts a comment, - is standard input
    #[arg(long, value_name = "FILE")]
    targets: Option<PathBuf>,
    /// Print one JSON object a line (see docs/read-json.md)
    #[arg(long)]
    json: bool,
}

/// The words of `agentd read`.
#[derive(Debug, Args)]
pub struct Read {
    /// Addresses or names of devices; a port may follow a colon
    #[arg(value_name = "ADDRESS", required_unless_present = "targets")]
    addresses: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// The words of `agentd discover`.
#[derive(Debug, Args)]
pub struct Discover {
    /// Where to search: 192.0.2.0/24, 192.0.2.10-192.0.2.99, 192.0.2.7, a host name, or own-subnets
    #[arg(value_name = "RANGE", required_unless_present = "targets")]
    ranges: Vec<String>,
    /// Leave these out; same forms
    #[arg(long, value_name = "RANGE")]
    exclude: Vec<String>,
    /// Probes a second
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    #[command(flatten)]
    common: Common,
}

impl Common {
    /// The lines of the targets file that say something.
    fn listed(&self) -> Result<Vec<String>> {
        let Some(path) = &self.targets else { return Ok(Vec::new()) };
        let text = match path == Path::new("-") {
            true => std::io::read_to_string(std::io::stdin()).context("standard input cannot be read")?,
            false => std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?,
        };
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        Ok(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }
}

/// Reads devices and prints each as it comes in. Gives whether all could be read.
pub async fn read(command: Read) -> Result<bool> {
    let mut targets = command.addresses.clone();
    targets.extend(command.common.listed()?);
    if targets.is_empty() {
        bail!("the list of targets is empty");
    }
    let mut addresses = BTreeMap::new();
    for target in &targets {
        addresses.entry(socket_address(target, command.common.port).await?).or_insert_with(|| target.clone());
    }
    let whole = addresses.len() == 1 && command.common.targets.is_none();
    let credentials = command.common.snmp.credentials()?;
    let mut driver = Driver::new()?;
    for address in addresses.keys() {
        driver.read(ReadOrder { address: *address, credentials: credentials.clone(), kind: ReadKind::Full });
    }
    let mut waiting: BTreeSet<SocketAddr> = addresses.keys().copied().collect();
    let mut progress = Progress::new(!whole && !command.common.json);
    let mut failed = 0;
    while !waiting.is_empty() {
        match driver.event_before(Instant::now() + Duration::from_millis(200)).await {
            Some(Event::Read(finished)) => {
                waiting.remove(&finished.address);
                let line = Outcome::of(&driver, *finished);
                failed += usize::from(line.failed());
                progress.clear();
                line.print(command.common.json, whole)?;
            }
            Some(_) => {}
            None => progress.show(&format!("reading: {} of {} done", addresses.len() - waiting.len(), addresses.len())),
        }
    }
    progress.clear();
    if !whole && !command.common.json {
        eprintln!("{} read, {failed} failed", addresses.len() - failed);
    }
    Ok(failed == 0)
}

/// Searches ranges and prints each device that it meets. Gives whether any was found.
pub async fn discover(command: Discover) -> Result<bool> {
    let mut ranges = command.ranges.clone();
    ranges.extend(command.common.listed()?);
    let parse = |texts: &[String]| texts.iter().map(|text| Range::parse(text)).collect::<Result<Vec<_>, _>>();
    let addresses = ranges::address_set(&parse(&ranges)?, &parse(&command.exclude)?).await?;
    if addresses.is_empty() {
        bail!("there is no address to search: the ranges are empty, or excluded as a whole");
    }
    let started = Instant::now();
    let credentials = command.common.snmp.credentials()?;
    let mut driver = Driver::new()?;
    driver.search(SearchPlan { addresses, port: command.common.port, credentials, rate: command.rate });
    let mut progress = Progress::new(true);
    let (mut reading, mut printers, mut others, mut searched) = (0_usize, 0_usize, 0_usize, None);
    while searched.is_none() || reading > 0 {
        match driver.event_before(Instant::now() + Duration::from_millis(200)).await {
            Some(Event::Found(found)) => {
                reading += 1;
                driver.read(ReadOrder { address: found.address, credentials: found.credentials, kind: ReadKind::Full });
            }
            Some(Event::Read(finished)) => {
                reading -= 1;
                let line = Outcome::of(&driver, *finished);
                progress.clear();
                if line.is_printer() {
                    printers += 1;
                    line.print(command.common.json, false)?;
                } else {
                    others += 1;
                }
            }
            Some(Event::SearchFinished(end)) => searched = Some(end),
            None => {
                if let Some(at) = driver.search_progress() {
                    progress.show(&words(&at, started.elapsed()));
                }
            }
        }
    }
    progress.clear();
    let total = searched.map_or(0, |end| end.total);
    let others = if others > 0 { format!(", {others} other SNMP devices") } else { String::new() };
    eprintln!("{total} addresses searched in {:.1} s: {printers} printers{others}", started.elapsed().as_secs_f64());
    if printers == 0 {
        eprintln!(
            "Found none? Try --community NAME, --port N, or `agentd read ADDRESS` for one device, which says why it fails."
        );
    }
    Ok(printers > 0)
}

/// How far a search is, with the time that is left.
fn words(at: &SearchProgress, elapsed: Duration) -> String {
    let share = if at.total == 0 { 1.0 } else { ratio(at.done, at.total) };
    let left = if share > 0.02 {
        format!(", about {:.0} s left", elapsed.as_secs_f64() * (1.0 - share) / share)
    } else {
        String::new()
    };
    format!("searching: {} of {} addresses, {} answered{left}", at.done, at.total, at.found)
}

#[allow(clippy::cast_precision_loss, reason = "a share of at most a million addresses")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

pub(crate) async fn socket_address(target: &str, port: u16) -> Result<SocketAddr> {
    let (host, port) = match target.rsplit_once(':') {
        Some((host, own)) if !host.contains(':') => {
            (host, own.parse().with_context(|| format!("`{target}`: what follows the colon is no port"))?)
        }
        _ => (target, port),
    };
    Ok((ranges::resolve(host).await?, port).into())
}

/// A reading that has ended, ready to be printed.
struct Outcome {
    circumstances: Circumstances,
    snapshot: Result<Box<Snapshot>, String>,
    printer: bool,
}

impl Outcome {
    fn of(driver: &Driver, finished: Finished) -> Self {
        let mut circumstances = Circumstances {
            address: shown(finished.address),
            read_at: Timestamp::now(),
            took: finished.took,
            snmp: finished.credential.version().keyword(),
            cost: finished.cost,
            remarks: Vec::new(),
        };
        let (snapshot, printer) = match finished.outcome {
            Ok(reading) => {
                circumstances.remarks = reading.remarks.iter().map(ToString::to_string).collect();
                let profile = driver.profiles().named(&reading.profile);
                let snapshot = driver.profiles().snapshot(profile, &reading.variables);
                let printer = printer_mib::is_printer(&reading.variables)
                    || (profile.name != agent_core::profile::BASE && snapshot.identity.serial.is_some());
                (Ok(Box::new(snapshot)), printer)
            }
            Err(error) => (Err(error.to_string()), false),
        };
        Self { circumstances, snapshot, printer }
    }

    fn failed(&self) -> bool {
        self.snapshot.is_err()
    }

    fn is_printer(&self) -> bool {
        self.printer
    }

    fn print(self, as_json: bool, whole: bool) -> Result<()> {
        let address = self.circumstances.address.clone();
        let line = match (self.snapshot, as_json) {
            (Ok(snapshot), true) => json::device_line(self.circumstances, &snapshot),
            (Ok(snapshot), false) if whole => print::device(&self.circumstances, &snapshot),
            (Ok(snapshot), false) => print::summary(&address, &snapshot),
            (Err(error), true) => json::error_line(address, self.circumstances.read_at, self.circumstances.took, error),
            (Err(error), false) if whole => {
                eprintln!("{address}: {error}");
                return Ok(());
            }
            (Err(error), false) => format!("{address:<21} failed   {error}"),
        };
        writeln!(std::io::stdout(), "{line}").context("standard output is closed")
    }
}

/// The address, without the port that every device has.
fn shown(address: SocketAddr) -> String {
    if address.port() == 161 { address.ip().to_string() } else { address.to_string() }
}

/// A line on a terminal's standard error that is written over.
pub(crate) struct Progress {
    wanted: bool,
    shown: bool,
}

impl Progress {
    pub(crate) fn new(wanted: bool) -> Self {
        Self { wanted: wanted && std::io::stderr().is_terminal(), shown: false }
    }

    pub(crate) fn show(&mut self, words: &str) {
        if self.wanted {
            eprint!("\r\x1b[2K{words}");
            self.shown = true;
        }
    }

    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            eprint!("\r\x1b[2K");
        }
    }
}
