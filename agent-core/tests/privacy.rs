//! Nobody asks for jobs, users or documents, and what a walk runs into beyond its column is never kept: every recording is read
//! with canaries in everything that is denied, and behind everything that is read.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod world;

use std::collections::BTreeSet;

use agent_core::oid::Oid as Name;
use agent_core::profile::{Profiles, readable};
use agent_core::snmp::Credential;
use serde::Deserialize;
use testkit::oid::{Oid, Value};
use testkit::printer_sim::{Mood, Printer};
use testkit::recording::Recording;
use world::{World, address, walks};

#[derive(Deserialize)]
struct Denied {
    denied: Vec<Prefix>,
}

#[derive(Deserialize)]
struct Prefix {
    prefix: String,
}

fn denied() -> Vec<Oid> {
    let denied: Denied = toml::from_str(include_str!("../profiles/denied.toml")).unwrap();
    denied.denied.iter().map(|rule| rule.prefix.parse().unwrap()).collect()
}

/// The printer with canaries: in tables of jobs, and in the rows of the column behind each column that may be read.
fn with_canaries(mut printer: Printer, listed: &BTreeSet<String>, denied: &[Oid]) -> Printer {
    let canary = |place: &str| Some(Value::text(&format!("CANARY-{place}")));
    for prefix in denied {
        for row in [[1, 1, 1, 4, 1], [6, 1, 1, 12, 1]] {
            let name = prefix.child(&row).unwrap();
            printer.set(name.clone(), canary(&name.to_string()));
        }
    }
    for column in listed {
        let column: Oid = column.parse().unwrap();
        let (last, head) = column.arcs().split_last().unwrap();
        let behind = [head, &[last + 1]].concat();
        let beside = Oid::new(behind).unwrap();
        if !listed.contains(&beside.to_string()) && !listed.iter().any(|other| other.starts_with(&format!("{beside}.")))
        {
            printer.set(beside.child(&[1, 1]).unwrap(), canary(&beside.to_string()));
        }
    }
    printer
}

#[test]
fn no_canary_is_asked_for_or_kept() {
    let profiles = Profiles::built_in().unwrap();
    let listed: BTreeSet<String> = readable(&profiles).into_iter().map(|(object, _)| object).collect();
    let denied = denied();
    assert!(denied.len() >= 7);
    let credentials = [Credential::v2c("public"), Credential::v1("public")];
    let mut overshot = 0;
    for walk in walks() {
        for mood in [Mood::Normal, Mood::NoBulk, Mood::TooBigAbove(1)] {
            let printer = Printer::new(Recording::load(&walk).unwrap()).with_mood(mood);
            let mut world = World::new().with(1, with_canaries(printer, &listed, &denied));
            let first = world.read(1, &credentials);
            let reading = first.outcome.unwrap_or_else(|error| panic!("{}: {error}", walk.display()));
            let poll = world.poll(1, first.credential, reading.clone()).outcome.unwrap();
            for reading in [&reading, &poll] {
                assert!(!format!("{reading:?}").contains("CANARY"), "{} keeps a canary", walk.display());
                let profile = profiles.named(&reading.profile);
                let evidence = profiles.evidence(profile, &reading.variables);
                assert!(!format!("{evidence:?}").contains("CANARY"), "{} shows a canary", walk.display());
                let snapshot = profiles.snapshot(profile, &reading.variables);
                assert!(!format!("{snapshot:?}").contains("CANARY"), "{} shows a canary", walk.display());
            }
            let asked = world.printers[&address(1)].asked();
            let forbidden: Vec<&Oid> =
                asked.iter().filter(|name| denied.iter().any(|prefix| name.is_within(prefix))).collect();
            assert!(forbidden.is_empty(), "{}: asked for {forbidden:?}", walk.display());
            let told = world.printers[&address(1)].told().iter().filter_map(|name| Name::new(name.arcs()));
            overshot += told.filter(|name| profiles.gate().admit(name).is_none()).count();
        }
    }
    assert!(overshot > 0, "no walk ran beyond its column, so nothing was shown");
}

#[test]
fn the_list_holds_nothing_that_is_denied() {
    let profiles = Profiles::built_in().unwrap();
    for (object, reader) in readable(&profiles) {
        let object: Oid = object.parse().unwrap();
        for prefix in denied() {
            assert!(!object.is_within(&prefix) && !prefix.is_within(&object), "{reader} reads {object}");
            let below = Name::parse(&format!("{prefix}.1.1")).unwrap();
            assert!(profiles.gate().admit(&below).is_none());
        }
    }
}
