//! A survey through the real engine: everything that is not denied is found, nothing that is denied is asked for or kept,
//! whatever the device can bear.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod world;

use std::collections::BTreeSet;

use agent_core::explore::{How, Survey, Wanted, find};
use agent_core::oid::Oid;
use agent_core::profile::Profiles;
use agent_core::snmp::Credential;
use testkit::oid::Value;
use testkit::printer_sim::{Mood, Printer, Version};
use testkit::recording::Recording;
use world::{World, address, printer, walks};

fn survey(printer: Printer, credential: &Credential) -> (Survey, World) {
    let profiles = Profiles::built_in().unwrap();
    let roots = ["1.3.6.1.2.1.1", "1.3.6.1.2.1.25.3", "1.3.6.1.2.1.43", "1.3.6.1.4.1"];
    let roots: Vec<Oid> = roots.iter().map(|root| Oid::parse(root).unwrap()).collect();
    let mut survey = Survey::new(&roots, profiles.denied(), 10_000);
    let mut world = World::new().with(1, printer);
    loop {
        let names = survey.poll_names();
        if names.is_empty() {
            return (survey, world);
        }
        match world.successors(1, credential.clone(), names) {
            Ok(reading) => survey.handle_rows(reading.successors),
            Err(_) => survey.handle_failure(),
        }
    }
}

/// Rows of a recording that a survey has to find.
fn open(recording: &Recording, denied: &[Oid]) -> BTreeSet<String> {
    let below = |oid: &str, roots: &[String]| roots.iter().any(|root| oid.starts_with(&format!("{root}.")));
    let roots = ["1.3.6.1.2.1.1", "1.3.6.1.2.1.25.3", "1.3.6.1.2.1.43", "1.3.6.1.4.1"].map(str::to_owned);
    let denied: Vec<String> = denied.iter().map(Oid::to_string).collect();
    // An empty text and the identifier 0.0 are as good as no value.
    let says_something = |value: &Value| match value {
        Value::OctetString(octets) => !octets.is_empty(),
        Value::ObjectId(oid) => oid.to_string() != "0.0",
        _ => true,
    };
    let rows = recording.rows.iter().filter(|(_, value)| says_something(value)).map(|(oid, _)| oid.to_string());
    rows.filter(|oid| below(oid, &roots) && !below(oid, &denied)).collect()
}

#[test]
fn a_survey_finds_what_is_open_and_nothing_of_what_is_denied() {
    let profiles = Profiles::built_in().unwrap();
    let denied: Vec<String> = profiles.denied().iter().map(Oid::to_string).collect();
    let inside = |oid: &str| denied.iter().any(|shut| oid == shut || oid.starts_with(&format!("{shut}.")));
    for walk in walks() {
        let recording = Recording::load(&walk).unwrap();
        let expected = open(&recording, profiles.denied());
        let (survey, world) = survey(Printer::new(recording), &Credential::v2c("public"));
        let found: BTreeSet<String> = survey.rows().keys().map(Oid::to_string).collect();
        let lost: Vec<&String> = expected.difference(&found).collect();
        assert!(lost.is_empty(), "{}: {lost:?}", walk.display());
        assert!(found.iter().all(|oid| !inside(oid)), "{}", walk.display());
        assert!(!format!("{:?}", survey.rows()).contains("CANARY"), "{}", walk.display());
        let printer = &world.printers[&address(1)];
        let asked: Vec<String> = printer.asked().iter().map(ToString::to_string).filter(|oid| inside(oid)).collect();
        assert_eq!(asked, [""; 0], "{}", walk.display());
        // What follows the last open row before a denied branch comes with its end, once, and is dropped.
        let told = printer.told().iter().filter(|oid| inside(&oid.to_string())).count();
        assert!(told <= denied.len(), "{}: {told} told", walk.display());
    }
}

#[test]
fn a_survey_bears_what_readings_bear() {
    const WALK: &str = "kyocera_taskalfa-4054ci";
    const METER: &str = "1.3.6.1.4.1.1347.43.10.1.1.12.1.1";
    let (whole, _) = survey(printer(WALK), &Credential::v2c("public"));
    for (what, printer, credential) in [
        ("version 1", printer(WALK).with_newest_version(Version::V1), Credential::v1("public")),
        ("484 octets", printer(WALK).with_max_message(484), Credential::v2c("public")),
        ("one name", printer(WALK).with_mood(Mood::FirstVariableOnly), Credential::v2c("public")),
        ("few names", printer(WALK).with_mood(Mood::TooBigAbove(3)), Credential::v2c("public")),
    ] {
        let (limited, _) = survey(printer, &credential);
        assert_eq!(limited.rows().len(), whole.rows().len(), "{what}: {:?}", limited.remarks());
    }
    let found = find(whole.rows(), &Wanted::parse("184'232").unwrap());
    assert!(found.iter().any(|found| found.how == How::Number && found.oid.to_string() == METER));
}
