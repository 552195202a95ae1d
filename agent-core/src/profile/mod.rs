//! Profiles: what the devices of a vendor say beyond the standard tables, as data.
//!
//! A profile is a TOML file in `profiles/`, compiled in. Adding a model needs no Rust. A profile can name what to read, never
//! what is denied (`profiles/denied.toml`: jobs, users, documents): such a profile does not load.

pub mod blob;
mod counters;
mod form;
mod identity;
mod known;
mod matching;
mod plan;
mod supplies;

use std::collections::BTreeMap;

use thiserror::Error;
use wire::device::Snapshot;

pub use form::{Profile, Quirks, SupplyRules};
pub use identity::Evidence;
pub(crate) use identity::without_maker;
pub use known::{Known, KnownObjects, Overview};
pub use matching::Choice;
pub use plan::readable;
pub use supplies::Described;

use crate::gate::Gate;
use crate::oid::Oid;
use crate::printer_mib;
use crate::reader::Variables;
use form::{Denied, Enterprises};

/// Name of the profile that all others extend and that serves devices which no other matches.
pub const BASE: &str = "printer-mib";

/// Most profiles that extend one another.
const MAX_LINEAGE: usize = 4;

const FILES: &[(&str, &str)] = &[
    ("printer-mib", include_str!("../../profiles/printer-mib.toml")),
    ("brother", include_str!("../../profiles/brother.toml")),
    ("canon", include_str!("../../profiles/canon.toml")),
    ("dell", include_str!("../../profiles/dell.toml")),
    ("dell-lexmark", include_str!("../../profiles/dell-lexmark.toml")),
    ("epson", include_str!("../../profiles/epson.toml")),
    ("fujifilm", include_str!("../../profiles/fujifilm.toml")),
    ("hp", include_str!("../../profiles/hp.toml")),
    ("konica-minolta", include_str!("../../profiles/konica-minolta.toml")),
    ("kyocera", include_str!("../../profiles/kyocera.toml")),
    ("lexmark", include_str!("../../profiles/lexmark.toml")),
    ("oki", include_str!("../../profiles/oki.toml")),
    ("pantum", include_str!("../../profiles/pantum.toml")),
    ("ricoh", include_str!("../../profiles/ricoh.toml")),
    ("samsung", include_str!("../../profiles/samsung.toml")),
    ("sharp", include_str!("../../profiles/sharp.toml")),
    ("toshiba", include_str!("../../profiles/toshiba.toml")),
    ("toshiba-label", include_str!("../../profiles/toshiba-label.toml")),
    ("xerox", include_str!("../../profiles/xerox.toml")),
    ("xerox-lexmark", include_str!("../../profiles/xerox-lexmark.toml")),
    ("xerox-samsung", include_str!("../../profiles/xerox-samsung.toml")),
    ("zebra", include_str!("../../profiles/zebra.toml")),
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

    /// The same with further ones, pairs of name and TOML; one of the same name takes the place of a built-in one.
    pub fn built_in_and(further: &[(&str, &str)]) -> Result<Self, ProfileError> {
        let own = FILES.iter().filter(|(name, _)| further.iter().all(|(other, _)| name != other));
        let all: Vec<(&str, &str)> = own.chain(further).copied().collect();
        Self::parse(&all)
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
        if !self.profiles.contains_key(BASE) {
            return rule(BASE, "is missing".to_owned());
        }
        let mut owners: BTreeMap<&Oid, &str> = BTreeMap::new();
        for (name, profile) in &self.profiles {
            match self.lineage(profile).last() {
                Some(root) if root.name == BASE => {}
                _ => return rule(name, format!("`extends` has to lead to \"{BASE}\", by {MAX_LINEAGE} steps at most")),
            }
            for prefix in profile.matches.sys_object_id.iter().chain(&profile.matches.shared_sys_object_id) {
                if let Some(other) = owners.insert(prefix, name) {
                    return rule(name, format!("`{other}` matches {prefix} too; one of them has to be more exact"));
                }
            }
        }
        Ok(())
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
        let next = |profile: &&'a Profile| self.profiles.get(profile.extends.as_ref()?);
        std::iter::successors(Some(profile), next).take(MAX_LINEAGE)
    }

    /// What the values of a reading mean.
    pub fn snapshot(&self, profile: &Profile, variables: &Variables) -> Snapshot {
        let model = self.model(profile, variables).map(|found| found.text);
        let supplies = self.supplies(profile, variables, model.as_deref());
        Snapshot {
            identity: self.identity(profile, variables, &supplies),
            status: printer_mib::status(variables),
            supplies,
            trays: printer_mib::trays(variables),
            counters: self.counters(profile, variables),
        }
    }
}

