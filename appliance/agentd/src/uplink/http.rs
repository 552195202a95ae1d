//! Messages over HTTPS: one POST, one answer, every way to fail named by the hop where it happened.

use std::error::Error as _;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};
use rustls::CertificateError;
use thiserror::Error;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use wire::message::{Fault, Response};
use wire::sign::HEADER;
use wire::xml::{decode_response, limits};

use super::tls;
use crate::settings::{ManagerAddress, Proxy};

/// Where messages go, below the manager's address.
const PATH: &str = "/agent/messages";
/// Longest answer that is read.
const MAX_ANSWER: usize = 64 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a message to be taken.
pub const WHOLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest pause that a manager may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Why a message was not delivered.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum DeliveryError {
    /// Before anything was sent.
    #[error("the connection cannot be set up: {0}")]
    Setup(String),
    /// Name, route or port.
    #[error("the manager cannot be reached: {0}")]
    Connect(String),
    /// The handshake.
    #[error("the manager's certificate is not trusted or TLS fails: {0}")]
    Tls(String),
    /// Too slow.
    #[error("the manager did not answer within {} seconds", WHOLE_TIMEOUT.as_secs())]
    Timeout,
    /// The connection broke.
    #[error("the connection to the manager broke: {0}")]
    Broken(String),
    /// Someone sends us elsewhere; a manager does not.
    #[error("the address redirects to {0}: if that is the manager, set its address")]
    Redirect(String),
    /// Some other server, or a proxy's page.
    #[error("the address answers, but not as a Druckwart manager: {0}")]
    NotAManager(String),
    /// An HTTP status without a fault of ours.
    #[error("the server answered {status}; trying again later")]
    Status {
        /// Which.
        status: StatusCode,
        /// When to come back.
        retry_after: Option<Duration>,
    },
    /// The manager says no.
    #[error("the manager refused: {}", .0.message)]
    Refused(Fault),
    /// The manager says later.
    #[error("the manager is busy: {message}")]
    Busy {
        /// In its words.
        message: String,
        /// When to come back.
        retry_after: Option<Duration>,
    },
}

impl DeliveryError {
    /// The pause that the manager asked for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } | Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// A client for an address that is no manager's: whom this machine trusts, over TLS by the proxy where there is one. A server that is
/// asked without TLS stands in the house.
pub fn web_client(url: &Url, proxy: Option<&Proxy>) -> Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder();
    if url.scheme() == "https" {
        builder = builder.tls_backend_preconfigured(tls::client_config(None)?);
    }
    let builder = by(builder, proxy)?;
    let builder = builder.redirect(Policy::none()).connect_timeout(CONNECT_TIMEOUT).user_agent(super::software());
    builder.build().context("the HTTP client cannot be set up")
}

