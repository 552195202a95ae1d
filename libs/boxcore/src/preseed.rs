//! The file `rpi-preseed.toml` that Raspberry Pi Imager leaves on a card. The box takes the host name and the time zone; all else
//! is refused with a reason, because a setting that is passed over in silence would be believed to hold.

use netcfg::config::HostName;
use netcfg::fault::{TomlFault, from_toml};
use thiserror::Error;

use crate::prepared::TimeZoneName;

/// What is taken, and what is not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preseed {
    /// The name of the box.
    pub host_name: Option<HostName>,
    /// The zone of its clock.
    pub time_zone: Option<TimeZoneName>,
    /// Keys that are not taken, and why.
    pub refused: Vec<(String, &'static str)>,
}

/// Why a file is refused as a whole.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct PreseedError(#[from] TomlFault);

const LOGIN: &str = "the box has no user accounts and no remote shell; its page is its only entrance";
const RADIO: &str = "the box is attached by cable; wireless networks are not supported";
const NETWORK: &str = "the network is set in agent.toml, table [network], or on the box's page";
const SYSTEM: &str = "the system is a closed image: nothing is installed, mounted or run from a card";
const SCREEN: &str = "the box has no keyboard and no desktop; its page speaks the language of the browser";
const UNKNOWN: &str = "there is no such setting here";
const NO_NAME: &str = "it is no name that a machine can have: letters, digits and hyphens, at most 63";
const NO_ZONE: &str = "it is no time zone: write one such as Europe/Berlin";
const NO_WORD: &str = "it has to be a text in quotation marks";

/// Most keys that are named in the answer.
const MOST: usize = 50;

impl Preseed {
    /// Reads a file.
    pub fn parse(text: &str) -> Result<Self, PreseedError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
        let file: toml::Table = from_toml(&text)?;
        let mut preseed = Self::default();
        for (name, value) in &file {
            match value {
                toml::Value::Table(table) => table.iter().for_each(|(key, value)| preseed.take(name, key, value)),
                _ if name == "config_version" => {}
                _ => preseed.refuse(name.clone(), UNKNOWN),
            }
        }
        Ok(preseed)
    }

    fn take(&mut self, table: &str, key: &str, value: &toml::Value) {
        let path = format!("{table}.{key}");
        match (table, key, value.as_str()) {
            ("system", "hostname", Some(text)) => match HostName::parse(text) {
                Some(name) => self.host_name = Some(name),
                None => self.refuse(path, NO_NAME),
            },
            ("locale", "timezone", Some(text)) => match TimeZoneName::parse(text) {
                Ok(name) => self.time_zone = Some(name),
                Err(_) => self.refuse(path, NO_ZONE),
            },
            ("system", "hostname", None) | ("locale", "timezone", None) => self.refuse(path, NO_WORD),
            ("user" | "ssh" | "connect", ..) => self.refuse(path, LOGIN),
            ("wlan", ..) => self.refuse(path, RADIO),
            ("ethernet" | "time" | "ca_certificates", ..) => self.refuse(path, NETWORK),
            ("mounts" | "packages" | "runcmd" | "boot" | "interfaces", ..) => self.refuse(path, SYSTEM),
            ("locale", ..) => self.refuse(path, SCREEN),
            _ => self.refuse(path, UNKNOWN),
        }
    }

    fn refuse(&mut self, key: String, why: &'static str) {
        if self.refused.len() < MOST {
            self.refused.push((key.chars().filter(|char| !char.is_control()).take(80).collect(), why));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn name_and_zone_are_taken_and_the_rest_is_refused_in_words() {
        let text = "config_version = \"1.1\"\r\n[system]\r\nhostname = \"Office-7\"\r\n[user]\r\nname = \"alice\"\r\n\
                    password = \"secret\"\r\n[locale]\r\ntimezone = \"Europe/Vienna\"\r\nkeymap = \"de\"\r\n[runcmd]\r\nlate = [\"id\"]\r\n";
        let read = Preseed::parse(text).unwrap();
        assert_eq!(read.host_name.unwrap().as_str(), "office-7");
        assert_eq!(read.time_zone.unwrap().as_str(), "Europe/Vienna");
        let refused: Vec<_> = read.refused.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(refused, ["locale.keymap", "runcmd.late", "user.name", "user.password"]);
        assert!(!format!("{:?}", read.refused).contains("secret"));
        let wrong = Preseed::parse("[system]\nhostname = \"a b\"\n[locale]\ntimezone = 5\n").unwrap();
        assert_eq!((wrong.host_name, wrong.time_zone, wrong.refused.len()), (None, None, 2));
        assert!(Preseed::parse("[system").unwrap_err().to_string().contains("line 1"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,400}", key in "[a-z]{1,10}", value in "[^\"\\\\]{0,80}") {
            let _ = Preseed::parse(&text);
            let _ = Preseed::parse(&format!("[{key}]\n{key} = \"{value}\"\n"));
        }
    }
}
