//! Which names mean one device, across agents too: names that were given up, boxes that were replaced, questions about two
//! devices and what was decided. Nothing here reaches beyond one customer.

use std::collections::BTreeMap;

use jiff::Timestamp;
use manager_core::{
    access::{DeviceRow, Right, Scope},
    identity::{Verdict, compare},
    ingest::believed_time,
    reading::judge,
    summary::agent_is_silent,
};
use rusqlite::{OptionalExtension, Transaction, params};
use wire::{
    device::{Counter, DeviceId, DeviceRecord},
    meter::{CounterKey, Remark},
    notes::{Event, SameDevice},
    vocab::{Basis, ColorUse, Confidence, CounterUnit, DoubtKind, EventKind, MediaSize, Service, Sides},
    xml,
};

use crate::{
    Result, Store, StoreError,
    intake::{append_counter, neighbours, update_device},
    moment,
    questions::{decide_readings, note_breaks},
    stored,
};

/// Events kept of each device.
const KEPT_EVENTS: u32 = 500;
/// Devices that one is compared with when it is reported for the first time.
const MOST_COMPARED: u32 = 20;
/// Most questions listed.
const MOST_LISTED: u32 = 500;
/// The kind of the event that another agent reads a device from here on.
pub const OTHER_AGENT: &str = "otherAgent";

/// Two devices of which only a person can say whether they are one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct IdentityQuestion {
    pub id: i64,
    pub doubt: DoubtKind,
    pub asked_at: Timestamp,
    pub customer_name: String,
    pub older: Party,
    pub newer: Party,
}

/// A device in a question.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Party {
    pub device: DeviceRow,
    pub name: String,
    pub serial: String,
    pub mac: String,
    pub address: String,
    pub total: Option<u64>,
    pub read_at: Timestamp,
    pub site_name: String,
    pub agent_name: String,
}

impl Store {
    /// The questions about two devices that nobody has decided, oldest first; of one device where it is given.
    pub fn identity_questions(&self, scope: &Scope, of: Option<DeviceRow>) -> Result<Vec<IdentityQuestion>> {
        scope.require(Right::View)?;
        let connection = self.lock();
        let party = |d: &str, a: &str, s: &str| {
            format!(
                "{d}.id, trim({d}.manufacturer || ' ' || {d}.model), {d}.serial, {d}.mac, {d}.address, {d}.total, {d}.read_at,
                 {s}.name, {a}.name"
            )
        };
        let mut statement = connection.prepare_cached(&format!(
            "SELECT q.id, q.doubt, q.asked_at, c.name, {}, {}
             FROM identity_question q
             JOIN device o ON o.id = q.older JOIN agent oa ON oa.id = o.agent_id JOIN site os ON os.id = oa.site_id
             JOIN device n ON n.id = q.newer JOIN agent na ON na.id = n.agent_id JOIN site ns ON ns.id = na.site_id
             JOIN customer c ON c.id = os.customer_id AND c.id = ns.customer_id
             WHERE q.decision IS NULL AND c.dealer_id = ?1 AND (?2 IS NULL OR ?2 IN (o.id, n.id))
             ORDER BY q.asked_at, q.id LIMIT ?3",
            party("o", "oa", "os"),
            party("n", "na", "ns"),
        ))?;
        let questions = statement.query_map(params![scope.dealer.0, of.map(|of| of.0), MOST_LISTED], |row| {
            let party = |first: usize| {
                Ok::<_, rusqlite::Error>(Party {
                    device: DeviceRow(row.get(first)?),
                    name: row.get(first + 1)?,
                    serial: row.get(first + 2)?,
                    mac: row.get(first + 3)?,
                    address: row.get(first + 4)?,
                    total: row.get::<_, Option<i64>>(first + 5)?.map(i64::cast_unsigned),
                    read_at: moment(row.get(first + 6)?),
                    site_name: row.get(first + 7)?,
                    agent_name: row.get(first + 8)?,
                })
            };
            Ok(IdentityQuestion {
                id: row.get(0)?,
                doubt: DoubtKind::from_keyword(&row.get::<_, String>(1)?),
                asked_at: moment(row.get(2)?),
                customer_name: row.get(3)?,
                older: party(4)?,
                newer: party(13)?,
            })
        })?;
        Ok(questions.collect::<rusqlite::Result<_>>()?)
    }

