//! Profiles: what the devices of a vendor say beyond the standard tables, as data.
//!
//! A profile is a TOML file in `profiles/`, compiled in. Adding a model needs no Rust. A profile can name what to read, never
//! what is denied (`profiles/denied.toml`: jobs, users, documents): such a profile does not load.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use thiserror::Error;
use wire::device::{Counter, Identity, Snapshot, Supply};
use wire::vocab::{Basis, ColorUse, Colorant, CounterUnit, MediaSize, Service, Sides};

use crate::oid::Oid;
use crate::printer_mib::{self, Ageing, Column, System};
use crate::reader::{Plan, Variables};
use crate::text;

/// Name of the profile that all others extend and that serves devices which no other matches.
pub const BASE: &str = "printer-mib";

const FILES: &[(&str, &str)] = &[
    ("printer-mib", include_str!("../profiles/printer-mib.toml")),
    ("epson", include_str!("../profiles/epson.toml")),
    ("hp", include_str!("../profiles/hp.toml")),
    ("kyocera", include_str!("../profiles/kyocera.toml")),
];
const DENIED: &str = include_str!("../profiles/denied.toml");
const ENTERPRISES: &str = include_str!("../profiles/enterprises.toml");

/// One profile.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Equal to the file's name.
    pub name: String,
    /// The profile whose rules apply where this one has none.
    extends: Option<String>,
    /// Maker of all devices that match, unless a brand fits.
    manufacturer: Option<String>,
    #[serde(default, rename = "match")]
    matches: Match,
    /// Brands under which the maker's devices are sold; the first that fits.
    #[serde(default, rename = "brand")]
    brands: Vec<Brand>,
    #[serde(default)]
    identity: IdentityRules,
    #[serde(default, rename = "counter")]
    counters: Vec<CounterRule>,
    #[serde(default)]
    supplies: SupplyRules,
    /// What the devices cannot bear.
    #[serde(default)]
    pub quirks: Quirks,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    /// Prefixes of sysObjectID; the longest over all profiles wins.
    #[serde(default)]
    sys_object_id: Vec<Oid>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Brand {
    manufacturer: String,
    /// Words of which one stands in the device's description or model.
    #[serde(default)]
    words: Vec<String>,
    /// What the order numbers of its supplies begin with, for brands that never name themselves.
    #[serde(default)]
    part_number_prefixes: Vec<String>,
}

/// Where identity comes from: for each field the sources in the order of trust.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct IdentityRules {
    manufacturer: Vec<Source>,
    model: Vec<Source>,
    serial: Vec<Source>,
    firmware: Vec<Source>,
    host_name: Vec<Source>,
}

/// A text and how to cut it out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    #[serde(flatten)]
    place: Place,
    /// Takes this key of an IEEE 1284 device id, such as `MDL`.
    ieee1284: Option<String>,
    /// Passes over two symbol-set octets at the start of a PML string.
    #[serde(default)]
    pml: bool,
    /// Takes what stands behind this text.
    after: Option<String>,
    /// Takes what stands before this text.
    before: Option<String>,
}

/// One instance, or a column of which the printer's row is meant.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    Oid(Oid),
    Column(Oid),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CounterRule {
    #[serde(deserialize_with = "service")]
    service: Service,
    #[serde(default = "any_color", deserialize_with = "color")]
    color: ColorUse,
    #[serde(default = "any_size", deserialize_with = "size")]
    size: MediaSize,
    #[serde(default = "any_sides", deserialize_with = "sides")]
    sides: Sides,
    #[serde(default = "any_unit", deserialize_with = "unit")]
    unit: CounterUnit,
    #[serde(deserialize_with = "basis")]
    basis: Basis,
    /// The instance that holds the number.
    oid: Option<Oid>,
    /// A column whose rows are added up.
    sum: Option<Oid>,
    /// A column of which the first row counts.
    first: Option<Oid>,
    /// A column of which each row is a counter of its own, its size named by `size_names`.
    rows: Option<Oid>,
    /// The column with the names of sizes, of the same rows.
    size_names: Option<Oid>,
    /// The column with the unit (PrtMarkerCounterUnitTC), of the same rows.
    units: Option<Oid>,
    /// An instance that the device has to have; without it the number means something else.
    needs: Option<Oid>,
}

