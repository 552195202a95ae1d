//! What the readings of one counter mean for a bill: meters, their epochs, and the differences that may be taken.
//!
//! Both sides judge readings, the agent to show and to alert, the manager to bill: by this one page, so that they cannot
//! disagree about the same numbers. A difference is taken between two readings of one epoch only. What breaks the row of
//! readings opens an epoch, so that nothing is ever billed across it unless a person says so.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::device::Counter;
use crate::vocab::{Basis, CounterUnit};

/// Faster than any device that is watched prints, copies or scans, in a minute.
const MOST_A_MINUTE: u64 = 400;
/// Steps that are believed in no time at all: some devices bring their counters up to date after a job only.
const AT_ONCE: u64 = 2_000;
/// Where a counter of 32 bits starts again.
const WRAP: u64 = 1 << 32;
/// The longest way on which a wrap is believed; a counter that was further away from its end was reset.
const WRAP_REACH: u64 = 1 << 26;
/// For so long a meter that was left may return to its old value as if nothing had been (a board that starts slowly says
/// nought for a while).
pub const RETURN_WITHIN: SignedDuration = SignedDuration::from_hours(72);

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
    /// Went past the end of 32 bits and starts at nought: the epoch goes on.
    Wrapped,
    /// Below the reading before it: a new epoch begins with it.
    Backwards,
    /// A counter that starts again at each start of the device has started again: a new epoch, and no alarm.
    Restarted,
    /// Further above the reading before it than the device can have printed: a new epoch begins with it.
    Jumped,
    /// Goes on where the meter was before it broke: the old epoch goes on.
    Returned,
    /// Came late and fits neither the reading before nor the one after it: kept, never billed.
    Doubtful,
    /// No reading: a person has decided that the epoch counts from here.
    Decided,
}

impl Remark {
    const WORDS: [(Self, &str); 8] = [
        (Self::Plain, ""),
        (Self::Wrapped, "wrapped"),
        (Self::Backwards, "backwards"),
        (Self::Restarted, "restarted"),
        (Self::Jumped, "jumped"),
        (Self::Returned, "returned"),
        (Self::Doubtful, "doubtful"),
        (Self::Decided, "decided"),
    ];

    /// The word in the stores and in exports; empty for nothing.
    pub fn keyword(self) -> &'static str {
        Self::WORDS.iter().find(|(remark, _)| *remark == self).map_or("", |(_, word)| word)
    }

    /// The remark that a word means; what is not known is nothing remarkable.
    pub fn from_keyword(keyword: &str) -> Self {
        Self::WORDS.iter().find(|(_, word)| *word == keyword).map_or(Self::Plain, |(remark, _)| *remark)
    }

    /// Whether nobody knows what was printed between this reading and the one before it, until a person decides.
    pub fn is_break(self) -> bool {
        matches!(self, Self::Backwards | Self::Jumped)
    }
}

/// What kind of counter a meter reads, as far as judging it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nature {
    /// It starts again at each start of the device.
    pub starts_again: bool,
    /// Its steps are pages: no device makes more of them than it can.
    pub counts_pages: bool,
}

impl Nature {
    /// The nature of a counter.
    pub fn of(counter: &Counter) -> Self {
        let pages = matches!(counter.unit, CounterUnit::Impressions | CounterUnit::Sheets | CounterUnit::Images);
        Self { starts_again: counter.basis == Basis::PowerOn, counts_pages: pages }
    }
}

/// What became of a counter from one reading to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It rose by so much, or not at all.
    Rose(u64),
    /// It went past the end of 32 bits, rising by so much.
    Wrapped(u64),
    /// It rose by more than can be.
    Jumped(u64),
    /// It is lower than before.
    Backwards,
}

