//! What survives a restart: settings, users, devices, meters, the outbox. SQLite, one file, opened by this program only and by
//! its own commands.
//!
//! Every method is one question or one change, done in one transaction, and blocks: callers on async threads go through
//! `spawn_blocking`. A power cut at any moment leaves the last committed state (WAL, `synchronous=FULL`).

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use agent_core::change::Changes;
use agent_core::report::{Sender, compose};
use agent_core::snmp::{Credential, Version};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use thiserror::Error;
use wire::device::{DeviceId, DeviceRecord, Snapshot, total};
use wire::enrolment::EnrolmentCode;
use wire::message::{ReportId, Request, SendReports};
use wire::xml::{decode_device, encode_device, encode_request};

use crate::settings::{ManagerAddress, Rhythm, parse_url};

const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001-first.sql")];
/// Days of meters and of reports that are kept.
const KEPT_DAYS: i64 = 90;
/// Refused reports that are kept.
const KEPT_REFUSED: i64 = 20;
/// Octets of reports that are kept while the manager cannot be reached.
const MAX_OUTBOX: i64 = 64 << 20;

/// Why the store cannot do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database does not answer.
    #[error("the database cannot be used")]
    Sql(#[from] rusqlite::Error),
    /// The folder cannot be used.
    #[error("{path} cannot be used")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file was written by a later version.
    #[error(
        "the database has version {found}, this program knows {known}: install the later version again, or start with an empty folder"
    )]
    Newer {
        /// Version of the file.
        found: usize,
        /// Version of the program.
        known: usize,
    },
    /// A stored record does not decode.
    #[error("the stored record of device {0} cannot be read")]
    Record(String, #[source] wire::xml::XmlError),
}

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// One range to search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanRange {
    /// As written.
    pub range: String,
    /// As written, separated by commas.
    pub exclusions: String,
    /// UDP port.
    pub port: u16,
    /// SNMP versions in the order in which they are tried.
    pub versions: Vec<Version>,
    /// Communities in the order in which they are tried.
    pub communities: Vec<String>,
}

impl ScanRange {
    /// Every version with every community.
    pub fn credentials(&self) -> Vec<Credential> {
        let with = |version: &Version| {
            let version = *version;
            self.communities
                .iter()
                .map(move |community| Credential { version, community: community.as_bytes().to_vec() })
        };
        self.versions.iter().flat_map(with).collect()
    }
}

/// A device's line in lists.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct DeviceLine {
    pub id: String,
    pub address: String,
    pub manufacturer: String,
    pub model: String,
    pub serial: String,
    pub location: String,
    pub condition: String,
    pub total: Option<u64>,
    pub lowest_pct: Option<u8>,
    pub read_at: Timestamp,
    pub silent_since: Option<Timestamp>,
    pub failure: Option<String>,
}

/// A device to poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which.
    pub id: DeviceId,
    /// Address and port.
    pub address: String,
    /// The credential that it answered to.
    pub credential: Credential,
}

/// A reading to keep.
#[derive(Debug, Clone)]
pub struct Saved {
    /// Which device.
    pub id: DeviceId,
    /// Address and port.
    pub address: String,
    /// The credential that it answered to.
    pub credential: Credential,
    /// When.
    pub read_at: Timestamp,
    /// What it says.
    pub snapshot: Snapshot,
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

/// A report that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Row in the outbox.
    pub row: i64,
    /// Name of the report.
    pub id: ReportId,
    /// gzip of the XML.
    pub document: Vec<u8>,
}

/// What waits to be reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreported {
    /// Whether anything has changed.
    pub any: bool,
    /// Since when something urgent waits.
    pub urgent_since: Option<Timestamp>,
    /// Reports in the outbox.
    pub waiting: u64,
}

