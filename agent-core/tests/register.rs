//! The register against a simulated fleet: whatever devices do, no reading goes to another device than the one that gave it,
//! and none stands there twice without a question about it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use agent_core::identity::{Pulse, Sighting};
use agent_core::register::{Doubt, Event, Known, Notice, Owner, Register, Settled};
use jiff::Timestamp;
use proptest::prelude::*;
use wire::device::DeviceId;
use wire::identity::Marks;

/// Totals stand so far apart that none can be taken for another that went on printing.
const APART: u64 = 50_000_000;

/// A device as it really is.
#[derive(Debug, Clone)]
struct Device {
    serial: Option<String>,
    mac: Option<String>,
    model: &'static str,
    host_name: String,
    total: u64,
    started: i64,
    is_on: bool,
    hides_serial: bool,
    hides_mac: bool,
}

/// A network with devices at its addresses, an agent's register, and a person who knows everything.
struct World {
    now: i64,
    devices: Vec<Device>,
    /// Who answers where.
    network: BTreeMap<u8, usize>,
    register: Register,
    /// Whose reading is held for an address.
    held: BTreeMap<SocketAddr, usize>,
    checks: VecDeque<SocketAddr>,
    /// Which device a name stands for.
    truth: BTreeMap<DeviceId, usize>,
    questions: Vec<(Doubt, DeviceId, DeviceId)>,
    notices: Vec<Notice>,
    /// Names of devices that turned out to be others.
    given_up: BTreeSet<DeviceId>,
    names: u32,
    boards: u32,
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 161))
}

impl World {
    fn new(devices: Vec<Device>) -> Self {
        let network = (0..devices.len()).map(|number| (u8::try_from(number).unwrap() + 1, number)).collect();
        Self {
            now: 1_800_000_000,
            devices,
            network,
            register: Register::default(),
            held: BTreeMap::new(),
            checks: VecDeque::new(),
            truth: BTreeMap::new(),
            questions: Vec::new(),
            notices: Vec::new(),
            given_up: BTreeSet::new(),
            names: 0,
            boards: 100,
        }
    }

    fn sighting(&self, at: u8) -> Option<(usize, Sighting)> {
        let number = *self.network.get(&at)?;
        let device = &self.devices[number];
        let marks = Marks {
            serial: device.serial.clone().filter(|_| !device.hides_serial),
            macs: device.mac.clone().filter(|_| !device.hides_mac).into_iter().collect(),
            sys_object_id: Some("1.3.6.1.4.1.32473.1".to_owned()),
            model: Some(device.model.to_owned()),
            host_name: Some(device.host_name.clone()),
            location: None,
        };
        let pulse = Pulse {
            at: Timestamp::from_second(self.now).unwrap(),
            total: Some(device.total),
            started: Some(device.started),
        };
        device.is_on.then(|| (number, Sighting { address: address(at), marks, pulse }))
    }

    /// Reads an address; checks that come of it wait.
    fn poll(&mut self, at: u8) {
        self.now += 1;
        match self.sighting(at) {
            Some((number, sighting)) => {
                self.held.insert(address(at), number);
                self.names += 1;
                let fresh = DeviceId::new(format!("made:{}", self.names)).unwrap();
                self.register.handle_sighting(sighting, fresh);
            }
            None => self.register.handle_silence(address(at)),
        }
        while let Some(event) = self.register.poll_event() {
            match event {
                Event::Check(address) => self.checks.push_back(address),
                Event::Settled(settled) => self.settled(settled),
                Event::Displaced(_) => {}
                Event::Withdrawn(older, newer) => {
                    assert_ne!(self.truth.get(&older), self.truth.get(&newer), "they are one");
                    self.questions.retain(|(_, one, other)| (one, other) != (&older, &newer));
                }
            }
        }
    }

    fn settled(&mut self, settled: Settled) {
        let number = self.held.remove(&settled.address).expect("a reading is settled once");
        match settled.owner {
            Owner::Device(id) => {
                assert!(!self.given_up.contains(&id), "{id} was given up and is given again");
                let owner = *self.truth.entry(id.clone()).or_insert(number);
                assert_eq!(owner, number, "{id} was given the reading of another device: {:?}", self.devices);
            }
            Owner::Elsewhere(id) => assert_eq!(self.truth.get(&id), Some(&number), "{id} is another device"),
            Owner::Nobody => {}
        }
        self.notices.extend(settled.notices);
        self.questions
            .extend(settled.questions.into_iter().map(|question| (question.doubt, question.older, question.newer)));
    }

    fn answer_checks(&mut self) {
        while let Some(SocketAddr::V4(address)) = self.checks.pop_front() {
            self.poll(address.ip().octets()[3]);
        }
    }

