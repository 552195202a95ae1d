//! One device: what it says now, what its counters were, what alerts it had.

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    response::Response,
    routing::get,
};
use manager_core::{access::DeviceRow, summary::agent_is_silent};
use manager_store::{
    fleet::Device,
    history::{AlertHistoryLine, CounterHistoryLine},
    identity::OTHER_AGENT,
    questions::METER_PART,
};
use serde::Deserialize;
use webkit::{
    device_view::{DeviceHead, DevicePanels, StatusPill, device_name, severity_class},
    moment::{Ago, Viewer},
    notes,
    page::Problem,
    site::Visit,
    text::{fill, number},
    words,
};
use wire::{
    device::total,
    meter::{CounterKey, Remark},
    notes::{Event, Remark as NotedRemark},
    vocab::{AlertGroup, AlertSeverity, DetectedError},
};

use super::{
    Desk,
    chart::{self, Point},
    csv,
    questions::PairView,
    texts::Texts,
};

/// How often an open page is refreshed.
const LIVE_SECONDS: u32 = 15;
/// Readings in the chart.
const MOST_POINTS: u32 = 2000;
/// Readings in the table.
const MOST_ROWS: usize = 15;
/// Alerts in the table.
const MOST_ALERTS: u32 = 50;
/// Events in the log.
const MOST_EVENTS: u32 = 50;
/// Readings in one export.
const MOST_EXPORTED: u32 = 500_000;

