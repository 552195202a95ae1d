//! Searches of a simulated network that loses, reorders and repeats packets, on a clock moved by hand.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use agent_core::arp::Mac;
use agent_core::discover::{AddressRange, AddressSet};
use agent_core::routes::{Interface, Routes};
use agent_core::search::{
    Abilities, Alive, Connection, Cursor, Event, Found, Kinds, Progress, Resume, Search, SearchPlan, Sign, Transmit,
    Unreachable,
};
use agent_core::snmp::{Credential, Transport, User};
use agent_core::tick::Tick;
use proptest::prelude::*;
use testkit::printer_sim::{Mood, Printer, Version as SimVersion};
use testkit::recording::Recording;
use testkit::usm::{self, Usm};

const OWN: Mac = Mac([2, 0, 0, 0, 0, 1]);
const ALL: Abilities = Abilities { arp: true, echo: true };
const LATENCY: Duration = Duration::from_millis(5);

/// Someone on the network. Neighbours answer ARP whatever else they do.
#[derive(Clone, Default)]
struct Host {
    printer: Option<Printer>,
    echo: bool,
    ports: Vec<u16>,
    /// Refuses what it does not take: UDP with ICMP, TCP with a reset.
    refuses: bool,
}

fn printer() -> Printer {
    let system = "1.3.6.1.2.1.1.1.0|4|A printer\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.99999.1\n";
    Printer::new(Recording::parse(system).unwrap())
}

fn printing() -> Host {
    Host { printer: Some(printer()), ..Host::default() }
}

enum Arrival {
    Snmp(SocketAddr, Vec<u8>),
    Frame(Vec<u8>),
    Echo(Ipv4Addr, Vec<u8>),
    Connection(SocketAddrV4, Connection),
    Unreachable(SocketAddrV4),
    Announcement(Ipv4Addr, Vec<u8>),
    Neighbour(Ipv4Addr),
}

struct Network {
    search: Search,
    abilities: Abilities,
    hosts: BTreeMap<Ipv4Addr, Host>,
    now: Duration,
    arrivals: BTreeMap<(Duration, u64), Arrival>,
    /// Of a thousand packets so many are lost, so many come twice.
    lost: u64,
    twice: u64,
    /// The spread of the latency.
    disorder: Duration,
    announcement: Option<Vec<u8>>,
    /// Who was asked, each time.
    asked: Vec<Ipv4Addr>,
    first_at: Option<Duration>,
    last_at: Duration,
    random: u64,
    number: u64,
}

