//! What agents bring: registrations and reports. Each is one transaction: all of it is stored, or nothing.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use jiff::{SignedDuration, Timestamp};
use manager_core::{
    access::SiteId,
    enrolment::{self, Admission, Refusal, StoredToken},
    ingest::{AlertKey, Arrival, Kept, Outcome, arrival, believed_time, ingest},
    reading::{CounterReading, KeptLevel, Neighbours},
    summary::Summary,
};
use rusqlite::{OptionalExtension, Params, Transaction, params};
use thiserror::Error;
use wire::{
    device::{Condition, Counter, DeviceId, DeviceRecord, Level},
    message::{AgentId, Receipt, RegisterForManagement, RegisterForManagementResponse, ReportId, SendReports},
    meter::{CounterKey, Meter, Nature, RETURN_WITHIN, Standing, Step},
    notes::{Event, Remark},
    vocab::{Basis, RemarkCode},
    xml,
};

use crate::{
    Store, StoreError,
    identity::{Owner, add_event, apply_same, ask, follow_questions, note_alive, owner, part_customers},
    moment,
    questions::{METER_PART, note_breaks},
    stored,
};

/// How long the name of a report is remembered. Agents keep reports for 90 days at most, so no retry comes later.
pub const REPORT_NAMES_KEPT: SignedDuration = SignedDuration::from_hours(24 * 200);
/// Most closed alerts kept of a device.
pub const MOST_ALERTS: u32 = 1000;
/// Most devices of one agent.
pub const MOST_DEVICES: u32 = 20_000;
/// Most counters of one device over its life.
const MOST_METERS: u32 = 4096;

