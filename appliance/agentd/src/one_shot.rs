//! `agentd read` and `agentd discover`: the collector against real devices, without any set-up, store or daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agent_core::engine::{Event, Finished, ReadKind, ReadOrder};
use agent_core::search::{self, Alive, Kinds, SearchPlan, Sign};
use agent_core::snmp::Credential;
use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::Timestamp;
use wire::device::{DeviceId, Snapshot};
use wire::identity::Marks;

use crate::driver::Driver;
use crate::json::{self, Circumstances};
use crate::print;
use crate::profiles;
use crate::ranges::{self, Range};
use crate::search::Searcher;
use crate::searches;
use crate::snmp_options::SnmpOptions;
use crate::store::Store;
use crate::store::devices::{Saved, Watched};

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
    /// Take the profiles in this folder beside those that are compiled in
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<PathBuf>,
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
    /// Keep what is read in the collector's database in this folder: it watches the devices from its next start on
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Read everything once more, now that the devices are known
    #[arg(long)]
    reread: bool,
    /// Then poll the devices so many times for what can have changed, as the collector does
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1000))]
    polls: u32,
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
    /// Packets a second
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// What to ask, separated by commas: snmp, icmp, tcp-echo, local-agent, dns-sd [default: all]
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    probe: Vec<String>,
    /// Look up the names of those that are there and no printer
    #[arg(long)]
    names: bool,
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
    let mut driver = Driver::new(profiles::load(command.common.profiles.as_deref())?)?;
    for address in addresses.keys() {
        driver.read(ReadOrder { address: *address, credentials: credentials.clone(), kind: ReadKind::Full });
    }
    let rounds = u32::from(command.reread) + command.polls;
    let mut waiting: BTreeMap<SocketAddr, u32> = addresses.keys().map(|address| (*address, rounds)).collect();
    let mut progress = Progress::new(!whole && !command.common.json);
    let mut keeper = command.keep.as_deref().map(Keeper::open).transpose()?;
    let mut failed = 0;
    while !waiting.is_empty() {
        match driver.event_before(Instant::now() + Duration::from_millis(200)).await {
            Some(Event::Read(finished)) => {
                let address = finished.address;
                let left = waiting.remove(&address).unwrap_or(0);
                if let (Ok(reading), 1..) = (&finished.outcome, left) {
                    let last = Box::new(reading.clone());
                    let again = command.reread && left == rounds;
                    let kind = if again { ReadKind::Again(last) } else { ReadKind::Routine(last) };
                    driver.read(ReadOrder { address, credentials: vec![finished.credential.clone()], kind });
                    waiting.insert(address, left - 1);
                }
                let credential = finished.credential.clone();
                let line = Outcome::of(&driver, *finished, command.common.json);
                failed += usize::from(line.failed());
                if let (Some(keeper), Ok(snapshot)) = (&mut keeper, &line.snapshot) {
                    keeper.keep(address, credential, snapshot)?;
                }
                progress.clear();
                line.print(command.common.json, whole)?;
            }
            None => progress.show(&format!("reading: {} of {} done", addresses.len() - waiting.len(), addresses.len())),
        }
    }
    if let Some(keeper) = &mut keeper {
        keeper.flush()?;
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
    let kinds = match Kinds::from_words(command.probe.iter().map(String::as_str)) {
        Ok(_) if command.probe.is_empty() => Kinds::ALL,
        Ok(kinds) => kinds,
        Err(word) => bail!("`{word}` is no probe: there are {}", Kinds::WORDS.join(", ")),
    };
    let credentials = command.common.snmp.credentials()?;
    let started = Instant::now();
    let mut searcher = Searcher::new()?;
    searcher.set_rate(command.rate);
    searcher.start(SearchPlan { range: 0, addresses, port: command.common.port, credentials, kinds, resume: None });
    let mut driver = Driver::new(profiles::load(command.common.profiles.as_deref())?)?;
    let mut progress = Progress::new(true);
    let mut met = Met::default();
    let mut searched = None;
    while searched.is_none() || met.reading > 0 {
        let until = Instant::now() + Duration::from_millis(200);
        tokio::select! {
            event = searcher.event() => match event {
                Some(search::Event::Found(found)) => {
                    met.found(started.elapsed());
                    if let Some(engine) = found.engine {
                        driver.learn_engine(found.address, &engine);
                    }
                    driver.read(ReadOrder { address: found.address, credentials: found.credentials, kind: ReadKind::Full });
                }
                Some(search::Event::Alive(alive)) => drop(met.alive.insert(alive.address, alive)),
                Some(search::Event::Finished { progress, .. }) => searched = Some((progress, started.elapsed())),
                None => bail!("the search has ended unexpectedly"),
            },
            event = driver.event_before(until) => match event {
                Some(Event::Read(finished)) => {
                    met.reading -= 1;
                    let line = Outcome::of(&driver, *finished, command.common.json);
                    progress.clear();
                    match line.is_printer() {
                        true => {
                            met.printers.extend(line.ip());
                            line.print(command.common.json, false)?;
                        }
                        false => drop(met.others.insert(line.ip(), line.description())),
                    }
                }
                None => {
                    if let Some((_, at)) = searcher.state().progress.first() {
                        progress.show(&words(at));
                    }
                }
            },
        }
    }
    progress.clear();
    let state = searcher.state();
    if let Some(fault) = state.fault {
        bail!(fault);
    }
    met.print(command.common.json, command.names).await?;
    if let Some((end, took)) = searched {
        met.summary(&end, took);
    }
    if let Some(abilities) = state.abilities {
        let lacking = met.alive.values().any(|alive| alive.mac.is_some()) && !abilities.arp;
        if lacking {
            eprintln!("Neighbours were looked for slowly: without CAP_NET_RAW this program cannot send ARP itself.");
        }
        if kinds.echo && !abilities.echo {
            eprintln!("ICMP echo was left out: it needs CAP_NET_RAW, or a group within net.ipv4.ping_group_range.");
        }
    }
    Ok(!met.printers.is_empty())
}

