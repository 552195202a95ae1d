//! One device as a reader of it knows it: the model that the agent fills, stores, shows and sends, and the manager keeps.
//!
//! What has no place here cannot leave the customer's network: there is no field for jobs, users or documents.

use std::fmt;

use jiff::Timestamp;

use crate::notes::{Event, Notes, Remark};
use crate::vocab::{
    AlertGroup, AlertSeverity, Basis, ColorUse, Colorant, Confidence, CounterUnit, DetectedError, DeviceState,
    IdentityField, InputKind, MediaSize, OutputKind, PrinterState, Service, Sides, SupplyClass, SupplyKind, SupplyUnit,
    TrayUnit,
};

/// The agent's lasting name of a device. Made from what the device is (serial number, MAC), never from its address;
/// opaque to everyone but the agent that made it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(String);

impl DeviceId {
    /// Longest name accepted, in bytes.
    pub const MAX_LEN: usize = 128;

    /// A name of 1 to [`Self::MAX_LEN`] printable ASCII characters without spaces; nothing else is one.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let fits = (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then_some(Self(text))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one complete reading of a device says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Snapshot {
    /// Who the device is.
    pub identity: Identity,
    /// How it is.
    pub status: Status,
    /// What it consumes, in the device's order.
    pub supplies: Vec<Supply>,
    /// Inputs, then outputs, each in the device's order.
    pub trays: Vec<Tray>,
    /// What it has counted.
    pub counters: Vec<Counter>,
}

/// Who a device is. Every field is as the device says it, trimmed; `None` where it says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Identity {
    pub manufacturer: Option<String>,
    pub model: Option<String>,
    pub serial: Option<String>,
    pub firmware: Option<String>,
    pub host_name: Option<String>,
    /// Six octets in lower-case hexadecimal with colons.
    pub mac: Option<String>,
    pub location: Option<String>,
    pub contact: Option<String>,
    /// sysObjectID in dotted form: what the profile was chosen by.
    pub sys_object_id: Option<String>,
    /// sysDescr.
    pub description: Option<String>,
    /// Name of the profile that explained the readings.
    pub profile: Option<String>,
    /// Where the fields were read that are not from their standard place, or of whose meaning less is known.
    pub sources: Vec<FieldSource>,
}

/// Where a field of the identity was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldSource {
    /// Which field.
    pub field: IdentityField,
    /// The OID, dotted.
    pub source: String,
    /// How sure its meaning is.
    pub confidence: Confidence,
}

/// Where a row's level was read, and how sure its meaning is. By default the row of the standard table, which is verified.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Origin {
    /// The OID, dotted, where it is not the level column of the standard table; `OID#tag` for a record in a binary value.
    pub source: Option<String>,
    /// How sure its meaning is.
    pub confidence: Confidence,
}

/// The numbers of a row as the standard table has them, where level and capacity do not show them: codes, and numbers for which
/// a better source was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Raw {
    /// The level.
    pub level: Option<i64>,
    /// The capacity.
    pub capacity: Option<i64>,
}

/// How a device is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Status {
    /// hrPrinterStatus; `None` where the device has none.
    pub printer: Option<PrinterState>,
    /// hrDeviceStatus.
    pub device: Option<DeviceState>,
    /// Conditions set in hrPrinterDetectedErrorState, in the order of the bits.
    pub errors: Vec<DetectedError>,
    /// Lines of the console display that are not blank.
    pub console: Vec<String>,
    /// Rows of prtAlertTable that say something.
    pub alerts: Vec<Alert>,
}

/// How urgently a device needs a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// The device said nothing about its state.
    Unknown,
    /// Works and wants nothing.
    Good,
    /// Works, but will want something.
    Warning,
    /// Does not work until someone comes.
    Critical,
}

