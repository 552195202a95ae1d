//! Devices that are one, devices that are two, boxes that were replaced; and that nobody meets another's.

use wire::notes::{Event, Notes, Question, SameDevice};
use wire::vocab::{DoubtKind, EventKind, RemarkCode};

use super::*;

/// A box at a site, with the reports that it sends.
struct Box {
    key: [u8; 32],
    sequence: u64,
}

impl Box {
    /// Enrols at a site.
    fn at(house: &House, site: SiteId, seed: u8, now: Timestamp) -> Self {
        let key = [seed; 32];
        let minute = u8::try_from(now.duration_since(at(0)).as_mins()).unwrap();
        let token = [minute; 32];
        house.store.create_token(&house.scope, site, &token, now + LIFETIME, now).unwrap();
        house.store.register(&registration(key), &token, now).unwrap();
        Self { key, sequence: 0 }
    }

    /// The one that stands there from the first.
    fn first() -> Self {
        Self { key: KEY, sequence: 0 }
    }

    fn tell(&mut self, house: &House, devices: Vec<DeviceRecord>, now: Timestamp) {
        self.send(house, report(0, devices), now);
    }

    fn send(&mut self, house: &House, report: SendReports, now: Timestamp) {
        self.sequence += 1;
        let id = ReportId { epoch: 5, sequence: self.sequence };
        let report = SendReports { agent: AgentId::of_key(&self.key), id, created: now, ..report };
        let digest = [u8::try_from(self.sequence).unwrap(); 32];
        house.store.apply_report(&report, &digest, now).unwrap();
    }
}

/// A device with a card and a serial number of its own.
fn with_mac(name: &str, mac: u8, minutes: i64, total: u64) -> DeviceRecord {
    let mut record = record(name, minutes, total);
    let identity = record.identity.as_mut().unwrap();
    identity.mac = Some(format!("00:17:c8:00:00:{mac:02x}"));
    identity.serial = Some(format!("SN-{name}-01"));
    record
}

fn asking(record: DeviceRecord, older: &str) -> DeviceRecord {
    let older = DeviceId::new(older).unwrap();
    let question = Question { doubt: DoubtKind::BoardSwapped, older, asked_at: record.read_at };
    DeviceRecord { notes: Some(Notes { remarks: vec![], questions: vec![question] }), ..record }
}

fn same(gone: &str, stays: &str) -> SendReports {
    let id = |name: &str| DeviceId::new(name).unwrap();
    SendReports { same: vec![SameDevice { gone: id(gone), stays: id(stays) }], ..report(0, vec![]) }
}

fn serials(house: &House) -> Vec<String> {
    let lines = house.store.devices(&house.scope, &FleetQuery::default(), 10, 0).unwrap();
    lines.into_iter().map(|line| line.summary.serial).collect()
}

fn questions(house: &House) -> Vec<(DoubtKind, i64)> {
    let questions = house.store.identity_questions(&house.scope, None).unwrap();
    questions.into_iter().map(|question| (question.doubt, question.id)).collect()
}