/// Whom a search has met.
#[derive(Default)]
struct Met {
    reading: usize,
    answered: usize,
    last_answer: Duration,
    printers: BTreeSet<IpAddr>,
    others: BTreeMap<Option<IpAddr>, String>,
    alive: BTreeMap<Ipv4Addr, Alive>,
}

impl Met {
    fn found(&mut self, at: Duration) {
        self.reading += 1;
        self.answered += 1;
        self.last_answer = at;
    }

    /// Everyone who is there and no printer, with what it answers to.
    async fn print(&self, as_json: bool, names: bool) -> Result<()> {
        for alive in self.alive.values().filter(|alive| !self.printers.contains(&IpAddr::V4(alive.address))) {
            let name = match names {
                true => searches::host_name(alive.address).await.unwrap_or_default(),
                false => String::new(),
            };
            let described = self.others.get(&Some(IpAddr::V4(alive.address))).map_or("", String::as_str);
            let line = match as_json {
                true => json::alive_line(alive, described, &name),
                false => print::alive(alive, described, &name),
            };
            writeln!(std::io::stdout(), "{line}").context("standard output is closed")?;
        }
        Ok(())
    }

    fn summary(&self, end: &search::Progress, took: Duration) {
        let printers = self.printers.len();
        let with = |sign| self.alive.values().filter(|alive| alive.signs.contains(&sign)).count();
        let mut parts = vec![format!("{printers} printers")];
        let others = self.answered.saturating_sub(printers);
        let silent = self.alive.len() - with(Sign::Snmp);
        for (count, what) in
            [(others, "other SNMP devices"), (silent, "alive without SNMP"), (with(Sign::LocalAgent), "LocalAgents")]
        {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        let seconds = took.as_secs_f64();
        eprintln!("{} addresses searched in {seconds:.1} s: {}", end.addresses, parts.join(", "));
        if self.answered > 0 {
            eprintln!("{} packets; the last one answered after {:.1} s", end.sent, self.last_answer.as_secs_f64());
        }
        if end.no_route > 0 {
            eprintln!(
                "{} addresses cannot be reached from here: check this machine's gateway and network mask",
                end.no_route
            );
        }
        if printers == 0 {
            eprintln!(
                "Found none? Try --community NAME, --port N, or `agentd read ADDRESS` for one device, which says why it fails."
            );
        }
    }
}

/// How far a search is, with the time that is left.
fn words(at: &search::Progress) -> String {
    let again = if at.again > 0 { ", asking the silent ones again" } else { "" };
    format!(
        "searching {} addresses: {} % done, {} answered SNMP, {} there, about {} s left{again}",
        at.addresses,
        at.done / 10,
        at.found,
        at.alive,
        at.left.as_secs()
    )
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

/// Writes what is read to the collector's database, many devices in one transaction.
struct Keeper {
    store: Store,
    batch: Vec<Saved>,
    /// Who is kept, and where he was.
    kept: BTreeMap<DeviceId, SocketAddr>,
}

impl Keeper {
    const BATCH: usize = 64;

    fn open(folder: &Path) -> Result<Self> {
        Ok(Self { store: Store::open(folder)?, batch: Vec::new(), kept: BTreeMap::new() })
    }

    fn keep(&mut self, address: SocketAddr, credential: Credential, snapshot: &Snapshot) -> Result<()> {
        let marks = Marks::of(&snapshot.identity);
        let Some(id) = marks.names().next() else {
            eprintln!("{address}: not kept, for the device tells neither serial number nor MAC");
            return Ok(());
        };
        let first = *self.kept.entry(id.clone()).or_insert(address);
        if first != address {
            eprintln!(
                "{address}: not kept, for it calls itself {id} as {first} does; a search tells such devices apart"
            );
            return Ok(());
        }
        let watched = Watched { macs: marks.macs, ..Watched::default() };
        let (address, snapshot) = (address.to_string(), snapshot.clone());
        self.batch.push(Saved { id, address, credential, read_at: Timestamp::now(), snapshot, watched });
        if self.batch.len() < Self::BATCH { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        let kept = self.store.save(&self.batch).context("the readings cannot be kept");
        self.batch.clear();
        kept
    }
}

/// A reading that has ended, ready to be printed.
struct Outcome {
    circumstances: Circumstances,
    snapshot: Result<Box<Snapshot>, String>,
    printer: bool,
}

impl Outcome {
    fn of(driver: &Driver, finished: Finished, wants_evidence: bool) -> Self {
        let mut circumstances = Circumstances {
            address: shown(finished.address),
            read_at: Timestamp::now(),
            took: finished.took,
            snmp: finished.credential.version().keyword(),
            cost: finished.cost,
            remarks: Vec::new(),
            evidence: Vec::new(),
        };
        let (snapshot, printer) = match finished.outcome {
            Ok(reading) => {
                circumstances.remarks = reading.remarks.iter().map(ToString::to_string).collect();
                let profile = driver.profiles().named(&reading.profile);
                let snapshot = driver.profiles().snapshot(profile, &reading.variables);
                if wants_evidence {
                    circumstances.evidence = driver.profiles().evidence(profile, &reading.variables);
                }
                let printer = reading.is_of_printer(&snapshot.identity);
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

    fn ip(&self) -> Option<IpAddr> {
        let address = &self.circumstances.address;
        address.parse().ok().or_else(|| Some(address.parse::<SocketAddr>().ok()?.ip()))
    }

    /// What SNMP says of it, or why it could not be read.
    fn description(&self) -> String {
        match &self.snapshot {
            Ok(snapshot) => snapshot.identity.description.clone().unwrap_or_default(),
            Err(error) => error.clone(),
        }
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

#[cfg(test)]
mod tests {
    use wire::device::Identity;

    use super::*;

    #[test]
    fn the_collector_knows_what_was_kept_by_what_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let mut keeper = Keeper::open(folder.path()).unwrap();
        let mac = Some("00:17:c8:5e:1a:07".to_owned());
        let identity = Identity { serial: Some("W8M4100417".to_owned()), mac, ..Identity::default() };
        let snapshot = Snapshot { identity: identity.clone(), ..Snapshot::default() };
        keeper.keep("192.0.2.7:161".parse().unwrap(), Credential::v2c("public"), &snapshot).unwrap();
        keeper.flush().unwrap();
        assert_eq!(keeper.store.known_devices().unwrap()[0].marks, Marks::of(&identity));
    }
}
