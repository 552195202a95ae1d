//! USB printers: reads them through the bridge of this machine and those of others, and passes on what is decided about them.
//!
//! This daemon touches no USB: the bridge (`usbbridged`) does, and is asked over TCP and over its control socket.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent_core::localagent::control::{Answer, MAX_LINE, Request, State};
use agent_core::localagent::conversation::{Conversation, Failure, Findings, Patience};
use agent_core::localagent::message::MAX_PORTS;
use agent_core::localagent::{FIRST_PORT, device_id};
use agent_core::pjl::reading::{Answers, Question};
use agent_core::search::Sign;
use agent_core::snmp::Credential;
use agent_core::tick::Tick;
use anyhow::Result;
use control::{AskError, Client};
use jiff::Timestamp;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use wire::device::{DeviceId, Snapshot};
use wire::identity::{is_serial, one_word};

use crate::store::Store;
use crate::store::devices::{DeviceLine, Saved, Watched};

/// Where the bridge of this machine is controlled, unless the command line says otherwise.
pub const CONTROL: &str = "/run/usbbridged/control";
/// What stands before the address of a USB printer where a network printer has its own.
const MARK: &str = "usb@";
/// The host in such an address that is this machine.
const OWN_HOST: &str = "localhost";
/// What stands before a made name.
const MADE: &str = "usb-made:";
/// For a request to the bridge, or a connection to one.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bridges that are read at the same time.
const AT_ONCE: usize = 8;
/// Failed readings in a row before a device counts as silent.
const FAILURES_TO_SILENCE: u32 = 2;
/// A device is asked everything at least this often.
const FULL_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// What changes.
const ROUTINE: [Question; 3] = [Question::Status, Question::PageCount, Question::Supplies];

/// Why the bridge did not do what it was asked.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Nobody listens on its socket.
    #[error("the bridge does not run on this machine")]
    Absent,
    /// It refused, in its words.
    #[error("{0}")]
    Refused(String),
    /// There is no answer.
    #[error(transparent)]
    Unanswered(AskError),
}

/// The pages' hold on the USB printers.
#[derive(Debug, Clone)]
pub struct Handle {
    hurry: mpsc::Sender<()>,
    control: Client,
}

impl Handle {
    /// Has all USB printers read now; `false` when that is ordered already.
    pub fn hurry(&self) -> bool {
        self.hurry.try_send(()).is_ok()
    }

    /// Asks the bridge of this machine something.
    pub async fn control(&self, request: &Request) -> Result<State, ControlError> {
        match self.control.ask(request).await {
            Ok(Answer::State(state)) => Ok(state),
            Ok(Answer::Refused { reason }) => Err(ControlError::Refused(reason)),
            Err(AskError::Absent(_)) => Err(ControlError::Absent),
            // A bridge that was stopped leaves its socket.
            Err(AskError::Silent(_, error)) if error.kind() == ErrorKind::ConnectionRefused => {
                Err(ControlError::Absent)
            }
            Err(error) => Err(ControlError::Unanswered(error)),
        }
    }
}

/// The address under which a printer behind a bridge is kept.
pub fn address_of(host: Option<IpAddr>, port: u16) -> String {
    match host {
        None => format!("{MARK}{OWN_HOST}:{port}"),
        Some(host) => format!("{MARK}{}", SocketAddr::new(host, port)),
    }
}

/// Whether an address is that of a printer behind a bridge.
pub fn is_usb(address: &str) -> bool {
    address.starts_with(MARK)
}

/// The other machine behind whose bridge a printer is, by its address.
pub fn host_of(address: &str) -> Option<IpAddr> {
    let address: SocketAddr = address.strip_prefix(MARK)?.parse().ok()?;
    Some(address.ip())
}

/// Reads all USB printers, again and again.
pub struct UsbReader {
    store: Arc<Store>,
    hurry: mpsc::Receiver<()>,
    /// Where this machine's own bridge listens.
    own: IpAddr,
    known: BTreeMap<String, Known>,
}

/// What is remembered of a printer between readings.
#[derive(Debug, Clone, Default)]
struct Known {
    answers: Answers,
    full_at: Option<Instant>,
    failures: u32,
}

