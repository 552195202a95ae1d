//! Which addresses a search covers: ranges as people write them, exclusions taken out.
//!
//! Nothing outside the ranges is ever probed: a search walks an [`AddressSet`] and nothing else.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use thiserror::Error;

/// A range as written: `192.0.2.0/24`, `192.0.2.10-192.0.2.99`, `192.0.2.10-99` or `192.0.2.7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    first: u32,
    last: u32,
}

/// Why a text is no range.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum RangeError {
    /// Not of any of the forms.
    #[error("`{0}` is no range of addresses: write 192.0.2.0/24, 192.0.2.10-192.0.2.99, 192.0.2.10-99 or 192.0.2.7")]
    Form(String),
    /// The end comes before the start.
    #[error("`{0}` ends before it starts")]
    Reversed(String),
    /// IPv6 networks are too large to be searched.
    #[error("`{0}` is IPv6: such networks are too large to be searched; give the IPv4 range of the same devices")]
    Ipv6(String),
    /// More addresses than a search takes.
    #[error("the ranges hold {0} addresses; a search takes at most {max} (a /12 network)", max = AddressSet::MAX_ADDRESSES)]
    TooLarge(u64),
}

impl AddressRange {
    /// Reads a range. Of a network with more than two addresses, its own and the broadcast address are left out.
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        let text = text.trim();
        let form = || RangeError::Form(text.to_owned());
        if text.contains(':') {
            return Err(RangeError::Ipv6(text.to_owned()));
        }
        if text.contains('/') {
            let network: Ipv4Net = text.parse().map_err(|_| form())?;
            let (first, last) = (u32::from(network.network()), u32::from(network.broadcast()));
            return Ok(if network.prefix_len() <= 30 {
                Self { first: first + 1, last: last - 1 }
            } else {
                Self { first, last }
            });
        }
        let Some((first, last)) = text.split_once(['-', '–']) else {
            let address = u32::from(text.parse::<Ipv4Addr>().map_err(|_| form())?);
            return Ok(Self { first: address, last: address });
        };
        let first = u32::from(first.trim().parse::<Ipv4Addr>().map_err(|_| form())?);
        let last = match last.trim().parse::<u8>() {
            Ok(octet) => first & 0xffff_ff00 | u32::from(octet),
            Err(_) => u32::from(last.trim().parse::<Ipv4Addr>().map_err(|_| form())?),
        };
        if last < first {
            return Err(RangeError::Reversed(text.to_owned()));
        }
        Ok(Self { first, last })
    }
}

/// Addresses to search: sorted, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressSet {
    ranges: Vec<AddressRange>,
}

impl AddressSet {
    /// Most addresses in a set.
    pub const MAX_ADDRESSES: u64 = 1 << 20;

    /// The addresses of `included` that are not in `excluded`.
    pub fn new(included: &[AddressRange], excluded: &[AddressRange]) -> Result<Self, RangeError> {
        let mut sorted = included.to_vec();
        sorted.sort_by_key(|range| range.first);
        let mut ranges: Vec<AddressRange> = Vec::new();
        for range in sorted {
            match ranges.last_mut() {
                Some(before) if range.first <= before.last.saturating_add(1) => {
                    before.last = before.last.max(range.last)
                }
                _ => ranges.push(range),
            }
        }
        for hole in excluded {
            ranges = ranges.into_iter().flat_map(|range| range.without(*hole)).collect();
        }
        let set = Self { ranges };
        match set.len() {
            length if length > Self::MAX_ADDRESSES => Err(RangeError::TooLarge(length)),
            _ => Ok(set),
        }
    }

    /// How many addresses there are.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|range| u64::from(range.last - range.first) + 1).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The address that has so many others of the set below it.
    pub fn nth(&self, number: u32) -> Option<Ipv4Addr> {
        let mut left = number;
        for range in &self.ranges {
            let length = range.last - range.first;
            if left <= length {
                return Some((range.first + left).into());
            }
            left -= length + 1;
        }
        None
    }

    /// How many addresses of the set are below this one; `None` where it is not in the set.
    pub fn number(&self, address: Ipv4Addr) -> Option<u32> {
        let address = u32::from(address);
        let mut below = 0;
        for range in &self.ranges {
            if address < range.first {
                return None;
            }
            if address <= range.last {
                return Some(below + (address - range.first));
            }
            below += range.last - range.first + 1;
        }
        None
    }

    /// All addresses, in order.
    pub fn iter(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.ranges.iter().flat_map(|range| (range.first..=range.last).map(Ipv4Addr::from))
    }
}

impl AddressRange {
    fn without(self, hole: AddressRange) -> impl Iterator<Item = AddressRange> {
        let disjoint = hole.last < self.first || hole.first > self.last;
        let below = (disjoint || hole.first > self.first)
            .then(|| AddressRange { first: self.first, last: if disjoint { self.last } else { hole.first - 1 } });
        let above =
            (!disjoint && hole.last < self.last).then(|| AddressRange { first: hole.last + 1, last: self.last });
        below.into_iter().chain(above)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(included: &[&str], excluded: &[&str]) -> Vec<String> {
        let parse = |texts: &[&str]| texts.iter().map(|text| AddressRange::parse(text).unwrap()).collect::<Vec<_>>();
        let set = AddressSet::new(&parse(included), &parse(excluded)).unwrap();
        let all: Vec<_> = set.iter().collect();
        assert_eq!(all.len() as u64, set.len());
        for (number, address) in (0..).zip(&all) {
            assert_eq!(set.nth(number), Some(*address));
            assert_eq!(set.number(*address), Some(number));
        }
        assert_eq!(set.nth(u32::try_from(all.len()).unwrap()), None);
        assert_eq!(set.number(Ipv4Addr::new(192, 0, 2, 128)), None);
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(addresses(&["192.0.2.0/30"], &[]), ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(addresses(&["192.0.2.4/31"], &[]), ["192.0.2.4", "192.0.2.5"]);
        assert_eq!(addresses(&["192.0.2.7"], &[]), ["192.0.2.7"]);
        assert_eq!(addresses(&["192.0.2.8-10"], &[]), ["192.0.2.8", "192.0.2.9", "192.0.2.10"]);
        assert_eq!(addresses(&["192.0.2.254 – 192.0.3.0"], &[]), ["192.0.2.254", "192.0.2.255", "192.0.3.0"]);
    }

    #[test]
    fn overlaps_count_once_and_exclusions_not_at_all() {
        assert_eq!(addresses(&["192.0.2.1-3", "192.0.2.2-4"], &["192.0.2.3"]), ["192.0.2.1", "192.0.2.2", "192.0.2.4"]);
        assert_eq!(addresses(&["192.0.2.1-3"], &["192.0.2.0/24"]), [""; 0]);
        assert_eq!(addresses(&["255.255.255.254-255.255.255.255"], &[]), ["255.255.255.254", "255.255.255.255"]);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for text in ["", "printer", "192.0.2.0/33", "192.0.2.300", "192.0.2.1-", "192.0.2.1-999"] {
            assert_eq!(AddressRange::parse(text), Err(RangeError::Form(text.to_owned())));
        }
        assert!(matches!(AddressRange::parse("192.0.2.9-3"), Err(RangeError::Reversed(_))));
        assert!(matches!(AddressRange::parse("2001:db8::/64"), Err(RangeError::Ipv6(_))));
        let everything = AddressRange::parse("0.0.0.0/0").unwrap();
        assert!(matches!(AddressSet::new(&[everything], &[]), Err(RangeError::TooLarge(_))));
    }
}
