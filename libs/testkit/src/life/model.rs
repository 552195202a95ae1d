//! What is particular to one model's life, read from `demo/life/*.toml`: which rows count what, how long supplies last,
//! which trays are fed from. Data only; what happens with it is in [`super`].

use std::{collections::BTreeMap, fmt, fs, path::Path, str::FromStr, time::Duration};

use anyhow::Context as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::oid::{Oid, Value};

/// One model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Model {
    /// Maker and model.
    pub name: String,
    /// Serial number as it stands in the recording, wherever it does.
    pub serial: String,
    /// Host name as it stands in the recording, where it has one.
    pub host: Option<String>,
    /// How fast it prints.
    pub pages_per_minute: u64,
    /// After how long without a job it sleeps.
    pub sleeps_after: Span,
    /// How many sheets there are to a paper jam.
    pub sheets_per_jam: Option<u64>,
    /// What the device calls a warning in prtAlertSeverityLevel.
    #[serde(default = "warning")]
    pub warning_severity: i32,
    /// Rows that repeat the first line of the console.
    #[serde(default)]
    pub console: Vec<Oid>,
    /// Rows of which the first is always the sum of the others.
    #[serde(default)]
    pub sums: Vec<Vec<Spot>>,
    /// What people do with it.
    pub mix: Mix,
    /// Its language.
    #[serde(default)]
    pub texts: Texts,
    /// What each counter counts.
    pub counters: BTreeMap<Spot, Count>,
    /// Its supplies, as far as they are used up.
    #[serde(default)]
    pub supply: Vec<SupplyModel>,
    /// Its trays, as far as they are fed from.
    #[serde(default)]
    pub tray: Vec<TrayModel>,
}

fn warning() -> i32 {
    4
}

impl Model {
    /// Reads a model's file.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("can not read {}", path.display()))?;
        let model: Self = toml::from_str(&text).with_context(|| format!("{} is wrong", path.display()))?;
        let shares: u64 = model.mix.sizes.values().sum();
        anyhow::ensure!(shares == 100, "{}: the shares of the sizes make {shares} percent", path.display());
        Ok(model)
    }
}

/// What people do with a device: shares in percent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mix {
    /// Of all impressions those that are copies.
    #[serde(default)]
    pub copy: u64,
    /// Of all impressions those that are received faxes.
    #[serde(default)]
    pub fax: u64,
    /// Of prints and copies those in colour.
    #[serde(default)]
    pub color: u64,
    /// Of prints and copies those on both sides.
    #[serde(default)]
    pub two_sided: u64,
    /// Jobs that scan to send, per hundred jobs that print.
    #[serde(default)]
    pub scan: u64,
    /// Of prints and copies those on each size; together 100.
    pub sizes: BTreeMap<String, u64>,
}

impl Mix {
    /// The size used most.
    pub fn usual_size(&self) -> &str {
        self.sizes.iter().max_by_key(|(_, share)| **share).map_or("", |(size, _)| size)
    }
}

/// What a device says when; `{}` is the part meant.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Texts {
    pub ready: String,
    pub printing: String,
    pub sleeping: String,
    pub warming: String,
    pub cover: String,
    pub jam: String,
    pub tray_low: String,
    pub tray_empty: String,
    pub supply_low: String,
    pub supply_out: String,
    pub waste_near_full: String,
    pub waste_full: String,
    pub part_low: String,
    pub part_over: String,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            ready: "Ready".into(),
            printing: "Printing...".into(),
            sleeping: "Sleep".into(),
            warming: "Warming up...".into(),
            cover: "{} is open".into(),
            jam: "Paper jam".into(),
            tray_low: "Paper low in {}".into(),
            tray_empty: "Add paper in {}".into(),
            supply_low: "{} is low".into(),
            supply_out: "Replace {}".into(),
            waste_near_full: "{} is nearly full".into(),
            waste_full: "{} is full".into(),
            part_low: "{} near end of life".into(),
            part_over: "Replace {}".into(),
        }
    }
}

