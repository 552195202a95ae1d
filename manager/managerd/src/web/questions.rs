//! Meter questions: what a person has to decide before it is billed.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};
use manager_store::questions::MeterQuestion;
use serde::Deserialize;
use webkit::{
    form::CheckedForm,
    moment::{Ago, Viewer},
    page::Problem,
    site::Visit,
    text::{fill, number},
};
use wire::meter::Remark;

use super::{Desk, texts::Texts};

/// How often an open page is refreshed.
const LIVE_SECONDS: u32 = 15;

pub fn routes() -> Router<Desk> {
    Router::new().route("/meters", get(show)).route("/meters/{id}/{choice}", post(decide))
}

#[derive(Template)]
#[template(path = "meters.html")]
struct MetersPage {
    t: &'static Texts,
    csrf: String,
    questions: Vec<QuestionView>,
}

struct QuestionView {
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

impl QuestionView {
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
    let questions = desk.ask(&visit, |store, scope| store.meter_questions(scope)).await?;
    let t = Texts::of(visit.lang());
    let questions = questions.into_iter().map(|question| QuestionView::of(question, &visit.viewer)).collect();
    Ok(visit.live_page(t.meters, LIVE_SECONDS, &MetersPage { t, csrf: visit.csrf().to_owned(), questions }))
}

#[derive(Deserialize)]
struct NoFields {}

async fn decide(
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
    Ok(visit.go_to_with_notice("/meters", if decided { t.decided } else { t.decided_already }))
}