/// How descriptions of supplies come apart.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SupplyRules {
    /// The whole description is the maker's order number.
    description_is_part_number: bool,
    /// The last letter of an order number that ends in digits and one of C, M, Y, K is the colour.
    color_is_last_letter: bool,
    /// The order number stands behind this text.
    part_number_after: Option<String>,
    /// The serial number stands behind this text.
    serial_after: Option<String>,
}

/// A description of a supply, taken apart.
pub struct Described {
    /// What is left of the description.
    pub description: String,
    /// Order number.
    pub part_number: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Colour told by the order number.
    pub color: Option<Colorant>,
}

/// What devices cannot bear.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// Most rows asked for with one GETBULK.
    pub max_repetitions: Option<u8>,
    /// Most names in one request.
    pub max_names: Option<u8>,
}

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
        let loaded = Self { profiles, enterprises: enterprises.names };
        loaded.check()?;
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

    /// What a full reading of a device with this profile asks for.
    pub fn full_plan(&self, profile: &Profile) -> Plan {
        let mut plan = Plan::default();
        plan.columns.extend(printer_mib::COLUMNS.iter().filter_map(|column| Oid::new(column.arcs)));
        for place in self.lineage(profile).flat_map(Profile::places) {
            plan.add(place);
        }
        plan.settle();
        plan
    }

    /// What a routine poll asks for: the rows known from `variables` that can change, and the tables whose rows come and go.
    pub fn routine_plan(&self, profile: &Profile, variables: &Variables) -> Plan {
        let mut plan = Plan::default();
        plan.names.extend(printer_mib::up_time_name());
        for column in printer_mib::COLUMNS {
            match column.ageing {
                Ageing::Steady => {}
                Ageing::Changing => plan.names.extend(variables.names_below(column.arcs)),
                Ageing::Volatile => plan.columns.extend(Oid::new(column.arcs)),
            }
        }
        for source in self.lineage(profile).flat_map(|rules| &rules.identity.serial) {
            match &source.place {
                Place::Oid(name) => plan.witnesses.extend(variables.get(name.arcs()).is_some().then(|| name.clone())),
                Place::Column(column) => plan.witnesses.extend(variables.names_below(column.arcs())),
            }
        }
        plan.names.extend(plan.witnesses.iter().cloned());
        for rule in self.lineage(profile).flat_map(|rules| &rules.counters) {
            for place in rule.values() {
                match place {
                    Place::Oid(name) => plan.names.extend(variables.get(name.arcs()).is_some().then_some(name)),
                    Place::Column(column) => plan.names.extend(variables.names_below(column.arcs())),
                }
            }
        }
        plan.settle();
        plan
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

    fn identity(&self, profile: &Profile, variables: &Variables, supplies: &[Supply]) -> Identity {
        let system = System::of(variables);
        let first = |field: fn(&IdentityRules) -> &Vec<Source>| {
            self.lineage(profile).flat_map(|rules| field(&rules.identity)).find_map(|source| source.read(variables))
        };
        let model = first(|rules| &rules.model);
        let told = first(|rules| &rules.manufacturer);
        let texts: Vec<&str> = [&model, &system.description].into_iter().flatten().map(String::as_str).collect();
        let manufacturer = profile
            .brand(&texts, supplies)
            .or_else(|| profile.manufacturer.clone())
            .or(told)
            .or_else(|| self.enterprise(system.object_id.as_ref()));
        let serial = first(|rules| &rules.serial);
        Identity {
            model: model.map(|model| without_maker(without_serial(&model, serial.as_deref()), manufacturer.as_deref())),
            manufacturer,
            serial,
            firmware: first(|rules| &rules.firmware),
            host_name: system.name.or_else(|| first(|rules| &rules.host_name)),
            mac: printer_mib::mac(variables),
            location: system.location,
            contact: system.contact,
            sys_object_id: system.object_id.map(|oid| oid.to_string()),
            description: system.description,
            profile: Some(profile.name.clone()),
        }
    }

    /// The maker registered for the enterprise number in a sysObjectID.
    fn enterprise(&self, sys_object_id: Option<&Oid>) -> Option<String> {
        let [1, 3, 6, 1, 4, 1, number, ..] = sys_object_id?.arcs() else { return None };
        self.enterprises.get(&number.to_string()).cloned()
    }

    fn counters(&self, profile: &Profile, variables: &Variables) -> Vec<Counter> {
        let mut counters: Vec<Counter> = Vec::new();
        for rule in self.lineage(profile).flat_map(|rules| &rules.counters) {
            for counter in rule.read(variables) {
                let same = |known: &Counter| {
                    (&known.service, &known.color, &known.size, &known.sides, &known.basis, &known.unit)
                        == (
                            &counter.service,
                            &counter.color,
                            &counter.size,
                            &counter.sides,
                            &counter.basis,
                            &counter.unit,
                        )
                };
                if !counters.iter().any(same) {
                    counters.push(counter);
                }
            }
        }
        counters.truncate(256);
        counters
    }
}

