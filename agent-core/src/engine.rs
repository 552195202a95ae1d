//! The engine: readings of any number of devices, through one socket that it never touches.
//!
//! The caller's loop, after every datagram, every timeout and every order:
//! 1. [`Engine::poll_transmit`] until `None`; send each.
//! 2. [`Engine::poll_event`] until `None`; act on each.
//! 3. Wait for a datagram ([`Engine::handle_datagram`]) or until [`Engine::poll_timeout`] ([`Engine::handle_timeout`]).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::gate::Readable;
use crate::profile::Profiles;
use crate::reader::{Question, ReadError, Reader, Reading};
use crate::snmp::message::{ErrorStatus, Response, decode_response, encode_request};
use crate::snmp::session::{Hint, NotSent, Refusal, Sessions, Verdict};
use crate::snmp::v3::{self, Message, encode_discovery};
use crate::snmp::{Access, Credential, Transport, Version};
use crate::tick::Tick;
use crate::timer::Timer;

/// How long to wait for an answer over TCP, which repeats by itself what was lost. Connecting counts.
const PATIENCE_OVER_TCP: Duration = Duration::from_secs(5);
/// How often in a row a device may say that its SNMPv3 engine or clock is another than it said.
const MAX_CORRECTIONS: u8 = 3;
/// authorizationError (RFC 3416): the user may read nothing.
const NOT_AUTHORIZED: ErrorStatus = ErrorStatus::Other(16);
/// Readings under way at once, unless the caller allows more: their answers have to fit the socket's receive buffer.
const USUAL_WINDOW: usize = 64;
/// The fewest readings under way when packets are lost.
const LEAST_WINDOW: usize = 16;
/// Readings under way at once, those included that wait for silent devices: what is read takes memory.
const MAX_ACTIVE: usize = 1024;
/// How often losses narrow the window at most.
const NARROWING: Duration = Duration::from_secs(1);
/// Requests of a reading that were given up and whose answers would still be taken.
const MAX_LATE: usize = 3;
/// Octets of IPv4 and UDP headers, or TCP headers, around each payload.
const fn headers(transport: Transport) -> u64 {
    match transport {
        Transport::Udp => 28,
        Transport::Tcp => 40,
    }
}

/// What was read.
#[derive(Debug, Clone)]
pub enum ReadKind {
    /// Everything, of a device of which nothing is known.
    Full,
    /// Everything, of a device that was read whole before.
    Again(Box<Reading>),
    /// What can have changed since the reading.
    Routine(Box<Reading>),
    /// What follows these names: one question of a survey ([`crate::explore`]).
    Successors(Vec<Readable>),
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

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// Over what: a datagram, or the one connection to that address.
    pub transport: Transport,
    /// The message.
    pub bytes: Vec<u8>,
}

/// Something that has happened.
#[derive(Debug)]
pub enum Event {
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
    /// Why there was no connection.
    disconnected: Option<String>,
    /// What a device has answered to an SNMPv3 user whom it does not serve.
    refusal: Option<Refusal>,
    /// How often in a row the device's engine or clock turned out to be another.
    corrections: u8,
    timer: Timer,
    /// The request under way.
    request: Option<i32>,
    late: VecDeque<Late>,
}

/// A request that was given up.
#[derive(Debug)]
struct Late {
    id: i32,
    asked: Tick,
    question: Question,
}

#[derive(Debug)]
struct InFlight {
    address: SocketAddr,
    transport: Transport,
    question: Question,
    /// Whether only the device's SNMPv3 engine is asked for, and the question follows.
    discovery: bool,
    bytes: Vec<u8>,
    attempt: usize,
    asked: Tick,
    deadline: Tick,
    /// What someone says who has not proved to be the device.
    hint: Option<Hint>,
}

/// See the module's page for the caller's loop.
#[derive(Debug)]
pub struct Engine {
    profiles: Profiles,
    ids: StdRng,
    waiting: VecDeque<ReadOrder>,
    /// The addresses of those that wait.
    ordered: BTreeSet<SocketAddr>,
    jobs: BTreeMap<SocketAddr, Job>,
    in_flight: BTreeMap<i32, InFlight>,
    deadlines: BTreeSet<(Tick, i32)>,
    /// Requests under way that were sent more than once: their devices are silent, and leave room for others.
    repeated: usize,
    /// Readings under way whose answers may come at once: now, and at most.
    window: usize,
    widest: usize,
    narrowed: Tick,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    strays: u64,
    sessions: Sessions,
}

