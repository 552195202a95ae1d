//! Which ranges are searched when, and what is kept of it: cursors to go on from after a power cut, and everyone who was met.
//!
//! Sends nothing itself: [`crate::search`] does. Reads no device: the collector does, a few new ones at a time, so that known
//! devices are polled first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent_core::arp::Mac;
use agent_core::engine::{ReadKind, ReadOrder};
use agent_core::search::{Alive, Cursor, Event, Found, Progress, Resume, SearchPlan, Sign};
use agent_core::snmp::User;
use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::ranges::{self, Range};
use crate::search::Searcher;
use crate::settings::Rhythm;
use crate::store::Store;
use crate::store::search::Unfinished;
use crate::store::settings::ScanRange;

/// First readings under way at once: the engine has room for more, which belongs to known devices.
const MAX_FIRST_READINGS: usize = 16;
/// First readings that wait; those beyond are found again by the next search.
const MAX_WAITING: usize = 8_192;
/// How often cursors are kept. Where a search goes on is where it was one to two of these before the interruption, so that
/// what was under way is asked again.
const KEEP_EVERY: Duration = Duration::from_secs(10);
/// Whom a search has met is kept after this time, or when there are so many.
const FINDINGS_EVERY: Duration = Duration::from_secs(2);
/// See [`FINDINGS_EVERY`].
const MAX_UNKEPT: usize = 256;
/// Names that are looked up in the DNS at the same time.
const MAX_LOOKUPS: usize = 4;
/// Addresses of one card beyond which it is taken for that of a router that answers ARP for others.
const MAX_OF_CARD: usize = 32;
/// Addresses of one card beyond which it tells nothing of who is behind it.
const MAX_OWN: usize = 4;
/// How long a name may take.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(2);
/// So many names in a row that took too long, and no more are looked up until the next search.
const MAX_SLOW_LOOKUPS: u32 = 4;
/// Names that wait to be looked up.
const MAX_NAMELESS: usize = 1_024;
/// A search begins at once if its ranges are clear within so long; otherwise when they are: names of hosts take their time.
const PROMPTLY: Duration = Duration::from_millis(50);

/// What the pages may know of searches.
#[derive(Debug, Clone, Default)]
pub struct SearchState {
    /// The ranges that are being searched, and how far.
    pub running: Vec<(String, Progress)>,
    /// Whether there are searches that a person has stopped and could go on with.
    pub can_go_on: bool,
    /// The last search that came to its end.
    pub last: Option<LastSearch>,
    /// What went wrong.
    pub faults: Vec<Fault>,
    /// What is missing for a better search.
    pub lacks: Lacks,
}

impl SearchState {
    /// Whether anything is being searched.
    pub fn is_searching(&self) -> bool {
        !self.running.is_empty()
    }
}

/// What went wrong with a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It was not searched: which, and why.
    NotSearched(String, String),
    /// So many of so many addresses of a range cannot be reached from this machine.
    NoRoute(String, u64, u64),
    /// One card answers ARP for so many addresses at which nobody answers anything else.
    ProxyArp(Mac, usize),
}

/// What came of a search of all ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSearch {
    /// When it ended.
    pub at: Timestamp,
    /// Printers that were new.
    pub added: usize,
    /// Printers that were known.
    pub known: usize,
}

/// What this machine did not let a search do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lacks {
    /// ARP of its own: neighbours are found slowly.
    pub arp: bool,
    /// ICMP echo.
    pub echo: bool,
    /// Names: the resolver is slow or silent.
    pub names: bool,
}

struct Running {
    range: i64,
    label: String,
    plan: String,
    /// The cursor to go on from, and a newer one that will be it next.
    cursors: [Cursor; 2],
}

/// Ranges that are being turned into addresses.
struct Preparing {
    task: JoinHandle<Vec<Prepared>>,
    /// What they go on from.
    interrupted: Vec<Unfinished>,
}

struct Prepared {
    range: i64,
    label: String,
    plan: Result<SearchPlan>,
}

