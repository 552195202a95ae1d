//! The register: which devices are known, and whose reading has just come in.
//!
//! A device that seems to answer somewhere else than before is not believed at once: it may have moved, it may have two
//! addresses, and another one may carry its serial number. The reading is held until the old address was asked too. What
//! stays open after that is a question for a person; until he answers, both are devices of their own, so that no reading is
//! lost and none goes to the wrong one.
//!
//! The caller's loop, after every reading and every failure of one: [`Register::poll_event`] until `None`; act on each. An
//! address that it is told to check has to be read whole, and the outcome reported, whatever it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use jiff::{SignedDuration, Timestamp};
use wire::device::DeviceId;
use wire::identity::{Likeness, Marks};

use crate::identity::{Pulse, Sighting};

/// New devices that one address may bring forth in a day. A device that says another serial number at each reading would
/// fill the store otherwise.
const MOST_BIRTHS: usize = 16;

/// Devices of one name in the network that are still looked after by it.
const MOST_NAMESAKES: usize = 3;
/// Questions that one reading may open.
const MOST_DOUBTS: usize = 4;

/// A device as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub id: DeviceId,
    /// Where it answered last.
    pub address: SocketAddr,
    /// Where else it answers.
    pub also_at: BTreeSet<SocketAddr>,
    /// What it is known by.
    pub marks: Marks,
    /// What it counted last, and when.
    pub pulse: Pulse,
    /// Whether it did not answer when it was asked last.
    pub is_silent: bool,
}

/// What there is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Read this address whole and report the outcome.
    Check(SocketAddr),
    /// It is decided whose the reading at an address is.
    Settled(Settled),
    /// Another device answers where this one was, and it has not been met elsewhere.
    Displaced(DeviceId),
    /// These two have turned out to be two: the question whether they are one is moot.
    Withdrawn(DeviceId, DeviceId),
}

/// Whose the reading at an address is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Where it was read.
    pub address: SocketAddr,
    /// Whose it is.
    pub owner: Owner,
    /// What is new about the device.
    pub notices: Vec<Notice>,
    /// What a person has to decide.
    pub questions: Vec<Question>,
}

/// Whose a reading is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// This device's: keep it.
    Device(DeviceId),
    /// This device's, which is read at another address already: the reading is not needed.
    Elsewhere(DeviceId),
    /// Nobody's: the address brings forth too many devices.
    Nobody,
}

/// Something that happened to a device and that is not for a person to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Notice {
    Met,
    Moved { from: SocketAddr, to: SocketAddr },
    AlsoAt(SocketAddr),
    SerialKnown(String),
    SerialChanged { from: String, to: String },
    MacKnown(String),
    MacChanged { from: String, to: String },
}

/// Whether two devices are one: for a person to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What makes it a question.
    pub doubt: Doubt,
    /// The device that was known before.
    pub older: DeviceId,
    /// The one that came.
    pub newer: DeviceId,
}

/// What makes a question of it whether two devices are one; the stronger sign last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// They look alike, and neither says what would tell them apart.
    LookAlike,
    /// The same place or the same network card, another serial number: a board may have been swapped, or the device.
    BoardSwapped,
    /// Both say the same serial number.
    SerialTwice,
}

impl Doubt {
    /// The word in the store and on the wire.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::LookAlike => "lookAlike",
            Self::BoardSwapped => "boardSwapped",
            Self::SerialTwice => "serialTwice",
        }
    }
}

#[derive(Debug)]
struct Hold {
    sighting: Sighting,
    fresh: DeviceId,
    asked: BTreeSet<SocketAddr>,
    /// What was found at addresses that were asked; `None` for nobody of ours.
    found: BTreeMap<SocketAddr, Option<Sighting>>,
}

enum Judgement {
    Wait(BTreeSet<SocketAddr>),
    /// And perhaps these others too, of which it shows a mark.
    Is(DeviceId, Vec<(DeviceId, Doubt)>),
    Elsewhere(DeviceId),
    /// And perhaps it is one of these.
    New(Vec<(DeviceId, Doubt)>),
}

/// Where a known device is while another reading may be its.
enum Whereabouts {
    /// At the very address of the reading.
    Here,
    /// It was, and is no longer.
    Gone,
    /// At its own address, alive.
    There(Pulse),
    /// Its address was not asked yet.
    Unasked,
}

