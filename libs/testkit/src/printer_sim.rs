//! One simulated printer: an SNMP responder (v1, v2c, v3) over the rows of a recording. Pure: bytes in, bytes out.
//!
//! It decodes and encodes with `rasn`, never with the product's own codec, so that the two check each other. It knows
//! nothing of sockets (see `sim_site`) nor of what makes rows change (see `life`).
//!
//! ```
//! use testkit::{printer_sim::{Mood, Printer}, recording::Recording};
//!
//! let recording = Recording::parse("1.3.6.1.2.1.1.5.0|4|printer").unwrap();
//! let mut printer = Printer::new(recording).with_community("geheim").with_mood(Mood::Duplicate);
//! // A v1 GET of sysName.0 with that community.
//! let request = b"\x30\x27\x02\x01\x00\x04\x06geheim\xa0\x1a\x02\x02\x01\x02\x02\x01\x00\x02\x01\x00\
//!                 \x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x05\x00\x05\x00";
//! let responses = printer.answer(request);
//! assert_eq!(responses.len(), 2);
//! assert!(responses[0].bytes.ends_with(b"\x04\x07printer"));
//! assert_eq!(printer.asked().len(), 1);
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    time::Duration,
};

use rasn::types::{Integer, ObjectIdentifier, OctetString};
use rasn_smi::v2::{ApplicationSyntax, Counter64, ObjectSyntax, SimpleSyntax};
use rasn_snmp::{
    v1::Message,
    v2::{BulkPdu, GetBulkRequest, GetNextRequest, GetRequest, Pdu, Pdus, SetRequest, VarBind, VarBindValue},
};

use crate::{
    oid::{Oid, Value},
    recording::Recording,
    usm::{Heard, Usm},
};

/// A simulated printer.
#[derive(Debug, Clone)]
pub struct Printer {
    rows: BTreeMap<Oid, Value>,
    contexts: BTreeMap<String, BTreeMap<Oid, Value>>,
    community: Vec<u8>,
    communities: bool,
    tcp: bool,
    newest: Version,
    max_message: usize,
    mood: Mood,
    asked: BTreeSet<Oid>,
    told: BTreeSet<Oid>,
    traffic: Traffic,
    last_request: Vec<u8>,
    usm: Option<Usm>,
}

/// A version of SNMP; the numbers are those on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Version {
    V1 = 0,
    V2c = 1,
}

/// How a printer treats whoever asks: in most of these ways real devices have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// Answers as the standards want it.
    #[default]
    Normal,
    /// Never answers.
    Silent,
    /// Answers rightly, so much later.
    Slow(Duration),
    /// Answers with bytes that are no SNMP message; another kind with each request.
    Rubbish,
    /// Answers with the first half of the right bytes.
    Truncated,
    /// Answers rightly from another port of its address.
    OtherPort,
    /// Answers rightly from another address.
    OtherAddress,
    /// Answers each request twice.
    Duplicate,
    /// Answers with a request-id that is one too high.
    WrongRequestId,
    /// Answers every request with genErr for its first variable.
    GenErr,
    /// Names the OID that was asked for as its own successor.
    NextRepeats,
    /// Goes back to the beginning of a column at its end: a walk that watches only the prefix never ends.
    NextGoesBack,
    /// Answers only the first variable of a request and leaves out the rest.
    FirstVariableOnly,
    /// Leaves GETBULK unanswered.
    NoBulk,
    /// Says tooBig whenever the answer would hold more than so many variables, GETBULK too.
    TooBigAbove(usize),
    /// Encodes as sloppily as BER decoders must bear: lengths longer than needed, Counter32 without its leading zero octet.
    OddEncoding,
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Whence it is expected.
    Same,
    /// The right address, another port.
    OtherPort,
    /// Another address.
    OtherAddress,
}

/// One datagram to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// How long after the request.
    pub delay: Duration,
    /// From which end point.
    pub source: Source,
    /// What.
    pub bytes: Vec<u8>,
}

