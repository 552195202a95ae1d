//! Looks whether the started system is good, and has the boot loader keep it or leave it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use boxcore::health::{Kind, Needs, Seen, Verdict, Watch};
use boxcore::request::Health;
use boxcore::update::{Booted, Record, Stage, Start};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::daemon::World;
use crate::test_write::test_write;
use crate::{rauc, system};

/// Between two looks until it is known what comes of it, and afterwards.
const OFTEN: Duration = Duration::from_secs(5);
const SELDOM: Duration = Duration::from_secs(60);
/// The card is written to for a test so often: each costs it 64 KiB.
const WRITE_TEST: Duration = Duration::from_secs(6 * 60 * 60);
/// Longest wait for the page.
const PAGE: Duration = Duration::from_secs(10);

/// Watches for ever.
pub(crate) async fn watch(world: &Arc<World>) {
    let kind = begin(world);
    // Time counts from the start of the box: a boxd that dies and comes back does not begin anew.
    let mut watch = Watch::new(kind, Duration::ZERO);
    let mut is_told = false;
    let mut logged = Vec::new();
    let mut last_test: Option<Instant> = None;
    loop {
        if last_test.is_none_or(|at| at.elapsed() >= WRITE_TEST) || watch.is_on_trial() && !is_told {
            last_test = Some(Instant::now());
            test_card(world).await;
        }
        let seen = look(world).await;
        let verdict = watch.handle_seen(system::since_start(), &seen).clone();
        if let Verdict::Bad(faults) = &verdict
            && !watch.is_on_trial()
            && logged != *faults
        {
            log::error!("the system is not as it should be: {faults:?}");
            logged = faults.clone();
        }
        world.state().health = Health {
            is_good: verdict == Verdict::Good,
            is_on_trial: watch.is_on_trial() && verdict != Verdict::Good,
            faults: watch.faults(&seen),
        };
        if !is_told {
            is_told = tell(world, &watch, verdict).await;
        }
        sleep(if is_told { SELDOM } else { OFTEN }).await;
    }
}

/// What this start means for the last update.
fn begin(world: &World) -> Kind {
    let record = world.state().last.clone();
    let (Some(mut record), Some(slot)) = (record, &world.slot) else { return Kind::Settled };
    let before = record.stage.clone();
    let start = record.handle_start(Booted { slot, version: &world.version, start: &world.start });
    if record.stage != before {
        world.keep_record(&record);
    }
    match start {
        Start::Settled => Kind::Settled,
        Start::Trial(needs) => {
            log::info!(version = record.to.as_str(); "this version has not been found good and is being watched");
            Kind::OnTrial(needs)
        }
        Start::Back => {
            log::error!(version = record.to.as_str(); "the update went back: {:?}", record.stage);
            Kind::Settled
        }
    }
}

/// Tells the boot loader what is known; whether there is nothing more to tell.
async fn tell(world: &Arc<World>, watch: &Watch, verdict: Verdict) -> bool {
    match verdict {
        Verdict::Open => false,
        Verdict::Good => match rauc::mark_running(true).await {
            Ok(()) => {
                log::info!("the system is good");
                end_trial(world, watch, Stage::Good);
                true
            }
            Err(error) => {
                log::error!("the system cannot be marked as good: {error:#}");
                false
            }
        },
        Verdict::Bad(faults) if watch.is_on_trial() => {
            log::error!("this version is not good and is left: {faults:?}");
            end_trial(world, watch, Stage::Leaving(faults));
            // Should that fail the restart alone counts the tries down.
            if let Err(error) = rauc::mark_running(false).await {
                log::error!("the system cannot be marked as bad: {error:#}");
            }
            if let Err(error) = system::reboot().await {
                log::error!("the box does not restart: {error:#}");
            }
            false
        }
        // What is wrong is on the page; the log has it once.
        Verdict::Bad(_) => false,
    }
}

fn end_trial(world: &World, watch: &Watch, stage: Stage) {
    let record = world.state().last.clone();
    // Where the boot loader did not take the news at once, another update may have begun meanwhile.
    let is_of_trial = |record: &Record| watch.is_on_trial() && Some(&record.slot) == world.slot.as_ref();
    if let Some(mut record) = record.filter(is_of_trial) {
        record.stage = stage;
        world.keep_record(&record);
    }
}

async fn look(world: &World) -> Seen {
    let settings = &world.settings;
    Seen {
        units_down: system::units_down(&settings.units)
            .await
            .unwrap_or_else(|error| vec![format!("systemd: {error:#}")]),
        page_fault: page(settings.page).await.err().map(|error| format!("{error:#}")),
        data_fault: match world.is_volatile() {
            true => Some("the data partition is not in use".to_owned()),
            false => world.state().test_fault.clone(),
        },
        has_address: has_address(),
        manager_reached: settings.manager_reached.exists(),
    }
}

/// Whether the box has an address that others gave it.
fn has_address() -> bool {
    system::addresses().into_iter().any(|address| !system::is_self_made(address))
}

/// What has to work after an update, because it works before it.
pub(crate) fn needs(world: &World) -> Needs {
    Needs { address: has_address(), manager: world.settings.manager_reached.exists() }
}

async fn test_card(world: &Arc<World>) {
    let folder = world.settings.folders.state.clone();
    let tested = tokio::task::spawn_blocking(move || test_write(&folder)).await;
    let fault = tested.context("the test was lost").flatten().err().map(|error| format!("{error:#}"));
    if let Some(fault) = &fault {
        log::error!("the card: {fault}");
    }
    world.state().test_fault = fault;
}

/// Whether the page answers, over TLS, with anything but a fault of its own.
async fn page(address: SocketAddr) -> Result<()> {
    timeout(PAGE, ask_page(address)).await.context("the page does not answer in time")?
}

async fn ask_page(address: SocketAddr) -> Result<()> {
    let provider = rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.context("nobody listens")?;
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(ServerName::from(address.ip()), stream).await.context("no TLS")?;
    let request = format!("GET /login HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.context("the question is not taken")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.context("no answer")?;
    match head.strip_prefix(b"HTTP/1.1 ").and_then(|status| status.first()) {
        Some(b'2' | b'3') => Ok(()),
        _ => bail!("it answers {}", String::from_utf8_lossy(&head).trim()),
    }
}

/// The page's certificate is its own, and the question carries nothing: whoever holds the port is asked.
#[derive(Debug)]
struct Anyone(CryptoProvider);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