/// Why a request failed, from the innermost error: the outer ones only name the address.
pub fn reason(error: &reqwest::Error) -> String {
    if let Some(status) = error.status() {
        return format!("it answers {status}");
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    innermost.to_string()
}

/// A client for one manager.
pub struct Client {
    http: reqwest::Client,
    url: Url,
}

impl Client {
    /// A client that trusts whom the enrolment code says, and goes by a proxy where there is one.
    pub fn new(manager: &ManagerAddress, proxy: Option<&Proxy>) -> Result<Self> {
        let http = by(reqwest::Client::builder(), proxy)?
            .tls_backend_preconfigured(tls::client_config(manager.code.server_key)?)
            .https_only(true)
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(WHOLE_TIMEOUT)
            .user_agent(super::software())
            .build()
            .context("the HTTP client cannot be set up")?;
        Ok(Self { http, url: manager.url.join(PATH).context("the manager's address takes no path")? })
    }

    /// Sends a signed document and takes the manager's answer.
    pub async fn post(&self, signature: &str, body: Vec<u8>, gzip: bool) -> Result<Response, DeliveryError> {
        let mut request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/xml")
            .header(HEADER, signature)
            .body(body);
        if gzip {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        let mut answer = request.send().await.map_err(|error| explained(&error))?;
        let status = answer.status();
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let retry_after = header(RETRY_AFTER)
            .and_then(|seconds| seconds.trim().parse().ok())
            .map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
        if status.is_redirection() {
            return Err(DeliveryError::Redirect(header(LOCATION).unwrap_or_else(|| "an unnamed place".to_owned())));
        }
        let kind = header(CONTENT_TYPE).unwrap_or_default();
        if !kind.starts_with("application/xml") {
            return Err(if status.is_server_error() {
                DeliveryError::Status { status, retry_after }
            } else {
                DeliveryError::NotAManager(format!(
                    "status {status}, {}",
                    if kind.is_empty() { "no type" } else { &kind }
                ))
            });
        }
        let mut document = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| explained(&error))? {
            document.extend_from_slice(&part);
            if document.len() > MAX_ANSWER {
                return Err(DeliveryError::NotAManager(format!("an answer of more than {MAX_ANSWER} bytes")));
            }
        }
        match decode_response(&document) {
            Ok(Response::Fault(fault)) if status == StatusCode::SERVICE_UNAVAILABLE => {
                Err(DeliveryError::Busy { message: fault.message, retry_after })
            }
            Ok(Response::Fault(fault)) => Err(DeliveryError::Refused(fault)),
            Ok(response) => Ok(response),
            Err(error) => Err(DeliveryError::NotAManager(error.to_string())),
        }
    }
}

/// By a proxy for what is asked over TLS; without one, none is taken from the environment either.
fn by(builder: reqwest::ClientBuilder, proxy: Option<&Proxy>) -> Result<reqwest::ClientBuilder> {
    let Some(proxy) = proxy else { return Ok(builder.no_proxy()) };
    let https = reqwest::Proxy::https(proxy.url.clone()).context("the proxy's address is of no use")?;
    Ok(builder.proxy(match &proxy.login {
        None => https,
        Some(login) => https.basic_auth(&login.user, &String::from_utf8_lossy(login.password.octets())),
    }))
}

fn explained(error: &reqwest::Error) -> DeliveryError {
    let mut reason = error.to_string();
    let mut tls = None;
    let mut source = error.source();
    while let Some(inner) = source {
        tls = tls.or_else(|| tls_error(inner));
        reason = inner.to_string();
        source = inner.source();
    }
    if error.is_timeout() && !error.is_connect() {
        return DeliveryError::Timeout;
    }
    match tls {
        Some(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
            DeliveryError::Tls("its key is not the one that the enrolment code names".to_owned())
        }
        Some(other) => DeliveryError::Tls(other.to_string()),
        None if error.is_connect() => DeliveryError::Connect(reason),
        None => DeliveryError::Broken(reason),
    }
}

/// The error of TLS in a link of the chain; it comes wrapped in one or two errors of I/O, which hide it from `source`.
fn tls_error<'a>(link: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(error) = link.downcast_ref() {
        return Some(error);
    }
    let mut io = link.downcast_ref::<std::io::Error>();
    while let Some(inner) = io.and_then(std::io::Error::get_ref) {
        if let Some(error) = inner.downcast_ref() {
            return Some(error);
        }
        io = inner.downcast_ref();
    }
    None
}

/// Unpacks a document of the outbox.
pub fn gunzip(packed: &[u8]) -> Result<Vec<u8>> {
    let mut document = Vec::new();
    let mut unpacked = flate2::read::GzDecoder::new(packed).take(limits::DOCUMENT as u64 + 1);
    unpacked.read_to_end(&mut document)?;
    if document.len() > limits::DOCUMENT {
        bail!("longer than {} bytes", limits::DOCUMENT);
    }
    Ok(document)
}

/// A hop on the way to the manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// The name becomes an address.
    Dns,
    /// The port opens.
    Tcp,
    /// The proxy is found and its port opens.
    Proxy,
    /// The handshake, with the key expected.
    Tls,
    /// A manager answers.
    Manager,
}

impl Hop {
    /// The word shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "DNS",
            Self::Tcp => "TCP",
            Self::Proxy => "Proxy",
            Self::Tls => "TLS",
            Self::Manager => "Manager",
        }
    }
}

/// What became of a hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HopReport {
    /// Which.
    pub hop: Hop,
    /// What was found, or why it fails.
    pub outcome: Result<Found, HopError>,
}

