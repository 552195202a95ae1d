//! The daemon's main loop: what to poll and search when, and what to keep of it.
//!
//! Targets are addresses; devices are what answers there. A device that answers at another address than before takes its
//! history with it, and an address that nobody owns any more is dropped after some silence.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agent_core::arp::Mac;
use agent_core::engine::{Event, Finished, ReadKind, ReadOrder};
use agent_core::identity::device_id;
use agent_core::printer_mib::{self, System};
use agent_core::profile::Profiles;
use agent_core::reader::{ReadError, Reading};
use agent_core::schedule::Schedule;
use agent_core::search;
use agent_core::snmp::Credential;
use agent_core::snmp::traps::{Counts, Receiver};
use anyhow::Result;
use jiff::Timestamp;
use tokio::sync::mpsc;
use wire::device::DeviceId;

use crate::driver::Driver;
use crate::searches::{SearchState, Searches};
use crate::settings::Rhythm;
use crate::store::Store;
use crate::store::devices::Saved;
use crate::traps::{Arrived, TrapPorts};

/// Failed polls in a row before a device counts as silent: one lost poll is no event.
const FAILURES_TO_SILENCE: u32 = 2;
/// Failed polls in a row before an address that no device owns is dropped.
const FAILURES_TO_DROP: u32 = 3;
/// Most devices watched.
const MAX_TARGETS: usize = 5_000;
/// Readings that wait for the database at most.
const MAX_UNWRITTEN: usize = 512;
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
    /// Watch the device at this address (and port) no longer.
    Forget(String),
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
    /// Its card, where it is a neighbour: not every device tells it.
    card: Option<Mac>,
    failures: u32,
}

enum Write {
    Save(Box<Saved>),
    Silent(DeviceId, Timestamp, String),
}

