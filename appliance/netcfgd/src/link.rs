//! The network port as the kernel has it (rtnetlink): which it is, its cable, addresses and ways out.

use std::fs;
use std::net::IpAddr;

use anyhow::{Context, Result};
use futures_util::TryStreamExt as _;
use futures_util::stream::StreamExt as _;
use netcfg::config::Vlan;
use netcfg::request::{Link, LinkAddress};
use rtnetlink::packet_core::NetlinkMessage;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};
use rtnetlink::packet_route::link::{
    InfoData, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage};
use rtnetlink::{Handle, MulticastGroup, RouteMessageBuilder, new_multicast_connection};

/// How wired ports are called.
const WIRED: [&str; 3] = ["eth", "en", "usb"];

/// The kernel's side of things.
pub(crate) struct Kernel {
    handle: Handle,
    events: futures_util::stream::BoxStream<'static, NetlinkMessage<RouteNetlinkMessage>>,
    interface: Option<String>,
}

impl Kernel {
    /// Opens the way to the kernel; `interface` names the port, otherwise the first wired one is it.
    pub(crate) fn open(interface: Option<String>) -> Result<Self> {
        let groups = [
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
            MulticastGroup::Ipv4Route,
            MulticastGroup::Ipv6Route,
        ];
        let (connection, handle, events) = new_multicast_connection(&groups).context("no way to the kernel")?;
        tokio::spawn(connection);
        Ok(Self { handle, events: events.map(|(message, _)| message).boxed(), interface })
    }

    /// Waits until something has changed.
    pub(crate) async fn changed(&mut self) -> Result<()> {
        self.events.next().await.map(drop).context("the kernel sends no events any more")
    }

    /// The port as it is, and its index. What systemd-networkd knows of it is not yet in it.
    pub(crate) async fn look(&self) -> Result<Option<(u32, Link)>> {
        let links: Vec<LinkMessage> = self.handle.link().get().execute().try_collect().await.context("links")?;
        let mut ports: Vec<_> = links.iter().filter_map(port).filter(|(_, link)| self.is_ours(&link.name)).collect();
        ports.sort_by_key(|(index, _)| *index);
        let Some((index, mut link)) = ports.into_iter().next() else { return Ok(None) };
        let interfaces: Vec<_> =
            [(index, None)].into_iter().chain(links.iter().filter_map(|link| vlan_of(link, index))).collect();
        for (index, vlan) in &interfaces {
            let addresses = self.handle.address().get().set_link_index_filter(*index).execute();
            let addresses: Vec<AddressMessage> = addresses.try_collect().await.context("addresses")?;
            link.addresses.extend(addresses.iter().filter_map(|message| address(message, *vlan)));
        }
        for route in [
            RouteMessageBuilder::<std::net::Ipv4Addr>::new().build(),
            RouteMessageBuilder::<std::net::Ipv6Addr>::new().build(),
        ] {
            let routes: Vec<RouteMessage> =
                self.handle.route().get(route).execute().try_collect().await.context("routes")?;
            let ours = |route| interfaces.iter().find_map(|(index, _)| gateway(route, *index));
            link.gateways.extend(routes.iter().filter_map(ours));
        }
        link.gateways.dedup();
        link.speed_mbit = speed(&link.name);
        Ok(Some((index, link)))
    }

    fn is_ours(&self, name: &str) -> bool {
        match &self.interface {
            Some(wanted) => wanted == name,
            None => WIRED.iter().any(|beginning| name.starts_with(beginning)),
        }
    }
}

/// The VLAN that an interface is of the port of this index.
fn vlan_of(message: &LinkMessage, port: u32) -> Option<(u32, Option<Vlan>)> {
    let (mut is_on_port, mut number) = (false, None);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Link(index) => is_on_port = *index == port,
            LinkAttribute::LinkInfo(infos) => {
                for info in infos {
                    if let LinkInfo::Data(InfoData::Vlan(vlans)) = info {
                        number = vlans.iter().find_map(|info| match info {
                            InfoVlan::Id(number) => Vlan::new(*number),
                            _ => None,
                        });
                    }
                }
            }
            _ => {}
        }
    }
    number.filter(|_| is_on_port).map(|vlan| (message.header.index, Some(vlan)))
}

fn port(message: &LinkMessage) -> Option<(u32, Link)> {
    if message.header.link_layer_type != LinkLayerType::Ether {
        return None;
    }
    let mut link = Link { has_carrier: message.header.flags.contains(LinkFlags::LowerUp), ..Link::default() };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Address(mac) => link.mac = mac.as_slice().try_into().ok()?,
            _ => {}
        }
    }
    Some((message.header.index, link))
}

fn address(message: &AddressMessage, vlan: Option<Vlan>) -> Option<LinkAddress> {
    let mut found = None;
    let mut flags = None;
    for attribute in &message.attributes {
        match attribute {
            // On a port with a peer the local one is ours; elsewhere both are the same.
            AddressAttribute::Local(address) => found = Some(*address),
            AddressAttribute::Address(address) => found = found.or(Some(*address)),
            AddressAttribute::Flags(more) => flags = Some(*more),
            _ => {}
        }
    }
    let flags = flags?;
    // One that is still being checked, or was found to be someone else's, does not answer.
    if flags.intersects(AddressFlags::Tentative | AddressFlags::Dadfailed) || message.header.scope == AddressScope::Host
    {
        return None;
    }
    let address = found?;
    let is_dynamic = !flags.contains(AddressFlags::Permanent);
    Some(LinkAddress { address, prefix: message.header.prefix_len, is_dynamic, vlan })
}

/// Where a default route of the main table leads.
fn gateway(message: &RouteMessage, index: u32) -> Option<IpAddr> {
    let (mut gateway, mut is_ours) = (None, false);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Gateway(RouteAddress::Inet(address)) => gateway = Some(IpAddr::V4(*address)),
            RouteAttribute::Gateway(RouteAddress::Inet6(address)) => gateway = Some(IpAddr::V6(*address)),
            RouteAttribute::Oif(oif) => is_ours = *oif == index,
            // Larger numbers than a byte holds stand here.
            RouteAttribute::Table(table) if *table != u32::from(RouteHeader::RT_TABLE_MAIN) => return None,
            _ => {}
        }
    }
    let is_default = message.header.destination_prefix_length == 0;
    gateway.filter(|_| is_ours && is_default)
}

fn speed(name: &str) -> Option<u32> {
    let text = fs::read_to_string(format!("/sys/class/net/{name}/speed")).ok()?;
    // Without a cable it is -1.
    text.trim().parse().ok().filter(|speed| *speed > 0)
}