/// What has been received and sent: datagrams and their payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Traffic {
    pub datagrams_in: u64,
    pub bytes_in: u64,
    /// Datagrams that were the same as the one before, octet for octet.
    pub repeats_in: u64,
    pub datagrams_out: u64,
    pub bytes_out: u64,
}

impl Printer {
    /// The largest message sent unless told otherwise: what fits an Ethernet frame.
    pub const MAX_MESSAGE: usize = 1472;

    /// A printer that answers v1 and v2c with the community `public`.
    pub fn new(recording: Recording) -> Self {
        Self {
            rows: recording.rows,
            contexts: BTreeMap::new(),
            community: b"public".to_vec(),
            communities: true,
            tcp: false,
            newest: Version::V2c,
            max_message: Self::MAX_MESSAGE,
            mood: Mood::Normal,
            asked: BTreeSet::new(),
            told: BTreeSet::new(),
            traffic: Traffic::default(),
            last_request: Vec::new(),
            usm: None,
        }
    }

    /// The same, answering SNMPv3 too.
    pub fn with_usm(mut self, usm: Usm) -> Self {
        self.usm = Some(usm);
        self
    }

    /// The same without SNMPv1 and v2c.
    pub fn without_communities(mut self) -> Self {
        self.communities = false;
        self
    }

    /// The same, taking connections over TCP too.
    pub fn with_tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// Whether it takes connections over TCP.
    pub fn speaks_tcp(&self) -> bool {
        self.tcp
    }

    /// Its SNMPv3 engine, to move its clock or change its users.
    pub fn usm(&mut self) -> Option<&mut Usm> {
        self.usm.as_mut()
    }

    /// The same with another community.
    pub fn with_community(mut self, community: &str) -> Self {
        self.community = community.as_bytes().to_vec();
        self
    }

    /// The same with other rows in an SNMP context: versions 1 and 2c name it behind the community, as `public@context`.
    pub fn with_context(mut self, context: &str, recording: Recording) -> Self {
        self.contexts.insert(context.to_owned(), recording.rows);
        self
    }

    /// The same, answering no version after this one.
    pub fn with_newest_version(mut self, newest: Version) -> Self {
        self.newest = newest;
        self
    }

    /// The same with another limit for its messages.
    pub fn with_max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// The same in another mood.
    pub fn with_mood(mut self, mood: Mood) -> Self {
        self.mood = mood;
        self
    }

    /// Changes the mood of a printer that runs.
    pub fn set_mood(&mut self, mood: Mood) {
        self.mood = mood;
    }

    /// All rows.
    pub fn rows(&self) -> &BTreeMap<Oid, Value> {
        &self.rows
    }

    /// Sets a row, or takes it away with `None`.
    pub fn set(&mut self, oid: Oid, value: Option<Value>) {
        match value {
            Some(value) => self.rows.insert(oid, value),
            None => self.rows.remove(&oid),
        };
    }

    /// Every OID named in a request so far: of GETNEXT and GETBULK, where they began.
    pub fn asked(&self) -> &BTreeSet<Oid> {
        &self.asked
    }

    /// Every OID whose value was given away so far.
    pub fn told(&self) -> &BTreeSet<Oid> {
        &self.told
    }

    /// What went over the wire so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Forgets what was asked, told and counted.
    pub fn forget(&mut self) {
        self.asked.clear();
        self.told.clear();
        self.traffic = Traffic::default();
    }

    /// What to send for a datagram; nothing for what is no request, or in the wrong version or community.
    pub fn answer(&mut self, request: &[u8]) -> Vec<Response> {
        self.traffic.datagrams_in += 1;
        if self.last_request == request {
            self.traffic.repeats_in += 1;
        } else {
            self.last_request = request.to_vec();
        }
        self.traffic.bytes_in += request.len() as u64;
        let mut responses = Vec::new();
        if let Some(bytes) = self.answer_bytes(request) {
            let delay = if let Mood::Slow(delay) = self.mood { delay } else { Duration::ZERO };
            let source = match self.mood {
                Mood::OtherPort => Source::OtherPort,
                Mood::OtherAddress => Source::OtherAddress,
                _ => Source::Same,
            };
            responses.push(Response { delay, source, bytes });
            if self.mood == Mood::Duplicate {
                responses.extend_from_within(..);
            }
        }
        for response in &responses {
            self.traffic.datagrams_out += 1;
            self.traffic.bytes_out += response.bytes.len() as u64;
        }
        responses
    }

