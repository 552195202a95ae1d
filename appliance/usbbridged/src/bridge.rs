//! The bridge's loop: what is plugged in, which ports listen, who is let in, what the control socket asks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use agent_core::ieee1284::Ieee1284;
use agent_core::localagent::control::{Answer, Request, State};
use agent_core::localagent::message::{MAX_PORTS, Printer};
use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::access::Access;
use crate::book::Book;
use crate::control;
use crate::quirks::{QuirkTable, Quirks};
use crate::session::{self, Connection, Timing, UNLISTED};
use crate::slot::{Present, Slot, Waiting};
use crate::transport::{Bus, Chosen, Found, Link, Place, UsbError, choose};

/// Printers that are looked at for the first time, at once.
const MAX_PROBES: usize = 8;
/// Control connections at once.
const MAX_CONTROLS: usize = 4;
/// Refused connections that are told why, at once; more are closed without a word.
const MAX_DISMISSED: usize = 32;
/// Addresses whose refusal was logged; with more, the list begins anew.
const MAX_NOTED: usize = 256;
/// Between attempts to start USB, or to listen where another program does.
const RETRY: Duration = Duration::from_secs(10);
/// Longest pause between attempts to look at a printer that cannot be opened.
const MAX_PROBE_PAUSE: Duration = Duration::from_secs(30);

/// What the bridge is told at its start.
pub struct Options {
    /// Folder of the book.
    pub folder: PathBuf,
    /// Path of the control socket.
    pub control: PathBuf,
    /// Users who may use it.
    pub users: Vec<u32>,
    /// Port of the first printer.
    pub first_port: u16,
    /// Where to listen; otherwise as the list of those who may connect has it.
    pub address: Option<IpAddr>,
    /// How long things may take.
    pub timing: Timing,
}

/// Starts USB.
pub type Start = Box<dyn Fn() -> Result<Arc<dyn Bus>, UsbError> + Send>;

/// The bridge.
pub struct Bridge {
    options: Options,
    start: Start,
    quirks: QuirkTable,
    core: Arc<Mutex<Core>>,
    control: UnixListener,
    listeners: BTreeMap<usize, TcpListener>,
    /// Where the listeners are.
    listening: Option<IpAddr>,
    /// Ports that cannot be listened on, and when to try again.
    unheard: BTreeMap<usize, Instant>,
    workers: Vec<JoinHandle<()>>,
    places: BTreeMap<Place, Look>,
    looked: (Sender<Looked>, Receiver<Looked>),
    dismissed: SyncSender<(TcpStream, String)>,
    noted: BTreeSet<IpAddr>,
    next_start: Instant,
    next_scan: Instant,
}

/// What loop and control socket share.
struct Core {
    /// `None` where USB has not started.
    bus: Option<Arc<dyn Bus>>,
    book: Book,
    slots: BTreeMap<usize, Arc<Slot>>,
    fault: Option<String>,
}

/// How far the bridge is with a device that is plugged in.
enum Look {
    /// Is not to be used.
    Ignored,
    /// Is being looked at.
    Running { attempts: u32 },
    /// Could not be opened; again at that time.
    Again { attempts: u32, at: Instant },
    /// Has this port.
    Served(usize),
}

/// What looking at a printer has brought.
struct Looked {
    place: Place,
    outcome: Result<(Present, Option<String>), UsbError>,
}

impl Bridge {
    /// A bridge with its book and its control socket.
    pub fn new(start: Start, options: Options) -> Result<Self> {
        let book = Book::open(&options.folder)?;
        let control = control::listen(&options.control)?;
        let (dismissed, waiting) = sync_channel::<(TcpStream, String)>(MAX_DISMISSED);
        let timing = options.timing;
        thread::Builder::new().name("dismiss".to_owned()).spawn(move || {
            for (stream, reason) in waiting {
                let _ = stream.set_write_timeout(Some(timing.quiet));
                session::dismiss(&stream, Some(reason), timing);
            }
        })?;
        let now = Instant::now();
        Ok(Self {
            options,
            start,
            quirks: QuirkTable::built_in()?,
            core: Arc::new(Mutex::new(Core { bus: None, book, slots: BTreeMap::new(), fault: None })),
            control,
            listeners: BTreeMap::new(),
            listening: None,
            unheard: BTreeMap::new(),
            workers: Vec::new(),
            places: BTreeMap::new(),
            looked: channel(),
            dismissed,
            noted: BTreeSet::new(),
            next_start: now,
            next_scan: now,
        })
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        lock(&self.core)
    }

