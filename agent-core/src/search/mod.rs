//! A search: finds out who is there in ranges of addresses, at a set pace, whatever way leads to them.
//!
//! Neighbours on attached networks are asked for by ARP, and only those that are there are asked further; addresses behind
//! routers are asked over SNMP directly, and the silent ones again, as often as the loss that was seen calls for. Ranges take
//! turns, so that a small one does not wait for a large one. Nothing is sent to an address outside the ranges.
//!
//! The caller's loop is that of [`crate::engine::Engine`]: [`Search::poll_transmit`] until `None`, [`Search::poll_event`] until
//! `None`, then wait for input or until [`Search::poll_timeout`].

mod hosts;
mod sweep;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use crate::arp::{self, Mac};
use crate::discover::AddressSet;
use crate::dns_sd;
use crate::echo;
use crate::gate::Readable;
use crate::routes::{Reach, Routes};
use crate::snmp::Credential;
use crate::snmp::message::{Operation, decode_response, encode_request};
use crate::snmp::v3::{Message, encode_discovery, is_v3};
use crate::tick::Tick;
use sweep::{Ask, Purpose, SnmpQuestion, Sweep, Turn};

/// A caller that comes late may catch up on at most so much time at once, so that no burst floods a link.
const CATCH_UP: Duration = Duration::from_millis(200);
/// How long an answer is taken after its question: some controllers need seconds to wake.
const LATE: Duration = Duration::from_secs(5);
/// Connections tried at the same time: each is an open file.
const MAX_CONNECTING: usize = 128;
/// Neighbours that the kernel may be looking for at the same time where ARP is left to it. Each fills a place in its table
/// (1,024 by default, for all programs together) and holds a datagram in the send buffer, for as long as [`NUDGE`].
const MAX_NUDGES: usize = 256;
/// How long the kernel looks for a neighbour.
const NUDGE: Duration = Duration::from_millis(3_200);
/// The ports of TCP echo and of the bridge for USB printers.
const ECHO_PORT: u16 = 7;
/// See [`ECHO_PORT`].
const LOCAL_AGENT_PORT: u16 = 9418;

/// Which questions are asked in a range, apart from ARP, without which there are no neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds {
    /// SNMP with the range's credentials.
    pub snmp: bool,
    /// ICMP echo.
    pub echo: bool,
    /// A connection to TCP port 7.
    pub echo_port: bool,
    /// A connection to TCP port 9418.
    pub local_agent: bool,
    /// Multicast DNS: who announces a printer.
    pub announcements: bool,
}

impl Kinds {
    /// Every kind.
    pub const ALL: Self = Self { snmp: true, echo: true, echo_port: true, local_agent: true, announcements: true };
    /// The words of all kinds.
    pub const WORDS: [&str; 5] = ["snmp", "icmp", "tcp-echo", "local-agent", "dns-sd"];

    /// The kinds with these words, or the word that is none.
    pub fn from_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let none = Self { snmp: false, echo: false, echo_port: false, local_agent: false, announcements: false };
        words.into_iter().try_fold(none, |kinds, word| match word {
            "snmp" => Ok(Self { snmp: true, ..kinds }),
            "icmp" => Ok(Self { echo: true, ..kinds }),
            "tcp-echo" => Ok(Self { echo_port: true, ..kinds }),
            "local-agent" => Ok(Self { local_agent: true, ..kinds }),
            "dns-sd" => Ok(Self { announcements: true, ..kinds }),
            unknown => Err(unknown),
        })
    }

    /// The words of these kinds.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let chosen = [self.snmp, self.echo, self.echo_port, self.local_agent, self.announcements];
        Self::WORDS.into_iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(word, _)| word)
    }
}

/// One range to search.
#[derive(Debug, Clone)]
pub struct SearchPlan {
    /// The caller's number for it.
    pub range: i64,
    /// Where.
    pub addresses: AddressSet,
    /// UDP port of SNMP.
    pub port: u16,
    /// With which credentials, in this order.
    pub credentials: Vec<Credential>,
    /// What is asked.
    pub kinds: Kinds,
    /// Where to go on, after an interruption.
    pub resume: Option<Resume>,
}

/// What an interrupted search goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// How far it was.
    pub cursor: Cursor,
    /// Who was found; they are not asked again.
    pub known: Vec<Ipv4Addr>,
}

/// How far a search is, in four numbers that mean something only together with the same plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "they mean something to the search only")]
pub struct Cursor {
    pub lane: u8,
    pub pass: u8,
    pub ask: u8,
    pub next: u32,
}

