//! The store through its public door, on a database in a file.

use jiff::{SignedDuration, Timestamp};
use manager_core::{
    access::{CustomerId, DealerId, DeviceRow, Right, Rights, Scope, SiteId},
    enrolment::{LIFETIME, Refusal},
};
use tempfile::TempDir;
use wire::{
    device::{Alert, Counter, DeviceId, DeviceRecord, Identity, Level, Snapshot, Status, Supply},
    message::{AgentId, Receipt, RegisterForManagement, ReportId, SendReports},
    meter::Remark,
    vocab::{
        AlertGroup, AlertSeverity, Basis, ColorUse, Colorant, CounterUnit, DeviceState, MediaSize, Service, Sides,
        SupplyClass, SupplyKind, SupplyUnit,
    },
};

use crate::{
    Store, StoreError,
    fleet::{DeviceFilter, FleetOrder, FleetQuery},
    intake::IntakeError,
};

mod identity;

const KEY: [u8; 32] = [7; 32];

struct House {
    folder: TempDir,
    store: Store,
    scope: Scope,
    site: SiteId,
}

impl House {
    /// A store with a customer, a site and a registered agent.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("manager.sqlite")).unwrap();
        let scope = store.own_scope("test").unwrap();
        let site = store.find_or_create_site(&scope, "Müller & Söhne", "Hauptstraße").unwrap();
        store.create_token(&scope, site, &[1; 32], at(0) + LIFETIME, at(0)).unwrap();
        store.register(&registration(KEY), &[1; 32], at(0)).unwrap();
        Self { folder, store, scope, site }
    }

    fn take(&self, sequence: u64, devices: Vec<DeviceRecord>, now: Timestamp) -> Receipt {
        let digest = [u8::try_from(sequence).unwrap(); 32];
        self.store.apply_report(&report(sequence, devices), &digest, now).unwrap()
    }

    fn only_device(&self) -> DeviceRow {
        let lines = self.store.devices(&self.scope, &FleetQuery::default(), 10, 0).unwrap();
        assert_eq!(lines.len(), 1);
        lines[0].device
    }

    /// What a bill adds up: the differences between readings that follow each other in one epoch.
    fn billed(&self, device: DeviceRow) -> u64 {
        let mut last = std::collections::BTreeMap::new();
        let mut billed = 0;
        for line in self.store.counter_history(&self.scope, device, None, 1000).unwrap().iter().rev() {
            if line.remark != Remark::Doubtful {
                let before = last.insert((line.key.clone(), line.epoch), line.standing());
                billed +=
                    before.map_or(0, |before| line.standing().since(&before).expect("never a negative difference"));
            }
        }
        billed
    }

    fn totals(&self) -> Vec<(u64, u32, Remark)> {
        let lines = self.store.counter_history(&self.scope, self.only_device(), None, 100).unwrap();
        lines.iter().rev().map(|line| (line.value, line.epoch, line.remark)).collect()
    }
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
}

fn registration(public_key: [u8; 32]) -> RegisterForManagement {
    RegisterForManagement {
        token: "T".to_owned(),
        public_key,
        agent_name: "pi-1".to_owned(),
        software: "0.1.0".to_owned(),
    }
}

fn report(sequence: u64, devices: Vec<DeviceRecord>) -> SendReports {
    SendReports {
        agent: AgentId::of_key(&KEY),
        id: ReportId { epoch: 5, sequence },
        created: at(0),
        agent_name: "pi-1".to_owned(),
        software: "0.1.1".to_owned(),
        remarks: Vec::new(),
        same: Vec::new(),
        devices,
        removed: Vec::new(),
    }
}