    /// Works until `stop` can be read from; then ends every connection and gives every printer back.
    pub fn run(mut self, stop: BorrowedFd<'_>) -> Result<()> {
        let controls = Arc::new(());
        loop {
            self.start_usb();
            self.scan();
            self.open_slots();
            self.listen();
            if self.wait(stop)? {
                break;
            }
            self.accept();
            while let Ok((stream, _)) = self.control.accept() {
                if Arc::strong_count(&controls) > MAX_CONTROLS {
                    continue;
                }
                let (core, users, first, running) =
                    (self.core.clone(), self.options.users.clone(), self.options.first_port, controls.clone());
                thread::Builder::new().name("control".to_owned()).spawn(move || {
                    control::serve(&stream, &users, |request| obey(&mut lock(&core), first, request));
                    drop(running);
                })?;
            }
            while let Ok(looked) = self.looked.1.try_recv() {
                self.handle_looked(looked);
            }
            self.expire();
        }
        for slot in self.core().slots.values() {
            slot.stop();
        }
        self.listeners.clear();
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
        let _ = std::fs::remove_file(&self.options.control);
        Ok(())
    }

    /// Waits until something may be to do; gives whether it is the end.
    fn wait(&self, stop: BorrowedFd<'_>) -> Result<bool> {
        let wanted = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = vec![wanted(stop), wanted(self.control.as_fd())];
        fds.extend(self.listeners.values().map(|listener| wanted(listener.as_fd())));
        let pause = self.options.timing.scan / 2;
        let pause = PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, pause) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error).context("waiting for connections"),
        }
        Ok(fds.first().and_then(PollFd::any).unwrap_or(false))
    }

    fn start_usb(&mut self) {
        if Instant::now() < self.next_start || self.core().bus.is_some() {
            return;
        }
        self.next_start = Instant::now() + RETRY;
        match (self.start)() {
            Ok(bus) => {
                let mut core = self.core();
                (core.bus, core.fault) = (Some(bus), None);
            }
            Err(error) => self.note_fault(format!("USB cannot be used: {error}")),
        }
    }

    fn note_fault(&self, fault: String) {
        let mut core = self.core();
        if core.fault.as_ref() != Some(&fault) {
            log::warn!(fault:% = fault; "no printers can be looked for");
            core.fault = Some(fault);
        }
    }

    /// Looks at what is plugged in.
    fn scan(&mut self) {
        let now = Instant::now();
        let bus = self.core().bus.clone();
        let Some(bus) = bus.filter(|_| now >= self.next_scan) else { return };
        self.next_scan = now + self.options.timing.scan;
        let found = match bus.scan() {
            Ok(found) => found,
            Err(error) => return self.note_fault(format!("USB cannot be looked through: {error}")),
        };
        self.core().fault = None;
        let present: BTreeSet<&Place> = found.iter().map(|found| &found.place).collect();
        let gone: Vec<Place> = self.places.keys().filter(|place| !present.contains(place)).cloned().collect();
        for place in gone {
            if let Some(Look::Served(number)) = self.places.remove(&place)
                && let Some(slot) = self.core().slots.get(&number)
            {
                slot.leave(&place);
                log::info!(port = slot.port; "the printer is gone");
            }
        }
        for found in found {
            let attempts = match self.places.get(&found.place) {
                None => 0,
                Some(Look::Again { attempts, at }) if now >= *at => *attempts,
                Some(_) => continue,
            };
            self.look(&bus, found, attempts);
        }
    }

    /// Begins to look at a device, in a thread of its own: it may hang.
    fn look(&mut self, bus: &Arc<dyn Bus>, found: Found, attempts: u32) {
        let quirks = self.quirks.of(found.vendor, found.product);
        let place = found.place.clone();
        let chosen = choose(&found.settings, quirks).filter(|_| !quirks.leave_alone);
        let Some(chosen) = chosen else {
            log::info!(vendor:% = format!("{:04x}", found.vendor), product:% = format!("{:04x}", found.product);
                "a printer is left alone: it has no interface that is a plain stream, or must not be opened");
            self.places.insert(place, Look::Ignored);
            return;
        };
        let running = self.places.values().filter(|look| matches!(look, Look::Running { .. })).count();
        if running >= MAX_PROBES {
            return;
        }
        let (bus, done) = (bus.clone(), self.looked.0.clone());
        let thread = thread::Builder::new().name("look".to_owned()).spawn(move || {
            let outcome = bus.open(&found.place, &chosen, quirks).map(|link| present(&*link, &found, chosen, quirks));
            let _ = done.send(Looked { place: found.place, outcome });
        });
        if thread.is_ok() {
            self.places.insert(place, Look::Running { attempts: attempts + 1 });
        }
    }

    fn handle_looked(&mut self, looked: Looked) {
        let Some(Look::Running { attempts }) = self.places.get(&looked.place) else { return };
        let attempts = *attempts;
        let (present, serial) = match looked.outcome {
            Ok(seen) => seen,
            Err(error) => {
                // Just plugged in, udev may not yet have given it to the bridge: that is no news.
                if attempts == 3 {
                    log::warn!(place:% = looked.place.path, error:% = error; "a printer cannot be opened");
                }
                let pause = Duration::from_millis(250).saturating_mul(1 << attempts.min(8)).min(MAX_PROBE_PAUSE);
                self.places.insert(looked.place, Look::Again { attempts, at: Instant::now() + pause });
                return;
            }
        };
        let served: BTreeSet<usize> = self
            .places
            .values()
            .filter_map(|look| match look {
                Look::Served(number) => Some(*number),
                _ => None,
            })
            .collect();
        let (vendor, product) = present.numbers;
        let by_socket = format!("{vendor:04x}:{product:04x}@{}", looked.place.path);
        let key = serial.map_or_else(|| by_socket.clone(), |serial| format!("{vendor:04x}:{product:04x}:{serial}"));
        let model = [&present.printer.manufacturer, &present.printer.model];
        let model = model.into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
        let mut core = self.core();
        let is_served = |number| served.contains(&number);
        let mut number = core.book.slot_of(&key, &model, is_served);
        // Two printers with the same serial number exist: the second is known by its socket.
        if number.is_some_and(is_served) && key != by_socket {
            number = core.book.slot_of(&by_socket, &model, is_served);
        }
        let Some(number) = number.filter(|number| !is_served(*number)) else {
            log::warn!(most = MAX_PORTS; "there are more printers than ports; one is left out");
            drop(core);
            self.places.insert(looked.place, Look::Ignored);
            return;
        };
        drop(core);
        self.open_slots();
        let core = self.core();
        let Some(slot) = core.slots.get(&number) else { return };
        log::info!(port = slot.port, model:% = model, two_way = present.printer.is_two_way; "a printer is there");
        slot.decide(core.book.entry(number));
        slot.arrive(present);
        drop(core);
        self.places.insert(looked.place, Look::Served(number));
    }

    /// A port for each printer in the book, and the first in any case; none for what was forgotten.
    fn open_slots(&mut self) {
        let mut core = lock(&self.core);
        let mut wanted: BTreeSet<usize> = core.book.entries().iter().map(|entry| entry.slot).collect();
        wanted.insert(0);
        let forgotten: Vec<usize> = core.slots.keys().filter(|number| !wanted.contains(number)).copied().collect();
        for number in forgotten {
            if let Some(slot) = core.slots.remove(&number) {
                slot.stop();
            }
            self.listeners.remove(&number);
        }
        self.workers.retain(|worker| !worker.is_finished());
        for number in wanted {
            if core.slots.contains_key(&number) {
                continue;
            }
            let Some(port) = port(self.options.first_port, number) else { continue };
            let slot = Arc::new(Slot::new(port));
            slot.decide(core.book.entry(number));
            let timing = self.options.timing;
            let (shared, worker) = (self.core.clone(), slot.clone());
            let thread = thread::Builder::new().name(format!("port {port}")).spawn(move || {
                while let Some(waiting) = worker.next() {
                    let (bus, ports) = {
                        let core = lock(&shared);
                        (core.bus.clone(), ports(&core))
                    };
                    let Waiting { stream, peer, .. } = waiting;
                    let own = stream.local_addr().map_or(peer, |own| own.ip());
                    let is_listed = || lock(&shared).book.access.allows(peer, own);
                    let connection = Connection { stream, peer, is_listed: &is_listed };
                    session::serve(bus.as_deref(), &worker, &ports, timing, &connection);
                }
            });
            if let Ok(thread) = thread {
                self.workers.push(thread);
                core.slots.insert(number, slot);
            }
        }
    }

    /// Listens on every port, at the address that the list of those who may connect asks for.
    fn listen(&mut self) {
        let (address, slots) = {
            let core = lock(&self.core);
            let address = self.options.address.unwrap_or_else(|| core.book.access.address());
            (address, core.slots.iter().map(|(number, slot)| (*number, slot.port)).collect::<Vec<_>>())
        };
        if self.listening != Some(address) {
            self.listeners.clear();
            self.unheard.clear();
            self.listening = Some(address);
        }
        let now = Instant::now();
        for (number, port) in slots {
            let is_later = self.unheard.get(&number).is_some_and(|at| now < *at);
            if is_later || self.listeners.contains_key(&number) {
                continue;
            }
            match bind(address, port) {
                Ok(listener) => {
                    self.unheard.remove(&number);
                    self.listeners.insert(number, listener);
                }
                Err(error) => {
                    if self.unheard.insert(number, now + RETRY).is_none() {
                        log::warn!(port = port, error:% = error; "the port cannot be listened on");
                    }
                }
            }
        }
    }

    fn accept(&mut self) {
        let mut accepted = Vec::new();
        for (number, listener) in &self.listeners {
            while let Ok((stream, peer)) = listener.accept() {
                accepted.push((*number, stream, peer));
                if accepted.len() >= MAX_DISMISSED {
                    break;
                }
            }
        }
        for (number, stream, peer) in accepted {
            let peer = peer.ip().to_canonical();
            let own = stream.local_addr().map_or(peer, |own| own.ip());
            let core = lock(&self.core);
            let slot = core.slots.get(&number).cloned();
            let is_allowed = core.book.access.allows(peer, own);
            drop(core);
            let _ = stream.set_nonblocking(false);
            if !is_allowed {
                self.note_refused(peer);
                self.dismiss(stream, UNLISTED);
                continue;
            }
            let Some(slot) = slot else { continue };
            if let Err(stream) = slot.enqueue(stream, peer, Instant::now()) {
                self.dismiss(stream, "Too many connections wait for this printer");
            }
        }
    }

    /// Once for each address: a log is no place to be filled from outside.
    fn note_refused(&mut self, peer: IpAddr) {
        if self.noted.len() >= MAX_NOTED {
            self.noted.clear();
        }
        if self.noted.insert(peer) {
            log::warn!(address:% = peer; "an address that may not connect was turned away");
        }
    }

    fn dismiss(&self, stream: TcpStream, reason: &str) {
        // Full: then the connection is closed without a word.
        let _ = self.dismissed.try_send((stream, reason.to_owned()));
    }

    fn expire(&self) {
        let (timing, now) = (self.options.timing, Instant::now());
        let slots: Vec<_> = self.core().slots.values().cloned().collect();
        for slot in slots {
            for stream in slot.expire(now, timing.queue_asking, timing.queue_printing) {
                self.dismiss(stream, "The printer is busy with another connection");
            }
        }
    }
}

