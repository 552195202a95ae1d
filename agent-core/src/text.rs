//! Strings of devices to text. They come as UTF-8, Latin-1 or UTF-16, cut inside a character, with NULs and control characters;
//! nothing of that may lose the row.

/// Longest text kept, in characters: what RFC 3805 allows for its longest strings.
const MAX_CHARACTERS: usize = 255;

/// The text of a device's octets, trimmed; `None` where nothing but blanks is left.
pub fn text(octets: &[u8]) -> Option<String> {
    let decoded = match std::str::from_utf8(octets) {
        Ok(text) => utf16(octets).unwrap_or_else(|| text.to_owned()),
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            String::from_utf8_lossy(octets.get(..error.valid_up_to()).unwrap_or_default()).into_owned()
        }
        Err(_) => utf16(octets).unwrap_or_else(|| octets.iter().map(|octet| char::from(*octet)).collect()),
    };
    let shown: String = decoded
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(MAX_CHARACTERS)
        .collect();
    let trimmed = shown.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
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

/// A physical address of six octets as `00:17:c8:…`; `None` for other lengths and for all noughts.
pub fn mac(octets: &[u8]) -> Option<String> {
    let six: [u8; 6] = octets.try_into().ok()?;
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
            (b"line\r\nbreak\x07", Some("line  break")),
            (b"", None),
            (b"\0\0 \0", None),
        ] {
            assert_eq!(text(octets).as_deref(), expected, "{octets:?}");
        }
        assert_eq!(text(&[b'x'; 5000]).unwrap().len(), MAX_CHARACTERS);
    }

    #[test]
    fn a_mac_has_six_octets_that_are_not_all_alike() {
        assert_eq!(mac(&[0, 0x17, 0xc8, 1, 2, 3]).as_deref(), Some("00:17:c8:01:02:03"));
        assert_eq!(mac(&[0; 6]), None);
        assert_eq!(mac(b""), None);
    }
}