    /// Decides whether two devices are one: the older goes on with the readings of the newer. Gives the device that there is
    /// afterwards; `None` when somebody has decided before.
    pub fn decide_identity(
        &self,
        scope: &Scope,
        question: i64,
        same: bool,
        now: Timestamp,
    ) -> Result<Option<DeviceRow>> {
        scope.require(Right::DecideMeters)?;
        self.transaction(|transaction| {
            let pair = transaction
                .query_row(
                    "SELECT q.older, q.newer, o.key, n.key FROM identity_question q
                     JOIN device o ON o.id = q.older JOIN agent oa ON oa.id = o.agent_id
                     JOIN site os ON os.id = oa.site_id JOIN device n ON n.id = q.newer
                     JOIN agent na ON na.id = n.agent_id JOIN site ns ON ns.id = na.site_id
                     JOIN customer c ON c.id = os.customer_id AND c.id = ns.customer_id
                     WHERE q.id = ?1 AND c.dealer_id = ?2 AND q.decision IS NULL",
                    params![question, scope.dealer.0],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get::<_, String>(3)?)),
                )
                .optional()?;
            let Some((older, newer, older_key, newer_key)) = pair else { return Ok::<_, StoreError>(None) };
            let said = |kind, about: &str| Event { kind, at: now, before: about.to_owned(), after: scope.user.clone() };
            if same {
                // The newer one answers: under its name the device is read from here on.
                merge(transaction, older, newer, Goes::UnderNewer, now)?;
                add_event(transaction, older, &said(EventKind::Same, &newer_key))?;
            } else {
                close(transaction, question, "another", &scope.user, now)?;
                add_event(transaction, older, &said(EventKind::Another, &newer_key))?;
                add_event(transaction, newer, &said(EventKind::Another, &older_key))?;
            }
            Ok(Some(DeviceRow(older)))
        })
    }

    /// What happened to a device, newest first.
    pub fn device_events(&self, scope: &Scope, device: DeviceRow, limit: u32) -> Result<Vec<Event>> {
        scope.require(Right::View)?;
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT e.at, e.kind, e.before, e.after FROM device_event e JOIN device d ON d.id = e.device_id
             JOIN agent a ON a.id = d.agent_id JOIN site s ON s.id = a.site_id JOIN customer c ON c.id = s.customer_id
             WHERE e.device_id = ?1 AND c.dealer_id = ?2 ORDER BY e.at DESC, e.kind LIMIT ?3",
        )?;
        let events = statement.query_map(params![device.0, scope.dealer.0, limit], |row| {
            let kind = EventKind::from_keyword(&row.get::<_, String>(1)?);
            Ok(Event { at: moment(row.get(0)?), kind, before: row.get(2)?, after: row.get(3)? })
        })?;
        Ok(events.collect::<rusqlite::Result<_>>()?)
    }
}

/// Which device an arriving record is of.
pub(crate) enum Owner {
    /// This one.
    Known(i64),
    /// One that was not known; perhaps it is one of these.
    New(Vec<(i64, DoubtKind)>),
}

