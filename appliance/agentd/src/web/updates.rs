//! Updates: what runs, what became of the last one, bringing another.

use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::Multipart;
use axum::extract::multipart::Field;
use axum::http::StatusCode;
use axum::response::Response;
use boxcore::request::{Request, Status};
use boxcore::update::{Stage, Wish};
use serde::Deserialize;
use tokio::time::timeout;
use webkit::device_view::StatusPill;
use webkit::form::{CheckedForm, out_of_date};
use webkit::page::Problem;
use webkit::site::Visit;
use webkit::text::fill;

use super::Parts;
use super::devices::NoFields;
use super::update_texts::{self, Texts, problem, refusal};
use crate::updates::{OnTheWay, UpdateError};

/// Where bundles are uploaded: larger than any form.
pub(super) const UPLOAD: &str = "/updates/upload";
/// Seconds after which the page is fetched again while something is under way.
const FRESH: u32 = 2;
/// Longest silence of whoever uploads.
const SILENCE: Duration = Duration::from_secs(60);
/// Largest field that is no file.
const FIELD: usize = 1 << 10;

#[derive(Template)]
#[template(path = "updates.html")]
struct Page {
    t: &'static Texts,
    csrf: String,
    problem: Option<String>,
    notes: Vec<(&'static str, String)>,
    under_way: Option<UnderWay>,
    state: Option<State>,
    can_restart: bool,
    address: String,
}

struct UnderWay {
    words: &'static str,
    percent: u8,
    percent_words: String,
}

struct State {
    version: String,
    board: String,
    slots: Vec<SlotRow>,
}

struct SlotRow {
    name: String,
    version: String,
    pills: Vec<StatusPill>,
}

impl Page {
    async fn of(visit: &Visit, parts: &Parts) -> Result<Self, Problem> {
        let lang = visit.lang();
        let t = Texts::of(lang);
        let address = parts.ask(|store| store.update_address()).await?.unwrap_or_default();
        let mut page = Self {
            t,
            csrf: visit.csrf().to_owned(),
            problem: None,
            notes: Vec::new(),
            under_way: None,
            state: None,
            can_restart: false,
            address,
        };
        let percent = |words, percent| UnderWay { words, percent, percent_words: fill(t.percent, &[&percent]) };
        match parts.updates.on_the_way() {
            OnTheWay::Nothing => {}
            OnTheWay::Percent(arrived) => page.under_way = Some(percent(t.arriving, arrived)),
            OnTheWay::Failed(error) => page.notes.push(("critical", fill(t.not_installed, &[&problem(lang, &error)]))),
        }
        match parts.updates.boxd().status().await {
            Ok(status) => {
                if let Some(progress) = &status.progress {
                    page.under_way = Some(percent(t.installing, progress.percent));
                }
                if let Some(why) = &status.refused {
                    page.notes.push(("critical", fill(t.not_installed, &[&refusal(lang, why)])));
                }
                let waits = |stage: &Stage| matches!(stage, Stage::Installing | Stage::Installed);
                page.can_restart =
                    page.under_way.is_none() && status.last.as_ref().is_some_and(|last| waits(&last.stage));
                page.notes.extend(last(t, &status));
                page.state = Some(State::of(t, status));
            }
            Err(error) => {
                log::warn!("boxd: {error}");
                page.notes.push(("critical", t.silent.to_owned()));
            }
        }
        Ok(page)
    }