impl Step {
    /// The step from one reading to another that was made `elapsed` later.
    pub fn between(nature: Nature, before: u64, after: u64, elapsed: SignedDuration) -> Self {
        let most = most_in(elapsed);
        match after.checked_sub(before) {
            Some(rise) if nature.counts_pages && rise > most => Self::Jumped(rise),
            Some(rise) => Self::Rose(rise),
            None if before < WRAP && !nature.starts_again => {
                let rise = after + (WRAP - before);
                if rise <= most.min(WRAP_REACH) { Self::Wrapped(rise) } else { Self::Backwards }
            }
            None => Self::Backwards,
        }
    }

    /// Whether both readings can come from one meter that was running all the time.
    pub fn is_sound(self) -> bool {
        matches!(self, Self::Rose(_) | Self::Wrapped(_))
    }
}

/// The most that a device can have counted in a time, by a generous bound.
fn most_in(elapsed: SignedDuration) -> u64 {
    let minutes = u64::try_from(elapsed.as_mins()).unwrap_or(0);
    minutes.saturating_add(1).saturating_mul(MOST_A_MINUTE).saturating_add(AT_ONCE)
}

/// A reading with its place in the meter's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The number as read.
    pub value: u64,
    /// How often it has gone past the end of 32 bits in this epoch.
    pub wraps: u32,
    /// The epoch of the meter, from 1.
    pub epoch: u32,
    /// When it was read.
    pub at: Timestamp,
}

impl Standing {
    /// The number with what went past its end: rises all through an epoch.
    pub fn whole(&self) -> u64 {
        u64::from(self.wraps).saturating_mul(WRAP).saturating_add(self.value)
    }

    /// What was counted from an earlier reading to this one; `None` across epochs.
    pub fn since(&self, earlier: &Self) -> Option<u64> {
        (self.epoch == earlier.epoch).then(|| self.whole().checked_sub(earlier.whole())).flatten()
    }
}

/// A meter: where it stands, and where it stood when its last epoch but one was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meter {
    /// The last reading.
    pub now: Standing,
    /// The last reading of the epoch that was left before.
    pub left: Option<Standing>,
    /// The highest number of an epoch so far.
    pub newest: u32,
}

impl Meter {
    /// A meter that is read for the first time.
    pub fn begin(value: u64, at: Timestamp) -> Self {
        Self { now: Standing { value, wraps: 0, epoch: 1, at }, left: None, newest: 1 }
    }

    /// The meter after a further reading, not older than the last, and what is remarkable about that.
    pub fn advance(&self, nature: Nature, value: u64, at: Timestamp) -> (Self, Remark) {
        let now = self.now;
        let step = Step::between(nature, now.value, value, at.duration_since(now.at));
        if let Some(again) = self.returned(nature, step, value, at) {
            return (Self { now: again, left: Some(now), newest: self.newest }, Remark::Returned);
        }
        let remark = match step {
            Step::Rose(rise) if !(self.may_not_know(nature) && rise > AT_ONCE) => {
                return (Self { now: Standing { value, at, ..now }, ..*self }, Remark::Plain);
            }
            Step::Wrapped(_) => {
                let wraps = now.wraps.saturating_add(1);
                return (Self { now: Standing { value, at, wraps, ..now }, ..*self }, Remark::Wrapped);
            }
            Step::Backwards if nature.starts_again => Remark::Restarted,
            Step::Backwards => Remark::Backwards,
            Step::Rose(_) | Step::Jumped(_) => Remark::Jumped,
        };
        let epoch = self.newest.saturating_add(1);
        (Self { now: Standing { value, wraps: 0, epoch, at }, left: Some(now), newest: epoch }, remark)
    }

    /// Whether the last reading may be the nought of a board that does not know better yet.
    fn may_not_know(&self, nature: Nature) -> bool {
        nature.counts_pages && !nature.starts_again && self.now.value == 0 && self.now.epoch > 1
    }