/// What reading a port has brought.
struct Read {
    address: String,
    was_full: bool,
    outcome: Result<Box<Findings>, Failure>,
}

impl UsbReader {
    /// A reader, and the hold on it; this machine's own bridge is controlled and listens there.
    pub fn new(store: Arc<Store>, control: &Path, own: IpAddr) -> (Self, Handle) {
        let (hurry, orders) = mpsc::channel(1);
        (
            Self { store, hurry: orders, own, known: BTreeMap::new() },
            Handle { hurry, control: Client::new("usbbridged", control, MAX_LINE, PATIENCE) },
        )
    }

    /// Runs until the hold is dropped.
    pub async fn run(mut self) {
        loop {
            if let Err(error) = self.round().await {
                log::error!(error:% = format!("{error:#}"); "USB printers are not read");
            }
            let pause = self.store.rhythm().map_or(Duration::from_secs(300), |rhythm| rhythm.poll);
            if let Ok(None) = timeout(pause, self.hurry.recv()).await {
                return;
            }
        }
    }

    /// Reads every printer once.
    async fn round(&mut self) -> Result<()> {
        let store = self.store.clone();
        let asked = move || Ok::<_, crate::store::StoreError>((store.devices()?, store.findings()?));
        let (devices, findings) = tokio::task::spawn_blocking(asked).await??;
        let found = findings.iter().filter(|finding| finding.signs.contains(&Sign::LocalAgent));
        let mut others: BTreeSet<IpAddr> = devices.iter().filter_map(|line| host_of(&line.address)).collect();
        others.extend(found.map(|finding| IpAddr::from(finding.address)));
        // This machine's bridge is read as its own, at whatever address a search has met it.
        for own in own_addresses() {
            others.remove(&own);
        }
        let mut hosts = std::iter::once(None).chain(others.into_iter().map(Some)).peekable();
        let (mut running, mut reads) = (JoinSet::new(), Vec::new());
        while hosts.peek().is_some() || !running.is_empty() {
            while running.len() < AT_ONCE
                && let Some(host) = hosts.next()
            {
                running.spawn(visit(host, host.unwrap_or(self.own), self.known.clone()));
            }
            if let Some(Ok(of_host)) = running.join_next().await {
                reads.extend::<Vec<Read>>(of_host);
            }
        }
        // What is known and was not met is as good as not answering: its bridge is gone, or has forgotten it.
        let missed = devices.iter().filter(|line| is_usb(&line.address));
        let missed = missed.filter(|line| !reads.iter().any(|read| read.address == line.address));
        let missed: Vec<_> = missed.map(|line| line.address.clone()).collect();
        reads.extend(missed.into_iter().map(|address| Read {
            address,
            was_full: false,
            outcome: Err(Failure::Silent),
        }));
        let mut met = Vec::new();
        for read in reads {
            match self.remember(&read) {
                Some(answers) => met.push(Met::new(read, answers, &devices)),
                None => self.miss(&read, resident(&devices, &read.address).and_then(id_of)).await?,
            }
        }
        // Of two that say the same serial number the one that has been known by it keeps it.
        met.sort_by_key(|met| met.name.is_none() || met.name != met.resident.and_then(id_of));
        let mut names = BTreeSet::new();
        for met in &met {
            names.extend(self.keep(met, &devices, &names).await?);
        }
        for displaced in met.iter().filter_map(|met| met.resident.and_then(id_of)).filter(|id| !names.contains(id)) {
            let store = self.store.clone();
            let failure = "another device answers at its address";
            tokio::task::spawn_blocking(move || store.set_silent(&displaced, Timestamp::now(), failure)).await??;
        }
        Ok(())
    }

    /// Puts what was read to what is known of the printer; gives all of it, or nothing where nothing was read.
    fn remember(&mut self, read: &Read) -> Option<Answers> {
        let known = self.known.entry(read.address.clone()).or_default();
        let Ok(findings) = &read.outcome else {
            known.failures = known.failures.saturating_add(1);
            return None;
        };
        let mut answers = findings.answers.clone();
        if read.was_full {
            known.full_at = Some(Instant::now());
        } else if answers.serial == known.answers.serial {
            for (question, reply) in &known.answers.replies {
                if !ROUTINE.contains(question) {
                    answers.replies.entry(*question).or_insert_with(|| reply.clone());
                }
            }
        } else {
            // Another printer than before: next time it is asked everything.
            known.full_at = None;
        }
        known.failures = 0;
        known.answers = answers.clone();
        Some(answers)
    }

