//! Object identifiers and the values that stand behind them: what recordings hold and simulated printers answer.
//!
//! Deliberately its own type, not the product's: the simulator must not share code with what it tests.

use std::{fmt, str::FromStr};

/// An object identifier; orders as SNMP walks do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(Vec<u32>);

impl Oid {
    /// Most arcs that SNMP allows (RFC 2578, 3.5).
    pub const MAX_ARCS: usize = 128;

    /// From arcs; `None` where they can not be encoded (fewer than 2, more than 128, or a root arc out of range).
    pub fn new(arcs: impl Into<Vec<u32>>) -> Option<Self> {
        let arcs = arcs.into();
        let root_fits = matches!(arcs.as_slice(), [0 | 1, 0..=39, ..] | [2, ..]) && arcs.len() >= 2;
        (root_fits && arcs.len() <= Self::MAX_ARCS).then_some(Self(arcs))
    }

    /// The arcs.
    pub fn arcs(&self) -> &[u32] {
        &self.0
    }

    /// Whether `self` is `root` or lies below it.
    pub fn is_within(&self, root: &Oid) -> bool {
        self.0.starts_with(&root.0)
    }

    /// The identifier without its last arc; `None` at the root.
    pub fn parent(&self) -> Option<Oid> {
        let (_, rest) = self.0.split_last()?;
        Self::new(rest)
    }

    /// The identifier with further arcs.
    pub fn child(&self, arcs: &[u32]) -> Option<Oid> {
        Self::new([self.0.as_slice(), arcs].concat())
    }
}

impl FromStr for Oid {
    type Err = OidError;

    fn from_str(text: &str) -> Result<Self, OidError> {
        let arcs = text.split('.').map(str::parse).collect::<Result<Vec<u32>, _>>();
        arcs.ok().and_then(Self::new).ok_or_else(|| OidError(text.to_owned()))
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, arc) in self.0.iter().enumerate() {
            let dot = if position == 0 { "" } else { "." };
            write!(f, "{dot}{arc}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no object identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidError(String);

impl fmt::Display for OidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no OID: numbers joined by dots are wanted, without a dot in front", self.0)
    }
}

impl std::error::Error for OidError {}

/// A value as SNMP knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of RFC 2578")]
pub enum Value {
    Integer(i32),
    OctetString(Vec<u8>),
    Null,
    ObjectId(Oid),
    IpAddress([u8; 4]),
    Counter32(u32),
    Gauge32(u32),
    TimeTicks(u32),
    Opaque(Vec<u8>),
    Counter64(u64),
}

impl Value {
    /// A text as an OCTET STRING.
    pub fn text(text: &str) -> Self {
        Self::OctetString(text.as_bytes().to_vec())
    }

    /// The number, whatever its type; `None` for what is no number.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(i64::from(*number)),
            Self::Counter32(number) | Self::Gauge32(number) | Self::TimeTicks(number) => Some(i64::from(*number)),
            Self::Counter64(number) => i64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// The octets of an OCTET STRING; `None` for anything else.
    pub fn octets(&self) -> Option<&[u8]> {
        match self {
            Self::OctetString(octets) => Some(octets),
            _ => None,
        }
    }
}