impl Network {
    /// 10.1.0.0/16 is attached, everything else behind a router.
    fn new(abilities: Abilities) -> Self {
        let hex = |octets: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(octets));
        let line = |to, via, mask| format!("eth0 {} {} 0003 0 0 0 {}\n", hex(to), hex(via), hex(mask));
        let table = String::from("Iface\n")
            + &line([0; 4], [10, 1, 0, 1], [0; 4])
            + &line([10, 1, 0, 0], [0; 4], [255, 255, 0, 0]);
        let interface = Interface {
            index: 2,
            name: "eth0".to_owned(),
            mac: Some(OWN),
            addresses: vec!["10.1.0.5/16".parse().unwrap()],
        };
        let mut search = Search::new(7, abilities);
        search.set_routes(Routes::new(&table, &[interface]));
        search.set_rate(1000);
        Self {
            search,
            abilities,
            hosts: BTreeMap::new(),
            now: Duration::ZERO,
            arrivals: BTreeMap::new(),
            lost: 0,
            twice: 0,
            disorder: Duration::ZERO,
            announcement: None,
            asked: Vec::new(),
            first_at: None,
            last_at: Duration::ZERO,
            random: 1,
            number: 0,
        }
    }

    fn with(mut self, address: &str, host: Host) -> Self {
        self.hosts.insert(address.parse().unwrap(), host);
        self
    }

    fn start(&mut self, plan: SearchPlan) {
        self.search.start(Tick::after(self.now), plan);
    }

    /// Runs until nothing is searched, or until a moment.
    fn run_until(&mut self, end: Duration) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            while let Some(transmit) = self.search.poll_transmit(Tick::after(self.now)) {
                self.deliver(transmit);
            }
            while let Some(event) = self.search.poll_event() {
                events.push(event);
            }
            if self.search.is_idle() || self.now >= end {
                return events;
            }
            let due = self.search.poll_timeout().map(|tick| tick.since(Tick::default()));
            let arrival = self.arrivals.keys().next().map(|(at, _)| *at);
            let next = due.into_iter().chain(arrival).min().expect("something is due");
            self.now = self.now.max(next);
            while self.arrivals.first_key_value().is_some_and(|((at, _), _)| *at <= self.now) {
                let (_, arrival) = self.arrivals.pop_first().unwrap();
                self.arrive(arrival);
            }
            self.search.handle_timeout(Tick::after(self.now));
        }
    }

    fn run(&mut self) -> Vec<Event> {
        self.run_until(Duration::from_secs(24 * 3600))
    }

    fn arrive(&mut self, arrival: Arrival) {
        let now = Tick::after(self.now);
        match arrival {
            Arrival::Snmp(from, bytes) => self.search.handle_datagram(now, from, &bytes),
            Arrival::Frame(frame) => self.search.handle_frame(now, OWN, &frame),
            Arrival::Echo(from, bytes) => self.search.handle_echo(now, from, &bytes),
            Arrival::Connection(to, connection) => self.search.handle_connection(now, to, connection),
            Arrival::Unreachable(to) => self.search.handle_unreachable(now, to, Unreachable::Port),
            Arrival::Neighbour(address) => self.search.handle_neighbour(now, address, OWN),
            Arrival::Announcement(from, bytes) => self.search.handle_announcement(now, from, &bytes),
        }
    }

    fn chance(&mut self, thousandths: u64) -> bool {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % 1000 < thousandths
    }

    fn answer(&mut self, delay: Duration, make: impl Fn() -> Arrival) {
        let times = 1 + usize::from(self.chance(self.twice));
        for _ in 0..times {
            if self.chance(self.lost) {
                continue;
            }
            let spread = self.disorder * u32::from(self.chance(500));
            self.number += 1;
            self.arrivals.insert((self.now + LATENCY + spread + delay, self.number), make());
        }
    }

    fn deliver(&mut self, transmit: Transmit) {
        self.first_at.get_or_insert(self.now);
        self.last_at = self.now;
        let lost = self.chance(self.lost);
        match transmit {
            Transmit::Snmp { to, bytes } => {
                self.asked.push(*to.ip());
                let Some(mut host) = self.hosts.get(to.ip()).cloned().filter(|_| !lost) else { return };
                if !self.abilities.arp {
                    // The kernel found him, and its table is looked at now and then.
                    self.answer(Duration::from_millis(500), || Arrival::Neighbour(*to.ip()));
                }
                match &mut host.printer {
                    Some(printer) => {
                        for response in printer.answer(&bytes) {
                            self.answer(response.delay, || Arrival::Snmp(to.into(), response.bytes.clone()));
                        }
                    }
                    None if host.refuses => self.answer(Duration::ZERO, || Arrival::Unreachable(to)),
                    None => {}
                }
            }
            Transmit::Arp { interface, target, mut frame } => {
                assert_eq!((interface, &frame[38..42]), (2, &target.octets()[..]));
                self.asked.push(target);
                if self.hosts.contains_key(&target) && !lost {
                    let [.., high, low] = target.octets();
                    let card = [0, 0x11, 0x22, 0x33, high, low];
                    frame[21] = 2;
                    frame.copy_within(22..28, 32);
                    frame[22..28].copy_from_slice(&card);
                    frame[28..32].copy_from_slice(&target.octets());
                    self.answer(Duration::ZERO, || Arrival::Frame(frame.clone()));
                }
            }
            Transmit::Echo { to, mut bytes } => {
                self.asked.push(to);
                if self.hosts.get(&to).is_some_and(|host| host.echo) && !lost {
                    bytes[0] = 0;
                    self.answer(Duration::ZERO, || Arrival::Echo(to, bytes.clone()));
                }
            }
            Transmit::Connect { to } => {
                self.asked.push(*to.ip());
                // Connections are repeated by TCP: what is lost comes late.
                let (wait, connection) = match self.hosts.get(to.ip()) {
                    Some(host) if host.ports.contains(&to.port()) => (LATENCY, Connection::Taken),
                    Some(host) if host.refuses => (LATENCY, Connection::Refused),
                    _ => (Duration::from_millis(1200), Connection::Silent),
                };
                self.number += 1;
                self.arrivals.insert((self.now + wait, self.number), Arrival::Connection(to, connection));
            }
            Transmit::Question { interfaces, .. } => {
                assert_eq!(interfaces, [2]);
                if let Some(bytes) = self.announcement.clone() {
                    self.answer(Duration::ZERO, || Arrival::Announcement([10, 1, 0, 99].into(), bytes.clone()));
                }
            }
        }
    }
}

