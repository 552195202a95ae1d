//! The listener: pages over TLS with limits, a redirect for those who come without TLS, an orderly end.
//!
//! Every wait has an end: handshake, head of a request, whole connection. What a request's body may hold is bounded here
//! for all, and by the pages more tightly.

use std::{convert::Infallible, future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderValue, Request, Response, StatusCode, header},
};
use http_body_util::Limited;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use jiff::Timestamp;
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{interval, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::certificate::{CertificateError, CertificateKeeper};

/// The first byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// Why a listener does not start.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ListenError {
    #[error("{0} is in use by another program: end that program or listen on another port")]
    InUse(SocketAddr),
    #[error("no permission to listen on {0}: ports below 1024 need a privilege; choose a higher port")]
    Forbidden(SocketAddr),
    #[error("{0} is not an address of this machine")]
    NotOurs(SocketAddr),
    #[error("cannot listen on {address}")]
    Other { address: SocketAddr, source: io::Error },
    #[error("cannot set up TLS")]
    Tls(#[from] CertificateError),
}

/// What a listener grants its visitors.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once; more wait in the system's queue.
    pub connections: usize,
    /// Time for the TLS handshake.
    pub handshake: Duration,
    /// Time for the head of a request, and for a kept connection to bring the next one.
    pub head: Duration,
    /// Time a connection may last before it is asked to end.
    pub lifetime: Duration,
    /// Most bytes of a request's body.
    pub body: usize,
    /// Paths whose requests may have larger bodies, and how large: uploads that are never held in memory.
    pub large: &'static [(&'static str, usize)],
    /// Time for requests in hand when the listener stops.
    pub farewell: Duration,
    /// Paths that are answered without TLS too; visitors of all others are sent on to TLS.
    pub plain: &'static [&'static str],
}

/// The address and port of this machine at which a request came in. An extension of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddress(pub SocketAddr);

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(20),
            lifetime: Duration::from_secs(15 * 60),
            body: 8 << 20,
            large: &[],
            farewell: Duration::from_secs(5),
            plain: &[],
        }
    }
}

/// A port held, not yet answering.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Takes the port; with port 0 the system chooses one.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse(address),
            io::ErrorKind::PermissionDenied => ListenError::Forbidden(address),
            io::ErrorKind::AddrNotAvailable => ListenError::NotOurs(address),
            _ => ListenError::Other { address, source },
        };
        let tcp = TcpListener::bind(address).await.map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        Ok(Self { tcp, address })
    }

    /// The address that is held.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Serves `router` over TLS until `stop` resolves, then lets requests in hand finish. Handlers find the visitor's address
