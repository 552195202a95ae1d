//! ARP on packet sockets: one for each interface, because that is how a packet socket knows where to send. Needs CAP_NET_RAW;
//! knows nothing of what is in the frames.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use agent_core::arp::Mac;
use nix::sys::socket::{LinkAddr, bind};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::Input;

/// EtherType of ARP.
const ARP: u16 = 0x0806;
/// Room for the answers to a burst of questions.
const RECEIVE_BUFFER: usize = 2 << 20;

/// A packet socket of one interface, and the task that listens on it. The runtime knows no such sockets; in the shape of one
/// for datagrams it sends and receives them as they are, as long as no address is asked for.
pub(super) struct PacketSocket {
    socket: Arc<UdpSocket>,
    listener: AbortHandle,
}

impl PacketSocket {
    /// Opens one; an error of the kind `PermissionDenied` says that the right to do so is missing.
    pub(super) fn open(link: &LinkAddr, mac: Mac, inputs: mpsc::Sender<Input>) -> io::Result<Self> {
        let protocol = Protocol::from(i32::from(ARP.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
        socket.set_nonblocking(true)?;
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        bind(socket.as_raw_fd(), link)?;
        let socket = Arc::new(UdpSocket::from_std(socket.into())?);
        let listener = tokio::spawn(listen(socket.clone(), mac, inputs)).abort_handle();
        Ok(Self { socket, listener })
    }

    /// Sends a frame.
    pub(super) fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.try_send(frame).map(|_| ())
    }
}

impl Drop for PacketSocket {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen(socket: Arc<UdpSocket>, mac: Mac, inputs: mpsc::Sender<Input>) {
    let mut frame = [0; 256];
    loop {
        match socket.recv(&mut frame).await {
            // Where too many wait, frames are lost as on a full wire, and asked for again.
            Ok(length) => drop(inputs.try_send(Input::Frame(mac, frame.get(..length).unwrap_or_default().to_vec()))),
            // The interface may be down for a while; the task ends with the search at the latest.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    }
}
