//! Searches in a task of their own, with sockets of their own, so that they never hold up the polling of known devices.
//!
//! What is asked when is decided by [`agent_core::search`]; here are the sockets and the clock. Sockets are open only while
//! something is searched.

mod network;
mod packet;
mod sockets;

use std::net::{SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use agent_core::arp::Mac;
use agent_core::routes::neighbours;
use agent_core::search::{Abilities, Connection, Cursor, Event, Progress, Search, SearchPlan, Transmit};
use agent_core::tick::Tick;
use anyhow::{Context, Result};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use sockets::{Sent, Sockets};

pub use network::own_subnets;

/// Events that wait for whoever listens; more than that hold the search up.
const MAX_EVENTS: usize = 1_024;
/// Packets that wait to be looked at; more than that are dropped, as a network would.
const MAX_INPUTS: usize = 8_192;
/// Packets sent before answers are looked at.
const BURST: usize = 256;
/// How long a connection may take: long enough for its first repeat.
const CONNECT_PATIENCE: Duration = Duration::from_millis(1_200);
/// How often the kernel's table of neighbours is read while it looks for some.
const NEIGHBOURS_EVERY: Duration = Duration::from_millis(500);
/// How often the state is shown.
const SHOW_EVERY: Duration = Duration::from_millis(200);
/// How long to wait where a socket takes no more.
const BLOCKED: Duration = Duration::from_millis(2);

/// An order to the task.
enum Order {
    Start(Box<SearchPlan>),
    Stop(i64),
    Rate(u32),
}

/// What the network brought.
pub(crate) enum Input {
    /// A frame, on an interface with that card.
    Frame(Mac, Vec<u8>),
    /// A message of ICMP.
    Echo(SocketAddr, Vec<u8>),
    /// An answer by multicast DNS.
    Announcement(SocketAddr, Vec<u8>),
    /// The end of a connection.
    Connection(SocketAddrV4, Connection),
}

/// How the searches stand.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// How far each range is.
    pub progress: Vec<(i64, Progress)>,
    /// Where each could go on.
    pub cursors: Vec<(i64, Cursor)>,
    /// What could be sent when sockets were last opened; `None` before the first time.
    pub abilities: Option<Abilities>,
    /// Why the search could not open its sockets.
    pub fault: Option<String>,
}

/// A hold on the task, which ends when this is dropped.
pub struct Searcher {
    orders: mpsc::UnboundedSender<Order>,
    events: mpsc::Receiver<Event>,
    state: Arc<Mutex<State>>,
}

impl Searcher {
    /// Starts the task. Needs a tokio runtime.
    pub fn new() -> Result<Self> {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
        let (orders, receiver) = mpsc::unbounded_channel();
        let (sender, events) = mpsc::channel(MAX_EVENTS);
        let state = Arc::new(Mutex::new(State::default()));
        let task = Task {
            search: Search::new(u64::from_ne_bytes(seed), Abilities { arp: false, echo: false }),
            seed: u64::from_ne_bytes(seed),
            rate: 1,
            sockets: None,
            started: Instant::now(),
            unsent: None,
            orders: receiver,
            events: sender,
            state: state.clone(),
            connections: JoinSet::new(),
        };
        tokio::spawn(task.run());
        Ok(Self { orders, events, state })
    }

    /// Starts with a range, beside others.
    pub fn start(&self, plan: SearchPlan) {
        let _ = self.orders.send(Order::Start(Box::new(plan)));
    }

    /// Ends a range.
    pub fn stop(&self, range: i64) {
        let _ = self.orders.send(Order::Stop(range));
    }

    /// Sets the pace of all ranges together.
    pub fn set_rate(&self, rate: u32) {
        let _ = self.orders.send(Order::Rate(rate));
    }