#[test]
fn two_devices_that_were_one_go_on_as_one_with_the_history_of_both() {
    let house = House::new();
    let mut agent = Box::first();
    let happened = |kind, minutes| Event { kind, at: at(minutes), before: String::new(), after: String::new() };
    let known = DeviceRecord { events: vec![happened(EventKind::Met, 0)], ..record("a", 0, 100) };
    agent.tell(&house, vec![known], at(0));
    agent.tell(&house, vec![record("a", 10, 130)], at(10));
    let came = DeviceRecord {
        events: vec![happened(EventKind::Met, 20), happened(EventKind::Moved, 21)],
        ..asking(record("b", 20, 4), "a")
    };
    agent.tell(&house, vec![came], at(20));
    agent.tell(&house, vec![record("b", 30, 20)], at(30));
    assert_eq!((serials(&house).len(), questions(&house).len()), (2, 1));

    agent.send(&house, same("b", "a"), at(40));
    // What the older one said last comes after that, and then what it is now; and a straggler under the name that is gone.
    agent.tell(&house, vec![record("a", 10, 130)], at(41));
    agent.tell(&house, vec![DeviceRecord { notes: Some(Notes::default()), ..record("a", 50, 25) }], at(50));
    agent.tell(&house, vec![record("b", 25, 9)], at(51));
    assert_eq!(questions(&house), []);
    let expected = [
        (100, 1, Remark::Plain),
        (130, 1, Remark::Plain),
        (4, 2, Remark::Backwards),
        (9, 2, Remark::Plain),
        (20, 2, Remark::Plain),
        (25, 2, Remark::Plain),
    ];
    assert_eq!(house.totals(), expected);
    let device = house.only_device();
    assert_eq!(house.billed(device), 30 + 21);
    let kinds: Vec<EventKind> =
        house.store.device_events(&house.scope, device, 10).unwrap().into_iter().map(|e| e.kind).collect();
    assert_eq!(kinds, [EventKind::Moved, EventKind::Met], "it was met once");
    let state = house.store.device(&house.scope, device).unwrap();
    assert_eq!((state.record.id.as_str(), state.first_seen_at), ("a", at(0)));
    // What the new board has printed is billed if a person says so, as with any meter that broke.
    let meter = house.store.meter_questions(&house.scope).unwrap();
    assert_eq!(meter.iter().map(|question| question.read_at).collect::<Vec<_>>(), [at(20)]);
    assert!(house.store.decide_meter(&house.scope, meter[0].id, true, at(60)).unwrap());
    assert_eq!(house.billed(device), 30 + 25);
}

#[test]
fn what_was_decided_about_meters_holds_when_their_device_turns_out_to_be_another() {
    let house = House::new();
    let mut agent = Box::first();
    agent.tell(&house, vec![record("a", 0, 100), record("b", 1, 50)], at(1));
    agent.tell(&house, vec![record("b", 20, 7)], at(20));
    let question = house.store.meter_questions(&house.scope).unwrap().remove(0);
    assert!(house.store.decide_meter(&house.scope, question.id, true, at(21)).unwrap());
    agent.send(&house, same("b", "a"), at(30));
    // From 100 to 50 is a break that nobody has decided; from 50 to 7 is decided and billed from nought.
    let open = house.store.meter_questions(&house.scope).unwrap();
    assert_eq!(open.iter().map(|question| question.read_at).collect::<Vec<_>>(), [at(1)]);
    assert_eq!(house.billed(house.only_device()), 7);
}

#[test]
fn two_devices_that_are_two_stay_two_and_nobody_is_asked_again() {
    let house = House::new();
    let mut agent = Box::first();
    agent.tell(&house, vec![record("a", 0, 100), asking(record("b", 1, 4), "a")], at(1));
    assert_eq!(questions(&house).len(), 1);
    // Decided at the agent: its notes have no question any more.
    agent.tell(&house, vec![DeviceRecord { notes: Some(Notes::default()), ..record("b", 2, 5) }], at(2));
    assert_eq!((questions(&house).len(), serials(&house).len()), (0, 2));
    // Decided at the manager: the agent still asks.
    agent.tell(&house, vec![asking(record("c", 3, 4), "a")], at(3));
    let (_, question) = questions(&house).remove(0);
    assert!(house.store.decide_identity(&house.scope, question, false, at(4)).unwrap().is_some());
    assert!(house.store.decide_identity(&house.scope, question, true, at(4)).unwrap().is_none(), "decided already");
    agent.tell(&house, vec![asking(record("c", 5, 6), "a")], at(5));
    assert_eq!((questions(&house).len(), serials(&house).len()), (0, 3));
}

