//! Every recording of the repository can be read and looks like a printer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::{fs, path::PathBuf};

use testkit::{oid::Oid, recording::Recording};

#[test]
fn every_recording_is_a_printer_of_known_size() {
    for path in recordings() {
        let text = fs::read_to_string(&path).unwrap();
        let recording = Recording::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(text.starts_with('#'), "{name} does not say what it is");
        assert!((20..=400).contains(&recording.rows.len()), "{name} has {} rows", recording.rows.len());
        // More a device need not have: label printers, for one, have few of the standard tables.
        let system: Oid = "1.3.6.1.2.1.1".parse().unwrap();
        assert!(
            recording.rows.keys().filter(|oid| oid.is_within(&system)).count() >= 3,
            "{name} does not say who it is"
        );
    }
}

#[test]
fn job_tables_hold_nothing_but_canaries() {
    let mut canaries = 0;
    for path in recordings() {
        let recording = Recording::load(&path).unwrap();
        for (oid, value) in &recording.rows {
            let of_jobs = JOB_TABLES.iter().any(|root| oid.is_within(&root.parse().unwrap()));
            let text = value.octets().map(String::from_utf8_lossy).unwrap_or_default();
            assert_eq!(of_jobs && value.octets().is_some(), text.contains("CANARY-"), "{}: {oid}", path.display());
            canaries += usize::from(of_jobs);
        }
    }
    assert!(canaries >= 20, "{canaries}");
}

/// Kyocera, HP, Xerox and the Printer Working Group.
const JOB_TABLES: [&str; 6] = [
    "1.3.6.1.4.1.1347.47",
    "1.3.6.1.4.1.11.2.3.9.4.2.1.1.6",
    "1.3.6.1.4.1.253.8.59",
    "1.3.6.1.4.1.253.8.76",
    "1.3.6.1.4.1.253.8.83",
    "1.3.6.1.4.1.2699.1.1",
];

fn recordings() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../agent-core/walks");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "snmprec"));
    paths.sort();
    assert!(paths.len() >= 12, "{} recordings", paths.len());
    paths
}
