//! Connections for SNMP over TCP (RFC 3430): one to an address, opened for the first message and closed when nobody needs it
//! any more. Bounded in number, time and size. Knows nothing of what the messages say.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use agent_core::snmp::framing::{self, Frame, MAX_FRAME};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Connections at once; a search may want more, and then repeats its probes.
const MAX_OPEN: usize = 256;
/// How long opening may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a connection may be without a message.
const IDLE: Duration = Duration::from_secs(10);
/// Messages to one address that wait to be written.
const MAX_UNSENT: usize = 8;
/// Messages of all connections that wait to be taken.
const MAX_ARRIVED: usize = 256;

/// What came of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// A message.
    Message(Vec<u8>),
    /// Its end, and why: what was sent over it stays without an answer.
    Ended(String),
}

/// All connections. They end when this is dropped.
pub struct Connections {
    open: BTreeMap<SocketAddr, Open>,
    opened: u64,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<(SocketAddr, u64, Arrival)>,
    arrived: mpsc::Receiver<(SocketAddr, u64, Arrival)>,
    /// Connections that could not even be tried.
    refused: VecDeque<SocketAddr>,
}

struct Open {
    /// Tells this connection from an earlier one to the same address.
    number: u64,
    unsent: mpsc::Sender<Vec<u8>>,
}

impl Default for Connections {
    fn default() -> Self {
        let (sender, arrived) = mpsc::channel(MAX_ARRIVED);
        Self { open: BTreeMap::new(), opened: 0, tasks: JoinSet::new(), sender, arrived, refused: VecDeque::new() }
    }
}

impl Connections {
    /// Sends a message, over the connection that there is or over a new one. Needs a tokio runtime.
    pub fn send(&mut self, to: SocketAddr, message: Vec<u8>) {
        while self.tasks.try_join_next().is_some() {}
        let message = match self.open.get(&to) {
            None if self.open.len() >= MAX_OPEN => return self.refused.push_back(to),
            None => message,
            Some(open) => match open.unsent.try_send(message) {
                // With too many under way one is as good as lost; whoever waits for its answer gives up in time.
                Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => return,
                // It has just ended.
                Err(mpsc::error::TrySendError::Closed(message)) => message,
            },
        };
        self.connect(to, message);
    }

    fn connect(&mut self, to: SocketAddr, message: Vec<u8>) {
        self.opened += 1;
        let number = self.opened;
        let (unsent, messages) = mpsc::channel(MAX_UNSENT);
        let _ = unsent.try_send(message);
        let sender = self.sender.clone();
        self.tasks.spawn(async move {
            let end = converse(to, messages, |message| {
                let sender = sender.clone();
                async move { sender.send((to, number, Arrival::Message(message))).await.is_ok() }
            });
            let why = end.await;
            let _ = sender.send((to, number, Arrival::Ended(why))).await;
        });
        self.open.insert(to, Open { number, unsent });
    }

    /// Closes the connection to an address, if there is one.
    pub fn close(&mut self, to: &SocketAddr) {
        self.open.remove(to);
    }

    /// The next message, or the end of a connection. May be dropped and called again: nothing is lost.
    pub async fn arrival(&mut self) -> (SocketAddr, Arrival) {
        if let Some(to) = self.refused.pop_front() {
            return (to, Arrival::Ended(format!("{MAX_OPEN} connections are open already")));
        }
        loop {
            let Some((from, number, arrival)) = self.arrived.recv().await else { return std::future::pending().await };
            // What an earlier connection left behind is nobody's business any more.
            if self.open.get(&from).is_some_and(|open| open.number == number) {
                if matches!(arrival, Arrival::Ended(_)) {
                    self.open.remove(&from);
                }
                return (from, arrival);
            }
        }
    }
}

/// Writes what is to be sent and takes what comes, until one side has enough; gives why it ended.
async fn converse<Taken: Future<Output = bool>>(
    to: SocketAddr,
    mut messages: mpsc::Receiver<Vec<u8>>,
    take: impl Fn(Vec<u8>) -> Taken,
) -> String {
    let mut stream = match timeout(CONNECT, TcpStream::connect(to)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return format!("no connection: {error}"),
        Err(_) => return "no connection: no answer".to_owned(),
    };
    let _ = stream.set_nodelay(true);
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        tokio::select! {
            message = messages.recv() => {
                let Some(message) = message else { return "closed".to_owned() };
                match timeout(IDLE, stream.write_all(&message)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return format!("the connection broke: {error}"),
                    Err(_) => return "the device takes nothing more".to_owned(),
                }
            }
            read = timeout(IDLE, stream.read(&mut buffer)) => {
                match read {
                    Ok(Ok(0)) => return "the device closed the connection".to_owned(),
                    Ok(Ok(length)) => received.extend_from_slice(buffer.get(..length).unwrap_or_default()),
                    Ok(Err(error)) => return format!("the connection broke: {error}"),
                    Err(_) => return "nothing came".to_owned(),
                }
                loop {
                    match framing::first(&received) {
                        Frame::Whole(length) => {
                            let rest = received.split_off(length);
                            if !take(std::mem::replace(&mut received, rest)).await {
                                return "closed".to_owned();
                            }
                        }
                        Frame::Part if received.len() <= MAX_FRAME => break,
                        Frame::Part | Frame::Broken => return "what comes is no SNMP".to_owned(),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Someone who takes one connection, sends these pieces and closes.
    async fn peer(pieces: &'static [&'static [u8]]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 3];
            stream.read_exact(&mut asked).await.unwrap();
            for piece in pieces {
                stream.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        address
    }

    #[tokio::test]
    async fn messages_come_whole_however_they_were_cut() {
        let address = peer(&[&[0x30], &[2, 1], &[2, 0x30, 1, 7, 0x30], &[0]]).await;
        let mut connections = Connections::default();
        connections.send(address, vec![1, 2, 3]);
        for message in [&[0x30, 2, 1, 2][..], &[0x30, 1, 7], &[0x30, 0]] {
            assert_eq!(connections.arrival().await, (address, Arrival::Message(message.to_vec())));
        }
        let (_, end) = connections.arrival().await;
        assert!(matches!(end, Arrival::Ended(why) if why.contains("closed the connection")));
        assert!(connections.open.is_empty());
    }

    #[tokio::test]
    async fn rubbish_and_refusals_are_named() {
        let address = peer(&[b"SSH-2.0-OpenSSH"]).await;
        let mut connections = Connections::default();
        connections.send(address, vec![1, 2, 3]);
        let (_, end) = connections.arrival().await;
        assert!(matches!(&end, Arrival::Ended(why) if why.contains("no SNMP")), "{end:?}");
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        connections.send(nobody, vec![1, 2, 3]);
        let (from, end) = connections.arrival().await;
        assert_eq!(from, nobody);
        assert!(matches!(&end, Arrival::Ended(why) if why.contains("no connection")), "{end:?}");
    }
}
