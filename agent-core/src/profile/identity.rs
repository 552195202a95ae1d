//! Who a device is: the places that a profile names, in the order of trust.

use serde::Deserialize;
use wire::device::{Identity, Supply};

use super::Profiles;
use super::form::{Brand, Place, Profile};
use crate::ieee1284;
use crate::oid::Oid;
use crate::printer_mib::{self, System};
use crate::reader::Variables;
use crate::text;

/// Where identity comes from: for each field the sources in the order of trust.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct IdentityRules {
    pub(super) manufacturer: Vec<Source>,
    pub(super) model: Vec<Source>,
    pub(super) serial: Vec<Source>,
    pub(super) firmware: Vec<Source>,
    pub(super) host_name: Vec<Source>,
}

/// A text and how to cut it out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    #[serde(flatten)]
    pub(super) place: Place,
    /// Takes this key of an IEEE 1284 device id, such as `MDL`.
    ieee1284: Option<String>,
    /// Passes over two symbol-set octets at the start of a PML string.
    #[serde(default)]
    pub(super) pml: bool,
    /// Takes what stands behind this text.
    pub(super) after: Option<String>,
    /// Takes what stands before this text.
    pub(super) before: Option<String>,
}

impl Profiles {
    pub(super) fn identity(&self, profile: &Profile, variables: &Variables, supplies: &[Supply]) -> Identity {
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
            sources: Vec::new(),
        }
    }

    /// The maker registered for the enterprise number in a sysObjectID.
    fn enterprise(&self, sys_object_id: Option<&Oid>) -> Option<String> {
        let [1, 3, 6, 1, 4, 1, number, ..] = sys_object_id?.arcs() else { return None };
        self.enterprises.get(&number.to_string()).cloned()
    }
}

impl Profile {
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
            Some(key) => ieee1284::value(&raw, key)?,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_the_model_only() {
        assert_eq!(without_serial("XC4240 7529110247L31 CXTZJ.230.307", Some("7529110247L31")), "XC4240");
        assert_eq!(without_serial("S1", Some("S1")), "S1");
        assert_eq!(without_maker("HP LaserJet", Some("HP")), "LaserJet");
        assert_eq!(without_maker("HP", Some("HP")), "HP");
    }
}
