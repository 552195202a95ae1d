//! The part of a prepared `agent.toml` that is the box's: its network, its time zone, a reset. All other tables are the agent's,
//! which reads the whole file strictly, these tables included; here they are passed over.

use std::fmt;

use netcfg::config::{Config, Form};
use netcfg::disk::{DiskError, form_of_agent_toml};
use netcfg::fault::{TomlFault, from_toml};
use netcfg::secret::Secret;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::scrub::is_taken_out;

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
    /// How it is attached to its network; it may lack a secret that only the box could have had.
    pub network: Option<Result<Config, TakenOut>>,
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

/// Why a network whose file was used before is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "[network.dot1x]: `{0}` was taken out when the file was used, and the box has none for this method and identity: write it into the \
     file again"
)]
pub struct TakenOut(&'static str);

impl Prepared {
    /// Reads a file. A byte-order mark and CRLF, as editors on Windows leave them, are no fault. Secrets of the network that were
    /// taken out when the file was used are those of `kept`, if it has them.
    pub fn parse(text: &str, kept: &Config) -> Result<Self, PreparedError> {
        #[derive(Deserialize)]
        struct File {
            r#box: Option<BoxTable>,
        }
        let network = match form_of_agent_toml(text)?.map(|form| put_back(form, kept)) {
            Some(Ok(form)) => Some(Ok(form.parse().map_err(DiskError::Fields)?)),
            Some(Err(error)) => Some(Err(error)),
            None => None,
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
        let file: File = from_toml(&text)?;
        let BoxTable { time_zone, reset } = file.r#box.unwrap_or_default();
        Ok(Self { network, time_zone, reset: reset.filter(|reset| *reset != Reset::Done) })
    }
}

/// The form with the secrets of what is kept, where its own were taken out.
fn put_back(mut form: Form, kept: &Config) -> Result<Form, TakenOut> {
    let take_out = |secret: &mut Secret| {
        let is_out = is_taken_out(secret.reveal());
        if is_out {
            *secret = Secret::default();
        }
        is_out
    };
    let password = take_out(&mut form.dot1x_password);
    let key = take_out(&mut form.dot1x_key);
    let key_password = take_out(&mut form.dot1x_key_password);
    if password || key {
        form.keep_secrets_of(&Form::from(kept));
    }
    // A key comes back with its password; one that was typed anew has none of which the box could know.
    for (name, is_missing) in [
        ("password", password && form.dot1x_password.is_empty()),
        ("key", key && form.dot1x_key.is_empty()),
        ("key_password", key_password && !key),
    ] {
        if is_missing {
            return Err(TakenOut(name));
        }
    }
    Ok(form)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scrub::scrub;

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMAMCAQE=\n-----END PRIVATE KEY-----\n";

    fn read(text: &str) -> Result<Prepared, PreparedError> {
        Prepared::parse(text, &Config::factory())
    }

    #[test]
    fn the_box_takes_its_part() {
        let text = "\u{feff}[manager]\r\nurl = \"x\"\r\n[network]\r\nmode = \"dhcp\"\r\n[box]\r\ntime_zone = \"Europe/Berlin\"\r\n\
                    reset = \"network\"\r\n";
        let prepared = read(text).unwrap();
        assert_eq!(prepared.network, Some(Ok(Config::factory())));
        assert_eq!(prepared.time_zone.unwrap().as_str(), "Europe/Berlin");
        assert_eq!(prepared.reset, Some(Reset::Network));
        assert_eq!(read("[box]\nreset = \"done\"").unwrap(), Prepared::default());
        assert_eq!(read("").unwrap(), Prepared::default());
    }

    #[test]
    fn faults_name_their_line() {
        let fault = |text: &str| read(text).unwrap_err().to_string();
        assert!(fault("[box]\n\ntime_zon = \"UTC\"").contains("line 3"));
        assert!(fault("[box]\ntime_zone = \"../../etc/shadow\"").contains("Europe/Berlin"));
        assert!(fault("[box]\nreset = \"all\"").contains("everything"));
        assert!(fault("[network]\nmode = \"static\"").contains("address is missing"));
    }

    #[test]
    fn what_stands_for_a_secret_is_none() {
        let file =
            |secrets: &str| format!("[network]\nmode = \"dhcp\"\n[network.dot1x]\nidentity = \"office\"\n{secrets}\n");
        let pem = KEY.replace("PRIVATE KEY", "CERTIFICATE");
        let peap = file("method = \"peap\"\npassword = \"opensesame\"");
        let short = peap.replace("opensesame", "sesame");
        let tls = file(&format!(
            "method = \"tls\"\ncertificate = \"\"\"{pem}\"\"\"\nkey = \"\"\"{KEY}\"\"\"\nkey_password = \"opensesame\""
        ));
        let network = |text: &str, kept: &Config| Prepared::parse(text, kept).unwrap().network.unwrap();
        for (text, name) in [(&peap, "password"), (&short, "password"), (&tls, "key")] {
            let config = network(text, &Config::factory()).unwrap();
            let used = scrub(text).unwrap();
            assert_eq!(network(&used, &config), Ok(config.clone()), "a box that was set up so goes on so: {used}");
            let words = network(&used, &Config::factory()).unwrap_err().to_string();
            assert!(words.contains(&format!("`{name}`")) && words.contains("write it into the file again"), "{words}");
            let other = used.replace("\"office\"", "\"canteen\"");
            assert!(network(&other, &config).is_err(), "it is the secret of another log-in");
            assert_eq!(network(text, &config), Ok(config), "what is given counts");
        }
        let config = network(&tls, &Config::factory()).unwrap();
        let half = tls.replace("opensesame", "used, removed");
        assert!(
            network(&half, &config).unwrap_err().to_string().contains("`key_password`"),
            "whose key would that open"
        );
        let reset = format!("{}[box]\nreset = \"everything\"\n", scrub(&peap).unwrap());
        assert_eq!(read(&reset).unwrap().reset, Some(Reset::Everything), "a reset needs no secret");
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
            let _ = read(&text);
            let _ = read(&format!("[box]\ntime_zone = \"{text}\"\n"));
        }
    }
}
