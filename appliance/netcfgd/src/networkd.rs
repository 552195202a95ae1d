//! systemd-networkd: the file that it reads, the word to read it, and what it knows of a lease. And systemd-hostnamed, which
//! carries the name on.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use netcfg::plan::{FILE_NAMES, Plan};
use netcfg::request::Lease;
use serde::Deserialize;
use tokio::time::timeout;
use zbus::Connection;
use zbus::fdo::DBusProxy;

use crate::disk::write_whole;
use crate::fault::Faults;

/// Longest wait for an answer to an order, and to a question.
const ORDER: Duration = Duration::from_secs(5);
const QUESTION: Duration = Duration::from_secs(1);
/// Longest wait for systemd-hostnamed, which has to be started first.
const NAMING: Duration = Duration::from_secs(30);

#[zbus::proxy(
    interface = "org.freedesktop.network1.Manager",
    default_service = "org.freedesktop.network1",
    default_path = "/org/freedesktop/network1"
)]
trait Manager {
    fn reload(&self) -> zbus::Result<()>;
    fn describe_link(&self, index: i32) -> zbus::Result<String>;
}

#[zbus::proxy(
    interface = "org.freedesktop.hostname1",
    default_service = "org.freedesktop.hostname1",
    default_path = "/org/freedesktop/hostname1"
)]
trait Hostname {
    fn set_hostname(&self, name: &str, interactive: bool) -> zbus::Result<()>;
}

/// systemd-networkd, as far as this program speaks with it.
#[derive(Debug)]
pub(crate) struct Networkd {
    folder: PathBuf,
    faults: Faults,
}

impl Networkd {
    pub(crate) fn new(folder: &Path, faults: Faults) -> Self {
        Self { folder: folder.to_owned(), faults }
    }

    /// Lays a plan out and lets systemd-networkd take it up. Where the same lies there already the file is left alone, so that
    /// systemd-networkd has no reason to take addresses away and give them back.
    pub(crate) async fn apply(&self, plan: &Plan) -> Result<()> {
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        for name in FILE_NAMES {
            let path = self.folder.join(name);
            let (found, wanted) = (fs::read_to_string(&path).ok(), plan.files.get(name));
            match wanted {
                Some(file) if found.as_ref() != Some(file) => write_whole(&path, file.as_bytes())?,
                None if found.is_some() => fs::remove_file(&path).with_context(|| path.display().to_string())?,
                _ => {}
            }
        }
        self.faults.reach("apply", "within");
        let reload = async {
            let connection = Connection::system().await?;
            wait_for(&connection, "org.freedesktop.network1").await?;
            ManagerProxy::new(&connection).await?.reload().await
        };
        timeout(ORDER, reload)
            .await
            .context("systemd-networkd does not answer")?
            .context("systemd-networkd does not reload")?;
        self.take_name(plan.host_name.as_str()).await;
        Ok(())
    }

    /// Gives the box its name. Without systemd-hostnamed it goes by the one that it has; the network does not hang on it.
    async fn take_name(&self, name: &str) {
        if nix::unistd::gethostname().is_ok_and(|current| current == name) {
            return;
        }
        let set = async { HostnameProxy::new(&Connection::system().await?).await?.set_hostname(name, false).await };
        match timeout(NAMING, set).await {
            Ok(Ok(())) => log::info!(name; "the box has its name"),
            Ok(Err(error)) => log::warn!("systemd-hostnamed does not take the name {name}: {error}"),
            Err(_) => log::warn!("systemd-hostnamed does not answer"),
        }
    }

    /// What it knows of a port beyond what the kernel does: name servers in use and the lease of an address that the port holds.
    /// Nothing where it does not answer.
    pub(crate) async fn describe(&self, index: u32, held: &[IpAddr]) -> (Vec<IpAddr>, Option<Lease>) {
        let question = async {
            let index = i32::try_from(index).unwrap_or_default();
            ManagerProxy::new(&Connection::system().await?).await?.describe_link(index).await
        };
        match timeout(QUESTION, question).await {
            Ok(Ok(json)) => parse(&json, held, since_boot()),
            _ => (Vec::new(), None),
        }
    }
}

/// Waits until a service is on the bus: at the start of the machine this program runs before systemd-networkd.
async fn wait_for(connection: &Connection, name: &'static str) -> zbus::Result<()> {
    let bus = DBusProxy::new(connection).await?;
    while !bus.name_has_owner(name.try_into()?).await? {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// The part of systemd-networkd's description that is shown.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Description {
    #[serde(default)]
    addresses: Vec<Address>,
    #[serde(default, rename = "DNS")]
    dns: Vec<Server>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Address {
    address: Vec<u8>,
    #[serde(default)]
    config_source: String,
    config_provider: Option<Vec<u8>>,
    #[serde(alias = "ValidLifetimeUSec")]
    valid_lifetime_usec: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Server {
    address: Vec<u8>,
}

fn parse(json: &str, held: &[IpAddr], since_boot: Duration) -> (Vec<IpAddr>, Option<Lease>) {
    let Ok(description) = serde_json::from_str::<Description>(json) else { return (Vec::new(), None) };
    let ipv4 = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from);
    // It goes on describing an address whose lease has run out or was refused (seen in 252), beside the one that came after it.
    let lease = description.addresses.iter().filter(|address| address.config_source == "DHCPv4").find_map(|lent| {
        let address = ipv4(&lent.address).filter(|&address| held.contains(&address.into()))?;
        Some(Lease {
            server: ipv4(lent.config_provider.as_ref()?)?,
            address,
            seconds_left: lent
                .valid_lifetime_usec
                .map(|until| Duration::from_micros(until).saturating_sub(since_boot).as_secs()),
        })
    });
    let dns = description.dns.iter().filter_map(|server| {
        let ipv6 = || <[u8; 16]>::try_from(server.address.as_slice()).ok().map(IpAddr::from);
        ipv4(&server.address).map(IpAddr::V4).or_else(ipv6)
    });
    (dns.collect(), lease)
}

/// On the clock by which systemd-networkd counts lifetimes.
fn since_boot() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_read_as_far_as_it_is_understood() {
        let json = r#"{"Index":3,"Addresses":[
            {"Family":2,"Address":[10,9,0,77],"ConfigSource":"static","ConfigState":"configured"},
            {"Family":2,"Address":[10,8,0,7],"ValidLifetimeUsec":1300000000,"ConfigSource":"DHCPv4","ConfigProvider":[10,8,0,1]},
            {"Family":2,"Address":[10,9,0,108],"ValidLifetimeUsec":1593908860,"ConfigSource":"DHCPv4","ConfigProvider":[10,9,0,1]}],
            "DNS":[{"Family":2,"Address":[10,9,0,1],"ConfigSource":"DHCPv4"}]}"#;
        let held = [[10, 9, 0, 77], [10, 9, 0, 108]].map(IpAddr::from);
        let (dns, lease) = parse(json, &held, Duration::from_secs(1500));
        assert_eq!(dns, [IpAddr::from([10, 9, 0, 1])]);
        let lease = lease.unwrap();
        assert_eq!(
            (lease.address, lease.server, lease.seconds_left),
            ([10, 9, 0, 108].into(), [10, 9, 0, 1].into(), Some(93))
        );
        assert_eq!(parse("{}", &held, Duration::ZERO), (vec![], None));
        assert_eq!(parse("[", &held, Duration::ZERO), (vec![], None));
    }
}