/// What the caller can send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// ARP on packet sockets.
    pub arp: bool,
    /// ICMP echo.
    pub echo: bool,
}

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transmit {
    /// A datagram of SNMP.
    Snmp {
        /// Where to.
        to: SocketAddrV4,
        /// Its payload.
        bytes: Vec<u8>,
    },
    /// A frame of ARP.
    Arp {
        /// On which interface.
        interface: u32,
        /// Whom it asks for.
        target: Ipv4Addr,
        /// All of it.
        frame: Vec<u8>,
    },
    /// A message of ICMP.
    Echo {
        /// Where to.
        to: Ipv4Addr,
        /// Its payload.
        bytes: Vec<u8>,
    },
    /// A TCP connection to be tried and closed again; [`Search::handle_connection`] tells what came of it.
    Connect {
        /// Where to.
        to: SocketAddrV4,
    },
    /// A datagram to [`dns_sd::GROUP`].
    Question {
        /// On these interfaces.
        interfaces: Vec<u32>,
        /// Its payload.
        bytes: Vec<u8>,
    },
}

/// What came of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// Someone took it.
    Taken,
    /// Someone refused it: he is there.
    Refused,
    /// Nobody answered, or it could not be tried.
    Silent,
}

/// What the network said about a datagram of SNMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    /// The host is there and nothing listens on the port.
    Port,
    /// A router says that the host is not there.
    Host,
    /// This machine's kernel looked for the neighbour that leads there, in vain.
    Neighbour,
    /// This machine has no way to the address.
    Route,
}

/// Signs of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// Answered SNMP.
    Snmp,
    /// Speaks SNMPv3, and perhaps with the right user: its engine says who it is.
    SnmpEngine,
    /// Answered ARP.
    Arp,
    /// Answered ICMP echo.
    Echo,
    /// Says that nothing listens on the SNMP port.
    SnmpClosed,
    /// Refused a TCP connection.
    TcpRefused,
    /// Took a connection on TCP port 7.
    EchoPort,
    /// Took a connection on TCP port 9418: a LocalAgent.
    LocalAgent,
    /// Announces a printer by multicast DNS.
    Announced,
}

impl Sign {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Snmp,
        Self::SnmpEngine,
        Self::Arp,
        Self::Echo,
        Self::SnmpClosed,
        Self::TcpRefused,
        Self::EchoPort,
        Self::LocalAgent,
        Self::Announced,
    ];

    /// The word under which it is stored and printed.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Snmp => "snmp",
            Self::SnmpEngine => "snmp-engine",
            Self::Arp => "arp",
            Self::Echo => "icmp-echo",
            Self::SnmpClosed => "snmp-port-closed",
            Self::TcpRefused => "tcp-refused",
            Self::EchoPort => "tcp-echo",
            Self::LocalAgent => "local-agent",
            Self::Announced => "dns-sd",
        }
    }

    /// The sign of a word.
    pub fn from_keyword(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sign| sign.keyword() == word)
    }
}

/// Someone who answered SNMP; told as soon as it is clear to which credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The range.
    pub range: i64,
    /// Where.
    pub address: SocketAddr,
    /// The first of the range's credentials that he answers to. Where the answer does not tell which of several it was, all of
    /// those.
    pub credentials: Vec<Credential>,
    /// His card, where he is a neighbour.
    pub mac: Option<Mac>,
    /// His answer to SNMPv3's discovery, for [`crate::engine::Engine::learn_engine`].
    pub engine: Option<Vec<u8>>,
}

/// What someone who is there and no printer seems to be, by his signs of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// Takes connections on TCP port 9418.
    LocalAgent,
    /// Answers SNMP, and is no printer.
    SnmpDevice,
    /// Speaks SNMPv3, but not with the range's users.
    OtherUser,
    /// Says that nothing listens on the SNMP port.
    SnmpOff,
    /// Does not answer SNMP.
    Silent,
}

impl Stranger {
    /// By these signs.
    pub fn of(signs: &BTreeSet<Sign>) -> Self {
        let telling = [
            (Sign::LocalAgent, Self::LocalAgent),
            (Sign::Snmp, Self::SnmpDevice),
            (Sign::SnmpEngine, Self::OtherUser),
            (Sign::SnmpClosed, Self::SnmpOff),
        ];
        telling.into_iter().find(|(sign, _)| signs.contains(sign)).map_or(Self::Silent, |(_, stranger)| stranger)
    }
}

/// Someone who is there; told when everything has been asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alive {
    /// The range.
    pub range: i64,
    /// Where.
    pub address: Ipv4Addr,
    /// His card, where he is a neighbour.
    pub mac: Option<Mac>,
    /// How he showed it.
    pub signs: BTreeSet<Sign>,
    /// What he announces himself as.
    pub name: Option<String>,
}

