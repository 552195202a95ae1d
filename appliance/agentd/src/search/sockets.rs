//! The sockets of a search: SNMP with what the network says about its datagrams, ARP, ICMP echo, multicast DNS.
//!
//! None of them ever waits: what cannot be sent at once is sent later, so that no absent neighbour holds up the others.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use agent_core::dns_sd;
use agent_core::search::{Abilities, Transmit, Unreachable};
use anyhow::{Context, Result};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::Input;
use super::network::Local;
use super::packet::PacketSocket;

/// Room for bursts of answers. The kernel grants what it allows and says nothing.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Room for datagrams that wait for their neighbour to be found.
const SEND_BUFFER: usize = 1 << 20;
/// Largest datagram taken; longer ones are cut and then fail to decode.
const MAX_DATAGRAM: usize = 9_000;
/// How often a datagram is tried that the kernel holds back because of news about others.
const SEND_ATTEMPTS: usize = 4;

/// What became of a packet.
pub(super) enum Sent {
    /// It is on its way, or lost.
    Done,
    /// The socket takes no more for the moment.
    Later,
    /// There is no way to send it.
    Unreachable(SocketAddrV4, Unreachable),
}

/// See the module's page.
pub(super) struct Sockets {
    snmp: UdpSocket,
    buffer: Vec<u8>,
    own: BTreeSet<Ipv4Addr>,
    packets: BTreeMap<u32, PacketSocket>,
    arp: bool,
    echo: Option<Listening>,
    questions: BTreeMap<u32, Listening>,
}

/// A socket with a task that listens on it.
struct Listening {
    socket: Arc<UdpSocket>,
    listener: AbortHandle,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Listening {
    fn new(socket: Socket, inputs: &mpsc::Sender<Input>, input: fn(SocketAddr, Vec<u8>) -> Input) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = Arc::new(UdpSocket::from_std(socket.into())?);
        let listener = tokio::spawn(listen(socket.clone(), inputs.clone(), input)).abort_handle();
        Ok(Self { socket, listener })
    }
}

async fn listen(socket: Arc<UdpSocket>, inputs: mpsc::Sender<Input>, input: fn(SocketAddr, Vec<u8>) -> Input) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        // An error is news about some datagram sent before.
        if let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            // Where too many wait, answers are lost as on a full wire, and asked for again.
            let _ = inputs.try_send(input(from, buffer.get(..length).unwrap_or_default().to_vec()));
        } else {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
}

impl Sockets {
    /// Opens what can be opened; only SNMP's socket is indispensable.
    pub(super) fn open(locals: &[Local], inputs: &mpsc::Sender<Input>) -> Result<Self> {
        let mut packets = BTreeMap::new();
        let mut arp = true;
        let mut questions = BTreeMap::new();
        for local in locals {
            let interface = &local.interface;
            let (Some(mac), Some(link), Some(own)) = (interface.mac, &local.link, interface.addresses.first()) else {
                continue;
            };
            match PacketSocket::open(link, mac, inputs.clone()) {
                Ok(socket) => drop(packets.insert(interface.index, socket)),
                Err(error) => {
                    log::debug!(interface = interface.name, error:% = error; "no packet socket");
                    arp &= error.kind() != ErrorKind::PermissionDenied;
                }
            }
            match question_socket(own.addr()).and_then(|socket| Listening::new(socket, inputs, Input::Announcement)) {
                Ok(socket) => drop(questions.insert(interface.index, socket)),
                Err(error) => log::debug!(interface = interface.name, error:% = error; "no multicast"),
            }
        }
        let echo = echo_socket().and_then(|socket| Listening::new(socket, inputs, Input::Echo));
        let own = locals.iter().flat_map(|local| local.interface.addresses.iter().map(ipnet::Ipv4Net::addr)).collect();
        Ok(Self {
            snmp: snmp_socket().context("no UDP socket for the search")?,
            buffer: vec![0; MAX_DATAGRAM],
            own,
            packets,
            arp,
            echo: echo.inspect_err(|error| log::debug!(error:% = error; "no echo socket")).ok(),
            questions,
        })
    }

    pub(super) fn abilities(&self) -> Abilities {
        Abilities { arp: self.arp, echo: self.echo.is_some() }
    }

    pub(super) async fn snmp_readable(&self) -> io::Result<()> {
        self.snmp.readable().await
    }