/// What one known device has to do with a reading, the strongest last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    None,
    Ask(Doubt),
    Elsewhere,
    Is(u8),
}

/// See the module's page.
#[derive(Debug, Default)]
pub struct Register {
    devices: BTreeMap<DeviceId, Known>,
    /// Who answers at an address.
    at: BTreeMap<SocketAddr, DeviceId>,
    held: BTreeMap<SocketAddr, Hold>,
    /// Pairs about which a person was asked already, the older first.
    asked: BTreeSet<(DeviceId, DeviceId)>,
    /// Names of devices that turned out to be others. The manager may still hear of them: they are never given again.
    given_up: BTreeSet<DeviceId>,
    births: BTreeMap<SocketAddr, Vec<Timestamp>>,
    events: VecDeque<Event>,
}

impl Register {
    /// A register of the devices that were known before, of the pairs that a person was asked about, and of the names that were
    /// given up. Where several had an address, the one that was read last has it.
    pub fn new(
        known: impl IntoIterator<Item = Known>,
        asked: impl IntoIterator<Item = (DeviceId, DeviceId)>,
        given_up: impl IntoIterator<Item = DeviceId>,
    ) -> Self {
        let mut known: Vec<Known> = known.into_iter().collect();
        known.sort_by_key(|device| device.pulse.at);
        let (asked, given_up) = (asked.into_iter().collect(), given_up.into_iter().collect());
        let mut register = Self { asked, given_up, ..Self::default() };
        for device in known {
            register.at.insert(device.address, device.id.clone());
            for alias in &device.also_at {
                register.at.entry(*alias).or_insert_with(|| device.id.clone());
            }
            register.devices.insert(device.id.clone(), device);
        }
        register
    }

    /// A device that is known.
    pub fn known(&self, id: &DeviceId) -> Option<&Known> {
        self.devices.get(id)
    }

    /// Who answers at an address.
    pub fn resident(&self, address: &SocketAddr) -> Option<&DeviceId> {
        self.at.get(address)
    }

    /// Whether a routine poll does not prove whom it has read: nothing that lasts is asked, or another device says the same.
    pub fn is_hard_to_tell(&self, address: &SocketAddr) -> bool {
        let device = self.at.get(address).and_then(|id| self.devices.get(id));
        device.is_some_and(|device| device.marks.serial.is_none() || self.has_twin(device))
    }

    /// How many devices are known.
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Takes a reading. `fresh` is a name that nobody has, for a device that says nothing of itself.
    pub fn handle_sighting(&mut self, sighting: Sighting, fresh: DeviceId) {
        self.note(sighting.address, Some(&sighting));
        let address = sighting.address;
        match self.held.get_mut(&address) {
            Some(hold) => hold.sighting = sighting,
            None => {
                let hold = Hold { sighting, fresh, asked: BTreeSet::new(), found: BTreeMap::new() };
                self.held.insert(address, hold);
            }
        }
        self.settle();
    }

    /// Takes the news that nobody of ours answers at an address.
    pub fn handle_silence(&mut self, address: SocketAddr) {
        self.note(address, None);
        if let Some(device) = self.at.get(&address).and_then(|id| self.devices.get_mut(id))
            && device.address == address
        {
            device.is_silent = true;
        }
        self.settle();
    }

    /// The next thing to do.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Forgets a device that a person has removed.
    pub fn forget(&mut self, id: &DeviceId) {
        self.devices.remove(id);
        self.at.retain(|_, resident| resident != id);
        self.asked.retain(|(older, newer)| older != id && newer != id);
    }

    /// A person has decided that two devices are one: the older goes on, with the marks and at the address of the newer. Where
    /// both answer, the older keeps its address and has that of the newer beside it. Gives whether the older one has moved.
    pub fn unite(&mut self, older: &DeviceId, newer: &DeviceId) -> bool {
        let Some(gone) = self.devices.remove(newer) else { return false };
        self.given_up.insert(newer.clone());
        let here = self.devices.get(older).is_some_and(|device| {
            let differs = Likeness::of(&device.marks, &gone.marks).serial == Some(false);
            !device.is_silent && !differs && self.is_at_home(device)
        });
        self.at.retain(|address, resident| resident != older || here || *address == gone.address);
        let now = |id: DeviceId| if id == *newer { older.clone() } else { id };
        let asked = std::mem::take(&mut self.asked).into_iter().map(|(one, other)| (now(one), now(other)));
        self.asked = asked.filter(|(one, other)| one != other).collect();
        self.at.retain(|_, resident| resident != newer);
        let Some(device) = self.devices.get_mut(older) else { return false };
        device.also_at.extend(gone.also_at.iter().copied());
        if here {
            device.also_at.insert(gone.address);
            device.marks.learn_macs(&gone.marks);
        } else {
            device.address = gone.address;
            device.pulse = gone.pulse;
            device.is_silent = gone.is_silent;
            device.marks.learn(&gone.marks);
        }
        device.also_at.remove(&device.address);
        for address in device.also_at.iter().chain([&device.address]) {
            self.at.insert(*address, older.clone());
        }
        !here
    }

