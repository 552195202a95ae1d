//! What a recording says of the parts of a printer: the fixed frame in which a life goes on.

use std::collections::BTreeMap;

use super::model::{Model, Row, Spot};
use crate::{
    oid::{Oid, Value},
    recording::Recording,
};

/// Columns of RFC 3805, RFC 2790 and RFC 3418 that change in a life.
pub(super) mod column {
    pub const UPTIME: &str = "1.3.6.1.2.1.1.3.0";
    pub const HOST_UPTIME: &str = "1.3.6.1.2.1.25.1.1.0";
    pub const DEVICE_TYPE: &str = "1.3.6.1.2.1.25.3.2.1.2";
    pub const DEVICE_STATUS: &str = "1.3.6.1.2.1.25.3.2.1.5";
    pub const PRINTER_STATUS: &str = "1.3.6.1.2.1.25.3.5.1.1";
    pub const ERROR_STATE: &str = "1.3.6.1.2.1.25.3.5.1.2";
    pub const CRITICAL_EVENTS: &str = "1.3.6.1.2.1.43.5.1.1.18";
    pub const ALL_EVENTS: &str = "1.3.6.1.2.1.43.5.1.1.19";
    pub const COVER_DESCRIPTION: &str = "1.3.6.1.2.1.43.6.1.1.2";
    pub const COVER_STATUS: &str = "1.3.6.1.2.1.43.6.1.1.3";
    pub const INPUT_CAPACITY: &str = "1.3.6.1.2.1.43.8.2.1.9";
    pub const INPUT_LEVEL: &str = "1.3.6.1.2.1.43.8.2.1.10";
    pub const INPUT_STATUS: &str = "1.3.6.1.2.1.43.8.2.1.11";
    pub const INPUT_NAME: &str = "1.3.6.1.2.1.43.8.2.1.13";
    pub const INPUT_DESCRIPTION: &str = "1.3.6.1.2.1.43.8.2.1.18";
    pub const SUPPLY_CLASS: &str = "1.3.6.1.2.1.43.11.1.1.4";
    pub const SUPPLY_TYPE: &str = "1.3.6.1.2.1.43.11.1.1.5";
    pub const SUPPLY_DESCRIPTION: &str = "1.3.6.1.2.1.43.11.1.1.6";
    pub const SUPPLY_CAPACITY: &str = "1.3.6.1.2.1.43.11.1.1.8";
    pub const SUPPLY_LEVEL: &str = "1.3.6.1.2.1.43.11.1.1.9";
    pub const CONSOLE: &str = "1.3.6.1.2.1.43.16.5.1.2";
    pub const ALERTS: &str = "1.3.6.1.2.1.43.18.1.1";
}

/// hrDevicePrinter: the type of the device row that is the printer.
const PRINTER_TYPE: &str = "1.3.6.1.2.1.25.3.1.5";

/// A column; the names above are all OIDs.
pub(super) fn column(text: &str) -> Oid {
    text.parse().expect("the columns of this module are OIDs")
}

/// What stays the same while a printer lives.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub device: Row,
    pub uptime: u64,
    /// How many octets of error bits it sends when there is something to say, and when there is not.
    pub error_octets: (usize, usize),
    pub covers: BTreeMap<Row, String>,
    pub trays: BTreeMap<Row, Tray>,
    pub supplies: BTreeMap<Row, Supply>,
    /// The lines of its console; none where it leaves the first one empty.
    pub console: Vec<Oid>,
    /// Rows that repeat the console, and how long they are padded with spaces.
    pub repeats: Vec<(Oid, usize)>,
    /// First index of prtAlertTable that the recording leaves free.
    pub first_alert: u32,
    pub events: (u64, u64),
}

