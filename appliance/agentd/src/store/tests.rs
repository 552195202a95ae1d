//! What the store keeps, and tells the manager, over restarts and power cuts.

use agent_core::register::{Doubt, Question};
use agent_core::report::Sender;
use agent_core::search::Kinds;
use agent_core::snmp::{Credential, Transport, Version};
use tempfile::TempDir;
use wire::device::{DeviceId, DeviceRecord, Identity, Level, Snapshot, Supply};
use wire::message::{AgentId, Request, SendReports};
use wire::meter::{self, CounterKey};
use wire::notes::{Remark, SameDevice};
use wire::vocab::{
    Basis, ColorUse, CounterUnit, DoubtKind, EventKind, MediaSize, RemarkCode, Service, Sides, SupplyClass, SupplyKind,
    SupplyUnit,
};
use wire::xml::decode_request;

use super::*;
use crate::store::devices::{Saved, Watched};
use crate::store::outbox::Waiting;
use crate::store::settings::{Change, ScanRange};

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    store.begin_epoch(moment(1000)).unwrap();
    (folder, store)
}

fn reading(serial: &str, total: u64, level: i64) -> Saved {
    let counter = wire::device::Counter {
        service: Service::System,
        color: ColorUse::Any,
        size: MediaSize::Any,
        sides: Sides::Any,
        unit: CounterUnit::Impressions,
        basis: Basis::Meter,
        value: total,
        source: "1.3.6.1.2.1.43.10.2.1.4.1.1".to_owned(),
        confidence: wire::vocab::Confidence::Verified,
    };
    let supply = Supply {
        index: "1.1".to_owned(),
        kind: SupplyKind::Toner,
        class: SupplyClass::Consumed,
        color: None,
        description: "Toner".to_owned(),
        part_number: None,
        serial: None,
        unit: SupplyUnit::Percent,
        capacity: None,
        level: Level::from_code(level),
        raw: wire::device::Raw::default(),
        origin: wire::device::Origin::default(),
    };
    Saved {
        id: DeviceId::new(format!("1:{serial}")).unwrap(),
        address: "192.0.2.1:161".to_owned(),
        credential: Credential::v2c("public"),
        read_at: moment(86_400_000),
        snapshot: Snapshot {
            identity: Identity { serial: Some(serial.to_owned()), ..Identity::default() },
            supplies: vec![supply],
            counters: vec![counter],
            ..Snapshot::default()
        },
        watched: Watched::default(),
    }
}

fn sender() -> Sender {
    Sender { agent: AgentId::of_key(&[1; 32]), agent_name: "box".to_owned(), software: "test".to_owned() }
}

fn oldest(store: &Store) -> (Waiting, SendReports) {
    let waiting = store.oldest_report().unwrap().unwrap();
    let document = crate::uplink::unpack(&waiting.document).unwrap();
    let Request::SendReports(report) = decode_request(&document).unwrap() else { panic!("no report") };
    (waiting, report)
}

#[test]
fn a_report_holds_what_has_changed_and_only_that() {
    let (_folder, store) = store();
    store.save(&[reading("A", 100, 50), reading("B", 5, 50)]).unwrap();
    assert_eq!(store.make_reports(&sender(), moment(2000)).unwrap(), 1);
    let (waiting, first) = oldest(&store);
    assert_eq!(first.devices.len(), 2);
    assert!(first.devices.iter().all(|device| device.identity.is_some() && device.counters.is_some()));
    store.accept_report(&waiting).unwrap();
    assert!(!store.unreported().unwrap().any);

    store.save(&[reading("A", 101, 50), reading("B", 5, 50)]).unwrap();
    store.make_reports(&sender(), moment(3000)).unwrap();
    let (_, second) = oldest(&store);
    assert_eq!(second.id.sequence, first.id.sequence + 1);
    let [device] = second.devices.as_slice() else { panic!("one device has changed") };
    assert!(device.counters.is_some() && device.supplies.is_none() && device.identity.is_none());
}