/// One supply.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SupplyModel {
    /// Its index below the columns of prtMarkerSuppliesTable.
    pub row: Row,
    /// What uses it up.
    pub used_by: Count,
    /// How much of that it lasts for.
    pub lasts: u64,
    /// The device's steps, in percent.
    #[serde(default = "one")]
    pub step: u64,
    /// Percent left at first, where the recording does not say.
    pub start: Option<u64>,
    /// Percent left from which on the device warns.
    #[serde(default = "low")]
    pub low: u64,
    /// Other places where the device says how much is left, in percent.
    #[serde(default)]
    pub also: Vec<Spot>,
}

fn one() -> u64 {
    1
}

fn low() -> u64 {
    10
}

/// One input tray.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrayModel {
    /// Its index below the columns of prtInputTable.
    pub row: Row,
    /// What is in it.
    pub size: String,
    /// The device's steps, in sheets.
    #[serde(default = "one")]
    pub step: u64,
    /// Sheets in it at first, where the recording does not say.
    pub start: Option<u64>,
}

/// The index of a row of a table: `1.3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row(Vec<u32>);

impl Row {
    /// The row with this index.
    pub fn new(arcs: &[u32]) -> Self {
        Self(arcs.to_vec())
    }

    /// The cell of this row in a column; `None` where that is too long to be an OID.
    pub fn of(&self, column: &Oid) -> Option<Oid> {
        column.child(&self.0)
    }

    /// The last arc: what other tables refer to the row by.
    pub fn number(&self) -> u32 {
        self.0.last().copied().unwrap_or_default()
    }
}

impl FromStr for Row {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let arcs = text.split('.').map(str::parse).collect::<Result<Vec<u32>, _>>();
        arcs.map(Self).map_err(|_| format!("`{text}` is no row: numbers joined by dots are wanted, as in `1.3`"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arcs: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&arcs.join("."))
    }
}

/// Where a number stands: a row (`1.3.6…`), a record in a binary row (`1.3.6…#6f`: tag, 01, 04, four octets), or either in
/// a fraction of its unit (`…/100`: one hundred for each).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The row.
    pub oid: Oid,
    tag: Option<u8>,
    per_unit: u32,
}

impl Spot {
    /// The number, in the unit; `None` where there is none.
    pub fn read(&self, rows: &BTreeMap<Oid, Value>) -> Option<u64> {
        let value = rows.get(&self.oid)?;
        let number = match self.tag {
            None => u64::try_from(value.number()?).ok()?,
            Some(tag) => {
                let (_, octets) = record(value.octets()?, tag)?;
                u64::from(u32::from_be_bytes(octets))
            }
        };
        Some(number / u64::from(self.per_unit))
    }

    /// The row with the number in it; the type stays, and what is too large wraps or stops as the type does.
    pub fn written(&self, rows: &BTreeMap<Oid, Value>, number: u64) -> Option<Value> {
        let number = number.wrapping_mul(u64::from(self.per_unit));
        let wrapped = u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        Some(match (rows.get(&self.oid)?, self.tag) {
            (Value::Integer(_), None) => Value::Integer(i32::try_from(number).unwrap_or(i32::MAX)),
            (Value::Counter32(_), None) => Value::Counter32(wrapped),
            (Value::Gauge32(_), None) => Value::Gauge32(wrapped),
            (Value::Counter64(_), None) => Value::Counter64(number),
            (Value::OctetString(octets), Some(tag)) => {
                let (position, _) = record(octets, tag)?;
                let mut octets = octets.clone();
                octets.get_mut(position..position + 4)?.copy_from_slice(&wrapped.to_be_bytes());
                Value::OctetString(octets)
            }
            _ => return None,
        })
    }
}

/// Position and octets of a record's number.
fn record(octets: &[u8], wanted: u8) -> Option<(usize, [u8; 4])> {
    let records = octets.chunks_exact(7).enumerate();
    records.into_iter().find_map(|(index, record)| match record {
        [tag, 1, 4, a, b, c, d] if *tag == wanted => Some((index * 7 + 3, [*a, *b, *c, *d])),
        _ => None,
    })
}

