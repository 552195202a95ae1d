//! Takes traps and informs (versions 1, 2c and 3). What they say is never believed: all that a trap can do is to have the
//! device at its source address polled early, and that only so often. Owns no socket and no clock.
//!
//! For informs of SNMPv3 the receiver is the authoritative engine (RFC 3414, 1.5.1), with an id and a clock of its own; of
//! traps it is the sender, whose digest is checked with his engine's key.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::ber::{Writer, tag};
use super::lenient::{RESPONSE_PDU, container, element, integer};
use super::session::{MAX_BOOTS, TIME_WINDOW};
use super::usm::{KeyRing, LocalKeys};
use super::v3::{self, Header, Message, REPORT_PDU, Report};
use super::{User, Version};
use crate::tick::Tick;

const TRAP_V1_PDU: u8 = 0xa4;
const INFORM_PDU: u8 = 0xa6;
const TRAP_V2_PDU: u8 = 0xa7;

/// A source has its device polled at most once in this time.
const BETWEEN_POLLS: Duration = Duration::from_secs(10);
/// Messages of one source that are looked at in one go, and how long it takes until one more is.
const SOURCE: Limit = Limit { burst: 20, each: Duration::from_millis(500) };
/// The same of all sources together; what is more is dropped unseen.
const ALL: Limit = Limit { burst: 500, each: Duration::from_millis(5) };
/// Early polls of all devices together: a power cut must not become a storm.
const POLLS: Limit = Limit { burst: 50, each: Duration::from_millis(200) };
/// Sources that are remembered.
const MAX_SOURCES: usize = 8192;
/// Keys of senders that are remembered.
const MAX_KEYS: usize = 1024;

/// So many at once, then one in each span.
#[derive(Debug, Clone, Copy)]
struct Limit {
    burst: u32,
    each: Duration,
}

#[derive(Debug)]
struct Bucket {
    left: u32,
    since: Tick,
}

impl Bucket {
    fn full(now: Tick, limit: Limit) -> Self {
        Self { left: limit.burst, since: now }
    }

    fn takes(&mut self, now: Tick, limit: Limit) -> bool {
        let spans = now.since(self.since).as_micros() / limit.each.as_micros().max(1);
        let spans = u32::try_from(spans).unwrap_or(u32::MAX);
        if spans > 0 {
            self.left = self.left.saturating_add(spans).min(limit.burst);
            self.since = if self.left == limit.burst { now } else { self.since + limit.each * spans };
        }
        let takes = self.left > 0;
        self.left = self.left.saturating_sub(1);
        takes
    }
}

/// What has been received, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Messages in all.
    pub received: u64,
    /// Devices polled early.
    pub polls: u64,
    /// Informs that were acknowledged.
    pub acknowledged: u64,
    /// From addresses where no known device is.
    pub unknown_source: u64,
    /// More than is looked at.
    pub too_many: u64,
    /// Not of a user who is set up here, or with a wrong password.
    pub not_authentic: u64,
    /// No traps at all.
    pub malformed: u64,
}

impl Counts {
    /// Messages that led to nothing, for a reason that someone may want to know.
    pub fn dropped(&self) -> u64 {
        self.unknown_source + self.too_many + self.not_authentic + self.malformed
    }
}

/// What is to be done about a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// To be sent back to whence it came.
    pub reply: Option<Vec<u8>>,
    /// Whether the device there is to be polled early.
    pub poll: bool,
}

#[derive(Debug)]
struct Source {
    messages: Bucket,
    polled: Option<Tick>,
}

/// Receives traps.
#[derive(Debug)]
pub struct Receiver {
    engine_id: Vec<u8>,
    boots: u32,
    started: Tick,
    salt: u64,
    ring: KeyRing,
    users: Vec<Arc<User>>,
    /// By name and engine.
    keys: BTreeMap<(Vec<u8>, Vec<u8>), Candidates>,
    sources: BTreeMap<IpAddr, Source>,
    all: Bucket,
    polls: Bucket,
    counts: Counts,
}

/// The users of one name, in all the ways in which they may be meant, with their keys: those for digests, and of users who have
/// proved themselves at our engine those for encryption.
type Candidates = Vec<(Arc<User>, LocalKeys)>;

/// What a message turned out to be.
enum Kind {
    /// Someone's wish to be looked at, with what confirms it.
    Notice(Option<Vec<u8>>),
    /// A question, or something that is answered with what is wrong with it.
    Reply(Vec<u8>),
    NotAuthentic,
    Malformed,
}