/// The database.
pub struct Store {
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the database in a folder, which is made if it is missing.
    pub fn open(folder: &Path) -> Result<Self> {
        let unusable = |source| StoreError::Folder { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let path = folder.join("agentd.sqlite");
        // Communities and the enrolment token are secrets: nobody else may read the file, nor SQLite's files beside it.
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path).map_err(unusable)?;
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(unusable)?;
        let mut connection = Connection::open(&path)?;
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        migrate(&mut connection)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere left no half-done change: SQLite rolled it back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn transaction<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let outcome = change(&transaction)?;
        transaction.commit()?;
        Ok(outcome)
    }

    // Settings

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
        let mut rows = connection
            .prepare("SELECT id, range, exclusions, port, versions, communities FROM scan_range ORDER BY id")?;
        let ranges = rows.query_map([], |row| {
            let words: String = row.get(4)?;
            let communities: String = row.get(5)?;
            let range = ScanRange {
                range: row.get(1)?,
                exclusions: row.get(2)?,
                port: row.get(3)?,
                versions: words.split(',').filter_map(Version::from_keyword).collect(),
                communities: communities.lines().map(str::to_owned).collect(),
            };
            Ok((row.get(0)?, range))
        })?;
        Ok(ranges.collect::<Result<_, _>>()?)
    }

    /// Adds a range.
    pub fn add_range(&self, range: &ScanRange) -> Result<()> {
        self.transaction(|change| add_range(change, range))
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
            change.execute("UPDATE device SET unreported = ?1", [bits(Changes::ALL)])?;
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

    /// Notes that the manager does not know this agent (any more): it has to register.
    pub fn set_unregistered(&self) -> Result<()> {
        self.connection().execute("DELETE FROM setting WHERE key = 'registered'", [])?;
        Ok(())
    }

    // Users

    /// Whether nobody can log in yet.
    pub fn has_no_users(&self) -> Result<bool> {
        Ok(self.connection().query_row("SELECT NOT EXISTS (SELECT 1 FROM user)", [], |row| row.get(0))?)
    }

    /// The password hash of a user.
    pub fn password_hash(&self, name: &str) -> Result<Option<String>> {
        let query = "SELECT password_hash FROM user WHERE name = ?1";
        Ok(self.connection().query_row(query, [name], |row| row.get(0)).optional()?)
    }

    /// Keeps the first user; `false` and nothing done when there is one already.
    pub fn create_first_user(&self, name: &str, password_hash: &str) -> Result<bool> {
        let query = "INSERT INTO user SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM user)";
        Ok(self.connection().execute(query, [name, password_hash])? == 1)
    }

    /// Sets a user's password; the user is made if missing.
    pub fn set_password(&self, name: &str, password_hash: &str) -> Result<()> {
        let query = "INSERT INTO user VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET password_hash = ?2";
        self.connection().execute(query, [name, password_hash])?;
        Ok(())
    }

    // Devices

    /// Every device that is polled.
    pub fn targets(&self) -> Result<Vec<Target>> {
        let connection = self.connection();
        let mut rows = connection.prepare("SELECT id, address, snmp_version, community FROM device ORDER BY id")?;
        let targets = rows.query_map([], |row| {
            let version: String = row.get(2)?;
            let credential =
                Credential { version: Version::from_keyword(&version).unwrap_or(Version::V2c), community: row.get(3)? };
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, credential))
        })?;
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        Ok(targets
            .into_iter()
            .filter_map(|(id, address, credential)| Some(Target { id: DeviceId::new(id)?, address, credential }))
            .collect())
    }

    /// All devices in the order of their addresses' text.
    pub fn devices(&self) -> Result<Vec<DeviceLine>> {
        self.device_lines("ORDER BY address, id", [])
    }

    /// One device.
    pub fn device(&self, id: &str) -> Result<Option<DeviceLine>> {
        Ok(self.device_lines("WHERE id = ?1", [id])?.pop())
    }

    /// The whole record of a device.
    pub fn record(&self, id: &str) -> Result<Option<DeviceRecord>> {
        let query = "SELECT record, silent_since FROM device WHERE id = ?1";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?));
        let Some((record, silent_since)) = self.connection().query_row(query, [id], row).optional()? else {
            return Ok(None);
        };
        let mut record = decode_device(record.as_bytes()).map_err(|error| StoreError::Record(id.to_owned(), error))?;
        record.silent_since = silent_since.map(moment);
        Ok(Some(record))
    }

    fn device_lines(&self, clause: &str, parameters: impl rusqlite::Params) -> Result<Vec<DeviceLine>> {
        let connection = self.connection();
        let mut rows = connection.prepare(&format!(
            "SELECT id, address, manufacturer, model, serial, location, condition, total, lowest_pct, read_at, silent_since,
                    failure
             FROM device {clause}"
        ))?;
        let lines = rows.query_map(parameters, |row| {
            Ok(DeviceLine {
                id: row.get(0)?,
                address: row.get(1)?,
                manufacturer: row.get(2)?,
                model: row.get(3)?,
                serial: row.get(4)?,
                location: row.get(5)?,
                condition: row.get(6)?,
                total: row.get(7)?,
                lowest_pct: row.get(8)?,
                read_at: moment(row.get(9)?),
                silent_since: row.get::<_, Option<i64>>(10)?.map(moment),
                failure: row.get(11)?,
            })
        })?;
        Ok(lines.collect::<Result<_, _>>()?)
    }

    /// Keeps readings, and notes what has changed and has to be reported: all of them or none.
    pub fn save(&self, readings: &[Saved]) -> Result<()> {
        self.transaction(|change| readings.iter().try_for_each(|reading| save(change, reading)))
    }

    /// Notes that a device does not answer, and why.
    pub fn set_silent(&self, id: &DeviceId, since: Timestamp, failure: &str) -> Result<()> {
        self.transaction(|change| {
            let query = "UPDATE device SET failure = ?3, silent_since = coalesce(silent_since, ?2),
                             urgent_since = CASE WHEN silent_since IS NULL THEN coalesce(urgent_since, ?2) ELSE urgent_since END,
                             unreported = CASE WHEN silent_since IS NULL THEN unreported | ?4 ELSE unreported END
                         WHERE id = ?1";
            change.execute(query, params![id.as_str(), since.as_millisecond(), failure, ANSWERING])?;
            Ok(())
        })
    }

    /// Forgets a device; the next report tells the manager.
    pub fn remove_device(&self, id: &str) -> Result<()> {
        self.transaction(|change| {
            if change.execute("DELETE FROM device WHERE id = ?1", [id])? == 1 {
                change.execute("INSERT OR IGNORE INTO removed_device VALUES (?1)", [id])?;
            }
            Ok(())
        })
    }

    /// The daily values of a counter, oldest first: days since 1970 and value.
    pub fn meters(&self, id: &str, name: &str) -> Result<Vec<(i64, u64)>> {
        let connection = self.connection();
        let mut rows =
            connection.prepare("SELECT day, value FROM meter WHERE device_id = ?1 AND name = ?2 ORDER BY day")?;
        let meters = rows.query_map([id, name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(meters.collect::<Result<_, _>>()?)
    }

    // Outbox

    /// Begins an epoch of report names: later than every one before, whatever the clock says.
    pub fn begin_epoch(&self, now: Timestamp) -> Result<()> {
        self.transaction(|change| {
            let last = setting(change, "epoch")?.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
            set(change, "epoch", &now.as_millisecond().max(last + 1).to_string())?;
            set(change, "sequence", "0")
        })
    }

    /// What waits to be reported.
    pub fn unreported(&self) -> Result<Unreported> {
        let query =
            "SELECT EXISTS (SELECT 1 FROM device WHERE unreported <> 0) OR EXISTS (SELECT 1 FROM removed_device),
                            (SELECT min(urgent_since) FROM device), (SELECT count(*) FROM outbox)";
        Ok(self.connection().query_row(query, [], |row| {
            Ok(Unreported {
                any: row.get(0)?,
                urgent_since: row.get::<_, Option<i64>>(1)?.map(moment),
                waiting: row.get(2)?,
            })
        })?)
    }

    /// Marks everything as changed, so that the next reports tell all.
    pub fn mark_all(&self) -> Result<()> {
        self.connection().execute("UPDATE device SET unreported = ?1", [bits(Changes::ALL)])?;
        Ok(())
    }

    /// Makes reports of all that waits and puts them into the outbox; with nothing waiting, one report that says so. Gives
    /// how many were made.
    pub fn make_reports(&self, sender: &Sender, now: Timestamp) -> Result<usize> {
        self.transaction(|change| {
            let removed = removed_devices(change)?;
            let mut waiting = changed_records(change)?;
            let mut made = 0;
            while made == 0 || !waiting.is_empty() {
                let rest = waiting.split_off(waiting.len().min(SendReports::MAX_DEVICES));
                let devices = std::mem::replace(&mut waiting, rest);
                let removed = if made == 0 { removed.clone() } else { Vec::new() };
                let id = next_report_id(change)?;
                let report = compose(sender, id, now, devices, removed);
                let document = gzip(&encode_request(&Request::SendReports(report)));
                let query = "INSERT INTO outbox (epoch, sequence, created_at, document) VALUES (?1, ?2, ?3, ?4)";
                change.execute(query, params![id.epoch, id.sequence, now.as_millisecond(), document])?;
                made += 1;
            }
            change.execute("UPDATE device SET unreported = 0, urgent_since = NULL WHERE unreported <> 0", [])?;
            change.execute("DELETE FROM removed_device", [])?;
            Ok(made)
        })
    }

    /// The oldest report that waits.
    pub fn oldest_report(&self) -> Result<Option<Waiting>> {
        let query = "SELECT id, epoch, sequence, document FROM outbox ORDER BY id LIMIT 1";
        let waiting = self.connection().query_row(query, [], |row| {
            let id = ReportId { epoch: row.get(1)?, sequence: row.get(2)? };
            Ok(Waiting { row: row.get(0)?, id, document: row.get(3)? })
        });
        Ok(waiting.optional()?)
    }

    /// Forgets a report that the manager has accepted, and keeps it as the last one that was sent.
    pub fn accept_report(&self, report: &Waiting) -> Result<()> {
        self.transaction(|change| {
            change.execute("DELETE FROM outbox WHERE id = ?1", [report.row])?;
            set(change, "last_report", &data_encoding::BASE64.encode(&report.document))
        })
    }

    /// Takes a report out of the way that the manager refused for good: sent again it would be refused again, and nothing
    /// behind it would ever be delivered.
    pub fn set_aside(&self, report: &Waiting, at: Timestamp, reason: &str) -> Result<()> {
        self.transaction(|change| {
            change.execute("DELETE FROM outbox WHERE id = ?1", [report.row])?;
            let query = "INSERT INTO refused_report (epoch, sequence, refused_at, reason, document) VALUES (?1, ?2, ?3, ?4, ?5)";
            let ReportId { epoch, sequence } = report.id;
            change.execute(query, params![epoch, sequence, at.as_millisecond(), reason, report.document])?;
            let query = "DELETE FROM refused_report WHERE id <= (SELECT max(id) FROM refused_report) - ?1";
            change.execute(query, [KEPT_REFUSED])?;
            Ok(())
        })
    }

    /// How many reports were refused for good, and why the last one was.
    pub fn refused_reports(&self) -> Result<(u64, Option<String>)> {
        let query = "SELECT count(*), (SELECT reason FROM refused_report ORDER BY id DESC LIMIT 1) FROM refused_report";
        Ok(self.connection().query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    /// The last report that the manager has accepted, gzip of the XML.
    pub fn last_report(&self) -> Result<Option<Vec<u8>>> {
        let text = setting(&self.connection(), "last_report")?;
        Ok(text.and_then(|text| data_encoding::BASE64.decode(text.as_bytes()).ok()))
    }

    /// Drops what is older than is kept. Reports that go unsent are made up for: the next ones tell everything.
    pub fn tidy(&self, now: Timestamp) -> Result<u64> {
        self.transaction(|change| {
            let day = now.as_millisecond() / 86_400_000;
            change.execute("DELETE FROM meter WHERE day < ?1", [day - KEPT_DAYS])?;
            let horizon = now.as_millisecond() - KEPT_DAYS * 86_400_000;
            let query = "DELETE FROM outbox WHERE created_at < ?1 OR id <= (
                             SELECT coalesce(max(id), 0) FROM (
                                 SELECT id, sum(length(document)) OVER (ORDER BY id DESC) AS newer FROM outbox
                             ) WHERE newer > ?2)";
            let dropped = change.execute(query, [horizon, MAX_OUTBOX])?;
            if dropped > 0 {
                change.execute("UPDATE device SET unreported = ?1", [bits(Changes::ALL)])?;
            }
            Ok(u64::try_from(dropped).unwrap_or(u64::MAX))
        })
    }
}

fn migrate(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: usize = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let Some(due) = MIGRATIONS.get(version..) else {
        return Err(StoreError::Newer { found: version, known: MIGRATIONS.len() });
    };
    for migration in due {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len())?;
    transaction.commit()?;
    Ok(())
}

fn setting(connection: &Connection, key: &str) -> Result<Option<String>> {
    Ok(connection.query_row("SELECT value FROM setting WHERE key = ?1", [key], |row| row.get(0)).optional()?)
}

fn set(change: &Transaction<'_>, key: &str, value: &str) -> Result<()> {
    change.execute("INSERT INTO setting VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2", [key, value])?;
    Ok(())
}

fn add_range(change: &Transaction<'_>, range: &ScanRange) -> Result<()> {
    let versions = range.versions.iter().map(|version| version.keyword()).collect::<Vec<_>>().join(",");
    change.execute(
        "INSERT INTO scan_range (range, exclusions, port, versions, communities) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![range.range, range.exclusions, range.port, versions, range.communities.join("\n")],
    )?;
    Ok(())
}

fn moment(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn save(change: &Transaction<'_>, reading: &Saved) -> Result<()> {
    let id = reading.id.as_str();
    let query = "SELECT record, unreported, urgent_since, silent_since FROM device WHERE id = ?1";
    let before: Option<(String, i64, Option<i64>, Option<i64>)> =
        change.query_row(query, [id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).optional()?;
    let snapshot = &reading.snapshot;
    let (mut unreported, mut urgent_since) = (0, None);
    let changes = match &before {
        Some((record, waiting, urgent, silent)) => {
            (unreported, urgent_since) = (*waiting, *urgent);
            if silent.is_some() {
                unreported |= ANSWERING;
            }
            let record = decode_device(record.as_bytes()).map_err(|error| StoreError::Record(id.to_owned(), error));
            // A record that a power cut or a disk has spoilt is replaced by what was read just now.
            record.map_or(Changes::ALL, |record| Changes::between(&record.into_snapshot(), snapshot))
        }
        None => Changes::ALL,
    };
    unreported |= bits(changes);
    if changes.urgent {
        urgent_since = urgent_since.or(Some(reading.read_at.as_millisecond()));
    }
    let record = DeviceRecord::full(
        reading.id.clone(),
        reading.address.rsplit_once(':').map_or(reading.address.clone(), |(host, _)| host.to_owned()),
        reading.read_at,
        snapshot.clone(),
    );
    let record = String::from_utf8_lossy(&encode_device(&record)).into_owned();
    let lowest = snapshot.supplies.iter().filter_map(|supply| supply.percent_left()).min();
    let total = total(&snapshot.counters).map(|counter| counter.value);
    change.execute(
        "INSERT INTO device VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13, NULL, NULL, ?14, ?15)
         ON CONFLICT (id) DO UPDATE SET address = ?2, snmp_version = ?3, community = ?4, record = ?5, manufacturer = ?6,
             model = ?7, serial = ?8, location = ?9, condition = ?10, total = ?11, lowest_pct = ?12, read_at = ?13,
             silent_since = NULL, failure = NULL, unreported = ?14, urgent_since = ?15",
        params![
            id,
            reading.address,
            reading.credential.version.keyword(),
            reading.credential.community,
            record,
            snapshot.identity.manufacturer.as_deref().unwrap_or_default(),
            snapshot.identity.model.as_deref().unwrap_or_default(),
            snapshot.identity.serial.as_deref().unwrap_or_default(),
            snapshot.identity.location.as_deref().unwrap_or_default(),
            snapshot.status.condition().keyword(),
            total.map(|total| i64::try_from(total).unwrap_or(i64::MAX)),
            lowest,
            reading.read_at.as_millisecond(),
            unreported,
            urgent_since,
        ],
    )?;
    change.execute("DELETE FROM removed_device WHERE id = ?1", [id])?;
    if changes.counters {
        let day = reading.read_at.as_millisecond() / 86_400_000;
        let mut insert = change.prepare_cached("INSERT OR REPLACE INTO meter VALUES (?1, ?2, ?3, ?4)")?;
        for counter in &snapshot.counters {
            let value = i64::try_from(counter.value).unwrap_or(i64::MAX);
            insert.execute(params![id, counter.name(), day, value])?;
        }
    }
    Ok(())
}

fn removed_devices(change: &Transaction<'_>) -> Result<Vec<DeviceId>> {
    let mut rows = change.prepare("SELECT id FROM removed_device ORDER BY id")?;
    let ids = rows.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(ids.into_iter().filter_map(DeviceId::new).collect())
}

fn changed_records(change: &Transaction<'_>) -> Result<Vec<(DeviceRecord, Changes)>> {
    let mut rows =
        change.prepare("SELECT id, record, unreported, silent_since FROM device WHERE unreported <> 0 ORDER BY id")?;
    let rows = rows.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?, row.get::<_, Option<i64>>(3)?))
    })?;
    rows.map(|row| {
        let (id, record, unreported, silent_since) = row?;
        let mut record = decode_device(record.as_bytes()).map_err(|error| StoreError::Record(id, error))?;
        record.silent_since = silent_since.map(moment);
        Ok((record, changes_of(unreported)))
    })
    .collect()
}

