//! Meter questions: where the readings of a device's meters broke, and what a person has decided about it.

use jiff::Timestamp;
use manager_core::{
    access::{DeviceRow, Right, Scope},
    reading::CounterReading,
};
use rusqlite::{OptionalExtension, Transaction, params};
use wire::meter::Remark;

use crate::{Result, Store, StoreError, moment, stored};

/// The part under which alerts about meters stand beside those of the device itself.
pub const METER_PART: &str = "meter";
/// Most questions listed.
const MOST_LISTED: u32 = 500;

/// A break in the meters of a device that nobody has decided about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct MeterQuestion {
    pub id: i64,
    pub device: DeviceRow,
    pub name: String,
    pub serial: String,
    pub customer_name: String,
    pub read_at: Timestamp,
    pub remark: Remark,
    /// Every counter broke at once.
    pub is_whole: bool,
    /// What broke: the counter's name, the last value before and the first value after.
    pub meters: Vec<(String, Option<u64>, u64)>,
}

impl Store {
    /// The questions that nobody has decided, newest first.
    pub fn meter_questions(&self, scope: &Scope) -> Result<Vec<MeterQuestion>> {
        scope.require(Right::View)?;
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT q.id, d.id, trim(d.manufacturer || ' ' || d.model), d.serial, c.name, q.read_at, q.remark, q.is_whole
             FROM meter_question q JOIN device d ON d.id = q.device_id JOIN agent a ON a.id = d.agent_id
             JOIN site s ON s.id = a.site_id JOIN customer c ON c.id = s.customer_id
             WHERE q.decision IS NULL AND c.dealer_id = ?1 ORDER BY q.read_at DESC, q.id LIMIT ?2",
        )?;
        let questions = statement.query_map(params![scope.dealer.0, MOST_LISTED], |row| {
            Ok(MeterQuestion {
                id: row.get(0)?,
                device: DeviceRow(row.get(1)?),
                name: row.get(2)?,
                serial: row.get(3)?,
                customer_name: row.get(4)?,
                read_at: moment(row.get(5)?),
                remark: Remark::from_keyword(&row.get::<_, String>(6)?),
                is_whole: row.get(7)?,
                meters: Vec::new(),
            })
        })?;
        let mut questions = questions.collect::<rusqlite::Result<Vec<_>>>()?;
        let mut statement = connection.prepare_cached(
            "SELECT m.name, r.value, (SELECT p.value FROM counter_reading p WHERE p.meter_id = m.id
                 AND p.read_at < r.read_at AND p.remark NOT IN ('doubtful', 'decided') ORDER BY p.read_at DESC LIMIT 1)
             FROM meter m JOIN counter_reading r ON r.meter_id = m.id
             WHERE m.device_id = ?1 AND r.read_at = ?2 AND r.remark = ?3 ORDER BY m.id",
        )?;
        for question in &mut questions {
            let key = params![question.device.0, stored(question.read_at), question.remark.keyword()];
            let meters = statement.query_map(key, |row| {
                let before: Option<i64> = row.get(2)?;
                Ok((row.get(0)?, before.map(i64::cast_unsigned), row.get::<_, i64>(1)?.cast_unsigned()))
            })?;
            question.meters = meters.collect::<rusqlite::Result<_>>()?;
        }
        Ok(questions)
    }

    /// Decides a question. Billed is what the new meter shows from nought, or the whole jump; otherwise nothing is billed
    /// across the break. `false` when somebody has decided before.
    pub fn decide_meter(&self, scope: &Scope, question: i64, bill: bool, now: Timestamp) -> Result<bool> {
        scope.require(Right::DecideMeters)?;
        self.transaction(|transaction| {
            let row = transaction
                .query_row(
                    "SELECT q.device_id, q.read_at, q.remark FROM meter_question q JOIN device d ON d.id = q.device_id
                     JOIN agent a ON a.id = d.agent_id JOIN site s ON s.id = a.site_id
                     JOIN customer c ON c.id = s.customer_id
                     WHERE q.id = ?1 AND c.dealer_id = ?2 AND q.decision IS NULL",
                    params![question, scope.dealer.0],
                    |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?)),
                )
                .optional()?;
            let Some((device, read_at, remark)) = row else { return Ok::<_, StoreError>(false) };
            if bill {
                decide_readings(transaction, device, read_at, Remark::from_keyword(&remark))?;
            }
            let decision = if bill { "bill" } else { "leave" };
            transaction.execute(
                "UPDATE meter_question SET decision = ?2, decided_at = ?3, decided_by = ?4 WHERE id = ?1",
                params![question, decision, stored(now), scope.user],
            )?;
            close_alerts(transaction, device, now)?;
            Ok(true)
        })
    }
}

