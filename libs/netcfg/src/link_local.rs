//! The IPv4 address that the box gives itself (RFC 3927), in every mode and beside every other: always the same one, unless
//! somebody has it.

use std::net::Ipv4Addr;

/// Addresses that are tried until one is free; then nobody is disturbed further until the cable is put in anew.
pub const MOST: u8 = 10;
/// The range without its first and last 256, which are reserved.
const FIRST: u32 = u32::from_be_bytes([169, 254, 1, 0]);
const COUNT: u32 = 254 << 8;

/// What a box of this hardware address tries, `attempt` times in vain.
pub fn address(mac: [u8; 6], attempt: u8) -> Ipv4Addr {
    // FNV-1a: what matters is that neighbouring hardware addresses lie apart, and that it is the same for ever.
    let hash = mac
        .into_iter()
        .chain([attempt])
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    Ipv4Addr::from(FIRST + hash % COUNT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn addresses_are_of_the_range_and_differ() {
        let mut seen = BTreeSet::new();
        for last in 0..=255 {
            for attempt in 0..MOST {
                let address = address([0xdc, 0xa6, 0x32, 0, 0, last], attempt);
                assert!(address.is_link_local() && (1..=254).contains(&address.octets()[2]), "{address}");
                seen.insert(address);
            }
        }
        assert!(seen.len() > 2_400, "only {} of 2560 differ", seen.len());
        assert_eq!(address([0xdc, 0xa6, 0x32, 0x12, 0xab, 0xcd], 0), address([0xdc, 0xa6, 0x32, 0x12, 0xab, 0xcd], 0));
    }
}
