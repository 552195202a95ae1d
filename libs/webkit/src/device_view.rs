//! A device as both daemons' pages show it: status, alerts, supplies, trays, counters, identity, in two languages.
//!
//! Everything a device says of itself is hostile until escaped: it goes into pages through templates only.

use std::fmt;

use askama::{Template, filters::HtmlSafe};
use wire::{
    device::{self, Alert, Condition, Counter, DeviceRecord, Level, Raw, Supply, Tray, TrayKind},
    vocab::{AlertSeverity, Colorant, Confidence, IdentityField, SupplyClass, SupplyKind, SupplyUnit},
};

use crate::{
    moment::{Ago, Viewer},
    text::{Lang, fill, number},
    texts, words,
};

texts! {
    /// Words of the device's panels.
    pub(crate) DeviceTexts {
        silent: "Silent", "Antwortet nicht";
        read: "Read", "Gelesen";
        silent_since: "no answer since", "keine Antwort seit";
        status: "Status", "Status";
        no_alerts: "The device reports nothing that needs attention.", "Das Gerät meldet nichts, was Aufmerksamkeit braucht.";
        code: "Code", "Code";
        display: "Display", "Anzeige";
        supplies: "Supplies", "Verbrauchsmaterial";
        no_supplies: "The device names no supplies.", "Das Gerät nennt kein Verbrauchsmaterial.";
        some_left: "some left", "noch etwas da";
        nearly_empty: "nearly empty", "fast leer";
        nearly_full: "nearly full", "fast voll";
        some_room: "some room", "noch Platz";
        unknown: "unknown", "unbekannt";
        no_limit: "no limit", "unbegrenzt";
        empty: "empty", "leer";
        full: "full", "voll";
        room: "{} % free", "{} % frei";
        part: "Part {}", "Teil {}";
        serial_number: "Serial {}", "Seriennr. {}";
        trays: "Trays", "Fächer";
        no_trays: "The device names no trays.", "Das Gerät nennt keine Fächer.";
        tray: "Tray", "Fach";
        media: "Paper", "Papier";
        level: "Level", "Füllstand";
        of: "{} of {}", "{} von {}";
        counters: "Counters", "Zähler";
        no_counters: "The device names no counters.", "Das Gerät nennt keine Zähler.";
        counter: "Counts", "Zählt";
        value: "Value", "Stand";
        unit: "Unit", "Einheit";
        source: "Read from", "Gelesen aus";
        device: "Device", "Gerät";
        manufacturer: "Manufacturer", "Hersteller";
        model: "Model", "Modell";
        serial: "Serial number", "Seriennummer";
        firmware: "Firmware", "Firmware";
        host_name: "Host name", "Hostname";
        address: "Address", "Adresse";
        mac: "MAC address", "MAC-Adresse";
        location: "Location", "Standort";
        contact: "Contact", "Kontakt";
        description: "Description", "Beschreibung";
        object_id: "sysObjectID", "sysObjectID";
        profile: "Read with profile", "Gelesen mit Profil";
        unnamed: "Unnamed device", "Unbenanntes Gerät";
        raw_values: "Raw values: where everything was read", "Rohwerte: was wo gelesen wurde";
        what: "What", "Was";
        confidence: "Confidence", "Sicherheit";
        raw_level: "level {}", "Füllstand {}";
        raw_capacity: "capacity {}", "Kapazität {}";
    }
}

/// A coloured word for a condition: `<span class="pill …">`.
#[derive(Debug, Clone)]
pub struct StatusPill {
    class: &'static str,
    text: &'static str,
}

impl StatusPill {
    /// The condition in words; a device that does not answer is `Silent`, whatever it said last.
    pub fn of(lang: Lang, condition: Condition, is_silent: bool) -> Self {
        match is_silent {
            true => Self { class: "silent", text: DeviceTexts::of(lang).silent },
            false => Self { class: condition.keyword(), text: words::condition(lang, condition) },
        }
    }