/// The loop's state.
pub struct Collector {
    driver: Driver,
    store: Arc<Store>,
    rhythm: Rhythm,
    schedule: Schedule<SocketAddr>,
    targets: BTreeMap<SocketAddr, Target>,
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
            searches: Searches::new(store.clone(), &rhythm)?,
            commands,
            activity: handle.activity.clone(),
            writer,
            store,
        };
        for known in collector.store.targets()? {
            if let Ok(address) = known.address.parse() {
                collector.watch(address, known.credential, Some(known.id));
            }
        }
        Ok((collector, handle))
    }

    /// Runs until the pages' hold is dropped.
    pub async fn run(mut self) -> Result<()> {
        loop {
            self.order_polls();
            self.searches.work(&self.rhythm).await?;
            self.read_found();
            let until = Instant::now() + Duration::from_secs(1);
            let schedule = self.schedule.poll_timeout().map(|tick| Instant::now() + tick.since(self.driver.now()));
            let until = schedule.map_or(until, |due| until.min(due.max(Instant::now() + Duration::from_millis(1))));
            tokio::select! {
                event = self.driver.event_before(until) => if let Some(event) = event { self.handle(event).await },
                Some(event) = self.searches.event() => self.handle_search(event).await?,
                arrived = self.ports.arrived() => self.take_trap(&arrived),
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command)?,
                    None => return Ok(()),
                },
            }
            self.show();
        }
    }

    fn show(&self) {
        let mut activity = lock(&self.activity);
        activity.watched = self.targets.len();
        activity.search = self.searches.state();
    }

    fn obey(&mut self, command: Command) -> Result<()> {
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
            Command::Forget(address) => {
                if let Ok(address) = address.parse() {
                    self.targets.remove(&address);
                    self.schedule.remove(&address);
                }
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
        for address in gone {
            self.targets.remove(&address);
            self.schedule.remove(&address);
        }
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

    fn watch(&mut self, address: SocketAddr, credential: Credential, device: Option<DeviceId>) {
        if self.targets.len() >= MAX_TARGETS && !self.targets.contains_key(&address) {
            log::warn!(most = MAX_TARGETS; "more devices than are watched at most; a device is left out");
            return;
        }
        let target = Target { credential, last: None, full_at: None, device, card: None, failures: 0 };
        self.targets.insert(address, target);
        self.schedule.add(self.driver.now(), address);
    }

    fn order_polls(&mut self) {
        while let Some(address) = self.schedule.poll_due(self.driver.now()) {
            let Some(target) = self.targets.get_mut(&address) else {
                self.schedule.remove(&address);
                continue;
            };
            let fresh = target.full_at.is_some_and(|at| at.elapsed() < FULL_EVERY);
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
                let Finished { address, credential, outcome, full, .. } = *finished;
                let card = self.searches.has_read(address);
                match outcome {
                    Ok(reading) if reading.outdated => {
                        log::debug!(address:% = address; "rows have changed; reading everything");
                        self.driver.read(ReadOrder { address, credentials: vec![credential], kind: ReadKind::Full });
                    }
                    Ok(reading) => self.keep(address, credential, reading, full, card).await,
                    Err(error) => self.miss(address, &error).await,
                }
            }
        }
    }

    async fn keep(
        &mut self,
        address: SocketAddr,
        credential: Credential,
        mut reading: Reading,
        full: bool,
        card: Option<Mac>,
    ) {
        reading.outdated = false;
        let profiles = self.driver.profiles();
        let profile = profiles.named(&reading.profile);
        let mut snapshot = profiles.snapshot(profile, &reading.variables);
        let printer = printer_mib::is_printer(&reading.variables)
            || (profile.name != agent_core::profile::BASE && snapshot.identity.serial.is_some());
        if !printer {
            log::debug!(address:% = address; "no printer");
            let described = System::of(&reading.variables).description.unwrap_or_default();
            if let Err(error) = self.searches.describe(address, described).await {
                log::error!(error:% = format!("{error:#}"); "a finding is not described");
            }
            self.targets.remove(&address);
            self.schedule.remove(&address);
            return;
        }
        let card = card.or_else(|| self.targets.get(&address)?.card);
        if snapshot.identity.mac.is_none() {
            snapshot.identity.mac = card.map(|card| card.to_string());
        }
        let known = self.targets.get(&address).and_then(|target| target.device.clone());
        let Some(id) = device_id(&snapshot.identity).or(known).or_else(made_id) else { return };
        if !self.targets.contains_key(&address) {
            self.searches.has_added();
            self.watch(address, credential.clone(), None);
        }
        // Whoever had this device before has it no longer: it has moved here.
        for (other, target) in &mut self.targets {
            if *other != address && target.device.as_ref() == Some(&id) {
                log::info!(from:% = other, to:% = address; "a device has another address");
                target.device = None;
                target.last = None;
            }
        }
        if let Some(target) = self.targets.get_mut(&address) {
            target.credential = credential.clone();
            target.card = card;
            target.device = Some(id.clone());
            target.failures = 0;
            target.last = Some(reading);
            if full {
                target.full_at = Some(Instant::now());
            }
        }
        self.schedule.done(self.driver.now(), &address, true, spread(&address));
        let saved = Saved { id, address: address.to_string(), credential, read_at: Timestamp::now(), snapshot };
        self.write(Write::Save(Box::new(saved))).await;
    }

    async fn miss(&mut self, address: SocketAddr, error: &ReadError) {
        self.schedule.done(self.driver.now(), &address, false, spread(&address));
        let Some(target) = self.targets.get_mut(&address) else { return };
        target.failures = target.failures.saturating_add(1);
        let failures = target.failures;
        match target.device.clone() {
            Some(id) if failures == FAILURES_TO_SILENCE => {
                log::info!(address:% = address, error:% = error; "a device does not answer");
                self.write(Write::Silent(id, Timestamp::now(), error.to_string())).await;
            }
            None if failures >= FAILURES_TO_DROP => {
                self.targets.remove(&address);
                self.schedule.remove(&address);
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
    while let Some(first) = unwritten.blocking_recv() {
        let mut next = Some(first);
        while let Some(write) = next {
            match write {
                Write::Save(saved) => batch.push(*saved),
                Write::Silent(id, since, failure) => {
                    save(store, &mut batch);
                    if let Err(error) = store.set_silent(&id, since, &failure) {
                        log::error!(error:% = anyhow::Error::from(error); "a silent device is not noted");
                    }
                }
            }
            next = if batch.len() < BATCH { unwritten.try_recv().ok() } else { None };
        }
        save(store, &mut batch);
    }
}

fn save(store: &Store, batch: &mut Vec<Saved>) {
    if !batch.is_empty()
        && let Err(error) = store.save(batch)
    {
        log::error!(readings = batch.len(), error:% = format!("{:#}", anyhow::Error::from(error)); "readings are not kept; the next polls bring them again");
    }
    batch.clear();
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