    /// Tells those who wait for it what was found at an address.
    fn note(&mut self, address: SocketAddr, found: Option<&Sighting>) {
        for hold in self.held.values_mut().filter(|hold| hold.asked.contains(&address)) {
            hold.found.insert(address, found.cloned());
        }
    }

    /// Settles what can be settled, until nothing moves.
    fn settle(&mut self) {
        let mut displaced = BTreeSet::new();
        let mut waiting: VecDeque<SocketAddr> = self.held.keys().copied().collect();
        while let Some(address) = waiting.pop_front() {
            let Some(hold) = self.held.get(&address) else { continue };
            if hold.asked.iter().any(|asked| !hold.found.contains_key(asked)) {
                continue;
            }
            match self.judge(hold) {
                Judgement::Wait(unasked) => {
                    let Some(hold) = self.held.get_mut(&address) else { continue };
                    hold.asked.extend(unasked.iter().copied());
                    self.events.extend(unasked.into_iter().map(Event::Check));
                }
                judgement => {
                    let Some(hold) = self.held.remove(&address) else { continue };
                    let before = self.at.get(&address).cloned();
                    let settled = self.carry_out(judgement, &hold);
                    if before != self.at.get(&address).cloned() {
                        displaced.extend(before);
                    }
                    self.events.push_back(Event::Settled(settled));
                    // What was open elsewhere may be clear by that.
                    waiting = self.held.keys().copied().collect();
                }
            }
        }
        for id in displaced {
            let is_homeless = self.devices.get(&id).is_some_and(|device| !self.is_at_home(device));
            if let Some(device) = self.devices.get_mut(&id).filter(|_| is_homeless) {
                device.is_silent = true;
                self.events.push_back(Event::Displaced(id));
            }
        }
    }

    fn judge(&self, hold: &Hold) -> Judgement {
        let sighting = &hold.sighting;
        let here = self.at.get(&sighting.address).and_then(|id| self.devices.get(id));
        let here = here.filter(|device| device.address == sighting.address);
        let fitting = here.filter(|device| self.fits(device, sighting));
        if let Some(device) = fitting
            && (!teaches(sighting, device) || self.claimants(sighting).all(|other| other.id == device.id))
        {
            return Judgement::Is(device.id.clone(), Vec::new());
        }
        let mut unasked = BTreeSet::new();
        let mut claims = Vec::new();
        for device in self.claimants(sighting).filter(|device| Some(&device.id) != fitting.map(|fitting| &fitting.id)) {
            let whereabouts = self.whereabouts(device, hold);
            if matches!(whereabouts, Whereabouts::Unasked) {
                unasked.insert(device.address);
                continue;
            }
            let is_there = matches!(whereabouts, Whereabouts::There(_));
            claims.push((self.claim(device, sighting, &whereabouts), is_there, &device.id));
        }
        if !unasked.is_empty() {
            return Judgement::Wait(unasked);
        }
        if let Some(device) = fitting.filter(|device| Likeness::of(&device.marks, &sighting.marks).is_claimed()) {
            return Judgement::Is(device.id.clone(), doubts(&claims));
        }
        claims.extend(here.map(|device| (claim_by_place(device, sighting), false, &device.id)));
        // Of two that are as near the one that was met last.
        let met = |id: &DeviceId| self.devices.get(id).map(|device| device.pulse.at);
        claims.sort_by(|one, other| one.0.cmp(&other.0).then_with(|| met(one.2).cmp(&met(other.2))));
        match claims.pop() {
            Some((Claim::Is(_), _, id)) => Judgement::Is(id.clone(), doubts(&claims)),
            Some((Claim::Elsewhere, _, id)) => Judgement::Elsewhere(id.clone()),
            strongest => {
                claims.extend(strongest);
                Judgement::New(doubts(&claims))
            }
        }
    }