    /// A pill of one's own: `class` is `good`, `warning`, `critical`, `unknown` or `silent`.
    pub fn custom(class: &'static str, text: &'static str) -> Self {
        Self { class, text }
    }
}

impl fmt::Display for StatusPill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<span class="pill {}">{}</span>"#, self.class, self.text)
    }
}

impl HtmlSafe for StatusPill {}

/// How a bar is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fill {
    /// Filled to so many hundredths.
    Percent(u8),
    /// Full width, hatched: something is there, how much is not known.
    Hatched,
    /// An outline: nothing is known.
    Outlined,
    /// Nothing left.
    Empty,
}

impl Fill {
    fn of(level: Level, percent: Option<u8>) -> Self {
        match (level, percent) {
            (Level::Empty, _) => Self::Empty,
            (_, Some(percent)) => Self::Percent(percent),
            // An amount without a capacity: more than nothing, and that is all one can draw.
            (Level::Measured(_) | Level::SomeLeft | Level::NearlyEmpty | Level::NoLimit, None) => Self::Hatched,
            (Level::Unknown, None) => Self::Outlined,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Empty => " emptied",
            Self::Outlined => " outlined",
            Self::Percent(_) | Self::Hatched => "",
        }
    }
}

fn color_class(color: Option<&Colorant>, class: &SupplyClass) -> &'static str {
    match color {
        Some(Colorant::Cyan | Colorant::LightCyan) => "c-cyan",
        Some(Colorant::Magenta | Colorant::LightMagenta) => "c-magenta",
        Some(Colorant::Yellow) => "c-yellow",
        Some(
            Colorant::Black
            | Colorant::LightBlack
            | Colorant::MatteBlack
            | Colorant::PhotoBlack
            | Colorant::Gray
            | Colorant::LightGray,
        ) => "c-black",
        _ if *class == SupplyClass::Receptacle => "c-waste",
        _ => "c-other",
    }
}

/// At or below this share a supply is shown as low.
const LOW_PERCENT: u8 = 10;

/// A horizontal bar: solid for a measure, hatched for "some left", outlined for unknown, red outline for empty.
#[derive(Debug, Clone)]
pub struct LevelBar {
    fill: Fill,
    color: &'static str,
}

impl fmt::Display for LevelBar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (class, color) = (self.fill.class(), self.color);
        write!(f, r#"<svg class="bar{class}" aria-hidden="true">"#)?;
        match self.fill {
            Fill::Percent(percent) => write!(f, r#"<rect class="{color}" width="{percent}%" height="100%"/>"#)?,
            Fill::Hatched => write!(
                f,
                r##"<rect class="{color}" width="100%" height="100%"/><rect fill="url(#hatch)" width="100%" height="100%"/>"##
            )?,
            Fill::Outlined | Fill::Empty => {}
        }
        f.write_str("</svg>")
    }
}

impl HtmlSafe for LevelBar {}

/// One supply of a [`SupplyStrip`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripSupply {
    /// Its colour.
    pub color: Colorant,
    /// How much is left.
    pub level: Level,
    /// Hundredths left, where they are known.
    pub percent: Option<u8>,
}

/// The toners and inks of a device as a few small upright bars for a row of a list.
#[derive(Debug, Clone)]
pub struct SupplyStrip {
    bars: Vec<(Fill, &'static str)>,
    label: String,
}

/// Most bars in a strip: plotters with twelve inks exist, rows of lists have an end.
const MOST_BARS: usize = 12;

impl SupplyStrip {
    /// The strip of a device whose supplies are at hand.
    pub fn of(lang: Lang, supplies: &[Supply]) -> Self {
        let marks: Vec<_> = supplies.iter().filter_map(strip_supply).collect();
        Self::of_marks(lang, &marks)
    }

