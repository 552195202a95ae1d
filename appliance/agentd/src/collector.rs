//! The daemon's main loop: what to poll and search when, and what to keep of it.
//!
//! Targets are addresses; devices are what answers there. Whose a reading is the register decides, sometimes only after
//! another address was asked; an address that nobody owns any more is dropped after some silence.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agent_core::arp::Mac;
use agent_core::engine::{Cost, Event, Finished, ReadKind, ReadOrder};
use agent_core::identity::Sighting;
use agent_core::printer_mib::{self, System};
use agent_core::profile::Profiles;
use agent_core::reader::{ReadError, Reading, Remark};
use agent_core::register::{self, Notice, Owner, Register, Settled};
use agent_core::schedule::{Poll, Reason, Schedule, Slowed};
use agent_core::search;
use agent_core::snmp::Credential;
use agent_core::snmp::traps::{Counts, Receiver};
use anyhow::Result;
use jiff::Timestamp;
use tokio::sync::mpsc;
use wire::device::{DeviceId, Snapshot};
use wire::notes;
use wire::vocab::RemarkCode;

use crate::complaint::Complaint;
use crate::driver::Driver;
use crate::searches::{SearchState, Searches};
use crate::settings::Rhythm;
use crate::store::devices::{Saved, Watched};
use crate::store::{Store, StoreError};
use crate::traps::{Arrived, TrapPorts};

/// Failed polls in a row before a device counts as silent: one lost poll is no event.
const FAILURES_TO_SILENCE: u32 = 2;
/// Failed polls in a row before an address that no device owns is dropped.
const FAILURES_TO_DROP: u32 = 3;
/// Most devices watched.
const MAX_TARGETS: usize = 5_000;
/// Readings that wait for the database at most.
const MAX_UNWRITTEN: usize = 512;
/// Oddities of a device that are kept.
const MOST_REMARKS: usize = 32;
/// Readings written in one transaction at most.
const BATCH: usize = 64;
/// A device is read whole at least this often, because a routine poll does not see new rows.
const FULL_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// What the pages may order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Settings have changed.
    Reload,
    /// Search all ranges.
    Search,
    /// End the search; it can be gone on with.
    StopSearch,
    /// Go on with the search that was stopped.
    GoOnSearching,
    /// Poll the device at this address (and port) at once.
    Poll(String),
    /// Watch this device no longer, and remove what is stored of it.
    Forget(DeviceId),
    /// A person has decided that these two are one, the older first.
    Unite(DeviceId, DeviceId, String),
}

/// What the pages may know.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    /// How searches stand.
    pub search: SearchState,
    /// Devices on the schedule.
    pub watched: usize,
    /// What became of traps.
    pub traps: TrapState,
}

/// How the receiving of traps stands.
#[derive(Debug, Clone, Default)]
pub struct TrapState {
    /// Where they are taken.
    pub open: Vec<String>,
    /// Where they cannot be taken, and why.
    pub faults: Vec<String>,
    /// What has come so far.
    pub counts: Counts,
    /// When the last message of a known device came, and from where.
    pub last: Option<(Timestamp, IpAddr)>,
}

/// The pages' hold on the collector.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    activity: Arc<Mutex<Activity>>,
}

impl Handle {
    /// Gives an order; `false` when so many wait that this one was dropped.
    pub fn order(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// What is going on.
    pub fn activity(&self) -> Activity {
        lock(&self.activity).clone()
    }

    /// A hold on nothing, for tests of pages.
    pub fn idle() -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(64);
        (Self { commands, activity: Arc::default() }, receiver)
    }
}

fn lock(activity: &Mutex<Activity>) -> MutexGuard<'_, Activity> {
    activity.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Target {
    credential: Credential,
    last: Option<Reading>,
    full_at: Option<Instant>,
    device: Option<DeviceId>,
    failures: u32,
    remarks: BTreeSet<Remark>,
    /// What the store knows of its being polled less often: why, and how often in minutes.
    slowed: Option<(RemarkCode, u64)>,
}

