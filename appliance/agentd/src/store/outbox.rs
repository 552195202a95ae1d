//! Reports: what waits to be told, what was made of it, what the manager took and refused.

use agent_core::change::Changes;
use agent_core::report::{Contents, Sender, compose};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use wire::device::{DeviceId, DeviceRecord};
use wire::message::{ReportId, Request};
use wire::notes::{Remark, SameDevice};
use wire::xml::{decode_device, encode_device, encode_request, limits};

use super::devices::stored_record;
use super::notes::{WAITS, notes_of, own_remarks, set_told, tell_again, untold_events, untold_same};
use super::{Result, Store, StoreError, moment, set, setting};

/// Refused reports that are kept.
const KEPT_REFUSED: i64 = 20;
/// States that wait to be told before the present ones.
const MAX_UNTOLD: i64 = 2_000;
/// Devices of one report, and octets of their records: a small machine has to put it together, and the manager to take it apart.
/// The manager takes more of both.
const MAX_DEVICES: usize = 100;
/// See [`MAX_DEVICES`].
const MAX_OCTETS: usize = 4 << 20;

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

impl Store {
    /// Begins an epoch of report names: later than every one before, whatever the clock says. What was told before is told
    /// again in it, because the manager may have been restored.
    pub fn begin_epoch(&self, now: Timestamp) -> Result<()> {
        self.transaction(|change| {
            let last = setting(change, "epoch")?.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
            set(change, "epoch", &now.as_millisecond().max(last + 1).to_string())?;
            set(change, "sequence", "0")?;
            tell_again(change)
        })
    }

    /// What waits to be reported.
    pub fn unreported(&self) -> Result<Unreported> {
        let query =
            format!("SELECT EXISTS (SELECT 1 FROM device WHERE unreported <> 0) OR EXISTS (SELECT 1 FROM removed_device) OR {WAITS},
                            (SELECT min(urgent_since) FROM device WHERE unreported <> 0), (SELECT count(*) FROM outbox)");
        Ok(self.connection().query_row(&query, [], |row| {
            Ok(Unreported {
                any: row.get(0)?,
                urgent_since: row.get::<_, Option<i64>>(1)?.map(moment),
                waiting: row.get(2)?,
            })
        })?)
    }

    /// Marks everything as changed, so that the next reports tell all.
    pub fn mark_all(&self) -> Result<()> {
        self.transaction(mark_all)
    }

    /// Makes reports of all that waits and puts them into the outbox; with nothing waiting, one report that says so. Gives
    /// how many were made.
    pub fn make_reports(&self, sender: &Sender, now: Timestamp) -> Result<usize> {
        self.transaction(|change| {
            let same = untold_same(change)?;
            let mut maker = Maker {
                change,
                sender,
                now,
                remarks: own_remarks(change)?,
                same: same.clone(),
                removed: removed_devices(change)?,
                made: 0,
            };
            let (mut devices, mut octets) = (Vec::new(), 0);
            // What was left behind before any report had told it comes first.
            let untold = rows(change, "SELECT id FROM untold_record ORDER BY id")?;
            let changed = rows(change, "SELECT rowid FROM device WHERE unreported <> 0 ORDER BY id")?;
            let untold = untold.into_iter().map(|row| untold_record(change, row));
            for told in untold.chain(changed.into_iter().map(|row| changed_record(change, row))) {
                let (record, changes, length) = told?;
                if !devices.is_empty() && (devices.len() == MAX_DEVICES || octets + length > MAX_OCTETS) {
                    maker.make(std::mem::take(&mut devices))?;
                    octets = 0;
                }
                devices.push((record, changes));
                octets += length;
            }
            while maker.made == 0 || !devices.is_empty() || !maker.removed.is_empty() {
                maker.make(std::mem::take(&mut devices))?;
            }
            let made = maker.made;
            change.execute("UPDATE device SET unreported = 0, urgent_since = NULL WHERE unreported <> 0", [])?;
            change.execute("DELETE FROM untold_record", [])?;
            change.execute("DELETE FROM removed_device", [])?;
            set_told(change, &same)?;
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
}

/// Takes up to so many from the front.
fn first<T>(waiting: &mut Vec<T>, most: usize) -> Vec<T> {
    let rest = waiting.split_off(waiting.len().min(most));
    std::mem::replace(waiting, rest)
}

fn removed_devices(change: &Transaction<'_>) -> Result<Vec<DeviceId>> {
    let mut rows = change.prepare("SELECT id FROM removed_device ORDER BY id")?;
    let ids = rows.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(ids.into_iter().filter_map(DeviceId::new).collect())
}

/// Makes reports, one after the other, so that never more than one is in memory.
struct Maker<'a> {
    change: &'a Transaction<'a>,
    sender: &'a Sender,
    now: Timestamp,
    remarks: Vec<Remark>,
    /// In the first report, so that what is told later under the name that stays meets one device.
    same: Vec<SameDevice>,
    removed: Vec<DeviceId>,
    made: usize,
}

impl Maker<'_> {
    fn make(&mut self, devices: Vec<(DeviceRecord, Changes)>) -> Result<()> {
        let contents = Contents {
            remarks: self.remarks.clone(),
            same: std::mem::take(&mut self.same),
            devices,
            removed: first(&mut self.removed, limits::REMOVED),
        };
        let id = next_report_id(self.change)?;
        let report = compose(self.sender, id, self.now, contents);
        let document = gzip(&encode_request(&Request::SendReports(report)));
        let query = "INSERT INTO outbox (epoch, sequence, created_at, document) VALUES (?1, ?2, ?3, ?4)";
        self.change.execute(query, params![id.epoch, id.sequence, self.now.as_millisecond(), document])?;
        self.made += 1;
        Ok(())
    }
}

/// A device, what of it has changed, and how many octets that takes at most.
type Told = (DeviceRecord, Changes, usize);

/// A device as it is.
fn changed_record(change: &Transaction<'_>, row: i64) -> Result<Told> {
    let query = "SELECT id, record, silent_since, read_at, address, unreported FROM device WHERE rowid = ?1";
    let read = |row: &Row<'_>| Ok((stored_record(row), row.get::<_, i64>(5)?, row.get_ref(1)?.as_str()?.len()));
    let (record, unreported, mut octets) = change.prepare_cached(query)?.query_row([row], read)?;
    let mut record = record?;
    if unreported & WATCH != 0 {
        record.notes = Some(notes_of(change, &record)?);
        record.events = untold_events(change, record.id.as_str())?;
        octets = encode_device(&record).len();
    }
    Ok((record, changes_of(unreported), octets))
}

/// A device as it was before a break of its meters.
fn untold_record(change: &Transaction<'_>, row: i64) -> Result<Told> {
    let query = "SELECT device_id, record, unreported FROM untold_record WHERE id = ?1";
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?));
    let (id, record, unreported) = change.prepare_cached(query)?.query_row([row], read)?;
    let octets = record.len();
    let mut record = decode_device(record.as_bytes()).map_err(|error| StoreError::Record(id.clone(), error))?;
    // The device may have another name by now.
    record.id = DeviceId::new(id).unwrap_or(record.id);
    Ok((record, changes_of(unreported), octets))
}

