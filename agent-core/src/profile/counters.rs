//! What a device has counted: from where in its tables, and what each number means.

use wire::device::Counter;
use wire::vocab::{Basis, Confidence, CounterUnit, MediaSize};

use super::Profiles;
use super::blob;
use super::form::{AddsUp, Blob, CounterRule, CounterTable, Meaning, Profile, TableMeaning, plain};
use crate::oid::{Oid, dotted};
use crate::reader::Variables;
use crate::snmp::message::Value;

/// Most counters kept of one device.
const MAX_COUNTERS: usize = 256;
/// Pages by which a total and its parts may always differ.
const MOST_BETWEEN: u64 = 100;

impl Profiles {
    /// What the device has counted: of two counters that mean the same, that of the greater confidence, else the first.
    pub(super) fn counters(&self, profile: &Profile, variables: &Variables) -> Vec<Counter> {
        let mut counters: Vec<Counter> = Vec::new();
        for counter in self.all_counters(profile, variables) {
            match counters.iter_mut().find(|known| means_the_same(known, &counter)) {
                Some(known) if counter.confidence < known.confidence => *known = counter,
                Some(_) => {}
                None => counters.push(counter),
            }
        }
        counters.truncate(MAX_COUNTERS);
        counters
    }

    /// Totals that are not what their parts make, where the profile says that the parts are all there are: the numbers in words.
    /// Values are never changed by this.
    pub fn odd_sums(&self, profile: &Profile, counters: &[Counter]) -> Vec<String> {
        let rules = self.lineage(profile).flat_map(|profile| &profile.sums);
        rules.filter_map(|rule| odd_sum(rule, counters)).collect()
    }

    /// Every number that a rule explains, whether or not another means the same.
    pub(super) fn all_counters(&self, profile: &Profile, variables: &Variables) -> Vec<Counter> {
        let mut counters = Vec::new();
        for rules in self.lineage(profile) {
            let sure = |own: &Option<Confidence>| own.clone().unwrap_or_else(|| rules.confidence.clone());
            let suits = |rule: &&CounterRule| {
                rule.only_on.is_none_or(|wanted| self.prints_in(profile, variables) == Some(wanted))
            };
            for rule in rules.counters.iter().filter(suits) {
                counters.extend(rule.read(variables, &sure(&rule.confidence)));
            }
            for table in &rules.counter_tables {
                counters.extend(table.read(variables, &sure));
            }
            for blob in &rules.blobs {
                counters.extend(blob.counters(variables, &sure));
            }
        }
        counters
    }
}

/// What is wrong with a sum of which every term is there and sure; a device that lacks one tells nothing.
fn odd_sum(rule: &AddsUp, counters: &[Counter]) -> Option<String> {
    let value = |name: &String| {
        let sure = counters.iter().filter(|counter| counter.confidence == Confidence::Verified);
        sure.filter(|counter| counter.name() == *name).map(|counter| counter.value).next()
    };
    let total = value(&rule.total)?;
    let parts: Vec<u64> = rule.parts.iter().map(value).collect::<Option<_>>()?;
    let made = sum(parts.iter().copied());
    // The numbers are not of one moment: pages are printed while they are read, and pages that a device prints of its own are
    // not always counted with a function.
    if made.abs_diff(total) <= MOST_BETWEEN.max(total / 100) {
        return None;
    }
    let parts: Vec<String> = rule.parts.iter().zip(&parts).map(|(name, value)| format!("{name} {value}")).collect();
    Some(format!("{} {total} ≠ {}", rule.total, parts.join(" + ")))
}

fn means_the_same(one: &Counter, other: &Counter) -> bool {
    let meaning = |counter: &Counter| {
        let Counter { service, color, size, sides, unit, basis, .. } = counter.clone();
        (service, color, size, sides, unit, basis)
    };
    meaning(one) == meaning(other)
}

impl Meaning {
    fn counter(self, basis: &Basis, value: u64, source: String, confidence: &Confidence) -> Counter {
        let Self { service, color, size, sides, unit } = self;
        let (basis, confidence) = (basis.clone(), confidence.clone());
        Counter { service, color, size, sides, unit, basis, value, source, confidence }
    }
}

fn number(variables: &Variables, name: &Oid) -> Option<u64> {
    amount(variables.get(name.arcs())?)
}

/// What a value counts: a number, or a text that is nothing but digits, as some makers send them.
fn amount(value: &Value) -> Option<u64> {
    let digits = || {
        let text = std::str::from_utf8(value.octets()?).ok()?.trim_matches(['\0', ' ']);
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    };
    value.number().map_or_else(digits, |number| u64::try_from(number).ok())
}

fn rows(variables: &Variables, column: &Oid) -> Vec<(Vec<u32>, u64)> {
    let row = |(index, value): (&[u32], &Value)| Some((index.to_vec(), amount(value)?));
    variables.column(column.arcs()).filter_map(row).collect()
}

