//! To the manager: makes reports when they are due, registers, and delivers the outbox, oldest first.
//!
//! A report leaves the outbox when the manager says that it has it, and not before. Whatever goes wrong on the way is
//! named by the hop that failed, shown on the page, and tried again later.

mod http;
mod reached;
mod tls;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agent_core::report::{Due, Sender, Standing, due};
use anyhow::{Context, Result};
use jiff::Timestamp;
use tokio::sync::Notify;
use wire::enrolment::EnrolmentCode;
use wire::message::{FaultCode, RegisterForManagement, Request, Response};
use wire::sign::AgentKey;
use wire::xml::encode_request;

pub use http::{DeliveryError, Found, Hop, HopError, HopReport, WHOLE_TIMEOUT, gunzip as unpack, reason, web_client};

use self::reached::Reached;
use crate::complaint::Complaint;
use crate::settings::{ManagerAddress, Proxy};
use crate::store::Store;
use crate::store::outbox::Waiting;
use crate::store::settings::Enrolment;

/// First pause after a failure; doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Longest pause of our own; the manager may ask for a longer one, up to an hour.
const MAX_PAUSE: Duration = Duration::from_secs(300);
/// How often old data are dropped.
const TIDY_EVERY: Duration = Duration::from_secs(3600);

/// How the connection stands, for the page.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// When the manager last accepted something.
    pub last_success: Option<Timestamp>,
    /// What went wrong since then, if anything.
    pub last_failure: Option<(Timestamp, DeliveryError)>,
    /// When the next attempt follows.
    pub next_attempt: Option<Timestamp>,
}

/// The pages' hold on the uplink.
#[derive(Clone)]
pub struct Handle {
    connection: Arc<Mutex<Connection>>,
    wake: Arc<Notify>,
}

impl Handle {
    /// How the connection stands.
    pub fn connection(&self) -> Connection {
        lock(&self.connection).clone()
    }

    /// Tries at once: settings have changed, or someone pressed the button.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// A hold on nothing, for tests of pages.
    pub fn idle() -> Self {
        Self { connection: Arc::default(), wake: Arc::default() }
    }
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The uplink's state.
pub struct Uplink {
    store: Arc<Store>,
    key: Arc<AgentKey>,
    sender: Sender,
    handle: Handle,
    client: Option<(ManagerAddress, Option<Proxy>, http::Client)>,
    last_report: Option<Instant>,
    last_full: Option<Instant>,
    last_tidy: Option<Instant>,
    failures: u32,
    not_before: Instant,
    reached: Reached,
}

impl Uplink {
    /// An uplink for the agent with this key, and the hold on it.
    pub fn new(store: Arc<Store>, key: Arc<AgentKey>, agent_name: String) -> Result<(Self, Handle)> {
        store.begin_epoch(Timestamp::now())?;
        let handle = Handle::idle();
        let sender = Sender { agent: key.agent_id(), agent_name, software: software() };
        let uplink = Self {
            store,
            key,
            sender,
            handle: handle.clone(),
            client: None,
            last_report: None,
            last_full: None,
            last_tidy: None,
            failures: 0,
            not_before: Instant::now(),
            reached: Reached::of_service(),
        };
        Ok((uplink, handle))
    }

    /// Runs until the task is dropped.
    pub async fn run(mut self) {
        let mut complaint = Complaint::about("reports cannot be made");
        loop {
            complaint.hear(self.turn().await);
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
                () = self.handle.wake.notified() => {
                    self.failures = 0;
                    self.not_before = Instant::now();
                }
            }
        }
    }

    async fn turn(&mut self) -> Result<()> {
        if self.last_tidy.is_none_or(|at| at.elapsed() >= TIDY_EVERY) {
            self.last_tidy = Some(Instant::now());
            let dropped = self.on_store(|store, _| store.tidy()).await?;
            if dropped > 0 {
                log::warn!(reports = dropped; "reports were too old or too many to be kept; the next ones tell everything");
            }
        }
        let Some(enrolment) = self.on_store(|store, _| store.enrolment()).await? else { return Ok(()) };
        self.report_if_due().await?;
        if Instant::now() >= self.not_before {
            self.deliver(enrolment).await?;
        }
        Ok(())
    }

    async fn report_if_due(&mut self) -> Result<()> {
        let (rhythm, unreported) = self.on_store(|store, _| Ok((store.rhythm()?, store.unreported()?))).await?;
        let since = |at: Option<Instant>| at.map_or(Duration::MAX, |at| at.elapsed());
        let standing = Standing {
            since_report: since(self.last_report),
            since_full: since(self.last_full),
            changes_wait: unreported.any,
            urgent_waits: unreported
                .urgent_since
                .map(|since| Timestamp::now().duration_since(since).try_into().unwrap_or(Duration::ZERO)),
        };
        let what = due(&rhythm.pace(), &standing);
        if what == Due::Nothing {
            return Ok(());
        }
        // After a start the first report tells everything, whatever was told before: the manager may have been restored.
        let full = what == Due::Full;
        let made = self
            .on_store(move |store, sender| {
                if full {
                    store.mark_all()?;
                }
                store.make_reports(sender, Timestamp::now())
            })
            .await?;
        log::debug!(reports = made; "reports made");
        self.last_report = Some(Instant::now());
        if full {
            self.last_full = self.last_report;
        }
        Ok(())
    }