/// How far the search of a range is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Addresses in all.
    pub addresses: u64,
    /// How much of the work is done, in thousandths.
    pub done: u32,
    /// How often the silent ones are being asked again.
    pub again: u8,
    /// Packets sent.
    pub sent: u64,
    /// Who answered SNMP.
    pub found: u64,
    /// Who is there, those included.
    pub alive: u64,
    /// Addresses to which this machine has no way.
    pub no_route: u64,
    /// About how long it will still take.
    pub left: Duration,
}

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Someone answered SNMP.
    Found(Found),
    /// Someone is there.
    Alive(Alive),
    /// A range is done.
    Finished {
        /// Which.
        range: i64,
        /// What came of it.
        progress: Progress,
    },
}

/// A datagram of SNMP that may still be answered.
#[derive(Debug, Clone, Copy)]
struct Probe {
    range: i64,
    address: Ipv4Addr,
    credential: usize,
    purpose: Purpose,
    sent: Tick,
}

/// See the module's page for the caller's loop.
#[derive(Debug)]
pub struct Search {
    routes: Routes,
    abilities: Abilities,
    rate: u32,
    secret: u64,
    /// Ranges in the order of their turns.
    sweeps: VecDeque<Sweep>,
    /// Datagrams under way; the id of the first is `first_id`, those of the others follow.
    probes: VecDeque<Probe>,
    first_id: i32,
    /// Connections under way, with the ranges that want to know.
    connecting: BTreeMap<SocketAddrV4, Vec<i64>>,
    nudges: VecDeque<Tick>,
    next_send: Tick,
    events: VecDeque<Event>,
    strays: u64,
}

impl Search {
    /// A search of nothing yet. `seed` makes its questions hard to guess for someone who is not on the path.
    pub fn new(seed: u64, abilities: Abilities) -> Self {
        let [a, b, c, d, ..] = seed.to_be_bytes();
        Self {
            routes: Routes::default(),
            abilities,
            rate: 1,
            secret: seed,
            sweeps: VecDeque::new(),
            probes: VecDeque::new(),
            first_id: i32::from_be_bytes([a & 0x3f, b, c, d]),
            connecting: BTreeMap::new(),
            nudges: VecDeque::new(),
            next_send: Tick::default(),
            events: VecDeque::new(),
            strays: 0,
        }
    }

    /// Packets a second, all ranges together; at least 1.
    pub fn set_rate(&mut self, rate: u32) {
        self.rate = rate.max(1);
    }

    /// The routes of this machine; they decide about ranges that are started from here on.
    pub fn set_routes(&mut self, routes: Routes) {
        self.routes = routes;
    }

    /// Starts with a range, beside those that are under way. One of the same number ends here.
    pub fn start(&mut self, now: Tick, plan: SearchPlan) {
        self.stop(plan.range);
        self.sweeps.push_back(Sweep::new(now, plan, &self.routes, self.abilities));
    }

    /// Ends a range before its end.
    pub fn stop(&mut self, range: i64) {
        self.sweeps.retain(|sweep| sweep.range() != range);
    }

    /// Whether nothing is searched.
    pub fn is_idle(&self) -> bool {
        self.sweeps.is_empty()
    }

    /// How far each range is.
    pub fn progress(&self) -> impl Iterator<Item = (i64, Progress)> {
        let share = u32::try_from(self.sweeps.len()).unwrap_or(u32::MAX);
        let rate = self.rate / share.max(1);
        self.sweeps.iter().map(move |sweep| (sweep.range(), sweep.progress(rate.max(1))))
    }

    /// How far each range is, to go on from there another time.
    pub fn cursors(&self) -> impl Iterator<Item = (i64, Cursor)> {
        self.sweeps.iter().map(|sweep| (sweep.range(), sweep.cursor()))
    }

    /// Whether neighbours are being looked for by the kernel: then its table tells who was found.
    pub fn wants_neighbours(&self) -> bool {
        !self.nudges.is_empty()
    }