/// See the module's page.
pub struct Searches {
    searcher: Searcher,
    store: Arc<Store>,
    preparing: Option<Preparing>,
    /// By numbers that are used once, so that late news of a search that was stopped is not taken for that of its successor.
    running: BTreeMap<i64, Running>,
    last_number: i64,
    stopped: Vec<Unfinished>,
    /// What was interrupted when the program ended, and is gone on with at the first opportunity.
    interrupted: Vec<Unfinished>,
    due: Instant,
    began: Timestamp,
    kept: Instant,
    added: usize,
    known: usize,
    waiting: VecDeque<Found>,
    reading: BTreeMap<SocketAddr, Option<Mac>>,
    unkept: Vec<(Alive, String)>,
    findings_kept: Instant,
    nameless: VecDeque<Alive>,
    lookups: JoinSet<(Alive, Option<String>)>,
    slow_lookups: u32,
    /// How many addresses each card has answered for, and how many of those gave no other sign of life.
    cards: BTreeMap<Mac, (BTreeSet<Ipv4Addr>, usize)>,
    last: Option<LastSearch>,
    faults: Vec<Fault>,
}

impl Searches {
    /// Searches over a store, with those that were interrupted. Needs a tokio runtime.
    pub fn new(store: Arc<Store>, rhythm: &Rhythm) -> Result<Self> {
        let searcher = Searcher::new()?;
        searcher.set_rate(rhythm.rate);
        let (stopped, interrupted): (Vec<_>, Vec<_>) =
            store.unfinished_searches()?.into_iter().partition(|search| search.stopped);
        let due = if stopped.is_empty() { Instant::now() } else { Instant::now() + rhythm.search };
        Ok(Self {
            searcher,
            store,
            preparing: None,
            running: BTreeMap::new(),
            last_number: 0,
            stopped,
            interrupted,
            due,
            began: Timestamp::now(),
            kept: Instant::now(),
            added: 0,
            known: 0,
            waiting: VecDeque::new(),
            reading: BTreeMap::new(),
            unkept: Vec::new(),
            findings_kept: Instant::now(),
            nameless: VecDeque::new(),
            lookups: JoinSet::new(),
            slow_lookups: 0,
            cards: BTreeMap::new(),
            last: None,
            faults: Vec::new(),
        })
    }

    /// Searches all ranges from the start, as soon as [`Self::work`] is called.
    pub fn start(&mut self) {
        self.halt();
        self.stopped.clear();
        self.interrupted.clear();
        self.due = Instant::now();
    }

    /// Ends the searches; they can be gone on with.
    pub fn stop(&mut self) -> Result<()> {
        self.stopped = self.unfinished(true);
        let preparing = self.preparing.as_ref().map(|preparing| preparing.interrupted.clone()).unwrap_or_default();
        self.stopped.extend(preparing.into_iter().map(|search| Unfinished { stopped: true, ..search }));
        self.halt();
        self.store.set_unfinished_searches(&self.stopped)?;
        Ok(())
    }

    /// Goes on with what was stopped.
    pub fn go_on(&mut self) {
        if self.running.is_empty() {
            self.interrupted.append(&mut self.stopped);
        }
    }

    /// Takes over a changed schedule.
    pub fn set_rhythm(&mut self, rhythm: &Rhythm) {
        self.searcher.set_rate(rhythm.rate);
        self.due = self.due.min(Instant::now() + rhythm.search);
    }

    /// The next event; may be dropped and called again.
    pub async fn event(&mut self) -> Option<Event> {
        self.searcher.event().await
    }

    /// Takes an event. What is known already needs not be read.
    pub async fn handle(&mut self, event: Event, is_known: bool) -> Result<()> {
        match &event {
            Event::Found(Found { mac: Some(mac), address: SocketAddr::V4(address), .. }) => {
                self.note(*mac, *address.ip())
            }
            Event::Alive(Alive { mac: Some(mac), address, .. }) => self.note(*mac, *address),
            _ => {}
        }
        match event {
            Event::Found(_) if is_known => self.known += 1,
            Event::Found(found) => {
                if self.waiting.len() < MAX_WAITING {
                    self.waiting.push_back(found);
                }
            }
            Event::Alive(alive) if self.is_only_vouched_for(&alive) => {}
            Event::Alive(alive) => {
                if self.nameless.len() < MAX_NAMELESS && self.slow_lookups < MAX_SLOW_LOOKUPS {
                    self.nameless.push_back(alive);
                } else {
                    self.unkept.push((alive, String::new()));
                }
            }
            Event::Finished { range: number, progress } => self.finish(number, &progress).await?,
        }
        Ok(())
    }

    /// The next device to be read for the first time; [`Self::has_read`] makes room for others.
    pub fn next_to_read(&mut self) -> Option<(ReadOrder, Option<Vec<u8>>)> {
        if self.reading.len() >= MAX_FIRST_READINGS {
            return None;
        }
        let Found { address, credentials, mac, engine, .. } = self.waiting.pop_front()?;
        self.reading.insert(address, mac);
        Some((ReadOrder { address, credentials, kind: ReadKind::Full }, engine))
    }

