//! A configuration laid out for systemd-networkd: the files that it reads, in full; and what the box says to a port that asks.
//!
//! Every layout gives the port itself its IPv4 and IPv6 link-local addresses and its mDNS name, so that the box is found in
//! every mode. The IPv4 one is a fixed address that netcfgd has checked: systemd-networkd would give one only in place of a
//! lease, not beside it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use crate::config::{Config, HostName, Ipv4, Ipv6, StaticIpv4, StaticIpv6};
use crate::dot1x::Dot1x;

/// The files that netcfgd owns. They sort before the one of the image, which gives DHCP to a box whose netcfgd does not run.
pub const FILE_NAMES: [&str; 4] = [PORT_FILE, VLAN_DEVICE_FILE, VLAN_FILE, OLD_VLAN_FILE];
/// About the port.
const PORT_FILE: &str = "10-druckwart.network";
/// Makes a VLAN.
const VLAN_DEVICE_FILE: &str = "10-druckwart-vlan.netdev";
/// About that VLAN.
const VLAN_FILE: &str = "10-druckwart-vlan.network";
/// About those that were made and are not wanted any more.
const OLD_VLAN_FILE: &str = "20-druckwart-old-vlan.network";
/// Routing table of an address that is being tried, and the priority of the rule that leads to it.
pub const TRIAL_TABLE: u32 = 5180;

const HEAD: &str = "# Written by netcfgd from its committed configuration; changes here are lost.\n";
/// systemd-networkd makes VLANs and never takes one away; this silences what is left of one.
const OLD_VLANS: &str = "[Match]\nName=vlan*\nKind=vlan\n\n[Link]\nActivationPolicy=always-down\nRequiredForOnline=no\n\n[Network]\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n";

/// A laid-out configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The files by name, each one of [`FILE_NAMES`]; those that are not among them must not be there.
    pub files: BTreeMap<&'static str, String>,
    /// The name that the box takes.
    pub host_name: HostName,
    /// The port.
    pub port: String,
    /// Who the box is to it.
    pub dot1x: Option<Dot1x>,
}

/// The port that is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Name of the interface.
    pub name: String,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// The link-local address that was found free, once one was.
    pub link_local: Option<Ipv4Addr>,
}

impl Plan {
    /// One configuration and nothing beside it.
    pub fn settled(port: &Port, config: &Config) -> Self {
        Layout::of(port, config).plan()
    }

    /// A configuration that is tried. Beside the one in force where both can be had at once: nothing of the latter goes away,
    /// and what comes from the new address leaves through the new gateway, so that the trial shows whether that works. In
    /// its place where the box is on the cable in another way.
    pub fn trial(port: &Port, committed: &Config, candidate: &Config) -> Self {
        if !committed.is_attached_like(candidate) {
            return Self::settled(port, candidate);
        }
        let mut layout = Layout::of(port, committed);
        match &candidate.ipv4 {
            Ipv4::Dhcp => layout.dhcp = true,
            Ipv4::Static(fixed) => layout.try_ipv4(fixed),
        }
        match &candidate.ipv6 {
            Ipv6::Auto => layout.router_advertisements = true,
            Ipv6::Off => {}
            Ipv6::Static(fixed) => layout.add_ipv6(fixed),
        }
        layout.plan()
    }

    /// Nothing but what the box is found by: the port is up, so that a cable can be noticed.
    pub fn bare(port: &Port) -> Self {
        let config = Config { ipv6: Ipv6::Off, ..Config::factory() };
        Layout { dhcp: false, ..Layout::of(port, &config) }.plan()
    }

    /// A configuration that did not come up as it should, with DHCP beside it: on the port itself, whatever else is tried.
    pub fn rescue(port: &Port, config: &Config) -> Self {
        let mut layout = Layout::of(port, config);
        if config.vlan.is_some() {
            layout.rescue_on_port = true;
        } else {
            layout.dhcp = true;
            layout.router_advertisements = true;
        }
        layout.plan()
    }
}

struct Layout<'a> {
    port: &'a Port,
    config: &'a Config,
    dhcp: bool,
    router_advertisements: bool,
    addresses: Vec<String>,
    routes: String,
    rescue_on_port: bool,
}

impl<'a> Layout<'a> {
    fn of(port: &'a Port, config: &'a Config) -> Self {
        let mut layout = Self {
            port,
            config,
            dhcp: config.ipv4 == Ipv4::Dhcp,
            router_advertisements: config.ipv6 == Ipv6::Auto,
            addresses: Vec::new(),
            routes: String::new(),
            rescue_on_port: false,
        };
        if let Ipv4::Static(StaticIpv4 { address, gateway }) = &config.ipv4 {
            layout.addresses.push(address.to_string());
            if let Some(gateway) = gateway {
                layout.routes += &format!("\n[Route]\nGateway={gateway}\n");
            }
        }
        if let Ipv6::Static(fixed) = &config.ipv6 {
            layout.add_ipv6(fixed);
        }
        layout
    }

