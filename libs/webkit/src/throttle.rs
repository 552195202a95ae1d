//! How often someone may try to log in: per address and per user, with growing pauses. Time is an argument.
//!
//! An attempt counts as failed when it begins and is forgiven when it succeeds, so that a hundred attempts at once
//! gain nothing.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

/// Failures that cost nothing.
const FREE: u32 = 5;
/// The first pause; it doubles with each further failure.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause for an address.
const LONGEST_FOR_ADDRESS: Duration = Duration::from_secs(15 * 60);
/// The longest pause for a user: shorter, since anyone who knows the name can bring it about.
const LONGEST_FOR_USER: Duration = Duration::from_secs(2 * 60);
/// After so long without an attempt all is forgotten.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// Most addresses and users remembered; the one longest quiet is forgotten first.
const CAPACITY: usize = 4096;

/// Who has tried and failed.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: HashMap<Key, Failures>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// An IPv4 address, or the /64 of an IPv6 address: one holder has all of it.
    Address(IpAddr),
    /// By digest, so that an entry has a bounded size whatever is typed.
    User([u8; 32]),
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Throttle {
    /// Begins an attempt to log in; refused with the time to wait while a pause lasts.
    pub fn begin(&mut self, address: IpAddr, user: &str, now: Instant) -> Result<(), Duration> {
        let keys = [Key::of_address(address), Key::of_user(user)];
        let wait = keys.iter().map(|key| self.pause_left(key, now)).max().unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        for key in keys {
            self.count_failure(key, now);
        }
        Ok(())
    }

    /// The attempt that began last was a good one: nothing is held against address and user any more.
    pub fn succeeded(&mut self, address: IpAddr, user: &str) {
        self.failures.remove(&Key::of_address(address));
        self.failures.remove(&Key::of_user(user));
    }

    fn pause_left(&self, key: &Key, now: Instant) -> Duration {
        let Some(failures) = self.failures.get(key) else { return Duration::ZERO };
        let Some(doublings) = failures.count.checked_sub(FREE) else { return Duration::ZERO };
        let longest = match key {
            Key::Address(_) => LONGEST_FOR_ADDRESS,
            Key::User(_) => LONGEST_FOR_USER,
        };
        let pause = FIRST_PAUSE.saturating_mul(1 << doublings.min(16)).min(longest);
        (failures.last + pause).saturating_duration_since(now)
    }

    fn count_failure(&mut self, key: Key, now: Instant) {
        self.failures.retain(|_, failures| now.saturating_duration_since(failures.last) < MEMORY);
        if self.failures.len() >= CAPACITY && !self.failures.contains_key(&key) {
            let oldest = self.failures.iter().min_by_key(|(_, failures)| failures.last).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.failures.remove(&oldest);
            }
        }
        let failures = self.failures.entry(key).or_insert(Failures { count: 0, last: now });
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }
}

impl Key {
    fn of_address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        })
    }

    fn of_user(user: &str) -> Self {
        Self::User(Sha256::digest(user.trim().to_lowercase()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn five_failures_are_free_then_pauses_double() {
        let mut throttle = Throttle::default();
        let start = Instant::now();
        for _ in 0..5 {
            assert_eq!(throttle.begin(HERE, "admin", start), Ok(()));
        }
        assert_eq!(throttle.begin(HERE, "admin", start), Err(Duration::from_secs(5)));
        let later = start + Duration::from_secs(5);
        assert_eq!(throttle.begin(HERE, "admin", later), Ok(()));
        assert_eq!(throttle.begin(HERE, "admin", later), Err(Duration::from_secs(10)));
        assert_eq!(throttle.begin(HERE, "admin", later + Duration::from_secs(4)), Err(Duration::from_secs(6)));
    }

    #[test]
    fn a_user_is_guarded_against_many_addresses_and_an_address_against_many_users() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        for last in 0..5 {
            throttle.begin(IpAddr::from([192, 0, 2, last]), "Admin ", now).unwrap();
        }
        assert!(throttle.begin(IpAddr::from([192, 0, 2, 99]), "admin", now).is_err());
        assert!(throttle.begin(IpAddr::from([192, 0, 2, 99]), "someone", now).is_ok());
        for name in ["a", "b", "c", "d"] {
            throttle.begin(IpAddr::from([192, 0, 2, 99]), name, now).unwrap();
        }
        assert!(throttle.begin(IpAddr::from([192, 0, 2, 99]), "e", now).is_err());
    }

    #[test]
    fn success_forgives_and_time_forgets() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        for _ in 0..5 {
            throttle.begin(HERE, "admin", now).unwrap();
        }
        throttle.succeeded(HERE, "admin");
        assert!(throttle.begin(HERE, "admin", now).is_ok());
        for _ in 0..4 {
            throttle.begin(HERE, "admin", now).unwrap();
        }
        assert!(throttle.begin(HERE, "admin", now).is_err());
        let later = now + MEMORY;
        for _ in 0..5 {
            assert!(throttle.begin(HERE, "admin", later).is_ok());
        }
    }

    #[test]
    fn the_whole_of_an_ipv6_subnet_is_one_address_and_memory_is_bounded() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        for last in 0..5_u16 {
            throttle.begin(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]), &last.to_string(), now).unwrap();
        }
        assert!(throttle.begin(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 77]), "x", now).is_err());
        for number in 0..6000_u32 {
            let _ = throttle.begin(IpAddr::from(number.to_be_bytes()), &number.to_string(), now);
        }
        assert!(throttle.failures.len() <= CAPACITY);
    }
}