/// A reading of which it is not decided yet whose it is.
struct Held {
    reading: Reading,
    snapshot: Snapshot,
    credential: Credential,
    read_at: Timestamp,
    cost: Cost,
    full: bool,
    /// Totals that their parts do not make up, in words.
    odd_sums: Vec<String>,
}

enum Write {
    Save(Box<Saved>),
    Silent(DeviceId, Timestamp, String),
    AlsoAt(DeviceId, BTreeSet<SocketAddr>, Timestamp, Vec<Notice>),
    Unite { older: DeviceId, newer: DeviceId, has_moved: bool, by: String },
    Remove(DeviceId),
    Withdraw(DeviceId, DeviceId, Timestamp),
    Slowed(DeviceId, Option<notes::Remark>),
}

/// The loop's state.
pub struct Collector {
    driver: Driver,
    store: Arc<Store>,
    rhythm: Rhythm,
    schedule: Schedule<SocketAddr>,
    targets: BTreeMap<SocketAddr, Target>,
    register: Register,
    held: BTreeMap<SocketAddr, Held>,
    /// Addresses whose device was removed while it was being read.
    unwanted: BTreeSet<SocketAddr>,
    /// What went wrong last that is said once only.
    complaint: Complaint,
    searches: Searches,
    commands: mpsc::Receiver<Command>,
    activity: Arc<Mutex<Activity>>,
    writer: mpsc::Sender<Write>,
    ports: TrapPorts,
    traps: Receiver,
}

impl Collector {
    /// A collector over a store, with the devices that it knows; and the hold on it. Needs a tokio runtime.
    pub fn new(store: Arc<Store>, profiles: Profiles, ports: TrapPorts) -> Result<(Self, Handle)> {
        let (handle, commands) = Handle::idle();
        let driver = Driver::new(profiles)?;
        let rhythm = store.rhythm()?;
        let (writer, unwritten) = mpsc::channel(MAX_UNWRITTEN);
        let for_writing = store.clone();
        std::thread::Builder::new().name("store".to_owned()).spawn(move || write(&for_writing, unwritten))?;
        store.clear_slowed()?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
        let (engine_id, boots) = store.begin_trap_engine(&random)?;
        let mut traps = Receiver::new(driver.now(), &engine_id, boots, u64::from_be_bytes(seed_of(&random)));
        traps.set_users(&store.snmp_users()?);
        lock(&handle.activity).traps =
            TrapState { open: ports.open.clone(), faults: ports.faults.clone(), ..TrapState::default() };
        let mut collector = Self {
            ports,
            traps,
            schedule: Schedule::new(rhythm.poll),
            driver,
            rhythm,
            targets: BTreeMap::new(),
            register: Register::new(store.known_devices()?, store.asked_pairs()?, store.given_up()?),
            held: BTreeMap::new(),
            unwanted: BTreeSet::new(),
            complaint: Complaint::about("the database does not take what the collector has to keep"),
            searches: Searches::new(store.clone(), &rhythm)?,
            commands,
            activity: handle.activity.clone(),
            writer,
            store,
        };
        for known in collector.store.targets()? {
            // Of several devices that were last met at one address the register knows which is there.
            if let Ok(address) = known.address.parse()
                && collector.register.resident(&address) == Some(&known.id)
            {
                collector.watch(address, known.credential, Some(known.id));
            }
        }
        Ok((collector, handle))
    }

    /// Runs until the pages' hold is dropped. A database that takes nothing (a full card) ends nothing: what is read is shown at
    /// least as long as it can be.
    pub async fn run(mut self) {
        loop {
            self.order_polls();
            let worked = self.searches.work(&self.rhythm).await;
            self.complaint.hear(worked);
            self.read_found();
            let until = Instant::now() + Duration::from_secs(1);
            let schedule = self.schedule.poll_timeout().map(|tick| Instant::now() + tick.since(self.driver.now()));
            let until = schedule.map_or(until, |due| until.min(due.max(Instant::now() + Duration::from_millis(1))));
            tokio::select! {
                event = self.driver.event_before(until) => if let Some(event) = event { self.handle(event).await },
                Some(event) = self.searches.event() => {
                    let handled = self.handle_search(event).await;
                    self.complaint.hear(handled);
                }
                arrived = self.ports.arrived() => self.take_trap(&arrived),
                command = self.commands.recv() => {
                    let Some(command) = command else { return };
                    let obeyed = self.obey(command).await;
                    self.complaint.hear(obeyed);
                }
            }
            self.show();
        }
    }