/// Whose an arriving record is, by its name, by a further name of a device, or by what it says of itself.
pub(crate) fn owner(
    transaction: &Transaction<'_>,
    agent: i64,
    arriving: &DeviceRecord,
    now: Timestamp,
) -> Result<Owner> {
    if let Some(device) = primary(transaction, agent, &arriving.id)? {
        return Ok(Owner::Known(device));
    }
    let further = transaction
        .prepare_cached("SELECT device_id, until FROM device_name WHERE agent_id = ?1 AND key = ?2")?
        .query_row(params![agent, arriving.id.as_str()], |row| Ok((row.get(0)?, moment(row.get(1)?))))
        .optional()?;
    if let Some((device, until)) = further {
        let is_late = believed_time(arriving.read_at, now) <= until;
        if is_late || arriving.identity.is_none() || says_the_same(transaction, device, arriving)? {
            if !is_late {
                hand_over_if_left(transaction, device, agent, &arriving.id, now)?;
            }
            return Ok(Owner::Known(device));
        }
        // Somebody took two for one, and now both answer: they are two again, each with its own readings from here on.
        transaction.execute(
            "DELETE FROM device_name WHERE agent_id = ?1 AND key = ?2",
            params![agent, arriving.id.as_str()],
        )?;
    }
    recognise(transaction, agent, arriving, now)
}

fn primary(transaction: &Transaction<'_>, agent: i64, key: &DeviceId) -> Result<Option<i64>> {
    let mut statement = transaction.prepare_cached("SELECT id FROM device WHERE agent_id = ?1 AND key = ?2")?;
    Ok(statement.query_row(params![agent, key.as_str()], |row| row.get(0)).optional()?)
}

/// The device of a name, its own or a further one.
fn named(transaction: &Transaction<'_>, agent: i64, key: &DeviceId) -> Result<Option<i64>> {
    if let Some(device) = primary(transaction, agent, key)? {
        return Ok(Some(device));
    }
    let mut statement =
        transaction.prepare_cached("SELECT device_id FROM device_name WHERE agent_id = ?1 AND key = ?2")?;
    Ok(statement.query_row(params![agent, key.as_str()], |row| row.get(0)).optional()?)
}

fn record_of(transaction: &Transaction<'_>, device: i64) -> Result<Option<DeviceRecord>> {
    let bytes: Vec<u8> =
        transaction.prepare_cached("SELECT record FROM device WHERE id = ?1")?.query_row([device], |row| row.get(0))?;
    Ok(xml::decode_device(&bytes).ok())
}

fn says_the_same(transaction: &Transaction<'_>, device: i64, arriving: &DeviceRecord) -> Result<bool> {
    let known = record_of(transaction, device)?;
    Ok(known.is_some_and(|known| compare(&known, arriving) == Verdict::Same))
}

/// A device that was known to another agent of the same customer and has been left by it.
struct Candidate {
    device: i64,
    is_same_site: bool,
    /// Nobody reads it any more, as far as can be seen.
    is_left: bool,
    record: Vec<u8>,
}

