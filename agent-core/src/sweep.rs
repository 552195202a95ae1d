//! A search: asks every address of a set, at a bounded rate, who answers SNMP.
//!
//! Probes are stateless for the device and nearly so here: an entry for each probe under way, a bounded number of them.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::discover::AddressSet;
use crate::printer_mib::{self, System};
use crate::reader::Variables;
use crate::snmp::Credential;
use crate::snmp::message::{Operation, Response, encode_request};
use crate::tick::Tick;

/// How long a probe waits for its answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often each credential is tried at an address.
const ATTEMPTS: u8 = 2;
/// A caller that comes late may catch up on at most so much time at once, so that no burst floods a link.
const CATCH_UP: Duration = Duration::from_millis(10);
/// Most probes under way.
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
    /// To which credential.
    pub credential: Credential,
    /// What the system group says.
    pub system: System,
}

#[derive(Debug, Clone, Copy)]
struct Probe {
    address: Ipv4Addr,
    credential: usize,
    attempt: u8,
}

/// A search under way.
#[derive(Debug)]
pub struct Sweep {
    plan: SearchPlan,
    next: Option<Ipv4Addr>,
    pending: BTreeMap<i32, Probe>,
    /// Ids in the order of their deadlines, which all lie equally far behind the sending.
    deadlines: VecDeque<(Tick, i32)>,
    repeats: VecDeque<Probe>,
    next_send: Tick,
    done: u64,
    found: u64,
}

impl Sweep {
    /// Starts a search.
    pub fn new(now: Tick, plan: SearchPlan) -> Self {
        let next = plan.addresses.at_or_after(Ipv4Addr::UNSPECIFIED).filter(|_| !plan.credentials.is_empty());
        Self {
            next,
            plan,
            pending: BTreeMap::new(),
            deadlines: VecDeque::new(),
            repeats: VecDeque::new(),
            next_send: now,
            done: 0,
            found: 0,
        }
    }

    /// The next datagram, when its time has come. `id` gives a request-id that no other request under way has.
    pub fn poll_transmit(&mut self, now: Tick, id: impl FnOnce() -> i32) -> Option<(SocketAddr, Vec<u8>)> {
        if now < self.next_send || self.pending.len() >= MAX_PENDING {
            return None;
        }
        let probe = self.repeats.pop_front().or_else(|| self.advance())?;
        let credential = self.plan.credentials.get(probe.credential)?;
        let id = id();
        let bytes = encode_request(credential, id, Operation::Get, &printer_mib::system_names());
        self.pending.insert(id, probe);
        self.deadlines.push_back((now + PATIENCE, id));
        let gap = Duration::from_secs(1) / self.plan.rate.max(1);
        let late = now.since(self.next_send);
        self.next_send = if late > CATCH_UP { now } else { self.next_send } + gap;
        Some(((probe.address, self.plan.port).into(), bytes))
    }

    /// When the caller has to come back.
    pub fn poll_timeout(&self) -> Option<Tick> {
        let send = (self.next.is_some() || !self.repeats.is_empty()).then_some(self.next_send);
        let deadline = self.deadlines.front().map(|(deadline, _)| *deadline);
        send.into_iter().chain(deadline).min()
    }

    /// Gives up probes whose time is over; they are repeated, tried with the next credential, or done.
    pub fn handle_timeout(&mut self, now: Tick) {
        while let Some((_, id)) = self.deadlines.pop_front_if(|(deadline, _)| *deadline <= now) {
            let Some(probe) = self.pending.remove(&id) else { continue };
            if probe.attempt < ATTEMPTS {
                self.repeats.push_back(Probe { attempt: probe.attempt + 1, ..probe });
            } else if probe.credential + 1 < self.plan.credentials.len() {
                self.repeats.push_back(Probe { credential: probe.credential + 1, attempt: 1, ..probe });
            } else {
                self.done += 1;
            }
        }
    }

    /// Takes a response that may belong to a probe; only an answer from the address that was asked counts.
    pub fn handle_response(&mut self, from: SocketAddr, response: &Response) -> Option<Found> {
        let probe = *self.pending.get(&response.request_id)?;
        if SocketAddr::from((probe.address, self.plan.port)) != from {
            return None;
        }
        self.pending.remove(&response.request_id);
        self.done += 1;
        self.found += 1;
        let variables: Variables = response.variables.iter().cloned().collect();
        let credential = self.plan.credentials.get(probe.credential)?.clone();
        Some(Found { address: from, credential, system: System::of(&variables) })
    }

    /// Whether every address has answered or will not.
    pub fn is_finished(&self) -> bool {
        self.next.is_none() && self.repeats.is_empty() && self.pending.is_empty()
    }

    /// How far the search is.
    pub fn progress(&self) -> SearchProgress {
        SearchProgress { total: self.plan.addresses.len(), done: self.done, found: self.found }
    }

    fn advance(&mut self) -> Option<Probe> {
        let address = self.next?;
        self.next = u32::from(address).checked_add(1).and_then(|after| self.plan.addresses.at_or_after(after.into()));
        Some(Probe { address, credential: 0, attempt: 1 })
    }
}
