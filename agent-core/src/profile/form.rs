//! The form of a profile's file, and what can be wrong with one.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use wire::vocab::{Basis, ColorUse, CounterUnit, MediaSize, Service, Sides};

use super::counters::CounterRule;
use super::identity::IdentityRules;
use super::supplies::SupplyRules;
use crate::oid::Oid;

/// One profile.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Equal to the file's name.
    pub name: String,
    /// The profile whose rules apply where this one has none.
    pub(super) extends: Option<String>,
    /// Maker of all devices that match, unless a brand fits.
    pub(super) manufacturer: Option<String>,
    /// SNMP contexts in which some devices keep what their default one lacks, in the order in which they are asked.
    #[serde(default)]
    pub(super) contexts: Vec<String>,
    #[serde(default, rename = "match")]
    pub(super) matches: Match,
    /// Brands under which the maker's devices are sold; the first that fits.
    #[serde(default, rename = "brand")]
    pub(super) brands: Vec<Brand>,
    #[serde(default)]
    pub(super) identity: IdentityRules,
    #[serde(default, rename = "counter")]
    pub(super) counters: Vec<CounterRule>,
    #[serde(default)]
    pub(super) supplies: SupplyRules,
    /// What the devices cannot bear.
    #[serde(default)]
    pub quirks: Quirks,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Match {
    /// Prefixes of sysObjectID; the longest over all profiles wins.
    #[serde(default)]
    pub(super) sys_object_id: Vec<Oid>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Brand {
    pub(super) manufacturer: String,
    /// Words of which one stands in the device's description or model.
    #[serde(default)]
    pub(super) words: Vec<String>,
    /// What the order numbers of its supplies begin with, for brands that never name themselves.
    #[serde(default)]
    pub(super) part_number_prefixes: Vec<String>,
}

/// One instance, or a column of which the printer's row is meant.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Place {
    Oid(Oid),
    Column(Oid),
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

impl Profile {
    pub(super) fn check(&self, file: &str, denied: &Denied) -> Result<(), String> {
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

    /// SNMP contexts to ask for what the default one lacks.
    pub fn contexts(&self) -> &[String] {
        &self.contexts
    }

    /// Everything that the profile reads.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
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
}

impl Place {
    pub(super) fn oid(&self) -> &Oid {
        match self {
            Self::Oid(oid) | Self::Column(oid) => oid,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Denied {
    pub(super) denied: Vec<DeniedPrefix>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeniedPrefix {
    pub(super) prefix: Oid,
    pub(super) why: String,
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
pub(super) struct Enterprises {
    pub(super) names: BTreeMap<String, String>,
}

macro_rules! closed {
    ($($function:ident $kind:ident,)*) => {
        $(pub(super) fn $function<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$kind, D::Error> {
            let word = String::deserialize(deserializer)?;
            match $kind::from_keyword(&word) {
                $kind::Other(_) => Err(serde::de::Error::custom(format!("`{word}` is none of {}", $kind::KEYWORDS.join(", ")))),
                known => Ok(known),
            }
        })*
    };
}

closed! { service Service, color ColorUse, size MediaSize, sides Sides, unit CounterUnit, basis Basis, }

pub(super) fn any_color() -> ColorUse {
    ColorUse::Any
}
pub(super) fn any_size() -> MediaSize {
    MediaSize::Any
}
pub(super) fn any_sides() -> Sides {
    Sides::Any
}
pub(super) fn any_unit() -> CounterUnit {
    CounterUnit::Impressions
}