pub fn routes() -> Router<Desk> {
    Router::new().route("/devices/{id}", get(show)).route("/devices/{id}/counters.csv", get(export))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    /// Key of the counter whose history is shown; the total without one.
    counter: String,
}

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage {
    t: &'static Texts,
    device: Device,
    head: DeviceHead,
    panels: DevicePanels,
    removed: Option<String>,
    agent_is_silent: bool,
    first_seen: Ago,
    csrf: String,
    remarks: Vec<(&'static str, String, Option<Ago>)>,
    pairs: Vec<PairView>,
    events: Vec<(Ago, String)>,
    meters: Vec<(String, String, bool)>,
    chart: Option<(String, String)>,
    chart_label: String,
    readings: Vec<ReadingRow>,
    alerts: Vec<AlertRow>,
}

struct ReadingRow {
    at: Ago,
    value: String,
    change: String,
    remark: &'static str,
    is_break: bool,
}

struct AlertRow {
    text: String,
    part: String,
    pill: StatusPill,
    opened: Ago,
    closed: Option<Ago>,
}

async fn show(
    visit: Visit,
    State(desk): State<Desk>,
    Path(id): Path<i64>,
    Query(choice): Query<Choice>,
) -> Result<Response, Problem> {
    let id = DeviceRow(id);
    let (device, meter, history, alerts, pairs, events) = desk
        .ask(&visit, move |store, scope| {
            let device = store.device(scope, id)?;
            let meter = chosen_meter(&device, &choice.counter);
            let history = match &meter {
                Some(meter) => store.counter_history(scope, id, Some(meter), MOST_POINTS)?,
                None => Vec::new(),
            };
            let alerts = store.alert_history(scope, id, MOST_ALERTS)?;
            let pairs = store.identity_questions(scope, Some(id))?;
            Ok((device, meter, history, alerts, pairs, store.device_events(scope, id, MOST_EVENTS)?))
        })
        .await?;
    let viewer = &visit.viewer;
    let t = Texts::of(viewer.lang);
    let panels = DevicePanels::of(&device.record, viewer).map_err(|error| Problem::internal(error.into()))?;
    let title = device_name(viewer.lang, &device.record);
    let page = DevicePage {
        t,
        head: DeviceHead::of(&device.record, viewer),
        panels,
        removed: device.removed_at.map(|since| fill(t.removed, &[&viewer.when(since)])),
        agent_is_silent: agent_is_silent(device.last_report_at, viewer.now),
        first_seen: viewer.ago(device.first_seen_at),
        csrf: visit.csrf().to_owned(),
        remarks: remark_views(viewer, &device),
        pairs: pairs.into_iter().map(|question| PairView::of(question, viewer)).collect(),
        events: events.iter().map(|event| (viewer.ago_and_when(event.at), event_words(viewer, event))).collect(),
        meters: meters(viewer, &device, meter.as_ref()),
        chart: charts(viewer, &history)?,
        chart_label: t.history.to_owned(),
        readings: reading_rows(viewer, &history),
        alerts: alerts.iter().map(|alert| AlertRow::of(viewer, alert)).collect(),
        device,
    };
    Ok(visit.live_page(&title, LIVE_SECONDS, &page))
}

/// What the agent notes about the device: class, words, and since when it holds.
fn remark_views(viewer: &Viewer, device: &Device) -> Vec<(&'static str, String, Option<Ago>)> {
    let remarks = device.record.notes.iter().flat_map(|notes| &notes.remarks);
    let view = |remark: &NotedRemark| {
        let class = if remark.is_trouble() { "note warning" } else { "note" };
        (class, notes::remark(viewer.lang, remark), remark.since.map(|since| viewer.ago_and_when(since)))
    };
    remarks.map(view).collect()
}

fn event_words(viewer: &Viewer, event: &Event) -> String {
    match event.kind.keyword() {
        OTHER_AGENT => fill(Texts::of(viewer.lang).other_agent, &[&event.after, &event.before]),
        _ => notes::event(viewer.lang, event),
    }
}

/// The counter that was asked for, if the device has it; else the total; else the first.
fn chosen_meter(device: &Device, wanted: &str) -> Option<CounterKey> {
    let counters = device.record.counters.as_deref().unwrap_or_default();
    let keys = || counters.iter().map(CounterKey::of);
    keys().find(|key| key.as_str() == wanted).or_else(|| total(counters).map(CounterKey::of)).or_else(|| keys().next())
}

fn meters(viewer: &Viewer, device: &Device, chosen: Option<&CounterKey>) -> Vec<(String, String, bool)> {
    let counters = device.record.counters.as_deref().unwrap_or_default();
    let meter = |counter| {
        let key = CounterKey::of(counter);
        let is_chosen = chosen == Some(&key);
        (key.to_string(), words::counter_name(viewer.lang, counter), is_chosen)
    };
    counters.iter().map(meter).collect()
}

/// The chart twice: for a wide page and for a phone, where one text size does not serve both.
fn charts(viewer: &Viewer, history: &[CounterHistoryLine]) -> Result<Option<(String, String)>, Problem> {
    let sound = history.iter().rev().filter(|line| line.remark != Remark::Doubtful);
    let points: Vec<Point> =
        sound.map(|line| Point { at: line.read_at, value: line.standing().whole(), epoch: line.epoch }).collect();
    let wide = chart::draw(&points, (1100, 260), viewer.lang, &viewer.zone)?;
    let narrow = chart::draw(&points, (380, 240), viewer.lang, &viewer.zone)?;
    Ok(wide.zip(narrow))
}

fn reading_rows(viewer: &Viewer, history: &[CounterHistoryLine]) -> Vec<ReadingRow> {
    let t = Texts::of(viewer.lang);
    let row = |(place, line): (usize, &CounterHistoryLine)| {
        let older = history.get(place + 1..).unwrap_or_default();
        let before = older.iter().find(|other| other.remark != Remark::Doubtful && other.epoch == line.epoch);
        let change = before
            .filter(|_| line.remark != Remark::Doubtful)
            .and_then(|before| line.standing().since(&before.standing()));
        ReadingRow {
            at: viewer.ago_and_when(line.read_at),
            value: number(viewer.lang, line.value),
            change: change.map(|change| format!("+{}", number(viewer.lang, change))).unwrap_or_default(),
            remark: match line.remark {
                Remark::Plain => "",
                Remark::Backwards => t.remark_backwards,
                Remark::Jumped => t.remark_jumped,
                Remark::Wrapped => t.remark_wrapped,
                Remark::Returned => t.remark_returned,
                Remark::Restarted => t.remark_restarted,
                Remark::Doubtful => t.remark_doubtful,
                Remark::Decided => t.remark_decided,
            },
            is_break: line.remark.is_break(),
        }
    };
    history.iter().enumerate().take(MOST_ROWS).map(row).collect()
}

impl AlertRow {
    fn of(viewer: &Viewer, alert: &AlertHistoryLine) -> Self {
        let lang = viewer.lang;
        let (text, part) = match alert.key.group.as_str() {
            "detectedError" => {
                let error = DetectedError::from_keyword(&alert.key.description);
                (words::detected_error(lang, &error).into_owned(), String::new())
            }
            METER_PART => {
                let t = Texts::of(lang);
                let jumped = Remark::from_keyword(&alert.key.description) == Remark::Jumped;
                (if jumped { t.meter_jumped } else { t.meter_backwards }.to_owned(), t.meters.to_owned())
            }
            group => {
                let part = words::alert_group(lang, &AlertGroup::from_keyword(group)).into_owned();
                let text = Some(alert.key.description.clone()).filter(|text| !text.trim().is_empty());
                (text.unwrap_or_else(|| part.clone()), part)
            }
        };
        let t = Texts::of(lang);
        let class = severity_class(&AlertSeverity::from_keyword(&alert.severity));
        let word = match class {
            "critical" => t.alert_critical,
            "warning" => t.warning,
            _ => t.alert,
        };
        Self {
            text,
            part,
            pill: StatusPill::custom(class, word),
            opened: viewer.ago_and_when(alert.opened_at),
            closed: alert.closed_at.map(|closed| viewer.ago_and_when(closed)),
        }
    }
}

async fn export(visit: Visit, State(desk): State<Desk>, Path(id): Path<i64>) -> Result<Response, Problem> {
    let id = DeviceRow(id);
    let (device, lines) = desk
        .ask(&visit, move |store, scope| {
            Ok((store.device(scope, id)?, store.counter_history(scope, id, None, MOST_EXPORTED)?))
        })
        .await?;
    let identity = device.record.identity.unwrap_or_default();
    let (serial, model) = (identity.serial.unwrap_or_default(), identity.model.unwrap_or_default());
    let mut table = csv::Table::new(&[
        "device_id",
        "serial",
        "model",
        "read_at",
        "counter",
        "value",
        "unit",
        "meter_epoch",
        "remark",
        "source",
    ])?;
    for line in lines {
        table.row([
            id.0.to_string(),
            serial.clone(),
            model.clone(),
            csv::time(line.read_at),
            line.name,
            line.value.to_string(),
            line.unit,
            line.epoch.to_string(),
            line.remark.keyword().to_owned(),
            line.source,
        ])?;
    }
    table.download(&format!("counters-{}.csv", id.0))
}
