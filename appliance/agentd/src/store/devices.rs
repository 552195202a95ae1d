//! Devices: what is polled, what was read, what does not answer.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use agent_core::change::{Changes, Digests};
use agent_core::register::{Notice, Question};
use agent_core::snmp::Credential;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use wire::device::{DeviceId, DeviceRecord, Snapshot, total};
use wire::notes::Remark;
use wire::vocab::RemarkCode;
use wire::xml::{decode_device, encode_device};

use super::events::{self, ask, note_all, note_breaks};
use super::meters::Meters;
use super::outbox::{ANSWERING, COUNTERS, WATCH, bits, keep_untold};
use super::snmp_users::{Columns, users};
use super::{Result, Store, StoreError, moment};

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
    pub remarks: Vec<Remark>,
    pub also_at: String,
    pub packets: u32,
    pub octets: u64,
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
    /// What was noticed beside that.
    pub watched: Watched,
}

/// What was noticed about a device when it was read.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// The MACs that it is known by.
    pub macs: BTreeSet<String>,
    /// Where else it answers.
    pub also_at: BTreeSet<SocketAddr>,
    /// What was odd.
    pub remarks: Vec<Remark>,
    /// Datagrams that the reading took, both ways.
    pub packets: u32,
    /// Octets of them, headers included.
    pub octets: u64,
    /// What happened to it.
    pub notices: Vec<Notice>,
    /// What a person has to decide about it.
    pub questions: Vec<Question>,
}

impl Watched {
    fn remark_lines(&self) -> String {
        self.remarks.iter().map(|remark| format!("{}\t{}\n", remark.code.keyword(), remark.text)).collect()
    }
}

/// Joins what is stored in one column.
fn words(things: impl IntoIterator<Item = impl ToString>) -> String {
    things.into_iter().map(|thing| thing.to_string()).collect::<Vec<_>>().join(" ")
}

impl Store {
    /// How many devices there are.
    pub fn device_count(&self) -> Result<u64> {
        Ok(self.connection().query_row("SELECT count(*) FROM device", [], |row| row.get(0))?)
    }

    /// Every device that is polled: not those whose user is gone.
    pub fn targets(&self) -> Result<Vec<Target>> {
        let connection = self.connection();
        let mut rows = connection.prepare(
            "SELECT id, address, snmp_version, community, snmp_user, key_extension, transport FROM device ORDER BY id",
        )?;
        let users = users(&connection)?;
        let targets = rows.query_map([], |row| {
            let credential = Columns {
                version: row.get(2)?,
                community: row.get(3)?,
                user: row.get(4)?,
                extension: row.get(5)?,
                transport: row.get(6)?,
            };
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, credential.credential(&users)))
        })?;
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        Ok(targets
            .into_iter()
            .filter_map(|(id, address, credential)| {
                Some(Target { id: DeviceId::new(id)?, address, credential: credential? })
            })
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
        let query = "SELECT id, record, silent_since, read_at, address FROM device WHERE id = ?1";
        self.connection().query_row(query, [id], |row| Ok(stored_record(row))).optional()?.transpose()
    }

    fn device_lines(&self, clause: &str, parameters: impl rusqlite::Params) -> Result<Vec<DeviceLine>> {
        let connection = self.connection();
        let mut rows = connection.prepare(&format!(
            "SELECT id, address, manufacturer, model, serial, location, condition, total, lowest_pct, read_at, silent_since,
                    failure, remarks, also_at, packets, octets
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
                remarks: remarks_of(&row.get::<_, String>(12)?),
                also_at: row.get(13)?,
                packets: row.get(14)?,
                octets: row.get(15)?,
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
                         WHERE id = ?1 RETURNING silent_since = ?2";
            let since_ms = since.as_millisecond();
            let first = change.query_row(query, params![id.as_str(), since_ms, failure, ANSWERING], |row| row.get(0));
            if first.optional()?.unwrap_or(false) {
                events::add(change, id.as_str(), since, "silent", "", failure)?;
            }
            Ok(())
        })
    }

    /// Notes that a device is found at a further address.
    pub fn set_also_at(
        &self,
        id: &DeviceId,
        also_at: &BTreeSet<SocketAddr>,
        at: Timestamp,
        notices: &[Notice],
    ) -> Result<()> {
        self.transaction(|change| {
            change.execute("UPDATE device SET also_at = ?2 WHERE id = ?1", [id.as_str(), &words(also_at)])?;
            note_all(change, id.as_str(), at, notices)
        })
    }

    /// Forgets a device; the next report tells the manager.
    pub fn remove_device(&self, id: &str) -> Result<()> {
        self.transaction(|change| {
            if change.execute("DELETE FROM device WHERE id = ?1", [id])? == 1 {
                change.execute("INSERT OR IGNORE INTO removed_device (id) VALUES (?1)", [id])?;
            }
            Ok(())
        })
    }
}

/// Remarks from the lines in which they are stored.
pub(super) fn remarks_of(lines: &str) -> Vec<Remark> {
    lines
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(code, text)| Remark { code: RemarkCode::from_keyword(code), since: None, text: text.to_owned() })
        .collect()
}

/// A record as it was stored: what changes with each reading stands in columns beside it.
pub(super) fn stored_record(row: &Row<'_>) -> Result<DeviceRecord> {
    let text: String = row.get(1)?;
    let id: String = row.get(0)?;
    let mut record = decode_device(text.as_bytes()).map_err(|error| StoreError::Record(id, error))?;
    record.silent_since = row.get::<_, Option<i64>>(2)?.map(moment);
    record.read_at = moment(row.get(3)?);
    let address: String = row.get(4)?;
    record.address = host_of(&address).to_owned();
    Ok(record)
}

