//! SNMP as a manager speaks it: versions 1 and 2c, reading only. There is no way to write (SetRequest) in this crate.

pub mod ber;
mod lenient;
pub mod message;

use std::fmt;

/// Protocol version with the secret that belongs to it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Credential {
    /// Which version is spoken.
    pub version: Version,
    /// The community name, as octets.
    pub community: Vec<u8>,
}

/// Protocol version; the number is that on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// SNMPv1 (RFC 1157): no GETBULK, one missing name spoils a whole answer.
    V1 = 0,
    /// SNMPv2c (RFC 1901, 3416).
    V2c = 1,
}

impl Version {
    /// The word used in settings and on the command line.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2c => "v2c",
        }
    }

    /// The version of a word.
    pub fn from_keyword(word: &str) -> Option<Self> {
        [Self::V1, Self::V2c].into_iter().find(|version| version.keyword() == word)
    }
}

impl Credential {
    /// SNMPv2c with this community.
    pub fn v2c(community: &str) -> Self {
        Self { version: Version::V2c, community: community.as_bytes().to_vec() }
    }

    /// SNMPv1 with this community.
    pub fn v1(community: &str) -> Self {
        Self { version: Version::V1, community: community.as_bytes().to_vec() }
    }
}

/// Without the community, which is a secret.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({})", self.version.keyword())
    }
}
