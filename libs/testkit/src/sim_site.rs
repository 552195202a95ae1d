//! Simulated printers on loopback sockets: one address each, as at a real site. Knows nothing of SNMP.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    task::{AbortHandle, JoinSet},
};

use crate::printer_sim::{Printer, Response, Source};

/// A printer that a socket and a test share.
pub type SharedPrinter = Arc<Mutex<Printer>>;

/// Printers that answer until this is dropped.
#[derive(Debug)]
pub struct SimSite {
    printers: Vec<(SocketAddrV4, SharedPrinter)>,
    tasks: JoinSet<()>,
}

/// How often a free port is looked for before giving up: another program may hold it on one of the addresses.
const PORT_TRIES: usize = 50;

impl SimSite {
    /// Starts the printers on 127.77.1.1, 127.77.1.2 … (250 to a /24), all on one port that is free.
    pub async fn start(printers: Vec<Printer>) -> anyhow::Result<Self> {
        for _ in 0..PORT_TRIES {
            let placed = addresses(Ipv4Addr::new(127, 77, 1, 0)).zip(printers.iter().cloned()).collect();
            match Self::start_at(0, placed).await {
                Ok(site) => return Ok(site),
                Err(error) if in_use(&error) => {}
                Err(error) => return Err(error),
            }
        }
        bail!("no port was free on {} loopback addresses in {PORT_TRIES} tries", printers.len())
    }

    /// Starts printers at the addresses given. With port 0 the system picks one for the first printer, and the others get
    /// the same.
    pub async fn start_at(port: u16, printers: Vec<(Ipv4Addr, Printer)>) -> anyhow::Result<Self> {
        let printers = printers.into_iter().map(|(address, printer)| (address, Arc::new(Mutex::new(printer))));
        Self::start_shared(port, printers.collect()).await
    }

    /// The same for printers that something else changes too.
    pub async fn start_shared(mut port: u16, printers: Vec<(Ipv4Addr, SharedPrinter)>) -> anyhow::Result<Self> {
        allow_open_files(printers.len())?;
        let mut site = Self { printers: Vec::new(), tasks: JoinSet::new() };
        for (address, printer) in printers {
            let socket = UdpSocket::bind((address, port)).await.with_context(|| match port {
                0 => format!("can not open a UDP port at {address}"),
                port => format!("can not open UDP port {port} at {address}: is a simulator running already?"),
            })?;
            port = socket.local_addr()?.port();
            if lock(&printer).speaks_tcp() {
                let at = || format!("can not open TCP port {port} at {address}");
                let listener = TcpListener::bind((address, port)).await.with_context(at)?;
                site.tasks.spawn(listen(listener, Arc::clone(&printer)));
            }
            site.printers.push((SocketAddrV4::new(address, port), Arc::clone(&printer)));
            site.tasks.spawn(serve(socket, printer));
        }
        Ok(site)
    }

    /// Where the printers answer, in the order in which they were given.
    pub fn addresses(&self) -> Vec<SocketAddrV4> {
        self.printers.iter().map(|(address, _)| *address).collect()
    }

    /// Looks at, or changes, a printer while it answers.
    ///
    /// # Panics
    /// Where there are fewer printers.
    #[allow(clippy::panic, reason = "a test that names a printer which it did not start is wrong")]
    pub fn with<T>(&self, number: usize, look: impl FnOnce(&mut Printer) -> T) -> T {
        match self.printers.get(number) {
            Some((_, printer)) => look(&mut lock(printer)),
            None => panic!("there is no printer {number} of {}", self.printers.len()),
        }
    }
}

/// A printer for oneself; a thread that panicked with it can have left nothing half done.
pub fn lock(printer: &SharedPrinter) -> MutexGuard<'_, Printer> {
    printer.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Addresses for printers: .1 to .250 of each /24 from `network` on, as a site would use them.
pub fn addresses(network: Ipv4Addr) -> impl Iterator<Item = Ipv4Addr> {
    let first = u32::from(network) & 0xffff_ff00;
    (0_u32..).map(move |number| Ipv4Addr::from(first + number / 250 * 256 + number % 250 + 1))
}