/// A model up to the serial number: some firmwares write model, serial number and version in one.
fn without_serial<'a>(model: &'a str, serial: Option<&str>) -> &'a str {
    let head = serial.and_then(|serial| model.split_once(serial)).map(|(head, _)| head.trim_end());
    head.filter(|head| !head.is_empty()).unwrap_or(model)
}

/// A model without its maker's name in front: `Acme Laser 5` beside a column with the maker says `Acme` once.
fn without_maker(model: &str, maker: Option<&str>) -> String {
    let rest = maker.and_then(|maker| {
        let (head, rest) = model.split_at_checked(maker.len())?;
        (head.eq_ignore_ascii_case(maker) && rest.starts_with(' ')).then(|| rest.trim_start())
    });
    rest.filter(|rest| !rest.is_empty()).unwrap_or(model).to_owned()
}

impl Profile {
    fn check(&self, file: &str, denied: &Denied) -> Result<(), String> {
        if self.name != file {
            return Err(format!("`name` is \"{}\" and has to be the file's name", self.name));
        }
        for place in self.places() {
            let oid = place.oid();
            if let Some(rule) = denied.covering(oid) {
                return Err(format!("{oid} is not readable: {} ({})", rule.why, rule.prefix));
            }
        }
        for rule in &self.counters {
            if rule.values().count() != 1 {
                return Err("a counter takes one of `oid`, `sum`, `first` and `rows`".to_owned());
            }
            if rule.rows.is_some() != rule.size_names.is_some() {
                return Err("`rows` and `size_names` go together".to_owned());
            }
        }
        Ok(())
    }

    /// Everything that the profile reads.
    fn places(&self) -> impl Iterator<Item = Place> {
        let identity = &self.identity;
        let sources =
            [&identity.manufacturer, &identity.model, &identity.serial, &identity.firmware, &identity.host_name];
        let identity = sources.into_iter().flatten().map(|source| source.place.clone());
        let counters = self.counters.iter().flat_map(|rule| {
            let labels = [&rule.size_names, &rule.units].into_iter().flatten().cloned().map(Place::Column);
            rule.values().chain(labels).chain(rule.needs.clone().map(Place::Oid))
        });
        identity.chain(counters)
    }

    /// The brand that is named in one of the texts, or by the supplies.
    fn brand(&self, texts: &[&str], supplies: &[Supply]) -> Option<String> {
        let separates = |character: char| !character.is_alphanumeric() && character != '-';
        let words: Vec<&str> = texts.iter().flat_map(|text| text.split(separates)).collect();
        let named =
            |brand: &Brand| brand.words.iter().any(|word| words.iter().any(|other| other.eq_ignore_ascii_case(word)));
        let supplied = |brand: &Brand| {
            let begins = |number: &String| brand.part_number_prefixes.iter().any(|prefix| number.starts_with(prefix));
            supplies.iter().filter_map(|supply| supply.part_number.as_ref()).any(begins)
        };
        self.brands.iter().find(|brand| named(brand) || supplied(brand)).map(|brand| brand.manufacturer.clone())
    }
}

impl Place {
    fn oid(&self) -> &Oid {
        match self {
            Self::Oid(oid) | Self::Column(oid) => oid,
        }
    }
}

impl Plan {
    fn add(&mut self, place: Place) {
        match place {
            Place::Oid(name) => self.names.push(name),
            Place::Column(column) => self.columns.push(column),
        }
    }
}

impl Source {
    fn read(&self, variables: &Variables) -> Option<String> {
        let raw = match &self.place {
            Place::Oid(name) => {
                let octets = variables.get(name.arcs())?.octets()?;
                let octets = match octets {
                    [first, _, rest @ ..] if self.pml && *first < 0x20 => rest,
                    octets => octets,
                };
                text::text(octets)?
            }
            Place::Column(column) => printer_mib::printer_text(variables, column.arcs())?,
        };
        let part = match &self.ieee1284 {
            Some(key) => ieee1284_value(&raw, key)?,
            None => &raw,
        };
        let part = match &self.after {
            Some(mark) => part.split_once(mark.as_str())?.1,
            None => part,
        };
        let part = match &self.before {
            Some(mark) => part.split_once(mark.as_str()).map_or(part, |(head, _)| head),
            None => part,
        };
        let part = part.trim();
        (!part.is_empty()).then(|| part.to_owned())
    }
}