#[test]
fn reports_wait_in_order_with_the_same_bytes_until_they_are_accepted() {
    let (folder, store) = store();
    store.save(&[reading("A", 100, 50)]).unwrap();
    store.make_reports(&sender(), moment(2000)).unwrap();
    store.make_reports(&sender(), moment(3000)).unwrap();
    let (waiting, _) = oldest(&store);
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    store.begin_epoch(moment(0)).unwrap();
    assert_eq!(store.oldest_report().unwrap().unwrap(), waiting);
    store.make_reports(&sender(), moment(4000)).unwrap();
    assert_eq!(store.unreported().unwrap().waiting, 3);
    store.accept_report(&waiting).unwrap();
    let (next, _) = oldest(&store);
    assert!(next.id > waiting.id);
}

#[test]
fn an_epoch_is_later_than_the_one_before_even_when_the_clock_is_not() {
    let (_folder, store) = store();
    store.make_reports(&sender(), moment(2000)).unwrap();
    store.begin_epoch(moment(0)).unwrap();
    store.make_reports(&sender(), moment(2000)).unwrap();
    let (first, _) = oldest(&store);
    store.accept_report(&first).unwrap();
    let (second, _) = oldest(&store);
    assert!(second.id.epoch > first.id.epoch);
}

#[test]
fn silence_is_told_once_and_its_end_too() {
    let (_folder, store) = store();
    let device = reading("A", 1, 1);
    store.save(std::slice::from_ref(&device)).unwrap();
    store.make_reports(&sender(), moment(1)).unwrap();
    store.set_silent(&device.id, moment(5000), "no answer").unwrap();
    store.set_silent(&device.id, moment(9000), "no answer").unwrap();
    assert_eq!(store.unreported().unwrap().urgent_since, Some(moment(5000)));
    store.accept_report(&oldest(&store).0).unwrap();
    store.make_reports(&sender(), moment(10_000)).unwrap();
    let (waiting, report) = oldest(&store);
    assert_eq!(report.devices.first().unwrap().silent_since, Some(moment(5000)));
    store.accept_report(&waiting).unwrap();
    store.set_silent(&device.id, moment(11_000), "no answer").unwrap();
    assert!(!store.unreported().unwrap().any, "told already");
    store.save(&[device]).unwrap();
    store.make_reports(&sender(), moment(12_000)).unwrap();
    assert_eq!(oldest(&store).1.devices.first().unwrap().silent_since, None);
}

#[test]
fn a_device_that_was_removed_is_reported_as_removed() {
    let (_folder, store) = store();
    let device = reading("A", 1, 1);
    store.save(std::slice::from_ref(&device)).unwrap();
    store.make_reports(&sender(), moment(1)).unwrap();
    store.accept_report(&oldest(&store).0).unwrap();
    store.remove_device(device.id.as_str()).unwrap();
    store.make_reports(&sender(), moment(2)).unwrap();
    assert_eq!(oldest(&store).1.removed, [device.id]);
}

#[test]
fn what_was_printed_before_a_meter_broke_is_told() {
    let (_folder, store) = store();
    let at = |minutes: i64, total| Saved { read_at: moment(86_400_000 + minutes * 60_000), ..reading("A", total, 50) };
    store.save(&[at(0, 100)]).unwrap();
    store.make_reports(&sender(), moment(1)).unwrap();
    store.accept_report(&oldest(&store).0).unwrap();
    // Two readings between reports, and the second one is of another board.
    store.save(&[at(5, 130)]).unwrap();
    store.save(&[at(10, 4)]).unwrap();
    store.make_reports(&sender(), moment(2)).unwrap();
    let (_, report) = oldest(&store);
    let value = |device: &DeviceRecord| device.counters.as_ref().map(|counters| counters[0].value);
    assert_eq!(report.devices.iter().map(value).collect::<Vec<_>>(), [Some(130), Some(4)]);
    assert!(report.devices[0].read_at < report.devices[1].read_at);
    let key = CounterKey::of(&reading("A", 0, 0).snapshot.counters[0]);
    let days = store.meters("1:A", &key).unwrap();
    let days: Vec<_> = days.iter().map(|day| (day.standing.value, day.standing.epoch, day.remark)).collect();
    assert_eq!(days, [(130, 1, meter::Remark::Plain), (4, 2, meter::Remark::Backwards)]);
}

