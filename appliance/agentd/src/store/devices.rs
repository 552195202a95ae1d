//! Devices: what is polled, what was read, what does not answer.

use agent_core::change::Changes;
use agent_core::snmp::Credential;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use wire::device::{DeviceId, DeviceRecord, Snapshot, total};
use wire::xml::{decode_device, encode_device};

use super::outbox::{ANSWERING, bits};
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

impl Store {
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
    let credential = Columns::of(&reading.credential);
    change.execute(
        "INSERT INTO device
             (id, address, snmp_version, community, record, manufacturer, model, serial, location, condition, total, lowest_pct,
              first_seen_at, read_at, unreported, urgent_since, snmp_user, key_extension, transport)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13, ?14, ?15, ?16, ?17, ?18)
         ON CONFLICT (id) DO UPDATE SET address = ?2, snmp_version = ?3, community = ?4, record = ?5, manufacturer = ?6,
             model = ?7, serial = ?8, location = ?9, condition = ?10, total = ?11, lowest_pct = ?12, read_at = ?13,
             silent_since = NULL, failure = NULL, unreported = ?14, urgent_since = ?15, snmp_user = ?16, key_extension = ?17,
             transport = ?18",
        params![
            id,
            reading.address,
            credential.version,
            credential.community,
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
            credential.user,
            credential.extension,
            credential.transport,
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