impl Engine {
    /// An engine with these profiles. `seed` has to be random: it makes request-ids hard to guess for someone who is not on
    /// the path, and salts never the same twice.
    pub fn new(profiles: Profiles, seed: u64) -> Self {
        Self {
            profiles,
            ids: StdRng::seed_from_u64(seed),
            sessions: Sessions::new(seed),
            waiting: VecDeque::new(),
            ordered: BTreeSet::new(),
            repeated: 0,
            window: USUAL_WINDOW,
            widest: USUAL_WINDOW,
            narrowed: Tick::default(),
            jobs: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            strays: 0,
        }
    }

    /// The profiles that readings are explained with.
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// Allows so many answers under way at once, because the socket's receive buffer has room for them.
    pub fn set_window(&mut self, answers: usize) {
        self.widest = answers.clamp(LEAST_WINDOW, MAX_ACTIVE);
        self.window = self.widest;
    }

    /// Orders a reading. A device that is being read or waits for it already is not read twice.
    pub fn read(&mut self, now: Tick, order: ReadOrder) {
        if !self.is_reading(&order.address) {
            self.ordered.insert(order.address);
            self.waiting.push_back(order);
            self.start_waiting(now);
        }
    }

    /// Takes the answer to an SNMPv3 discovery that someone else has made, so that a reading need not make it again.
    pub fn learn_engine(&mut self, now: Tick, from: SocketAddr, bytes: &[u8]) {
        if let Ok(message) = Message::decode(bytes) {
            self.sessions.handle_discovery(now, from, &message);
        }
    }

    /// Whether a device is being read, or waits for it.
    pub fn is_reading(&self, address: &SocketAddr) -> bool {
        self.jobs.contains_key(address) || self.ordered.contains(address)
    }

