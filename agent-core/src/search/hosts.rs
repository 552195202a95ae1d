//! Hosts that are there: each is asked everything that the range wants to know, a bounded number of them at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::time::Duration;

use super::sweep::Ask;
use super::{Kinds, Sign};
use crate::arp::Mac;
use crate::tick::Tick;

/// Hosts that are asked at the same time.
const MAX_ACTIVE: usize = 256;
/// Hosts kept at the same time; more than that are left for the next search.
const MAX_HOSTS: usize = 65_536;
/// How often a host that is there is asked over SNMP: at a loss of one packet in twenty, one in 10,000 stays unheard.
const ROUNDS: u8 = 4;
/// How often a host that has answered to one credential is asked with those that come before it.
const BETTER_ROUNDS: u8 = 2;
/// How long answers to one round are waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a host is asked at most, whatever is still under way.
const MAX_ROUNDS: u8 = 12;

/// What is known of a host.
#[derive(Debug, Clone, Default)]
pub(super) struct Host {
    pub(super) mac: Option<Mac>,
    pub(super) signs: BTreeSet<Sign>,
    pub(super) name: Option<String>,
    /// The first credential that it answers to.
    pub(super) credential: Option<usize>,
    /// What its SNMPv3 engine said.
    pub(super) engine: Option<Vec<u8>>,
    /// Whether that was told.
    pub(super) told: bool,
    round: u8,
    rounds: u8,
    /// Questions of this round that wait to be sent.
    unsent: usize,
    /// Connections under way.
    connecting: usize,
}

/// The hosts of one range.
#[derive(Debug)]
pub(super) struct Hosts {
    kinds: Kinds,
    /// The questions of SNMP, in the order in which their answers count.
    snmp: Vec<Ask>,
    echo: bool,
    all: BTreeMap<Ipv4Addr, Host>,
    waiting: VecDeque<Ipv4Addr>,
    active: usize,
    due: BTreeSet<(Tick, Ipv4Addr)>,
    ready: VecDeque<(Ipv4Addr, Ask)>,
}

impl Hosts {
    pub(super) fn new(kinds: Kinds, snmp: Vec<Ask>, echo: bool) -> Self {
        Self {
            kinds,
            snmp,
            echo,
            all: BTreeMap::new(),
            waiting: VecDeque::new(),
            active: 0,
            due: BTreeSet::new(),
            ready: VecDeque::new(),
        }
    }

    /// The host at an address, made known by this; `None` where there are too many.
    pub(super) fn host(&mut self, now: Tick, address: Ipv4Addr) -> Option<&mut Host> {
        if !self.all.contains_key(&address) {
            if self.all.len() >= MAX_HOSTS {
                return None;
            }
            self.all.insert(address, Host { rounds: ROUNDS, ..Host::default() });
            self.waiting.push_back(address);
            self.start_waiting(now);
        }
        self.all.get_mut(&address)
    }