#[test]
fn a_person_says_whether_two_devices_are_one() {
    let (_folder, store) = store();
    let (old, new, third) = (reading("A", 100, 1), reading("B", 3, 1), reading("C", 3, 1));
    let question =
        |newer: &Saved| Question { doubt: Doubt::BoardSwapped, older: old.id.clone(), newer: newer.id.clone() };
    let ask = |saved: &Saved| Saved {
        watched: Watched { questions: vec![question(saved)], ..Watched::default() },
        address: "192.0.2.7:161".to_owned(),
        ..saved.clone()
    };
    store.save(&[old.clone(), ask(&new), ask(&third)]).unwrap();
    let open = store.questions().unwrap();
    assert_eq!(open.len(), 2);
    assert!(store.keep_apart(open[1].row, "ines", moment(5)).unwrap());
    assert!(!store.keep_apart(open[1].row, "ines", moment(6)).unwrap(), "decided already");
    store.unite(&old.id, &new.id, true, "ines", moment(7)).unwrap();
    assert!(store.questions().unwrap().is_empty());
    assert!(store.device("1:B").unwrap().is_none());
    assert_eq!(store.device("1:A").unwrap().unwrap().address, "192.0.2.7:161");
    let events = store.events("1:A", 10).unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.keyword()).collect();
    assert_eq!(kinds, ["same", "another", "asked", "asked", "asked"]);
    // The manager hears that they are one, not that one is gone, and hears it again after a start.
    store.make_reports(&sender(), moment(8)).unwrap();
    let (waiting, report) = oldest(&store);
    let same = SameDevice { gone: new.id.clone(), stays: old.id.clone() };
    assert_eq!((report.same.as_slice(), report.removed.len()), (&[same.clone()][..], 0));
    let told = report.devices.iter().find(|device| device.id == old.id).unwrap();
    assert!(told.events.iter().any(|event| event.kind == EventKind::Same && event.after == "ines"));
    store.accept_report(&waiting).unwrap();
    assert!(!store.unreported().unwrap().any);
    store.begin_epoch(moment(9)).unwrap();
    assert!(store.unreported().unwrap().any);
    store.make_reports(&sender(), moment(10)).unwrap();
    assert_eq!(oldest(&store).1.same, [same]);
    assert_eq!(store.given_up().unwrap(), std::slice::from_ref(&new.id));
    // The pair that was decided about is known after a restart, and nobody is asked again.
    store.save(&[ask(&third)]).unwrap();
    assert!(store.questions().unwrap().is_empty());
    assert_eq!(store.asked_pairs().unwrap(), [(old.id, third.id)]);
}

