//! What differs between two readings of one device: which groups have changed, and whether that has to be told at once.

use wire::device::{DeviceRecord, Snapshot};

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
    pub fn between(before: &Snapshot, after: &Snapshot) -> Self {
        let status = before.status != after.status;
        Self {
            identity: before.identity != after.identity,
            supplies: before.supplies != after.supplies,
            trays: before.trays != after.trays,
            counters: before.counters != after.counters,
            urgent: status
                && (before.status.condition() != after.status.condition()
                    || before.status.errors != after.status.errors
                    || before.status.alerts != after.status.alerts),
            status,
        }
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

    #[test]
    fn only_what_differs_counts() {
        let before = Snapshot::default();
        assert!(!Changes::between(&before, &before.clone()).any());
        let console = Status { console: vec!["Printing".to_owned()], ..Status::default() };
        let after = Snapshot { status: console, ..Snapshot::default() };
        let changes = Changes::between(&before, &after);
        assert!(changes.status && !changes.urgent && !changes.counters);
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
        assert!(Changes::between(&Snapshot::default(), &after).urgent);
    }
}