/// Reads what a printer says of itself without being asked in its own language.
fn present(link: &dyn Link, found: &Found, chosen: Chosen, quirks: Quirks) -> (Present, Option<String>) {
    let id = match link.device_id() {
        Ok(octets) => Ieee1284::from_usb(&octets),
        Err(error) => {
            log::debug!(place:% = found.place.path, error:% = error; "no device id");
            let _ = link.clear_halts();
            None
        }
    };
    let mut printer = id.as_ref().map(Printer::of).unwrap_or_default();
    let serial = link.serial().or(printer.serial.take());
    printer.serial = serial.clone();
    printer.usb_vendor = Some(found.vendor);
    printer.port_status = link.port_status().ok();
    printer.is_two_way = chosen.input.is_some();
    let numbers = (found.vendor, found.product);
    let place = found.place.clone();
    (Present { place, chosen, quirks, numbers, id, printer }, serial)
}

/// Carries out a request of the control socket.
fn obey(core: &mut Core, first_port: u16, request: Request) -> Answer {
    match change(core, first_port, request) {
        Ok(()) => Answer::State(State {
            ports: core
                .slots
                .iter()
                .filter(|(number, slot)| is_shown(core, **number, slot))
                .map(|(_, slot)| slot.report())
                .collect(),
            allowed: core.book.access.texts(),
            fault: core.fault.clone(),
        }),
        Err(error) => Answer::Refused { reason: format!("{error:#}") },
    }
}

