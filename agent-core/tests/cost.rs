//! What readings cost on the wire, over all recordings: few packets, few octets, the same values whichever way they are read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod world;

use agent_core::engine::Cost;
use agent_core::profile::Profiles;
use agent_core::reader::Reading;
use agent_core::snmp::Credential;
use testkit::printer_sim::{Mood, Printer, Version};
use testkit::recording::Recording;
use wire::device::Snapshot;
use world::{World, walks};

fn snapshot(profiles: &Profiles, reading: &Reading) -> Snapshot {
    profiles.snapshot(profiles.named(&reading.profile), &reading.variables)
}

#[test]
fn readings_stay_small_and_agree() {
    let profiles = Profiles::built_in().unwrap();
    let mut costs = [Vec::new(), Vec::new(), Vec::new()];
    for walk in walks() {
        let name = walk.display();
        let mut world = World::new().with(1, Printer::new(Recording::load(&walk).unwrap()));
        let first = world.read(1, &[Credential::v2c("public")]);
        let reading = first.outcome.unwrap();
        let again = world.read_again(1, first.credential.clone(), reading.clone());
        let poll = world.poll(1, first.credential, reading.clone());
        println!("{name}: {:?} {:?} {:?}", first.cost, again.cost, poll.cost);
        for (costs, cost) in costs.iter_mut().zip([first.cost, again.cost, poll.cost]) {
            costs.push(cost);
        }
        assert!(poll.cost.sent <= 2, "{name}: {:?}", poll.cost);
        for (kind, outcome) in [("again", again.outcome), ("poll", poll.outcome)] {
            let other = outcome.unwrap();
            assert!(!other.outdated, "{name}: {kind}");
            assert_eq!(other.remarks, [], "{name}: {kind}");
            assert_eq!(snapshot(&profiles, &other), snapshot(&profiles, &reading), "{name}: {kind}");
        }
    }
    let mean = |costs: &[Cost]| {
        let (packets, octets) =
            costs.iter().fold((0, 0), |sum, cost| (sum.0 + u64::from(cost.sent), sum.1 + cost.octets));
        let count = u64::try_from(costs.len()).unwrap();
        println!("mean: {packets} packets, {octets} octets for {count}");
        (packets.div_ceil(count), octets / count)
    };
    let [cold, again, poll] = costs.map(|costs| mean(&costs));
    assert!(cold.0 <= 9 && cold.1 <= 8_000, "{cold:?}");
    assert!(again.1 <= 6_000, "{again:?}");
    assert!(poll.0 <= 2 && poll.1 <= 2_000, "{poll:?}");
}

/// Whatever little a device can bear, it says the same in the end.
#[test]
fn limited_devices_say_the_same() {
    let profiles = Profiles::built_in().unwrap();
    let limits: [fn(Printer) -> Printer; 6] = [
        |printer| printer.with_max_message(484),
        |printer| printer.with_mood(Mood::TooBigAbove(1)),
        |printer| printer.with_mood(Mood::TooBigAbove(5)),
        |printer| printer.with_mood(Mood::FirstVariableOnly),
        |printer| printer.with_mood(Mood::NoBulk),
        |printer| printer.with_newest_version(Version::V1),
    ];
    for walk in walks() {
        let printer = || Printer::new(Recording::load(&walk).unwrap());
        let credentials = [Credential::v2c("public"), Credential::v1("public")];
        let whole = World::new().with(1, printer()).read(1, &credentials).outcome.unwrap();
        for (number, limit) in limits.iter().enumerate() {
            let name = format!("{} with limit {number}", walk.display());
            let mut world = World::new().with(1, limit(printer()));
            let first = world.read(1, &credentials);
            let reading = first.outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(snapshot(&profiles, &reading), snapshot(&profiles, &whole), "{name}: {:?}", first.cost);
            // What it can bear is remembered: after a poll at the latest nothing is asked in vain.
            let poll = world.poll(1, first.credential.clone(), reading);
            let after = poll.outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(snapshot(&profiles, &after), snapshot(&profiles, &whole), "{name}: poll");
            let last = world.poll(1, first.credential, after.clone());
            assert!(
                last.cost.sent <= poll.cost.sent && last.cost.sent == last.cost.received,
                "{name}: {:?}",
                last.cost
            );
            assert_eq!(last.outcome.unwrap().bearing, after.bearing, "{name}");
        }
    }
}
