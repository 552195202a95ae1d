//! The standard tables of a printer: which columns are read, and what their rows mean.
//!
//! RFC 3805 (Printer-MIB), RFC 2790 (Host-Resources), RFC 2863 (Interfaces). Nothing vendor-specific has a place here.

mod supplies;

use std::collections::BTreeSet;

use wire::device::{Alert, Level, Raw, Status, Tray, TrayKind};
use wire::vocab::{
    AlertGroup, AlertSeverity, DetectedError, DeviceState, InputKind, OutputKind, PrinterState, TrayUnit,
};

pub use supplies::{color_in, colorants, is_chromatic, is_waste, kind_in, supplies, supply_descriptions};

use crate::oid::{Oid, dotted};
use crate::reader::{Table, Variables};
use crate::text::{self, CharacterSet};

/// A column of a standard table.
#[derive(Debug)]
pub struct Column {
    /// Name in the MIB.
    pub name: &'static str,
    /// Object identifier of the column.
    pub arcs: &'static [u32],
    /// How its values age.
    pub ageing: Ageing,
}

/// How the values of a column age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ageing {
    /// Read with each full reading only.
    Steady,
    /// The value of a known row changes: a routine poll asks for the rows that the last full reading found.
    Changing,
    /// Rows come and go: a routine poll walks the column.
    Volatile,
}

macro_rules! columns {
    ($($ageing:ident { $($constant:ident $name:literal [$($arc:literal)*],)* })*) => {
        $($(
            #[doc = $name]
            pub const $constant: Column = Column { name: $name, arcs: &[$($arc),*], ageing: Ageing::$ageing };
        )*)*
    };
}