    /// Known devices that a reading may be of by more than its address: by a mark, or by their name in the network where one
    /// of both says nothing that lasts. A name that many have tells nothing.
    fn claimants<'a>(&'a self, sighting: &'a Sighting) -> impl Iterator<Item = &'a Known> {
        let by_name = |device: &Known, likeness: Likeness| {
            (device.marks.are_fleeting() || sighting.marks.are_fleeting())
                && likeness.is_like()
                && likeness.host_name == Some(true)
        };
        let mut claimants: Vec<(bool, &Known)> = Vec::new();
        for device in self.devices.values() {
            let likeness = Likeness::of(&device.marks, &sighting.marks);
            if likeness.is_claimed() || by_name(device, likeness) {
                claimants.push((likeness.is_claimed(), device));
            }
        }
        if claimants.iter().filter(|(is_claimed, _)| !is_claimed).count() > MOST_NAMESAKES {
            claimants.retain(|(is_claimed, _)| *is_claimed);
        }
        claimants.into_iter().map(|(_, device)| device)
    }

    /// Whether a reading at a device's own address is its, with nothing against it.
    fn fits(&self, device: &Known, sighting: &Sighting) -> bool {
        let likeness = Likeness::of(&device.marks, &sighting.marks);
        if likeness.serial == Some(false) || likeness.mac == Some(false) {
            return false;
        }
        let goes_on = || sighting.pulse.goes_on(&device.pulse) != Some(false);
        match (likeness.serial, likeness.mac) {
            (Some(true), Some(true)) => true,
            // A meter that broke as well leaves the name in the network to speak for it.
            (Some(true), _) => goes_on() || (likeness.host_name == Some(true) && !self.has_twin(device)),
            (_, Some(true)) => likeness.model != Some(false),
            _ => likeness.is_like() && goes_on(),
        }
    }

    fn has_twin(&self, device: &Known) -> bool {
        let twin =
            |other: &Known| other.id != device.id && Likeness::of(&device.marks, &other.marks).serial == Some(true);
        self.devices.values().any(twin)
    }

    fn is_at_home(&self, device: &Known) -> bool {
        self.at.get(&device.address) == Some(&device.id)
    }

    fn whereabouts(&self, device: &Known, hold: &Hold) -> Whereabouts {
        if !self.is_at_home(device) {
            return Whereabouts::Gone;
        }
        if device.address == hold.sighting.address {
            return Whereabouts::Here;
        }
        let held = || self.held.get(&device.address).map(|hold| Some(&hold.sighting));
        match hold.found.get(&device.address).map(Option::as_ref).or_else(held) {
            Some(Some(found)) if self.fits(device, found) => Whereabouts::There(found.pulse),
            Some(_) => Whereabouts::Gone,
            None => Whereabouts::Unasked,
        }
    }

    fn claim(&self, device: &Known, sighting: &Sighting, whereabouts: &Whereabouts) -> Claim {
        let likeness = Likeness::of(&device.marks, &sighting.marks);
        let goes_on = sighting.pulse.goes_on(&device.pulse);
        // Two things that agree, and a total of which neither is nought: that is no accident.
        let surely_goes_on = goes_on == Some(true) && device.pulse.total > Some(0) && likeness.model != Some(false);
        let is_here = matches!(whereabouts, Whereabouts::Here);
        if let Whereabouts::There(pulse) = whereabouts {
            let beats = sighting.pulse.beats_with(pulse);
            return match (likeness.serial, likeness.mac) {
                (Some(false), _) => Claim::None,
                (Some(true), Some(true)) if beats != Some(false) => Claim::Elsewhere,
                _ if beats == Some(true) && likeness.model != Some(false) => Claim::Elsewhere,
                (Some(true), _) => Claim::Ask(Doubt::SerialTwice),
                _ if beats.is_none() && likeness.is_like() => Claim::Ask(Doubt::LookAlike),
                _ => Claim::None,
            };
        }
        match (likeness.serial, likeness.mac) {
            (Some(true), Some(true)) => Claim::Is(3),
            (Some(true), None) if goes_on != Some(false) => Claim::Is(2),
            (Some(true), None) if is_here && self.fits(device, sighting) => Claim::Is(2),
            (Some(true), Some(false)) if is_here && surely_goes_on => Claim::Is(2),
            (Some(true), _) => Claim::Ask(Doubt::SerialTwice),
            (None, Some(true)) if likeness.model != Some(false) || goes_on == Some(true) => Claim::Is(1),
            (Some(false), Some(true)) if likeness.model == Some(false) => Claim::None,
            (Some(false), Some(true)) if is_here && surely_goes_on => Claim::Is(1),
            (Some(false), Some(true)) => Claim::Ask(Doubt::BoardSwapped),
            (None, Some(true)) => Claim::None,
            // Neither says anything that lasts; they have the same name.
            _ if surely_goes_on => Claim::Is(0),
            _ => Claim::Ask(Doubt::LookAlike),
        }
    }

