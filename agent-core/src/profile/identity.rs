//! Who a device is: the places that a profile names, in the order of trust, and everything that was found at them.

use wire::device::{FieldSource, Identity, Supply};
use wire::vocab::{Confidence, IdentityField};

use super::Profiles;
use super::form::{Brand, IdentityRules, Profile, Source};
use crate::ieee1284;
use crate::oid::Oid;
use crate::printer_mib::{self, System};
use crate::reader::Variables;
use crate::text;

/// A text that was found, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) text: String,
    pub(super) source: Oid,
    pub(super) confidence: Confidence,
}

/// Something that a device says of itself, at one of the places where it may say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What it says something of: a field of the identity (`serial`, `model` …), `deviceId`, `counter`, `supply` for a
    /// description that the snapshot has in parts, or `record` for a record of a binary value.
    pub field: &'static str,
    /// What it says, whole.
    pub value: String,
    /// The OID, dotted; `OID#tag` for a record.
    pub source: String,
    /// How sure its meaning is.
    pub confidence: Confidence,
    /// Whether it is what the snapshot shows.
    pub chosen: bool,
}

/// The sources of one field.
type Field = fn(&IdentityRules) -> &Vec<Source>;

impl Profiles {
    pub(super) fn identity(&self, profile: &Profile, variables: &Variables, supplies: &[Supply]) -> Identity {
        let system = System::of(variables);
        let best = |field: Field| best(self.found(profile, variables, field));
        let model = self.model(profile, variables);
        let told = best(|rules| &rules.manufacturer);
        let texts: Vec<&str> =
            model.iter().map(|model| model.text.as_str()).chain(system.description.as_deref()).collect();
        let serial = best(|rules| &rules.serial);
        let firmware = best(|rules| &rules.firmware);
        let host_name = best(|rules| &rules.host_name).filter(|_| system.name.is_none());
        let manufacturer = profile
            .brand(&texts, supplies)
            .or_else(|| self.lineage(profile).find_map(|rules| rules.manufacturer.clone()));
        let told = told.filter(|_| manufacturer.is_none());
        let manufacturer = manufacturer
            .or_else(|| told.as_ref().map(|told| told.text.clone()))
            .or_else(|| self.enterprise(system.object_id.as_ref()));
        let sources = [
            (IdentityField::Manufacturer, &told),
            (IdentityField::Model, &model),
            (IdentityField::Serial, &serial),
            (IdentityField::Firmware, &firmware),
            (IdentityField::HostName, &host_name),
        ];
        let sources = sources.into_iter().filter_map(|(field, found)| {
            let Found { source, confidence, .. } = found.as_ref()?;
            if *confidence == Confidence::Verified && source.arcs().starts_with(printer_mib::MIB_2) {
                return None;
            }
            Some(FieldSource { field, source: source.to_string(), confidence: confidence.clone() })
        });
        let sources = sources.collect();
        let text = |found: Option<Found>| found.map(|found| found.text);
        let (model, serial) = (text(model), text(serial));
        Identity {
            model: model.map(|model| {
                let model = without_serial(&model, serial.as_deref());
                manufacturer.as_deref().map_or(model, |maker| without_maker(model, maker)).to_owned()
            }),
            manufacturer,
            serial,
            firmware: text(firmware),
            host_name: system.name.or_else(|| text(host_name)),
            mac: printer_mib::mac(variables).map(|(_, mac)| mac),
            location: system.location,
            contact: system.contact,
            sys_object_id: system.object_id.map(|oid| oid.to_string()),
            description: system.description,
            profile: Some(profile.name.clone()),
            sources,
        }
    }

    /// The model as it stands at its place.
    pub(super) fn model(&self, profile: &Profile, variables: &Variables) -> Option<Found> {
        best(self.found(profile, variables, |rules| &rules.model))
    }

    /// What stands at the places of a field, the profile's first.
    pub(super) fn found(&self, profile: &Profile, variables: &Variables, field: Field) -> Vec<Found> {
        let of = |rules: &Profile| {
            let read = |source: &Source| source.read(variables, &rules.confidence);
            field(&rules.identity).iter().filter_map(read).collect::<Vec<_>>()
        };
        self.lineage(profile).flat_map(of).collect()
    }

    /// The maker registered for the enterprise number in a sysObjectID.
    fn enterprise(&self, sys_object_id: Option<&Oid>) -> Option<String> {
        let [1, 3, 6, 1, 4, 1, number, ..] = sys_object_id?.arcs() else { return None };
        self.enterprises.get(&number.to_string()).cloned()
    }