columns! {
    Steady {
        HR_DEVICE_TYPE "hrDeviceType" [1 3 6 1 2 1 25 3 2 1 2],
        HR_DEVICE_DESCR "hrDeviceDescr" [1 3 6 1 2 1 25 3 2 1 3],
        IF_TYPE "ifType" [1 3 6 1 2 1 2 2 1 3],
        IF_PHYS_ADDRESS "ifPhysAddress" [1 3 6 1 2 1 2 2 1 6],
        IF_OPER_STATUS "ifOperStatus" [1 3 6 1 2 1 2 2 1 8],
        PRT_GENERAL_PRINTER_NAME "prtGeneralPrinterName" [1 3 6 1 2 1 43 5 1 1 16],
        PRT_GENERAL_SERIAL_NUMBER "prtGeneralSerialNumber" [1 3 6 1 2 1 43 5 1 1 17],
        PRT_INPUT_TYPE "prtInputType" [1 3 6 1 2 1 43 8 2 1 2],
        PRT_INPUT_CAPACITY_UNIT "prtInputCapacityUnit" [1 3 6 1 2 1 43 8 2 1 8],
        PRT_INPUT_MAX_CAPACITY "prtInputMaxCapacity" [1 3 6 1 2 1 43 8 2 1 9],
        PRT_INPUT_MEDIA_NAME "prtInputMediaName" [1 3 6 1 2 1 43 8 2 1 12],
        PRT_INPUT_NAME "prtInputName" [1 3 6 1 2 1 43 8 2 1 13],
        PRT_INPUT_DESCRIPTION "prtInputDescription" [1 3 6 1 2 1 43 8 2 1 18],
        PRT_OUTPUT_TYPE "prtOutputType" [1 3 6 1 2 1 43 9 2 1 2],
        PRT_OUTPUT_CAPACITY_UNIT "prtOutputCapacityUnit" [1 3 6 1 2 1 43 9 2 1 3],
        PRT_OUTPUT_MAX_CAPACITY "prtOutputMaxCapacity" [1 3 6 1 2 1 43 9 2 1 4],
        PRT_OUTPUT_NAME "prtOutputName" [1 3 6 1 2 1 43 9 2 1 7],
        PRT_OUTPUT_DESCRIPTION "prtOutputDescription" [1 3 6 1 2 1 43 9 2 1 12],
        PRT_MARKER_COUNTER_UNIT "prtMarkerCounterUnit" [1 3 6 1 2 1 43 10 2 1 3],
        PRT_SUPPLIES_COLORANT_INDEX "prtMarkerSuppliesColorantIndex" [1 3 6 1 2 1 43 11 1 1 3],
        PRT_SUPPLIES_CLASS "prtMarkerSuppliesClass" [1 3 6 1 2 1 43 11 1 1 4],
        PRT_SUPPLIES_TYPE "prtMarkerSuppliesType" [1 3 6 1 2 1 43 11 1 1 5],
        PRT_SUPPLIES_DESCRIPTION "prtMarkerSuppliesDescription" [1 3 6 1 2 1 43 11 1 1 6],
        PRT_SUPPLIES_UNIT "prtMarkerSuppliesSupplyUnit" [1 3 6 1 2 1 43 11 1 1 7],
        PRT_SUPPLIES_MAX_CAPACITY "prtMarkerSuppliesMaxCapacity" [1 3 6 1 2 1 43 11 1 1 8],
        PRT_COLORANT_VALUE "prtMarkerColorantValue" [1 3 6 1 2 1 43 12 1 1 4],
    }
    Changing {
        HR_DEVICE_STATUS "hrDeviceStatus" [1 3 6 1 2 1 25 3 2 1 5],
        HR_PRINTER_STATUS "hrPrinterStatus" [1 3 6 1 2 1 25 3 5 1 1],
        HR_PRINTER_DETECTED_ERROR_STATE "hrPrinterDetectedErrorState" [1 3 6 1 2 1 25 3 5 1 2],
        PRT_GENERAL_CONFIG_CHANGES "prtGeneralConfigChanges" [1 3 6 1 2 1 43 5 1 1 1],
        PRT_INPUT_CURRENT_LEVEL "prtInputCurrentLevel" [1 3 6 1 2 1 43 8 2 1 10],
        PRT_INPUT_STATUS "prtInputStatus" [1 3 6 1 2 1 43 8 2 1 11],
        PRT_OUTPUT_REMAINING_CAPACITY "prtOutputRemainingCapacity" [1 3 6 1 2 1 43 9 2 1 5],
        PRT_OUTPUT_STATUS "prtOutputStatus" [1 3 6 1 2 1 43 9 2 1 6],
        PRT_MARKER_LIFE_COUNT "prtMarkerLifeCount" [1 3 6 1 2 1 43 10 2 1 4],
        PRT_MARKER_POWER_ON_COUNT "prtMarkerPowerOnCount" [1 3 6 1 2 1 43 10 2 1 5],
        PRT_SUPPLIES_LEVEL "prtMarkerSuppliesLevel" [1 3 6 1 2 1 43 11 1 1 9],
        PRT_CONSOLE_TEXT "prtConsoleDisplayBufferText" [1 3 6 1 2 1 43 16 5 1 2],
    }
    Volatile {
        PRT_ALERT_SEVERITY "prtAlertSeverityLevel" [1 3 6 1 2 1 43 18 1 1 2],
        PRT_ALERT_GROUP "prtAlertGroup" [1 3 6 1 2 1 43 18 1 1 4],
        PRT_ALERT_GROUP_INDEX "prtAlertGroupIndex" [1 3 6 1 2 1 43 18 1 1 5],
        PRT_ALERT_CODE "prtAlertCode" [1 3 6 1 2 1 43 18 1 1 7],
        PRT_ALERT_DESCRIPTION "prtAlertDescription" [1 3 6 1 2 1 43 18 1 1 8],
    }
}