fn next_report_id(change: &Transaction<'_>) -> Result<ReportId> {
    let number =
        |key: &str| Ok::<_, StoreError>(setting(change, key)?.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0));
    let id = ReportId { epoch: number("epoch")?, sequence: number("sequence")? + 1 };
    set(change, "sequence", &id.sequence.to_string())?;
    Ok(id)
}

fn gzip(document: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(document).and_then(|()| encoder.finish()).expect("writing to memory does not fail")
}

const IDENTITY: i64 = 1;
const STATUS: i64 = 2;
const SUPPLIES: i64 = 4;
const TRAYS: i64 = 8;
const COUNTERS: i64 = 16;
/// Only whether the device answers has changed.
const ANSWERING: i64 = 32;

fn bits(changes: Changes) -> i64 {
    [
        (changes.identity, IDENTITY),
        (changes.status, STATUS),
        (changes.supplies, SUPPLIES),
        (changes.trays, TRAYS),
        (changes.counters, COUNTERS),
    ]
    .into_iter()
    .filter(|(changed, _)| *changed)
    .map(|(_, bit)| bit)
    .sum()
}

fn changes_of(bits: i64) -> Changes {
    Changes {
        identity: bits & IDENTITY != 0,
        status: bits & STATUS != 0,
        supplies: bits & SUPPLIES != 0,
        trays: bits & TRAYS != 0,
        counters: bits & COUNTERS != 0,
        urgent: false,
    }
}