    fn answer_bytes(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        if self.mood == Mood::Silent {
            return None;
        }
        let Ok(message) = rasn::ber::decode::<Message<Pdus>>(request) else { return self.answer_v3(request) };
        let version = match i64::try_from(&message.version).ok()? {
            0 => Version::V1,
            1 => Version::V2c,
            _ => return None,
        };
        if version > self.newest || !self.communities {
            return None;
        }
        let context = match message.community.strip_prefix(&*self.community)? {
            [] => None,
            [b'@', context @ ..] => Some(std::str::from_utf8(context).ok()?),
            _ => return None,
        };
        self.answer_in(context, request, version, message.data)
    }

    fn answer_v3(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let mut usm = self.usm.take()?;
        let heard = usm.hear(request, |context| context.is_empty() || self.contexts.contains_key(context));
        let answer = match heard {
            Heard::Nothing => None,
            Heard::Reply(bytes) => Some(bytes),
            Heard::Request(mut asked) => {
                let pdus = std::mem::replace(&mut asked.pdus, Pdus::Response(rasn_snmp::v2::Response(empty())));
                let context = Some(asked.context.as_str()).filter(|context| !context.is_empty());
                // Room for what stands around the PDU.
                self.max_message = self.max_message.saturating_sub(V3_OVERHEAD);
                let answer = self.answer_in(context, request, Version::V2c, pdus);
                self.max_message += V3_OVERHEAD;
                // What is no message of v2c any more (the moods see to that) goes out as it is.
                answer.map(|bytes| match rasn::ber::decode::<Message<Pdus>>(&bytes) {
                    Ok(message) => usm.wrap(&asked, message.data).unwrap_or_default(),
                    Err(_) => bytes,
                })
            }
        };
        self.usm = Some(usm);
        answer
    }

    fn answer_in(&mut self, context: Option<&str>, request: &[u8], version: Version, pdus: Pdus) -> Option<Vec<u8>> {
        let Some(context) = context else { return self.answer_pdu(request, version, pdus) };
        let rows = self.contexts.get(context)?.clone();
        let default = std::mem::replace(&mut self.rows, rows);
        let answer = self.answer_pdu(request, version, pdus);
        self.rows = default;
        answer
    }

    fn answer_pdu(&mut self, request: &[u8], version: Version, pdus: Pdus) -> Option<Vec<u8>> {
        let asked = Request::from_pdu(pdus, version)?;
        self.asked.extend(asked.names.iter().cloned());
        if self.mood == Mood::Rubbish {
            return Some(rubbish(self.traffic.datagrams_in, request));
        }
        let bytes = self.encode(version, &asked)?;
        Some(match self.mood {
            Mood::Truncated => bytes.get(..bytes.len() / 2)?.to_vec(),
            Mood::OddEncoding => sloppy(&bytes),
            _ => bytes,
        })
    }

    /// The message that answers, cut or refused where it would be too large.
    fn encode(&mut self, version: Version, asked: &Request) -> Option<Vec<u8>> {
        if asked.kind == Kind::Bulk && self.mood == Mood::NoBulk {
            return None;
        }
        let mut outcome = match self.mood {
            Mood::GenErr => Outcome::Failed { status: Pdu::ERROR_STATUS_GEN_ERR, index: 1 },
            _ => self.outcome(version, asked),
        };
        if let (Mood::TooBigAbove(most), Outcome::Found(rows)) = (self.mood, &outcome)
            && rows.len() > most
        {
            outcome = Outcome::TooBig;
        }
        let mut bytes = self.message(version, asked, &outcome)?;
        // GETBULK is cut to what fits (RFC 3416, 4.2.3); anything else is refused as a whole.
        while bytes.len() > self.max_message {
            outcome = match outcome {
                Outcome::Found(mut rows) if asked.kind == Kind::Bulk && rows.len() > 1 => {
                    let fitting = rows.len() * self.max_message / bytes.len();
                    rows.truncate(fitting.clamp(1, rows.len() - 1));
                    Outcome::Found(rows)
                }
                Outcome::Found(_) => Outcome::TooBig,
                Outcome::TooBig | Outcome::Failed { .. } => return None,
            };
            bytes = self.message(version, asked, &outcome)?;
        }
        if let Outcome::Found(rows) = outcome {
            self.told
                .extend(rows.into_iter().filter(|(_, answer)| matches!(answer, Answer::Is(_))).map(|(oid, _)| oid));
        }
        Some(bytes)
    }

