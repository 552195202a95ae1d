//! What was set: the schedule, the ranges to search, the manager.

use std::sync::Arc;

use agent_core::search::Kinds;
use agent_core::snmp::{Credential, Transport, User, Version};
use rusqlite::{OptionalExtension as _, Transaction, params};
use wire::enrolment::EnrolmentCode;

use super::notes::tell_again;
use super::outbox::mark_all;
use super::{Result, Store, StoreError, set, setting};
use crate::settings::{ManagerAddress, Proxy, Rhythm, parse_url};

/// One range to search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanRange {
    /// As written.
    pub range: String,
    /// As written, separated by commas.
    pub exclusions: String,
    /// UDP or TCP port.
    pub port: u16,
    /// Over what the devices are spoken to.
    pub transport: Transport,
    /// SNMP versions in the order in which they are tried.
    pub versions: Vec<Version>,
    /// Communities in the order in which they are tried.
    pub communities: Vec<String>,
    /// Labels of users in the order in which they are tried.
    pub users: Vec<String>,
    /// What is asked.
    pub kinds: Kinds,
}

impl ScanRange {
    /// Versions, communities, users and kinds as the table has them.
    fn columns(&self) -> [String; 4] {
        [
            self.versions.iter().map(|version| version.keyword()).collect::<Vec<_>>().join(","),
            self.communities.join("\n"),
            self.users.join("\n"),
            self.kinds.words().collect::<Vec<_>>().join(","),
        ]
    }

    /// Every version with every community, or every user that there is.
    pub fn credentials(&self, users: &[Arc<User>]) -> Vec<Credential> {
        let communities =
            |make: fn(&str) -> Credential| self.communities.iter().map(|community| make(community)).collect();
        let with = |version: &Version| -> Vec<Credential> {
            match version {
                Version::V1 => communities(Credential::v1),
                Version::V2c => communities(Credential::v2c),
                Version::V3 => {
                    let of = |label: &String| users.iter().find(|user| user.label() == label);
                    self.users.iter().filter_map(of).cloned().map(Credential::v3).collect()
                }
            }
        };
        self.versions.iter().flat_map(with).map(|credential| credential.over(self.transport)).collect()
    }
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is made.
    Made,
    /// Someone else has changed the same meanwhile; nothing was done.
    Overtaken,
    /// It is not there any more.
    Gone,
}

/// How the manager's side stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// Where the manager is.
    pub manager: ManagerAddress,
    /// Whether it knows this agent.
    pub registered: bool,
    /// Customer and site, in the manager's words.
    pub site: Option<(String, String)>,
}

impl Store {
    /// The schedule.
    pub fn rhythm(&self) -> Result<Rhythm> {
        let connection = self.connection();
        let number =
            |key: &str| Ok::<_, StoreError>(setting(&connection, key)?.and_then(|text| text.parse::<u64>().ok()));
        let standard = Rhythm::default();
        let rhythm = Rhythm::new(
            number("poll_seconds")?.unwrap_or(standard.poll.as_secs()),
            number("search_seconds")?.unwrap_or(standard.search.as_secs()),
            number("report_seconds")?.unwrap_or(standard.report.as_secs()),
            number("probes_per_second")?.and_then(|rate| u32::try_from(rate).ok()).unwrap_or(standard.rate),
        );
        Ok(rhythm.unwrap_or(standard))
    }

    /// Sets the schedule.
    pub fn set_rhythm(&self, rhythm: &Rhythm) -> Result<()> {
        self.transaction(|change| {
            set(change, "poll_seconds", &rhythm.poll.as_secs().to_string())?;
            set(change, "search_seconds", &rhythm.search.as_secs().to_string())?;
            set(change, "report_seconds", &rhythm.report.as_secs().to_string())?;
            set(change, "probes_per_second", &rhythm.rate.to_string())
        })
    }

    /// The ranges to search, in the order in which they were given.
    pub fn ranges(&self) -> Result<Vec<(i64, ScanRange)>> {
        let connection = self.connection();
        let mut rows = connection.prepare(
            "SELECT id, range, exclusions, port, versions, communities, snmp_users, transport, probes
                      FROM scan_range ORDER BY id",
        )?;
        let ranges = rows.query_map([], |row| {
            let words: String = row.get(4)?;
            let communities: String = row.get(5)?;
            let users: String = row.get(6)?;
            let transport: String = row.get(7)?;
            let probes: String = row.get(8)?;
            let range = ScanRange {
                range: row.get(1)?,
                exclusions: row.get(2)?,
                port: row.get(3)?,
                versions: words.split(',').filter_map(Version::from_keyword).collect(),
                communities: communities.lines().map(str::to_owned).collect(),
                users: users.lines().map(str::to_owned).collect(),
                transport: Transport::from_keyword(&transport).unwrap_or_default(),
                kinds: Kinds::from_words(probes.split(',')).unwrap_or(Kinds::ALL),
            };
            Ok((row.get(0)?, range))
        })?;
        Ok(ranges.collect::<Result<_, _>>()?)
    }

    /// Adds a range.
    pub fn add_range(&self, range: &ScanRange) -> Result<()> {
        self.transaction(|change| add_range(change, range))
    }

    /// A range with the revision that a change of it has to name.
    pub fn range(&self, id: i64) -> Result<Option<(i64, ScanRange)>> {
        // The revision first: a change in between makes the range newer than that, and a change of it is refused.
        let query = "SELECT revision FROM scan_range WHERE id = ?1";
        let revision = self.connection().query_row(query, [id], |row| row.get(0)).optional()?;
        let range = self.ranges()?.into_iter().find(|(other, _)| *other == id).map(|(_, range)| range);
        Ok(revision.zip(range))
    }