    /// Keeps what was read; gives the name under which that was done.
    async fn keep(
        &self,
        met: &Met<'_>,
        devices: &[DeviceLine],
        names: &BTreeSet<DeviceId>,
    ) -> Result<Option<DeviceId>> {
        let store = self.store.clone();
        // A printer that has a cable and an address is one printer: the network tells more of it.
        if let Some(network) = devices.iter().find(|line| met.is_on_network_as(line)).and_then(id_of) {
            log::debug!(address:% = met.address; "this printer is read over the network");
            if let Some(usb) = met.resident.filter(|line| met.is_said_by(line)).and_then(id_of) {
                let unite = move || store.unite(&network, &usb, false, "", Timestamp::now());
                tokio::task::spawn_blocking(unite).await??;
            }
            return Ok(met.resident.and_then(id_of));
        }
        let Some(id) = met.choose(names) else { return Ok(None) };
        let saved = Saved {
            id: id.clone(),
            address: met.address.clone(),
            // Nothing is asked over SNMP; the database wants one all the same.
            credential: Credential::v1(""),
            read_at: Timestamp::now(),
            snapshot: met.snapshot.clone(),
            watched: Watched::default(),
        };
        tokio::task::spawn_blocking(move || store.save(&[saved])).await??;
        Ok(Some(id))
    }

    async fn miss(&self, read: &Read, device: Option<DeviceId>) -> Result<()> {
        let Err(failure) = &read.outcome else { return Ok(()) };
        let failures = self.known.get(&read.address).map_or(0, |known| known.failures);
        let (Some(id), FAILURES_TO_SILENCE) = (device, failures) else { return Ok(()) };
        log::info!(address:% = read.address, error:% = failure; "a USB printer does not answer");
        let (store, failure) = (self.store.clone(), failure.to_string());
        Ok(tokio::task::spawn_blocking(move || store.set_silent(&id, Timestamp::now(), &failure)).await??)
    }
}

/// A printer that has answered.
struct Met<'a> {
    address: String,
    snapshot: Snapshot,
    /// Its serial numbers: what USB says, and what stands on its plate.
    serials: Vec<String>,
    /// The name that its serial number gives it.
    name: Option<DeviceId>,
    /// Who was read at its address last.
    resident: Option<&'a DeviceLine>,
}

impl<'a> Met<'a> {
    fn new(read: Read, answers: Answers, devices: &'a [DeviceLine]) -> Self {
        let greeting = read.outcome.ok().and_then(|findings| findings.greeting);
        let vendor = greeting.and_then(|greeting| greeting.printer?.usb_vendor);
        let snapshot = answers.snapshot();
        let serials = [answers.serial.as_ref(), snapshot.identity.serial.as_ref()];
        let serials: Vec<String> = serials.into_iter().flatten().filter(|serial| is_serial(serial)).cloned().collect();
        let name = serials.first().and_then(|serial| device_id(vendor, serial));
        let resident = resident(devices, &read.address);
        Self { address: read.address, snapshot, serials, name, resident }
    }

    /// The name under which it is kept, where those are taken already.
    fn choose(&self, names: &BTreeSet<DeviceId>) -> Option<DeviceId> {
        let resident = self.resident.and_then(id_of);
        // Someone who was given a name here keeps it, even if he says a serial number by now or another printer no longer does.
        let given = resident.clone().filter(|id| id.as_str().starts_with(MADE)).filter(|_| {
            self.resident.is_some_and(|line| self.is_like(line) && (line.serial.is_empty() || self.is_said_by(line)))
        });
        let by_serial = self.name.clone().filter(|name| !names.contains(name));
        // Who says nothing that lasts is whom the port was known for.
        let is_like = self.resident.is_some_and(|line| self.is_like(line));
        let by_place = resident.filter(|id| self.name.is_none() && is_like && !names.contains(id));
        given.or(by_serial).or(by_place).or_else(made_id)
    }

