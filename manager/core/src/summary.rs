//! What lists show and search of a device, taken from its record once when it is stored.

use jiff::{SignedDuration, Timestamp};
use wire::{
    device::{Condition, DeviceRecord, Level, total},
    vocab::{Colorant, SupplyClass, SupplyKind},
};

/// An agent that has not reported for so long is called silent. Agents report at least daily, whatever happens.
pub const AGENT_SILENT_AFTER: SignedDuration = SignedDuration::from_hours(26);

/// What a list shows of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Summary {
    pub manufacturer: String,
    pub model: String,
    pub serial: String,
    pub address: String,
    pub host_name: String,
    pub mac: String,
    pub location: String,
    pub firmware: String,
    /// The worst of what the device says of itself.
    pub condition: Condition,
    pub read_at: Timestamp,
    pub silent_since: Option<Timestamp>,
    /// The total to bill, where there is one.
    pub total: Option<u64>,
    /// Hundredths left of the emptiest consumed supply that has a measure.
    pub lowest_percent: Option<u8>,
    /// Coloured toner and ink.
    pub inks: Vec<Ink>,
}

/// A coloured toner or ink in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ink {
    /// Its colour.
    pub color: Colorant,
    /// How much is left; of a measure only the hundredths are kept.
    pub level: Level,
    /// Hundredths left, where known.
    pub percent: Option<u8>,
}

impl Summary {
    /// The summary of a record.
    pub fn of(record: &DeviceRecord) -> Self {
        let identity = record.identity.clone().unwrap_or_default();
        let supplies = record.supplies.as_deref().unwrap_or_default();
        let consumed = || supplies.iter().filter(|supply| supply.class != SupplyClass::Receptacle);
        let prints = |kind: &SupplyKind| {
            matches!(
                kind,
                SupplyKind::Toner
                    | SupplyKind::TonerCartridge
                    | SupplyKind::Ink
                    | SupplyKind::InkCartridge
                    | SupplyKind::SolidWax
            )
        };
        let inks = consumed().filter(|supply| prints(&supply.kind)).filter_map(|supply| {
            Some(Ink { color: supply.color.clone()?, level: supply.level, percent: supply.percent_left() })
        });
        Self {
            manufacturer: identity.manufacturer.unwrap_or_default(),
            model: identity.model.unwrap_or_default(),
            serial: identity.serial.unwrap_or_default(),
            address: record.address.clone(),
            host_name: identity.host_name.unwrap_or_default(),
            mac: identity.mac.unwrap_or_default(),
            location: identity.location.unwrap_or_default(),
            firmware: identity.firmware.unwrap_or_default(),
            condition: record.status.as_ref().map_or(Condition::Unknown, |status| status.condition()),
            read_at: record.read_at,
            silent_since: record.silent_since,
            total: total(record.counters.as_deref().unwrap_or_default()).map(|counter| counter.value),
            lowest_percent: consumed().filter_map(|supply| supply.percent_left()).min(),
            inks: inks.take(12).collect(),
        }
    }

    /// The inks as one line for the store: `black=measured:42 cyan=someLeft`.
    pub fn inks_line(&self) -> String {
        let ink = |ink: &Ink| {
            let color = ink.color.keyword().replace([' ', '=', ':'], "_");
            let percent = ink.percent.map_or_else(String::new, |percent| format!(":{percent}"));
            format!("{color}={}{percent}", ink.level.keyword())
        };
        self.inks.iter().map(ink).collect::<Vec<_>>().join(" ")
    }
}

/// The inks of a line made by [`Summary::inks_line`]; what cannot be read is left out.
pub fn inks_of_line(line: &str) -> Vec<Ink> {
    let ink = |word: &str| {
        let (color, level) = word.split_once('=')?;
        let (level, percent) = level.split_once(':').map_or((level, None), |(level, rest)| (level, rest.parse().ok()));
        let level = Level::from_keyword(level, Some(percent.map_or(0, u32::from))).unwrap_or(Level::Unknown);
        Some(Ink { color: Colorant::from_keyword(color), level, percent })
    };
    line.split_whitespace().filter_map(ink).collect()
}

/// Whether an agent fell silent.
pub fn agent_is_silent(last_report: Option<Timestamp>, now: Timestamp) -> bool {
    last_report.is_none_or(|last| now.duration_since(last) > AGENT_SILENT_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inks_survive_their_line() {
        let inks = vec![
            Ink { color: Colorant::Black, level: Level::Measured(42), percent: Some(42) },
            Ink { color: Colorant::Cyan, level: Level::SomeLeft, percent: None },
            Ink { color: Colorant::Yellow, level: Level::Empty, percent: Some(0) },
            Ink { color: Colorant::Other("fluo_pink".to_owned()), level: Level::Unknown, percent: None },
        ];
        let id = wire::device::DeviceId::new("x").unwrap();
        let record = DeviceRecord::full(id, "192.0.2.1".to_owned(), Timestamp::UNIX_EPOCH, Default::default());
        let summary = Summary { inks: inks.clone(), ..Summary::of(&record) };
        assert_eq!(inks_of_line(&summary.inks_line()), inks);
        assert_eq!(inks_of_line("rubbish = : x=y:z").len(), 2);
    }
}