    fn outcome(&self, version: Version, asked: &Request) -> Outcome {
        let names = match self.mood {
            Mood::FirstVariableOnly => asked.names.get(..1).unwrap_or_default(),
            _ => &asked.names,
        };
        let found: Vec<(Oid, Answer)> = match asked.kind {
            Kind::Set => {
                let status = if version == Version::V1 { Pdu::ERROR_STATUS_READ_ONLY } else { NOT_WRITABLE };
                return Outcome::Failed { status, index: 1 };
            }
            Kind::Get => names.iter().map(|name| (name.clone(), self.exact(name))).collect(),
            Kind::Next => names.iter().map(|name| self.next(name, version)).collect(),
            Kind::Bulk => self.bulk(asked, names),
        };
        if version == Version::V1 {
            let lacking = |(_, answer): &(Oid, Answer)| !answer.fits_v1();
            if let Some(position) = found.iter().position(lacking) {
                let index = u32::try_from(position + 1).unwrap_or(u32::MAX);
                return Outcome::Failed { status: Pdu::ERROR_STATUS_NO_SUCH_NAME, index };
            }
        }
        Outcome::Found(found)
    }

    fn exact(&self, name: &Oid) -> Answer {
        match self.rows.get(name) {
            Some(value) => Answer::Is(value.clone()),
            // Without a MIB an object is known by its other instances.
            None if name
                .parent()
                .is_some_and(|object| self.after(&object).is_some_and(|next| next.0.is_within(&object))) =>
            {
                Answer::NoSuchInstance
            }
            None => Answer::NoSuchObject,
        }
    }

    fn after(&self, name: &Oid) -> Option<(&Oid, &Value)> {
        self.rows.range::<Oid, _>((Bound::Excluded(name), Bound::Unbounded)).next()
    }

    fn next(&self, name: &Oid, version: Version) -> (Oid, Answer) {
        let mut after = self.rows.range::<Oid, _>((Bound::Excluded(name), Bound::Unbounded));
        // To a v1 reader rows of Counter64 do not exist (RFC 3584, 4.2.2.1).
        let next = after.find(|(_, value)| version != Version::V1 || !matches!(value, Value::Counter64(_)));
        let Some((next, value)) = next else { return (name.clone(), Answer::EndOfMibView) };
        let (next, value) = match self.mood {
            Mood::NextRepeats => (name, value),
            Mood::NextGoesBack => match name.parent().filter(|column| !next.is_within(column)) {
                Some(column) => self.after(&column).unwrap_or((next, value)),
                None => (next, value),
            },
            _ => (next, value),
        };
        (next.clone(), Answer::Is(value.clone()))
    }

    fn bulk(&self, asked: &Request, names: &[Oid]) -> Vec<(Oid, Answer)> {
        let (once, repeated) = names.split_at(asked.non_repeaters.min(names.len()));
        let mut found: Vec<_> = once.iter().map(|name| self.next(name, Version::V2c)).collect();
        // A variable takes at least an octet for each arc and six more: what can not fit need not be looked up.
        let mut least: usize = found.iter().map(|(oid, _)| oid.arcs().len() + 6).sum();
        let mut from = repeated.to_vec();
        for _ in 0..asked.max_repetitions {
            let round: Vec<_> = from.iter().map(|name| self.next(name, Version::V2c)).collect();
            let all_ended = round.iter().all(|(_, answer)| *answer == Answer::EndOfMibView);
            least += round.iter().map(|(oid, _)| oid.arcs().len() + 6).sum::<usize>();
            from = round.iter().map(|(oid, _)| oid.clone()).collect();
            found.extend(round);
            if all_ended || least > self.max_message {
                break;
            }
        }
        found
    }

