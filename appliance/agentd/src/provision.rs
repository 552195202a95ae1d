//! `agent.toml`: the settings that a dealer prepares for a site, read strictly.
//!
//! An unknown key is refused by name, because a mistyped key that is passed over costs a second visit to the customer.

use std::collections::BTreeSet;

use agent_core::search::Kinds;
use agent_core::snmp::{AuthProtocol, KeyExtension, Keyed, PrivProtocol, Secret, Transport, User, UserError, Version};
use boxcore::prepared::BoxTable;
use netcfg::disk::NetworkTable;
use netcfg::fault::{TomlFault, from_toml};
use serde::Deserialize;
use thiserror::Error;

use crate::ranges::Range;
use crate::settings::{ManagerAddress, Proxy, Rhythm, SettingError};
use crate::store::settings::ScanRange;
use crate::store::{Store, StoreError};

/// What a file may set; what it leaves out stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioning {
    /// The manager.
    pub manager: Option<ManagerAddress>,
    /// The proxy on the way to it.
    pub proxy: Option<Proxy>,
    /// All ranges; they replace those that were set before.
    pub scan: Vec<ScanRange>,
    /// The schedule.
    pub rhythm: Option<Rhythm>,
    /// Users of SNMPv3; those of the same name are replaced.
    pub users: Vec<User>,
}

