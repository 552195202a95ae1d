//! ARP over Ethernet (RFC 826): the one frame that a check of addresses needs, both ways.

use std::net::Ipv4Addr;

use crate::config::Vlan;

/// Ethernet type of ARP.
pub const ETHER_TYPE: u16 = 0x0806;
/// Length of header and ARP together; receivers may see padding behind it.
pub const FRAME_LENGTH: usize = 42;

/// Ethernet type of what is in a VLAN; its number and the real type follow. The kernel takes both off what it receives.
const TAG: u16 = 0x8100;
const REQUEST: u16 = 1;
const ETHERNET: [u8; 2] = [0, 1];
const IPV4: [u8; 2] = [0x08, 0x00];
const LENGTHS: [u8; 2] = [6, 4];

/// What an ARP frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// Whether it asks; otherwise it answers.
    pub is_request: bool,
    /// Hardware address of the sender.
    pub sender_mac: [u8; 6],
    /// Protocol address of the sender; unspecified in a probe.
    pub sender: Ipv4Addr,
    /// The address that is asked for or that asked.
    pub target: Ipv4Addr,
}

impl Arp {
    /// A probe (RFC 5227, 2.1.1): asks for an address without claiming one.
    pub fn probe(sender_mac: [u8; 6], target: Ipv4Addr) -> Self {
        Self { is_request: true, sender_mac, sender: Ipv4Addr::UNSPECIFIED, target }
    }

    /// The frame, as a broadcast in a VLAN or outside all of them.
    pub fn encode_in(&self, vlan: Option<Vlan>) -> Vec<u8> {
        let mut frame = self.encode();
        if let Some(vlan) = vlan {
            let [a, b] = vlan.number().to_be_bytes();
            let [c, d] = TAG.to_be_bytes();
            frame.splice(12..12, [c, d, a, b]);
        }
        frame
    }

    /// The frame, as a broadcast.
    pub fn encode(&self) -> Vec<u8> {
        let operation = if self.is_request { REQUEST } else { 2 };
        let mut frame = Vec::with_capacity(FRAME_LENGTH);
        frame.extend([0xff; 6]);
        frame.extend(self.sender_mac);
        frame.extend(ETHER_TYPE.to_be_bytes());
        frame.extend(ETHERNET);
        frame.extend(IPV4);
        frame.extend(LENGTHS);
        frame.extend(operation.to_be_bytes());
        frame.extend(self.sender_mac);
        frame.extend(self.sender.octets());
        frame.extend([0; 6]);
        frame.extend(self.target.octets());
        frame
    }

    /// What a frame says, if it is ARP for IPv4 over Ethernet.
    pub fn decode(frame: &[u8]) -> Option<Self> {
        let (_, rest) = frame.split_at_checked(12)?;
        let (ether_type, rest) = take::<2>(rest)?;
        let (hardware, rest) = take::<2>(rest)?;
        let (protocol, rest) = take::<2>(rest)?;
        let (lengths, rest) = take::<2>(rest)?;
        let (operation, rest) = take::<2>(rest)?;
        let (sender_mac, rest) = take::<6>(rest)?;
        let (sender, rest) = take::<4>(rest)?;
        let (_, rest) = take::<6>(rest)?;
        let (target, _) = take::<4>(rest)?;
        let is_arp = ether_type == ETHER_TYPE.to_be_bytes()
            && (hardware, protocol, lengths) == (ETHERNET, IPV4, LENGTHS)
            && matches!(operation, [0, 1 | 2]);
        is_arp.then_some(Self {
            is_request: operation == REQUEST.to_be_bytes(),
            sender_mac,
            sender: sender.into(),
            target: target.into(),
        })
    }
}

fn take<const N: usize>(bytes: &[u8]) -> Option<([u8; N], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    Some((*head, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_probe_is_as_the_rfc_has_it() {
        let frame = Arp::probe([2, 0, 0, 0, 0, 7], Ipv4Addr::new(192, 0, 2, 5)).encode();
        let expected = [
            "ffffffffffff020000000007",
            "0806",
            "0001",
            "0800",
            "0604",
            "0001",
            "020000000007",
            "00000000",
            "000000000000",
            "c0000205",
        ];
        assert_eq!(frame.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), expected.concat());
    }

    #[test]
    fn in_a_vlan_it_has_a_tag() {
        let arp = Arp::probe([2, 0, 0, 0, 0, 7], Ipv4Addr::new(192, 0, 2, 5));
        let mut frame = arp.encode_in(Vlan::new(7));
        assert_eq!(frame.splice(12..16, []).collect::<Vec<_>>(), [0x81, 0x00, 0x00, 0x07]);
        assert_eq!(frame, arp.encode());
    }

    proptest! {
        #[test]
        fn frames_survive_the_wire_and_rubbish_is_nothing(
            mac: [u8; 6], sender: [u8; 4], target: [u8; 4], is_request: bool, padding in 0..30_usize, rubbish: Vec<u8>
        ) {
            let arp = Arp { is_request, sender_mac: mac, sender: sender.into(), target: target.into() };
            let mut frame = arp.encode();
            frame.extend(vec![0; padding]);
            prop_assert_eq!(Arp::decode(&frame), Some(arp));
            let _ = Arp::decode(&rubbish);
            frame.truncate(FRAME_LENGTH - 1);
            prop_assert_eq!(Arp::decode(&frame), None);
        }
    }
}