fn set(included: &[&str], excluded: &[&str]) -> AddressSet {
    let parse = |texts: &[&str]| texts.iter().map(|text| AddressRange::parse(text).unwrap()).collect::<Vec<_>>();
    AddressSet::new(&parse(included), &parse(excluded)).unwrap()
}

fn plan(range: i64, included: &str) -> SearchPlan {
    SearchPlan {
        range,
        addresses: set(&[included], &[]),
        port: 161,
        credentials: vec![Credential::v2c("public"), Credential::v1("public")],
        kinds: Kinds::ALL,
        resume: None,
    }
}

fn snmp_only(range: i64, included: &str) -> SearchPlan {
    let kinds = Kinds { snmp: true, echo: false, echo_port: false, local_agent: false, announcements: false };
    SearchPlan { kinds, credentials: vec![Credential::v2c("public")], ..plan(range, included) }
}

fn found(events: &[Event]) -> Vec<&Found> {
    events.iter().filter_map(|event| if let Event::Found(found) = event { Some(found) } else { None }).collect()
}

fn alive(events: &[Event]) -> BTreeMap<Ipv4Addr, &Alive> {
    let alive = events.iter().filter_map(|event| if let Event::Alive(alive) = event { Some(alive) } else { None });
    let all: Vec<&Alive> = alive.collect();
    let by_address: BTreeMap<_, _> = all.iter().map(|alive| (alive.address, *alive)).collect();
    assert_eq!(by_address.len(), all.len(), "everyone is told once");
    by_address
}

fn finished(events: &[Event], range: i64) -> Progress {
    let mut ends = events.iter().filter_map(|event| match event {
        Event::Finished { range: ended, progress } if *ended == range => Some(*progress),
        _ => None,
    });
    let end = ends.next().expect("the search ends");
    assert!(ends.next().is_none(), "once");
    assert_eq!((end.done, ends.next()), (1000, None));
    end
}

/// 250 addresses of a /16, spread over it.
fn many(network: [u8; 2]) -> impl Iterator<Item = Ipv4Addr> {
    let [a, b] = network;
    (0..250_u32).map(move |number| {
        let place = 17 + number * 261;
        Ipv4Addr::from(u32::from(Ipv4Addr::new(a, b, 0, 0)) + place)
    })
}

#[test]
fn a_routed_network_is_searched_at_the_set_pace() {
    let mut network = Network::new(ALL);
    network.hosts = many([10, 2]).map(|address| (address, printing())).collect();
    network.search.set_rate(10_000);
    network.start(snmp_only(1, "10.2.0.0/16"));
    let events = network.run_until(Duration::from_secs(7));
    assert_eq!(found(&events).len(), 250, "by the end of the first pass");
    let sent = network.asked.len();
    assert!(sent >= 65_534 + 250, "{sent} packets in 7 s");
    network.run();
    // A second pass over the silent ones, controls, and no more: nothing was lost.
    assert!((131_000..=132_500).contains(&network.asked.len()), "{}", network.asked.len());
    let pace = network.asked.len() as f64 / (network.last_at - network.first_at.unwrap()).as_secs_f64();
    assert!((9_000.0..=10_010.0).contains(&pace), "{pace}");
}

