//! Searches: how far those are that were interrupted, and whom they have met.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use agent_core::arp::Mac;
use agent_core::search::{Alive, Cursor, Sign};
use jiff::Timestamp;
use rusqlite::params;

use super::{Result, Store, moment};

/// Most findings that are kept; the oldest go first.
const MAX_FINDINGS: i64 = 20_000;

/// A search that has not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The range.
    pub range: i64,
    /// A digest of what is searched how.
    pub plan: String,
    /// How far it was.
    pub cursor: Cursor,
    /// When the search of all ranges that it belongs to began.
    pub began: Timestamp,
    /// Whether a person has stopped it.
    pub stopped: bool,
}

/// Someone who was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub address: Ipv4Addr,
    /// When last.
    pub seen_at: Timestamp,
    /// The card, where it is a neighbour.
    pub mac: Option<Mac>,
    /// Signs of life.
    pub signs: BTreeSet<Sign>,
    /// What it announces itself as.
    pub announced: String,
    /// What SNMP says it is, where it is no printer.
    pub described: String,
    /// Its name in the DNS.
    pub host_name: String,
    /// Whether a device is known at this address.
    pub is_device: bool,
}

impl Store {
    /// The searches that have not come to their end.
    pub fn unfinished_searches(&self) -> Result<Vec<Unfinished>> {
        let connection = self.connection();
        let mut rows =
            connection.prepare("SELECT range_id, plan, cursor, began, stopped FROM search ORDER BY range_id")?;
        let searches = rows.query_map([], |row| {
            let cursor: String = row.get(2)?;
            Ok(cursor_of(&cursor).map(|cursor| (row.get(0), row.get(1), cursor, row.get(3), row.get(4))))
        })?;
        let mut unfinished = Vec::new();
        for search in searches {
            if let Some((range, plan, cursor, began, stopped)) = search? {
                unfinished.push(Unfinished {
                    range: range?,
                    plan: plan?,
                    cursor,
                    began: moment(began?),
                    stopped: stopped?,
                });
            }
        }
        Ok(unfinished)
    }

    /// Notes which searches have not come to their end; all others have.
    pub fn set_unfinished_searches(&self, searches: &[Unfinished]) -> Result<()> {
        self.transaction(|change| {
            change.execute("DELETE FROM search", [])?;
            for search in searches {
                let Cursor { lane, pass, ask, next } = search.cursor;
                change.execute(
                    "INSERT INTO search SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM scan_range WHERE id = ?1)",
                    params![
                        search.range,
                        search.plan,
                        format!("{lane} {pass} {ask} {next}"),
                        search.began.as_millisecond(),
                        search.stopped
                    ],
                )?;
            }
            Ok(())
        })
    }

    /// Keeps whom a search has met, each with its name in the DNS.
    pub fn save_findings(&self, met: &[(Alive, String)], at: Timestamp) -> Result<()> {
        self.transaction(|change| {
            let mut insert = change.prepare(
                "INSERT INTO finding VALUES (?1, ?2, ?3, ?4, ?5, '', ?6) ON CONFLICT (address) DO UPDATE
                 SET seen_at = ?2, mac = ?3, signs = ?4, announced = ?5, host_name = ?6",
            )?;
            for (alive, host_name) in met {
                let signs = alive.signs.iter().map(|sign| sign.keyword()).collect::<Vec<_>>().join(",");
                let mac = alive.mac.map(|mac| mac.to_string()).unwrap_or_default();
                let announced = alive.name.as_deref().unwrap_or_default();
                insert.execute(params![
                    alive.address.to_string(),
                    at.as_millisecond(),
                    mac,
                    signs,
                    announced,
                    host_name
                ])?;
            }
            change.execute(
                "DELETE FROM finding WHERE address IN (SELECT address FROM finding ORDER BY seen_at DESC LIMIT -1 OFFSET ?1)",
                [MAX_FINDINGS],
            )?;
            Ok(())
        })
    }

    /// Notes what someone who speaks SNMP and is no printer says of himself.
    pub fn describe_finding(&self, address: Ipv4Addr, described: &str, at: Timestamp) -> Result<()> {
        let query = "INSERT INTO finding VALUES (?1, ?2, '', 'snmp', '', ?3, '') ON CONFLICT (address) DO UPDATE SET described = ?3";
        self.connection().execute(query, params![address.to_string(), at.as_millisecond(), described])?;
        Ok(())
    }

    /// Forgets whom no search has met since.
    pub fn forget_findings_before(&self, before: Timestamp) -> Result<()> {
        self.connection().execute("DELETE FROM finding WHERE seen_at < ?1", [before.as_millisecond()])?;
        Ok(())
    }

    /// Forgets those for whom this card has answered ARP and who gave no other sign of life.
    pub fn forget_findings_by_arp(&self, mac: Mac) -> Result<()> {
        let query = "DELETE FROM finding WHERE mac = ?1 AND signs = ?2";
        self.connection().execute(query, params![mac.to_string(), Sign::Arp.keyword()])?;
        Ok(())
    }