    /// Where the meter stands if this reading belongs to the epoch that was left, and not to the present one, to which it would be
    /// this step.
    fn returned(&self, nature: Nature, step: Step, value: u64, at: Timestamp) -> Option<Standing> {
        // Not back to a nought, nor by way of the end of 32 bits.
        let left = self.left.filter(|left| !nature.starts_again && left.value > 0)?;
        let elapsed = at.duration_since(left.at);
        let Step::Rose(rise) = Step::between(nature, left.value, value, elapsed) else { return None };
        let belongs = match step {
            // Both could be; of two that differ by much it is the smaller one, so that nothing is billed that was not printed.
            Step::Rose(other) => self.may_not_know(nature) || other > rise.saturating_mul(10).saturating_add(100),
            Step::Wrapped(_) => false,
            Step::Jumped(_) | Step::Backwards => true,
        };
        (belongs && elapsed <= RETURN_WITHIN).then_some(Standing { value, at, ..left })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGES: Nature = Nature { starts_again: false, counts_pages: true };

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
    }

    /// Epoch, remark and difference of each reading, five minutes apart, from the second on.
    fn check(nature: Nature, values: &[u64]) -> Vec<(u32, Remark, Option<u64>)> {
        let mut values = values.iter();
        let mut meter = Meter::begin(*values.next().unwrap(), at(0));
        let judge = |(place, value): (usize, &u64)| {
            let (next, remark) = meter.advance(nature, *value, at(5 * i64::try_from(place + 1).unwrap()));
            let before = std::mem::replace(&mut meter, next);
            (next.now.epoch, remark, next.now.since(&before.now))
        };
        values.enumerate().map(judge).collect()
    }

    #[test]
    fn a_meter_that_rises_stays_in_its_epoch() {
        assert_eq!(check(PAGES, &[100, 100, 180]), [(1, Remark::Plain, Some(0)), (1, Remark::Plain, Some(80))]);
    }

    #[test]
    fn a_step_back_opens_an_epoch() {
        assert_eq!(check(PAGES, &[50_000, 3, 9]), [(2, Remark::Backwards, None), (2, Remark::Plain, Some(6))]);
        let again = Nature { starts_again: true, ..PAGES };
        assert_eq!(check(again, &[500, 3, 9]), [(2, Remark::Restarted, None), (2, Remark::Plain, Some(6))]);
    }

    #[test]
    fn a_wrap_is_believed_near_the_end_of_32_bits_only() {
        let end = u64::from(u32::MAX);
        assert_eq!(check(PAGES, &[end - 9, 20, 25]), [(1, Remark::Wrapped, Some(30)), (1, Remark::Plain, Some(5))]);
        assert_eq!(check(PAGES, &[end - 9, 40_000]), [(2, Remark::Backwards, None)], "too far in five minutes");
        assert_eq!(check(PAGES, &[end / 2, 20]), [(2, Remark::Backwards, None)]);
        assert_eq!(check(PAGES, &[end + 10, 20]), [(2, Remark::Backwards, None)], "a counter of 64 bits");
    }

    #[test]
    fn more_than_can_be_printed_is_a_jump() {
        assert_eq!(check(PAGES, &[100, 100_000, 100_010]), [(2, Remark::Jumped, None), (2, Remark::Plain, Some(10))]);
        let hours = Nature { counts_pages: false, ..PAGES };
        assert_eq!(check(hours, &[100, 100_000]), [(1, Remark::Plain, Some(99_900))]);
    }