#[test]
fn loss_disorder_and_repeats_cost_no_device() {
    for (network_of, lost, seed) in [([10, 2], 50, 1), ([10, 2], 50, 2), ([10, 1], 50, 3), ([10, 1], 50, 4)] {
        let mut network = Network::new(ALL);
        network.hosts = many(network_of).map(|address| (address, printing())).collect();
        (network.lost, network.twice, network.random) = (lost, 30, seed);
        network.disorder = Duration::from_millis(300);
        network.search.set_rate(10_000);
        network.start(snmp_only(1, &format!("10.{}.0.0/16", network_of[1])));
        let events = network.run();
        let addresses: BTreeSet<_> = found(&events).iter().map(|found| found.address).collect();
        assert_eq!((addresses.len(), found(&events).len()), (250, 250), "{network_of:?}, seed {seed}");
        assert_eq!(finished(&events, 1).found, 250);
    }
}

#[test]
fn only_neighbours_that_are_there_are_asked_over_snmp() {
    let mut network = Network::new(ALL)
        .with("10.1.3.7", printing())
        .with("10.1.3.8", Host { echo: true, ..Host::default() })
        .with("10.1.3.9", Host { ports: vec![9418], refuses: true, ..Host::default() });
    let mut of_snmp = BTreeSet::new();
    network.start(plan(1, "10.1.3.0/24"));
    let mut events = Vec::new();
    while !network.search.is_idle() {
        let before = network.asked.len();
        events.extend(network.run_until(network.now + Duration::from_millis(100)));
        of_snmp.extend(network.asked[before..].iter().copied());
    }
    assert_eq!(of_snmp.len(), 254, "every address is asked for");
    // Three passes of ARP over 252 or so; all else went to three hosts.
    assert!(network.asked.len() < 3 * 254 + 60, "{}", network.asked.len());
    let found = found(&events);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].mac, Some(Mac([0, 0x11, 0x22, 0x33, 3, 7])));
    let alive = alive(&events);
    let signs = |host: [u8; 4]| alive[&host.into()].signs.iter().copied().collect::<Vec<_>>();
    assert_eq!(signs([10, 1, 3, 7]), [Sign::Snmp, Sign::Arp]);
    assert_eq!(signs([10, 1, 3, 8]), [Sign::Arp, Sign::Echo]);
    assert_eq!(signs([10, 1, 3, 9]), [Sign::Arp, Sign::SnmpClosed, Sign::TcpRefused, Sign::LocalAgent]);
    assert_eq!(finished(&events, 1).alive, 3);
}

#[test]
fn without_arp_the_kernel_finds_neighbours_a_bounded_number_at_a_time() {
    let mut network = Network::new(Abilities { arp: false, echo: true }).with("10.1.3.7", printing());
    network.search.set_rate(10_000);
    network.start(snmp_only(1, "10.1.0.0/21"));
    // A neighbour that is silent on SNMP, which only the kernel's table tells.
    let mut events = network.run_until(Duration::from_secs(10));
    assert!(network.search.wants_neighbours());
    assert!(network.asked.len() <= 4 * 256, "{} in 10 s", network.asked.len());
    network.search.handle_neighbour(Tick::after(network.now), [10, 1, 3, 8].into(), Mac([0, 1, 2, 3, 4, 5]));
    network.search.handle_neighbour(Tick::after(network.now), [10, 1, 99, 8].into(), Mac([0, 1, 2, 3, 4, 6]));
    events.extend(network.run());
    assert_eq!(found(&events).len(), 1);
    assert_eq!(
        alive(&events).keys().copied().collect::<Vec<_>>(),
        [Ipv4Addr::from([10, 1, 3, 7]), Ipv4Addr::from([10, 1, 3, 8])]
    );
}