    fn message(&self, version: Version, asked: &Request, outcome: &Outcome) -> Option<Vec<u8>> {
        let unspecified = |name: &Oid| VarBind { name: wire_oid(name), value: VarBindValue::Unspecified };
        let (error_status, error_index, variable_bindings) = match outcome {
            Outcome::Found(rows) => (0, 0, rows.iter().map(|(oid, answer)| answer.variable(oid)).collect()),
            // In v2c a tooBig carries no variables (RFC 3416, 4.2.1).
            Outcome::TooBig if version == Version::V2c => (Pdu::ERROR_STATUS_TOO_BIG, 0, Vec::new()),
            Outcome::TooBig => (Pdu::ERROR_STATUS_TOO_BIG, 0, asked.names.iter().map(unspecified).collect()),
            Outcome::Failed { status, index } => (*status, *index, asked.names.iter().map(unspecified).collect()),
        };
        let request_id = match self.mood {
            Mood::WrongRequestId => asked.request_id.wrapping_add(1),
            _ => asked.request_id,
        };
        let pdu = Pdu { request_id, error_status, error_index, variable_bindings };
        let message = Message {
            version: Integer::from(version as u8),
            community: OctetString::from(self.community.clone()),
            data: Pdus::Response(rasn_snmp::v2::Response(pdu)),
        };
        rasn::ber::encode(&message).ok()
    }
}

/// Octets that SNMPv3 puts around a PDU at most: header, security parameters, ids, padding.
const V3_OVERHEAD: usize = 200;

fn empty() -> Pdu {
    Pdu { request_id: 0, error_status: 0, error_index: 0, variable_bindings: Vec::new() }
}

/// notWritable; the constants of `rasn` end in the same numbers.
const NOT_WRITABLE: u32 = Pdu::ERROR_STATUS_NOT_WRITABLE;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Get,
    Next,
    Bulk,
    Set,
}

#[derive(Debug)]
struct Request {
    kind: Kind,
    request_id: i32,
    non_repeaters: usize,
    max_repetitions: usize,
    names: Vec<Oid>,
}

