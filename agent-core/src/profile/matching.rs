//! Which profile fits a device.
//!
//! sysObjectID settles it for nearly all. Where it is missing, or one that devices of several makers answer, what else the device
//! says of itself is looked at; nothing is asked for that, unless it says nothing at all.

use super::form::{Place, Profile, plain};
use super::{BASE, Profiles};
use crate::ieee1284;
use crate::oid::Oid;
use crate::printer_mib::{self, System};
use crate::reader::Variables;

/// The profile for a device.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// Whether more values can bring another choice.
    pub settled: bool,
}

impl Profiles {
    /// The profile for a device, by what is known of it; the base where nothing fits.
    pub fn choose(&self, variables: &Variables) -> Choice<'_> {
        let object_id = System::of(variables).object_id;
        let own = self.longest_prefix(object_id.as_ref(), |profile| &profile.matches.sys_object_id);
        if let Some(profile) = own {
            return Choice { profile, settled: true };
        }
        if let Some(profile) = self.told(variables) {
            return Choice { profile, settled: true };
        }
        let shared = self.longest_prefix(object_id.as_ref(), |profile| &profile.matches.shared_sys_object_id);
        let signed = shared.filter(|profile| profile.name != BASE).or_else(|| self.signed(variables));
        Choice { profile: signed.unwrap_or_else(|| self.base()), settled: false }
    }

    /// What to ask a device for whose sysObjectID says nothing: the places of device ids, and what only some makers' have.
    pub fn signs(&self, variables: &Variables) -> Vec<Oid> {
        let object_id = System::of(variables).object_id;
        let says_something = object_id.filter(|id| {
            let nothing = &self.base().matches.shared_sys_object_id;
            !nothing.iter().any(|prefix| prefix == id || id.below(prefix).is_some())
        });
        if says_something.is_some() {
            return Vec::new();
        }
        let of = |profile: &Profile| {
            let ids = profile.identity.device_id.iter().filter_map(|source| source.place());
            let ids = ids.filter_map(|place| match place {
                Place::Oid(name) => Some(name),
                Place::Column(_) => None,
            });
            ids.chain(profile.matches.signs.iter().cloned()).collect::<Vec<_>>()
        };
        let mut signs: Vec<Oid> = self.profiles.values().flat_map(of).collect();
        signs.sort();
        signs.dedup();
        signs.retain(|name| variables.get(name.arcs()).is_none());
        signs
    }

    /// Whether a device is worth the columns of a printer: it has a printer's tables, answers at a place of its maker's, or
    /// describes itself as one of the profile's.
    pub fn looks_like_printer(&self, profile: &Profile, variables: &Variables) -> bool {
        let answers = || {
            profile.places().iter().any(|place| match place {
                Place::Oid(name) => variables.get(name.arcs()).is_some(),
                Place::Column(_) => false,
            })
        };
        printer_mib::is_printer(variables) || answers() || profile.describes(&descriptions(variables)).is_some()
    }

    fn longest_prefix(&self, id: Option<&Oid>, prefixes: fn(&Profile) -> &Vec<Oid>) -> Option<&Profile> {
        let id = id?;
        let all =
            self.profiles.values().flat_map(|profile| prefixes(profile).iter().map(move |prefix| (prefix, profile)));
        all.filter(|(prefix, _)| *prefix == id || id.below(prefix).is_some())
            .max_by_key(|(prefix, _)| prefix.arcs().len())
            .map(|(_, profile)| profile)
    }

    /// The profile whose maker the device names: in a device id, else in its descriptions.
    fn told(&self, variables: &Variables) -> Option<&Profile> {
        let ids = self.profiles.values().flat_map(|profile| {
            let own = self.found(profile, variables, |rules| &rules.device_id);
            own.into_iter().map(|found| found.text)
        });
        let makers: Vec<String> =
            ids.filter_map(|id| ieee1284::value(&id, "MFG").map(plain)).filter(|maker| !maker.is_empty()).collect();
        let by_id = makers.iter().find_map(|maker| {
            let names =
                |profile: &&Profile| profile.matches.device_id_makers.iter().any(|name| begins(maker, &plain(name)));
            self.profiles.values().find(names)
        });
        let descriptions = descriptions(variables);
        // The longest description is the most exact: a model that another maker builds, before all that bear the name.
        let described = self.profiles.values().filter_map(|profile| Some((profile.describes(&descriptions)?, profile)));
        by_id.or_else(|| described.max_by_key(|(length, _)| *length).map(|(_, profile)| profile))
    }

    fn signed(&self, variables: &Variables) -> Option<&Profile> {
        let answered =
            |profile: &&Profile| profile.matches.signs.iter().any(|name| variables.get(name.arcs()).is_some());
        self.profiles.values().find(answered)
    }
}

