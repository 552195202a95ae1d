//! What is fuzzed: plain functions that take any bytes and must not panic, hang or grow, nor break what they assert.
//! `scripts/fuzz` hands them to libFuzzer, `agent-core/tests/corpora.rs` replays the corpora with them in every test run.

#[path = "filter_oracle.rs"]
mod filter_oracle;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use agent_core::ieee1284::Ieee1284;
use agent_core::localagent::control;
use agent_core::localagent::conversation::{Conversation, Patience};
use agent_core::localagent::message::{Greeting, Message as BridgeMessage, Printer};
use agent_core::pjl::filter::{Asked, Filter, Passage};
use agent_core::pjl::pcl::Readback;
use agent_core::pjl::reading::{Answers, Question};
use agent_core::pjl::reply::Reply;
use agent_core::profile::{Profiles, blob};
use agent_core::reader::Reader;
use agent_core::snmp::message::decode_response;
use agent_core::snmp::session::Sessions;
use agent_core::snmp::traps::Receiver;
use agent_core::snmp::usm::{KeyRing, LocalKeys};
use agent_core::snmp::v3::{Message, encode_discovery};
use agent_core::snmp::{AuthProtocol, Keyed, PrivProtocol, Secret, User, Version};
use agent_core::tick::Tick;

/// A function for any bytes.
pub type Target = fn(&[u8]);

/// All targets by the names of their corpora.
pub const TARGETS: [(&str, Target); 14] = [
    ("response", response),
    ("v3", v3),
    ("usm", usm),
    ("traps", traps),
    ("reader", reader),
    ("profile", agent_core::profile::take),
    ("blob", blob),
    ("dns_sd", dns_sd),
    ("arp", arp),
    ("echo", echo),
    ("pjl", pjl),
    ("ieee1284", ieee1284),
    ("pjl_filter", pjl_filter),
    ("control", control),
];

/// The engine that is spoken to, and the device's own.
const ENGINE: &[u8] = &[0x80, 0, 0, 0, 4, b'f', b'u', b'z', b'z'];
/// Of requests that are answered.
const ID: i32 = 0x0102_0304;

/// An answer of version 1 or 2c, through the library's decoder and our forgiving one.
pub fn response(bytes: &[u8]) {
    let _ = decode_response(bytes);
}

/// A message of version 3 before anything of it is trusted.
pub fn v3(bytes: &[u8]) {
    let Ok(message) = Message::decode(bytes) else { return };
    if let Some(scoped) = message.scoped(None) {
        let _ = (scoped.report(), scoped.response());
    }
}

/// What someone sends who knows the keys: the device that is asked, with whatever in it. The bytes: how it is secured, count
/// of starts and clock, then the scoped PDU.
pub fn usm(bytes: &[u8]) {
    let Some((message, user)) = sealed(bytes) else { return };
    let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 161));
    let mut sessions = Sessions::new(1);
    let now = Tick::default();
    if let Ok(report) = Message::decode(&discovered()) {
        assert!(sessions.handle_discovery(now, from, &report), "the harness' own report");
    }
    for octets in [message.as_slice(), bytes] {
        let Ok(decoded) = Message::decode(octets) else { continue };
        let _ = sessions.handle_message(now, from, user, ID, &decoded);
        let _ = sessions.handle_discovery(now, from, &decoded);
    }
}

/// A trap or an inform: as it comes, and sealed by someone who knows the keys.
pub fn traps(bytes: &[u8]) {
    let mut receiver = Receiver::new(Tick::default(), ENGINE, 1, 1);
    let from = IpAddr::from(Ipv4Addr::LOCALHOST);
    let sealed = sealed(bytes);
    receiver.set_users(&sealed.iter().map(|(_, user)| (*user).clone()).collect::<Vec<_>>());
    let heard = receiver.handle_message(Tick::default(), from, true, bytes);
    if let Some((message, _)) = &sealed {
        let heard = receiver.handle_message(Tick::default(), from, true, message);
        assert!(heard.reply.is_none_or(|reply| reply.len() <= message.len() + 256), "an answer that amplifies");
    }
    assert!(heard.reply.is_none_or(|reply| reply.len() <= bytes.len() + 256), "an answer that amplifies");
}

/// Users of every kind with their keys; made once, since passwords are hashed slowly on purpose.
fn users() -> &'static [(Arc<User>, LocalKeys)] {
    static USERS: OnceLock<Vec<(Arc<User>, LocalKeys)>> = OnceLock::new();
    USERS.get_or_init(|| {
        let mut ring = KeyRing::default();
        let keyed = |protocol| Keyed { protocol, password: Secret::new("authentic") };
        let mut users = vec![User::new("fuzz", None, None)];
        for (auth, privacy) in
            AuthProtocol::ALL.into_iter().zip([None, None].into_iter().chain(PrivProtocol::ALL.map(Some)))
        {
            let privacy = privacy.map(|protocol| Keyed { protocol, password: Secret::new("private.") });
            users.push(User::new("fuzz", Some(keyed(auth)), privacy));
        }
        let keys = |user: User| (ring.localise(&user, ENGINE), Arc::new(user));
        users.into_iter().flatten().map(keys).map(|(keys, user)| (user, keys)).collect()
    })
}

