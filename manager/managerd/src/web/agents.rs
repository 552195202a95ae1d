//! The agents: who reports, since when no longer, with which version.

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use manager_core::summary::agent_is_silent;
use manager_store::places::Agent;
use webkit::{
    device_view::StatusPill,
    moment::{Ago, Viewer},
    notes,
    page::Problem,
    site::Visit,
    text::fill,
};

use super::{Desk, texts::Texts};

/// How often an open page is refreshed.
const LIVE_SECONDS: u32 = 15;

pub fn routes() -> Router<Desk> {
    Router::new().route("/agents", get(show))
}

#[derive(Template)]
#[template(path = "agents.html")]
struct AgentsPage {
    t: &'static Texts,
    lines: Vec<AgentLine>,
}

/// An agent in a list.
pub struct AgentLine {
    /// Its lasting name.
    pub id: String,
    /// Host name.
    pub name: String,
    /// How it is.
    pub pill: StatusPill,
    /// What it says of itself, and since when.
    pub remarks: Vec<(String, Option<Ago>)>,
    /// Which agent has taken its place.
    pub replaced: Option<String>,
    /// When it last reported.
    pub last_report: Option<Ago>,
    /// Its software.
    pub software: String,
    /// How many devices it watches.
    pub devices: u32,
    /// Where it stands.
    pub customer: (i64, String),
    /// Where it stands.
    pub site: (i64, String),
    /// When it was enrolled.
    pub enrolled: Ago,
}

impl AgentLine {
    /// A line as it is shown.
    pub fn of(agent: Agent, viewer: &Viewer) -> Self {
        let t = Texts::of(viewer.lang);
        let pill = match agent.last_report_at {
            _ if agent.replaced_by.is_some() => StatusPill::custom("unknown", t.agent_replaced),
            None => StatusPill::custom("unknown", t.agent_waiting),
            last if agent_is_silent(last, viewer.now) => StatusPill::custom("critical", t.agent_silent),
            Some(_) => StatusPill::custom("good", t.reporting),
        };
        Self {
            id: agent.id.to_string(),
            name: agent.name,
            pill,
            remarks: agent
                .remarks
                .iter()
                .map(|remark| {
                    (notes::remark(viewer.lang, remark), remark.since.map(|since| viewer.ago_and_when(since)))
                })
                .collect(),
            replaced: agent.replaced_by.map(|name| fill(t.replaced, &[&name])),
            last_report: agent.last_report_at.map(|last| viewer.ago_and_when(last)),
            software: agent.software,
            devices: agent.devices.all,
            customer: (agent.customer.0, agent.customer_name),
            site: (agent.site.0, agent.site_name),
            enrolled: viewer.ago(agent.registered_at),
        }
    }
}

async fn show(visit: Visit, State(desk): State<Desk>) -> Result<Response, Problem> {
    let agents = desk.ask(&visit, |store, scope| store.agents(scope)).await?;
    let t = Texts::of(visit.lang());
    let lines = agents.into_iter().map(|agent| AgentLine::of(agent, &visit.viewer)).collect();
    Ok(visit.live_page(t.agents, LIVE_SECONDS, &AgentsPage { t, lines }))
}
