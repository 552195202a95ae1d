//! A network of simulated printers with a clock moved by hand: what the engine sends is answered in memory.
#![allow(
    clippy::new_without_default,
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test binary uses its part"
)]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_core::engine::{Engine, Event, Finished, ReadKind, ReadOrder};
use agent_core::gate::Readable;
use agent_core::profile::Profiles;
use agent_core::reader::{ReadError, Reading};
use agent_core::snmp::Credential;
use agent_core::tick::Tick;
use testkit::printer_sim::{Printer, Source};
use testkit::recording::Recording;

/// How long every datagram is under way.
const LATENCY: Duration = Duration::from_millis(10);

/// Damages an answer: takes its number and its bytes.
pub type Damage = Box<dyn FnMut(usize, &mut Vec<u8>)>;

/// What happens to datagrams under way, each by chance in a hundred.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    /// Where chance begins.
    pub seed: u64,
    pub lost: u32,
    /// Answers that come twice, the second time much later.
    pub doubled: u32,
    /// Answers that are held up, so that later ones overtake them.
    pub held_up: u32,
    /// By how much at most.
    pub hold: Duration,
    /// Answers that come once more from the address of another device.
    pub forged: u32,
    /// Answers whose end is missing.
    pub cut: u32,
}

impl Weather {
    /// Whether something happens that does so many times in a hundred.
    fn chance(&mut self, percent: u32) -> bool {
        self.number(100) < u64::from(percent)
    }

    fn number(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below.max(1)
    }
}

pub struct World {
    pub engine: Engine,
    pub printers: BTreeMap<SocketAddr, Printer>,
    pub now: Duration,
    /// Answers under way: when, from where, what.
    arrivals: Vec<(Duration, SocketAddr, Vec<u8>)>,
    /// Every address that was sent anything.
    pub contacted: Vec<SocketAddr>,
    /// Loses every n-th datagram.
    pub lose_every: Option<usize>,
    /// Damages answers.
    pub damage: Option<Damage>,
    pub weather: Weather,
    sent: usize,
}

impl World {
    pub fn new() -> Self {
        Self {
            engine: Engine::new(Profiles::built_in().unwrap(), 7),
            printers: BTreeMap::new(),
            now: Duration::ZERO,
            arrivals: Vec::new(),
            contacted: Vec::new(),
            lose_every: None,
            damage: None,
            weather: Weather::default(),
            sent: 0,
        }
    }

    pub fn with(mut self, host: u8, printer: Printer) -> Self {
        self.printers.insert(address(host), printer);
        self
    }

    pub fn tick(&self) -> Tick {
        Tick::after(self.now)
    }

    /// Runs until nothing is under way; gives what has happened.
    pub fn run(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let end = self.now + Duration::from_secs(3600);
        while self.now < end {
            while let Some(transmit) = self.engine.poll_transmit() {
                self.deliver(transmit.to, &transmit.bytes);
            }
            while let Some(event) = self.engine.poll_event() {
                events.push(event);
            }
            if self.engine.is_idle() {
                break;
            }
            self.step();
        }
        assert!(self.engine.is_idle(), "still busy after an hour");
        events
    }

    /// Reads one device from scratch.
    pub fn read(&mut self, host: u8, credentials: &[Credential]) -> Finished {
        let order = ReadOrder { address: address(host), credentials: credentials.to_vec(), kind: ReadKind::Full };
        self.order(order)
    }

    /// Polls what can have changed since a reading.
    pub fn poll(&mut self, host: u8, credential: Credential, last: Reading) -> Finished {
        let kind = ReadKind::Routine(Box::new(last));
        self.order(ReadOrder { address: address(host), credentials: vec![credential], kind })
    }

    /// Reads a device whole that was read whole before.
    pub fn read_again(&mut self, host: u8, credential: Credential, last: Reading) -> Finished {
        let kind = ReadKind::Again(Box::new(last));
        self.order(ReadOrder { address: address(host), credentials: vec![credential], kind })
    }

