//! One range of a search: who of its addresses is asked what next, and what the answers mean.
//!
//! Addresses are gone through lane by lane (neighbours, everyone else, connections), each lane in passes over those that are
//! still silent. How many passes are needed follows from the loss that was seen on addresses that did answer.

use std::collections::{BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::hosts::{Host, Hosts};
use super::{Abilities, Alive, Cursor, Event, Found, Kinds, LOCAL_AGENT_PORT, Progress, SearchPlan, Sign, Unreachable};
use crate::arp::Mac;
use crate::routes::{Reach, Routes};
use crate::snmp::{Credential, Transport, Version};
use crate::tick::Tick;

/// An address is asked again after this long at the earliest.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long answers to the last questions are waited for.
const LAST_PATIENCE: Duration = Duration::from_secs(2);
/// Most passes of a lane, whatever the loss.
const MAX_PASSES: u8 = 6;
/// A device may be missed with this probability, over all devices of a lane.
const ACCEPTED_MISSES: f64 = 0.01;
/// Repeated questions to addresses that answered, to see how much is lost.
const CONTROLS: usize = 64;
/// Repeated questions to one address.
const MAX_CONTROLS_EACH: usize = 16;
/// Addresses of which controls are taken.
const MAX_CONTROLLED: usize = 256;
/// Time between two controls of one address.
const CONTROL_GAP: Duration = Duration::from_millis(50);
/// Connections are tried with addresses of which nothing is known only where there are at most so many: an absent one costs
/// three packets and more than a second.
const MAX_CONNECTED: u64 = 4_096;
/// The kernel looks for neighbours a second time only where there are at most so many: it takes its time over each.
const MAX_NUDGED_AGAIN: u64 = 1_024;
/// When the question for announcements is asked.
const ANNOUNCEMENTS: [Duration; 2] = [Duration::ZERO, Duration::from_secs(1)];

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// SNMP's question of that number, in a datagram.
    Snmp(usize),
    /// A connection for SNMP over TCP; the question's number.
    Stream(usize),
    /// SNMPv3's question for the engine, of someone who is silent otherwise.
    Engine,
    Arp,
    Echo,
    LocalAgent,
    EchoPort,
    Announcements,
}

impl Ask {
    /// Whether it needs a connection.
    pub(super) fn connects(self) -> bool {
        matches!(self, Self::Stream(_) | Self::LocalAgent | Self::EchoPort)
    }
}

/// A question of SNMP.
#[derive(Debug, Clone, Copy)]
pub(super) enum SnmpQuestion<'a> {
    /// With a community.
    Community(&'a Credential),
    /// For the engine of version 3.
    Engine,
}

/// Credentials that one question serves.
#[derive(Debug)]
struct Group {
    credentials: Vec<Credential>,
    transport: Transport,
    version: Version,
}

/// One question for each community; users of version 3 share one, since its answer does not depend on the user; and so do all
/// credentials over TCP, where a connection that is taken is the answer.
fn groups(credentials: &[Credential]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for credential in credentials {
        let (transport, version) = (credential.transport, credential.version());
        let shared = groups.iter_mut().find(|group| {
            group.transport == transport
                && (transport == Transport::Tcp || version == Version::V3 && group.version == version)
        });
        match shared {
            Some(group) => group.credentials.push(credential.clone()),
            None => groups.push(Group { credentials: vec![credential.clone()], transport, version }),
        }
    }
    groups
}

/// Why a datagram of SNMP was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// In the pass of that number over all addresses.
    Pass(u8),
    /// The same, with the kernel having to find the neighbour first.
    Nudge,
    /// To someone who is there.
    Host,
    /// To see how much is lost.
    Control,
}

/// What may be asked at this turn.
pub(super) struct Turn<'a> {
    pub(super) connect: bool,
    pub(super) nudge: bool,
    pub(super) routes: &'a Routes,
}

/// Which addresses a lane goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Attached,
    Others,
}

#[derive(Debug)]
struct Lane {
    over: Over,
    asks: Vec<Ask>,
    addresses: u64,
    least: u8,
    /// Whether the kernel has to find the neighbour first.
    nudges: bool,
}