#[test]
fn a_decision_at_the_manager_holds_until_both_devices_answer() {
    let house = House::new();
    let mut agent = Box::first();
    let silent = |minutes| DeviceRecord { silent_since: Some(at(15)), ..record("a", minutes, 130) };
    agent.tell(&house, vec![record("a", 0, 100), silent(10), asking(record("b", 20, 4), "a")], at(20));
    let (_, question) = questions(&house).remove(0);
    let device = house.store.decide_identity(&house.scope, question, true, at(30)).unwrap().unwrap();
    assert_eq!(device, house.only_device());
    // The agent does not know it, and goes on telling of both and asking.
    agent.tell(&house, vec![silent(10), asking(record("b", 40, 30), "a")], at(40));
    let state = house.store.device(&house.scope, house.only_device()).unwrap();
    assert_eq!((state.record.silent_since, questions(&house).len()), (None, 0));
    assert_eq!(house.billed(device), 30 + 26);
    // Its own person decides the same: nothing changes.
    let mut other = Box { sequence: 100, ..Box::first() };
    other.send(&house, same("b", "a"), at(50));
    other.tell(&house, vec![record("a", 55, 35)], at(55));
    assert_eq!(house.billed(house.only_device()), 30 + 31);

    // Of another pair the older one answers again, and says who it is: two devices after all.
    let house = House::new();
    let mut agent = Box::first();
    agent.tell(&house, vec![silent(10), asking(record("b", 20, 4), "a")], at(20));
    let (_, question) = questions(&house).remove(0);
    house.store.decide_identity(&house.scope, question, true, at(30)).unwrap().unwrap();
    agent.tell(&house, vec![record("a", 60, 140), record("b", 60, 40)], at(60));
    let mut serials = serials(&house);
    serials.sort();
    assert_eq!(serials, ["A", "B"]);
}

#[test]
fn a_box_that_was_replaced_goes_on_with_the_devices_of_the_old_one() {
    let house = House::new();
    let mut old = Box::first();
    old.tell(&house, vec![with_mac("a", 1, 0, 100), with_mac("b", 2, 0, 7)], at(0));
    let device = house.store.devices(&house.scope, &FleetQuery::default(), 10, 0).unwrap()[0].device;
    let mut new = Box::at(&house, house.site, 8, at(100));
    // A new card makes its own names where a device has no serial number; here one of them differs.
    let renamed = DeviceRecord { id: DeviceId::new("made:1").unwrap(), ..with_mac("b", 2, 110, 9) };
    new.tell(&house, vec![with_mac("a", 1, 110, 130), renamed.clone()], at(110));
    assert_eq!(serials(&house).len(), 2);
    assert_eq!(house.store.device(&house.scope, device).unwrap().agent, AgentId::of_key(&[8; 32]));
    let replaced = |house: &House| {
        let agents = house.store.agents(&house.scope).unwrap();
        agents.into_iter().map(|agent| (agent.replaced_by.is_some(), agent.devices.all)).collect::<Vec<_>>()
    };
    assert_eq!(replaced(&house), [(true, 0), (false, 2)]);
    // A report of the old box that was long under way adds to the history and makes nothing of its own.
    old.tell(&house, vec![with_mac("a", 1, 50, 110)], at(111));
    new.tell(&house, vec![with_mac("a", 1, 120, 131), renamed], at(120));
    assert_eq!(serials(&house).len(), 2);
    let total = house.store.counter_history(&house.scope, device, None, 10).unwrap();
    assert_eq!(
        total.iter().rev().map(|line| (line.value, line.epoch)).collect::<Vec<_>>(),
        [(100, 1), (110, 1), (130, 1), (131, 1)]
    );
    // The old box is switched on again beside the new one: both read the same devices, which stay what they are.
    old.tell(&house, vec![with_mac("a", 1, 130, 132), with_mac("b", 2, 130, 10)], at(130));
    assert_eq!(serials(&house).len(), 2);
    assert_eq!(replaced(&house).iter().filter(|(replaced, _)| *replaced).count(), 0);
}

#[test]
fn what_is_not_sure_about_a_replaced_box_is_asked() {
    let house = House::new();
    Box::first().tell(&house, vec![with_mac("a", 1, 0, 100), with_mac("b", 2, 0, 500)], at(0));
    let mut new = Box::at(&house, house.site, 8, at(100));
    // The same serial number with another card; the same card with another serial number.
    new.tell(&house, vec![with_mac("a", 3, 110, 130), with_mac("c", 2, 110, 3)], at(110));
    let mut doubts: Vec<DoubtKind> = questions(&house).into_iter().map(|(doubt, _)| doubt).collect();
    doubts.sort();
    assert_eq!(doubts, [DoubtKind::BoardSwapped, DoubtKind::SerialTwice]);
    assert_eq!(serials(&house).len(), 4);
    for (_, question) in questions(&house) {
        house.store.decide_identity(&house.scope, question, true, at(120)).unwrap().unwrap();
    }
    new.tell(&house, vec![with_mac("a", 3, 130, 131), with_mac("c", 2, 130, 4)], at(130));
    assert_eq!((serials(&house).len(), questions(&house).len()), (2, 0));
}