#[cfg(test)]
mod tests {
    use agent_core::report::Sender;
    use tempfile::TempDir;
    use wire::device::{Identity, Level, Supply};
    use wire::message::AgentId;
    use wire::vocab::{Basis, ColorUse, CounterUnit, MediaSize, Service, Sides, SupplyClass, SupplyKind, SupplyUnit};
    use wire::xml::decode_request;

    use super::*;

    fn store() -> (TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.begin_epoch(moment(1000)).unwrap();
        (folder, store)
    }

    fn reading(serial: &str, total: u64, level: i64) -> Saved {
        let counter = wire::device::Counter {
            service: Service::System,
            color: ColorUse::Any,
            size: MediaSize::Any,
            sides: Sides::Any,
            unit: CounterUnit::Impressions,
            basis: Basis::Meter,
            value: total,
            source: "1.3.6.1.2.1.43.10.2.1.4.1.1".to_owned(),
        };
        let supply = Supply {
            index: "1.1".to_owned(),
            kind: SupplyKind::Toner,
            class: SupplyClass::Consumed,
            color: None,
            description: "Toner".to_owned(),
            part_number: None,
            serial: None,
            unit: SupplyUnit::Percent,
            capacity: None,
            level: Level::from_code(level),
        };
        Saved {
            id: DeviceId::new(format!("1:{serial}")).unwrap(),
            address: "192.0.2.1:161".to_owned(),
            credential: Credential::v2c("public"),
            read_at: moment(86_400_000),
            snapshot: Snapshot {
                identity: Identity { serial: Some(serial.to_owned()), ..Identity::default() },
                supplies: vec![supply],
                counters: vec![counter],
                ..Snapshot::default()
            },
        }
    }