fn record(name: &str, minutes: i64, total: u64) -> DeviceRecord {
    let snapshot = Snapshot {
        identity: Identity {
            manufacturer: Some("Kyocera".to_owned()),
            model: Some("ECOSYS 100%_x".to_owned()),
            serial: Some(name.to_uppercase()),
            ..Identity::default()
        },
        status: Status { device: Some(DeviceState::Running), ..Status::default() },
        supplies: vec![Supply {
            index: "1.1".to_owned(),
            kind: SupplyKind::Toner,
            class: SupplyClass::Consumed,
            color: Some(Colorant::Black),
            description: "TK-1".to_owned(),
            part_number: None,
            serial: None,
            unit: SupplyUnit::Percent,
            capacity: Some(100),
            level: Level::Measured(42),
            raw: wire::device::Raw::default(),
            origin: wire::device::Origin::default(),
        }],
        trays: Vec::new(),
        counters: vec![Counter {
            service: Service::System,
            color: ColorUse::Any,
            size: MediaSize::Any,
            sides: Sides::Any,
            unit: CounterUnit::Impressions,
            basis: Basis::Meter,
            value: total,
            source: "1.2.3".to_owned(),
            confidence: wire::vocab::Confidence::Verified,
        }],
    };
    DeviceRecord::full(DeviceId::new(name).unwrap(), "192.0.2.7".to_owned(), at(minutes), snapshot)
}

fn jam() -> Alert {
    Alert {
        severity: AlertSeverity::Critical,
        group: AlertGroup::MediaPath,
        group_index: None,
        code: Some(8),
        description: "Stau".to_owned(),
    }
}

#[test]
fn a_report_is_taken_once() {
    let house = House::new();
    assert_eq!(house.take(1, vec![record("a", 0, 100)], at(1)), Receipt::Accepted);
    assert_eq!(house.take(1, vec![record("a", 0, 100)], at(2)), Receipt::Duplicate);
    let reused = house.store.apply_report(&report(1, vec![]), &[99; 32], at(3));
    assert!(matches!(reused, Err(IntakeError::ReportIdReused(ReportId { epoch: 5, sequence: 1 }))));
    assert_eq!(house.totals(), [(100, 1, Remark::Plain)]);
    let device = house.store.device(&house.scope, house.only_device()).unwrap();
    assert_eq!(device.record, record("a", 0, 100));
    assert_eq!((device.customer_name.as_str(), device.site), ("Müller & Söhne", house.site));
}

#[test]
fn an_unknown_agent_leaves_no_trace() {
    let house = House::new();
    let mut stranger = report(1, vec![record("a", 0, 1)]);
    stranger.agent = AgentId::of_key(&[9; 32]);
    assert!(matches!(house.store.apply_report(&stranger, &[1; 32], at(1)), Err(IntakeError::UnknownAgent)));
    assert!(house.store.devices(&house.scope, &FleetQuery::default(), 10, 0).unwrap().is_empty());
}

#[test]
fn late_and_backward_readings_find_their_epoch() {
    let house = House::new();
    house.take(1, vec![record("a", 0, 100)], at(100));
    house.take(2, vec![record("a", 20, 120)], at(100));
    house.take(3, vec![record("a", 10, 110)], at(100));
    house.take(4, vec![record("a", 30, 5)], at(100));
    house.take(5, vec![record("a", 25, 125)], at(100));
    house.take(6, vec![record("a", 15, 500)], at(100));
    house.take(7, vec![record("a", 16, 117)], at(100));
    assert_eq!(
        house.totals(),
        [
            (100, 1, Remark::Plain),
            (110, 1, Remark::Plain),
            (500, 1, Remark::Doubtful),
            (117, 1, Remark::Plain),
            (120, 1, Remark::Plain),
            (125, 1, Remark::Plain),
            (5, 2, Remark::Backwards),
        ]
    );
    let device = house.store.device(&house.scope, house.only_device()).unwrap();
    assert_eq!(device.record, record("a", 30, 5), "the state is the latest reading, not the latest report");
}

#[test]
fn what_does_not_change_is_kept_once_a_day() {
    let house = House::new();
    for hour in 0..48 {
        let sequence = u64::try_from(hour).unwrap() + 1;
        house.take(sequence, vec![record("a", hour * 60, 100)], at(hour * 60));
    }
    assert_eq!(house.totals().len(), 3);
    let supplies = house.store.supply_history(&house.scope, house.only_device(), 100).unwrap();
    assert_eq!(supplies.len(), 3);
    assert_eq!(supplies.first().map(|line| (line.level, line.percent)), Some((Level::Measured(42), Some(42))));
}

