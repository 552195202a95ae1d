//! Who the device is.

use serde_json::Value;

use super::{Comparison, plain, sourced};

pub fn compare(comparison: &mut Comparison, expected: &Value) {
    let identity = comparison.snapshot.identity.clone();
    let told = &expected["identity"];
    let fields = [
        ("sysDescr", &identity.description),
        ("sysObjectID", &identity.sys_object_id),
        ("sysName", &identity.host_name),
        ("hostname_vendor", &identity.host_name),
        ("sysContact", &identity.contact),
        ("sysLocation", &identity.location),
        ("mac", &identity.mac),
        ("prtGeneralSerialNumber", &identity.serial),
        ("serial_vendor", &identity.serial),
        ("firmware_vendor", &identity.firmware),
    ];
    for (key, got) in fields {
        let Some(entry) = told.get(key) else { continue };
        let (value, source) = sourced(entry);
        let better = told.get(better_than(key)).map(|entry| plain(&sourced(entry).0));
        if key != "sysDescr" && better.is_some_and(|better| better != plain(&value)) {
            continue; // two names of one thing that differ: the maker's own counts
        }
        comparison.equal(&format!("identity.{key}"), &value, got.as_deref(), &source);
    }
    let maker = identity.manufacturer.unwrap_or_default();
    let vendor = expected["vendor"].as_str().unwrap_or_default();
    let vendor = vendor.split(" (").next().unwrap_or_default();
    if !vendor.is_empty() {
        let agrees = contains(&maker, vendor) || contains(vendor, &maker);
        comparison.check(agrees && !maker.is_empty(), "identity.manufacturer", vendor, &maker, "vendor");
    }
    compare_model(comparison, expected, &maker);
    let peer = &expected["peers"]["librenms"];
    for (key, got) in [("serial", &identity.serial), ("firmware", &identity.firmware)] {
        if let Some(value) = peer[key].as_str().filter(|value| !value.is_empty()) {
            let agrees = got.as_deref().is_some_and(|got| contains(got, value));
            let got = got.as_deref().unwrap_or("nothing");
            comparison.check(agrees, &format!("peers.librenms.{key}"), value, got, "peers.librenms");
        }
    }
    let peer = &expected["peers"]["bieniu_brother"];
    for (key, got) in [("serial", &identity.serial), ("firmware", &identity.firmware), ("model", &identity.model)] {
        if let Some(value) = peer[key].as_str() {
            let agrees = got.as_deref().is_some_and(|got| contains(got, value));
            let got = got.as_deref().unwrap_or("nothing");
            comparison.check(agrees, &format!("peers.bieniu_brother.{key}"), value, got, "peers.bieniu_brother");
        }
    }
}

/// The field that says the same with more authority.
fn better_than(key: &str) -> &'static str {
    match key {
        "sysName" => "hostname_vendor",
        "prtGeneralSerialNumber" => "serial_vendor",
        _ => "sysDescr",
    }
}

/// The model: the maker's own field where there is one, else the curated note or what the standard tables say.
fn compare_model(comparison: &mut Comparison, expected: &Value, maker: &str) {
    let told = &expected["identity"];
    let value = |key: &str| told.get(key).map(|entry| sourced(entry).0);
    let candidates: Vec<String> = match value("model_vendor") {
        Some(model) => vec![model],
        None => [
            expected["model_note"].as_str().map(str::to_owned).filter(|note| !note.is_empty()),
            value("prtGeneralPrinterName"),
            value("hrDeviceDescr"),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    if candidates.is_empty() || expected["identity"].as_object().is_none_or(serde_json::Map::is_empty) {
        return;
    }
    let model = comparison.snapshot.identity.model.clone().unwrap_or_default();
    let agrees = candidates.iter().any(|candidate| same_model(&model, candidate, maker));
    comparison.check(agrees, "identity.model", candidates.join(" / "), &model, "identity");
}

/// Whether two names of a model mean the same: with or without the maker in front, with or without a tail such as "series".
pub fn same_model(ours: &str, theirs: &str, maker: &str) -> bool {
    let bare = |text: &str| {
        let text = plain(&text.to_lowercase());
        text.strip_prefix(&maker.to_lowercase()).map_or(text.clone(), |rest| rest.trim().to_owned())
    };
    let (ours, theirs) = (bare(ours), bare(theirs));
    !ours.is_empty()
        && (theirs == ours || theirs.starts_with(&format!("{ours} ")) || ours.starts_with(&format!("{theirs} ")))
}

fn contains(text: &str, part: &str) -> bool {
    !part.is_empty() && plain(&text.to_lowercase()).contains(&plain(&part.to_lowercase()))
}
