//! How a configuration stands in a file: a `[network]` table under a version, the same table as in `agent.toml`; and which
//! file counts when some are missing or unreadable.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::{Config, FieldError, Form};
use crate::fault::{TomlFault, from_toml};
use crate::secret::Secret;

/// The version that is written.
const VERSION: u32 = 1;
/// What turns a document of version n + 1 into one of n + 2, in order: each change of the form adds a step, and none goes.
const MIGRATIONS: [fn(toml::Table) -> toml::Table; VERSION as usize - 1] = [];
/// What is left for netcfgd's next start, in the folder of its state: taken as committed, and then removed.
pub const PREPARED: &str = "prepared.toml";
/// Largest file that is worth reading.
pub const LARGEST: usize = 64 << 10;

/// Why a file gives no configuration.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum DiskError {
    #[error("not a file of this kind: {0}")]
    Form(#[from] TomlFault),
    #[error("written by a later version (form {0}, this is {VERSION})")]
    Later(u32),
    #[error("form {0} never was")]
    NoVersion(u32),
    #[error("[network]: {}", list(.0))]
    Fields(Vec<FieldError>),
    #[error("larger than {LARGEST} bytes")]
    TooLarge,
    #[error("cannot be read: {0}")]
    Unread(String),
}

fn list(faults: &[FieldError]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    /// Of a planned one: the start of the machine during which it was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    planned_in: Option<String>,
    network: NetworkTable,
}

/// The table `[network]`. A key that is not known is refused by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkTable {
    mode: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    address: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    gateway: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dns: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    host_name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ntp: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    ipv6: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    ipv6_address: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    ipv6_gateway: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    vlan: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dot1x: Option<Dot1xTable>,
}

/// The table `[network.dot1x]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dot1xTable {
    method: String,
    identity: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    anonymous: String,
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    password: Secret,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    authority: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    server: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    certificate: String,
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    key: Secret,
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    key_password: Secret,
}

impl NetworkTable {
    /// The configuration that the table describes.
    pub fn config(self) -> Result<Config, DiskError> {
        self.form().parse().map_err(DiskError::Fields)
    }

    fn form(self) -> Form {
        let dot1x = self.dot1x.unwrap_or_default();
        Form {
            mode: self.mode,
            address: self.address,
            prefix: String::new(),
            gateway: self.gateway,
            dns: self.dns.join(" "),
            host_name: self.host_name,
            ntp: self.ntp.join(" "),
            ipv6: self.ipv6,
            ipv6_address: self.ipv6_address,
            ipv6_gateway: self.ipv6_gateway,
            vlan: self.vlan,
            dot1x: dot1x.method,
            dot1x_identity: dot1x.identity,
            dot1x_anonymous: dot1x.anonymous,
            dot1x_password: dot1x.password,
            dot1x_authority: dot1x.authority,
            dot1x_server: dot1x.server,
            dot1x_certificate: dot1x.certificate,
            dot1x_key: dot1x.key,
            dot1x_key_password: dot1x.key_password,
        }
    }
}

impl From<&Config> for NetworkTable {
    fn from(config: &Config) -> Self {
        let form = Form::from(config);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        let address = match form.address.is_empty() {
            true => String::new(),
            false => format!("{}/{}", form.address, form.prefix),
        };
        Self {
            mode: form.mode,
            address,
            gateway: form.gateway,
            dns: words(&form.dns),
            host_name: form.host_name,
            ntp: words(&form.ntp),
            ipv6: form.ipv6,
            ipv6_address: form.ipv6_address,
            ipv6_gateway: form.ipv6_gateway,
            vlan: form.vlan,
            dot1x: config.dot1x.as_ref().map(|_| Dot1xTable {
                method: form.dot1x,
                identity: form.dot1x_identity,
                anonymous: form.dot1x_anonymous,
                password: form.dot1x_password,
                authority: form.dot1x_authority,
                server: form.dot1x_server,
                certificate: form.dot1x_certificate,
                key: form.dot1x_key,
                key_password: form.dot1x_key_password,
            }),
        }
    }
}

