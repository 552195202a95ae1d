//! What happened to each device, and what nobody but a person can decide about two of them.

use agent_core::change::Changes;
use agent_core::identity::Pulse;
use agent_core::register::{Known, Notice, Question};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use wire::device::DeviceId;
use wire::identity::Marks;
use wire::meter::Remark;
use wire::notes::Event;

use super::notes::{event, give_up};
use super::outbox::{WATCH, bits};
use super::{Result, Store, moment};

/// Events kept of each device.
const KEPT_EVENTS: u32 = 200;
/// Questions kept, open or decided.
const KEPT_QUESTIONS: i64 = 2_000;

/// A question that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenQuestion {
    /// Its number.
    pub row: i64,
    /// What makes it one, as a word.
    pub doubt: String,
    /// The device that was known before.
    pub older: String,
    /// The one that came.
    pub newer: String,
    /// When it came up.
    pub asked_at: Timestamp,
}

impl Store {
    /// The newest events of a device, newest first.
    pub fn events(&self, id: &str, limit: u32) -> Result<Vec<Event>> {
        let connection = self.connection();
        let mut rows = connection.prepare_cached(
            "SELECT at, kind, before, after FROM event WHERE device_id = ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let events = rows.query_map(params![id, limit], event)?;
        Ok(events.collect::<Result<_, _>>()?)
    }

    /// Questions that are open, oldest first.
    pub fn questions(&self) -> Result<Vec<OpenQuestion>> {
        let connection = self.connection();
        let mut rows = connection.prepare_cached(
            "SELECT id, kind, older, newer, asked_at FROM question WHERE decided_at IS NULL ORDER BY id",
        )?;
        let questions = rows.query_map([], |row| {
            Ok(OpenQuestion {
                row: row.get(0)?,
                doubt: row.get(1)?,
                older: row.get(2)?,
                newer: row.get(3)?,
                asked_at: moment(row.get(4)?),
            })
        })?;
        Ok(questions.collect::<Result<_, _>>()?)
    }

    /// All pairs about which a person was asked, whether he has answered or not.
    pub fn asked_pairs(&self) -> Result<Vec<(DeviceId, DeviceId)>> {
        let connection = self.connection();
        let mut rows = connection.prepare("SELECT older, newer FROM question")?;
        let pairs = rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let pairs = pairs.collect::<Result<Vec<_>, _>>()?;
        Ok(pairs
            .into_iter()
            .filter_map(|(older, newer)| Some((DeviceId::new(older)?, DeviceId::new(newer)?)))
            .collect())
    }

    /// Everything that the devices are known by.
    pub fn known_devices(&self) -> Result<Vec<Known>> {
        let connection = self.connection();
        let mut rows = connection.prepare(
            "SELECT id, address, also_at, serial, macs, object_id, model, host_name, location, total, read_at,
                    silent_since IS NOT NULL
             FROM device",
        )?;
        let known = rows.query_map([], |row| {
            let texts: Vec<String> = (0..9).map(|column| row.get(column)).collect::<Result<_, _>>()?;
            let total: Option<i64> = row.get(9)?;
            let pulse = Pulse { at: moment(row.get(10)?), total: total.map(i64::cast_unsigned), started: None };
            Ok((texts, pulse, row.get(11)?))
        })?;
        let known = known.collect::<Result<Vec<_>, _>>()?;
        let device = |(texts, pulse, is_silent): (Vec<String>, Pulse, bool)| {
            let [id, address, also_at, serial, macs, object_id, model, host_name, location] = texts.try_into().ok()?;
            let text = |text: String| Some(text).filter(|text| !text.is_empty());
            let identity = wire::device::Identity {
                serial: text(serial),
                sys_object_id: text(object_id),
                model: text(model),
                host_name: text(host_name),
                location: text(location),
                ..Default::default()
            };
            let macs = macs.split_whitespace().map(str::to_owned).collect();
            Some(Known {
                id: DeviceId::new(id)?,
                address: address.parse().ok()?,
                also_at: also_at.split_whitespace().filter_map(|address| address.parse().ok()).collect(),
                marks: Marks { macs, ..Marks::of(&identity) },
                pulse,
                is_silent,
            })
        };
        Ok(known.into_iter().filter_map(device).collect())
    }

    /// A person says that two devices are two. `false` when the question is no longer open.
    pub fn keep_apart(&self, question: i64, by: &str, at: Timestamp) -> Result<bool> {
        self.transaction(|change| {
            let query = "UPDATE question SET decided_by = ?2, decided_at = ?3 WHERE id = ?1 AND decided_at IS NULL
                         RETURNING older, newer";
            let pair = change
                .query_row(query, params![question, by, at.as_millisecond()], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
                })
                .optional()?;
            let Some((older, newer)) = pair else { return Ok(false) };
            add(change, &older, at, "another", &newer, by)?;
            add(change, &newer, at, "another", &older, by)?;
            Ok(true)
        })
    }

