//! One request, and which part of its answer is for what.

use crate::gate::Readable;
use crate::oid::Oid;
use crate::snmp::message::{Operation, Value};

/// What a part of an answer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Want {
    /// The value of this name.
    Name(Oid),
    /// The next row of this column.
    Row(Oid),
}

/// A request to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What to do with the names.
    pub operation: Operation,
    /// The names.
    pub names: Vec<Readable>,
    /// The SNMP context to ask in; `None` for the default one.
    pub context: Option<String>,
    /// What each of the names is for.
    pub(super) wants: Vec<Want>,
    pub(super) tentative: bool,
}

impl Question {
    /// Whether something simpler is asked where this stays without an answer.
    pub fn is_tentative(&self) -> bool {
        self.tentative
    }

    /// Names that are asked for once; the others are repeated.
    pub(super) fn once(&self) -> usize {
        match self.operation {
            Operation::Get | Operation::GetNext => self.names.len(),
            Operation::GetBulk { non_repeaters, .. } => usize::from(non_repeaters).min(self.names.len()),
        }
    }

    /// Most variables that the answer can have.
    pub(super) fn variables(&self) -> usize {
        match self.operation {
            Operation::Get | Operation::GetNext => self.names.len(),
            Operation::GetBulk { max_repetitions, .. } => {
                self.once() + (self.names.len() - self.once()) * usize::from(max_repetitions)
            }
        }
    }

    /// Which of the names a variable of the answer belongs to.
    pub(super) fn place(&self, variable: usize) -> Option<usize> {
        let once = self.once();
        match variable.checked_sub(once) {
            None => Some(variable),
            Some(behind) => Some(once + behind.checked_rem(self.names.len() - once)?),
        }
    }

    /// Whether a device took only the first of several names. Then the second variable is the first one's successor, which a right
    /// answer to the second name is only by chance: of two names, the later has no earlier successor, and the same one where it
    /// lies between the earlier and its successor.
    pub(super) fn is_answered_first_name_only(&self, variables: &[(Oid, Value)]) -> bool {
        if self.once() > 0 && self.once() < self.names.len() {
            return false;
        }
        let mut pairs: Vec<(&Oid, &Oid)> = self
            .names
            .iter()
            .zip(variables)
            .filter(|(_, (_, value))| *value != Value::EndOfMibView)
            .map(|(name, (successor, _))| (name.oid(), successor))
            .collect();
        let [(_, first), (_, second), ..] = pairs.as_slice() else { return false };
        if second <= first {
            return false;
        }
        pairs.sort();
        pairs
            .iter()
            .zip(pairs.iter().skip(1))
            .any(|((_, successor), (name, next))| next < successor || (*name < *successor && next != successor))
    }
}