/// The bytes as a message of one of the users, with a right digest and encrypted as he does it.
fn sealed(bytes: &[u8]) -> Option<(Vec<u8>, &'static Arc<User>)> {
    let ([how, flags, boots, time @ ..], scoped) = bytes.split_first_chunk::<5>()?;
    let (user, keys) = users().get(usize::from(*how) % users().len())?;
    let (boots, time) = (u32::from(*boots), u32::from(u16::from_be_bytes(*time)));
    let salt = [1; 8];
    let data = match keys.encrypts() {
        true => element(4, &keys.encrypt(scoped, boots, time, salt)?),
        false => scoped.to_vec(),
    };
    let digest = keys.digest_octets().unwrap_or(0);
    let whole = |digest: &[u8]| {
        let salt: &[u8] = if keys.encrypts() { &salt } else { &[] };
        let security = [
            element(4, ENGINE),
            element(2, &boots.to_be_bytes()),
            element(2, &time.to_be_bytes()),
            element(4, user.name().as_bytes()),
            element(4, digest),
            element(4, salt),
        ];
        let secures = u8::from(keys.digest_octets().is_some()) | u8::from(keys.encrypts()) << 1;
        let header = [
            element(2, &ID.to_be_bytes()),
            element(2, &[0x7f, 0xff]),
            element(4, &[secures | (*flags & 4)]),
            element(2, &[3]),
        ];
        let parts = [
            element(2, &[3]),
            element(0x30, &header.concat()),
            element(4, &element(0x30, &security.concat())),
            data.clone(),
        ];
        element(0x30, &parts.concat())
    };
    let digest = keys.digest(&[&whole(&vec![0; digest])]);
    Some((whole(&digest), user))
}

/// The report that answers a discovery.
fn discovered() -> Vec<u8> {
    // 1.3.6.1.6.3.15.1.1.4.0, usmStatsUnknownEngineIDs.
    let counter = element(0x30, &[element(6, &[0x2b, 6, 1, 6, 3, 15, 1, 1, 4, 0]), element(0x41, &[1])].concat());
    let pdu = [element(2, &ID.to_be_bytes()), element(2, &[0]), element(2, &[0]), element(0x30, &counter)];
    let scoped = element(0x30, &[element(4, ENGINE), element(4, &[]), element(0xa8, &pdu.concat())].concat());
    let security =
        [element(4, ENGINE), element(2, &[1]), element(2, &[1]), element(4, &[]), element(4, &[]), element(4, &[])];
    let header = [element(2, &ID.to_be_bytes()), element(2, &[0x7f, 0xff]), element(4, &[0]), element(2, &[3])];
    let parts =
        [element(2, &[3]), element(0x30, &header.concat()), element(4, &element(0x30, &security.concat())), scoped];
    assert!(!encode_discovery(ID).is_empty(), "there is a question to this answer");
    element(0x30, &parts.concat())
}

/// An element of BER.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let [.., high, low] = content.len().to_be_bytes();
    [&[tag, 0x82, high, low], content].concat()
}

fn profiles() -> &'static Profiles {
    static PROFILES: OnceLock<Profiles> = OnceLock::new();
    PROFILES.get_or_init(|| Profiles::built_in().expect("the built-in profiles load"))
}

