//! The part of BER (ITU-T X.690) that requests need. Written from the end to the start, so that every length is known when
//! its turn comes.

use crate::oid::Oid;

/// Universal and application tags of SNMP (RFC 1157, 2578) as identifier octets.
pub mod tag {
    #![allow(missing_docs, reason = "the names are those of the RFCs")]
    pub const INTEGER: u8 = 0x02;
    pub const OCTET_STRING: u8 = 0x04;
    pub const NULL: u8 = 0x05;
    pub const OBJECT_IDENTIFIER: u8 = 0x06;
    pub const SEQUENCE: u8 = 0x30;
    pub const IP_ADDRESS: u8 = 0x40;
    pub const COUNTER32: u8 = 0x41;
    pub const GAUGE32: u8 = 0x42;
    pub const TIME_TICKS: u8 = 0x43;
    pub const OPAQUE: u8 = 0x44;
    pub const COUNTER64: u8 = 0x46;
    pub const NO_SUCH_OBJECT: u8 = 0x80;
    pub const NO_SUCH_INSTANCE: u8 = 0x81;
    pub const END_OF_MIB_VIEW: u8 = 0x82;
}

/// Collects octets backwards.
#[derive(Default)]
pub struct Writer {
    reversed: Vec<u8>,
}

impl Writer {
    /// The octets in their order on the wire.
    pub fn finish(mut self) -> Vec<u8> {
        self.reversed.reverse();
        self.reversed
    }

    /// Writes what `content` writes, then (before it, on the wire) the length and the tag.
    pub fn wrap(&mut self, tag: u8, content: impl FnOnce(&mut Self)) {
        let end = self.reversed.len();
        content(self);
        let length = self.reversed.len() - end;
        self.length(length);
        self.reversed.push(tag);
    }

    /// How many octets have been written so far.
    pub fn len(&self) -> usize {
        self.reversed.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.reversed.is_empty()
    }

    /// Octets that are BER already.
    pub fn raw(&mut self, octets: &[u8]) {
        self.octets(octets);
    }

    /// An INTEGER in the fewest octets.
    pub fn integer(&mut self, value: i32) {
        self.wrap(tag::INTEGER, |writer| {
            let octets = value.to_be_bytes();
            let spare = octets
                .windows(2)
                .take_while(|pair| {
                    matches!(pair, [0x00, next] if *next < 0x80) || matches!(pair, [0xff, next] if *next >= 0x80)
                })
                .count();
            writer.octets(octets.get(spare..).unwrap_or_default());
        });
    }

    /// An OCTET STRING.
    pub fn octet_string(&mut self, octets: &[u8]) {
        self.wrap(tag::OCTET_STRING, |writer| writer.octets(octets));
    }

    /// NULL.
    pub fn null(&mut self) {
        self.wrap(tag::NULL, |_| ());
    }

    /// An OBJECT IDENTIFIER.
    pub fn oid(&mut self, oid: &Oid) {
        self.wrap(tag::OBJECT_IDENTIFIER, |writer| {
            let (first, rest) = match oid.arcs() {
                [first, second, rest @ ..] => (first.saturating_mul(40).saturating_add(*second), rest),
                _ => (0, &[][..]),
            };
            for arc in rest.iter().rev() {
                writer.base128(*arc);
            }
            writer.base128(first);
        });
    }

    fn octets(&mut self, octets: &[u8]) {
        self.reversed.extend(octets.iter().rev());
    }

    fn base128(&mut self, mut arc: u32) {
        self.reversed.push(low_octet(arc) & 0x7f);
        arc >>= 7;
        while arc > 0 {
            self.reversed.push(low_octet(arc) | 0x80);
            arc >>= 7;
        }
    }

    fn length(&mut self, length: usize) {
        if length < 0x80 {
            self.reversed.push(low_octet(u32::try_from(length).unwrap_or(0)));
            return;
        }
        let octets = length.to_be_bytes();
        let significant =
            octets.iter().position(|octet| *octet != 0).map_or(&[][..], |at| octets.get(at..).unwrap_or_default());
        self.octets(significant);
        self.reversed.push(0x80 | low_octet(u32::try_from(significant.len()).unwrap_or(0)));
    }
}

/// The lowest eight bits.
fn low_octet(value: u32) -> u8 {
    let [.., low] = value.to_be_bytes();
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::default();
        write(&mut writer);
        writer.finish()
    }

    #[test]
    fn integers_take_the_fewest_octets() {
        for (value, octets) in [
            (0, &[2, 1, 0][..]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (-1, &[2, 1, 0xff]),
            (-129, &[2, 2, 0xff, 0x7f]),
            (i32::MAX, &[2, 4, 0x7f, 0xff, 0xff, 0xff]),
            (i32::MIN, &[2, 4, 0x80, 0, 0, 0]),
        ] {
            assert_eq!(written(|writer| writer.integer(value)), octets, "{value}");
        }
    }

    #[test]
    fn arcs_above_127_take_several_octets() {
        let oid = Oid::parse("1.3.6.1.4.1.1347.4294967295").unwrap();
        let expected = [6, 12, 0x2b, 6, 1, 4, 1, 0x8a, 0x43, 0x8f, 0xff, 0xff, 0xff, 0x7f];
        assert_eq!(written(|writer| writer.oid(&oid)), expected);
    }

    #[test]
    fn long_contents_have_long_lengths() {
        assert_eq!(written(|writer| writer.octet_string(&[0; 127])).get(..2), Some(&[4, 127][..]));
        assert_eq!(written(|writer| writer.octet_string(&[0; 128])).get(..3), Some(&[4, 0x81, 128][..]));
        assert_eq!(written(|writer| writer.octet_string(&[0; 300])).get(..4), Some(&[4, 0x82, 1, 44][..]));
    }
}
