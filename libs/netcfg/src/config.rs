//! What a network configuration may be. A [`Config`] that exists is valid; it is made from a [`Form`], as a person or a file
//! has it, and what is wrong with one is said field by field in codes that a page can translate.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr as _;

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::dot1x::Dot1x;
use crate::secret::Secret;

/// Most name servers or time servers: systemd-resolved does not ask more.
const MOST_SERVERS: usize = 4;
/// Longest text of a field that is worth reading.
const LONGEST_FIELD: usize = 300;

/// How the box is attached to its network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where its IPv4 address comes from.
    pub ipv4: Ipv4,
    /// Where its IPv6 addresses come from, beside the link-local one, which it always has.
    pub ipv6: Ipv6,
    /// Name servers; with DHCP they stand in place of those that the lease names.
    pub dns: Vec<IpAddr>,
    /// Time servers; with DHCP they stand in place of those that the lease names.
    pub ntp: Vec<Host>,
    /// The box's name; without one it is called after its hardware address.
    pub host_name: Option<HostName>,
    /// The VLAN in which it has its addresses; without one they are on the port itself.
    pub vlan: Option<Vlan>,
    /// Who it is to a port that asks.
    pub dot1x: Option<Dot1x>,
}

impl Config {
    /// What a box has that nobody has configured.
    pub fn factory() -> Self {
        Self {
            ipv4: Ipv4::Dhcp,
            ipv6: Ipv6::Auto,
            dns: Vec::new(),
            ntp: Vec::new(),
            host_name: None,
            vlan: None,
            dot1x: None,
        }
    }

    /// Whether the box is reached in the same way with either: then a change from one to the other can lock nobody out.
    pub fn is_reached_like(&self, other: &Self) -> bool {
        self.ipv4 == other.ipv4 && self.ipv6 == other.ipv6 && self.is_attached_like(other)
    }

    /// Whether the box is on the same cable in the same way. Then the addresses of both can be had at once.
    pub fn is_attached_like(&self, other: &Self) -> bool {
        self.vlan == other.vlan && self.dot1x == other.dot1x
    }
}

/// The number of a VLAN (IEEE 802.1Q).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Vlan(u16);

impl Vlan {
    /// The VLAN, if there can be one of this number.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().and_then(Self::new)
    }

    /// The same.
    pub fn new(number: u16) -> Option<Self> {
        (1..=4094).contains(&number).then_some(Self(number))
    }

    /// Its number.
    pub fn number(self) -> u16 {
        self.0
    }
}

/// Where the IPv4 address comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ipv4 {
    /// From a DHCP server.
    Dhcp,
    /// From a person.
    Static(StaticIpv4),
}

/// A fixed IPv4 address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticIpv4 {
    /// Address and prefix: a host of its subnet.
    pub address: Ipv4Net,
    /// The way out; another host of the same subnet.
    pub gateway: Option<Ipv4Addr>,
}

/// Where IPv6 addresses come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ipv6 {
    /// From what routers announce.
    Auto,
    /// Nothing but the link-local address.
    Off,
    /// From a person.
    Static(StaticIpv6),
}

/// A fixed IPv6 address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticIpv6 {
    /// Address and prefix.
    pub address: Ipv6Net,
    /// The way out.
    pub gateway: Option<Ipv6Addr>,
}

/// The name of a machine: one label of letters, digits and hyphens, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// The name, if it may be one.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let only_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        (text.len() <= 63 && is_label(&text) && !only_digits).then_some(Self(text))
    }

    /// The name of a box that nobody has named: the end of its hardware address makes it unique on its network.
    pub fn of_hardware(mac: [u8; 6]) -> Self {
        let [_, _, _, a, b, c] = mac;
        Self(format!("druckwart-{a:02x}{b:02x}{c:02x}"))
    }

    /// Its letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An address or a name under which a server is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(String);