#[test]
fn history_grows_thin_with_age_and_keeps_what_is_remarkable() {
    let house = House::new();
    for (sequence, (minutes, total)) in [(0, 10), (60, 20), (61, 5), (120, 6), (180, 7), (3000, 8)].iter().enumerate() {
        let sequence = u64::try_from(sequence).unwrap() + 1;
        house.take(sequence, vec![record("a", *minutes, *total)], at(4000));
    }
    assert_eq!(house.store.thin_history(at(4000)).unwrap(), 0, "nothing is old yet");
    let later = at(4000) + SignedDuration::from_hours(24 * 90);
    assert!(house.store.thin_history(later).unwrap() > 0);
    assert_eq!(
        house.totals(),
        [(20, 1, Remark::Plain), (5, 2, Remark::Backwards), (7, 2, Remark::Plain), (8, 2, Remark::Plain)]
    );
    assert_eq!(house.store.thin_history(later).unwrap(), 0);
}

#[test]
fn alerts_have_a_beginning_and_an_end() {
    let house = House::new();
    let jammed = |minutes| {
        let mut record = record("a", minutes, 1);
        record.status.as_mut().unwrap().alerts = vec![jam()];
        record
    };
    house.take(1, vec![jammed(0)], at(0));
    house.take(2, vec![jammed(1)], at(1));
    let device = house.only_device();
    let open = house.store.alert_history(&house.scope, device, 10).unwrap();
    assert_eq!(open.iter().map(|line| (line.opened_at, line.closed_at)).collect::<Vec<_>>(), [(at(0), None)]);
    house.take(3, vec![record("a", 2, 1)], at(2));
    house.take(4, vec![jammed(3)], at(3));
    let all = house.store.alert_history(&house.scope, device, 10).unwrap();
    let times: Vec<_> = all.iter().map(|line| (line.opened_at, line.closed_at)).collect();
    assert_eq!(times, [(at(3), None), (at(0), Some(at(2)))]);
}

#[test]
fn lists_search_filter_and_count() {
    let house = House::new();
    let mut broken = record("bb2", 0, 5);
    broken.status.as_mut().unwrap().alerts = vec![jam()];
    let mut silent = record("cc3", 0, 900);
    silent.silent_since = Some(at(1));
    house.take(1, vec![record("aa1", 0, 100), broken, silent], at(1));
    let find = |query: FleetQuery| -> Vec<String> {
        let lines = house.store.devices(&house.scope, &query, 10, 0).unwrap();
        lines.into_iter().map(|line| line.key).collect()
    };
    let search = |words: &str| find(FleetQuery { search: words.to_owned(), ..FleetQuery::default() });
    assert_eq!(find(FleetQuery::default()), ["bb2", "cc3", "aa1"], "the most urgent first");
    assert_eq!(search("kyo AA1 müller"), ["aa1"]);
    assert_eq!(search("100%_X").len(), 3);
    assert_eq!(search("100_x"), Vec::<String>::new(), "wildcards are plain characters");
    assert_eq!(search("' OR 1=1 --"), Vec::<String>::new());
    let silent = FleetQuery { state: Some(DeviceFilter::Silent), ..FleetQuery::default() };
    assert_eq!(find(silent.clone()), ["cc3"]);
    let by_total = FleetQuery { order: FleetOrder::Total, is_descending: true, ..FleetQuery::default() };
    assert_eq!(find(by_total), ["cc3", "aa1", "bb2"]);
    let counts = house.store.device_counts(&house.scope, &silent).unwrap();
    assert_eq!((counts.all, counts.critical, counts.good, counts.silent), (3, 1, 1, 1));
    let agents = house.store.agents(&house.scope).unwrap();
    assert_eq!(agents.first().map(|agent| (agent.software.as_str(), agent.devices.all)), Some(("0.1.1", 3)));
    assert_eq!(house.store.customers(&house.scope).unwrap().first().map(|c| (c.sites, c.agents)), Some((1, 1)));
}

#[test]
fn a_removed_device_is_gone_until_it_is_read_again() {
    let house = House::new();
    house.take(1, vec![record("a", -5, 100)], at(0));
    let mut goodbye = report(2, vec![]);
    goodbye.removed = vec![DeviceId::new("a").unwrap()];
    house.store.apply_report(&goodbye, &[2; 32], at(1)).unwrap();
    assert!(house.store.devices(&house.scope, &FleetQuery::default(), 10, 0).unwrap().is_empty());
    house.take(3, vec![record("a", 5, 101)], at(5));
    house.only_device();
    let mut late = report(4, vec![]);
    late.removed = vec![DeviceId::new("a").unwrap()];
    house.store.apply_report(&late, &[4; 32], at(6)).unwrap();
    house.only_device();
}

