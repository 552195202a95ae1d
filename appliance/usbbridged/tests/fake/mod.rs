//! Printers that are plugged in and misbehave on demand, and a bridge before them, all in this process.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use agent_core::localagent::control::{Answer, Port, Request, State};
use tempfile::TempDir;
use usbbridged::bridge::{Bridge, Options};
use usbbridged::quirks::Quirks;
use usbbridged::session::Timing;
use usbbridged::transport::{Bus, Chosen, Found, Link, Place, Setting, UsbError};

/// What a printer answers to bytes that it gets.
pub type Manner = fn(&[u8]) -> Vec<u8>;

/// What goes wrong with a printer.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Takes no data.
    pub hangs: bool,
    /// Takes at most so many octets at a time.
    pub short: Option<usize>,
    /// Halts each so-many-th transfer.
    pub stalls_each: Option<usize>,
    /// Is gone after so many octets.
    pub vanishes_after: Option<usize>,
    /// Cannot be opened.
    pub cannot_open: Option<UsbError>,
    /// Gives no device id.
    pub id: Option<UsbError>,
}

pub struct Printer {
    pub path: String,
    pub numbers: (u16, u16),
    pub serial: Option<String>,
    pub id: Vec<u8>,
    pub protocol: u8,
    pub manner: Manner,
    pub faults: Mutex<Faults>,
    received: Mutex<Vec<u8>>,
    answers: Mutex<VecDeque<u8>>,
    changed: Condvar,
    pub reads: AtomicUsize,
    pub opens: AtomicUsize,
    pub closes: AtomicUsize,
    transfers: AtomicUsize,
}

impl Printer {
    /// A printer with this device id.
    pub fn new(path: &str, serial: Option<&str>, id: &str, manner: Manner) -> Self {
        let length = u16::try_from(id.len() + 2).unwrap();
        Self {
            path: path.to_owned(),
            numbers: (0x1d6b, 0x0104),
            serial: serial.map(str::to_owned),
            id: [&length.to_be_bytes(), id.as_bytes()].concat(),
            protocol: 2,
            manner,
            faults: Mutex::default(),
            received: Mutex::default(),
            answers: Mutex::default(),
            changed: Condvar::new(),
            reads: AtomicUsize::new(0),
            opens: AtomicUsize::new(0),
            closes: AtomicUsize::new(0),
            transfers: AtomicUsize::new(0),
        }
    }

    pub fn received(&self) -> Vec<u8> {
        self.received.lock().unwrap().clone()
    }

    pub fn set(&self, faults: Faults) {
        *self.faults.lock().unwrap() = faults;
    }

    /// Says something without being asked.
    pub fn say(&self, octets: &[u8]) {
        self.answers.lock().unwrap().extend(octets);
        self.changed.notify_all();
    }
}

/// Answers PJL as a good printer does; everything else is a job.
pub fn pjl(octets: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(octets).replace("\x1b%-12345X", "");
    let mut answers = String::new();
    for line in text.lines() {
        answers += &match line.strip_prefix("@PJL ") {
            Some("INFO STATUS") => format!("{line}\r\nCODE=10001\r\nDISPLAY=\"Ready\"\r\nONLINE=TRUE\r\n\x0c"),
            Some("INFO PAGECOUNT") => format!("{line}\r\nPAGECOUNT=4711\r\n\x0c"),
            Some("INFO ID") => format!("{line}\r\n\"Acme Test\"\r\n\x0c"),
            Some(echo) if echo.starts_with("ECHO") => format!("{line}\r\n\x0c"),
            Some(info) if info.starts_with("INFO") => format!("{line}\r\n\"?\"\r\n\x0c"),
            _ => String::new(),
        };
    }
    answers.into_bytes()
}

/// Everything that is plugged in.
#[derive(Default)]
pub struct FakeBus {
    plugged: Mutex<Vec<(u8, Arc<Printer>)>>,
    next: AtomicU8,
}

impl FakeBus {
    pub fn plug(&self, printer: &Arc<Printer>) {
        let address = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        self.plugged.lock().unwrap().push((address, printer.clone()));
    }

