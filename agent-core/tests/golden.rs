//! Every recording yields the device that its golden file shows, and nobody asks for jobs on the way.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod world;

use std::path::Path;

use agent_core::identity::device_id;
use agent_core::profile::Profiles;
use agent_core::snmp::Credential;
use testkit::golden;
use testkit::printer_sim::Printer;
use testkit::recording::Recording;
use wire::device::DeviceRecord;
use wire::xml::encode_device;
use world::{World, address, walks};

#[test]
fn every_walk_yields_its_golden_device() {
    let profiles = Profiles::built_in().unwrap();
    assert!(walks().len() >= 12, "the recordings are missing");
    for walk in walks() {
        let mut world = World::new().with(1, Printer::new(Recording::load(&walk).unwrap()));
        let finished = world.read(1, &[Credential::v2c("public")]);
        let reading = finished.outcome.unwrap_or_else(|error| panic!("{}: {error}", walk.display()));
        let snapshot = profiles.snapshot(profiles.named(&reading.profile), &reading.variables);
        let id = device_id(&snapshot.identity).unwrap_or_else(|| panic!("{}: no identity", walk.display()));
        let record = DeviceRecord::full(id, "192.0.2.1".to_owned(), jiff::Timestamp::UNIX_EPOCH, snapshot);
        let xml = String::from_utf8(encode_device(&record)).unwrap();
        assert!(!xml.contains("CANARY"), "{}: job data was read", walk.display());
        let name = walk.file_stem().unwrap().to_str().unwrap();
        golden::check(&xml, Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name).with_extension("xml"));
        let told = world.printers[&address(1)].told().iter().map(ToString::to_string);
        let jobs: Vec<String> = told.filter(|oid| oid.starts_with("1.3.6.1.4.1.1347.47.")).collect();
        assert!(jobs.is_empty(), "{}: the printer was made to tell {jobs:?}", walk.display());
    }
}