impl Profile {
    /// The length of the words by which a device describes itself as one of the profile's.
    fn describes(&self, descriptions: &[String]) -> Option<usize> {
        let known = self.matches.descriptions.iter().map(|words| plain(words));
        let described = known.filter(|words| descriptions.iter().any(|description| begins(description, words)));
        described.map(|words| words.len()).max()
    }
}

/// Whether words begin with others, at the end of a word.
fn begins(words: &str, head: &str) -> bool {
    words.strip_prefix(head).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// What a device calls itself in the standard places.
fn descriptions(variables: &Variables) -> Vec<String> {
    let columns = [&printer_mib::PRT_GENERAL_PRINTER_NAME, &printer_mib::HR_DEVICE_DESCR];
    let names = columns.iter().filter_map(|column| printer_mib::printer_text(variables, column.arcs));
    let names = names.map(|(_, text)| text);
    System::of(variables).description.into_iter().chain(names).map(|words| plain(&words)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snmp::message::Value;

    fn variables(pairs: &[(&str, Value)]) -> Variables {
        pairs.iter().map(|(name, value)| (Oid::parse(name).unwrap(), value.clone())).collect()
    }

    fn text(words: &str) -> Value {
        Value::OctetString(words.as_bytes().into())
    }

    fn kind(id: &str) -> Value {
        Value::ObjectIdentifier(Oid::parse(id).unwrap())
    }

    const DESCRIPTION: &str = "1.3.6.1.2.1.1.1.0";
    const KIND: &str = "1.3.6.1.2.1.1.2.0";

    fn chosen(pairs: &[(&str, Value)]) -> (String, bool) {
        let profiles = Profiles::built_in().unwrap();
        let choice = profiles.choose(&variables(pairs));
        (choice.profile.name.clone(), choice.settled)
    }

    #[test]
    fn the_longest_prefix_wins() {
        for (id, name) in
            [("1.3.6.1.4.1.1347.41", "kyocera"), ("1.3.6.1.4.1.1248.1.1.2.1.3", "epson"), ("1.3.6.1.4.1.99999.1", BASE)]
        {
            assert_eq!(chosen(&[(KIND, kind(id))]).0, name);
        }
        assert_eq!(chosen(&[]), (BASE.to_owned(), false));
    }

    #[test]
    fn a_shared_kind_gives_way_to_any_other_sign() {
        let shared = kind("1.3.6.1.4.1.11.2.3.9.1");
        assert_eq!(chosen(&[(KIND, shared.clone())]), ("hp".to_owned(), false));
        let by_words = chosen(&[(KIND, shared.clone()), (DESCRIPTION, text("Brother NC-6800h, Firmware Ver.1.01"))]);
        assert_eq!(by_words, ("brother".to_owned(), true));
        let id = "1.3.6.1.4.1.11.2.3.9.1.1.7.0";
        let by_id = chosen(&[(KIND, shared), (id, text("MFG:Brother;CMD:PJL;MDL:HL-1;"))]);
        assert_eq!(by_id, ("brother".to_owned(), true));
        // One of a maker's own is never outweighed.
        let own = chosen(&[(KIND, kind("1.3.6.1.4.1.1347.41")), (DESCRIPTION, text("HP ETHERNET MULTI-ENVIRONMENT"))]);
        assert_eq!(own, ("kyocera".to_owned(), true));
    }

    #[test]
    fn signs_are_asked_for_only_where_the_kind_says_nothing() {
        let profiles = Profiles::built_in().unwrap();
        assert!(!profiles.signs(&variables(&[])).is_empty());
        assert!(!profiles.signs(&variables(&[(KIND, kind("1.3.6.1.4.1.8072.3.2.10"))])).is_empty());
        for id in ["1.3.6.1.4.1.1347.41", "1.3.6.1.4.1.99999.1"] {
            assert_eq!(profiles.signs(&variables(&[(KIND, kind(id))])), []);
        }
    }
}