/// Every column that a full reading walks. Columns with about the same number of rows stand together, so that the columns
/// of one GETBULK end at the same time; the signs of a printer stand first, so that a device without them is let go early.
pub const COLUMNS: &[&Column] = &[
    &PRT_SUPPLIES_COLORANT_INDEX,
    &PRT_SUPPLIES_CLASS,
    &PRT_SUPPLIES_TYPE,
    &PRT_SUPPLIES_DESCRIPTION,
    &PRT_SUPPLIES_UNIT,
    &PRT_SUPPLIES_MAX_CAPACITY,
    &PRT_SUPPLIES_LEVEL,
    &HR_PRINTER_STATUS,
    &PRT_MARKER_LIFE_COUNT,
    &PRT_COLORANT_VALUE,
    &PRT_INPUT_TYPE,
    &PRT_INPUT_CAPACITY_UNIT,
    &PRT_INPUT_MAX_CAPACITY,
    &PRT_INPUT_CURRENT_LEVEL,
    &PRT_INPUT_STATUS,
    &PRT_INPUT_MEDIA_NAME,
    &PRT_INPUT_NAME,
    &PRT_INPUT_DESCRIPTION,
    &HR_DEVICE_TYPE,
    &HR_DEVICE_DESCR,
    &HR_DEVICE_STATUS,
    &PRT_ALERT_SEVERITY,
    &PRT_ALERT_GROUP,
    &PRT_ALERT_GROUP_INDEX,
    &PRT_ALERT_CODE,
    &PRT_ALERT_DESCRIPTION,
    &PRT_OUTPUT_TYPE,
    &PRT_OUTPUT_CAPACITY_UNIT,
    &PRT_OUTPUT_MAX_CAPACITY,
    &PRT_OUTPUT_REMAINING_CAPACITY,
    &PRT_OUTPUT_STATUS,
    &PRT_OUTPUT_NAME,
    &PRT_OUTPUT_DESCRIPTION,
    &IF_TYPE,
    &IF_PHYS_ADDRESS,
    &IF_OPER_STATUS,
    &HR_PRINTER_DETECTED_ERROR_STATE,
    &PRT_GENERAL_CONFIG_CHANGES,
    &PRT_GENERAL_PRINTER_NAME,
    &PRT_GENERAL_SERIAL_NUMBER,
    &PRT_MARKER_COUNTER_UNIT,
    &PRT_MARKER_POWER_ON_COUNT,
    &PRT_CONSOLE_TEXT,
];

/// prtLocalizationCharacterSet and prtGeneralCurrentLocalization, which names its row: asked of devices whose profile wants it.
pub const CHARACTER_SETS: &[&Column; 2] = &[
    &Column { name: "prtLocalizationCharacterSet", arcs: &[1, 3, 6, 1, 2, 1, 43, 7, 1, 1, 4], ageing: Ageing::Steady },
    &Column {
        name: "prtGeneralCurrentLocalization",
        arcs: &[1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 2],
        ageing: Ageing::Steady,
    },
];

/// Above all standard objects.
pub const MIB_2: &[u32] = &[1, 3, 6, 1, 2, 1];

/// Columns that have the same rows: first those whose rows decide, then the others.
struct Rows {
    leaders: &'static [&'static Column],
    members: &'static [&'static Column],
    likely: usize,
    stands_alone: bool,
}