    pub(super) fn receive_snmp(&mut self) -> Option<(SocketAddr, &[u8])> {
        // An error is news about a datagram sent before, which comes in detail another way.
        let (length, from) = self.snmp.try_recv_from(&mut self.buffer).ok()?;
        Some((from, self.buffer.get(..length).unwrap_or_default()))
    }

    /// What the network says about a datagram that was sent.
    pub(super) fn receive_error(&self) -> Option<(SocketAddrV4, Unreachable)> {
        let mut payload = [0; 64];
        let mut space = nix::cmsg_space!([u8; 64]);
        let mut parts = [IoSliceMut::new(&mut payload)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        // What it has to say is of no use without the address; then it is passed over with those behind it to come later.
        let message = recvmsg::<SockaddrIn>(self.snmp.as_raw_fd(), &mut parts, Some(&mut space), flags).ok()?;
        let to = message.address.map(|address| SocketAddrV4::new(address.ip(), address.port()))?;
        let news = message.cmsgs().ok()?.find_map(|control| match control {
            ControlMessageOwned::Ipv4RecvErr(error, offender) => Some((error, offender)),
            _ => None,
        });
        const DESTINATION_UNREACHABLE: u8 = 3;
        const PORT: u8 = 3;
        let (error, offender) = news?;
        let offender = offender.map(|offender| Ipv4Addr::from(u32::from_be(offender.sin_addr.s_addr)));
        let by_itself = offender.is_some_and(|offender| self.own.contains(&offender) && offender != *to.ip());
        let why = match (error.ee_type, error.ee_code) {
            (DESTINATION_UNREACHABLE, PORT) => Unreachable::Port,
            (DESTINATION_UNREACHABLE, _) if by_itself => Unreachable::Neighbour,
            _ => Unreachable::Host,
        };
        Some((to, why))
    }

    pub(super) fn send(&self, transmit: &Transmit) -> Sent {
        match transmit {
            Transmit::Snmp { to, bytes } => self.send_snmp(*to, bytes),
            Transmit::Arp { interface, frame, .. } => {
                later_if_full(self.packets.get(interface).map(|socket| socket.send(frame)))
            }
            Transmit::Echo { to, bytes } => {
                let to = SocketAddr::from((*to, 0));
                later_if_full(self.echo.as_ref().map(|echo| echo.socket.try_send_to(bytes, to).map(|_| ())))
            }
            Transmit::Question { interfaces, bytes } => {
                for socket in interfaces.iter().filter_map(|interface| self.questions.get(interface)) {
                    let _ = socket.socket.try_send_to(bytes, dns_sd::GROUP.into());
                }
                Sent::Done
            }
            // Connections have no socket beforehand; the task makes them.
            Transmit::Connect { .. } => Sent::Done,
        }
    }

    fn send_snmp(&self, to: SocketAddrV4, bytes: &[u8]) -> Sent {
        for _ in 0..SEND_ATTEMPTS {
            match self.snmp.try_send_to(bytes, to.into()) {
                Ok(_) => return Sent::Done,
                Err(error) if is_full(&error) => return Sent::Later,
                Err(error) => match error.kind() {
                    ErrorKind::NetworkUnreachable | ErrorKind::PermissionDenied | ErrorKind::InvalidInput => {
                        return Sent::Unreachable(to, Unreachable::Route);
                    }
                    // News about another datagram came first; it is read elsewhere, and this one tried again.
                    _ => {}
                },
            }
        }
        Sent::Later
    }
}

fn later_if_full(outcome: Option<io::Result<()>>) -> Sent {
    match outcome {
        Some(Err(error)) if is_full(&error) => Sent::Later,
        _ => Sent::Done,
    }
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock || error.raw_os_error() == Some(nix::libc::ENOBUFS)
}

fn snmp_socket() -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
    UdpSocket::from_std(socket.into())
}

/// A socket for echo alone, which needs a group that the system allows it to; else one for all of ICMP, which needs CAP_NET_RAW.
fn echo_socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4))
        .or_else(|_| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)))?;
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    Ok(socket)
}

fn question_socket(own: Ipv4Addr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_multicast_if_v4(&own)?;
    socket.set_multicast_ttl_v4(255)?;
    socket.set_multicast_loop_v4(false)?;
    socket.bind(&SocketAddr::from((own, 0)).into())?;
    Ok(socket)
}
