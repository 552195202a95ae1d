//! One port: its printer while there is one, the connections that wait for it, and what is known of its health.

use std::collections::VecDeque;
use std::net::{IpAddr, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agent_core::ieee1284::Ieee1284;
use agent_core::localagent::control::Port;
use agent_core::localagent::message::Printer;

use crate::book::Entry;
use crate::quirks::Quirks;
use crate::transport::{Chosen, Place};

/// Connections that wait for one printer at most.
pub const MAX_WAITING: usize = 8;

/// A printer that is plugged in, as it was when it was looked at.
#[derive(Debug, Clone)]
pub struct Present {
    /// Where.
    pub place: Place,
    /// Through which interface.
    pub chosen: Chosen,
    /// What is different about it.
    pub quirks: Quirks,
    /// USB numbers of maker and product.
    pub numbers: (u16, u16),
    /// Its device id, where it gave one.
    pub id: Option<Ieee1284>,
    /// What of it is told to clients.
    pub printer: Printer,
}

/// A connection that waits.
#[derive(Debug)]
pub struct Waiting {
    /// The connection.
    pub stream: TcpStream,
    /// Who.
    pub peer: IpAddr,
    since: Instant,
}

/// The port.
#[derive(Debug)]
pub struct Slot {
    /// The TCP port.
    pub port: u16,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    present: Option<Present>,
    name: Option<String>,
    model: String,
    is_printing: bool,
    queue: VecDeque<Waiting>,
    is_serving: bool,
    is_stopping: bool,
    fault: Option<String>,
    /// Sessions in a row that the printer has spoilt.
    ill: u32,
    /// Something may lie in the printer that answers a question of an earlier connection.
    has_leftovers: bool,
}

impl Slot {
    /// A port without a printer.
    pub fn new(port: u16) -> Self {
        Self { port, state: Mutex::default(), wake: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves whole values behind: each is set at once.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what was decided about its printer.
    pub fn decide(&self, entry: Option<&Entry>) {
        let mut state = self.state();
        state.name = entry.and_then(|entry| entry.name.clone());
        state.model = entry.map(|entry| entry.model.clone()).unwrap_or_default();
        state.is_printing = entry.is_some_and(|entry| entry.printing);
    }

    /// Its printer is there.
    pub fn arrive(&self, present: Present) {
        let mut state = self.state();
        state.present = Some(present);
        (state.fault, state.ill, state.has_leftovers) = (None, 0, false);
    }

    /// Its printer is gone, if it was the one at this place.
    pub fn leave(&self, place: &Place) {
        let mut state = self.state();
        if state.present.as_ref().is_some_and(|present| present.place == *place) {
            state.present = None;
            state.fault = None;
        }
    }

    /// The printer, while it is plugged in.
    pub fn present(&self) -> Option<Present> {
        self.state().present.clone()
    }

    /// Whether every byte passes, and the name.
    pub fn decided(&self) -> (bool, Option<String>) {
        let state = self.state();
        (state.is_printing, state.name.clone())
    }

    /// Puts a connection at the end of the queue; gives it back when the queue is full.
    pub fn enqueue(&self, stream: TcpStream, peer: IpAddr, now: Instant) -> Result<(), TcpStream> {
        let mut state = self.state();
        if state.queue.len() >= MAX_WAITING || state.is_stopping {
            return Err(stream);
        }
        state.queue.push_back(Waiting { stream, peer, since: now });
        self.wake.notify_one();
        Ok(())
    }

    /// Takes out the connections that have waited too long; longer where jobs are printed, since they take their time.
    pub fn expire(&self, now: Instant, status: Duration, printing: Duration) -> Vec<TcpStream> {
        let mut state = self.state();
        let limit = if state.is_printing { printing } else { status };
        let mut expired = Vec::new();
        while state.queue.front().is_some_and(|first| now.duration_since(first.since) >= limit) {
            expired.extend(state.queue.pop_front().map(|first| first.stream));
        }
        expired
    }

    /// The next connection; waits for one. `None` when the port is given up.
    pub fn next(&self) -> Option<Waiting> {
        let mut state = self.state();
        state.is_serving = false;
        loop {
            if state.is_stopping {
                return None;
            }
            if let Some(waiting) = state.queue.pop_front() {
                state.is_serving = true;
                return Some(waiting);
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether others wait.
    pub fn has_waiting(&self) -> bool {
        !self.state().queue.is_empty()
    }

    /// Gives the port up: what waits is closed, what is served ends soon.
    pub fn stop(&self) {
        let mut state = self.state();
        state.is_stopping = true;
        state.queue.clear();
        self.wake.notify_all();
    }

    /// Whether the port is given up.
    pub fn is_stopping(&self) -> bool {
        self.state().is_stopping
    }

    /// Notes that the printer works.
    pub fn well(&self) {
        let mut state = self.state();
        state.ill = 0;
        if let Some(fault) = state.fault.take() {
            log::info!(port = self.port, before:% = fault; "the printer works again");
        }
    }

    /// Notes what is wrong with the printer; says so in the log when it is something else than before.
    pub fn ill(&self, fault: String) {
        let mut state = self.state();
        state.ill = state.ill.saturating_add(1);
        if state.fault.as_ref() != Some(&fault) {
            log::warn!(port = self.port, fault:% = fault; "the printer does not work as it should");
            state.fault = Some(fault);
        }
    }

    /// Sessions in a row that the printer has spoilt.
    pub fn illness(&self) -> u32 {
        self.state().ill
    }

    /// Notes whether answers may still be under way when a connection ends; gives what was noted before.
    pub fn leftovers(&self, has_leftovers: bool) -> bool {
        std::mem::replace(&mut self.state().has_leftovers, has_leftovers)
    }

    /// How things are, for the control socket.
    pub fn report(&self) -> Port {
        let state = self.state();
        let present = state.present.as_ref();
        let printer = present.map(|present| present.printer.clone()).unwrap_or_default();
        let (usb_vendor, usb_product) = present.map(|present| present.numbers).unwrap_or_default();
        Port {
            port: self.port,
            name: state.name.clone(),
            is_printing: state.is_printing,
            is_connected: present.is_some(),
            usb_vendor,
            usb_product,
            serial: printer.serial,
            device_id: present.and_then(|present| present.id.as_ref()).map(|id| id.as_str().to_owned()),
            manufacturer: printer.manufacturer,
            model: printer.model.or_else(|| Some(state.model.clone()).filter(|model| !model.is_empty())),
            port_status: printer.port_status,
            is_two_way: printer.is_two_way,
            connections: state.queue.len() + usize::from(state.is_serving),
            fault: state.fault.clone(),
        }
    }

    /// Keeps the latest port status for those who ask later.
    pub fn note_port_status(&self, bits: Option<u8>) {
        if let Some(present) = &mut self.state().present {
            present.printer.port_status = bits;
        }
    }
}
