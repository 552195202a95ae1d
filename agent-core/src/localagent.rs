//! What is spoken on port 9418: the stream of a printer with a cable, as on any raw printer port, and in front of it one question
//! that the bridge answers itself. [`message`] has the bridge's own words, [`conversation`] reads a printer through it,
//! [`control`] is what may be asked of the bridge on its own machine.

pub mod control;
pub mod conversation;
pub mod message;

use wire::device::DeviceId;
use wire::identity::{is_serial, one_word};

/// The port of the first printer; further ones follow.
pub const FIRST_PORT: u16 = 9418;

/// The lasting name of a USB printer: its maker's USB number and its serial number; `None` where it has none.
pub fn device_id(usb_vendor: Option<u16>, serial: &str) -> Option<DeviceId> {
    let serial = is_serial(serial).then(|| one_word(serial))?;
    DeviceId::new(format!("usb-{:04x}:{serial}", usb_vendor.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usb_printer_is_its_serial_number() {
        let id = |serial| device_id(Some(0x482), serial).map(|id| id.to_string());
        assert_eq!(id(" AB 12 ").as_deref(), Some("usb-0482:AB_12"));
        assert_eq!(id("000000"), None);
        assert_eq!(id("Ä-Ä"), None);
    }
}