fn rows(change: &Transaction<'_>, query: &str) -> Result<Vec<i64>> {
    let mut rows = change.prepare(query)?;
    Ok(rows.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Keeps the state of a device as it stands, to be told before the one that follows.
pub(super) fn keep_untold(change: &Transaction<'_>, id: &str) -> Result<()> {
    let query = "SELECT id, record, silent_since, read_at, address, unreported FROM device WHERE id = ?1";
    let (record, unreported) =
        change.prepare_cached(query)?.query_row([id], |row| Ok((stored_record(row), row.get::<_, i64>(5)?)))?;
    let record = String::from_utf8_lossy(&encode_device(&record?)).into_owned();
    change.execute(
        "INSERT INTO untold_record (device_id, record, unreported) VALUES (?1, ?2, ?3)",
        params![id, record, unreported],
    )?;
    change.execute("DELETE FROM untold_record WHERE id <= (SELECT max(id) FROM untold_record) - ?1", [MAX_UNTOLD])?;
    Ok(())
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
pub(super) const COUNTERS: i64 = 16;
/// Only whether the device answers has changed.
pub(super) const ANSWERING: i64 = 32;
/// What the agent noticed about the device has changed: events, questions, oddities.
pub(super) const WATCH: i64 = 64;

/// Everything counts as changed.
pub(super) fn mark_all(change: &Transaction<'_>) -> Result<()> {
    change.execute("UPDATE device SET unreported = ?1", [bits(Changes::ALL) | WATCH])?;
    Ok(())
}

pub(super) fn bits(changes: Changes) -> i64 {
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
