//! One device as JSON: the shape documented in `docs/read-json.md`. The only place that knows it.

use agent_core::printer_mib;
use agent_core::profile::Evidence;
use agent_core::search::Alive;
use jiff::Timestamp;
use serde::Serialize;
use wire::device::{Alert, Counter, Level, Raw, Snapshot, Supply, Tray, TrayKind, total};

/// What `agentd read --json` prints for a device.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub struct DeviceJson<'a> {
    address: String,
    read_at: String,
    took_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snmp: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<CostJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
    #[serde(flatten)]
    device: Option<SnapshotJson<'a>>,
}

#[derive(Serialize)]
struct CostJson {
    packets_sent: u32,
    packets_received: u32,
    ip_bytes: u64,
}

#[derive(Serialize)]
struct SnapshotJson<'a> {
    id: Option<String>,
    identity: IdentityJson<'a>,
    status: StatusJson<'a>,
    total: Option<u64>,
    counters: Vec<CounterJson<'a>>,
    supplies: Vec<SupplyJson<'a>>,
    trays: Vec<TrayJson<'a>>,
    values: Vec<ValueJson<'a>>,
}

#[derive(Serialize)]
struct ValueJson<'a> {
    field: &'static str,
    value: &'a str,
    source: &'a str,
    confidence: &'a str,
    chosen: bool,
}

#[derive(Serialize)]
struct RawJson {
    level: Option<i64>,
    capacity: Option<i64>,
}

#[derive(Serialize)]
struct IdentityJson<'a> {
    manufacturer: Option<&'a str>,
    model: Option<&'a str>,
    serial: Option<&'a str>,
    firmware: Option<&'a str>,
    host_name: Option<&'a str>,
    mac: Option<&'a str>,
    location: Option<&'a str>,
    contact: Option<&'a str>,
    sys_object_id: Option<&'a str>,
    description: Option<&'a str>,
    profile: Option<&'a str>,
}

#[derive(Serialize)]
struct StatusJson<'a> {
    condition: &'static str,
    printer: Option<&'a str>,
    device: Option<&'a str>,
    errors: Vec<&'a str>,
    console: &'a [String],
    alerts: Vec<AlertJson<'a>>,
}

#[derive(Serialize)]
struct AlertJson<'a> {
    severity: &'a str,
    group: &'a str,
    group_index: Option<i64>,
    code: Option<i64>,
    description: &'a str,
}

#[derive(Serialize)]
struct CounterJson<'a> {
    service: &'a str,
    color: &'a str,
    size: &'a str,
    sides: &'a str,
    unit: &'a str,
    basis: &'a str,
    value: u64,
    source: &'a str,
    confidence: &'a str,
}

#[derive(Serialize)]
struct SupplyJson<'a> {
    index: &'a str,
    kind: &'a str,
    class: &'a str,
    color: Option<&'a str>,
    description: &'a str,
    part_number: Option<&'a str>,
    serial: Option<&'a str>,
    unit: &'a str,
    capacity: Option<u32>,
    level: LevelJson,
    percent_left: Option<u8>,
    source: String,
    confidence: &'a str,
    raw: RawJson,
}

#[derive(Serialize)]
struct TrayJson<'a> {
    index: &'a str,
    direction: &'static str,
    kind: &'a str,
    name: &'a str,
    description: Option<&'a str>,
    media: Option<&'a str>,
    unit: &'a str,
    capacity: Option<u32>,
    level: LevelJson,
    status: Option<u32>,
    source: String,
    raw: RawJson,
}

#[derive(Serialize)]
struct LevelJson {
    state: &'static str,
    value: Option<u32>,
}

/// How the reading was made.
pub struct Circumstances {
    /// Address of the device.
    pub address: String,
    /// When it was read.
    pub read_at: Timestamp,
    /// How long it took.
    pub took: std::time::Duration,
    /// Protocol version.
    pub snmp: &'static str,
    /// What it cost on the wire.
    pub cost: agent_core::engine::Cost,
    /// What the device did that was odd.
    pub remarks: Vec<String>,
    /// Everything that the device says of itself, whether the snapshot shows it or something better.
    pub evidence: Vec<Evidence>,
}

/// A device that was read, as one line.
pub fn device_line(circumstances: Circumstances, snapshot: &Snapshot) -> String {
    let identity = &snapshot.identity;
    let device = SnapshotJson {
        id: wire::identity::Marks::of(identity).names().next().map(|id| id.to_string()),
        identity: IdentityJson {
            manufacturer: identity.manufacturer.as_deref(),
            model: identity.model.as_deref(),
            serial: identity.serial.as_deref(),
            firmware: identity.firmware.as_deref(),
            host_name: identity.host_name.as_deref(),
            mac: identity.mac.as_deref(),
            location: identity.location.as_deref(),
            contact: identity.contact.as_deref(),
            sys_object_id: identity.sys_object_id.as_deref(),
            description: identity.description.as_deref(),
            profile: identity.profile.as_deref(),
        },
        status: StatusJson {
            condition: snapshot.status.condition().keyword(),
            printer: snapshot.status.printer.as_ref().map(|state| state.keyword()),
            device: snapshot.status.device.as_ref().map(|state| state.keyword()),
            errors: snapshot.status.errors.iter().map(|error| error.keyword()).collect(),
            console: &snapshot.status.console,
            alerts: snapshot.status.alerts.iter().map(alert).collect(),
        },
        total: total(&snapshot.counters).map(|counter| counter.value),
        counters: snapshot.counters.iter().map(counter).collect(),
        supplies: snapshot.supplies.iter().map(supply).collect(),
        trays: snapshot.trays.iter().map(tray).collect(),
        values: circumstances.evidence.iter().map(value).collect(),
    };
    let cost = CostJson {
        packets_sent: circumstances.cost.sent,
        packets_received: circumstances.cost.received,
        ip_bytes: circumstances.cost.octets,
    };
    line(&DeviceJson {
        address: circumstances.address,
        read_at: seconds(circumstances.read_at),
        took_ms: u64::try_from(circumstances.took.as_millis()).unwrap_or(u64::MAX),
        error: None,
        snmp: Some(circumstances.snmp),
        cost: Some(cost),
        remarks: circumstances.remarks,
        device: Some(device),
    })
}

