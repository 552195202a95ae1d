//! When each device is polled next: spread evenly over the interval, less often while a device is silent or slow.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::tick::Tick;

/// A device is polled at most this many times less often than the others.
const MAX_BACK_OFF: u32 = 8;
/// A reading may take one part in so many of the time between two: a controller that is busy answering does not print.
const PARTS: u32 = 20;
/// No reading that is quicker is called slow, however short the interval.
const QUICK: Duration = Duration::from_secs(5);

/// How a poll has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// With a reading, after so long.
    Answered(Duration),
    /// Without one.
    Silent,
}

/// Why a device is polled less often than the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It does not answer.
    Silent,
    /// A reading of it takes so long.
    Slow(Duration),
}

/// A device that is polled less often than the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slowed {
    /// The time from one poll to the next.
    pub every: Duration,
    /// Why.
    pub reason: Reason,
    /// For how long it has been so.
    pub lasts: Duration,
}

#[derive(Debug)]
struct Entry {
    due: Tick,
    failures: u32,
    took: Duration,
    slowed_since: Option<Tick>,
    under_way: bool,
    /// Wanted at once while a poll was under way, which may have passed by what is new.
    again: bool,
}

impl Entry {
    /// The time to the next poll, where the others have `interval`.
    fn wait(&self, interval: Duration) -> Duration {
        match self.failures {
            0 if self.took < QUICK => interval,
            0 => (self.took * PARTS).clamp(interval, interval * MAX_BACK_OFF),
            failures => interval * (1_u32 << (failures - 1).min(3)).min(MAX_BACK_OFF),
        }
    }
}

/// The times of all devices; `K` names a device.
#[derive(Debug)]
pub struct Schedule<K> {
    interval: Duration,
    entries: BTreeMap<K, Entry>,
}

impl<K: Ord + Clone> Schedule<K> {
    /// A schedule that polls every device once in `interval`.
    pub fn new(interval: Duration) -> Self {
        Self { interval, entries: BTreeMap::new() }
    }