    fn show(&self) {
        let mut activity = lock(&self.activity);
        activity.watched = self.targets.len();
        activity.search = self.searches.state();
    }

    async fn obey(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Reload => {
                self.rhythm = self.store.rhythm()?;
                self.schedule.set_interval(self.rhythm.poll);
                self.searches.set_rhythm(&self.rhythm);
                self.take_credentials()?;
            }
            Command::Search => self.searches.start(),
            Command::StopSearch => self.searches.stop()?,
            Command::GoOnSearching => self.searches.go_on(),
            Command::Poll(address) => {
                if let Ok(address) = address.parse() {
                    self.schedule.hurry(self.driver.now(), &address);
                }
            }
            Command::Forget(id) => {
                let of_it = |(_, target): &(&SocketAddr, &Target)| target.device.as_ref() == Some(&id);
                let being_read = |address: &SocketAddr| self.driver.is_reading(address);
                let addresses = self.targets.iter().filter(of_it).map(|(address, _)| *address);
                // What such a reading brings would make the device known again.
                self.unwanted.extend(addresses.filter(being_read));
                self.held.retain(|address, _| self.register.resident(address) != Some(&id));
                self.register.forget(&id);
                self.drop_targets(|_, target| target.device.as_ref() == Some(&id));
                // Behind what waits to be written of it.
                self.write(Write::Remove(id)).await;
            }
            Command::Unite(older, newer, by) => {
                let has_moved = self.register.unite(&older, &newer);
                let Some(address) = self.register.known(&older).map(|device| device.address) else { return Ok(()) };
                let mut targets = self.targets.values().filter(|target| target.device.as_ref() == Some(&newer));
                let credential = targets.next().map(|target| target.credential.clone());
                self.drop_targets(|_, target| target.device.as_ref() == Some(&newer));
                if has_moved {
                    self.drop_targets(|_, target| target.device.as_ref() == Some(&older));
                    if let Some(credential) = credential {
                        self.watch(address, credential, Some(older.clone()));
                    }
                }
                self.write(Write::Unite { older, newer, has_moved, by }).await;
                self.schedule.hurry(self.driver.now(), &address);
            }
        }
        Ok(())
    }

    /// Takes over what has been set up about users. A device whose user is gone is not read any more until it is found again.
    fn take_credentials(&mut self) -> Result<()> {
        self.traps.set_users(&self.store.snmp_users()?);
        let known: BTreeMap<DeviceId, Credential> =
            self.store.targets()?.into_iter().map(|known| (known.id, known.credential)).collect();
        let mut gone = Vec::new();
        for (address, target) in &mut self.targets {
            let is_user = target.credential.user().is_some();
            match target.device.as_ref().filter(|_| is_user).map(|device| known.get(device)) {
                Some(Some(credential)) => target.credential = credential.clone(),
                Some(None) => gone.push(*address),
                None => {}
            }
        }
        self.drop_targets(|address, _| gone.contains(address));
        Ok(())
    }

    /// A trap makes its sender's turn come early, and nothing else.
    fn take_trap(&mut self, arrived: &Arrived) {
        let ip = arrived.from.ip();
        let of_device = SocketAddr::new(ip, 0)..=SocketAddr::new(ip, u16::MAX);
        let devices: Vec<SocketAddr> = self.targets.range(of_device).map(|(address, _)| *address).collect();
        let now = self.driver.now();
        let heard = self.traps.handle_message(now, ip, !devices.is_empty(), &arrived.bytes);
        if let Some(reply) = heard.reply {
            arrived.reply(reply);
        }
        if heard.poll {
            log::debug!(address:% = ip; "a trap has a device polled early");
            devices.iter().for_each(|device| self.schedule.hurry(now, device));
        }
        let mut activity = lock(&self.activity);
        activity.traps.counts = self.traps.counts();
        if !devices.is_empty() {
            activity.traps.last = Some((Timestamp::now(), ip));
        }
    }

    fn drop_targets(&mut self, which: impl Fn(&SocketAddr, &Target) -> bool) {
        let gone: Vec<SocketAddr> = self
            .targets
            .iter()
            .filter(|(address, target)| which(address, target))
            .map(|(address, _)| *address)
            .collect();
        for address in gone {
            self.targets.remove(&address);
            self.unschedule(address);
        }
    }

    fn unschedule(&mut self, address: SocketAddr) {
        self.schedule.remove(&address);
    }

    fn watch(&mut self, address: SocketAddr, credential: Credential, device: Option<DeviceId>) {
        if self.targets.len() >= MAX_TARGETS && !self.targets.contains_key(&address) {
            log::warn!(most = MAX_TARGETS; "more devices than are watched at most; a device is left out");
            return;
        }
        let target = Target {
            credential,
            last: None,
            full_at: None,
            device,
            failures: 0,
            remarks: BTreeSet::new(),
            slowed: None,
        };
        self.targets.insert(address, target);
        self.schedule.add(self.driver.now(), address);
    }

    fn order_polls(&mut self) {
        while let Some(address) = self.schedule.poll_due(self.driver.now()) {
            let Some(target) = self.targets.get_mut(&address) else {
                self.unschedule(address);
                continue;
            };
            let is_hard_to_tell = self.register.is_hard_to_tell(&address);
            let fresh = !is_hard_to_tell && target.full_at.is_some_and(|at| at.elapsed() < FULL_EVERY);
            // The last reading goes into the poll and comes back with it: it is kept once, not twice.
            let kind = match target.last.take() {
                Some(last) if fresh => ReadKind::Routine(Box::new(last)),
                Some(last) => ReadKind::Again(Box::new(last)),
                None => ReadKind::Full,
            };
            self.driver.read(ReadOrder { address, credentials: vec![target.credential.clone()], kind });
        }
    }

    /// Reads what a search has found; known devices come first, so only a few of them at a time.
    fn read_found(&mut self) {
        while let Some((order, engine)) = self.searches.next_to_read() {
            if let Some(engine) = engine {
                self.driver.learn_engine(order.address, &engine);
            }
            self.driver.read(order);
        }
    }

    async fn handle_search(&mut self, event: search::Event) -> Result<()> {
        let mut is_known = false;
        if let search::Event::Found(found) = &event
            && let Some(target) = self.targets.get_mut(&found.address)
        {
            is_known = true;
            if target.failures > 0 {
                // It was silent and is there after all, perhaps with another password.
                let credentials = found.credentials.clone();
                self.driver.read(ReadOrder { address: found.address, credentials, kind: ReadKind::Full });
            }
        }
        self.searches.handle(event, is_known).await
    }

    async fn handle(&mut self, event: Event) {
        match event {
            Event::Read(finished) => {
                let Finished { address, credential, outcome, full, cost, took } = *finished;
                self.note_poll(address, if outcome.is_ok() { Poll::Answered(took) } else { Poll::Silent }).await;
                let card = self.searches.has_read(address);
                if self.unwanted.remove(&address) {
                    return;
                }
                match outcome {
                    Ok(reading) if reading.outdated => {
                        log::debug!(address:% = address; "rows have changed; reading everything");
                        self.driver.read(ReadOrder { address, credentials: vec![credential], kind: ReadKind::Full });
                    }
                    Ok(reading) => {
                        let held = self.explain(credential, reading, full, cost, card);
                        self.keep(address, held).await;
                    }
                    Err(error) => self.miss(address, &error).await,
                }
            }
        }
    }

    async fn note_poll(&mut self, address: SocketAddr, poll: Poll) {
        let now = self.driver.now();
        self.schedule.done(now, &address, poll, spread(&address));
        let slowed = self.schedule.slowed(now, &address);
        let Some(target) = self.targets.get_mut(&address) else { return };
        let minutes = |slowed: &Slowed| (slowed.every.as_secs() + 30) / 60;
        let told = slowed.as_ref().map(|slowed| (code_of(slowed.reason), minutes(slowed)));
        if told == target.slowed {
            return;
        }
        let Some(id) = target.device.clone() else { return };
        target.slowed = told;
        let remark = slowed.map(|slowed| notes::Remark {
            code: code_of(slowed.reason),
            since: Some(Timestamp::now() - slowed.lasts),
            text: match slowed.reason {
                Reason::Silent => format!("{} min", minutes(&slowed)),
                Reason::Slow(took) => format!("{} min; {} s", minutes(&slowed), took.as_secs()),
            },
        });
        self.write(Write::Slowed(id, remark)).await;
    }

    /// What a reading says, with the card that a search met at the address: not every device tells it.
    fn explain(&self, credential: Credential, mut reading: Reading, full: bool, cost: Cost, card: Option<Mac>) -> Held {
        reading.outdated = false;
        let profiles = self.driver.profiles();
        let profile = profiles.named(&reading.profile);
        let mut snapshot = profiles.snapshot(profile, &reading.variables);
        let odd_sums = profiles.odd_sums(profile, &snapshot.counters);
        if snapshot.identity.mac.is_none() {
            snapshot.identity.mac = card.map(|card| card.to_string());
        }
        Held { reading, snapshot, credential, read_at: Timestamp::now(), cost, full, odd_sums }
    }

    async fn keep(&mut self, address: SocketAddr, held: Held) {
        let Held { reading, snapshot, .. } = &held;
        if !reading.is_of_printer(&snapshot.identity) {
            log::debug!(address:% = address; "no printer");
            let described = System::of(&reading.variables).description.unwrap_or_default();
            if let Err(error) = self.searches.describe(address, described).await {
                log::error!(error:% = format!("{error:#}"); "a finding is not described");
            }
            self.targets.remove(&address);
            self.unschedule(address);
            self.register.handle_silence(address);
            return self.follow_register().await;
        }
        if self.targets.len() >= MAX_TARGETS && !self.targets.contains_key(&address) {
            log::warn!(most = MAX_TARGETS; "more devices than are watched at most; a device is left out");
            return;
        }
        let Some(fresh) = made_id() else { return };
        let up_time = printer_mib::up_time_name().and_then(|name| reading.variables.get(name.arcs())?.number());
        let up_time = up_time.and_then(|up_time| u64::try_from(up_time).ok());
        let sighting = Sighting::of(address, snapshot, up_time, held.read_at);
        self.held.insert(address, held);
        self.register.handle_sighting(sighting, fresh);
        self.follow_register().await;
    }

    /// Does what the register says, until it has nothing to say.
    async fn follow_register(&mut self) {
        while let Some(event) = self.register.poll_event() {
            match event {
                register::Event::Check(address) => match self.targets.get_mut(&address) {
                    Some(target) => {
                        let credentials = vec![target.credential.clone()];
                        self.driver.read(ReadOrder { address, credentials, kind: ReadKind::Full });
                    }
                    None => self.register.handle_silence(address),
                },
                register::Event::Settled(settled) => self.settle(settled).await,
                register::Event::Displaced(id) => {
                    let failure = "another device answers at its address".to_owned();
                    self.write(Write::Silent(id, Timestamp::now(), failure)).await;
                }
                register::Event::Withdrawn(older, newer) => {
                    self.write(Write::Withdraw(older, newer, Timestamp::now())).await;
                }
            }
        }
    }

    async fn settle(&mut self, settled: Settled) {
        let Settled { address, owner, notices, questions } = settled;
        let Some(held) = self.held.remove(&address) else { return };
        for notice in &notices {
            log::info!(address:% = address, notice:? = notice; "a device has changed");
        }
        let id = match owner {
            Owner::Device(id) => id,
            Owner::Elsewhere(id) => {
                self.targets.remove(&address);
                self.unschedule(address);
                let also_at = self.register.known(&id).map(|device| device.also_at.clone()).unwrap_or_default();
                return self.write(Write::AlsoAt(id, also_at, held.read_at, notices)).await;
            }
            Owner::Nobody => {
                let resident = self.register.resident(&address).cloned();
                log::warn!(address:% = address; "more devices come from one address than are believed");
                let failure = "it says another serial number at each reading; nothing of it is kept".to_owned();
                if let Some(id) = resident {
                    self.write(Write::Silent(id, held.read_at, failure)).await;
                }
                return;
            }
        };
        let Held { reading, mut snapshot, credential, read_at, cost, full, odd_sums } = held;
        if !self.targets.contains_key(&address) {
            self.searches.has_added();
            self.watch(address, credential.clone(), None);
        }
        // Whoever had this device before has it no longer: it has moved here.
        for (_, target) in self.targets.iter_mut().filter(|(other, _)| **other != address) {
            if target.device.as_ref() == Some(&id) {
                target.device = None;
                target.last = None;
            }
        }
        let known = self.register.known(&id);
        if let Some(marks) = known.map(|known| &known.marks) {
            // What a device has said once of itself it need not repeat: in sleep it often does not.
            let identity = &mut snapshot.identity;
            identity.serial = identity.serial.take().or_else(|| marks.serial.clone());
            identity.mac = identity.mac.take().or_else(|| marks.macs.first().map(|mac| with_colons(mac)));
        }
        // A routine poll does not meet again what was odd in the columns that only a full reading walks.
        let earlier = self.targets.get(&address).filter(|_| !full).map(|target| target.remarks.clone());
        let mut odd: BTreeSet<Remark> = earlier.unwrap_or_default();
        odd.extend(reading.remarks.iter().take(MOST_REMARKS).cloned());
        let remark = |code, text| notes::Remark { code, since: None, text };
        let met = odd.iter().map(|odd| remark(RemarkCode::from_keyword(odd.keyword()), odd.about().to_string()));
        let remarks = met.chain(odd_sums.into_iter().map(|sum| remark(RemarkCode::PartsDiffer, sum))).collect();
        let watched = Watched {
            macs: known.map(|known| known.marks.macs.clone()).unwrap_or_default(),
            also_at: known.map(|known| known.also_at.clone()).unwrap_or_default(),
            remarks,
            packets: cost.sent.saturating_add(cost.received),
            octets: cost.octets,
            notices,
            questions,
        };
        if let Some(target) = self.targets.get_mut(&address) {
            target.credential = credential.clone();
            target.device = Some(id.clone());
            target.failures = 0;
            target.last = Some(reading);
            target.remarks = odd;
            if full {
                target.full_at = Some(Instant::now());
            }
        }
        let saved = Saved { id, address: address.to_string(), credential, read_at, snapshot, watched };
        self.write(Write::Save(Box::new(saved))).await;
    }

    async fn miss(&mut self, address: SocketAddr, error: &ReadError) {
        self.register.handle_silence(address);
        self.follow_register().await;
        let Some(target) = self.targets.get_mut(&address) else { return };
        target.failures = target.failures.saturating_add(1);
        let failures = target.failures;
        match target.device.clone() {
            Some(id) if failures == FAILURES_TO_SILENCE => {
                log::info!(address:% = address, error:% = error; "a device does not answer");
                let credentials = vec![target.credential.clone()];
                // It may have another address, and be well there.
                for also_at in self.register.known(&id).map(|device| device.also_at.clone()).unwrap_or_default() {
                    let credentials = credentials.clone();
                    self.driver.read(ReadOrder { address: also_at, credentials, kind: ReadKind::Full });
                }
                self.write(Write::Silent(id, Timestamp::now(), error.to_string())).await;
            }
            None if failures >= FAILURES_TO_DROP => {
                self.targets.remove(&address);
                self.unschedule(address);
            }
            _ => {}
        }
    }

    async fn write(&self, write: Write) {
        // Waits while the database is behind: readings then come in more slowly, and none is lost.
        if self.writer.send(write).await.is_err() {
            log::error!("the thread that writes to the database has ended");
        }
    }
}