    /// Everyone who was met, in the order of their addresses.
    pub fn findings(&self) -> Result<Vec<Finding>> {
        let connection = self.connection();
        let mut rows =
            connection.prepare("SELECT address, seen_at, mac, signs, announced, described, host_name FROM finding")?;
        let mut devices = connection.prepare("SELECT address FROM device")?;
        let devices = devices.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        let devices: BTreeSet<&str> =
            devices.iter().map(|address| address.rsplit_once(':').map_or(&**address, |(host, _)| host)).collect();
        let findings = rows.query_map([], |row| {
            let address: String = row.get(0)?;
            let mac: String = row.get(2)?;
            let signs: String = row.get(3)?;
            Ok(Finding {
                is_device: devices.contains(address.as_str()),
                address: address.parse().unwrap_or(Ipv4Addr::UNSPECIFIED),
                seen_at: moment(row.get(1)?),
                mac: Mac::parse(&mac),
                signs: signs.split(',').filter_map(Sign::from_keyword).collect(),
                announced: row.get(4)?,
                described: row.get(5)?,
                host_name: row.get(6)?,
            })
        })?;
        let mut findings = findings.collect::<Result<Vec<_>, _>>()?;
        findings.sort_by_key(|finding| finding.address);
        Ok(findings)
    }

    /// The addresses of those that were met since.
    pub fn met_since(&self, since: Timestamp) -> Result<Vec<Ipv4Addr>> {
        let connection = self.connection();
        let mut rows = connection.prepare("SELECT address FROM finding WHERE seen_at >= ?1")?;
        let addresses = rows.query_map([since.as_millisecond()], |row| row.get::<_, String>(0))?;
        Ok(addresses.collect::<Result<Vec<_>, _>>()?.iter().filter_map(|address| address.parse().ok()).collect())
    }
}

fn cursor_of(text: &str) -> Option<Cursor> {
    let mut numbers = text.split(' ');
    let cursor = Cursor {
        lane: numbers.next()?.parse().ok()?,
        pass: numbers.next()?.parse().ok()?,
        ask: numbers.next()?.parse().ok()?,
        next: numbers.next()?.parse().ok()?,
    };
    numbers.next().is_none().then_some(cursor)
}

#[cfg(test)]
mod tests {
    use agent_core::search::Kinds;
    use agent_core::snmp::{Transport, Version};

    use super::*;
    use crate::store::settings::ScanRange;

    #[test]
    fn interrupted_searches_survive_with_their_ranges() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let range = ScanRange {
            range: "192.0.2.0/24".to_owned(),
            exclusions: String::new(),
            port: 161,
            transport: Transport::Udp,
            versions: vec![Version::V2c],
            communities: vec!["public".to_owned()],
            users: Vec::new(),
            kinds: Kinds { echo_port: false, ..Kinds::ALL },
        };
        store.add_range(&range).unwrap();
        let (id, kept) = store.ranges().unwrap().pop().unwrap();
        assert_eq!(kept, range);
        let unfinished = Unfinished {
            range: id,
            plan: "digest".to_owned(),
            cursor: Cursor { lane: 1, pass: 0, ask: 1, next: 4711 },
            began: Timestamp::from_millisecond(5000).unwrap(),
            stopped: true,
        };
        let gone = Unfinished { range: id + 1, ..unfinished.clone() };
        store.set_unfinished_searches(&[unfinished.clone(), gone]).unwrap();
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.unfinished_searches().unwrap(), [unfinished], "that of a range that is gone is gone too");
        store.remove_range(id).unwrap();
        assert_eq!(store.unfinished_searches().unwrap(), []);
    }

    #[test]
    fn findings_are_kept_until_nobody_meets_them() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let alive = |host: u8| Alive {
            range: 1,
            address: [192, 0, 2, host].into(),
            mac: Some(Mac([0, 1, 2, 3, 4, host])),
            signs: [Sign::Arp, Sign::LocalAgent].into(),
            name: None,
        };
        store.save_findings(&[(alive(20), "pc.example".to_owned()), (alive(3), String::new())], at(10)).unwrap();
        store.describe_finding([192, 0, 2, 3].into(), "A switch", at(11)).unwrap();
        store.save_findings(&[(alive(3), String::new())], at(20)).unwrap();
        let findings = store.findings().unwrap();
        let first = findings.first().unwrap();
        assert_eq!((first.address.octets()[3], first.described.as_str(), first.seen_at), (3, "A switch", at(20)));
        assert_eq!(first.signs, [Sign::Arp, Sign::LocalAgent].into());
        assert_eq!(store.met_since(at(15)).unwrap(), [Ipv4Addr::from([192, 0, 2, 3])]);
        store.forget_findings_before(at(15)).unwrap();
        assert_eq!(store.findings().unwrap().len(), 1);
        let by_arp = Alive { signs: [Sign::Arp].into(), ..alive(9) };
        let beside = Alive { mac: by_arp.mac, ..alive(10) };
        store.save_findings(&[(by_arp, String::new()), (beside, String::new())], at(30)).unwrap();
        store.forget_findings_by_arp(Mac([0, 1, 2, 3, 4, 9])).unwrap();
        let left: Vec<_> = store.findings().unwrap().iter().map(|finding| finding.address.octets()[3]).collect();
        assert_eq!(left, [3, 10]);
    }
}
