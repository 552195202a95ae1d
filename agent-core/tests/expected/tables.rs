//! Supplies, trays, status, alerts and console.

use serde_json::Value;
use wire::device::{Level, Supply, Tray, TrayKind};
use wire::vocab::{Colorant, DeviceState, PrinterState, SupplyKind};

use super::{Comparison, plain};

pub fn compare(comparison: &mut Comparison, expected: &Value) {
    supplies(comparison, &expected["supplies"]);
    brother(comparison, &expected["peers"]["bieniu_brother"]["sensors"]);
    trays(comparison, &expected["input_trays"], "input_trays", "level");
    trays(comparison, &expected["output_trays"], "output_trays", "remaining");
    status(comparison, &expected["status"]);
    alerts(comparison, &expected["alerts"]);
    console(comparison, &expected["console"]);
}

fn rows(table: &Value) -> impl Iterator<Item = (&str, &Value)> {
    table["rows"].as_array().into_iter().flatten().map(|row| (row["index"].as_str().unwrap_or_default(), row))
}

/// What a level column's number has to become.
fn level(code: &Value) -> Option<Level> {
    code.as_i64().map(Level::from_code)
}

/// A maximum: negative codes and nought are none.
fn capacity(code: &Value) -> Option<Option<u32>> {
    let code = code.as_i64()?;
    Some(u32::try_from(code).ok().filter(|capacity| *capacity > 0))
}

fn supplies(comparison: &mut Comparison, table: &Value) {
    let source = table["from"].as_str().unwrap_or_default();
    for (index, row) in rows(table) {
        let field = |name: &str| format!("supplies.{index}.{name}");
        let found = comparison.snapshot.supplies.iter().find(|supply| supply.index == index).cloned();
        let Some(supply) = found else {
            comparison.check(false, &field("row"), row["description"].as_str().unwrap_or("a row"), "nothing", source);
            continue;
        };
        if let Some(description) = row["description"].as_str() {
            let agrees = same_description(&supply, description);
            comparison.check(agrees, &field("description"), description, &supply.description, source);
        }
        let words = [
            ("type", supply.kind.keyword()),
            ("class", class_word(supply.class.keyword())),
            ("unit", supply.unit.keyword()),
        ];
        for (name, got) in words {
            if let Some(value) = row[name].as_str() {
                comparison.check(value == got, &field(name), value, got, source);
            }
        }
        // No colour is expected where the row names none; one that the order number tells may still be known.
        if let Some(value) = row["colour"].as_str() {
            let got = supply.color.as_ref().map_or("nothing", Colorant::keyword);
            comparison.check(value == got, &field("colour"), value, got, source);
        }
        if supply.origin.source.is_some() {
            raw_pair(comparison, &supply, row, &field("raw"), source);
            continue;
        }
        if let Some(value) = level(&row["level"]) {
            comparison.check(
                supply.level == value,
                &field("level"),
                format_args!("{value:?}"),
                format_args!("{:?}", supply.level),
                source,
            );
        }
        if let Some(value) = capacity(&row["max"]) {
            comparison.check(
                supply.capacity == value,
                &field("max"),
                format_args!("{value:?}"),
                format_args!("{:?}", supply.capacity),
                source,
            );
        }
        if let Some(percent) = row.get("percent") {
            let got = supply.percent_left().map(f64::from);
            let agrees = match (percent.as_f64(), got) {
                (Some(percent), Some(got)) => (percent.min(100.0) - got).abs() < 1.0,
                (None, None) => true,
                _ => false,
            };
            comparison.check(agrees, &field("percent"), percent, format_args!("{got:?}"), source);
        }
    }
}

