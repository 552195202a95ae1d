//! A configuration laid out for systemd-networkd: the files that it reads, in full.
//!
//! Every layout gives the box its IPv4 and IPv6 link-local addresses and its mDNS name, so that it is found in every mode.

use std::fmt::Write as _;
use std::net::IpAddr;

use ipnet::Ipv4Net;

use crate::config::{Config, HostName, Ipv4, Ipv6, StaticIpv4, StaticIpv6};

/// The file that netcfgd owns. It sorts before the one of the image, which gives DHCP to a box whose netcfgd does not run.
pub const FILE_NAME: &str = "10-druckwart.network";
/// Routing table of an address that is being tried, and the priority of the rule that leads to it.
pub const TRIAL_TABLE: u32 = 5180;

/// A laid-out configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Content of the file [`FILE_NAME`].
    pub file: String,
    /// The name that the box takes.
    pub host_name: HostName,
}

/// The port that is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Name of the interface.
    pub name: String,
    /// Its hardware address.
    pub mac: [u8; 6],
}

impl Plan {
    /// One configuration and nothing beside it.
    pub fn settled(port: &Port, config: &Config) -> Self {
        Layout::of(port, config).plan()
    }

    /// A configuration that is tried beside the one in force: nothing of the latter goes away, and what comes from the new
    /// address leaves through the new gateway, so that the trial shows whether that works.
    pub fn trial(port: &Port, committed: &Config, candidate: &Config) -> Self {
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

    /// A configuration that did not come up as it should, with DHCP beside it.
    pub fn rescue(port: &Port, config: &Config) -> Self {
        let mut layout = Layout::of(port, config);
        layout.dhcp = true;
        layout.router_advertisements = true;
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
        let yes = |on: bool| if on { "yes" } else { "no" };
        let mut file = format!(
            "# Written by netcfgd from its committed configuration; changes here are lost.\n[Match]\nName={}\n\n[Network]\n",
            self.port.name
        );
        let mut line = |text: String| file += &(text + "\n");
        line(format!("DHCP={}", if self.dhcp { "ipv4" } else { "no" }));
        // The addresses and the name under which the box is found whatever else is wrong.
        line("LinkLocalAddressing=yes".to_owned());
        line("MulticastDNS=yes".to_owned());
        line("LLMNR=no".to_owned());
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
                "\n[DHCPv4]\nClientIdentifier=mac\nHostname={}\nUseDNS={dns}\nUseNTP={ntp}\n",
                host_name.as_str()
            );
        }
        for address in &self.addresses {
            file += &format!("\n[Address]\nAddress={address}\n");
            if !address.contains(':') {
                // netcfgd has probed; networkd 252 ends itself when it meets a conflict of its own finding.
                file += "DuplicateAddressDetection=none\n";
            }
        }
        file += &self.routes;
        Plan { file, host_name }
    }
}