fn recognise(transaction: &Transaction<'_>, agent: i64, arriving: &DeviceRecord, now: Timestamp) -> Result<Owner> {
    let Some(identity) = &arriving.identity else { return Ok(Owner::New(Vec::new())) };
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut statement = transaction.prepare_cached(
        "SELECT d.id, a.site_id = me.site_id,
                d.silent_since IS NOT NULL OR d.removed_at IS NOT NULL OR coalesce(a.last_report_at, 0) < me.registered_at,
                d.record
         FROM device d JOIN agent a ON a.id = d.agent_id JOIN site s ON s.id = a.site_id
         JOIN agent me ON me.id = ?1 JOIN site mine ON mine.id = me.site_id AND mine.customer_id = s.customer_id
         WHERE a.id <> ?1 AND d.id IN (
             SELECT id FROM device WHERE serial = ?2 AND serial <> ''
             UNION SELECT id FROM device WHERE mac = ?3 AND mac <> ''
             UNION SELECT id FROM device WHERE host_name = ?4 AND host_name <> '' AND model = ?5)
         ORDER BY d.id DESC LIMIT ?6",
    )?;
    let [serial, mac] = [&identity.serial, &identity.mac].map(word);
    let [host_name, model] = [&identity.host_name, &identity.model].map(word);
    let values = params![agent, serial, mac, host_name, model, MOST_COMPARED];
    let candidates = statement.query_map(values, |row| {
        Ok(Candidate { device: row.get(0)?, is_same_site: row.get(1)?, is_left: row.get(2)?, record: row.get(3)? })
    })?;
    let (mut same, mut doubts) = (Vec::new(), Vec::new());
    for candidate in candidates.collect::<rusqlite::Result<Vec<_>>>()? {
        let Ok(known) = xml::decode_device(&candidate.record) else { continue };
        match compare(&known, arriving) {
            Verdict::Same if candidate.is_same_site => same.push(candidate.device),
            Verdict::Same if candidate.is_left => doubts.push((candidate.device, DoubtKind::SerialTwice)),
            Verdict::Ask(doubt) if candidate.is_left => doubts.push((candidate.device, doubt)),
            _ => {}
        }
    }
    if let [device] = same.as_slice() {
        add_name(transaction, agent, arriving.id.as_str(), *device, now)?;
        hand_over_if_left(transaction, *device, agent, &arriving.id, now)?;
        return Ok(Owner::Known(*device));
    }
    doubts.extend(same.into_iter().map(|device| (device, DoubtKind::SerialTwice)));
    Ok(Owner::New(doubts))
}

/// Makes the agent that reads a device the one to which it belongs, if the one before it has ceased to report.
fn hand_over_if_left(
    transaction: &Transaction<'_>,
    device: i64,
    agent: i64,
    key: &DeviceId,
    now: Timestamp,
) -> Result<()> {
    let (before, before_key, before_name, last_report, mine, my_name): (i64, String, String, Option<i64>, i64, String) =
        transaction.query_row(
            "SELECT a.id, d.key, a.name, a.last_report_at, me.registered_at, me.name
             FROM device d JOIN agent a ON a.id = d.agent_id JOIN agent me ON me.id = ?2 WHERE d.id = ?1",
            [device, agent],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)),
        )?;
    let is_left = last_report.is_none_or(|last| last < mine) || agent_is_silent(last_report.map(moment), now);
    if before == agent || !is_left {
        return Ok(());
    }
    add_name(transaction, before, &before_key, device, now)?;
    take_name(transaction, device, agent, key.as_str())?;
    transaction.execute("UPDATE agent SET replaced_by = ?2 WHERE id = ?1", [before, agent])?;
    let kind = EventKind::from_keyword(OTHER_AGENT);
    add_event(transaction, device, &Event { kind, at: now, before: before_name, after: my_name })
}

/// A report shows that its agent is there after all.
pub(crate) fn note_alive(transaction: &Transaction<'_>, agent: i64, created: Timestamp) -> Result<()> {
    transaction.execute(
        "UPDATE agent SET replaced_by = NULL WHERE id = ?1 AND replaced_by IS NOT NULL
         AND ?2 > (SELECT registered_at FROM agent other WHERE other.id = agent.replaced_by)",
        params![agent, stored(created)],
    )?;
    Ok(())
}

/// An agent has come to a site: what it shares with agents of another customer it shares no longer.
pub(crate) fn part_customers(transaction: &Transaction<'_>, agent: i64) -> Result<()> {
    transaction.execute(
        "DELETE FROM device_name WHERE EXISTS (
             SELECT 1 FROM device d JOIN agent o ON o.id = d.agent_id JOIN site os ON os.id = o.site_id
             JOIN agent n ON n.id = device_name.agent_id JOIN site ns ON ns.id = n.site_id
             WHERE d.id = device_name.device_id AND ?1 IN (o.id, n.id) AND os.customer_id <> ns.customer_id)",
        [agent],
    )?;
    transaction.execute("UPDATE agent SET replaced_by = NULL WHERE id = ?1 OR replaced_by = ?1", [agent])?;
    Ok(())
}