    /// Whether a device is known by one of its serial numbers.
    fn is_said_by(&self, line: &DeviceLine) -> bool {
        self.serials.iter().any(|serial| one_word(serial) == one_word(&line.serial))
    }

    /// Whether a device may be of its maker or model. How USB and the network call them differs.
    fn is_like(&self, line: &DeviceLine) -> bool {
        let plain = |text: &str| text.to_lowercase().replace(|letter: char| !letter.is_alphanumeric(), "");
        let holds = |one: &str, other: &str| one.contains(other) || other.contains(one);
        let identity = &self.snapshot.identity;
        let pairs = [(&identity.model, &line.model), (&identity.manufacturer, &line.manufacturer)];
        pairs.into_iter().any(|(said, known)| holds(&plain(said.as_deref().unwrap_or_default()), &plain(known)))
    }

    /// Whether a device of the network is this printer.
    fn is_on_network_as(&self, line: &DeviceLine) -> bool {
        !is_usb(&line.address) && self.is_said_by(line) && self.is_like(line)
    }
}

/// Who was read at an address last.
fn resident<'a>(devices: &'a [DeviceLine], address: &str) -> Option<&'a DeviceLine> {
    devices.iter().filter(|line| line.address == address).max_by_key(|line| line.read_at)
}

fn id_of(line: &DeviceLine) -> Option<DeviceId> {
    DeviceId::new(line.id.clone())
}

/// Reads every printer of one bridge. A machine without one is nothing to speak of.
async fn visit(host: Option<IpAddr>, ip: IpAddr, known: BTreeMap<String, Known>) -> Vec<Read> {
    let (mut ports, mut next, mut reads) = (vec![FIRST_PORT], 0, Vec::new());
    while let Some(port) = ports.get(next).copied().filter(|_| next < MAX_PORTS) {
        next += 1;
        let address = address_of(host, port);
        let was_full = known.get(&address).and_then(|known| known.full_at).is_none_or(|at| at.elapsed() >= FULL_EVERY);
        let questions: &[Question] = if was_full { &Question::ALL } else { &ROUTINE };
        let outcome = read((ip, port).into(), questions).await;
        let told = match &outcome {
            Ok(findings) => findings.greeting.as_ref().map(|greeting| greeting.ports.clone()).unwrap_or_default(),
            Err(Failure::NoPrinter(ports)) => ports.clone(),
            Err(_) => Vec::new(),
        };
        ports.extend(told.into_iter().filter(|port| *port > FIRST_PORT && !ports.contains(port)).collect::<Vec<_>>());
        reads.push(Read { address, was_full, outcome });
    }
    reads
}

/// Reads one printer through its port.
pub async fn read(address: SocketAddr, questions: &[Question]) -> Result<Box<Findings>, Failure> {
    let Ok(Ok(mut stream)) = timeout(PATIENCE, TcpStream::connect(address)).await else { return Err(Failure::Closed) };
    let began = Instant::now();
    let now = || Tick::after(began.elapsed());
    let mut seed = [0; 2];
    let _ = getrandom::fill(&mut seed);
    let mut conversation = Conversation::new(now(), Patience::default(), questions, u16::from_ne_bytes(seed));
    let mut buffer = vec![0; 4 * 1024];
    loop {
        let mut is_broken = false;
        while let Some(octets) = conversation.poll_transmit() {
            is_broken |= !matches!(timeout(PATIENCE, stream.write_all(&octets)).await, Ok(Ok(())));
        }
        if let Some(outcome) = conversation.poll_outcome() {
            return outcome;
        }
        let left = conversation.poll_timeout().map_or(Duration::ZERO, |at| at.since(now()));
        match timeout(left, stream.read(&mut buffer)).await {
            Ok(Ok(length)) if length > 0 && !is_broken => {
                conversation.handle_octets(now(), buffer.get(..length).unwrap_or_default());
            }
            Ok(_) => conversation.handle_end(now()),
            Err(_) => conversation.handle_timeout(now()),
        }
    }
}