    fn sender() -> Sender {
        Sender { agent: AgentId::of_key(&[1; 32]), agent_name: "box".to_owned(), software: "test".to_owned() }
    }

    fn oldest(store: &Store) -> (Waiting, SendReports) {
        let waiting = store.oldest_report().unwrap().unwrap();
        let document = crate::uplink::unpack(&waiting.document).unwrap();
        let Request::SendReports(report) = decode_request(&document).unwrap() else { panic!("no report") };
        (waiting, report)
    }

    #[test]
    fn a_report_holds_what_has_changed_and_only_that() {
        let (_folder, store) = store();
        store.save(&[reading("A", 100, 50), reading("B", 5, 50)]).unwrap();
        assert_eq!(store.make_reports(&sender(), moment(2000)).unwrap(), 1);
        let (waiting, first) = oldest(&store);
        assert_eq!(first.devices.len(), 2);
        assert!(first.devices.iter().all(|device| device.identity.is_some() && device.counters.is_some()));
        store.accept_report(&waiting).unwrap();
        assert!(!store.unreported().unwrap().any);

        store.save(&[reading("A", 101, 50), reading("B", 5, 50)]).unwrap();
        store.make_reports(&sender(), moment(3000)).unwrap();
        let (_, second) = oldest(&store);
        assert_eq!(second.id.sequence, first.id.sequence + 1);
        let [device] = second.devices.as_slice() else { panic!("one device has changed") };
        assert!(device.counters.is_some() && device.supplies.is_none() && device.identity.is_none());
    }