    fn add_ipv6(&mut self, fixed: &StaticIpv6) {
        let address = fixed.address.to_string();
        if self.addresses.contains(&address) {
            return;
        }
        self.addresses.push(address);
        if let Some(gateway) = fixed.gateway {
            self.routes += &format!("\n[Route]\nGateway={gateway}\n");
        }
    }

    fn try_ipv4(&mut self, fixed: &StaticIpv4) {
        let address = fixed.address.to_string();
        if !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
        let host = fixed.address.addr();
        let subnet = Ipv4Net::new_assert(fixed.address.network(), fixed.address.prefix_len());
        let table = TRIAL_TABLE;
        self.routes += &format!("\n[RoutingPolicyRule]\nFrom={host}/32\nTable={table}\nPriority={table}\n");
        self.routes += &format!("\n[Route]\nDestination={subnet}\nScope=link\nPreferredSource={host}\nTable={table}\n");
        if let Some(gateway) = fixed.gateway {
            self.routes += &format!("\n[Route]\nGateway={gateway}\nPreferredSource={host}\nTable={table}\n");
        }
    }

    fn plan(self) -> Plan {
        let host_name = self.config.host_name.clone().unwrap_or_else(|| HostName::of_hardware(self.port.mac));
        let name = &self.port.name;
        let mut port_file = self.head(name);
        let mut files = BTreeMap::from([(OLD_VLAN_FILE, format!("{HEAD}{OLD_VLANS}"))]);
        match self.config.vlan {
            None => {
                self.write_settings(&mut port_file, &host_name);
                self.write_addresses(&mut port_file);
            }
            Some(vlan) => {
                let number = vlan.number();
                // The port keeps what the box is found by; all else is in the VLAN.
                let (dhcp, announced) = if self.rescue_on_port { ("ipv4", "yes") } else { ("no", "no") };
                let _ = writeln!(port_file, "VLAN=vlan{number}\nDHCP={dhcp}\nIPv6AcceptRA={announced}");
                let device = format!("{HEAD}[NetDev]\nName=vlan{number}\nKind=vlan\n\n[VLAN]\nId={number}\n");
                files.insert(VLAN_DEVICE_FILE, device);
                let mut file = self.head(&format!("vlan{number}"));
                self.write_settings(&mut file, &host_name);
                self.write_addresses(&mut file);
                files.insert(VLAN_FILE, file);
            }
        }
        if let Some(address) = self.port.link_local {
            port_file += &format!("\n[Address]\nAddress={address}/16\nScope=link\nDuplicateAddressDetection=none\n");
        }
        files.insert(PORT_FILE, port_file);
        Plan { files, host_name, port: name.clone(), dot1x: self.config.dot1x.clone() }
    }

    /// What the box is found by, whatever else is wrong.
    fn head(&self, interface: &str) -> String {
        format!("{HEAD}[Match]\nName={interface}\n\n[Network]\nLinkLocalAddressing=ipv6\nMulticastDNS=yes\nLLMNR=no\n")
    }

    /// The rest of the section `[Network]`, and those that belong to DHCP.
    fn write_settings(&self, file: &mut String, host_name: &HostName) {
        let yes = |on: bool| if on { "yes" } else { "no" };
        let mut line = |text: String| *file += &(text + "\n");
        line(format!("DHCP={}", if self.dhcp { "ipv4" } else { "no" }));
        line(format!("IPv6AcceptRA={}", yes(self.router_advertisements)));
        for server in &self.config.dns {
            line(match server {
                IpAddr::V4(server) => format!("DNS={server}"),
                IpAddr::V6(server) => format!("DNS={server}"),
            });
        }
        for server in &self.config.ntp {
            line(format!("NTP={}", server.as_str()));
        }
        if self.dhcp {
            let (dns, ntp) = (yes(self.config.dns.is_empty()), yes(self.config.ntp.is_empty()));
            // By hardware address, as everyone else who boots from this port: reservations at the server hold.
            let _ = write!(
                file,
                "\n[DHCPv4]\nClientIdentifier=mac\nHostname={}\nUseHostname=no\nUseDNS={dns}\nUseNTP={ntp}\n",
                host_name.as_str()
            );
        }
    }

    fn write_addresses(&self, file: &mut String) {
        for address in &self.addresses {
            *file += &format!("\n[Address]\nAddress={address}\n");
            if !address.contains(':') {
                // netcfgd has probed; networkd 252 ends itself when it meets a conflict of its own finding.
                *file += "DuplicateAddressDetection=none\n";
            }
        }
        *file += &self.routes;
    }
}
