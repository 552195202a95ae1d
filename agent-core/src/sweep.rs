//! A search: asks every address of a set, at a bounded rate, who answers SNMP.
//!
//! Probes are stateless for the device and nearly so here: an entry for each probe under way, a bounded number of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::discover::AddressSet;
use crate::engine::Transmit;
use crate::gate::Readable;
use crate::printer_mib::System;
use crate::reader::Variables;
use crate::snmp::message::{Operation, Response, encode_request};
use crate::snmp::v3::encode_discovery;
use crate::snmp::{Credential, Version};
use crate::tick::Tick;

/// How long a probe waits for its answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often each credential is tried at an address.
const ATTEMPTS: u8 = 2;
/// A caller that comes late may catch up on at most so much time at once, so that no burst floods a link.
const CATCH_UP: Duration = Duration::from_millis(10);
/// How long an answer is still taken after its probe was given up: some controllers need seconds to wake.
const LATE: Duration = Duration::from_secs(3);
/// Most probes under way, given up ones whose answer would still be taken included.
const MAX_PENDING: usize = 65_536;

/// What to search and how.
#[derive(Debug, Clone)]
pub struct SearchPlan {
    /// Where.
    pub addresses: AddressSet,
    /// UDP port.
    pub port: u16,
    /// With which credentials, in this order.
    pub credentials: Vec<Credential>,
    /// Probes a second, at least 1.
    pub rate: u32,
}

/// How far a search is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchProgress {
    /// Addresses in all.
    pub total: u64,
    /// Addresses that have answered or will not.
    pub done: u64,
    /// Addresses that answered.
    pub found: u64,
}

/// Someone who answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub address: SocketAddr,
    /// To which credential; who answers to SNMPv3 at all may answer to any of the users.
    pub credentials: Vec<Credential>,
    /// What the system group says.
    pub system: System,
}

/// One credential tried at one address.
#[derive(Debug, Clone, Copy)]
struct Probe {
    address: Ipv4Addr,
    credential: usize,
    attempts: u8,
}

/// What to send next: a probe that is new, or one that is repeated under its id.
#[derive(Debug, Clone, Copy)]
enum Send {
    First(Probe),
    Again(i32),
}

/// A search under way.
#[derive(Debug)]
pub struct Sweep {
    plan: SearchPlan,
    /// All credentials of version 3. One probe asks for them all: its answer does not depend on the user.
    users: Vec<Credential>,
    next: Option<Ipv4Addr>,
    pending: BTreeMap<i32, Probe>,
    /// Ids in the order of their deadlines, which all lie equally far behind the sending.
    deadlines: VecDeque<(Tick, i32)>,
    /// Ids that were given up, in the order in which late answers to them stop being taken.
    late: VecDeque<(Tick, i32)>,
    queue: VecDeque<Send>,
    answered: BTreeSet<Ipv4Addr>,
    next_send: Tick,
    done: u64,
}

impl Sweep {
    /// Starts a search.
    pub fn new(now: Tick, mut plan: SearchPlan) -> Self {
        let is_user = |credential: &Credential| credential.version() == Version::V3;
        let users: Vec<Credential> =
            plan.credentials.iter().filter(|credential| is_user(credential)).cloned().collect();
        plan.credentials.retain(|credential| !is_user(credential) || users.first() == Some(credential));
        let next = plan.addresses.nth(0).filter(|_| !plan.credentials.is_empty());
        Self {
            next,
            plan,
            users,
            pending: BTreeMap::new(),
            deadlines: VecDeque::new(),
            late: VecDeque::new(),
            queue: VecDeque::new(),
            answered: BTreeSet::new(),
            next_send: now,
            done: 0,
        }
    }