    /// A host that is known.
    pub(super) fn known(&mut self, address: Ipv4Addr) -> Option<&mut Host> {
        self.all.get_mut(&address)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// About how long the hosts still take.
    pub(super) fn left(&self) -> Duration {
        let groups = u32::try_from(self.all.len().div_ceil(MAX_ACTIVE)).unwrap_or(u32::MAX);
        PATIENCE * groups.saturating_mul(u32::from(ROUNDS))
    }

    /// The next question.
    pub(super) fn poll_ask(&mut self, now: Tick, may_connect: bool) -> Option<(Ipv4Addr, Ask)> {
        for _ in 0..self.ready.len() {
            let (address, ask) = self.ready.pop_front()?;
            let connect = ask.connects();
            if connect && !may_connect {
                self.ready.push_back((address, ask));
                continue;
            }
            let Some(host) = self.all.get_mut(&address) else { continue };
            host.unsent = host.unsent.saturating_sub(1);
            if host.unsent == 0 {
                self.due.insert((now + PATIENCE, address));
            }
            let needless = match ask {
                Ask::Snmp(number) | Ask::Stream(number) => !host.wants(number),
                Ask::Echo => host.signs.contains(&Sign::Echo),
                _ => false,
            };
            if needless {
                continue;
            }
            host.connecting += usize::from(connect);
            return Some((address, ask));
        }
        None
    }

    pub(super) fn is_ready(&self, may_connect: bool) -> bool {
        self.ready.iter().any(|(_, ask)| may_connect || !ask.connects())
    }

    pub(super) fn poll_timeout(&self) -> Option<Tick> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Goes on with those whose round is over; gives those that are done.
    pub(super) fn handle_timeout(&mut self, now: Tick) -> Vec<(Ipv4Addr, Host)> {
        let mut done = Vec::new();
        while let Some((_, address)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.pop_first();
            let Some(host) = self.all.get_mut(&address) else { continue };
            host.round = host.round.saturating_add(1);
            let asks = host.asks(&self.snmp, &self.kinds, self.echo);
            if asks.is_empty() && (host.connecting == 0 || host.round >= MAX_ROUNDS) {
                self.active = self.active.saturating_sub(1);
                done.extend(self.all.remove(&address).map(|host| (address, host)));
                self.start_waiting(now);
            } else {
                self.begin_round(now, address, asks);
            }
        }
        done
    }

    fn start_waiting(&mut self, now: Tick) {
        while self.active < MAX_ACTIVE {
            let Some(address) = self.waiting.pop_front() else { return };
            let Some(host) = self.all.get(&address) else { continue };
            let asks = host.asks(&self.snmp, &self.kinds, self.echo);
            self.active += 1;
            self.begin_round(now, address, asks);
        }
    }

    fn begin_round(&mut self, now: Tick, address: Ipv4Addr, asks: Vec<Ask>) {
        let Some(host) = self.all.get_mut(&address) else { return };
        host.unsent = asks.len();
        if asks.is_empty() {
            // Nothing to ask in this round; what is under way may still come, and so may an answer that makes it known.
            self.due.insert((now + if host.round == 0 { Duration::ZERO } else { PATIENCE }, address));
        }
        self.ready.extend(asks.into_iter().map(|ask| (address, ask)));
    }
}

impl Host {
    /// Takes an answer to a credential; the earlier one counts.
    pub(super) fn answered(&mut self, credential: usize, engine: Option<Vec<u8>>) {
        self.signs.insert(Sign::Snmp);
        if self.credential.is_none_or(|best| credential < best) {
            self.engine = engine;
            self.credential = Some(credential);
            self.rounds = self.rounds.min(self.round + 1 + BETTER_ROUNDS);
        }
    }

    /// Takes that a connection is no longer under way.
    pub(super) fn connected(&mut self) {
        self.connecting = self.connecting.saturating_sub(1);
    }

    /// Whether an answer to this credential would tell something.
    fn wants(&self, credential: usize) -> bool {
        self.credential.is_none_or(|best| credential < best) && !self.signs.contains(&Sign::SnmpClosed)
    }

    fn asks(&self, snmp: &[Ask], kinds: &Kinds, echo: bool) -> Vec<Ask> {
        let mut asks = Vec::new();
        if self.round < self.rounds {
            let wanted = |ask: &&Ask| match ask {
                Ask::Snmp(number) | Ask::Stream(number) => self.wants(*number),
                _ => false,
            };
            asks.extend(snmp.iter().filter(wanted));
        }
        if self.round == 0 && kinds.local_agent && !self.signs.contains(&Sign::LocalAgent) {
            asks.push(Ask::LocalAgent);
        }
        // Of those that do not answer SNMP people want to know what they do answer to.
        if self.round == 1 && !self.signs.contains(&Sign::Snmp) {
            if kinds.snmp && !self.signs.contains(&Sign::SnmpClosed) {
                asks.push(Ask::Engine);
            }
            if kinds.echo && echo && !self.signs.contains(&Sign::Echo) {
                asks.push(Ask::Echo);
            }
            if kinds.echo_port && !self.signs.contains(&Sign::EchoPort) {
                asks.push(Ask::EchoPort);
            }
        }
        asks
    }
}