impl Host {
    /// The host, if it may be one.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = IpAddr::from_str(text) {
            return is_server(address).then(|| Self(address.to_string()));
        }
        let text = text.to_ascii_lowercase();
        // What ends in a number was meant to be an address.
        let last_is_number =
            text.rsplit('.').next().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
        let good = text.len() <= 253 && text.split('.').all(is_label) && !last_is_number;
        good.then_some(Self(text))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A configuration as a person types it. Empty means not given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Form {
    /// `dhcp` or `static`.
    pub mode: String,
    /// IPv4 address, with or without its prefix.
    pub address: String,
    /// Prefix or netmask, where the address has none.
    pub prefix: String,
    /// IPv4 gateway.
    pub gateway: String,
    /// Name servers, apart by blanks or commas.
    pub dns: String,
    /// Name of the machine.
    pub host_name: String,
    /// Time servers, apart by blanks or commas.
    pub ntp: String,
    /// `auto`, `static` or `off`.
    pub ipv6: String,
    /// IPv6 address with its prefix.
    pub ipv6_address: String,
    /// IPv6 gateway.
    pub ipv6_gateway: String,
    /// Number of the VLAN.
    pub vlan: String,
    /// 802.1X: `off`, `peap` or `tls`.
    pub dot1x: String,
    /// The name that the box gives.
    pub dot1x_identity: String,
    /// The name that it gives where everyone can read it.
    pub dot1x_anonymous: String,
    /// Its password.
    pub dot1x_password: Secret,
    /// Certificates of the authority, in PEM.
    pub dot1x_authority: String,
    /// The name of the network's server.
    pub dot1x_server: String,
    /// The box's certificate, in PEM.
    pub dot1x_certificate: String,
    /// Its private key, in PEM.
    pub dot1x_key: Secret,
    /// What the key is encrypted with.
    pub dot1x_key_password: Secret,
}

/// A field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "they are the fields of Form")]
pub enum Field {
    Mode,
    Address,
    Prefix,
    Gateway,
    Dns,
    HostName,
    Ntp,
    Ipv6,
    Ipv6Address,
    Ipv6Gateway,
    Vlan,
    Dot1x,
    Dot1xIdentity,
    Dot1xAnonymous,
    Dot1xPassword,
    Dot1xAuthority,
    Dot1xServer,
    Dot1xCertificate,
    Dot1xKey,
    Dot1xKeyPassword,
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It has to be given.
    Missing,
    /// It is none of the words that may stand there.
    UnknownWord,
    /// It is no address of the kind that is wanted.
    NotAnAddress,
    /// It is neither a prefix nor a netmask, or one that leaves no room for hosts.
    NotAPrefix,
    /// Prefix and address disagree about the prefix.
    TwoPrefixes,
    /// It is an address that no host can have: loopback, multicast, reserved.
    NotForHosts,
    /// It is in the range that machines give themselves.
    LinkLocal,
    /// It is the subnet itself.
    IsTheSubnet,
    /// It is the broadcast address of the subnet.
    IsTheBroadcast,
    /// The gateway is not in the subnet of the address.
    OutsideTheSubnet,
    /// The gateway is the address of the box itself.
    IsTheBox,
    /// It is no name that a machine can have.
    NotAName,
    /// There are more than can be used.
    TooMany,
    /// It is no number of a VLAN.
    NotAVlan,
    /// It is longer than it can be, or has characters that no keyboard types.
    TooLong,
    /// It is no certificate in PEM.
    NotACertificate,
    /// It is no private key in PEM.
    NotAKey,
}

/// A field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Which field.
    pub field: Field,
    /// What is wrong.
    pub fault: Fault,
    /// What stands there, or the part of it that is wrong.
    pub value: String,
}