#[test]
fn the_first_credential_that_is_answered_to_counts() {
    let old = Host { printer: Some(printer().with_newest_version(SimVersion::V1)), ..Host::default() };
    let secret = Host { printer: Some(printer().with_community("s3cret")), ..Host::default() };
    for seed in 0..20 {
        let mut network = Network::new(ALL)
            .with("10.2.3.7", printing())
            .with("10.2.3.8", old.clone())
            .with("10.2.3.9", secret.clone());
        (network.lost, network.random) = (100, seed);
        let mut plan = plan(1, "10.2.3.0/28");
        plan.credentials.push(Credential::v2c("s3cret"));
        network.start(plan.clone());
        let events = network.run();
        let by_address: BTreeMap<_, _> =
            found(&events).iter().map(|found| (found.address.to_string(), found.credentials[0].clone())).collect();
        let expected = [("10.2.3.7:161", 0), ("10.2.3.8:161", 1), ("10.2.3.9:161", 2)];
        let expected = expected.map(|(address, number)| (address.to_owned(), plan.credentials[number].clone()));
        assert_eq!(by_address, BTreeMap::from(expected), "seed {seed}");
    }
}

fn user(name: &str) -> Credential {
    Credential::v3(User::new(name, None, None).unwrap())
}

#[test]
fn one_question_for_the_engine_serves_all_users() {
    let known = usm::User { name: "monitor".to_owned(), auth: None, privacy: None, reeder: false };
    let engine = Usm::new(&[0x80, 0, 0x1f, 0x88, 4, b'p', b'r', b'i', b'n', b't', b'e', b'r'], vec![known]);
    let modern = Host { printer: Some(printer().with_usm(engine).without_communities()), ..Host::default() };
    let mut network = Network::new(ALL).with("10.2.3.7", modern).with("10.2.3.9", printing());
    let users = vec![user("other"), user("monitor")];
    let mut plan = snmp_only(1, "10.2.3.0/28");
    plan.credentials = [users.clone(), vec![Credential::v2c("public")]].concat();
    network.start(plan);
    let events = network.run();
    let found = found(&events);
    let of = |host: [u8; 4]| found.iter().find(|found| found.address.ip() == Ipv4Addr::from(host)).unwrap();
    assert_eq!((found.len(), &of([10, 2, 3, 7]).credentials), (2, &users));
    assert!(of([10, 2, 3, 7]).engine.is_some(), "what a reading need not ask again");
    assert_eq!(of([10, 2, 3, 9]).credentials, [Credential::v2c("public")]);
    let asked = network.asked.iter().filter(|address| **address == Ipv4Addr::from([10, 2, 3, 1])).count();
    assert_eq!(asked, 4, "two questions, twice");
    // Who has no such user set up learns at least that there is an agent.
    let mut network = Network::new(ALL);
    let known = usm::User { name: "monitor".to_owned(), auth: None, privacy: None, reeder: false };
    let engine = Usm::new(&[0x80, 0, 0x1f, 0x88, 4, b'p', b'r', b'i', b'n', b't'], vec![known]);
    let modern = Host { printer: Some(printer().with_usm(engine).without_communities()), ..Host::default() };
    network = network.with("10.1.3.7", modern);
    network.start(snmp_only(1, "10.1.3.0/28"));
    let events = network.run();
    let signs: Vec<_> = alive(&events)[&[10, 1, 3, 7].into()].signs.iter().copied().collect();
    assert_eq!(signs, [Sign::SnmpEngine, Sign::Arp]);
}

#[test]
fn over_tcp_a_connection_that_is_taken_is_the_answer() {
    let mut network = Network::new(ALL)
        .with("10.2.3.7", Host { ports: vec![161], ..Host::default() })
        .with("10.2.3.8", Host { refuses: true, ..Host::default() });
    let mut plan = snmp_only(1, "10.2.3.0/28");
    plan.credentials = ["public", "other"].map(|name| Credential::v2c(name).over(Transport::Tcp)).to_vec();
    let credentials = plan.credentials.clone();
    network.start(plan);
    let events = network.run();
    assert_eq!(found(&events).len(), 1);
    assert_eq!(found(&events)[0].credentials, credentials);
    assert_eq!(alive(&events).len(), 2);
}

#[test]
fn slow_controllers_are_waited_for() {
    for delay in [0, 900, 1200, 2500, 3900] {
        let slow = printer().with_mood(Mood::Slow(Duration::from_millis(delay)));
        let mut network = Network::new(ALL).with("10.2.3.7", Host { printer: Some(slow), ..Host::default() });
        network.start(plan(1, "10.2.3.0/28"));
        let events = network.run();
        assert_eq!(found(&events).len(), 1, "{delay} ms");
        assert_eq!(finished(&events, 1).alive, 1, "{delay} ms");
    }
}

