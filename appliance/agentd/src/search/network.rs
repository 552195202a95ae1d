//! This machine's interfaces and routes, as the kernel tells them at this moment.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use agent_core::arp::Mac;
use agent_core::routes::{Interface, Routes};
use anyhow::Result;
use ipnet::Ipv4Net;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::LinkAddr;

/// Larger subnets than this are searched only when they are written out.
const SMALLEST_PREFIX: u8 = 16;
/// The hardware type of Ethernet, which wireless interfaces, bridges and VLANs have too.
const ETHERNET: u16 = 1;

/// An interface, and the address to bind packet sockets to.
#[derive(Debug, Clone)]
pub(super) struct Local {
    pub(super) interface: Interface,
    pub(super) link: Option<LinkAddr>,
}

/// The interfaces that are up.
pub(super) fn interfaces() -> Result<Vec<Local>> {
    let mut locals: BTreeMap<String, Local> = BTreeMap::new();
    for found in getifaddrs()?.filter(|found| found.flags.contains(InterfaceFlags::IFF_UP)) {
        let local = locals.entry(found.interface_name.clone()).or_insert_with(|| Local {
            interface: Interface { index: 0, name: found.interface_name, mac: None, addresses: Vec::new() },
            link: None,
        });
        let Some(address) = found.address else { continue };
        if let Some(link) = address.as_link_addr() {
            local.interface.index = u32::try_from(link.ifindex()).unwrap_or(0);
            let speaks_arp = link.hatype() == ETHERNET
                && !found.flags.intersects(InterfaceFlags::IFF_NOARP | InterfaceFlags::IFF_LOOPBACK);
            local.interface.mac = link.addr().map(Mac).filter(|mac| speaks_arp && mac.is_of_one());
            local.link = Some(*link);
        }
        let of_version_4 = address.as_sockaddr_in().zip(found.netmask.as_ref().and_then(|mask| mask.as_sockaddr_in()));
        if let Some((address, mask)) = of_version_4
            && let Ok(network) = Ipv4Net::with_netmask(address.ip(), mask.ip())
        {
            local.interface.addresses.push(network);
        }
    }
    Ok(locals.into_values().collect())
}

/// The routes of this moment.
pub(super) fn routes(locals: &[Local]) -> Routes {
    let table = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    let interfaces: Vec<Interface> = locals.iter().map(|local| local.interface.clone()).collect();
    Routes::new(&table, &interfaces)
}

/// The IPv4 subnets of this machine, without loopback and without those of point-to-point links, whose mask says nothing.
pub fn own_subnets() -> Result<Vec<Ipv4Net>> {
    let locals = interfaces()?;
    let addresses = locals.iter().flat_map(|local| &local.interface.addresses);
    let mut networks: Vec<Ipv4Net> = addresses
        .filter(|network| !network.addr().is_loopback() && network.addr() != Ipv4Addr::UNSPECIFIED)
        .map(Ipv4Net::trunc)
        .filter(|network| (SMALLEST_PREFIX..=30).contains(&network.prefix_len()))
        .collect();
    networks.sort();
    networks.dedup();
    Ok(networks)
}