    /// Asks one question of a survey.
    pub fn successors(&mut self, host: u8, credential: Credential, names: Vec<Readable>) -> Result<Reading, ReadError> {
        let kind = ReadKind::Successors(names);
        self.order(ReadOrder { address: address(host), credentials: vec![credential], kind }).outcome
    }

    fn order(&mut self, order: ReadOrder) -> Finished {
        let now = self.tick();
        self.engine.read(now, order);
        let mut finished = self.run().into_iter().map(|Event::Read(finished)| *finished);
        finished.next().expect("a reading ends")
    }

    fn step(&mut self) {
        let timeout = self.engine.poll_timeout();
        let first = self.arrivals.iter().map(|(at, _, _)| *at).min();
        let timeout = timeout.map(|timeout| timeout.since(Tick::default()));
        let next = timeout.into_iter().chain(first).min().expect("nothing is due").max(self.now);
        assert!(next < self.now + Duration::from_secs(60), "nothing is due for a minute");
        self.now = next;
        let (due, later) = std::mem::take(&mut self.arrivals).into_iter().partition(|(at, _, _)| *at <= next);
        self.arrivals = later;
        let due: Vec<(Duration, SocketAddr, Vec<u8>)> = due;
        for (_, from, bytes) in due {
            self.engine.handle_datagram(Tick::after(next), from, &bytes);
        }
        self.engine.handle_timeout(Tick::after(next));
    }

    fn deliver(&mut self, to: SocketAddr, bytes: &[u8]) {
        self.contacted.push(to);
        self.sent += 1;
        if self.lose_every.is_some_and(|every| self.sent.is_multiple_of(every)) {
            return;
        }
        let mut weather = self.weather;
        let mut arrivals = Vec::new();
        if !weather.chance(weather.lost)
            && let Some(printer) = self.printers.get_mut(&to)
        {
            for mut response in printer.answer(bytes) {
                if let Some(damage) = &mut self.damage {
                    damage(self.sent, &mut response.bytes);
                }
                let from = match response.source {
                    Source::Same => to,
                    Source::OtherPort => SocketAddr::new(to.ip(), to.port() + 1),
                    Source::OtherAddress => address(250),
                };
                arrivals.push((self.now + LATENCY + response.delay, from, response.bytes));
            }
        }
        for (mut at, from, mut bytes) in arrivals {
            let hold = |weather: &mut Weather| {
                Duration::from_micros(weather.number(u64::try_from(weather.hold.as_micros()).unwrap()))
            };
            if weather.chance(weather.lost) {
                continue;
            }
            if weather.chance(weather.cut) {
                let left = weather.number(bytes.len() as u64);
                bytes.truncate(usize::try_from(left).unwrap());
            }
            if weather.chance(weather.held_up) {
                at += hold(&mut weather);
            }
            if weather.chance(weather.doubled) {
                self.arrivals.push((at + hold(&mut weather), from, bytes.clone()));
            }
            if weather.chance(weather.forged) {
                let others: Vec<SocketAddr> = self.printers.keys().copied().filter(|other| *other != from).collect();
                let place = usize::try_from(weather.number(others.len() as u64)).unwrap();
                self.arrivals.extend(others.get(place).map(|other| (at, *other, bytes.clone())));
            }
            self.arrivals.push((at, from, bytes));
        }
        self.weather = weather;
    }
}

/// Where the printer of that number lives.
pub fn address(host: u8) -> SocketAddr {
    (Ipv4Addr::new(192, 0, 2, host), 161).into()
}

/// The recordings of this crate.
pub fn walks() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("walks");
    let mut walks: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "snmprec"))
        .collect();
    walks.sort();
    walks
}

/// A printer that plays a recording.
pub fn printer(walk: &str) -> Printer {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("walks").join(walk).with_extension("snmprec");
    Printer::new(Recording::load(path).unwrap())
}
