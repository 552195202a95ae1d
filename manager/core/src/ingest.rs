//! What an arriving report means for what is stored: the next state of a device and the readings to append.
//!
//! Reports may come late, twice or out of order. A late one adds to the history and never overwrites a later state.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use wire::device::{DeviceRecord, Status};
use wire::meter::CounterKey;

use crate::reading::{CounterReading, KeptLevel, Neighbours, SupplyReading, judge, judge_supply};

/// How far ahead of ours an agent's clock may be before it is not believed.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(10);
/// No agent existed before this moment (1 January 2026): an earlier time is a clock that was never set.
const CLOCK_FLOOR: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// What to do with a report, by its name and the digest of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Not seen before: apply it.
    New,
    /// Seen with the same bytes: it was applied, say so again.
    Duplicate,
    /// Its name was used for other bytes: refuse it.
    IdReused,
}

/// Decides about a report by the digest that is kept under its name.
pub fn arrival(kept_digest: Option<&[u8; 32]>, digest: &[u8; 32]) -> Arrival {
    match kept_digest {
        None => Arrival::New,
        Some(kept) if kept == digest => Arrival::Duplicate,
        Some(_) => Arrival::IdReused,
    }
}

/// The time of a reading, as far as the agent's clock can be believed: a clock that was never set or runs ahead counts as
/// `now`. Otherwise one wrong clock would make every later report look old.
pub fn believed_time(read_at: Timestamp, now: Timestamp) -> Timestamp {
    match read_at < CLOCK_FLOOR || read_at > now + CLOCK_TOLERANCE {
        true => now,
        false => read_at,
    }
}

/// What makes an alert the same alert in two readings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlertKey {
    /// Part of the printer, by keyword; `detectedError` where the device has no alert table but sets error bits.
    pub group: String,
    /// Row of that part's table.
    pub group_index: Option<i64>,
    /// PrtAlertCodeTC, or nothing.
    pub code: Option<i64>,
    /// In the device's words; the keyword of a detected error.
    pub description: String,
}

/// What is kept of a device around the moment of an arriving record.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// The state; `None` for a device never seen.
    pub record: Option<DeviceRecord>,
    /// The readings of each counter around the record's time.
    pub counters: BTreeMap<CounterKey, Neighbours>,
    /// The last reading of each supply at or before the record's time, by index.
    pub supplies: BTreeMap<String, KeptLevel>,
    /// Alerts that are open.
    pub open_alerts: BTreeSet<AlertKey>,
}

/// An alert to open, with its severity by keyword.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpenedAlert {
    /// Which.
    pub key: AlertKey,
    /// How serious, by keyword.
    pub severity: String,
}

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The next state.
    pub record: DeviceRecord,
    /// When the arriving record was read, as far as it can be believed.
    pub read_at: Timestamp,
    /// Counter readings to append.
    pub counters: Vec<CounterReading>,
    /// Supply readings to append.
    pub supplies: Vec<SupplyReading>,
    /// Alerts to open.
    pub opened: Vec<OpenedAlert>,
    /// Alerts to close.
    pub closed: Vec<AlertKey>,
}

/// Decides what an arriving record changes. `kept` must have been asked for the moment `believed_time(arriving.read_at)`.
pub fn ingest(kept: Kept, mut arriving: DeviceRecord, now: Timestamp) -> Outcome {
    let read_at = believed_time(arriving.read_at, now);
    arriving.read_at = read_at;
    // What happened is kept for itself; it is no part of the state.
    arriving.events.clear();
    let mut seen = BTreeSet::new();
    let counters = arriving.counters.iter().flatten().filter_map(|counter| {
        let key = CounterKey::of(counter);
        let neighbours = kept.counters.get(&key).copied().unwrap_or_default();
        // Two rows that say they count the same: the first is the meter, both stay in the state.
        seen.insert(key).then(|| judge(counter, read_at, neighbours)).flatten()
    });
    let counters = counters.collect();
    let mut seen = BTreeSet::new();
    let supplies = arriving.supplies.iter().flatten().filter_map(|supply| {
        let before = kept.supplies.get(&supply.index).copied();
        seen.insert(supply.index.clone()).then(|| judge_supply(supply, read_at, before)).flatten()
    });
    let supplies = supplies.collect();
    let is_late = kept.record.as_ref().is_some_and(|record| read_at < record.read_at);
    let (opened, closed) = match &arriving.status {
        // The history of alerts is made of changes from one state to the next; a late state has no place in it.
        Some(status) if !is_late => alert_changes(status, &kept.open_alerts),
        _ => (Vec::new(), Vec::new()),
    };
    let record = match kept.record {
        None => arriving,
        Some(mut record) if is_late => {
            fill_gaps(&mut record, arriving);
            record
        }
        Some(mut record) => {
            record.merge(arriving);
            record
        }
    };
    Outcome { record, read_at, counters, supplies, opened, closed }
}

