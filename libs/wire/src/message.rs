//! The messages: what an agent sends and what a manager answers. Plain data; the XML form is in `xml`.
//!
//! Names follow PWG 5106.3 (WIMS): an agent first registers for management, then sends reports. Every message of an agent
//! is signed (see `sign`); the signature travels beside the document, so that it works over any carrier.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::device::{DeviceId, DeviceRecord};
use crate::notes::{Remark, SameDevice};

/// Who an agent is: the first 16 octets of the SHA-256 of its Ed25519 public key, in lower-case hexadecimal.
/// Nobody can claim a name without holding the key it was made from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(String);

impl AgentId {
    /// The name that belongs to a public key.
    pub fn of_key(public_key: &[u8; 32]) -> Self {
        let digest = Sha256::digest(public_key);
        Self(data_encoding::HEXLOWER.encode(digest.get(..16).unwrap_or_default()))
    }

    /// A name of 32 lower-case hexadecimal digits; nothing else is one.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        fits.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a report: unique with the agent's. A retry carries the same name and the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportId {
    /// Rises with each start of the agent; milliseconds since 1970 where the agent had a clock.
    pub epoch: u64,
    /// Rises by one with each report of an epoch, from 1.
    pub sequence: u64,
}

impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.sequence)
    }
}

/// What an agent sends first: the enrolment token in exchange for being known.
#[derive(Clone, PartialEq, Eq)]
pub struct RegisterForManagement {
    /// The single-use token that the manager gave out.
    pub token: String,
    /// The agent's Ed25519 public key; the message is signed with its private half.
    pub public_key: [u8; 32],
    /// Host name, as a help for people.
    pub agent_name: String,
    /// Version of the agent's software.
    pub software: String,
}

/// Without the token, so that a message in a log betrays nothing.
impl fmt::Debug for RegisterForManagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterForManagement")
            .field("agent", &AgentId::of_key(&self.public_key))
            .field("agent_name", &self.agent_name)
            .field("software", &self.software)
            .finish_non_exhaustive()
    }
}

/// What the manager answers to a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterForManagementResponse {
    /// The name under which the agent's reports are taken.
    pub agent: AgentId,
    /// Customer's name, as a help for people.
    pub customer: String,
    /// Site's name, as a help for people.
    pub site: String,
}

/// What an agent sends from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendReports {
    /// Who sends.
    pub agent: AgentId,
    /// The report's name.
    pub id: ReportId,
    /// When it was made, by the agent's clock.
    pub created: Timestamp,
    /// Host name of the agent.
    pub agent_name: String,
    /// Version of the agent's software.
    pub software: String,
    /// All that the agent has to say about itself; what is left out holds no longer.
    pub remarks: Vec<Remark>,
    /// Devices that have turned out to be one since the last report.
    pub same: Vec<SameDevice>,
    /// Devices of which something has changed since the last report that named them. With none, and none removed, the
    /// report says that the agent is alive.
    pub devices: Vec<DeviceRecord>,
    /// Devices that the agent no longer watches.
    pub removed: Vec<DeviceId>,
}

impl SendReports {
    /// Most devices that one report may name; an agent with more sends several.
    pub const MAX_DEVICES: usize = 500;
}

/// What the manager did with a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// Taken and stored.
    Accepted,
    /// Was stored already; nothing was done.
    Duplicate,
}

impl Receipt {
    /// The word used in XML.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Duplicate => "Duplicate",
        }
    }

    /// The receipt that a word of the XML means.
    pub fn from_keyword(keyword: &str) -> Option<Self> {
        [Self::Accepted, Self::Duplicate].into_iter().find(|receipt| receipt.keyword() == keyword)
    }
}

/// What the manager answers to a report. Only this answer lets the agent forget the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendReportsResponse {
    /// The report's name.
    pub id: ReportId,
    /// What was done.
    pub receipt: Receipt,
}

/// Why a message was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCode {
    /// The document is not what the schema says, or breaks a limit.
    Malformed,
    /// The signature is missing or wrong.
    BadSignature,
    /// The token is unknown, used or expired.
    BadToken,
    /// No such agent is registered here.
    UnknownAgent,
    /// The report's name was used for other content.
    ReportIdReused,
    /// Larger than the manager takes.
    TooLarge,
    /// Nothing is wrong with the message: try again later.
    TryLater,
}

impl FaultCode {
    /// All codes with the words used in XML.
    pub const KEYWORDS: [(Self, &str); 7] = [
        (Self::Malformed, "Malformed"),
        (Self::BadSignature, "BadSignature"),
        (Self::BadToken, "BadToken"),
        (Self::UnknownAgent, "UnknownAgent"),
        (Self::ReportIdReused, "ReportIdReused"),
        (Self::TooLarge, "TooLarge"),
        (Self::TryLater, "TryLater"),
    ];

    /// The word used in XML.
    pub fn keyword(self) -> &'static str {
        Self::KEYWORDS.iter().find(|(code, _)| *code == self).map_or("Malformed", |(_, word)| word)
    }

    /// The code that a word of the XML means.
    pub fn from_keyword(keyword: &str) -> Option<Self> {
        Self::KEYWORDS.iter().find(|(_, word)| *word == keyword).map(|(code, _)| *code)
    }
}

/// What the manager answers instead, when it refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The reason, for programs.
    pub code: FaultCode,
    /// The reason and the way out, for people, in English.
    pub message: String,
}

/// Everything that an agent may send.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Request {
    RegisterForManagement(RegisterForManagement),
    SendReports(SendReports),
}

/// Everything that a manager may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Response {
    RegisterForManagementResponse(RegisterForManagementResponse),
    SendReportsResponse(SendReportsResponse),
    Fault(Fault),
}
