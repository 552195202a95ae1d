//! Whether two answers came from one device: by its marks ([`wire::identity`]), by what it has counted and when it was started.
//!
//! This page compares; [`crate::register`] remembers who is known and decides.

use std::net::SocketAddr;

use jiff::Timestamp;
use wire::device::{Snapshot, total};
use wire::identity::Marks;
use wire::meter::{Nature, Step};

/// Seconds by which two answers of one device may differ about when it was started.
const SAME_START: i64 = 10;

/// What tells whether two answers came from one device, apart from its marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    /// When it was read.
    pub at: Timestamp,
    /// The total that it has counted.
    pub total: Option<u64>,
    /// When it was started, in seconds since 1970, as far as it says how long it has been up.
    pub started: Option<i64>,
}

impl Pulse {
    /// Whether the later of two totals can have come from the earlier one; `None` where one is missing.
    pub fn goes_on(&self, earlier: &Self) -> Option<bool> {
        let nature = Nature { starts_again: false, counts_pages: true };
        let elapsed = self.at.duration_since(earlier.at);
        Some(Step::between(nature, earlier.total?, self.total?, elapsed).is_sound())
    }

    /// Whether two answers that were given at about the same time came from one device, as far as can be told.
    pub fn beats_with(&self, other: &Self) -> Option<bool> {
        let (earlier, later) = if self.at < other.at { (self, other) } else { (other, self) };
        let starts =
            self.started.zip(other.started).map(|(one, other)| one.abs_diff(other) <= SAME_START.unsigned_abs());
        match (later.goes_on(earlier), starts) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            // A total alone may be alike by chance, in new devices above all.
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }
}

/// A device that has answered at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Where.
    pub address: SocketAddr,
    /// What it says that it is.
    pub marks: Marks,
    /// What else tells it from others.
    pub pulse: Pulse,
}

impl Sighting {
    /// The sighting in a reading. `up_time` is how long the device has been up, in hundredths of a second.
    pub fn of(address: SocketAddr, snapshot: &Snapshot, up_time: Option<u64>, at: Timestamp) -> Self {
        let up = up_time.and_then(|hundredths| i64::try_from(hundredths / 100).ok());
        let pulse = Pulse {
            at,
            total: total(&snapshot.counters).map(|total| total.value),
            started: up.map(|up| at.as_second().saturating_sub(up)),
        };
        Self { address, marks: Marks::of(&snapshot.identity), pulse }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_answers_beat_together_when_start_and_total_do() {
        let pulse = |second: i64, total, started| Pulse {
            at: Timestamp::from_second(1_800_000_000 + second).unwrap(),
            total,
            started,
        };
        let one = pulse(0, Some(1000), Some(5));
        assert_eq!(one.beats_with(&pulse(2, Some(1001), Some(6))), Some(true));
        assert_eq!(pulse(2, Some(1001), Some(6)).beats_with(&one), Some(true), "whichever was read first");
        assert_eq!(one.beats_with(&pulse(2, Some(900), Some(6))), Some(false));
        assert_eq!(one.beats_with(&pulse(2, Some(1001), Some(600))), Some(false));
        assert_eq!(one.beats_with(&pulse(2, None, Some(6))), None);
    }
}