    #[test]
    fn a_meter_that_comes_back_goes_on_as_before() {
        assert_eq!(
            check(PAGES, &[90_000, 0, 0, 90_012, 90_013]),
            [
                (2, Remark::Backwards, None),
                (2, Remark::Plain, Some(0)),
                (1, Remark::Returned, None),
                (1, Remark::Plain, Some(1)),
            ]
        );
        // However few pages it had, and however long the board took.
        let slow = |nought: i64| {
            let meter = Meter::begin(20_000, at(0)).advance(PAGES, 0, at(nought)).0;
            let (again, remark) = meter.advance(PAGES, 20_010, at(nought + 600));
            (again.now.epoch, remark, again.now.value)
        };
        assert_eq!(slow(60), (1, Remark::Returned, 20_010));
        assert_eq!(slow(1440), (1, Remark::Returned, 20_010));
        assert_eq!(slow(4000), (3, Remark::Jumped, 20_010), "nobody knows after so long");
        assert_eq!(check(PAGES, &[700, 2, 705]).last(), Some(&(1, Remark::Returned, None)));
        // A new board that comes past the count of the old one does so page by page.
        assert_eq!(check(PAGES, &[100, 0, 60, 105, 130]).last(), Some(&(2, Remark::Plain, Some(25))));
        // A nought in between is nothing to return to.
        assert_eq!(check(PAGES, &[5_000, 3_999_999_999, 0, 5_010]).last(), Some(&(4, Remark::Jumped, None)));
        // A third board after that is a third epoch.
        let third = check(PAGES, &[90_000, 60, 90_012, 7]);
        assert_eq!(third.last(), Some(&(3, Remark::Backwards, None)));
    }

    #[derive(Debug, Clone)]
    enum Happening {
        /// Pages, and minutes that pass; the device prints no faster than it can.
        Print(u64, i64),
        /// The device says this, after so many minutes, for one reading.
        Glitch(u64, i64),
        /// Another board: its counter stands at so much.
        Board(u64),
    }

    fn happenings() -> impl Strategy<Value = Vec<Happening>> {
        let boards =
            prop_oneof![Just(0), Just(u64::from(u32::MAX) - 20_000_000), (1_u64..80).prop_map(|n| n * 40_000_000)];
        let happening = prop_oneof![
            8 => (0_u64..300, 1_i64..3000).prop_map(|(pages, minutes)| Happening::Print(pages, minutes)),
            1 => (prop_oneof![Just(0), Just(3_999_999_999)], 5_i64..1500)
                .prop_map(|(value, minutes)| Happening::Glitch(value, minutes)),
            1 => boards.prop_map(Happening::Board),
        ];
        prop::collection::vec(happening, 1..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The oracle is the device: what it printed. A board that stands where the old one might have gone on to cannot be
        /// told from it, so boards stand far apart.
        #[test]
        fn never_more_is_billed_than_was_printed(
            happenings in happenings(),
            mut shown in prop_oneof![2_500_u64..600_000, Just(1_000_000), Just(u64::from(u32::MAX) - 500)],
        ) {
            let (mut now, mut printed, mut billed) = (0, 0, 0);
            let mut meter = Meter::begin(shown, at(0));
            let mut last = std::collections::BTreeMap::from([(meter.now.epoch, meter.now)]);
            let is_near = |one: u64, other: u64| {
                let way = (one + WRAP - other) % WRAP;
                way.min(WRAP - way) < 10_000_000
            };
            for happening in happenings {
                let says = match happening {
                    Happening::Print(pages, minutes) => {
                        (now, printed) = (now + minutes, printed + pages);
                        shown = (shown + pages) % WRAP;
                        shown
                    }
                    Happening::Board(value) if is_near(value, shown) => continue,
                    // So few pages cannot be told from those of a new board, and so few before the end of 32 bits not from a wrap.
                    Happening::Glitch(0, _) if shown <= 2 * AT_ONCE || WRAP - shown < 10_000_000 => continue,
                    Happening::Glitch(value, _) if value > 0 && is_near(value, shown) => continue,
                    Happening::Glitch(value, minutes) => {
                        now += minutes;
                        value
                    }
                    Happening::Board(value) => {
                        now += 5;
                        shown = value;
                        value
                    }
                };
                (meter, _) = meter.advance(PAGES, says, at(now));
                let before = last.insert(meter.now.epoch, meter.now);
                if let Some(before) = before {
                    let difference = meter.now.since(&before);
                    prop_assert!(difference.is_some(), "{before:?} to {:?}", meter.now);
                    billed += difference.unwrap();
                }
                prop_assert!(billed <= printed, "{billed} of {printed} at {:?}", meter.now);
            }
        }
    }
}