    #[test]
    fn reports_wait_in_order_with_the_same_bytes_until_they_are_accepted() {
        let (folder, store) = store();
        store.save(&[reading("A", 100, 50)]).unwrap();
        store.make_reports(&sender(), moment(2000)).unwrap();
        store.make_reports(&sender(), moment(3000)).unwrap();
        let (waiting, _) = oldest(&store);
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        store.begin_epoch(moment(0)).unwrap();
        assert_eq!(store.oldest_report().unwrap().unwrap(), waiting);
        store.make_reports(&sender(), moment(4000)).unwrap();
        assert_eq!(store.unreported().unwrap().waiting, 3);
        store.accept_report(&waiting).unwrap();
        let (next, _) = oldest(&store);
        assert!(next.id > waiting.id);
    }

    #[test]
    fn an_epoch_is_later_than_the_one_before_even_when_the_clock_is_not() {
        let (_folder, store) = store();
        store.make_reports(&sender(), moment(2000)).unwrap();
        store.begin_epoch(moment(0)).unwrap();
        store.make_reports(&sender(), moment(2000)).unwrap();
        let (first, _) = oldest(&store);
        store.accept_report(&first).unwrap();
        let (second, _) = oldest(&store);
        assert!(second.id.epoch > first.id.epoch);
    }