    /// Notes that a reading has ended; gives the card of a device that was read for the first time.
    pub fn has_read(&mut self, address: SocketAddr) -> Option<Mac> {
        let mac = self.reading.remove(&address).flatten();
        // Behind a router that answers for many, its card is nobody's own.
        mac.filter(|mac| self.cards.get(mac).is_none_or(|(addresses, _)| addresses.len() <= MAX_OWN))
    }

    fn note(&mut self, mac: Mac, address: Ipv4Addr) {
        let (addresses, _) = self.cards.entry(mac).or_default();
        if addresses.len() <= MAX_OF_CARD {
            addresses.insert(address);
        }
    }

    /// Whether all that speaks for someone is a card that answers ARP for very many.
    fn is_only_vouched_for(&mut self, alive: &Alive) -> bool {
        let Some((addresses, alone)) = alive.mac.and_then(|mac| self.cards.get_mut(&mac)) else { return false };
        if alive.signs.iter().any(|sign| *sign != Sign::Arp) {
            return false;
        }
        *alone += 1;
        addresses.len() > MAX_OF_CARD
    }

    /// Notes what someone who is no printer says of himself.
    pub async fn describe(&self, address: SocketAddr, described: String) -> Result<()> {
        let (SocketAddr::V4(address), store) = (address, self.store.clone()) else { return Ok(()) };
        let kept =
            tokio::task::spawn_blocking(move || store.describe_finding(*address.ip(), &described, Timestamp::now()));
        kept.await.context("a finding is not described")??;
        Ok(())
    }

    /// Notes a printer that was new. The slowest are read when the search is over already.
    pub fn has_added(&mut self) {
        self.added += 1;
        if let Some(last) = self.last.as_mut().filter(|_| self.running.is_empty()) {
            last.added = self.added;
        }
    }

    /// Does what is due. Call it about once a second.
    pub async fn work(&mut self, rhythm: &Rhythm) -> Result<()> {
        self.look_up_names();
        if self.unkept.len() >= MAX_UNKEPT || self.findings_kept.elapsed() >= FINDINGS_EVERY {
            self.keep_findings().await?;
        }
        if let Some(Preparing { task, interrupted }) = self.preparing.take_if(|preparing| preparing.task.is_finished())
        {
            return self.begin(task.await?, &interrupted);
        }
        if !self.running.is_empty() || self.preparing.is_some() {
            if self.kept.elapsed() >= KEEP_EVERY && !self.running.is_empty() {
                self.keep_cursors()?;
            }
            return Ok(());
        }
        if !self.interrupted.is_empty() {
            let interrupted = std::mem::take(&mut self.interrupted);
            self.due = Instant::now() + rhythm.search;
            self.prepare(interrupted).await
        } else if Instant::now() >= self.due {
            self.due = Instant::now() + rhythm.search;
            self.stopped.clear();
            self.prepare(Vec::new()).await
        } else {
            Ok(())
        }
    }

    /// How the searches stand.
    pub fn state(&self) -> SearchState {
        let state = self.searcher.state();
        let running = state.progress.into_iter().filter_map(|(number, progress)| {
            let running = self.running.get(&number)?;
            Some((running.label.clone(), progress))
        });
        let lacks = state.abilities.map_or(Lacks::default(), |abilities| Lacks {
            arp: !abilities.arp,
            echo: !abilities.echo,
            names: self.slow_lookups >= MAX_SLOW_LOOKUPS,
        });
        SearchState {
            running: running.collect(),
            can_go_on: self.running.is_empty() && !self.stopped.is_empty(),
            last: self.last,
            faults: self.faults.clone(),
            lacks,
        }
    }

    /// Turns all ranges into addresses, or those to go on with, and begins with them.
    async fn prepare(&mut self, interrupted: Vec<Unfinished>) -> Result<()> {
        self.faults.clear();
        self.cards.clear();
        self.slow_lookups = 0;
        if let Some(began) = interrupted.iter().map(|search| search.began).min() {
            self.began = began;
        } else {
            (self.began, self.added, self.known) = (Timestamp::now(), 0, 0);
        }
        let users = self.store.snmp_users()?;
        let mut ranges = self.store.ranges()?;
        ranges.retain(|(id, _)| interrupted.is_empty() || interrupted.iter().any(|search| search.range == *id));
        // Beside the polling, which does not wait for a name server.
        let mut task = tokio::spawn(async move {
            let mut prepared = Vec::new();
            for (range, scan) in ranges {
                let plan = search_plan(&scan, &users).await;
                prepared.push(Prepared { range, label: scan.range, plan });
            }
            prepared
        });
        match timeout(PROMPTLY, &mut task).await {
            Ok(prepared) => self.begin(prepared?, &interrupted),
            Err(_) => {
                self.preparing = Some(Preparing { task, interrupted });
                Ok(())
            }
        }
    }