    fn carry_out(&mut self, judgement: Judgement, hold: &Hold) -> Settled {
        let sighting = &hold.sighting;
        let address = sighting.address;
        let (owner, notices, questions) = match judgement {
            Judgement::Is(id, doubts) => {
                let notices = self.take_up(&id, sighting);
                let questions = self.ask(doubts, &id);
                (Owner::Device(id), notices, questions)
            }
            Judgement::Elsewhere(id) => {
                let known = self.at.insert(address, id.clone()).as_ref() == Some(&id);
                if let Some(device) = self.devices.get_mut(&id) {
                    device.also_at.insert(address);
                    device.marks.learn_macs(&sighting.marks);
                }
                let notices = if known { Vec::new() } else { vec![Notice::AlsoAt(address)] };
                (Owner::Elsewhere(id), notices, Vec::new())
            }
            _ if self.brings_forth_too_many(address, sighting.pulse.at) => (Owner::Nobody, Vec::new(), Vec::new()),
            Judgement::New(doubts) => {
                let id = self.name_for(sighting, &hold.fresh);
                let questions = self.ask(doubts, &id);
                let device = Known {
                    id: id.clone(),
                    address,
                    also_at: BTreeSet::new(),
                    marks: sighting.marks.clone(),
                    pulse: sighting.pulse,
                    is_silent: false,
                };
                self.vacate(address);
                self.at.insert(address, id.clone());
                self.devices.insert(id.clone(), device);
                (Owner::Device(id), vec![Notice::Met], questions)
            }
            Judgement::Wait(_) => (Owner::Nobody, Vec::new(), Vec::new()),
        };
        Settled { address, owner, notices, questions }
    }

    /// The questions that were not asked before, in whichever order.
    fn ask(&mut self, doubts: Vec<(DeviceId, Doubt)>, newer: &DeviceId) -> Vec<Question> {
        let mut questions = Vec::new();
        for (older, doubt) in doubts {
            let asked = self.asked.contains(&(newer.clone(), older.clone()));
            if !asked && older != *newer && self.asked.insert((older.clone(), newer.clone())) {
                questions.push(Question { doubt, older, newer: newer.clone() });
            }
        }
        questions
    }

    /// Brings what is known of a device up to a reading of it.
    fn take_up(&mut self, id: &DeviceId, sighting: &Sighting) -> Vec<Notice> {
        let address = sighting.address;
        let was_at_home = self.devices.get(id).is_some_and(|device| self.is_at_home(device));
        let Some(device) = self.devices.get_mut(id) else { return Vec::new() };
        let mut notices = changes(&device.marks, &sighting.marks);
        device.marks.learn(&sighting.marks);
        device.pulse = sighting.pulse;
        device.is_silent = false;
        let from = std::mem::replace(&mut device.address, address);
        if from == address && was_at_home {
            return notices;
        }
        device.also_at.remove(&address);
        if from != address {
            notices.push(Notice::Moved { from, to: address });
        }
        if was_at_home {
            self.at.remove(&from);
        }
        self.vacate(address);
        self.at.insert(address, id.clone());
        if sighting.marks.serial.is_some() {
            self.withdraw(id);
        }
        notices
    }

    /// Whoever had an address before has it no longer, not even beside another one.
    fn vacate(&mut self, address: SocketAddr) {
        if let Some(before) = self.at.remove(&address)
            && let Some(device) = self.devices.get_mut(&before)
        {
            device.also_at.remove(&address);
        }
    }