impl FromStr for Spot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (place, per_unit) = text.split_once('/').unwrap_or((text, "1"));
        let per_unit = per_unit.parse().ok().filter(|per_unit| *per_unit > 0);
        let (oid, tag) = match place.split_once('#') {
            None => (place, None),
            Some((oid, tag)) => {
                (oid, Some(u8::from_str_radix(tag, 16).map_err(|_| format!("`{text}`: `{tag}` is no octet"))?))
            }
        };
        Ok(Self {
            oid: oid.parse::<Oid>().map_err(|error| error.to_string())?,
            tag,
            per_unit: per_unit.ok_or_else(|| format!("`{text}`: behind `/` a number is wanted"))?,
        })
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.oid)?;
        if let Some(tag) = self.tag {
            write!(f, "#{tag:02x}")?;
        }
        if self.per_unit != 1 {
            write!(f, "/{}", self.per_unit)?;
        }
        Ok(())
    }
}

/// What a counter counts: a unit and any number of conditions, all of which must hold, as words:
/// `impressions copy color a3`, `sheets two-sided`, `scans send mono adf`, `jams`. `large` is A3 and Ledger, `small` all
/// else; `since-power-on` starts again from nought when the device does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    unit: Unit,
    words: Vec<String>,
    /// Whether it starts again when the device does.
    pub since_power_on: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Impressions,
    Sheets,
    Scans,
    Jams,
}

/// One thing that happens in a device, in words that a [`Count`] may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A sheet is printed: on both sides it is two impressions.
    Sheet {
        /// `print`, `copy` or `fax`.
        service: &'a str,
        /// Whether in colour.
        color: bool,
        /// The size.
        size: &'a str,
        /// Whether on both sides.
        two_sided: bool,
    },
    /// An original is scanned.
    Scan {
        /// `copy`, `fax` or `send`.
        service: &'a str,
        /// Whether in colour.
        color: bool,
        /// Through the feeder, not from the glass.
        adf: bool,
    },
    /// Paper jams.
    Jam,
}

impl Count {
    /// By how much the event raises it.
    pub fn raised_by(&self, event: Event<'_>) -> u64 {
        let colors = |color| if color { "color" } else { "mono" };
        let (amount, words) = match (event, self.unit) {
            (Event::Sheet { service, color, size, two_sided }, Unit::Impressions | Unit::Sheets) => {
                let amount = if two_sided && self.unit == Unit::Impressions { 2 } else { 1 };
                let sides = if two_sided { "two-sided" } else { "one-sided" };
                let class = if matches!(size, "a3" | "ledger") { "large" } else { "small" };
                (amount, [service, colors(color), size, sides, class])
            }
            (Event::Scan { service, color, adf }, Unit::Scans) => {
                (1, [service, colors(color), if adf { "adf" } else { "flatbed" }, "", ""])
            }
            (Event::Jam, Unit::Jams) => (1, [""; 5]),
            _ => return 0,
        };
        if self.words.iter().all(|word| words.contains(&word.as_str())) { amount } else { 0 }
    }
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let unit = match words.first().map(String::as_str) {
            Some("impressions") => Unit::Impressions,
            Some("sheets") => Unit::Sheets,
            Some("scans") => Unit::Scans,
            Some("jams") => Unit::Jams,
            _ => return Err(format!("`{text}` begins with none of impressions, sheets, scans, jams")),
        };
        words.remove(0);
        let since_power_on = words.iter().any(|word| word == "since-power-on");
        words.retain(|word| word != "since-power-on");
        let known: &[&str] = match unit {
            Unit::Impressions | Unit::Sheets => &[
                "print",
                "copy",
                "fax",
                "mono",
                "color",
                "one-sided",
                "two-sided",
                "large",
                "small",
                "a3",
                "a4",
                "a5",
                "label",
            ],
            Unit::Scans => &["copy", "fax", "send", "mono", "color", "adf", "flatbed"],
            Unit::Jams => &[],
        };
        match words.iter().find(|word| !known.contains(&word.as_str())) {
            Some(word) => Err(format!("`{text}`: `{word}` is none of {}", known.join(", "))),
            None => Ok(Self { unit, words, since_power_on }),
        }
    }
}

