//! Devices: lists with search and order, and one device with its state.

use jiff::Timestamp;
use manager_core::{
    access::{CustomerId, DeviceRow, Right, Scope, SiteId},
    summary::{Summary, inks_of_line},
};
use rusqlite::{OptionalExtension, Row, ToSql, params, types::ToSqlOutput};
use wire::{
    device::{Condition, DeviceRecord},
    message::AgentId,
    notes::Remark,
    xml,
};

use crate::{
    Result, Store, StoreError,
    intake::{condition_number, trouble_of},
    moment,
    places::{COUNT_COLUMNS, DeviceCounts},
};

/// Which devices a list shows.
#[derive(Debug, Clone, Default)]
pub struct FleetQuery {
    /// Words that must all occur in model, serial, address, names or location of device, site or customer.
    pub search: String,
    /// Only devices in this state.
    pub state: Option<DeviceFilter>,
    /// Only devices of this customer.
    pub customer: Option<CustomerId>,
    /// Only devices of this site.
    pub site: Option<SiteId>,
    /// Only devices of this agent.
    pub agent: Option<AgentId>,
    /// By what the list is ordered.
    pub order: FleetOrder,
    /// Whether the order is turned round.
    pub is_descending: bool,
}

/// A state to choose devices by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceFilter {
    /// Answers its agent and is in this condition.
    Condition(Condition),
    /// Does not answer its agent.
    Silent,
}

/// By what a list of devices is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub enum FleetOrder {
    #[default]
    Urgency,
    Customer,
    Model,
    Serial,
    Address,
    Supplies,
    Total,
    ReadAt,
}

/// A device in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct FleetLine {
    pub device: DeviceRow,
    pub key: String,
    pub summary: Summary,
    /// What the agent notes about it that is wrong.
    pub trouble: Option<Remark>,
    pub site: SiteId,
    pub site_name: String,
    pub customer: CustomerId,
    pub customer_name: String,
    pub agent_name: String,
}

/// One device with its state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Device {
    pub device: DeviceRow,
    pub record: DeviceRecord,
    pub first_seen_at: Timestamp,
    pub removed_at: Option<Timestamp>,
    pub agent: AgentId,
    pub agent_name: String,
    pub last_report_at: Option<Timestamp>,
    pub site: SiteId,
    pub site_name: String,
    pub customer: CustomerId,
    pub customer_name: String,
}

/// Most words of a search that count.
const MOST_WORDS: usize = 8;

impl Store {
    /// How many devices there are in each condition, by what the query says of place and words but not of state.
    pub fn device_counts(&self, scope: &Scope, query: &FleetQuery) -> Result<DeviceCounts> {
        scope.require(Right::View)?;
        let stateless = FleetQuery { state: None, ..query.clone() };
        let (condition, values) = condition(scope, &stateless);
        let sql = format!("SELECT {COUNT_COLUMNS} {TABLES} WHERE {condition}");
        let connection = self.lock();
        let counts = connection
            .prepare_cached(&sql)?
            .query_row(rusqlite::params_from_iter(values), |row| DeviceCounts::of_row(row, 0))?;
        Ok(counts)
    }

    /// The devices of a list, `limit` from `offset` on.
    pub fn devices(&self, scope: &Scope, query: &FleetQuery, limit: u32, offset: u32) -> Result<Vec<FleetLine>> {
        scope.require(Right::View)?;
        let (condition, values) = condition(scope, query);
        let direction = if query.is_descending { "DESC" } else { "ASC" };
        let order = match query.order {
            FleetOrder::Urgency => "CASE WHEN d.silent_since IS NULL THEN 3 - d.condition ELSE 1.5 END",
            FleetOrder::Customer => "c.folded",
            FleetOrder::Model => "d.manufacturer || ' ' || d.model COLLATE NOCASE",
            FleetOrder::Serial => "d.serial",
            FleetOrder::Address => "d.address",
            FleetOrder::Supplies => "ifnull(d.lowest_percent, 101)",
            FleetOrder::Total => "ifnull(d.total, -1)",
            FleetOrder::ReadAt => "d.read_at",
        };
        // The only things put into the text are chosen here from fixed words; what visitors typed is bound.
        let sql = format!(
            "SELECT d.id, d.key, d.manufacturer, d.model, d.serial, d.address, d.host_name, d.mac, d.location, d.firmware,
                    d.condition, d.read_at, d.silent_since, d.total, d.lowest_percent, d.inks,
                    s.id, s.name, c.id, c.name, a.name, d.trouble
             {TABLES} WHERE {condition}
             ORDER BY {order} {direction}, c.folded, s.folded, d.model, d.id LIMIT {limit} OFFSET {offset}"
        );
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&sql)?;
        let lines = statement.query_map(rusqlite::params_from_iter(values), fleet_line)?;
        Ok(lines.collect::<rusqlite::Result<_>>()?)
    }

    /// One device.
    pub fn device(&self, scope: &Scope, device: DeviceRow) -> Result<Device> {
        scope.require(Right::View)?;
        let row = self
            .lock()
            .prepare_cached(
                "SELECT d.record, d.first_seen_at, d.removed_at, a.key_id, a.name, a.last_report_at, s.id, s.name, c.id,
                        c.name, d.key
                 FROM device d JOIN agent a ON a.id = d.agent_id JOIN site s ON s.id = a.site_id
                 JOIN customer c ON c.id = s.customer_id WHERE d.id = ?1 AND c.dealer_id = ?2",
            )?
            .query_row(params![device.0, scope.dealer.0], |row| Ok(StoredDevice::of_row(row)))
            .optional()?
            .ok_or(StoreError::NotFound)??;
        let record = xml::decode_device(&row.record)
            .map_err(|source| StoreError::Damaged { device: row.key.clone(), source })?;
        Ok(Device {
            device,
            record,
            first_seen_at: row.first_seen_at,
            removed_at: row.removed_at,
            agent: AgentId::parse(&row.agent).ok_or(StoreError::NotFound)?,
            agent_name: row.agent_name,
            last_report_at: row.last_report_at,
            site: row.site,
            site_name: row.site_name,
            customer: row.customer,
            customer_name: row.customer_name,
        })
    }
}