/// How the columns belong together. Tables of one row come first.
const TABLES: &[Rows] = &[
    Rows {
        leaders: &[&HR_PRINTER_STATUS],
        members: &[
            &HR_PRINTER_DETECTED_ERROR_STATE,
            &HR_DEVICE_TYPE,
            &HR_DEVICE_DESCR,
            &HR_DEVICE_STATUS,
            &PRT_GENERAL_CONFIG_CHANGES,
            &PRT_GENERAL_PRINTER_NAME,
            &PRT_GENERAL_SERIAL_NUMBER,
        ],
        likely: 1,
        stands_alone: true,
    },
    Rows {
        leaders: &[&PRT_MARKER_LIFE_COUNT],
        members: &[&PRT_MARKER_COUNTER_UNIT, &PRT_MARKER_POWER_ON_COUNT],
        likely: 1,
        stands_alone: true,
    },
    Rows {
        leaders: &[&PRT_SUPPLIES_LEVEL, &PRT_SUPPLIES_DESCRIPTION],
        members: &[
            &PRT_SUPPLIES_COLORANT_INDEX,
            &PRT_SUPPLIES_CLASS,
            &PRT_SUPPLIES_TYPE,
            &PRT_SUPPLIES_UNIT,
            &PRT_SUPPLIES_MAX_CAPACITY,
        ],
        likely: 6,
        stands_alone: false,
    },
    Rows { leaders: &[&PRT_COLORANT_VALUE], members: &[], likely: 5, stands_alone: false },
    Rows {
        leaders: &[&PRT_INPUT_CURRENT_LEVEL, &PRT_INPUT_TYPE],
        members: &[
            &PRT_INPUT_CAPACITY_UNIT,
            &PRT_INPUT_MAX_CAPACITY,
            &PRT_INPUT_STATUS,
            &PRT_INPUT_MEDIA_NAME,
            &PRT_INPUT_NAME,
            &PRT_INPUT_DESCRIPTION,
        ],
        likely: 6,
        stands_alone: false,
    },
    Rows {
        leaders: &[&PRT_OUTPUT_REMAINING_CAPACITY, &PRT_OUTPUT_TYPE],
        members: &[
            &PRT_OUTPUT_CAPACITY_UNIT,
            &PRT_OUTPUT_MAX_CAPACITY,
            &PRT_OUTPUT_STATUS,
            &PRT_OUTPUT_NAME,
            &PRT_OUTPUT_DESCRIPTION,
        ],
        likely: 2,
        stands_alone: false,
    },
    Rows {
        leaders: &[&PRT_ALERT_SEVERITY],
        members: &[&PRT_ALERT_GROUP, &PRT_ALERT_GROUP_INDEX, &PRT_ALERT_CODE, &PRT_ALERT_DESCRIPTION],
        likely: 3,
        stands_alone: false,
    },
    Rows { leaders: &[&IF_PHYS_ADDRESS], members: &[&IF_TYPE, &IF_OPER_STATUS], likely: 3, stands_alone: false },
    Rows { leaders: &[&PRT_CONSOLE_TEXT], members: &[], likely: 3, stands_alone: false },
];

impl Rows {
    fn table(&self) -> Table {
        let columns = |columns: &[&Column]| columns.iter().filter_map(|column| Oid::new(column.arcs)).collect();
        Table {
            leaders: columns(self.leaders),
            members: columns(self.members),
            likely: self.likely,
            stands_alone: self.stands_alone,
            sparse: false,
        }
    }

    fn lead(&self, columns: &[&Column]) -> bool {
        self.leaders.iter().any(|leader| columns.iter().any(|column| leader.arcs == column.arcs))
    }
}

/// The standard tables as a reading walks them.
pub fn tables() -> Vec<Table> {
    TABLES.iter().map(Rows::table).collect()
}

/// The tables whose rows come and go.
pub fn volatile_tables() -> Vec<Table> {
    let volatile = |rows: &&Rows| rows.leaders.iter().any(|column| column.ageing == Ageing::Volatile);
    TABLES.iter().filter(volatile).map(Rows::table).collect()
}

/// Tables that some devices keep in another SNMP context, as far as the default one lacks them.
pub fn context_tables(variables: &Variables) -> Vec<Table> {
    let lacks = |column: &Column| variables.column(column.arcs).next().is_none();
    let supplies: &[&Column] = &[&PRT_SUPPLIES_LEVEL, &PRT_COLORANT_VALUE];
    let marker: &[&Column] = &[&PRT_MARKER_LIFE_COUNT];
    let wanted = |rows: &&Rows| {
        (lacks(&PRT_SUPPLIES_LEVEL) && rows.lead(supplies)) || (lacks(&PRT_MARKER_LIFE_COUNT) && rows.lead(marker))
    };
    TABLES.iter().filter(wanted).map(Rows::table).collect()
}

