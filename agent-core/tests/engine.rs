//! The engine against printers that behave, misbehave, or are not there, on a lossless or lossy network and a clock moved by hand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod world;

use std::time::Duration;

use agent_core::engine::{Event, Finished, ReadKind, ReadOrder};
use agent_core::reader::{ReadError, Remark};
use agent_core::snmp::{Credential, Version};
use proptest::prelude::*;
use testkit::printer_sim::{Mood, Printer, Version as SimVersion};
use testkit::recording::Recording;
use wire::device::total;
use world::{Weather, World, address, printer};

const WALK: &str = "kyocera_taskalfa-4054ci";

fn public() -> Vec<Credential> {
    vec![Credential::v2c("public"), Credential::v1("public")]
}

/// How many rows a well-behaved reading of the recording has.
fn complete() -> usize {
    let finished = World::new().with(1, printer(WALK)).read(1, &public());
    finished.outcome.unwrap().variables.len()
}

#[test]
fn a_first_reading_and_a_routine_poll_stay_small() {
    let mut world = World::new().with(1, printer(WALK));
    let first = world.read(1, &public());
    let reading = first.outcome.unwrap();
    assert_eq!(reading.profile, "kyocera");
    assert_eq!(reading.remarks, []);
    assert!(first.cost.sent <= 14 && first.cost.octets <= 14_000, "{:?}", first.cost);
    let poll = world.poll(1, first.credential, reading.clone());
    let again = poll.outcome.unwrap();
    assert_eq!(again.variables.len(), reading.variables.len());
    assert!(!again.outdated);
    assert!(poll.cost.sent <= 4 && poll.cost.octets <= 5_000, "{:?}", poll.cost);
}

#[test]
fn a_printer_of_version_1_is_read_whole() {
    let old = printer(WALK).with_newest_version(SimVersion::V1);
    let finished = World::new().with(1, old).read(1, &public());
    assert_eq!(finished.credential.version(), Version::V1);
    assert_eq!(finished.outcome.unwrap().variables.len(), complete());
}

#[test]
fn moods_that_a_reader_has_to_bear() {
    let whole = complete();
    for mood in [
        Mood::FirstVariableOnly,
        Mood::NoBulk,
        Mood::TooBigAbove(3),
        Mood::Duplicate,
        Mood::Slow(Duration::from_millis(900)),
    ] {
        let finished = World::new().with(1, printer(WALK).with_mood(mood)).read(1, &public());
        let reading = finished.outcome.unwrap_or_else(|error| panic!("{mood:?}: {error}"));
        assert_eq!(reading.variables.len(), whole, "{mood:?}: {:?}", reading.remarks);
    }
    // Oddly encoded numbers come through; what the encoding makes of some values may differ.
    let odd = World::new().with(1, printer(WALK).with_mood(Mood::OddEncoding)).read(1, &public());
    assert_eq!(odd.outcome.unwrap().variables.len(), whole);
}

#[test]
fn small_datagrams_suffice() {
    let whole = complete();
    let finished = World::new().with(1, printer(WALK).with_max_message(484)).read(1, &public());
    assert_eq!(finished.outcome.unwrap().variables.len(), whole);
}

#[test]
fn moods_that_end_a_reading_with_a_clear_error() {
    let outcome = |mood: Mood| {
        let mut world = World::new().with(1, printer(WALK).with_mood(mood));
        let error = world.read(1, &public()).outcome.unwrap_err();
        (error, world.engine.strays())
    };
    assert_eq!(outcome(Mood::Silent), (ReadError::NoAnswer, 0));
    let (error, _) = outcome(Mood::Rubbish);
    assert!(matches!(error, ReadError::Garbled(_)), "{error}");
    assert!(error.to_string().contains("not in SNMP"));
    // Answers from elsewhere are dropped and counted, whatever they say.
    for mood in [Mood::OtherPort, Mood::OtherAddress, Mood::WrongRequestId] {
        let (error, strays) = outcome(mood);
        assert_eq!(error, ReadError::NoAnswer, "{mood:?}");
        assert!(strays > 0, "{mood:?}");
    }
}

