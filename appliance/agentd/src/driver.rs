//! The one place with a UDP socket and a clock: drives the engine. Connections over TCP are in `tcp`.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use agent_core::engine::{Engine, Event, ReadOrder, Transmit};
use agent_core::profile::Profiles;
use agent_core::snmp::Transport;
use agent_core::tick::Tick;
use anyhow::{Context, Result};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::sleep;

use crate::tcp::{Arrival, Connections};

/// Room for answers that arrive in a burst or while the store is busy. The kernel grants what it allows.
const RECEIVE_BUFFER: usize = 4 << 20;
/// What the kernel counts for an answer of an Ethernet frame, with all that it keeps beside it.
const ANSWER_IN_BUFFER: usize = 4096;
/// Answers under way at most however large the buffer is: each is of a device whose values are kept until it is read.
const MAX_WINDOW: usize = 256;
/// Datagrams taken in a row before anything is sent: answers to them would wait as long.
const BURST: usize = 32;
/// Largest datagram taken; longer ones are cut and then fail to decode.
const MAX_DATAGRAM: usize = 65_535;

/// An engine with its socket.
pub struct Driver {
    engine: Engine,
    socket: UdpSocket,
    started: Instant,
    unsent: Option<Transmit>,
    connections: Connections,
    buffer: Vec<u8>,
}

impl Driver {
    /// A driver with a socket of its own, that explains what it reads with these profiles. Needs a tokio runtime.
    pub fn new(profiles: Profiles) -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).context("no UDP socket")?;
        // Beyond the limit for everyone, where this process may.
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        }
        let granted = socket.recv_buffer_size().unwrap_or(0);
        socket.set_nonblocking(true).context("no non-blocking UDP socket")?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into()).context("no free UDP port")?;
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
        let mut engine = Engine::new(profiles, u64::from_ne_bytes(seed));
        engine.set_window((granted / ANSWER_IN_BUFFER).min(MAX_WINDOW));
        log::debug!(octets = granted; "receive buffer");
        Ok(Self {
            engine,
            socket: UdpSocket::from_std(socket.into()).context("no UDP socket in the runtime")?,
            started: Instant::now(),
            unsent: None,
            connections: Connections::default(),
            buffer: vec![0; MAX_DATAGRAM],
        })
    }

    /// The profiles that explain readings.
    pub fn profiles(&self) -> &Profiles {
        self.engine.profiles()
    }

    /// The present moment.
    pub fn now(&self) -> Tick {
        Tick::after(self.started.elapsed())
    }

    /// Orders a reading.
    pub fn read(&mut self, order: ReadOrder) {
        let now = self.now();
        self.engine.read(now, order);
    }

    /// Takes the answer to an SNMPv3 discovery that a search has made.
    pub fn learn_engine(&mut self, from: SocketAddr, bytes: &[u8]) {
        let now = self.now();
        self.engine.learn_engine(now, from, bytes);
    }

    /// Whether a device is being read, or waits for it.
    pub fn is_reading(&self, address: &SocketAddr) -> bool {
        self.engine.is_reading(address)
    }

    /// Works until something has happened, or until `until`. May be dropped and called again at any time: nothing is lost.
    pub async fn event_before(&mut self, until: Instant) -> Option<Event> {
        loop {
            self.send_all().await;
            if let Some(event) = self.engine.poll_event() {
                let Event::Read(finished) = &event;
                self.connections.close(&finished.address);
                return Some(event);
            }
            let now = Instant::now();
            if now >= until {
                return None;
            }
            let due = self.engine.poll_timeout().map_or(Duration::MAX, |tick| tick.since(self.now()));
            tokio::select! {
                // An error here is an ICMP message about some datagram; that request runs into its time-out.
                _ = self.socket.readable() => self.receive(),
                (from, arrival) = self.connections.arrival() => {
                    let now = self.now();
                    match arrival {
                        Arrival::Message(bytes) => self.engine.handle_message(now, from, Transport::Tcp, &bytes),
                        Arrival::Ended(why) => self.engine.handle_disconnect(now, from, &why),
                    }
                }
                () = sleep(due.min(until - now)) => {}
            }
            let now = self.now();
            self.engine.handle_timeout(now);
        }
    }

    /// Takes what has arrived, a bounded number of datagrams.
    fn receive(&mut self) {
        for _ in 0..BURST {
            match self.socket.try_recv_from(&mut self.buffer) {
                Ok((length, from)) => {
                    let now = self.now();
                    self.engine.handle_datagram(now, from, self.buffer.get(..length).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {}
            }
        }
    }

    async fn send_all(&mut self) {
        loop {
            if self.unsent.is_none() {
                self.unsent = self.engine.poll_transmit();
            }
            if let Some(Transmit { to, bytes, .. }) =
                self.unsent.take_if(|transmit| transmit.transport == Transport::Tcp)
            {
                self.connections.send(to, bytes);
                continue;
            }
            let Some(transmit) = &self.unsent else { return };
            // A datagram that cannot be sent (no route, for one) is as good as lost: the engine repeats it, then gives up.
            let sent = match self.socket.try_send_to(&transmit.bytes, transmit.to) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.socket.send_to(&transmit.bytes, transmit.to).await
                }
                sent => sent,
            };
            if let Err(error) = sent {
                log::debug!(address:% = transmit.to, error:% = error; "datagram not sent");
            }
            self.unsent = None;
        }
    }
}
