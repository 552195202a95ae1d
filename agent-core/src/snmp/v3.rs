//! Messages of SNMPv3 (RFC 3412 with the security parameters of RFC 3414) to bytes and back. Knows no clock, keeps nothing.
//!
//! The frame is read by the forgiving reader, because its exact place in the datagram matters for the digest; the PDU inside
//! goes the same way as those of versions 1 and 2c.

use std::borrow::Cow;
use std::fmt;

use super::ber::{Writer, tag};
use super::lenient::{self, container, element, integer};
use super::message::{DecodeError, Operation, Response, decode_pdu, write_pdu};
use super::usm::{LocalKeys, SALT};
use super::{Version, lenient::RESPONSE_PDU};
use crate::gate::Readable;
use crate::oid::Oid;

/// Octets of the largest message that we take: what UDP carries.
pub const MAX_MESSAGE: i32 = 65_507;
/// Octets of the longest engine id taken; the standard allows 32.
const MAX_ENGINE_ID: usize = 64;

pub(super) const REPORT_PDU: u8 = 0xa8;
const AUTH: u8 = 1;
const PRIV: u8 = 2;
const REPORTABLE: u8 = 4;
/// The user-based security model.
const USM: i32 = 3;

/// What stands before the PDU, apart from keys.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a> {
    /// Names the message; its answer bears the same.
    pub msg_id: i32,
    /// Whether the receiver may answer with a Report.
    pub reportable: bool,
    /// The authoritative engine.
    pub engine_id: &'a [u8],
    /// How often that engine has started.
    pub boots: u32,
    /// For how many seconds it has been running.
    pub time: u32,
    /// Who speaks.
    pub user: &'a str,
    /// Whose objects are meant.
    pub context_engine_id: &'a [u8],
    /// Which context of that engine.
    pub context: &'a str,
}

/// The question for an engine's id: everyone answers it with a Report (RFC 3414, 4).
pub fn encode_discovery(msg_id: i32) -> Vec<u8> {
    let header = Header {
        msg_id,
        reportable: true,
        engine_id: &[],
        boots: 0,
        time: 0,
        user: "",
        context_engine_id: &[],
        context: "",
    };
    encode(&header, None, [0; SALT], |writer| write_pdu(writer, msg_id, Operation::Get, &[])).unwrap_or_default()
}

/// A request, with the security that the keys give.
pub fn encode_request(
    header: &Header<'_>,
    keys: &LocalKeys,
    salt: [u8; SALT],
    operation: Operation,
    names: &[Readable],
) -> Option<Vec<u8>> {
    encode(header, Some(keys), salt, |writer| write_pdu(writer, header.msg_id, operation, names))
}

/// A message around a PDU. `salt` must be another one for each message.
pub(super) fn encode(
    header: &Header<'_>,
    keys: Option<&LocalKeys>,
    salt: [u8; SALT],
    pdu: impl FnOnce(&mut Writer),
) -> Option<Vec<u8>> {
    let mut scoped = Writer::default();
    scoped.wrap(tag::SEQUENCE, |writer| {
        pdu(writer);
        writer.octet_string(header.context.as_bytes());
        writer.octet_string(header.context_engine_id);
    });
    let scoped = scoped.finish();
    let digest_octets = keys.and_then(LocalKeys::digest_octets);
    let encrypted = match keys.filter(|keys| keys.encrypts()) {
        Some(keys) => Some(keys.encrypt(&scoped, header.boots, header.time, salt)?),
        None => None,
    };
    let flags = if header.reportable { REPORTABLE } else { 0 }
        | if digest_octets.is_some() { AUTH } else { 0 }
        | if encrypted.is_some() { PRIV } else { 0 };
    let mut writer = Writer::default();
    let mut behind_digest = 0;
    writer.wrap(tag::SEQUENCE, |writer| {
        match &encrypted {
            Some(encrypted) => writer.octet_string(encrypted),
            None => writer.raw(&scoped),
        }
        writer.wrap(tag::OCTET_STRING, |writer| {
            writer.wrap(tag::SEQUENCE, |writer| {
                writer.octet_string(if encrypted.is_some() { &salt } else { &[] });
                behind_digest = writer.len();
                writer.octet_string(&vec![0; digest_octets.unwrap_or(0)]);
                writer.octet_string(header.user.as_bytes());
                writer.integer(i32::try_from(header.time).unwrap_or(i32::MAX));
                writer.integer(i32::try_from(header.boots).unwrap_or(i32::MAX));
                writer.octet_string(header.engine_id);
            });
        });
        writer.wrap(tag::SEQUENCE, |writer| {
            writer.integer(USM);
            writer.octet_string(&[flags]);
            writer.integer(MAX_MESSAGE);
            writer.integer(header.msg_id);
        });
        writer.integer(Version::V3 as i32);
    });
    let mut bytes = writer.finish();
    if let (Some(keys), Some(octets)) = (keys, digest_octets) {
        let digest = keys.digest(&[&bytes]);
        let end = bytes.len().checked_sub(behind_digest)?;
        bytes.get_mut(end.checked_sub(octets)?..end)?.copy_from_slice(&digest);
    }
    Some(bytes)
}

