//! One connection: bytes to the printer through the filter (or all of them, where printing is switched on), bytes back, and an
//! end that comes in bounded time whatever printer and client do.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use agent_core::localagent::message::{Greeting, Message, OPENER};
use agent_core::pjl::filter::{Asked, Filter, Passage};

use crate::slot::{Present, Slot};
use crate::transport::{Bus, Link, UsbError};

/// Octets from the client at a time: many where they only pass, few where each is looked at.
const PASSING: usize = 64 * 1024;
const LOOKING: usize = 4 * 1024;
/// Octets from the printer at a time: a multiple of every packet size.
const READING: usize = 16 * 1024;
/// Halts of one session that are taken back.
const MAX_HALTS: u32 = 3;
/// Octets of earlier answers that are thrown away before a connection begins.
const MAX_LEFTOVERS: usize = 64 * 1024;
/// Octets that a refused client may still send, so that it gets to read why.
const MAX_DRAINED: usize = 4 << 20;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Between looks at whether a session has to end.
    pub tick: Duration,
    /// A printer that is only asked takes no data for so long.
    pub stuck_asking: Duration,
    /// A printer that prints takes no data for so long: time to fill in paper.
    pub stuck_printing: Duration,
    /// A client that says nothing, while nobody waits.
    pub idle: Duration,
    /// The same while somebody does.
    pub idle_wanted: Duration,
    /// The whole connection of a client that only asks, while somebody waits.
    pub turn: Duration,
    /// After the client's last byte: for the first answer, between answers, and for all.
    pub answer: Duration,
    /// See `answer`.
    pub quiet: Duration,
    /// See `answer`.
    pub linger: Duration,
    /// A connection waits for the printer of a port that is only asked.
    pub queue_asking: Duration,
    /// A connection waits for the printer of a port that prints.
    pub queue_printing: Duration,
    /// Between looks at what is plugged in.
    pub scan: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            tick: Duration::from_millis(200),
            stuck_asking: seconds(10),
            stuck_printing: seconds(15 * 60),
            idle: seconds(300),
            idle_wanted: seconds(15),
            turn: seconds(60),
            answer: seconds(6),
            quiet: Duration::from_millis(1_500),
            linger: seconds(20),
            queue_asking: seconds(60),
            queue_printing: seconds(15 * 60),
            scan: Duration::from_millis(500),
        }
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    /// The client was done, or went away.
    Client,
    /// It said nothing for too long, or others want their turn.
    Idle,
    /// It sent what is not passed here.
    Refused,
    /// The bridge stops.
    Stopped,
    /// An administrator has switched printing off.
    SwitchedOff,
    /// An administrator has taken the client's address off the list.
    Unlisted,
    /// The printer takes no data.
    Stuck,
    /// Something about the printer.
    Printer(UsbError),
}

/// A connection, and what may be decided about it at any time.
pub struct Connection<'a> {
    /// The client.
    pub stream: TcpStream,
    /// Its address.
    pub peer: IpAddr,
    /// Whether the client may still connect.
    pub is_listed: &'a (dyn Fn() -> bool + Sync),
}

/// What is said to those who are not on the list.
pub const UNLISTED: &str = "Your address is not among those that may connect";

/// Serves a connection to its end. `ports` are those that are told to clients.
pub fn serve(bus: Option<&dyn Bus>, slot: &Slot, ports: &[u16], timing: Timing, connection: &Connection<'_>) {
    let began = Instant::now();
    let Connection { stream, peer, is_listed } = connection;
    if stream.set_read_timeout(Some(timing.tick)).is_err()
        || stream.set_write_timeout(Some(timing.stuck_asking)).is_err()
    {
        return;
    }
    let _ = stream.set_nodelay(true);
    // Whoever only looks whether the port is open takes the printer from nobody.
    if !has_something_to_say(slot, stream, timing, began) {
        return;
    }
    let end = match bus.zip(slot.present()) {
        // It may have waited for long.
        _ if !is_listed() => End::Unlisted,
        None => absent(slot, ports, stream, timing),
        Some((bus, present)) => with_printer(bus, slot, ports, timing, connection, &present),
    };
    log::debug!(port = slot.port, peer:% = peer, seconds = began.elapsed().as_secs(), end:? = end; "a connection has ended");
    let reason = match end {
        End::Client => return,
        End::Refused => None,
        End::Idle => Some("Nothing was asked for a while, or others wait".to_owned()),
        End::Stopped => Some("The bridge stops".to_owned()),
        End::SwitchedOff => Some("An administrator has switched printing off".to_owned()),
        End::Unlisted => Some(UNLISTED.to_owned()),
        End::Stuck => Some(format!("The printer takes no data{}", why_stuck(slot))),
        End::Printer(error) => Some(format!("The printer cannot be used: {error}")),
    };
    dismiss(stream, reason, timing);
}