    /// The strip of a device of which only this summary was kept.
    pub fn of_marks(lang: Lang, marks: &[StripSupply]) -> Self {
        let marks = marks.iter().take(MOST_BARS);
        let words = |mark: &StripSupply| {
            let level = level_words(lang, mark.level, mark.percent, &SupplyClass::Consumed);
            format!("{} {level}", words::colorant(lang, &mark.color))
        };
        let label = marks.clone().map(words).collect::<Vec<_>>().join(", ");
        let bar = |mark: &StripSupply| {
            let color = color_class(Some(&mark.color), &SupplyClass::Consumed);
            (Fill::of(mark.level, mark.percent), color)
        };
        Self { bars: marks.map(bar).collect(), label }
    }
}

/// The part of a supply that a list shows: coloured toner and ink, nothing else.
pub fn strip_supply(supply: &Supply) -> Option<StripSupply> {
    let prints = matches!(
        supply.kind,
        SupplyKind::Toner
            | SupplyKind::TonerCartridge
            | SupplyKind::Ink
            | SupplyKind::InkCartridge
            | SupplyKind::SolidWax
    );
    let color = supply.color.clone().filter(|_| prints && supply.class != SupplyClass::Receptacle)?;
    Some(StripSupply { color, level: supply.level, percent: supply.percent_left() })
}

impl fmt::Display for SupplyStrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bars.is_empty() {
            return Ok(());
        }
        // A colorant outside the vocabulary is the device's own text.
        let label = askama::filters::escape(&self.label, askama::filters::Html).map_err(|_| fmt::Error)?;
        write!(f, r#"<span class="strip" role="img" aria-label="{label}" title="{label}">"#)?;
        for (fill, color) in &self.bars {
            write!(f, r#"<svg class="{}">"#, fill.class().trim_start())?;
            match fill {
                Fill::Percent(percent) => {
                    let top = 100_u8.saturating_sub(*percent);
                    write!(f, r#"<rect class="{color}" y="{top}%" width="100%" height="{percent}%"/>"#)?;
                }
                Fill::Hatched => write!(
                    f,
                    r##"<rect class="{color}" width="100%" height="100%"/><rect fill="url(#hatch)" width="100%" height="100%"/>"##
                )?,
                Fill::Outlined | Fill::Empty => {}
            }
            f.write_str("</svg>")?;
        }
        f.write_str("</span>")
    }
}

impl HtmlSafe for SupplyStrip {}

/// The panels of a device's page, to be put into a page as they are: `{{ panels }}`.
pub struct DevicePanels {
    html: String,
}

impl DevicePanels {
    /// The panels of a record.
    pub fn of(record: &DeviceRecord, viewer: &Viewer) -> askama::Result<Self> {
        let lang = viewer.lang;
        let t = DeviceTexts::of(lang);
        let status = record.status.clone().unwrap_or_default();
        let counters = record.counters.as_deref().unwrap_or_default();
        let billed = device::total(counters);
        let total = billed.map(|total| {
            (
                number(lang, total.value),
                words::counter_unit(lang, &total.unit).into_owned(),
                words::counter_name(lang, total),
            )
        });
        let page = Panels {
            t,
            alerts: status.alerts.iter().map(|alert| AlertRow::of(lang, alert)).collect(),
            errors: status.errors.iter().map(|error| words::detected_error(lang, error).into_owned()).collect(),
            console: status.console.join("\n"),
            supplies: record.supplies.as_deref().unwrap_or_default().iter().map(|s| SupplyItem::of(lang, s)).collect(),
            trays: record.trays.as_deref().unwrap_or_default().iter().map(|tray| TrayRow::of(lang, tray)).collect(),
            counters: counters.iter().map(|counter| CounterRow::of(lang, counter, billed)).collect(),
            total,
            facts: facts(lang, record),
            raw: raw_rows(lang, record),
        };
        Ok(Self { html: page.render()? })
    }
}

impl fmt::Display for DevicePanels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.html)
    }
}

impl HtmlSafe for DevicePanels {}

/// The head of a device's page: name, condition, what it does, when it was read.
#[derive(Template)]
#[template(path = "device_head.html")]
pub struct DeviceHead {
    t: &'static DeviceTexts,
    name: String,
    pill: StatusPill,
    state: String,
    read: Ago,
    silent_since: Option<Ago>,
    sub: String,
}