    /// A person says that two devices are one: the newer's readings become the older's, whose history goes on.
    pub fn unite(&self, older: &DeviceId, newer: &DeviceId, has_moved: bool, by: &str, at: Timestamp) -> Result<()> {
        self.transaction(|change| {
            let (old, new) = (older.as_str(), newer.as_str());
            let exists = "SELECT count(*) = 2 FROM device WHERE id IN (?1, ?2)";
            if !change.query_row(exists, [old, new], |row| row.get::<_, bool>(0))? {
                return Ok(());
            }
            if has_moved {
                // What the older one says from here on is what the newer one said; its meters go on with the next reading.
                change.execute(
                    "UPDATE device SET (address, snmp_version, community, snmp_user, key_extension, transport, silent_since,
                                        failure, macs, unreported) =
                         (SELECT address, snmp_version, community, snmp_user, key_extension, transport, silent_since, failure,
                                 macs, ?3 FROM device WHERE id = ?2)
                     WHERE id = ?1",
                    params![old, new, bits(Changes::ALL) | WATCH],
                )?;
            }
            change.execute(
                "INSERT OR IGNORE INTO meter
                 SELECT ?1, key, day, epoch + (SELECT coalesce(max(epoch), 0) FROM meter WHERE device_id = ?1), value, wraps, remark
                 FROM meter WHERE device_id = ?2",
                [old, new],
            )?;
            // The manager moves what it was told already by itself.
            change.execute("UPDATE event SET device_id = ?1 WHERE device_id = ?2 AND kind <> 'met'", [old, new])?;
            change.execute("UPDATE untold_record SET device_id = ?1 WHERE device_id = ?2", [old, new])?;
            // What was asked about the one that is no more is asked about the one that it was.
            change.execute("UPDATE OR IGNORE question SET older = ?1 WHERE older = ?2", [old, new])?;
            change.execute("UPDATE OR IGNORE question SET newer = ?1 WHERE newer = ?2", [old, new])?;
            change.execute("DELETE FROM question WHERE older = newer", [])?;
            change.execute("DELETE FROM device WHERE id = ?1", [new])?;
            give_up(change, new, old)?;
            add(change, old, at, "same", new, by)
        })
    }

    /// Two devices have turned out to be two.
    pub fn withdraw_question(&self, older: &DeviceId, newer: &DeviceId, at: Timestamp) -> Result<()> {
        self.transaction(|change| {
            let query = "UPDATE question SET decided_by = '', decided_at = ?3
                         WHERE older = ?1 AND newer = ?2 AND decided_at IS NULL";
            if change.execute(query, params![older.as_str(), newer.as_str(), at.as_millisecond()])? == 1 {
                add(change, older.as_str(), at, "another", newer.as_str(), "")?;
                add(change, newer.as_str(), at, "another", older.as_str(), "")?;
            }
            Ok(())
        })
    }
}

/// Writes down what happened to a device.
pub(super) fn note_all(change: &Transaction<'_>, id: &str, at: Timestamp, notices: &[Notice]) -> Result<()> {
    for notice in notices {
        let (kind, before, after) = match notice {
            Notice::Met => ("met", String::new(), String::new()),
            Notice::Moved { from, to } => ("moved", from.to_string(), to.to_string()),
            Notice::AlsoAt(address) => ("alsoAt", String::new(), address.to_string()),
            Notice::SerialKnown(serial) => ("serialKnown", String::new(), serial.clone()),
            Notice::SerialChanged { from, to } => ("serialChanged", from.clone(), to.clone()),
            Notice::MacKnown(mac) => ("macKnown", String::new(), mac.clone()),
            Notice::MacChanged { from, to } => ("macChanged", from.clone(), to.clone()),
        };
        add(change, id, at, kind, &before, &after)?;
    }
    Ok(())
}

/// Writes down which meters broke at a reading: one event for each kind of break.
pub(super) fn note_breaks(
    change: &Transaction<'_>,
    id: &str,
    at: Timestamp,
    breaks: &[(String, Remark)],
) -> Result<()> {
    for remark in [Remark::Backwards, Remark::Jumped, Remark::Wrapped, Remark::Returned] {
        let names: Vec<&str> =
            breaks.iter().filter(|(_, other)| *other == remark).map(|(name, _)| name.as_str()).collect();
        if !names.is_empty() {
            add(change, id, at, remark.keyword(), "", &names.join(", "))?;
        }
    }
    Ok(())
}

/// Opens questions.
pub(super) fn ask(change: &Transaction<'_>, at: Timestamp, questions: &[Question]) -> Result<()> {
    for question in questions {
        let (older, newer) = (question.older.as_str(), question.newer.as_str());
        let query = "INSERT OR IGNORE INTO question (kind, older, newer, asked_at)
                     SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM device WHERE id = ?2)";
        if change.execute(query, params![question.doubt.keyword(), older, newer, at.as_millisecond()])? == 1 {
            add(change, older, at, "asked", newer, question.doubt.keyword())?;
            add(change, newer, at, "asked", older, question.doubt.keyword())?;
        }
    }
    if !questions.is_empty() {
        change.execute("DELETE FROM question WHERE id <= (SELECT max(id) FROM question) - ?1", [KEPT_QUESTIONS])?;
    }
    Ok(())
}

/// Adds an event to a device's log, and drops the oldest beyond what is kept.
pub(super) fn add(
    change: &Transaction<'_>,
    id: &str,
    at: Timestamp,
    kind: &str,
    before: &str,
    after: &str,
) -> Result<()> {
    change
        .prepare_cached("INSERT INTO event (device_id, at, kind, before, after) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![id, at.as_millisecond(), kind, before, after])?;
    change
        .prepare_cached(
            "DELETE FROM event WHERE device_id = ?1
             AND id <= (SELECT id FROM event WHERE device_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![id, KEPT_EVENTS])?;
    change
        .prepare_cached("UPDATE device SET unreported = unreported | ?2 WHERE id = ?1")?
        .execute(params![id, WATCH])?;
    Ok(())
}