    pub fn unplug(&self, printer: &Arc<Printer>) {
        self.plugged.lock().unwrap().retain(|(_, other)| !Arc::ptr_eq(other, printer));
    }
}

struct Handle(Arc<FakeBus>);

impl Bus for Handle {
    fn scan(&self) -> Result<Vec<Found>, UsbError> {
        let found = |(address, printer): &(u8, Arc<Printer>)| Found {
            place: Place { bus: 1, address: *address, path: printer.path.clone() },
            vendor: printer.numbers.0,
            product: printer.numbers.1,
            settings: vec![Setting {
                configuration: 1,
                configuration_index: 0,
                interface: 0,
                alternate: 0,
                class: 7,
                subclass: 1,
                protocol: printer.protocol,
                output: Some(1),
                input: Some(0x82),
            }],
        };
        Ok(self.0.plugged.lock().unwrap().iter().map(found).collect())
    }

    fn open(&self, place: &Place, chosen: &Chosen, _: Quirks) -> Result<Box<dyn Link>, UsbError> {
        let plugged = self.0.plugged.lock().unwrap();
        let (address, printer) =
            plugged.iter().find(|(address, _)| *address == place.address).ok_or(UsbError::Gone)?.clone();
        if let Some(error) = printer.faults.lock().unwrap().cannot_open.clone() {
            return Err(error);
        }
        printer.opens.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(FakeLink { bus: self.0.clone(), address, printer, has_input: chosen.input.is_some() }))
    }
}

struct FakeLink {
    bus: Arc<FakeBus>,
    address: u8,
    printer: Arc<Printer>,
    has_input: bool,
}

impl FakeLink {
    fn check(&self) -> Result<Faults, UsbError> {
        if !self.bus.plugged.lock().unwrap().iter().any(|(address, _)| *address == self.address) {
            return Err(UsbError::Gone);
        }
        Ok(self.printer.faults.lock().unwrap().clone())
    }
}

impl Link for FakeLink {
    fn serial(&self) -> Option<String> {
        self.printer.serial.clone()
    }

    fn device_id(&self) -> Result<Vec<u8>, UsbError> {
        self.check()?.id.map_or_else(|| Ok(self.printer.id.clone()), Err)
    }

    fn port_status(&self) -> Result<u8, UsbError> {
        self.check().map(|_| 0x18)
    }

    fn soft_reset(&self) -> Result<(), UsbError> {
        self.check().map(|_| ())
    }

    fn write(&self, octets: &[u8], within: Duration) -> Result<usize, UsbError> {
        let faults = self.check()?;
        if faults.hangs {
            thread::sleep(within);
            return Err(UsbError::TimedOut);
        }
        let number = self.printer.transfers.fetch_add(1, Ordering::Relaxed) + 1;
        if faults.stalls_each.is_some_and(|each| number.is_multiple_of(each)) {
            return Err(UsbError::Stalled);
        }
        let length = octets.len().min(faults.short.unwrap_or(usize::MAX));
        let mut received = self.printer.received.lock().unwrap();
        received.extend(&octets[..length]);
        if faults.vanishes_after.is_some_and(|most| received.len() >= most) {
            self.bus.unplug(&self.printer);
        }
        drop(received);
        self.printer.say(&(self.printer.manner)(&octets[..length]));
        Ok(length)
    }

    fn read(&self, buffer: &mut [u8], within: Duration) -> Result<usize, UsbError> {
        assert!(self.has_input, "a one-way printer is read");
        self.printer.reads.fetch_add(1, Ordering::Relaxed);
        let answers = self.printer.answers.lock().unwrap();
        let (mut answers, _) =
            self.printer.changed.wait_timeout_while(answers, within, |answers| answers.is_empty()).unwrap();
        self.check()?;
        let length = answers.len().min(buffer.len()).min(64);
        for (place, octet) in buffer.iter_mut().zip(answers.drain(..length)) {
            *place = octet;
        }
        if length == 0 { Err(UsbError::TimedOut) } else { Ok(length) }
    }