#[test]
fn who_is_silent_on_snmp_is_told_with_what_it_answers_to() {
    let mut network = Network::new(ALL)
        .with("10.2.3.7", Host { echo: true, ..Host::default() })
        .with("10.2.3.8", Host { ports: vec![7, 9418], ..Host::default() })
        .with("10.2.3.9", Host { refuses: true, ..Host::default() });
    network.start(plan(1, "10.2.3.0/24"));
    let events = network.run();
    let alive = alive(&events);
    let signs = |host: [u8; 4]| alive[&host.into()].signs.iter().copied().collect::<Vec<_>>();
    assert_eq!(alive.len(), 3);
    assert_eq!(signs([10, 2, 3, 7]), [Sign::Echo]);
    assert_eq!(signs([10, 2, 3, 8]), [Sign::EchoPort, Sign::LocalAgent]);
    assert_eq!(signs([10, 2, 3, 9]), [Sign::SnmpClosed, Sign::TcpRefused]);
}

#[test]
fn a_small_range_does_not_wait_for_a_large_one() {
    let mut network = Network::new(ALL).with("10.3.0.9", printing());
    network.search.set_rate(200);
    network.start(snmp_only(1, "10.2.0.0/16"));
    network.start(snmp_only(2, "10.3.0.0/28"));
    let events = network.run_until(Duration::from_secs(20));
    assert_eq!(finished(&events, 2).found, 1);
    assert!(!network.search.is_idle(), "the large one goes on");
    let left = network.search.progress().next().unwrap().1.left.as_secs();
    // Two passes over 65,534 addresses at 200 a second take 655 s, less what is done.
    assert!((560..=660).contains(&left), "{left}");
    let again = network.run();
    assert!(network.now < Duration::from_secs(670), "{:?}", network.now);
    assert_eq!(finished(&again, 1).found, 0);
}

#[test]
fn an_interrupted_search_goes_on_where_it_was() {
    let mut network = Network::new(ALL).with("10.2.0.9", printing()).with("10.2.3.9", printing());
    network.search.set_rate(200);
    network.start(snmp_only(1, "10.2.0.0/22"));
    let before = network.run_until(Duration::from_secs(3));
    assert_eq!(found(&before).len(), 1);
    let (_, cursor) = network.search.cursors().next().unwrap();
    assert!((500..=620).contains(&cursor.next), "{cursor:?}");
    let hosts = network.hosts.clone();
    let mut network = Network::new(ALL);
    network.hosts = hosts;
    let known = vec![Ipv4Addr::from([10, 2, 0, 9])];
    network.start(SearchPlan { resume: Some(Resume { cursor, known }), ..snmp_only(1, "10.2.0.0/22") });
    let after = network.run();
    assert_eq!(found(&after).len(), 1, "the other one");
    assert!(!network.asked.contains(&[10, 2, 0, 9].into()), "who is known is not asked again");
    assert!(network.asked.len() < 1022 * 2 - 400, "{}", network.asked.len());
    // A cursor that fits nothing ends in a finished search, not in trouble.
    let cursor = Cursor { lane: 9, pass: 200, ask: 7, next: u32::MAX };
    network.start(SearchPlan { resume: Some(Resume { cursor, known: Vec::new() }), ..plan(3, "10.2.0.0/22") });
    finished(&network.run(), 3);
}

#[test]
fn addresses_without_a_route_are_counted_and_not_tried_for_long() {
    let mut network = Network::new(ALL);
    network.start(snmp_only(1, "10.2.0.0/24"));
    let mut asked = 0;
    while !network.search.is_idle() {
        network.run_until(network.now + Duration::from_millis(1));
        for address in network.asked.drain(..).collect::<Vec<_>>() {
            asked += 1;
            let to = SocketAddrV4::new(address, 161);
            network.search.handle_unreachable(Tick::after(network.now), to, Unreachable::Route);
        }
        let no_route = network.search.progress().next().map_or(254, |(_, progress)| progress.no_route);
        assert_eq!(no_route, asked);
    }
    assert_eq!(asked, 254);
}