    #[test]
    fn silence_is_told_once_and_its_end_too() {
        let (_folder, store) = store();
        let device = reading("A", 1, 1);
        store.save(std::slice::from_ref(&device)).unwrap();
        store.make_reports(&sender(), moment(1)).unwrap();
        store.set_silent(&device.id, moment(5000), "no answer").unwrap();
        store.set_silent(&device.id, moment(9000), "no answer").unwrap();
        assert_eq!(store.unreported().unwrap().urgent_since, Some(moment(5000)));
        store.accept_report(&oldest(&store).0).unwrap();
        store.make_reports(&sender(), moment(10_000)).unwrap();
        let (waiting, report) = oldest(&store);
        assert_eq!(report.devices.first().unwrap().silent_since, Some(moment(5000)));
        store.accept_report(&waiting).unwrap();
        store.set_silent(&device.id, moment(11_000), "no answer").unwrap();
        assert!(!store.unreported().unwrap().any, "told already");
        store.save(&[device]).unwrap();
        store.make_reports(&sender(), moment(12_000)).unwrap();
        assert_eq!(oldest(&store).1.devices.first().unwrap().silent_since, None);
    }

    #[test]
    fn a_device_that_was_removed_is_reported_as_removed() {
        let (_folder, store) = store();
        let device = reading("A", 1, 1);
        store.save(std::slice::from_ref(&device)).unwrap();
        store.make_reports(&sender(), moment(1)).unwrap();
        store.accept_report(&oldest(&store).0).unwrap();
        store.remove_device(device.id.as_str()).unwrap();
        store.make_reports(&sender(), moment(2)).unwrap();
        assert_eq!(oldest(&store).1.removed, [device.id]);
    }

