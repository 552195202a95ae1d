//! How addresses are reached: this machine itself, a neighbour on an attached network, or through a router.
//!
//! Reads Linux's text tables of routes and neighbours; whoever has the files passes their text in.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::arp::Mac;

/// Most lines taken from a table.
const MAX_LINES: usize = 65_536;

/// A network interface of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's number for it.
    pub index: u32,
    /// Its name, which is what the table of routes has.
    pub name: String,
    /// Its card, where ARP is spoken: neither on loopback nor on point-to-point links.
    pub mac: Option<Mac>,
    /// Its IPv4 addresses with their networks.
    pub addresses: Vec<Ipv4Net>,
}

/// How an address is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It is this machine's own.
    Own,
    /// It would be a neighbour on this interface, found by ARP.
    Attached {
        /// The kernel's number for the interface.
        interface: u32,
        /// The interface's card.
        mac: Mac,
        /// The address to ask from.
        source: Ipv4Addr,
    },
    /// Through a router, a point-to-point link, or in a way that the tables do not tell.
    Routed,
}

#[derive(Debug, Clone)]
struct Route {
    network: Ipv4Net,
    metric: u32,
    reach: Reach,
}

/// The routes of this machine at one moment.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    own: Vec<Ipv4Addr>,
    /// Narrow networks first, of the same width the lower metric.
    routes: Vec<Route>,
}

impl Routes {
    /// From the text of `/proc/net/route` and the interfaces. Lines that make no sense are passed over.
    pub fn new(table: &str, interfaces: &[Interface]) -> Self {
        let own = interfaces.iter().flat_map(|interface| interface.addresses.iter().map(Ipv4Net::addr)).collect();
        let mut routes: Vec<Route> =
            table.lines().skip(1).take(MAX_LINES).filter_map(|line| route(line, interfaces)).collect();
        routes.sort_by_key(|route| (u8::MAX - route.network.prefix_len(), route.metric));
        Self { own, routes }
    }

    /// How an address is reached.
    pub fn reach(&self, address: Ipv4Addr) -> Reach {
        if address.is_loopback() || self.own.contains(&address) {
            return Reach::Own;
        }
        let route = self.routes.iter().find(|route| route.network.contains(&address));
        route.map_or(Reach::Routed, |route| route.reach)
    }

    /// The attached networks on which ARP is spoken.
    pub fn attached(&self) -> impl Iterator<Item = (Ipv4Net, u32)> {
        self.routes.iter().filter_map(|route| match route.reach {
            Reach::Attached { interface, .. } => Some((route.network, interface)),
            _ => None,
        })
    }
}

/// One line: interface, destination, gateway, flags, reference count, use, metric, mask; addresses in the machine's byte
/// order, which is why they are read as the octets of a native number.
fn route(line: &str, interfaces: &[Interface]) -> Option<Route> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let address = |word: &str| Some(Ipv4Addr::from(u32::from_str_radix(word, 16).ok()?.to_ne_bytes()));
    let destination = address(words.next()?)?;
    let gateway = address(words.next()?)?;
    let flags = u16::from_str_radix(words.next()?, 16).ok()?;
    let metric = words.nth(2)?.parse().ok()?;
    let mask = address(words.next()?)?;
    const UP: u16 = 1;
    const REJECT: u16 = 0x200;
    if flags & UP == 0 || flags & REJECT != 0 {
        return None;
    }
    let network = Ipv4Net::with_netmask(destination, mask).ok()?.trunc();
    let interface = interfaces.iter().find(|interface| interface.name == name);
    let attached = gateway.is_unspecified().then_some(interface).flatten().and_then(|interface| {
        let fitting = interface.addresses.iter().find(|own| network.contains(&own.addr()));
        let source = fitting.or(interface.addresses.first())?.addr();
        Some(Reach::Attached { interface: interface.index, mac: interface.mac?, source })
    });
    Some(Route { network, metric, reach: attached.unwrap_or(Reach::Routed) })
}

