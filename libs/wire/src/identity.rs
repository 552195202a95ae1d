//! What makes a device itself: the serial number with its maker, else the MAC. Never the address.
//!
//! Both sides compare by this one page: the agent the answers of its network, the manager what several agents report.

use std::collections::BTreeSet;

use crate::device::{DeviceId, Identity};

/// Serial numbers that some firmwares send instead of one.
const EMPTY_WORDS: &[&str] =
    &["unknown", "none", "n/a", "default", "not available", "notavailable", "serial number", "xxxxxxxxxx"];
/// MACs remembered of one device: cards are swapped, and a device may show now one of its interfaces and now another.
const MOST_MACS: usize = 4;

/// What a device is known by. Empty texts are none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names are those of `Identity`")]
pub struct Marks {
    /// The serial number, if it can tell one device from another.
    pub serial: Option<String>,
    /// Twelve hexadecimal digits each.
    pub macs: BTreeSet<String>,
    pub sys_object_id: Option<String>,
    pub model: Option<String>,
    pub host_name: Option<String>,
    pub location: Option<String>,
}

impl Marks {
    /// The marks in what a device says of itself.
    pub fn of(identity: &Identity) -> Self {
        let text = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let mac = identity.mac.as_ref().map(|mac| mac.replace(':', "")).filter(|mac| is_mac(mac));
        Self {
            serial: identity.serial.clone().filter(|serial| is_serial(serial)),
            macs: mac.into_iter().collect(),
            sys_object_id: text(&identity.sys_object_id),
            model: text(&identity.model),
            host_name: text(&identity.host_name),
            location: text(&identity.location),
        }
    }

    /// The names that would suit a device with these marks, the best first; none where it says nothing that lasts.
    pub fn names(&self) -> impl Iterator<Item = DeviceId> {
        let maker = self.maker().unwrap_or("0");
        let serial = self.serial.as_ref().map(|serial| format!("{maker}:{}", one_word(serial)));
        let macs = self.macs.iter().map(|mac| format!("mac:{mac}"));
        serial.into_iter().chain(macs).filter_map(DeviceId::new).collect::<Vec<_>>().into_iter()
    }

    /// Whether nothing in them lasts.
    pub fn are_fleeting(&self) -> bool {
        self.serial.is_none() && self.macs.is_empty()
    }

    /// Takes over what a later reading of the same device says; what it is silent on stays.
    pub fn learn(&mut self, later: &Self) {
        let newer = |field: &mut Option<String>, later: &Option<String>| {
            if later.is_some() {
                field.clone_from(later);
            }
        };
        newer(&mut self.serial, &later.serial);
        newer(&mut self.sys_object_id, &later.sys_object_id);
        newer(&mut self.model, &later.model);
        newer(&mut self.host_name, &later.host_name);
        newer(&mut self.location, &later.location);
        self.learn_macs(later);
    }

    /// Takes over the MACs alone.
    pub fn learn_macs(&mut self, later: &Self) {
        if self.macs.len() + later.macs.len() > MOST_MACS {
            self.macs.clear();
        }
        self.macs.extend(later.macs.iter().cloned());
    }

    /// The enterprise number in sysObjectID.
    fn maker(&self) -> Option<&str> {
        self.sys_object_id.as_deref()?.strip_prefix("1.3.6.1.4.1.")?.split('.').next()
    }
}

/// How two sets of marks stand to each other. Where one is silent they neither agree nor differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Likeness {
    /// Whether the serial numbers agree.
    pub serial: Option<bool>,
    /// Whether they share a MAC.
    pub mac: Option<bool>,
    /// Whether the models agree.
    pub model: Option<bool>,
    /// Whether the host names agree.
    pub host_name: Option<bool>,
    /// Whether the locations agree.
    pub location: Option<bool>,
}

