//! Profiles: what the devices of a vendor say beyond the standard tables, as data.
//!
//! A profile is a TOML file in `profiles/`, compiled in. Adding a model needs no Rust. A profile can name what to read, never
//! what is denied (`profiles/denied.toml`: jobs, users, documents): such a profile does not load.

mod counters;
mod form;
mod identity;
mod known;
mod plan;
mod supplies;

use std::collections::BTreeMap;

use thiserror::Error;
use wire::device::Snapshot;

pub use form::{Profile, Quirks};
pub use known::{Known, KnownObjects};
pub use plan::readable;
pub use supplies::{Described, SupplyRules};

use crate::gate::Gate;
use crate::oid::Oid;
use crate::printer_mib;
use crate::reader::Variables;
use form::{Denied, Enterprises};

/// Name of the profile that all others extend and that serves devices which no other matches.
pub const BASE: &str = "printer-mib";

const FILES: &[(&str, &str)] = &[
    ("printer-mib", include_str!("../../profiles/printer-mib.toml")),
    ("epson", include_str!("../../profiles/epson.toml")),
    ("hp", include_str!("../../profiles/hp.toml")),
    ("kyocera", include_str!("../../profiles/kyocera.toml")),
];
const DENIED: &str = include_str!("../../profiles/denied.toml");
const ENTERPRISES: &str = include_str!("../../profiles/enterprises.toml");

/// Why a profile does not load.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// Not TOML, or not of a profile's form.
    #[error("profile `{name}`: {message}")]
    Form {
        /// File name without its ending.
        name: String,
        /// What the TOML reader found, with the line.
        message: String,
    },
    /// Contradicts itself or its neighbours.
    #[error("profile `{name}`: {fault}")]
    Rule {
        /// File name without its ending.
        name: String,
        /// What is wrong and what to do.
        fault: String,
    },
}

/// All profiles, checked.
#[derive(Debug)]
pub struct Profiles {
    profiles: BTreeMap<String, Profile>,
    enterprises: BTreeMap<String, String>,
    gate: Gate,
    /// Prefixes of what nobody may read, in their order.
    denied: Vec<Oid>,
}

impl Profiles {
    /// The profiles that are compiled in.
    pub fn built_in() -> Result<Self, ProfileError> {
        Self::parse(FILES)
    }