#[test]
fn nobody_meets_the_devices_of_another_customer() {
    let house = House::new();
    Box::first().tell(&house, vec![with_mac("a", 1, 0, 100)], at(0));
    let elsewhere = house.store.find_or_create_site(&house.scope, "Another", "Hauptstraße").unwrap();
    Box::at(&house, elsewhere, 8, at(100)).tell(&house, vec![with_mac("a", 1, 110, 130)], at(110));
    assert_eq!((serials(&house).len(), questions(&house).len()), (2, 0));
    // At another site of the same customer a person is asked, once the device has left the first one.
    let branch = house.store.find_or_create_site(&house.scope, "Müller & Söhne", "Branch").unwrap();
    Box::at(&house, branch, 9, at(200)).tell(&house, vec![with_mac("a", 1, 210, 140)], at(210));
    assert_eq!((serials(&house).len(), questions(&house).len()), (3, 1));
    let (_, question) = questions(&house).remove(0);
    let stranger = Scope { dealer: DealerId(77), ..house.scope.clone() };
    assert!(house.store.identity_questions(&stranger, None).unwrap().is_empty());
    assert!(house.store.decide_identity(&stranger, question, true, at(220)).unwrap().is_none());
    let reader = Scope { rights: Rights::NONE.with(Right::View), ..house.scope.clone() };
    assert!(matches!(house.store.decide_identity(&reader, question, true, at(220)), Err(StoreError::Denied(_))));
    assert!(house.store.decide_identity(&house.scope, question, true, at(220)).unwrap().is_some());
    assert_eq!(serials(&house).len(), 2);
}

#[test]
fn a_box_that_goes_to_another_customer_shares_nothing_with_those_it_leaves() {
    let house = House::new();
    let mut first = Box::first();
    first.tell(&house, vec![with_mac("a", 1, 0, 100)], at(0));
    let mut second = Box::at(&house, house.site, 8, at(100));
    second.tell(&house, vec![with_mac("a", 1, 110, 130)], at(110));
    assert_eq!(serials(&house).len(), 1);
    // The second box, to which the device belongs by now, is enrolled for another customer; the first one reports again.
    let elsewhere = house.store.find_or_create_site(&house.scope, "Another", "Hauptstraße").unwrap();
    let moved = Box::at(&house, elsewhere, 8, at(200));
    second = Box { sequence: second.sequence, ..moved };
    first.tell(&house, vec![with_mac("a", 1, 210, 140)], at(210));
    second.tell(&house, vec![with_mac("a", 1, 220, 150)], at(220));
    let lines = house.store.devices(&house.scope, &FleetQuery::default(), 10, 0).unwrap();
    let mut totals: Vec<_> = lines.into_iter().map(|line| (line.customer_name, line.summary.total)).collect();
    totals.sort();
    assert_eq!(totals, [("Another".to_owned(), Some(150)), ("Müller & Söhne".to_owned(), Some(140))]);
    assert!(house.store.agents(&house.scope).unwrap().iter().all(|agent| agent.replaced_by.is_none()));
}

#[test]
fn a_box_says_of_itself_what_holds() {
    let house = House::new();
    let mut agent = Box::first();
    let remark = |text: &str| wire::notes::Remark {
        code: RemarkCode::from_keyword("updateTakenBack"),
        since: Some(at(1)),
        text: text.to_owned(),
    };
    let said = |house: &House| house.store.agents(&house.scope).unwrap().remove(0).remarks;
    let report = |remarks| SendReports { remarks, ..report(0, vec![]) };
    agent.send(&house, report(vec![remark("0.3.0 did not come up")]), at(2));
    assert_eq!(said(&house), [remark("0.3.0 did not come up")]);
    agent.send(&house, report(vec![]), at(3));
    assert_eq!(said(&house), []);
    // What was said before and comes late is no news.
    let late = SendReports { created: at(2), ..report(vec![remark("late")]) };
    let late = SendReports { agent: AgentId::of_key(&KEY), id: ReportId { epoch: 4, sequence: 1 }, ..late };
    house.store.apply_report(&late, &[99; 32], at(4)).unwrap();
    assert_eq!(said(&house), []);
}
