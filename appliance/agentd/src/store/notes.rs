//! What was noticed beside what devices say, as a report tells it: remarks, open questions, events, names that were given up.

use agent_core::profile::BASE;
use jiff::Timestamp;
use rusqlite::{Transaction, params};
use wire::device::{DeviceId, DeviceRecord};
use wire::notes::{Event, Notes, Question, Remark, SameDevice};
use wire::vocab::{DoubtKind, EventKind, RemarkCode};
use wire::xml::limits;

use super::devices::remarks_of;
use super::outbox::WATCH;
use super::{Result, Store, moment, set};

/// Events of a device in one report at most; older ones that no report has told stay here.
const TOLD_AT_ONCE: u32 = 50;

impl Store {
    /// Says something about this box itself, to the manager and on the page; said again with the same words it changes nothing.
    pub fn say_of_self(&self, remark: &Remark) -> Result<()> {
        let since = remark.since.unwrap_or(Timestamp::UNIX_EPOCH).as_millisecond();
        self.transaction(|change| {
            let query = "INSERT INTO own_remark (code, since, text) VALUES (?1, ?2, ?3)
                         ON CONFLICT (code) DO UPDATE SET since = excluded.since, text = excluded.text
                         WHERE since <> excluded.since OR text <> excluded.text";
            if change.execute(query, params![remark.code.keyword(), since, remark.text])? == 1 {
                set(change, OWN_UNTOLD, "yes")?;
            }
            Ok(())
        })
    }

    /// Takes back what was said about this box.
    pub fn unsay_of_self(&self, code: &RemarkCode) -> Result<()> {
        self.transaction(|change| {
            if change.execute("DELETE FROM own_remark WHERE code = ?1", [code.keyword()])? == 1 {
                set(change, OWN_UNTOLD, "yes")?;
            }
            Ok(())
        })
    }

    /// What holds of this box.
    pub fn said_of_self(&self) -> Result<Vec<Remark>> {
        self.transaction(own_remarks)
    }

    /// What holds of a device beside what it says.
    pub fn notes(&self, record: &DeviceRecord) -> Result<Notes> {
        self.transaction(|change| notes_of(change, record))
    }

    /// Notes that a device is polled less often than the others, and why, or that it is not.
    pub fn set_slowed(&self, id: &DeviceId, slowed: Option<&Remark>) -> Result<()> {
        let line = slowed.map(slowed_line).unwrap_or_default();
        self.connection().execute(
            "UPDATE device SET slowed = ?2, unreported = unreported | ?3 WHERE id = ?1 AND slowed <> ?2",
            params![id.as_str(), line, WATCH],
        )?;
        Ok(())
    }

    /// Every device is polled as often as the others: a start forgets which were not.
    pub fn clear_slowed(&self) -> Result<()> {
        let query = "UPDATE device SET slowed = '', unreported = unreported | ?1 WHERE slowed <> ''";
        self.connection().execute(query, [WATCH])?;
        Ok(())
    }

    /// Names that were given up and are never given again.
    pub fn given_up(&self) -> Result<Vec<DeviceId>> {
        let connection = self.connection();
        let mut rows = connection.prepare("SELECT gone FROM given_up")?;
        let names = rows.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        Ok(names.into_iter().filter_map(DeviceId::new).collect())
    }
}

/// The setting that says that what the agent says of itself has changed since a report told it.
const OWN_UNTOLD: &str = "own_remarks_untold";

/// Whether anything here waits that belongs to no device.
pub(super) const WAITS: &str = "EXISTS (SELECT 1 FROM given_up WHERE NOT told)
     OR EXISTS (SELECT 1 FROM setting WHERE key = 'own_remarks_untold')";

pub(super) fn own_remarks(change: &Transaction<'_>) -> Result<Vec<Remark>> {
    let mut rows = change.prepare("SELECT code, since, text FROM own_remark ORDER BY since DESC, code LIMIT ?1")?;
    let remarks = rows.query_map([limits::OWN_REMARKS], |row| {
        let since = Some(row.get(1)?).filter(|since| *since != 0).map(moment);
        Ok(Remark { code: RemarkCode::from_keyword(&row.get::<_, String>(0)?), since, text: row.get(2)? })
    })?;
    Ok(remarks.collect::<Result<_, _>>()?)
}

