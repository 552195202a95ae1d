//! The lives of the simulated printers: what changes is what changes in a real one, and the counters stay true.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use proptest::prelude::*;
use testkit::{
    life::{
        Incident, Life, Plan, State, What,
        model::{Model, Row, Span},
    },
    oid::{Oid, Value},
    printer_sim::Printer,
    recording::Recording,
};

const KYOCERA: &str = "kyocera_taskalfa-4054ci";
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn every_life_fits_its_recording() {
    let stems = |folder: &str, extension: &str| {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let files = entries.filter(|path| path.extension().is_some_and(|found| found == extension));
        let mut stems: Vec<_> = files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
        stems.sort();
        stems
    };
    let recordings = stems("agent-core/walks", "snmprec");
    let without: Vec<_> = stems("demo/life", "toml").into_iter().filter(|stem| !recordings.contains(stem)).collect();
    assert_eq!(without, [""; 0], "a life needs the recording that it changes");
    for stem in models() {
        let (life, printer) = life(&stem, Plan::default());
        let shown = show(&life, printer.clone());
        // At its first second a printer is as recorded, but for what is amiss with it from the start.
        let alert = |oid: &Oid| oid.is_within(&oid_of("1.3.6.1.2.1.43.18.1.1"));
        let changed: Vec<_> =
            shown.rows().iter().filter(|(oid, value)| printer.rows().get(oid) != Some(value) && !alert(oid)).collect();
        let allowed = ["1.3.6.1.2.1.43.5.1.1.1", "1.3.6.1.2.1.25.3", "1.3.6.1.2.1.43.16"];
        let odd = changed.iter().find(|(oid, _)| !allowed.iter().any(|root| oid.is_within(&oid_of(root))));
        assert_eq!(odd, None, "{stem}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn sums_hold_and_counters_only_rise(seed in any::<u64>(), pace in 0..4000_u64, pages in 0..400_000_u64, steps in 1..5_u64) {
        for stem in models() {
            let model = model(&stem);
            let (mut life, mut printer) = self::life(&stem, Plan { seed, pace, pages, ..Plan::default() });
            let mut before: BTreeMap<String, u64> = BTreeMap::new();
            for _ in 0..steps {
                life.run(10 * MINUTE);
                prop_assert_eq!(life.broken_sum(), None);
                life.show(&mut printer);
                for sum in &model.sums {
                    let numbers: Vec<u64> = sum.iter().map(|spot| spot.read(printer.rows()).unwrap()).collect();
                    prop_assert_eq!(numbers[0], numbers[1..].iter().sum::<u64>(), "{}: {}", stem, sum[0]);
                }
                for (spot, count) in &model.counters {
                    let number = spot.read(printer.rows()).unwrap();
                    let last = before.insert(spot.to_string(), number).unwrap_or_default();
                    prop_assert!(number >= last || count.since_power_on, "{}: {} fell from {} to {}", stem, spot, last, number);
                }
            }
        }
    }
}

#[test]
fn the_same_seed_lives_the_same_life_whatever_the_steps() {
    let plan = || Plan { seed: 7, pace: 900, ..Plan::default() };
    let (mut one, mut other) = (life(KYOCERA, plan()).0, life(KYOCERA, plan()).0);
    one.run(90 * MINUTE);
    (0..90 * 6).for_each(|_| other.run(MINUTE / 6));
    assert_eq!(one.state(), other.state());
    let mut third = life(KYOCERA, Plan { seed: 8, ..plan() }).0;
    third.run(90 * MINUTE);
    assert_ne!(one.state(), third.state());
}

#[test]
fn a_life_that_was_kept_goes_on() {
    let plan = || Plan { seed: 7, pace: 900, pages: 5000, ..Plan::default() };
    let (mut life, printer) = life(KYOCERA, plan());
    life.run(40 * MINUTE);
    let kept = serde_json::to_string(life.state()).unwrap();
    let total = oid_of("1.3.6.1.4.1.1347.43.10.1.1.12.1.1");
    let then = show(&life, printer.clone()).rows()[&total].clone();

    let mut resumed = self::life(KYOCERA, plan()).0;
    resumed.resume(serde_json::from_str::<State>(&kept).unwrap(), Duration::ZERO);
    assert_eq!(show(&resumed, printer.clone()).rows()[&total], then);
    life.run(40 * MINUTE);
    resumed.run(40 * MINUTE);
    assert_eq!(show(&resumed, printer.clone()).rows(), show(&life, printer).rows());
}

#[test]
fn about_as_much_is_printed_as_planned_and_supplies_go_down_by_it() {
    let (mut life, printer) = life(KYOCERA, Plan { seed: 1, pace: 600, ..Plan::default() });
    let total = oid_of("1.3.6.1.4.1.1347.43.10.1.1.12.1.1");
    let black = oid_of("1.3.6.1.2.1.43.11.1.1.9.1.4");
    let (pages, toner) = (number(&printer, &total), number(&printer, &black));
    life.run(240 * MINUTE);
    let after = show(&life, printer);
    let printed = number(&after, &total) - pages;
    assert!((1600..3200).contains(&printed), "{printed}");
    // 30,000 pages to a toner, shown in steps of a hundredth.
    let used = toner - number(&after, &black);
    assert!((used - printed).abs() <= 300 && used % 300 == 0, "{used} of toner for {printed} pages");
}

#[test]
fn a_cover_opens_and_closes() {
    let incident = Incident {
        what: What::Cover,
        row: Some(row("1.3")),
        at: span("70s"),
        lasts: span("3m"),
        every: Some(span("10m")),
    };
    let (mut life, printer) = life(KYOCERA, Plan { seed: 3, pace: 2000, incidents: vec![incident], ..Plan::default() });
    let cover = oid_of("1.3.6.1.2.1.43.6.1.1.3.1.3");
    let facts = |life: &Life| {
        let shown = show(life, printer.clone());
        let state = [DEVICE_STATUS, PRINTER_STATUS].map(|oid| number(&shown, &oid_of(oid)));
        let alerts = alerts(&shown);
        (number(&shown, &cover), state, errors(&shown), console(&shown), alerts)
    };
    life.run(MINUTE);
    let (closed, state, bits, ..) = facts(&life);
    assert_eq!((closed, bits), (4, vec![0]));
    assert!(state == [2, 3] || state == [2, 4], "{state:?}");

    life.run(MINUTE);
    let (open, state, bits, text, rows) = facts(&life);
    let words = "Toner Container Cover ist offen.";
    assert_eq!((open, state, bits, text.as_str()), (3, [5, 1], vec![0b0000_1000], words));
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][..6], [3, 3, 6, 3, -2, 3].map(Value::Integer));
    assert_eq!(rows[0][6], Value::text(words));

    let pages = life.state().clone();
    life.run(MINUTE);
    let total = oid_of("1.3.6.1.4.1.1347.43.10.1.1.12.1.1");
    let mut then = life.clone();
    then.resume(pages, Duration::ZERO);
    assert_eq!(
        number(&show(&life, printer.clone()), &total),
        number(&show(&then, printer.clone()), &total),
        "nothing is printed meanwhile"
    );

    life.run(MINUTE + MINUTE / 3);
    let (closed, _, bits, _, rows) = facts(&life);
    assert_eq!((closed, bits, rows.len()), (4, vec![0], 0));
    life.run(7 * MINUTE);
    assert_eq!(facts(&life).0, 3, "once every ten minutes");
}

