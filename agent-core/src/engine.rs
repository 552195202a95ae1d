//! The engine: readings and searches of any number of devices, through one socket that it never touches.
//!
//! The caller's loop, after every datagram, every timeout and every order:
//! 1. [`Engine::poll_transmit`] until `None`; send each.
//! 2. [`Engine::poll_event`] until `None`; act on each.
//! 3. Wait for a datagram ([`Engine::handle_datagram`]) or until [`Engine::poll_timeout`] ([`Engine::handle_timeout`]).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::profile::Profiles;
use crate::reader::{Question, ReadError, Reader, Reading};
use crate::snmp::Credential;
use crate::snmp::message::{decode_response, encode_request};
use crate::sweep::{Found, SearchPlan, SearchProgress, Sweep};
use crate::tick::Tick;

/// How long to wait for an answer before the same request is sent again, and at last given up.
const PATIENCE: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(2)];
/// Readings under way at once: their answers have to fit the socket's receive buffer.
const MAX_ACTIVE: usize = 64;
/// Octets of IPv4 and UDP headers around each payload.
const HEADERS: u64 = 28;

/// What was read.
#[derive(Debug, Clone)]
pub enum ReadKind {
    /// Everything, of a device of which nothing is known.
    Full,
    /// What can have changed since the reading.
    Routine(Box<Reading>),
}

/// An order to read a device.
#[derive(Debug, Clone)]
pub struct ReadOrder {
    /// Address and port.
    pub address: SocketAddr,
    /// Credentials in the order in which they are tried.
    pub credentials: Vec<Credential>,
    /// What to read.
    pub kind: ReadKind,
}

/// What a reading cost on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Datagrams sent, repeats included.
    pub sent: u32,
    /// Datagrams received.
    pub received: u32,
    /// Octets both ways, IP and UDP headers included.
    pub octets: u64,
}

/// A datagram to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// Its payload.
    pub bytes: Vec<u8>,
}

/// Something that has happened.
#[derive(Debug)]
pub enum Event {
    /// A search met someone who speaks SNMP.
    Found(Found),
    /// A search has come to its end.
    SearchFinished(SearchProgress),
    /// A reading has ended.
    Read(Box<Finished>),
}

/// A reading that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The device.
    pub address: SocketAddr,
    /// The credential that it answered to, or the last that was tried.
    pub credential: Credential,
    /// What came of it.
    pub outcome: Result<Reading, ReadError>,
    /// Whether everything was read.
    pub full: bool,
    /// What it cost.
    pub cost: Cost,
    /// How long it took.
    pub took: Duration,
}

#[derive(Debug)]
struct Job {
    reader: Reader,
    full: bool,
    credential: Credential,
    further: VecDeque<Credential>,
    cost: Cost,
    started: Tick,
    garbled: Option<String>,
}

#[derive(Debug)]
struct InFlight {
    address: SocketAddr,
    question: Question,
    bytes: Vec<u8>,
    attempt: usize,
    deadline: Tick,
}

/// See the module's page for the caller's loop.
#[derive(Debug)]
pub struct Engine {
    profiles: Profiles,
    last_id: i32,
    waiting: VecDeque<ReadOrder>,
    jobs: BTreeMap<SocketAddr, Job>,
    in_flight: BTreeMap<i32, InFlight>,
    deadlines: BTreeSet<(Tick, i32)>,
    sweep: Option<Sweep>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    strays: u64,
}

impl Engine {
    /// An engine with these profiles. `seed` makes the request-ids hard to guess for someone who is not on the path.
    pub fn new(profiles: Profiles, seed: u32) -> Self {
        Self {
            profiles,
            last_id: i32::try_from(seed >> 1).unwrap_or(0),
            waiting: VecDeque::new(),
            jobs: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            sweep: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            strays: 0,
        }
    }

    /// The profiles that readings are explained with.
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// Orders a reading. A device that is being read or waits for it already is not read twice.
    pub fn read(&mut self, now: Tick, order: ReadOrder) {
        let known =
            self.jobs.contains_key(&order.address) || self.waiting.iter().any(|other| other.address == order.address);
        if !known {
            self.waiting.push_back(order);
            self.start_waiting(now);
        }
    }

    /// Starts a search; one that is under way ends here.
    pub fn search(&mut self, now: Tick, plan: SearchPlan) {
        self.sweep = Some(Sweep::new(now, plan));
    }

    /// Ends a search before its end.
    pub fn stop_search(&mut self) {
        self.sweep = None;
    }

    /// How far the search is; `None` when there is none.
    pub fn search_progress(&self) -> Option<SearchProgress> {
        self.sweep.as_ref().map(Sweep::progress)
    }

