//! DNS service discovery over multicast (RFC 6762, 6763), as far as it hints at printers: one question, and what the answers
//! tell of addresses and names. An answer is a hint, never a reason to contact an address outside the ranges.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, TYPE};

/// Where the question goes.
pub const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), 5353);
/// What printers announce: IPP, IPP over TLS, LPD, raw printing.
const SERVICES: [&str; 4] =
    ["_ipp._tcp.local", "_ipps._tcp.local", "_printer._tcp.local", "_pdl-datastream._tcp.local"];
/// Most records looked at in one message.
const MAX_RECORDS: usize = 256;
/// Longest name kept.
const MAX_NAME: usize = 63;

/// Someone who says that he is a printer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hint {
    /// Where.
    pub address: Ipv4Addr,
    /// What he calls himself.
    pub name: String,
}

/// The message that asks for printers, by unicast answers.
pub fn encode_question() -> Vec<u8> {
    let mut packet = Packet::new_query(0);
    packet.questions = SERVICES
        .iter()
        .filter_map(|service| {
            let name = Name::new(service).ok()?;
            Some(Question::new(name, QTYPE::TYPE(TYPE::PTR), QCLASS::CLASS(CLASS::IN), true))
        })
        .collect();
    packet.build_bytes_vec_compressed().unwrap_or_default()
}

/// What an answer hints at. Where it names no address, its sender's is meant.
pub fn decode_hints(from: Ipv4Addr, bytes: &[u8]) -> Vec<Hint> {
    let Ok(packet) = Packet::parse(bytes) else { return Vec::new() };
    if !packet.has_flags(PacketFlag::RESPONSE) {
        return Vec::new();
    }
    let records = packet.answers.iter().chain(&packet.additional_records).take(MAX_RECORDS);
    let (mut instances, mut hosts, mut addresses) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for record in records {
        match &record.rdata {
            RData::PTR(instance) if SERVICES.iter().any(|service| is(&record.name, service)) => {
                instances.push(instance.0.clone());
            }
            RData::SRV(service) => {
                hosts.insert(spelled(&record.name), spelled(&service.target));
            }
            RData::A(address) => {
                addresses.entry(spelled(&record.name)).or_insert(Ipv4Addr::from(address.address));
            }
            _ => {}
        }
    }
    let mut hints: Vec<Hint> = instances
        .iter()
        .map(|instance| {
            let host = hosts.get(&spelled(instance));
            let address = host.and_then(|host| addresses.get(host)).copied().unwrap_or(from);
            Hint { address, name: first_label(instance) }
        })
        .collect();
    hints.sort();
    // A printer announces itself once for each way to print; one hint is enough.
    hints.dedup_by_key(|hint| hint.address);
    hints
}

fn is(name: &Name<'_>, wanted: &str) -> bool {
    spelled(name) == wanted
}

/// A name in lower case with dots between its labels.
fn spelled(name: &Name<'_>) -> String {
    let labels: Vec<String> =
        name.as_bytes().map(|label| String::from_utf8_lossy(label).to_ascii_lowercase()).collect();
    labels.join(".")
}

fn first_label(name: &Name<'_>) -> String {
    let label = name.as_bytes().next().unwrap_or_default();
    String::from_utf8_lossy(label).chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use proptest::prelude::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, PTR, SRV};

    use super::*;

    const SENDER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);

    fn record<'a>(name: &'a str, rdata: RData<'a>) -> ResourceRecord<'a> {
        ResourceRecord::new(Name::new_unchecked(name), CLASS::IN, 120, rdata)
    }

    fn answer(with_address: bool) -> Vec<u8> {
        let instance = "Front desk._ipp._tcp.local";
        let mut packet = Packet::new_reply(0);
        for service in ["_ipp._tcp.local", "_http._tcp.local"] {
            packet.answers.push(record(service, RData::PTR(PTR(Name::new_unchecked(instance)))));
        }
        if with_address {
            let target = Name::new_unchecked("Desk.local");
            let service = RData::SRV(SRV { priority: 0, weight: 0, port: 631, target });
            packet.additional_records.push(record(instance, service));
            let address = A { address: u32::from(Ipv4Addr::new(192, 0, 2, 77)) };
            packet.additional_records.push(record("desk.local", RData::A(address)));
        }
        packet.build_bytes_vec_compressed().unwrap()
    }

    #[test]
    fn an_announcement_tells_name_and_address() {
        let hint = |address: [u8; 4]| Hint { address: address.into(), name: "Front desk".to_owned() };
        assert_eq!(decode_hints(SENDER, &answer(true)), [hint([192, 0, 2, 77])]);
        assert_eq!(decode_hints(SENDER, &answer(false)), [hint([192, 0, 2, 9])], "the sender's, for want of another");
    }

    #[test]
    fn the_question_asks_for_four_services_and_is_no_answer() {
        let question = encode_question();
        assert_eq!(Packet::parse(&question).unwrap().questions.len(), 4);
        assert_eq!(decode_hints(SENDER, &question), []);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode_hints(SENDER, &bytes);
        }

        #[test]
        fn no_damage_panics(damage in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6), cut: u16) {
            let mut bytes = answer(true);
            for (at, octet) in damage {
                let at = usize::from(at) % bytes.len();
                bytes[at] = octet;
            }
            let _ = decode_hints(SENDER, &bytes);
            let _ = decode_hints(SENDER, &bytes[..usize::from(cut) % bytes.len()]);
        }
    }
}
