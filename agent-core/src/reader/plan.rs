//! What to ask a device for, as a reading takes it up.

use std::collections::BTreeSet;

use crate::oid::Oid;

/// Columns that have the same rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Columns whose rows are those of the table; read to their ends.
    pub leaders: Vec<Oid>,
    /// Columns that are read in the rows that the leaders have.
    pub members: Vec<Oid>,
    /// Rows that such a table usually has.
    pub likely: usize,
    /// Whether the members say something where the leaders have no rows at all.
    pub stands_alone: bool,
    /// Whether a device often lacks single members.
    pub sparse: bool,
}

/// What to ask a device for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Single instances that may be asked for as the successors of what stands before them.
    pub steps: Vec<Oid>,
    /// Single instances that are asked for by their names only.
    pub names: Vec<Oid>,
    /// Tables to walk.
    pub tables: Vec<Table>,
    /// Names whose values make the device itself: another value means another device.
    pub witnesses: Vec<Oid>,
    /// Instances that are asked for when one of the signs has moved, or had moved at the last reading.
    pub details: Vec<Oid>,
    /// Names (of those above) whose values tell whether anything was printed.
    pub signs: Vec<Oid>,
}

impl Plan {
    /// Drops what is asked twice; the first place counts.
    pub fn settle(&mut self) {
        let mut seen = BTreeSet::new();
        for list in [&mut self.steps, &mut self.names, &mut self.details] {
            list.retain(|oid| seen.insert(oid.clone()));
        }
        for table in &mut self.tables {
            for list in [&mut table.leaders, &mut table.members] {
                list.retain(|oid| seen.insert(oid.clone()));
            }
        }
        self.tables.retain(|table| !table.leaders.is_empty() || !table.members.is_empty());
    }
}