/// Runs, and says of every address without a host, as soon as it is asked, that nobody is there; until as many questions were
/// asked. Gives how often each address was asked.
fn give_up(network: &mut Network, why: Unreachable, questions: usize) -> (Vec<Event>, BTreeMap<Ipv4Addr, usize>) {
    let (mut events, mut asked) = (Vec::new(), BTreeMap::new());
    while !network.search.is_idle() && asked.values().sum::<usize>() < questions {
        events.extend(network.run_until(network.now + Duration::from_millis(1)));
        for address in network.asked.drain(..).collect::<Vec<_>>() {
            *asked.entry(address).or_default() += 1;
            let to = SocketAddrV4::new(address, 161);
            // Twice, as for two questions of one pass.
            for _ in 0..if network.hosts.contains_key(&address) { 0 } else { 2 } {
                network.search.handle_unreachable(Tick::after(network.now), to, why);
            }
        }
    }
    (events, asked)
}

#[test]
fn who_is_given_up_once_is_asked_once_more() {
    for (arp, why, range, late) in [
        (true, Unreachable::Host, "10.2.3.0/28", "10.2.3.9"),
        (false, Unreachable::Neighbour, "10.1.3.0/28", "10.1.3.9"),
    ] {
        let mut network = Network::new(Abilities { arp, echo: false });
        network.start(snmp_only(1, range));
        let (_, asked) = give_up(&mut network, why, 14);
        assert_eq!(asked.len(), 14, "everyone, once");
        let mut network = network.with(late, printing());
        let (events, _) = give_up(&mut network, why, usize::MAX);
        assert_eq!(found(&events).len(), 1, "{why:?}: a printer that wakes late");
    }
}

#[test]
fn who_is_given_up_twice_is_left_alone() {
    let mut network = Network::new(ALL);
    network.hosts = many([10, 2]).take(20).map(|address| (address, printing())).collect();
    network.lost = 250;
    network.start(snmp_only(1, "10.2.0.0/19"));
    let (events, asked) = give_up(&mut network, Unreachable::Host, usize::MAX);
    let most = |there: bool| {
        let of = asked.iter().filter(|(address, _)| network.hosts.contains_key(*address) == there);
        of.map(|(_, times)| *times).max()
    };
    assert_eq!((found(&events).len(), most(false)), (20, Some(2)), "however much is lost");
    assert!(most(true) > Some(2));
    // The kernel takes seconds over a neighbour: in a large network each gets its three requests once.
    let mut network = Network::new(Abilities { arp: false, echo: false });
    network.start(snmp_only(1, "10.1.8.0/21"));
    let (_, asked) = give_up(&mut network, Unreachable::Neighbour, usize::MAX);
    assert_eq!((asked.len(), asked.values().max()), (2046, Some(&1)));
}

/// An answer of multicast DNS that names a printer at an address.
fn announcement(address: [u8; 4]) -> Vec<u8> {
    let name = |labels: &[&str]| {
        let mut bytes: Vec<u8> = labels
            .iter()
            .flat_map(|label| [&[u8::try_from(label.len()).unwrap()][..], label.as_bytes()].concat())
            .collect();
        bytes.push(0);
        bytes
    };
    let instance = name(&["Front desk", "_ipp", "_tcp", "local"]);
    let record = |owner: Vec<u8>, kind: u8, data: Vec<u8>| {
        [owner, vec![0, kind, 0, 1, 0, 0, 0, 120, 0, u8::try_from(data.len()).unwrap()], data].concat()
    };
    let mut bytes = vec![0, 0, 0x84, 0, 0, 0, 0, 3, 0, 0, 0, 0];
    bytes.extend(record(name(&["_ipp", "_tcp", "local"]), 12, instance.clone()));
    bytes.extend(record(instance, 33, [vec![0, 0, 0, 0, 2, 119], name(&["desk", "local"])].concat()));
    bytes.extend(record(name(&["desk", "local"]), 1, address.to_vec()));
    bytes
}