/// A message whose digest has not been checked, and whose PDU may be encrypted.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Names the message, and the request that it answers.
    pub msg_id: i32,
    /// Octets of the largest message that the sender takes.
    pub max_size: usize,
    /// The authoritative engine.
    pub engine_id: &'a [u8],
    /// How often that engine has started.
    pub boots: u32,
    /// For how many seconds it has been running.
    pub time: u32,
    /// Who speaks, or is spoken to.
    pub user: &'a [u8],
    flags: u8,
    digest: &'a [u8],
    salt: &'a [u8],
    before_digest: &'a [u8],
    behind_digest: &'a [u8],
    /// A ScopedPDU, or what it was encrypted to.
    data: (u8, &'a [u8]),
}

/// Whether bytes claim to be a message of SNMPv3.
pub fn is_v3(bytes: &[u8]) -> bool {
    let version = container(bytes).and_then(|(_, message, _)| integer(message));
    version.is_some_and(|(version, _)| version == Version::V3 as i64)
}

impl<'a> Message<'a> {
    /// Takes a message apart.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let form = DecodeError::Form;
        let string = |bytes: &'a [u8]| match element(bytes) {
            Some((tag::OCTET_STRING, content, rest)) => Ok((content, rest)),
            _ => Err(form("security parameters of another form")),
        };
        let number = |bytes: &'a [u8]| {
            let (number, rest) = integer(bytes).ok_or(form("a number is missing"))?;
            Ok::<_, DecodeError>((u32::try_from(number).map_err(|_| form("a number out of range"))?, rest))
        };
        let Some((tag::SEQUENCE, content, after)) = container(bytes) else { return Err(form("no outer sequence")) };
        let whole = bytes.get(..bytes.len() - after.len()).unwrap_or(bytes);
        let (version, rest) = number(content)?;
        if version != Version::V3 as u32 {
            return Err(form("not version 3"));
        }
        let Some((tag::SEQUENCE, global, rest)) = container(rest) else { return Err(form("no header")) };
        let (msg_id, global) = number(global)?;
        let (max_size, global) = number(global)?;
        let (flags, global) = string(global)?;
        let (model, _) = number(global)?;
        if model != USM as u32 {
            return Err(form("a security model other than the user-based one"));
        }
        let (security, data) = string(rest)?;
        let Some((tag::SEQUENCE, security, _)) = container(security) else {
            return Err(form("no security parameters"));
        };
        let (engine_id, security) = string(security)?;
        let (boots, security) = number(security)?;
        let (time, security) = number(security)?;
        let (user, security) = string(security)?;
        let (digest, security) = string(security)?;
        let (salt, _) = string(security)?;
        let (data_tag, content, after_data) = container(data).ok_or(form("no data"))?;
        if engine_id.len() > MAX_ENGINE_ID {
            return Err(form("an engine id that is too long"));
        }
        let before = digest.as_ptr().addr() - whole.as_ptr().addr();
        Ok(Self {
            msg_id: i32::try_from(msg_id).map_err(|_| form("a msgID out of range"))?,
            max_size: usize::try_from(max_size).unwrap_or(usize::MAX),
            engine_id,
            boots,
            time,
            user,
            flags: flags.first().copied().unwrap_or(0),
            digest,
            salt,
            before_digest: whole.get(..before).unwrap_or_default(),
            behind_digest: whole.get(before + digest.len()..).unwrap_or_default(),
            data: match data_tag {
                tag::SEQUENCE => (data_tag, data.get(..data.len() - after_data.len()).unwrap_or(data)),
                tag::OCTET_STRING => (data_tag, content),
                _ => return Err(form("neither a PDU nor an encrypted one")),
            },
        })
    }

    /// Whether it claims to be authenticated.
    pub fn is_authenticated(&self) -> bool {
        self.flags & AUTH != 0
    }

    /// Whether its sender wants a Report about what is wrong with it.
    pub fn is_reportable(&self) -> bool {
        self.flags & REPORTABLE != 0
    }

    /// Whether its PDU is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.data.0 == tag::OCTET_STRING
    }

    /// Whether the digest is right.
    pub fn verify(&self, keys: &LocalKeys) -> bool {
        let zeros = vec![0; self.digest.len()];
        keys.verify(&[self.before_digest, &zeros, self.behind_digest], self.digest)
    }

    /// The ScopedPDU, decrypted; `None` where it cannot be or is none.
    pub fn scoped(&self, keys: Option<&LocalKeys>) -> Option<Scoped> {
        let bytes = match self.is_encrypted() {
            true => Cow::Owned(keys?.decrypt(self.data.1, self.boots, self.time, self.salt)?),
            false => Cow::Borrowed(self.data.1),
        };
        let (tag::SEQUENCE, scoped, _) = container(&bytes)? else { return None };
        let (tag::OCTET_STRING, engine_id, rest) = element(scoped)? else { return None };
        let (tag::OCTET_STRING, context, pdu) = element(rest)? else { return None };
        let (pdu_tag, _, behind) = container(pdu)?;
        let pdu = pdu.get(..pdu.len() - behind.len())?;
        Some(Scoped { engine_id: engine_id.into(), context: context.into(), pdu_tag, pdu: pdu.into() })
    }
}

