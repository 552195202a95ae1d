//! Values of records: a tag, a type, a length and so many octets each, with 0xff at the end.
//!
//! Devices cut them, pad them and send tags that nobody knows; whatever comes, what is whole is read and nothing panics.

/// Most records taken from one value.
const MAX_RECORDS: usize = 256;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it is about.
    pub tag: u8,
    /// What it says.
    pub octets: Vec<u8>,
}

impl Record {
    /// The octets as a number, the highest first; `None` where there are none, too many, or all bits are set, which is no number.
    pub fn number(&self) -> Option<u64> {
        let fits = (1..=8).contains(&self.octets.len()) && self.octets.iter().any(|octet| *octet != 0xff);
        fits.then(|| self.octets.iter().fold(0, |number, octet| number << 8 | u64::from(*octet)))
    }
}

/// The records of a value, as far as they are whole; of two with one tag the first. Text of hexadecimal digits is taken as
/// the octets that it spells.
pub fn records(octets: &[u8]) -> Vec<Record> {
    let spelled = spelled(octets);
    let mut rest = spelled.as_deref().unwrap_or(octets);
    let mut records: Vec<Record> = Vec::new();
    while let [tag, _kind, length, behind @ ..] = rest {
        let Some((value, next)) = behind.split_at_checked(usize::from(*length)) else { break };
        if *tag == 0xff || records.len() == MAX_RECORDS {
            break;
        }
        if records.iter().all(|known| known.tag != *tag) {
            records.push(Record { tag: *tag, octets: value.to_vec() });
        }
        rest = next;
    }
    records
}

fn spelled(octets: &[u8]) -> Option<Vec<u8>> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Vec<u8> = octets.iter().map(digit).collect::<Option<_>>()?;
    let pairs = digits.as_chunks::<2>().0;
    (!pairs.is_empty()).then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(octets: &[u8]) -> Vec<(u8, Option<u64>)> {
        records(octets).iter().map(|record| (record.tag, record.number())).collect()
    }

    #[test]
    fn records_come_apart_whatever_stands_around_them() {
        let whole = b"\x00\x01\x04\x00\x00\x0f\x4a\x6f\x01\x04\x00\x00\x1e\x14\xff";
        assert_eq!(read(whole), [(0, Some(3914)), (0x6f, Some(7700))]);
        // Without the end, cut in a record, with an unknown tag of another length, doubled, and spelled out.
        assert_eq!(read(&whole[..14]), [(0, Some(3914)), (0x6f, Some(7700))]);
        assert_eq!(read(&whole[..13]), [(0, Some(3914))]);
        assert_eq!(
            read(b"\xa1\x01\x02\x04\x14\x05\x01\x00\x11\x01\x01\x07\xff"),
            [(0xa1, Some(0x414)), (5, None), (0x11, Some(7))]
        );
        assert_eq!(read(b"\x01\x01\x01\x02\x01\x01\x01\x03"), [(1, Some(2))]);
        assert_eq!(read(b"000104000005A5ff"), [(0, Some(0x5a5))]);
        assert_eq!(read(b"\x41\x01\x04\xff\xff\xff\xff\xff"), [(0x41, None)]);
        for nothing in [&b""[..], b"\xff", b"\x00", b"\x00\x01", b"\x00\x01\x04"] {
            assert_eq!(read(nothing), []);
        }
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let records = records(&octets);
            prop_assert!(records.len() <= MAX_RECORDS);
            prop_assert!(records.iter().map(|record| record.octets.len()).sum::<usize>() <= octets.len());
        }
    }
}