/// Ends a connection so that the client gets to read the reason: closing while it still sends would throw the reason away.
pub fn dismiss(stream: &TcpStream, reason: Option<String>, timing: Timing) {
    let mut stream = stream;
    if let Some(reason) = reason {
        let _ = stream.write_all(&Message::no_connection(reason).encode());
    }
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.set_read_timeout(Some(timing.tick));
    let (mut rest, mut drained, until) = ([0; LOOKING], 0, Instant::now() + timing.quiet);
    while drained < MAX_DRAINED && Instant::now() < until {
        match stream.read(&mut rest) {
            Ok(0) => return,
            Ok(length) => drained += length,
            Err(error) if is_timeout(&error) => {}
            Err(_) => return,
        }
    }
}

fn has_something_to_say(slot: &Slot, stream: &TcpStream, timing: Timing, began: Instant) -> bool {
    let mut first = [0; 1];
    loop {
        match stream.peek(&mut first) {
            Ok(length) => return length > 0,
            Err(error) if is_timeout(&error) => {
                let limit = if slot.has_waiting() { timing.idle_wanted } else { timing.idle };
                if began.elapsed() >= limit || slot.is_stopping() {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
}

/// There is no printer: whoever asks the bridge itself gets its answer, everybody else the reason.
fn absent(slot: &Slot, ports: &[u16], stream: &TcpStream, timing: Timing) -> End {
    let (mut stream, mut received, until) = (stream, Vec::new(), Instant::now() + timing.quiet);
    let mut buffer = [0; LOOKING];
    while received.len() < OPENER.len() && Instant::now() < until {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => received.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            Err(error) if is_timeout(&error) => {}
            Err(_) => return End::Client,
        }
    }
    if !received.starts_with(OPENER) {
        return End::Printer(UsbError::Other("it is not connected".to_owned()));
    }
    let (is_printing, name) = slot.decided();
    let greeting = Greeting { is_printing, name, printer: None, ports: ports.to_vec() };
    let _ = stream.write_all(&Message::Greeting(Box::new(greeting)).encode());
    End::Refused
}

fn with_printer(
    bus: &dyn Bus,
    slot: &Slot,
    ports: &[u16],
    timing: Timing,
    connection: &Connection<'_>,
    present: &Present,
) -> End {
    let link = match open(bus, slot, present) {
        Ok(link) => link,
        Err(error) => {
            // What another program does, and what was just unplugged, is no illness of the printer.
            if !matches!(error, UsbError::Gone | UsbError::Busy) {
                slot.ill(error.to_string());
            }
            return End::Printer(error);
        }
    };
    let is_two_way = present.chosen.input.is_some();
    let may_have_leftovers = slot.leftovers(false);
    if may_have_leftovers && is_two_way {
        throw_leftovers_away(&*link, timing);
    }
    let session = Session {
        slot,
        ports,
        timing,
        link: &*link,
        present,
        is_printing: slot.decided().0,
        is_listed: connection.is_listed,
        began: Instant::now(),
        client: Mutex::new(&connection.stream),
        moments: Mutex::new(Moments::default()),
        is_over: AtomicBool::new(false),
        fault: Mutex::new(None),
    };
    let end = thread::scope(|scope| {
        if is_two_way {
            scope.spawn(|| session.bring_answers());
        }
        let end = session.take_from(&connection.stream);
        session.is_over.store(true, Ordering::Relaxed);
        end
    });
    let moments = *session.moments();
    slot.leftovers(moments.written.is_some() && is_two_way);
    match &end {
        End::Stuck => slot.ill(UsbError::TimedOut.to_string()),
        End::Printer(UsbError::Gone) => {}
        End::Printer(error) => slot.ill(error.to_string()),
        _ if moments.written.is_some() && (moments.answered.is_some() || !is_two_way) => slot.well(),
        _ => {}
    }
    if present.quirks.slow_close {
        thread::sleep(timing.quiet);
    }
    end
}

/// Opens the printer; one that has spoilt sessions before is treated more and more firmly.
fn open(bus: &dyn Bus, slot: &Slot, present: &Present) -> Result<Box<dyn Link>, UsbError> {
    let open = || bus.open(&present.place, &present.chosen, present.quirks);
    let mut link = open()?;
    match slot.illness() {
        0 => {}
        1 => link.clear_halts()?,
        _ => {
            // The device may come back under another number; then the next look at what is plugged in finds it.
            let _ = link.reset();
            drop(link);
            link = open()?;
        }
    }
    if present.quirks.soft_reset {
        // Some that want it do not confirm it.
        let _ = link.soft_reset();
    }
    Ok(link)
}

fn throw_leftovers_away(link: &dyn Link, timing: Timing) {
    let (mut buffer, mut thrown) = (vec![0; READING], 0);
    while thrown < MAX_LEFTOVERS {
        match link.read(&mut buffer, timing.tick / 2) {
            Ok(length) if length > 0 => thrown += length,
            _ => return,
        }
    }
}

/// When bytes last went each way.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    written: Option<Instant>,
    answered: Option<Instant>,
}

struct Session<'a> {
    slot: &'a Slot,
    ports: &'a [u16],
    timing: Timing,
    link: &'a dyn Link,
    present: &'a Present,
    is_printing: bool,
    is_listed: &'a (dyn Fn() -> bool + Sync),
    began: Instant,
    /// Two threads write to the client: answers of the printer, and the bridge's own words.
    client: Mutex<&'a TcpStream>,
    moments: Mutex<Moments>,
    is_over: AtomicBool,
    fault: Mutex<Option<UsbError>>,
}

impl Session<'_> {
    fn moments(&self) -> MutexGuard<'_, Moments> {
        self.moments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The printer's side: from the first byte that it was sent until the session is over.
    fn bring_answers(&self) {
        let (mut buffer, mut halts) = (vec![0; READING], 0);
        while !self.is_over.load(Ordering::Relaxed) {
            // An idle printer is left alone: some answer reads without end, some hang.
            if self.moments().written.is_none() {
                thread::sleep(Duration::from_millis(10).min(self.timing.tick));
                continue;
            }
            match self.link.read(&mut buffer, self.timing.tick) {
                // Firmware that has nothing to say may say so a thousand times a second.
                Ok(0) => thread::sleep(self.timing.tick / 4),
                Ok(length) => {
                    self.moments().answered = Some(Instant::now());
                    halts = 0;
                    if !self.tell(buffer.get(..length).unwrap_or_default()) {
                        return;
                    }
                }
                Err(UsbError::TimedOut) => {}
                Err(UsbError::Stalled) if halts < MAX_HALTS && self.link.clear_halts().is_ok() => halts += 1,
                Err(error) => {
                    *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return;
                }
            }
        }
    }

    /// Sends to the client; gives whether it took it.
    fn tell(&self, octets: &[u8]) -> bool {
        let mut client = *self.client.lock().unwrap_or_else(PoisonError::into_inner);
        client.write_all(octets).is_ok()
    }

    /// The client's side.
    fn take_from(&self, stream: &TcpStream) -> End {
        match self.take_all(stream) {
            Ok(()) => End::Client,
            Err(end) => end,
        }
    }

    fn take_all(&self, mut stream: &TcpStream) -> Result<(), End> {
        let mut filter = (!self.is_printing).then(|| Filter::new(Asked::of(self.present.id.as_ref())));
        let mut opening = Opening::default();
        let mut buffer = vec![0; if self.is_printing { PASSING } else { LOOKING }];
        let mut heard = Instant::now();
        let outcome = loop {
            self.check()?;
            match stream.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(length) => {
                    heard = Instant::now();
                    let octets = buffer.get(..length).unwrap_or_default();
                    let taken = match &mut filter {
                        Some(filter) => self.ask(filter, octets),
                        None => self.pass(&mut opening, octets),
                    };
                    if let Err(end) = taken {
                        break Err(end);
                    }
                }
                Err(error) if is_timeout(&error) => {
                    if filter.is_none() {
                        self.push(&opening.give_up())?;
                    }
                    if self.is_idle(heard) {
                        break Err(End::Idle);
                    }
                }
                Err(_) => break Ok(()),
            }
        };
        if outcome.is_ok() {
            match &mut filter {
                Some(filter) => {
                    filter.handle_end();
                    self.work_off(filter)?;
                }
                None => self.push(&opening.give_up())?,
            }
            self.linger()?;
        }
        if let Some(filter) = &filter {
            self.push(&filter.closing())?;
        }
        outcome
    }

    fn ask(&self, filter: &mut Filter, octets: &[u8]) -> Result<(), End> {
        filter.handle_octets(octets);
        self.work_off(filter)
    }

    fn work_off(&self, filter: &mut Filter) -> Result<(), End> {
        let mut passed = Vec::new();
        while let Some(passage) = filter.poll_passage() {
            if let Passage::Pass(octets) = passage {
                passed.extend(octets);
                continue;
            }
            self.push(&std::mem::take(&mut passed))?;
            match passage {
                Passage::Pass(_) => {}
                Passage::Introduce => self.introduce(),
                Passage::Refuse(refusal) => {
                    log::info!(port = self.slot.port, what:% = refusal.what, reason:% = refusal.reason; "not passed to the printer");
                    self.tell(&Message::from(refusal).encode());
                }
                Passage::End => return Err(End::Refused),
            }
        }
        self.push(&passed)
    }

    /// Everything passes but the one question that is for the bridge, and that only at the very beginning.
    fn pass(&self, opening: &mut Opening, octets: &[u8]) -> Result<(), End> {
        match opening.take(octets) {
            Beginning::Undecided => Ok(()),
            Beginning::Question(rest) => {
                self.introduce();
                self.push(&rest)
            }
            Beginning::Job(held) => {
                self.push(&held)?;
                self.push(octets)
            }
        }
    }

    fn introduce(&self) {
        let port_status = self.link.port_status().ok();
        self.slot.note_port_status(port_status);
        let mut printer = self.present.printer.clone();
        printer.port_status = port_status;
        let (is_printing, name) = self.slot.decided();
        let greeting = Greeting { is_printing, name, printer: Some(printer), ports: self.ports.to_vec() };
        self.tell(&Message::Greeting(Box::new(greeting)).encode());
    }

    /// Sends everything to the printer, as long as it takes some of it in time.
    fn push(&self, mut octets: &[u8]) -> Result<(), End> {
        let patience = if self.is_printing { self.timing.stuck_printing } else { self.timing.stuck_asking };
        let (mut moved, mut halts) = (Instant::now(), 0);
        while !octets.is_empty() {
            match self.link.write(octets, self.timing.tick.max(Duration::from_secs(1)).min(patience)) {
                Ok(length) => {
                    octets = octets.get(length..).unwrap_or_default();
                    if length > 0 {
                        moved = Instant::now();
                        self.moments().written = Some(moved);
                    }
                }
                Err(UsbError::TimedOut) => {}
                Err(UsbError::Stalled) if halts < MAX_HALTS => {
                    halts += 1;
                    self.link.clear_halts().map_err(End::Printer)?;
                }
                Err(error) => return Err(End::Printer(error)),
            }
            self.check()?;
            if moved.elapsed() >= patience {
                return Err(End::Stuck);
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), End> {
        if let Some(fault) = self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Err(End::Printer(fault));
        }
        match () {
            () if self.slot.is_stopping() => Err(End::Stopped),
            () if self.is_printing && !self.slot.decided().0 => Err(End::SwitchedOff),
            () if !(self.is_listed)() => Err(End::Unlisted),
            () => Ok(()),
        }
    }

    fn is_idle(&self, heard: Instant) -> bool {
        let last = self.moments().answered.map_or(heard, |answered| answered.max(heard));
        match self.slot.has_waiting() {
            false => last.elapsed() >= self.timing.idle,
            true if self.is_printing => last.elapsed() >= self.timing.idle_wanted,
            true => last.elapsed() >= self.timing.idle_wanted || self.began.elapsed() >= self.timing.turn,
        }
    }

    /// The client has said everything: it gets the answers that are still under way.
    fn linger(&self) -> Result<(), End> {
        let since = Instant::now();
        while self.present.chosen.input.is_some() && since.elapsed() < self.timing.linger {
            self.check()?;
            let Moments { written: Some(written), answered } = *self.moments() else { return Ok(()) };
            let quiet = match answered.filter(|answered| *answered >= written) {
                Some(answered) => answered.elapsed() >= self.timing.quiet,
                None if self.is_printing => written.elapsed() >= self.timing.quiet,
                None => written.elapsed() >= self.timing.answer,
            };
            if quiet {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10).min(self.timing.tick));
        }
        Ok(())
    }
}