/// A device that could not be read, as one line.
pub fn error_line(address: String, read_at: Timestamp, took: std::time::Duration, error: String) -> String {
    line(&DeviceJson {
        address,
        read_at: seconds(read_at),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        error: Some(error),
        snmp: None,
        cost: None,
        remarks: Vec::new(),
        device: None,
    })
}

#[derive(Serialize)]
struct AliveJson<'a> {
    address: String,
    alive: Vec<&'static str>,
    mac: Option<String>,
    announced: Option<&'a str>,
    description: Option<&'a str>,
    host_name: Option<&'a str>,
}

/// Someone who is there and no printer, as one line.
pub fn alive_line(alive: &Alive, described: &str, host_name: &str) -> String {
    let some = |text| Some(text).filter(|text: &&str| !text.is_empty());
    let alive = AliveJson {
        address: alive.address.to_string(),
        alive: alive.signs.iter().map(|sign| sign.keyword()).collect(),
        mac: alive.mac.map(|mac| mac.to_string()),
        announced: alive.name.as_deref(),
        description: some(described),
        host_name: some(host_name),
    };
    serde_json::to_string(&alive).expect("strings and lists always have a JSON form")
}

fn line(device: &DeviceJson<'_>) -> String {
    serde_json::to_string(device).expect("strings, numbers and lists always have a JSON form")
}

/// RFC 3339 in UTC, to the second.
fn seconds(at: Timestamp) -> String {
    format!("{at:.0}")
}

fn alert(alert: &Alert) -> AlertJson<'_> {
    AlertJson {
        severity: alert.severity.keyword(),
        group: alert.group.keyword(),
        group_index: alert.group_index,
        code: alert.code,
        description: &alert.description,
    }
}

fn counter(counter: &Counter) -> CounterJson<'_> {
    CounterJson {
        service: counter.service.keyword(),
        color: counter.color.keyword(),
        size: counter.size.keyword(),
        sides: counter.sides.keyword(),
        unit: counter.unit.keyword(),
        basis: counter.basis.keyword(),
        value: counter.value,
        source: &counter.source,
        confidence: counter.confidence.keyword(),
    }
}

fn level(level: Level) -> LevelJson {
    LevelJson { state: level.keyword(), value: level.amount() }
}

fn supply(supply: &Supply) -> SupplyJson<'_> {
    SupplyJson {
        index: &supply.index,
        kind: supply.kind.keyword(),
        class: supply.class.keyword(),
        color: supply.color.as_ref().map(|color| color.keyword()),
        description: &supply.description,
        part_number: supply.part_number.as_deref(),
        serial: supply.serial.as_deref(),
        unit: supply.unit.keyword(),
        capacity: supply.capacity,
        level: level(supply.level),
        percent_left: supply.percent_left(),
        source: supply.origin.source.clone().unwrap_or_else(|| row(&printer_mib::PRT_SUPPLIES_LEVEL, &supply.index)),
        confidence: supply.origin.confidence.keyword(),
        raw: raw(supply.raw, supply.level, supply.capacity),
    }
}

/// The numbers of a row as the standard table has them.
fn raw(raw: Raw, level: Level, capacity: Option<u32>) -> RawJson {
    RawJson { level: raw.level.or(level.code()), capacity: raw.capacity.or(capacity.map(i64::from)) }
}

/// The name of a row in a column.
fn row(column: &printer_mib::Column, index: &str) -> String {
    format!("{}.{index}", agent_core::oid::dotted(column.arcs))
}

fn value(evidence: &Evidence) -> ValueJson<'_> {
    ValueJson {
        field: evidence.field,
        value: &evidence.value,
        source: &evidence.source,
        confidence: evidence.confidence.keyword(),
        chosen: evidence.chosen,
    }
}

fn tray(tray: &Tray) -> TrayJson<'_> {
    let (direction, kind, column) = match &tray.kind {
        TrayKind::Input(kind) => ("input", kind.keyword(), &printer_mib::PRT_INPUT_CURRENT_LEVEL),
        TrayKind::Output(kind) => ("output", kind.keyword(), &printer_mib::PRT_OUTPUT_REMAINING_CAPACITY),
    };
    TrayJson {
        index: &tray.index,
        direction,
        kind,
        name: &tray.name,
        description: tray.description.as_deref(),
        media: tray.media.as_deref(),
        unit: tray.unit.keyword(),
        capacity: tray.capacity,
        level: level(tray.level),
        status: tray.status,
        source: row(column, &tray.index),
        raw: raw(tray.raw, tray.level, tray.capacity),
    }
}