#[test]
fn what_was_noticed_is_told_while_it_holds() {
    let (_folder, store) = store();
    let remark = |code: &str, text: &str| Remark {
        code: RemarkCode::from_keyword(code),
        since: Some(moment(86_400_000)),
        text: text.to_owned(),
    };
    let odd = Remark { since: None, ..remark("loop", "1.3.6.1") };
    let question = Question { doubt: Doubt::SerialTwice, older: reading("A", 1, 1).id, newer: reading("B", 1, 1).id };
    let watched = Watched { remarks: vec![odd.clone()], questions: vec![question], ..Watched::default() };
    store.save(&[reading("A", 1, 1), Saved { watched: watched.clone(), ..reading("B", 1, 1) }]).unwrap();
    let (update, slow) = (remark("updateTakenBack", "0.3.0 did not come up"), remark("polledLessSlow", "15 min; 12 s"));
    store.say_of_self(&update).unwrap();
    store.set_slowed(&reading("B", 1, 1).id, Some(&slow)).unwrap();
    let tell = |at| {
        store.make_reports(&sender(), moment(at)).unwrap();
        let (waiting, report) = oldest(&store);
        store.accept_report(&waiting).unwrap();
        report
    };
    let first = tell(1);
    assert_eq!(first.remarks, std::slice::from_ref(&update));
    let notes = first.devices[1].notes.clone().unwrap();
    assert_eq!(notes.remarks, [odd, slow]);
    assert_eq!((notes.questions[0].doubt.clone(), notes.questions[0].older.as_str()), (DoubtKind::SerialTwice, "1:A"));
    assert_eq!(first.devices[1].events.len(), 1);
    // Nothing is told twice; the box says all of itself in every report, as long as it holds.
    store.say_of_self(&update).unwrap();
    assert!(!store.unreported().unwrap().any);
    assert_eq!((tell(2).remarks.len(), store.said_of_self().unwrap().len()), (1, 1));
    store.unsay_of_self(&update.code).unwrap();
    store.set_slowed(&reading("B", 1, 1).id, None).unwrap();
    assert!(store.unreported().unwrap().any);
    let last = tell(3);
    assert_eq!((last.remarks.len(), last.devices.len()), (0, 1));
    assert_eq!(last.devices[0].notes.as_ref().unwrap().remarks.len(), 1);
    assert!(last.devices[0].events.is_empty() && last.devices[0].counters.is_none());
}

#[test]
fn what_waits_of_a_device_that_was_another_is_told_under_its_lasting_name() {
    let (_folder, store) = store();
    let at = |minutes: i64, serial, total| Saved {
        read_at: moment(86_400_000 + minutes * 60_000),
        ..reading(serial, total, 50)
    };
    store.save(&[at(0, "A", 100), at(1, "B", 40)]).unwrap();
    // The meter of the second breaks before any report has told its first readings; then it turns out to be the first.
    store.save(&[at(2, "B", 3)]).unwrap();
    store.unite(&reading("A", 1, 1).id, &reading("B", 1, 1).id, true, "ines", moment(7)).unwrap();
    store.make_reports(&sender(), moment(8)).unwrap();
    let (_, report) = oldest(&store);
    assert_eq!(report.devices.iter().map(|device| device.id.as_str()).collect::<Vec<_>>(), ["1:A", "1:A"]);
}

#[test]
fn a_reading_that_changes_nothing_is_read_later_all_the_same() {
    let (_folder, store) = store();
    store.save(&[reading("A", 1, 1)]).unwrap();
    store.make_reports(&sender(), moment(1)).unwrap();
    let later = moment(86_500_000);
    store.save(&[Saved { read_at: later, address: "192.0.2.9:161".to_owned(), ..reading("A", 1, 1) }]).unwrap();
    assert!(!store.unreported().unwrap().any);
    let record = store.record("1:A").unwrap().unwrap();
    assert_eq!((record.read_at, record.address.as_str()), (later, "192.0.2.9"));
}

fn days_of(store: &Store) -> usize {
    store.meters("1:A", &CounterKey::of(&reading("A", 0, 0).snapshot.counters[0])).unwrap().len()
}

#[test]
fn what_is_too_old_goes_and_is_made_up_for() {
    let (_folder, store) = store();
    for day in 1..=91 {
        let read_at = moment(day * 86_400_000);
        store.save(&[Saved { read_at, ..reading("A", u64::try_from(day).unwrap(), 1) }]).unwrap();
        store.make_reports(&sender(), read_at).unwrap();
    }
    assert_eq!(store.tidy().unwrap(), 1);
    assert!(store.unreported().unwrap().any);
    assert_eq!(days_of(&store), 90);
    assert_eq!(store.tidy().unwrap(), 0);
}

