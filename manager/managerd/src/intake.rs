//! The intake of agents' messages: POST /agent/messages.
//!
//! Everything that arrives is hostile until its signature holds. Bodies are bounded while they are read and unpacked; of an
//! agent that is not registered only the little that a registration needs is looked at. Nothing is stored before the
//! signature has been checked.

use std::{io::Read, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use flate2::read::GzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jiff::Timestamp;
use manager_store::{Store, StoreError, intake::IntakeError};
use sha2::{Digest, Sha256};
use tokio::{sync::Semaphore, time::timeout};
use wire::{
    message::{AgentId, Fault, FaultCode, Request as Message, Response as Answer, SendReportsResponse},
    sign::{self, SignatureLine},
    xml,
};

use crate::agent_toml::token_digest;

/// Most bytes of a body as it is sent.
const BODY: usize = 4 << 20;
/// Most bytes of a document once it is unpacked.
const DOCUMENT: usize = 32 << 20;
/// Most bytes of a document of an agent that is not registered: a registration is far smaller.
const STRANGERS_DOCUMENT: usize = 64 << 10;
/// Time for a body to arrive.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bodies read at once.
const READING: usize = 32;
/// Documents unpacked and stored at once; one may need some hundred megabytes while it is taken apart.
const WORKING: usize = 3;
/// Time a message waits for its turn.
const QUEUE: Duration = Duration::from_secs(20);
/// What an agent is told to wait when there is no room.
const RETRY_AFTER_SECONDS: u32 = 30;

/// Takes messages into the store.
pub struct Intake {
    store: Arc<Store>,
    reading: Semaphore,
    working: Semaphore,
}

/// Why a message is refused: what goes to the agent and, in one line, to the log.
struct Refusal {
    status: StatusCode,
    fault: Fault,
    /// What the agent need not know.
    detail: Option<anyhow::Error>,
}

impl Intake {
    /// An intake into this store.
    pub fn new(store: Arc<Store>) -> Arc<Self> {
        Arc::new(Self { store, reading: Semaphore::new(READING), working: Semaphore::new(WORKING) })
    }

    /// Its one route.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new().route("/agent/messages", any(take)).with_state(self.clone())
    }

    async fn answer(self: &Arc<Self>, request: Request) -> Result<Answer, Refusal> {
        let (parts, body) = request.into_parts();
        let is_gzip = check_head(&parts.method, &parts.headers)?;
        let signature = signature(&parts.headers)?;
        let body = {
            let _permit = turn(&self.reading).await?;
            read(body).await?
        };
        let _permit = turn(&self.working).await?;
        let intake = self.clone();
        let worked = tokio::task::spawn_blocking(move || intake.work(&signature, &body, is_gzip, Timestamp::now()));
        worked.await.map_err(|error| try_later("the manager failed at this message", error.into()))?
    }

    /// From bytes to what is stored.
    fn work(&self, signature: &SignatureLine, body: &[u8], is_gzip: bool, now: Timestamp) -> Result<Answer, Refusal> {
        let key = self.store.agent_key(&signature.agent).map_err(store_refusal)?;
        let document = match (is_gzip, key.is_some()) {
            (false, true) => body.to_vec(),
            (true, true) => unpack(body, DOCUMENT)?,
            (false, false) if body.len() > STRANGERS_DOCUMENT => return Err(unknown_agent()),
            (false, false) => body.to_vec(),
            (true, false) => unpack(body, STRANGERS_DOCUMENT).map_err(|refusal| match refusal.fault.code {
                FaultCode::TooLarge => unknown_agent(),
                _ => refusal,
            })?,
        };
        if let Some(key) = &key {
            signature.verify(key, &document).map_err(bad_signature)?;
        }
        let message = xml::decode_request(&document).map_err(|error| {
            let status = match error.fault_code() {
                FaultCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                _ => StatusCode::BAD_REQUEST,
            };
            Refusal::new(status, error.fault_code(), chain(&error))
        })?;
        match message {
            Message::RegisterForManagement(message) => {
                signature.verify(&message.public_key, &document).map_err(bad_signature)?;
                let digest = token_digest(&message.token);
                let response = self.store.register(&message, &digest, now).map_err(intake_refusal)?;
                log::info!("agent {} is registered for {} / {}", response.agent, response.customer, response.site);
                Ok(Answer::RegisterForManagementResponse(response))
            }
            Message::SendReports(report) => {
                if key.is_none() {
                    return Err(unknown_agent());
                }
                if report.agent != signature.agent {
                    return Err(bad_signature("the report names another agent than its signature"));
                }
                let digest = Sha256::digest(&document).into();
                let receipt = self.store.apply_report(&report, &digest, now).map_err(intake_refusal)?;
                log::debug!("report {} of agent {}: {}", report.id, report.agent, receipt.keyword());
                Ok(Answer::SendReportsResponse(SendReportsResponse { id: report.id, receipt }))
            }
        }
    }
}

async fn take(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let agent = signature(request.headers()).ok().map(|line| line.agent);
    match intake.answer(request).await {
        Ok(answer) => document(StatusCode::OK, &answer),
        Err(refusal) => {
            log_refusal(&refusal, agent.as_ref(), peer);
            refusal.into_response()
        }
    }
}

