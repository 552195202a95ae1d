//! Frames as they are on the cable, for the check of addresses: open while one runs, and no longer.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use netcfg::probe::{Outcome, Prober};
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrLike as _, bind, recv, send, socket,
};
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

use crate::daemon::Clock;

/// A check under way, and the cable that it looks at.
pub(crate) struct Check {
    pub(crate) serial: u64,
    prober: Prober,
    socket: AsyncFd<OwnedFd>,
    clock: Clock,
}

impl Check {
    pub(crate) fn new(serial: u64, prober: Prober, interface: &str, clock: Clock) -> Result<Self> {
        Ok(Self { serial, prober, socket: open(interface)?, clock })
    }

    /// Goes on until it is known what comes of it. May be dropped and called again at any time.
    pub(crate) async fn run(&mut self) -> Outcome {
        loop {
            self.prober.handle_timeout(self.clock.now());
            while let Some(frame) = self.prober.poll_transmit() {
                if let Err(error) = send(self.socket.as_raw_fd(), &frame, MsgFlags::empty()) {
                    log::debug!("a probe could not be sent: {error}");
                }
            }
            if let Some(outcome) = self.prober.outcome() {
                return outcome;
            }
            let until = self.prober.poll_timeout().unwrap_or_default();
            let mut buffer = [0; 128];
            tokio::select! {
                received = receive(&self.socket, &mut buffer) => match received {
                    Ok(length) => self.prober.handle_frame(buffer.get(..length).unwrap_or_default()),
                    // The cable was pulled: the probes go on, and what comes of it is known in time.
                    Err(error) => log::debug!("nothing could be received: {error}"),
                },
                () = sleep(until.saturating_sub(self.clock.now())) => {}
            }
        }
    }
}

async fn receive(socket: &AsyncFd<OwnedFd>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        let mut ready = socket.readable().await?;
        let received = ready.try_io(|socket| Ok(recv(socket.as_raw_fd(), buffer, MsgFlags::empty())?));
        if let Ok(received) = received {
            return received;
        }
    }
}

fn open(interface: &str) -> Result<AsyncFd<OwnedFd>> {
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
        SockProtocol::EthAll,
    )
    .context("no socket for frames")?;
    let mut interfaces = getifaddrs().context("the interfaces cannot be listed")?;
    let address = interfaces
        .find(|one| {
            let family = one.address.as_ref().and_then(|address| address.family());
            one.interface_name == interface && family == Some(AddressFamily::Packet)
        })
        .and_then(|one| one.address)
        .with_context(|| format!("{interface} is no Ethernet port"))?;
    bind(socket.as_raw_fd(), &address).with_context(|| format!("no frames of {interface}"))?;
    #[allow(
        deprecated,
        reason = "its successor needs unsafe; an owned descriptor that is never given away is what it asks for"
    )]
    AsyncFd::new(socket).context("the socket for frames cannot be waited for")
}