impl DeviceHead {
    /// The head for a record.
    pub fn of(record: &DeviceRecord, viewer: &Viewer) -> Self {
        let lang = viewer.lang;
        let condition = record.status.as_ref().map_or(Condition::Unknown, |status| status.condition());
        let state = record.status.as_ref().and_then(|status| status.printer.as_ref());
        let identity = record.identity.clone().unwrap_or_default();
        let sub = [identity.serial, Some(record.address.clone()), identity.location];
        let sub: Vec<String> = sub.into_iter().flatten().filter(|text| !text.is_empty()).collect();
        Self {
            t: DeviceTexts::of(lang),
            name: device_name(lang, record),
            pill: StatusPill::of(lang, condition, record.silent_since.is_some()),
            state: state.map(|state| words::printer_state(lang, state).into_owned()).unwrap_or_default(),
            read: viewer.ago_and_when(record.read_at),
            silent_since: record.silent_since.map(|since| viewer.ago_and_when(since)),
            sub: sub.join(" · "),
        }
    }
}

impl HtmlSafe for DeviceHead {}

/// What to call a device: manufacturer and model, or what else it says of itself.
pub fn device_name(lang: Lang, record: &DeviceRecord) -> String {
    let identity = record.identity.as_ref();
    let model = identity.and_then(|identity| identity.model.as_deref());
    let maker = identity.and_then(|identity| identity.manufacturer.as_deref());
    match (maker, model) {
        (Some(maker), Some(model)) if !model.to_lowercase().starts_with(&maker.to_lowercase()) => {
            format!("{maker} {model}")
        }
        (_, Some(model)) => model.to_owned(),
        (Some(maker), None) => maker.to_owned(),
        (None, None) => identity
            .and_then(|identity| identity.host_name.clone())
            .unwrap_or_else(|| DeviceTexts::of(lang).unnamed.to_owned()),
    }
}

#[derive(Template)]
#[template(path = "device_panels.html")]
struct Panels {
    t: &'static DeviceTexts,
    alerts: Vec<AlertRow>,
    errors: Vec<String>,
    console: String,
    supplies: Vec<SupplyItem>,
    trays: Vec<TrayRow>,
    counters: Vec<CounterRow>,
    total: Option<(String, String, String)>,
    facts: Vec<(&'static str, String)>,
    raw: Vec<RawRow>,
}

/// A value with its place.
struct RawRow {
    name: String,
    value: String,
    source: String,
    confidence: String,
}

struct AlertRow {
    class: &'static str,
    text: String,
    detail: String,
}

impl AlertRow {
    fn of(lang: Lang, alert: &Alert) -> Self {
        let group = words::alert_group(lang, &alert.group);
        let index = alert.group_index.filter(|index| *index > 0).map_or_else(String::new, |index| format!(" {index}"));
        let code = alert.code.map_or_else(String::new, |code| format!(" · {} {code}", DeviceTexts::of(lang).code));
        let place = format!("{group}{index}");
        Self {
            class: severity_class(&alert.severity),
            text: if alert.description.trim().is_empty() { place.clone() } else { alert.description.clone() },
            detail: format!("{place}{code}"),
        }
    }
}

/// The class of an alert in lists and pills.
pub fn severity_class(severity: &AlertSeverity) -> &'static str {
    match severity {
        AlertSeverity::Critical => "critical",
        AlertSeverity::Warning => "warning",
        _ => "unknown",
    }
}

struct SupplyItem {
    name: String,
    level: String,
    is_low: bool,
    bar: LevelBar,
    details: Vec<String>,
}