fn add_name(transaction: &Transaction<'_>, agent: i64, key: &str, device: i64, until: Timestamp) -> Result<()> {
    transaction.execute(
        "INSERT INTO device_name (agent_id, key, device_id, until) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (agent_id, key) DO UPDATE SET device_id = excluded.device_id, until = excluded.until",
        params![agent, key, device, stored(until)],
    )?;
    Ok(())
}

/// Gives a device another name of its own.
fn take_name(transaction: &Transaction<'_>, device: i64, agent: i64, key: &str) -> Result<()> {
    transaction.execute("DELETE FROM device_name WHERE agent_id = ?1 AND key = ?2", params![agent, key])?;
    transaction.execute("UPDATE device SET agent_id = ?2, key = ?3 WHERE id = ?1", params![device, agent, key])?;
    Ok(())
}

/// Adds what happened to a device.
pub(crate) fn add_event(transaction: &Transaction<'_>, device: i64, event: &Event) -> Result<()> {
    let added = transaction
        .prepare_cached(
            "INSERT INTO device_event (device_id, at, kind, before, after) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![device, stored(event.at), event.kind.keyword(), event.before, event.after])?;
    if added == 1 {
        transaction
            .prepare_cached(
                "DELETE FROM device_event WHERE device_id = ?1 AND at <
                     (SELECT at FROM device_event WHERE device_id = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)",
            )?
            .execute(params![device, KEPT_EVENTS])?;
    }
    Ok(())
}

/// Opens questions about a device that has come.
pub(crate) fn ask(
    transaction: &Transaction<'_>,
    newer: i64,
    doubts: &[(i64, DoubtKind)],
    by_agent: bool,
    at: Timestamp,
) -> Result<()> {
    for (older, doubt) in doubts.iter().filter(|(older, _)| *older != newer) {
        transaction
            .prepare_cached(
                "INSERT INTO identity_question (older, newer, doubt, asked_at, by_agent) SELECT ?1, ?2, ?3, ?4, ?5
                 WHERE NOT EXISTS (SELECT 1 FROM identity_question WHERE older = ?2 AND newer = ?1) ON CONFLICT DO NOTHING",
            )?
            .execute(params![older, newer, doubt.keyword(), stored(at), by_agent])?;
    }
    Ok(())
}

/// Brings the questions of an agent about one of its devices up to what it notes about that device.
pub(crate) fn follow_questions(
    transaction: &Transaction<'_>,
    agent: i64,
    key: &DeviceId,
    now: Timestamp,
) -> Result<()> {
    let Some(device) = primary(transaction, agent, key)? else { return Ok(()) };
    let Some(notes) = record_of(transaction, device)?.and_then(|record| record.notes) else { return Ok(()) };
    let mut open = Vec::new();
    for question in &notes.questions {
        if let Some(older) = named(transaction, agent, &question.older)? {
            ask(transaction, device, &[(older, question.doubt.clone())], true, believed_time(question.asked_at, now))?;
            open.push(older);
        }
    }
    let mut statement = transaction.prepare_cached(
        "SELECT q.id, q.older FROM identity_question q JOIN device o ON o.id = q.older
         WHERE q.newer = ?1 AND q.by_agent AND q.decision IS NULL AND o.agent_id = ?2",
    )?;
    let asked = statement.query_map([device, agent], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    for (question, older) in asked.collect::<rusqlite::Result<Vec<_>>>()? {
        if !open.contains(&older) {
            close(transaction, question, "moot", "", now)?;
        }
    }
    Ok(())
}

fn close(transaction: &Transaction<'_>, question: i64, decision: &str, by: &str, now: Timestamp) -> Result<()> {
    transaction.execute(
        "UPDATE identity_question SET decision = ?2, decided_at = ?3, decided_by = ?4 WHERE id = ?1",
        params![question, decision, stored(now), by],
    )?;
    Ok(())
}

/// An agent says that two of its names mean one device.
pub(crate) fn apply_same(transaction: &Transaction<'_>, agent: i64, same: &SameDevice, now: Timestamp) -> Result<()> {
    let SameDevice { gone, stays } = same;
    if gone == stays {
        return Ok(());
    }
    match (named(transaction, agent, gone)?, named(transaction, agent, stays)?) {
        (Some(newer), Some(older)) if newer != older => merge(transaction, older, newer, Goes::UnderOlder, now),
        (Some(device), _) => {
            if primary(transaction, agent, gone)?.is_some() {
                take_name(transaction, device, agent, stays.as_str())?;
            } else if named(transaction, agent, stays)?.is_none() {
                add_name(transaction, agent, stays.as_str(), device, now)?;
            }
            add_name(transaction, agent, gone.as_str(), device, now)
        }
        (None, Some(device)) => add_name(transaction, agent, gone.as_str(), device, now),
        (None, None) => Ok(()),
    }
}

/// Under whose name a device goes on that was two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goes {
    UnderOlder,
    UnderNewer,
}

/// Two devices are one: the older takes over everything of the newer, whose readings are judged anew behind its own.
fn merge(transaction: &Transaction<'_>, older: i64, newer: i64, goes: Goes, now: Timestamp) -> Result<()> {
    let name = |device: i64| {
        transaction.query_row("SELECT agent_id, key FROM device WHERE id = ?1", [device], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })
    };
    let (older_name, newer_name) = (name(older)?, name(newer)?);
    let states = (record_of(transaction, older)?, record_of(transaction, newer)?);
    move_meters(transaction, older, newer)?;
    for sql in [
        "INSERT OR IGNORE INTO supply_reading SELECT ?1, supply_index, read_at, kind, color, description, level, amount,
             capacity, unit, percent FROM supply_reading WHERE device_id = ?2",
        "DELETE FROM supply_reading WHERE device_id = ?2 AND ?1 = ?1",
        "UPDATE alert SET device_id = ?1 WHERE device_id = ?2 AND NOT (closed_at IS NULL AND EXISTS
             (SELECT 1 FROM alert o WHERE o.device_id = ?1 AND o.closed_at IS NULL AND o.part = alert.part
              AND o.part_index IS alert.part_index AND o.code IS alert.code AND o.description = alert.description))",
        "DELETE FROM alert WHERE device_id = ?2 AND ?1 = ?1",
        "INSERT OR IGNORE INTO device_event SELECT ?1, at, kind, before, after FROM device_event
             WHERE device_id = ?2 AND kind <> 'met'",
        "DELETE FROM device_event WHERE device_id = ?2 AND ?1 = ?1",
        "UPDATE OR IGNORE identity_question SET older = ?1 WHERE older = ?2 AND newer <> ?1",
        "UPDATE OR IGNORE identity_question SET newer = ?1 WHERE newer = ?2 AND older <> ?1",
        "DELETE FROM identity_question WHERE ?2 IN (older, newer) AND ?1 = ?1",
        "UPDATE device_name SET device_id = ?1 WHERE device_id = ?2",
        "UPDATE device SET first_seen_at = min(first_seen_at, (SELECT first_seen_at FROM device WHERE id = ?2)) WHERE id = ?1",
        "DELETE FROM device WHERE id = ?2 AND ?1 = ?1",
    ] {
        transaction.execute(sql, [older, newer])?;
    }
    let (stays, gone) = match goes {
        Goes::UnderOlder => (older_name, newer_name),
        Goes::UnderNewer => (newer_name, older_name),
    };
    if goes == Goes::UnderNewer {
        take_name(transaction, older, stays.0, &stays.1)?;
    }
    add_name(transaction, gone.0, &gone.1, older, now)?;
    let state = match states {
        (Some(one), Some(other)) => {
            let (mut first, last) = if one.read_at <= other.read_at { (one, other) } else { (other, one) };
            first.merge(last);
            Some(first)
        }
        (one, other) => one.or(other),
    };
    if let Some(mut state) = state {
        state.id = DeviceId::new(stays.1).unwrap_or(state.id);
        if let Some(notes) = &mut state.notes {
            notes.questions.clear();
        }
        update_device(transaction, older, &state)?;
    }
    Ok(())
}