    /// Everything that the device says of itself at the places that are read, whether the snapshot shows it or something
    /// better: fields of the identity, counters that mean the same as better ones, records of binary values.
    pub fn evidence(&self, profile: &Profile, variables: &Variables) -> Vec<Evidence> {
        let mut list: Vec<Evidence> = Vec::new();
        let standard = |field, value, source: String| Evidence {
            field,
            value,
            source,
            confidence: Confidence::Verified,
            chosen: true,
        };
        list.extend(
            printer_mib::system_texts(variables)
                .into_iter()
                .map(|(field, source, value)| standard(field, value, source.to_string())),
        );
        list.extend(printer_mib::mac(variables).map(|(source, mac)| standard("mac", mac, source.to_string())));
        let fields: [(&'static str, Field); 6] = [
            ("manufacturer", |rules| &rules.manufacturer),
            ("model", |rules| &rules.model),
            ("serial", |rules| &rules.serial),
            ("firmware", |rules| &rules.firmware),
            ("hostName", |rules| &rules.host_name),
            ("deviceId", |rules| &rules.device_id),
        ];
        for (field, rules) in fields {
            let found = self.found(profile, variables, rules);
            let chosen = best(found.clone());
            let system_has_it = field == "hostName" && System::of(variables).name.is_some();
            list.extend(found.into_iter().map(|found| Evidence {
                chosen: !system_has_it && Some(&found) == chosen.as_ref(),
                field,
                value: found.text,
                source: found.source.to_string(),
                confidence: found.confidence,
            }));
        }
        let shown = self.counters(profile, variables);
        let further = self.all_counters(profile, variables).into_iter().filter(|counter| !shown.contains(counter));
        list.extend(further.map(|counter| Evidence {
            field: "counter",
            value: format!("{} {}", counter.name(), counter.value),
            source: counter.source,
            confidence: counter.confidence,
            chosen: false,
        }));
        for blob in self.lineage(profile).flat_map(|rules| &rules.blobs) {
            list.extend(blob.records(variables).into_iter().map(|record| Evidence {
                field: "record",
                value: record.number().map_or_else(|| text::hexadecimal(&record.octets), |number| number.to_string()),
                source: blob.source(record.tag),
                confidence: Confidence::Verified,
                chosen: blob.explains(record.tag),
            }));
        }
        let rules = self.supply_rules(profile);
        list.extend(
            printer_mib::supply_descriptions(variables)
                .filter(|(_, words)| rules.describe(words).description != *words)
                .map(|(source, words)| Evidence { chosen: false, ..standard("supply", words, source.to_string()) }),
        );
        let mut seen = std::collections::BTreeSet::new();
        list.retain(|evidence| seen.insert((evidence.field, evidence.source.clone(), evidence.value.clone())));
        list
    }
}

/// The most certain, of equals the first.
fn best(found: Vec<Found>) -> Option<Found> {
    found.into_iter().reduce(|best, next| if next.confidence < best.confidence { next } else { best })
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
pub(crate) fn without_maker<'a>(model: &'a str, maker: &str) -> &'a str {
    const SEPARATORS: [char; 3] = [' ', '-', '_'];
    let rest = model
        .split_at_checked(maker.len())
        .filter(|(head, rest)| head.eq_ignore_ascii_case(maker) && rest.starts_with(SEPARATORS));
    let rest = rest.map(|(_, rest)| rest.trim_start_matches(SEPARATORS)).filter(|rest| !rest.is_empty());
    rest.unwrap_or(model)
}

impl Source {
    /// What stands at the place, cut out; `sure` is the confidence of what does not say its own.
    fn read(&self, variables: &Variables, sure: &Confidence) -> Option<Found> {
        let (source, raw) = match (&self.oid, &self.column) {
            (Some(name), _) => {
                let octets = variables.get(name.arcs())?.octets()?;
                let octets = match octets {
                    [first, _, rest @ ..] if self.pml && *first < 0x20 => rest,
                    octets => octets,
                };
                (name.clone(), text::text_in(variables.character_set(), octets)?)
            }
            (None, Some(column)) => {
                let (index, text) = printer_mib::printer_text(variables, column.arcs())?;
                (column.child(&index), text)
            }
            (None, None) => return None,
        };
        let part = match &self.ieee1284 {
            Some(key) => ieee1284::value(&raw, key)?,
            None => &raw,
        };
        let part = self.after.iter().try_fold(part, |part, mark| Some(part.split_once(mark.as_str())?.1))?;
        let end = self.before.iter().filter_map(|mark| part.find(mark.as_str())).min();
        let part = end.and_then(|end| part.get(..end)).unwrap_or(part);
        let part = part.trim();
        let confidence = self.confidence.as_ref().unwrap_or(sure).clone();
        (!part.is_empty()).then(|| Found { text: part.to_owned(), source, confidence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_the_model_only() {
        assert_eq!(without_serial("XC4240 7529110247L31 CXTZJ.230.307", Some("7529110247L31")), "XC4240");
        assert_eq!(without_serial("S1", Some("S1")), "S1");
        for (model, rest) in
            [("HP LaserJet", "LaserJet"), ("hp_LaserJet", "LaserJet"), ("HP", "HP"), ("HP ", "HP "), ("HPX", "HPX")]
        {
            assert_eq!(without_maker(model, "HP"), rest);
        }
    }
}