/// Octets that a value of a column takes where none has been seen yet.
pub fn likely_octets(column: &[u32]) -> usize {
    const TEXTS: &[&Column] = &[
        &HR_DEVICE_DESCR,
        &PRT_GENERAL_PRINTER_NAME,
        &PRT_GENERAL_SERIAL_NUMBER,
        &PRT_INPUT_MEDIA_NAME,
        &PRT_INPUT_NAME,
        &PRT_INPUT_DESCRIPTION,
        &PRT_OUTPUT_NAME,
        &PRT_OUTPUT_DESCRIPTION,
        &PRT_SUPPLIES_DESCRIPTION,
        &PRT_ALERT_DESCRIPTION,
        &PRT_CONSOLE_TEXT,
    ];
    if TEXTS.iter().any(|text| text.arcs == column) { 16 } else { 2 }
}

/// Columns of which any row tells a printer from other devices.
pub const PRINTER_SIGNS: &[&Column] = &[&HR_PRINTER_STATUS, &PRT_MARKER_LIFE_COUNT, &PRT_SUPPLIES_LEVEL];

const SYS_DESCR: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 1, 0];
pub(crate) const SYS_OBJECT_ID: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 2, 0];
const SYS_UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];
const SYS_CONTACT: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 4, 0];
const SYS_NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 5, 0];
const SYS_LOCATION: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 6, 0];

/// The system group, which every SNMP agent has: what a first request asks for.
pub fn system_names() -> Vec<Oid> {
    [SYS_DESCR, SYS_OBJECT_ID, SYS_UP_TIME, SYS_CONTACT, SYS_NAME, SYS_LOCATION]
        .into_iter()
        .filter_map(Oid::new)
        .collect()
}

/// sysUpTime.0.
pub fn up_time_name() -> Option<Oid> {
    Oid::new(SYS_UP_TIME)
}

/// What the system group says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct System {
    /// sysDescr.
    pub description: Option<String>,
    /// sysObjectID.
    pub object_id: Option<Oid>,
    /// sysUpTime, hundredths of a second.
    pub up_time: Option<i64>,
    /// sysContact.
    pub contact: Option<String>,
    /// sysName.
    pub name: Option<String>,
    /// sysLocation.
    pub location: Option<String>,
}

impl System {
    /// Reads the system group.
    pub fn of(variables: &Variables) -> Self {
        let string = |arcs: &[u32]| text::text_in(variables.character_set(), variables.get(arcs)?.octets()?);
        Self {
            description: string(SYS_DESCR),
            object_id: match variables.get(SYS_OBJECT_ID) {
                Some(crate::snmp::message::Value::ObjectIdentifier(oid)) => Some(oid.clone()),
                _ => None,
            },
            up_time: variables.get(SYS_UP_TIME).and_then(|value| value.number()),
            contact: string(SYS_CONTACT),
            name: string(SYS_NAME),
            location: string(SYS_LOCATION),
        }
    }
}

/// Whether the device has any of the tables that make a printer.
pub fn is_printer(variables: &Variables) -> bool {
    PRINTER_SIGNS.iter().any(|column| variables.column(column.arcs).next().is_some())
}

/// hrDeviceIndex of the printer: the row of that type, or the one that the printer tables use.
pub fn printer_index(variables: &Variables) -> Option<u32> {
    const HR_DEVICE_PRINTER: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 1, 5];
    let by_type = variables.column(HR_DEVICE_TYPE.arcs).find_map(|(index, value)| match value {
        crate::snmp::message::Value::ObjectIdentifier(oid) if oid.arcs() == HR_DEVICE_PRINTER => index.first(),
        _ => None,
    });
    let by_table = || {
        [HR_PRINTER_STATUS, PRT_GENERAL_CONFIG_CHANGES]
            .iter()
            .find_map(|column| variables.column(column.arcs).next().and_then(|(index, _)| index.first()))
    };
    by_type.or_else(by_table).copied()
}

