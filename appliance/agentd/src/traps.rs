//! The ports on which traps and informs arrive, UDP and TCP. Reads messages and sends replies back; what a message is worth is
//! decided in the core. A port that cannot be had is a fault to be shown, and stops nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use agent_core::snmp::framing::{self, Frame, MAX_FRAME};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The port of the standard.
pub const STANDARD: &str = "0.0.0.0:162";
/// Messages that wait to be looked at; what is more is dropped.
const MAX_WAITING: usize = 256;
/// Connections at once.
const MAX_CONNECTIONS: usize = 64;
/// How long a connection may be without a message, and how long a reply may take.
const IDLE: Duration = Duration::from_secs(60);
/// Largest datagram taken.
const MAX_DATAGRAM: usize = 65_535;

/// A message that has arrived.
#[derive(Debug)]
pub struct Arrived {
    /// Whence.
    pub from: SocketAddr,
    /// What.
    pub bytes: Vec<u8>,
    way_back: WayBack,
}

#[derive(Debug)]
enum WayBack {
    Datagram(Arc<UdpSocket>),
    Stream(mpsc::Sender<Vec<u8>>),
}

impl Arrived {
    /// Sends a reply, unless the way back is blocked: whoever wants an answer asks again.
    pub fn reply(&self, bytes: Vec<u8>) {
        match &self.way_back {
            WayBack::Datagram(socket) => drop(socket.try_send_to(&bytes, self.from)),
            WayBack::Stream(stream) => drop(stream.try_send(bytes)),
        }
    }
}

/// The ports. They are closed when this is dropped.
pub struct TrapPorts {
    /// Where messages are taken; empty where nothing could be opened.
    pub open: Vec<String>,
    /// What could not be opened, and why.
    pub faults: Vec<String>,
    arrived: mpsc::Receiver<Arrived>,
    _tasks: JoinSet<()>,
}

impl TrapPorts {
    /// No ports at all.
    pub fn none() -> Self {
        let (_, arrived) = mpsc::channel(1);
        Self { open: Vec::new(), faults: Vec::new(), arrived, _tasks: JoinSet::new() }
    }

    /// Opens both ports, or says why not. Needs a tokio runtime.
    pub async fn open(mut address: SocketAddr) -> Self {
        let (sender, arrived) = mpsc::channel(MAX_WAITING);
        let mut ports = Self { open: Vec::new(), faults: Vec::new(), arrived, _tasks: JoinSet::new() };
        match UdpSocket::bind(address).await {
            Ok(socket) => {
                // With port 0 the system has chosen one; the other transport gets the same.
                address = socket.local_addr().unwrap_or(address);
                ports.open.push(format!("UDP {address}"));
                ports._tasks.spawn(take_datagrams(Arc::new(socket), sender.clone()));
            }
            Err(error) => ports.faults.push(format!("UDP {address}: {error}")),
        }
        match TcpListener::bind(address).await {
            Ok(listener) => {
                ports.open.push(format!("TCP {address}"));
                ports._tasks.spawn(take_connections(listener, sender));
            }
            Err(error) => ports.faults.push(format!("TCP {address}: {error}")),
        }
        ports
    }

    /// The next message; waits for ever where there are no ports. May be dropped and called again: nothing is lost.
    pub async fn arrived(&mut self) -> Arrived {
        match self.arrived.recv().await {
            Some(arrived) => arrived,
            None => std::future::pending().await,
        }
    }
}

async fn take_datagrams(socket: Arc<UdpSocket>, sender: mpsc::Sender<Arrived>) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        // An error here is about a reply that nobody took.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
        let _ = sender.try_send(Arrived { from, bytes, way_back: WayBack::Datagram(socket.clone()) });
    }
}

async fn take_connections(listener: TcpListener, sender: mpsc::Sender<Arrived>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, from)) => {
                let sender = sender.clone();
                connections.spawn(async move {
                    converse(stream, from, sender).await;
                    drop(place);
                });
            }
            // Too many open files, for one: not again at once.
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(mut stream: TcpStream, from: SocketAddr, sender: mpsc::Sender<Arrived>) {
    let (reply, mut replies) = mpsc::channel(8);
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        tokio::select! {
            read = timeout(IDLE, stream.read(&mut buffer)) => match read {
                Ok(Ok(length)) if length > 0 => received.extend_from_slice(buffer.get(..length).unwrap_or_default()),
                _ => return,
            },
            Some(bytes) = replies.recv() => {
                let bytes: Vec<u8> = bytes;
                if !matches!(timeout(IDLE, stream.write_all(&bytes)).await, Ok(Ok(()))) {
                    return;
                }
            }
        }
        loop {
            match framing::first(&received) {
                Frame::Whole(length) => {
                    let rest = received.split_off(length);
                    let bytes = std::mem::replace(&mut received, rest);
                    let _ = sender.try_send(Arrived { from, bytes, way_back: WayBack::Stream(reply.clone()) });
                }
                Frame::Part if received.len() <= MAX_FRAME => break,
                Frame::Part | Frame::Broken => return,
            }
        }
    }
}