/// The neighbours that the kernel has found, from the text of `/proc/net/arp`.
pub fn neighbours(table: &str) -> impl Iterator<Item = (Ipv4Addr, Mac)> {
    table.lines().skip(1).take(MAX_LINES).filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = words.next()?.parse().ok()?;
        let flags = u32::from_str_radix(words.nth(1)?.trim_start_matches("0x"), 16).ok()?;
        let mac = Mac::parse(words.next()?)?;
        const COMPLETE: u32 = 2;
        (flags & COMPLETE != 0 && mac.is_of_one()).then_some((address, mac))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWN: Mac = Mac([2, 0, 0, 0, 0, 1]);

    /// A line as this machine's kernel would write it.
    fn line(interface: &str, destination: [u8; 4], gateway: [u8; 4], metric: u32, mask: [u8; 4]) -> String {
        let hex = |octets: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(octets));
        format!("{interface}\t{}\t{}\t0003\t0\t0\t{metric}\t{}\t0\t0\t0\n", hex(destination), hex(gateway), hex(mask))
    }

    fn machine() -> Routes {
        let interface = |index, name: &str, mac, address: &str| Interface {
            index,
            name: name.to_owned(),
            mac,
            addresses: vec![address.parse().unwrap()],
        };
        let interfaces = [
            interface(1, "lo", None, "127.0.0.1/8"),
            interface(2, "eth0", Some(OWN), "10.1.0.5/16"),
            interface(3, "eth0.20", Some(OWN), "10.20.0.5/24"),
            interface(4, "tun0", None, "10.99.0.1/24"),
        ];
        let mut table = String::from("Iface\tDestination\tGateway\n");
        table += &line("eth0", [0, 0, 0, 0], [10, 1, 0, 1], 100, [0, 0, 0, 0]);
        table += &line("eth0", [10, 1, 0, 0], [0, 0, 0, 0], 100, [255, 255, 0, 0]);
        table += &line("eth0", [10, 1, 7, 0], [10, 1, 0, 9], 100, [255, 255, 255, 0]);
        table += &line("eth0.20", [10, 20, 0, 0], [0, 0, 0, 0], 100, [255, 255, 255, 0]);
        table += &line("tun0", [10, 99, 0, 0], [0, 0, 0, 0], 100, [255, 255, 255, 0]);
        table += "rubbish\neth0\tzz\n";
        Routes::new(&table, &interfaces)
    }

    #[test]
    fn the_narrowest_route_decides() {
        let routes = machine();
        let reach = |address: [u8; 4]| routes.reach(address.into());
        assert_eq!(reach([10, 1, 3, 4]), Reach::Attached { interface: 2, mac: OWN, source: [10, 1, 0, 5].into() });
        assert_eq!(reach([10, 1, 7, 4]), Reach::Routed, "a router in the middle of the attached network");
        assert!(matches!(reach([10, 20, 0, 9]), Reach::Attached { interface: 3, .. }), "a VLAN is an interface");
        assert_eq!(reach([10, 99, 0, 2]), Reach::Routed, "no ARP on a point-to-point link");
        assert_eq!(reach([192, 0, 2, 1]), Reach::Routed);
        assert_eq!(reach([127, 3, 4, 5]), Reach::Own);
        assert_eq!(reach([10, 1, 0, 5]), Reach::Own);
        assert_eq!(routes.attached().count(), 2);
    }

    #[test]
    fn only_neighbours_that_answered_count() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
            192.0.2.1        0x1         0x2         02:00:00:00:00:09     *        eth0\n\
            192.0.2.2        0x1         0x0         00:00:00:00:00:00     *        eth0\n\
            nonsense\n";
        let found: Vec<_> = neighbours(table).collect();
        assert_eq!(found, [([192, 0, 2, 1].into(), Mac([2, 0, 0, 0, 0, 9]))]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", words in "([0-9A-F]{1,9}\\s){0,12}\n") {
            let table = format!("{text}\n{words}eth0 {words}");
            let _ = Routes::new(&table, &[]).reach([192, 0, 2, 1].into());
            let _ = neighbours(&table).count();
        }
    }
}