/// What is stored of a device and matters for a further reading.
struct Before {
    digests: Option<Digests>,
    meters: String,
    unreported: i64,
    urgent_since: Option<i64>,
    is_silent: bool,
    remarks: String,
}

fn save(change: &Transaction<'_>, reading: &Saved) -> Result<()> {
    let id = reading.id.as_str();
    let before = before(change, id)?;
    let snapshot = &reading.snapshot;
    let digests = Digests::of(snapshot);
    let remarks = reading.watched.remark_lines();
    let (mut unreported, mut urgent_since, mut changes) = (0, None, Changes::ALL);
    if let Some(before) = &before {
        (unreported, urgent_since) = (before.unreported, before.urgent_since);
        if before.is_silent {
            unreported |= ANSWERING;
        }
        if before.remarks != remarks {
            unreported |= WATCH;
        }
        changes = before.digests.map_or(Changes::ALL, |kept| Changes::between(&kept, &digests));
    }
    let mut meters = Meters::parse(before.as_ref().map_or("", |before| &before.meters));
    if before.is_none() {
        insert(change, reading)?;
    }
    let mut breaks = Vec::new();
    if changes.counters {
        breaks = meters.advance(change, id, &snapshot.counters, reading.read_at)?;
        // What was read before a meter broke is the last that can be billed: it must not be lost under what follows.
        if unreported & COUNTERS != 0 && breaks.iter().any(|(_, remark)| remark.is_break()) {
            keep_untold(change, id)?;
            unreported = 0;
        }
    }
    unreported |= bits(changes);
    if changes.urgent {
        urgent_since = urgent_since.or(Some(reading.read_at.as_millisecond()));
    }
    let credential = Columns::of(&reading.credential);
    if changes.any() {
        update_record(change, reading, digests, &meters)?;
    }
    change
        .prepare_cached(
            "UPDATE device SET address = ?2, snmp_version = ?3, community = ?4, read_at = ?5, silent_since = NULL,
                 failure = NULL, unreported = ?6, urgent_since = ?7, snmp_user = ?8, key_extension = ?9, transport = ?10,
                 macs = ?11, also_at = ?12, remarks = ?13, packets = ?14, octets = ?15
             WHERE id = ?1",
        )?
        .execute(params![
            id,
            reading.address,
            credential.version,
            credential.community,
            reading.read_at.as_millisecond(),
            unreported,
            urgent_since,
            credential.user,
            credential.extension,
            credential.transport,
            words(&reading.watched.macs),
            words(&reading.watched.also_at),
            remarks,
            reading.watched.packets,
            reading.watched.octets.cast_signed(),
        ])?;
    note_all(change, id, reading.read_at, &reading.watched.notices)?;
    note_breaks(change, id, reading.read_at, &breaks)?;
    if before.is_some_and(|before| before.is_silent) {
        events::add(change, id, reading.read_at, "answers", "", "")?;
    }
    ask(change, reading.read_at, &reading.watched.questions)?;
    Ok(())
}

fn before(change: &Transaction<'_>, id: &str) -> Result<Option<Before>> {
    let mut statement = change.prepare_cached(
        "SELECT digests, meters, unreported, urgent_since, silent_since IS NOT NULL, remarks FROM device WHERE id = ?1",
    )?;
    let before = statement.query_row([id], |row| {
        Ok(Before {
            digests: row.get::<_, Option<Vec<u8>>>(0)?.and_then(|bytes| Digests::from_bytes(&bytes)),
            meters: row.get(1)?,
            unreported: row.get(2)?,
            urgent_since: row.get(3)?,
            is_silent: row.get(4)?,
            remarks: row.get(5)?,
        })
    });
    Ok(before.optional()?)
}

/// Makes the row of a device that is met for the first time.
fn insert(change: &Transaction<'_>, reading: &Saved) -> Result<()> {
    let id = reading.id.as_str();
    change
        .prepare_cached(
            "INSERT INTO device (id, address, snmp_version, community, record, manufacturer, model, serial, location,
                                 condition, first_seen_at, read_at, unreported)
             VALUES (?1, ?2, '', x'', '', '', '', '', '', '', ?3, ?3, 0)",
        )?
        .execute(params![id, reading.address, reading.read_at.as_millisecond()])?;
    change.prepare_cached("DELETE FROM removed_device WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Writes what the device says, in the row's record and in the columns that lists show.
fn update_record(change: &Transaction<'_>, reading: &Saved, digests: Digests, meters: &Meters) -> Result<()> {
    let snapshot = &reading.snapshot;
    let record =
        DeviceRecord::full(reading.id.clone(), host_of(&reading.address).to_owned(), reading.read_at, snapshot.clone());
    let record = String::from_utf8_lossy(&encode_device(&record)).into_owned();
    let lowest = snapshot.supplies.iter().filter_map(|supply| supply.percent_left()).min();
    let total = total(&snapshot.counters).map(|counter| counter.value);
    let identity = &snapshot.identity;
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    change
        .prepare_cached(
            "UPDATE device SET record = ?2, manufacturer = ?3, model = ?4, serial = ?5, location = ?6, condition = ?7,
                 total = ?8, lowest_pct = ?9, digests = ?10, meters = ?11, object_id = ?12, host_name = ?13
             WHERE id = ?1",
        )?
        .execute(params![
            reading.id.as_str(),
            record,
            word(&identity.manufacturer),
            word(&identity.model),
            word(&identity.serial),
            word(&identity.location),
            snapshot.status.condition().keyword(),
            total.map(|total| i64::try_from(total).unwrap_or(i64::MAX)),
            lowest,
            digests.to_bytes(),
            meters.text(),
            word(&identity.sys_object_id),
            word(&identity.host_name),
        ])?;
    Ok(())
}

/// An address without its port.
fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}