    /// The next datagram, when its time has come. `id` gives a request-id that no other request under way has.
    pub fn poll_transmit(&mut self, now: Tick, id: impl FnOnce() -> i32) -> Option<Transmit> {
        if now < self.next_send || self.pending.len() >= MAX_PENDING {
            return None;
        }
        let (id, mut probe) = loop {
            match self.queue.pop_front() {
                Some(Send::Again(id)) => match self.pending.get(&id) {
                    Some(probe) => break (id, *probe),
                    // It has answered in the meantime.
                    None => continue,
                },
                Some(Send::First(probe)) if self.answered.contains(&probe.address) => continue,
                Some(Send::First(probe)) => break (id(), probe),
                None => break (id(), self.advance()?),
            }
        };
        let credential = self.plan.credentials.get(probe.credential)?;
        let bytes = match credential.version() {
            Version::V3 => encode_discovery(id),
            Version::V1 | Version::V2c => encode_request(credential, None, id, Operation::Get, &Readable::system()),
        };
        let transport = credential.transport;
        probe.attempts += 1;
        self.pending.insert(id, probe);
        self.deadlines.push_back((now + PATIENCE, id));
        let gap = Duration::from_secs(1) / self.plan.rate.max(1);
        let late = now.since(self.next_send);
        self.next_send = if late > CATCH_UP { now } else { self.next_send } + gap;
        Some(Transmit { to: (probe.address, self.plan.port).into(), transport, bytes })
    }

    /// When the caller has to come back.
    pub fn poll_timeout(&self) -> Option<Tick> {
        let send = (self.next.is_some() || !self.queue.is_empty()).then_some(self.next_send);
        let queues = [self.deadlines.front(), self.late.front()].into_iter().flatten().map(|(deadline, _)| *deadline);
        queues.chain(send).min()
    }

    /// Gives up probes whose time is over; they are repeated, followed by the next credential, or the address is done.
    pub fn handle_timeout(&mut self, now: Tick) {
        while let Some((_, id)) = self.late.pop_front_if(|(until, _)| *until <= now) {
            self.pending.remove(&id);
        }
        while let Some((_, id)) = self.deadlines.pop_front_if(|(deadline, _)| *deadline <= now) {
            let Some(probe) = self.pending.get(&id) else { continue };
            if probe.attempts < ATTEMPTS {
                self.queue.push_back(Send::Again(id));
                continue;
            }
            self.late.push_back((now + LATE, id));
            let credential = probe.credential + 1;
            if credential < self.plan.credentials.len() {
                self.queue.push_back(Send::First(Probe { address: probe.address, credential, attempts: 0 }));
            } else if !self.answered.contains(&probe.address) {
                self.done += 1;
            }
        }
    }

    /// Takes a response that may belong to a probe; only an answer from the address that was asked counts, and only one.
    pub fn handle_response(&mut self, from: SocketAddr, response: &Response) -> Option<Found> {
        let credential = self.take(from, response.request_id, |version| version != Version::V3)?;
        let variables: Variables = response.variables.iter().cloned().collect();
        Some(Found { address: from, credentials: vec![credential], system: System::of(&variables) })
    }

    /// Takes an answer of an SNMPv3 engine that may belong to a probe: it tells that there is one.
    pub fn handle_discovery(&mut self, from: SocketAddr, msg_id: i32) -> Option<Found> {
        self.take(from, msg_id, |version| version == Version::V3)?;
        Some(Found { address: from, credentials: self.users.clone(), system: System::default() })
    }

    /// The credential of a probe that has been answered in its version, the first time that its address answers.
    fn take(&mut self, from: SocketAddr, id: i32, fits: impl FnOnce(Version) -> bool) -> Option<Credential> {
        let probe = *self.pending.get(&id)?;
        let credential =
            self.plan.credentials.get(probe.credential).filter(|credential| fits(credential.version()))?.clone();
        if SocketAddr::from((probe.address, self.plan.port)) != from {
            return None;
        }
        self.pending.remove(&id);
        if !self.answered.insert(probe.address) {
            return None;
        }
        let given_up = probe.attempts >= ATTEMPTS && probe.credential + 1 == self.plan.credentials.len();
        let counted = given_up && self.late.iter().any(|(_, late)| *late == id);
        if !counted {
            self.done += 1;
        }
        Some(credential)
    }

    /// Whether every address has answered or will not.
    pub fn is_finished(&self) -> bool {
        self.next.is_none() && self.queue.is_empty() && self.pending.is_empty()
    }

    /// How far the search is.
    pub fn progress(&self) -> SearchProgress {
        let found = u64::try_from(self.answered.len()).unwrap_or(u64::MAX);
        SearchProgress { total: self.plan.addresses.len(), done: self.done, found }
    }

    fn advance(&mut self) -> Option<Probe> {
        let address = self.next?;
        self.next = self.plan.addresses.number(address).and_then(|number| self.plan.addresses.nth(number + 1));
        Some(Probe { address, credential: 0, attempts: 0 })
    }
}