    #[test]
    fn what_is_too_old_goes_and_is_made_up_for() {
        let (_folder, store) = store();
        store.save(&[reading("A", 1, 1)]).unwrap();
        store.make_reports(&sender(), moment(1)).unwrap();
        let later = moment(1 + 91 * 86_400_000);
        assert_eq!(store.tidy(later).unwrap(), 1);
        assert!(store.oldest_report().unwrap().is_none());
        assert!(store.unreported().unwrap().any);
    }

    #[test]
    fn many_devices_make_several_reports() {
        let (_folder, store) = store();
        let readings: Vec<Saved> = (0..SendReports::MAX_DEVICES + 1).map(|n| reading(&format!("S{n}"), 1, 1)).collect();
        store.save(&readings).unwrap();
        assert_eq!(store.make_reports(&sender(), moment(1)).unwrap(), 2);
        assert_eq!(oldest(&store).1.devices.len(), SendReports::MAX_DEVICES);
    }

    #[test]
    fn a_database_of_a_later_version_is_left_alone() {
        let (folder, store) = store();
        store.connection().pragma_update(None, "user_version", 99).unwrap();
        drop(store);
        let Err(error) = Store::open(folder.path()) else { panic!("opened") };
        assert!(error.to_string().contains("version 99"), "{error}");
    }
}