/// The text of a column in the printer's row, else of its first row that has any, with the row's index.
pub fn printer_text(variables: &Variables, column: &[u32]) -> Option<(Vec<u32>, String)> {
    let rows = || {
        let row = |(index, _): (&[u32], _)| Some((index.to_vec(), variables.text(column, index)?));
        variables.column(column).filter_map(row)
    };
    let own = printer_index(variables);
    rows().find(|(index, _)| index.first().copied() == own).or_else(|| rows().next())
}

/// The character set of the language that the device speaks (prtGeneralCurrentLocalization), else of its first.
pub fn character_set(variables: &Variables) -> CharacterSet {
    let [sets, current] = CHARACTER_SETS;
    let language = variables.column(current.arcs).next().and_then(|(device, language)| {
        let language = u32::try_from(language.number()?).ok()?;
        variables.cell(sets.arcs, &[device, &[language]].concat())
    });
    let code = language.or_else(|| variables.column(sets.arcs).next().map(|(_, value)| value));
    code.and_then(|code| code.number()).map_or(CharacterSet::Unknown, CharacterSet::from_code)
}

/// What the system group says, with its places.
pub fn system_texts(variables: &Variables) -> Vec<(&'static str, Oid, String)> {
    let System { description, object_id, contact, name, location, .. } = System::of(variables);
    let texts = [
        ("description", SYS_DESCR, description),
        ("sysObjectId", SYS_OBJECT_ID, object_id.map(|id| id.to_string())),
        ("contact", SYS_CONTACT, contact),
        ("hostName", SYS_NAME, name),
        ("location", SYS_LOCATION, location),
    ];
    texts.into_iter().filter_map(|(field, arcs, text)| Some((field, Oid::new(arcs)?, text?))).collect()
}

/// The MAC of the first Ethernet port that is up, else of any port that has one (RFC 2863: ifType 6, ifOperStatus 1).
pub fn mac(variables: &Variables) -> Option<(Oid, String)> {
    let number = |column: &Column, index: &[u32]| variables.cell(column.arcs, index).and_then(|value| value.number());
    let ports: Vec<(&[u32], String)> = variables
        .column(IF_PHYS_ADDRESS.arcs)
        .filter_map(|(index, value)| Some((index, text::mac(value.octets()?)?)))
        .collect();
    let ethernet_up =
        ports.iter().find(|(index, _)| number(&IF_TYPE, index) == Some(6) && number(&IF_OPER_STATUS, index) == Some(1));
    let (index, mac) = ethernet_up.or_else(|| ports.first())?;
    Some((Oid::new(IF_PHYS_ADDRESS.arcs)?.child(index), mac.clone()))
}

/// The state of the printer with its alerts.
pub fn status(variables: &Variables) -> Status {
    let device = printer_index(variables);
    let own = |column: &Column| {
        let mut rows = variables.column(column.arcs);
        let first = variables.column(column.arcs).next();
        rows.find(|(index, _)| index.first().copied() == device).or(first).map(|(_, value)| value)
    };
    Status {
        printer: own(&HR_PRINTER_STATUS).and_then(|value| value.number()).map(PrinterState::from_code),
        device: own(&HR_DEVICE_STATUS).and_then(|value| value.number()).map(DeviceState::from_code),
        errors: own(&HR_PRINTER_DETECTED_ERROR_STATE)
            .and_then(|value| value.octets())
            .map(detected_errors)
            .unwrap_or_default(),
        console: variables
            .column(PRT_CONSOLE_TEXT.arcs)
            .filter_map(|(index, _)| variables.text(PRT_CONSOLE_TEXT.arcs, index))
            .take(16)
            .collect(),
        alerts: alerts(variables),
    }
}

