//! One device for people at a terminal.

use std::fmt::Write;

use agent_core::search::{Alive, Stranger};
use webkit::device_view::strip_supply;
use wire::device::{Level, Snapshot, TrayKind, total};
use wire::vocab::Confidence;

use crate::json::Circumstances;

/// Cells of a bar.
const BAR: u8 = 20;

/// One line: for lists.
pub fn summary(address: &str, snapshot: &Snapshot) -> String {
    let identity = &snapshot.identity;
    let maker_and_model =
        [&identity.manufacturer, &identity.model].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
    let total = total(&snapshot.counters).map_or("–".to_owned(), |counter| counter.value.to_string());
    let levels: Vec<String> = snapshot
        .supplies
        .iter()
        .filter_map(strip_supply)
        .filter_map(|mark| Some(format!("{} {} %", mark.color.keyword(), mark.percent?)))
        .collect();
    format!(
        "{address:<21} {:<8} {:<34} {:<16} {total:>9}  {}",
        snapshot.status.condition().keyword(),
        maker_and_model,
        identity.serial.as_deref().unwrap_or("–"),
        levels.join(", "),
    )
}

/// Someone who is there and no printer, on one line.
pub fn alive(alive: &Alive, described: &str, host_name: &str) -> String {
    let what = match Stranger::of(&alive.signs) {
        Stranger::LocalAgent => "a LocalAgent answers here",
        Stranger::SnmpDevice => "no printer",
        Stranger::OtherUser => "speaks SNMPv3 only: wrong user?",
        Stranger::SnmpOff => "alive, SNMP is switched off",
        Stranger::Silent => "alive, no SNMP: wrong community?",
    };
    let how: Vec<&str> = alive.signs.iter().map(|sign| sign.keyword()).collect();
    let mac = alive.mac.map_or_else(String::new, |mac| mac.to_string());
    let names = [host_name, alive.name.as_deref().unwrap_or_default(), described];
    let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    let line = format!("{:<21} {what:<33} {mac:<17} {:<24} {}", alive.address, how.join(","), names.join("; "));
    line.trim_end().to_owned()
}

/// The whole device.
pub fn device(circumstances: &Circumstances, snapshot: &Snapshot) -> String {
    let mut text = String::new();
    let identity = &snapshot.identity;
    let name = [&identity.manufacturer, &identity.model].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
    section(&mut text, if name.is_empty() { &circumstances.address } else { &name });
    for (label, value) in [
        ("Address", Some(&circumstances.address)),
        ("Serial number", identity.serial.as_ref()),
        ("Firmware", identity.firmware.as_ref()),
        ("Host name", identity.host_name.as_ref()),
        ("MAC", identity.mac.as_ref()),
        ("Location", identity.location.as_ref()),
        ("Contact", identity.contact.as_ref()),
        ("Description", identity.description.as_ref()),
    ] {
        if let Some(value) = value {
            field(&mut text, label, value);
        }
    }
    for origin in &identity.sources {
        field(
            &mut text,
            "  from",
            &format!("{} {}{}", origin.field.keyword(), origin.source, doubt(&origin.confidence)),
        );
    }
    let status = &snapshot.status;
    section(&mut text, "Status");
    field(&mut text, "Condition", status.condition().keyword());
    for (label, value) in [
        ("Printer", status.printer.as_ref().map(|state| state.keyword())),
        ("Device", status.device.as_ref().map(|state| state.keyword())),
    ] {
        if let Some(value) = value {
            field(&mut text, label, value);
        }
    }
    if !status.errors.is_empty() {
        let errors: Vec<&str> = status.errors.iter().map(|error| error.keyword()).collect();
        field(&mut text, "Errors", &errors.join(", "));
    }
    for line in &status.console {
        field(&mut text, "Console", line);
    }
    for alert in &status.alerts {
        field(&mut text, alert.severity.keyword(), &alert.description);
    }
    if !snapshot.supplies.is_empty() {
        section(&mut text, "Supplies");
        for supply in &snapshot.supplies {
            let label = supply.color.as_ref().map_or_else(|| supply.kind.keyword(), |color| color.keyword());
            let percent = supply.percent_left();
            let source = supply.origin.source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
            let doubt = doubt(&supply.origin.confidence);
            let bar = bar(percent, supply.level);
            let _ = writeln!(text, "  {label:<16} {bar} {}{source}{doubt}", supply.description);
        }
    }
    if !snapshot.trays.is_empty() {
        section(&mut text, "Trays");
        for tray in &snapshot.trays {
            let direction = match tray.kind {
                TrayKind::Input(_) => "in",
                TrayKind::Output(_) => "out",
            };
            let amount = match (tray.level.amount(), tray.capacity) {
                (Some(amount), Some(capacity)) => format!("{amount} of {capacity} {}", tray.unit.keyword()),
                (Some(amount), None) => format!("{amount} {}", tray.unit.keyword()),
                (None, _) => tray.level.keyword().to_owned(),
            };
            let media = tray.media.as_deref().map(|media| format!(", {media}")).unwrap_or_default();
            let _ = writeln!(text, "  {direction:<3} {:<24} {amount}{media}", tray.name);
        }
    }
    if !snapshot.counters.is_empty() {
        section(&mut text, "Counters");
        for counter in &snapshot.counters {
            let doubt = doubt(&counter.confidence);
            let (name, value, unit) = (counter.name(), counter.value, counter.unit.keyword());
            let _ = writeln!(text, "  {name:<34} {value:>10} {unit:<12} {}{doubt}", counter.source);
        }
    }
    for remark in &circumstances.remarks {
        let _ = writeln!(text, "\nNote: {remark}");
    }
    let cost = &circumstances.cost;
    let _ = writeln!(
        text,
        "\nRead with SNMP {} in {} ms: {} packets out, {} back, {} bytes of IP.",
        circumstances.snmp,
        circumstances.took.as_millis(),
        cost.sent,
        cost.received,
        cost.octets
    );
    text
}

/// How sure a meaning is, where that is less than wholly.
fn doubt(confidence: &Confidence) -> String {
    if *confidence == Confidence::Verified { String::new() } else { format!(", {}", confidence.keyword()) }
}

fn section(text: &mut String, title: &str) {
    let gap = if text.is_empty() { "" } else { "\n" };
    let _ = writeln!(text, "{gap}{title}");
}

fn field(text: &mut String, label: &str, value: &str) {
    let _ = writeln!(text, "  {label:<16} {value}");
}

fn bar(percent: Option<u8>, level: Level) -> String {
    let Some(percent) = percent else {
        return format!("[{:^width$}]     ", words(level), width = usize::from(BAR));
    };
    let filled = usize::from(percent) * usize::from(BAR) / 100;
    format!("[{}{}] {percent:>3} %", "#".repeat(filled), ".".repeat(usize::from(BAR) - filled))
}

fn words(level: Level) -> String {
    let words = match level {
        Level::Measured(amount) => return format!("{amount} left"),
        Level::Empty => "empty",
        Level::SomeLeft => "some left",
        Level::NearlyEmpty => "nearly empty",
        Level::Unknown => "unknown",
        Level::NoLimit => "no limit",
    };
    words.to_owned()
}