    /// Sets how often; takes effect from each device's next poll on.
    pub fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
    }

    /// Adds a device that was never read: due at once. A device that is known already keeps its time.
    pub fn add(&mut self, now: Tick, device: K) {
        self.entries.entry(device).or_insert(Entry {
            due: now,
            failures: 0,
            took: Duration::ZERO,
            slowed_since: None,
            under_way: false,
            again: false,
        });
    }

    /// Forgets a device.
    pub fn remove(&mut self, device: &K) {
        self.entries.remove(device);
    }

    /// Makes a device due at once; one that is being polled, once more after that.
    pub fn hurry(&mut self, now: Tick, device: &K) {
        if let Some(entry) = self.entries.get_mut(device) {
            (entry.due, entry.again) = (now, entry.under_way);
        }
    }

    /// The next device that is due; it is under way until [`Self::done`].
    pub fn poll_due(&mut self, now: Tick) -> Option<K> {
        let (device, entry) = self
            .entries
            .iter_mut()
            .filter(|(_, entry)| !entry.under_way && entry.due <= now)
            .min_by_key(|(_, entry)| entry.due)?;
        entry.under_way = true;
        Some(device.clone())
    }

    /// When the next device will be due.
    pub fn poll_timeout(&self) -> Option<Tick> {
        self.entries.values().filter(|entry| !entry.under_way).map(|entry| entry.due).min()
    }

    /// Notes that a poll has ended. `spread` is any number that belongs to the device, such as a hash: polls that began
    /// together drift apart by it, up to a tenth of the interval at each turn.
    pub fn done(&mut self, now: Tick, device: &K, poll: Poll, spread: u32) {
        let interval = self.interval;
        let Some(entry) = self.entries.get_mut(device) else { return };
        entry.under_way = false;
        match poll {
            Poll::Answered(took) => (entry.failures, entry.took) = (0, took),
            Poll::Silent => entry.failures = entry.failures.saturating_add(1),
        }
        let wait = entry.wait(interval);
        entry.slowed_since = (wait > interval).then(|| entry.slowed_since.unwrap_or(now));
        let earlier = interval / 10 * (spread % 1000) / 1000;
        let pause = if std::mem::take(&mut entry.again) { Duration::ZERO } else { wait.saturating_sub(earlier) };
        entry.due = now + pause;
    }

    /// Whether and why a device is polled less often than the others.
    pub fn slowed(&self, now: Tick, device: &K) -> Option<Slowed> {
        let entry = self.entries.get(device)?;
        let reason = if entry.failures > 0 { Reason::Silent } else { Reason::Slow(entry.took) };
        Some(Slowed { every: entry.wait(self.interval), reason, lasts: now.since(entry.slowed_since?) })
    }

    /// How many devices are on the schedule.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick::after(Duration::from_secs(seconds))
    }

    #[test]
    fn a_device_is_polled_once_in_an_interval_and_never_twice_at_a_time() {
        let mut schedule = Schedule::new(Duration::from_secs(300));
        schedule.add(at(0), "a");
        assert_eq!(schedule.poll_due(at(0)), Some("a"));
        assert_eq!(schedule.poll_due(at(1000)), None, "under way");
        schedule.done(at(2), &"a", Poll::Answered(Duration::from_secs(2)), 0);
        assert_eq!(schedule.poll_due(at(301)), None);
        assert_eq!(schedule.poll_timeout(), Some(at(302)));
        assert_eq!(schedule.poll_due(at(302)), Some("a"));
    }

    #[test]
    fn a_hurry_while_a_poll_is_under_way_is_not_forgotten() {
        let mut schedule = Schedule::new(Duration::from_secs(300));
        schedule.add(at(0), "a");
        assert_eq!(schedule.poll_due(at(0)), Some("a"));
        schedule.hurry(at(1), &"a");
        schedule.done(at(2), &"a", Poll::Answered(Duration::from_secs(2)), 0);
        assert_eq!(schedule.poll_due(at(2)), Some("a"));
        schedule.done(at(3), &"a", Poll::Answered(Duration::from_secs(1)), 0);
        assert_eq!(schedule.poll_timeout(), Some(at(303)), "once");
    }

    #[test]
    fn silent_devices_are_polled_less_often_up_to_a_bound() {
        let mut schedule = Schedule::new(Duration::from_secs(100));
        schedule.add(at(0), "a");
        let mut waits = Vec::new();
        for _ in 0..6 {
            let due = schedule.poll_timeout().unwrap();
            assert_eq!(schedule.poll_due(due), Some("a"));
            schedule.done(due, &"a", Poll::Silent, 0);
            waits.push(schedule.poll_timeout().unwrap().since(due).as_secs());
        }
        assert_eq!(waits, [100, 200, 400, 800, 800, 800]);
        let slowed = schedule.slowed(at(2000), &"a").unwrap();
        assert_eq!(slowed.reason, Reason::Silent);
        assert_eq!((slowed.every.as_secs(), slowed.lasts.as_secs()), (800, 1900));
        schedule.done(at(2000), &"a", Poll::Answered(Duration::from_secs(1)), 0);
        assert_eq!(schedule.slowed(at(2000), &"a"), None);
    }

    #[test]
    fn slow_devices_are_read_for_a_twentieth_of_the_time_at_most() {
        let mut schedule = Schedule::new(Duration::from_secs(100));
        schedule.add(at(0), "a");
        for (took, every) in [(4, 100), (5, 100), (10, 200), (300, 800), (1, 100)] {
            let due = schedule.poll_timeout().unwrap();
            assert_eq!(schedule.poll_due(due), Some("a"));
            let end = due + Duration::from_secs(took);
            schedule.done(end, &"a", Poll::Answered(Duration::from_secs(took)), 0);
            assert_eq!(schedule.poll_timeout().unwrap().since(end).as_secs(), every);
            let slowed = schedule.slowed(end, &"a").map(|slowed| (slowed.reason, slowed.every.as_secs()));
            let expected = (every > 100).then_some((Reason::Slow(Duration::from_secs(took)), every));
            assert_eq!(slowed, expected);
        }
    }
}
