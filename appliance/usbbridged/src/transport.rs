//! What the bridge wants of USB, and how a printer's interface is chosen. Two things implement it: USB, and the tests' printers.

use std::time::Duration;

use thiserror::Error;

use crate::quirks::Quirks;

/// Class and subclass of printers.
const PRINTER: (u8, u8) = (7, 1);
/// Protocols of the printer class that are a plain stream: one way, two ways.
const ONE_WAY: u8 = 1;
const TWO_WAY: u8 = 2;

/// Where a device is plugged in, for as long as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Number of the bus.
    pub bus: u8,
    /// Number on the bus: a new one each time something is plugged in.
    pub address: u8,
    /// The sockets on the way, as in `1-2.4`: the same when it is plugged in there again.
    pub path: String,
}

/// A device with a printer's interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub place: Place,
    /// The maker's number.
    pub vendor: u16,
    /// The product's number.
    pub product: u16,
    /// Its interfaces in all their settings, of whatever class.
    pub settings: Vec<Setting>,
}

/// One alternate setting of one interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in the USB standard")]
pub struct Setting {
    pub configuration: u8,
    pub configuration_index: u8,
    pub interface: u8,
    pub alternate: u8,
    pub class: u8,
    pub subclass: u8,
    pub protocol: u8,
    /// The first bulk endpoint out.
    pub output: Option<u8>,
    /// The first bulk endpoint in.
    pub input: Option<u8>,
}

/// The setting to use, and its endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// The setting.
    pub setting: Setting,
    /// Where data go.
    pub output: u8,
    /// Where answers come from; `None` where there are none, or the printer may not be asked.
    pub input: Option<u8>,
    /// Whether the interface has several settings, so that one has to be set.
    pub has_alternates: bool,
}

/// The setting of a device through which it prints and, if it can, answers: the highest protocol that is a plain stream.
pub fn choose(settings: &[Setting], quirks: Quirks) -> Option<Chosen> {
    let is_usable = |setting: &&Setting| {
        (setting.class, setting.subclass) == PRINTER
            && setting.output.is_some()
            && (setting.protocol == ONE_WAY || setting.protocol == TWO_WAY && setting.input.is_some())
    };
    // Of equals the first.
    let setting = settings.iter().filter(is_usable).rev().max_by_key(|setting| setting.protocol)?;
    let same_interface =
        |other: &&Setting| (other.configuration, other.interface) == (setting.configuration, setting.interface);
    Some(Chosen {
        setting: *setting,
        output: setting.output?,
        input: setting.input.filter(|_| setting.protocol == TWO_WAY && !quirks.one_way),
        has_alternates: settings.iter().filter(same_interface).count() > 1,
    })
}

/// What can go wrong.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum UsbError {
    /// Nothing moved in the time given.
    #[error("it did not take or give data in time")]
    TimedOut,
    /// The endpoint is halted.
    #[error("it halted the transfer")]
    Stalled,
    /// Unplugged, or switched off.
    #[error("it is gone")]
    Gone,
    /// Another program has it.
    #[error("another program uses it")]
    Busy,
    /// The system does not let this user.
    #[error("access is denied: a udev rule has to give the device to the bridge's group")]
    Denied,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// USB as a whole.
pub trait Bus: Send + Sync {
    /// What is plugged in at present and has a printer's interface.
    fn scan(&self) -> Result<Vec<Found>, UsbError>;

    /// Opens a printer: takes it from the kernel's driver, which gets it back when the link is dropped.
    fn open(&self, place: &Place, chosen: &Chosen, quirks: Quirks) -> Result<Box<dyn Link>, UsbError>;
}

/// A printer that is open. Every call takes a bounded time.
pub trait Link: Send + Sync {
    /// The serial number of the USB descriptor.
    fn serial(&self) -> Option<String>;

    /// The answer to GET_DEVICE_ID as it is, length octets included.
    fn device_id(&self) -> Result<Vec<u8>, UsbError>;

    /// The octet of GET_PORT_STATUS.
    fn port_status(&self) -> Result<u8, UsbError>;

    /// The reset of the printer class.
    fn soft_reset(&self) -> Result<(), UsbError>;

    /// Sends some of these octets; gives how many.
    fn write(&self, octets: &[u8], within: Duration) -> Result<usize, UsbError>;

    /// Receives into a buffer; nought octets are possible.
    fn read(&self, buffer: &mut [u8], within: Duration) -> Result<usize, UsbError>;

    /// Takes back the halt of both endpoints.
    fn clear_halts(&self) -> Result<(), UsbError>;

    /// Resets the device as if it were plugged in anew.
    fn reset(&self) -> Result<(), UsbError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(interface: u8, alternate: u8, class: u8, protocol: u8, input: Option<u8>) -> Setting {
        Setting {
            configuration: 1,
            configuration_index: 0,
            interface,
            alternate,
            class,
            subclass: 1,
            protocol,
            output: Some(1),
            input,
        }
    }

    #[test]
    fn the_highest_plain_protocol_with_its_endpoints_is_chosen() {
        let settings = [
            setting(0, 0, 8, 80, Some(0x81)),
            setting(1, 0, 7, 1, None),
            setting(1, 1, 7, 2, Some(0x82)),
            setting(1, 2, 7, 3, Some(0x82)),
            setting(1, 3, 7, 4, Some(0x82)),
            setting(2, 0, 7, 2, Some(0x83)),
        ];
        let chosen = choose(&settings, Quirks::default()).unwrap();
        assert_eq!((chosen.setting.interface, chosen.setting.alternate), (1, 1));
        assert_eq!((chosen.input, chosen.has_alternates), (Some(0x82), true));
        let one_way = choose(&settings, Quirks { one_way: true, ..Quirks::default() }).unwrap();
        assert_eq!((one_way.setting.alternate, one_way.input), (1, None));
    }

    #[test]
    fn two_ways_without_an_end_to_read_from_are_none() {
        let broken = [setting(0, 0, 7, 2, None), setting(0, 1, 7, 1, Some(0x81))];
        let chosen = choose(&broken, Quirks::default()).unwrap();
        assert_eq!((chosen.setting.protocol, chosen.input), (1, None), "protocol 1 is never read");
        assert_eq!(choose(&[setting(0, 0, 7, 4, Some(0x81)), setting(0, 0, 3, 2, None)], Quirks::default()), None);
    }
}
