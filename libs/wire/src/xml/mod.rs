//! The XML form of messages and devices. `schema/druckwart-2026-11.xsd` is its definition; this module agrees with it.
//!
//! **Forward tolerance.** Within one namespace only the vocabularies are open: a keyword that this version does not know
//! survives as `Other` and comes out again unchanged. An element or attribute that the schema does not name is refused
//! with a message that names it, because whoever sends it means something by it that would be lost without a word. A form
//! with other elements gets a namespace with another date, from the first release on; until then it grows by elements that may
//! be absent.
//!
//! Both directions go through xml-rs: its writer takes 40 ms for 500 colour devices on a desktop, so that there was no
//! reason for one of our own.
//!
//! **Writing never fails, and what is written can be read.** What XML or the schema cannot carry is made to fit: control
//! characters become U+FFFD, texts are cut to [`limits::TEXT`] characters, lists to the lengths in [`limits`]. So one
//! device, whatever it answers, always fits into one document. How many devices fit into one report is the sender's to
//! see to: by [`SendReports::MAX_DEVICES`](crate::message::SendReports::MAX_DEVICES), and by the length of the encoded
//! document against [`limits::DOCUMENT`].
//!
//! **Reading trusts nothing.** The parser has no limit on nesting and costly ways with entities and namespaces, so these
//! are kept away from it: a document is measured before it is parsed, is UTF-8 and has no document type declaration; what
//! is out of place is refused where it stands, so that nesting never gets deeper than the schema's five levels.

mod cursor;
pub mod limits;
mod read;
mod write;

use std::fmt;

use thiserror::Error;

use crate::device::DeviceRecord;
use crate::message::{FaultCode, Request, Response};

/// The namespace of every element. Dated: a form with other elements gets another one.
pub const NAMESPACE: &str = "urn:druckwart:wire:2026-11";

/// What an agent sends, as a document.
pub fn encode_request(request: &Request) -> Vec<u8> {
    write::request(request)
}

/// Takes apart what an agent sent.
pub fn decode_request(document: &[u8]) -> Result<Request, XmlError> {
    read::request(document)
}

/// What a manager answers, as a document.
pub fn encode_response(response: &Response) -> Vec<u8> {
    write::response(response)
}

/// Takes apart what a manager answered.
pub fn decode_response(document: &[u8]) -> Result<Response, XmlError> {
    read::response(document)
}

/// One device as a document of its own: how agent and manager keep it in their databases.
pub fn encode_device(device: &DeviceRecord) -> Vec<u8> {
    write::device(device)
}

/// Takes apart the document of one device.
pub fn decode_device(document: &[u8]) -> Result<DeviceRecord, XmlError> {
    read::device(document)
}

/// Where in a document something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Names of the open elements, from the root: `/SendReports/Device/Identity`.
    pub path: String,
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}, column {}", self.path, self.line, self.column)
    }
}

/// Why a document was refused. The messages are fit for a stranger: they quote at most a few characters of the document.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum XmlError {
    /// Larger than [`limits::DOCUMENT`]; it was not parsed.
    #[error("the document has {size} octets, at most {limit} are taken; send fewer devices at a time", limit = limits::DOCUMENT)]
    TooLarge {
        /// Its size in octets.
        size: usize,
    },
    /// Not UTF-8 from end to end; it was not parsed.
    #[error("{0}: the document is not UTF-8, the only encoding that is taken")]
    NotUtf8(Place),
    /// Has a document type declaration; it was not parsed.
    #[error(
        "{0}: a document type declaration is not taken (an HTML page in place of the expected XML begins like this)"
    )]
    Doctype(Place),
    /// Not well-formed.
    #[error("{place}: not well-formed XML: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser says.
        message: String,
    },
    /// Something that the schema does not have at this place, or not with this value.
    #[error("{place}: {found}, expected {expected}")]
    Unexpected {
        /// Where.
        place: Place,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: String,
    },
    /// More, or longer, than [`limits`] allow.
    #[error("{place}: {what}, at most {limit} are taken")]
    Limit {
        /// Where.
        place: Place,
        /// What there is too much of.
        what: String,
        /// How much would do.
        limit: usize,
    },
}

impl XmlError {
    /// The fault with which a manager answers such a document.
    pub fn fault_code(&self) -> FaultCode {
        match self {
            Self::TooLarge { .. } => FaultCode::TooLarge,
            _ => FaultCode::Malformed,
        }
    }
}
