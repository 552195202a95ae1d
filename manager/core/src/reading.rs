//! Readings: what is kept of counters and supplies over time, and which are worth keeping.
//!
//! A counter that goes backwards opens a new epoch of its meter. Differences are taken within one epoch only, so that a
//! swapped board is never billed as a negative or a gigantic amount.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use wire::{
    device::{Counter, Level, Supply},
    vocab::Basis,
};

/// A value that does not change is kept again after so long: a little less than a day, so that daily reports count.
pub const KEEP_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(20);

/// What a counter counts, as one word: service, colour, size, sides, unit and basis.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterKey(String);

impl CounterKey {
    /// The key of a counter.
    pub fn of(counter: &Counter) -> Self {
        let parts = [
            counter.service.keyword(),
            counter.color.keyword(),
            counter.size.keyword(),
            counter.sides.keyword(),
            counter.unit.keyword(),
            counter.basis.keyword(),
        ];
        // A keyword of a later version might hold the separator; the six parts must stay apart.
        Self(parts.map(|part| part.replace('/', "_")).join("/"))
    }

    /// A key that was kept.
    pub fn kept(text: String) -> Self {
        Self(text)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CounterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is remarkable about a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// Nothing.
    Plain,
    /// Below the reading before it: a new epoch begins with it.
    Backwards,
    /// A counter that starts again at each start of the device has started again: a new epoch, and no alarm.
    Restarted,
    /// Came late and fits neither the reading before nor the one after it: kept, never billed.
    Doubtful,
}

impl Remark {
    const WORDS: [(Self, &str); 4] = [
        (Self::Plain, ""),
        (Self::Backwards, "backwards"),
        (Self::Restarted, "restarted"),
        (Self::Doubtful, "doubtful"),
    ];

    /// The word in the store and in exports; empty for nothing.
    pub fn keyword(self) -> &'static str {
        Self::WORDS.iter().find(|(remark, _)| *remark == self).map_or("", |(_, word)| word)
    }

    /// The remark that a word means; what is not known is nothing remarkable.
    pub fn from_keyword(keyword: &str) -> Self {
        Self::WORDS.iter().find(|(_, word)| *word == keyword).map_or(Self::Plain, |(remark, _)| *remark)
    }
}

/// A counter reading that is kept beside the one to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptReading {
    /// When it was read.
    pub read_at: Timestamp,
    /// The number.
    pub value: u64,
    /// The epoch of the meter, from 1.
    pub epoch: u32,
}

/// The kept readings of one counter around a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Neighbours {
    /// The last one at or before the moment.
    pub before: Option<KeptReading>,
    /// The first one after it.
    pub after: Option<KeptReading>,
}

/// A counter reading to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterReading {
    /// What is counted.
    pub key: CounterKey,
    /// Its name in exports.
    pub name: String,
    /// When it was read.
    pub read_at: Timestamp,
    /// The number as read.
    pub value: u64,
    /// Unit, by keyword.
    pub unit: String,
    /// The OID it was read from.
    pub source: String,
    /// The epoch of the meter, from 1.
    pub epoch: u32,
    /// What is remarkable.
    pub remark: Remark,
}

/// Judges a counter that was read at `read_at`; `None` where the reading tells nothing new.
pub fn judge(counter: &Counter, read_at: Timestamp, neighbours: Neighbours) -> Option<CounterReading> {
    let value = counter.value;
    let (epoch, remark) = match (neighbours.before, neighbours.after) {
        (None, None) => (1, Remark::Plain),
        (None, Some(after)) if value <= after.value => (after.epoch, Remark::Plain),
        (None, Some(after)) => (after.epoch, Remark::Doubtful),
        (Some(before), None) if value >= before.value => (before.epoch, Remark::Plain),
        (Some(before), None) if counter.basis == Basis::PowerOn => (before.epoch.saturating_add(1), Remark::Restarted),
        (Some(before), None) => (before.epoch.saturating_add(1), Remark::Backwards),
        (Some(before), Some(after)) if before.epoch == after.epoch => match value {
            value if (before.value..=after.value).contains(&value) => (before.epoch, Remark::Plain),
            _ => (before.epoch, Remark::Doubtful),
        },
        // The meter started again somewhere in between: the reading belongs to the side that it fits.
        (Some(before), Some(_)) if value >= before.value => (before.epoch, Remark::Plain),
        (Some(_), Some(after)) if value <= after.value => (after.epoch, Remark::Plain),
        (Some(before), Some(_)) => (before.epoch, Remark::Doubtful),
    };
    let says_nothing = remark == Remark::Plain
        && neighbours
            .before
            .is_some_and(|before| before.value == value && read_at.duration_since(before.read_at) < KEEP_AGAIN_AFTER);
    if says_nothing {
        return None;
    }
    Some(CounterReading {
        key: CounterKey::of(counter),
        name: counter.name(),
        read_at,
        value,
        unit: counter.unit.keyword().to_owned(),
        source: counter.source.clone(),
        epoch,
        remark,
    })
}

/// A supply reading that is kept beside the one to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptLevel {
    /// When it was read.
    pub read_at: Timestamp,
    /// The level.
    pub level: Level,
    /// Hundredths left, where known.
    pub percent: Option<u8>,
}

