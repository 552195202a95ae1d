//! How long to wait for a device's answer before asking once more: by how long its answers have taken so far, after RFC 6298.
//!
//! Printers wake, render and page; so the timer is patient. A second packet to a device that is merely slow costs it more than it
//! helps, and one that was lost is rare.

use std::time::Duration;

/// Waits for a device of which nothing is known: together as long as a slow controller needs for its first answer.
const UNKNOWN: [Duration; 3] = [Duration::from_millis(1500), Duration::from_secs(2), Duration::from_secs(2)];
/// The least that answers are allowed to vary.
const LEAST_SLACK: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(10);
/// No request is given up earlier.
const LEAST_IN_ALL: Duration = Duration::from_secs(5);

/// How long a device's answers take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timer {
    /// The smoothed time and its variation.
    known: Option<(Duration, Duration)>,
}

impl Timer {
    /// How long to wait after the first, second … sending of a request; `None` when it has been sent often enough.
    pub fn wait(&self, sending: usize) -> Option<Duration> {
        let Some((smooth, variation)) = self.known else { return UNKNOWN.get(sending).copied() };
        let first = (smooth + (variation * 4).max(LEAST_SLACK)).min(LONGEST);
        let second = (first * 2).min(LONGEST);
        match sending {
            0 => Some(first),
            1 => Some(second),
            2 => Some(second.max(LEAST_IN_ALL.saturating_sub(first + second))),
            _ => None,
        }
    }

    /// Takes the time that an answer took, from the first sending of its request.
    pub fn learn(&mut self, took: Duration) {
        self.known = Some(match self.known {
            None => (took, took / 2),
            Some((smooth, variation)) => {
                let variation = variation * 3 / 4 + smooth.abs_diff(took) / 4;
                (smooth * 7 / 8 + took / 8, variation)
            }
        });
    }

    /// Whether any answer has come.
    pub fn is_known(&self) -> bool {
        self.known.is_some()
    }

    /// The smoothed time.
    pub fn usual(&self) -> Option<Duration> {
        self.known.map(|(smooth, _)| smooth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_device_is_given_the_time_it_takes() {
        for millis in [1, 20, 300, 1200, 2500, 5000] {
            let took = Duration::from_millis(millis);
            let mut timer = Timer::default();
            for _ in 0..20 {
                timer.learn(took);
                assert!(timer.wait(0).unwrap() >= took + LEAST_SLACK, "{millis} ms: {timer:?}");
            }
            assert!(timer.wait(0).unwrap() <= took + LEAST_SLACK * 2, "{millis} ms: {timer:?}");
        }
    }

    #[test]
    fn waits_grow_and_end() {
        let mut timer = Timer::default();
        for took in [None, Some(20), Some(9000), Some(100_000)] {
            if let Some(took) = took {
                timer.learn(Duration::from_millis(took));
            }
            let waits: Vec<Duration> = (0..10).map_while(|sending| timer.wait(sending)).collect();
            assert_eq!(waits.len(), 3);
            assert!(waits.is_sorted() && waits.iter().sum::<Duration>() >= LEAST_IN_ALL, "{waits:?}");
            assert!(waits.iter().all(|wait| *wait <= LONGEST), "{waits:?}");
        }
    }
}
