//! Readings: what is kept of counters and supplies over time, and which are worth keeping.
//!
//! A counter that goes backwards opens a new epoch of its meter. Differences are taken within one epoch only, so that a
//! swapped board is never billed as a negative or a gigantic amount.

use jiff::{SignedDuration, Timestamp};
use wire::{
    device::{Counter, Level, Supply},
    meter::{CounterKey, Meter, Nature, Remark, Standing, Step},
};

/// A value that does not change is kept again after so long: a little less than a day, so that daily reports count.
pub const KEEP_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(20);

/// The kept readings of one counter around a moment. Doubtful ones are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Neighbours {
    /// Where the meter stood at or before the moment.
    pub before: Option<Meter>,
    /// The first reading after it.
    pub after: Option<Standing>,
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
    /// How often the counter has gone past its end in this epoch.
    pub wraps: u32,
    /// What is remarkable.
    pub remark: Remark,
}

/// Judges a counter that was read at `read_at`; `None` where the reading tells nothing new.
pub fn judge(counter: &Counter, read_at: Timestamp, neighbours: Neighbours) -> Option<CounterReading> {
    let value = counter.value;
    let nature = Nature::of(counter);
    let (standing, remark) = match (neighbours.before, neighbours.after) {
        (None, None) => (Meter::begin(value, read_at).now, Remark::Plain),
        (Some(before), None) => {
            let (meter, remark) = before.advance(nature, value, read_at);
            (meter.now, remark)
        }
        (before, Some(after)) => between(nature, before.map(|meter| meter.now), after, value, read_at),
    };
    let says_nothing = remark == Remark::Plain
        && neighbours.before.is_some_and(|before| {
            before.now.value == value && read_at.duration_since(before.now.at) < KEEP_AGAIN_AFTER
        });
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
        epoch: standing.epoch,
        wraps: standing.wraps,
        remark,
    })
}

/// A reading that came late joins the side that it fits. It never changes what was made of later readings: one wrong clock
/// would otherwise turn a sound history over.
fn between(nature: Nature, before: Option<Standing>, after: Standing, value: u64, at: Timestamp) -> (Standing, Remark) {
    let like = |side: Standing| Standing { value, at, ..side };
    let can_be = |earlier: &Standing, later: &Standing| {
        let elapsed = later.at.duration_since(earlier.at);
        later.since(earlier).is_some() && Step::between(nature, earlier.value, later.value, elapsed).is_sound()
    };
    let sides = [before.map(like), Some(like(after))];
    let fitting = sides.into_iter().flatten().find(|standing| {
        let above_before = before.is_none_or(|before| before.epoch != standing.epoch || can_be(&before, standing));
        let below_after = after.epoch != standing.epoch || can_be(standing, &after);
        above_before && below_after
    });
    match fitting {
        Some(standing) => (standing, Remark::Plain),
        None => (like(before.unwrap_or(after)), Remark::Doubtful),
    }
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
    use wire::vocab::{Basis, ColorUse, CounterUnit, MediaSize, Service, Sides, SupplyClass, SupplyKind, SupplyUnit};

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
            confidence: wire::vocab::Confidence::Verified,
        }
    }

    fn kept(hours: i64, value: u64, epoch: u32) -> Option<Standing> {
        Some(Standing { value, wraps: 0, epoch, at: at(hours) })
    }

    fn around(before: Option<Standing>, after: Option<Standing>) -> Neighbours {
        let meter = |now: Standing| Meter { now, left: None, newest: now.epoch };
        Neighbours { before: before.map(meter), after }
    }

    /// Epoch and remark of a meter that reads `value` at hour 10.
    fn check(value: u64, before: Option<Standing>, after: Option<Standing>) -> Option<(u32, Remark)> {
        let reading = judge(&counter(value, Basis::Meter), at(10), around(before, after))?;
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
        let restarted = judge(&counter(3, Basis::PowerOn), at(10), around(kept(9, 100, 1), None));
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
        assert_eq!(check(900_000, kept(9, 100, 1), kept(11, 5, 2)), Some((1, Remark::Doubtful)), "more than can be");
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
            raw: wire::device::Raw::default(),
            origin: wire::device::Origin::default(),
        };
        let before = Some(KeptLevel { read_at: at(9), level: Level::Measured(5050), percent: Some(50) });
        assert!(judge_supply(&supply(Level::Measured(5001)), at(10), before).is_none());
        assert!(judge_supply(&supply(Level::Measured(4999)), at(10), before).is_some());
        assert!(judge_supply(&supply(Level::Measured(5001)), at(29), before).is_some());
        assert!(judge_supply(&supply(Level::SomeLeft), at(10), before).is_some());
        assert!(judge_supply(&supply(Level::Unknown), at(10), None).is_some());
    }
}
