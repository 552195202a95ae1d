//! Settings: what they are called in the store, what they may be, what they are by default. Parsed once, valid from then on.

use std::time::Duration;

use agent_core::report::Pace;
use reqwest::Url;
use thiserror::Error;
use wire::enrolment::EnrolmentCode;

/// The schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// Every device is polled once in this time.
    pub poll: Duration,
    /// All ranges are searched once in this time.
    pub search: Duration,
    /// Changes are reported after at most this time; alerts at once.
    pub report: Duration,
    /// Probes a second while searching.
    pub rate: u32,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(5 * 60),
            search: Duration::from_secs(6 * 60 * 60),
            report: Duration::from_secs(5 * 60),
            rate: 200,
        }
    }
}

impl Rhythm {
    /// A rhythm of seconds and probes a second, if each is in its bounds.
    pub fn new(poll: u64, search: u64, report: u64, rate: u32) -> Result<Self, SettingError> {
        let seconds = |field, value, min, max| {
            if (min..=max).contains(&value) {
                Ok(Duration::from_secs(value))
            } else {
                Err(SettingError::Bounds { field, value, min, max })
            }
        };
        Ok(Self {
            poll: seconds("poll_seconds", poll, 5, 86_400)?,
            search: seconds("search_seconds", search, 60, 30 * 86_400)?,
            report: seconds("report_seconds", report, 5, 86_400)?,
            rate: match rate {
                1..=10_000 => rate,
                _ => {
                    return Err(SettingError::Bounds {
                        field: "probes_per_second",
                        value: rate.into(),
                        min: 1,
                        max: 10_000,
                    });
                }
            },
        })
    }

    /// The rhythm of reports that belongs to it.
    pub fn pace(&self) -> Pace {
        Pace { changes: self.report, ..Pace::default() }
    }
}

/// Why a setting is refused.
#[derive(Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum SettingError {
    #[error("{field} is {value} and has to be from {min} to {max}")]
    Bounds { field: &'static str, value: u64, min: u64, max: u64 },
    #[error("`{0}` is no address of a manager: write https://host:port")]
    Url(String),
    #[error("this is no enrolment code: it starts with DW1- and comes whole from the manager's page of the site")]
    Code,
}

/// Where the manager is and how to become known to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagerAddress {
    /// Base address: scheme, host and port.
    pub url: Url,
    /// The enrolment code; its token is wiped from the store once used.
    pub code: EnrolmentCode,
}

impl ManagerAddress {
    /// Reads address and code as typed.
    pub fn parse(url: &str, code: &str) -> Result<Self, SettingError> {
        let code = EnrolmentCode::parse(code).ok_or(SettingError::Code)?;
        Ok(Self { url: parse_url(url)?, code })
    }
}

/// Reads the address of a manager: HTTPS only, no user, no path.
pub fn parse_url(text: &str) -> Result<Url, SettingError> {
    let text = text.trim();
    let refused = || SettingError::Url(text.to_owned());
    let url = Url::parse(text).map_err(|_| refused())?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none();
    if url.scheme() == "https" && url.has_host() && plain { Ok(url) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_reached_over_https_only() {
        assert!(parse_url(" https://manager.example:8443/ ").is_ok());
        for text in
            ["", "manager.example", "http://manager.example", "https://", "https://u:p@h", "https://h/path", "ftp://h"]
        {
            assert_eq!(parse_url(text), Err(SettingError::Url(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_rhythm_has_bounds() {
        assert!(Rhythm::new(5, 60, 5, 1).is_ok());
        let error = Rhythm::new(1, 60, 5, 1).unwrap_err();
        assert_eq!(error.to_string(), "poll_seconds is 1 and has to be from 5 to 86400");
        assert!(Rhythm::new(60, 60, 60, 0).is_err());
    }
}