/// The bits of hrPrinterDetectedErrorState. Firmwares that send a word instead of bits are not taken at their letters: more
/// than four octets are no bit string of 15 conditions.
fn detected_errors(octets: &[u8]) -> Vec<DetectedError> {
    if octets.len() > 4 {
        return Vec::new();
    }
    let bits = octets.iter().flat_map(|octet| (0..8).map(move |bit| octet & (0x80 >> bit) != 0));
    bits.enumerate()
        .filter(|(_, set)| *set)
        .take(15)
        .filter_map(|(bit, _)| i64::try_from(bit).ok())
        .filter(|bit| *bit < 15)
        .map(DetectedError::from_code)
        .collect()
}

/// Rows of the alert table that a person should see: warnings and worse, that say what they are about. Some makers send low
/// ink as a binary change; what others send so (asleep, ready) has neither words nor one of the codes that call for a person.
fn alerts(variables: &Variables) -> Vec<Alert> {
    let number = |column: &Column, index: &[u32]| variables.cell(column.arcs, index).and_then(|value| value.number());
    variables
        .column(PRT_ALERT_SEVERITY.arcs)
        .filter_map(|(index, severity)| {
            let severity = AlertSeverity::from_code(severity.number()?);
            let code = number(&PRT_ALERT_CODE, index);
            let words = variables
                .text(PRT_ALERT_DESCRIPTION.arcs, index)
                .or_else(|| code.and_then(alert_code_words).map(str::to_owned))?;
            let urgent = match severity {
                AlertSeverity::Critical | AlertSeverity::Warning => true,
                AlertSeverity::WarningBinaryChange => code.and_then(alert_code_words).is_some(),
                _ => false,
            };
            urgent.then(|| Alert {
                severity,
                group: AlertGroup::from_code(number(&PRT_ALERT_GROUP, index).unwrap_or(1)),
                group_index: number(&PRT_ALERT_GROUP_INDEX, index).filter(|index| *index >= 0),
                code,
                description: words,
            })
        })
        .take(64)
        .collect()
}

/// Words for the codes of PrtAlertCodeTC (IANA-PRINTER-MIB) that call for a person; the others (a cover closed, power up,
/// warming up) say that all is well and are no alert without words of the device.
fn alert_code_words(code: i64) -> Option<&'static str> {
    Some(match code {
        3 => "cover open",
        5 => "interlock open",
        8 => "jam",
        9 => "part missing",
        10 => "part near the end of its life",
        11 => "part at the end of its life",
        12 => "almost empty",
        13 => "empty",
        14 => "almost full",
        15 => "full",
        16 => "near its limit",
        17 => "at its limit",
        18 => "opened",
        22 => "offline",
        26 => "removed",
        29 => "recoverable failure",
        30 => "unrecoverable failure",
        501 => "door open",
        801 => "input tray missing",
        807 => "paper low",
        808 => "paper empty",
        809 => "other paper requested",
        810 => "manual feed requested",
        901 => "output tray missing",
        902 => "output tray almost full",
        903 => "output tray full",
        1101 => "toner empty",
        1102 => "ink empty",
        1104 => "toner almost empty",
        1105 => "ink almost empty",
        1107 => "waste toner box almost full",
        1108 => "waste ink box almost full",
        1109 => "waste toner box full",
        1110 => "waste ink box full",
        1111 => "drum near the end of its life",
        1112 => "drum at the end of its life",
        1113 => "developer almost empty",
        1114 => "developer empty",
        1115 => "toner cartridge missing",
        _ => return None,
    })
}

/// The rows that any of the columns has, in their order.
fn row_indexes<'a>(variables: &'a Variables, columns: &[&Column]) -> BTreeSet<&'a [u32]> {
    columns.iter().flat_map(|column| variables.column(column.arcs).map(|(index, _)| index)).take(4096).collect()
}

/// Level and capacity by RFC 3805; a capacity that is a code or nought is none.
fn level_and_capacity([level, capacity]: [Option<i64>; 2]) -> (Level, Option<u32>) {
    let capacity = capacity.and_then(|value| u32::try_from(value).ok()).filter(|value| *value > 0);
    (level.map_or(Level::Unknown, Level::from_code), capacity)
}