/// A PDU with the context that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scoped {
    /// Whose objects are meant.
    pub engine_id: Box<[u8]>,
    /// Which context of that engine.
    pub context: Box<[u8]>,
    /// The tag of the PDU.
    pub pdu_tag: u8,
    /// The PDU, with its tag.
    pub pdu: Box<[u8]>,
}

impl Scoped {
    /// The response.
    pub fn response(&self) -> Result<Response, DecodeError> {
        if self.pdu_tag == RESPONSE_PDU { decode_pdu(&self.pdu) } else { Err(DecodeError::NotAResponse) }
    }

    /// What a Report says; `None` for what is no Report.
    pub fn report(&self) -> Option<Report> {
        let (REPORT_PDU, response) = lenient::decode_pdu(&self.pdu).ok()? else { return None };
        Some(response.variables.first().map_or(Report::Empty, |(name, _)| Report::of(name)))
    }
}

/// Why an engine did not take a message: the counter that a Report names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of RFC 3412, 3413 and 3414")]
pub enum Report {
    UnsupportedSecLevels,
    NotInTimeWindows,
    UnknownUserNames,
    UnknownEngineIds,
    WrongDigests,
    DecryptionErrors,
    UnavailableContexts,
    UnknownContexts,
    /// Any other counter.
    Other(Oid),
    /// No counter at all.
    Empty,
}

impl Report {
    const COUNTERS: [(Report, &'static [u32]); 8] = [
        (Self::UnsupportedSecLevels, &[1, 3, 6, 1, 6, 3, 15, 1, 1, 1]),
        (Self::NotInTimeWindows, &[1, 3, 6, 1, 6, 3, 15, 1, 1, 2]),
        (Self::UnknownUserNames, &[1, 3, 6, 1, 6, 3, 15, 1, 1, 3]),
        (Self::UnknownEngineIds, &[1, 3, 6, 1, 6, 3, 15, 1, 1, 4]),
        (Self::WrongDigests, &[1, 3, 6, 1, 6, 3, 15, 1, 1, 5]),
        (Self::DecryptionErrors, &[1, 3, 6, 1, 6, 3, 15, 1, 1, 6]),
        (Self::UnavailableContexts, &[1, 3, 6, 1, 6, 3, 12, 1, 4]),
        (Self::UnknownContexts, &[1, 3, 6, 1, 6, 3, 12, 1, 5]),
    ];

    fn of(name: &Oid) -> Self {
        let counter = Self::COUNTERS.iter().find(|(_, arcs)| name.arcs().starts_with(arcs));
        counter.map_or_else(|| Self::Other(name.clone()), |(report, _)| report.clone())
    }
}

impl Report {
    /// The name of the counter's instance.
    pub(super) fn name(&self) -> Option<Oid> {
        let (_, arcs) = Self::COUNTERS.iter().find(|(report, _)| report == self)?;
        Oid::new(&[arcs, &[0][..]].concat())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(name) => write!(f, "the counter {name}"),
            Self::Empty => f.write_str("no counter"),
            known => write!(f, "{known:?}"),
        }
    }
}