    /// Whether nothing is being read.
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.waiting.is_empty()
    }

    /// Datagrams that belonged to nothing: late, forged, from another address than asked, or no SNMP.
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// Takes a datagram.
    pub fn handle_datagram(&mut self, now: Tick, from: SocketAddr, bytes: &[u8]) {
        self.handle_message(now, from, Transport::Udp, bytes);
    }

    /// Takes a message, whatever carried it.
    pub fn handle_message(&mut self, now: Tick, from: SocketAddr, transport: Transport, bytes: &[u8]) {
        if let Some(job) = self.jobs.get_mut(&from) {
            job.cost.received += 1;
            job.cost.octets += headers(transport) + bytes.len() as u64;
        }
        let taken = match v3::is_v3(bytes) {
            true => self.handle_v3(now, from, transport, bytes),
            false => self.handle_community(now, from, transport, bytes),
        };
        if let Err(fault) = taken {
            self.strays += 1;
            if let (Some(fault), Some(job)) = (fault, self.jobs.get_mut(&from)) {
                job.garbled = Some(fault);
            }
        }
    }

    /// Takes the news that there is no connection to an address any more, and why: what was asked over it stays unanswered.
    pub fn handle_disconnect(&mut self, now: Tick, from: SocketAddr, why: &str) {
        let lost: Vec<i32> = self
            .in_flight
            .iter()
            .filter(|(_, request)| request.address == from && request.transport == Transport::Tcp)
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            if let Some(job) = self.jobs.get_mut(&from) {
                job.disconnected = Some(why.to_owned());
            }
            self.give_up(now, id);
        }
    }

    /// A message of version 1 or 2c. A fault has words where the device is to blame for it.
    fn handle_community(
        &mut self,
        now: Tick,
        from: SocketAddr,
        transport: Transport,
        bytes: &[u8],
    ) -> Result<(), Option<String>> {
        let response = decode_response(bytes).map_err(|error| Some(error.to_string()))?;
        let id = response.request_id;
        if !self.in_flight.contains_key(&id) {
            return self.take_late(now, from, response);
        }
        // Whoever is asked in version 3 cannot answer in a version without proof.
        let spoken = self.jobs.get(&from).is_some_and(|job| job.credential.version() != Version::V3);
        let asked = self.in_flight.get(&id).is_some_and(|request| request.is_from(from, transport));
        if !(spoken && asked) {
            return Err(None);
        }
        self.take_response(now, id, response);
        Ok(())
    }

    /// The answer to a request that was given up still counts, and tells how long the device takes.
    fn take_late(&mut self, now: Tick, from: SocketAddr, response: Response) -> Result<(), Option<String>> {
        let Some(job) = self.jobs.get_mut(&from) else { return Err(None) };
        let spoken = job.credential.version() != Version::V3 && job.credential.transport == Transport::Udp;
        let late = job.late.iter().position(|late| spoken && late.id == response.request_id);
        let Some(late) = late.and_then(|at| job.late.remove(at)) else { return Err(None) };
        job.timer.learn(now.since(late.asked));
        job.reader.handle_response(late.question, response);
        // What is under way now takes as long.
        if let Some(id) = job.request
            && let Some(request) = self.in_flight.get_mut(&id)
            && let Some(wait) = job.timer.wait(request.attempt)
            && request.asked + wait > request.deadline
        {
            self.deadlines.remove(&(request.deadline, id));
            request.deadline = request.asked + wait;
            self.deadlines.insert((request.deadline, id));
        }
        Ok(())
    }

    fn handle_v3(
        &mut self,
        now: Tick,
        from: SocketAddr,
        transport: Transport,
        bytes: &[u8],
    ) -> Result<(), Option<String>> {
        let message = Message::decode(bytes).map_err(|error| Some(error.to_string()))?;
        let id = message.msg_id;
        let Some(request) = self.in_flight.get_mut(&id) else { return Err(None) };
        let Some(job) = self.jobs.get_mut(&from).filter(|_| request.is_from(from, transport)) else { return Err(None) };
        let Some(user) = job.credential.user() else { return Err(None) };
        if request.discovery {
            if !self.sessions.handle_discovery(now, from, &message) {
                return Err(Some("an answer to SNMPv3 discovery that is no Report".to_owned()));
            }
            if let Some(request) = self.take_request(id) {
                self.ask(now, from, request.question);
            }
            return Ok(());
        }
        match self.sessions.handle_message(now, from, user, id, &message) {
            Verdict::Response(response)
                if response.error_status == NOT_AUTHORIZED && request.question.context.is_none() =>
            {
                self.refuse(now, id, Refusal::NotAuthorized);
            }
            Verdict::Response(response) => self.take_response(now, id, response),
            Verdict::AskAgain => self.ask_again(now, id),
            Verdict::NoContext => self.give_up(now, id),
            Verdict::Refused(refusal) => self.refuse(now, id, refusal),
            Verdict::Hint(hint) => request.hint = Some(hint),
            Verdict::Unfit(why) => return Err(Some(format!("a message {why}"))),
        }
        Ok(())
    }

    fn take_response(&mut self, now: Tick, id: i32, response: Response) {
        let Some(request) = self.take_request(id) else { return };
        if let Some(job) = self.jobs.get_mut(&request.address) {
            job.corrections = 0;
            job.timer.learn(now.since(request.asked));
            job.reader.handle_response(request.question, response);
        }
        self.proceed(now, request.address);
    }

    /// Asks the same once more, because the device's engine or clock has turned out to be another; not without end.
    fn ask_again(&mut self, now: Tick, id: i32) {
        let Some(request) = self.take_request(id) else { return };
        let address = request.address;
        let Some(job) = self.jobs.get_mut(&address) else { return };
        job.corrections += 1;
        if job.corrections > MAX_CORRECTIONS {
            self.try_next(now, address, Some(Refusal::TimeWindow));
        } else {
            self.ask(now, address, request.question);
        }
    }

    fn refuse(&mut self, now: Tick, id: i32, refusal: Refusal) {
        if let Some(request) = self.take_request(id) {
            self.try_next(now, request.address, Some(refusal));
        }
    }

    /// Goes on with the next credential, or ends the reading with the clearest reason that was given.
    fn try_next(&mut self, now: Tick, address: SocketAddr, refusal: Option<Refusal>) {
        let Some(job) = self.jobs.get_mut(&address) else { return };
        job.refusal = refusal.or(job.refusal.take());
        job.corrections = 0;
        match job.further.pop_front() {
            Some(next) if job.full => {
                job.reader = Reader::full(next.version());
                job.credential = next;
                job.late.clear();
                self.proceed(now, address);
            }
            _ => {
                let refused = job.refusal.take().map(ReadError::Refused);
                let garbled = || job.garbled.take().map(ReadError::Garbled);
                let error = refused.or_else(garbled).or(job.disconnected.take().map(ReadError::NoConnection));
                self.end(now, address, Some(error.unwrap_or(ReadError::NoAnswer)));
            }
        }
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Tick) {
        while let Some((deadline, id)) = self.deadlines.first().copied()
            && deadline <= now
        {
            self.handle_silence(now, id);
        }
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// When [`Self::handle_timeout`] and [`Self::poll_transmit`] have to be called next, if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Tick> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// The next thing that has happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn start_waiting(&mut self, now: Tick) {
        while self.jobs.len() < (self.window + self.repeated).min(MAX_ACTIVE) {
            let Some(order) = self.waiting.pop_front() else { return };
            self.ordered.remove(&order.address);
            let mut credentials: VecDeque<Credential> = order.credentials.iter().flat_map(variants).collect();
            let Some(credential) = credentials.pop_front() else { continue };
            let timer = match &order.kind {
                ReadKind::Full | ReadKind::Successors(_) => Timer::default(),
                ReadKind::Again(last) | ReadKind::Routine(last) => last.timer,
            };
            let (reader, full) = match order.kind {
                ReadKind::Full => (Reader::full(credential.version()), true),
                // What stands in which context is found out from the beginning.
                ReadKind::Again(last) if last.variables.has_contexts() => (Reader::full(credential.version()), true),
                ReadKind::Again(last) => (Reader::again(&self.profiles, *last), true),
                ReadKind::Routine(last) => (Reader::routine(&self.profiles, *last), false),
                ReadKind::Successors(names) => (Reader::asking(credential.version(), names), false),
            };
            let job = Job {
                reader,
                full,
                credential,
                further: credentials,
                cost: Cost::default(),
                started: now,
                garbled: None,
                disconnected: None,
                refusal: None,
                corrections: 0,
                timer,
                request: None,
                late: VecDeque::new(),
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
        let id = unused_id(&mut self.ids, &self.in_flight);
        let context = question.context.as_deref();
        let request = (id, question.operation, question.names.as_slice());
        let encoded = match &job.credential.access {
            Access::V1(_) | Access::V2c(_) => {
                Ok(encode_request(&job.credential, context, id, question.operation, &question.names))
            }
            Access::V3(user) => self.sessions.encode_request(now, address, user, context.unwrap_or_default(), request),
        };
        let (bytes, discovery) = match encoded {
            Ok(bytes) => (bytes, false),
            Err(NotSent::Undiscovered) => (encode_discovery(id), true),
            // As if the device had said so itself.
            Err(NotSent::TooLarge) => {
                let error_status = ErrorStatus::TooBig;
                let response = Response { request_id: id, error_status, error_index: 0, variables: Vec::new() };
                job.reader.handle_response(question, response);
                return self.proceed(now, address);
            }
        };
        let transport = job.credential.transport;
        let wait = job.timer.wait(0).filter(|_| transport == Transport::Udp).unwrap_or(PATIENCE_OVER_TCP);
        let deadline = now + wait;
        job.request = Some(id);
        let request =
            InFlight { address, transport, question, discovery, bytes, attempt: 0, asked: now, deadline, hint: None };
        self.in_flight.insert(id, request);
        self.deadlines.insert((deadline, id));
        self.transmit(id);
    }

    fn transmit(&mut self, id: i32) {
        let Some(request) = self.in_flight.get(&id) else { return };
        let transport = request.transport;
        if let Some(job) = self.jobs.get_mut(&request.address) {
            job.cost.sent += 1;
            job.cost.octets += headers(transport) + request.bytes.len() as u64;
        }
        self.transmits.push_back(Transmit { to: request.address, transport, bytes: request.bytes.clone() });
    }

    fn take_request(&mut self, id: i32) -> Option<InFlight> {
        let request = self.in_flight.remove(&id)?;
        self.deadlines.remove(&(request.deadline, id));
        self.repeated = self.repeated.saturating_sub(usize::from(request.attempt > 0));
        Some(request)
    }

    fn handle_silence(&mut self, now: Tick, id: i32) {
        let Some(mut request) = self.take_request(id) else { return };
        // Nobody has contradicted the hint in all this time.
        match request.hint.take() {
            Some(Hint::Changed) => {
                self.sessions.forget(&request.address);
                self.put_in_flight(id, request);
                return self.ask_again(now, id);
            }
            Some(Hint::Refused(refusal)) => return self.try_next(now, request.address, Some(refusal)),
            None => {}
        }
        request.attempt += 1;
        let job = self.jobs.get(&request.address);
        let wait = job.and_then(|job| job.timer.wait(request.attempt)).filter(|_| request.may_be_repeated());
        // A device that has answered and falls silent is a sign that packets are lost.
        if request.attempt == 1 && job.is_some_and(|job| job.timer.is_known()) && now.since(self.narrowed) >= NARROWING
        {
            self.narrowed = now;
            self.window = (self.window * 3 / 4).max(LEAST_WINDOW);
        }
        if let Some(wait) = wait {
            request.deadline = now + wait;
            self.deadlines.insert((request.deadline, id));
        }
        self.put_in_flight(id, request);
        if wait.is_some() {
            self.transmit(id);
            self.start_waiting(now);
        } else {
            self.give_up(now, id);
        }
    }

    fn put_in_flight(&mut self, id: i32, request: InFlight) {
        self.repeated += usize::from(request.attempt > 0);
        self.in_flight.insert(id, request);
    }

    /// A request stays without an answer.
    fn give_up(&mut self, now: Tick, id: i32) {
        let Some(request) = self.take_request(id) else { return };
        let address = request.address;
        let Some(job) = self.jobs.get_mut(&address) else { return };
        if request.discovery {
            // Who does not answer discovery speaks no SNMPv3 with anyone.
            job.further.retain(|next| next.version() != Version::V3 || next.transport != request.transport);
            return self.try_next(now, address, None);
        }
        if job.late.len() == MAX_LATE {
            job.late.pop_front();
        }
        job.late.push_back(Late { id, asked: request.asked, question: request.question.clone() });
        match job.reader.handle_silence(request.question) {
            Ok(()) => self.proceed(now, address),
            Err(ReadError::NoAnswer) => {
                let silent = job.credential.user().map(|user| match user.privacy() {
                    Some(_) => Refusal::SilentWithPrivacy,
                    None => Refusal::Silent,
                });
                self.try_next(now, address, silent);
            }
            Err(error) => self.end(now, address, Some(error)),
        }
    }

    fn end(&mut self, now: Tick, address: SocketAddr, error: Option<ReadError>) {
        let Some(job) = self.jobs.remove(&address) else { return };
        if error.is_none() {
            self.window = (self.window + 1).min(self.widest);
        }
        self.events.push_back(Event::Read(Box::new(Finished {
            address,
            credential: job.credential,
            full: job.full,
            cost: job.cost,
            took: now.since(job.started),
            outcome: match error {
                Some(error) => Err(error),
                None => Ok(Reading { timer: job.timer, ..job.reader.finish() }),
            },
        })));
        self.start_waiting(now);
    }
}

impl InFlight {
    /// A request that is tried because it may spare others is not repeated as often as one that has to be answered.
    fn may_be_repeated(&self) -> bool {
        self.transport == Transport::Udp && !(self.question.is_tentative() && self.attempt > 1)
    }

    fn is_from(&self, from: SocketAddr, transport: Transport) -> bool {
        self.address == from && self.transport == transport
    }
}

/// A credential in all the ways in which it may be meant.
fn variants(credential: &Credential) -> Vec<Credential> {
    match credential.user() {
        Some(user) => user
            .variants()
            .into_iter()
            .map(|user| Credential { access: Access::V3(user), ..credential.clone() })
            .collect(),
        None => vec![credential.clone()],
    }
}

/// A request-id that nobody can tell from those before it: a device knows the ones that it was asked with, and could answer for its
/// neighbour if the next were near. They are positive, so that they survive devices that treat them as unsigned.
fn unused_id(ids: &mut StdRng, in_flight: &BTreeMap<i32, InFlight>) -> i32 {
    loop {
        let id = ids.random_range(1..=i32::MAX);
        if !in_flight.contains_key(&id) {
            return id;
        }
    }
}