    async fn deliver(&mut self, enrolment: Enrolment) -> Result<()> {
        let proxy = self.on_store(|store, _| store.proxy()).await?;
        let fits = |(manager, by, _): &(_, _, _)| *manager == enrolment.manager && *by == proxy;
        if !self.client.as_ref().is_some_and(fits) {
            match http::Client::new(&enrolment.manager, proxy.as_ref()) {
                Ok(client) => self.client = Some((enrolment.manager.clone(), proxy, client)),
                Err(error) => {
                    self.fail(&DeliveryError::Setup(format!("{error:#}")));
                    return Ok(());
                }
            }
        }
        if !enrolment.registered && !self.register(&enrolment).await? {
            return Ok(());
        }
        while let Some(report) = self.on_store(|store, _| store.oldest_report()).await? {
            if !self.send(report).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn register(&mut self, enrolment: &Enrolment) -> Result<bool> {
        let EnrolmentCode { token, .. } = enrolment.manager.code.clone();
        let request = Request::RegisterForManagement(RegisterForManagement {
            token,
            public_key: self.key.public_key(),
            agent_name: self.sender.agent_name.clone(),
            software: self.sender.software.clone(),
        });
        let document = encode_request(&request);
        let signature = self.key.sign(&document);
        match self.post(&signature, document, false).await {
            Ok(Response::RegisterForManagementResponse(answer)) => {
                log::info!("registered with the manager");
                self.on_store(move |store, _| store.set_registered(&answer.customer, &answer.site)).await?;
                self.succeed();
                Ok(true)
            }
            Ok(_) => {
                self.fail(&DeliveryError::NotAManager("it answered a registration with something else".to_owned()));
                Ok(false)
            }
            Err(error) => {
                self.fail(&error);
                Ok(false)
            }
        }
    }

    async fn send(&mut self, report: Waiting) -> Result<bool> {
        // The signature is over the XML, which is unpacked here for the moment of signing only.
        let document = http::gunzip(&report.document).context("a report in the outbox cannot be unpacked")?;
        let signature = self.key.sign(&document);
        drop(document);
        match self.post(&signature, report.document.clone(), true).await {
            Ok(Response::SendReportsResponse(answer)) if answer.id == report.id => {
                log::debug!(report:% = report.id; "report accepted");
                self.on_store(move |store, _| store.accept_report(&report)).await?;
                self.succeed();
                return Ok(true);
            }
            Ok(_) => self.fail(&DeliveryError::NotAManager("it answered a report with something else".to_owned())),
            Err(DeliveryError::Refused(fault)) if fault.code == FaultCode::UnknownAgent => {
                log::warn!("the manager does not know this agent; registering again");
                self.on_store(|store, _| store.set_unregistered()).await?;
                self.fail(&DeliveryError::Refused(fault));
            }
            Err(DeliveryError::Refused(fault)) if is_final(fault.code) => {
                log::error!(report:% = report.id, reason:% = fault.message; "the manager refuses a report for good; it is set aside");
                let reason = fault.message.clone();
                self.on_store(move |store, _| store.set_aside(&report, Timestamp::now(), &reason)).await?;
                if fault.code == FaultCode::ReportIdReused {
                    // This database was restored from a copy: names of reports since then are taken. Begin new ones, tell all.
                    self.on_store(|store, _| store.begin_epoch(Timestamp::now()).and_then(|()| store.mark_all()))
                        .await?;
                }
                self.fail(&DeliveryError::Refused(fault));
            }
            Err(error) => self.fail(&error),
        }
        Ok(false)
    }

    async fn post(&self, signature: &str, body: Vec<u8>, gzip: bool) -> Result<Response, DeliveryError> {
        match &self.client {
            Some((_, _, client)) => client.post(signature, body, gzip).await,
            None => Err(DeliveryError::Setup("no manager is set".to_owned())),
        }
    }

    fn succeed(&mut self) {
        self.failures = 0;
        self.reached.set(true);
        let mut connection = lock(&self.handle.connection);
        *connection = Connection { last_success: Some(Timestamp::now()), ..Connection::default() };
    }

    fn fail(&mut self, error: &DeliveryError) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10)).min(MAX_PAUSE);
        let pause = jittered(pause).max(error.retry_after().unwrap_or_default());
        self.failures = self.failures.saturating_add(1);
        self.not_before = Instant::now() + pause;
        self.reached.set(matches!(error, DeliveryError::Refused(_) | DeliveryError::Busy { .. }));
        let mut connection = lock(&self.handle.connection);
        let same = connection.last_failure.as_ref().is_some_and(|(_, before)| before == error);
        if !same {
            log::warn!(error:%; "the manager is not reached");
        }
        connection.last_failure = Some((Timestamp::now(), error.clone()));
        connection.next_attempt = Timestamp::now().checked_add(pause).ok();
    }

    async fn on_store<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Store, &Sender) -> Result<T, crate::store::StoreError> + Send + 'static,
    ) -> Result<T> {
        let (store, sender) = (self.store.clone(), self.sender.clone());
        Ok(tokio::task::spawn_blocking(move || question(&store, &sender)).await??)
    }
}

/// Asks each hop on the way to a manager in turn; ends with the first that fails.
pub async fn test_connection(manager: &ManagerAddress, proxy: Option<&Proxy>) -> Vec<HopReport> {
    http::test(manager, proxy).await
}

/// Name and version of this program.
pub fn software() -> String {
    format!("agentd {}", env!("CARGO_PKG_VERSION"))
}

/// Whether the same report would be refused again.
fn is_final(code: FaultCode) -> bool {
    matches!(code, FaultCode::Malformed | FaultCode::TooLarge | FaultCode::ReportIdReused)
}

/// Between three quarters and five quarters, so that agents that lost their manager together do not return together.
fn jittered(pause: Duration) -> Duration {
    let mut random = [0; 2];
    let _ = getrandom::fill(&mut random);
    pause * 3 / 4 + pause / 2 * u32::from(u16::from_ne_bytes(random)) / u32::from(u16::MAX)
}