/// For files and logs; pages have words of their own.
impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = match self.field {
            Field::Mode => "mode",
            Field::Address => "address",
            Field::Prefix => "prefix",
            Field::Gateway => "gateway",
            Field::Dns => "dns",
            Field::HostName => "host_name",
            Field::Ntp => "ntp",
            Field::Ipv6 => "ipv6",
            Field::Ipv6Address => "ipv6_address",
            Field::Ipv6Gateway => "ipv6_gateway",
            Field::Vlan => "vlan",
            Field::Dot1x => "dot1x",
            Field::Dot1xIdentity => "dot1x_identity",
            Field::Dot1xAnonymous => "dot1x_anonymous",
            Field::Dot1xPassword => "dot1x_password",
            Field::Dot1xAuthority => "dot1x_authority",
            Field::Dot1xServer => "dot1x_server",
            Field::Dot1xCertificate => "dot1x_certificate",
            Field::Dot1xKey => "dot1x_key",
            Field::Dot1xKeyPassword => "dot1x_key_password",
        };
        let fault = match self.fault {
            Fault::Missing => return write!(f, "{field} is missing"),
            Fault::UnknownWord => "is none of the words that may stand there",
            Fault::NotAnAddress => "is no such address",
            Fault::NotAPrefix => "is no prefix from 1 to 30 and no netmask",
            Fault::TwoPrefixes => "is another prefix than the address has",
            Fault::NotForHosts => "is an address that no host can have",
            Fault::LinkLocal => "is of the range that machines give themselves",
            Fault::IsTheSubnet => "is the subnet and not a host in it",
            Fault::IsTheBroadcast => "is the broadcast address of its subnet",
            Fault::OutsideTheSubnet => "is not in the subnet of the address",
            Fault::IsTheBox => "is the address of the box itself",
            Fault::NotAName => "is no name that a machine can have",
            Fault::TooMany => "is one too many",
            Fault::NotAVlan => "is no number from 1 to 4094",
            Fault::TooLong => "is too long, or has characters that cannot be typed",
            Fault::NotACertificate => return write!(f, "{field} is no certificate in PEM"),
            Fault::NotAKey => return write!(f, "{field} is no private key in PEM"),
        };
        write!(f, "{field}: `{}` {fault}", self.value)
    }
}

impl std::error::Error for FieldError {}

impl Form {
    /// The configuration that the form describes, or everything that is wrong with it.
    pub fn parse(&self) -> Result<Config, Vec<FieldError>> {
        let mut faults = Faults(Vec::new());
        let ipv4 = match self.mode.trim() {
            "dhcp" => Some(Ipv4::Dhcp),
            "static" => self.static_ipv4(&mut faults).map(Ipv4::Static),
            other => faults.add(Field::Mode, word_fault(other), other),
        };
        let ipv6 = match self.ipv6.trim() {
            "" | "auto" => Some(Ipv6::Auto),
            "off" => Some(Ipv6::Off),
            "static" => self.static_ipv6(&mut faults).map(Ipv6::Static),
            other => faults.add(Field::Ipv6, Fault::UnknownWord, other),
        };
        let dns = servers(Field::Dns, &self.dns, &mut faults, |text| match IpAddr::from_str(text) {
            Ok(address) if is_server(address) => Ok(address),
            Ok(_) => Err(Fault::NotForHosts),
            Err(_) => Err(Fault::NotAnAddress),
        });
        let ntp = servers(Field::Ntp, &self.ntp, &mut faults, |text| Host::parse(text).ok_or(Fault::NotAName));
        let host_name = match self.host_name.trim() {
            "" => None,
            text => HostName::parse(text).or_else(|| faults.add(Field::HostName, Fault::NotAName, text)),
        };
        let vlan = match self.vlan.trim() {
            "" => None,
            text => Vlan::parse(text).or_else(|| faults.add(Field::Vlan, Fault::NotAVlan, text)),
        };
        let dot1x = match self.dot1x.trim() {
            "" | "off" => None,
            _ => Dot1x::of_form(self, &mut faults),
        };
        match (ipv4, ipv6) {
            (Some(ipv4), Some(ipv6)) if faults.0.is_empty() => {
                Ok(Config { ipv4, ipv6, dns, ntp, host_name, vlan, dot1x })
            }
            _ => Err(faults.0),
        }
    }

