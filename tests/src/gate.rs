//! What stands between an agent and its manager: a port that lets everything through, or plays a manager that is not well.
//!
//! The agent is told this port and never another, so a test changes what it meets there without starting anything anew. Where
//! TLS is answered here, it is with the real manager's key: the agent must not find the fault in the certificate.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context as _, Result};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

/// What an agent meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// The manager on this port of this machine.
    Forward(u16),
    /// The connection ends as soon as it begins.
    HangUp,
    /// TLS works, and then the connection ends before the answer.
    HangUpAfterRequest,
    /// TLS works, the request is read, and no answer ever comes.
    Silence,
    /// TLS works, and the answer is these bytes.
    Answer(String),
}

impl Behaviour {
    /// An answer with status line, type and body.
    pub fn answer(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Answer(format!(
            "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ))
    }
}

/// The port.
pub struct Gate {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _listening: AbortOnDrop,
}

struct State {
    behaviour: Behaviour,
    tls: Option<TlsAcceptor>,
    requests: u64,
    /// Connections that are open: they end when the behaviour changes, so that nobody keeps one from before.
    open: JoinSet<()>,
}

impl Gate {
    /// Opens a port that leads nowhere yet.
    pub async fn open() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = State { behaviour: Behaviour::HangUp, tls: None, requests: 0, open: JoinSet::new() };
        let state = Arc::new(Mutex::new(state));
        let listening = tokio::spawn(listen(listener, state.clone()));
        Ok(Self { address, state, _listening: AbortOnDrop(listening.abort_handle()) })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Lets everything through to the manager on this port from here on.
    pub fn forward(&self, port: u16) {
        self.behave(Behaviour::Forward(port), None);
    }

    /// Plays something else from here on, with the certificate and the key that lie in a manager's folder.
    pub fn play(&self, behaviour: Behaviour, manager: &Path) -> Result<()> {
        let certificate = CertificateDer::from_pem_file(manager.join("web-certificate.pem")).context("certificate")?;
        let key = PrivateKeyDer::from_pem_file(manager.join("web-key.pem")).context("key")?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = tls.with_no_client_auth().with_single_cert(vec![certificate], key)?;
        self.behave(behaviour, Some(TlsAcceptor::from(Arc::new(tls))));
        Ok(())
    }

    /// How many requests have been read here and not passed on.
    pub fn requests(&self) -> u64 {
        lock(&self.state).requests
    }

    fn behave(&self, behaviour: Behaviour, tls: Option<TlsAcceptor>) {
        let mut state = lock(&self.state);
        (state.behaviour, state.tls) = (behaviour, tls);
        state.open = JoinSet::new();
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let mut locked = lock(&state);
        let (behaviour, tls) = (locked.behaviour.clone(), locked.tls.clone());
        let state = state.clone();
        locked.open.spawn(async move {
            // What goes wrong here is what the agent is to meet.
            let _ = serve(stream, behaviour, tls, &state).await;
        });
    }
}

async fn serve(
    mut stream: TcpStream,
    behaviour: Behaviour,
    tls: Option<TlsAcceptor>,
    state: &Mutex<State>,
) -> std::io::Result<()> {
    if let Behaviour::Forward(port) = behaviour {
        let mut manager = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        copy_bidirectional(&mut stream, &mut manager).await?;
        return Ok(());
    }
    let Some(tls) = tls.filter(|_| behaviour != Behaviour::HangUp) else { return Ok(()) };
    let mut stream = tls.accept(stream).await?;
    read_request(&mut stream).await?;
    lock(state).requests += 1;
    match behaviour {
        Behaviour::Answer(bytes) => {
            stream.write_all(bytes.as_bytes()).await?;
            stream.shutdown().await
        }
        Behaviour::Silence => std::future::pending().await,
        Behaviour::HangUp | Behaviour::HangUpAfterRequest | Behaviour::Forward(_) => Ok(()),
    }
}

/// Reads a request to the end of its body.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<()> {
    let mut request = Vec::new();
    loop {
        let head = request.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = head {
            let words = String::from_utf8_lossy(request.get(..end).unwrap_or_default()).to_lowercase();
            let length =
                words.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
            if request.len() >= end + 4 + length.unwrap_or(0) {
                return Ok(());
            }
        }
        if stream.read_buf(&mut request).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