/// What was found on a hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The addresses of a name.
    Addresses(Vec<IpAddr>),
    /// A port that opens.
    Open(u16),
    /// The key that was expected.
    Key,
    /// A manager.
    Manager,
}

/// Why a hop fails.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum HopError {
    /// The name servers answer, but not with an address.
    Unresolved { host: String, why: String },
    /// No name server answers in time.
    NoNameServer { host: String },
    /// The port does not open.
    Closed { port: u16, why: String },
    /// Nothing comes back from the port in time.
    Silent { port: u16 },
    /// What a message would meet too.
    Delivery(DeliveryError),
}

pub(super) async fn test(manager: &ManagerAddress, proxy: Option<&Proxy>) -> Vec<HopReport> {
    // Behind a proxy neither the manager's name nor its port is the agent's to try: it is the proxy that does.
    let mut hops = match proxy {
        None => reach(&manager.url, Hop::Dns, Hop::Tcp).await,
        Some(proxy) => reach(&proxy.url, Hop::Proxy, Hop::Proxy).await,
    };
    if hops.iter().any(|hop| hop.outcome.is_err()) {
        return hops;
    }
    // An unsigned, empty message: a manager refuses it in its own words, and nothing else does.
    let answer = match Client::new(manager, proxy) {
        Ok(client) => client.post("", Vec::new(), false).await,
        Err(error) => Err(DeliveryError::Setup(format!("{error:#}"))),
    };
    let mut note = |hop, outcome| hops.push(HopReport { hop, outcome });
    match answer {
        Err(error @ DeliveryError::Connect(_)) if proxy.is_some() => note(Hop::Proxy, Err(HopError::Delivery(error))),
        Err(error @ (DeliveryError::Tls(_) | DeliveryError::Setup(_) | DeliveryError::Connect(_))) => {
            note(Hop::Tls, Err(HopError::Delivery(error)));
        }
        other => {
            note(Hop::Tls, Ok(Found::Key));
            note(
                Hop::Manager,
                match other {
                    Ok(_) | Err(DeliveryError::Refused(_)) => Ok(Found::Manager),
                    Err(error) => Err(HopError::Delivery(error)),
                },
            );
        }
    }
    hops
}

/// Whether a name becomes an address, and its port opens.
async fn reach(url: &Url, name: Hop, opening: Hop) -> Vec<HopReport> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let found = match timeout(CONNECT_TIMEOUT, lookup_host((host.clone(), port))).await {
        Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
        Ok(Err(error)) => {
            return vec![HopReport { hop: name, outcome: Err(HopError::Unresolved { host, why: error.to_string() }) }];
        }
        Err(_) => return vec![HopReport { hop: name, outcome: Err(HopError::NoNameServer { host }) }],
    };
    let addresses = Found::Addresses(found.iter().map(SocketAddr::ip).collect());
    let outcome = match timeout(CONNECT_TIMEOUT, TcpStream::connect(&*found)).await {
        Ok(Ok(_)) => Ok(Found::Open(port)),
        Ok(Err(error)) => Err(HopError::Closed { port, why: error.to_string() }),
        Err(_) => Err(HopError::Silent { port }),
    };
    vec![HopReport { hop: name, outcome: Ok(addresses) }, HopReport { hop: opening, outcome }]
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_is_asked_over_tls_goes_by_the_proxy_and_a_server_in_the_house_is_asked_itself() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let proxy = Proxy::parse(&here.to_string(), "", "", None).unwrap();
        for (url, first) in [
            ("https://updates.invalid/release.toml".to_owned(), "CONNECT updates.invalid:443 HTTP/1.1\r\n"),
            (format!("http://{here}/release.toml"), "GET /release.toml HTTP/1.1\r\n"),
        ] {
            let url = Url::parse(&url).unwrap();
            let client = web_client(&url, proxy.as_ref()).unwrap();
            let asked = tokio::spawn(client.get(url).send());
            let (stream, _) = listener.accept().await.unwrap();
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).await.unwrap();
            assert_eq!(line, first);
            assert!(asked.await.unwrap().is_err(), "it was hung up on");
        }
    }
}