/// The value of a key in an IEEE 1284 device id (`MFG:…;MDL:…;`); long and short names of a key mean the same.
fn ieee1284_value<'a>(id: &'a str, key: &str) -> Option<&'a str> {
    let long = match key {
        "MFG" => "MANUFACTURER",
        "MDL" => "MODEL",
        "SN" => "SERIALNUMBER",
        other => other,
    };
    id.split(';').filter_map(|field| field.split_once(':')).find_map(|(name, value)| {
        let name = name.trim();
        (name.eq_ignore_ascii_case(key) || name.eq_ignore_ascii_case(long)).then_some(value)
    })
}

impl CounterRule {
    /// Where the numbers are.
    fn values(&self) -> impl Iterator<Item = Place> {
        let columns = [&self.sum, &self.first, &self.rows].into_iter().flatten().cloned().map(Place::Column);
        self.oid.iter().cloned().map(Place::Oid).chain(columns)
    }

    fn read(&self, variables: &Variables) -> Vec<Counter> {
        if self.needs.as_ref().is_some_and(|name| variables.get(name.arcs()).is_none()) {
            return Vec::new();
        }
        let rows = |column: &Oid| -> Vec<(Vec<u32>, u64)> {
            variables
                .column(column.arcs())
                .filter_map(|(index, value)| Some((index.to_vec(), u64::try_from(value.number()?).ok()?)))
                .collect()
        };
        if let Some(name) = &self.oid {
            let value =
                variables.get(name.arcs()).and_then(|value| value.number()).and_then(|value| u64::try_from(value).ok());
            return value.map(|value| self.counter(value, name.to_string(), &[], variables)).into_iter().collect();
        }
        if let Some(column) = &self.sum {
            let rows = rows(column);
            let sum = rows.iter().fold(0_u64, |sum, (_, value)| sum.saturating_add(*value));
            return (!rows.is_empty())
                .then(|| self.counter(sum, format!("{column}.*"), &[], variables))
                .into_iter()
                .collect();
        }
        let counter = |column: &Oid, (index, value): &(Vec<u32>, u64)| {
            self.counter(*value, column.child(index).to_string(), index, variables)
        };
        if let Some(column) = &self.first {
            return rows(column).first().map(|row| counter(column, row)).into_iter().collect();
        }
        let Some(column) = &self.rows else { return Vec::new() };
        rows(column).iter().filter(|(_, value)| *value > 0).map(|row| counter(column, row)).collect()
    }

    fn counter(&self, value: u64, source: String, index: &[u32], variables: &Variables) -> Counter {
        let label = |column: &Option<Oid>| column.as_ref().and_then(|column| variables.cell(column.arcs(), index));
        let size = label(&self.size_names).and_then(|value| value.octets()).and_then(text::text);
        let unit = label(&self.units).and_then(|value| value.number());
        Counter {
            service: self.service.clone(),
            color: self.color.clone(),
            size: size.map_or_else(|| self.size.clone(), MediaSize::Other),
            sides: self.sides.clone(),
            unit: unit.map_or_else(|| self.unit.clone(), CounterUnit::from_code),
            basis: self.basis.clone(),
            value,
            source,
        }
    }
}

impl SupplyRules {
    /// Takes a description apart.
    pub fn describe(&self, words: &str) -> Described {
        let cut = |mark: &Option<String>| mark.as_deref().and_then(|mark| words.split_once(mark));
        let number = |(_, rest): (&str, &str)| {
            let end = rest.find([',', ';']).unwrap_or(rest.len());
            rest.get(..end).map(str::trim).filter(|number| !number.is_empty()).map(str::to_owned)
        };
        let (part, serial) = (cut(&self.part_number_after), cut(&self.serial_after));
        let ends = [part, serial].into_iter().flatten().map(|(head, _)| head.len()).min();
        let description =
            ends.and_then(|end| words.get(..end)).map_or(words, |head| head.trim_end_matches([',', ' ', ';']));
        let whole = self.description_is_part_number && !words.is_empty() && !words.contains(' ');
        let part_number = if whole { Some(words.to_owned()) } else { part.and_then(number) };
        let color = part_number.as_deref().filter(|_| self.color_is_last_letter).and_then(last_letter_color);
        Described { description: description.to_owned(), serial: serial.and_then(number), part_number, color }
    }
}

