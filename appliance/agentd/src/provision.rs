//! `agent.toml`: the settings that a dealer prepares for a site, read strictly.
//!
//! An unknown key is refused by name, because a mistyped key that is passed over costs a second visit to the customer.

use serde::Deserialize;
use thiserror::Error;

use crate::ranges::Range;
use crate::settings::{ManagerAddress, Rhythm, SettingError};
use crate::store::settings::ScanRange;
use crate::store::{Store, StoreError};

/// What a file may set; what it leaves out stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioning {
    /// The manager.
    pub manager: Option<ManagerAddress>,
    /// All ranges; they replace those that were set before.
    pub scan: Vec<ScanRange>,
    /// The schedule.
    pub rhythm: Option<Rhythm>,
}

/// Why a file is refused. Nothing of a refused file is applied.
#[derive(Debug, Error)]
pub enum ProvisionError {
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("agent.toml: {0}")]
    Form(#[from] toml::de::Error),
    /// A value that cannot be.
    #[error("agent.toml, [{section}]: {source}")]
    Setting {
        /// Which table.
        section: &'static str,
        /// What is wrong with it.
        source: SettingError,
    },
    /// A range that is none.
    #[error("agent.toml, [[scan]]: {0}")]
    Range(#[from] agent_core::discover::RangeError),
    /// An SNMP version that is not spoken.
    #[error("agent.toml, [[scan]]: `{0}` is no SNMP version: v1 and v2c are spoken")]
    Version(String),
    /// A list of communities with nothing in it.
    #[error("agent.toml, [[scan]] {0}: at least one community is needed")]
    NoCommunity(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    manager: Option<ManagerTable>,
    #[serde(default)]
    scan: Vec<ScanTable>,
    schedule: Option<ScheduleTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ManagerTable {
    url: String,
    enrolment_code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScanTable {
    range: String,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default = "standard_port")]
    port: u16,
    #[serde(default = "standard_communities")]
    communities: Vec<String>,
    #[serde(default = "standard_versions")]
    snmp: Vec<String>,
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

fn standard_communities() -> Vec<String> {
    vec!["public".to_owned()]
}

fn standard_versions() -> Vec<String> {
    vec!["v2c".to_owned(), "v1".to_owned()]
}

impl Provisioning {
    /// Reads a file. A byte-order mark and CRLF, as editors on Windows leave them, are no fault.
    pub fn parse(text: &str) -> Result<Self, ProvisionError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
        let file: File = toml::from_str(&text)?;
        let manager = file
            .manager
            .map(|table| ManagerAddress::parse(&table.url, &table.enrolment_code))
            .transpose()
            .map_err(|source| ProvisionError::Setting { section: "manager", source })?;
        let rhythm = file
            .schedule
            .map(|table| {
                Rhythm::new(table.poll_seconds, table.search_seconds, table.report_seconds, table.probes_per_second)
            })
            .transpose()
            .map_err(|source| ProvisionError::Setting { section: "schedule", source })?;
        let scan = file.scan.into_iter().map(ScanTable::into_range).collect::<Result<_, _>>()?;
        Ok(Self { manager, scan, rhythm })
    }

    /// Puts the settings into the store.
    pub fn apply(&self, store: &Store) -> Result<(), StoreError> {
        if let Some(manager) = &self.manager {
            store.set_manager(manager)?;
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
        let versions = self
            .snmp
            .iter()
            .map(|word| {
                agent_core::snmp::Version::from_keyword(word).ok_or_else(|| ProvisionError::Version(word.clone()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Range::parse(&self.range)?;
        for exclusion in &self.exclude {
            Range::parse(exclusion)?;
        }
        if self.communities.is_empty() || versions.is_empty() {
            return Err(ProvisionError::NoCommunity(self.range));
        }
        Ok(ScanRange {
            range: self.range,
            exclusions: self.exclude.join(", "),
            port: self.port,
            versions,
            communities: self.communities,
        })
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
        assert!(fault("[[scan]]\nrange = \"192.0.2.1\"\nsnmp = [\"v3\"]").contains("v3"));
        assert!(fault("[schedule]\npoll_seconds = 0").contains("poll_seconds"));
        assert!(fault("[schedule]\npol_seconds = 9").contains("pol_seconds"));
    }
}
