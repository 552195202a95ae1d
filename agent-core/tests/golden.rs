//! Every recording yields the device that its golden file shows, and nobody asks for jobs on the way.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod world;

use std::fmt::Write as _;
use std::path::Path;

use agent_core::profile::Profiles;
use agent_core::snmp::Credential;
use testkit::golden;
use testkit::printer_sim::Printer;
use testkit::recording::Recording;
use wire::device::DeviceRecord;
use wire::identity::Marks;
use wire::vocab::Confidence;
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
        let id =
            Marks::of(&snapshot.identity).names().next().unwrap_or_else(|| panic!("{}: no identity", walk.display()));
        let record = DeviceRecord::full(id, "192.0.2.1".to_owned(), jiff::Timestamp::UNIX_EPOCH, snapshot);
        let xml = String::from_utf8(encode_device(&record)).unwrap();
        assert!(!xml.contains("CANARY"), "{}: job data was read", walk.display());
        let name = walk.file_stem().unwrap().to_str().unwrap();
        let profile = record.identity.as_ref().and_then(|identity| identity.profile.clone()).unwrap();
        let known = profiles.overviews().into_iter().any(|overview| name.starts_with(&format!("{}_", overview.name)));
        assert!(!known || name.starts_with(&format!("{profile}_")), "{name} was read with the profile {profile}");
        golden::check(&xml, Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name).with_extension("xml"));
        let told = world.printers[&address(1)].told().iter().map(ToString::to_string);
        let jobs: Vec<String> = told.filter(|oid| oid.starts_with("1.3.6.1.4.1.1347.47.")).collect();
        assert!(jobs.is_empty(), "{}: the printer was made to tell {jobs:?}", walk.display());
    }
}

/// Every profile is tried on a recording of its own, whose name begins with it; the page about makers names both.
#[test]
fn a_description_that_is_taken_apart_stays_whole_among_what_the_device_says() {
    let walk = walks().into_iter().find(|walk| walk.ends_with("xerox_altalink-c8145.snmprec")).unwrap();
    let mut world = World::new().with(1, Printer::new(Recording::load(&walk).unwrap()));
    let reading = world.read(1, &[Credential::v2c("public")]).outcome.unwrap();
    let profiles = Profiles::built_in().unwrap();
    let evidence = profiles.evidence(profiles.named(&reading.profile), &reading.variables);
    let whole = evidence.iter().find(|told| told.source == "1.3.6.1.2.1.43.11.1.1.6.1.1").unwrap();
    assert_eq!((whole.field, whole.value.as_str()), ("supply", "Black Toner, PN 006R01746;SN4C1F04A9E0000481"));
}

#[test]
fn the_page_about_makers_is_true_and_every_profile_has_a_recording() {
    let mut page = String::from(
        "# Which makers' devices are read, and what of them\n\n\
         Of every printer the standard tables are read: status, alerts, supplies, trays, the engine's count (docs/readable-objects.md\n\
         lists them). Profiles add what makers keep in places of their own. `Meaning?` is probable: one source tried it on devices;\n\
         `Meaning??` is unconfirmed: one source that did not. The rest is verified by arithmetic on recordings, or by independent\n\
         sources. An unconfirmed value never takes the place of a better one, and pages and reports carry the confidence of each.\n\n\
         This page is made from the profiles: a test compares it, and `UPDATE_GOLDEN=1 cargo test -p agent-core --test golden`\n\
         writes it. [adding-a-model](handbook/adding-a-model.md) says how to add to it.\n\n\
         | profile | makers and brands | identity | counters | levels of supplies | recordings it is tried on |\n\
         |---|---|---|---|---|---|\n",
    );
    let list = |all: &[(String, Confidence)]| {
        let marked = all.iter().map(|(words, confidence)| match confidence {
            Confidence::Verified => words.clone(),
            Confidence::Probable => format!("{words}?"),
            _ => format!("{words}??"),
        });
        marked.collect::<Vec<_>>().join(", ")
    };
    let names: Vec<String> =
        walks().iter().map(|walk| walk.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    for overview in Profiles::built_in().unwrap().overviews() {
        let own = names.iter().filter_map(|name| name.strip_prefix(&format!("{}_", overview.name)));
        let own: Vec<&str> = own.collect();
        assert!(!own.is_empty(), "no recording in walks/ begins with {}_", overview.name);
        let makers = if overview.makers.is_empty() { "any".to_owned() } else { overview.makers.join(", ") };
        let (identity, counters, supplies) =
            (list(&overview.identity), list(&overview.counters), list(&overview.supplies));
        let own = own.join(", ");
        writeln!(page, "| {} | {makers} | {identity} | {counters} | {supplies} | {own} |", overview.name).unwrap();
    }
    golden::check(&page, Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/makers.md"));
}

/// The profile that the handbook's page on adding a model arrives at, in both languages, reads what its counter sheet says.
#[test]
fn the_handbooks_profile_reads_its_counter_sheet() {
    for page in ["adding-a-model.md", "adding-a-model.de.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/handbook").join(page);
        let text = std::fs::read_to_string(path).unwrap();
        let profile = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let further = [("acme", profile)];
        let profiles = Profiles::built_in_and(&further).unwrap();
        let mut world = World::new().with(1, world::printer("printer-mib_unknown-colour"));
        world.engine = agent_core::engine::Engine::new(Profiles::built_in_and(&further).unwrap(), 7);
        let reading = world.read(1, &[Credential::v2c("public")]).outcome.unwrap();
        let snapshot = profiles.snapshot(profiles.named(&reading.profile), &reading.variables);
        assert_eq!(snapshot.identity.firmware.as_deref(), Some("4.2.17"), "{page}");
        let meters = snapshot.counters.iter().filter(|counter| counter.basis == wire::vocab::Basis::Meter);
        let meters: Vec<(String, u64)> = meters.map(|counter| (counter.name(), counter.value)).collect();
        let sheet = [("System", 4409), ("System Monochrome", 2905), ("System Color", 1504), ("Copy", 1210)];
        assert_eq!(meters, sheet.map(|(name, value)| (name.to_owned(), value)), "{page}");
        assert!(sheet.iter().all(|(_, value)| text.contains(&value.to_string())), "{page}");
    }
}