#[test]
fn an_empty_tray_stops_only_what_has_no_other() {
    let empty = |row: &str| {
        let incident =
            Incident { what: What::Empty, row: Some(self::row(row)), at: span("0s"), lasts: span("1h"), every: None };
        let (mut life, printer) =
            life(KYOCERA, Plan { seed: 3, pace: 2000, incidents: vec![incident], ..Plan::default() });
        life.run(10 * MINUTE);
        show(&life, printer)
    };
    let other_a4 = empty("1.2");
    assert_eq!(number(&other_a4, &oid_of("1.3.6.1.2.1.43.8.2.1.10.1.2")), 0);
    assert_eq!(number(&other_a4, &oid_of("1.3.6.1.2.1.43.8.2.1.11.1.2")), 19);
    assert_eq!(number(&other_a4, &oid_of(DEVICE_STATUS)), 3);
    assert_eq!(alerts(&other_a4)[0][0], Value::Integer(4));
    let only_a3 = empty("1.3");
    assert_eq!(number(&only_a3, &oid_of(DEVICE_STATUS)), 5);
    assert_eq!(
        (errors(&only_a3), console(&only_a3)),
        (vec![0b0100_0000], "Papier nachlegen in Cassette 2.".to_owned())
    );
}

#[test]
fn supplies_warn_run_out_and_are_replaced() {
    let levels = BTreeMap::from([(row("1.4"), 6), (row("1.5"), 4)]);
    let (mut life, printer) = life(KYOCERA, Plan { seed: 3, pace: 3000, levels, ..Plan::default() });
    let shown = show(&life, printer.clone());
    assert_eq!(number(&shown, &oid_of("1.3.6.1.2.1.43.11.1.1.9.1.4")), 1800);
    assert_eq!(number(&shown, &oid_of("1.3.6.1.2.1.43.11.1.1.9.1.5")), -3, "the box never says more");
    assert_eq!((number(&shown, &oid_of(DEVICE_STATUS)), errors(&shown)), (3, vec![0b0010_0000]));
    let codes: Vec<_> = alerts(&shown).iter().map(|cells| cells[5].clone()).collect();
    assert_eq!(codes, [Value::Integer(1104), Value::Integer(1107)]);

    let (mut was_out, mut was_full) = (false, false);
    for _ in 0..600 {
        life.run(MINUTE);
        let shown = show(&life, printer.clone());
        let black = number(&shown, &oid_of("1.3.6.1.2.1.43.11.1.1.9.1.4"));
        was_out |= black == 0 && errors(&shown)[0] & 0b0001_0000 != 0 && number(&shown, &oid_of(DEVICE_STATUS)) == 5;
        was_full |= was_out && black == 30_000;
    }
    assert!(was_out && was_full);
}