    /// Puts the secrets of another form where this one has none, if both are about the same log-in: secrets are not shown, so
    /// nobody can send them back.
    pub fn keep_secrets_of(&mut self, other: &Self) {
        if (&self.dot1x, self.dot1x_identity.trim()) != (&other.dot1x, other.dot1x_identity.trim()) {
            return;
        }
        if self.dot1x_password.is_empty() {
            self.dot1x_password = other.dot1x_password.clone();
        }
        if self.dot1x_key.is_empty() {
            self.dot1x_key = other.dot1x_key.clone();
            self.dot1x_key_password = other.dot1x_key_password.clone();
        }
    }

    /// The form as it may be shown.
    #[must_use]
    pub fn without_secrets(self) -> Self {
        Self {
            dot1x_password: Secret::default(),
            dot1x_key: Secret::default(),
            dot1x_key_password: Secret::default(),
            ..self
        }
    }

    /// The form as a log keeps it.
    #[must_use]
    pub fn for_log(self) -> Self {
        Self { dot1x_authority: String::new(), dot1x_certificate: String::new(), ..self.without_secrets() }
    }

    fn static_ipv4(&self, faults: &mut Faults) -> Option<StaticIpv4> {
        let typed = self.address.trim();
        let (text, behind) = match typed.split_once('/') {
            Some((text, behind)) => (text.trim(), Some(behind.trim())),
            None => (typed, None),
        };
        let given = Some(self.prefix.trim().trim_start_matches('/')).filter(|prefix| !prefix.is_empty());
        let address = match Ipv4Addr::from_str(text) {
            _ if text.is_empty() => faults.add(Field::Address, Fault::Missing, ""),
            Ok(address) => Some(address),
            Err(_) => faults.add(Field::Address, Fault::NotAnAddress, typed),
        };
        let prefix = match (behind, given) {
            (None, None) => faults.add(Field::Prefix, Fault::Missing, ""),
            (Some(one), Some(other)) if parse_prefix(one) != parse_prefix(other) => {
                faults.add(Field::Prefix, Fault::TwoPrefixes, other)
            }
            (Some(text), _) => parse_prefix(text).or_else(|| faults.add(Field::Address, Fault::NotAPrefix, text)),
            (None, Some(text)) => parse_prefix(text).or_else(|| faults.add(Field::Prefix, Fault::NotAPrefix, text)),
        };
        let subnet = Ipv4Net::new(address?, prefix?).ok()?;
        if let Some(fault) = host_fault(subnet.addr(), subnet) {
            return faults.add(Field::Address, fault, text);
        }
        let gateway = match self.gateway.trim() {
            "" => None,
            text => Some(gateway_in(subnet, text, faults)?),
        };
        Some(StaticIpv4 { address: subnet, gateway })
    }

    fn static_ipv6(&self, faults: &mut Faults) -> Option<StaticIpv6> {
        let typed = self.ipv6_address.trim();
        let address = match Ipv6Net::from_str(typed) {
            _ if typed.is_empty() => return faults.add(Field::Ipv6Address, Fault::Missing, ""),
            Ok(address) if (1..=127).contains(&address.prefix_len()) => address,
            Ok(_) => return faults.add(Field::Ipv6Address, Fault::NotAPrefix, typed),
            Err(_) if Ipv6Addr::from_str(typed).is_ok() => {
                return faults.add(Field::Ipv6Address, Fault::NotAPrefix, typed);
            }
            Err(_) => return faults.add(Field::Ipv6Address, Fault::NotAnAddress, typed),
        };
        let host = address.addr();
        if host.is_unicast_link_local() {
            return faults.add(Field::Ipv6Address, Fault::LinkLocal, typed);
        }
        if host.is_unspecified() || host.is_loopback() || host.is_multicast() || host.to_ipv4_mapped().is_some() {
            return faults.add(Field::Ipv6Address, Fault::NotForHosts, typed);
        }
        let gateway = match self.ipv6_gateway.trim() {
            "" => None,
            text => match Ipv6Addr::from_str(text) {
                Ok(gateway) if gateway == host => return faults.add(Field::Ipv6Gateway, Fault::IsTheBox, text),
                Ok(gateway) if gateway.is_unicast_link_local() || address.contains(&gateway) => Some(gateway),
                Ok(_) => return faults.add(Field::Ipv6Gateway, Fault::OutsideTheSubnet, text),
                Err(_) => return faults.add(Field::Ipv6Gateway, Fault::NotAnAddress, text),
            },
        };
        Some(StaticIpv6 { address, gateway })
    }
}