/// The first port listens even without a printer; then it is nothing to show.
fn is_shown(core: &Core, number: usize, slot: &Slot) -> bool {
    core.book.entry(number).is_some() || slot.present().is_some()
}

fn change(core: &mut Core, first_port: u16, request: Request) -> Result<()> {
    let number = |port: u16| usize::from(port.wrapping_sub(first_port));
    let changed = match request {
        Request::List {} => return Ok(()),
        Request::Name { port, name } => {
            core.book.name(number(port), &name)?;
            log::info!(port = port; "the printer has another name");
            number(port)
        }
        Request::Printing { port, on } => {
            core.book.set_printing(number(port), on)?;
            log::info!(port = port, printing = on; "printing over the port is switched");
            number(port)
        }
        Request::Forget { port } => {
            let number = number(port);
            if core.slots.get(&number).is_some_and(|slot| slot.present().is_some()) {
                anyhow::bail!("the printer is connected: unplug it first");
            }
            core.book.forget(number)?;
            number
        }
        Request::Allow { networks } => {
            core.book.allow(Access::parse(&networks)?)?;
            log::info!(networks = networks.len(); "the list of those who may connect is changed");
            return Ok(());
        }
    };
    if let Some(slot) = core.slots.get(&changed) {
        slot.decide(core.book.entry(changed));
    }
    Ok(())
}

/// The ports that belong to a printer.
fn ports(core: &Core) -> Vec<u16> {
    core.slots.iter().filter(|(number, slot)| is_shown(core, **number, slot)).map(|(_, slot)| slot.port).collect()
}

fn port(first: u16, number: usize) -> Option<u16> {
    u16::try_from(number).ok().and_then(|number| first.checked_add(number))
}

fn bind(address: IpAddr, port: u16) -> std::io::Result<TcpListener> {
    let bound = TcpListener::bind(SocketAddr::new(address, port));
    // A machine without IPv6.
    let listener = match (bound, address) {
        (Err(_), IpAddr::V6(any)) if any.is_unspecified() => TcpListener::bind(("0.0.0.0", port))?,
        (bound, _) => bound?,
    };
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn lock(core: &Mutex<Core>) -> MutexGuard<'_, Core> {
    core.lock().unwrap_or_else(PoisonError::into_inner)
}
