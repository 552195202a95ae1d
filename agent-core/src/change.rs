//! What differs between two readings of one device: which groups have changed, and whether that has to be told at once.
//!
//! Of the reading before only digests are at hand: they fit beside a stored record, which need not be decoded for this.

use std::hash::{DefaultHasher, Hash, Hasher};

use wire::device::{DeviceRecord, Snapshot};

/// A digest of each group of a reading. Another version of the program may digest differently: then everything counts as
/// changed once, which is told and does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digests([u64; 6]);

impl Digests {
    /// The digests of a reading.
    pub fn of(snapshot: &Snapshot) -> Self {
        let status = &snapshot.status;
        Self([
            digest(&snapshot.identity),
            digest(status),
            // The condition follows from these and from `device` and `printer`, of which only what changes it is urgent.
            digest(&(status.condition().keyword(), &status.errors, &status.alerts)),
            digest(&snapshot.supplies),
            digest(&snapshot.trays),
            digest(&snapshot.counters),
        ])
    }

    /// As they are stored.
    pub fn to_bytes(self) -> Vec<u8> {
        self.0.iter().flat_map(|digest| digest.to_le_bytes()).collect()
    }

    /// From the store; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (chunks, rest) = bytes.as_chunks::<8>();
        let digests: Vec<u64> = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect();
        rest.is_empty().then(|| digests.try_into().ok().map(Self)).flatten()
    }
}

fn digest(group: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    group.hash(&mut hasher);
    hasher.finish()
}

/// The groups that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names are those of the groups")]
pub struct Changes {
    pub identity: bool,
    pub status: bool,
    pub supplies: bool,
    pub trays: bool,
    pub counters: bool,
    /// The alerts or the condition differ, not only what the console says: this does not wait for the schedule.
    pub urgent: bool,
}

impl Changes {
    /// Everything counts as changed: for a device that is reported for the first time.
    pub const ALL: Self =
        Self { identity: true, status: true, supplies: true, trays: true, counters: true, urgent: true };

    /// What differs between two readings.
    pub fn between(before: &Digests, after: &Digests) -> Self {
        let mut differs = before.0.iter().zip(&after.0).map(|(before, after)| before != after);
        let mut next = || differs.next().unwrap_or(true);
        let (identity, status, urgent) = (next(), next(), next());
        Self { identity, status, urgent, supplies: next(), trays: next(), counters: next() }
    }

    /// Whether anything differs.
    pub fn any(self) -> bool {
        self.identity || self.status || self.supplies || self.trays || self.counters
    }

    /// Takes the groups that have not changed out of a record.
    pub fn trim(self, record: &mut DeviceRecord) {
        let Self { identity, status, supplies, trays, counters, urgent: _ } = self;
        if !identity {
            record.identity = None;
        }
        if !status {
            record.status = None;
        }
        if !supplies {
            record.supplies = None;
        }
        if !trays {
            record.trays = None;
        }
        if !counters {
            record.counters = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::device::{Alert, Status};
    use wire::vocab::{AlertGroup, AlertSeverity};

    use super::*;

    fn between(before: &Snapshot, after: &Snapshot) -> Changes {
        let kept = Digests::from_bytes(&Digests::of(before).to_bytes()).unwrap();
        Changes::between(&kept, &Digests::of(after))
    }

    #[test]
    fn only_what_differs_counts() {
        let before = Snapshot::default();
        assert!(!between(&before, &before.clone()).any());
        let console = Status { console: vec!["Printing".to_owned()], ..Status::default() };
        let after = Snapshot { status: console, ..Snapshot::default() };
        let changes = between(&before, &after);
        assert!(changes.status && !changes.urgent && !changes.counters);
        assert_eq!(Digests::from_bytes(b"something else"), None);
    }

    #[test]
    fn an_alert_is_urgent() {
        let alert = Alert {
            severity: AlertSeverity::Critical,
            group: AlertGroup::Cover,
            group_index: Some(1),
            code: Some(3),
            description: "Cover open".to_owned(),
        };
        let after = Snapshot { status: Status { alerts: vec![alert], ..Status::default() }, ..Snapshot::default() };
        assert!(between(&Snapshot::default(), &after).urgent);
    }
}
