//! The values that a device gave, in the order of their names.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::Bound;

use crate::oid::Oid;
use crate::printer_mib;
use crate::snmp::message::Value;
use crate::text::{self, CharacterSet};

/// The values read from a device, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    values: BTreeMap<Oid, Value>,
    /// The SNMP contexts of the values that the default context does not have.
    contexts: BTreeMap<Oid, String>,
}

impl Borrow<[u32]> for Oid {
    fn borrow(&self) -> &[u32] {
        self.arcs()
    }
}

impl Variables {
    /// The value of a name.
    pub fn get(&self, name: &[u32]) -> Option<&Value> {
        self.values.get(name)
    }

    /// The value in a row of a column.
    pub fn cell(&self, column: &[u32], index: &[u32]) -> Option<&Value> {
        self.values.get(&*[column, index].concat())
    }

    /// The text in a row of a column, in the character set of the device's language.
    pub fn text(&self, column: &[u32], index: &[u32]) -> Option<String> {
        text::text_in(self.character_set(), self.cell(column, index)?.octets()?)
    }

    /// The character set that the device names for its language.
    pub fn character_set(&self) -> CharacterSet {
        printer_mib::character_set(self)
    }

    /// The rows of a column: index and value.
    pub fn column<'a>(&'a self, column: &'a [u32]) -> impl Iterator<Item = (&'a [u32], &'a Value)> {
        self.below(column).filter_map(move |(name, value)| Some((name.arcs().strip_prefix(column)?, value)))
    }

    /// The full names of the rows of a column.
    pub fn names_below<'a>(&'a self, column: &'a [u32]) -> impl Iterator<Item = Oid> + 'a {
        self.below(column).map(|(name, _)| name.clone())
    }

    /// The first name behind another.
    pub fn after(&self, name: &Oid) -> Option<&Oid> {
        self.values.range::<[u32], _>((Bound::Excluded(name.arcs()), Bound::Unbounded)).next().map(|(next, _)| next)
    }

    /// Keeps a value.
    pub fn insert(&mut self, name: Oid, value: Value) {
        self.values.insert(name, value);
    }

    /// Whether any value was read in this SNMP context.
    pub fn has_context(&self, context: &str) -> bool {
        self.contexts.values().any(|known| known == context)
    }

    /// The SNMP context that a value was read in; `None` for the default one.
    pub fn context(&self, name: &Oid) -> Option<&str> {
        self.contexts.get(name).map(String::as_str)
    }

    /// Whether any value was read in another context than the default one.
    pub fn has_contexts(&self) -> bool {
        !self.contexts.is_empty()
    }

    pub(super) fn keep(&mut self, name: Oid, value: Value, context: Option<&String>) {
        if let Some(context) = context {
            self.contexts.insert(name.clone(), context.clone());
        }
        self.values.insert(name, value);
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(super) fn remove(&mut self, name: &Oid) -> bool {
        self.values.remove(name).is_some()
    }

    pub(super) fn below<'a>(&'a self, prefix: &'a [u32]) -> impl Iterator<Item = (&'a Oid, &'a Value)> {
        self.values
            .range::<[u32], _>((Bound::Excluded(prefix), Bound::Unbounded))
            .take_while(move |(name, _)| name.arcs().starts_with(prefix))
    }

    pub(super) fn remove_below(&mut self, prefix: &[u32]) {
        let names: Vec<Oid> = self.names_below(prefix).collect();
        for name in names {
            self.values.remove(&name);
        }
    }
}

impl FromIterator<(Oid, Value)> for Variables {
    fn from_iter<T: IntoIterator<Item = (Oid, Value)>>(pairs: T) -> Self {
        let values = pairs.into_iter().filter(|(_, value)| value.is_some()).collect();
        Self { values, contexts: BTreeMap::new() }
    }
}
