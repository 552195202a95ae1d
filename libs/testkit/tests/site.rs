//! The demo's site: what its file promises is there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::{collections::BTreeSet, path::Path};

use testkit::{
    oid::{Oid, Value},
    printer_sim::Mood,
    site::{Site, SitePrinter},
};

#[test]
fn the_demo_has_printers_of_many_makers_each_itself() {
    let site = Site::load(&path()).unwrap_or_else(|error| panic!("{error:#}"));
    assert!(site.printers.len() >= 26);
    let all = |what: fn(&SitePrinter) -> String| site.printers.iter().map(what).collect::<BTreeSet<_>>();
    assert!(all(|printer| printer.model.split(' ').next().unwrap_or_default().to_owned()).len() >= 9);
    for what in [
        |printer: &SitePrinter| printer.serial.clone(),
        |printer: &SitePrinter| printer.address.to_string(),
        |printer: &SitePrinter| text(printer, "1.3.6.1.2.1.1.6.0"),
        |printer: &SitePrinter| format!("{:?}", mac(printer)),
    ] {
        assert_eq!(all(what).len(), site.printers.len());
    }
    for printer in &site.printers {
        let octets = printer.printer.rows().values().filter_map(Value::octets);
        let named =
            octets.filter(|octets| octets.windows(printer.serial.len()).any(|part| part == printer.serial.as_bytes()));
        assert!(named.count() >= 1, "{}", printer.name);
        let own: Oid = format!("1.3.6.1.2.1.4.20.1.1.{}", printer.address).parse().unwrap();
        assert_eq!(printer.printer.rows()[&own], Value::IpAddress(printer.address.octets()), "{}", printer.name);
        assert!(!text(printer, "1.3.6.1.2.1.1.6.0").is_empty(), "{}", printer.name);
    }
}

#[test]
fn the_demo_has_the_odd_ones() {
    let site = Site::load(&path()).unwrap();
    let some = |what: fn(&SitePrinter) -> bool| site.printers.iter().any(what);
    assert!(some(|printer| printer.remarks.contains("SNMPv1 only")));
    assert!(some(|printer| printer.remarks.contains("community ")));
    assert!(some(|printer| matches!(printer.mood, Mood::Slow(_))));
    assert!(some(|printer| levels(printer).contains(&-3)));
    assert!(some(|printer| levels(printer).contains(&-2)));
    for code in [1104, 1107, 808] {
        let says = |printer: &SitePrinter| column(printer, "1.3.6.1.2.1.43.18.1.1.7").contains(&code);
        assert!(site.printers.iter().any(says), "nobody says {code}");
    }
}

#[test]
fn clones_differ_and_are_patient() {
    let site = Site::clones(&path(), 600).unwrap();
    let all = |what: fn(&SitePrinter) -> String| site.printers.iter().map(what).collect::<BTreeSet<_>>().len();
    assert_eq!(all(|printer| printer.serial.clone()), 600);
    assert_eq!(all(|printer| format!("{:?}", mac(printer))), 600);
    assert_eq!(all(|printer| printer.address.to_string()), 600);
    assert!(site.printers.iter().all(|printer| printer.mood == Mood::Normal && printer.remarks.is_empty()));
    assert!(Site::clones(&path(), 10_000_000).unwrap_err().to_string().contains("too many"));
}

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/site.toml")
}

fn text(printer: &SitePrinter, oid: &str) -> String {
    let value = &printer.printer.rows()[&oid.parse::<Oid>().unwrap()];
    String::from_utf8(value.octets().unwrap().to_vec()).unwrap()
}

fn mac(printer: &SitePrinter) -> Vec<u8> {
    let column: Oid = "1.3.6.1.2.1.2.2.1.6".parse().unwrap();
    let rows = printer.printer.rows().iter().filter(|(oid, _)| oid.is_within(&column));
    rows.filter_map(|(_, value)| value.octets()).find(|octets| octets.len() == 6).unwrap().to_vec()
}

fn levels(printer: &SitePrinter) -> Vec<i64> {
    column(printer, "1.3.6.1.2.1.43.11.1.1.9")
}

fn column(printer: &SitePrinter, root: &str) -> Vec<i64> {
    let root: Oid = root.parse().unwrap();
    let rows = printer.printer.rows().iter().filter(|(oid, _)| oid.is_within(&root));
    rows.filter_map(|(_, value)| value.number()).collect()
}