    fn response(&self, visit: &Visit) -> Response {
        match self.under_way {
            Some(_) => visit.live_page(self.t.updates, FRESH, self),
            None => visit.page(self.t.updates, self),
        }
    }
}

/// What became of the last update.
fn last(t: &Texts, status: &Status) -> Option<(&'static str, String)> {
    let last = status.last.as_ref()?;
    Some(match &last.stage {
        Stage::Installing if status.progress.is_some() => return None,
        Stage::Installing => ("warning", fill(t.interrupted, &[&last.to])),
        Stage::Installed => ("good", fill(t.installed, &[&last.to])),
        Stage::OnTrial => ("warning", fill(t.on_trial, &[&last.to])),
        Stage::Good => ("good", fill(t.stayed, &[&last.from, &last.to])),
        Stage::FellBack => ("critical", update_texts::fell_back(t, status)?),
        Stage::Leaving(why) => ("critical", fill(t.leaving, &[&last.to, &update_texts::faults(t, why)])),
        Stage::WentBack(why) => {
            ("critical", fill(t.went_back, &[&last.to, &update_texts::faults(t, why), &status.version]))
        }
    })
}

impl State {
    fn of(t: &'static Texts, status: Status) -> Self {
        let slots = status.slots.into_iter().map(|slot| {
            let mut pills = Vec::new();
            if slot.is_running {
                pills.push(StatusPill::custom("good", t.running));
            } else if slot.is_good {
                pills.push(StatusPill::custom("good", t.good));
            } else {
                pills.push(StatusPill::custom("unknown", t.untried));
            }
            if slot.is_next && !slot.is_running {
                pills.push(StatusPill::custom("warning", t.next));
            }
            let version = slot.version.or_else(|| slot.is_running.then(|| status.version.clone()));
            SlotRow { name: slot.name, version: version.unwrap_or_else(|| "–".to_owned()), pills }
        });
        Self { slots: slots.collect(), version: status.version.clone(), board: status.board }
    }
}

pub(super) async fn show(visit: Visit, Extension(parts): Extension<Parts>) -> Result<Response, Problem> {
    Ok(Page::of(&visit, &parts).await?.response(&visit))
}

pub(super) async fn upload(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    mut form: Multipart,
) -> Result<Response, Problem> {
    let mut is_checked = false;
    let mut wish = Wish::Asked;
    let outcome = loop {
        // The page sends its token first: nothing of a file is taken before it was checked.
        let Ok(Ok(Some(field))) = timeout(SILENCE, form.next_field()).await else { break Err(UpdateError::CutOff) };
        match field.name().unwrap_or_default() {
            "csrf" => is_checked = small(field, FIELD).await.is_some_and(|sent| is_csrf(&visit, &sent)),
            _ if !is_checked => return Err(out_of_date()),
            "older" => wish = Wish::AskedAgain,
            "bundle" => break take(&parts, field, wish).await,
            _ => {}
        }
    };
    log::info!(user = visit.user(); "a bundle was brought");
    answer(&visit, &parts, outcome).await
}

async fn take(parts: &Parts, mut field: Field<'_>, wish: Wish) -> Result<(), UpdateError> {
    let mut arrival = parts.updates.begin(None)?;
    let mut size: u64 = 0;
    loop {
        let piece = timeout(SILENCE, field.chunk()).await.map_err(|_| UpdateError::CutOff)?;
        match piece.map_err(|_| UpdateError::CutOff)? {
            Some(piece) => {
                size = size.saturating_add(u64::try_from(piece.len()).unwrap_or_default());
                arrival.take(piece.to_vec()).await?;
            }
            None if size == 0 => return Err(UpdateError::CutOff),
            None => return arrival.end(None, wish).await,
        }
    }
}

/// A field that is held in memory.
pub(super) async fn small(mut field: Field<'_>, most: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(piece) = timeout(SILENCE, field.chunk()).await.ok()?.ok()? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > most {
            return None;
        }
    }
    Some(bytes)
}

pub(super) fn is_csrf(visit: &Visit, sent: &[u8]) -> bool {
    std::str::from_utf8(sent).is_ok_and(|sent| visit.is_csrf(sent))
}

#[derive(Debug, Deserialize)]
pub(super) struct FetchForm {
    address: String,
}

pub(super) async fn fetch(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(form): CheckedForm<FetchForm>,
) -> Result<Response, Problem> {
    let address = form.address.trim().to_owned();
    let proxy = parts.ask(|store| store.proxy()).await?;
    let outcome = parts.updates.begin_fetch(&address, proxy, Wish::Asked);
    if outcome.is_ok() {
        parts.ask(move |store| store.set_update_address(&address)).await?;
    }
    answer(&visit, &parts, outcome).await
}

async fn answer(visit: &Visit, parts: &Parts, outcome: Result<(), UpdateError>) -> Result<Response, Problem> {
    let Err(error) = outcome else { return Ok(visit.go_to("/updates")) };
    let mut page = Page::of(visit, parts).await?;
    page.problem = Some(problem(visit.lang(), &error));
    Ok(visit.page_with_status(StatusCode::UNPROCESSABLE_ENTITY, page.t.updates, &page))
}

pub(super) async fn restart(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Result<Response, Problem> {
    log::info!(user = visit.user(); "a restart was asked for");
    let asked = parts.updates.boxd().ask(&Request::Restart {}).await;
    match asked {
        Ok(_) => Ok(visit.go_to_with_notice("/updates", Texts::of(visit.lang()).restarting)),
        Err(error) => answer(&visit, &parts, Err(error.into())).await,
    }
}

#[cfg(test)]
mod tests {
    use boxcore::health::Fault;
    use boxcore::request::Progress;
    use webkit::text::Lang;

    use super::*;
    use crate::boxd::tests::status;

    #[test]
    fn what_became_of_the_last_update_is_told_in_both_languages() {
        for (stage, kind, english, german) in [
            (Stage::Installing, "warning", "was interrupted", "wurde unterbrochen"),
            (Stage::FellBack, "critical", "1.0.0 runs in its place", "An ihrer Stelle läuft Version 1.0.0"),
            (
                Stage::WentBack(vec![Fault::NotInstalled]),
                "critical",
                "its installation did not come to an end",
                "ihre Installation kam nicht zum Ende",
            ),
            (
                Stage::WentBack(vec![Fault::OtherVersion("0.9.0".into())]),
                "critical",
                "version 0.9.0 was found",
                "fand sich Version 0.9.0",
            ),
        ] {
            for (lang, words) in [(Lang::En, english), (Lang::De, german)] {
                let (found, said) = last(Texts::of(lang), &status(stage.clone())).unwrap();
                assert!(found == kind && said.contains("1.1.0") && said.contains(words), "{said}");
            }
        }
        let progress = Some(Progress { percent: 5, doing: String::new() });
        let under_way = Status { progress, ..status(Stage::Installing) };
        assert_eq!(last(Texts::of(Lang::En), &under_way), None, "its progress is shown");
    }
}
