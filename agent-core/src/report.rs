//! From stored records to reports: which are due, and what goes into them.

use std::time::Duration;

use jiff::Timestamp;
use wire::device::{DeviceId, DeviceRecord};
use wire::message::{AgentId, ReportId, SendReports};
use wire::notes::{Remark, SameDevice};

use crate::change::Changes;

/// How long an urgent change waits for others that come with it (a cover that opens changes several things).
const GATHER: Duration = Duration::from_secs(2);

/// How often to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Changes that are not urgent wait at most this long.
    pub changes: Duration,
    /// With nothing to tell, a report says at least this often that the agent is alive.
    pub alive: Duration,
    /// Everything is told at least this often.
    pub full: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self { changes: minutes(5), alive: minutes(60), full: minutes(24 * 60) }
    }
}

/// What is known when the question is whether a report is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Since the last report was made.
    pub since_report: Duration,
    /// Since the last report of everything was made.
    pub since_full: Duration,
    /// Whether any change waits.
    pub changes_wait: bool,
    /// Since the oldest urgent change that waits.
    pub urgent_waits: Option<Duration>,
}

/// What kind of report is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// None.
    Nothing,
    /// What waits; perhaps only that the agent is alive.
    Changes,
    /// Everything.
    Full,
}

/// Whether a report is due.
pub fn due(pace: &Pace, standing: &Standing) -> Due {
    if standing.since_full >= pace.full {
        return Due::Full;
    }
    let urgent = standing.urgent_waits.is_some_and(|waits| waits >= GATHER);
    let changes = standing.changes_wait && standing.since_report >= pace.changes;
    if urgent || changes || standing.since_report >= pace.alive { Due::Changes } else { Due::Nothing }
}

/// Who reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The agent's name for the manager.
    pub agent: AgentId,
    /// Host name.
    pub agent_name: String,
    /// Version of the software.
    pub software: String,
}

/// What a report tells. The caller passes at most as many as a report may hold.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// All that the agent says of itself.
    pub remarks: Vec<Remark>,
    /// Names that were given up.
    pub same: Vec<SameDevice>,
    /// Devices, each with the groups that have changed; at most [`SendReports::MAX_DEVICES`].
    pub devices: Vec<(DeviceRecord, Changes)>,
    /// Devices that are watched no longer.
    pub removed: Vec<DeviceId>,
}

/// A report.
pub fn compose(sender: &Sender, id: ReportId, created: Timestamp, contents: Contents) -> SendReports {
    let trimmed = contents.devices.into_iter().map(|(mut record, changes)| {
        changes.trim(&mut record);
        record
    });
    SendReports {
        agent: sender.agent.clone(),
        id,
        created,
        agent_name: sender.agent_name.clone(),
        software: sender.software.clone(),
        remarks: contents.remarks,
        same: contents.same,
        devices: trimmed.collect(),
        removed: contents.removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Standing = Standing {
        since_report: Duration::from_secs(10),
        since_full: Duration::from_secs(10),
        changes_wait: false,
        urgent_waits: None,
    };

    #[test]
    fn quiet_devices_cost_nothing_and_alerts_do_not_wait() {
        let pace = Pace::default();
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert_eq!(due(&pace, &QUIET), Due::Nothing);
        assert_eq!(due(&pace, &Standing { changes_wait: true, ..QUIET }), Due::Nothing);
        assert_eq!(due(&pace, &Standing { changes_wait: true, since_report: minutes(5), ..QUIET }), Due::Changes);
        assert_eq!(due(&pace, &Standing { urgent_waits: Some(GATHER), ..QUIET }), Due::Changes);
        assert_eq!(due(&pace, &Standing { since_report: minutes(60), ..QUIET }), Due::Changes);
        assert_eq!(due(&pace, &Standing { since_full: minutes(24 * 60), ..QUIET }), Due::Full);
    }
}
