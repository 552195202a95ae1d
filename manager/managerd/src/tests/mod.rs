//! The manager through its router, as agents and browsers meet it, without a socket.

mod intake;
mod pages;

use std::{
    collections::BTreeMap,
    io::Write,
    sync::atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    body::Body,
    http::{Request, Response, StatusCode, header},
};
use flate2::{Compression, write::GzEncoder};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use manager_core::access::{Scope, SiteId};
use tempfile::TempDir;
use tower::ServiceExt;
use wire::{
    device::{Alert, Counter, DeviceId, DeviceRecord, Identity, Level, Snapshot, Status, Supply},
    message::{
        Fault, FaultCode, Receipt, RegisterForManagement, ReportId, Request as Message, Response as Answer, SendReports,
    },
    notes::{Event, Notes, Question, Remark},
    sign::AgentKey,
    vocab::{
        AlertGroup, AlertSeverity, Basis, ColorUse, Colorant, CounterUnit, DeviceState, DoubtKind, EventKind,
        MediaSize, PrinterState, RemarkCode, Service, Sides, SupplyClass, SupplyKind, SupplyUnit,
    },
    xml,
};

use crate::{agent_toml, service::House};

const PASSWORD: &str = "blauer Esel im Schnee";

/// A manager in a folder of its own.
struct Manager {
    _folder: TempDir,
    house: House,
    router: Router,
    scope: Scope,
    site: SiteId,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let house = House::open(folder.path()).unwrap();
        let router = house.router(TimeZone::UTC).unwrap();
        let scope = house.store.own_scope("test").unwrap();
        let site = house.store.find_or_create_site(&scope, "Beispiel GmbH", "Zentrale").unwrap();
        Self { _folder: folder, house, router, scope, site }
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    fn token(&self) -> String {
        let now = Timestamp::now();
        agent_toml::make_code(&self.house.store, &self.scope, self.site, [0; 32], now).unwrap().token
    }

    /// Sends what an agent sends and takes the answer apart.
    async fn post(&self, message: Post) -> (StatusCode, Answer) {
        let mut request = Request::post("/agent/messages");
        for (name, value) in &message.headers {
            request = request.header(*name, value);
        }
        let response = self.send(request.body(message.body).unwrap()).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, xml::decode_response(&body).unwrap())
    }

    async fn fault(&self, message: Post) -> (StatusCode, FaultCode, String) {
        match self.post(message).await {
            (status, Answer::Fault(Fault { code, message })) => (status, code, message),
            (status, other) => panic!("{status}: {other:?}"),
        }
    }

    async fn receipt(&self, message: Post) -> Receipt {
        match self.post(message).await {
            (StatusCode::OK, Answer::SendReportsResponse(response)) => response.receipt,
            (status, other) => panic!("{status}: {other:?}"),
        }
    }

    /// An agent that is registered.
    async fn agent(&self) -> Agent {
        let agent = Agent::new(7);
        let (status, answer) = self.post(agent.registration(&self.token())).await;
        assert_eq!(status, StatusCode::OK, "{answer:?}");
        agent
    }

    fn device_count(&self) -> u32 {
        self.house.store.device_counts(&self.scope, &Default::default()).unwrap().all
    }

    /// A visitor who has set the administrator's password and is logged in.
    async fn visitor(&self) -> Visitor<'_> {
        let mut visitor = Visitor { manager: self, cookies: BTreeMap::new(), language: "en" };
        let form = [("password", PASSWORD), ("again", PASSWORD)];
        let page = visitor.post("/setup", &form).await;
        assert_eq!(page.location(), Some("/"), "{}", page.body);
        visitor
    }
}

/// What an agent sends, open to being spoilt.
struct Post {
    headers: BTreeMap<&'static str, String>,
    body: Body,
}

impl Post {
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.to_owned());
        self
    }

    fn without(mut self, name: &'static str) -> Self {
        self.headers.remove(name);
        self
    }
}

struct Agent {
    key: AgentKey,
    sequence: AtomicU64,
    /// What it says of itself.
    remarks: Vec<Remark>,
}

impl Agent {
    fn new(seed: u8) -> Self {
        Self { key: AgentKey::from_seed(&[seed; 32]), sequence: AtomicU64::new(1), remarks: Vec::new() }
    }

    /// A document with this agent's signature.
    fn signed(&self, document: &[u8]) -> Post {
        let headers = BTreeMap::from([
            ("content-type", "application/xml".to_owned()),
            ("druckwart-signature", self.key.sign(document)),
        ]);
        Post { headers, body: Body::from(document.to_vec()) }
    }