/// A supply reading to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupplyReading {
    /// The row in the device's table.
    pub index: String,
    /// What it is, by keyword.
    pub kind: String,
    /// Its colour, by keyword.
    pub color: Option<String>,
    /// In the device's words.
    pub description: String,
    /// When it was read.
    pub read_at: Timestamp,
    /// The level.
    pub level: Level,
    /// The capacity, where known.
    pub capacity: Option<u32>,
    /// Unit, by keyword.
    pub unit: String,
    /// Hundredths left, where known.
    pub percent: Option<u8>,
}

/// Judges a supply that was read at `read_at`; `None` where the reading tells nothing new. Where hundredths are known, a
/// change below one hundredth is nothing new: a toner that counts pages would otherwise be kept with every report.
pub fn judge_supply(supply: &Supply, read_at: Timestamp, before: Option<KeptLevel>) -> Option<SupplyReading> {
    let percent = supply.percent_left();
    let says_nothing = before.is_some_and(|before| {
        let same = match (before.percent, percent) {
            (Some(before), Some(percent)) => before == percent,
            _ => before.level == supply.level && before.percent == percent,
        };
        same && read_at.duration_since(before.read_at) < KEEP_AGAIN_AFTER
    });
    if says_nothing {
        return None;
    }
    Some(SupplyReading {
        index: supply.index.clone(),
        kind: supply.kind.keyword().to_owned(),
        color: supply.color.as_ref().map(|color| color.keyword().to_owned()),
        description: supply.description.clone(),
        read_at,
        level: supply.level,
        capacity: supply.capacity,
        unit: supply.unit.keyword().to_owned(),
        percent,
    })
}

#[cfg(test)]
mod tests {
    use wire::vocab::{ColorUse, CounterUnit, MediaSize, Service, Sides, SupplyClass, SupplyKind, SupplyUnit};

    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
    }

    fn counter(value: u64, basis: Basis) -> Counter {
        Counter {
            service: Service::System,
            color: ColorUse::Any,
            size: MediaSize::Any,
            sides: Sides::Any,
            unit: CounterUnit::Impressions,
            basis,
            value,
            source: "1.3.6.1.2.1.43.10.2.1.4.1.1".to_owned(),
        }
    }

    fn kept(hours: i64, value: u64, epoch: u32) -> Option<KeptReading> {
        Some(KeptReading { read_at: at(hours), value, epoch })
    }

    /// Epoch and remark of a meter that reads `value` at hour 10.
    fn check(value: u64, before: Option<KeptReading>, after: Option<KeptReading>) -> Option<(u32, Remark)> {
        let reading = judge(&counter(value, Basis::Meter), at(10), Neighbours { before, after })?;
        Some((reading.epoch, reading.remark))
    }

    #[test]
    fn a_meter_is_kept_when_it_moves_or_a_day_has_passed() {
        assert_eq!(check(100, None, None), Some((1, Remark::Plain)));
        assert_eq!(check(100, kept(9, 100, 1), None), None);
        assert_eq!(check(100, kept(-10, 100, 1), None), Some((1, Remark::Plain)));
        assert_eq!(check(101, kept(9, 100, 3), None), Some((3, Remark::Plain)));
    }

    #[test]
    fn a_meter_that_goes_backwards_opens_an_epoch() {
        assert_eq!(check(99, kept(9, 100, 1), None), Some((2, Remark::Backwards)));
        assert_eq!(check(0, kept(9, 100, 7), None), Some((8, Remark::Backwards)));
        let restarted = judge(&counter(3, Basis::PowerOn), at(10), Neighbours { before: kept(9, 100, 1), after: None });
        assert_eq!(restarted.map(|reading| (reading.epoch, reading.remark)), Some((2, Remark::Restarted)));
    }

    #[test]
    fn a_late_reading_joins_the_epoch_it_fits() {
        assert_eq!(check(105, kept(9, 100, 1), kept(11, 110, 1)), Some((1, Remark::Plain)));
        assert_eq!(check(90, kept(9, 100, 1), kept(11, 110, 1)), Some((1, Remark::Doubtful)));
        assert_eq!(check(120, kept(9, 100, 1), kept(11, 110, 1)), Some((1, Remark::Doubtful)));
        assert_eq!(check(105, kept(9, 100, 1), kept(11, 5, 2)), Some((1, Remark::Plain)));
        assert_eq!(check(3, kept(9, 100, 1), kept(11, 5, 2)), Some((2, Remark::Plain)));
        assert_eq!(check(50, kept(9, 100, 1), kept(11, 5, 2)), Some((1, Remark::Doubtful)));
        assert_eq!(check(50, None, kept(11, 60, 2)), Some((2, Remark::Plain)));
        assert_eq!(check(70, None, kept(11, 60, 2)), Some((2, Remark::Doubtful)));
    }

    #[test]
    fn a_supply_is_kept_by_hundredths() {
        let supply = |level| Supply {
            index: "1.1".to_owned(),
            kind: SupplyKind::Toner,
            class: SupplyClass::Consumed,
            color: None,
            description: String::new(),
            part_number: None,
            serial: None,
            unit: SupplyUnit::Impressions,
            capacity: Some(10_000),
            level,
        };
        let before = Some(KeptLevel { read_at: at(9), level: Level::Measured(5050), percent: Some(50) });
        assert!(judge_supply(&supply(Level::Measured(5001)), at(10), before).is_none());
        assert!(judge_supply(&supply(Level::Measured(4999)), at(10), before).is_some());
        assert!(judge_supply(&supply(Level::Measured(5001)), at(29), before).is_some());
        assert!(judge_supply(&supply(Level::SomeLeft), at(10), before).is_some());
        assert!(judge_supply(&supply(Level::Unknown), at(10), None).is_some());
    }
}
