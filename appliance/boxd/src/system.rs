//! systemd, over D-Bus: which units run, restarting one, restarting the box; and the few facts about the system that are asked for
//! in several places.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::time::{ClockId, clock_gettime};
use tokio::time::timeout;
use zbus::Connection;
use zbus::OwnedObjectPath;

const QUESTION: Duration = Duration::from_secs(5);
/// Where the kernel says which start of the machine this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A row of systemd's list: name, description, load state, active state, sub-state, and four more that are not asked for.
type Unit = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    fn list_units_by_names(&self, names: &[&str]) -> zbus::Result<Vec<Unit>>;
    fn restart_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn reboot(&self) -> zbus::Result<()>;
}

async fn manager() -> Result<ManagerProxy<'static>> {
    let connection = Connection::system().await.context("there is no message bus")?;
    ManagerProxy::new(&connection).await.context("systemd is not there")
}

async fn within<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(QUESTION, answer).await.context("systemd does not answer")?
}

/// Those of the units that do not run.
pub(crate) async fn units_down(names: &[String]) -> Result<Vec<String>> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let units = within(async { Ok(manager().await?.list_units_by_names(&names).await?) }).await?;
    Ok(units.into_iter().filter(|unit| unit.3 != "active").map(|unit| unit.0).collect())
}

/// Restarts a unit. It may be about to start anyway.
pub(crate) async fn restart_unit(name: &str) -> Result<()> {
    within(async { Ok(manager().await?.restart_unit(name, "replace").await?) }).await.map(drop)
}

/// Restarts the box, in order.
pub(crate) async fn reboot() -> Result<()> {
    log::warn!("restarting the box");
    nix::unistd::sync();
    within(async { Ok(manager().await?.reboot().await?) }).await
}

/// Addresses by which others reach the box: first those that were given to it, then those that it gave itself.
pub(crate) fn addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    let up = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING;
    let found = interfaces.filter(|one| one.flags.contains(up) && !one.flags.contains(InterfaceFlags::IFF_LOOPBACK));
    let mut addresses: Vec<IpAddr> = found
        .filter_map(|one| {
            let address = one.address?;
            let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
        })
        .collect();
    addresses.sort_by_key(|address| (is_self_made(*address), address.is_ipv6(), *address));
    addresses.dedup();
    addresses
}

/// Whether a machine gives itself such an address.
pub(crate) fn is_self_made(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// What the kernel calls this start of the machine.
pub(crate) fn start_name() -> Result<String> {
    Ok(fs::read_to_string(BOOT_ID).context(BOOT_ID)?.trim().to_owned())
}

/// Time since the box was switched on.
pub(crate) fn since_start() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

/// The value of a word of the kernel's command line.
pub(crate) fn of_command_line(file: &Path, key: &str) -> Option<String> {
    let line = fs::read_to_string(file).ok()?;
    line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('=').map(str::to_owned))
}

/// The value of a line of os-release.
pub(crate) fn of_os_release(file: &Path, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_lines_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "root=PARTUUID=ab-02 ro rauc.slot=B quiet\n").unwrap();
        assert_eq!(of_command_line(&file, "rauc.slot").as_deref(), Some("B"));
        assert_eq!(of_command_line(&file, "rauc"), None);
        fs::write(&file, "NAME=Druckwart\nVERSION_ID=\"1.2.0\"\n").unwrap();
        assert_eq!(of_os_release(&file, "VERSION_ID").as_deref(), Some("1.2.0"));
        assert_eq!(of_os_release(&file, "VERSION"), None);
    }

    #[test]
    fn addresses_of_a_machines_own_are_told_apart() {
        for (address, expected) in
            [("169.254.3.4", true), ("fe80::1", true), ("192.0.2.4", false), ("2001:db8::1", false)]
        {
            assert_eq!(is_self_made(address.parse().unwrap()), expected, "{address}");
        }
    }
}