impl From<&Config> for Form {
    fn from(config: &Config) -> Self {
        let mut form = Self {
            mode: "dhcp".to_owned(),
            ipv6: "auto".to_owned(),
            dns: joined(config.dns.iter().map(ToString::to_string)),
            ntp: joined(config.ntp.iter().map(|host| host.as_str().to_owned())),
            host_name: config.host_name.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default(),
            ..Self::default()
        };
        form.vlan = config.vlan.map(|vlan| vlan.number().to_string()).unwrap_or_default();
        form.dot1x = "off".to_owned();
        if let Some(dot1x) = &config.dot1x {
            dot1x.fill_in(&mut form);
        }
        if let Ipv4::Static(StaticIpv4 { address, gateway }) = &config.ipv4 {
            form.mode = "static".to_owned();
            form.address = address.addr().to_string();
            form.prefix = address.prefix_len().to_string();
            form.gateway = gateway.map(|gateway| gateway.to_string()).unwrap_or_default();
        }
        match &config.ipv6 {
            Ipv6::Auto => {}
            Ipv6::Off => form.ipv6 = "off".to_owned(),
            Ipv6::Static(StaticIpv6 { address, gateway }) => {
                form.ipv6 = "static".to_owned();
                form.ipv6_address = address.to_string();
                form.ipv6_gateway = gateway.map(|gateway| gateway.to_string()).unwrap_or_default();
            }
        }
        form
    }
}