impl CounterRule {
    fn read(&self, variables: &Variables, confidence: &Confidence) -> Vec<Counter> {
        if self.needs.as_ref().is_some_and(|name| variables.get(name.arcs()).is_none()) {
            return Vec::new();
        }
        let one = |value, source| vec![self.meaning().counter(&self.basis, value, source, confidence)];
        if let Some(name) = &self.oid {
            return number(variables, name).map(|value| one(value, name.to_string())).unwrap_or_default();
        }
        if !self.sum_of.is_empty() {
            let terms: Option<Vec<u64>> = self.sum_of.iter().map(|name| number(variables, name)).collect();
            let source = self.sum_of.iter().map(ToString::to_string).collect::<Vec<_>>().join("+");
            return terms.map(|terms| one(sum(terms), source)).unwrap_or_default();
        }
        if let Some(column) = &self.sum {
            let rows = rows(variables, column);
            let total = sum(rows.iter().map(|(_, value)| *value));
            return if rows.is_empty() { Vec::new() } else { one(total, format!("{column}.*")) };
        }
        let of_row = |column: &Oid, (index, value): &(Vec<u32>, u64)| {
            let mut meaning = self.meaning();
            if let Some(size) = self.size_names.as_ref().and_then(|names| variables.text(names.arcs(), index)) {
                meaning.size = MediaSize::Other(size);
            }
            let unit = self.units.as_ref().and_then(|units| variables.cell(units.arcs(), index)?.number());
            if let Some(unit) = unit {
                meaning.unit = CounterUnit::from_code(unit);
            }
            meaning.counter(&self.basis, *value, column.child(index).to_string(), confidence)
        };
        if let Some(column) = &self.first {
            return rows(variables, column).first().map(|row| of_row(column, row)).into_iter().collect();
        }
        let Some(column) = &self.rows else { return Vec::new() };
        rows(variables, column).iter().filter(|(_, value)| *value > 0).map(|row| of_row(column, row)).collect()
    }
}

fn sum(terms: impl IntoIterator<Item = u64>) -> u64 {
    terms.into_iter().fold(0, u64::saturating_add)
}

impl CounterTable {
    fn read(&self, variables: &Variables, sure: &dyn Fn(&Option<Confidence>) -> Confidence) -> Vec<Counter> {
        let (mut told, mut placed) = (Vec::new(), Vec::new());
        for (index, value) in rows(variables, &self.values) {
            let source = self.values.child(&index).to_string();
            let counter =
                |rule: &TableMeaning| rule.meaning().counter(&self.basis, value, source, &sure(&rule.confidence));
            match self.meaning(variables, &index) {
                Some((rule, Key::Told)) => told.push(counter(rule)),
                Some((rule, Key::Place)) => placed.push((self.label(variables, &index).is_some(), counter(rule))),
                None => {}
            }
        }
        for (has_label, counter) in &mut placed {
            // Where other rows have names that are known, the device is in a language that is known, and this one's name means
            // something else or something new. Models differ in their places, so nobody can be sure which.
            if *has_label && !told.is_empty() {
                counter.confidence = counter.confidence.clone().max(Confidence::Probable);
            }
            if let Some(other) = told.iter().find(|other| means_the_same(other, counter)) {
                counter.confidence = counter.confidence.clone().max(other.confidence.clone());
            }
        }
        // Of equal confidence the first counts.
        told.extend(placed.into_iter().map(|(_, counter)| counter));
        told
    }

    /// What a row means, and by what: by its code, else its words, else its place.
    pub(super) fn meaning(&self, variables: &Variables, index: &[u32]) -> Option<(&TableMeaning, Key)> {
        let code = self.codes.as_ref().and_then(|codes| variables.cell(codes.arcs(), index)?.number());
        let by_code = code.and_then(|code| self.meanings.iter().find(|meaning| meaning.codes.contains(&code)));
        let by_label = || {
            let label = self.label(variables, index)?;
            self.meanings.iter().find(|meaning| meaning.labels.contains(&label))
        };
        let place = dotted(index);
        let by_place = || self.meanings.iter().find(|meaning| meaning.indexes.contains(&place));
        let told = by_code.or_else(by_label).map(|rule| (rule, Key::Told));
        told.or_else(|| by_place().map(|rule| (rule, Key::Place)))
    }

    fn label(&self, variables: &Variables, index: &[u32]) -> Option<String> {
        let label = variables.text(self.labels.as_ref()?.arcs(), index)?;
        Some(plain(&label)).filter(|label| !label.is_empty())
    }
}

/// By what the meaning of a row is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// By its code or its words: the device says it itself.
    Told,
    /// By its place.
    Place,
}

impl Blob {
    /// The records of the value, if the device has it.
    pub(super) fn records(&self, variables: &Variables) -> Vec<blob::Record> {
        variables.get(self.oid.arcs()).and_then(|value| value.octets()).map(blob::records).unwrap_or_default()
    }

    /// The source of a record.
    pub(super) fn source(&self, tag: u8) -> String {
        format!("{}#{tag:02x}", self.oid)
    }

    /// Whether a rule says what a record means.
    pub(super) fn explains(&self, tag: u8) -> bool {
        self.counters.iter().any(|rule| rule.tag == tag) || self.supplies.iter().any(|rule| rule.tag == tag)
    }

    fn counters(&self, variables: &Variables, sure: &dyn Fn(&Option<Confidence>) -> Confidence) -> Vec<Counter> {
        let records = self.records(variables);
        let counter = |rule: &super::form::BlobCounter| {
            let value = records.iter().find(|record| record.tag == rule.tag)?.number()?;
            let confidence = sure(&rule.confidence);
            Some(rule.meaning().counter(&rule.basis, value, self.source(rule.tag), &confidence))
        };
        self.counters.iter().filter_map(counter).collect()
    }
}