    /// A device that was thought to be replaced and is met elsewhere was not.
    fn withdraw(&mut self, older: &DeviceId) {
        let newer = self.asked.iter().filter(|(one, _)| one == older).map(|(_, newer)| newer);
        let differ = |newer: &&DeviceId| {
            let pair = self.devices.get(older).zip(self.devices.get(*newer));
            pair.is_some_and(|(older, newer)| {
                let likeness = Likeness::of(&older.marks, &newer.marks);
                self.is_at_home(newer) && likeness.serial == Some(false) && likeness.mac != Some(true)
            })
        };
        let moot: Vec<DeviceId> = newer.filter(differ).cloned().collect();
        self.events.extend(moot.into_iter().map(|newer| Event::Withdrawn(older.clone(), newer)));
    }

    fn name_for(&self, sighting: &Sighting, fresh: &DeviceId) -> DeviceId {
        let is_free = |name: &DeviceId| !self.devices.contains_key(name) && !self.given_up.contains(name);
        sighting.marks.names().find(is_free).unwrap_or_else(|| fresh.clone())
    }

    fn brings_forth_too_many(&mut self, address: SocketAddr, now: Timestamp) -> bool {
        let births = self.births.entry(address).or_default();
        births.retain(|birth| now.duration_since(*birth) < SignedDuration::from_hours(24));
        if births.len() >= MOST_BIRTHS {
            return true;
        }
        births.push(now);
        false
    }
}

/// The devices that a reading may be of as well: those that are not met elsewhere at the same time, if there are any.
fn doubts(claims: &[(Claim, bool, &DeviceId)]) -> Vec<(DeviceId, Doubt)> {
    let doubt = |claim: &Claim| match claim {
        Claim::None => None,
        Claim::Ask(doubt) => Some(*doubt),
        Claim::Elsewhere | Claim::Is(_) => Some(Doubt::LookAlike),
    };
    let of = |there: bool| {
        let claims = claims.iter().filter(move |(_, is_there, _)| *is_there == there);
        claims.filter_map(|(claim, _, id)| Some(((*id).clone(), doubt(claim)?))).take(MOST_DOUBTS).collect()
    };
    let absent: Vec<_> = of(false);
    if absent.is_empty() { of(true) } else { absent }
}

/// Whether a reading shows a lasting mark that is not known of a device.
fn teaches(sighting: &Sighting, device: &Known) -> bool {
    let serial = device.marks.serial.is_none() && sighting.marks.serial.is_some();
    serial || !sighting.marks.macs.is_subset(&device.marks.macs)
}

/// What a device that was read at an address before has to do with a reading there that shares no lasting mark with it.
fn claim_by_place(device: &Known, sighting: &Sighting) -> Claim {
    let likeness = Likeness::of(&device.marks, &sighting.marks);
    if likeness.is_claimed() || !likeness.is_like() {
        return Claim::None;
    }
    let goes_on = sighting.pulse.goes_on(&device.pulse);
    match (likeness.serial, likeness.mac) {
        // One of them says nothing that could be compared: a mark has come, or gone.
        (None, None) if goes_on != Some(false) => Claim::Is(0),
        (None, None) => Claim::Ask(Doubt::LookAlike),
        (Some(false), _) if likeness.host_name == Some(true) || likeness.location == Some(true) => {
            Claim::Ask(Doubt::BoardSwapped)
        }
        (None, Some(false)) if likeness.host_name == Some(true) && goes_on == Some(true) => {
            Claim::Ask(Doubt::LookAlike)
        }
        _ => Claim::None,
    }
}

fn changes(before: &Marks, after: &Marks) -> Vec<Notice> {
    let mut notices = Vec::new();
    match (&before.serial, &after.serial) {
        (None, Some(serial)) => notices.push(Notice::SerialKnown(serial.clone())),
        (Some(from), Some(to)) if Likeness::of(before, after).serial == Some(false) => {
            notices.push(Notice::SerialChanged { from: from.clone(), to: to.clone() });
        }
        _ => {}
    }
    match (before.macs.first(), after.macs.first()) {
        (None, Some(mac)) => notices.push(Notice::MacKnown(mac.clone())),
        (Some(from), Some(to)) if before.macs.is_disjoint(&after.macs) => {
            notices.push(Notice::MacChanged { from: from.clone(), to: to.clone() });
        }
        _ => {}
    }
    notices
}