/// Writes until the collector is gone, many readings at a time: every transaction costs the card a flush.
fn write(store: &Store, mut unwritten: mpsc::Receiver<Write>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut saving = Complaint::about("readings are not kept; the next polls bring them again");
    while let Some(first) = unwritten.blocking_recv() {
        let mut next = Some(first);
        while let Some(write) = next {
            match write {
                Write::Save(saved) => batch.push(*saved),
                other => {
                    saving.hear(save(store, &mut batch));
                    if let Err(error) = write_other(store, other) {
                        log::error!(error:% = format!("{:#}", anyhow::Error::from(error)); "what happened to a device is not noted");
                    }
                }
            }
            next = if batch.len() < BATCH { unwritten.try_recv().ok() } else { None };
        }
        saving.hear(save(store, &mut batch));
    }
}

fn write_other(store: &Store, write: Write) -> Result<(), StoreError> {
    match write {
        Write::Save(saved) => store.save(&[*saved]),
        Write::Silent(id, since, failure) => store.set_silent(&id, since, &failure),
        Write::AlsoAt(id, also_at, at, notices) => store.set_also_at(&id, &also_at, at, &notices),
        Write::Unite { older, newer, has_moved, by } => store.unite(&older, &newer, has_moved, &by, Timestamp::now()),
        Write::Remove(id) => store.remove_device(id.as_str()),
        Write::Withdraw(older, newer, at) => store.withdraw_question(&older, &newer, at),
        Write::Slowed(id, slowed) => store.set_slowed(&id, slowed.as_ref()),
    }
}