const TABLES: &str = "FROM device d JOIN agent a ON a.id = d.agent_id JOIN site s ON s.id = a.site_id
     JOIN customer c ON c.id = s.customer_id";

/// A value to bind.
enum Value {
    Number(i64),
    Text(String),
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Number(number) => number.to_sql(),
            Self::Text(text) => text.to_sql(),
        }
    }
}

/// The condition of a query, in SQL with places for the values.
fn condition(scope: &Scope, query: &FleetQuery) -> (String, Vec<Value>) {
    let mut condition = "c.dealer_id = ? AND d.removed_at IS NULL".to_owned();
    let mut values = vec![Value::Number(scope.dealer.0)];
    let mut and = |text: &str, value: Value| {
        condition.push_str(" AND ");
        condition.push_str(text);
        values.push(value);
    };
    for word in query.search.split_whitespace().take(MOST_WORDS) {
        let word: String = word.to_lowercase().chars().take(100).collect();
        let word = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let text = "(d.search || char(10) || c.folded || char(10) || s.folded) LIKE ? ESCAPE '\\'";
        and(text, Value::Text(format!("%{word}%")));
    }
    if let Some(id) = query.customer {
        and("c.id = ?", Value::Number(id.0));
    }
    if let Some(id) = query.site {
        and("s.id = ?", Value::Number(id.0));
    }
    if let Some(id) = &query.agent {
        and("a.key_id = ?", Value::Text(id.as_str().to_owned()));
    }
    match query.state {
        Some(DeviceFilter::Condition(wanted)) => {
            and("d.silent_since IS NULL AND d.condition = ?", Value::Number(condition_number(wanted)));
        }
        Some(DeviceFilter::Silent) => and("d.silent_since IS NOT NULL AND 1 = ?", Value::Number(1)),
        None => {}
    }
    (condition, values)
}

fn fleet_line(row: &Row<'_>) -> rusqlite::Result<FleetLine> {
    let summary = Summary {
        manufacturer: row.get(2)?,
        model: row.get(3)?,
        serial: row.get(4)?,
        address: row.get(5)?,
        host_name: row.get(6)?,
        mac: row.get(7)?,
        location: row.get(8)?,
        firmware: row.get(9)?,
        condition: match row.get::<_, i64>(10)? {
            3 => Condition::Critical,
            2 => Condition::Warning,
            1 => Condition::Good,
            _ => Condition::Unknown,
        },
        read_at: moment(row.get(11)?),
        silent_since: row.get::<_, Option<i64>>(12)?.map(moment),
        total: row.get::<_, Option<i64>>(13)?.map(i64::cast_unsigned),
        lowest_percent: row.get(14)?,
        inks: inks_of_line(&row.get::<_, String>(15)?),
    };
    Ok(FleetLine {
        device: DeviceRow(row.get(0)?),
        key: row.get(1)?,
        summary,
        site: SiteId(row.get(16)?),
        site_name: row.get(17)?,
        customer: CustomerId(row.get(18)?),
        customer_name: row.get(19)?,
        agent_name: row.get(20)?,
        trouble: trouble_of(&row.get::<_, String>(21)?),
    })
}

struct StoredDevice {
    record: Vec<u8>,
    key: String,
    first_seen_at: Timestamp,
    removed_at: Option<Timestamp>,
    agent: String,
    agent_name: String,
    last_report_at: Option<Timestamp>,
    site: SiteId,
    site_name: String,
    customer: CustomerId,
    customer_name: String,
}

impl StoredDevice {
    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            record: row.get(0)?,
            first_seen_at: moment(row.get(1)?),
            removed_at: row.get::<_, Option<i64>>(2)?.map(moment),
            agent: row.get(3)?,
            agent_name: row.get(4)?,
            last_report_at: row.get::<_, Option<i64>>(5)?.map(moment),
            site: SiteId(row.get(6)?),
            site_name: row.get(7)?,
            customer: CustomerId(row.get(8)?),
            customer_name: row.get(9)?,
            key: row.get(10)?,
        })
    }
}