/// Why a registration or a report is not stored.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum IntakeError {
    #[error(transparent)]
    Token(#[from] Refusal),
    #[error("no agent of this name is registered here: enrol it again with a new enrolment code")]
    UnknownAgent,
    #[error("report {0} was received before with other content: the agent must give each report its own name")]
    ReportIdReused(ReportId),
    #[error("the agent has more than {MOST_DEVICES} devices; use several agents")]
    TooManyDevices,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for IntakeError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

type Result<T> = std::result::Result<T, IntakeError>;

impl Store {
    /// The public key under which an agent's reports are checked.
    pub fn agent_key(&self, agent: &AgentId) -> crate::Result<Option<[u8; 32]>> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached("SELECT public_key FROM agent WHERE key_id = ?1")?;
        Ok(statement.query_row([agent.as_str()], |row| row.get(0)).optional()?)
    }

    /// Admits an agent that shows a token, whose signature has been checked.
    pub fn register(
        &self,
        message: &RegisterForManagement,
        token_digest: &[u8; 32],
        now: Timestamp,
    ) -> Result<RegisterForManagementResponse> {
        let agent = AgentId::of_key(&message.public_key);
        self.transaction(|transaction| {
            let (token_id, token) = match stored_token(transaction, token_digest)? {
                Some((id, token)) => (id, Some(token)),
                None => (0, None),
            };
            let site = match enrolment::decide(token.as_ref(), &agent, now)? {
                Admission::AlreadyAdmitted(site) => site,
                Admission::Admit(site) => {
                    admit(transaction, &agent, message, site, token_id, now)?;
                    site
                }
            };
            let (customer, site) = transaction.query_row(
                "SELECT c.name, s.name FROM site s JOIN customer c ON c.id = s.customer_id WHERE s.id = ?1",
                [site.0],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            Ok(RegisterForManagementResponse { agent, customer, site })
        })
    }

    /// Stores a report whose signature has been checked. `digest` is the SHA-256 of its bytes.
    pub fn apply_report(&self, report: &SendReports, digest: &[u8; 32], now: Timestamp) -> Result<Receipt> {
        self.transaction(|transaction| {
            let agent: i64 = transaction
                .prepare_cached("SELECT id FROM agent WHERE key_id = ?1")?
                .query_row([report.agent.as_str()], |row| row.get(0))
                .optional()?
                .ok_or(IntakeError::UnknownAgent)?;
            match arrival(kept_digest(transaction, agent, report.id)?.as_ref(), digest) {
                Arrival::Duplicate => return Ok(Receipt::Duplicate),
                Arrival::IdReused => return Err(IntakeError::ReportIdReused(report.id)),
                Arrival::New => {}
            }
            note_report(transaction, agent, report, digest, now)?;
            for same in &report.same {
                apply_same(transaction, agent, same, now)?;
            }
            for record in &report.devices {
                apply_record(transaction, agent, record, now)?;
            }
            for record in report.devices.iter().filter(|record| record.notes.is_some()) {
                follow_questions(transaction, agent, &record.id, now)?;
            }
            for key in &report.removed {
                remove_device(transaction, agent, key, believed_time(report.created, now), now)?;
            }
            let devices: u32 =
                transaction.query_row("SELECT count(*) FROM device WHERE agent_id = ?1", [agent], |row| row.get(0))?;
            if devices > MOST_DEVICES { Err(IntakeError::TooManyDevices) } else { Ok(Receipt::Accepted) }
        })
    }
}

fn stored_token(transaction: &Transaction<'_>, digest: &[u8; 32]) -> Result<Option<(i64, StoredToken)>> {
    let token = transaction.query_row(
        "SELECT t.id, t.site_id, t.expires_at, t.revoked_at IS NOT NULL, a.key_id
         FROM enrolment_token t LEFT JOIN agent a ON a.id = t.agent_id WHERE t.digest = ?1",
        [digest.as_slice()],
        |row| {
            let token = StoredToken {
                site: SiteId(row.get(1)?),
                expires: moment(row.get(2)?),
                used_by: row.get::<_, Option<String>>(4)?.and_then(|agent| AgentId::parse(&agent)),
                is_revoked: row.get(3)?,
            };
            Ok((row.get(0)?, token))
        },
    );
    Ok(token.optional()?)
}

/// Keeps the agent for the site. One that was known moves there with its devices.
fn admit(
    transaction: &Transaction<'_>,
    agent: &AgentId,
    message: &RegisterForManagement,
    site: SiteId,
    token: i64,
    now: Timestamp,
) -> Result<()> {
    let row: i64 = transaction.query_row(
        "INSERT INTO agent (key_id, public_key, site_id, name, software, registered_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (key_id) DO UPDATE SET site_id = excluded.site_id, name = excluded.name,
             software = excluded.software, registered_at = excluded.registered_at
         RETURNING id",
        params![
            agent.as_str(),
            message.public_key.as_slice(),
            site.0,
            message.agent_name,
            message.software,
            stored(now)
        ],
        |row| row.get(0),
    )?;
    transaction.execute(
        "UPDATE enrolment_token SET used_at = ?2, agent_id = ?3 WHERE id = ?1",
        params![token, stored(now), row],
    )?;
    part_customers(transaction, row)?;
    Ok(())
}

fn kept_digest(transaction: &Transaction<'_>, agent: i64, id: ReportId) -> Result<Option<[u8; 32]>> {
    let mut statement =
        transaction.prepare_cached("SELECT digest FROM report WHERE agent_id = ?1 AND epoch = ?2 AND sequence = ?3")?;
    let digest =
        statement.query_row(params![agent, id.epoch.cast_signed(), id.sequence.cast_signed()], |row| row.get(0));
    Ok(digest.optional()?)
}

fn note_report(
    transaction: &Transaction<'_>,
    agent: i64,
    report: &SendReports,
    digest: &[u8; 32],
    now: Timestamp,
) -> Result<()> {
    transaction.execute(
        "INSERT INTO report (agent_id, epoch, sequence, digest, received_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![agent, report.id.epoch.cast_signed(), report.id.sequence.cast_signed(), digest.as_slice(), stored(now)],
    )?;
    transaction.execute(
        "DELETE FROM report WHERE agent_id = ?1 AND received_at < ?2",
        params![agent, stored(now - REPORT_NAMES_KEPT)],
    )?;
    transaction.execute(
        "UPDATE agent SET name = ?2, software = ?3, last_report_at = ?4 WHERE id = ?1",
        params![agent, report.agent_name, report.software, stored(now)],
    )?;
    let created = believed_time(report.created, now);
    note_alive(transaction, agent, created)?;
    note_remarks(transaction, agent, report, created)?;
    Ok(())
}

/// Keeps what an agent says of itself, unless it has said something later.
fn note_remarks(transaction: &Transaction<'_>, agent: i64, report: &SendReports, created: Timestamp) -> Result<()> {
    let is_latest = transaction.execute(
        "UPDATE agent SET remarked_at = ?2 WHERE id = ?1 AND remarked_at <= ?2",
        params![agent, stored(created)],
    )?;
    if is_latest == 0 {
        return Ok(());
    }
    transaction.execute("DELETE FROM agent_remark WHERE agent_id = ?1", [agent])?;
    for (place, remark) in report.remarks.iter().enumerate() {
        transaction.execute(
            "INSERT INTO agent_remark (agent_id, place, code, since, text) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![agent, place, remark.code.keyword(), remark.since.map(stored), remark.text],
        )?;
    }
    Ok(())
}

fn apply_record(transaction: &Transaction<'_>, agent: i64, arriving: &DeviceRecord, now: Timestamp) -> Result<()> {
    let (known, doubts) = match owner(transaction, agent, arriving, now)? {
        Owner::Known(device) => (Some(device), Vec::new()),
        Owner::New(doubts) => (None, doubts),
    };
    let kept = match known {
        Some(device) => kept(transaction, device, arriving, now)?,
        None => Kept::default(),
    };
    let outcome = ingest(kept, arriving.clone(), now);
    let device = match known {
        Some(device) => {
            update_device(transaction, device, &outcome.record)?;
            device
        }
        None => insert_device(transaction, agent, &outcome.record, now)?,
    };
    append(transaction, device, &outcome)?;
    for event in &arriving.events {
        add_event(transaction, device, &Event { at: believed_time(event.at, now), ..event.clone() })?;
    }
    ask(transaction, device, &doubts, false, now)?;
    Ok(())
}

/// What is stored of a device around the time of an arriving record.
fn kept(transaction: &Transaction<'_>, device: i64, arriving: &DeviceRecord, now: Timestamp) -> Result<Kept> {
    let record: Vec<u8> =
        transaction.prepare_cached("SELECT record FROM device WHERE id = ?1")?.query_row([device], |row| row.get(0))?;
    let at = stored(believed_time(arriving.read_at, now));
    let mut counters = BTreeMap::new();
    for counter in arriving.counters.iter().flatten() {
        if let Entry::Vacant(vacant) = counters.entry(CounterKey::of(counter)) {
            let neighbours = neighbours(transaction, device, counter, vacant.key(), at)?;
            vacant.insert(neighbours);
        }
    }
    let mut supplies = BTreeMap::new();
    for supply in arriving.supplies.iter().flatten() {
        if let Some(level) = kept_level(transaction, device, &supply.index, at)? {
            supplies.insert(supply.index.clone(), level);
        }
    }
    Ok(Kept {
        // A state that cannot be read any more is replaced by what the device says next; its history stays.
        record: xml::decode_device(&record).ok(),
        counters,
        supplies,
        open_alerts: open_alerts(transaction, device)?,
    })
}

pub(crate) fn neighbours(
    transaction: &Transaction<'_>,
    device: i64,
    counter: &Counter,
    key: &CounterKey,
    at: i64,
) -> crate::Result<Neighbours> {
    let meter: Option<i64> = transaction
        .prepare_cached("SELECT id FROM meter WHERE device_id = ?1 AND key = ?2")?
        .query_row(params![device, key.as_str()], |row| row.get(0))
        .optional()?;
    let Some(meter) = meter else { return Ok(Neighbours::default()) };
    let before = standing(transaction, LAST_UP_TO, params![meter, at])?;
    let after = standing(transaction, FIRST_AFTER, params![meter, at])?;
    let before = before.map(|now| meter_at(transaction, meter, counter, now, at)).transpose()?;
    Ok(Neighbours { before, after })
}

/// The meter as it stood; what lies further back is asked for only where the row of readings breaks.
fn meter_at(
    transaction: &Transaction<'_>,
    meter: i64,
    counter: &Counter,
    now: Standing,
    at: i64,
) -> crate::Result<Meter> {
    let elapsed = moment(at).duration_since(now.at);
    if Step::between(Nature::of(counter), now.value, counter.value, elapsed).is_sound() {
        return Ok(Meter { now, left: None, newest: now.epoch });
    }
    let from = stored(moment(at) - RETURN_WITHIN);
    let newest = transaction
        .prepare_cached("SELECT max(epoch) FROM counter_reading WHERE meter_id = ?1")?
        .query_row([meter], |row| row.get(0))?;
    Ok(Meter { now, left: standing(transaction, LAST_OF_ANOTHER, params![meter, at, now.epoch, from])?, newest })
}

const LAST_UP_TO: &str = "SELECT value, wraps, epoch, read_at FROM counter_reading
     WHERE meter_id = ?1 AND read_at <= ?2 AND remark <> 'doubtful' ORDER BY read_at DESC LIMIT 1";
const FIRST_AFTER: &str = "SELECT value, wraps, epoch, read_at FROM counter_reading
     WHERE meter_id = ?1 AND read_at > ?2 AND remark <> 'doubtful' ORDER BY read_at LIMIT 1";
const LAST_OF_ANOTHER: &str = "SELECT value, wraps, epoch, read_at FROM counter_reading
     WHERE meter_id = ?1 AND read_at <= ?2 AND epoch <> ?3 AND read_at >= ?4 AND remark <> 'doubtful'
     ORDER BY read_at DESC LIMIT 1";

fn standing(transaction: &Transaction<'_>, sql: &'static str, values: impl Params) -> crate::Result<Option<Standing>> {
    let mut statement = transaction.prepare_cached(sql)?;
    let row = statement.query_row(values, |row| {
        Ok(Standing {
            value: row.get::<_, i64>(0)?.cast_unsigned(),
            wraps: row.get(1)?,
            epoch: row.get(2)?,
            at: moment(row.get(3)?),
        })
    });
    Ok(row.optional()?)
}

fn kept_level(transaction: &Transaction<'_>, device: i64, index: &str, at: i64) -> Result<Option<KeptLevel>> {
    let mut statement = transaction.prepare_cached(
        "SELECT read_at, level, amount, percent FROM supply_reading
         WHERE device_id = ?1 AND supply_index = ?2 AND read_at <= ?3 ORDER BY read_at DESC LIMIT 1",
    )?;
    let level = statement.query_row(params![device, index, at], |row| {
        Ok(KeptLevel {
            read_at: moment(row.get(0)?),
            level: level_of(&row.get::<_, String>(1)?, row.get(2)?),
            percent: row.get(3)?,
        })
    });
    Ok(level.optional()?)
}

/// A level from its word and amount as they are stored.
pub(crate) fn level_of(keyword: &str, amount: Option<u32>) -> Level {
    Level::from_keyword(keyword, amount).unwrap_or(Level::Unknown)
}

fn open_alerts(transaction: &Transaction<'_>, device: i64) -> Result<BTreeSet<AlertKey>> {
    let mut statement = transaction.prepare_cached(
        "SELECT part, part_index, code, description FROM alert
         WHERE device_id = ?1 AND closed_at IS NULL AND part <> ?2",
    )?;
    // What a person has to decide about meters does not end with the device's next state.
    let alerts = statement.query_map(params![device, METER_PART], |row| {
        Ok(AlertKey { group: row.get(0)?, group_index: row.get(1)?, code: row.get(2)?, description: row.get(3)? })
    })?;
    Ok(alerts.collect::<rusqlite::Result<_>>()?)
}

/// The number under which a condition is stored: sorting by it sorts by urgency.
pub(crate) fn condition_number(condition: Condition) -> i64 {
    match condition {
        Condition::Unknown => 0,
        Condition::Good => 1,
        Condition::Warning => 2,
        Condition::Critical => 3,
    }
}

/// A remark as it stands beside the device's other columns.
fn trouble_line(remark: &Remark) -> String {
    format!("{}\t{}", remark.code.keyword(), remark.text)
}

/// The remark of a line made by [`trouble_line`].
pub(crate) fn trouble_of(line: &str) -> Option<Remark> {
    let (code, text) = line.split_once('\t')?;
    Some(Remark { code: RemarkCode::from_keyword(code), since: None, text: text.to_owned() })
}

fn insert_device(transaction: &Transaction<'_>, agent: i64, record: &DeviceRecord, now: Timestamp) -> Result<i64> {
    transaction
        .prepare_cached(
            "INSERT INTO device (agent_id, key, record, first_seen_at, manufacturer, model, serial, address, host_name,
                                 mac, location, firmware, condition, read_at, inks, search)
             VALUES (?1, ?2, x'', ?3, '', '', '', '', '', '', '', '', 0, 0, '', '')",
        )?
        .execute(params![agent, record.id.as_str(), stored(now)])?;
    let device = transaction.last_insert_rowid();
    update_device(transaction, device, record)?;
    Ok(device)
}