#[test]
fn a_token_admits_one_agent_which_may_ask_again() {
    let house = House::new();
    let again = house.store.register(&registration(KEY), &[1; 32], at(1)).unwrap();
    assert_eq!((again.customer.as_str(), again.site.as_str()), ("Müller & Söhne", "Hauptstraße"));
    let other = house.store.register(&registration([8; 32]), &[1; 32], at(1));
    assert!(matches!(other, Err(IntakeError::Token(Refusal::Used))));
    let unknown = house.store.register(&registration([8; 32]), &[2; 32], at(1));
    assert!(matches!(unknown, Err(IntakeError::Token(Refusal::Unknown))));
    assert_eq!(house.store.agents(&house.scope).unwrap().len(), 1);
    let token = house.store.create_token(&house.scope, house.site, &[3; 32], at(0) + LIFETIME, at(0)).unwrap();
    assert_eq!(house.store.revoke_token(&house.scope, token, at(1)).unwrap(), house.site);
    let revoked = house.store.register(&registration([8; 32]), &[3; 32], at(1));
    assert!(matches!(revoked, Err(IntakeError::Token(Refusal::Revoked))));
    let tokens = house.store.tokens(&house.scope, house.site).unwrap();
    assert_eq!(tokens.iter().map(|token| token.agent_name.as_deref()).collect::<Vec<_>>(), [None, Some("pi-1")]);
}

#[test]
fn nobody_sees_beyond_his_dealer_or_his_rights() {
    let house = House::new();
    house.take(1, vec![record("a", 0, 100)], at(1));
    let device = house.only_device();
    let stranger = Scope::administrator(DealerId(2), "stranger");
    let store = &house.store;
    assert!(store.customers(&stranger).unwrap().is_empty());
    assert!(store.agents(&stranger).unwrap().is_empty());
    assert!(store.devices(&stranger, &FleetQuery::default(), 10, 0).unwrap().is_empty());
    assert_eq!(store.device_counts(&stranger, &FleetQuery::default()).unwrap().all, 0);
    assert!(matches!(store.device(&stranger, device), Err(StoreError::NotFound)));
    assert!(matches!(store.counter_history(&stranger, device, None, 9), Err(StoreError::NotFound)));
    assert!(matches!(store.alert_history(&stranger, device, 9), Err(StoreError::NotFound)));
    assert!(matches!(store.supply_history(&stranger, device, 9), Err(StoreError::NotFound)));
    assert!(matches!(store.site(&stranger, house.site), Err(StoreError::NotFound)));
    assert!(matches!(store.create_site(&stranger, CustomerId(1), "x"), Err(StoreError::NotFound)));
    assert!(matches!(store.rename_site(&stranger, house.site, "x"), Err(StoreError::NotFound)));
    assert!(matches!(store.create_token(&stranger, house.site, &[5; 32], at(9), at(1)), Err(StoreError::NotFound)));
    let viewer = Scope { rights: Rights::NONE.with(Right::View), ..house.scope.clone() };
    assert!(matches!(store.create_customer(&viewer, "x"), Err(StoreError::Denied(_))));
    assert!(matches!(store.create_token(&viewer, house.site, &[5; 32], at(9), at(1)), Err(StoreError::Denied(_))));
    let nobody = Scope { rights: Rights::NONE, ..house.scope.clone() };
    assert!(matches!(store.devices(&nobody, &FleetQuery::default(), 10, 0), Err(StoreError::Denied(_))));
}

#[test]
fn names_are_unique_whatever_their_case() {
    let house = House::new();
    house.store.create_customer(&house.scope, "ACME").unwrap();
    let taken = house.store.create_customer(&house.scope, "acme").unwrap_err();
    assert_eq!(taken.to_string(), "acme exists already");
    assert!(matches!(house.store.create_customer(&house.scope, "MÜLLER & SÖHNE"), Err(StoreError::NameTaken(_))));
    assert_eq!(house.store.find_or_create_site(&house.scope, "müller & söhne", "HAUPTSTRAßE").unwrap(), house.site);
}

