//! What a device can bear: how much may be asked at once. Learnt while reading, kept from one reading to the next.

use crate::profile::Quirks;
use crate::snmp::Version;
use crate::snmp::message::Operation;

/// Octets of variables that an answer may hold before it risks fragments: an Ethernet frame without the headers of IP, UDP and
/// SNMP.
const ANSWER_BUDGET: usize = 1380;
/// Fewer octets than this no device can be limited to and still answer a single name.
const LEAST_BUDGET: usize = 160;

/// What a device has shown that it can bear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearing {
    /// Most names in one request.
    pub(super) names: usize,
    /// Most variables in one answer.
    pub(super) variables: usize,
    /// Most octets of variables in one answer.
    pub(super) octets: usize,
    /// Most rows with one GETBULK.
    pub(super) repetitions: usize,
    /// Whether GETBULK may be used.
    pub(super) bulk: bool,
    /// Whether it has answered a GETBULK.
    pub(super) bulk_proven: bool,
    /// Whether single names may be asked for beside columns, as the successors of what stands before them.
    pub(super) mixed: bool,
}

impl Bearing {
    /// What is assumed of a device of which nothing is known.
    pub(super) fn of(version: Version) -> Self {
        let bulk = version != Version::V1;
        Self {
            names: 64,
            variables: 128,
            octets: ANSWER_BUDGET,
            repetitions: 32,
            bulk,
            bulk_proven: false,
            mixed: bulk,
        }
    }

    pub(super) fn limit(&mut self, quirks: &Quirks) {
        if let Some(most) = quirks.max_repetitions {
            self.repetitions = self.repetitions.min(usize::from(most)).max(1);
        }
        if let Some(most) = quirks.max_names {
            self.names = self.names.min(usize::from(most)).max(1);
        }
    }

    /// Asks for less than the `asked` variables that were too many; `false` when there is no less.
    pub(super) fn shrink(&mut self, operation: Operation, asked: usize) -> bool {
        match operation {
            _ if asked > 1 => self.variables = self.variables.min(asked).div_ceil(2),
            Operation::GetBulk { .. } => self.bulk = false,
            Operation::Get | Operation::GetNext => return false,
        }
        true
    }

    /// Notes that an answer was cut after so many octets of variables. What is not cut but refused as a whole keeps away from
    /// that limit, since not all values are as long as they were last time.
    pub(super) fn cut_at(&mut self, octets: usize) {
        self.octets = self.octets.min((octets - octets / 8).max(LEAST_BUDGET));
    }
}