pub(crate) fn update_device(transaction: &Transaction<'_>, device: i64, record: &DeviceRecord) -> crate::Result<()> {
    let summary = Summary::of(record);
    let words = [
        &summary.manufacturer,
        &summary.model,
        &summary.serial,
        &summary.address,
        &summary.host_name,
        &summary.mac,
        &summary.location,
    ];
    let search = words.map(|word| word.to_lowercase()).join("\n");
    transaction
        .prepare_cached(
            "UPDATE device SET record = ?2, removed_at = NULL, manufacturer = ?3, model = ?4, serial = ?5, address = ?6,
                 host_name = ?7, mac = ?8, location = ?9, firmware = ?10, condition = ?11, read_at = ?12,
                 silent_since = ?13, total = ?14, lowest_percent = ?15, inks = ?16, search = ?17,
                 trouble = ?18
             WHERE id = ?1",
        )?
        .execute(params![
            device,
            xml::encode_device(record),
            summary.manufacturer,
            summary.model,
            summary.serial,
            summary.address,
            summary.host_name,
            summary.mac,
            summary.location,
            summary.firmware,
            condition_number(summary.condition),
            stored(summary.read_at),
            summary.silent_since.map(stored),
            summary.total.map(u64::cast_signed),
            summary.lowest_percent,
            summary.inks_line(),
            search,
            record.trouble().map(trouble_line).unwrap_or_default(),
        ])?;
    Ok(())
}

