//! The fleet: all devices with search, filters, order and export.

use askama::Template;
use axum::{
    Router,
    extract::{Query, State},
    response::Response,
    routing::get,
};
use jiff::Timestamp;
use manager_core::{
    access::{CustomerId, SiteId},
    summary::agent_is_silent,
};
use manager_store::{
    fleet::{DeviceFilter, FleetLine, FleetOrder, FleetQuery},
    places::{Agent, DeviceCounts},
};
use serde::Deserialize;
use webkit::{
    device_view::{StatusPill, StripSupply, SupplyStrip},
    moment::{Ago, Viewer},
    notes,
    page::Problem,
    site::Visit,
    text::{Lang, fill, number},
};
use wire::{device::Condition, message::AgentId};

use super::{Desk, csv, texts::Texts};

/// Devices on one page.
const PER_PAGE: u32 = 100;
/// Devices in one export.
const MOST_EXPORTED: u32 = 100_000;
/// How often an open page is refreshed.
const LIVE_SECONDS: u32 = 15;

pub fn routes() -> Router<Desk> {
    Router::new().route("/", get(show)).route("/devices.csv", get(export))
}

/// What the address of the page says. All of it is optional, and nonsense in it is as good as nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Choice {
    q: String,
    state: String,
    customer: String,
    site: String,
    agent: String,
    order: String,
    dir: String,
    page: String,
}

/// Words of the address for the columns that the list can be ordered by.
const ORDERS: [(&str, FleetOrder); 8] = [
    ("urgency", FleetOrder::Urgency),
    ("customer", FleetOrder::Customer),
    ("model", FleetOrder::Model),
    ("serial", FleetOrder::Serial),
    ("address", FleetOrder::Address),
    ("supplies", FleetOrder::Supplies),
    ("total", FleetOrder::Total),
    ("read", FleetOrder::ReadAt),
];

impl Choice {
    fn query(&self) -> FleetQuery {
        let state = match self.state.as_str() {
            "critical" => Some(DeviceFilter::Condition(Condition::Critical)),
            "warning" => Some(DeviceFilter::Condition(Condition::Warning)),
            "good" => Some(DeviceFilter::Condition(Condition::Good)),
            "unknown" => Some(DeviceFilter::Condition(Condition::Unknown)),
            "silent" => Some(DeviceFilter::Silent),
            _ => None,
        };
        FleetQuery {
            search: self.q.clone(),
            state,
            customer: self.customer.parse().ok().map(CustomerId),
            site: self.site.parse().ok().map(SiteId),
            agent: AgentId::parse(&self.agent),
            order: self.order(),
            is_descending: self.dir == "desc",
        }
    }

    fn order(&self) -> FleetOrder {
        ORDERS.iter().find(|(word, _)| *word == self.order).map_or(FleetOrder::Urgency, |(_, order)| *order)
    }

    fn page(&self) -> u32 {
        self.page.parse().unwrap_or(1).clamp(1, 10_000)
    }

    /// Whether devices are left out.
    fn is_narrowed(&self) -> bool {
        let query = self.query();
        !self.q.trim().is_empty()
            || query.state.is_some()
            || query.customer.is_some()
            || query.site.is_some()
            || query.agent.is_some()
    }