/// The readings of the newer device go into the meters of the older one, in the order in which they were made, and so do the
/// decisions about its breaks.
fn move_meters(transaction: &Transaction<'_>, older: i64, newer: i64) -> Result<()> {
    let mut statement = transaction.prepare(
        "SELECT m.key, m.unit, ifnull(r.source, m.source), r.read_at, r.value FROM meter m
         JOIN counter_reading r ON r.meter_id = m.id WHERE m.device_id = ?1 AND r.remark <> 'decided'
         ORDER BY r.read_at, m.id",
    )?;
    let rows = statement.query_map([newer], |row| {
        let counter = counter_of(&row.get::<_, String>(0)?, row.get(2)?, row.get::<_, i64>(4)?.cast_unsigned());
        Ok((row.get::<_, i64>(3)?, counter))
    })?;
    let mut readings: BTreeMap<i64, Vec<Counter>> = BTreeMap::new();
    for row in rows {
        let (at, counter) = row?;
        readings.entry(at).or_default().extend(counter);
    }
    let mut statement = transaction.prepare(
        "SELECT read_at, remark, decision, decided_at, decided_by FROM meter_question WHERE device_id = ?1 AND decision IS NOT NULL
         ORDER BY read_at",
    )?;
    let decided = statement.query_map([newer], |row| {
        let by: (Option<i64>, Option<String>) = (row.get(3)?, row.get(4)?);
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, by))
    })?;
    let decided = decided.collect::<rusqlite::Result<Vec<_>>>()?;
    for sql in [
        "DELETE FROM counter_reading WHERE meter_id IN (SELECT id FROM meter WHERE device_id = ?1)",
        "DELETE FROM meter WHERE device_id = ?1",
        "DELETE FROM meter_question WHERE device_id = ?1",
    ] {
        transaction.execute(sql, [newer])?;
    }
    for (at, counters) in readings {
        let mut judged = Vec::new();
        for counter in &counters {
            let around = neighbours(transaction, older, counter, &CounterKey::of(counter), at)?;
            judged.extend(judge(counter, moment(at), around));
        }
        for reading in &judged {
            append_counter(transaction, older, reading)?;
        }
        let lasting = counters.iter().filter(|counter| counter.basis != Basis::PowerOn).count();
        note_breaks(transaction, older, moment(at), &judged, lasting)?;
        for (_, remark, decision, (when, by)) in decided.iter().filter(|(read_at, ..)| *read_at == at) {
            let changed = transaction.execute(
                "UPDATE meter_question SET decision = ?4, decided_at = ?5, decided_by = ?6
                 WHERE device_id = ?1 AND read_at = ?2 AND remark = ?3 AND decision IS NULL",
                params![older, at, remark, decision, when, by],
            )?;
            if changed == 1 && decision == "bill" {
                decide_readings(transaction, older, at, Remark::from_keyword(remark))?;
            }
        }
    }
    Ok(())
}

/// The counter of a meter's key.
fn counter_of(key: &str, source: String, value: u64) -> Option<Counter> {
    let mut parts = key.split('/');
    let counter = Counter {
        service: Service::from_keyword(parts.next()?),
        color: ColorUse::from_keyword(parts.next()?),
        size: MediaSize::from_keyword(parts.next()?),
        sides: Sides::from_keyword(parts.next()?),
        unit: CounterUnit::from_keyword(parts.next()?),
        basis: Basis::from_keyword(parts.next()?),
        value,
        source,
        confidence: Confidence::Verified,
    };
    Some(counter)
}
