//! What was: counter readings, supply readings, alerts of a device; and how they grow thin with age.

use jiff::{SignedDuration, Timestamp};
use manager_core::{
    access::{DeviceRow, Right, Scope},
    ingest::AlertKey,
};
use rusqlite::{Connection, params};
use wire::{
    device::Level,
    meter::{CounterKey, Remark, Standing},
};

use crate::{Result, Store, StoreError, intake::level_of, moment, stored};

/// For so long every change of a reading stays; after that the last of each day (UTC).
pub const FULL_DETAIL: SignedDuration = SignedDuration::from_hours(24 * 60);
/// How many meters are thinned in one transaction, so that reports need not wait long.
const THIN_AT_ONCE: u32 = 200;

/// One counter reading of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct CounterHistoryLine {
    pub read_at: Timestamp,
    pub key: CounterKey,
    pub name: String,
    pub value: u64,
    pub unit: String,
    pub epoch: u32,
    pub wraps: u32,
    pub remark: Remark,
    pub source: String,
}

impl CounterHistoryLine {
    /// The reading with its place in the meter's life, for differences.
    pub fn standing(&self) -> Standing {
        Standing { value: self.value, wraps: self.wraps, epoch: self.epoch, at: self.read_at }
    }
}

/// One supply reading of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct SupplyHistoryLine {
    pub read_at: Timestamp,
    pub index: String,
    pub kind: String,
    pub color: Option<String>,
    pub description: String,
    pub level: Level,
    pub percent: Option<u8>,
}

/// One alert of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct AlertHistoryLine {
    pub key: AlertKey,
    pub severity: String,
    pub opened_at: Timestamp,
    pub closed_at: Option<Timestamp>,
}

impl Store {
    /// Counter readings of a device, newest first; of one meter where `key` is given.
    pub fn counter_history(
        &self,
        scope: &Scope,
        device: DeviceRow,
        key: Option<&CounterKey>,
        limit: u32,
    ) -> Result<Vec<CounterHistoryLine>> {
        scope.require(Right::View)?;
        let connection = self.lock();
        must_own_device(&connection, scope, device)?;
        let mut statement = connection.prepare_cached(
            "SELECT r.read_at, m.key, m.name, r.value, m.unit, r.epoch, r.remark, ifnull(r.source, m.source), r.wraps
             FROM meter m JOIN counter_reading r ON r.meter_id = m.id
             WHERE m.device_id = ?1 AND (?2 IS NULL OR m.key = ?2)
             ORDER BY r.read_at DESC, m.id LIMIT ?3",
        )?;
        let lines = statement.query_map(params![device.0, key.map(CounterKey::as_str), limit], |row| {
            Ok(CounterHistoryLine {
                read_at: moment(row.get(0)?),
                key: CounterKey::kept(row.get(1)?),
                name: row.get(2)?,
                value: row.get::<_, i64>(3)?.cast_unsigned(),
                unit: row.get(4)?,
                epoch: row.get(5)?,
                remark: Remark::from_keyword(&row.get::<_, String>(6)?),
                source: row.get(7)?,
                wraps: row.get(8)?,
            })
        })?;
        Ok(lines.collect::<rusqlite::Result<_>>()?)
    }

    /// Supply readings of a device, newest first.
    pub fn supply_history(&self, scope: &Scope, device: DeviceRow, limit: u32) -> Result<Vec<SupplyHistoryLine>> {
        scope.require(Right::View)?;
        let connection = self.lock();
        must_own_device(&connection, scope, device)?;
        let mut statement = connection.prepare_cached(
            "SELECT read_at, supply_index, kind, color, description, level, amount, percent FROM supply_reading
             WHERE device_id = ?1 ORDER BY read_at DESC, supply_index LIMIT ?2",
        )?;
        let lines = statement.query_map(params![device.0, limit], |row| {
            Ok(SupplyHistoryLine {
                read_at: moment(row.get(0)?),
                index: row.get(1)?,
                kind: row.get(2)?,
                color: row.get(3)?,
                description: row.get(4)?,
                level: level_of(&row.get::<_, String>(5)?, row.get(6)?),
                percent: row.get(7)?,
            })
        })?;
        Ok(lines.collect::<rusqlite::Result<_>>()?)
    }