impl Likeness {
    /// Compares.
    pub fn of(one: &Marks, other: &Marks) -> Self {
        fn agree<T: PartialEq + ?Sized>(one: Option<&T>, other: Option<&T>) -> Option<bool> {
            Some(one? == other?)
        }
        let serial = match (&one.serial, &other.serial) {
            (Some(one_serial), Some(other_serial)) => {
                // Makers number on their own: the same number of another maker is another device.
                Some(one_word(one_serial) == one_word(other_serial) && agree(one.maker(), other.maker()) != Some(false))
            }
            _ => None,
        };
        let macs = !one.macs.is_empty() && !other.macs.is_empty();
        Self {
            serial,
            mac: macs.then(|| !one.macs.is_disjoint(&other.macs)),
            model: agree(one.model.as_deref(), other.model.as_deref()),
            host_name: agree(one.host_name.as_deref(), other.host_name.as_deref()),
            location: agree(one.location.as_deref(), other.location.as_deref()),
        }
    }

    /// Whether a lasting mark agrees.
    pub fn is_claimed(self) -> bool {
        self.serial == Some(true) || self.mac == Some(true)
    }

    /// Whether they look alike, as far as marks go that do not last: the same model, and no other name.
    pub fn is_like(self) -> bool {
        self.model == Some(true) && self.host_name != Some(false)
    }
}

/// A serial number as one word: blanks within it are a matter of taste.
pub fn one_word(serial: &str) -> String {
    serial.split_whitespace().collect::<Vec<_>>().join("_")
}

/// Whether a text can tell one device from another: three characters at least, not all alike, not a word for nothing.
pub fn is_serial(text: &str) -> bool {
    let text = text.trim();
    let mut characters = text.chars();
    let first = characters.next();
    text.chars().count() >= 3
        && characters.any(|character| Some(character) != first)
        && !EMPTY_WORDS.contains(&text.to_lowercase().as_str())
}

/// Whether a text is a MAC of one card: not nought, not all ones, not a group's.
fn is_mac(digits: &str) -> bool {
    let first = digits.get(..2).and_then(|octet| u8::from_str_radix(octet, 16).ok());
    digits.len() == 12 && first.is_some_and(|octet| octet & 1 == 0) && digits.bytes().any(|digit| digit != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(serial: &str, mac: Option<&str>) -> Option<String> {
        let identity = Identity {
            serial: Some(serial.to_owned()),
            mac: mac.map(str::to_owned),
            sys_object_id: Some("1.3.6.1.4.1.1347.41".to_owned()),
            ..Identity::default()
        };
        Marks::of(&identity).names().next().map(|id| id.to_string())
    }

    #[test]
    fn a_device_is_its_serial_number_else_its_mac() {
        assert_eq!(name("ABC123", Some("00:17:c8:01:02:03")).as_deref(), Some("1347:ABC123"));
        for nothing in ["", "0000000000", "XXXXXXXXXX", "n/a", "Unknown"] {
            assert_eq!(name(nothing, Some("00:17:c8:01:02:03")).as_deref(), Some("mac:0017c8010203"), "{nothing}");
        }
        assert_eq!(name("", None), None);
        assert_eq!(name("AB 12 34", None).as_deref(), Some("1347:AB_12_34"));
        for no_mac in ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01"] {
            assert_eq!(name("", Some(no_mac)), None, "{no_mac}");
        }
    }

    #[test]
    fn the_same_number_of_another_maker_is_another_device() {
        let marks = |maker: &str| Marks {
            serial: Some("12345678".to_owned()),
            sys_object_id: Some(format!("1.3.6.1.4.1.{maker}.1")),
            ..Marks::default()
        };
        assert_eq!(Likeness::of(&marks("11"), &marks("11")).serial, Some(true));
        assert_eq!(Likeness::of(&marks("11"), &marks("253")).serial, Some(false));
        let silent = Marks { sys_object_id: None, ..marks("11") };
        assert_eq!(Likeness::of(&marks("11"), &silent).serial, Some(true));
    }
}
