//! Devices and networks that misbehave in all ways at once: readings end, cost no more than is allowed, and what they hold is
//! what the device said, never what another one did.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod world;

use std::time::Duration;

use agent_core::engine::{Event, Finished, ReadKind, ReadOrder};
use agent_core::reader::{ReadError, Reading};
use agent_core::snmp::Credential;
use agent_core::snmp::message::Value;
use proptest::prelude::*;
use testkit::oid::{Oid as SimOid, Value as SimValue};
use testkit::printer_sim::{Mood, Printer};
use world::{Weather, World, address, printer};

const WALKS: [&str; 4] =
    ["kyocera_taskalfa-4054ci", "hp_officejet-pro-8600", "sharp_mx-3071", "epson_workforce-wf-c17590"];

fn moods() -> impl Strategy<Value = Mood> {
    prop_oneof![
        4 => Just(Mood::Normal),
        1 => (1_u64..7000).prop_map(|millis| Mood::Slow(Duration::from_millis(millis))),
        1 => prop_oneof![
            Just(Mood::Silent),
            Just(Mood::Rubbish),
            Just(Mood::Truncated),
            Just(Mood::OtherPort),
            Just(Mood::OtherAddress),
            Just(Mood::WrongRequestId),
            Just(Mood::GenErr),
        ],
        2 => prop_oneof![
            Just(Mood::Duplicate),
            Just(Mood::NextRepeats),
            Just(Mood::NextGoesBack),
            Just(Mood::FirstVariableOnly),
            Just(Mood::NoBulk),
            (1_usize..20).prop_map(Mood::TooBigAbove),
        ],
    ]
}

fn weather() -> impl Strategy<Value = Weather> {
    (any::<u64>(), 0_u32..30, 0_u32..30, 0_u32..30, 0_u64..9000, 0_u32..30, 0_u32..10).prop_map(
        |(seed, lost, doubled, held_up, hold, forged, cut)| Weather {
            seed,
            lost,
            doubled,
            held_up,
            hold: Duration::from_millis(hold),
            forged,
            cut,
        },
    )
}

/// Whether a value is what the printer has under that name.
fn is_of(printer: &Printer, name: &[u32], value: &Value) -> bool {
    let Some(own) = SimOid::new(name).and_then(|name| printer.rows().get(&name)) else { return false };
    match (own, value) {
        (SimValue::Integer(own), value) => value.number() == Some(i64::from(*own)),
        (SimValue::Counter32(own) | SimValue::Gauge32(own) | SimValue::TimeTicks(own), value) => {
            value.number() == Some(i64::from(*own))
        }
        (SimValue::Counter64(own), Value::Counter64(value)) => own == value,
        (SimValue::OctetString(own) | SimValue::Opaque(own), value) => value.octets() == Some(own),
        (SimValue::ObjectId(own), Value::ObjectIdentifier(value)) => own.arcs() == value.arcs(),
        (SimValue::IpAddress(own), Value::IpAddress(value)) => own == value,
        _ => false,
    }
}