    /// Alerts of a device: the open ones, then those that closed last.
    pub fn alert_history(&self, scope: &Scope, device: DeviceRow, limit: u32) -> Result<Vec<AlertHistoryLine>> {
        scope.require(Right::View)?;
        let connection = self.lock();
        must_own_device(&connection, scope, device)?;
        let mut statement = connection.prepare_cached(
            "SELECT part, part_index, code, description, severity, opened_at, closed_at FROM alert
             WHERE device_id = ?1 ORDER BY closed_at IS NOT NULL, opened_at DESC, id DESC LIMIT ?2",
        )?;
        let lines = statement.query_map(params![device.0, limit], |row| {
            Ok(AlertHistoryLine {
                key: AlertKey {
                    group: row.get(0)?,
                    group_index: row.get(1)?,
                    code: row.get(2)?,
                    description: row.get(3)?,
                },
                severity: row.get(4)?,
                opened_at: moment(row.get(5)?),
                closed_at: row.get::<_, Option<i64>>(6)?.map(moment),
            })
        })?;
        Ok(lines.collect::<rusqlite::Result<_>>()?)
    }

    /// Thins readings older than [`FULL_DETAIL`] to the last of each day; what is remarkable stays. Meant to be called once
    /// a day; returns how many readings went.
    pub fn thin_history(&self, now: Timestamp) -> Result<usize> {
        let until = stored(now - FULL_DETAIL) / DAY * DAY;
        let from = self.setting(THINNED_UNTIL)?.and_then(|text| text.parse().ok()).unwrap_or(0_i64);
        if from >= until {
            return Ok(0);
        }
        let mut gone = 0;
        let mut after = 0_i64;
        loop {
            let meters = self.ids_after("SELECT id FROM meter WHERE id > ?1 ORDER BY id LIMIT ?2", after)?;
            let Some(last) = meters.last() else { break };
            after = *last;
            gone += self.thin(THIN_COUNTERS, &meters, from, until)?;
        }
        let mut after = 0_i64;
        loop {
            let devices = self.ids_after("SELECT id FROM device WHERE id > ?1 ORDER BY id LIMIT ?2", after)?;
            let Some(last) = devices.last() else { break };
            after = *last;
            gone += self.thin(THIN_SUPPLIES, &devices, from, until)?;
        }
        // Late readings may still come for days that were thinned; going back a month catches them next time.
        self.set_setting(THINNED_UNTIL, &(until - 30 * DAY).to_string())?;
        Ok(gone)
    }

    fn ids_after(&self, sql: &str, after: i64) -> Result<Vec<i64>> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(sql)?;
        let ids = statement.query_map(params![after, THIN_AT_ONCE], |row| row.get(0))?;
        Ok(ids.collect::<rusqlite::Result<_>>()?)
    }

    fn thin(&self, sql: &str, ids: &[i64], from: i64, until: i64) -> Result<usize> {
        self.transaction(|transaction| {
            let mut statement = transaction.prepare_cached(sql)?;
            let mut gone = 0;
            for id in ids {
                gone += statement.execute(params![id, from, until])?;
            }
            Ok(gone)
        })
    }
}

const THINNED_UNTIL: &str = "history-thinned-until";
/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

const THIN_COUNTERS: &str = "DELETE FROM counter_reading AS r
     WHERE meter_id = ?1 AND read_at >= ?2 AND read_at < ?3 AND remark = '' AND EXISTS
         (SELECT 1 FROM counter_reading later WHERE later.meter_id = ?1 AND later.read_at > r.read_at
          AND later.read_at < (r.read_at / 86400000 + 1) * 86400000 AND later.epoch = r.epoch AND later.remark = '')";

const THIN_SUPPLIES: &str = "DELETE FROM supply_reading AS r
     WHERE device_id = ?1 AND read_at >= ?2 AND read_at < ?3 AND EXISTS
         (SELECT 1 FROM supply_reading later WHERE later.device_id = ?1 AND later.supply_index = r.supply_index
          AND later.read_at > r.read_at AND later.read_at < (r.read_at / 86400000 + 1) * 86400000)";

fn must_own_device(connection: &Connection, scope: &Scope, device: DeviceRow) -> Result<()> {
    let owned: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM device d JOIN agent a ON a.id = d.agent_id JOIN site s ON s.id = a.site_id
                            JOIN customer c ON c.id = s.customer_id WHERE d.id = ?1 AND c.dealer_id = ?2)",
        )?
        .query_row(params![device.0, scope.dealer.0], |row| row.get(0))?;
    if owned { Ok(()) } else { Err(StoreError::NotFound) }
}