impl Request {
    fn from_pdu(pdu: Pdus, version: Version) -> Option<Self> {
        let (kind, pdu) = match pdu {
            Pdus::GetRequest(GetRequest(pdu)) => (Kind::Get, pdu),
            Pdus::GetNextRequest(GetNextRequest(pdu)) => (Kind::Next, pdu),
            Pdus::SetRequest(SetRequest(pdu)) => (Kind::Set, pdu),
            Pdus::GetBulkRequest(GetBulkRequest(pdu)) if version >= Version::V2c => {
                let BulkPdu { request_id, non_repeaters, max_repetitions, variable_bindings } = pdu;
                let pdu =
                    Pdu { request_id, error_status: non_repeaters, error_index: max_repetitions, variable_bindings };
                (Kind::Bulk, pdu)
            }
            _ => return None,
        };
        Some(Self {
            kind,
            request_id: pdu.request_id,
            non_repeaters: usize::try_from(pdu.error_status).ok()?,
            max_repetitions: usize::try_from(pdu.error_index).ok()?,
            names: pdu.variable_bindings.iter().map(|variable| Oid::new(&**variable.name)).collect::<Option<_>>()?,
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Found(Vec<(Oid, Answer)>),
    TooBig,
    Failed { status: u32, index: u32 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Is(Value),
    NoSuchObject,
    NoSuchInstance,
    EndOfMibView,
}

impl Answer {
    /// v1 has neither the three exceptions nor 64-bit counters.
    fn fits_v1(&self) -> bool {
        matches!(self, Self::Is(value) if !matches!(value, Value::Counter64(_)))
    }

    fn variable(&self, oid: &Oid) -> VarBind {
        let value = match self {
            Self::Is(value) => wire_value(value),
            Self::NoSuchObject => VarBindValue::NoSuchObject,
            Self::NoSuchInstance => VarBindValue::NoSuchInstance,
            Self::EndOfMibView => VarBindValue::EndOfMibView,
        };
        VarBind { name: wire_oid(oid), value }
    }
}

fn wire_oid(oid: &Oid) -> ObjectIdentifier {
    ObjectIdentifier::new_unchecked(oid.arcs().to_vec().into())
}

fn wire_value(value: &Value) -> VarBindValue {
    let simple = |value| VarBindValue::Value(ObjectSyntax::Simple(value));
    let wide = |value| VarBindValue::Value(ObjectSyntax::ApplicationWide(value));
    match value {
        Value::Integer(number) => simple(SimpleSyntax::Integer(Integer::from(*number))),
        Value::OctetString(octets) => simple(SimpleSyntax::String(OctetString::from(octets.clone()))),
        Value::Null => VarBindValue::Unspecified,
        Value::ObjectId(oid) => simple(SimpleSyntax::ObjectId(wire_oid(oid))),
        Value::IpAddress(octets) => wide(ApplicationSyntax::Address(rasn_smi::v1::IpAddress((*octets).into()))),
        Value::Counter32(number) => wide(ApplicationSyntax::Counter(rasn_smi::v1::Counter(*number))),
        Value::Gauge32(number) => wide(ApplicationSyntax::Unsigned(rasn_smi::v1::Gauge(*number))),
        Value::TimeTicks(number) => wide(ApplicationSyntax::Ticks(rasn_smi::v1::TimeTicks(*number))),
        // `rasn` makes an Opaque only of something to encode into it; its octets are taken over as a string's.
        Value::Opaque(octets) => {
            let content = OctetString::from(octets.clone());
            let tlv = rasn::ber::encode(&content).map(|mut bytes| {
                if let Some(tag) = bytes.first_mut() {
                    *tag = OPAQUE;
                }
                bytes
            });
            let opaque = tlv.ok().and_then(|bytes| rasn::ber::decode::<rasn_smi::v1::Opaque>(&bytes).ok());
            opaque.map_or(VarBindValue::Unspecified, |opaque| wide(ApplicationSyntax::Arbitrary(opaque)))
        }
        Value::Counter64(number) => wide(ApplicationSyntax::BigCounter(Counter64(*number))),
    }
}

const OPAQUE: u8 = 0x44;
const COUNTER32: u8 = 0x41;
const CONSTRUCTED: u8 = 0x20;

/// Bytes that are no answer, of another kind for each number.
fn rubbish(number: u64, request: &[u8]) -> Vec<u8> {
    match number % 6 {
        0 => Vec::new(),
        1 => vec![0x30],
        2 => b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        // A message that claims four gigabytes, one without end, and the request itself.
        3 => b"\x30\x84\xff\xff\xff\xff\x02\x01\x01\x04\x06public".to_vec(),
        4 => [0x30, 0x80].repeat(200),
        _ => request.to_vec(),
    }
}

/// The same message in legal or forgivable BER that no careful encoder writes. Returns what is no BER as it is.
fn sloppy(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() * 2);
    let mut rest = bytes;
    while let Some((tag, content, after)) = split_tlv(rest) {
        let content = match tag {
            tag if tag & CONSTRUCTED != 0 => sloppy(content),
            COUNTER32 if content.len() == 5 => content.get(1..).unwrap_or_default().to_vec(),
            _ => content.to_vec(),
        };
        let [.., high, low] = content.len().to_be_bytes();
        out.push(tag);
        match (tag & CONSTRUCTED != 0, high) {
            (false, 0) => out.extend([0x81, low]),
            _ => out.extend([0x83, 0, high, low]),
        }
        out.extend(content);
        rest = after;
    }
    out.extend(rest);
    out
}

/// First element of definite length: tag, content, what follows.
fn split_tlv(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => {
            let (length, rest) = rest.split_at_checked(2)?;
            (length.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}