#[derive(Debug, Clone)]
pub(super) struct Tray {
    pub name: String,
    pub size: String,
    pub capacity: u64,
    pub step: u64,
    /// As recorded: a negative code is kept for as long as the tray is not empty.
    pub level: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Supply {
    pub name: String,
    pub kind: Kind,
    pub capacity: i64,
    /// As recorded: a negative code is kept, −3 until nothing is left.
    pub level: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Toner,
    Ink,
    WasteToner,
    WasteInk,
    /// A drum, a fuser, a belt: warns and goes on.
    Part,
}

impl Facts {
    /// Gathers them; an error says which row the model's file names and the recording lacks.
    pub fn of(recording: &Recording, model: &Model) -> Result<Self, String> {
        let rows = Rows(&recording.rows);
        let kind = column(PRINTER_TYPE);
        let is_printer = |(_, value): &(Row, &Value)| matches!(value, Value::ObjectId(oid) if *oid == kind);
        let printer = rows.below(column::DEVICE_TYPE).find(is_printer).map(|(row, _)| row);
        let device = printer.ok_or("the recording has no row of hrDeviceType that is a printer")?;
        let errors = rows.get(column::ERROR_STATE, &device)?.octets().map_or(1, <[u8]>::len);
        let names = rows.below(column::COVER_DESCRIPTION);
        let mut trays = BTreeMap::new();
        for tray in &model.tray {
            let number = |column| rows.number(column, &tray.row);
            let capacity = number(column::INPUT_CAPACITY)?;
            let facts = Tray {
                name: rows.name(&[column::INPUT_NAME, column::INPUT_DESCRIPTION], &tray.row),
                size: tray.size.clone(),
                capacity: u64::try_from(capacity).map_err(|_| format!("tray {} has no capacity", tray.row))?,
                step: tray.step.max(1),
                level: number(column::INPUT_LEVEL)?,
            };
            number(column::INPUT_STATUS)?;
            trays.insert(tray.row.clone(), facts);
        }
        let mut supplies = BTreeMap::new();
        for supply in &model.supply {
            let number = |column| rows.number(column, &supply.row);
            let kind = match (number(column::SUPPLY_CLASS)?, number(column::SUPPLY_TYPE)?) {
                (4, 8) => Kind::WasteInk,
                (4, _) => Kind::WasteToner,
                (_, 3 | 21) => Kind::Toner,
                (_, 5 | 6) => Kind::Ink,
                _ => Kind::Part,
            };
            let facts = Supply {
                name: rows.name(&[column::SUPPLY_DESCRIPTION], &supply.row),
                kind,
                capacity: number(column::SUPPLY_CAPACITY)?,
                level: number(column::SUPPLY_LEVEL)?,
            };
            supplies.insert(supply.row.clone(), facts);
        }
        let console: Vec<Oid> = rows.cells(column::CONSOLE).collect();
        let speaks = console.first().is_some_and(|first| !rows.text(first).is_empty());
        let repeats = model.console.iter().map(|oid| {
            let text =
                rows.0.get(oid).and_then(Value::octets).ok_or_else(|| format!("console: there is no text at {oid}"))?;
            Ok((oid.clone(), if text.ends_with(b" ") { text.len() } else { 0 }))
        });
        let alerts = rows.cells(column::ALERTS).filter_map(|oid| oid.arcs().last().copied());
        let event =
            |column| rows.number(column, &device).ok().and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
        let uptime = rows.0.get(&column(column::UPTIME)).and_then(Value::number);
        Ok(Self {
            uptime: uptime.and_then(|uptime| u64::try_from(uptime).ok()).unwrap_or_default(),
            error_octets: (errors.max(1), errors),
            covers: names
                .map(|(row, text)| (row, String::from_utf8_lossy(text.octets().unwrap_or_default()).into()))
                .collect(),
            trays,
            supplies,
            console: if speaks { console } else { Vec::new() },
            repeats: repeats.collect::<Result<_, String>>()?,
            first_alert: alerts.max().unwrap_or_default() + 1,
            events: (event(column::CRITICAL_EVENTS), event(column::ALL_EVENTS)),
            device,
        })
    }
}

/// The places that a model's file names and the recording does not have.
pub(super) fn missing(recording: &Recording, model: &Model) -> Option<String> {
    let also = model.supply.iter().flat_map(|supply| &supply.also);
    let spots: Vec<&Spot> = model.counters.keys().chain(also).chain(model.sums.iter().flatten()).collect();
    let missing = spots.into_iter().find(|spot| spot.read(&recording.rows).is_none());
    missing.map(|spot| format!("there is no number at {spot}"))
}

struct Rows<'a>(&'a BTreeMap<Oid, Value>);

impl<'a> Rows<'a> {
    fn cells(&self, root: &str) -> impl Iterator<Item = Oid> {
        let root = column(root);
        self.0.range(root.clone()..).map(|(oid, _)| oid).take_while(move |oid| oid.is_within(&root)).cloned()
    }

    fn below(&self, root: &str) -> impl Iterator<Item = (Row, &'a Value)> {
        let root = column(root);
        self.0.range(root.clone()..).map_while(move |(oid, value)| {
            let arcs = oid.arcs().strip_prefix(root.arcs())?;
            Some((Row::new(arcs), value))
        })
    }

    fn get(&self, root: &str, row: &Row) -> Result<&'a Value, String> {
        let cell = row.of(&column(root)).and_then(|oid| self.0.get(&oid));
        cell.ok_or_else(|| format!("the recording has no row {row} at {root}"))
    }

    fn number(&self, root: &str, row: &Row) -> Result<i64, String> {
        self.get(root, row)?.number().ok_or_else(|| format!("row {row} at {root} is no number"))
    }

    fn text(&self, oid: &Oid) -> String {
        String::from_utf8_lossy(self.0.get(oid).and_then(Value::octets).unwrap_or_default()).into_owned()
    }

    fn name(&self, columns: &[&str], row: &Row) -> String {
        let cells = columns.iter().filter_map(|name| row.of(&column(name)));
        cells.map(|oid| self.text(&oid)).find(|text| !text.is_empty()).unwrap_or_else(|| row.to_string())
    }
}