    /// Changes a range, if it is still in this revision.
    pub fn change_range(&self, id: i64, revision: i64, range: &ScanRange) -> Result<Change> {
        self.transaction(|change| {
            let query = "SELECT revision FROM scan_range WHERE id = ?1";
            match change.query_row(query, [id], |row| row.get::<_, i64>(0)).optional()? {
                None => return Ok(Change::Gone),
                Some(present) if present != revision => return Ok(Change::Overtaken),
                Some(_) => {}
            }
            let query = "UPDATE scan_range SET range = ?2, exclusions = ?3, port = ?4, versions = ?5, communities = ?6,
                         snmp_users = ?7, transport = ?8, probes = ?9, revision = revision + 1 WHERE id = ?1";
            let [versions, communities, users, probes] = range.columns();
            let transport = range.transport.keyword();
            change.execute(
                query,
                params![id, range.range, range.exclusions, range.port, versions, communities, users, transport, probes],
            )?;
            Ok(Change::Made)
        })
    }

    /// Removes a range.
    pub fn remove_range(&self, id: i64) -> Result<()> {
        self.connection().execute("DELETE FROM scan_range WHERE id = ?1", [id])?;
        Ok(())
    }

    /// Puts these ranges in the place of all others.
    pub fn replace_ranges(&self, ranges: &[ScanRange]) -> Result<()> {
        self.transaction(|change| {
            change.execute("DELETE FROM scan_range", [])?;
            ranges.iter().try_for_each(|range| add_range(change, range))
        })
    }

    /// How the manager's side stands; `None` where none is set.
    pub fn enrolment(&self) -> Result<Option<Enrolment>> {
        let connection = self.connection();
        let get = |key: &str| setting(&connection, key);
        let (Some(url), Some(code)) = (get("manager_url")?, get("manager_code")?) else { return Ok(None) };
        let (Ok(url), Some(code)) = (parse_url(&url), EnrolmentCode::parse(&code)) else { return Ok(None) };
        Ok(Some(Enrolment {
            manager: ManagerAddress { url, code },
            registered: get("registered")?.is_some(),
            site: get("customer")?.zip(get("site")?),
        }))
    }

    /// Sets the manager. The agent registers anew, and tells the manager everything. The same address and code as before
    /// change nothing.
    pub fn set_manager(&self, manager: &ManagerAddress) -> Result<()> {
        if self.enrolment()?.is_some_and(|before| before.manager == *manager) {
            return Ok(());
        }
        self.transaction(|change| {
            for key in ["registered", "customer", "site"] {
                change.execute("DELETE FROM setting WHERE key = ?1", [key])?;
            }
            set(change, "manager_url", manager.url.as_str())?;
            set(change, "manager_code", &manager.code.to_string())?;
            change.execute("DELETE FROM outbox", [])?;
            mark_all(change)?;
            tell_again(change)
        })
    }

    /// The proxy on the way to the manager, if one is set.
    pub fn proxy(&self) -> Result<Option<Proxy>> {
        let connection = self.connection();
        let get = |key: &str| Ok::<_, StoreError>(setting(&connection, key)?.unwrap_or_default());
        Ok(Proxy::parse(&get("proxy_url")?, &get("proxy_user")?, &get("proxy_password")?, None).unwrap_or_default())
    }

    /// Sets the proxy, or that there is none.
    pub fn set_proxy(&self, proxy: Option<&Proxy>) -> Result<()> {
        self.transaction(|change| {
            change.execute("DELETE FROM setting WHERE key IN ('proxy_url', 'proxy_user', 'proxy_password')", [])?;
            let Some(proxy) = proxy else { return Ok(()) };
            set(change, "proxy_url", proxy.url.as_str())?;
            if let Some(login) = &proxy.login {
                set(change, "proxy_user", &login.user)?;
                set(change, "proxy_password", &String::from_utf8_lossy(login.password.octets()))?;
            }
            Ok(())
        })
    }

    /// Notes that the manager knows this agent.
    pub fn set_registered(&self, customer: &str, site: &str) -> Result<()> {
        self.transaction(|change| {
            set(change, "registered", "yes")?;
            set(change, "customer", customer)?;
            set(change, "site", site)
        })
    }

    /// Where releases are fetched from, if that was set.
    pub fn update_address(&self) -> Result<Option<String>> {
        setting(&self.connection(), "update_address")
    }

    /// Sets where releases are fetched from.
    pub fn set_update_address(&self, address: &str) -> Result<()> {
        self.transaction(|change| set(change, "update_address", address))
    }

    /// The licence, as the channel signed it.
    pub fn licence(&self) -> Result<Option<String>> {
        setting(&self.connection(), "licence")
    }

    /// Keeps a licence in the place of the one before.
    pub fn set_licence(&self, text: &str) -> Result<()> {
        self.transaction(|change| set(change, "licence", text))
    }

    /// Notes that the manager does not know this agent (any more): it has to register, and to tell everything anew.
    pub fn set_unregistered(&self) -> Result<()> {
        self.transaction(|change| {
            change.execute("DELETE FROM setting WHERE key = 'registered'", [])?;
            mark_all(change)?;
            tell_again(change)
        })
    }
}

fn add_range(change: &Transaction<'_>, range: &ScanRange) -> Result<()> {
    let [versions, communities, users, probes] = range.columns();
    change.execute(
        "INSERT INTO scan_range (range, exclusions, port, versions, communities, snmp_users, transport, probes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            range.range,
            range.exclusions,
            range.port,
            versions,
            communities,
            users,
            range.transport.keyword(),
            probes,
        ],
    )?;
    Ok(())
}
