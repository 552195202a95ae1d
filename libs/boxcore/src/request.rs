//! The whole surface of boxd: its requests and their answers, one JSON line each, over its Unix socket.

use serde::{Deserialize, Serialize};

use crate::health::Fault;
use crate::prepared::TimeZoneName;
use crate::update::{Record, Refusal, Wish};

/// Longest line, either way.
pub const LONGEST_LINE: usize = 64 << 10;
/// The folder to which bundles are brought, and the only one from which they are installed.
pub const UPDATES: &str = "/data/updates";

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How things stand.
    Show {},
    /// Install the bundle of this name in the folder for bundles. It is taken away from there, whatever comes of it.
    Install {
        /// Its name: no path.
        file: FileName,
        /// How it is wanted.
        wish: Wish,
    },
    /// Restart the box.
    Restart {},
    /// Erase everything that was ever set or collected, and restart.
    Erase {},
    /// The zone of clock times.
    SetTimeZone {
        /// Its name.
        zone: TimeZoneName,
    },
}

/// The name of a file, without a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

impl FileName {
    /// The name, if it leads nowhere else.
    pub fn parse(text: &str) -> Option<Self> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (text.len() <= 100 && !text.starts_with('.') && !text.is_empty() && text.bytes().all(good))
            .then(|| Self(text.to_owned()))
    }

    /// Its letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for FileName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("this is no name of a file")
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

impl Request {
    /// Reads a line.
    pub fn decode(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line)
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// To `Show`.
    Status(Box<Status>),
    /// It is done, or under way; `Show` tells how it goes on.
    Done {},
    /// Nothing was changed.
    Refused {
        /// Why.
        why: String,
    },
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The running version.
    pub version: String,
    /// What kind of box it is.
    pub board: String,
    /// The systems on the card.
    pub slots: Vec<Slot>,
    /// The update that is being installed.
    pub progress: Option<Progress>,
    /// Why the last bundle was not installed, since the start.
    pub refused: Option<Refusal>,
    /// The last update.
    pub last: Option<Record>,
    /// How the running system is.
    pub health: Health,
    /// How the data partition is.
    pub data: Data,
    /// The zone of clock times, if one is set.
    pub time_zone: Option<String>,
    /// What came of the last prepared card or stick.
    pub prepared: Option<String>,
}

/// One of the two systems on the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The boot loader's name for it.
    pub name: String,
    /// Its version, where it is known.
    pub version: Option<String>,
    /// Whether it runs.
    pub is_running: bool,
    /// Whether the next start takes it first.
    pub is_next: bool,
    /// Whether it was found good.
    pub is_good: bool,
}

/// How far an installation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// In hundredths.
    pub percent: u8,
    /// The installer's word for what it does.
    pub doing: String,
}

/// How the running system is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// Whether it was found good since its start.
    pub is_good: bool,
    /// Whether it runs for the first time and goes back if it does not prove good.
    pub is_on_trial: bool,
    /// What does not work.
    pub faults: Vec<Fault>,
}

/// How the data partition is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Data {
    /// Whether what is written is gone at the next start.
    pub is_volatile: bool,
    /// What was wrong with it at the start, and what was done.
    pub remarks: Vec<Remark>,
    /// What went wrong when it was written to for a test.
    pub test_fault: Option<String>,
    /// Its size in bytes.
    pub size: u64,
    /// Bytes free.
    pub free: u64,
}

/// What the start found about the data partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remark {
    /// It was made anew, because it was empty.
    Made,
    /// It was erased, as was asked.
    Erased,
    /// It was damaged and repaired; something may be missing.
    Repaired,
    /// It was damaged beyond repair and made anew; so many files could be saved.
    MadeAnew {
        /// Files that were saved.
        saved: u64,
    },
    /// There is none.
    Missing,
    /// It cannot be written to: everything is kept in memory only.
    ReadOnly,
    /// It could not grow to the size of the card.
    NotGrown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written() {
        let file = FileName::parse("upload.raucb").unwrap();
        let zone = TimeZoneName::parse("UTC").unwrap();
        for request in [
            Request::Show {},
            Request::Install { file, wish: Wish::Asked },
            Request::Restart {},
            Request::Erase {},
            Request::SetTimeZone { zone },
        ] {
            let line = serde_json::to_string(&request).unwrap();
            assert_eq!(Request::decode(line.trim_end().as_bytes()).unwrap(), request, "{line}");
        }
    }

    #[test]
    fn the_list_is_closed() {
        for line in [
            "",
            "{}",
            r#"{"request":"run"}"#,
            r#"{"request":"show","more":1}"#,
            r#"{"request":"install","file":"../shadow","wish":"asked"}"#,
            r#"{"request":"install","file":".hidden","wish":"asked"}"#,
            r#"{"request":"set_time_zone","zone":"../etc"}"#,
        ] {
            assert!(Request::decode(line.as_bytes()).is_err(), "{line}");
        }
        assert!(Request::decode(&[b'['; 60_000]).is_err());
    }
}
