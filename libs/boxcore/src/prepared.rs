//! The part of a prepared `agent.toml` that is the box's: its network, its time zone, a reset. All other tables are the agent's,
//! which reads the whole file strictly, these tables included; here they are passed over.

use std::fmt;

use netcfg::config::Config;
use netcfg::disk::{DiskError, of_agent_toml};
use netcfg::fault::{TomlFault, from_toml};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Largest prepared file that is read.
pub const LARGEST: usize = netcfg::disk::LARGEST;

/// The table `[box]`. A key that is not known is refused by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoxTable {
    time_zone: Option<TimeZoneName>,
    reset: Option<Reset>,
}

/// What a reset takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reset {
    /// The network's settings: back to DHCP.
    Network,
    /// Everything that was ever set or collected.
    Everything,
    /// Nothing: what a reset leaves in the file, so that it happens once.
    Done,
}

/// The name of a time zone, such as `Europe/Berlin`. Whether there is one of that name is another question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeZoneName(String);

/// Why a name is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no time zone: write one such as Europe/Berlin or UTC")]
pub struct NoTimeZone(String);

impl TimeZoneName {
    /// The name, if it may be one: it becomes the path of a file, so no part of it may lead elsewhere.
    pub fn parse(text: &str) -> Result<Self, NoTimeZone> {
        let part = |part: &str| {
            part.starts_with(|first: char| first.is_ascii_alphabetic())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte))
        };
        match text.len() <= 64 && text.split('/').count() <= 3 && text.split('/').all(part) {
            true => Ok(Self(text.to_owned())),
            false => Err(NoTimeZone(text.chars().take(80).collect())),
        }
    }

    /// Its letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TimeZoneName {
    type Error = NoTimeZone;

    fn try_from(text: String) -> Result<Self, NoTimeZone> {
        Self::parse(&text)
    }
}

impl From<TimeZoneName> for String {
    fn from(name: TimeZoneName) -> Self {
        name.0
    }
}

impl fmt::Display for TimeZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a prepared file wants of the box.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prepared {
    /// How it is attached to its network.
    pub network: Option<Config>,
    /// The zone of its clock.
    pub time_zone: Option<TimeZoneName>,
    /// What is to be taken away, before anything else of the file counts.
    pub reset: Option<Reset>,
}

/// Why a file is refused.
#[derive(Debug, Error)]
pub enum PreparedError {
    /// Not TOML, or a value that cannot be.
    #[error("{0}")]
    Form(#[from] TomlFault),
    /// A network that cannot be.
    #[error("{0}")]
    Network(#[from] DiskError),
}

impl Prepared {
    /// Reads a file. A byte-order mark and CRLF, as editors on Windows leave them, are no fault.
    pub fn parse(text: &str) -> Result<Self, PreparedError> {
        #[derive(Deserialize)]
        struct File {
            r#box: Option<BoxTable>,
        }
        let network = of_agent_toml(text)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
        let file: File = from_toml(&text)?;
        let BoxTable { time_zone, reset } = file.r#box.unwrap_or_default();
        Ok(Self { network, time_zone, reset: reset.filter(|reset| *reset != Reset::Done) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_box_takes_its_part() {
        let text = "\u{feff}[manager]\r\nurl = \"x\"\r\n[network]\r\nmode = \"dhcp\"\r\n[box]\r\ntime_zone = \"Europe/Berlin\"\r\n\
                    reset = \"network\"\r\n";
        let read = Prepared::parse(text).unwrap();
        assert_eq!(read.network, Some(Config::factory()));
        assert_eq!(read.time_zone.unwrap().as_str(), "Europe/Berlin");
        assert_eq!(read.reset, Some(Reset::Network));
        assert_eq!(Prepared::parse("[box]\nreset = \"done\"").unwrap(), Prepared::default());
        assert_eq!(Prepared::parse("").unwrap(), Prepared::default());
    }

    #[test]
    fn faults_name_their_line() {
        let fault = |text: &str| Prepared::parse(text).unwrap_err().to_string();
        assert!(fault("[box]\n\ntime_zon = \"UTC\"").contains("line 3"));
        assert!(fault("[box]\ntime_zone = \"../../etc/shadow\"").contains("Europe/Berlin"));
        assert!(fault("[box]\nreset = \"all\"").contains("everything"));
        assert!(fault("[network]\nmode = \"static\"").contains("address is missing"));
    }

    #[test]
    fn a_zone_leads_nowhere_else() {
        for name in ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"] {
            assert!(TimeZoneName::parse(name).is_ok(), "{name}");
        }
        for name in ["", "/etc/passwd", "a//b", "..", "a/..", "a/b/c/d", "Europe/Berlin\n", "9", "Zürich"] {
            assert!(TimeZoneName::parse(name).is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,400}") {
            let _ = Prepared::parse(&text);
            let _ = Prepared::parse(&format!("[box]\ntime_zone = \"{text}\"\n"));
        }
    }
}