impl Receiver {
    /// A receiver that is an SNMPv3 engine with this id and count of starts. `seed` is where salts begin.
    pub fn new(now: Tick, engine_id: &[u8], boots: u32, seed: u64) -> Self {
        Self {
            engine_id: engine_id.to_vec(),
            boots: boots.clamp(1, MAX_BOOTS - 1),
            started: now,
            salt: seed,
            ring: KeyRing::default(),
            users: Vec::new(),
            keys: BTreeMap::new(),
            sources: BTreeMap::new(),
            all: Bucket::full(now, ALL),
            polls: Bucket::full(now, POLLS),
            counts: Counts::default(),
        }
    }

    /// Sets the users whose traps are taken.
    pub fn set_users(&mut self, users: &[Arc<User>]) {
        self.users = users.iter().flat_map(User::variants).collect();
        self.keys.clear();
    }

    /// What has come so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes a message. `known` is whether a device is watched at its source address.
    pub fn handle_message(&mut self, now: Tick, from: IpAddr, known: bool, bytes: &[u8]) -> Heard {
        self.counts.received += 1;
        // Before anything is looked at: strangers cost next to nothing, and learn nothing.
        if !known {
            self.counts.unknown_source += 1;
            return Heard::default();
        }
        if !self.sources.contains_key(&from) && self.sources.len() >= MAX_SOURCES {
            self.sources.clear();
        }
        let source =
            self.sources.entry(from).or_insert_with(|| Source { messages: Bucket::full(now, SOURCE), polled: None });
        if !source.messages.takes(now, SOURCE) || !self.all.takes(now, ALL) {
            self.counts.too_many += 1;
            return Heard::default();
        }
        let kind = match v3::is_v3(bytes) {
            true => Message::decode(bytes).map_or(Kind::Malformed, |message| self.hear_v3(now, &message)),
            false => hear_community(bytes).unwrap_or(Kind::Malformed),
        };
        match kind {
            Kind::Notice(reply) => {
                self.counts.acknowledged += u64::from(reply.is_some());
                let poll = self.may_poll(now, from);
                self.counts.polls += u64::from(poll);
                Heard { reply, poll }
            }
            Kind::Reply(reply) => Heard { reply: Some(reply), poll: false },
            Kind::NotAuthentic => {
                self.counts.not_authentic += 1;
                Heard::default()
            }
            Kind::Malformed => {
                self.counts.malformed += 1;
                Heard::default()
            }
        }
    }

    fn may_poll(&mut self, now: Tick, from: IpAddr) -> bool {
        let Some(source) = self.sources.get_mut(&from) else { return false };
        let rested = source.polled.is_none_or(|at| now.since(at) >= BETWEEN_POLLS);
        let polls = rested && self.polls.takes(now, POLLS);
        if polls {
            source.polled = Some(now);
        }
        polls
    }

    fn time(&self, now: Tick) -> u32 {
        u32::try_from(now.since(self.started).as_secs()).unwrap_or(MAX_BOOTS).min(MAX_BOOTS)
    }

    fn hear_v3(&mut self, now: Tick, message: &Message<'_>) -> Kind {
        let ours = message.engine_id == self.engine_id;
        if !ours && message.is_reportable() {
            return self.report(now, message, Report::UnknownEngineIds, None);
        }
        let candidates = self.candidates(message.user, message.engine_id);
        if candidates.is_empty() {
            return if ours { self.report(now, message, Report::UnknownUserNames, None) } else { Kind::NotAuthentic };
        }
        let Some((user, keys)) = candidates.iter().find(|(_, keys)| is_of(message, keys)) else {
            // Whoever gets a Report is counted here, all others by what comes of it.
            self.counts.not_authentic += u64::from(ours && message.is_reportable());
            return match candidates.iter().any(|(_, keys)| has_level_of(message, keys)) {
                _ if !ours => Kind::NotAuthentic,
                true => self.report(now, message, Report::WrongDigests, None),
                false => self.report(now, message, Report::UnsupportedSecLevels, None),
            };
        };
        if !ours {
            // A trap. Nobody needs to know what it says.
            return Kind::Notice(None);
        }
        let time = self.time(now);
        if message.is_authenticated() && (message.boots != self.boots || message.time.abs_diff(time) > TIME_WINDOW) {
            return self.report(now, message, Report::NotInTimeWindows, Some((user, keys)));
        }
        // The ways of making keys longer differ in what they decrypt, not in the digest.
        let candidates = self.proved(message);
        let read = candidates.iter().find_map(|(user, keys)| {
            let scoped = message.scoped(Some(keys))?;
            (scoped.pdu_tag == INFORM_PDU).then_some((user, keys, scoped))
        });
        let Some((user, keys, scoped)) = read else {
            return match message.is_encrypted() {
                true => self.report(now, message, Report::DecryptionErrors, None),
                false => Kind::Malformed,
            };
        };
        let (Ok(context), Some((_, content, _))) = (std::str::from_utf8(&scoped.context), container(&scoped.pdu))
        else {
            return Kind::Malformed;
        };
        self.salt = self.salt.wrapping_add(1);
        let header = Header {
            msg_id: message.msg_id,
            reportable: false,
            engine_id: &self.engine_id,
            boots: self.boots,
            time,
            user: user.name(),
            context_engine_id: &scoped.engine_id,
            context,
        };
        let acknowledge = |writer: &mut Writer| writer.wrap(RESPONSE_PDU, |writer| writer.raw(content));
        let reply = v3::encode(&header, Some(keys), self.salt.to_be_bytes(), acknowledge);
        reply.map_or(Kind::Malformed, |reply| Kind::Notice(Some(reply)))
    }

