//! Where a message ends in a stream (RFC 3430): the length stands in its first octets. Owns no stream.

use super::ber::tag;

/// Octets of the largest message taken from a stream.
pub const MAX_FRAME: usize = 65_535;

/// What the octets received so far begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// A message of so many octets.
    Whole(usize),
    /// The beginning of one.
    Part,
    /// Nothing that SNMP begins with, or a message that is too large: the rest of the stream makes no sense either.
    Broken,
}

/// Looks for the first message of a stream.
pub fn first(bytes: &[u8]) -> Frame {
    let (length, head) = match bytes {
        [] | [tag::SEQUENCE] => return Frame::Part,
        [tag::SEQUENCE, length @ ..=0x7f, ..] => (usize::from(*length), 2),
        [tag::SEQUENCE, octets, rest @ ..] if (0x81..=0x84).contains(octets) => {
            let octets = usize::from(octets & 0x7f);
            let Some(length) = rest.get(..octets) else { return Frame::Part };
            (length.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), 2 + octets)
        }
        _ => return Frame::Broken,
    };
    match head.saturating_add(length) {
        whole if whole > MAX_FRAME => Frame::Broken,
        whole if whole > bytes.len() => Frame::Part,
        whole => Frame::Whole(whole),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_cut_where_they_end() {
        assert_eq!(first(&[]), Frame::Part);
        assert_eq!(first(&[0x30, 3, 1]), Frame::Part);
        assert_eq!(first(&[0x30, 3, 1, 2, 3, 0x30]), Frame::Whole(5));
        assert_eq!(first(&[0x30, 0x82, 0]), Frame::Part);
        assert_eq!(first(&[0x30, 0x82, 0, 1, 9]), Frame::Whole(5));
        assert_eq!(first(b"HTTP/1.1 400 Bad Request"), Frame::Broken);
        assert_eq!(first(&[0x30, 0x80, 0, 0]), Frame::Broken, "without a length it cannot be cut");
        assert_eq!(first(&[0x30, 0x83, 1, 0, 0]), Frame::Broken, "65,536 octets");
        assert_eq!(first(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), Frame::Broken);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_no_frame_is_longer_than_they_are(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Frame::Whole(length) = first(&bytes) {
                prop_assert!(length <= bytes.len() && length >= 2);
            }
        }
    }
}