    fn begin(&mut self, ranges: Vec<Prepared>, interrupted: &[Unfinished]) -> Result<()> {
        let met = if interrupted.is_empty() { Vec::new() } else { self.store.met_since(self.began)? };
        for Prepared { range, label, plan } in ranges {
            match plan {
                Ok(mut plan) => {
                    self.last_number += 1;
                    plan.range = self.last_number;
                    let digest = digest(&plan);
                    let before = interrupted.iter().find(|search| search.range == range && search.plan == digest);
                    let before = before.map(|before| before.cursor);
                    plan.resume = before.map(|cursor| Resume { cursor, known: met.clone() });
                    let cursors = [before.unwrap_or_default(); 2];
                    self.running.insert(self.last_number, Running { range, label, plan: digest, cursors });
                    self.searcher.start(plan);
                }
                Err(error) => {
                    log::warn!(range = label, error:% = format!("{error:#}"); "a range is not searched");
                    self.faults.push(Fault::NotSearched(label, format!("{error:#}")));
                }
            }
        }
        self.keep_cursors()
    }

    async fn finish(&mut self, number: i64, progress: &Progress) -> Result<()> {
        let Some(running) = self.running.remove(&number) else { return Ok(()) };
        log::info!(addresses = progress.addresses, packets = progress.sent, answered = progress.found; "a range has been searched");
        let label = running.label;
        if let Some(fault) = self.searcher.state().fault {
            self.faults.push(Fault::NotSearched(label, fault));
        } else if progress.no_route > 0 {
            log::warn!(range = label, addresses = progress.no_route; "addresses cannot be reached from here");
            self.faults.push(Fault::NoRoute(label, progress.no_route, progress.addresses));
        }
        self.keep_cursors()?;
        if self.running.is_empty() {
            self.unkept.extend(self.nameless.drain(..).map(|alive| (alive, String::new())));
            self.keep_findings().await?;
            self.store.forget_findings_before(self.began)?;
            self.forget_proxies()?;
            self.last = Some(LastSearch { at: Timestamp::now(), added: self.added, known: self.known });
        }
        Ok(())
    }

    /// Says which cards answer for very many, and forgets those whom nothing else speaks for.
    fn forget_proxies(&mut self) -> Result<()> {
        for (mac, (addresses, alone)) in &self.cards {
            if addresses.len() > MAX_OF_CARD && *alone > 0 {
                log::warn!(addresses = *alone; "a router answers ARP for addresses at which nobody is");
                self.store.forget_findings_by_arp(*mac)?;
                self.faults.push(Fault::ProxyArp(*mac, *alone));
            }
        }
        Ok(())
    }

    fn halt(&mut self) {
        if let Some(preparing) = self.preparing.take() {
            preparing.task.abort();
        }
        for number in self.running.keys() {
            self.searcher.stop(*number);
        }
        self.running.clear();
        self.waiting.clear();
    }

    fn keep_cursors(&mut self) -> Result<()> {
        self.kept = Instant::now();
        for (number, cursor) in self.searcher.state().cursors {
            if let Some(running) = self.running.get_mut(&number) {
                let [_, newer] = running.cursors;
                running.cursors = [newer, cursor];
            }
        }
        self.store.set_unfinished_searches(&self.unfinished(false))?;
        Ok(())
    }

    fn unfinished(&self, stopped: bool) -> Vec<Unfinished> {
        let of = |running: &Running| {
            let [cursor, _] = running.cursors;
            Unfinished { range: running.range, plan: running.plan.clone(), cursor, began: self.began, stopped }
        };
        self.running.values().map(of).collect()
    }

    async fn keep_findings(&mut self) -> Result<()> {
        self.findings_kept = Instant::now();
        if self.unkept.is_empty() {
            return Ok(());
        }
        let (store, unkept) = (self.store.clone(), std::mem::take(&mut self.unkept));
        let kept = tokio::task::spawn_blocking(move || store.save_findings(&unkept, Timestamp::now()));
        kept.await.context("findings are not kept")??;
        Ok(())
    }