fn in_use(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// Each printer is an open file; what a shell allows by default is too little for a thousand.
fn allow_open_files(printers: usize) -> anyhow::Result<()> {
    let wanted = u64::try_from(printers)? + 256;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    if maximum.is_some_and(|maximum| maximum < wanted) {
        bail!("{printers} printers need {wanted} open files, and the limit is {maximum:?} (see `ulimit -Hn`)");
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
        .context("can not raise the limit of open files")
}

/// Takes connections; each carries one message after the other (RFC 3430). They end with the site.
async fn listen(listener: TcpListener, printer: SharedPrinter) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        connections.spawn(converse(stream, Arc::clone(&printer)));
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(mut stream: TcpStream, printer: SharedPrinter) -> io::Result<()> {
    loop {
        let request = message(&mut stream).await?;
        let responses = lock(&printer).answer(&request);
        for response in responses {
            tokio::time::sleep(response.delay).await;
            stream.write_all(&response.bytes).await?;
        }
    }
}

/// The next message of a stream: as long as its outermost BER length says.
async fn message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = vec![stream.read_u8().await?, stream.read_u8().await?];
    let mut length = usize::from(bytes[1]);
    if length >= 0x80 {
        let octets = length - 0x80;
        length = 0;
        for _ in 0..octets.min(4) {
            let octet = stream.read_u8().await?;
            bytes.push(octet);
            length = length << 8 | usize::from(octet);
        }
    }
    if length > 1 << 20 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let start = bytes.len();
    bytes.resize(start + length, 0);
    stream.read_exact(&mut bytes[start..]).await?;
    Ok(bytes)
}

async fn serve(socket: UdpSocket, printer: SharedPrinter) {
    let socket = Arc::new(socket);
    let mut buffer = vec![0; 65_536];
    let mut late = Late::default();
    let mut second = Instant::now();
    loop {
        // A port that was unreachable for an earlier answer shows up here; it is no reason to stop.
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else { continue };
        let responses = {
            let mut printer = lock(&printer);
            let seconds = second.elapsed().as_secs();
            second += Duration::from_secs(seconds);
            if let Some(usm) = printer.usm() {
                usm.time = usm.time.saturating_add(u32::try_from(seconds).unwrap_or(u32::MAX));
            }
            printer.answer(buffer.get(..length).unwrap_or_default())
        };
        for response in responses {
            if response.delay.is_zero() {
                send(&socket, &response, peer).await;
            } else {
                late.send(Arc::clone(&socket), response, peer);
            }
        }
    }
}

async fn send(socket: &UdpSocket, response: &Response, peer: std::net::SocketAddr) {
    // Whoever asked may be gone: nobody to tell.
    let _ = match (response.source, socket.local_addr()) {
        (Source::Same, _) | (_, Err(_)) => socket.send_to(&response.bytes, peer).await,
        (source, Ok(own)) => match UdpSocket::bind((other(source, own.ip()), 0)).await {
            Ok(other) => other.send_to(&response.bytes, peer).await,
            Err(error) => Err(error),
        },
    };
}

fn other(source: Source, own: std::net::IpAddr) -> std::net::IpAddr {
    match (source, own) {
        (Source::OtherAddress, std::net::IpAddr::V4(own)) => Ipv4Addr::from(u32::from(own) ^ 0x0000_8000).into(),
        (_, own) => own,
    }
}

/// Answers that wait; they are dropped with the printer.
#[derive(Default)]
struct Late(Vec<AbortHandle>);

impl Late {
    fn send(&mut self, socket: Arc<UdpSocket>, response: Response, peer: std::net::SocketAddr) {
        self.0.retain(|task| !task.is_finished());
        let task = tokio::spawn(async move {
            tokio::time::sleep(response.delay).await;
            send(&socket, &response, peer).await;
        });
        self.0.push(task.abort_handle());
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}