/// A device that answers with the request-id after the one that it was asked with, from its neighbour's address.
#[test]
fn nobody_answers_for_another_by_counting() {
    let other = "hp_officejet-pro-8600";
    let alone = World::new().with(2, printer(other)).read(2, &public()).outcome.unwrap();
    let mut world = World::new().with(1, printer(WALK).with_mood(Mood::WrongRequestId)).with(2, printer(other));
    world.weather = Weather { forged: 100, ..Weather::default() };
    for host in [1, 2] {
        let order = ReadOrder { address: address(host), credentials: public(), kind: ReadKind::Full };
        world.engine.read(world.tick(), order);
    }
    let read: Vec<Finished> = world.run().into_iter().map(|Event::Read(finished)| *finished).collect();
    let of = |host: u8| read.iter().find(|finished| finished.address == address(host)).unwrap().outcome.clone();
    assert_eq!(of(1), Err(ReadError::NoAnswer));
    assert_eq!(of(2).unwrap().variables, alone.variables);
}

#[test]
fn a_device_that_loops_is_read_up_to_there() {
    for mood in [Mood::NextRepeats, Mood::NextGoesBack] {
        let finished = World::new().with(1, printer(WALK).with_mood(mood)).read(1, &public());
        let reading = finished.outcome.unwrap();
        assert!(
            reading.remarks.iter().any(|remark| matches!(remark, Remark::Loop(_))),
            "{mood:?}: {:?}",
            reading.remarks
        );
        assert!(finished.cost.sent < 100, "{mood:?}: {:?}", finished.cost);
    }
}

#[test]
fn truncated_answers_never_panic_and_never_last() {
    let finished = World::new().with(1, printer(WALK).with_mood(Mood::Truncated)).read(1, &public());
    assert!(finished.cost.sent < 400, "{:?}", finished.cost);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the damage, a reading ends in bounded time, without a panic, and its meaning can be taken.
    #[test]
    fn damaged_answers_end_a_reading_in_peace(damages in proptest::collection::vec((any::<u16>(), any::<u8>(), any::<bool>()), 1..40)) {
        let mut world = World::new().with(1, printer(WALK));
        world.damage = Some(Box::new(move |number, bytes| {
            let (at, octet, cut) = damages[number % damages.len()];
            let at = usize::from(at) % bytes.len();
            bytes[at] = octet;
            if cut && at > 40 {
                bytes.truncate(at);
            }
        }));
        let finished = world.read(1, &public());
        prop_assert!(finished.cost.sent <= 1300, "{:?}", finished.cost);
        if let Ok(reading) = finished.outcome {
            let profiles = agent_core::profile::Profiles::built_in().unwrap();
            profiles.snapshot(profiles.named(&reading.profile), &reading.variables);
        }
    }
}

#[test]
fn errors_for_everything_end_the_reading() {
    let finished = World::new().with(1, printer(WALK).with_mood(Mood::GenErr)).read(1, &public());
    let reading = finished.outcome.unwrap();
    assert!(reading.variables.is_empty());
    assert!(reading.remarks.iter().all(|remark| matches!(remark, Remark::Unanswered(_))));
}

#[test]
fn a_wrong_community_is_no_answer_and_the_right_one_is_found() {
    let secret = || printer(WALK).with_community("s3cret");
    let finished = World::new().with(1, secret()).read(1, &public());
    assert_eq!(finished.outcome.unwrap_err(), ReadError::NoAnswer);
    let mut credentials = public();
    credentials.push(Credential::v2c("s3cret"));
    let finished = World::new().with(1, secret()).read(1, &credentials);
    assert_eq!(finished.credential, Credential::v2c("s3cret"));
    assert!(finished.outcome.is_ok());
}