/// Where a better source than the standard table was found, its numbers have to be kept beside it.
fn raw_pair(comparison: &mut Comparison, supply: &Supply, row: &Value, field: &str, source: &str) {
    let kept = [supply.raw.level, supply.raw.capacity];
    let wanted = [row["level"].as_i64(), row["max"].as_i64()];
    let agrees = kept.iter().zip(wanted).all(|(kept, wanted)| wanted.is_none() || *kept == wanted);
    comparison.check(agrees, field, format_args!("{wanted:?}"), format_args!("{kept:?}"), source);
}

fn class_word(keyword: &str) -> &str {
    match keyword {
        "supplyThatIsConsumed" => "consumed",
        "receptacleThatIsFilled" => "receptacle",
        other => other,
    }
}

/// The same words, or their head, with the tail that is left out kept as order and serial number.
fn same_description(supply: &Supply, expected: &str) -> bool {
    let (ours, expected) = (plain(&supply.description), plain(expected));
    let tail = expected.strip_prefix(&ours);
    tail.is_some_and(|tail| {
        let told = [&supply.part_number, &supply.serial];
        tail.is_empty()
            || (!ours.is_empty()
                && told.iter().any(|part| part.as_ref().is_some_and(|part| tail.contains(part.as_str()))))
            || tail.contains("unknown")
            || tail.trim_end_matches([':', ' ']).ends_with("S/N")
    })
}

/// What the peer that reads Brother's blobs makes of them: the share left of each supply, in whole per cent.
fn brother(comparison: &mut Comparison, sensors: &Value) {
    for (name, value) in sensors.as_object().into_iter().flatten() {
        let field = format!("peers.bieniu_brother.{name}");
        let Some(value) = value.as_i64() else { continue };
        let kinds: &[SupplyKind] = match name.as_str() {
            _ if name.ends_with("_toner_remaining") => &[SupplyKind::Toner, SupplyKind::TonerCartridge],
            _ if name.ends_with("_ink_remaining") => &[SupplyKind::Ink, SupplyKind::InkCartridge],
            _ if name.ends_with("drum_remaining_life") => &[SupplyKind::Opc],
            "belt_unit_remaining_life" => &[SupplyKind::TransferUnit, SupplyKind::Unspecified],
            "fuser_remaining_life" => &[SupplyKind::Fuser],
            "laser_remaining_life" | "pf_kit_1_remaining_life" | "pf_kit_mp_remaining_life" => {
                &[SupplyKind::Unspecified]
            }
            _ => continue,
        };
        let color =
            name.split('_').next().map(Colorant::from_keyword).filter(|color| !matches!(color, Colorant::Other(_)));
        let found: Vec<u8> = comparison
            .snapshot
            .supplies
            .iter()
            .filter(|supply| kinds.contains(&supply.kind) && (color.is_none() || supply.color == color))
            .filter_map(Supply::percent_left)
            .collect();
        let agrees = found.iter().any(|percent| i64::from(*percent) == value);
        comparison.check(agrees, &field, value, format_args!("{found:?}"), "peers.bieniu_brother");
    }
}

fn trays(comparison: &mut Comparison, table: &Value, name: &str, amount: &str) {
    let source = table["from"].as_str().unwrap_or_default();
    for (index, row) in rows(table) {
        let field = |column: &str| format!("{name}.{index}.{column}");
        let input = name == "input_trays";
        let fits = |tray: &&Tray| tray.index == index && matches!(tray.kind, TrayKind::Input(_)) == input;
        let Some(tray) = comparison.snapshot.trays.iter().find(fits).cloned() else {
            comparison.check(false, &field("row"), "a row", "nothing", source);
            continue;
        };
        let told = (row["name"].as_str(), row["description"].as_str());
        match told {
            (Some(text), _) | (None, Some(text)) => comparison.equal(&field("name"), text, Some(&tray.name), source),
            (None, None) => {}
        }
        if let (Some(text), Some(described)) = told
            && plain(text) != plain(described)
        {
            comparison.equal(&field("description"), described, tray.description.as_deref(), source);
        }
        if let Some(media) = row["media"].as_str() {
            comparison.equal(&field("media"), media, tray.media.as_deref(), source);
        }
        if let Some(unit) = row["unit"].as_str() {
            comparison.equal(&field("unit"), unit, Some(tray.unit.keyword()), source);
        }
        if let Some(value) = capacity(&row["max"]) {
            let got = format!("{:?}", tray.capacity);
            comparison.check(tray.capacity == value, &field("max"), format_args!("{value:?}"), got, source);
        }
        if let Some(value) = level(&row[amount]) {
            let got = format!("{:?}", tray.level);
            comparison.check(tray.level == value, &field(amount), format_args!("{value:?}"), got, source);
        }
        if let Some(value) = row["status"].as_u64() {
            let got = format!("{:?}", tray.status);
            let agrees = tray.status.map(u64::from) == Some(value);
            comparison.check(agrees, &field("status"), value, got, source);
        }
    }
}

