//! Settings: what they are called in the store, what they may be, what they are by default. Parsed once, valid from then on.

use std::fmt;
use std::time::Duration;

use agent_core::report::Pace;
use agent_core::snmp::Secret;
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
    pub fn new(poll: u64, search: u64, report: u64, rate: u32) -> Result<Self, OutOfBounds> {
        let seconds = |field: RhythmField, value: u64, min: u64, max: u64| {
            if (min..=max).contains(&value) {
                Ok(Duration::from_secs(value))
            } else {
                Err(OutOfBounds { field, value, min, max })
            }
        };
        Ok(Self {
            poll: seconds(RhythmField::Poll, poll, 5, 86_400)?,
            search: seconds(RhythmField::Search, search, 60, 30 * 86_400)?,
            report: seconds(RhythmField::Report, report, 5, 86_400)?,
            rate: match rate {
                1..=10_000 => rate,
                _ => {
                    return Err(OutOfBounds { field: RhythmField::Rate, value: rate.into(), min: 1, max: 10_000 });
                }
            },
        })
    }

    /// The rhythm of reports that belongs to it.
    pub fn pace(&self) -> Pace {
        Pace { changes: self.report, ..Pace::default() }
    }
}

/// A part of the rhythm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum RhythmField {
    Poll,
    Search,
    Report,
    Rate,
}

impl fmt::Display for RhythmField {
    /// As in `agent.toml`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Poll => "poll_seconds",
            Self::Search => "search_seconds",
            Self::Report => "report_seconds",
            Self::Rate => "probes_per_second",
        })
    }
}

/// A number that makes no sense in the rhythm.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
#[error("{field} is {value} and has to be from {min} to {max}")]
#[allow(missing_docs, reason = "the message says it")]
pub struct OutOfBounds {
    pub field: RhythmField,
    pub value: u64,
    pub min: u64,
    pub max: u64,
}

/// Why a setting is refused.
#[derive(Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum SettingError {
    #[error(transparent)]
    Bounds(#[from] OutOfBounds),
    #[error("`{0}` is no address of a manager: write https://host:port")]
    Url(String),
    #[error("`{0}` is no address of a proxy: write http://host:port, and its user and password apart from it")]
    Proxy(String),
    #[error("user and password of a proxy have at most 200 characters each, and none of them is a control character")]
    ProxyLogin,
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

/// Who stands between the agent and everything outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Where it is: scheme, host and port.
    pub url: Url,
    /// Who the agent is to it, where it wants to know.
    pub login: Option<ProxyLogin>,
}

/// A log-in at a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyLogin {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// Longest user or password that a proxy is told.
const LONGEST_LOGIN: usize = 200;

impl Proxy {
    /// Reads what was typed; without an address there is none. `http://` may be left out. A password that is not given is the
    /// one of `before`, where the user is the same.
    pub fn parse(url: &str, user: &str, password: &str, before: Option<&Self>) -> Result<Option<Self>, SettingError> {
        let (text, user) = (url.trim(), user.trim());
        if text.is_empty() {
            return Ok(None);
        }
        let refused = || SettingError::Proxy(without_login(text));
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&whole).map_err(|_| refused())?;
        if url.scheme() != "http" || !is_plain(&url) {
            return Err(refused());
        }
        let login_before = before.filter(|before| before.url == url).and_then(|before| before.login.as_ref());
        let kept = login_before.filter(|login| password.is_empty() && login.user == user);
        let is_bad = |text: &str| text.len() > LONGEST_LOGIN || text.chars().any(char::is_control);
        let login = match (user, kept) {
            ("", _) => None,
            // A colon would end the name and begin the password.
            (user, _) if is_bad(user) || is_bad(password) || user.contains(':') => {
                return Err(SettingError::ProxyLogin);
            }
            (_, Some(login)) => Some(login.clone()),
            (user, None) => Some(ProxyLogin { user: user.to_owned(), password: Secret::new(password) }),
        };
        Ok(Some(Self { url, login }))
    }
}

/// For messages: who types a password into an address does not want to read it again.
fn without_login(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => text.to_owned(),
    }
}

/// Scheme, host and port, and nothing more.
fn is_plain(url: &Url) -> bool {
    url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.has_host()
}

/// Reads the address of a manager: HTTPS only, no user, no path.
pub fn parse_url(text: &str) -> Result<Url, SettingError> {
    let text = text.trim();
    let refused = || SettingError::Url(text.to_owned());
    let url = Url::parse(text).map_err(|_| refused())?;
    if url.scheme() == "https" && is_plain(&url) { Ok(url) } else { Err(refused()) }
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
    fn a_proxy_is_an_address_with_a_login_apart() {
        let proxy = Proxy::parse(" proxy.example:3128 ", "office", "pass word", None).unwrap().unwrap();
        assert_eq!(proxy.url.as_str(), "http://proxy.example:3128/");
        assert_eq!(Proxy::parse("http://proxy.example:3128", "office", "", Some(&proxy)), Ok(Some(proxy.clone())));
        for (url, user) in [("proxy.example:3128", "other"), ("other.example:3128", "office")] {
            let changed = Proxy::parse(url, user, "", Some(&proxy)).unwrap().unwrap();
            assert!(changed.login.unwrap().password.octets().is_empty(), "a password goes to whom it was given for");
        }
        assert_eq!(Proxy::parse("", "office", "x", Some(&proxy)), Ok(None));
        for url in ["https://proxy:1", "socks5://proxy", "http://proxy/path", "http://a:b@proxy", "a b"] {
            let error = Proxy::parse(url, "", "", None).unwrap_err();
            assert!(!error.to_string().contains("a:b"), "{error}");
        }
        for (user, password) in [("a:b", "c"), ("a", "b\n"), ("a", &"x".repeat(201))] {
            assert_eq!(Proxy::parse("proxy", user, password, None), Err(SettingError::ProxyLogin));
        }
        assert!(!format!("{proxy:?}").contains("pass word"));
    }

    #[test]
    fn a_rhythm_has_bounds() {
        assert!(Rhythm::new(5, 60, 5, 1).is_ok());
        let error = Rhythm::new(1, 60, 5, 1).unwrap_err();
        assert_eq!(error.to_string(), "poll_seconds is 1 and has to be from 5 to 86400");
        assert!(Rhythm::new(60, 60, 60, 0).is_err());
    }
}
