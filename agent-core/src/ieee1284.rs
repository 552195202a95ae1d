//! The device id of IEEE 1284: what a printer with a cable says of itself in one line, `MFG:…;MDL:…;CMD:…;`.
//!
//! Decides nothing about a maker: keys and their other names only.

/// Longest id kept, in octets.
const MAX_OCTETS: usize = 4_096;
/// Shortest that can be an id, length octets included: below it firmware has sent rubbish.
const MIN_OCTETS: usize = 14;

/// Keys that have several names; the first is the one that the standard calls the short form.
const NAMES: [&[&str]; 6] = [
    &["MFG", "MANUFACTURER", "MANUFACTURE"],
    &["MDL", "MODEL"],
    &["CMD", "COMMAND SET"],
    &["CLS", "CLASS"],
    &["DES", "DESCRIPTION"],
    &["SN", "SERN", "SERIALNUMBER", "SERIAL NUMBER"],
];

/// A device id, as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Ieee1284(String);

impl Ieee1284 {
    /// The id in the answer to GET_DEVICE_ID: two octets of length, which count themselves, then the text. The length is
    /// big-endian by the standard; where that cannot be, it is tried the other way round, because firmware has both. A length
    /// beyond what was received is cut. `None` where no id is left.
    pub fn from_usb(octets: &[u8]) -> Option<Self> {
        let head: [u8; 2] = octets.get(..2)?.try_into().ok()?;
        let is_likely = |length: usize| (MIN_OCTETS..=octets.len()).contains(&length);
        let big = usize::from(u16::from_be_bytes(head));
        let length = if is_likely(big) { big } else { usize::from(u16::from_le_bytes(head)) };
        let length = length.min(octets.len());
        if length < MIN_OCTETS {
            return None;
        }
        let id = Self::parse(&String::from_utf8_lossy(octets.get(2..length)?));
        let has_fields = id.fields().next().is_some();
        has_fields.then_some(id)
    }

    /// The id in a text; control characters count as blanks, and what is too long is cut.
    pub fn parse(text: &str) -> Self {
        let end = text.floor_char_boundary(MAX_OCTETS);
        let text = text.get(..end).unwrap_or_default();
        let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self(shown.trim().to_owned())
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Keys and values in the printer's order, trimmed.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        fields(&self.0)
    }

    /// The value of a key; long and short names of a key mean the same. `None` where it is absent or empty.
    pub fn value(&self, key: &str) -> Option<&str> {
        value(&self.0, key).filter(|value| !value.is_empty())
    }

    /// The languages that the printer lists, in capitals; `None` where it lists none, which says nothing.
    pub fn languages(&self) -> Option<Vec<String>> {
        let list = self.value("CMD")?;
        let words = list.split([',', '/']).map(|word| word.trim().to_uppercase()).filter(|word| !word.is_empty());
        Some(words.collect()).filter(|words: &Vec<_>| !words.is_empty())
    }

    /// Whether it lists PJL.
    pub fn speaks_pjl(&self) -> bool {
        self.languages().is_some_and(|words| words.iter().any(|word| word == "PJL"))
    }

    /// Whether it lists a PCL that can answer status questions: `PCL`, `PCL3…`, `PCL5…`, and not PCL XL.
    pub fn speaks_pcl(&self) -> bool {
        let is_pcl = |word: &String| {
            let version = word.strip_prefix("PCL").map(|rest| rest.trim_start_matches([' ', '-']));
            version.is_some_and(|version| version.is_empty() || version.starts_with(['3', '4', '5']))
        };
        self.languages().is_some_and(|words| words.iter().any(is_pcl))
    }
}

/// The value of a key in a text that is or holds a device id, as it stands there, trimmed.
pub fn value<'a>(id: &'a str, key: &str) -> Option<&'a str> {
    let alone = [key];
    let is_of_key = |names: &&&[&str]| names.first().is_some_and(|first| first.eq_ignore_ascii_case(key));
    let names: &[&str] = NAMES.iter().find(is_of_key).copied().unwrap_or(&alone);
    fields(id).find(|(name, _)| names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted))).map(|(_, value)| value)
}

fn fields(id: &str) -> impl Iterator<Item = (&str, &str)> {
    id.split(';').filter_map(|field| field.split_once(':')).map(|(name, value)| (name.trim(), value.trim()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usb(length: [u8; 2], text: &str) -> Option<String> {
        let octets = [&length, text.as_bytes()].concat();
        Ieee1284::from_usb(&octets).map(|id| id.as_str().to_owned())
    }

    #[test]
    fn a_length_in_either_order_is_understood_and_a_wrong_one_is_cut() {
        let text = "MFG:Acme;MDL:X 1;";
        assert_eq!(usb([0, 19], text).as_deref(), Some(text));
        assert_eq!(usb([19, 0], text).as_deref(), Some(text));
        assert_eq!(usb([1, 1], text).as_deref(), Some(text), "longer than what came");
        assert_eq!(usb([0, 15], text).as_deref(), Some("MFG:Acme;MDL:"));
        assert_eq!(usb([0, 0], text), None);
        assert_eq!(usb([0, 19], "no id, only noise"), None);
        assert_eq!(Ieee1284::from_usb(&[]), None);
    }

    #[test]
    fn keys_have_long_and_short_names_in_any_case_and_order() {
        let id = Ieee1284::parse("ID:X;manufacturer: Acme ; COMMAND SET:PCL, PJL ,XPS;MODEL:M 1;SERN:A1;DES:;");
        assert_eq!(id.value("MFG"), Some("Acme"));
        assert_eq!(id.value("MDL"), Some("M 1"));
        assert_eq!(id.value("SN"), Some("A1"));
        assert_eq!(id.value("DES"), None);
        assert_eq!(id.value("ID"), Some("X"));
        assert!(id.speaks_pjl() && id.speaks_pcl());
        assert_eq!(value("nonsense", "MFG"), None);
    }

    #[test]
    fn only_a_pcl_that_answers_counts() {
        let speaks = |list: &str| Ieee1284::parse(&format!("CMD:{list};")).speaks_pcl();
        for list in ["PCL", "PCL5e", "pcl 5c,X", "MLC,PCL3GUI"] {
            assert!(speaks(list), "{list}");
        }
        for list in ["PCLXL", "PCL6", "PJL,POSTSCRIPT", ""] {
            assert!(!speaks(list), "{list}");
        }
        assert_eq!(Ieee1284::parse("MDL:Y;CMD:;").languages(), None);
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(id) = Ieee1284::from_usb(&octets) {
                let _ = (id.value("MFG"), id.speaks_pcl(), id.speaks_pjl());
            }
        }
    }
}
