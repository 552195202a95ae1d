//! The same values out of two collectors: ours, and the inventory that a widespread one made of the same recordings.

use std::collections::BTreeMap;

use serde_json::Value;
use wire::device::{Level, Snapshot, Supply};
use wire::vocab::{Basis, ColorUse, Service, SupplyKind};

use super::identity::same_model;
use super::{plain, sourced};

/// Right, wrong, missing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Score(pub [u32; 3]);

impl Score {
    fn count(&mut self, verdict: Option<bool>) {
        let place = match verdict {
            Some(true) => 0,
            Some(false) => 1,
            None => 2,
        };
        self.0[place] += 1;
    }
}

/// Scores of ours and of the peer's, by what the values are of.
pub type Scores = BTreeMap<&'static str, (Score, Score)>;

/// Judges both on one device.
pub fn judge(scores: &mut Scores, expected: &Value, ours: &Snapshot, theirs: &str) {
    let identity = &expected["identity"];
    let value = |keys: &[&str]| keys.iter().find_map(|key| identity.get(key)).map(|entry| sourced(entry).0);
    let peer = |name: &str| tag(theirs, name);
    let serial = value(&["serial_vendor", "prtGeneralSerialNumber"])
        .or_else(|| expected["peers"]["librenms"]["serial"].as_str().map(str::to_owned));
    let same = |got: Option<String>, wanted: &str| got.map(|got| plain(&got).eq_ignore_ascii_case(&plain(wanted)));
    if let Some(serial) = serial {
        let (one, other) = scores.entry("serial number").or_default();
        one.count(same(ours.identity.serial.clone(), &serial));
        other.count(same(peer("SERIAL"), &serial));
    }
    if let Some(mac) = value(&["mac"]) {
        let (one, other) = scores.entry("MAC").or_default();
        one.count(same(ours.identity.mac.clone(), &mac));
        other.count(same(peer("MAC"), &mac));
    }
    let note = expected["model_note"].as_str().filter(|note| !note.is_empty()).map(str::to_owned);
    let models: Vec<String> = match value(&["model_vendor"]) {
        Some(model) => vec![model],
        None => [note, value(&["prtGeneralPrinterName"]), value(&["hrDeviceDescr"])].into_iter().flatten().collect(),
    };
    if !models.is_empty() && identity.as_object().is_some_and(|identity| !identity.is_empty()) {
        let maker = ours.identity.manufacturer.clone().unwrap_or_default();
        let fits = |got: String| models.iter().any(|model| same_model(&got, model, &maker));
        let (one, other) = scores.entry("model").or_default();
        one.count(ours.identity.model.clone().map(fits));
        other.count(peer("MODEL").map(fits));
    }
    counters(scores, expected, ours, theirs);
    for row in expected["supplies"]["rows"].as_array().into_iter().flatten() {
        let Some(supply) = ours.supplies.iter().find(|supply| row["index"] == supply.index.as_str()) else { continue };
        let measured = row["percent"].as_f64();
        let Some(code) = row["level"].as_i64() else { continue };
        let (one, other) = scores.entry("level of a supply").or_default();
        one.count(Some(match measured {
            Some(percent) => supply.percent_left().is_some_and(|got| (f64::from(got) - percent.min(100.0)).abs() < 1.0),
            None => supply.level == Level::from_code(code),
        }));
        other.count(peer_level(theirs, supply).map(|got| match (measured, got.parse::<f64>()) {
            (Some(percent), Ok(got)) => (got - percent.min(100.0)).abs() <= 1.0,
            // Its words for the codes: OK for some left, WARNING for unknown.
            (None, Err(_)) => (code, got.as_str()) == (-3, "OK") || (code, got.as_str()) == (-2, "WARNING"),
            _ => false,
        }));
    }
}