impl Lane {
    fn passes(&self, loss: &Loss) -> u8 {
        // How many connections are lost is not measured.
        let measured = self.asks.iter().any(|ask| !ask.connects());
        if measured { loss.passes(self.least) } else { self.least }
    }
}

/// One bit for each address.
#[derive(Debug, Default)]
struct Marks(Vec<u64>);

/// How much is lost on the way to those that are there.
#[derive(Debug, Default)]
struct Loss {
    asked: u32,
    answered: u32,
    /// Those that are there.
    heard: u32,
}

/// See the module's page.
#[derive(Debug)]
pub(super) struct Sweep {
    plan: SearchPlan,
    groups: Vec<Group>,
    interfaces: BTreeSet<u32>,
    announcements: VecDeque<Tick>,
    lanes: Vec<Lane>,
    at: Cursor,
    /// When the cursor may go on.
    not_before: Tick,
    /// When the search may end.
    not_over_before: Tick,
    /// When something was last sent for the cursor's stage.
    stage_sent: Option<Tick>,
    /// Whether the pass is over and its answers are waited for.
    judging: bool,
    loss: Loss,
    /// Those that answered in the first pass, to be asked again as controls.
    controlled: Vec<(Ipv4Addr, usize)>,
    controls: VecDeque<(Tick, Ipv4Addr, usize)>,
    /// Addresses that need not be asked in lanes.
    settled: Marks,
    /// Addresses that were said not to be there: in even passes, and in odd ones.
    absent: [Marks; 2],
    /// Addresses that were told.
    told: Marks,
    hosts: Hosts,
    events: VecDeque<Event>,
    sent: u64,
    found: u64,
    alive: u64,
    no_route: u64,
}

impl Sweep {
    pub(super) fn new(now: Tick, mut plan: SearchPlan, routes: &Routes, abilities: Abilities) -> Self {
        if !plan.kinds.snmp {
            plan.credentials.clear();
        }
        let groups = groups(&plan.credentials);
        let snmp: Vec<Ask> = groups
            .iter()
            .enumerate()
            .map(|(number, group)| match group.transport {
                Transport::Udp => Ask::Snmp(number),
                Transport::Tcp => Ask::Stream(number),
            })
            .collect();
        let (mut attached, mut routed, mut own) = (0, 0, 0);
        let mut interfaces = BTreeSet::new();
        for address in plan.addresses.iter() {
            match routes.reach(address) {
                Reach::Attached { interface, .. } => {
                    attached += 1;
                    interfaces.insert(interface);
                }
                Reach::Routed => routed += 1,
                Reach::Own => own += 1,
            }
        }
        let echo = plan.kinds.echo && abilities.echo;
        let mut lanes = Vec::new();
        let lane = |over, addresses, asks, least| Lane { over, asks, addresses, least, nudges: false };
        if abilities.arp {
            lanes.push(lane(Over::Attached, attached, vec![Ask::Arp], 3));
        } else {
            let asks = snmp.first().copied().or(echo.then_some(Ask::Echo)).into_iter().collect();
            lanes.push(Lane { nudges: true, ..lane(Over::Attached, attached, asks, 2) });
        }
        let others = routed + own;
        // This machine needs not be asked whether it is there.
        let asks = snmp.iter().copied().chain((echo && routed > 0).then_some(Ask::Echo)).collect();
        // On the way to oneself nothing is lost but by loss that controls show; routers drop first packets.
        lanes.push(lane(Over::Others, others, asks, if routed > 0 { 2 } else { 1 }));
        let connections =
            [(plan.kinds.local_agent, Ask::LocalAgent), (plan.kinds.echo_port, Ask::EchoPort)].into_iter();
        let asks = connections.filter(|(wanted, _)| *wanted && others <= MAX_CONNECTED).map(|(_, ask)| ask).collect();
        lanes.push(lane(Over::Others, others, asks, 1));
        lanes.retain(|lane| lane.addresses > 0 && !lane.asks.is_empty());

        let announcements = plan.kinds.announcements && !interfaces.is_empty();
        let mut sweep = Self {
            interfaces,
            announcements: ANNOUNCEMENTS.iter().filter(|_| announcements).map(|wait| now + *wait).collect(),
            lanes,
            at: Cursor::default(),
            not_before: now,
            not_over_before: now,
            stage_sent: None,
            judging: false,
            loss: Loss::default(),
            controlled: Vec::new(),
            controls: VecDeque::new(),
            settled: Marks::of(plan.addresses.len()),
            absent: [Marks::of(plan.addresses.len()), Marks::of(plan.addresses.len())],
            told: Marks::of(plan.addresses.len()),
            hosts: Hosts::new(plan.kinds, snmp, echo),
            groups,
            events: VecDeque::new(),
            sent: 0,
            found: 0,
            alive: 0,
            no_route: 0,
            plan,
        };
        if let Some(resume) = sweep.plan.resume.take() {
            sweep.at = resume.cursor;
            for number in resume.known.iter().filter_map(|address| sweep.plan.addresses.number(*address)) {
                sweep.settled.set(number);
                sweep.told.set(number);
            }
        }
        sweep
    }