    /// Reads everything, as an agent does in an interval.
    fn poll_all(&mut self) {
        for at in 1..=ADDRESSES {
            self.poll(at);
            self.answer_checks();
        }
        assert!(self.held.is_empty(), "readings are held for ever: {:?}", self.held);
    }

    /// The person who knows everything answers.
    fn decide(&mut self) {
        while let Some((_, older, newer)) = self.questions.pop() {
            if self.truth.get(&older) == self.truth.get(&newer) {
                self.register.unite(&older, &newer);
                self.truth.remove(&newer);
                self.given_up.insert(newer.clone());
                // What was asked about the one that is no more is asked about the one that it was.
                for id in self.questions.iter_mut().flat_map(|(_, one, other)| [one, other]) {
                    if *id == newer {
                        id.clone_from(&older);
                    }
                }
                self.questions.retain(|(_, one, other)| one != other);
            }
        }
    }

    /// Each device that can be read has one name, apart from those that a person was asked about.
    fn check(&self) {
        for number in self.network.values().copied() {
            let names: BTreeSet<&DeviceId> =
                self.truth.iter().filter(|(_, owner)| **owner == number).map(|(id, _)| id).collect();
            let Some(first) = names.first() else { continue };
            let mut joined = BTreeSet::from([*first]);
            for _ in 0..names.len() {
                for (_, one, other) in &self.questions {
                    if joined.contains(one) || joined.contains(other) {
                        joined.extend([one, other].into_iter().filter(|id| names.contains(id)));
                    }
                }
            }
            assert_eq!(joined, names, "{:?} is several devices: {:?}", self.devices[number], self.questions);
        }
    }

    /// A start of the agent: what is stored comes back, what is held does not.
    fn restart(&mut self) {
        let known: Vec<Known> = self.truth.keys().filter_map(|id| self.register.known(id)).cloned().collect();
        let known = known.into_iter().map(|device| Known { pulse: Pulse { started: None, ..device.pulse }, ..device });
        let asked = self.questions.iter().map(|(_, older, newer)| (older.clone(), newer.clone())).collect::<Vec<_>>();
        self.register = Register::new(known.collect::<Vec<_>>(), asked, self.given_up.iter().cloned());
        self.held.clear();
        self.checks.clear();
    }
}

const ADDRESSES: u8 = 9;

fn device(number: u32) -> Device {
    Device {
        serial: Some(format!("SN{number:06}")),
        mac: Some(format!("0017c8{number:06x}")),
        model: "Model 1",
        host_name: format!("HOST{number}"),
        total: APART * u64::from(number + 1),
        started: 1_700_000_000 + 1000 * i64::from(number),
        is_on: true,
        hides_serial: false,
        hides_mac: false,
    }
}

/// A world of two known devices at .1 and .2.
fn pair() -> World {
    let mut world = World::new(vec![device(0), device(1)]);
    world.poll_all();
    world.notices.clear();
    world
}

fn swap(world: &mut World, one: u8, other: u8) {
    let (first, second) = (world.network.remove(&one), world.network.remove(&other));
    world.network.extend(first.map(|number| (other, number)));
    world.network.extend(second.map(|number| (one, number)));
}

#[test]
fn a_new_address_is_the_same_device() {
    let mut world = pair();
    swap(&mut world, 1, 7);
    world.poll_all();
    assert_eq!(world.notices, [Notice::Moved { from: address(1), to: address(7) }]);
    assert_eq!((world.register.len(), world.questions.len()), (2, 0));
}

#[test]
fn two_devices_that_swap_addresses_keep_their_names() {
    let mut world = pair();
    swap(&mut world, 1, 2);
    world.poll_all();
    assert_eq!(world.notices.len(), 2);
    assert_eq!((world.register.len(), world.questions.len()), (2, 0));
}

#[test]
fn a_serial_number_that_two_devices_have_is_asked_about_once() {
    let mut world = pair();
    world.devices.push(Device { serial: world.devices[0].serial.clone(), ..device(7) });
    world.network.insert(5, 2);
    world.poll_all();
    world.poll_all();
    assert_eq!(world.questions.len(), 1);
    assert_eq!(world.questions[0].0, Doubt::SerialTwice);
    assert_eq!(world.register.len(), 3, "both are shown");
    swap(&mut world, 1, 5);
    world.poll_all();
    world.decide();
    world.restart();
    world.poll_all();
    assert_eq!((world.register.len(), world.questions.len()), (3, 0));
}