/// What was counted across a break is billed.
pub(crate) fn decide_readings(transaction: &Transaction<'_>, device: i64, read_at: i64, remark: Remark) -> Result<()> {
    match remark {
        Remark::Jumped => join_epochs(transaction, device, read_at),
        _ => begin_at_nought(transaction, device, read_at),
    }
}

/// The readings after a jump become a part of the epoch before it.
fn join_epochs(transaction: &Transaction<'_>, device: i64, read_at: i64) -> Result<()> {
    let mut statement = transaction.prepare(
        "SELECT m.id, r.epoch, p.epoch, p.wraps FROM meter m JOIN counter_reading r ON r.meter_id = m.id
         JOIN counter_reading p ON p.meter_id = m.id AND p.read_at =
             (SELECT max(read_at) FROM counter_reading WHERE meter_id = m.id AND read_at < r.read_at
              AND remark <> 'doubtful')
         WHERE m.device_id = ?1 AND r.read_at = ?2 AND r.remark = 'jumped'",
    )?;
    let joins = statement
        .query_map([device, read_at], |row| Ok([row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
    for join in joins.collect::<rusqlite::Result<Vec<_>>>()? {
        transaction.execute(
            "UPDATE counter_reading SET epoch = ?3, wraps = wraps + ?4 WHERE meter_id = ?1 AND epoch = ?2",
            join,
        )?;
    }
    Ok(())
}

/// The epoch that a step back began counts from nought.
fn begin_at_nought(transaction: &Transaction<'_>, device: i64, read_at: i64) -> Result<()> {
    transaction.execute(
        "INSERT INTO counter_reading (meter_id, read_at, value, epoch, remark, source)
         SELECT m.id, r.read_at - 1, 0, r.epoch, 'decided', '' FROM meter m JOIN counter_reading r ON r.meter_id = m.id
         WHERE m.device_id = ?1 AND r.read_at = ?2 AND r.remark = 'backwards' ON CONFLICT DO NOTHING",
        [device, read_at],
    )?;
    Ok(())
}

fn close_alerts(transaction: &Transaction<'_>, device: i64, now: Timestamp) -> Result<()> {
    transaction.execute(
        "UPDATE alert SET closed_at = ?2 WHERE device_id = ?1 AND part = ?3 AND closed_at IS NULL
         AND NOT EXISTS (SELECT 1 FROM meter_question WHERE device_id = ?1 AND decision IS NULL)",
        params![device, stored(now), METER_PART],
    )?;
    Ok(())
}

/// Opens a question and an alert for each kind of break among the readings of a record, and takes back the questions whose
/// meters have all gone on as before.
/// `lasting` is how many counters the device has that do not start again with it.
pub(crate) fn note_breaks(
    transaction: &Transaction<'_>,
    device: i64,
    read_at: Timestamp,
    readings: &[CounterReading],
    lasting: usize,
) -> Result<()> {
    for remark in [Remark::Backwards, Remark::Jumped] {
        let broken = readings.iter().filter(|reading| reading.remark == remark).count();
        if broken == 0 {
            continue;
        }
        transaction
            .prepare_cached(
                "INSERT INTO meter_question (device_id, read_at, remark, is_whole) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![device, stored(read_at), remark.keyword(), broken > 1 && broken == lasting])?;
        transaction
            .prepare_cached(
                "INSERT INTO alert (device_id, part, description, severity, opened_at)
                 SELECT ?1, ?2, ?3, 'warning', ?4 WHERE NOT EXISTS (SELECT 1 FROM alert
                     WHERE device_id = ?1 AND part = ?2 AND description = ?3 AND closed_at IS NULL)",
            )?
            .execute(params![device, METER_PART, remark.keyword(), stored(read_at)])?;
    }
    if readings.iter().any(|reading| reading.remark == Remark::Returned) {
        transaction.execute(
            "UPDATE meter_question SET decision = 'returned', decided_at = ?2 WHERE device_id = ?1 AND decision IS NULL
             AND NOT EXISTS (SELECT 1 FROM meter m JOIN counter_reading r ON r.meter_id = m.id
                 WHERE m.device_id = ?1 AND r.read_at = meter_question.read_at AND r.remark = meter_question.remark
                 AND NOT EXISTS (SELECT 1 FROM counter_reading l
                     WHERE l.meter_id = m.id AND l.read_at > r.read_at AND l.remark = 'returned'))",
            params![device, stored(read_at)],
        )?;
        close_alerts(transaction, device, read_at)?;
    }
    Ok(())
}