fn last_letter_color(part_number: &str) -> Option<Colorant> {
    let mut characters = part_number.chars().rev();
    let color = match characters.next()? {
        'C' => Colorant::Cyan,
        'M' => Colorant::Magenta,
        'Y' => Colorant::Yellow,
        'K' => Colorant::Black,
        _ => return None,
    };
    characters.next()?.is_ascii_digit().then_some(color)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Denied {
    denied: Vec<DeniedPrefix>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeniedPrefix {
    prefix: Oid,
    why: String,
}

impl Denied {
    /// The rule that forbids reading `oid`, or a column above what it forbids.
    fn covering(&self, oid: &Oid) -> Option<&DeniedPrefix> {
        self.denied
            .iter()
            .find(|rule| oid == &rule.prefix || oid.below(&rule.prefix).is_some() || rule.prefix.below(oid).is_some())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Enterprises {
    names: BTreeMap<String, String>,
}

macro_rules! closed {
    ($($function:ident $kind:ident,)*) => {
        $(fn $function<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$kind, D::Error> {
            let word = String::deserialize(deserializer)?;
            match $kind::from_keyword(&word) {
                $kind::Other(_) => Err(serde::de::Error::custom(format!("`{word}` is none of {}", $kind::KEYWORDS.join(", ")))),
                known => Ok(known),
            }
        })*
    };
}

closed! { service Service, color ColorUse, size MediaSize, sides Sides, unit CounterUnit, basis Basis, }

fn any_color() -> ColorUse {
    ColorUse::Any
}
fn any_size() -> MediaSize {
    MediaSize::Any
}
fn any_sides() -> Sides {
    Sides::Any
}
fn any_unit() -> CounterUnit {
    CounterUnit::Impressions
}

/// Every object that a reading may ask for, with the profile that asks: the closed list that the documentation publishes.
pub fn readable(profiles: &Profiles) -> Vec<(String, String)> {
    let standard = printer_mib::COLUMNS.iter().map(|column: &&Column| {
        (Oid::new(column.arcs).map(|oid| oid.to_string()).unwrap_or_default(), column.name.to_owned())
    });
    let system = printer_mib::system_names().into_iter().map(|name| (name.to_string(), "system".to_owned()));
    let vendors = profiles
        .profiles
        .values()
        .flat_map(|profile| profile.places().map(|place| (place.oid().to_string(), profile.name.clone())));
    let mut list: Vec<_> = system.chain(standard).chain(vendors).collect();
    list.dedup();
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE_TEXT: (&str, &str) = ("printer-mib", include_str!("../profiles/printer-mib.toml"));

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

    #[test]
    fn descriptions_come_apart() {
        let rules = SupplyRules {
            part_number_after: Some("PN ".into()),
            serial_after: Some("SN ".into()),
            ..SupplyRules::default()
        };
        let described = rules.describe("Black Cartridge, PN CF410X, SN 12345");
        assert_eq!(described.description, "Black Cartridge");
        assert_eq!(described.part_number.as_deref(), Some("CF410X"));
        assert_eq!(described.serial.as_deref(), Some("12345"));
        let rules =
            SupplyRules { description_is_part_number: true, color_is_last_letter: true, ..SupplyRules::default() };
        assert_eq!(rules.describe("CK-8512C").color, Some(Colorant::Cyan));
        assert_eq!(rules.describe("Waste Toner Box").part_number, None);
    }

    #[test]
    fn a_model_is_the_model_only() {
        assert_eq!(without_serial("XC4240 7529110247L31 CXTZJ.230.307", Some("7529110247L31")), "XC4240");
        assert_eq!(without_serial("S1", Some("S1")), "S1");
        assert_eq!(without_maker("HP LaserJet", Some("HP")), "LaserJet");
        assert_eq!(without_maker("HP", Some("HP")), "HP");
    }

    #[test]
    fn device_ids_come_apart() {
        assert_eq!(ieee1284_value("MFG:EPSON;MDL: X 1;", "MDL"), Some(" X 1"));
        assert_eq!(ieee1284_value("MANUFACTURER:Acme;", "MFG"), Some("Acme"));
        assert_eq!(ieee1284_value("nonsense", "MFG"), None);
    }
}
