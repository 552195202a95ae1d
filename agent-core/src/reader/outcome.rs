//! What can go wrong with a reading: oddities that do not stop it, and what ends it.

use thiserror::Error;

use super::{MAX_REQUESTS, MAX_ROWS};
use crate::oid::Oid;
use crate::snmp::session::Refusal;

/// Something odd that a device did, and that did not stop the reading.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remark {
    /// The names of a column did not rise.
    Loop(Oid),
    /// A column has more rows than are taken.
    TooManyRows(Oid),
    /// The device gave an error, or nothing at all, for a name or column however little was asked.
    Unanswered(Oid),
}

impl Remark {
    /// The word in the store and on the wire.
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Loop(_) => "loop",
            Self::TooManyRows(_) => "tooManyRows",
            Self::Unanswered(_) => "unanswered",
        }
    }

    /// The name or column that it is about.
    pub fn about(&self) -> &Oid {
        match self {
            Self::Loop(oid) | Self::TooManyRows(oid) | Self::Unanswered(oid) => oid,
        }
    }
}

impl std::fmt::Display for Remark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Loop(column) => {
                write!(f, "the names below {column} do not rise (the device loops); read up to there")
            }
            Self::TooManyRows(column) => write!(f, "{column} has more than {MAX_ROWS} rows; the first were read"),
            Self::Unanswered(name) => write!(f, "the device does not answer for {name}; left out"),
        }
    }
}

/// Why a reading failed.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// Nothing came back.
    #[error(
        "no answer to SNMP: the address may be unused, SNMP may be off on the device, the community may be wrong, or a firewall drops UDP"
    )]
    NoAnswer,
    /// Bytes came back that are no SNMP.
    #[error("the device answers, but not in SNMP: {0}")]
    Garbled(String),
    /// It answered, then no more.
    #[error("the device stopped answering after {answered} answers")]
    Stopped {
        /// How many requests it had answered.
        answered: u32,
    },
    /// It does not take connections, or ends them.
    #[error("no SNMP over TCP: {0}")]
    NoConnection(String),
    /// It speaks SNMPv3, but does not serve the user.
    #[error(transparent)]
    Refused(Refusal),
    /// It answers and answers without coming to an end.
    #[error("the device took more than {MAX_REQUESTS} requests without coming to an end")]
    Endless,
}