fn joined(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

/// What is wrong, so far.
pub(crate) struct Faults(Vec<FieldError>);

impl Faults {
    /// Notes a fault, and is nothing in place of the value.
    pub(crate) fn add<T>(&mut self, field: Field, fault: Fault, value: &str) -> Option<T> {
        let value = value.chars().take(LONGEST_FIELD).collect();
        self.0.push(FieldError { field, fault, value });
        None
    }
}

fn word_fault(word: &str) -> Fault {
    if word.is_empty() { Fault::Missing } else { Fault::UnknownWord }
}

fn servers<T>(field: Field, typed: &str, faults: &mut Faults, parse: impl Fn(&str) -> Result<T, Fault>) -> Vec<T> {
    let mut found = Vec::new();
    let words = typed.split([' ', ',', ';', '\n', '\r', '\t']).filter(|word| !word.is_empty());
    for word in words.take(MOST_SERVERS + 1) {
        match parse(word) {
            _ if found.len() == MOST_SERVERS => drop(faults.add::<T>(field, Fault::TooMany, word)),
            Ok(server) => found.push(server),
            Err(fault) => drop(faults.add::<T>(field, fault, word)),
        }
    }
    found
}

/// A prefix length, or a netmask such as 255.255.255.0. Longer than 30 leaves no two hosts beside network and broadcast.
fn parse_prefix(text: &str) -> Option<u8> {
    let length = match Ipv4Addr::from_str(text) {
        Ok(mask) => ipnet::ipv4_mask_to_prefix(mask).ok()?,
        Err(_) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok()?,
        Err(_) => return None,
    };
    (1..=30).contains(&length).then_some(length)
}

/// Why an address cannot be a host of the subnet.
fn host_fault(address: Ipv4Addr, subnet: Ipv4Net) -> Option<Fault> {
    let [first, ..] = address.octets();
    match address {
        _ if address.is_link_local() => Some(Fault::LinkLocal),
        _ if first == 0 || first >= 224 || address.is_loopback() => Some(Fault::NotForHosts),
        _ if address == subnet.network() => Some(Fault::IsTheSubnet),
        _ if address == subnet.broadcast() => Some(Fault::IsTheBroadcast),
        _ => None,
    }
}

fn gateway_in(subnet: Ipv4Net, text: &str, faults: &mut Faults) -> Option<Ipv4Addr> {
    let Ok(gateway) = Ipv4Addr::from_str(text) else { return faults.add(Field::Gateway, Fault::NotAnAddress, text) };
    if gateway == subnet.addr() {
        return faults.add(Field::Gateway, Fault::IsTheBox, text);
    }
    if !subnet.contains(&gateway) {
        return faults.add(Field::Gateway, Fault::OutsideTheSubnet, text);
    }
    match host_fault(gateway, subnet) {
        Some(fault) => faults.add(Field::Gateway, fault, text),
        None => Some(gateway),
    }
}

fn is_server(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, ..] = address.octets();
            first != 0 && first < 224
        }
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(address: &str, prefix: &str, gateway: &str) -> Form {
        let word = str::to_owned;
        Form {
            mode: word("static"),
            address: word(address),
            prefix: word(prefix),
            gateway: word(gateway),
            ..Form::default()
        }
    }

    fn faults(form: &Form) -> Vec<(Field, Fault)> {
        form.parse().unwrap_err().into_iter().map(|error| (error.field, error.fault)).collect()
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (address, prefix) in [
            ("192.168.1.20/24", ""),
            (" 192.168.1.20 ", "24"),
            ("192.168.1.20", "/24"),
            ("192.168.1.20", "255.255.255.0"),
            ("192.168.1.20/255.255.255.0", "24"),
        ] {
            let config = form(address, prefix, "192.168.1.1").parse().unwrap();
            let Ipv4::Static(fixed) = &config.ipv4 else { panic!("{config:?}") };
            assert_eq!(
                (fixed.address.to_string().as_str(), fixed.gateway.unwrap().to_string().as_str()),
                ("192.168.1.20/24", "192.168.1.1")
            );
            assert_eq!(Form::from(&config).parse().unwrap(), config, "a configuration is its form's");
        }
    }

    #[test]
    fn every_fault_is_named_at_its_field() {
        use Fault::*;
        use Field::*;
        for (address, prefix, gateway, field, fault) in [
            ("", "24", "", Address, Missing),
            ("192.168.1.20", "", "", Prefix, Missing),
            ("192.168.1", "24", "", Address, NotAnAddress),
            ("192.168.1.256", "24", "", Address, NotAnAddress),
            ("192.168.1.020", "24", "", Address, NotAnAddress),
            ("fd00::1", "24", "", Address, NotAnAddress),
            ("192.168.1.20", "0", "", Prefix, NotAPrefix),
            ("192.168.1.20", "31", "", Prefix, NotAPrefix),
            ("192.168.1.20", "33", "", Prefix, NotAPrefix),
            ("192.168.1.20", "255.0.255.0", "", Prefix, NotAPrefix),
            ("192.168.1.20/x", "", "", Address, NotAPrefix),
            ("192.168.1.20/16", "24", "", Prefix, TwoPrefixes),
            ("127.0.0.5", "8", "", Address, NotForHosts),
            ("0.1.2.3", "8", "", Address, NotForHosts),
            ("224.0.0.251", "24", "", Address, NotForHosts),
            ("255.255.255.255", "24", "", Address, NotForHosts),
            ("169.254.7.7", "16", "", Address, LinkLocal),
            ("192.168.1.0", "24", "", Address, IsTheSubnet),
            ("192.168.1.255", "24", "", Address, IsTheBroadcast),
            ("192.168.1.20", "24", "192.168.2.1", Gateway, OutsideTheSubnet),
            ("192.168.1.20", "24", "192.168.1.20", Gateway, IsTheBox),
            ("192.168.1.20", "24", "192.168.1.0", Gateway, IsTheSubnet),
            ("192.168.1.20", "24", "192.168.1.255", Gateway, IsTheBroadcast),
            ("192.168.1.20", "24", "router", Gateway, NotAnAddress),
        ] {
            assert_eq!(faults(&form(address, prefix, gateway)), [(field, fault)], "{address} {prefix} {gateway}");
        }
        let several = Form { dns: "8.8.8.8 x 224.0.0.1".into(), host_name: "-a".into(), ..form("", "", "") };
        assert_eq!(
            faults(&several),
            [(Address, Missing), (Prefix, Missing), (Dns, NotAnAddress), (Dns, NotForHosts), (HostName, NotAName)]
        );
    }

    #[test]
    fn names_and_servers_have_bounds() {
        let dhcp = || Form { mode: "dhcp".into(), ..Form::default() };
        assert_eq!(dhcp().parse().unwrap(), Config::factory());
        let named =
            Form { host_name: "Box-7".into(), ntp: "ptbtime1.ptb.de, 192.0.2.1".into(), ..dhcp() }.parse().unwrap();
        assert_eq!(named.host_name.unwrap().as_str(), "box-7");
        assert_eq!(named.ntp.len(), 2);
        for name in ["a.b", "a b", "a_b", "7", "ä", "x\n[Route]", &"x".repeat(64)] {
            assert_eq!(
                faults(&Form { host_name: name.into(), ..dhcp() }),
                [(Field::HostName, Fault::NotAName)],
                "{name}"
            );
        }
        for server in ["1.2.3", "a..b", "-x", "300.1.1.1", "a;b"] {
            assert!(Form { ntp: server.replace(';', "="), ..dhcp() }.parse().is_err(), "{server}");
        }
        assert_eq!(
            faults(&Form { dns: "1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6".into(), ..dhcp() }),
            [(Field::Dns, Fault::TooMany)]
        );
        assert_eq!(faults(&Form { mode: "manual".into(), ..Form::default() }), [(Field::Mode, Fault::UnknownWord)]);
        for vlan in ["0", "4095", "-1", "x", "1.5"] {
            assert_eq!(faults(&Form { vlan: vlan.into(), ..dhcp() }), [(Field::Vlan, Fault::NotAVlan)], "{vlan}");
        }
        assert_eq!(Form { vlan: " 7 ".into(), ..dhcp() }.parse().unwrap().vlan, Vlan::new(7));
        assert_eq!(faults(&Form { ipv6: "on".into(), ..dhcp() }), [(Field::Ipv6, Fault::UnknownWord)]);
    }

    #[test]
    fn fixed_ipv6_addresses_are_checked() {
        let check = |address: &str, gateway: &str| {
            Form {
                mode: "dhcp".into(),
                ipv6: "static".into(),
                ipv6_address: address.into(),
                ipv6_gateway: gateway.into(),
                ..Form::default()
            }
            .parse()
            .map_err(|faults| faults.first().unwrap().fault)
        };
        let config = check("2001:db8::5/64", "fe80::1").unwrap();
        assert_eq!(Form::from(&config).parse().unwrap(), config);
        assert_eq!(check("", ""), Err(Fault::Missing));
        assert_eq!(check("2001:db8::5", ""), Err(Fault::NotAPrefix));
        assert_eq!(check("2001:db8::5/0", ""), Err(Fault::NotAPrefix));
        assert_eq!(check("fe80::5/64", ""), Err(Fault::LinkLocal));
        assert_eq!(check("ff02::1/64", ""), Err(Fault::NotForHosts));
        assert_eq!(check("::ffff:10.0.0.1/96", ""), Err(Fault::NotForHosts));
        assert_eq!(check("2001:db8::5/64", "2001:db8:1::1"), Err(Fault::OutsideTheSubnet));
        assert_eq!(check("2001:db8::5/64", "2001:db8::5"), Err(Fault::IsTheBox));
    }
}