/// Orders all readings at once and gives them by host.
fn read_all(world: &mut World, kind: impl Fn(u8) -> Option<ReadKind>) -> Vec<(u8, Finished)> {
    let now = world.tick();
    for host in 1..=4 {
        if let Some(kind) = kind(host) {
            let credentials = vec![Credential::v2c("public"), Credential::v1("public")];
            world.engine.read(now, ReadOrder { address: address(host), credentials, kind });
        }
    }
    let read = world.run().into_iter().map(|Event::Read(finished)| *finished);
    read.map(|finished| ((1..=4).find(|host| address(*host) == finished.address).unwrap(), finished)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn readings_end_and_hold_what_the_device_said(
        moods in proptest::collection::vec(moods(), 4),
        limits in proptest::collection::vec(200_usize..3000, 4),
        weather in weather(),
    ) {
        let mut world = World::new();
        world.weather = weather;
        for ((host, walk), (mood, limit)) in (1..).zip(WALKS).zip(moods.iter().zip(limits)) {
            world = world.with(host, printer(walk).with_mood(*mood).with_max_message(limit));
        }
        let mut last: Vec<Option<Reading>> = vec![None; 5];
        for turn in 0..3 {
            let kind = |host: u8| match (&last[usize::from(host)], turn) {
                (None, 0) => Some(ReadKind::Full),
                (None, _) => None,
                (Some(reading), 1) => Some(ReadKind::Routine(Box::new(reading.clone()))),
                (Some(reading), _) => Some(ReadKind::Again(Box::new(reading.clone()))),
            };
            for (host, finished) in read_all(&mut world, kind) {
                // Both credentials, each request three times.
                prop_assert!(finished.cost.sent <= 2 * 3 * 401, "{:?}", finished.cost);
                let Ok(reading) = finished.outcome else { continue };
                let printer = &world.printers[&address(host)];
                for name in reading.variables.names_below(&[1]) {
                    let value = reading.variables.get(name.arcs()).unwrap();
                    prop_assert!(is_of(printer, name.arcs(), value), "{name} = {value:?} is none of the device's");
                }
                prop_assert!(reading.remarks.len() < 500);
                last[usize::from(host)] = Some(reading);
            }
        }
    }

    /// A network that only loses, doubles and delays costs time, not values.
    #[test]
    fn a_bad_network_costs_time_and_no_value(mut weather in weather(), host in 0_usize..4) {
        (weather.cut, weather.lost) = (0, weather.lost.min(5));
        let whole = World::new().with(1, printer(WALKS[host])).read(1, &[Credential::v2c("public")]).outcome.unwrap();
        let mut world = World::new().with(1, printer(WALKS[host])).with(2, printer(WALKS[(host + 1) % 4]));
        world.weather = weather;
        match world.read(1, &[Credential::v2c("public")]).outcome {
            Ok(reading) => {
                let lacks = |name: &agent_core::oid::Oid| reading.variables.get(name.arcs()).is_none();
                let lacking: Vec<_> = whole.variables.names_below(&[1]).filter(lacks).collect();
                prop_assert!(lacking.is_empty() || !reading.remarks.is_empty(), "{lacking:?} are missing without a word");
            }
            Err(error) => prop_assert!(matches!(error, ReadError::NoAnswer | ReadError::Stopped { .. }), "{error}"),
        }
    }
}

#[test]
fn a_slow_controller_is_asked_once() {
    for millis in [300, 900, 1400] {
        let slow = printer(WALKS[0]).with_mood(Mood::Slow(Duration::from_millis(millis)));
        let finished = World::new().with(1, slow).read(1, &[Credential::v2c("public")]);
        assert_eq!(finished.cost.sent, finished.cost.received, "{millis} ms: {:?}", finished.cost);
    }
    // Slower than anyone would guess: the first request is repeated, and nothing after it has told its pace.
    for millis in [2500, 5000, 7000] {
        let slow = || printer(WALKS[0]).with_mood(Mood::Slow(Duration::from_millis(millis)));
        let usual = World::new().with(1, printer(WALKS[0])).read(1, &[Credential::v2c("public")]);
        let mut world = World::new().with(1, slow());
        let finished = world.read(1, &[Credential::v2c("public")]);
        let reading = finished.outcome.unwrap();
        let usual_values = usual.outcome.unwrap().variables;
        let has = |name: agent_core::oid::Oid| reading.variables.get(name.arcs()) == usual_values.get(name.arcs());
        assert!(usual_values.names_below(&[1]).all(has), "{millis} ms");
        assert!(finished.cost.sent <= usual.cost.sent + 8, "{millis} ms: {:?}", finished.cost);
        // From the next reading on not even that.
        let poll = world.poll(1, finished.credential, reading);
        assert_eq!(poll.cost.sent, poll.cost.received, "{millis} ms: {:?}", poll.cost);
        assert!(poll.outcome.is_ok());
    }
}