/// A span of time in a file: `500ms`, `90s`, `10m`, `3h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => 0,
        };
        let span =
            number.parse::<u64>().ok().filter(|_| milliseconds > 0).and_then(|number| number.checked_mul(milliseconds));
        let span = span.ok_or_else(|| format!("`{text}` is no span of time: wanted is 500ms, 90s, 10m or 3h"))?;
        Ok(Self(Duration::from_millis(span)))
    }
}

/// Read from and written as text.
macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

as_text!(Row, Spot, Count, Span, Oid);

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Spot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Recording;

    #[test]
    fn a_count_counts_what_its_words_say() {
        let sheet = Event::Sheet { service: "copy", color: true, size: "a3", two_sided: true };
        let scan = Event::Scan { service: "send", color: false, adf: true };
        for (count, sheets, scans) in [
            ("impressions", 2, 0),
            ("sheets", 1, 0),
            ("impressions copy color a3", 2, 0),
            ("impressions large two-sided", 2, 0),
            ("sheets two-sided since-power-on", 1, 0),
            ("impressions one-sided", 0, 0),
            ("impressions print", 0, 0),
            ("scans", 0, 1),
            ("scans send mono adf", 0, 1),
            ("scans color", 0, 0),
            ("jams", 0, 0),
        ] {
            let read: Count = count.parse().unwrap();
            assert_eq!((read.raised_by(sheet), read.raised_by(scan)), (sheets, scans), "{count}");
        }
        assert!("pages".parse::<Count>().unwrap_err().contains("none of impressions"));
        assert!("scans a4".parse::<Count>().unwrap_err().contains("`a4` is none of"));
    }

    #[test]
    fn a_spot_reads_and_writes_in_its_type() {
        let recording =
            Recording::parse("1.3.1|65|7\n1.3.2|2|8\n1.3.3|4x|0001040000000a6f0104000010ccff\n1.3.4|4|x\n").unwrap();
        let rows = recording.rows;
        let spot = |text: &str| text.parse::<Spot>().unwrap();
        assert_eq!(spot("1.3.1").read(&rows), Some(7));
        assert_eq!(spot("1.3.3#6f/100").read(&rows), Some(43));
        assert_eq!(spot("1.3.3#00").read(&rows), Some(10));
        assert_eq!(spot("1.3.3#01").read(&rows), None);
        assert_eq!(spot("1.3.1").written(&rows, (1 << 32) + 1), Some(Value::Counter32(1)));
        assert_eq!(spot("1.3.2").written(&rows, 9), Some(Value::Integer(9)));
        let written = spot("1.3.3#6f/100").written(&rows, 12).unwrap();
        assert_eq!(written.octets().unwrap()[7..14], [0x6f, 1, 4, 0, 0, 0x04, 0xb0]);
        assert_eq!(spot("1.3.4").written(&rows, 1), None);
        for text in ["1.3.3#6f/100", "1.3.1", "1.3.3#00"] {
            assert_eq!(spot(text).to_string(), text);
        }
        for wrong in ["1.3.3#zz", "x", "1.3/0"] {
            assert!(wrong.parse::<Spot>().is_err());
        }
    }

    #[test]
    fn spans_have_a_unit() {
        assert_eq!("90s".parse(), Ok(Span(Duration::from_secs(90))));
        assert_eq!("500ms".parse(), Ok(Span(Duration::from_millis(500))));
        assert_eq!("3h".parse(), Ok(Span(Duration::from_secs(10_800))));
        for wrong in ["", "9", "s", "1d", "-1s", "99999999999999999999h"] {
            assert!(wrong.parse::<Span>().unwrap_err().contains("no span"), "{wrong}");
        }
    }
}
