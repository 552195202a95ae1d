//! What a person has to decide: whether two devices are one, and what is billed where a meter broke.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};
use manager_store::{
    identity::{IdentityQuestion, Party},
    questions::MeterQuestion,
};
use serde::Deserialize;
use webkit::{
    form::CheckedForm,
    moment::{Ago, Viewer},
    notes,
    page::Problem,
    site::Visit,
    text::{fill, number},
};
use wire::meter::Remark;

use super::{Desk, texts::Texts};

/// How often an open page is refreshed.
const LIVE_SECONDS: u32 = 15;

pub fn routes() -> Router<Desk> {
    Router::new()
        .route("/questions", get(show))
        .route("/questions/meters/{id}/{choice}", post(decide_meter))
        .route("/questions/devices/{id}/{choice}", post(decide_device))
}

#[derive(Template)]
#[template(path = "questions.html")]
struct QuestionsPage {
    t: &'static Texts,
    csrf: String,
    pairs: Vec<PairView>,
    questions: Vec<MeterView>,
}

/// A question about two devices, as it is shown.
pub(super) struct PairView {
    pub(super) id: i64,
    pub(super) customer: String,
    pub(super) doubt: String,
    pub(super) since: Ago,
    pub(super) older: PartyView,
    pub(super) newer: PartyView,
}

pub(super) struct PartyView {
    pub(super) device: i64,
    pub(super) name: String,
    pub(super) serial: String,
    pub(super) mac: String,
    pub(super) address: String,
    pub(super) total: String,
    pub(super) read: Ago,
    pub(super) place: String,
}

impl PairView {
    pub(super) fn of(question: IdentityQuestion, viewer: &Viewer) -> Self {
        let party = |party: Party| PartyView {
            device: party.device.0,
            name: party.name,
            serial: party.serial,
            mac: party.mac,
            address: party.address,
            total: party.total.map(|total| number(viewer.lang, total)).unwrap_or_default(),
            read: viewer.ago(party.read_at),
            place: format!("{} · {}", party.site_name, party.agent_name),
        };
        Self {
            id: question.id,
            customer: question.customer_name,
            doubt: notes::doubt(viewer.lang, &question.doubt),
            since: viewer.ago_and_when(question.asked_at),
            older: party(question.older),
            newer: party(question.newer),
        }
    }

    /// Both, each with what it is in the question.
    pub(super) fn parties(&self, t: &'static Texts) -> [(&'static str, &PartyView); 2] {
        [(t.known_before, &self.older), (t.came_later, &self.newer)]
    }
}

struct MeterView {
    id: i64,
    device: i64,
    name: String,
    serial: String,
    customer: String,
    at: Ago,
    what: &'static str,
    bill: String,
    meters: Vec<(String, String, String)>,
}

impl MeterView {
    fn of(question: MeterQuestion, viewer: &Viewer) -> Self {
        let t = Texts::of(viewer.lang);
        let jumped = question.remark == Remark::Jumped;
        let what = match (jumped, question.is_whole) {
            (true, _) => t.meter_jumped,
            (false, true) => t.meter_board,
            (false, false) => t.meter_backwards,
        };
        let total = question.meters.first();
        let amount =
            total.map(|(_, before, after)| if jumped { after - before.unwrap_or(0).min(*after) } else { *after });
        let amount = number(viewer.lang, amount.unwrap_or_default());
        let meters = question.meters.into_iter().map(|(name, before, after)| {
            let before = before.map(|before| number(viewer.lang, before)).unwrap_or_default();
            (name, before, number(viewer.lang, after))
        });
        Self {
            id: question.id,
            device: question.device.0,
            name: question.name,
            serial: question.serial,
            customer: question.customer_name,
            at: viewer.ago_and_when(question.read_at),
            what,
            bill: fill(if jumped { t.bill_jump } else { t.bill_new }, &[&amount]),
            meters: meters.collect(),
        }
    }
}

async fn show(visit: Visit, State(desk): State<Desk>) -> Result<Response, Problem> {
    let (pairs, questions) = desk
        .ask(&visit, |store, scope| Ok((store.identity_questions(scope, None)?, store.meter_questions(scope)?)))
        .await?;
    let t = Texts::of(visit.lang());
    let page = QuestionsPage {
        t,
        csrf: visit.csrf().to_owned(),
        pairs: pairs.into_iter().map(|question| PairView::of(question, &visit.viewer)).collect(),
        questions: questions.into_iter().map(|question| MeterView::of(question, &visit.viewer)).collect(),
    };
    Ok(visit.live_page(t.to_decide, LIVE_SECONDS, &page))
}

async fn decide_device(
    visit: Visit,
    State(desk): State<Desk>,
    Path((id, choice)): Path<(i64, String)>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Result<Response, Problem> {
    let same = match choice.as_str() {
        "same" => true,
        "another" => false,
        _ => return Err(Problem::not_found()),
    };
    let now = visit.viewer.now;
    let device = desk.ask(&visit, move |store, scope| store.decide_identity(scope, id, same, now)).await?;
    let t = Texts::of(visit.lang());
    Ok(match device {
        Some(device) => visit.go_to_with_notice(&format!("/devices/{}", device.0), t.decided),
        None => visit.go_to_with_notice("/questions", t.decided_already),
    })
}

#[derive(Deserialize)]
struct NoFields {}

async fn decide_meter(
    visit: Visit,
    State(desk): State<Desk>,
    Path((id, choice)): Path<(i64, String)>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Result<Response, Problem> {
    let bill = match choice.as_str() {
        "bill" => true,
        "leave" => false,
        _ => return Err(Problem::not_found()),
    };
    let now = visit.viewer.now;
    let decided = desk.ask(&visit, move |store, scope| store.decide_meter(scope, id, bill, now)).await?;
    let t = Texts::of(visit.lang());
    Ok(visit.go_to_with_notice("/questions", if decided { t.decided } else { t.decided_already }))
}