    pub(super) fn range(&self) -> i64 {
        self.plan.range
    }

    pub(super) fn port(&self) -> u16 {
        self.plan.port
    }

    pub(super) fn kinds(&self) -> &Kinds {
        &self.plan.kinds
    }

    pub(super) fn question(&self, number: usize) -> Option<SnmpQuestion<'_>> {
        let group = self.groups.get(number)?;
        match group.version {
            Version::V1 | Version::V2c => group.credentials.first().map(SnmpQuestion::Community),
            Version::V3 => Some(SnmpQuestion::Engine),
        }
    }

    pub(super) fn interfaces(&self) -> impl Iterator<Item = u32> {
        self.interfaces.iter().copied()
    }

    pub(super) fn cursor(&self) -> Cursor {
        self.at
    }

    pub(super) fn is_finished(&self, now: Tick) -> bool {
        let idle = self.lane().is_none() && self.hosts.len() == 0 && self.announcements.is_empty();
        idle && now >= self.not_over_before && self.events.is_empty()
    }

    pub(super) fn drain(&mut self, events: &mut VecDeque<Event>) {
        events.append(&mut self.events);
    }

    /// What to ask whom, and why.
    pub(super) fn poll_ask(&mut self, now: Tick, may: &Turn<'_>) -> Option<(Ipv4Addr, Ask, Purpose)> {
        let next = self.choose(now, may)?;
        self.sent += 1;
        Some(next)
    }

    fn choose(&mut self, now: Tick, may: &Turn<'_>) -> Option<(Ipv4Addr, Ask, Purpose)> {
        if self.announcements.pop_front_if(|due| *due <= now).is_some() {
            self.not_over_before = now + PATIENCE;
            return Some((Ipv4Addr::UNSPECIFIED, Ask::Announcements, Purpose::Host));
        }
        while let Some((address, ask)) = self.hosts.poll_ask(now, may.connect) {
            if ask != Ask::Echo || may.routes.reach(address) != Reach::Own {
                return Some((address, ask, Purpose::Host));
            }
        }
        if let Some((_, address, credential)) = self.controls.pop_front_if(|(due, ..)| *due <= now) {
            self.loss.asked = self.loss.asked.saturating_add(1);
            self.not_before = now + PATIENCE;
            return Some((address, Ask::Snmp(credential), Purpose::Control));
        }
        loop {
            if now < self.not_before || !self.controls.is_empty() {
                return None;
            }
            if self.judging {
                self.judging = false;
                self.judge();
            }
            let lane = self.lanes.get(usize::from(self.at.lane))?;
            let ask = *lane.asks.get(usize::from(self.at.ask))?;
            let waits = if ask.connects() { !may.connect } else { lane.nudges && !may.nudge };
            if waits {
                return None;
            }
            while let Some(address) = self.plan.addresses.nth(self.at.next) {
                let number = self.at.next;
                self.at.next += 1;
                if self.settled.has(number) {
                    continue;
                }
                let reach = may.routes.reach(address);
                let here = matches!(reach, Reach::Attached { .. }) == (lane.over == Over::Attached);
                if !here || (ask == Ask::Echo && reach == Reach::Own) {
                    continue;
                }
                let purpose = if lane.nudges { Purpose::Nudge } else { Purpose::Pass(self.at.pass) };
                self.stage_sent = Some(now);
                return Some((address, ask, purpose));
            }
            self.end_stage(now);
        }
    }

    /// The last address has been asked this question.
    fn end_stage(&mut self, now: Tick) {
        let Some(lane) = self.lane() else { return };
        let (asks, nudges) = (lane.asks.len(), lane.nudges);
        self.at.next = 0;
        self.at.ask += 1;
        let pass_ends = usize::from(self.at.ask) >= asks;
        if let Some(sent) = self.stage_sent.take() {
            // Where the kernel looks for neighbours, it does so for some seconds.
            self.not_before = sent + if nudges { 4 * PATIENCE } else { PATIENCE };
        }
        if pass_ends {
            self.at.ask = 0;
            self.at.pass = self.at.pass.saturating_add(1);
            self.judging = true;
            self.begin_controls(now);
        }
    }

    fn begin_controls(&mut self, now: Tick) {
        let controlled = std::mem::take(&mut self.controlled);
        if controlled.is_empty() || self.at.pass != 1 {
            return;
        }
        let each = (CONTROLS / controlled.len()).clamp(1, MAX_CONTROLS_EACH);
        let mut due = now;
        for _ in 0..each {
            self.controls.extend(controlled.iter().map(|(address, credential)| (due, *address, *credential)));
            due = due + CONTROL_GAP;
        }
    }

    /// Whether the silent ones are asked again, after the answers to a pass have come.
    fn judge(&mut self) {
        let Some(lane) = self.lane() else { return };
        if self.at.pass < lane.passes(&self.loss) {
            return;
        }
        self.at = Cursor { lane: self.at.lane + 1, ..Cursor::default() };
        self.loss = Loss::default();
        self.controlled.clear();
        // Since the last question one patience has passed already.
        self.not_over_before = self.not_over_before.max(self.not_before + (LAST_PATIENCE - PATIENCE));
    }

    fn lane(&self) -> Option<&Lane> {
        self.lanes.get(usize::from(self.at.lane))
    }

    pub(super) fn poll_timeout(&self, may: &Turn<'_>) -> Option<Tick> {
        let now = Tick::default();
        if self.hosts.is_ready(may.connect) {
            return Some(now);
        }
        let stage = match (self.controls.front(), self.lane()) {
            (Some((due, ..)), _) => Some(*due),
            (None, None) => Some(self.not_over_before),
            (None, Some(lane)) => {
                let connects = lane.asks.get(usize::from(self.at.ask)).is_some_and(|ask| ask.connects());
                let waits = if connects { !may.connect } else { lane.nudges && !may.nudge };
                (!waits).then_some(self.not_before)
            }
        };
        // Once all lanes are through, the hosts' own times count, and the end only when they are done.
        let stage = stage.filter(|_| self.lane().is_some() || !self.controls.is_empty() || self.hosts.len() == 0);
        stage.into_iter().chain(self.hosts.poll_timeout()).chain(self.announcements.front().copied()).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Tick) {
        for (address, host) in self.hosts.handle_timeout(now) {
            self.tell(address, host);
        }
    }

    pub(super) fn handle_answer(
        &mut self,
        now: Tick,
        address: Ipv4Addr,
        question: usize,
        purpose: Purpose,
        engine: Option<Vec<u8>>,
    ) {
        if purpose == Purpose::Control {
            self.loss.answered = self.loss.answered.saturating_add(1);
        }
        let Some(number) = self.plan.addresses.number(address) else { return };
        if self.told.has(number) {
            return;
        }
        if self.question(question).is_none() {
            // Asked whether he speaks SNMP at all.
            return self.sign(now, address, Sign::SnmpEngine, |_| {});
        }
        let first = !self.settled.has(number);
        self.settled.set(number);
        if first && let Purpose::Pass(pass) = purpose {
            self.loss.hear(pass);
            if pass == 0 && self.controlled.len() < MAX_CONTROLLED {
                self.controlled.push((address, question));
            }
        }
        let Some(host) = self.hosts.host(now, address) else { return };
        host.answered(question, engine);
        if question == 0 && !host.told {
            host.told = true;
            let (mac, engine) = (host.mac, host.engine.take());
            self.tell_found(address, 0, mac, engine);
        }
    }

    pub(super) fn handle_neighbour(&mut self, now: Tick, address: Ipv4Addr, mac: Mac) {
        let Some(number) = self.plan.addresses.number(address) else { return };
        if !self.settled.has(number)
            && let Some(lane) = self.lane()
            && lane.over == Over::Attached
        {
            self.loss.hear(if lane.nudges { 0 } else { self.at.pass });
        }
        self.sign(now, address, Sign::Arp, |host| host.mac = Some(mac));
    }

    pub(super) fn handle_announcement(&mut self, now: Tick, routes: &Routes, address: Ipv4Addr, name: &str) {
        if self.plan.kinds.announcements && routes.reach(address) != Reach::Own {
            self.sign(now, address, Sign::Announced, |host| host.name = Some(name.to_owned()));
        }
    }

    pub(super) fn handle_connection(&mut self, now: Tick, to: SocketAddrV4, taken: bool, refused: bool) {
        let address = *to.ip();
        if let Some(host) = self.hosts.known(address) {
            host.connected();
        }
        let stream = self.groups.iter().position(|group| group.transport == Transport::Tcp);
        match stream.filter(|_| to.port() == self.plan.port) {
            Some(number) if taken => self.handle_answer(now, address, number, Purpose::Host, None),
            _ if taken => {
                let sign = if to.port() == LOCAL_AGENT_PORT { Sign::LocalAgent } else { Sign::EchoPort };
                self.sign(now, address, sign, |_| {});
            }
            _ if refused => self.sign(now, address, Sign::TcpRefused, |_| {}),
            _ => {}
        }
    }

    pub(super) fn handle_unreachable(&mut self, now: Tick, address: Ipv4Addr, reach: Reach, why: Unreachable) {
        let Some(number) = self.plan.addresses.number(address) else { return };
        match why {
            Unreachable::Route | Unreachable::Neighbour if !matches!(reach, Reach::Attached { .. }) => {
                // No way there, or the router does not answer, which may pass.
                if !self.settled.has(number) {
                    self.no_route += 1;
                }
                if why == Unreachable::Route {
                    self.settled.set(number);
                }
            }
            Unreachable::Neighbour if self.lane().is_some_and(|lane| lane.addresses > MAX_NUDGED_AGAIN) => {
                self.settled.set(number);
            }
            Unreachable::Host | Unreachable::Neighbour => self.miss(number),
            Unreachable::Route => self.settled.set(number),
            Unreachable::Port if reach == Reach::Own => self.settled.set(number),
            Unreachable::Port => self.sign(now, address, Sign::SnmpClosed, |_| {}),
        }
    }

    /// Someone says that nobody is there. A printer may wake up, or a router may have lost its question for it: only the same in
    /// another pass settles it.
    fn miss(&mut self, number: u32) {
        let pass = self.at.pass.saturating_sub(u8::from(self.judging));
        let [even, odd] = &mut self.absent;
        let (this, other) = if pass.is_multiple_of(2) { (even, odd) } else { (odd, even) };
        this.set(number);
        if other.has(number) {
            self.settled.set(number);
        }
    }

    pub(super) fn learn(&mut self, now: Tick, address: Ipv4Addr, sign: Sign) {
        self.sign(now, address, sign, |_| {});
    }

    fn sign(&mut self, now: Tick, address: Ipv4Addr, sign: Sign, note: impl FnOnce(&mut Host)) {
        let Some(number) = self.plan.addresses.number(address) else { return };
        if self.told.has(number) {
            return;
        }
        // Who only announces himself may not be there at all: he is asked, and stays among those that are looked for.
        if sign != Sign::Announced {
            self.settled.set(number);
        }
        if let Some(host) = self.hosts.host(now, address) {
            host.signs.insert(sign);
            note(host);
        }
    }

    /// Everything was asked of a host: tells what is known.
    fn tell(&mut self, address: Ipv4Addr, host: Host) {
        let Some(number) = self.plan.addresses.number(address) else { return };
        self.told.set(number);
        self.settled.set(number);
        if let Some(credential) = host.credential.filter(|_| !host.told) {
            self.tell_found(address, credential, host.mac, host.engine);
        }
        self.alive += 1;
        let Host { mac, signs, name, .. } = host;
        self.events.push_back(Event::Alive(Alive { range: self.plan.range, address, mac, signs, name }));
    }

    fn tell_found(&mut self, address: Ipv4Addr, question: usize, mac: Option<Mac>, engine: Option<Vec<u8>>) {
        let Some(credentials) = self.groups.get(question).map(|group| group.credentials.clone()) else { return };
        self.found += 1;
        let address = (address, self.plan.port).into();
        self.events.push_back(Event::Found(Found { range: self.plan.range, address, credentials, mac, engine }));
    }

    pub(super) fn progress(&self, rate: u32) -> Progress {
        let at = usize::from(self.at.lane);
        let (mut total, mut done) = (0, 0);
        for (number, lane) in self.lanes.iter().enumerate() {
            let asks = u64::try_from(lane.asks.len()).unwrap_or(1);
            let passes = if number == at { lane.passes(&self.loss) } else { lane.least };
            let work = lane.addresses * asks * u64::from(passes);
            total += work;
            if number < at {
                done += work;
            } else if number == at {
                // Of this stage so much as of all addresses.
                let stage = lane.addresses * u64::from(self.at.next) / self.plan.addresses.len().max(1);
                let before = u64::from(self.at.pass) * asks + u64::from(self.at.ask);
                done += (lane.addresses * before + stage).min(work);
            }
        }
        let through = self.lane().is_none();
        let thousandths = (done * 1000).checked_div(total).unwrap_or(1000);
        let lane = self.lane().map_or(Duration::ZERO, |lane| {
            // Where the kernel looks for neighbours, it sets the pace.
            let rate = if lane.nudges { u64::from(rate).min(80) } else { u64::from(rate) };
            Duration::from_secs((total - done).div_ceil(rate.max(1))) + LAST_PATIENCE
        });
        Progress {
            addresses: self.plan.addresses.len(),
            done: if through && self.hosts.len() == 0 {
                1000
            } else {
                u32::try_from(thousandths).unwrap_or(1000).min(999)
            },
            again: self.at.pass,
            sent: self.sent,
            found: self.found,
            alive: self.alive + u64::try_from(self.hosts.len()).unwrap_or(0),
            no_route: self.no_route,
            left: lane + self.hosts.left(),
        }
    }
}