/// Takes any octets as a profile, for fuzzing: whatever they are, the outcome is a profile or a message.
pub fn take(octets: &[u8]) {
    if let Ok(text) = std::str::from_utf8(octets) {
        let base = FILES.iter().find(|(name, _)| *name == BASE).map_or("", |(_, text)| *text);
        let _ = Profiles::parse(&[(BASE, base), ("brought", text)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE_TEXT: (&str, &str) = ("printer-mib", include_str!("../../profiles/printer-mib.toml"));

    fn fault(text: &str) -> String {
        Profiles::parse(&[BASE_TEXT, ("acme", text)]).unwrap_err().to_string()
    }

    /// Values of a device: names below 1.3.6.1, with numbers or words.
    fn variables(rows: &str) -> Variables {
        let row = |row: &str| {
            let (name, value) = row.split_once('=').unwrap();
            let value = match value.parse() {
                Ok(number) => crate::snmp::message::Value::Integer(number),
                Err(_) => crate::snmp::message::Value::OctetString(value.replace('_', " ").as_bytes().into()),
            };
            (Oid::parse(&format!("1.3.6.1.{name}")).unwrap(), value)
        };
        rows.split_whitespace().map(row).collect()
    }

    fn counted(snapshot: &Snapshot) -> Vec<String> {
        let words = |counter: &wire::device::Counter| {
            format!("{} {} {}", counter.name(), counter.value, counter.confidence.keyword())
        };
        snapshot.counters.iter().map(words).collect()
    }

    #[test]
    fn the_built_in_profiles_load() {
        Profiles::built_in().unwrap();
    }

    #[test]
    fn a_profile_cannot_name_jobs() {
        let text = "name = \"acme\"\nextends = \"printer-mib\"\nconfidence = \"verified\"\n[identity]\nmodel = [{ column = \"1.3.6.1.4.1.1347.47.6.1.1.4\" }]";
        assert!(fault(text).contains("not readable"), "{}", fault(text));
        // Nor a column above them, which a walk would descend.
        let text = "name = \"acme\"\nextends = \"printer-mib\"\nconfidence = \"verified\"\n[identity]\nmodel = [{ column = \"1.3.6.1.4.1.1347\" }]";
        assert!(fault(text).contains("not readable"), "{}", fault(text));
    }

    #[test]
    fn faults_are_named() {
        assert!(
            fault("name = \"other\"\nextends = \"printer-mib\"\nconfidence = \"verified\"").contains("file's name")
        );
        assert!(fault("name = \"acme\"\nconfidence = \"verified\"").contains("extends"));
        assert!(
            fault("name = \"acme\"\nextends = \"printer-mib\"\nconfidence = \"verified\"\ncolour = 1")
                .contains("unknown field `colour`")
        );
        let counter =
            "name = \"acme\"\nextends = \"printer-mib\"\nconfidence = \"verified\"\n[[counter]]\nbasis = \"Meter\"\n";
        assert!(fault(&format!("{counter}service = \"Prnt\"\noid = \"1.3.6\"")).contains("none of System, Print"));
        assert!(fault(&format!("{counter}service = \"Print\"")).contains("one of `oid`"));
        let colored =
            format!("{counter}service = \"Print\"\ncolor = \"Color\"\noid = \"1.3.6.1.4.1.99999.1\"\nonly_on = ");
        assert!(fault(&format!("{colored}\"monochrome\"")).contains("counts colour"));
        assert!(fault(&format!("{colored}\"colour\"")).contains("expected `color` or `monochrome`"));
        assert!(fault(&format!("{counter}service = \"Print\"\noid = \"1.3.x\"")).contains("not an object identifier"));
    }

    #[test]
    fn tables_are_read_by_code_by_words_by_place_and_by_confidence() {
        let acme = r#"
            name = "acme"
            extends = "printer-mib"
            confidence = "probable"
            [[counter]]
            service = "System"
            basis = "Meter"
            confidence = "unconfirmed"
            sum_of = ["1.3.6.1.4.1.99999.2.1", "1.3.6.1.4.1.99999.2.2"]
            [[counter_table]]
            basis = "Meter"
            codes = "1.3.6.1.4.1.99999.1.1"
            labels = "1.3.6.1.4.1.99999.1.2"
            values = "1.3.6.1.4.1.99999.1.3"
            meanings = [
                { codes = [7], service = "Copy" },
                { labels = ["Black & White Prints"], service = "Print", color = "Monochrome" },
                { indexes = ["9.3"], service = "Fax", confidence = "verified" },
            ]
            [supplies]
            level_codes = [{ code = -100, level = "nearlyEmpty" }]
            [[supply_table]]
            levels = "1.3.6.1.4.1.99999.3.2"
            names = ["1.3.6.1.4.1.99999.3.1"]
            kind = "toner"
            join = "name"
        "#;
        let profiles = Profiles::parse(&[BASE_TEXT, ("acme", acme)]).unwrap();
        let rows = "4.1.99999.1.1.9.1=7 4.1.99999.1.3.9.1=11 4.1.99999.1.2.9.2=BLACK/white_PRINTS 4.1.99999.1.3.9.2=12 \
             4.1.99999.1.2.9.3=Telefax 4.1.99999.1.3.9.3=13 4.1.99999.1.3.9.4=14 4.1.99999.2.1=40 4.1.99999.2.2=2 \
             2.1.43.10.2.1.4.1.1=99 2.1.43.11.1.1.6.1.1=Toner_Cyan 2.1.43.11.1.1.8.1.1=-2 2.1.43.11.1.1.9.1.1=-3 \
             2.1.43.11.1.1.6.1.2=Toner_Gelb 2.1.43.11.1.1.9.1.2=-100 4.1.99999.3.1.5=Cyan_Toner 4.1.99999.3.2.5=64";
        let snapshot = profiles.snapshot(profiles.named("acme"), &variables(rows));
        let counted = counted(&snapshot);
        let expected = [
            "System 42 unconfirmed",
            "Copy 11 probable",
            "Print Monochrome 12 probable",
            "Fax 13 probable",
            "System Engine 99 verified",
        ];
        assert_eq!(counted, expected);
        let sum = snapshot.counters.first().map(|counter| counter.source.as_str());
        assert_eq!(sum, Some("1.3.6.1.4.1.99999.2.1+1.3.6.1.4.1.99999.2.2"));
        // An unconfirmed meter is not billed while the engine has a count.
        assert_eq!(wire::device::total(&snapshot.counters).map(|total| total.value), Some(99));
        let [cyan, yellow] = snapshot.supplies.as_slice() else { panic!("{:?}", snapshot.supplies) };
        assert_eq!((cyan.percent_left(), cyan.raw.level, cyan.raw.capacity), (Some(64), Some(-3), Some(-2)));
        assert_eq!(cyan.origin.source.as_deref(), Some("1.3.6.1.4.1.99999.3.2.5"));
        assert_eq!((yellow.level, yellow.raw.level), (wire::device::Level::NearlyEmpty, Some(-100)));
    }

    #[test]
    fn a_place_counts_for_less_than_a_name() {
        let acme = r#"
            name = "acme"
            extends = "printer-mib"
            confidence = "verified"
            [[counter_table]]
            basis = "Meter"
            labels = "1.3.6.1.4.1.99999.1.2"
            values = "1.3.6.1.4.1.99999.1.3"
            meanings = [
                { labels = ["Copies"], indexes = ["1"], service = "Copy" },
                { labels = ["Prints"], indexes = ["2"], service = "Print" },
                { labels = ["Faxes"], service = "Fax", confidence = "probable" },
                { indexes = ["4"], service = "Fax" },
            ]
        "#;
        let profiles = Profiles::parse(&[BASE_TEXT, ("acme", acme)]).unwrap();
        let read = |names: &[(u32, &str)]| {
            let name = |(row, name): &(u32, &str)| format!("4.1.99999.1.2.{row}={name}");
            let value = |row: u32| format!("4.1.99999.1.3.{row}={}", 10 + row);
            let rows: Vec<String> = names.iter().map(name).chain((1..=5).map(value)).collect();
            counted(&profiles.snapshot(profiles.named("acme"), &variables(&rows.join(" "))))
        };
        // Another model has something else in row 1, and its copies in row 5; of row 2 nobody knows.
        let other = [(1, "Staples"), (2, "Banners"), (3, "Holes"), (5, "Copies")];
        assert_eq!(read(&other), ["Copy 15 verified", "Print 12 probable", "Fax 14 verified"]);
        let faxes = [(1, "Copies"), (2, "Prints"), (5, "Faxes")];
        assert_eq!(read(&faxes), ["Copy 11 verified", "Print 12 verified", "Fax 15 probable"], "a row without a name");
        let foreign = [(1, "Kopior"), (2, "Utskrifter"), (4, "Telefax")];
        assert_eq!(read(&foreign), ["Copy 11 verified", "Print 12 verified", "Fax 14 verified"]);
        assert_eq!(read(&[]), read(&foreign), "no names at all");
    }

    #[test]
    fn what_a_number_means_may_depend_on_whether_there_is_colour() {
        let counter = |color: &str, only_on: &str| {
            format!(
                "[[counter]]\nservice = \"Copy\"\ncolor = \"{color}\"\nonly_on = \"{only_on}\"\nbasis = \"Meter\"\n\
                 oid = \"1.3.6.1.4.1.99999.2.1\"\n"
            )
        };
        let head = "name = \"acme\"\nextends = \"printer-mib\"\nconfidence = \"verified\"\n";
        let acme = [head, &counter("Color", "color"), &counter("Any", "monochrome")].concat();
        let profiles = Profiles::parse(&[BASE_TEXT, ("acme", &acme)]).unwrap();
        let read = |rows: &str| {
            let rows = format!("4.1.99999.2.1=7 {rows}");
            counted(&profiles.snapshot(profiles.named("acme"), &variables(&rows)))
        };
        let (black, cyan) = ("2.1.43.11.1.1.6.1.1=Black_Toner", "2.1.43.11.1.1.6.1.2=Cyan_Toner");
        assert_eq!(read(black), ["Copy 7 verified"]);
        assert_eq!(read("2.1.43.12.1.1.4.1.1=black"), ["Copy 7 verified"]);
        assert_eq!(read(&format!("{black} {cyan}")), ["Copy Color 7 verified"]);
        assert_eq!(read("2.1.43.12.1.1.4.1.1=magenta 2.1.43.11.1.1.6.1.1=Toner"), ["Copy Color 7 verified"]);
        assert_eq!(read("2.1.43.11.1.1.6.1.1=Toner"), [""; 0], "nobody knows");
    }

    #[test]
    fn a_total_that_its_parts_do_not_make_up_is_named_and_nothing_else() {
        let acme = r#"
            name = "acme"
            extends = "printer-mib"
            confidence = "verified"
            [[counter]]
            service = "System"
            basis = "Meter"
            oid = "1.3.6.1.4.1.99999.2.1"
            [[counter]]
            service = "Print"
            basis = "Meter"
            oid = "1.3.6.1.4.1.99999.2.2"
            [[counter]]
            service = "Copy"
            basis = "Meter"
            oid = "1.3.6.1.4.1.99999.2.3"
            [[adds_up]]
            total = "System"
            parts = ["Print", "Copy"]
        "#;
        let profiles = Profiles::parse(&[BASE_TEXT, ("acme", acme)]).unwrap();
        let said = |values: &[i64]| {
            let variables: Variables = values
                .iter()
                .zip(1_u32..)
                .map(|(value, place)| {
                    let name = Oid::parse(&format!("1.3.6.1.4.1.99999.2.{place}")).unwrap();
                    (name, crate::snmp::message::Value::Integer(*value))
                })
                .collect();
            let profile = profiles.named("acme");
            let snapshot = profiles.snapshot(profile, &variables);
            profiles.odd_sums(profile, &snapshot.counters)
        };
        assert_eq!(said(&[1000, 600, 400]), [""; 0]);
        assert_eq!(said(&[100_000, 60_000, 39_100]), [""; 0], "a few pages between two numbers");
        assert_eq!(said(&[1000, 600]), [""; 0], "without the copies nobody knows");
        assert_eq!(said(&[1000, 600, 0]), ["System 1000 ≠ Print 600 + Copy 0"]);
        let wrong = |rule: &str| {
            fault(&format!(
                "name = \"acme\"\nextends = \"printer-mib\"\nconfidence = \"verified\"\n[[adds_up]]\n{rule}"
            ))
        };
        assert!(wrong("total = \"Sytem\"\nparts = [\"Print\", \"Copy\"]").contains("`Sytem` is no name of a counter"));
        assert!(wrong("total = \"System\"\nparts = [\"Print\"]").contains("two or more"));
        assert!(wrong("total = \"System\"\nparts = [\"Print\", \"Print\"]").contains("stands twice"));
    }

    proptest::proptest! {
        #[test]
        fn no_profile_panics(octets in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400), at in 0..4000_usize, octet: u8) {
            take(&octets);
            let mut damaged = include_str!("../../profiles/brother.toml").as_bytes().to_vec();
            if let Some(place) = damaged.get_mut(at) {
                *place = octet;
            }
            take(&damaged);
        }
    }
}