#[test]
fn binary_rows_and_vendor_rows_follow() {
    let levels = BTreeMap::from([(row("1.1"), 33)]);
    let (life, printer) = life("brother_hl-l8360cdw", Plan { levels, ..Plan::default() });
    let shown = show(&life, printer);
    let octets = shown.rows()[&oid_of("1.3.6.1.4.1.2435.2.3.9.4.2.1.5.5.8.0")].octets().unwrap().to_vec();
    assert!(octets.windows(7).any(|record| record == [0x6f, 1, 4, 0, 0, 0x0c, 0xe4]), "3300 hundredths of a percent");
    assert!(octets.windows(7).any(|record| record == [0x81, 1, 4, 0, 0, 0, 33]));
    assert_eq!(number(&shown, &oid_of("1.3.6.1.2.1.43.11.1.1.9.1.1")), -3);
    let panel = shown.rows()[&oid_of("1.3.6.1.4.1.2435.2.3.9.4.2.1.5.4.5.2.0")].clone();
    assert_eq!(panel, Value::text("Ready           "));
}

#[test]
fn whoever_does_nothing_sleeps_and_wakes_for_a_job() {
    let (mut life, printer) = life(KYOCERA, Plan { seed: 5, pace: 20, ..Plan::default() });
    let (mut slept, mut warmed) = (false, false);
    for _ in 0..3 * 3600 {
        life.run(Duration::from_secs(1));
        let shown = show(&life, printer.clone());
        let state = [DEVICE_STATUS, PRINTER_STATUS].map(|oid| number(&shown, &oid_of(oid)));
        slept |= state == [2, 1] && console(&shown) == "Energiesparmodus.";
        warmed |= slept && state == [2, 5] && console(&shown) == "Bitte warten...";
    }
    assert!(slept && warmed);
}

#[test]
fn switched_off_it_is_silent_and_starts_anew() {
    let incident = Incident { what: What::Off, row: None, at: span("1m"), lasts: span("5m"), every: None };
    let (mut life, printer) =
        life("hp_color-laserjet-m554", Plan { seed: 5, pace: 500, incidents: vec![incident], ..Plan::default() });
    let uptime = |life: &Life| match show(life, printer.clone()).rows()[&oid_of("1.3.6.1.2.1.1.3.0")] {
        Value::TimeTicks(ticks) => ticks,
        ref other => panic!("{other:?}"),
    };
    life.run(MINUTE / 2);
    assert!(!life.is_off());
    assert_eq!(uptime(&life), 220_329_339 + 3000);
    life.run(MINUTE);
    assert!(life.is_off());
    life.run(5 * MINUTE);
    assert!(!life.is_off());
    assert_eq!(uptime(&life), 3000);
    let since_power_on = number(&show(&life, printer.clone()), &oid_of("1.3.6.1.2.1.43.10.2.1.5.1.1"));
    assert!(since_power_on < 100, "{since_power_on}");
}