/// Names that were given up and of which no report has told.
pub(super) fn untold_same(change: &Transaction<'_>) -> Result<Vec<SameDevice>> {
    let mut rows = change.prepare("SELECT gone, stays FROM given_up WHERE NOT told ORDER BY gone LIMIT ?1")?;
    let pairs = rows.query_map([limits::SAME], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let pairs = pairs.collect::<Result<Vec<_>, _>>()?;
    let same = pairs
        .into_iter()
        .filter_map(|(gone, stays)| Some(SameDevice { gone: DeviceId::new(gone)?, stays: DeviceId::new(stays)? }));
    Ok(same.collect())
}

/// The name of a device is given up for another one.
pub(super) fn give_up(change: &Transaction<'_>, gone: &str, stays: &str) -> Result<()> {
    change.execute("UPDATE given_up SET stays = ?2, told = 0 WHERE stays = ?1", [gone, stays])?;
    change.execute("INSERT OR REPLACE INTO given_up (gone, stays, told) VALUES (?1, ?2, 0)", [gone, stays])?;
    Ok(())
}

/// What holds of a device: what was odd, how it is polled, what is open.
pub(super) fn notes_of(change: &Transaction<'_>, record: &DeviceRecord) -> Result<Notes> {
    let id = record.id.as_str();
    let query = "SELECT remarks, slowed FROM device WHERE id = ?1";
    let (lines, slowed): (String, String) =
        change.prepare_cached(query)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let plain = |code, text| Remark { code, since: None, text };
    let mut remarks: Vec<Remark> = remarks_of(&lines);
    remarks.extend(slowed_of(&slowed));
    let identity = record.identity.as_ref();
    if identity.is_some_and(|identity| identity.profile.as_deref() == Some(BASE)) {
        let maker = identity.and_then(|identity| identity.manufacturer.clone());
        remarks.push(plain(RemarkCode::NoProfile, maker.unwrap_or_default()));
    }
    let mut rows = change.prepare_cached(
        "SELECT kind, older, asked_at FROM question WHERE newer = ?1 AND decided_at IS NULL ORDER BY id LIMIT ?2",
    )?;
    let questions = rows.query_map(params![id, limits::QUESTIONS], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, moment(row.get(2)?)))
    })?;
    let questions = questions.collect::<Result<Vec<_>, _>>()?;
    let question = |(doubt, older, asked_at): (String, String, Timestamp)| {
        Some(Question { doubt: DoubtKind::from_keyword(&doubt), older: DeviceId::new(older)?, asked_at })
    };
    Ok(Notes { remarks, questions: questions.into_iter().filter_map(question).collect() })
}

/// The newest events of a device that no report has told, oldest first.
pub(super) fn untold_events(change: &Transaction<'_>, id: &str) -> Result<Vec<Event>> {
    let mut rows = change.prepare_cached(
        "SELECT at, kind, before, after FROM event WHERE device_id = ?1 AND NOT told ORDER BY id DESC LIMIT ?2",
    )?;
    let events = rows.query_map(params![id, TOLD_AT_ONCE], event)?;
    let mut events = events.collect::<Result<Vec<_>, _>>()?;
    events.reverse();
    Ok(events)
}

pub(super) fn event(row: &rusqlite::Row<'_>) -> rusqlite::Result<Event> {
    let kind = EventKind::from_keyword(&row.get::<_, String>(1)?);
    Ok(Event { at: moment(row.get(0)?), kind, before: row.get(2)?, after: row.get(3)? })
}

/// All that waited here has been told.
pub(super) fn set_told(change: &Transaction<'_>, same: &[SameDevice]) -> Result<()> {
    change.execute("UPDATE event SET told = 1 WHERE NOT told", [])?;
    for SameDevice { gone, .. } in same {
        change.execute("UPDATE given_up SET told = 1 WHERE gone = ?1", [gone.as_str()])?;
    }
    change.execute("DELETE FROM setting WHERE key = ?1", [OWN_UNTOLD])?;
    Ok(())
}

/// Everything counts as untold: reports were lost, or the manager is another one or was restored.
pub(super) fn tell_again(change: &Transaction<'_>) -> Result<()> {
    change.execute("UPDATE event SET told = 0", [])?;
    change.execute("UPDATE given_up SET told = 0", [])?;
    Ok(())
}

fn slowed_line(remark: &Remark) -> String {
    let since = remark.since.map_or(0, Timestamp::as_millisecond);
    format!("{}\t{since}\t{}", remark.code.keyword(), remark.text)
}

fn slowed_of(line: &str) -> Option<Remark> {
    let mut parts = line.splitn(3, '\t');
    let (code, since, text) = (parts.next()?, parts.next()?, parts.next()?);
    let since = since.parse().ok().filter(|since| *since != 0).map(moment);
    Some(Remark { code: RemarkCode::from_keyword(code), since, text: text.to_owned() })
}