    /// Tells what is wrong with a message, if its sender wants to know (RFC 3412, 7.1); authenticated where that is asked.
    fn report(
        &mut self,
        now: Tick,
        message: &Message<'_>,
        report: Report,
        proof: Option<(&Arc<User>, &LocalKeys)>,
    ) -> Kind {
        let (true, Some(counter)) = (message.is_reportable(), report.name()) else { return Kind::NotAuthentic };
        let header = Header {
            msg_id: message.msg_id,
            reportable: false,
            engine_id: &self.engine_id,
            boots: self.boots,
            time: self.time(now),
            user: proof.map_or("", |(user, _)| user.name()),
            context_engine_id: &self.engine_id,
            context: "",
        };
        let pdu = |writer: &mut Writer| {
            writer.wrap(REPORT_PDU, |writer| {
                writer.wrap(tag::SEQUENCE, |writer| {
                    writer.wrap(tag::SEQUENCE, |writer| {
                        writer.wrap(tag::COUNTER32, |writer| writer.raw(&[1]));
                        writer.oid(&counter);
                    });
                });
                writer.integer(0);
                writer.integer(0);
                writer.integer(0);
            });
        };
        // Of the level authNoPriv at most: whoever has the time wrong can still read it.
        let keys = proof.map(|(_, keys)| keys.without_privacy());
        let reply = v3::encode(&header, keys.as_ref(), [0; 8], pdu);
        reply.map_or(Kind::Malformed, Kind::Reply)
    }

    /// The users of a name, with their keys for digests at an engine: whoever sends a message chooses both.
    fn candidates(&mut self, name: &[u8], engine_id: &[u8]) -> Candidates {
        let users = self.users.iter().filter(|user| user.name().as_bytes() == name);
        if self.keys.len() >= MAX_KEYS {
            self.keys.clear();
        }
        let key = (name.to_vec(), engine_id.to_vec());
        if let Some(known) = self.keys.get(&key) {
            return known.clone();
        }
        let made: Vec<_> =
            users.map(|user| (user.clone(), self.ring.localise_authentication(user, engine_id))).collect();
        if !made.is_empty() {
            self.keys.insert(key, made.clone());
        }
        made
    }

    /// The candidates whose message it is, with all their keys.
    fn proved(&mut self, message: &Message<'_>) -> Candidates {
        let key = (message.user.to_vec(), message.engine_id.to_vec());
        let known = self.keys.get_mut(&key).into_iter().flatten();
        let proved = known.filter(|(_, keys)| is_of(message, keys)).map(|(user, keys)| {
            if user.privacy().is_some() && !keys.encrypts() {
                *keys = self.ring.localise(user, message.engine_id);
            }
            (user.clone(), keys.clone())
        });
        proved.collect()
    }
}

/// Whether a message is of the level that these keys are for.
fn has_level_of(message: &Message<'_>, keys: &LocalKeys) -> bool {
    keys.digest_octets().is_some() == message.is_authenticated()
}

/// Whether these are the keys of whoever made the digest of a message, if it has one.
fn is_of(message: &Message<'_>, keys: &LocalKeys) -> bool {
    has_level_of(message, keys) && (!message.is_authenticated() || message.verify(keys))
}

