//! USB through libusb.

use std::time::Duration;

use rusb::{Context, Device, DeviceHandle, Direction, TransferType, UsbContext};

use crate::quirks::Quirks;
use crate::transport::{Bus, Chosen, Found, Link, Place, Setting, UsbError};

/// For requests to the printer's control endpoint.
const CONTROL: Duration = Duration::from_secs(5);
/// Longest device id that is asked for, in octets.
const MAX_DEVICE_ID: usize = 2_048;
/// The class of printers: at the device or at an interface.
const PRINTER_CLASS: u8 = 7;

// Requests of the printer class: type, number.
const GET_DEVICE_ID: (u8, u8) = (0xa1, 0);
const GET_PORT_STATUS: (u8, u8) = (0xa1, 1);
const SOFT_RESET: u8 = 2;
/// The recipient of a soft reset: "other" in the first text of the standard, the interface in later ones; firmware has both.
const SOFT_RESET_TYPES: [u8; 2] = [0x23, 0x21];

/// The machine's USB.
pub struct LibUsb {
    context: Context,
}

impl LibUsb {
    /// Starts libusb; fails where the machine has no USB.
    pub fn new() -> Result<Self, UsbError> {
        Ok(Self { context: Context::new().map_err(fault)? })
    }

    fn device(&self, place: &Place) -> Result<Device<Context>, UsbError> {
        let devices = self.context.devices().map_err(fault)?;
        let is_there = |device: &Device<Context>| (device.bus_number(), device.address()) == (place.bus, place.address);
        devices.iter().find(is_there).ok_or(UsbError::Gone)
    }
}

impl Bus for LibUsb {
    fn scan(&self) -> Result<Vec<Found>, UsbError> {
        // Lets libusb work off what the kernel has told it of plugs; otherwise that would pile up.
        let _ = self.context.handle_events(Some(Duration::ZERO));
        let devices = self.context.devices().map_err(fault)?;
        Ok(devices.iter().filter_map(|device| found(&device)).collect())
    }

    fn open(&self, place: &Place, chosen: &Chosen, quirks: Quirks) -> Result<Box<dyn Link>, UsbError> {
        let handle = self.device(place)?.open().map_err(fault)?;
        let setting = chosen.setting;
        // From here on the link gives back what it has taken, however far it came.
        let mut link = UsbLink { handle, chosen: *chosen, has_taken: false, gives_back: false };
        if link.handle.kernel_driver_active(setting.interface).unwrap_or(false) {
            link.handle.detach_kernel_driver(setting.interface).map_err(fault)?;
            link.gives_back = !quirks.keep_driver_off;
        }
        if link.handle.active_configuration().is_ok_and(|active| active != setting.configuration) {
            link.handle.set_active_configuration(setting.configuration).map_err(fault)?;
        }
        link.handle.claim_interface(setting.interface).map_err(fault)?;
        link.has_taken = true;
        if chosen.has_alternates {
            link.handle.set_alternate_setting(setting.interface, setting.alternate).map_err(fault)?;
        }
        Ok(Box::new(link))
    }
}

fn found(device: &Device<Context>) -> Option<Found> {
    let descriptor = device.device_descriptor().ok()?;
    let mut settings = Vec::new();
    for index in 0..descriptor.num_configurations() {
        let Ok(configuration) = device.config_descriptor(index) else { continue };
        for setting in configuration.interfaces().flat_map(|interface| interface.descriptors()) {
            let bulk = |direction| {
                let mut ends = setting.endpoint_descriptors();
                let end = ends.find(|end| end.transfer_type() == TransferType::Bulk && end.direction() == direction);
                end.map(|end| end.address())
            };
            settings.push(Setting {
                configuration: configuration.number(),
                configuration_index: index,
                interface: setting.interface_number(),
                alternate: setting.setting_number(),
                class: setting.class_code(),
                subclass: setting.sub_class_code(),
                protocol: setting.protocol_code(),
                output: bulk(Direction::Out),
                input: bulk(Direction::In),
            });
        }
    }
    if !settings.iter().any(|setting| setting.class == PRINTER_CLASS) {
        return None;
    }
    let ports = device.port_numbers().unwrap_or_default();
    let sockets = ports.iter().map(u8::to_string).collect::<Vec<_>>().join(".");
    let path = format!("{}-{sockets}", device.bus_number());
    Some(Found {
        place: Place { bus: device.bus_number(), address: device.address(), path },
        vendor: descriptor.vendor_id(),
        product: descriptor.product_id(),
        settings,
    })
}