/// The first bytes of a connection to a port that prints: held back as long as they may become the question for the bridge.
#[derive(Debug, Default)]
struct Opening {
    held: Vec<u8>,
    is_decided: bool,
}

enum Beginning {
    Undecided,
    /// The question, and what stood behind it.
    Question(Vec<u8>),
    /// What was held, to go before the present bytes.
    Job(Vec<u8>),
}

impl Opening {
    fn take(&mut self, octets: &[u8]) -> Beginning {
        if self.is_decided {
            return Beginning::Job(Vec::new());
        }
        let seen = [self.held.as_slice(), octets].concat();
        if let Some(rest) = seen.strip_prefix(OPENER) {
            self.is_decided = true;
            return Beginning::Question(rest.to_vec());
        }
        if OPENER.starts_with(&seen) {
            self.held = seen;
            return Beginning::Undecided;
        }
        self.is_decided = true;
        Beginning::Job(std::mem::take(&mut self.held))
    }

    /// Nothing more has come: what was held is part of a job.
    fn give_up(&mut self) -> Vec<u8> {
        self.is_decided |= !self.held.is_empty();
        std::mem::take(&mut self.held)
    }
}

fn why_stuck(slot: &Slot) -> &'static str {
    match slot.present().and_then(|present| present.printer.port_status) {
        Some(bits) if bits & 0b0010_0000 != 0 => ": paper is out",
        Some(bits) if bits & 0b0001_1000 == 0b0000_1000 => ": it is off line",
        _ => "",
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_passes_whole_however_it_begins() {
        for (pieces, expected) in [
            (vec![&b"\x1b%-12345X"[..], b"@PJL JOB\r\n"], &b"\x1b%-12345X@PJL JOB\r\n"[..]),
            (vec![b"\x1b", b"E"], b"\x1bE"),
            (vec![b"%!PS", b"x"], b"%!PSx"),
        ] {
            let (mut opening, mut passed) = (Opening::default(), Vec::new());
            for piece in pieces {
                match opening.take(piece) {
                    Beginning::Undecided => {}
                    Beginning::Question(_) => panic!("no question was asked"),
                    Beginning::Job(held) => passed.extend([&held, piece].concat()),
                }
            }
            passed.extend(opening.give_up());
            assert_eq!(passed, expected);
        }
        let mut opening = Opening::default();
        assert!(matches!(opening.take(OPENER.get(..5).unwrap()), Beginning::Undecided));
        assert!(matches!(opening.take(OPENER.get(5..).unwrap()), Beginning::Question(rest) if rest.is_empty()));
        assert!(matches!(opening.take(OPENER), Beginning::Job(_)), "only at the very beginning");
    }
}