/// Why a file is refused. Nothing of a refused file is applied.
#[derive(Debug, Error)]
pub enum ProvisionError {
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("agent.toml: {0}")]
    Form(#[from] TomlFault),
    /// A value that cannot be.
    #[error("agent.toml, [{section}]: {source}")]
    Setting {
        /// Which table.
        section: &'static str,
        /// What is wrong with it.
        source: SettingError,
    },
    /// A network that cannot be.
    #[error("agent.toml, {0}")]
    Network(#[from] netcfg::disk::DiskError),
    /// A range that is none.
    #[error("agent.toml, [[scan]]: {0}")]
    Range(#[from] agent_core::discover::RangeError),
    /// An SNMP version that is not spoken.
    #[error("agent.toml, [[scan]]: `{0}` is no SNMP version: v1, v2c and v3 are spoken")]
    Version(String),
    /// Nothing to ask with.
    #[error("agent.toml, [[scan]] {0}: v1 and v2c need at least one of `communities`, v3 at least one of `users`")]
    NoCredential(String),
    /// A transport that is not spoken.
    #[error("agent.toml, [[scan]] {0}: the transport is udp or tcp")]
    Transport(String),
    /// A kind of question that there is not.
    #[error("agent.toml, [[scan]]: `{0}` is no probe; there are {1}, and at least one is needed")]
    Probe(String, String),
    /// A user who is defined nowhere.
    #[error("agent.toml, [[scan]]: there is no [[snmp_user]] named `{0}`")]
    NoUser(String),
    /// A user that cannot be.
    #[error("agent.toml, [[snmp_user]] {0}: {1}")]
    User(String, #[source] UserError),
    /// A protocol that is not spoken.
    #[error("agent.toml, [[snmp_user]] {user}: `{word}` is none of {known}")]
    Protocol {
        /// Of whom.
        user: String,
        /// What was written.
        word: String,
        /// What could have been.
        known: String,
    },
    /// One of the two is missing.
    #[error("agent.toml, [[snmp_user]] {0}: a protocol and its password go together")]
    Half(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "a table that is only checked is read all the same")]
struct File {
    manager: Option<ManagerTable>,
    proxy: Option<ProxyTable>,
    #[serde(default)]
    scan: Vec<ScanTable>,
    schedule: Option<ScheduleTable>,
    // netcfgd's: checked here, so that one file is right or wrong as a whole, and applied there.
    network: Option<NetworkTable>,
    // boxd's, in the same way.
    r#box: Option<BoxTable>,
    #[serde(default)]
    snmp_user: Vec<UserTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserTable {
    name: String,
    #[serde(default)]
    user: Option<String>,
    auth_protocol: Option<String>,
    auth_password: Option<String>,
    priv_protocol: Option<String>,
    priv_password: Option<String>,
    key_extension: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ManagerTable {
    url: String,
    enrolment_code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProxyTable {
    url: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScanTable {
    range: String,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default = "standard_port")]
    port: u16,
    communities: Option<Vec<String>>,
    #[serde(default)]
    users: Vec<String>,
    snmp: Option<Vec<String>>,
    #[serde(default)]
    transport: Option<String>,
    probes: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ScheduleTable {
    poll_seconds: u64,
    search_seconds: u64,
    report_seconds: u64,
    probes_per_second: u32,
}

impl Default for ScheduleTable {
    fn default() -> Self {
        let Rhythm { poll, search, report, rate } = Rhythm::default();
        Self {
            poll_seconds: poll.as_secs(),
            search_seconds: search.as_secs(),
            report_seconds: report.as_secs(),
            probes_per_second: rate,
        }
    }
}

fn standard_port() -> u16 {
    161
}

impl Provisioning {
    /// Reads a file. A byte-order mark and CRLF, as editors on Windows leave them, are no fault.
    pub fn parse(text: &str) -> Result<Self, ProvisionError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
        let file: File = from_toml(&text)?;
        file.network.map(NetworkTable::config).transpose()?;
        let manager = file
            .manager
            .map(|table| ManagerAddress::parse(&table.url, &table.enrolment_code))
            .transpose()
            .map_err(|source| ProvisionError::Setting { section: "manager", source })?;
        let proxy = file
            .proxy
            .map(|table| Proxy::parse(&table.url, &table.user, &table.password, None))
            .transpose()
            .map_err(|source| ProvisionError::Setting { section: "proxy", source })?
            .flatten();
        let rhythm = file
            .schedule
            .map(|table| {
                Rhythm::new(table.poll_seconds, table.search_seconds, table.report_seconds, table.probes_per_second)
            })
            .transpose()
            .map_err(|source| ProvisionError::Setting { section: "schedule", source: source.into() })?;
        let users = file.snmp_user.into_iter().map(UserTable::into_user).collect::<Result<Vec<_>, _>>()?;
        let scan = file.scan.into_iter().map(ScanTable::into_range).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { manager, proxy, scan, rhythm, users })
    }

    /// The users that ranges name and the file does not define: they have to be known already.
    pub fn users_elsewhere(&self) -> BTreeSet<&str> {
        let own: BTreeSet<_> = self.users.iter().map(User::label).collect();
        let named = self.scan.iter().flat_map(|range| &range.users).map(String::as_str);
        named.filter(|label| !own.contains(label)).collect()
    }

    /// Puts the settings into the store.
    pub fn apply(&self, store: &Store) -> Result<(), StoreError> {
        for user in &self.users {
            store.set_snmp_user(user)?;
        }
        if let Some(manager) = &self.manager {
            store.set_manager(manager)?;
        }
        if self.proxy.is_some() {
            store.set_proxy(self.proxy.as_ref())?;
        }
        if let Some(rhythm) = &self.rhythm {
            store.set_rhythm(rhythm)?;
        }
        if !self.scan.is_empty() {
            store.replace_ranges(&self.scan)?;
        }
        Ok(())
    }
}

impl ScanTable {
    fn into_range(self) -> Result<ScanRange, ProvisionError> {
        // Whoever names users and no community does not want to send a community around.
        let (communities, standard) = match (self.communities, self.users.is_empty()) {
            (None, true) => (vec!["public".to_owned()], &[Version::V2c, Version::V1][..]),
            (None, false) => (Vec::new(), &[Version::V3][..]),
            (Some(communities), true) => (communities, &[Version::V2c, Version::V1][..]),
            (Some(communities), false) => (communities, &[Version::V3, Version::V2c, Version::V1][..]),
        };
        let version = |word: &String| Version::from_keyword(word).ok_or_else(|| ProvisionError::Version(word.clone()));
        let versions = match &self.snmp {
            Some(words) => words.iter().map(version).collect::<Result<Vec<_>, _>>()?,
            None => standard.to_vec(),
        };
        let transport = match &self.transport {
            Some(word) => Transport::from_keyword(word).ok_or_else(|| ProvisionError::Transport(self.range.clone()))?,
            None => Transport::Udp,
        };
        let lacks = |version: &Version| match version {
            Version::V1 | Version::V2c => communities.is_empty(),
            Version::V3 => self.users.is_empty(),
        };
        if versions.is_empty() || versions.iter().any(lacks) {
            return Err(ProvisionError::NoCredential(self.range));
        }
        let kinds = match &self.probes {
            Some(words) if words.is_empty() => {
                return Err(ProvisionError::Probe(String::new(), Kinds::WORDS.join(", ")));
            }
            Some(words) => Kinds::from_words(words.iter().map(String::as_str))
                .map_err(|word| ProvisionError::Probe(word.to_owned(), Kinds::WORDS.join(", ")))?,
            None => Kinds::ALL,
        };
        Range::parse(&self.range)?;
        for exclusion in &self.exclude {
            Range::parse(exclusion)?;
        }
        Ok(ScanRange {
            range: self.range,
            exclusions: self.exclude.join(", "),
            port: self.port,
            transport,
            versions,
            communities,
            users: self.users,
            kinds,
        })
    }
}

impl UserTable {
    fn into_user(self) -> Result<User, ProvisionError> {
        let wrong = |word: &str, known: Vec<&str>| ProvisionError::Protocol {
            user: self.name.clone(),
            word: word.to_owned(),
            known: known.join(", "),
        };
        let auth_words = AuthProtocol::ALL.map(AuthProtocol::keyword).to_vec();
        let auth = keyed(&self.name, &self.auth_protocol, &self.auth_password, |word| {
            AuthProtocol::from_keyword(word).ok_or_else(|| wrong(word, auth_words.clone()))
        })?;
        let priv_words = PrivProtocol::ALL.map(PrivProtocol::keyword).to_vec();
        let privacy = keyed(&self.name, &self.priv_protocol, &self.priv_password, |word| {
            PrivProtocol::from_keyword(word).ok_or_else(|| wrong(word, priv_words.clone()))
        })?;
        let extension_words = KeyExtension::ALL.map(KeyExtension::keyword).to_vec();
        let extension = self
            .key_extension
            .as_deref()
            .map(|word| KeyExtension::from_keyword(word).ok_or_else(|| wrong(word, extension_words.clone())));
        let user = User::new(self.user.as_deref().unwrap_or(&self.name), auth, privacy)
            .and_then(|user| user.labelled(&self.name))
            .map_err(|error| ProvisionError::User(self.name.clone(), error))?;
        Ok(user.extending(extension.transpose()?))
    }
}

fn keyed<P>(
    user: &str,
    protocol: &Option<String>,
    password: &Option<String>,
    read: impl Fn(&str) -> Result<P, ProvisionError>,
) -> Result<Option<Keyed<P>>, ProvisionError> {
    match (protocol, password) {
        (Some(protocol), Some(password)) => {
            Ok(Some(Keyed { protocol: read(protocol)?, password: Secret::new(password) }))
        }
        (None, None) => Ok(None),
        _ => Err(ProvisionError::Half(user.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use wire::enrolment::EnrolmentCode;

    use super::*;

    fn code() -> String {
        EnrolmentCode { token: EnrolmentCode::token_of(&[5; 16]), server_key: Some([1; 32]) }.to_string()
    }

    #[test]
    fn a_file_from_a_windows_editor_is_read() {
        let text = format!(
            "\u{feff}[manager]\r\nurl = \"https://m.example:8443\"\r\nenrolment_code = \"{}\"\r\n[[scan]]\r\nrange = \"192.0.2.0/24\"\r\n",
            code()
        );
        let read = Provisioning::parse(&text).unwrap();
        assert_eq!(read.manager.unwrap().url.as_str(), "https://m.example:8443/");
        assert_eq!(read.scan.first().unwrap().communities, ["public"]);
    }

    #[test]
    fn faults_are_named() {
        let fault = |text: &str| Provisioning::parse(text).unwrap_err().to_string();
        assert!(fault("[manger]\nurl = \"x\"").contains("manger"));
        assert!(fault("[manager]\nurl = \"https://m\"\nenrolment_code = \"abc\"").contains("enrolment code"));
        assert!(fault("[[scan]]\nrange = \"192.0.2.0/99\"").contains("192.0.2.0/99"));
        assert!(fault("[[scan]]\nrange = \"192.0.2.1\"\nsnmp = [\"v4\"]").contains("v4"));
        assert!(fault("[[scan]]\nrange = \"192.0.2.1\"\nsnmp = [\"v3\"]").contains("users"));
        assert!(fault("[[scan]]\nrange = \"192.0.2.1\"\ntransport = \"sctp\"").contains("udp or tcp"));
        let user = "[[snmp_user]]\nname = \"monitor\"\nauth_protocol = ";
        assert!(fault(&format!("{user}\"SHA-3\"\nauth_password = \"12345678\"")).contains("SHA-256"));
        assert!(fault(&format!("{user}\"SHA\"")).contains("go together"));
        assert!(fault("[[snmp_user]]\nname = \"one, two\"").contains("commas"));
        assert!(fault(&format!("{user}\"SHA\"\nauth_password = \"short\"")).contains("8 to 255"));
        assert!(fault("[network]\nmode = \"static\"\naddress = \"192.0.2.1\"").contains("prefix is missing"));
        assert!(Provisioning::parse("[network]\nmode = \"dhcp\"").is_ok());
        assert!(fault("[proxy]\nurl = \"https://proxy\"").contains("no address of a proxy"));
        assert!(fault("[box]\ntime_zone = \"Berlin!\"").contains("Europe/Berlin"));
        assert!(fault("[box]\ntimezone = \"UTC\"").contains("line 2"));
        assert!(Provisioning::parse("[box]\ntime_zone = \"Europe/Berlin\"\nreset = \"done\"").is_ok());
        assert!(fault("[schedule]\npoll_seconds = 0").contains("poll_seconds"));
        assert!(fault("[schedule]\npol_seconds = 9").contains("pol_seconds"));
    }
}