impl SupplyItem {
    fn of(lang: Lang, supply: &Supply) -> Self {
        let t = DeviceTexts::of(lang);
        let percent = supply.percent_left();
        let kind = words::supply_kind(lang, &supply.kind);
        let name = match &supply.color {
            Some(color) => format!("{kind} {}", words::colorant(lang, color)),
            None => kind.into_owned(),
        };
        let amount = match (supply.level.amount(), supply.capacity, &supply.unit) {
            (_, _, SupplyUnit::Percent) | (None, _, _) => None,
            (Some(amount), capacity, unit) => {
                Some(amount_words(lang, amount, capacity, &words::supply_unit(lang, unit)))
            }
        };
        let details = [
            Some(supply.description.clone()).filter(|text| !text.trim().is_empty()),
            amount,
            supply.part_number.as_ref().filter(|part| **part != supply.description).map(|part| fill(t.part, &[part])),
            supply.serial.as_ref().map(|serial| fill(t.serial_number, &[serial])),
        ];
        Self {
            name,
            level: level_words(lang, supply.level, percent, &supply.class),
            is_low: matches!(supply.level, Level::Empty | Level::NearlyEmpty)
                || percent.is_some_and(|percent| percent <= LOW_PERCENT),
            bar: LevelBar {
                fill: Fill::of(supply.level, percent),
                color: color_class(supply.color.as_ref(), &supply.class),
            },
            details: details.into_iter().flatten().collect(),
        }
    }
}

/// A level in words: `42 %`, `some left`, `unknown`; of a receptacle the room that is left.
pub fn level_words(lang: Lang, level: Level, percent: Option<u8>, class: &SupplyClass) -> String {
    let t = DeviceTexts::of(lang);
    let fills = *class == SupplyClass::Receptacle;
    match (level, percent) {
        (Level::Empty, _) if fills => t.full.to_owned(),
        (Level::Empty, _) => t.empty.to_owned(),
        (_, Some(percent)) if fills => fill(t.room, &[&percent]),
        (_, Some(percent)) => format!("{percent} %"),
        (Level::Measured(amount), None) => number(lang, amount),
        (Level::SomeLeft, None) if fills => t.some_room.to_owned(),
        (Level::SomeLeft, None) => t.some_left.to_owned(),
        (Level::NearlyEmpty, None) if fills => t.nearly_full.to_owned(),
        (Level::NearlyEmpty, None) => t.nearly_empty.to_owned(),
        (Level::NoLimit, None) => t.no_limit.to_owned(),
        (Level::Unknown, None) => t.unknown.to_owned(),
    }
}

fn amount_words(lang: Lang, amount: u32, capacity: Option<u32>, unit: &str) -> String {
    let t = DeviceTexts::of(lang);
    let amount = number(lang, amount);
    let text = match capacity {
        Some(capacity) => fill(t.of, &[&amount, &number(lang, capacity)]),
        None => amount,
    };
    format!("{text} {unit}").trim_end().to_owned()
}

struct TrayRow {
    name: String,
    kind: String,
    media: String,
    bar: LevelBar,
    level: String,
}

impl TrayRow {
    fn of(lang: Lang, tray: &Tray) -> Self {
        let t = DeviceTexts::of(lang);
        let percent = tray.level.percent_of(tray.capacity);
        let level = match tray.level {
            Level::Measured(amount) => amount_words(lang, amount, tray.capacity, &words::tray_unit(lang, &tray.unit)),
            Level::Empty if matches!(tray.kind, TrayKind::Output(_)) => t.full.to_owned(),
            Level::Empty => t.empty.to_owned(),
            Level::SomeLeft if matches!(tray.kind, TrayKind::Output(_)) => t.some_room.to_owned(),
            Level::SomeLeft => t.some_left.to_owned(),
            Level::NearlyEmpty if matches!(tray.kind, TrayKind::Output(_)) => t.nearly_full.to_owned(),
            Level::NearlyEmpty => t.nearly_empty.to_owned(),
            Level::Unknown => t.unknown.to_owned(),
            Level::NoLimit => t.no_limit.to_owned(),
        };
        let kind = words::tray_kind(lang, &tray.kind).into_owned();
        let names = [tray.name.as_str(), tray.description.as_deref().unwrap_or_default(), &kind];
        let name = names.into_iter().find(|name| !name.trim().is_empty()).unwrap_or_default().to_owned();
        Self {
            name,
            media: tray.media.clone().unwrap_or_default(),
            bar: LevelBar { fill: Fill::of(tray.level, percent), color: "c-other" },
            kind,
            level,
        }
    }
}