#[test]
fn a_swapped_board_is_asked_about_and_the_answer_holds() {
    for (keeps_serial, keeps_mac, doubt) in
        [(false, true, Doubt::BoardSwapped), (false, false, Doubt::BoardSwapped), (true, false, Doubt::SerialTwice)]
    {
        let mut world = pair();
        let other = device(70);
        let board = &mut world.devices[0];
        board.total = 0;
        if !keeps_serial {
            board.serial = other.serial;
        }
        if !keeps_mac {
            board.mac = other.mac;
        }
        world.poll_all();
        assert_eq!(world.questions.iter().map(|question| question.0).collect::<Vec<_>>(), [doubt]);
        assert_eq!(world.register.len(), 3, "nothing is mixed before it is decided");
        world.decide();
        world.poll_all();
        assert_eq!((world.register.len(), world.questions.len()), (2, 0));
        world.check();
    }
}

#[test]
fn a_mark_that_comes_late_or_hides_for_a_while_changes_nothing() {
    let mut world = pair();
    world.devices[1].serial = None;
    world = World::new(world.devices);
    world.devices.push(Device { serial: None, mac: None, ..device(3) });
    world.network.insert(3, 2);
    world.poll_all();
    let names: BTreeSet<String> = world.truth.keys().map(ToString::to_string).collect();
    world.devices[1].serial = Some("SN-LATE".to_owned());
    world.devices[2].serial = Some("SN-LATER".to_owned());
    world.poll_all();
    world.devices[0].hides_serial = true;
    world.devices[1].hides_mac = true;
    world.poll_all();
    world.devices[0].hides_serial = false;
    world.devices[2].total += 10;
    world.poll_all();
    swap(&mut world, 2, 3);
    world.poll_all();
    assert_eq!(world.truth.keys().map(ToString::to_string).collect::<BTreeSet<_>>(), names);
    assert!(world.questions.is_empty());
}

#[test]
fn one_device_at_two_addresses_is_one_device() {
    for other_card in [false, true] {
        let mut world = pair();
        world.devices.push(world.devices[0].clone());
        if other_card {
            world.devices[2].mac = device(70).mac;
        }
        world.network.insert(5, 2);
        // To the person both are device 0.
        let both = world.devices[2].clone();
        let sighting = |world: &World, at: u8| {
            let (_, mut sighting) = world.sighting(at).unwrap();
            sighting.marks.macs = both.mac.clone().into_iter().collect();
            sighting
        };
        let seen = sighting(&world, 5);
        world.held.insert(address(5), 0);
        world.register.handle_sighting(seen, DeviceId::new("made:0").unwrap());
        assert_eq!(world.register.poll_event(), Some(Event::Check(address(1))));
        world.poll(1);
        assert_eq!(world.notices, [Notice::AlsoAt(address(5))]);
        assert_eq!((world.register.len(), world.questions.len()), (2, 0));
        // When the first address dies the device is read at the other.
        world.network.remove(&1);
        world.truth.retain(|_, owner| *owner != 2);
        let seen = sighting(&world, 5);
        world.held.insert(address(5), 0);
        world.register.handle_sighting(seen, DeviceId::new("made:0").unwrap());
        assert_eq!(world.register.poll_event(), Some(Event::Check(address(1))));
        world.register.handle_silence(address(1));
        let Some(Event::Settled(settled)) = world.register.poll_event() else { panic!() };
        assert!(matches!(&settled.notices[..], [.., Notice::Moved { .. }]), "{settled:?}");
    }
}

#[test]
fn printers_behind_one_card_are_several() {
    let mut world = pair();
    world.devices[1].mac = world.devices[0].mac.clone();
    world.devices.push(Device { mac: world.devices[0].mac.clone(), serial: None, ..device(3) });
    world = World::new(world.devices);
    world.poll_all();
    world.poll_all();
    assert_eq!((world.register.len(), world.questions.len()), (3, 0));
    world.check();
}

#[test]
fn a_device_that_says_another_number_each_time_does_not_fill_the_store() {
    let mut world = pair();
    for number in 0..100 {
        world.devices[0] = Device { host_name: format!("x{number}"), ..device(1000 + number) };
        world.truth.clear();
        world.poll_all();
    }
    assert!(world.register.len() < 20, "{}", world.register.len());
}