    fn registration(&self, token: &str) -> Post {
        let message = RegisterForManagement {
            token: token.to_owned(),
            public_key: self.key.public_key(),
            agent_name: "pi-zentrale".to_owned(),
            software: "0.1.0".to_owned(),
        };
        self.signed(&xml::encode_request(&Message::RegisterForManagement(message)))
    }

    fn document(&self, devices: Vec<DeviceRecord>) -> Vec<u8> {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        xml::encode_request(&Message::SendReports(SendReports {
            remarks: self.remarks.clone(),
            same: vec![],
            agent: self.key.agent_id(),
            id: ReportId { epoch: 1_800_000_000_000, sequence },
            created: Timestamp::now(),
            agent_name: "pi-zentrale".to_owned(),
            software: "0.1.0".to_owned(),
            devices,
            removed: Vec::new(),
        }))
    }

    fn report(&self, devices: Vec<DeviceRecord>) -> Post {
        self.signed(&self.document(devices))
    }
}

fn gzip(document: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(document).unwrap();
    encoder.finish().unwrap()
}

fn device(name: &str, total: u64, hours_ago: i64) -> DeviceRecord {
    let toner = |index: &str, color, level| Supply {
        index: index.to_owned(),
        kind: SupplyKind::TonerCartridge,
        class: SupplyClass::Consumed,
        color: Some(color),
        description: format!("TK-{index}"),
        part_number: None,
        serial: None,
        unit: SupplyUnit::Percent,
        capacity: Some(100),
        level,
        raw: wire::device::Raw::default(),
        origin: wire::device::Origin::default(),
    };
    let snapshot = Snapshot {
        identity: Identity {
            manufacturer: Some("Kyocera".to_owned()),
            model: Some(format!("TASKalfa {name}")),
            serial: Some(format!("SN{name}")),
            location: Some("2. OG".to_owned()),
            ..Identity::default()
        },
        status: Status {
            device: Some(DeviceState::Warning),
            printer: Some(PrinterState::Idle),
            alerts: vec![Alert {
                severity: AlertSeverity::Warning,
                group: AlertGroup::MarkerSupplies,
                group_index: Some(1),
                code: Some(1104),
                description: "Toner low".to_owned(),
            }],
            ..Status::default()
        },
        supplies: vec![
            toner("1.1", Colorant::Black, Level::Measured(37)),
            toner("1.2", Colorant::Cyan, Level::SomeLeft),
            toner("1.3", Colorant::Magenta, Level::Unknown),
            toner("1.4", Colorant::Yellow, Level::Empty),
        ],
        trays: Vec::new(),
        counters: vec![Counter {
            service: Service::System,
            color: ColorUse::Any,
            size: MediaSize::Any,
            sides: Sides::Any,
            unit: CounterUnit::Impressions,
            basis: Basis::Meter,
            value: total,
            source: "1.3.6.1.4.1.1347.42.3.1".to_owned(),
            confidence: wire::vocab::Confidence::Verified,
        }],
    };
    let read_at = Timestamp::now() - SignedDuration::from_hours(hours_ago);
    DeviceRecord::full(DeviceId::new(name).unwrap(), "192.0.2.10".to_owned(), read_at, snapshot)
}

/// Someone with a browser.
struct Visitor<'a> {
    manager: &'a Manager,
    cookies: BTreeMap<String, String>,
    language: &'static str,
}

struct Page {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: String,
}

impl Page {
    fn location(&self) -> Option<&str> {
        self.headers.get(header::LOCATION)?.to_str().ok()
    }

    #[track_caller]
    fn has(&self, text: &str) {
        assert!(self.body.contains(text), "{text:?} is missing in:\n{}", self.body);
    }

    #[track_caller]
    fn lacks(&self, text: &str) {
        assert!(!self.body.contains(text), "{text:?} stands in:\n{}", self.body);
    }
}

impl Visitor<'_> {
    async fn get(&mut self, path: &str) -> Page {
        self.request(Request::get(path), Body::empty()).await
    }

    /// Sends a form as this site's own page would, without the token.
    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body = serde_urlencoded::to_string(fields).unwrap();
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, "https://manager.example:8443");
        self.request(request, Body::from(body)).await
    }

    /// Sends a form with the token that a page of this session carries.
    async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.csrf().await;
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", csrf.as_str())]).collect();
        self.post(path, &fields).await
    }

    async fn csrf(&mut self) -> String {
        let page = self.get("/customers").await;
        let (_, rest) = page.body.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    async fn request(&mut self, request: axum::http::request::Builder, body: Body) -> Page {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request
            .header(header::HOST, "manager.example:8443")
            .header(header::ACCEPT_LANGUAGE, self.language)
            .header(header::COOKIE, cookies.join("; "));
        let response = self.manager.send(request.body(body).unwrap()).await;
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Page { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }
}