impl Condition {
    /// The word used in XML, JSON and as a CSS class.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl Status {
    /// The worst of what the device says, by the reading of RFC 3805 (hrDeviceStatus with the detected errors and alerts).
    pub fn condition(&self) -> Condition {
        let device = match &self.device {
            Some(DeviceState::Down) => Condition::Critical,
            Some(DeviceState::Warning) => Condition::Warning,
            Some(DeviceState::Running | DeviceState::Testing) => Condition::Good,
            _ => Condition::Unknown,
        };
        let errors = self.errors.iter().map(|error| match error {
            DetectedError::NoPaper
            | DetectedError::NoToner
            | DetectedError::DoorOpen
            | DetectedError::Jammed
            | DetectedError::Offline
            | DetectedError::ServiceRequested
            | DetectedError::OutputFull
            | DetectedError::MarkerSupplyMissing => Condition::Critical,
            _ => Condition::Warning,
        });
        let alerts = self.alerts.iter().map(|alert| match alert.severity {
            AlertSeverity::Critical => Condition::Critical,
            AlertSeverity::Warning => Condition::Warning,
            _ => Condition::Unknown,
        });
        let printer = self.printer.as_ref().map(|state| match state {
            PrinterState::Idle | PrinterState::Printing | PrinterState::Warmup => Condition::Good,
            _ => Condition::Unknown,
        });
        errors.chain(alerts).chain(printer).fold(device, Condition::max)
    }
}

/// A row of prtAlertTable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Alert {
    /// How serious.
    pub severity: AlertSeverity,
    /// Which part of the printer.
    pub group: AlertGroup,
    /// Which row of that part's table; `None` where the device gives none.
    pub group_index: Option<i64>,
    /// PrtAlertCodeTC, a number: the vocabulary has over two hundred words and vendors add their own.
    pub code: Option<i64>,
    /// In the device's words and language; may be empty.
    pub description: String,
}

/// What an amount is known to be. The three codes of RFC 3805 stay three different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// So much is left, in the unit of the row; of a receptacle, so much space.
    Measured(u32),
    /// Nothing is left (of a receptacle: it is full).
    Empty,
    /// Something is left, the device does not say how much (−3).
    SomeLeft,
    /// Little is left, the device does not say how much (a code of the maker's).
    NearlyEmpty,
    /// The device does not know (−2).
    Unknown,
    /// There is no limit, or none that the device can name (−1).
    NoLimit,
}

impl Level {
    /// The reading of a level column by RFC 3805; any other negative number is `Unknown`.
    pub fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Empty,
            -1 => Self::NoLimit,
            -3 => Self::SomeLeft,
            code => u32::try_from(code).map_or(Self::Unknown, Self::Measured),
        }
    }

    /// The level that a word and, where it is measured, an amount mean; `None` for an unknown word.
    pub fn from_keyword(word: &str, amount: Option<u32>) -> Option<Self> {
        Some(match word {
            "measured" => Self::Measured(amount?),
            "empty" => Self::Empty,
            "someLeft" => Self::SomeLeft,
            "nearlyEmpty" => Self::NearlyEmpty,
            "unknown" => Self::Unknown,
            "noLimit" => Self::NoLimit,
            _ => return None,
        })
    }

    /// The code of RFC 3805 that says the same; `None` where it has none.
    pub fn code(self) -> Option<i64> {
        match self {
            Self::Measured(amount) => Some(i64::from(amount)),
            Self::Empty => Some(0),
            Self::NoLimit => Some(-1),
            Self::Unknown => Some(-2),
            Self::SomeLeft => Some(-3),
            Self::NearlyEmpty => None,
        }
    }

    /// The word used in XML and JSON.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Measured(_) => "measured",
            Self::Empty => "empty",
            Self::SomeLeft => "someLeft",
            Self::NearlyEmpty => "nearlyEmpty",
            Self::Unknown => "unknown",
            Self::NoLimit => "noLimit",
        }
    }

    /// The amount where one is known; empty is nought.
    pub fn amount(self) -> Option<u32> {
        match self {
            Self::Measured(amount) => Some(amount),
            Self::Empty => Some(0),
            Self::SomeLeft | Self::NearlyEmpty | Self::Unknown | Self::NoLimit => None,
        }
    }

    /// Hundredths of `capacity` that are left, at most 100, where both are known; a level above the capacity happens.
    pub fn percent_of(self, capacity: Option<u32>) -> Option<u8> {
        let amount = u64::from(self.amount()?);
        let capacity = u64::from(capacity.filter(|capacity| *capacity > 0)?);
        u8::try_from((amount * 100 / capacity).min(100)).ok()
    }
}