#[test]
fn announced_printers_come_first_where_a_range_has_them_and_are_left_alone_elsewhere() {
    for (address, inside) in [([10, 1, 200, 7], true), ([10, 1, 201, 7], false), ([192, 0, 2, 7], false)] {
        let mut network = Network::new(ALL);
        network.hosts.insert(address.into(), printing());
        network.announcement = Some(announcement(address));
        network.search.set_rate(100);
        network.start(plan(1, "10.1.200.0/24"));
        let events = network.run_until(Duration::from_millis(300));
        assert_eq!(found(&events).len(), usize::from(inside), "{address:?}");
        let rest = network.run();
        assert_eq!(network.asked.contains(&address.into()), inside);
        let names: Vec<_> = alive(&rest).values().filter_map(|alive| alive.name.clone()).collect();
        assert_eq!(names, vec!["Front desk".to_owned(); usize::from(inside)]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever ranges, exclusions, hints, answers and rubbish there are: nothing outside is ever sent anything, everything
    /// inside is, everyone there is told once, and the search ends.
    #[test]
    fn nothing_outside_the_ranges_is_ever_asked(
        included in proptest::collection::vec((0_u32..1024, 0_u32..200, any::<bool>()), 1..4),
        excluded in proptest::collection::vec((0_u32..1024, 0_u32..80, any::<bool>()), 0..4),
        there in proptest::collection::vec((0_u32..1024, any::<bool>(), 0_usize..5), 0..30),
        hint in (0_u32..1024, any::<bool>()),
        arp: bool,
        echo: bool,
        seed: u64,
        rubbish in proptest::collection::vec((any::<u32>(), proptest::collection::vec(any::<u8>(), 0..60)), 0..10),
    ) {
        let address = |offset: u32, attached: bool| Ipv4Addr::from(if attached { 0x0a01_0000 } else { 0x0a02_0000 } + offset);
        let ranges = |spans: &[(u32, u32, bool)]| spans.iter().map(|(first, length, attached)| {
            AddressRange::parse(&format!("{}-{}", address(*first, *attached), address(first + length, *attached))).unwrap()
        }).collect::<Vec<_>>();
        let addresses = AddressSet::new(&ranges(&included), &ranges(&excluded)).unwrap();
        let mut network = Network::new(Abilities { arp, echo });
        for (offset, attached, kind) in there {
            let host = match kind {
                0 => printing(),
                1 => Host { printer: Some(printer().with_newest_version(SimVersion::V1)), ..Host::default() },
                2 => Host { echo: true, ..Host::default() },
                3 => Host { ports: vec![9418, 7], ..Host::default() },
                _ => Host { refuses: true, ..Host::default() },
            };
            network.hosts.insert(address(offset, attached), host);
        }
        network.random = seed;
        network.announcement = Some(announcement(address(hint.0, hint.1).octets()));
        network.start(SearchPlan { addresses: addresses.clone(), ..plan(1, "10.2.0.0/16") });
        for (from, bytes) in rubbish {
            let now = Tick::after(network.now);
            network.search.handle_datagram(now, SocketAddr::from((Ipv4Addr::from(from), 161)), &bytes);
            network.search.handle_frame(now, OWN, &bytes);
            network.search.handle_echo(now, from.into(), &bytes);
            network.search.handle_announcement(now, from.into(), &bytes);
            network.search.handle_neighbour(now, from.into(), OWN);
            network.search.handle_connection(now, SocketAddrV4::new(from.into(), 9418), Connection::Taken);
            network.search.handle_unreachable(now, SocketAddrV4::new(from.into(), 161), Unreachable::Port);
        }
        let events = network.run();
        finished(&events, 1);
        let asked: BTreeSet<Ipv4Addr> = network.asked.iter().copied().collect();
        for address in &asked {
            prop_assert!(addresses.number(*address).is_some(), "{address} was asked");
        }
        for address in addresses.iter() {
            prop_assert!(asked.contains(&address), "{address} was not asked");
        }
        let alive = alive(&events);
        for (address, host) in &network.hosts {
            let seen = alive.contains_key(address);
            let inside = addresses.number(*address).is_some();
            prop_assert!(inside || !seen);
            prop_assert!(!inside || host.printer.is_none() || seen, "{address} prints and was not found");
        }
    }
}