fn code_of(reason: Reason) -> RemarkCode {
    match reason {
        Reason::Silent => RemarkCode::PolledLessSilent,
        Reason::Slow(_) => RemarkCode::PolledLessSlow,
    }
}

/// Twelve digits as a MAC is written.
fn with_colons(mac: &str) -> String {
    let pairs: Vec<&str> = (0..mac.len()).step_by(2).filter_map(|at| mac.get(at..at + 2)).collect();
    pairs.join(":")
}

fn save(store: &Store, batch: &mut Vec<Saved>) -> Result<()> {
    let outcome = if batch.is_empty() { Ok(()) } else { store.save(batch) };
    batch.clear();
    Ok(outcome?)
}

fn seed_of(random: &[u8; 16]) -> [u8; 8] {
    let [.., a, b, c, d, e, f, g, h] = *random;
    [a, b, c, d, e, f, g, h]
}

/// A name for a device that says nothing of itself.
fn made_id() -> Option<DeviceId> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).ok()?;
    DeviceId::new(format!("made:{}", data_encoding::HEXLOWER.encode(&random)))
}

/// A number that differs from address to address.
fn spread(address: &SocketAddr) -> u32 {
    let SocketAddr::V4(address) = address else { return 0 };
    u32::from(*address.ip()).wrapping_mul(2_654_435_761) >> 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_device_that_a_person_removes_stays_removed_whatever_waits_to_be_written_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let profiles = Profiles::built_in().unwrap();
        let (mut collector, _handle) = Collector::new(store.clone(), profiles, TrapPorts::none()).unwrap();
        let id = DeviceId::new("1:A").unwrap();
        let saved = Saved {
            id: id.clone(),
            address: "192.0.2.7:161".to_owned(),
            credential: Credential::v2c("public"),
            read_at: Timestamp::now(),
            snapshot: Snapshot::default(),
            watched: Watched::default(),
        };
        for _ in 0..2 * BATCH {
            collector.write(Write::Save(Box::new(saved.clone()))).await;
        }
        collector.obey(Command::Forget(id)).await.unwrap();
        drop(collector);
        // The thread that writes ends when it has written everything.
        while Arc::strong_count(&store) > 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(store.devices().unwrap(), []);
    }
}
