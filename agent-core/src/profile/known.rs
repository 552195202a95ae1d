//! What objects are known as: the columns of the standard tables, what profiles read them for, and names of the branches above.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Profiles;
use super::form::{Profile, Source};
use crate::oid::Oid;
use crate::printer_mib;

const NAMES: &str = include_str!("../../profiles/names.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    names: BTreeMap<String, String>,
}

/// What an object is known as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The nearest branch above it, or itself, that has a name.
    pub name: Option<String>,
    /// Which profiles read it already, and as what.
    pub read_as: Vec<String>,
}

/// Names of objects and of branches of the tree.
#[derive(Debug)]
pub struct KnownObjects {
    names: BTreeMap<Oid, String>,
    read: BTreeMap<Oid, Vec<String>>,
}

impl Profiles {
    /// The names of everything that has one.
    pub fn known_objects(&self) -> KnownObjects {
        let listed: Option<Names> = toml::from_str(NAMES).ok();
        let branches = listed.into_iter().flat_map(|listed| listed.names);
        let makers = self.enterprises.iter().map(|(number, maker)| (format!("1.3.6.1.4.1.{number}"), maker.clone()));
        let mut names: BTreeMap<Oid, String> =
            branches.chain(makers).filter_map(|(oid, name)| Some((Oid::parse(&oid)?, name))).collect();
        names.extend(
            printer_mib::COLUMNS.iter().filter_map(|column| Some((Oid::new(column.arcs)?, column.name.to_owned()))),
        );
        let mut read: BTreeMap<Oid, Vec<String>> = BTreeMap::new();
        for profile in self.profiles.values() {
            for (oid, meaning) in meanings(profile) {
                let words = format!("{}: {meaning}", profile.name);
                let known = read.entry(oid).or_default();
                if !known.contains(&words) {
                    known.push(words);
                }
            }
        }
        KnownObjects { names, read }
    }
}

impl KnownObjects {
    /// What an object is known as.
    pub fn of(&self, oid: &Oid) -> Known {
        let arcs = oid.arcs();
        let above = || (1..=arcs.len()).rev().filter_map(|length| arcs.get(..length));
        Known {
            name: above().find_map(|head| self.names.get(head)).cloned(),
            read_as: above().find_map(|head| self.read.get(head)).cloned().unwrap_or_default(),
        }
    }
}

fn meanings(profile: &Profile) -> Vec<(Oid, String)> {
    let mut meanings: Vec<(Oid, String)> = Vec::new();
    for (field, sources) in profile.identity.fields() {
        let places = sources.iter().filter_map(Source::place);
        meanings.extend(places.map(|place| (place.oid().clone(), field.to_owned())));
    }
    for rule in &profile.counters {
        let words = format!("{} ({})", rule.meaning().words(), rule.basis.keyword());
        meanings.extend(rule.values().map(|place| (place.oid().clone(), words.clone())));
    }
    meanings.extend(profile.counter_tables.iter().map(|table| (table.values.clone(), "table of counters".to_owned())));
    meanings.extend(profile.blobs.iter().map(|blob| (blob.oid.clone(), "records".to_owned())));
    meanings.extend(profile.supply_tables.iter().map(|table| (table.levels.clone(), "levels of supplies".to_owned())));
    meanings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_by_what_reads_them_and_by_the_branch_above() {
        let known = Profiles::built_in().unwrap().known_objects();
        let of = |text: &str| known.of(&Oid::parse(text).unwrap());
        assert_eq!(of("1.3.6.1.2.1.43.10.2.1.4.1.1").name.as_deref(), Some("prtMarkerLifeCount"));
        assert_eq!(of("1.3.6.1.2.1.43.10.2.1.15.1.1").name.as_deref(), Some("prtMarkerTable"));
        let meter = of("1.3.6.1.4.1.1347.43.10.1.1.12.1.1");
        assert_eq!(meter.read_as, ["kyocera: System (Meter)"]);
        assert!(meter.name.unwrap().contains("printer tables"));
        assert_eq!(of("1.3.6.1.4.1.99999.1").name, None);
        let listed: Names = toml::from_str(NAMES).unwrap();
        assert!(listed.names.keys().all(|oid| Oid::parse(oid).is_some()));
    }
}
