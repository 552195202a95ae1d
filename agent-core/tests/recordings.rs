//! The collector against the shared recordings of real devices, when they stand beside the repository
//! (`../shared/printers`): every expected value has to come out, and whatever a device can bear in one answer, the same values.
//! Values that we believe to be expected wrongly stand in `recordings_disputed.toml`, each with its reason.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod expected;
mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use agent_core::profile::Profiles;
use agent_core::snmp::Credential;
use expected::peer::{Scores, judge};
use expected::{Comparison, Difference};
use serde::Deserialize;
use testkit::printer_sim::{Mood, Printer, Version};
use testkit::recording::Recording;
use wire::device::Snapshot;
use world::{World, address, walks};

/// The folder with `rec` and `expected`; a machine without it checks our own recordings only.
fn shared() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    // A work tree of the repository may lie one level deeper than the repository itself.
    let beside = root.ancestors().skip(1).take(3).map(|folder| folder.join("shared/printers"));
    let found = beside.into_iter().find(|folder| folder.join("rec").is_dir());
    if found.is_none() {
        eprintln!("no recordings of real devices in ../shared/printers: only our own are read");
    }
    found
}

fn recordings() -> Vec<PathBuf> {
    let Some(folder) = shared() else { return Vec::new() };
    let mut files: Vec<PathBuf> = fs::read_dir(folder.join("rec"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "snmprec"))
        .collect();
    files.sort();
    files
}

