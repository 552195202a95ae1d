//! The list of devices, and one device.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use webkit::device_view::{DeviceHead, DevicePanels, StatusPill, SupplyStrip, device_name};
use webkit::form::CheckedForm;
use webkit::moment::{Ago, date};
use webkit::notes;
use webkit::page::Problem;
use webkit::site::Visit;
use webkit::text::{fill, number};
use webkit::texts;
use wire::device::{Condition, DeviceId};
use wire::meter::{CounterKey, Remark};
use wire::notes::Remark as NotedRemark;
use wire::vocab::DoubtKind;

use super::{Parts, Said};
use crate::collector::Command;
use crate::store::devices::DeviceLine;
use crate::store::events::OpenQuestion;
use crate::store::meters::DailyMeter;
use crate::usb::is_usb;

/// Rows on one page of the list.
const PAGE: usize = 100;
/// Events of a device that are shown.
const EVENTS: u32 = 50;
/// Days of the meter that are shown.
const DAYS: usize = 31;

texts! {
    /// Words of the pages.
    Texts {
        devices: "Devices", "Geräte";
        all: "All devices", "Alle Geräte";
        critical: "Need someone", "Brauchen jemanden";
        warning: "Warnings", "Warnungen";
        good: "Good", "In Ordnung";
        silent: "Silent", "Antworten nicht";
        search: "Search", "Suchen";
        search_hint: "Model, serial number, address, location", "Modell, Seriennummer, Adresse, Standort";
        device: "Device", "Gerät";
        state: "State", "Zustand";
        supplies: "Supplies", "Material";
        total: "Total", "Gesamtzähler";
        address: "Address", "Adresse";
        read: "Read", "Gelesen";
        none_match: "No device matches.", "Kein Gerät passt dazu.";
        show_all: "Show all", "Alle zeigen";
        empty: "No devices yet", "Noch keine Geräte";
        empty_text: "Tell the agent where to search; what it finds appears here within a minute.",
            "Sagen Sie dem Agenten, wo er suchen soll; was er findet, erscheint hier binnen einer Minute.";
        empty_searching: "The search is running. What it finds appears here by itself.",
            "Die Suche läuft. Was sie findet, erscheint hier von selbst.";
        to_discovery: "Set up the search", "Suche einrichten";
        older: "Next", "Weiter";
        newer: "Back", "Zurück";
        poll_now: "Read now", "Jetzt lesen";
        poll_ordered: "The device is being read; the page shows the answer in a moment.",
            "Das Gerät wird gelesen; die Seite zeigt die Antwort gleich.";
        busy: "Too much is waiting already. Try again in a moment.", "Es wartet schon zu viel. Bitte gleich noch einmal versuchen.";
        remove: "Remove", "Entfernen";
        remove_text: "Forgets the device and its history here, and tells the manager. If it still answers, the next search finds it again.",
            "Vergisst das Gerät und seinen Verlauf hier und sagt es dem Manager. Antwortet es noch, findet die nächste Suche es wieder.";
        removed: "{} is removed.", "{} ist entfernt.";
        failure: "The last attempt to read it failed: {}", "Der letzte Leseversuch schlug fehl: {}";
        meter: "Meter by day", "Zähler nach Tag";
        day: "Day", "Tag";
        difference: "Difference", "Differenz";
        to_decide: "To decide: one device or two?", "Zu entscheiden: ein Gerät oder zwei?";
        known_before: "Known before", "Schon bekannt";
        came_later: "Came later", "Kam dazu";
        same: "The same device", "Dasselbe Gerät";
        same_means: "The history of the one known before goes on with the readings of the other.",
            "Der Verlauf des schon bekannten geht mit den Ständen des anderen weiter.";
        another: "Two devices", "Zwei Geräte";
        another_means: "Both stay as they are, and nobody is asked again.",
            "Beide bleiben, wie sie sind, und es wird nicht mehr gefragt.";
        decided: "Decided.", "Entschieden.";
        decided_already: "That has been decided already.", "Das ist schon entschieden.";
        also_at: "Answers at {} too.", "Antwortet auch unter {}.";
        cost: "The last reading took {} packets and {} bytes.", "Die letzte Lesung brauchte {} Pakete und {} Byte.";
        log: "What happened", "Was geschah";
        when: "When", "Wann";
        what: "What", "Was";
        meter_backwards: "a new meter begins: it went backwards", "neuer Zähler: er lief rückwärts";
        meter_jumped: "a new meter begins: it jumped", "neuer Zähler: er machte einen Sprung";
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ListQuery {
    q: String,
    state: String,
    page: usize,
}

#[derive(Template)]
#[template(path = "devices.html")]
struct ListPage {
    t: &'static Texts,
    tiles: Vec<Tile>,
    q: String,
    state: String,
    rows: Vec<Row>,
    said: Vec<Said>,
    questions: Vec<QuestionView>,
    csrf: String,
    is_empty: bool,
    is_searching: bool,
    newer: Option<usize>,
    older: Option<usize>,
}

struct Tile {
    state: &'static str,
    label: &'static str,
    count: usize,
    is_current: bool,
}

struct Row {
    id: String,
    name: String,
    second: String,
    pill: StatusPill,
    strip: SupplyStrip,
    total: String,
    address: String,
    read: Ago,
    trouble: Option<String>,
}

pub(super) async fn list(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let lang = visit.lang();
    let t = Texts::of(lang);
    let lines = parts.ask(|store| store.devices()).await?;
    let count = |state: &str| lines.iter().filter(|line| state_of(line) == state).count();
    let tile = |state, label, count| Tile { state, label, count, is_current: query.state == state };
    let tiles = vec![
        tile("", t.all, lines.len()),
        tile("critical", t.critical, count("critical")),
        tile("warning", t.warning, count("warning")),
        tile("good", t.good, count("good")),
        tile("silent", t.silent, count("silent")),
    ];
    let is_empty = lines.is_empty();
    let wanted = query.q.to_lowercase();
    let fits = |line: &DeviceLine| {
        let texts = [&line.manufacturer, &line.model, &line.serial, &line.address, &line.location];
        (query.state.is_empty() || state_of(line) == query.state)
            && wanted.split_whitespace().all(|word| texts.iter().any(|text| text.to_lowercase().contains(word)))
    };
    let fitting: Vec<DeviceLine> = lines.into_iter().filter(fits).collect();
    let skipped = query.page.saturating_mul(PAGE);
    let older = (fitting.len() > skipped.saturating_add(PAGE)).then(|| query.page + 1);
    let shown: Vec<DeviceLine> = fitting.into_iter().skip(skipped).take(PAGE).collect();
    let ids: Vec<String> = shown.iter().map(|line| line.id.clone()).collect();
    let records = parts.ask(move |store| ids.iter().map(|id| store.record(id)).collect::<Result<Vec<_>, _>>()).await?;
    let rows = shown.into_iter().zip(records).map(|(line, record)| Row {
        name: record.as_ref().map_or_else(|| line.model.clone(), |record| device_name(lang, record)),
        second: [line.serial.as_str(), &line.location]
            .iter()
            .filter(|text| !text.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join(" · "),
        pill: StatusPill::of(lang, condition_of(&line.condition), line.silent_since.is_some()),
        strip: SupplyStrip::of(lang, record.and_then(|record| record.supplies).as_deref().unwrap_or_default()),
        total: line.total.map(|total| number(lang, total)).unwrap_or_default(),
        address: shown_address(&line.address),
        read: visit.viewer.ago(line.read_at),
        trouble: line
            .failure
            .as_deref()
            .map(|failure| notes::reason(lang, failure))
            .or_else(|| line.remarks.first().map(|remark| notes::remark(lang, remark))),
        id: line.id,
    });
    let questions = question_views(&visit, &parts, None).await?;
    let page = ListPage {
        t,
        tiles,
        said: parts.said_of_self(&visit).await?,
        questions,
        csrf: visit.csrf().to_owned(),
        rows: rows.collect(),
        is_empty,
        is_searching: parts.collector.activity().search.is_searching(),
        newer: query.page.checked_sub(1),
        older,
        q: query.q,
        state: query.state,
    };
    Ok(visit.live_page(t.devices, 5, &page))
}

/// The tile that a device belongs to.
fn state_of(line: &DeviceLine) -> &str {
    if line.silent_since.is_some() { "silent" } else { &line.condition }
}

fn condition_of(keyword: &str) -> Condition {
    [Condition::Good, Condition::Warning, Condition::Critical]
        .into_iter()
        .find(|condition| condition.keyword() == keyword)
        .unwrap_or(Condition::Unknown)
}

/// The address, without the port that every device has.
fn shown_address(address: &str) -> String {
    address.strip_suffix(":161").unwrap_or(address).to_owned()
}

/// All devices as CSV: the columns are documented in `docs/agent-csv.md`.
pub(super) async fn csv(_visit: Visit, Extension(parts): Extension<Parts>) -> Result<Response, Problem> {
    let lines = parts.ask(|store| store.devices()).await?;
    let text = csv_text(&lines).map_err(|error| Problem::internal(error.into()))?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"devices.csv\""),
    ];
    Ok((headers, text).into_response())
}

fn csv_text(lines: &[DeviceLine]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record([
        "id",
        "manufacturer",
        "model",
        "serial",
        "address",
        "location",
        "condition",
        "total",
        "lowest_supply_percent",
        "read_at",
        "silent_since",
    ])?;
    for line in lines {
        let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
        writer.write_record([
            unformula(&line.id),
            unformula(&line.manufacturer),
            unformula(&line.model),
            unformula(&line.serial),
            line.address.clone(),
            unformula(&line.location),
            line.condition.clone(),
            number(line.total),
            number(line.lowest_pct.map(u64::from)),
            format!("{:.0}", line.read_at),
            line.silent_since.map(|since| format!("{since:.0}")).unwrap_or_default(),
        ])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// A device's own text, so marked that no spreadsheet takes it for a formula.
fn unformula(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage {
    questions: Vec<QuestionView>,
    remarks: Vec<(&'static str, String, Option<Ago>)>,
    also_at: Option<String>,
    cost: String,
    events: Vec<(Ago, String)>,
    t: &'static Texts,
    csrf: String,
    id: String,
    head: DeviceHead,
    panels: DevicePanels,
    failure: Option<String>,
    meters: Vec<(String, String, String)>,
}

pub(super) async fn show(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let lang = visit.lang();
    let t = Texts::of(lang);
    let wanted = id.clone();
    let found = parts
        .ask(move |store| {
            let Some(line) = store.device(&wanted)? else { return Ok(None) };
            let Some(record) = store.record(&wanted)? else { return Ok(None) };
            let total = wire::device::total(record.counters.as_deref().unwrap_or_default()).map(CounterKey::of);
            let meters = total.map(|key| store.meters(&wanted, &key)).transpose()?.unwrap_or_default();
            let noted = store.notes(&record)?;
            Ok(Some((line, record, meters, store.events(&wanted, EVENTS)?, noted)))
        })
        .await?;
    let Some((line, record, meters, events, noted)) = found else { return Err(Problem::not_found()) };
    let questions = question_views(&visit, &parts, Some(&id)).await?;
    let page = DevicePage {
        t,
        questions,
        remarks: noted.remarks.iter().map(|remark| remark_view(&visit, remark)).collect(),
        also_at: Some(fill(t.also_at, &[&shown_address(&line.also_at)])).filter(|_| !line.also_at.is_empty()),
        cost: fill(t.cost, &[&number(lang, u64::from(line.packets)), &number(lang, line.octets)]),
        events: events.iter().map(|event| (visit.viewer.ago_and_when(event.at), notes::event(lang, event))).collect(),
        csrf: visit.csrf().to_owned(),
        id,
        head: DeviceHead::of(&record, &visit.viewer),
        panels: DevicePanels::of(&record, &visit.viewer).map_err(|error| Problem::internal(error.into()))?,
        failure: line.failure.map(|failure| fill(t.failure, &[&notes::reason(lang, &failure)])),
        meters: meter_rows(&visit, &meters),
    };
    Ok(visit.live_page(&device_name(lang, &record), 5, &page))
}

/// A remark as a note: its class, its words, and since when it holds.
fn remark_view(visit: &Visit, remark: &NotedRemark) -> (&'static str, String, Option<Ago>) {
    let class = if remark.is_trouble() { "note warning" } else { "note" };
    (class, notes::remark(visit.lang(), remark), remark.since.map(|since| visit.viewer.ago_and_when(since)))
}

/// A day of the meter: the value, and what was counted since the day before in the same epoch, or why that cannot be told.
fn meter_rows(visit: &Visit, meters: &[DailyMeter]) -> Vec<(String, String, String)> {
    let lang = visit.lang();
    let t = Texts::of(lang);
    let row = |(place, meter): (usize, &DailyMeter)| {
        let at = Timestamp::from_second(meter.day.saturating_mul(86_400)).unwrap_or(Timestamp::UNIX_EPOCH);
        let earlier = meters.get(..place).unwrap_or_default().iter().rev();
        let before = earlier.map(|other| &other.standing).find(|other| other.epoch == meter.standing.epoch);
        let step = before.and_then(|before| meter.standing.since(before));
        let words = match (step, meter.remark) {
            (Some(step), _) => format!("+{}", number(lang, step)),
            (None, Remark::Backwards) => t.meter_backwards.to_owned(),
            (None, Remark::Jumped) => t.meter_jumped.to_owned(),
            _ => String::new(),
        };
        (date(lang, &TimeZone::UTC, at), number(lang, meter.standing.value), words)
    };
    let rows: Vec<_> = meters.iter().enumerate().map(row).collect();
    rows.into_iter().rev().take(DAYS).collect()
}

/// A question about two devices, as it is shown.
struct QuestionView {
    row: i64,
    text: String,
    older: (String, String),
    newer: (String, String),
    since: Ago,
}

/// The questions that are open; of one device where it is given.
async fn question_views(visit: &Visit, parts: &Parts, of: Option<&str>) -> Result<Vec<QuestionView>, Problem> {
    let of = of.map(str::to_owned);
    let found = parts
        .ask(move |store| {
            let mut found = Vec::new();
            for question in store.questions()? {
                if of.as_ref().is_some_and(|of| *of != question.older && *of != question.newer) {
                    continue;
                }
                if let (Some(older), Some(newer)) = (store.device(&question.older)?, store.device(&question.newer)?) {
                    found.push((question, older, newer));
                }
            }
            Ok(found)
        })
        .await?;
    let view = |(question, older, newer): (OpenQuestion, DeviceLine, DeviceLine)| {
        let named = |line: &DeviceLine| {
            let total = line.total.map(|total| number(visit.lang(), total)).unwrap_or_default();
            let facts = [line.model.as_str(), &line.serial, &shown_address(&line.address), &total];
            facts.iter().filter(|fact| !fact.is_empty()).copied().collect::<Vec<_>>().join(" · ")
        };
        QuestionView {
            row: question.row,
            text: notes::doubt(visit.lang(), &DoubtKind::from_keyword(&question.doubt)),
            older: (older.id.clone(), named(&older)),
            newer: (newer.id.clone(), named(&newer)),
            since: visit.viewer.ago(question.asked_at),
        }
    };
    Ok(found.into_iter().map(view).collect())
}

/// A person says whether two devices are one.
pub(super) async fn decide(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    Path((row, choice)): Path<(i64, String)>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Result<Response, Problem> {
    let t = Texts::of(visit.lang());
    let by = visit.user().to_owned();
    let questions = parts.ask(|store| store.questions()).await?;
    let Some(question) = questions.into_iter().find(|question| question.row == row) else {
        return Ok(visit.go_to_with_notice("/", t.decided_already));
    };
    match choice.as_str() {
        "same" => {
            let pair = DeviceId::new(question.older.clone()).zip(DeviceId::new(question.newer));
            let Some((older, newer)) = pair else { return Err(Problem::not_found()) };
            log::info!(user = by; "two devices are decided to be one");
            if !parts.collector.order(Command::Unite(older, newer, by)) {
                return Ok(visit.go_to_with_notice("/", t.busy));
            }
        }
        "another" => {
            log::info!(user = by; "two devices are decided to be two");
            let at = Timestamp::now();
            parts.ask(move |store| store.keep_apart(row, &by, at)).await?;
        }
        _ => return Err(Problem::not_found()),
    }
    parts.uplink.wake();
    Ok(visit.go_to_with_notice(&path_of(&question.older), t.decided))
}

#[derive(Deserialize)]
pub(super) struct NoFields {}

pub(super) async fn poll(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    Path(id): Path<String>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Result<Response, Problem> {
    let t = Texts::of(visit.lang());
    let wanted = id.clone();
    let Some(line) = parts.ask(move |store| store.device(&wanted)).await? else { return Err(Problem::not_found()) };
    let is_ordered = match is_usb(&line.address) {
        // One that is ordered already will do.
        true => {
            parts.usb.hurry();
            true
        }
        false => parts.collector.order(Command::Poll(line.address)),
    };
    let notice = if is_ordered { t.poll_ordered } else { t.busy };
    Ok(visit.go_to_with_notice(&path_of(&id), notice))
}

pub(super) async fn remove(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    Path(id): Path<String>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Result<Response, Problem> {
    let t = Texts::of(visit.lang());
    let wanted = id.clone();
    let Some(line) = parts.ask(move |store| store.device(&wanted)).await? else { return Err(Problem::not_found()) };
    let Some(device) = DeviceId::new(line.id.clone()) else { return Err(Problem::not_found()) };
    if !parts.collector.order(Command::Forget(device)) {
        return Ok(visit.go_to_with_notice(&path_of(&id), t.busy));
    }
    // The collector does so once more, behind what waits to be written of it; but the list must not show it meanwhile.
    parts.ask(move |store| store.remove_device(&id)).await?;
    parts.uplink.wake();
    let name = if line.model.is_empty() { line.id } else { line.model };
    Ok(visit.go_to_with_notice("/", fill(t.removed, &[&name])))
}

/// The path of a device's page: the id may hold any printable character.
pub(super) fn path_of(id: &str) -> String {
    let encoded: String = id
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    format!("/device/{encoded}")
}

#[cfg(test)]
mod tests {
    use agent_core::localagent::conversation::Failure;
    use agent_core::reader::ReadError;
    use agent_core::snmp::session::Refusal;
    use agent_core::snmp::v3::Report;
    use webkit::text::Lang;

    use super::*;

    #[test]
    fn a_device_cannot_smuggle_a_formula_into_a_spreadsheet() {
        assert_eq!(unformula("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(unformula("ECOSYS"), "ECOSYS");
    }

    #[test]
    fn why_a_device_was_not_read_is_said_in_german() {
        let refused = [
            Refusal::UnknownUser,
            Refusal::WrongDigest,
            Refusal::Decryption,
            Refusal::SecurityLevel,
            Refusal::TimeWindow,
            Refusal::BootsExhausted,
            Refusal::EngineId,
            Refusal::NotAuthorized,
            Refusal::Silent,
            Refusal::SilentWithPrivacy,
            Refusal::Other(Report::UnknownContexts),
        ];
        let over_network = [
            ReadError::NoAnswer,
            ReadError::Endless,
            ReadError::Garbled("x".to_owned()),
            ReadError::NoConnection("x".to_owned()),
        ];
        let over_network =
            over_network.into_iter().chain(refused.map(ReadError::Refused)).map(|error| error.to_string());
        let through_bridges =
            [Failure::NoPrinter(vec![9418]), Failure::Refused("busy".to_owned()), Failure::Silent, Failure::Closed];
        for error in over_network.chain(through_bridges.map(|failure| failure.to_string())) {
            let german = notes::reason(Lang::De, &error);
            assert!(!german.contains("the ") && german != error, "{error}: {german}");
        }
        for (error, german) in [
            (ReadError::Stopped { answered: 17 }.to_string(), "es antwortet nicht mehr, nach 17 Antworten"),
            (Failure::Refused("busy".to_owned()).to_string(), "die Brücke zum USB-Drucker lehnte ab (busy)"),
        ] {
            assert_eq!(notes::reason(Lang::De, &error), german);
        }
    }

    #[test]
    fn paths_bear_every_id() {
        assert_eq!(path_of("1347:AB/1?x"), "/device/1347%3AAB%2F1%3Fx");
    }
}