/// Takes from a late record only the groups of which nothing is known yet.
fn fill_gaps(record: &mut DeviceRecord, late: DeviceRecord) {
    record.identity = record.identity.take().or(late.identity);
    record.status = record.status.take().or(late.status);
    record.supplies = record.supplies.take().or(late.supplies);
    record.trays = record.trays.take().or(late.trays);
    record.counters = record.counters.take().or(late.counters);
    record.notes = record.notes.take().or(late.notes);
}

fn alert_changes(status: &Status, open: &BTreeSet<AlertKey>) -> (Vec<OpenedAlert>, Vec<AlertKey>) {
    let mut standing: BTreeMap<AlertKey, String> = BTreeMap::new();
    for alert in &status.alerts {
        let key = AlertKey {
            group: alert.group.keyword().to_owned(),
            group_index: alert.group_index,
            code: alert.code,
            description: alert.description.clone(),
        };
        standing.entry(key).or_insert_with(|| alert.severity.keyword().to_owned());
    }
    if status.alerts.is_empty() {
        for error in &status.errors {
            let description = error.keyword().to_owned();
            let key = AlertKey { group: "detectedError".to_owned(), group_index: None, code: None, description };
            standing.entry(key).or_insert_with(|| "other".to_owned());
        }
    }
    let closed = open.iter().filter(|key| !standing.contains_key(key)).cloned().collect();
    let opened = standing.into_iter().filter(|(key, _)| !open.contains(key));
    (opened.map(|(key, severity)| OpenedAlert { key, severity }).collect(), closed)
}

#[cfg(test)]
mod tests {
    use wire::{
        device::{Alert, Counter, DeviceId, Identity, Snapshot},
        vocab::{AlertGroup, AlertSeverity, Basis, ColorUse, CounterUnit, DetectedError, MediaSize, Service, Sides},
    };

