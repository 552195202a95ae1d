//! ICMP echo (RFC 792): the question whether anyone is there, and the answers to it.
//!
//! No state is kept for questions: each carries a secret of this process, and only an answer that carries it too counts.

/// ICMP header and the secret.
const LENGTH: usize = 16;
const REQUEST: u8 = 8;
const REPLY: u8 = 0;

/// The message that asks. On sockets for echo alone the kernel puts an identifier and a checksum of its own in place.
pub fn encode_request(sequence: u16, secret: u64) -> Vec<u8> {
    let mut message = Vec::with_capacity(LENGTH);
    message.extend([REQUEST, 0, 0, 0]);
    // The identifier: any; the secret tells our answers from those of others.
    message.extend(secret.to_be_bytes().into_iter().take(2));
    message.extend(sequence.to_be_bytes());
    message.extend(secret.to_be_bytes());
    let [high, low] = checksum(&message).to_be_bytes();
    if let Some(place) = message.get_mut(2..4) {
        place.copy_from_slice(&[high, low]);
    }
    message
}

/// Whether bytes from an echo socket are an answer to a question of ours. Raw sockets put the IP header in front.
pub fn is_reply(bytes: &[u8], secret: u64) -> bool {
    let message = match bytes.first() {
        Some(first) if first >> 4 == 4 => bytes.get(usize::from(first & 0x0f) * 4..).unwrap_or_default(),
        _ => bytes,
    };
    message.get(..2) == Some(&[REPLY, 0]) && message.get(8..LENGTH) == Some(&secret.to_be_bytes())
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        let high = pair.first().copied().unwrap_or(0);
        let low = pair.get(1).copied().unwrap_or(0);
        sum = sum.wrapping_add(u32::from(u16::from_be_bytes([high, low])));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_of_the_whole_comes_out_as_zero() {
        let request = encode_request(3, 0x0102_0304_0506_0708);
        assert_eq!(checksum(&request), 0);
        // The example of RFC 1071.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn an_answer_counts_with_and_without_an_ip_header_and_only_with_the_secret() {
        let mut reply = encode_request(3, 77);
        assert!(!is_reply(&reply, 77), "a question");
        reply[0] = REPLY;
        assert!(is_reply(&reply, 77));
        assert!(!is_reply(&reply, 78));
        let mut with_header = vec![0x45; 20];
        with_header.extend(&reply);
        assert!(is_reply(&with_header, 77));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), secret: u64) {
            let _ = is_reply(&bytes, secret);
        }
    }
}