/// The addresses of this machine's interfaces.
fn own_addresses() -> Vec<IpAddr> {
    let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let addresses = interfaces.filter_map(|interface| interface.address);
    addresses.filter_map(|address| Some(IpAddr::from(address.as_sockaddr_in()?.ip()))).collect()
}

/// A name for a printer that says nothing of itself, or what another says too: it is kept as long as the printer stays on its port.
fn made_id() -> Option<DeviceId> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).ok()?;
    DeviceId::new(format!("{MADE}{}", data_encoding::HEXLOWER.encode(&random)))
}

#[cfg(test)]
mod tests {
    use agent_core::ieee1284::Ieee1284;
    use agent_core::localagent::message::{Greeting, Message, Printer};
    use tokio::net::TcpListener;

    use super::*;

    /// A bridge with this greeting, and a printer behind it that answers PJL; on a loopback address of its own.
    async fn bridge(last_octet: u8, greeting: Greeting) -> IpAddr {
        let [.., high, low] = std::process::id().to_be_bytes();
        let ip = IpAddr::from([127, high.max(1), low, last_octet]);
        let listener = TcpListener::bind((ip, FIRST_PORT)).await.unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = vec![0; 4_096];
                while let Ok(length) = stream.read(&mut buffer).await {
                    let asked = String::from_utf8_lossy(&buffer[..length]).replace("\x1b%-12345X", "");
                    if length == 0 {
                        break;
                    }
                    let mut answer = Vec::new();
                    for line in asked.lines() {
                        answer.extend(match line {
                            "@PJL INFO LOCALAGENT" => Message::Greeting(Box::new(greeting.clone())).encode(),
                            "@PJL INFO PAGECOUNT" => format!("{line}\r\nPAGECOUNT=815\r\n\x0c").into_bytes(),
                            "@PJL INFO STATUS" => format!("{line}\r\nCODE=40022\r\nONLINE=FALSE\r\n\x0c").into_bytes(),
                            _ => format!("{line}\r\n\x0c").into_bytes(),
                        });
                    }
                    stream.write_all(&answer).await.unwrap();
                }
            }
        });
        ip
    }

    fn greeting(serial: Option<&str>) -> Greeting {
        let printer = Printer {
            usb_vendor: Some(0x482),
            serial: serial.map(str::to_owned),
            is_two_way: true,
            ..Printer::of(&Ieee1284::parse("MFG:Acme;MDL:M 1;CMD:PJL,PCL;"))
        };
        Greeting { printer: Some(printer), ports: vec![FIRST_PORT], ..Greeting::default() }
    }

    #[tokio::test]
    async fn a_usb_printer_is_kept_beside_the_others_and_missed_when_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let own = bridge(210, greeting(Some("A123"))).await;
        let (mut reader, _handle) = UsbReader::new(store.clone(), &folder.path().join("control"), own);
        reader.round().await.unwrap();
        let line = store.devices().unwrap().pop().unwrap();
        assert_eq!((line.id.as_str(), line.address.as_str()), ("usb-0482:A123", "usb@localhost:9418"));
        assert_eq!((line.model.as_str(), line.condition.as_str(), line.total), ("M 1", "critical", Some(815)));
        // It is read again from what is known, and stays one device.
        reader.round().await.unwrap();
        assert_eq!(store.devices().unwrap().len(), 1);
        // The bridge is there, its printer is not.
        reader.own = bridge(211, Greeting { ports: vec![FIRST_PORT], ..Greeting::default() }).await;
        reader.round().await.unwrap();
        assert_eq!(store.devices().unwrap().pop().unwrap().silent_since, None, "one lost reading is no event");
        reader.round().await.unwrap();
        let line = store.devices().unwrap().pop().unwrap();
        assert!(line.silent_since.is_some());
        assert_eq!(line.failure.as_deref(), Some("the printer is not connected"));
    }

    #[tokio::test]
    async fn a_printer_without_a_number_keeps_its_made_name() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let own = bridge(212, greeting(None)).await;
        let (mut reader, _handle) = UsbReader::new(store.clone(), &folder.path().join("control"), own);
        reader.round().await.unwrap();
        let first = store.devices().unwrap().pop().unwrap().id;
        reader.round().await.unwrap();
        let ids: Vec<_> = store.devices().unwrap().into_iter().map(|line| line.id).collect();
        assert!(first.starts_with("usb-made:"));
        assert_eq!(ids, [first]);
    }

    /// Puts a device into the store.
    fn known(store: &Store, id: &str, address: &str, model: &str, serial: &str) {
        let identity = wire::device::Identity {
            manufacturer: Some(model.split(' ').next().unwrap().to_owned()),
            model: Some(model.to_owned()),
            serial: Some(serial.to_owned()),
            ..Default::default()
        };
        let saved = Saved {
            id: DeviceId::new(id.to_owned()).unwrap(),
            address: address.to_owned(),
            credential: Credential::v1(""),
            read_at: Timestamp::now(),
            snapshot: Snapshot { identity, ..Snapshot::default() },
            watched: Watched::default(),
        };
        store.save(&[saved]).unwrap();
    }

    fn kept(store: &Store) -> Vec<(String, String, bool)> {
        let lines = store.devices().unwrap().into_iter();
        lines.map(|line| (line.address, line.id, line.silent_since.is_some())).collect()
    }

    #[tokio::test]
    async fn two_printers_that_say_one_number_stay_two() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let own = bridge(213, greeting(Some("A123"))).await;
        let other = address_of(Some(bridge(214, greeting(Some("A123"))).await), FIRST_PORT);
        // Another printer was there before.
        known(&store, "usb-0001:B9", &other, "Bcme 7", "B9");
        let (mut reader, _handle) = UsbReader::new(store.clone(), &folder.path().join("control"), own);
        reader.round().await.unwrap();
        let first = kept(&store);
        let at = |address: &str| first.iter().filter(|line| line.0 == address).collect::<Vec<_>>();
        assert_eq!(at("usb@localhost:9418"), [&("usb@localhost:9418".to_owned(), "usb-0482:A123".to_owned(), false)]);
        let [gone, twin] = at(&other)[..] else { panic!("{first:?}") };
        assert!(gone.1 == "usb-0001:B9" && gone.2, "another printer is in its place: {gone:?}");
        assert!(twin.1.starts_with(MADE) && !twin.2, "{twin:?}");
        reader.round().await.unwrap();
        assert_eq!(kept(&store), first);
        // Nor does it become the first one when that is gone.
        reader.own = bridge(215, Greeting { ports: vec![FIRST_PORT], ..Greeting::default() }).await;
        reader.round().await.unwrap();
        assert_eq!(kept(&store), first);
    }

    #[tokio::test]
    async fn a_printer_with_a_cable_and_an_address_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let own = bridge(216, greeting(Some("A123"))).await;
        let (mut reader, _handle) = UsbReader::new(store.clone(), &folder.path().join("control"), own);
        reader.round().await.unwrap();
        // The same number of another maker.
        known(&store, "11:A123", "192.0.2.8:161", "Bcme 7", "A123");
        reader.round().await.unwrap();
        assert_eq!(kept(&store).len(), 2);
        known(&store, "1347:A123", "192.0.2.7:161", "Acme M1", "A123 ");
        reader.round().await.unwrap();
        let ids: Vec<_> = kept(&store).into_iter().map(|line| line.1).collect();
        assert_eq!(ids, ["1347:A123", "11:A123"]);
        reader.round().await.unwrap();
        assert_eq!(kept(&store).len(), 2);
    }

    #[test]
    fn addresses_tell_the_machine() {
        let other = IpAddr::from([192, 0, 2, 7]);
        assert_eq!(address_of(None, 9418), "usb@localhost:9418");
        assert_eq!(address_of(Some(other), 9419), "usb@192.0.2.7:9419");
        assert_eq!(host_of("usb@192.0.2.7:9419"), Some(other));
        assert_eq!(host_of("usb@localhost:9418"), None);
        assert_eq!(host_of("192.0.2.7:161"), None);
        assert!(is_usb("usb@localhost:9418") && !is_usb("192.0.2.7:161"));
    }
}