    use super::*;
    use wire::meter::{Remark, Standing};

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
    }

    fn meter(value: u64) -> Counter {
        Counter {
            service: Service::System,
            color: ColorUse::Any,
            size: MediaSize::Any,
            sides: Sides::Any,
            unit: CounterUnit::Impressions,
            basis: Basis::Meter,
            value,
            source: "1.2.3".to_owned(),
            confidence: wire::vocab::Confidence::Verified,
        }
    }

    fn jam() -> Alert {
        Alert {
            severity: AlertSeverity::Critical,
            group: AlertGroup::MediaPath,
            group_index: Some(1),
            code: Some(8),
            description: "Paper jam".to_owned(),
        }
    }

    fn record(minutes: i64, total: u64, alerts: Vec<Alert>) -> DeviceRecord {
        let snapshot = Snapshot {
            counters: vec![meter(total)],
            status: Status { alerts, ..Status::default() },
            ..Snapshot::default()
        };
        DeviceRecord::full(DeviceId::new("d").unwrap(), "192.0.2.1".to_owned(), at(minutes), snapshot)
    }

    #[test]
    fn a_device_never_seen_is_kept_whole() {
        let outcome = ingest(Kept::default(), record(0, 100, vec![jam()]), at(1));
        assert_eq!(outcome.record, record(0, 100, vec![jam()]));
        assert_eq!(outcome.counters.len(), 1);
        assert_eq!(outcome.opened.len(), 1);
    }

    #[test]
    fn a_late_record_adds_to_the_history_and_leaves_the_state() {
        let state = record(10, 110, vec![]);
        let after = Standing { value: 110, wraps: 0, epoch: 1, at: at(10) };
        let kept = Kept {
            record: Some(state.clone()),
            counters: [(CounterKey::of(&meter(0)), Neighbours { before: None, after: Some(after) })].into(),
            ..Kept::default()
        };
        let outcome = ingest(kept, record(5, 105, vec![jam()]), at(11));
        assert_eq!(outcome.record, state);
        assert_eq!(outcome.counters.first().map(|reading| (reading.value, reading.epoch)), Some((105, 1)));
        assert!(outcome.opened.is_empty());
    }

    #[test]
    fn a_late_record_fills_only_what_is_not_known() {
        let mut state = record(10, 110, vec![]);
        state.identity = None;
        let mut late = record(5, 105, vec![]);
        late.identity = Some(Identity { model: Some("M".to_owned()), ..Identity::default() });
        let outcome = ingest(Kept { record: Some(state), ..Kept::default() }, late.clone(), at(11));
        assert_eq!(outcome.record.identity, late.identity);
        assert_eq!(outcome.record.counters, record(10, 110, vec![]).counters);
    }

    #[test]
    fn alerts_open_once_and_close_when_they_are_gone() {
        let first = ingest(Kept::default(), record(0, 1, vec![jam(), jam()]), at(0));
        assert_eq!(first.opened.len(), 1);
        let open: BTreeSet<AlertKey> = first.opened.into_iter().map(|alert| alert.key).collect();
        let kept = Kept { record: Some(first.record), open_alerts: open.clone(), ..Kept::default() };
        let second = ingest(kept.clone(), record(1, 1, vec![jam()]), at(1));
        assert!(second.opened.is_empty() && second.closed.is_empty());
        let third = ingest(kept, record(2, 1, vec![]), at(2));
        assert_eq!(third.closed, Vec::from_iter(open));
    }

    #[test]
    fn error_bits_count_as_alerts_where_there_is_no_table() {
        let mut arriving = record(0, 1, vec![]);
        arriving.status = Some(Status { errors: vec![DetectedError::DoorOpen], ..Status::default() });
        let outcome = ingest(Kept::default(), arriving, at(0));
        assert_eq!(outcome.opened.first().map(|alert| alert.key.description.as_str()), Some("doorOpen"));
    }

    #[test]
    fn a_record_without_a_group_changes_nothing_of_it() {
        let mut arriving = record(5, 0, vec![]);
        arriving.status = None;
        arriving.counters = None;
        let open = BTreeSet::from([AlertKey {
            group: "x".to_owned(),
            group_index: None,
            code: None,
            description: String::new(),
        }]);
        let kept = Kept { record: Some(record(0, 100, vec![])), open_alerts: open, ..Kept::default() };
        let outcome = ingest(kept, arriving, at(5));
        assert!(outcome.closed.is_empty());
        assert_eq!(outcome.record.counters, Some(vec![meter(100)]));
        assert_eq!(outcome.record.read_at, at(5));
    }

    #[test]
    fn a_wrong_clock_does_not_freeze_a_device() {
        let mut future = record(0, 100, vec![]);
        future.read_at = at(1_000_000);
        assert_eq!(ingest(Kept::default(), future, at(0)).record.read_at, at(0));
        let mut past = record(0, 100, vec![]);
        past.read_at = Timestamp::UNIX_EPOCH;
        assert_eq!(ingest(Kept::default(), past, at(0)).record.read_at, at(0));
        assert_eq!(believed_time(at(5), at(0)), at(5), "a little ahead is believed");
    }

    #[test]
    fn the_name_of_a_report_is_good_for_one_content() {
        assert_eq!(arrival(None, &[1; 32]), Arrival::New);
        assert_eq!(arrival(Some(&[1; 32]), &[1; 32]), Arrival::Duplicate);
        assert_eq!(arrival(Some(&[2; 32]), &[1; 32]), Arrival::IdReused);
    }

    #[test]
    fn two_rows_that_count_the_same_are_one_meter() {
        let mut arriving = record(0, 100, vec![]);
        arriving.counters = Some(vec![meter(100), meter(7)]);
        let outcome = ingest(Kept::default(), arriving, at(0));
        assert_eq!(outcome.counters.len(), 1);
        assert_eq!(outcome.counters.first().map(|reading| (reading.value, reading.remark)), Some((100, Remark::Plain)));
    }
}