#[test]
fn a_plan_that_does_not_fit_is_refused_by_name() {
    let refused = |plan: Plan| Life::new(model(KYOCERA), &recording(KYOCERA), plan).unwrap_err().to_string();
    let plan = Plan::default;
    assert!(refused(Plan { levels: BTreeMap::from([(row("1.9"), 5)]), ..plan() }).contains("supply 1.9"));
    assert!(refused(Plan { sheets: BTreeMap::from([(row("1.1"), 5)]), ..plan() }).contains("tray 1.1"));
    let cover = Incident { what: What::Cover, row: Some(row("1.77")), at: span("1s"), lasts: span("1s"), every: None };
    assert!(refused(Plan { incidents: vec![cover], ..plan() }).contains("1.77"));
    let mut lacking = recording(KYOCERA);
    lacking.rows.remove(&oid_of("1.3.6.1.4.1.1347.42.3.1.1.1.1.2"));
    let error = Life::new(model(KYOCERA), &lacking, plan()).unwrap_err().to_string();
    assert!(error.contains("1.3.6.1.4.1.1347.42.3.1.1.1.1.2"), "{error}");
    let mut wrong = recording(KYOCERA);
    wrong.rows.insert(oid_of("1.3.6.1.4.1.1347.42.3.1.1.1.1.2"), Value::Integer(1));
    let error = Life::new(model(KYOCERA), &wrong, plan()).unwrap_err().to_string();
    assert!(error.contains("sums do not hold"), "{error}");
}

const DEVICE_STATUS: &str = "1.3.6.1.2.1.25.3.2.1.5.1";
const PRINTER_STATUS: &str = "1.3.6.1.2.1.25.3.5.1.1.1";

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn models() -> Vec<String> {
    let entries = fs::read_dir(root().join("demo/life")).unwrap().map(|entry| entry.unwrap().path());
    let mut stems: Vec<_> = entries.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    stems.sort();
    stems
}

fn model(stem: &str) -> Model {
    Model::load(&root().join(format!("demo/life/{stem}.toml"))).unwrap_or_else(|error| panic!("{error:#}"))
}

fn recording(stem: &str) -> Recording {
    Recording::load(root().join(format!("agent-core/walks/{stem}.snmprec"))).unwrap()
}

fn life(stem: &str, plan: Plan) -> (Life, Printer) {
    let recording = recording(stem);
    let life = Life::new(model(stem), &recording, plan).unwrap_or_else(|error| panic!("{stem}: {error:#}"));
    (life, Printer::new(recording))
}

fn show(life: &Life, mut printer: Printer) -> Printer {
    life.show(&mut printer);
    printer
}

fn oid_of(text: &str) -> Oid {
    text.parse().unwrap()
}

fn row(text: &str) -> Row {
    text.parse().unwrap()
}

fn span(text: &str) -> Span {
    text.parse().unwrap()
}

fn number(printer: &Printer, oid: &Oid) -> i64 {
    printer.rows().get(oid).and_then(Value::number).unwrap_or_else(|| panic!("no number at {oid}"))
}

fn errors(printer: &Printer) -> Vec<u8> {
    printer.rows()[&oid_of("1.3.6.1.2.1.25.3.5.1.2.1")].octets().unwrap().to_vec()
}

fn console(printer: &Printer) -> String {
    let octets = printer.rows()[&oid_of("1.3.6.1.2.1.43.16.5.1.2.1.1")].octets().unwrap().to_vec();
    String::from_utf8(octets).unwrap()
}

/// Cells 2 to 9 of the alerts that the recording does not have.
fn alerts(printer: &Printer) -> Vec<Vec<Value>> {
    let table = oid_of("1.3.6.1.2.1.43.18.1.1.2.1");
    let indexes = printer.rows().keys().filter(|oid| oid.is_within(&table)).map(|oid| *oid.arcs().last().unwrap());
    let own = indexes.filter(|index| *index > 1835);
    let cell =
        |column: u32, index: u32| printer.rows()[&oid_of(&format!("1.3.6.1.2.1.43.18.1.1.{column}.1.{index}"))].clone();
    own.map(|index| (2..=9).map(|column| cell(column, index)).collect()).collect()
}