struct UsbLink {
    handle: DeviceHandle<Context>,
    chosen: Chosen,
    has_taken: bool,
    /// The kernel's driver had it before.
    gives_back: bool,
}

impl Link for UsbLink {
    fn serial(&self) -> Option<String> {
        let descriptor = self.handle.device().device_descriptor().ok()?;
        let serial = self.handle.read_serial_number_string_ascii(&descriptor).ok()?;
        Some(serial.trim().to_owned()).filter(|serial| !serial.is_empty())
    }

    fn device_id(&self) -> Result<Vec<u8>, UsbError> {
        let setting = self.chosen.setting;
        let mut octets = vec![0; MAX_DEVICE_ID];
        let (kind, request) = GET_DEVICE_ID;
        let index = u16::from(setting.interface) << 8 | u16::from(setting.alternate);
        let value = u16::from(setting.configuration_index);
        let length = self.handle.read_control(kind, request, value, index, &mut octets, CONTROL).map_err(fault)?;
        octets.truncate(length);
        Ok(octets)
    }

    fn port_status(&self) -> Result<u8, UsbError> {
        let mut status = [0; 1];
        let (kind, request) = GET_PORT_STATUS;
        let index = u16::from(self.chosen.setting.interface);
        match self.handle.read_control(kind, request, 0, index, &mut status, CONTROL).map_err(fault)? {
            1 => Ok(status[0]),
            _ => Err(UsbError::Other("no status came".to_owned())),
        }
    }

    fn soft_reset(&self) -> Result<(), UsbError> {
        let index = u16::from(self.chosen.setting.interface);
        let reset = |kind| self.handle.write_control(kind, SOFT_RESET, 0, index, &[], CONTROL).map(|_| ());
        let [first, second] = SOFT_RESET_TYPES;
        reset(first).or_else(|_| reset(second)).map_err(fault)
    }

    fn write(&self, octets: &[u8], within: Duration) -> Result<usize, UsbError> {
        self.handle.write_bulk(self.chosen.output, octets, within).map_err(fault)
    }

    fn read(&self, buffer: &mut [u8], within: Duration) -> Result<usize, UsbError> {
        let Some(input) = self.chosen.input else { return Ok(0) };
        self.handle.read_bulk(input, buffer, within).map_err(fault)
    }

    fn clear_halts(&self) -> Result<(), UsbError> {
        let output = self.handle.clear_halt(self.chosen.output);
        let input = self.chosen.input.map_or(Ok(()), |input| self.handle.clear_halt(input));
        output.and(input).map_err(fault)
    }

    fn reset(&self) -> Result<(), UsbError> {
        self.handle.reset().map_err(fault)
    }
}

impl Drop for UsbLink {
    fn drop(&mut self) {
        let interface = self.chosen.setting.interface;
        if self.has_taken {
            let _ = self.handle.release_interface(interface);
        }
        if self.gives_back {
            let _ = self.handle.attach_kernel_driver(interface);
        }
    }
}

fn fault(error: rusb::Error) -> UsbError {
    match error {
        rusb::Error::Timeout => UsbError::TimedOut,
        rusb::Error::Pipe | rusb::Error::Overflow => UsbError::Stalled,
        rusb::Error::NoDevice | rusb::Error::NotFound => UsbError::Gone,
        rusb::Error::Busy => UsbError::Busy,
        rusb::Error::Access => UsbError::Denied,
        // What a vanishing device gives, depending on what was under way.
        rusb::Error::Io => UsbError::Other("the transfer failed".to_owned()),
        other => UsbError::Other(other.to_string()),
    }
}
