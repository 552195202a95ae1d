//! Who may connect: this machine, and the addresses and networks that an administrator has named.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use agent_core::localagent::control::MAX_ALLOWED;
use anyhow::{Result, bail};
use ipnet::IpNet;

/// The list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    networks: Vec<IpNet>,
}

impl Access {
    /// Reads a list of addresses and networks.
    pub fn parse(texts: &[String]) -> Result<Self> {
        if texts.len() > MAX_ALLOWED {
            bail!("{} addresses and networks are listed; {MAX_ALLOWED} are the most", texts.len());
        }
        let parse = |text: &String| -> Result<IpNet> {
            let text = text.trim();
            let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.or_else(|_| bail!("`{text}` is neither an address nor a network: write 192.0.2.7 or 192.0.2.0/24"))
        };
        Ok(Self { networks: texts.iter().map(parse).collect::<Result<_>>()? })
    }

    /// The list as it is written.
    pub fn texts(&self) -> Vec<String> {
        let is_single = |network: &IpNet| network.prefix_len() == network.max_prefix_len();
        self.networks.iter().map(|net| if is_single(net) { net.addr().to_string() } else { net.to_string() }).collect()
    }

    /// Whether a connection from `peer` to `own` may be served. Connections of this machine to itself always may.
    pub fn allows(&self, peer: IpAddr, own: IpAddr) -> bool {
        let (peer, own) = (peer.to_canonical(), own.to_canonical());
        peer.is_loopback() || peer == own || self.networks.iter().any(|network| network.contains(&peer))
    }

    /// Where to listen: as long as nobody else may connect, where nobody else can.
    pub fn address(&self) -> IpAddr {
        if self.networks.is_empty() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::UNSPECIFIED.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(texts: &[&str]) -> Result<Access> {
        Access::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn this_machine_and_the_listed_may_connect() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let own = ip("192.0.2.1");
        let nobody = access(&[]).unwrap();
        assert!(nobody.allows(ip("127.0.0.1"), own) && nobody.allows(ip("::ffff:192.0.2.1"), own));
        assert!(!nobody.allows(ip("192.0.2.2"), own));
        assert!(nobody.address().is_loopback());
        let some = access(&["192.0.2.0/28", " 198.51.100.7", "2001:db8::/64"]).unwrap();
        assert!(some.allows(ip("::ffff:192.0.2.9"), own) && some.allows(ip("198.51.100.7"), own));
        assert!(some.allows(ip("2001:db8::5"), own));
        assert!(!some.allows(ip("192.0.2.16"), own) && !some.allows(ip("198.51.100.8"), own));
        assert_eq!(some.texts(), ["192.0.2.0/28", "198.51.100.7", "2001:db8::/64"]);
        assert!(access(&["printer"]).unwrap_err().to_string().contains("`printer`"));
        assert!(access(&["10.0.0.0/8"; 100]).is_err());
    }
}