    /// How the searches stand.
    pub fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The next event; `None` once the task has ended.
    pub async fn event(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

struct Task {
    search: Search,
    seed: u64,
    rate: u32,
    sockets: Option<Sockets>,
    started: Instant,
    unsent: Option<Transmit>,
    orders: mpsc::UnboundedReceiver<Order>,
    events: mpsc::Sender<Event>,
    state: Arc<Mutex<State>>,
    connections: JoinSet<()>,
}

impl Task {
    async fn run(mut self) {
        let (inputs, mut inbox) = mpsc::channel(MAX_INPUTS);
        let (mut shown, mut looked) = (Instant::now(), Instant::now());
        loop {
            if self.search.is_idle() {
                self.rest();
                match self.orders.recv().await {
                    Some(order) => self.obey(order, &inputs),
                    None => return,
                }
                continue;
            }
            let blocked = self.send(&inputs);
            self.receive();
            let now = self.now();
            self.search.handle_timeout(now);
            if self.search.wants_neighbours() && looked.elapsed() >= NEIGHBOURS_EVERY {
                looked = Instant::now();
                let table = std::fs::read_to_string("/proc/net/arp").unwrap_or_default();
                for (address, mac) in neighbours(&table) {
                    self.search.handle_neighbour(now, address, mac);
                }
            }
            if shown.elapsed() >= SHOW_EVERY {
                shown = Instant::now();
                self.show();
            }
            while let Some(event) = self.search.poll_event() {
                if matches!(event, Event::Finished { .. }) {
                    self.show();
                }
                if self.events.send(event).await.is_err() {
                    return;
                }
            }
            if self.search.is_idle() {
                continue;
            }
            let due = self.search.poll_timeout().map_or(SHOW_EVERY, |tick| tick.since(self.now()));
            let wait = if blocked { BLOCKED } else { due.min(SHOW_EVERY) };
            let Some(sockets) = &self.sockets else { continue };
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order, &inputs),
                    None => return,
                },
                Some(input) = inbox.recv() => {
                    self.take(input);
                    for _ in 1..BURST {
                        let Ok(input) = inbox.try_recv() else { break };
                        self.take(input);
                    }
                }
                _ = sockets.snmp_readable() => {}
                () = sleep(wait) => {}
            }
            while self.connections.try_join_next().is_some() {}
        }
    }

    fn now(&self) -> Tick {
        Tick::after(self.started.elapsed())
    }

    fn rest(&mut self) {
        if self.sockets.take().is_some() {
            self.unsent = None;
            self.connections.abort_all();
        }
        self.show();
    }

    fn show(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.progress = self.search.progress().collect();
        state.cursors = self.search.cursors().collect();
    }

    fn obey(&mut self, order: Order, inputs: &mpsc::Sender<Input>) {
        match order {
            Order::Start(plan) => {
                if let Err(error) = self.open(inputs) {
                    let fault = format!("{error:#}");
                    log::error!(error:% = fault; "a search cannot start");
                    self.state.lock().unwrap_or_else(PoisonError::into_inner).fault = Some(fault);
                    let finished = Event::Finished { range: plan.range, progress: Progress::default() };
                    let _ = self.events.try_send(finished);
                    return;
                }
                let now = self.now();
                self.search.start(now, *plan);
                self.show();
            }
            Order::Stop(range) => self.search.stop(range),
            Order::Rate(rate) => {
                self.rate = rate;
                self.search.set_rate(rate);
            }
        }
    }

    /// Opens sockets for the interfaces and routes of this moment, unless they are open.
    fn open(&mut self, inputs: &mpsc::Sender<Input>) -> Result<()> {
        if self.sockets.is_some() {
            return Ok(());
        }
        let interfaces = network::interfaces().context("the network interfaces cannot be listed")?;
        let sockets = Sockets::open(&interfaces, inputs)?;
        let abilities = sockets.abilities();
        self.search = Search::new(self.seed, abilities);
        self.search.set_rate(self.rate);
        self.search.set_routes(network::routes(&interfaces));
        self.sockets = Some(sockets);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.abilities = Some(abilities);
        state.fault = None;
        Ok(())
    }

    /// Sends what is due; gives whether a socket takes no more.
    fn send(&mut self, inputs: &mpsc::Sender<Input>) -> bool {
        for _ in 0..BURST {
            let now = self.now();
            let Some(transmit) = self.unsent.take().or_else(|| self.search.poll_transmit(now)) else { return false };
            if let Transmit::Connect { to } = transmit {
                let inputs = inputs.clone();
                self.connections.spawn(async move {
                    let _ = inputs.send(Input::Connection(to, connect(to).await)).await;
                });
                continue;
            }
            let Some(sockets) = &self.sockets else { return false };
            match sockets.send(&transmit) {
                Sent::Done => {}
                Sent::Later => {
                    self.unsent = Some(transmit);
                    return true;
                }
                Sent::Unreachable(to, why) => self.search.handle_unreachable(now, to, why),
            }
        }
        false
    }

    fn receive(&mut self) {
        let now = self.now();
        let Some(sockets) = &mut self.sockets else { return };
        for _ in 0..BURST {
            let Some((from, bytes)) = sockets.receive_snmp() else { break };
            self.search.handle_datagram(now, from, bytes);
        }
        for _ in 0..BURST {
            let Some((to, why)) = sockets.receive_error() else { break };
            self.search.handle_unreachable(now, to, why);
        }
    }

    fn take(&mut self, input: Input) {
        let now = self.now();
        match input {
            Input::Frame(own, frame) => self.search.handle_frame(now, own, &frame),
            Input::Echo(SocketAddr::V4(from), bytes) => self.search.handle_echo(now, *from.ip(), &bytes),
            Input::Announcement(SocketAddr::V4(from), bytes) => {
                self.search.handle_announcement(now, *from.ip(), &bytes);
            }
            Input::Connection(to, connection) => self.search.handle_connection(now, to, connection),
            Input::Echo(..) | Input::Announcement(..) => {}
        }
    }
}

/// Tries a connection and closes it at once.
async fn connect(to: SocketAddrV4) -> Connection {
    match timeout(CONNECT_PATIENCE, TcpStream::connect(to)).await {
        Ok(Ok(_)) => Connection::Taken,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => Connection::Refused,
        Ok(Err(_)) | Err(_) => Connection::Silent,
    }
}