#[derive(Debug, Clone)]
enum Action {
    Poll(u8),
    PollAll,
    AnswerChecks,
    Decide,
    Restart,
    Print(usize, u16),
    Wait(u16),
    Swap(u8, u8),
    Reboot(usize),
    Switch(usize),
    HideSerial(usize),
    HideMac(usize),
    /// Another board: whether the serial number, the MAC and the total are kept.
    Board(usize, bool, bool, bool),
    /// Another device of the same name and model in the place of this one.
    Replace(usize),
    /// A further device with the serial number of this one.
    Clone(usize),
    /// A further device, like the others in all but its marks.
    Further,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let place = || 1..=ADDRESSES;
    let device = || 0..8_usize;
    let action = prop_oneof![
        3 => place().prop_map(Action::Poll),
        4 => Just(Action::PollAll),
        2 => Just(Action::AnswerChecks),
        1 => Just(Action::Decide),
        1 => Just(Action::Restart),
        2 => (device(), 1..500_u16).prop_map(|(device, pages)| Action::Print(device, pages)),
        1 => (1..600_u16).prop_map(Action::Wait),
        4 => (place(), place()).prop_map(|(one, other)| Action::Swap(one, other)),
        1 => device().prop_map(Action::Reboot),
        2 => device().prop_map(Action::Switch),
        1 => device().prop_map(Action::HideSerial),
        1 => device().prop_map(Action::HideMac),
        2 => (device(), any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(device, serial, mac, total)| Action::Board(device, serial, mac, total)),
        1 => device().prop_map(Action::Replace),
        1 => device().prop_map(Action::Clone),
        1 => Just(Action::Further),
    ];
    prop::collection::vec(action, 1..60)
}

fn play(world: &mut World, action: Action) {
    let number = |device: usize, world: &World| device % world.devices.len();
    match action {
        Action::Poll(at) => world.poll(at),
        Action::PollAll => world.poll_all(),
        Action::AnswerChecks => world.answer_checks(),
        Action::Decide => world.decide(),
        Action::Restart => world.restart(),
        Action::Print(device, pages) => {
            let device = number(device, world);
            world.now += i64::from(pages);
            world.devices[device].total += u64::from(pages);
        }
        Action::Wait(minutes) => world.now += i64::from(minutes) * 60,
        Action::Swap(one, other) => swap(world, one, other),
        Action::Reboot(device) => {
            let device = number(device, world);
            world.devices[device].started = world.now - 60;
        }
        Action::Switch(device) => {
            let device = number(device, world);
            world.devices[device].is_on = !world.devices[device].is_on;
        }
        Action::HideSerial(device) => {
            let device = number(device, world);
            world.devices[device].hides_serial = !world.devices[device].hides_serial;
        }
        Action::HideMac(device) => {
            let device = number(device, world);
            world.devices[device].hides_mac = !world.devices[device].hides_mac;
        }
        Action::Board(which, serial, mac, total) => {
            let which = number(which, world);
            // What it keeps it has to have shown before: nobody can know a device by what it never said.
            let place = world.network.iter().find(|(_, number)| **number == which).map(|(at, _)| *at);
            let Some(place) = place.filter(|_| world.devices[which].is_on) else { return };
            (world.devices[which].hides_serial, world.devices[which].hides_mac) = (false, false);
            world.poll(place);
            world.answer_checks();
            world.boards += 1;
            let board = device(world.boards);
            let device = &mut world.devices[which];
            device.started = world.now - 60;
            // What keeps neither is another device to everyone: that is `Replace`.
            match (serial, mac) {
                (false, _) => device.serial = board.serial,
                (true, false) => device.mac = board.mac,
                (true, true) => {}
            }
            if !total {
                device.total = board.total;
            }
        }
        Action::Replace(which) => {
            let which = number(which, world);
            let place = world.network.iter().find(|(_, number)| **number == which).map(|(at, _)| *at);
            let Some(place) = place.filter(|_| world.devices.len() < 12) else { return };
            world.boards += 1;
            let host_name = world.devices[which].host_name.clone();
            world.network.insert(place, world.devices.len());
            world.devices.push(Device { host_name, ..device(world.boards) });
        }
        Action::Clone(of) => {
            let of = number(of, world);
            let serial = world.devices[of].serial.clone();
            add(world, |device| device.serial = serial);
        }
        Action::Further => add(world, |_| {}),
    }
}

fn add(world: &mut World, change: impl FnOnce(&mut Device)) {
    let free = (1..=ADDRESSES).find(|at| !world.network.contains_key(at));
    let Some(free) = free.filter(|_| world.devices.len() < 8) else { return };
    world.boards += 1;
    let mut further = device(world.boards);
    further.started = world.now - 77 * i64::from(world.boards);
    change(&mut further);
    world.network.insert(free, world.devices.len());
    world.devices.push(further);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn no_history_mixes_devices_or_doubles_one(actions in actions()) {
        let mut world = World::new((0..4).map(device).collect());
        for action in actions {
            play(&mut world, action);
        }
        // In the end everything is on and says what it can, and the person answers.
        for device in &mut world.devices {
            (device.is_on, device.hides_serial, device.hides_mac) = (true, false, false);
        }
        for _ in 0..3 {
            world.answer_checks();
            world.poll_all();
            world.check();
            world.decide();
        }
        world.poll_all();
        world.check();
        for number in world.network.values() {
            let names = world.truth.values().filter(|owner| *owner == number).count();
            prop_assert_eq!(names, 1, "{:?}", world.devices[*number]);
        }
    }
}
