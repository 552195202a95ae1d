//! The running manager: opens what it needs in the data folder, listens, keeps house, ends in order.

use std::{fs, io::Write, net::SocketAddr, os::unix::fs::DirBuilderExt, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use axum::Router;
use jiff::{Timestamp, tz::TimeZone};
use manager_store::Store;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::interval,
};
use webkit::{
    certificate::CertificateKeeper,
    listen::{Limits, Listener, serve},
};

use crate::{intake::Intake, web};

/// Setting: the address that agents are told, where one was given.
const PUBLIC_URL: &str = "public-url";
/// Setting: the port of the last run.
const PORT: &str = "port";
/// The port unless another is given.
const DEFAULT_PORT: u16 = 8443;

/// What lies in the data folder.
pub struct House {
    /// The database.
    pub store: Arc<Store>,
    /// The certificate of the pages, whose key agents pin.
    pub certificate: Arc<CertificateKeeper>,
}

impl House {
    /// Opens the data folder, making what is missing.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        let store = open_store(data)?;
        let mut names = vec![host_name()];
        names.extend(store.setting(PUBLIC_URL)?.as_deref().and_then(host_of_url).map(str::to_owned));
        let certificate = CertificateKeeper::load_or_make(data, &names, Timestamp::now())?;
        Ok(Self { store: Arc::new(store), certificate: Arc::new(certificate) })
    }

    /// The address that agents are told: the one that was given, else this machine's name.
    pub fn agent_url(&self) -> anyhow::Result<String> {
        if let Some(url) = self.given_url()? {
            return Ok(url);
        }
        let port = self.store.setting(PORT)?.unwrap_or_else(|| DEFAULT_PORT.to_string());
        Ok(format!("https://{}:{port}", host_name()))
    }

    /// The address that was given with `--url`, at this or an earlier start.
    pub fn given_url(&self) -> anyhow::Result<Option<String>> {
        Ok(self.store.setting(PUBLIC_URL)?)
    }

    /// All that answers: pages and intake.
    pub fn router(&self, zone: TimeZone) -> anyhow::Result<Router> {
        let site = web::site(self, zone)?;
        Ok(site.merge(Intake::new(self.store.clone()).router()))
    }
}

/// Runs until it is told to stop.
pub fn run(data: &Path, listen: SocketAddr, url: Option<String>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start")?;
    let result = runtime.block_on(async {
        let store = open_store(data)?;
        if let Some(url) = &url {
            store.set_setting(PUBLIC_URL, url)?;
        }
        drop(store);
        let listener = Listener::bind(listen).await?;
        let house = House::open(data)?;
        house.store.set_setting(PORT, &listener.address().port().to_string())?;
        announce(&house, data, listener.address())?;
        let keeping = tokio::spawn(keep_house(house.store.clone()));
        let router = house.router(TimeZone::system())?;
        serve(listener, house.certificate.clone(), router, Limits::default(), told_to_stop()).await?;
        keeping.abort();
        anyhow::Ok(())
    });
    // A report that is being stored is finished or undone as a whole; waiting a little spares the agent a retry.
    runtime.shutdown_timeout(Duration::from_secs(5));
    log::info!("ended");
    result
}

/// Opens the database of a data folder.
pub fn open_store(data: &Path) -> anyhow::Result<Store> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("cannot make the data folder {}", data.display()))?;
    Ok(Store::open(&data.join("manager.sqlite"))?)
}

/// A URL for agents: https, a host, a port where needed, and nothing more.
pub fn parse_url(text: &str) -> anyhow::Result<String> {
    let url = text.trim().trim_end_matches('/');
    let host = host_of_url(url);
    let rest = url.strip_prefix("https://").unwrap_or_default();
    let is_plain =
        rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']'));
    match host {
        Some(_) if is_plain && url.len() <= 200 => Ok(url.to_owned()),
        _ => bail!("{text:?} is not an address for agents: write https://HOST or https://HOST:PORT, without a path"),
    }
}

/// A name for a customer or a site: one line of 1 to 100 characters.
pub fn parse_name(text: &str) -> anyhow::Result<String> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match name.chars().count() {
        1..=100 if !name.chars().any(char::is_control) => Ok(name),
        _ => bail!("a name has 1 to 100 characters in one line"),
    }
}

fn host_of_url(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://")?;
    let host = match rest.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => rest.split([':', '/']).next()?,
    };
    (!host.is_empty()).then_some(host)
}

fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() || name == "(none)" { "localhost".to_owned() } else { name.to_owned() }
}

/// Says on standard output where the pages are, for people and for scripts; the rest goes to the log.
fn announce(house: &House, data: &Path, address: SocketAddr) -> anyhow::Result<()> {
    let host = match address.ip() {
        ip if ip.is_unspecified() => host_name(),
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        ip => ip.to_string(),
    };
    let mut stdout = std::io::stdout().lock();
    // A closed standard output is no reason not to run.
    let _ = writeln!(stdout, "manager ready: https://{host}:{}/", address.port()).and_then(|()| stdout.flush());
    log::info!("version {}, listening on {address}, data in {}", env!("CARGO_PKG_VERSION"), data.display());
    if house.store.has_no_users()? {
        log::info!("nobody has been here yet: open the page above and set the administrator's password");
    }
    Ok(())
}

async fn told_to_stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        log::warn!("cannot listen for signals: only killing will end this process");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    log::info!("stopping");
}

/// Thins the history a few times a day: the store does nothing when nothing is due.
async fn keep_house(store: Arc<Store>) {
    let mut often = interval(Duration::from_secs(6 * 60 * 60));
    loop {
        often.tick().await;
        let store = store.clone();
        let thinned = tokio::task::spawn_blocking(move || store.thin_history(Timestamp::now())).await;
        match thinned {
            Ok(Ok(0)) => {}
            Ok(Ok(count)) => log::info!("thinned the history by {count} readings"),
            Ok(Err(error)) => log::warn!("cannot thin the history: {:#}", anyhow::Error::from(error)),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_agents_is_https_and_a_host() {
        assert_eq!(parse_url("https://manager.example/").unwrap(), "https://manager.example");
        assert_eq!(parse_url(" https://[2001:db8::1]:8443").unwrap(), "https://[2001:db8::1]:8443");
        for text in
            ["", "http://a", "https://", "https://:8443", "https://a/path", "https://a b", "https://a?x", "ftp://a"]
        {
            assert!(parse_url(text).is_err(), "{text}");
        }
        assert_eq!(host_of_url("https://[2001:db8::1]:8443"), Some("2001:db8::1"));
        assert_eq!(host_of_url("https://a.example:1"), Some("a.example"));
    }

    #[test]
    fn names_are_one_line() {
        assert_eq!(parse_name("  Müller \t & Söhne\n").unwrap(), "Müller & Söhne");
        assert!(parse_name(" ").is_err());
        assert!(parse_name(&"x".repeat(101)).is_err());
        assert!(parse_name("a\u{7}b").is_err());
    }
}