struct CounterRow {
    name: String,
    value: String,
    unit: String,
    source: String,
    is_total: bool,
}

impl CounterRow {
    fn of(lang: Lang, counter: &Counter, billed: Option<&Counter>) -> Self {
        Self {
            name: words::counter_name(lang, counter),
            value: number(lang, counter.value),
            unit: words::counter_unit(lang, &counter.unit).into_owned(),
            source: counter.source.clone(),
            is_total: billed == Some(counter),
        }
    }
}

fn raw_rows(lang: Lang, record: &DeviceRecord) -> Vec<RawRow> {
    let t = DeviceTexts::of(lang);
    let sure = |confidence| words::confidence(lang, confidence).into_owned();
    let identity = record.identity.clone().unwrap_or_default();
    let fields = identity.sources.iter().filter_map(|origin| {
        let (name, value) = match origin.field {
            IdentityField::Manufacturer => (t.manufacturer, &identity.manufacturer),
            IdentityField::Model => (t.model, &identity.model),
            IdentityField::Serial => (t.serial, &identity.serial),
            IdentityField::Firmware => (t.firmware, &identity.firmware),
            IdentityField::HostName => (t.host_name, &identity.host_name),
            _ => return None,
        };
        let (value, source) = (value.clone().unwrap_or_default(), origin.source.clone());
        Some(RawRow { name: name.to_owned(), value, source, confidence: sure(&origin.confidence) })
    });
    let numbers = |raw: Raw, level: Level, capacity: Option<u32>| {
        let level = raw.level.or(level.code()).map(|level| fill(t.raw_level, &[&level]));
        let capacity = raw.capacity.or(capacity.map(i64::from)).map(|capacity| fill(t.raw_capacity, &[&capacity]));
        [level, capacity].into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    let supplies = record.supplies.iter().flatten().map(|supply| RawRow {
        name: if supply.description.is_empty() { supply.index.clone() } else { supply.description.clone() },
        value: numbers(supply.raw, supply.level, supply.capacity),
        source: supply.origin.source.clone().unwrap_or_else(|| format!("prtMarkerSuppliesTable {}", supply.index)),
        confidence: sure(&supply.origin.confidence),
    });
    let trays = record.trays.iter().flatten().map(|tray| {
        let table = if matches!(tray.kind, TrayKind::Input(_)) { "prtInputTable" } else { "prtOutputTable" };
        RawRow {
            name: tray.name.clone(),
            value: numbers(tray.raw, tray.level, tray.capacity),
            source: format!("{table} {}", tray.index),
            confidence: sure(&Confidence::Verified),
        }
    });
    let counters = record.counters.iter().flatten().map(|counter| RawRow {
        name: words::counter_name(lang, counter),
        value: counter.value.to_string(),
        source: counter.source.clone(),
        confidence: sure(&counter.confidence),
    });
    fields.chain(supplies).chain(trays).chain(counters).collect()
}

fn facts(lang: Lang, record: &DeviceRecord) -> Vec<(&'static str, String)> {
    let t = DeviceTexts::of(lang);
    let identity = record.identity.clone().unwrap_or_default();
    let all = [
        (t.manufacturer, identity.manufacturer),
        (t.model, identity.model),
        (t.serial, identity.serial),
        (t.firmware, identity.firmware),
        (t.address, Some(record.address.clone())),
        (t.host_name, identity.host_name),
        (t.mac, identity.mac),
        (t.location, identity.location),
        (t.contact, identity.contact),
        (t.description, identity.description),
        (t.object_id, identity.sys_object_id),
        (t.profile, identity.profile),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?))).collect()
}