/// What of the numbers read is not to be seen in the level and the capacity made of them.
fn raw([level_code, capacity_code]: [Option<i64>; 2], level: Level, capacity: Option<u32>) -> Raw {
    Raw {
        level: level_code.filter(|code| level.code() != Some(*code)),
        capacity: capacity_code.filter(|code| capacity.map(i64::from) != Some(*code)),
    }
}

/// The rows of the input table, then those of the output table.
pub fn trays(variables: &Variables) -> Vec<Tray> {
    let inputs = row_indexes(variables, &[&PRT_INPUT_CURRENT_LEVEL, &PRT_INPUT_TYPE]).into_iter().map(|index| {
        let row = Row { variables, index };
        let kind = TrayKind::Input(InputKind::from_code(row.number(&PRT_INPUT_TYPE).unwrap_or(2)));
        row.tray(kind, &PRT_INPUT_NAME, &PRT_INPUT_DESCRIPTION, Some(&PRT_INPUT_MEDIA_NAME), &INPUT_AMOUNTS)
    });
    let outputs =
        row_indexes(variables, &[&PRT_OUTPUT_REMAINING_CAPACITY, &PRT_OUTPUT_TYPE]).into_iter().map(|index| {
            let row = Row { variables, index };
            let kind = TrayKind::Output(OutputKind::from_code(row.number(&PRT_OUTPUT_TYPE).unwrap_or(2)));
            row.tray(kind, &PRT_OUTPUT_NAME, &PRT_OUTPUT_DESCRIPTION, None, &OUTPUT_AMOUNTS)
        });
    inputs.take(64).chain(outputs.take(64)).collect()
}

/// Unit, capacity, level and status of a table of trays.
type Amounts = [&'static Column; 4];
const INPUT_AMOUNTS: Amounts =
    [&PRT_INPUT_CAPACITY_UNIT, &PRT_INPUT_MAX_CAPACITY, &PRT_INPUT_CURRENT_LEVEL, &PRT_INPUT_STATUS];
const OUTPUT_AMOUNTS: Amounts =
    [&PRT_OUTPUT_CAPACITY_UNIT, &PRT_OUTPUT_MAX_CAPACITY, &PRT_OUTPUT_REMAINING_CAPACITY, &PRT_OUTPUT_STATUS];

struct Row<'a> {
    variables: &'a Variables,
    index: &'a [u32],
}

impl Row<'_> {
    fn number(&self, column: &Column) -> Option<i64> {
        self.variables.cell(column.arcs, self.index).and_then(|value| value.number())
    }

    fn text(&self, column: &Column) -> Option<String> {
        self.variables.text(column.arcs, self.index)
    }

    fn tray(
        &self,
        kind: TrayKind,
        name: &Column,
        description: &Column,
        media: Option<&Column>,
        amounts: &Amounts,
    ) -> Tray {
        let [unit, capacity, level, status] = amounts;
        let codes = [self.number(level), self.number(capacity)];
        let (level, capacity) = level_and_capacity(codes);
        let description = self.text(description);
        let name = self.text(name).or_else(|| description.clone()).unwrap_or_default();
        Tray {
            index: dotted(self.index),
            kind,
            description: description.filter(|description| *description != name),
            name,
            media: media.and_then(|column| self.text(column)),
            unit: TrayUnit::from_code(self.number(unit).unwrap_or(2)),
            capacity,
            level,
            raw: raw(codes, level, capacity),
            status: self.number(status).and_then(|value| u32::try_from(value).ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_bits_count_from_the_most_significant() {
        assert_eq!(detected_errors(&[0x08]), [DetectedError::DoorOpen]);
        assert_eq!(detected_errors(&[0x20, 0x04]), [DetectedError::LowToner, DetectedError::InputTrayEmpty]);
        assert_eq!(detected_errors(&[]), []);
        assert_eq!(detected_errors(b"Ready to print"), []);
    }
}