impl Marks {
    fn of(length: u64) -> Self {
        Self(vec![0; usize::try_from(length.div_ceil(64)).unwrap_or(0)])
    }

    fn set(&mut self, number: u32) {
        if let Some(word) = usize::try_from(number / 64).ok().and_then(|at| self.0.get_mut(at)) {
            *word |= 1 << (number % 64);
        }
    }

    fn has(&self, number: u32) -> bool {
        let word = usize::try_from(number / 64).ok().and_then(|at| self.0.get(at));
        word.is_some_and(|word| word >> (number % 64) & 1 == 1)
    }
}

impl Loss {
    /// Someone was heard in that pass, and in none before.
    fn hear(&mut self, pass: u8) {
        self.asked = self.asked.saturating_add(u32::from(pass) + 1);
        self.answered = self.answered.saturating_add(1);
        self.heard = self.heard.saturating_add(1);
    }

    /// How many passes leave nobody unheard, as far as the loss that was seen tells.
    fn passes(&self, least: u8) -> u8 {
        if self.heard == 0 {
            return least.max(2);
        }
        let lost = self.asked.saturating_sub(self.answered);
        let share = f64::from(lost) / f64::from(self.asked.max(1));
        let mut unheard = f64::from(self.heard);
        let mut passes = 0;
        while passes < MAX_PASSES && unheard > ACCEPTED_MISSES {
            unheard *= share;
            passes += 1;
        }
        passes.max(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_is_lost_the_more_often_the_silent_are_asked() {
        let passes = |asked, answered, heard| Loss { asked, answered, heard }.passes(1);
        assert_eq!(passes(0, 0, 0), 2, "nobody heard: once more");
        assert_eq!(passes(250, 250, 250), 1);
        assert_eq!(passes(500, 451, 250), 5, "a tenth lost there or back");
        assert_eq!(passes(20, 18, 2), 3);
        assert_eq!(passes(500, 100, 250), MAX_PASSES);
    }
}
