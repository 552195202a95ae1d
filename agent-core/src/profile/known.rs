//! What objects are known as: the columns of the standard tables, what profiles read them for, and names of the branches above.

use std::collections::BTreeMap;

use serde::Deserialize;
use wire::vocab::Confidence;

use super::Profiles;
use super::form::Profile;
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
    let identity = profile.identity.fields().into_iter().flat_map(|(field, sources)| {
        sources.iter().filter_map(move |source| Some((source.place()?.oid().clone(), field.to_owned())))
    });
    let counters = profile.counters.iter().flat_map(|rule| {
        let meaning = rule.meaning().words();
        rule.values().map(move |place| (place.oid().clone(), meaning.clone())).collect::<Vec<_>>()
    });
    let tables = profile.counter_tables.iter().map(|table| (table.values.clone(), "a table of counters".to_owned()));
    let blobs = profile.blobs.iter().map(|blob| (blob.oid.clone(), "records of counters and supplies".to_owned()));
    let supplies = profile.supply_tables.iter().map(|table| (table.levels.clone(), "levels of supplies".to_owned()));
    identity.chain(counters).chain(tables).chain(blobs).chain(supplies).collect()
}

/// What a profile is for and what it reads beyond the standard tables, each with how sure its meaning is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// Name of the profile.
    pub name: String,
    /// The maker, then the brands under which its devices are sold; none for any maker.
    pub makers: Vec<String>,
    /// Fields of the identity.
    pub identity: Vec<(String, Confidence)>,
    /// Meanings of counters.
    pub counters: Vec<(String, Confidence)>,
    /// Kinds of supplies of which the maker's own places tell the level.
    pub supplies: Vec<(String, Confidence)>,
}

impl Profiles {
    /// What each profile is for.
    pub fn overviews(&self) -> Vec<Overview> {
        self.profiles.values().map(Profile::overview).collect()
    }
}

impl Profile {
    fn overview(&self) -> Overview {
        let sure = |own: &Option<Confidence>| own.clone().unwrap_or_else(|| self.confidence.clone());
        let brands = self.brands.iter().map(|brand| brand.manufacturer.clone());
        let fields = self.identity.fields();
        let identity = fields.iter().filter(|(field, _)| *field != "device_id").flat_map(|(field, sources)| {
            sources.iter().map(|source| (field.replace('_', " "), sure(&source.confidence)))
        });
        let rules = self.counters.iter().map(|rule| (rule.meaning().words(), sure(&rule.confidence)));
        let tables = self.counter_tables.iter().flat_map(|table| &table.meanings);
        let tables = tables.map(|meaning| (meaning.meaning().words(), sure(&meaning.confidence)));
        let blobs = self.blobs.iter().flat_map(|blob| &blob.counters);
        let blobs = blobs.map(|counter| (counter.meaning().words(), sure(&counter.confidence)));
        let records = self.blobs.iter().flat_map(|blob| &blob.supplies);
        let records = records.map(|supply| (supply.kind.keyword().to_owned(), sure(&supply.confidence)));
        let supplies = self.supply_tables.iter().map(|table| {
            (table.kind.as_ref().map_or("by name", |kind| kind.keyword()).to_owned(), sure(&table.confidence))
        });
        Overview {
            name: self.name.clone(),
            makers: self.manufacturer.iter().cloned().chain(brands).collect(),
            identity: best_of_each(identity),
            counters: best_of_each(rules.chain(tables).chain(blobs)),
            supplies: best_of_each(supplies.chain(records)),
        }
    }
}

/// Each once, in the order of their first places, with the best confidence of any.
fn best_of_each(all: impl Iterator<Item = (String, Confidence)>) -> Vec<(String, Confidence)> {
    let mut best: Vec<(String, Confidence)> = Vec::new();
    for (words, confidence) in all {
        match best.iter_mut().find(|(known, _)| *known == words) {
            Some((_, known)) if confidence < *known => *known = confidence,
            Some(_) => {}
            None => best.push((words, confidence)),
        }
    }
    best
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
        assert_eq!(meter.read_as, ["kyocera: System"]);
        assert!(meter.name.unwrap().contains("printer tables"));
        assert_eq!(of("1.3.6.1.4.1.99999.1").name, None);
        let listed: Names = toml::from_str(NAMES).unwrap();
        assert!(listed.names.keys().all(|oid| Oid::parse(oid).is_some()));
    }
}