    fn clear_halts(&self) -> Result<(), UsbError> {
        self.check().map(|_| ())
    }

    fn reset(&self) -> Result<(), UsbError> {
        self.check().map(|_| ())
    }
}

impl Drop for FakeLink {
    fn drop(&mut self) {
        self.printer.closes.fetch_add(1, Ordering::Relaxed);
    }
}

/// Quick where the end of a wait is what a test waits for; generous where a busy machine could be taken for an ill printer.
pub fn timing() -> Timing {
    let (ms, seconds) = (Duration::from_millis, Duration::from_secs);
    Timing {
        tick: ms(10),
        stuck_asking: ms(500),
        stuck_printing: seconds(1),
        idle: seconds(60),
        idle_wanted: seconds(60),
        turn: seconds(60),
        answer: seconds(10),
        quiet: ms(400),
        linger: seconds(20),
        queue_asking: seconds(60),
        queue_printing: seconds(60),
        scan: ms(10),
    }
}

/// A bridge that runs until it is dropped.
pub struct Running {
    pub bus: Arc<FakeBus>,
    pub folder: Arc<TempDir>,
    pub address: IpAddr,
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

/// A loopback address of this process and test alone, so that the usual ports can be used.
fn own_address() -> IpAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    [127, high.max(1), low, NEXT.fetch_add(1, Ordering::Relaxed)].into()
}

impl Running {
    pub fn start() -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), Arc::default(), timing())
    }

    pub fn start_in(folder: Arc<TempDir>, bus: Arc<FakeBus>, timing: Timing) -> Self {
        let address = own_address();
        let for_bridge = bus.clone();
        let options = Options {
            folder: folder.path().to_owned(),
            control: folder.path().join("control"),
            users: vec![nix::unistd::geteuid().as_raw()],
            first_port: 9418,
            address: Some(address),
            timing,
        };
        let start = Box::new(move || Ok(Arc::new(Handle(for_bridge.clone())) as Arc<dyn Bus>));
        let bridge = Bridge::new(start, options).unwrap();
        let (stop, stopped) = UnixStream::pair().unwrap();
        let thread = thread::spawn(move || bridge.run(stopped.as_fd()).unwrap());
        Self { bus, folder, address, stop: Some(stop), thread: Some(thread) }
    }

    /// Plugs a printer in and waits until it is offered; gives its port.
    pub fn plug(&self, printer: &Arc<Printer>) -> u16 {
        let before: Vec<u16> = self.connected().iter().map(|port| port.port).collect();
        self.bus.plug(printer);
        wait(|| self.connected().into_iter().find(|port| !before.contains(&port.port)).map(|port| port.port))
    }

    pub fn unplug(&self, printer: &Arc<Printer>) {
        let count = self.connected().len();
        self.bus.unplug(printer);
        wait(|| (self.connected().len() < count).then_some(()));
    }

    pub fn connected(&self) -> Vec<Port> {
        self.state().ports.into_iter().filter(|port| port.is_connected).collect()
    }

    pub fn state(&self) -> State {
        match self.control(&Request::List {}) {
            Answer::State(state) => state,
            Answer::Refused { reason } => panic!("{reason}"),
        }
    }

    pub fn control(&self, request: &Request) -> Answer {
        self.control_line(&serde_json::to_string(request).unwrap())
    }

    pub fn control_line(&self, line: &str) -> Answer {
        let mut stream = UnixStream::connect(self.folder.path().join("control")).unwrap();
        stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    pub fn connect(&self, port: u16) -> TcpStream {
        wait(|| TcpStream::connect((self.address, port)).ok())
    }

    /// Sends everything, then takes the answer to its end.
    pub fn ask(&self, port: u16, octets: &[u8]) -> String {
        let mut stream = self.connect(port);
        stream.write_all(octets).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        // A connection may end with a reset: what came before counts.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().unwrap().join();
        if !thread::panicking() {
            ended.unwrap();
        }
    }
}

/// Waits until something is so.
pub fn wait<T>(mut is_so: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = is_so() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "it did not come to be");
        thread::sleep(Duration::from_millis(5));
    }
}