/// A row of prtMarkerSuppliesTable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Supply {
    /// The row's index below the column, dotted: steady while the device is not rebuilt.
    pub index: String,
    /// What it is.
    pub kind: SupplyKind,
    /// Consumed, or a receptacle that fills.
    pub class: SupplyClass,
    /// Its colour, where it has one.
    pub color: Option<Colorant>,
    /// In the device's words.
    pub description: String,
    /// The maker's order number.
    pub part_number: Option<String>,
    /// Serial number of the cartridge.
    pub serial: Option<String>,
    /// Unit of capacity and level.
    pub unit: SupplyUnit,
    /// How much there is when new (of a receptacle: when empty), where the device says.
    pub capacity: Option<u32>,
    /// How much is left.
    pub level: Level,
    /// What the standard table says, where level and capacity do not show it.
    pub raw: Raw,
    /// Where the level was read.
    pub origin: Origin,
}

impl Supply {
    /// Hundredths left of the capacity; `None` where the device gives no measure. A percentage unit is its own capacity.
    pub fn percent_left(&self) -> Option<u8> {
        let capacity = self.capacity.or((self.unit == SupplyUnit::Percent).then_some(100));
        self.level.percent_of(capacity)
    }
}

/// What kind of tray a row describes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TrayKind {
    /// A row of prtInputTable.
    Input(InputKind),
    /// A row of prtOutputTable; its level is the room that is left.
    Output(OutputKind),
}

/// A row of prtInputTable or prtOutputTable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tray {
    /// The row's index below the column, dotted.
    pub index: String,
    /// Input or output, and of which kind.
    pub kind: TrayKind,
    /// Short name.
    pub name: String,
    /// Description, where it says more than the name.
    pub description: Option<String>,
    /// Name of the medium in it.
    pub media: Option<String>,
    /// Unit of capacity and level.
    pub unit: TrayUnit,
    /// How much fits, where the device says.
    pub capacity: Option<u32>,
    /// How much is in it (of an output: how much more fits).
    pub level: Level,
    /// PrtSubUnitStatusTC, a sum of flags (RFC 3805); `None` where the device gives none.
    pub status: Option<u32>,
    /// What the table says, where level and capacity do not show it.
    pub raw: Raw,
}

/// One number that the device has counted, with what exactly it counts and where it was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Counter {
    /// Print, copy, fax, scan, or the whole system.
    pub service: Service,
    /// Which use of colour.
    pub color: ColorUse,
    /// Which sizes of medium.
    pub size: MediaSize,
    /// Which sides.
    pub sides: Sides,
    /// What one step is.
    pub unit: CounterUnit,
    /// What the number may be used for.
    pub basis: Basis,
    /// The number as read.
    pub value: u64,
    /// The OID it was read from, dotted; for a sum, the column whose rows were added, ending in `.*`, or its terms with `+`
    /// between them; for a record in a binary value, `OID#tag`.
    pub source: String,
    /// How sure its meaning is.
    pub confidence: Confidence,
}

impl Counter {
    /// Whether it counts everything the device put out: the total.
    pub fn is_total(&self) -> bool {
        self.service == Service::System
            && self.color == ColorUse::Any
            && self.size == MediaSize::Any
            && self.sides == Sides::Any
            && self.basis != Basis::PowerOn
    }

    /// Whether it counts what was scanned to be copied or sent, beside the pages that were put out.
    pub fn counts_originals(&self) -> bool {
        self.unit == CounterUnit::Images && self.service != Service::Scan
    }

    /// The short English name of what is counted, as it stands in CSV exports: `Copy FullColor Large`.
    pub fn name(&self) -> String {
        let mut name = self.service.keyword().to_owned();
        for (word, plain) in [
            (self.color.keyword(), self.color == ColorUse::Any),
            (self.size.keyword(), self.size == MediaSize::Any),
            (self.sides.keyword(), self.sides == Sides::Any),
            (self.basis.keyword(), self.basis == Basis::Meter),
        ] {
            if !plain {
                name.push(' ');
                name.push_str(word);
            }
        }
        if self.counts_originals() {
            name.push_str(" Originals");
        }
        name
    }
}