    /// The address of `path` with this choice, parts of it replaced. Which page one was on is forgotten.
    fn link(&self, path: &str, replaced: &[(&str, &str)]) -> String {
        let known = [
            ("q", self.q.as_str()),
            ("state", &self.state),
            ("customer", &self.customer),
            ("site", &self.site),
            ("agent", &self.agent),
            ("order", &self.order),
            ("dir", &self.dir),
        ];
        let kept = known.into_iter().filter(|(name, _)| !replaced.iter().any(|(other, _)| other == name));
        let pairs: Vec<_> = kept.chain(replaced.iter().copied()).filter(|(_, value)| !value.is_empty()).collect();
        let query = serde_urlencoded::to_string(pairs).unwrap_or_default();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

#[derive(Template)]
#[template(path = "fleet.html")]
struct FleetPage<'a> {
    t: &'static Texts,
    choice: &'a Choice,
    tiles: Vec<Tile>,
    customers: Vec<(String, String, bool)>,
    columns: Vec<Column>,
    lines: Vec<Line>,
    notice: Option<String>,
    /// How many questions wait for a person.
    questions: Option<String>,
    csv: String,
    pages: Option<(String, Option<String>, Option<String>)>,
}

#[derive(Template)]
#[template(path = "fleet_empty.html")]
struct EmptyFleet {
    t: &'static Texts,
    has_agents: bool,
}

/// A figure above the list, which also filters it.
struct Tile {
    href: String,
    class: &'static str,
    label: &'static str,
    count: String,
    is_current: bool,
}

/// A head of a column that orders the list.
struct Column {
    label: &'static str,
    class: &'static str,
    href: String,
    sort: Option<&'static str>,
    /// A second order for the same column.
    beside: Option<(&'static str, String)>,
}

/// A device in the list.
pub struct Line {
    id: i64,
    name: String,
    place: String,
    /// What its agent notes about it that is wrong.
    trouble: Option<String>,
    serial: String,
    address: String,
    customer: i64,
    customer_name: String,
    site: i64,
    site_name: String,
    pill: StatusPill,
    strip: SupplyStrip,
    total: String,
    read: Ago,
}

async fn show(visit: Visit, State(desk): State<Desk>, Query(choice): Query<Choice>) -> Result<Response, Problem> {
    let query = choice.query();
    let offset = (choice.page() - 1) * PER_PAGE;
    let now = visit.viewer.now;
    let (lines, counts, customers, agents, open) = desk
        .ask(&visit, move |store, scope| {
            Ok((
                store.devices(scope, &query, PER_PAGE, offset)?,
                store.device_counts(scope, &query)?,
                store.customers(scope)?,
                store.agents(scope)?,
                store.identity_questions(scope, None)?.len() + store.meter_questions(scope)?.len(),
            ))
        })
        .await?;
    let lang = visit.lang();
    let t = Texts::of(lang);
    if counts.all == 0 && !choice.is_narrowed() {
        return Ok(visit.live_page(t.fleet, LIVE_SECONDS, &EmptyFleet { t, has_agents: !agents.is_empty() }));
    }
    let is_missed = |agent: &&Agent| agent.replaced_by.is_none() && agent_is_silent(agent.last_report_at, now);
    let silent = agents.iter().filter(is_missed).count();
    let shown = shown_count(&choice, &counts);
    let customer_options = customers.into_iter().map(|customer| {
        let id = customer.id.0.to_string();
        let is_chosen = id == choice.customer;
        (id, customer.name, is_chosen)
    });
    let page = FleetPage {
        t,
        choice: &choice,
        tiles: tiles(lang, &choice, &counts),
        customers: customer_options.collect(),
        columns: columns(t, &choice),
        lines: lines.iter().map(|line| Line::of(line, &visit.viewer)).collect(),
        notice: (silent > 0).then(|| fill(t.silent_agents, &[&silent, &agents.len()])),
        questions: (open > 0).then(|| fill(t.open_questions, &[&open])),
        csv: choice.link("/devices.csv", &[]),
        pages: pages(t, &choice, shown),
    };
    Ok(visit.live_page(t.fleet, LIVE_SECONDS, &page))
}

impl Line {
    /// A line as it is shown.
    pub fn of(line: &FleetLine, viewer: &Viewer) -> Self {
        let summary = &line.summary;
        let marks: Vec<StripSupply> = summary
            .inks
            .iter()
            .map(|ink| StripSupply { color: ink.color.clone(), level: ink.level, percent: ink.percent })
            .collect();
        let name = match (summary.manufacturer.as_str(), summary.model.as_str()) {
            ("", "") => [&summary.host_name, &summary.address].into_iter().find(|text| !text.is_empty()).cloned(),
            (maker, model) if model.to_lowercase().starts_with(&maker.to_lowercase()) => Some(model.to_owned()),
            (maker, model) => Some(format!("{maker} {model}").trim().to_owned()),
        };
        Self {
            id: line.device.0,
            name: name.unwrap_or_else(|| line.key.clone()),
            place: summary.location.clone(),
            trouble: line.trouble.as_ref().map(|remark| notes::remark(viewer.lang, remark)),
            serial: summary.serial.clone(),
            address: summary.address.clone(),
            customer: line.customer.0,
            customer_name: line.customer_name.clone(),
            site: line.site.0,
            site_name: line.site_name.clone(),
            pill: StatusPill::of(viewer.lang, summary.condition, summary.silent_since.is_some()),
            strip: SupplyStrip::of_marks(viewer.lang, &marks),
            total: summary.total.map(|total| number(viewer.lang, total)).unwrap_or_default(),
            read: viewer.ago(summary.read_at),
        }
    }
}

fn tiles(lang: Lang, choice: &Choice, counts: &DeviceCounts) -> Vec<Tile> {
    let t = Texts::of(lang);
    let all = [
        ("", t.all, counts.all),
        ("critical", t.critical, counts.critical),
        ("warning", t.warning, counts.warning),
        ("good", t.good, counts.good),
        ("silent", t.silent, counts.silent),
        ("unknown", t.unknown, counts.unknown),
    ];
    // Unknown and silent are rare; a nought there only takes room.
    let worth = |(state, _, count): &(&str, &str, u32)| {
        *count > 0 || !matches!(*state, "unknown" | "silent") || choice.state == *state
    };
    let tile = |(state, label, count): (&'static str, &'static str, u32)| Tile {
        href: choice.link("/", &[("state", state)]),
        class: if count > 0 { state } else { "" },
        label,
        count: number(lang, count),
        is_current: choice.state == state,
    };
    all.into_iter().filter(worth).map(tile).collect()
}

fn shown_count(choice: &Choice, counts: &DeviceCounts) -> u32 {
    match choice.query().state {
        None => counts.all,
        Some(DeviceFilter::Silent) => counts.silent,
        Some(DeviceFilter::Condition(Condition::Critical)) => counts.critical,
        Some(DeviceFilter::Condition(Condition::Warning)) => counts.warning,
        Some(DeviceFilter::Condition(Condition::Good)) => counts.good,
        Some(DeviceFilter::Condition(Condition::Unknown)) => counts.unknown,
    }
}

fn columns(t: &'static Texts, choice: &Choice) -> Vec<Column> {
    let heads = [
        ("model", t.device, ""),
        ("urgency", t.status, ""),
        ("supplies", t.supplies, ""),
        ("total", t.total, "number"),
        ("customer", t.customer, ""),
        ("serial", t.serial, ""),
        ("read", t.read, ""),
    ];
    let chosen = ORDERS.iter().find(|(_, order)| *order == choice.order()).map_or("urgency", |(word, _)| *word);
    let is_descending = choice.dir == "desc";
    let column = |(word, label, class): (&'static str, &'static str, &'static str)| {
        let turn = |word| if word == chosen && !is_descending { "desc" } else { "" };
        let href = |word| choice.link("/", &[("order", word), ("dir", turn(word))]);
        let is_chosen = word == chosen || (word == "serial" && chosen == "address");
        let sort = is_chosen.then_some(if is_descending { "descending" } else { "ascending" });
        let beside = (word == "serial").then(|| (t.address, href("address")));
        Column { label, class, href: href(word), sort, beside }
    };
    heads.into_iter().map(column).collect()
}

fn pages(t: &Texts, choice: &Choice, shown: u32) -> Option<(String, Option<String>, Option<String>)> {
    let (page, last) = (choice.page(), shown.div_ceil(PER_PAGE).max(1));
    let link = |page: u32| choice.link("/", &[("page", &page.to_string())]);
    (last > 1 || page > 1).then(|| {
        let back = (page > 1).then(|| link((page - 1).min(last)));
        (fill(t.page_of, &[&page, &last]), back, (page < last).then(|| link(page + 1)))
    })
}

async fn export(visit: Visit, State(desk): State<Desk>, Query(choice): Query<Choice>) -> Result<Response, Problem> {
    let query = choice.query();
    let lines = desk.ask(&visit, move |store, scope| store.devices(scope, &query, MOST_EXPORTED, 0)).await?;
    let mut table = csv::Table::new(&[
        "device_id",
        "customer",
        "site",
        "agent",
        "manufacturer",
        "model",
        "serial",
        "address",
        "host_name",
        "mac",
        "location",
        "firmware",
        "condition",
        "read_at",
        "silent_since",
        "total",
        "lowest_supply_percent",
    ])?;
    for line in lines {
        let summary = line.summary;
        table.row([
            line.device.0.to_string(),
            line.customer_name,
            line.site_name,
            line.agent_name,
            summary.manufacturer,
            summary.model,
            summary.serial,
            summary.address,
            summary.host_name,
            summary.mac,
            summary.location,
            summary.firmware,
            summary.condition.keyword().to_owned(),
            csv::time(summary.read_at),
            summary.silent_since.map(csv::time).unwrap_or_default(),
            summary.total.map(|total| total.to_string()).unwrap_or_default(),
            summary.lowest_percent.map(|percent| percent.to_string()).unwrap_or_default(),
        ])?;
    }
    table.download(&format!("devices-{}.csv", Timestamp::now().strftime("%Y-%m-%d")))
}