/// A configuration as its file.
pub fn encode(config: &Config) -> String {
    write(config, None)
}

/// A configuration that waits for the next start of the machine, as its file; `boot` names this one.
pub fn encode_planned(config: &Config, boot: &str) -> String {
    write(config, Some(boot.to_owned()))
}

fn write(config: &Config, planned_in: Option<String>) -> String {
    let document = Document { version: VERSION, planned_in, network: config.into() };
    let text = toml::to_string(&document).expect("a document of words, lists of words and a number has a TOML form");
    format!("# Written by netcfgd; changed on the agent's network page.\n{text}")
}

/// A configuration from its file, of this version or an earlier one.
pub fn decode(bytes: &[u8]) -> Result<Config, DiskError> {
    read(bytes)?.network.config()
}

/// A configuration that waits, and the start of the machine during which it was planned.
pub fn decode_planned(bytes: &[u8]) -> Result<(Config, String), DiskError> {
    let document = read(bytes)?;
    Ok((document.network.config()?, document.planned_in.unwrap_or_default()))
}

fn read(bytes: &[u8]) -> Result<Document, DiskError> {
    if bytes.len() > LARGEST {
        return Err(DiskError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| DiskError::Unread(error.to_string()))?;
    let mut table: toml::Table = from_toml(text)?;
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = table.clone().try_into().map_err(|error| TomlFault::new(&error, text))?;
    let step = |version: u32| usize::try_from(version.checked_sub(1)?).ok();
    match version {
        VERSION => {}
        0 => return Err(DiskError::NoVersion(version)),
        later if later > VERSION => return Err(DiskError::Later(later)),
        earlier => {
            for migrate in MIGRATIONS.iter().skip(step(earlier).unwrap_or_default()) {
                table = migrate(table);
            }
            table.insert("version".to_owned(), VERSION.into());
        }
    }
    Ok(table.try_into().map_err(|error| TomlFault::new(&error, text))?)
}

/// The `[network]` table of an `agent.toml`, if it has one; its other tables are the agent's and are passed over. A byte-order
/// mark and CRLF, as editors on Windows leave them, are no fault.
pub fn of_agent_toml(text: &str) -> Result<Option<Config>, DiskError> {
    form_of_agent_toml(text)?.map(|form| form.parse().map_err(DiskError::Fields)).transpose()
}

/// The same as it was typed: it need not be a configuration.
pub fn form_of_agent_toml(text: &str) -> Result<Option<Form>, DiskError> {
    if text.len() > LARGEST {
        return Err(DiskError::TooLarge);
    }
    #[derive(Deserialize)]
    struct File {
        network: Option<NetworkTable>,
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let file: File = from_toml(&text)?;
    Ok(file.network.map(NetworkTable::form))
}

/// What was found on disk at a start: a file that is not there is `None`.
#[derive(Debug, Default)]
pub struct Found {
    /// What the box should be.
    pub committed: Option<Result<Config, DiskError>>,
    /// What it was before.
    pub previous: Option<Result<Config, DiskError>>,
    /// What was being tried; readable or not, it has not been confirmed.
    pub pending: Option<Result<Config, DiskError>>,
    /// What waits for the next start of the machine, and the start during which it was planned.
    pub planned: Option<Result<(Config, String), DiskError>>,
}

/// Where the configuration in force comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// As it was committed.
    Committed,
    /// The committed one is missing or unreadable; this is the one before it.
    Previous,
    /// Nothing has ever been configured.
    Factory,
    /// What is there is unreadable: DHCP, and the addresses that answer in every mode.
    Rescue,
}

impl Found {
    /// The configuration that counts.
    pub fn effective(&self) -> (Config, Origin) {
        match (&self.committed, &self.previous) {
            (Some(Ok(config)), _) => (config.clone(), Origin::Committed),
            (_, Some(Ok(config))) => (config.clone(), Origin::Previous),
            (None, None) => (Config::factory(), Origin::Factory),
            _ => (Config::factory(), Origin::Rescue),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configs() -> Vec<Config> {
        let form = Form {
            mode: "static".into(),
            address: "10.1.2.3/20".into(),
            gateway: "10.1.0.1".into(),
            dns: "10.1.0.1 2001:db8::53".into(),
            host_name: "box".into(),
            ntp: "time.example".into(),
            ipv6: "static".into(),
            ipv6_address: "2001:db8::5/64".into(),
            ipv6_gateway: "fe80::1".into(),
            vlan: "7".into(),
            dot1x: "peap".into(),
            dot1x_identity: "office".into(),
            dot1x_password: Secret::new("\"quoted\" \\ ="),
            ..Form::default()
        };
        vec![Config::factory(), form.parse().unwrap()]
    }

    #[test]
    fn what_is_written_is_read() {
        for config in configs() {
            assert_eq!(decode(encode(&config).as_bytes()).unwrap(), config);
            let planned = encode_planned(&config, "this start");
            assert_eq!(decode_planned(planned.as_bytes()).unwrap(), (config, "this start".to_owned()));
        }
    }

    #[test]
    fn files_of_the_first_version_stay_readable() {
        let text = "version = 1\n[network]\nmode = \"static\"\naddress = \"192.0.2.5/24\"\ngateway = \"192.0.2.1\"\n";
        let config = decode(text.as_bytes()).unwrap();
        assert_eq!(Form::from(&config).gateway, "192.0.2.1");
    }

    #[test]
    fn what_is_no_configuration_says_why() {
        let fault = |text: &str| decode(text.as_bytes()).unwrap_err().to_string();
        assert!(fault("").contains("version"));
        assert!(fault("version = 2\n[network]\nmode = \"dhcp\"").contains("later version"));
        assert!(fault("version = 0\n[network]\nmode = \"dhcp\"").contains("never was"));
        assert!(fault("version = 1\n[network]\nmod = \"dhcp\"").contains("mod"));
        assert!(
            fault("version = 1\n[network]\nmode = \"static\"\naddress = \"192.0.2.5\"").contains("prefix is missing")
        );
        assert!(decode(&[0xff; 10]).is_err());
        assert!(decode(&vec![b' '; LARGEST + 1]).is_err());
        assert!(decode(&[0; 4096]).is_err(), "what a power cut may leave of a file");
    }

    #[test]
    fn a_stick_is_read_as_windows_writes_it() {
        let text =
            "\u{feff}[manager]\r\nurl = \"x\"\r\n[network]\r\nmode = \"static\"\r\naddress = \"192.0.2.5/24\"\r\n";
        assert!(of_agent_toml(text).unwrap().is_some());
        assert!(of_agent_toml("[manager]\nurl = \"x\"\n").unwrap().is_none());
        let fault = of_agent_toml("[network]\nmode = \"static\"\naddress = \"192.0.2.5/24\"\ngatway = \"192.0.2.1\"\n")
            .unwrap_err();
        assert!(fault.to_string().contains("gatway"), "{fault}");
    }

    #[test]
    fn the_best_readable_file_counts() {
        let good = || Some(Ok(configs().pop().unwrap()));
        let bad = || Some(Err(DiskError::TooLarge));
        let origin = |committed, previous| Found { committed, previous, ..Found::default() }.effective().1;
        assert_eq!(origin(good(), bad()), Origin::Committed);
        assert_eq!(origin(bad(), good()), Origin::Previous);
        assert_eq!(origin(None, good()), Origin::Previous);
        assert_eq!(origin(bad(), bad()), Origin::Rescue);
        assert_eq!(origin(bad(), None), Origin::Rescue);
        assert_eq!(origin(None, None), Origin::Factory);
    }
}
