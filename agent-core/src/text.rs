//! Strings of devices to text. They come as UTF-8, in the character set of the device's language, as UTF-16 or as hexadecimal
//! digits, cut inside a character, with NULs and control characters; nothing of that may lose the row.

use encoding_rs::Encoding;

/// Longest text kept, in characters: what the wire carries.
const MAX_CHARACTERS: usize = 1024;

/// A character set by its number in IANA's registry (IANACharset of RFC 3808), as far as printers use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CharacterSet {
    /// The device names none, or one in which every text is UTF-8 too.
    #[default]
    Unknown,
    /// Roman-8, which stands in no other registry.
    Roman8,
    /// Any that has an encoder of its own.
    Encoded(&'static Encoding),
}

impl CharacterSet {
    /// The set of a number; what is not known is taken as if none were named.
    pub fn from_code(code: i64) -> Self {
        let label = match code {
            4 => "iso-8859-1",
            5 => "iso-8859-2",
            6 => "iso-8859-3",
            7 => "iso-8859-4",
            8 => "iso-8859-5",
            9 => "iso-8859-6",
            10 => "iso-8859-7",
            11 => "iso-8859-8",
            12 => "iso-8859-9",
            13 => "iso-8859-10",
            17 => "shift_jis",
            18 => "euc-jp",
            38 => "euc-kr",
            109 => "iso-8859-13",
            111 => "iso-8859-15",
            113 => "gbk",
            114 => "gb18030",
            1013 | 1015 => "utf-16be",
            1014 => "utf-16le",
            2004 => return Self::Roman8,
            2025 => "gb2312",
            2026 => "big5",
            2084 => "koi8-r",
            2250 => "windows-1250",
            2251 => "windows-1251",
            2252 => "windows-1252",
            2253 => "windows-1253",
            2254 => "windows-1254",
            2259 => "tis-620",
            _ => return Self::Unknown,
        };
        Encoding::for_label(label.as_bytes()).map_or(Self::Unknown, Self::Encoded)
    }

    fn decode(self, octets: &[u8]) -> String {
        match self {
            Self::Unknown => octets.iter().map(|octet| char::from(*octet)).collect(),
            Self::Roman8 => octets.iter().map(|octet| roman8(*octet)).collect(),
            Self::Encoded(encoding) => encoding.decode_without_bom_handling(octets).0.into_owned(),
        }
    }
}

/// What stands in the upper half of Roman-8, from 0xa1.
const ROMAN8: &str = "ÀÂÈÊËÎÏ´ˋˆ¨˜ÙÛ₤¯Ýý°ÇçÑñ¡¿¤£¥§ƒ¢âêôûáéóúàèòùäëöüÅîØÆåíøæÄìÖÜÉïßÔÁÃãÐðÍÌÓÒÕõŠšÚŸÿÞþ·µ¶¾—¼½ªº«■»±";

fn roman8(octet: u8) -> char {
    match octet {
        0xa0 => '\u{a0}',
        0xa1.. => ROMAN8.chars().nth(usize::from(octet - 0xa1)).unwrap_or(char::REPLACEMENT_CHARACTER),
        plain => char::from(plain),
    }
}

/// The text of a device's octets, trimmed; `None` where nothing but blanks is left.
pub fn text(octets: &[u8]) -> Option<String> {
    text_in(CharacterSet::Unknown, octets)
}

