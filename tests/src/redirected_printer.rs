//! A USB printer that this process plays. QEMU's `usb-redir` plugs it into an emulated machine, whose own controller, kernel and
//! libusb see it: the guest needs nothing that a real printer does not need.
//!
//! Spoken is the USB redirection protocol 0.7 (<https://gitlab.freedesktop.org/spice/usbredir>), in which the emulator passes on what
//! its guest does with the device. Of the protocol's optional parts those are offered without which QEMU attaches nothing to its xHCI
//! controller. All numbers are little-endian.

use std::{
    array,
    collections::VecDeque,
    io::{Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use anyhow::{Result, bail, ensure};
use tempfile::TempDir;

use crate::pjl_printer::answer;

/// Maker, model and serial number, as the descriptors and the device id have them.
pub const NAME: [&str; 3] = ["Acme", "Cable 7", "CBL-0042"];
/// Numbers of vendor and product: the Linux Foundation's.
const NUMBERS: (u16, u16) = (0x1d6b, 0x0104);

/// Addresses of the bulk endpoints, towards the printer and from it.
const OUT: u8 = 0x01;
const IN: u8 = 0x82;
/// Types of endpoints.
const CONTROL: u8 = 0;
const BULK: u8 = 2;
/// Where there is no endpoint.
const NONE: u8 = 255;
/// High speed: what USB 2.0 printers have.
const HIGH_SPEED: u8 = 2;

/// Kinds of packets.
mod kind {
    /// The first of each side: who speaks, in 64 octets, and the optional parts that it knows, as bits.
    pub const HELLO: u32 = 0;
    /// The device is there: speed, class, subclass, protocol, vendor, product.
    pub const CONNECT: u32 = 1;
    /// The guest resets the device.
    pub const RESET: u32 = 3;
    /// How many interfaces there are; then number, class, subclass and protocol of each, in tables of 32.
    pub const INTERFACES: u32 = 4;
    /// Type, interval, interface and size of packets of each possible endpoint, in tables of 32: those towards the device, then
    /// those from it.
    pub const ENDPOINTS: u32 = 5;
    /// The guest chooses a configuration, or wants to know which is chosen.
    pub const SET_CONFIGURATION: u32 = 6;
    pub const GET_CONFIGURATION: u32 = 7;
    /// The answer to both: status, configuration.
    pub const CONFIGURATION: u32 = 8;
    /// The guest chooses an alternate setting, or wants to know which is chosen.
    pub const SET_ALTERNATE: u32 = 9;
    pub const GET_ALTERNATE: u32 = 10;
    /// The answer to both: status, interface, setting.
    pub const ALTERNATE: u32 = 11;
    /// The guest no longer waits for the answer to the packet with this id.
    pub const CANCEL: u32 = 21;
    /// A control transfer, and its answer: endpoint, request, its type, status, value, index, length; then data.
    pub const CONTROL: u32 = 100;
    /// A bulk transfer, and its answer: endpoint, status, lower half of the length, stream, upper half; then data.
    pub const BULK: u32 = 101;
}

/// How a transfer ended.
const SUCCESS: u8 = 0;
const CANCELLED: u8 = 1;
const STALL: u8 = 4;

/// Octets before the content of a packet: kind, length, id. The first packet's id has 32 bits.
const HEAD: usize = 16;
const FIRST_HEAD: usize = 12;
/// Longest content that is taken. Transfers of the bridge have 64 KiB.
const LONGEST: usize = 1 << 20;
/// The optional parts that are offered: sizes in the table of endpoints, ids of 64 bits, lengths of 32 bits in bulk transfers.
const OFFERED: u32 = 1 << 4 | 1 << 5 | 1 << 6;

/// The printer, in or out of a machine.
pub struct RedirectedPrinter {
    folder: TempDir,
    state: Arc<Mutex<State>>,
}

/// What remains when it is pulled out.
#[derive(Debug, Default)]
struct State {
    pages: u32,
    received: Vec<u8>,
}

impl RedirectedPrinter {
    /// A printer whose meter shows so many pages.
    pub fn new(pages: u32) -> Result<Self> {
        let printer = Self { folder: tempfile::tempdir()?, state: Arc::default() };
        printer.set_pages(pages);
        let listener = UnixListener::bind(printer.socket())?;
        let state = printer.state.clone();
        // As long as the process lives; each connection is one time of being plugged in.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Err(error) = Device::new(state.clone()).serve(stream) {
                    eprintln!("the redirected printer: {error:#}");
                }
            }
        });
        Ok(printer)
    }

    /// Where an emulator connects to plug it in.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("usb")
    }

    /// Sets its meter.
    pub fn set_pages(&self, pages: u32) {
        lock(&self.state).pages = pages;
    }

    /// All that was sent to it to be printed or answered.
    pub fn received(&self) -> Vec<u8> {
        lock(&self.state).received.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The printer while it is plugged in.
struct Device {
    state: Arc<Mutex<State>>,
    configuration: u8,
    /// What it has said and nobody has fetched.
    answers: VecDeque<u8>,
    /// Transfers that wait until it says something: their ids and how much they take.
    waiting: VecDeque<(u64, usize)>,
}

impl Device {
    fn new(state: Arc<Mutex<State>>) -> Self {
        Self { state, configuration: 0, answers: VecDeque::new(), waiting: VecDeque::new() }
    }

    /// Until it is pulled out.
    fn serve(mut self, mut stream: UnixStream) -> Result<()> {
        stream.write_all(&hello())?;
        let mut head = [0; FIRST_HEAD];
        stream.read_exact(&mut head)?;
        let [k0, k1, k2, k3, l0, l1, l2, l3, ..] = head;
        let content = read_content(&mut stream, [l0, l1, l2, l3])?;
        let known = content.get(64..68).and_then(|bits| bits.try_into().ok()).map_or(0, u32::from_le_bytes);
        ensure!(u32::from_le_bytes([k0, k1, k2, k3]) == kind::HELLO && known & OFFERED == OFFERED, "who is there?");
        stream.write_all(&description())?;
        let mut head = [0; HEAD];
        while stream.read_exact(&mut head).is_ok() {
            let [k0, k1, k2, k3, l0, l1, l2, l3, id @ ..] = head;
            let content = read_content(&mut stream, [l0, l1, l2, l3])?;
            let sent = self.handle(u32::from_le_bytes([k0, k1, k2, k3]), u64::from_le_bytes(id), &content)?;
            // What is cancelled while it is pulled out is answered to nobody.
            if stream.write_all(&sent).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Takes a packet; gives what is to be sent, which may be several packets or none.
    fn handle(&mut self, kind: u32, id: u64, content: &[u8]) -> Result<Vec<u8>> {
        let answer = match (kind, content) {
            (kind::RESET, _) => {
                self.answers.clear();
                Vec::new()
            }
            (kind::SET_CONFIGURATION, [configuration]) => {
                self.configuration = *configuration;
                packet(kind::CONFIGURATION, id, &[SUCCESS, *configuration])
            }
            (kind::GET_CONFIGURATION, []) => packet(kind::CONFIGURATION, id, &[SUCCESS, self.configuration]),
            (kind::SET_ALTERNATE, [interface, setting]) => {
                let status = if *setting == 0 { SUCCESS } else { STALL };
                packet(kind::ALTERNATE, id, &[status, *interface, 0])
            }
            (kind::GET_ALTERNATE, [interface]) => packet(kind::ALTERNATE, id, &[SUCCESS, *interface, 0]),
            (kind::CANCEL, []) => self.cancel(id),
            (kind::CONTROL, [endpoint, request, kind, _, v0, v1, i0, i1, l0, l1, ..]) => {
                let longest = usize::from(u16::from_le_bytes([*l0, *l1]));
                let said = self.request(*kind, *request, u16::from_le_bytes([*v0, *v1]));
                let status = if said.is_some() { SUCCESS } else { STALL };
                let mut said = said.unwrap_or_default();
                said.truncate(longest);
                let head = [*endpoint, *request, *kind, status, *v0, *v1, *i0, *i1];
                let length = u16::try_from(said.len())?.to_le_bytes();
                packet(kind::CONTROL, id, &[&head, &length[..], &said].concat())
            }
            (kind::BULK, [OUT, _, _, _, _, _, _, _, _, _, octets @ ..]) => {
                self.take(octets);
                let taken = bulk(id, OUT, SUCCESS, octets.len(), &[]);
                [taken, self.deliver()].concat()
            }
            (kind::BULK, [IN, _, l0, l1, _, _, _, _, l2, l3]) => {
                let most = u32::from_le_bytes([*l0, *l1, *l2, *l3]);
                self.waiting.push_back((id, usize::try_from(most)?));
                self.deliver()
            }
            _ => bail!("a packet that no printer needs: {kind}, {content:?}"),
        };
        Ok(answer)
    }

    /// What it answers to a request of this type and number; nothing where it halts.
    fn request(&mut self, kind: u8, request: u8, value: u16) -> Option<Vec<u8>> {
        match (kind, request, value.to_be_bytes()) {
            // GET_STATUS: it has power of its own; the interface and the endpoints have nothing to say.
            (0x80, 0, _) => Some(vec![1, 0]),
            (0x81 | 0x82, 0, _) => Some(vec![0, 0]),
            // CLEAR_FEATURE: an endpoint's halt.
            (0x02, 1, _) => Some(Vec::new()),
            // GET_DESCRIPTOR
            (0x80, 6, [1, 0]) => Some(device_descriptor()),
            (0x80, 6, [2, 0]) => Some(configuration_descriptor()),
            (0x80, 6, [3, number]) => string_descriptor(number),
            // GET_DEVICE_ID, GET_PORT_STATUS, SOFT_RESET
            (0xa1, 0, _) => Some(device_id()),
            (0xa1, 1, _) => Some(vec![0x18]),
            (0x21 | 0x23, 2, _) => {
                self.answers.clear();
                Some(Vec::new())
            }
            _ => None,
        }
    }

    fn take(&mut self, octets: &[u8]) {
        let mut state = lock(&self.state);
        state.received.extend(octets);
        let [maker, model, _] = NAME;
        self.answers.extend(answer(octets, &format!("{maker} {model}"), state.pages).into_bytes());
    }

    /// Gives those who wait what there is.
    fn deliver(&mut self) -> Vec<u8> {
        let mut delivered = Vec::new();
        while !self.answers.is_empty()
            && let Some((id, most)) = self.waiting.pop_front()
        {
            let octets: Vec<u8> = self.answers.drain(..most.min(self.answers.len())).collect();
            delivered.extend(bulk(id, IN, SUCCESS, octets.len(), &octets));
        }
        delivered
    }

    /// What was cancelled and answered at the same time needs no further answer.
    fn cancel(&mut self, id: u64) -> Vec<u8> {
        let before = self.waiting.len();
        self.waiting.retain(|(waiting, _)| *waiting != id);
        if self.waiting.len() < before { bulk(id, IN, CANCELLED, 0, &[]) } else { Vec::new() }
    }
}

/// The content of a packet, by its length.
fn read_content(stream: &mut UnixStream, length: [u8; 4]) -> Result<Vec<u8>> {
    let length = usize::try_from(u32::from_le_bytes(length))?;
    ensure!(length <= LONGEST, "a packet of {length} octets");
    let mut content = vec![0; length];
    stream.read_exact(&mut content)?;
    Ok(content)
}

fn hello() -> Vec<u8> {
    let mut name = b"Druckwart's tests".to_vec();
    name.resize(64, 0);
    let length = 68_u32.to_le_bytes();
    [&kind::HELLO.to_le_bytes()[..], &length, &[0; 4], &name, &OFFERED.to_le_bytes()].concat()
}

/// What the device has, and then that it is there.
fn description() -> Vec<u8> {
    let ends: [(u8, u16); 32] = array::from_fn(|place| match place {
        0 | 16 => (CONTROL, 64),
        // OUT and IN.
        1 | 18 => (BULK, 512),
        _ => (NONE, 0),
    });
    let types = ends.map(|(kind, _)| kind);
    let sizes = ends.map(|(_, size)| size.to_le_bytes()).concat();
    let only = |value| array::from_fn::<u8, 32, _>(|place| if place == 0 { value } else { 0 });
    let (vendor, product) = (NUMBERS.0.to_le_bytes(), NUMBERS.1.to_le_bytes());
    [
        packet(kind::ENDPOINTS, 0, &[&types[..], &only(0), &only(0), &sizes].concat()),
        packet(kind::INTERFACES, 0, &[&[1, 0, 0, 0][..], &only(0), &only(7), &only(1), &only(2)].concat()),
        packet(kind::CONNECT, 0, &[&[HIGH_SPEED, 0, 0, 0], &vendor[..], &product].concat()),
    ]
    .concat()
}

fn packet(kind: u32, id: u64, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), &id.to_le_bytes(), content].concat()
}

/// A bulk transfer that has moved so many octets: these, where they came from the printer.
fn bulk(id: u64, endpoint: u8, status: u8, length: usize, octets: &[u8]) -> Vec<u8> {
    let [l0, l1, l2, l3] = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    packet(kind::BULK, id, &[&[endpoint, status, l0, l1, 0, 0, 0, 0, l2, l3], octets].concat())
}

fn device_descriptor() -> Vec<u8> {
    let ([v0, v1], [p0, p1]) = (NUMBERS.0.to_le_bytes(), NUMBERS.1.to_le_bytes());
    // USB 2.0; the interface has the class; 64 octets at a time; version 1.0; strings 1 to 3; one configuration.
    vec![18, 1, 0x00, 0x02, 0, 0, 0, 64, v0, v1, p0, p1, 0x00, 0x01, 1, 2, 3, 1]
}

fn configuration_descriptor() -> Vec<u8> {
    // 32 octets in all, one interface, number 1, power of its own.
    let configuration = [9, 2, 32, 0, 1, 1, 0, 0xc0, 0];
    // A printer (7, 1) that takes and gives (2), with two endpoints.
    let interface = [9, 4, 0, 0, 2, 7, 1, 2, 0];
    // Bulk, 512 octets at a time.
    let endpoint = |address| [7, 5, address, BULK, 0x00, 0x02, 0];
    [&configuration[..], &interface, &endpoint(OUT), &endpoint(IN)].concat()
}

/// Nought tells the languages: English of the USA.
fn string_descriptor(number: u8) -> Option<Vec<u8>> {
    let content = match number.checked_sub(1) {
        None => vec![0x09, 0x04],
        Some(place) => NAME.get(usize::from(place))?.encode_utf16().flat_map(u16::to_le_bytes).collect(),
    };
    let length = u8::try_from(content.len() + 2).ok()?;
    Some([&[length, 3][..], &content].concat())
}

/// The only number here with its high octet first; it counts itself.
fn device_id() -> Vec<u8> {
    let [maker, model, serial] = NAME;
    let text = format!("MFG:{maker};MDL:{model};CMD:PJL,PCL;CLS:PRINTER;SN:{serial};");
    let length = u16::try_from(text.len() + 2).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const QUESTION: &[u8] = b"\x1b%-12345X@PJL INFO PAGECOUNT\r\n";

    fn device() -> Device {
        Device::new(Arc::new(Mutex::new(State { pages: 4711, ..State::default() })))
    }

    fn send(device: &mut Device, id: u64, octets: &[u8]) -> Vec<u8> {
        handle(device, &bulk(id, OUT, 0, octets.len(), octets))
    }

    fn fetch(device: &mut Device, id: u64, most: usize) -> Vec<u8> {
        handle(device, &bulk(id, IN, 0, most, &[]))
    }

    fn handle(device: &mut Device, packet: &[u8]) -> Vec<u8> {
        let id = u64::from(packet[8]);
        device.handle(kind::BULK, id, &packet[HEAD..]).unwrap()
    }

    fn given(id: u64, octets: &[u8]) -> Vec<u8> {
        bulk(id, IN, SUCCESS, octets.len(), octets)
    }

    #[test]
    fn who_reads_waits_for_the_answer_and_gets_it_in_parts() {
        let mut device = device();
        assert!(fetch(&mut device, 1, 16_384).is_empty());
        let sent = send(&mut device, 2, QUESTION);
        let all = b"@PJL INFO PAGECOUNT\r\nPAGECOUNT=4711\r\n\x0c";
        assert_eq!(sent, [bulk(2, OUT, SUCCESS, QUESTION.len(), &[]), given(1, all)].concat());
        send(&mut device, 3, QUESTION);
        assert_eq!(fetch(&mut device, 4, 10), given(4, &all[..10]));
        assert_eq!(fetch(&mut device, 5, 16_384), given(5, &all[10..]));
        assert_eq!(lock(&device.state).received, [QUESTION, QUESTION].concat());
        let job = vec![0x55; 65_536];
        assert_eq!(send(&mut device, 6, &job), bulk(6, OUT, SUCCESS, job.len(), &[]));
    }

    #[test]
    fn a_transfer_that_is_cancelled_takes_nothing() {
        let mut device = device();
        fetch(&mut device, 1, 512);
        assert_eq!(device.handle(kind::CANCEL, 1, &[]).unwrap(), bulk(1, IN, CANCELLED, 0, &[]));
        assert!(device.handle(kind::CANCEL, 1, &[]).unwrap().is_empty());
        send(&mut device, 2, QUESTION);
        assert!(!device.answers.is_empty());
    }

    #[test]
    fn requests_are_answered_as_long_as_wanted_or_halted() {
        let mut device = device();
        let ask = |device: &mut Device, kind, request, value: u16, length: u16| {
            let ([v0, v1], [l0, l1]) = (value.to_le_bytes(), length.to_le_bytes());
            device.handle(kind::CONTROL, 9, &[0x80, request, kind, 0, v0, v1, 0, 0, l0, l1]).unwrap()
        };
        let said = ask(&mut device, 0x80, 6, 0x0100, 8);
        assert_eq!(said.get(HEAD..HEAD + 10).unwrap(), [0x80, 6, 0x80, SUCCESS, 0, 1, 0, 0, 8, 0]);
        assert_eq!(said.get(HEAD + 10..).unwrap(), &device_descriptor()[..8]);
        let halted = ask(&mut device, 0x80, 6, 0x0600, 10);
        assert_eq!(halted.get(HEAD..).unwrap(), [0x80, 6, 0x80, STALL, 0, 6, 0, 0, 0, 0]);
        assert_eq!(string_descriptor(3).unwrap().get(..4).unwrap(), [18, 3, b'C', 0]);
        assert_eq!(string_descriptor(4), None);
        assert_eq!(configuration_descriptor().len(), 32);
    }

    #[test]
    fn the_endpoints_are_where_the_protocol_has_them() {
        let all = description();
        let types = all.get(HEAD..HEAD + 32).unwrap();
        let used: Vec<_> = (0..32).filter(|place| types[*place] != NONE).map(|place| (place, types[place])).collect();
        assert_eq!(used, [(0, CONTROL), (1, BULK), (16, CONTROL), (18, BULK)]);
    }

    #[test]
    fn rubbish_is_an_error() {
        for kind in 0..120 {
            for length in 0..12 {
                let _ = device().handle(kind, 1, &vec![0x82; length]);
            }
        }
        assert!(device().handle(kind::BULK, 1, &[OUT]).is_err());
        assert!(device().handle(kind::CONTROL, 1, &[0x80; 9]).is_err());
    }
}
