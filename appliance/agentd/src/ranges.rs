//! Ranges as technicians write them, turned into addresses: networks, spans, host names, and the box's own subnets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use agent_core::discover::{AddressRange, AddressSet, RangeError};
use anyhow::{Context, Result, bail};

use crate::search;

/// The word for the subnets that this machine is attached to.
pub const OWN_SUBNETS: &str = "own-subnets";

/// One range, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Range {
    /// Addresses.
    Addresses(AddressRange),
    /// A name to be resolved at the time of the search.
    Host(String),
    /// The subnets of this machine at the time of the search.
    OwnSubnets,
}

impl Range {
    /// Reads one range.
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        let text = text.trim();
        if text == OWN_SUBNETS {
            return Ok(Self::OwnSubnets);
        }
        match AddressRange::parse(text) {
            Ok(range) => Ok(Self::Addresses(range)),
            Err(RangeError::Form(_)) if is_host_name(text) => Ok(Self::Host(text.to_owned())),
            Err(error) => Err(error),
        }
    }

    /// Reads several, separated by commas or white space.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, RangeError> {
        text.split([',', ';', '\n']).map(str::trim).filter(|part| !part.is_empty()).map(Self::parse).collect()
    }

    /// The addresses meant at this moment.
    pub async fn resolve(&self) -> Result<Vec<AddressRange>> {
        match self {
            Self::Addresses(range) => Ok(vec![*range]),
            Self::Host(name) => {
                let address = resolve(name).await?;
                Ok(vec![AddressRange::parse(&address.to_string())?])
            }
            Self::OwnSubnets => {
                search::own_subnets()?.iter().map(|network| Ok(AddressRange::parse(&network.to_string())?)).collect()
            }
        }
    }
}

/// The addresses of all ranges without the exclusions.
pub async fn address_set(included: &[Range], excluded: &[Range]) -> Result<AddressSet> {
    let mut sets = [Vec::new(), Vec::new()];
    for (set, ranges) in sets.iter_mut().zip([included, excluded]) {
        for range in ranges {
            set.extend(range.resolve().await?);
        }
    }
    let [included, excluded] = sets;
    Ok(AddressSet::new(&included, &excluded)?)
}

/// The IPv4 address of a name or an address.
pub async fn resolve(host: &str) -> Result<Ipv4Addr> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return match address {
            IpAddr::V4(address) => Ok(address),
            IpAddr::V6(_) => bail!("{host} is an IPv6 address: give the device's IPv4 address"),
        };
    }
    let found =
        tokio::net::lookup_host((host, 0)).await.with_context(|| format!("the name {host} does not resolve"))?;
    let mut addresses = found.filter_map(|address| match address {
        SocketAddr::V4(address) => Some(*address.ip()),
        SocketAddr::V6(_) => None,
    });
    addresses.next().with_context(|| format!("the name {host} has no IPv4 address"))
}

/// Whether a text can be a host name (RFC 1123) and is no failed attempt at an address.
fn is_host_name(text: &str) -> bool {
    let labels = || text.trim_end_matches('.').split('.');
    let label_fits = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253
        && labels().all(label_fits)
        && labels().next_back().is_some_and(|label| label.bytes().any(|byte| byte.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        assert_eq!(Range::parse("printer-3.example").unwrap(), Range::Host("printer-3.example".to_owned()));
        assert_eq!(Range::parse("own-subnets").unwrap(), Range::OwnSubnets);
        assert!(matches!(Range::parse("192.0.2.0/24"), Ok(Range::Addresses(_))));
        for text in ["192.0.2", "192.0.2.256", "192.0.2.0/99", "-printer", "a b", "", "2001:db8::1"] {
            assert!(Range::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_take_commas_and_lines() {
        assert_eq!(Range::parse_list("192.0.2.1, 192.0.2.2\n\n192.0.2.3;").unwrap().len(), 3);
        assert!(Range::parse_list("192.0.2.1, nonsense!").unwrap_err().to_string().contains("nonsense!"));
    }
}