fn log_refusal(refusal: &Refusal, agent: Option<&AgentId>, peer: Option<SocketAddr>) {
    let agent = agent.map_or("of nobody", AgentId::as_str);
    let (code, message) = (refusal.fault.code.keyword(), &refusal.fault.message);
    match &refusal.detail {
        Some(detail) => log::error!("refused a message, agent {agent}: {code}: {detail:#}"),
        None => log::warn!("refused a message, agent {agent}: {code}: {message}"),
    }
    log::debug!("the refused message came from {peer:?}");
}

impl Refusal {
    fn new(status: StatusCode, code: FaultCode, message: impl Into<String>) -> Self {
        Self { status, fault: Fault { code, message: message.into() }, detail: None }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status;
        let mut response = document(status, &Answer::Fault(self.fault));
        let headers = response.headers_mut();
        match status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            _ => {}
        }
        response
    }
}

fn document(status: StatusCode, answer: &Answer) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/xml; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, xml::encode_response(answer)).into_response()
}

/// Whether the body is packed with gzip; everything else about method and headers must be right.
fn check_head(method: &Method, headers: &HeaderMap) -> Result<bool, Refusal> {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("unreadable").trim());
    if *method != Method::POST {
        let message = "this is the intake of agents: it takes POST only";
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, FaultCode::Malformed, message));
    }
    let content_type = text(header::CONTENT_TYPE).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !matches!(essence.as_str(), "application/xml" | "text/xml") {
        let message = "the Content-Type must be application/xml";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, FaultCode::Malformed, message));
    }
    let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY as u64) {
        return Err(too_large_body());
    }
    match text(header::CONTENT_ENCODING).map(str::to_ascii_lowercase).as_deref() {
        None | Some("identity") => Ok(false),
        Some("gzip") => Ok(true),
        Some(_) => {
            let message = "the Content-Encoding must be gzip or none";
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, FaultCode::Malformed, message))
        }
    }
}

fn signature(headers: &HeaderMap) -> Result<SignatureLine, Refusal> {
    let line = headers.get(sign::HEADER).ok_or_else(|| bad_signature("the header Druckwart-Signature is missing"))?;
    let line = line.to_str().map_err(|_| bad_signature("the header Druckwart-Signature is not text"))?;
    SignatureLine::parse(line).map_err(bad_signature)
}

async fn turn(semaphore: &Semaphore) -> Result<tokio::sync::SemaphorePermit<'_>, Refusal> {
    match timeout(QUEUE, semaphore.acquire()).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => {
            let message = "the manager is busy with other messages: send it again later";
            Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, FaultCode::TryLater, message))
        }
    }
}

async fn read(body: Body) -> Result<Vec<u8>, Refusal> {
    match timeout(PATIENCE, Limited::new(body, BODY).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes().to_vec()),
        // The listener has a limit of its own, hence the look at the causes.
        Ok(Err(error)) if is_length_limit(error.as_ref()) => Err(too_large_body()),
        Ok(Err(_)) => Err(malformed("the message did not arrive in full")),
        Err(_) => Err(malformed("the message took more than a minute to arrive")),
    }
}

fn is_length_limit(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<LengthLimitError>())
}

/// Unpacks at most `limit` bytes: what a few bytes of gzip can grow to is not bounded by what was sent.
fn unpack(body: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut document = Vec::new();
    let mut reader = GzDecoder::new(body).take(limit as u64 + 1);
    reader.read_to_end(&mut document).map_err(|error| malformed(format!("the gzip data is damaged: {error}")))?;
    if document.len() > limit {
        let message = format!("the document has more than {limit} octets once unpacked; send fewer devices at a time");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, FaultCode::TooLarge, message));
    }
    Ok(document)
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, FaultCode::Malformed, message)
}

fn too_large_body() -> Refusal {
    let message = format!("the body has more than {BODY} octets; use gzip, or send fewer devices at a time");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, FaultCode::TooLarge, message)
}

fn bad_signature(reason: impl ToString) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, FaultCode::BadSignature, reason.to_string())
}

fn unknown_agent() -> Refusal {
    intake_refusal(IntakeError::UnknownAgent)
}

fn try_later(message: &str, detail: anyhow::Error) -> Refusal {
    let mut refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, FaultCode::TryLater, message);
    refusal.detail = Some(detail);
    refusal
}

fn intake_refusal(error: IntakeError) -> Refusal {
    let message = error.to_string();
    match error {
        IntakeError::Token(_) => Refusal::new(StatusCode::FORBIDDEN, FaultCode::BadToken, message),
        IntakeError::UnknownAgent => Refusal::new(StatusCode::FORBIDDEN, FaultCode::UnknownAgent, message),
        IntakeError::ReportIdReused(_) => Refusal::new(StatusCode::CONFLICT, FaultCode::ReportIdReused, message),
        IntakeError::TooManyDevices => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, FaultCode::TooLarge, message),
        IntakeError::Store(error) => store_refusal(error),
    }
}

fn store_refusal(error: StoreError) -> Refusal {
    let message = match &error {
        StoreError::Busy(_) => "the manager's database is busy: send the message again later",
        StoreError::Full(_) => "the manager's disk is full: the message is safe with the agent until there is room",
        _ => "the manager cannot store the message at present: send it again later",
    };
    try_later(message, error.into())
}

/// An error with its causes, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