/// A trap or inform of version 1 or 2c. The community is not asked for: it proves nothing, and nothing is believed.
fn hear_community(bytes: &[u8]) -> Option<Kind> {
    let (tag::SEQUENCE, message, _) = container(bytes)? else { return None };
    let (version, rest) = integer(message)?;
    let (tag::OCTET_STRING, community, rest) = element(rest)? else { return None };
    let (pdu_tag, content, _) = container(rest)?;
    let is = |spoken: Version| version == spoken as i64;
    match pdu_tag {
        TRAP_V1_PDU if is(Version::V1) => Some(Kind::Notice(None)),
        TRAP_V2_PDU if is(Version::V2c) => Some(Kind::Notice(None)),
        INFORM_PDU if is(Version::V2c) => {
            let mut writer = Writer::default();
            writer.wrap(tag::SEQUENCE, |writer| {
                writer.wrap(RESPONSE_PDU, |writer| writer.raw(content));
                writer.octet_string(community);
                writer.integer(Version::V2c as i32);
            });
            Some(Kind::Notice(Some(writer.finish())))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::super::{AuthProtocol, Keyed, PrivProtocol, Secret};
    use super::*;

    const FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
    const OURS: &[u8] = b"\x80\0\0\0\x04agent";

    fn at(seconds: u64) -> Tick {
        Tick::after(Duration::from_secs(seconds))
    }

    fn user(password: &str) -> Arc<User> {
        let auth = Keyed { protocol: AuthProtocol::Sha1, password: Secret::new(password) };
        let privacy = Keyed { protocol: PrivProtocol::Aes256, password: Secret::new("priv-pass") };
        Arc::new(User::new("monitor", Some(auth), Some(privacy)).unwrap())
    }

    fn receiver() -> Receiver {
        let mut receiver = Receiver::new(at(0), OURS, 3, 1);
        receiver.set_users(&[user("auth-pass")]);
        receiver
    }

    fn pdu(pdu_tag: u8) -> impl FnOnce(&mut Writer) {
        move |writer| {
            writer.wrap(pdu_tag, |writer| {
                writer.wrap(tag::SEQUENCE, |_| ());
                (0..3).for_each(|_| writer.integer(0));
            });
        }
    }

    fn community(version: i32, pdu_tag: u8) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.wrap(tag::SEQUENCE, |writer| {
            pdu(pdu_tag)(writer);
            writer.octet_string(b"public");
            writer.integer(version);
        });
        writer.finish()
    }

    fn v3(engine_id: &[u8], boots: u32, time: u32, reportable: bool, password: &str, pdu_tag: u8) -> Vec<u8> {
        let header = Header {
            msg_id: 9,
            reportable,
            engine_id,
            boots,
            time,
            user: "monitor",
            context_engine_id: b"x",
            context: "",
        };
        let user = user(password).variants().pop().unwrap();
        let keys = KeyRing::default().localise(&user, engine_id);
        super::v3::encode(&header, Some(&keys), [7; 8], pdu(pdu_tag)).unwrap()
    }

    fn report_of(heard: &Heard) -> Option<Report> {
        Message::decode(heard.reply.as_ref()?).ok()?.scoped(None)?.report()
    }

    #[test]
    fn traps_of_all_versions_hurry_a_known_device_and_nobody_else() {
        for message in [
            community(0, TRAP_V1_PDU),
            community(1, TRAP_V2_PDU),
            v3(b"the printer", 5, 77, false, "auth-pass", TRAP_V2_PDU),
        ] {
            let mut receiver = receiver();
            assert_eq!(receiver.handle_message(at(0), FROM, false, &message), Heard::default());
            assert_eq!(receiver.handle_message(at(0), FROM, true, &message), Heard { reply: None, poll: true });
            assert!(!receiver.handle_message(at(9), FROM, true, &message).poll, "too soon");
            assert!(receiver.handle_message(at(10), FROM, true, &message).poll);
            let counts = receiver.counts();
            assert_eq!((counts.received, counts.polls, counts.unknown_source, counts.dropped()), (4, 2, 1, 1));
        }
    }

    #[test]
    fn an_inform_is_confirmed_as_it_came() {
        let heard = receiver().handle_message(at(0), FROM, true, &community(1, INFORM_PDU));
        assert_eq!(heard, Heard { reply: Some(community(1, RESPONSE_PDU)), poll: true });
    }

    #[test]
    fn an_inform_of_version_3_meets_an_engine() {
        let mut receiver = receiver();
        // Its sender asks for our id, then for our clock.
        let discovery = super::v3::encode_discovery(5);
        let heard = receiver.handle_message(at(40), FROM, true, &discovery);
        assert_eq!(report_of(&heard), Some(Report::UnknownEngineIds));
        let reply = heard.reply.unwrap();
        let message = Message::decode(&reply).unwrap();
        assert_eq!((message.engine_id, message.boots, message.time), (OURS, 3, 40));
        let late = receiver.handle_message(at(40), FROM, true, &v3(OURS, 0, 0, true, "auth-pass", INFORM_PDU));
        assert_eq!(report_of(&late), Some(Report::NotInTimeWindows));
        assert!(Message::decode(late.reply.as_ref().unwrap()).unwrap().is_authenticated());
        assert!(!late.poll);
        let heard = receiver.handle_message(at(50), FROM, true, &v3(OURS, 3, 40, true, "auth-pass", INFORM_PDU));
        assert!(heard.poll);
        let reply = heard.reply.unwrap();
        let message = Message::decode(&reply).unwrap();
        let keys = KeyRing::default().localise(&user("auth-pass").variants().pop().unwrap(), OURS);
        assert!(message.verify(&keys) && message.is_encrypted());
        assert_eq!(message.scoped(Some(&keys)).unwrap().pdu_tag, RESPONSE_PDU);
    }

    #[test]
    fn what_is_not_authentic_leads_to_nothing() {
        let mut receiver = receiver();
        let forged = v3(b"the printer", 5, 77, false, "wrong-pass", TRAP_V2_PDU);
        assert_eq!(receiver.handle_message(at(0), FROM, true, &forged), Heard::default());
        let heard = receiver.handle_message(at(0), FROM, true, &v3(OURS, 3, 0, true, "wrong-pass", INFORM_PDU));
        assert_eq!(report_of(&heard), Some(Report::WrongDigests));
        let heard = receiver.handle_message(at(0), FROM, true, &v3(OURS, 3, 0, false, "wrong-pass", INFORM_PDU));
        assert_eq!(heard, Heard::default());
        assert_eq!(receiver.counts().not_authentic, 3, "each once");
        receiver.set_users(&[]);
        let heard = receiver.handle_message(at(0), FROM, true, &v3(OURS, 3, 0, true, "auth-pass", INFORM_PDU));
        assert_eq!(report_of(&heard), Some(Report::UnknownUserNames));
        assert_eq!(receiver.counts().polls, 0);
    }

    #[test]
    fn only_who_has_proved_himself_gets_keys_for_encryption() {
        let mut receiver = receiver();
        let with_privacy = |receiver: &Receiver| {
            let engines = receiver.keys.iter().filter(|(_, keys)| keys.iter().any(|(_, keys)| keys.encrypts()));
            engines.map(|((_, engine_id), _)| engine_id.clone()).collect::<Vec<_>>()
        };
        for engine in 0..5_u8 {
            receiver.handle_message(at(0), FROM, true, &v3(&[engine; 5], 5, 77, false, "wrong-pass", TRAP_V2_PDU));
        }
        let heard =
            receiver.handle_message(at(0), FROM, true, &v3(b"the printer", 5, 77, false, "auth-pass", TRAP_V2_PDU));
        assert!(heard.poll, "a trap is not read, only its digest");
        for (boots, password) in [(3, "wrong-pass"), (2, "auth-pass")] {
            receiver.handle_message(at(0), FROM, true, &v3(OURS, boots, 0, true, password, INFORM_PDU));
        }
        assert_eq!((receiver.keys.len(), with_privacy(&receiver)), (7, Vec::new()));
        for _ in 0..2 {
            let heard = receiver.handle_message(at(20), FROM, true, &v3(OURS, 3, 20, true, "auth-pass", INFORM_PDU));
            assert!(heard.reply.is_some());
            assert_eq!(with_privacy(&receiver), [OURS], "they are kept");
        }
    }

    #[test]
    fn a_flood_is_dropped() {
        let mut receiver = receiver();
        let trap = community(1, TRAP_V2_PDU);
        let polls = (0..10_000).filter(|_| receiver.handle_message(at(1), FROM, true, &trap).poll).count();
        assert_eq!((polls, receiver.counts().too_many), (1, 10_000 - u64::from(SOURCE.burst)));
        // Many devices at once, as after a power cut: some are polled at once, the others when their turn comes.
        let polls = (0..400_u16).filter(|host| {
            let from = IpAddr::from([10, 0, (host >> 8) as u8, (host & 255) as u8]);
            receiver.handle_message(at(2), from, true, &trap).poll
        });
        assert!(polls.count() <= POLLS.burst as usize);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            receiver().handle_message(at(0), FROM, true, &bytes);
        }

        #[test]
        fn damage_is_no_inform(place: u16, octet: u8) {
            let mut bytes = v3(OURS, 3, 0, true, "auth-pass", INFORM_PDU);
            let place = usize::from(place) % bytes.len();
            let whole = bytes.get(place) == Some(&octet);
            if let Some(there) = bytes.get_mut(place) { *there = octet; }
            let heard = receiver().handle_message(at(0), FROM, true, &bytes);
            prop_assert!(whole || !heard.poll);
        }
    }
}
