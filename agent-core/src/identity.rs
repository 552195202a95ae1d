//! What makes a device itself: the serial number with its maker, else the MAC. Never the address.

use wire::device::{DeviceId, Identity};

/// Serial numbers that some firmwares send instead of one.
const EMPTY_WORDS: &[&str] =
    &["unknown", "none", "n/a", "default", "not available", "notavailable", "serial number", "xxxxxxxxxx"];

/// The name that belongs to what a device says of itself; `None` where it says nothing that lasts.
pub fn device_id(identity: &Identity) -> Option<DeviceId> {
    let maker = identity
        .sys_object_id
        .as_deref()
        .and_then(|oid| oid.strip_prefix("1.3.6.1.4.1."))
        .and_then(|rest| rest.split('.').next())
        .unwrap_or("0");
    let serial = identity.serial.as_deref().filter(|serial| is_serial(serial));
    serial
        .map(|serial| format!("{maker}:{}", serial.split_whitespace().collect::<Vec<_>>().join("_")))
        .or_else(|| identity.mac.as_ref().map(|mac| format!("mac:{}", mac.replace(':', ""))))
        .and_then(DeviceId::new)
}

/// Whether a text can tell one device from another: three characters at least, not all alike, not a word for nothing.
pub(crate) fn is_serial(text: &str) -> bool {
    let text = text.trim();
    let mut characters = text.chars();
    let first = characters.next();
    text.chars().count() >= 3
        && characters.any(|character| Some(character) != first)
        && !EMPTY_WORDS.contains(&text.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(serial: &str, mac: Option<&str>) -> Option<String> {
        let identity = Identity {
            serial: Some(serial.to_owned()),
            mac: mac.map(str::to_owned),
            sys_object_id: Some("1.3.6.1.4.1.1347.41".to_owned()),
            ..Identity::default()
        };
        device_id(&identity).map(|id| id.to_string())
    }

    #[test]
    fn a_device_is_its_serial_number_else_its_mac() {
        assert_eq!(id("ABC123", Some("00:17:c8:01:02:03")).as_deref(), Some("1347:ABC123"));
        for nothing in ["", "0000000000", "XXXXXXXXXX", "n/a", "Unknown"] {
            assert_eq!(id(nothing, Some("00:17:c8:01:02:03")).as_deref(), Some("mac:0017c8010203"), "{nothing}");
        }
        assert_eq!(id("", None), None);
        assert_eq!(id("AB 12 34", None).as_deref(), Some("1347:AB_12_34"));
    }
}