fn counters(scores: &mut Scores, expected: &Value, ours: &Snapshot, theirs: &str) {
    let places = [
        ("total", Service::System, &[ColorUse::Any][..], "TOTAL"),
        ("total_mono", Service::System, &[ColorUse::Monochrome], "BLACK"),
        ("total_colour", Service::System, &[ColorUse::Color, ColorUse::FullColor], "COLOR"),
        ("print_total", Service::Print, &[ColorUse::Any], "PRINTTOTAL"),
        ("print_mono", Service::Print, &[ColorUse::Monochrome], "PRINTBLACK"),
        ("print_colour", Service::Print, &[ColorUse::Color, ColorUse::FullColor], "PRINTCOLOR"),
        ("copy_total", Service::Copy, &[ColorUse::Any], "COPYTOTAL"),
        ("copy_mono", Service::Copy, &[ColorUse::Monochrome], "COPYBLACK"),
        ("copy_colour", Service::Copy, &[ColorUse::Color, ColorUse::FullColor], "COPYCOLOR"),
        ("fax_total", Service::Fax, &[ColorUse::Any], "FAXTOTAL"),
        ("scan_total", Service::Scan, &[ColorUse::Any], "SCANNED"),
    ];
    let counters = &expected["counters"];
    for (name, service, colors, theirs_name) in places {
        let told = match name {
            "total" => counters.get("total_vendor").or_else(|| counters.get("total_prtMarkerLifeCount")),
            other => counters.get(other),
        };
        let Some(wanted) = told.and_then(|entry| entry["value"].as_u64()) else { continue };
        let what = if name.starts_with("total") { "total, mono, colour" } else { "print, copy, fax, scan" };
        let (one, other) = scores.entry(what).or_default();
        let fits = |counter: &&wire::device::Counter| {
            counter.service == service
                && colors.contains(&counter.color)
                && (&counter.size, &counter.sides) == (&wire::vocab::MediaSize::Any, &wire::vocab::Sides::Any)
                && counter.basis != Basis::PowerOn
        };
        let got = match name {
            "total" => wire::device::total(&ours.counters).map(|counter| counter.value),
            _ => ours.counters.iter().find(fits).map(|counter| counter.value),
        };
        one.count(got.map(|got| got == wanted));
        other.count(tag(theirs, theirs_name).map(|got| got.parse() == Ok(wanted)));
    }
}

/// What the peer says of such a supply; it knows one for each kind and colour.
fn peer_level(xml: &str, supply: &Supply) -> Option<String> {
    let color = supply.color.as_ref().map(|color| color.keyword().to_uppercase()).unwrap_or_default();
    let words = plain(&supply.description.to_uppercase());
    let kinds: &[&str] = match supply.kind {
        SupplyKind::WasteToner | SupplyKind::WasteInk => &["WASTETONER", "MAINTENANCEKIT"],
        SupplyKind::Toner | SupplyKind::TonerCartridge | SupplyKind::Ink | SupplyKind::InkCartridge => {
            &["TONER", "CARTRIDGE"]
        }
        SupplyKind::Opc => &["DRUM"],
        SupplyKind::Developer => &["DEVELOPER"],
        SupplyKind::Fuser => &["FUSERKIT"],
        SupplyKind::TransferUnit => &["TRANSFERKIT", "TRANSFERBELT"],
        _ if words.contains("WASTE") => &["WASTETONER"],
        _ if words.contains("TONER") => &["TONER"],
        _ if words.contains("DRUM") => &["DRUM"],
        _ if words.contains("DEVELOPER") => &["DEVELOPER"],
        _ if words.contains("FUS") => &["FUSERKIT"],
        _ if words.contains("TRANSFER") => &["TRANSFERKIT"],
        _ if words.contains("CARTRIDGE") => &["TONER", "CARTRIDGE"],
        _ => &["MAINTENANCEKIT"],
    };
    kinds.iter().find_map(|kind| tag(xml, &format!("{kind}{color}")).or_else(|| tag(xml, kind)))
}

/// The text of the first element of that name.
fn tag(xml: &str, name: &str) -> Option<String> {
    let rest = xml.split_once(&format!("<{name}>"))?.1;
    let text = rest.split_once('<')?.0.trim();
    (!text.is_empty()).then(|| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}