/// The total to bill: the meter where the device has one whose meaning is not in doubt, otherwise the engine's count.
pub fn total(counters: &[Counter]) -> Option<&Counter> {
    let totals = || counters.iter().filter(|counter| counter.is_total());
    let sure = |counter: &&Counter| counter.confidence < Confidence::Unconfirmed;
    totals()
        .filter(sure)
        .find(|counter| counter.basis == Basis::Meter)
        .or_else(|| totals().find(sure))
        .or(totals().next())
}

/// What a report says of one device. A group that is absent has not changed since the last report that had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    /// The agent's lasting name of the device.
    pub id: DeviceId,
    /// IP address at the last answer.
    pub address: String,
    /// When the device last answered a complete reading.
    pub read_at: Timestamp,
    /// Since when it has not answered; `None` while it does.
    pub silent_since: Option<Timestamp>,
    /// Who it is.
    pub identity: Option<Identity>,
    /// How it is.
    pub status: Option<Status>,
    /// What it consumes.
    pub supplies: Option<Vec<Supply>>,
    /// Its trays.
    pub trays: Option<Vec<Tray>>,
    /// What it has counted.
    pub counters: Option<Vec<Counter>>,
    /// What the agent has noticed about it.
    pub notes: Option<Notes>,
    /// What happened to it since the last report that had events; added to what is known, and no part of its state.
    pub events: Vec<Event>,
}

impl DeviceRecord {
    /// A record that has every group.
    pub fn full(id: DeviceId, address: String, read_at: Timestamp, snapshot: Snapshot) -> Self {
        Self {
            id,
            address,
            read_at,
            silent_since: None,
            identity: Some(snapshot.identity),
            status: Some(snapshot.status),
            supplies: Some(snapshot.supplies),
            trays: Some(snapshot.trays),
            counters: Some(snapshot.counters),
            notes: None,
            events: Vec::new(),
        }
    }

    /// What the agent notes about it that is wrong, the first.
    pub fn trouble(&self) -> Option<&Remark> {
        self.notes.as_ref()?.remarks.iter().find(|remark| remark.is_trouble())
    }

    /// Takes over what a later record of the same device says and keeps the groups on which it is silent.
    pub fn merge(&mut self, later: DeviceRecord) {
        self.address = later.address;
        self.read_at = later.read_at;
        self.silent_since = later.silent_since;
        self.identity = later.identity.or(self.identity.take());
        self.status = later.status.or(self.status.take());
        self.supplies = later.supplies.or(self.supplies.take());
        self.trays = later.trays.or(self.trays.take());
        self.counters = later.counters.or(self.counters.take());
        self.notes = later.notes.or(self.notes.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_keep_their_three_codes_apart() {
        assert_eq!(Level::from_code(-1), Level::NoLimit);
        assert_eq!(Level::from_code(-2), Level::Unknown);
        assert_eq!(Level::from_code(-3), Level::SomeLeft);
        assert_eq!(Level::from_code(0), Level::Empty);
        assert_eq!(Level::from_code(7500).percent_of(Some(15000)), Some(50));
        assert_eq!(Level::SomeLeft.percent_of(Some(100)), None);
        assert_eq!(Level::from_code(150).percent_of(Some(100)), Some(100));
        assert_eq!(Level::from_code(5).percent_of(Some(0)), None);
    }

    #[test]
    fn a_door_that_is_open_is_critical_whatever_the_device_status_says() {
        let status =
            Status { device: Some(DeviceState::Running), errors: vec![DetectedError::DoorOpen], ..Status::default() };
        assert_eq!(status.condition(), Condition::Critical);
        assert_eq!(Status::default().condition(), Condition::Unknown);
    }

    #[test]
    fn a_name_of_a_device_has_no_spaces_and_a_bound() {
        assert!(DeviceId::new("1347:ABC123").is_some());
        assert!(DeviceId::new("").is_none());
        assert!(DeviceId::new("a b").is_none());
        assert!(DeviceId::new("x".repeat(129)).is_none());
    }
}