    /// Datagrams that belonged to nothing.
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// The next thing to send, when its time has come.
    pub fn poll_transmit(&mut self, now: Tick) -> Option<Transmit> {
        while self.probes.front().is_some_and(|probe| now.since(probe.sent) > LATE) {
            self.probes.pop_front();
            self.first_id = id_after(self.first_id, 1);
        }
        while self.nudges.front().is_some_and(|sent| now.since(*sent) > NUDGE) {
            self.nudges.pop_front();
        }
        if now < self.next_send {
            return None;
        }
        for _ in 0..self.sweeps.len() {
            let mut sweep = self.sweeps.pop_front()?;
            let next = sweep.poll_ask(now, &self.turn());
            let transmit = next.and_then(|(address, ask, purpose)| self.transmit(now, &sweep, address, ask, purpose));
            self.sweeps.push_back(sweep);
            if transmit.is_some() {
                let gap = Duration::from_secs(1) / self.rate;
                let earliest = Tick::default() + now.since(Tick::default()).saturating_sub(CATCH_UP);
                self.next_send = self.next_send.max(earliest) + gap;
                return transmit;
            }
        }
        None
    }

    /// When [`Self::handle_timeout`] and [`Self::poll_transmit`] have to be called next, if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Tick> {
        let may = self.turn();
        let ready = self.sweeps.iter().filter_map(|sweep| sweep.poll_timeout(&may)).min();
        let nudged = self.nudges.front().filter(|_| !may.nudge).map(|sent| *sent + NUDGE + Duration::from_millis(1));
        ready.into_iter().chain(nudged).min().map(|tick| tick.max(self.next_send))
    }

    fn turn(&self) -> Turn<'_> {
        Turn {
            connect: self.connecting.len() < MAX_CONNECTING,
            nudge: self.nudges.len() < MAX_NUDGES,
            routes: &self.routes,
        }
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Tick) {
        for sweep in &mut self.sweeps {
            sweep.handle_timeout(now);
        }
        self.collect(now);
    }

    /// The next thing that has happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes a datagram of SNMP; only an answer from the address that was asked counts.
    pub fn handle_datagram(&mut self, now: Tick, from: SocketAddr, bytes: &[u8]) {
        let SocketAddr::V4(from) = from else { return };
        let engine = is_v3(bytes);
        let id = if engine { engine_answer(bytes) } else { decode_response(bytes).ok().map(|it| it.request_id) };
        let number = id.and_then(|id| id.checked_sub(self.first_id)).and_then(|number| usize::try_from(number).ok());
        let Some(probe) = number.and_then(|number| self.probes.get(number)).copied() else {
            self.strays += 1;
            return;
        };
        let sweep = self.sweeps.iter_mut().find(|sweep| sweep.range() == probe.range);
        let fits = |sweep: &&mut Sweep| {
            let asked_engine = match sweep.question(probe.credential) {
                Some(SnmpQuestion::Community(_)) => false,
                Some(SnmpQuestion::Engine) | None => true,
            };
            probe.address == *from.ip() && sweep.port() == from.port() && asked_engine == engine
        };
        match sweep.filter(fits) {
            Some(sweep) => {
                let engine = engine.then(|| bytes.to_vec());
                sweep.handle_answer(now, probe.address, probe.credential, probe.purpose, engine);
            }
            None => self.strays += 1,
        }
        self.collect(now);
    }

    /// Takes a frame from a packet socket.
    pub fn handle_frame(&mut self, now: Tick, own: Mac, frame: &[u8]) {
        if let Some((address, mac)) = arp::decode_reply(own, frame) {
            self.handle_neighbour(now, address, mac);
        }
    }

    /// Takes a neighbour from the kernel's table.
    pub fn handle_neighbour(&mut self, now: Tick, address: Ipv4Addr, mac: Mac) {
        let attached = matches!(self.routes.reach(address), Reach::Attached { .. });
        for sweep in self.sweeps.iter_mut().filter(|_| attached) {
            sweep.handle_neighbour(now, address, mac);
        }
        self.collect(now);
    }

    /// Takes a message from the echo socket.
    pub fn handle_echo(&mut self, now: Tick, from: Ipv4Addr, bytes: &[u8]) {
        if echo::is_reply(bytes, self.secret) {
            self.learn(now, from, Sign::Echo, |kinds| kinds.echo);
        }
    }

    /// Takes an answer to a question by multicast. What it hints at is asked only where a range has it.
    pub fn handle_announcement(&mut self, now: Tick, from: Ipv4Addr, bytes: &[u8]) {
        for hint in dns_sd::decode_hints(from, bytes) {
            for sweep in &mut self.sweeps {
                sweep.handle_announcement(now, &self.routes, hint.address, &hint.name);
            }
        }
        self.collect(now);
    }

    /// Takes what came of a connection.
    pub fn handle_connection(&mut self, now: Tick, to: SocketAddrV4, connection: Connection) {
        let ranges = self.connecting.remove(&to).unwrap_or_default();
        let own = self.routes.reach(*to.ip()) == Reach::Own;
        for sweep in self.sweeps.iter_mut().filter(|sweep| ranges.contains(&sweep.range())) {
            let refused = connection == Connection::Refused && !own;
            sweep.handle_connection(now, to, connection == Connection::Taken, refused);
        }
        self.collect(now);
    }

    /// Takes what the network says about a datagram of SNMP that went there.
    pub fn handle_unreachable(&mut self, now: Tick, to: SocketAddrV4, why: Unreachable) {
        let reach = self.routes.reach(*to.ip());
        for sweep in self.sweeps.iter_mut().filter(|sweep| sweep.port() == to.port()) {
            sweep.handle_unreachable(now, *to.ip(), reach, why);
        }
        self.collect(now);
    }

    fn learn(&mut self, now: Tick, address: Ipv4Addr, sign: Sign, wanted: impl Fn(&Kinds) -> bool) {
        if self.routes.reach(address) != Reach::Own {
            for sweep in self.sweeps.iter_mut().filter(|sweep| wanted(sweep.kinds())) {
                sweep.learn(now, address, sign);
            }
        }
        self.collect(now);
    }

    /// Takes over what the sweeps have to tell, and drops those that are done.
    fn collect(&mut self, now: Tick) {
        let events = &mut self.events;
        self.sweeps.retain_mut(|sweep| {
            sweep.drain(events);
            let done = sweep.is_finished(now);
            if done {
                events.push_back(Event::Finished { range: sweep.range(), progress: sweep.progress(1) });
            }
            !done
        });
    }

    fn transmit(
        &mut self,
        now: Tick,
        sweep: &Sweep,
        address: Ipv4Addr,
        ask: Ask,
        purpose: Purpose,
    ) -> Option<Transmit> {
        Some(match ask {
            Ask::Snmp(_) | Ask::Engine => {
                let number = if let Ask::Snmp(number) = ask { number } else { usize::MAX };
                let id = id_after(self.first_id, self.probes.len());
                if id < self.first_id {
                    // The ids begin anew; answers to those before are lost, once in weeks.
                    self.probes.clear();
                    self.first_id = 1;
                }
                let id = id_after(self.first_id, self.probes.len());
                let question = if ask == Ask::Engine { SnmpQuestion::Engine } else { sweep.question(number)? };
                let bytes = match question {
                    SnmpQuestion::Community(credential) => {
                        let names: Vec<Readable> = Readable::object_id().into_iter().collect();
                        encode_request(credential, None, id, Operation::Get, &names)
                    }
                    SnmpQuestion::Engine => encode_discovery(id),
                };
                let range = sweep.range();
                self.probes.push_back(Probe { range, address, credential: number, purpose, sent: now });
                if purpose == Purpose::Nudge {
                    self.nudges.push_back(now);
                }
                Transmit::Snmp { to: SocketAddrV4::new(address, sweep.port()), bytes }
            }
            Ask::Arp => {
                let Reach::Attached { interface, mac, source } = self.routes.reach(address) else { return None };
                Transmit::Arp { interface, target: address, frame: arp::encode_request(mac, source, address) }
            }
            Ask::Echo => {
                let [.., high, low] = address.octets();
                let bytes = echo::encode_request(u16::from_be_bytes([high, low]), self.secret);
                Transmit::Echo { to: address, bytes }
            }
            Ask::Stream(_) | Ask::LocalAgent | Ask::EchoPort => {
                let port = match ask {
                    Ask::LocalAgent => LOCAL_AGENT_PORT,
                    Ask::EchoPort => ECHO_PORT,
                    _ => sweep.port(),
                };
                let to = SocketAddrV4::new(address, port);
                let waiting = self.connecting.entry(to).or_default();
                waiting.push(sweep.range());
                if waiting.len() > 1 {
                    return None;
                }
                Transmit::Connect { to }
            }
            Ask::Announcements => {
                Transmit::Question { interfaces: sweep.interfaces().collect(), bytes: dns_sd::encode_question() }
            }
        })
    }
}

/// The id of the question for an engine that a message answers.
fn engine_answer(bytes: &[u8]) -> Option<i32> {
    let message = Message::decode(bytes).ok()?;
    let report = message.scoped(None).and_then(|scoped| scoped.report());
    report.filter(|_| !message.engine_id.is_empty()).map(|_| message.msg_id)
}

/// Request-ids are positive, so that they survive devices that treat them as unsigned; past the last they begin at 1.
fn id_after(id: i32, steps: usize) -> i32 {
    i32::try_from(steps).ok().and_then(|steps| id.checked_add(steps)).unwrap_or(1)
}