#[test]
fn users_are_kept_once() {
    let house = House::new();
    assert!(house.store.has_no_users().unwrap());
    assert!(house.store.create_first_administrator("admin", "hash").unwrap());
    assert!(!house.store.create_first_administrator("other", "hash").unwrap());
    house.store.set_password("ADMIN", "other hash").unwrap();
    let user = house.store.user("Admin").unwrap().unwrap();
    assert_eq!((user.name.as_str(), user.password_hash.as_str()), ("admin", "other hash"));
    assert_eq!(user.scope.rights, Rights::ALL);
    assert!(matches!(house.store.set_password("nobody", "x"), Err(StoreError::NotFound)));
}

#[test]
fn what_was_stored_is_there_after_a_restart_and_beside_another_process() {
    let house = House::new();
    house.take(1, vec![record("a", 0, 100)], at(1));
    let beside = Store::open(&house.folder.path().join("manager.sqlite")).unwrap();
    assert_eq!(beside.devices(&house.scope, &FleetQuery::default(), 10, 0).unwrap().len(), 1);
    beside.find_or_create_site(&house.scope, "Other", "Site").unwrap();
    assert_eq!(house.store.customers(&house.scope).unwrap().len(), 2);
}

#[test]
fn a_change_that_breaks_off_leaves_nothing_half_done() {
    let house = House::new();
    let broken = house.store.transaction(|transaction| -> crate::Result<()> {
        transaction.execute("INSERT INTO customer (dealer_id, name, folded) VALUES (1, 'half', 'half')", [])?;
        Err(StoreError::NotFound)
    });
    assert!(broken.is_err());
    assert_eq!(house.store.customers(&house.scope).unwrap().len(), 1);
}

#[test]
fn a_later_schema_and_a_file_of_something_else_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manager.sqlite");
    drop(Store::open(&path).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = Store::open(&path).err().unwrap();
    assert!(error.to_string().contains("later version of the manager (schema 99, this one knows 3)"), "{error}");
    let other = folder.path().join("other.sqlite");
    std::fs::write(&other, "this is a letter, not a database, and it is long enough to be read as one").unwrap();
    assert!(Store::open(&other).err().unwrap().to_string().contains("cannot open the database"));
}

#[test]
fn a_break_of_the_meters_is_asked_about_and_billed_as_decided() {
    for (values, bill, billed) in [
        ([100, 5, 9], true, 9),
        ([100, 5, 9], false, 4),
        ([100, 900_000, 900_004], true, 899_904),
        ([100, 900_000, 900_004], false, 4),
    ] {
        let house = House::new();
        for (place, value) in (0_i64..).zip(values) {
            house.take(u64::try_from(place).unwrap() + 1, vec![record("a", 5 * place, value)], at(5 * place));
        }
        let questions = house.store.meter_questions(&house.scope).unwrap();
        let [question] = questions.as_slice() else { panic!("{questions:?}") };
        assert_eq!(question.meters, [("System".to_owned(), Some(values[0]), values[1])]);
        let device = house.only_device();
        let open = |house: &House| {
            let alerts = house.store.alert_history(&house.scope, device, 10).unwrap();
            alerts.iter().filter(|alert| alert.key.group == "meter" && alert.closed_at.is_none()).count()
        };
        assert_eq!(open(&house), 1);
        let viewer = Scope { rights: Rights::NONE.with(Right::View), ..house.scope.clone() };
        assert!(house.store.decide_meter(&viewer, question.id, bill, at(20)).is_err());
        assert!(house.store.decide_meter(&house.scope, question.id, bill, at(20)).unwrap());
        assert!(!house.store.decide_meter(&house.scope, question.id, !bill, at(21)).unwrap(), "decided already");
        assert_eq!(open(&house), 0);
        assert!(house.store.meter_questions(&house.scope).unwrap().is_empty());
        assert_eq!(house.billed(device), billed, "{values:?} {bill}");
    }
}

#[test]
fn a_meter_that_comes_back_takes_its_question_back() {
    let house = House::new();
    for (place, value) in (0_i64..).zip([90_000, 0, 90_012]) {
        house.take(u64::try_from(place).unwrap() + 1, vec![record("a", 5 * place, value)], at(5 * place));
    }
    assert!(house.store.meter_questions(&house.scope).unwrap().is_empty());
    assert_eq!(house.billed(house.only_device()), 12);
}