#[test]
fn what_the_default_context_lacks_is_asked_in_another() {
    let rows = |text: &str| Recording::parse(text).unwrap();
    let plain = rows(
        "1.3.6.1.2.1.1.1.0|4|JETDIRECT, a print server\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.11.2.3.9.1\n1.3.6.1.2.1.1.3.0|67|100\n",
    );
    let other = rows(
        "1.3.6.1.2.1.43.11.1.1.6.1.1|4|Black Cartridge\n1.3.6.1.2.1.43.11.1.1.8.1.1|2|100\n1.3.6.1.2.1.43.11.1.1.9.1.1|2|61\n",
    );
    let level = [1, 3, 6, 1, 2, 1, 43, 11, 1, 1, 9, 1, 1];
    for credential in [Credential::v2c("public"), Credential::v1("public")] {
        let device = Printer::new(plain.clone()).with_context("Jetdirect", other.clone());
        let mut world = World::new().with(1, device);
        let first = world.read(1, std::slice::from_ref(&credential)).outcome.unwrap();
        assert_eq!(first.variables.get(&level).and_then(|value| value.number()), Some(61));
        let name = testkit::oid::Oid::new(level).unwrap();
        let changed = rows("1.3.6.1.2.1.43.11.1.1.9.1.1|2|60\n");
        assert_eq!(changed.rows.keys().next(), Some(&name));
        let device = Printer::new(plain.clone()).with_context("Jetdirect", changed);
        world.printers.insert(address(1), device);
        let again = world.poll(1, credential, first).outcome.unwrap();
        assert_eq!(again.variables.get(&level).and_then(|value| value.number()), Some(60));
    }
    // Without the context its silence is borne.
    let finished = World::new().with(1, Printer::new(plain.clone())).read(1, &public());
    assert!(finished.outcome.is_ok());
}

#[test]
fn loss_costs_time_and_nothing_else() {
    let mut world = World::new().with(1, printer(WALK));
    world.lose_every = Some(4);
    let finished = world.read(1, &public());
    assert_eq!(finished.outcome.unwrap().variables.len(), complete());
}

#[test]
fn what_is_no_printer_is_let_go_early() {
    let switch = "1.3.6.1.2.1.1.1.0|4|A switch\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.99999.1\n1.3.6.1.2.1.2.2.1.3.1|2|6\n";
    let finished = World::new().with(1, Printer::new(Recording::parse(switch).unwrap())).read(1, &public());
    assert!(finished.cost.sent <= 4, "{:?}", finished.cost);
    assert!(!agent_core::printer_mib::is_printer(&finished.outcome.unwrap().variables));
}

#[test]
fn a_part_that_is_gone_calls_for_a_full_reading() {
    let mut world = World::new().with(1, printer(WALK));
    let first = world.read(1, &public());
    let reading = first.outcome.unwrap();
    let level = agent_core::printer_mib::PRT_SUPPLIES_LEVEL;
    let row = reading.variables.names_below(level.arcs).next().unwrap();
    let row = testkit::oid::Oid::new(row.arcs()).unwrap();
    world.printers.get_mut(&address(1)).unwrap().set(row, None);
    let poll = world.poll(1, first.credential, reading);
    assert!(poll.outcome.unwrap().outdated);
}

#[test]
fn thousands_of_readings_go_through_one_engine() {
    let mut world = World::new();
    for host in 1..=200 {
        world = world.with(host, printer(WALK));
    }
    let now = world.tick();
    for host in 1..=200 {
        let order = agent_core::engine::ReadOrder {
            address: address(host),
            credentials: public(),
            kind: agent_core::engine::ReadKind::Full,
        };
        world.engine.read(now, order);
    }
    let read =
        world.run().into_iter().filter(|event| matches!(event, Event::Read(finished) if finished.outcome.is_ok()));
    assert_eq!(read.count(), 200);
}

#[test]
fn the_meter_is_read_beside_the_engines_count() {
    let finished = World::new().with(1, printer(WALK)).read(1, &public());
    let reading = finished.outcome.unwrap();
    let profiles = agent_core::profile::Profiles::built_in().unwrap();
    let snapshot = profiles.snapshot(profiles.named(&reading.profile), &reading.variables);
    let meter = total(&snapshot.counters).unwrap();
    assert_eq!(meter.basis, wire::vocab::Basis::Meter);
    assert_eq!(meter.source, "1.3.6.1.4.1.1347.43.10.1.1.12.1.1");
}
