//! When each device is polled next: spread evenly over the interval, backed off while a device is silent.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::tick::Tick;

/// A silent device is polled at most this many times less often.
const MAX_BACK_OFF: u32 = 8;

#[derive(Debug)]
struct Entry {
    due: Tick,
    failures: u32,
    under_way: bool,
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
        self.entries.entry(device).or_insert(Entry { due: now, failures: 0, under_way: false });
    }

    /// Forgets a device.
    pub fn remove(&mut self, device: &K) {
        self.entries.remove(device);
    }

    /// Makes a device due at once.
    pub fn hurry(&mut self, now: Tick, device: &K) {
        if let Some(entry) = self.entries.get_mut(device) {
            entry.due = now;
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
    pub fn done(&mut self, now: Tick, device: &K, answered: bool, spread: u32) {
        let interval = self.interval;
        let Some(entry) = self.entries.get_mut(device) else { return };
        entry.under_way = false;
        entry.failures = if answered { 0 } else { entry.failures.saturating_add(1) };
        let wait = interval * (1_u32 << entry.failures.saturating_sub(1).min(3)).min(MAX_BACK_OFF);
        let earlier = interval / 10 * (spread % 1000) / 1000;
        entry.due = now + wait.saturating_sub(earlier);
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
        schedule.done(at(2), &"a", true, 0);
        assert_eq!(schedule.poll_due(at(301)), None);
        assert_eq!(schedule.poll_timeout(), Some(at(302)));
        assert_eq!(schedule.poll_due(at(302)), Some("a"));
    }

    #[test]
    fn silent_devices_are_polled_less_often_up_to_a_bound() {
        let mut schedule = Schedule::new(Duration::from_secs(100));
        schedule.add(at(0), "a");
        let mut waits = Vec::new();
        for _ in 0..6 {
            let due = schedule.poll_timeout().unwrap();
            assert_eq!(schedule.poll_due(due), Some("a"));
            schedule.done(due, &"a", false, 0);
            waits.push(schedule.poll_timeout().unwrap().since(due).as_secs());
        }
        assert_eq!(waits, [100, 200, 400, 800, 800, 800]);
    }
}