fn append(transaction: &Transaction<'_>, device: i64, outcome: &Outcome) -> Result<()> {
    for reading in &outcome.counters {
        append_counter(transaction, device, reading)?;
    }
    let lasting = outcome.record.counters.iter().flatten().filter(|counter| counter.basis != Basis::PowerOn).count();
    note_breaks(transaction, device, outcome.read_at, &outcome.counters, lasting)?;
    for reading in &outcome.supplies {
        transaction
            .prepare_cached(
                "INSERT INTO supply_reading (device_id, supply_index, read_at, kind, color, description, level, amount,
                                             capacity, unit, percent)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                device,
                reading.index,
                stored(reading.read_at),
                reading.kind,
                reading.color,
                reading.description,
                reading.level.keyword(),
                reading.level.amount(),
                reading.capacity,
                reading.unit,
                reading.percent,
            ])?;
    }
    for key in &outcome.closed {
        transaction
            .prepare_cached(
                "UPDATE alert SET closed_at = ?6 WHERE device_id = ?1 AND part = ?2 AND part_index IS ?3
                 AND code IS ?4 AND description = ?5 AND closed_at IS NULL",
            )?
            .execute(params![device, key.group, key.group_index, key.code, key.description, stored(outcome.read_at)])?;
    }
    for alert in &outcome.opened {
        transaction
            .prepare_cached(
                "INSERT INTO alert (device_id, part, part_index, code, description, severity, opened_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                device,
                alert.key.group,
                alert.key.group_index,
                alert.key.code,
                alert.key.description,
                alert.severity,
                stored(outcome.read_at),
            ])?;
    }
    if !outcome.opened.is_empty() {
        transaction
            .prepare_cached(
                "DELETE FROM alert WHERE device_id = ?1 AND closed_at IS NOT NULL AND id NOT IN
                     (SELECT id FROM alert WHERE device_id = ?1 ORDER BY opened_at DESC, id DESC LIMIT ?2)",
            )?
            .execute(params![device, MOST_ALERTS])?;
    }
    Ok(())
}