    /// Whether nothing is being read or searched.
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.waiting.is_empty() && self.sweep.is_none()
    }

    /// Datagrams that belonged to nothing: late, forged, from another address than asked, or no SNMP.
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// Takes a datagram.
    pub fn handle_datagram(&mut self, now: Tick, from: SocketAddr, bytes: &[u8]) {
        if let Some(job) = self.jobs.get_mut(&from) {
            job.cost.received += 1;
            job.cost.octets += HEADERS + bytes.len() as u64;
        }
        let response = match decode_response(bytes) {
            Ok(response) => response,
            Err(error) => {
                self.strays += 1;
                if let Some(job) = self.jobs.get_mut(&from) {
                    job.garbled = Some(error.to_string());
                }
                return;
            }
        };
        let id = response.request_id;
        match self.in_flight.get(&id) {
            Some(request) if request.address == from => {
                let Some(request) = self.take_request(id) else { return };
                if let Some(job) = self.jobs.get_mut(&from) {
                    job.reader.handle_response(request.question, response);
                }
                self.proceed(now, from);
            }
            Some(_) => self.strays += 1,
            None => match self.sweep.as_mut().and_then(|sweep| sweep.handle_response(from, &response)) {
                Some(found) => {
                    self.events.push_back(Event::Found(found));
                    self.end_search();
                }
                None => self.strays += 1,
            },
        }
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Tick) {
        while let Some((deadline, id)) = self.deadlines.first().copied()
            && deadline <= now
        {
            self.handle_silence(now, id);
        }
        if let Some(sweep) = &mut self.sweep {
            sweep.handle_timeout(now);
        }
        self.end_search();
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self, now: Tick) -> Option<Transmit> {
        if let Some(transmit) = self.transmits.pop_front() {
            return Some(transmit);
        }
        let (to, bytes) = self.sweep.as_mut()?.poll_transmit(now, || {
            self.last_id = id_after(self.last_id);
            self.last_id
        })?;
        Some(Transmit { to, bytes })
    }

    /// When [`Self::handle_timeout`] and [`Self::poll_transmit`] have to be called next, if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Tick> {
        let deadline = self.deadlines.first().map(|(deadline, _)| *deadline);
        deadline.into_iter().chain(self.sweep.as_ref().and_then(Sweep::poll_timeout)).min()
    }

    /// The next thing that has happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn end_search(&mut self) {
        if let Some(sweep) = self.sweep.take_if(|sweep| sweep.is_finished()) {
            self.events.push_back(Event::SearchFinished(sweep.progress()));
        }
    }

    fn start_waiting(&mut self, now: Tick) {
        while self.jobs.len() < MAX_ACTIVE {
            let Some(order) = self.waiting.pop_front() else { return };
            let mut credentials: VecDeque<Credential> = order.credentials.into();
            let Some(credential) = credentials.pop_front() else { continue };
            let (reader, full) = match order.kind {
                ReadKind::Full => (Reader::full(credential.version()), true),
                ReadKind::Routine(last) => (Reader::routine(&self.profiles, *last), false),
            };
            let job = Job {
                reader,
                full,
                credential,
                further: credentials,
                cost: Cost::default(),
                started: now,
                garbled: None,
            };
            self.jobs.insert(order.address, job);
            self.proceed(now, order.address);
        }
    }

    /// Sends the next question of a reading, or ends it.
    fn proceed(&mut self, now: Tick, address: SocketAddr) {
        let Some(job) = self.jobs.get_mut(&address) else { return };
        match job.reader.poll_question(&self.profiles) {
            Ok(Some(question)) => self.ask(now, address, question),
            Ok(None) => self.end(now, address, None),
            Err(error) => self.end(now, address, Some(error)),
        }
    }

    fn ask(&mut self, now: Tick, address: SocketAddr, question: Question) {
        let Some(job) = self.jobs.get_mut(&address) else { return };
        self.last_id = id_after(self.last_id);
        let id = self.last_id;
        let context = question.context.as_deref();
        let bytes = encode_request(&job.credential, context, id, question.operation, &question.names);
        let deadline = now + PATIENCE[0];
        self.in_flight.insert(id, InFlight { address, question, bytes, attempt: 0, deadline });
        self.deadlines.insert((deadline, id));
        self.transmit(id);
    }

    fn transmit(&mut self, id: i32) {
        let Some(request) = self.in_flight.get(&id) else { return };
        if let Some(job) = self.jobs.get_mut(&request.address) {
            job.cost.sent += 1;
            job.cost.octets += HEADERS + request.bytes.len() as u64;
        }
        self.transmits.push_back(Transmit { to: request.address, bytes: request.bytes.clone() });
    }

    fn take_request(&mut self, id: i32) -> Option<InFlight> {
        let request = self.in_flight.remove(&id)?;
        self.deadlines.remove(&(request.deadline, id));
        Some(request)
    }

    fn handle_silence(&mut self, now: Tick, id: i32) {
        let Some(mut request) = self.take_request(id) else { return };
        request.attempt += 1;
        if let Some(patience) = PATIENCE.get(request.attempt) {
            request.deadline = now + *patience;
            self.deadlines.insert((request.deadline, id));
            self.in_flight.insert(id, request);
            self.transmit(id);
            return;
        }
        let address = request.address;
        let Some(job) = self.jobs.get_mut(&address) else { return };
        match job.reader.handle_silence(request.question) {
            Ok(()) => self.proceed(now, address),
            Err(ReadError::NoAnswer) => match job.further.pop_front() {
                Some(next) if job.full => {
                    job.reader = Reader::full(next.version());
                    job.credential = next;
                    self.proceed(now, address);
                }
                _ => {
                    let error = job.garbled.take().map_or(ReadError::NoAnswer, ReadError::Garbled);
                    self.end(now, address, Some(error));
                }
            },
            Err(error) => self.end(now, address, Some(error)),
        }
    }

    fn end(&mut self, now: Tick, address: SocketAddr, error: Option<ReadError>) {
        let Some(job) = self.jobs.remove(&address) else { return };
        self.events.push_back(Event::Read(Box::new(Finished {
            address,
            credential: job.credential,
            full: job.full,
            cost: job.cost,
            took: now.since(job.started),
            outcome: match error {
                Some(error) => Err(error),
                None => Ok(job.reader.finish()),
            },
        })));
        self.start_waiting(now);
    }
}

/// Request-ids are positive, so that they survive devices that treat them as unsigned.
fn id_after(id: i32) -> i32 {
    id.checked_add(1).unwrap_or(1)
}