    /// Profiles from texts: pairs of name and TOML.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, ProfileError> {
        let form = |name: &str, error: toml::de::Error| ProfileError::Form {
            name: name.to_owned(),
            message: error.to_string(),
        };
        let denied: Denied = toml::from_str(DENIED).map_err(|error| form("denied", error))?;
        let enterprises: Enterprises = toml::from_str(ENTERPRISES).map_err(|error| form("enterprises", error))?;
        let mut profiles = BTreeMap::new();
        for (name, text) in files {
            let profile: Profile = toml::from_str(text).map_err(|error| form(name, error))?;
            profile.check(name, &denied).map_err(|fault| ProfileError::Rule { name: (*name).to_owned(), fault })?;
            profiles.insert((*name).to_owned(), profile);
        }
        let mut denied: Vec<Oid> = denied.denied.into_iter().map(|rule| rule.prefix).collect();
        denied.sort();
        let mut loaded = Self { profiles, enterprises: enterprises.names, gate: Gate::default(), denied };
        loaded.check()?;
        loaded.gate = Gate::new(plan::objects(&loaded).into_iter().map(|(object, _)| object));
        Ok(loaded)
    }

    fn check(&self) -> Result<(), ProfileError> {
        let rule = |name: &str, fault: String| Err(ProfileError::Rule { name: name.to_owned(), fault });
        let mut owners: BTreeMap<&Oid, &str> = BTreeMap::new();
        for (name, profile) in &self.profiles {
            match &profile.extends {
                None if name == BASE => {}
                Some(parent)
                    if parent != name && self.profiles.get(parent).is_some_and(|parent| parent.name == BASE) => {}
                _ => return rule(name, format!("`extends` has to be \"{BASE}\"")),
            }
            for prefix in &profile.matches.sys_object_id {
                if let Some(other) = owners.insert(prefix, name) {
                    return rule(name, format!("`{other}` matches {prefix} too; one of them has to be more exact"));
                }
            }
        }
        if !self.profiles.contains_key(BASE) {
            return rule(BASE, "is missing".to_owned());
        }
        Ok(())
    }

    /// The profile for a device: that with the longest matching prefix of sysObjectID, else the base.
    pub fn choose(&self, sys_object_id: Option<&Oid>) -> &Profile {
        let best = sys_object_id.and_then(|id| {
            let prefixes = self.profiles.values().flat_map(|profile| {
                profile.matches.sys_object_id.iter().map(move |prefix| (prefix.arcs().len(), prefix, profile))
            });
            prefixes
                .filter(|(_, prefix, _)| *prefix == id || id.below(prefix).is_some())
                .max_by_key(|(length, _, _)| *length)
                .map(|(_, _, profile)| profile)
        });
        best.unwrap_or_else(|| self.base())
    }

    /// What these profiles may ask for.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// What nobody may ask for: these objects and all below them.
    pub fn denied(&self) -> &[Oid] {
        &self.denied
    }

    /// The profile of that name, else the base.
    pub fn named(&self, name: &str) -> &Profile {
        self.profiles.get(name).unwrap_or_else(|| self.base())
    }

    fn base(&self) -> &Profile {
        self.profiles.get(BASE).expect("checked when the profiles were loaded")
    }

    /// A profile, then what it extends.
    fn lineage<'a>(&'a self, profile: &'a Profile) -> impl Iterator<Item = &'a Profile> {
        std::iter::successors(Some(profile), |profile| profile.extends.as_ref().map(|_| self.base()))
    }

    /// What the values of a reading mean.
    pub fn snapshot(&self, profile: &Profile, variables: &Variables) -> Snapshot {
        let supplies = printer_mib::supplies(variables, &profile.supplies);
        Snapshot {
            identity: self.identity(profile, variables, &supplies),
            status: printer_mib::status(variables),
            supplies,
            trays: printer_mib::trays(variables),
            counters: self.counters(profile, variables),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE_TEXT: (&str, &str) = ("printer-mib", include_str!("../../profiles/printer-mib.toml"));

    fn fault(text: &str) -> String {
        Profiles::parse(&[BASE_TEXT, ("acme", text)]).unwrap_err().to_string()
    }

    #[test]
    fn the_built_in_profiles_load() {
        Profiles::built_in().unwrap();
    }

    #[test]
    fn a_profile_cannot_name_jobs() {
        let text = "name = \"acme\"\nextends = \"printer-mib\"\n[identity]\nmodel = [{ column = \"1.3.6.1.4.1.1347.47.6.1.1.4\" }]";
        assert!(fault(text).contains("not readable"), "{}", fault(text));
        // Nor a column above them, which a walk would descend.
        let text =
            "name = \"acme\"\nextends = \"printer-mib\"\n[identity]\nmodel = [{ column = \"1.3.6.1.4.1.1347\" }]";
        assert!(fault(text).contains("not readable"), "{}", fault(text));
    }

    #[test]
    fn faults_are_named() {
        assert!(fault("name = \"other\"\nextends = \"printer-mib\"").contains("file's name"));
        assert!(fault("name = \"acme\"").contains("extends"));
        assert!(fault("name = \"acme\"\nextends = \"printer-mib\"\ncolour = 1").contains("unknown field `colour`"));
        let counter = "name = \"acme\"\nextends = \"printer-mib\"\n[[counter]]\nbasis = \"Meter\"\n";
        assert!(fault(&format!("{counter}service = \"Prnt\"\noid = \"1.3.6\"")).contains("none of System, Print"));
        assert!(fault(&format!("{counter}service = \"Print\"")).contains("one of `oid`"));
        assert!(fault(&format!("{counter}service = \"Print\"\noid = \"1.3.x\"")).contains("not an object identifier"));
    }

    #[test]
    fn the_longest_prefix_wins() {
        let profiles = Profiles::built_in().unwrap();
        let chosen = |id: &str| profiles.choose(Oid::parse(id).as_ref()).name.clone();
        assert_eq!(chosen("1.3.6.1.4.1.1347.41"), "kyocera");
        assert_eq!(chosen("1.3.6.1.4.1.11.2.3.9.1"), "hp");
        assert_eq!(chosen("1.3.6.1.4.1.1248.1.1.2.1.3"), "epson");
        assert_eq!(chosen("1.3.6.1.4.1.99999.1"), BASE);
        assert_eq!(profiles.choose(None).name, BASE);
    }
}