pub(crate) fn append_counter(
    transaction: &Transaction<'_>,
    device: i64,
    reading: &CounterReading,
) -> crate::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO meter (device_id, key, name, unit, source) SELECT ?1, ?2, ?3, ?4, ?5
             WHERE (SELECT count(*) FROM meter WHERE device_id = ?1) < ?6 ON CONFLICT DO NOTHING",
        )?
        .execute(params![device, reading.key.as_str(), reading.name, reading.unit, reading.source, MOST_METERS])?;
    transaction
        .prepare_cached(
            "INSERT INTO counter_reading (meter_id, read_at, value, epoch, remark, source, wraps)
             SELECT id, ?3, ?4, ?5, ?6, nullif(?7, source), ?8 FROM meter WHERE device_id = ?1 AND key = ?2
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            device,
            reading.key.as_str(),
            stored(reading.read_at),
            reading.value.cast_signed(),
            reading.epoch,
            reading.remark.keyword(),
            reading.source,
            reading.wraps,
        ])?;
    Ok(())
}

/// Marks a device as no longer watched, unless it was read after the agent said so.
fn remove_device(
    transaction: &Transaction<'_>,
    agent: i64,
    key: &DeviceId,
    said_at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    transaction.execute(
        "UPDATE device SET removed_at = ?4 WHERE agent_id = ?1 AND key = ?2 AND read_at <= ?3 AND removed_at IS NULL",
        params![agent, key.as_str(), stored(said_at), stored(now)],
    )?;
    Ok(())
}