fn status(comparison: &mut Comparison, expected: &Value) {
    let status = comparison.snapshot.status.clone();
    let source = |key: &str| expected[key]["from"].as_str().unwrap_or_default().to_owned();
    if let Some(code) = expected["hrDeviceStatus"]["value"].as_i64() {
        let agrees = status.device == Some(DeviceState::from_code(code));
        let got = format!("{:?}", status.device);
        comparison.check(agrees, "status.hrDeviceStatus", code, got, &source("hrDeviceStatus"));
    }
    if let Some(code) = expected["hrPrinterStatus"]["value"].as_i64() {
        let agrees = status.printer == Some(PrinterState::from_code(code));
        let got = format!("{:?}", status.printer);
        comparison.check(agrees, "status.hrPrinterStatus", code, got, &source("hrPrinterStatus"));
    }
    if let Some(errors) = expected["hrPrinterDetectedErrorState"]["errors"].as_array() {
        let wanted: Vec<&str> = errors.iter().filter_map(Value::as_str).collect();
        let got: Vec<&str> = status.errors.iter().map(|error| error.keyword()).collect();
        let agrees = wanted == got;
        let (wanted, got) = (wanted.join(" "), got.join(" "));
        comparison.check(agrees, "status.errors", wanted, got, &source("hrPrinterDetectedErrorState"));
    }
}

/// Alerts that a person should see: warnings and worse, with words. What is said of sleep and readiness is no alert.
fn alerts(comparison: &mut Comparison, table: &Value) {
    let source = table["from"].as_str().unwrap_or_default();
    for (index, row) in rows(table) {
        let urgent = matches!(row["severity"].as_i64(), Some(3..=5));
        let Some(words) = row["description"].as_str().filter(|words| urgent && !plain(words).is_empty()) else {
            continue;
        };
        let (code, group, group_index) = (row["code"].as_i64(), row["group"].as_i64(), row["group_index"].as_i64());
        let agrees = comparison.snapshot.status.alerts.iter().any(|alert| {
            plain(&alert.description) == plain(words)
                && alert.code == code
                && group.is_none_or(|group| alert.group == wire::vocab::AlertGroup::from_code(group))
                && alert.group_index == group_index.filter(|index| *index >= 0)
        });
        let got: Vec<&str> = comparison.snapshot.status.alerts.iter().map(|alert| alert.description.as_str()).collect();
        let got = got.join(" / ");
        comparison.check(agrees, &format!("alerts.{index}"), words, got, source);
    }
}

fn console(comparison: &mut Comparison, table: &Value) {
    let source = table["from"].as_str().unwrap_or_default();
    for (index, row) in rows(table) {
        let Some(words) = row["text"].as_str().filter(|words| !plain(words).is_empty()) else { continue };
        let agrees = comparison.snapshot.status.console.iter().any(|line| plain(line) == plain(words));
        let got = comparison.snapshot.status.console.join(" / ");
        comparison.check(agrees, &format!("console.{index}"), words, got, source);
    }
}
