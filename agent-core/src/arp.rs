//! ARP for IPv4 over Ethernet (RFC 826): the question who has an address, and the answers to it. Frames only; the daemon owns
//! the packet sockets.

use std::fmt;
use std::net::Ipv4Addr;

/// The address of a network card.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Reads `00:11:22:aa:bb:cc`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            let part = parts.next().filter(|part| part.len() == 2)?;
            *octet = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(Self(octets))
    }

    /// Whether one card can have it: neither a group's nor all zeros.
    pub fn is_of_one(self) -> bool {
        let [first, ..] = self.0;
        first & 1 == 0 && self.0 != [0; 6]
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Ethernet header, then ARP with six and four octets of address.
const LENGTH: usize = 14 + 28;
/// EtherType of ARP.
const ETHERTYPE: [u8; 2] = [0x08, 0x06];
/// Ethernet, IPv4, lengths of their addresses.
const KIND: [u8; 6] = [0, 1, 0x08, 0, 6, 4];

/// The frame that asks everyone on the wire who has `target`.
pub fn encode_request(own: Mac, source: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut frame = Vec::with_capacity(LENGTH);
    frame.extend([0xff; 6]);
    frame.extend(own.0);
    frame.extend(ETHERTYPE);
    frame.extend(KIND);
    frame.extend([0, 1]);
    frame.extend(own.0);
    frame.extend(source.octets());
    frame.extend([0; 6]);
    frame.extend(target.octets());
    frame
}

/// Who answers a question of `own`, and with what card; `None` for every other frame.
pub fn decode_reply(own: Mac, frame: &[u8]) -> Option<(Ipv4Addr, Mac)> {
    let (ethernet, arp) = frame.split_at_checked(14)?;
    let (kind, rest) = arp.split_at_checked(6)?;
    let operation: [u8; 2] = rest.get(..2)?.try_into().ok()?;
    let sender: [u8; 6] = rest.get(2..8)?.try_into().ok()?;
    let address: [u8; 4] = rest.get(8..12)?.try_into().ok()?;
    let receiver: [u8; 6] = rest.get(12..18)?.try_into().ok()?;
    rest.get(18..22)?;
    let fits = ethernet.get(12..) == Some(&ETHERTYPE) && kind == KIND && operation == [0, 2] && receiver == own.0;
    let sender = Mac(sender);
    (fits && sender.is_of_one()).then(|| (Ipv4Addr::from(address), sender))
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWN: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const THEIRS: Mac = Mac([0, 0x11, 0x22, 0x33, 0x44, 0x55]);

    fn reply() -> Vec<u8> {
        // As the other side would send it: a question of theirs, turned into an answer.
        let mut frame = encode_request(THEIRS, [192, 0, 2, 7].into(), [192, 0, 2, 1].into());
        frame[..6].copy_from_slice(&OWN.0);
        frame[21] = 2;
        frame[32..38].copy_from_slice(&OWN.0);
        // Ethernet pads short frames.
        frame.resize(60, 0);
        frame
    }

    #[test]
    fn an_answer_tells_address_and_card() {
        assert_eq!(decode_reply(OWN, &reply()), Some(([192, 0, 2, 7].into(), THEIRS)));
    }

    #[test]
    fn a_question_is_laid_out_as_on_the_wire() {
        let frame = encode_request(OWN, [192, 0, 2, 1].into(), [192, 0, 2, 7].into());
        let expected = "ffffffffffff020000000001080600010800060400010200000000 01c0000201000000000000c0000207";
        let hex: String = frame.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(hex, expected.replace(' ', ""));
    }

    #[test]
    fn what_answers_nobody_or_someone_else_is_passed_over() {
        assert_eq!(decode_reply(THEIRS, &reply()), None, "for someone else");
        assert_eq!(decode_reply(OWN, &encode_request(THEIRS, [192, 0, 2, 7].into(), [192, 0, 2, 1].into())), None);
        let mut group = reply();
        group[22] |= 1;
        assert_eq!(decode_reply(OWN, &group), None, "a group's address");
    }

    #[test]
    fn cards_are_read_as_they_are_shown() {
        assert_eq!(Mac::parse(&THEIRS.to_string()), Some(THEIRS));
        for text in ["", "00:11:22:33:44", "00:11:22:33:44:55:66", "0:11:22:33:44:55", "00:11:22:33:44:zz"] {
            assert_eq!(Mac::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_frame_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80), at in 0_usize..60, octet: u8, cut in 0_usize..60) {
            let _ = decode_reply(OWN, &bytes);
            let mut frame = reply();
            frame[at] = octet;
            let _ = decode_reply(OWN, &frame[..cut]);
            let _ = decode_reply(OWN, &frame);
        }
    }
}