/// The same from a device that names its character set, which counts only for what is not UTF-8: many devices name one and
/// keep to the other.
pub fn text_in(set: CharacterSet, octets: &[u8]) -> Option<String> {
    let decoded = match std::str::from_utf8(octets) {
        Ok(text) => utf16(octets).unwrap_or_else(|| spelled(text, set).unwrap_or_else(|| text.to_owned())),
        // Cut inside a character: UTF-8, if there is another such character before, or nothing else is known. One octet of the
        // upper rows alone at the end is rather a letter of Latin-1 (`usagé`) than the first of three.
        Err(error)
            if error.error_len().is_none()
                && error.valid_up_to() > 0
                && ((set == CharacterSet::Unknown
                    && octets.get(error.valid_up_to()..).is_some_and(|tail| !matches!(tail, [0xe0..=0xff])))
                    || octets.get(..error.valid_up_to()).is_some_and(|whole| !whole.is_ascii())) =>
        {
            String::from_utf8_lossy(octets.get(..error.valid_up_to()).unwrap_or_default()).into_owned()
        }
        Err(_) => utf16(octets).unwrap_or_else(|| set.decode(octets)),
    };
    let shown: String = decoded
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(MAX_CHARACTERS)
        .collect();
    let trimmed = shown.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// The text that a string of hexadecimal pairs with blanks between them spells, as some devices send whole descriptions.
fn spelled(text: &str, set: CharacterSet) -> Option<String> {
    let pairs: Vec<&str> = text.split_ascii_whitespace().collect();
    let octet = |pair: &&str| (pair.len() == 2).then(|| u8::from_str_radix(pair, 16).ok()).flatten();
    let octets: Vec<u8> = pairs.iter().map(octet).collect::<Option<_>>()?;
    let printable = octets.iter().filter(|octet| matches!(octet, 0x20..=0x7e)).count();
    let is_text = octets.len() >= 4 && printable * 4 >= octets.len() * 3;
    is_text.then(|| set.decode(&octets))
}

/// Octets as pairs of hexadecimal digits.
pub fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// UTF-16 of either order, recognised by the NULs that text in European languages has in every second octet.
fn utf16(octets: &[u8]) -> Option<String> {
    if octets.len() < 4 || !octets.len().is_multiple_of(2) {
        return None;
    }
    let pairs = octets.len() / 2;
    let nulls = |parity: usize| octets.iter().skip(parity).step_by(2).filter(|octet| **octet == 0).count();
    let (high_first, low_first) = (nulls(0), nulls(1));
    let big_endian = high_first > low_first;
    if high_first.max(low_first) * 4 < pairs * 3 || high_first.min(low_first) * 4 > pairs {
        return None;
    }
    let units = octets.chunks_exact(2).filter_map(|pair| <[u8; 2]>::try_from(pair).ok()).map(|pair| match big_endian {
        true => u16::from_be_bytes(pair),
        false => u16::from_le_bytes(pair),
    });
    Some(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

/// A physical address of six octets, or of their hexadecimal digits, as `00:17:c8:…`; `None` for others and for all noughts.
pub fn mac(octets: &[u8]) -> Option<String> {
    let six: [u8; 6] = octets.try_into().ok().or_else(|| {
        let digits: Vec<u8> = octets.iter().copied().filter(u8::is_ascii_hexdigit).collect();
        let marks = octets.iter().filter(|octet| matches!(octet, b':' | b'-' | b' ' | b'.')).count();
        let digits = std::str::from_utf8(&digits).ok().filter(|digits| digits.len() == 12)?;
        let address = u64::from_str_radix(digits, 16).ok().filter(|_| marks + 12 == octets.len())?;
        let [_, _, six @ ..] = address.to_be_bytes();
        Some(six)
    })?;
    (six != [0; 6] && six != [0xff; 6])
        .then(|| six.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_in_use_becomes_text() {
        for (octets, expected) in [
            (&b"  Toner \0\0"[..], Some("Toner")),
            ("Bereit – Öffnen".as_bytes(), Some("Bereit – Öffnen")),
            (b"Bereit: \xd6ffnen", Some("Bereit: Öffnen")),
            (b"R\0e\0a\0d\0y\0", Some("Ready")),
            (b"\0R\0e\0a\0d\0y", Some("Ready")),
            (b"Papier nachf\xc3", Some("Papier nachf")),
            (b"Bac usag\xe9", Some("Bac usagé")),
            (b"line\r\nbreak\x07", Some("line  break")),
            (b"", None),
            (b"\0\0 \0", None),
        ] {
            assert_eq!(text(octets).as_deref(), expected, "{octets:?}");
        }
        assert_eq!(text(&[b'x'; 5000]).unwrap().len(), MAX_CHARACTERS);
        let spelled = text(b"42 6C 61 63 6B 20 54 6F 6E 65 72 0A");
        assert_eq!(spelled.as_deref(), Some("Black Toner"));
        assert_eq!(text(b"12 34 56").as_deref(), Some("12 34 56"));
    }

    #[test]
    fn a_named_character_set_is_for_what_is_not_utf_8() {
        for (code, octets, expected) in [
            (2004, &b"Bereit f\xcfr \xda"[..], "Bereit für Ö"),
            (2004, b"Tambour \xe0 \xff \xa1\xfe", "Tambour Á \u{fffd} À±"),
            (5, b"U\xa6PIENIE", "UŚPIENIE"),
            (5, "UŚPIENIE".as_bytes(), "UŚPIENIE"),
            (8, b"\xb3\xde\xe2\xde\xd2", "Готов"),
            (12, b"Haz\xfdr", "Hazır"),
            (106, "请等待".as_bytes(), "请等待"),
            (4, b"Pr\xeat", "Prêt"),
            (17, b"\x83\x67\x83\x69\x81\x5b", "トナー"),
            (2004, b"OCZEKIWANIE", "OCZEKIWANIE"),
            (99_999, b"Pr\xeat", "Prêt"),
        ] {
            assert_eq!(text_in(CharacterSet::from_code(code), octets).as_deref(), Some(expected), "{code}");
        }
    }

    #[test]
    fn a_mac_has_six_octets_that_are_not_all_alike() {
        assert_eq!(mac(&[0, 0x17, 0xc8, 1, 2, 3]).as_deref(), Some("00:17:c8:01:02:03"));
        assert_eq!(mac(b"00:17:C8:01:02:03").as_deref(), Some("00:17:c8:01:02:03"));
        assert_eq!(mac(b"0017c8010203").as_deref(), Some("00:17:c8:01:02:03"));
        assert_eq!(mac(b"00:17:c8:01:02"), None);
        assert_eq!(mac(&[0; 6]), None);
        assert_eq!(mac(b""), None);
    }
}