    fn look_up_names(&mut self) {
        while let Some(found) = self.lookups.try_join_next() {
            let Ok((alive, name)) = found else { continue };
            self.slow_lookups = if name.is_some() { 0 } else { self.slow_lookups + 1 };
            self.unkept.push((alive, name.unwrap_or_default()));
        }
        if self.slow_lookups >= MAX_SLOW_LOOKUPS {
            self.unkept.extend(self.nameless.drain(..).map(|alive| (alive, String::new())));
        }
        while self.lookups.len() < MAX_LOOKUPS {
            let Some(alive) = self.nameless.pop_front() else { return };
            self.lookups.spawn(async move {
                let name = host_name(alive.address).await;
                (alive, name)
            });
        }
    }
}

/// The name of an address in the DNS, empty where it has none; `None` where that takes too long.
pub async fn host_name(address: Ipv4Addr) -> Option<String> {
    let lookup = tokio::task::spawn_blocking(move || dns_lookup::lookup_addr(&IpAddr::V4(address)));
    let name = timeout(LOOKUP_PATIENCE, lookup).await.ok()?.ok()?;
    Some(name.ok().filter(|name| name.parse::<IpAddr>().is_err()).unwrap_or_default())
}

/// The plan for a range, as yet without a number.
async fn search_plan(scan: &ScanRange, users: &[Arc<User>]) -> Result<SearchPlan> {
    let included = Range::parse(&scan.range)?;
    let excluded = Range::parse_list(&scan.exclusions)?;
    let addresses = ranges::address_set(&[included], &excluded).await?;
    if addresses.is_empty() {
        bail!("there is no address in it: no such network here, or excluded as a whole");
    }
    let credentials = scan.credentials(users);
    Ok(SearchPlan { range: 0, addresses, port: scan.port, credentials, kinds: scan.kinds, resume: None })
}

/// What a cursor belongs to; secrets are not in it.
fn digest(plan: &SearchPlan) -> String {
    let SearchPlan { addresses, port, credentials, kinds, .. } = plan;
    let versions: Vec<_> = credentials.iter().map(|credential| (credential.version(), credential.transport)).collect();
    let digest = Sha256::digest(format!("{addresses:?} {port} {versions:?} {kinds:?}"));
    data_encoding::HEXLOWER.encode(digest.get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use agent_core::snmp::Credential;

    use super::*;

    #[tokio::test]
    async fn a_router_that_answers_for_all_is_named_and_hides_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let mut searches = Searches::new(store.clone(), &Rhythm::default()).unwrap();
        let (router, own) = (Mac([0, 1, 2, 3, 4, 5]), Mac([0, 1, 2, 3, 4, 6]));
        let alive = |host: u8, mac: Mac, more: &[Sign]| {
            let signs = [&[Sign::Arp][..], more].concat().into_iter().collect();
            Event::Alive(Alive { range: 1, address: [192, 0, 2, host].into(), mac: Some(mac), signs, name: None })
        };
        let found = |host: u8, mac: Mac| {
            let address = SocketAddr::from(([192, 0, 2, host], 161));
            Event::Found(Found {
                range: 1,
                address,
                credentials: vec![Credential::v1("x")],
                mac: Some(mac),
                engine: None,
            })
        };
        // Nobody is asked for names here.
        searches.slow_lookups = MAX_SLOW_LOOKUPS;
        for host in 1..=200 {
            searches.handle(alive(host, router, if host == 7 { &[Sign::Snmp] } else { &[] }), false).await.unwrap();
        }
        searches.handle(alive(201, own, &[]), false).await.unwrap();
        for event in [found(7, router), found(202, own)] {
            searches.handle(event, false).await.unwrap();
        }
        searches.keep_findings().await.unwrap();
        searches.forget_proxies().unwrap();
        let left: Vec<_> = store.findings().unwrap().iter().map(|finding| finding.address.octets()[3]).collect();
        assert_eq!(left, [7, 201]);
        assert_eq!(searches.faults, [Fault::ProxyArp(router, 199)]);
        // Both are read; only the one whose card it is has it.
        while let Some((order, _)) = searches.next_to_read() {
            let card = searches.has_read(order.address);
            assert_eq!(card, (order.address.ip() == IpAddr::from([192, 0, 2, 202])).then_some(own));
        }
    }
}