#[test]
fn a_clock_that_runs_years_ahead_costs_nothing() {
    let (_folder, store) = store();
    for at in [1, 2, 20_000] {
        let read_at = moment(at * 86_400_000);
        store.save(&[Saved { read_at, ..reading("A", u64::try_from(at).unwrap(), 1) }]).unwrap();
        store.make_reports(&sender(), read_at).unwrap();
    }
    assert_eq!(store.tidy().unwrap(), 0);
    assert_eq!(days_of(&store), 3);
}

#[test]
fn many_devices_and_large_ones_make_several_reports() {
    let (_folder, store) = store();
    let readings: Vec<Saved> = (0..101).map(|n| reading(&format!("S{n:03}"), 1, 1)).collect();
    store.save(&readings).unwrap();
    store.remove_device("1:S007").unwrap();
    store.save(&[reading("S101", 1, 1)]).unwrap();
    assert_eq!(store.make_reports(&sender(), moment(1)).unwrap(), 2);
    let (waiting, first) = oldest(&store);
    assert_eq!((first.devices.len(), first.removed.len()), (100, 1));
    store.accept_report(&waiting).unwrap();
    let (waiting, second) = oldest(&store);
    assert_eq!((second.devices.len(), second.removed.len()), (1, 0));
    store.accept_report(&waiting).unwrap();
    // Five of them are all that a report holds.
    let large: Vec<Saved> = (0..6)
        .map(|n| {
            let mut large = reading(&format!("L{n}"), 1, 1);
            let text = "x".repeat(1000);
            let rows = (0..250).map(|row| Supply {
                index: row.to_string(),
                description: text.clone(),
                part_number: Some(text.clone()),
                serial: Some(text.clone()),
                ..large.snapshot.supplies[0].clone()
            });
            large.snapshot.supplies = rows.collect();
            large
        })
        .collect();
    store.save(&large).unwrap();
    assert_eq!(store.make_reports(&sender(), moment(2)).unwrap(), 2);
    assert_eq!(oldest(&store).1.devices.len(), 5);
}

#[test]
fn a_database_of_a_later_version_is_left_alone() {
    let (folder, store) = store();
    store.connection().pragma_update(None, "user_version", 99).unwrap();
    drop(store);
    let Err(error) = Store::open(folder.path()) else { panic!("opened") };
    assert!(error.to_string().contains("version 99"), "{error}");
}

#[test]
fn a_program_that_comes_back_goes_on_with_its_own_database() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let before = MIGRATIONS.len() - 1;
    let old = Connection::open(&path).unwrap();
    MIGRATIONS.iter().take(before).for_each(|step| old.execute_batch(step).unwrap());
    old.pragma_update(None, "user_version", before).unwrap();
    old.execute("INSERT INTO setting VALUES ('place', 'before')", []).unwrap();
    drop(old);

    // The update migrates it, and keeps what was there.
    let store = Store::open(folder.path()).unwrap();
    set(&store.connection().unchecked_transaction().unwrap(), "place", "lost").unwrap();
    drop(store);
    let copy = copy_of(folder.path(), before);
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let kept = Connection::open(&copy).unwrap();
    assert_eq!(kept.pragma_query_value(None, "user_version", |row| row.get(0)), Ok(before));
    drop(kept);

    // To this program a later one is what it is itself to the one before.
    let store = Store::open(folder.path()).unwrap();
    store.transaction(|change| set(change, "place", "here")).unwrap();
    drop(store);
    fs::copy(&path, copy_of(folder.path(), MIGRATIONS.len())).unwrap();
    let later = Connection::open(&path).unwrap();
    later.execute("UPDATE setting SET value = 'later' WHERE key = 'place'", []).unwrap();
    later.pragma_update(None, "user_version", 99).unwrap();
    drop(later);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(setting(&store.connection(), "place").unwrap().as_deref(), Some("here"));
    let aside = Connection::open(copy_of(folder.path(), 99)).unwrap();
    assert_eq!(setting(&aside, "place").unwrap().as_deref(), Some("later"));
}

