//! What a device has counted: from where in its tables, and what each number means.

use serde::Deserialize;
use wire::device::Counter;
use wire::vocab::{Basis, ColorUse, Confidence, CounterUnit, MediaSize, Service, Sides};

use super::Profiles;
use super::form::{Place, Profile, any_color, any_sides, any_size, any_unit, basis, color, service, sides, size, unit};
use crate::oid::Oid;
use crate::reader::Variables;
use crate::text;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CounterRule {
    #[serde(deserialize_with = "service")]
    pub(super) service: Service,
    #[serde(default = "any_color", deserialize_with = "color")]
    pub(super) color: ColorUse,
    #[serde(default = "any_size", deserialize_with = "size")]
    pub(super) size: MediaSize,
    #[serde(default = "any_sides", deserialize_with = "sides")]
    pub(super) sides: Sides,
    #[serde(default = "any_unit", deserialize_with = "unit")]
    pub(super) unit: CounterUnit,
    #[serde(deserialize_with = "basis")]
    pub(super) basis: Basis,
    /// The instance that holds the number.
    pub(super) oid: Option<Oid>,
    /// A column whose rows are added up.
    pub(super) sum: Option<Oid>,
    /// A column of which the first row counts.
    pub(super) first: Option<Oid>,
    /// A column of which each row is a counter of its own, its size named by `size_names`.
    pub(super) rows: Option<Oid>,
    /// The column with the names of sizes, of the same rows.
    pub(super) size_names: Option<Oid>,
    /// The column with the unit (PrtMarkerCounterUnitTC), of the same rows.
    pub(super) units: Option<Oid>,
    /// An instance that the device has to have; without it the number means something else.
    pub(super) needs: Option<Oid>,
}

impl CounterRule {
    /// Whether the number counts everything that the service does, not one colour, size or side of it.
    pub(super) fn is_plain(&self) -> bool {
        (&self.color, &self.size, &self.sides) == (&any_color(), &any_size(), &any_sides())
    }
}

impl Profiles {
    pub(super) fn counters(&self, profile: &Profile, variables: &Variables) -> Vec<Counter> {
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

impl CounterRule {
    /// Where the numbers are.
    pub(super) fn values(&self) -> impl Iterator<Item = Place> {
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
            confidence: Confidence::Verified,
        }
    }
}