/// A whole reading, answered with what the bytes hold: two octets of length and an answer, again and again; then silence.
pub fn reader(bytes: &[u8]) {
    let mut reader = Reader::full(if bytes.len().is_multiple_of(2) { Version::V2c } else { Version::V1 });
    let mut rest = bytes;
    let mut asked = 0;
    while let Ok(Some(question)) = reader.poll_question(profiles()) {
        asked += 1;
        assert!(asked <= 401, "a reading without end");
        let answer = rest.split_first_chunk::<2>().and_then(|(length, behind)| {
            let (answer, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            rest = behind;
            decode_response(answer).ok()
        });
        match answer {
            Some(response) => reader.handle_response(question, response),
            None if reader.handle_silence(question).is_err() => break,
            None => {}
        }
    }
    let reading = reader.finish();
    let _ = profiles().snapshot(profiles().named(&reading.profile), &reading.variables);
}

/// Values of records within one value.
pub fn blob(bytes: &[u8]) {
    let records = blob::records(bytes);
    assert!(records.iter().map(|record| record.octets.len()).sum::<usize>() <= bytes.len(), "more than was there");
    for record in records {
        let _ = record.number();
    }
}

/// What printers announce of themselves.
pub fn dns_sd(bytes: &[u8]) {
    let _ = agent_core::dns_sd::decode_hints(Ipv4Addr::LOCALHOST, bytes);
}

/// A frame of an attached network.
pub fn arp(bytes: &[u8]) {
    let _ = agent_core::arp::decode_reply(agent_core::arp::Mac([2, 0, 0, 0, 0, 1]), bytes);
}

/// What an ICMP socket hears.
pub fn echo(bytes: &[u8]) {
    let secret = 0x0102_0304_0506_0708_u64;
    if agent_core::echo::is_reply(bytes, secret) {
        let is_there = bytes.windows(8).any(|window| window == secret.to_be_bytes());
        assert!(is_there, "an answer without the secret");
    }
}

/// What a printer says, to each question and to all of them.
pub fn pjl(bytes: &[u8]) {
    let replies = Question::ALL.map(|question| (question, Reply::find(bytes, question.words())));
    let mut answers =
        Answers { replies: replies.into_iter().collect(), port_status: bytes.first().copied(), ..Answers::default() };
    let _ = (answers.means(), answers.snapshot());
    answers.readback = Some(Readback::read(bytes, 7));
    answers.manufacturer = Some("Acme".to_owned());
    answers.model = std::str::from_utf8(bytes).ok().map(str::to_owned);
    let _ = (answers.means(), answers.snapshot(), BridgeMessage::decode(bytes));
    // A whole conversation, in pieces as long as the first octet says; with a bridge that knows PJL, and with none.
    let piece = usize::from(bytes.first().copied().unwrap_or(0)) + 1;
    let printer = Printer { is_two_way: true, ..Printer::of(&Ieee1284::parse("MFG:Acme;MDL:M 1;CMD:PJL,PCL;")) };
    let greeting =
        BridgeMessage::Greeting(Box::new(Greeting { printer: Some(printer), ..Greeting::default() })).encode();
    for before in [greeting.as_slice(), &[]] {
        let mut now = Tick::default();
        let mut conversation = Conversation::new(now, Patience::default(), &Question::ALL, 3);
        conversation.handle_octets(now, before);
        for part in bytes.chunks(piece).chain(std::iter::repeat_n(&b""[..], 200)) {
            while conversation.poll_transmit().is_some() {}
            if conversation.poll_outcome().is_some() {
                break;
            }
            if part.is_empty() {
                now = conversation.poll_timeout().unwrap_or(now);
                conversation.handle_timeout(now);
            } else {
                conversation.handle_octets(now, part);
            }
        }
        assert!(now.since(Tick::default()) <= Patience::default().whole, "a conversation without end");
    }
}

/// A device id, as USB gives it and as text.
pub fn ieee1284(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for id in Ieee1284::from_usb(bytes).into_iter().chain([Ieee1284::parse(&text)]) {
        assert!(id.as_str().chars().all(|character| !character.is_control()), "{id:?}");
        let _ = (id.value("MFG"), id.value("SN"), id.languages(), id.speaks_pjl(), id.speaks_pcl());
        let _ = Printer::of(&id);
    }
}

/// What someone sends to a printer that passes questions only. The same comes out as a plain reading of the whole stream says,
/// however it is cut, and what comes out is harmless even to a printer that sees commands everywhere.
pub fn pjl_filter(bytes: &[u8]) {
    let stream = bytes.get(..4096).unwrap_or(bytes);
    for (pjl, pcl) in [(true, true), (true, false), (false, true), (false, false)] {
        let wanted = filter_oracle::passed(stream, pjl, pcl);
        assert!(filter_oracle::is_harmless(&wanted), "{:?} sends {:?}", show(stream), show(&wanted));
        let octets: Vec<&[u8]> = stream.chunks(1).collect();
        let cuts = (0..stream.len().min(64)).map(|cut| {
            let (before, behind) = stream.split_at(cut);
            vec![before, behind]
        });
        for pieces in cuts.chain([vec![stream], octets]) {
            let passed = through(&pieces, Asked { pjl, pcl });
            assert!(passed == wanted, "{:?} sends {:?}, not {:?}", show(stream), show(&passed), show(&wanted));
        }
    }
}

/// What comes out of the filter for the printer, its closing included.
fn through(pieces: &[&[u8]], asked: Asked) -> Vec<u8> {
    let mut filter = Filter::new(asked);
    let mut passed = Vec::new();
    let mut drain = |filter: &mut Filter| {
        while let Some(passage) = filter.poll_passage() {
            if let Passage::Pass(octets) = passage {
                passed.extend(octets);
            }
        }
    };
    for piece in pieces {
        filter.handle_octets(piece);
        drain(&mut filter);
    }
    filter.handle_end();
    drain(&mut filter);
    passed.extend(filter.closing());
    passed
}

fn show(octets: &[u8]) -> String {
    octets.escape_ascii().to_string()
}

/// A line on a control socket: that of netcfgd, and that of the bridge.
pub fn control(bytes: &[u8]) {
    if let Ok(request) = netcfg::request::Request::decode(bytes) {
        let line = serde_json::to_string(&request).unwrap();
        assert_eq!(
            netcfg::request::Request::decode(line.as_bytes()).ok(),
            Some(request),
            "a request changes on its way"
        );
    }
    if let Ok(request) = serde_json::from_slice::<control::Request>(bytes) {
        let line = serde_json::to_vec(&request).expect("words and numbers have a JSON form");
        assert_eq!(
            serde_json::from_slice::<control::Request>(&line).ok(),
            Some(request),
            "a request changes on its way"
        );
    }
    let _ = serde_json::from_slice::<control::Answer>(bytes);
}