/// as `ConnectInfo<SocketAddr>`. The certificate is renewed in time.
pub async fn serve(
    listener: Listener,
    certificate: Arc<CertificateKeeper>,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> Result<(), ListenError> {
    let acceptor = TlsAcceptor::from(Arc::new(certificate.server_config()?));
    let permits = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut renewal = interval(Duration::from_secs(60 * 60));
    tokio::pin!(stop);
    loop {
        let connection = tokio::select! {
            connection = accept(&listener.tcp, &permits) => connection,
            _ = renewal.tick() => {
                renew(certificate.clone());
                continue;
            }
            () = &mut stop => break,
        };
        let (stream, peer, permit) = connection;
        let connection =
            Connection { peer, acceptor: acceptor.clone(), router: router.clone(), limits: limits.clone() };
        let watcher = graceful.watcher();
        tokio::spawn(async move {
            connection.answer(stream, watcher).await;
            drop(permit);
        });
    }
    drop(listener);
    if timeout(limits.farewell, graceful.shutdown()).await.is_err() {
        log::warn!("some requests did not finish in time and were cut off");
    }
    Ok(())
}

async fn accept(tcp: &TcpListener, permits: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        match tcp.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            Err(error) => {
                // Out of file descriptors, most likely: accepting again at once would only spin.
                log::warn!("cannot accept a connection: {error}");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

fn renew(certificate: Arc<CertificateKeeper>) {
    tokio::task::spawn_blocking(move || match certificate.renew_if_due(Timestamp::now()) {
        Ok(true) => log::info!("renewed the certificate; its key is the same"),
        Ok(false) => {}
        Err(error) => log::error!("cannot renew the certificate: {:#}", anyhow::Error::from(error)),
    });
}

struct Connection {
    peer: SocketAddr,
    acceptor: TlsAcceptor,
    router: Router,
    limits: Limits,
}

impl Connection {
    async fn answer(self, stream: TcpStream, watcher: hyper_util::server::graceful::Watcher) {
        let _ = stream.set_nodelay(true);
        let mut first = [0_u8; 1];
        match timeout(self.limits.handshake, stream.peek(&mut first)).await {
            Ok(Ok(1)) if first == [TLS_HANDSHAKE] => self.answer_tls(stream, watcher).await,
            Ok(Ok(1)) => self.answer_plain(stream, watcher).await,
            _ => {}
        }
    }

    async fn answer_tls(self, stream: TcpStream, watcher: hyper_util::server::graceful::Watcher) {
        let stream = match timeout(self.limits.handshake, self.acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return log::debug!("TLS handshake with {} failed: {error}", self.peer),
            Err(_) => return log::debug!("TLS handshake with {} took too long", self.peer),
        };
        let Ok(local) = stream.get_ref().0.local_addr() else { return };
        let limits = self.limits.clone();
        let router = self.router.map_request(move |request| prepared(request, self.peer, local, &limits));
        let connection = http(&self.limits).serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
        finish(watcher.watch(connection), &self.limits).await;
    }

    async fn answer_plain(self, stream: TcpStream, watcher: hyper_util::server::graceful::Watcher) {
        let Ok(local) = stream.local_addr() else { return };
        let peer = self.peer;
        let service = service_fn(|request: Request<Incoming>| {
            let router = self.router.clone();
            let limits = self.limits.clone();
            async move {
                match limits.plain.contains(&request.uri().path()) {
                    true => router.oneshot(prepared(request, peer, local, &limits)).await,
                    false => Ok::<_, Infallible>(to_https(&request)),
                }
            }
        });
        let connection = http(&self.limits).serve_connection(TokioIo::new(stream), service);
        finish(watcher.watch(connection), &self.limits).await;
    }
}

/// A request with a bound to its body, and with what its handlers may want to know of the connection.
fn prepared(request: Request<Incoming>, peer: SocketAddr, local: SocketAddr, limits: &Limits) -> Request<Body> {
    let large = limits.large.iter().find(|(path, _)| *path == request.uri().path());
    let body_limit = large.map_or(limits.body, |(_, most)| *most);
    let mut request = request.map(|body| Body::new(Limited::new(body, body_limit)));
    request.extensions_mut().insert(ConnectInfo(peer));
    request.extensions_mut().insert(LocalAddress(local));
    request
}

fn http(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(64 << 10);
    builder
}

async fn finish(connection: impl Future<Output = hyper::Result<()>>, limits: &Limits) {
    match timeout(limits.lifetime, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::debug!("connection ended: {error}"),
        Err(_) => log::debug!("a connection had lasted too long and was cut off"),
    }
}

/// Sends a visitor without TLS to the same place with it. The port is the same: both are spoken on it.
fn to_https(request: &Request<Incoming>) -> Response<Body> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).filter(|host| is_host(host));
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let location = host.and_then(|host| HeaderValue::try_from(format!("https://{host}{path}")).ok());
    let mut response = match location {
        Some(location) => {
            let mut response = Response::new(Body::from("Please use https.\n"));
            *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
            response.headers_mut().insert(header::LOCATION, location);
            response
        }
        None => {
            let mut response = Response::new(Body::from("This port speaks HTTPS: put https:// before the address.\n"));
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Whether a Host header is a name or an address with an optional port, and nothing that could lead elsewhere.
fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 260
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']' | b'_'))
}

#[cfg(test)]
mod tests {
    use axum::Extension;
    use axum::routing::{get, post};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::oneshot,
    };
    use tokio_rustls::{
        TlsConnector,
        rustls::{
            ClientConfig, RootCertStore,
            pki_types::{CertificateDer, ServerName, pem::PemObject},
        },
    };

    use super::*;

    struct Server {
        folder: tempfile::TempDir,
        address: SocketAddr,
        stop: oneshot::Sender<()>,
        task: tokio::task::JoinHandle<Result<(), ListenError>>,
    }

    impl Server {
        async fn start() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let keeper = CertificateKeeper::load_or_make(folder.path(), &[], Timestamp::now()).unwrap();
            let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
            let address = listener.address();
            let router = Router::new()
                .route("/peer", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }))
                .route(
                    "/local",
                    get(|Extension(LocalAddress(local)): Extension<LocalAddress>| async move { local.to_string() }),
                )
                .route("/echo", post(|body: axum::body::Bytes| async move { body.len().to_string() }));
            let limits = Limits { body: 1000, plain: &["/local"], ..Limits::default() };
            let (stop, stopped) = oneshot::channel();
            let stopped = async move { drop(stopped.await) };
            let task = tokio::spawn(serve(listener, Arc::new(keeper), router, limits, stopped));
            Self { folder, address, stop, task }
        }

        async fn plain(&self, request: &str) -> String {
            let stream = TcpStream::connect(self.address).await.unwrap();
            talk(stream, request).await
        }

        async fn tls(&self, request: &str) -> String {
            let pem = std::fs::read(self.folder.path().join("web-certificate.pem")).unwrap();
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
            let config =
                ClientConfig::builder_with_provider(Arc::new(tokio_rustls::rustls::crypto::ring::default_provider()))
                    .with_safe_default_protocol_versions()
                    .unwrap()
                    .with_root_certificates(roots)
                    .with_no_client_auth();
            let stream = TcpStream::connect(self.address).await.unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
            talk(stream, request).await
        }
    }

    async fn talk(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin, request: &str) -> String {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A connection that is closed without the farewell of TLS is an error of reading, after all was read.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn pages_are_served_over_tls_and_the_visitor_is_known() {
        let server = Server::start().await;
        let answer = server.tls("GET /peer HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("127.0.0.1:"), "{answer}");
    }

    #[tokio::test]
    async fn a_visitor_without_tls_is_sent_to_the_same_place_with_it() {
        let server = Server::start().await;
        let answer = server.plain("GET /a?b=c HTTP/1.1\r\nHost: box.example:8443\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 308"), "{answer}");
        assert!(answer.contains("location: https://box.example:8443/a?b=c\r\n"), "{answer}");
        let answer = server.plain("GET / HTTP/1.1\r\nHost: evil.example/x?\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        let answer = server.plain("nonsense\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }

    #[tokio::test]
    async fn a_path_may_be_open_without_tls_and_knows_where_it_was_reached() {
        let server = Server::start().await;
        let request = "GET /local HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        for answer in [server.plain(request).await, server.tls(request).await] {
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(&server.address.to_string()), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_body_has_a_bound() {
        let server = Server::start().await;
        let head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
        let small = server.tls(&format!("{head}Content-Length: 1000\r\n\r\n{}", "x".repeat(1000))).await;
        assert!(small.starts_with("HTTP/1.1 200") && small.ends_with("1000"), "{small}");
        let large = server.tls(&format!("{head}Content-Length: 1001\r\n\r\n{}", "x".repeat(1001))).await;
        assert!(large.starts_with("HTTP/1.1 413"), "{large}");
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named_and_a_stop_is_orderly() {
        let server = Server::start().await;
        let error = Listener::bind(server.address).await.unwrap_err();
        assert!(error.to_string().contains("is in use by another program"), "{error}");
        let error = Listener::bind("192.0.2.1:0".parse().unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("is not an address of this machine"), "{error}");
        server.stop.send(()).unwrap();
        server.task.await.unwrap().unwrap();
        assert!(TcpStream::connect(server.address).await.is_err());
    }
}