fn name(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

fn printer(path: &Path) -> Printer {
    let printer = Printer::new(Recording::load(path).unwrap());
    // What the same device says in an SNMP context is a recording of its own.
    let context = path.with_file_name(format!("{}--ctx-jetdirect.snmprec", name(path)));
    if context.is_file() { printer.with_context("Jetdirect", Recording::load(context).unwrap()) } else { printer }
}

fn read(printer: Printer) -> Result<Snapshot, String> {
    let mut world = World::new().with(1, printer);
    let finished = world.read(1, &[Credential::v2c("public"), Credential::v1("public")]);
    let asked = world.printers[&address(1)].told().iter().map(ToString::to_string);
    let jobs: Vec<String> = asked.filter(|oid| oid.starts_with("1.3.6.1.4.1.1347.47.")).collect();
    assert_eq!(jobs, [""; 0], "jobs were read");
    let reading = finished.outcome.map_err(|error| error.to_string())?;
    let profiles = Profiles::built_in().unwrap();
    let snapshot = profiles.snapshot(profiles.named(&reading.profile), &reading.variables);
    assert!(!format!("{snapshot:?}").contains("CANARY"), "job data came out");
    Ok(snapshot)
}

/// The page about what is right has our values and those of a widespread collector, judged alike.
#[test]
fn the_page_about_right_values_is_true() {
    let Some(folder) = shared() else { return };
    let (mut scores, mut devices) = (Scores::new(), 0);
    for path in recordings() {
        let device = name(&path);
        let Ok(theirs) = fs::read_to_string(folder.join("peer-glpi-agent").join(device).with_extension("xml")) else {
            continue;
        };
        let text = fs::read_to_string(folder.join("expected").join(device).with_extension("json")).unwrap();
        let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
        devices += 1;
        judge(&mut scores, &expected, &read(printer(&path)).unwrap(), &theirs);
    }
    let mut page = format!(
        "# How many values are right\n\n\
         {devices} recordings of real devices, most of them cut to what one other tool asks for, read by Druckwart and by GLPI\n\
         Agent 1.12-dev, and both compared with what the devices say (the expected values beside the recordings). A level that is only\n\
         \"some left\" or \"unknown\" counts as right where it is told as that.\n\n\
         This page is made by a test, where the recordings are at hand (`../shared/printers`): `UPDATE_GOLDEN=1 cargo test -p\n\
         agent-core --test recordings` writes it. The whole comparison, value by value, is `agent-core/tests/recordings.rs`.\n\n\
         | value | Druckwart: right | wrong | missing | GLPI Agent: right | wrong | missing |\n|---|--:|--:|--:|--:|--:|--:|\n"
    );
    let mut sum = [0; 6];
    for (what, (ours, theirs)) in &scores {
        let row = [ours.0, theirs.0].concat();
        row.iter().zip(&mut sum).for_each(|(number, sum)| *sum += number);
        writeln!(page, "| {what} | {} |", row.iter().map(u32::to_string).collect::<Vec<_>>().join(" | ")).unwrap();
    }
    writeln!(page, "| **all** | {} |", sum.map(|sum| sum.to_string()).join(" | ")).unwrap();
    testkit::golden::check(&page, Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/right-values.md"));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Disputes {
    #[serde(default)]
    disputed: Vec<Dispute>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dispute {
    device: String,
    field: String,
    reason: String,
}

#[test]
fn every_expected_value_comes_out() {
    let Some(folder) = shared() else { return };
    let mut differences: Vec<Difference> = Vec::new();
    let mut compared = 0;
    for path in recordings() {
        let device = name(&path);
        let text = fs::read_to_string(folder.join("expected").join(device).with_extension("json")).unwrap();
        let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
        match read(printer(&path)) {
            Ok(snapshot) => {
                let comparison = Comparison::new(device, &expected, &snapshot);
                compared += comparison.compared;
                differences.extend(comparison.differences);
            }
            Err(error) => differences.push(Difference {
                device: device.to_owned(),
                field: "reading".to_owned(),
                expected: "an answer".to_owned(),
                got: error,
                source: "engine".to_owned(),
            }),
        }
    }
    differences.sort();
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings_disputed.toml")).unwrap();
    let disputes: Disputes = toml::from_str(&text).unwrap();
    assert!(disputes.disputed.iter().all(|dispute| dispute.reason.len() > 20), "a dispute needs its reason");
    let is = |difference: &Difference, dispute: &Dispute| {
        (&difference.device, &difference.field) == (&dispute.device, &dispute.field)
    };
    let settled: Vec<String> = disputes
        .disputed
        .iter()
        .filter(|dispute| !differences.iter().any(|difference| is(difference, dispute)))
        .map(|dispute| format!("{}  {}", dispute.device, dispute.field))
        .collect();
    let open: Vec<String> = differences
        .iter()
        .filter(|difference| !disputes.disputed.iter().any(|dispute| is(difference, dispute)))
        .map(ToString::to_string)
        .collect();
    eprintln!(
        "{compared} values compared, {} differ, {} of them disputed",
        differences.len(),
        differences.len() - open.len()
    );
    assert!(open.is_empty(), "{} of {compared} values differ:\n{}", open.len(), open.join("\n"));
    assert!(settled.is_empty(), "disputed, but no difference any more:\n{}", settled.join("\n"));
}

/// Makes a printer bear less.
type Limit = fn(Printer) -> Printer;

/// What a device can bear must not change what is read of it.
#[test]
fn the_same_values_come_out_whatever_a_device_can_bear() {
    let limits: [(&str, Limit); 4] = [
        ("version 1", |printer| printer.with_newest_version(Version::V1)),
        ("answers of 484 octets", |printer| printer.with_max_message(484)),
        ("one variable at a time", |printer| printer.with_mood(Mood::FirstVariableOnly)),
        ("no GETBULK", |printer| printer.with_mood(Mood::NoBulk)),
    ];
    let mut faults: BTreeMap<String, String> = BTreeMap::new();
    for path in walks().into_iter().chain(recordings()) {
        let whole = read(printer(&path));
        for (limit, apply) in limits {
            let limited = read(apply(printer(&path)));
            if limited != whole {
                faults.insert(format!("{} with {limit}", name(&path)), difference(&whole, &limited));
            }
        }
    }
    let faults: Vec<String> = faults.into_iter().map(|(what, fault)| format!("{what}: {fault}")).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn difference(whole: &Result<Snapshot, String>, limited: &Result<Snapshot, String>) -> String {
    let (whole, limited) = (format!("{whole:#?}"), format!("{limited:#?}"));
    let differs = whole.lines().zip(limited.lines()).find(|(whole, limited)| whole != limited);
    differs.map_or("one is longer".to_owned(), |(whole, limited)| format!("{} became {}", whole.trim(), limited.trim()))
}

/// What is said to add up does, on every recording of a real device and on our own: a false alarm is worse than none.
#[test]
fn no_total_of_a_sound_device_is_called_odd() {
    let profiles = Profiles::built_in().unwrap();
    let mut checked = 0;
    for path in recordings().into_iter().chain(walks()) {
        let Ok(snapshot) = read(printer(&path)) else { continue };
        let profile = profiles.named(snapshot.identity.profile.as_deref().unwrap_or_default());
        assert_eq!(profiles.odd_sums(profile, &snapshot.counters), [""; 0], "{}", name(&path));
        // A copier that had put out nothing but copies would be seen.
        let mut copies = snapshot.counters.clone();
        copies.iter_mut().filter(|counter| counter.name() == "Copy").for_each(|copies| copies.value += 10_000_000);
        checked += usize::from(!profiles.odd_sums(profile, &copies).is_empty());
    }
    assert!(checked > 0, "no recording has all parts of a sum");
}