#[test]
fn users_of_snmp_and_who_is_read_as_whom_survive() {
    use agent_core::snmp::{AuthProtocol, KeyExtension, Keyed, PrivProtocol, Secret, Transport, User, Version};

    use super::settings::ScanRange;
    use super::snmp_users::Removal;

    let (folder, store) = store();
    let user = User::new(
        "monitor",
        Some(Keyed { protocol: AuthProtocol::Sha1, password: Secret::new("authpassword") }),
        Some(Keyed { protocol: PrivProtocol::Aes256, password: Secret::new("privpassword") }),
    );
    let user = user.and_then(|user| user.labelled("third floor")).unwrap();
    assert!(!store.set_snmp_user(&user).unwrap());
    assert!(store.set_snmp_user(&user).unwrap(), "replaced");
    let range = ScanRange {
        kinds: agent_core::search::Kinds::ALL,
        range: "192.0.2.0/24".to_owned(),
        exclusions: String::new(),
        port: 161,
        transport: Transport::Tcp,
        versions: vec![Version::V3, Version::V2c],
        communities: vec!["public".to_owned()],
        users: vec!["third floor".to_owned(), "nobody".to_owned()],
    };
    store.add_range(&range).unwrap();
    // The device has shown how its keys are made longer, which the user leaves open.
    let shown = Credential::v3(user.clone().extending(Some(KeyExtension::Reeder))).over(Transport::Tcp);
    store.save(&[Saved { credential: shown.clone(), ..reading("A", 1, 1) }]).unwrap();
    drop(store);

    let store = Store::open(folder.path()).unwrap();
    assert_eq!(*store.snmp_users().unwrap()[0], user);
    let (id, kept) = store.ranges().unwrap().remove(0);
    assert_eq!(kept, range);
    let credentials = kept.credentials(&store.snmp_users().unwrap());
    assert_eq!(
        credentials,
        [Credential::v3(user), Credential::v2c("public")].map(|credential| credential.over(Transport::Tcp))
    );
    assert_eq!(store.targets().unwrap()[0].credential, shown);
    assert_eq!(store.remove_snmp_user("third floor", moment(5)).unwrap(), Removal::InUse("192.0.2.0/24".to_owned()));
    store.remove_range(id).unwrap();
    assert_eq!(store.remove_snmp_user("third floor", moment(5)).unwrap(), Removal::Done(1));
    assert_eq!(store.targets().unwrap(), []);
    assert!(store.devices().unwrap()[0].failure.as_ref().unwrap().contains("third floor"));
}

#[test]
fn who_changes_a_range_from_an_old_page_is_told() {
    let (_folder, store) = store();
    let range = |exclusions: &str| ScanRange {
        range: "192.0.2.0/24".to_owned(),
        exclusions: exclusions.to_owned(),
        port: 161,
        transport: Transport::Udp,
        versions: vec![Version::V2c],
        communities: vec!["public".to_owned()],
        users: Vec::new(),
        kinds: Kinds::ALL,
    };
    store.add_range(&range("")).unwrap();
    let (id, _) = store.ranges().unwrap().pop().unwrap();
    let (opened, _) = store.range(id).unwrap().unwrap();
    assert_eq!(store.change_range(id, opened, &range("192.0.2.1")).unwrap(), Change::Made);
    assert_eq!(store.change_range(id, opened, &range("192.0.2.2")).unwrap(), Change::Overtaken);
    let (present, kept) = store.range(id).unwrap().unwrap();
    assert_eq!(kept, range("192.0.2.1"));
    store.remove_range(id).unwrap();
    assert_eq!(store.change_range(id, present, &range("")).unwrap(), Change::Gone);
    assert_eq!(store.range(id).unwrap(), None);
}
