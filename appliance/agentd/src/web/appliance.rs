//! The box: how it is, its time zone, its licence, restarting and resetting it.

use askama::Template;
use axum::Extension;
use axum::extract::Multipart;
use axum::http::StatusCode;
use axum::response::Response;
use boxcore::prepared::TimeZoneName;
use boxcore::request::{Request, Status};
use serde::Deserialize;
use webkit::form::{CheckedForm, out_of_date};
use webkit::notes;
use webkit::page::Problem;
use webkit::site::Visit;
use webkit::text::{fill, number};
use wire::channel::{LARGEST, Licence};

use super::Parts;
use super::devices::NoFields;
use super::update_texts::{self, Texts, megabytes, problem};
use super::updates::{is_csrf, small};
use crate::boxd::BoxdError;
use crate::updates::UpdateError;

#[derive(Template)]
#[template(path = "box.html")]
struct Page {
    t: &'static Texts,
    csrf: String,
    problem: Option<String>,
    notes: Vec<(&'static str, String)>,
    facts: Vec<(&'static str, String)>,
    zone: String,
    prepared: Option<String>,
    licence: Option<LicenceView>,
    erase_text: String,
}

struct LicenceView {
    facts: Vec<(&'static str, String)>,
    warnings: Vec<String>,
}

impl Page {
    async fn of(visit: &Visit, parts: &Parts) -> Result<Self, Problem> {
        let t = Texts::of(visit.lang());
        let (text, devices) = parts.ask(|store| Ok((store.licence()?, store.device_count()?))).await?;
        let licence = text.and_then(|text| parts.updates.licence(text.as_bytes()).ok());
        let mut page = Self {
            t,
            csrf: visit.csrf().to_owned(),
            problem: None,
            notes: Vec::new(),
            facts: Vec::new(),
            zone: String::new(),
            prepared: None,
            licence: licence.map(|licence| LicenceView::of(visit, &licence, devices)),
            erase_text: fill(t.erase_text, &[&name()]),
        };
        if let Some(full) = parts.reserve.remark() {
            page.notes.push(("critical", notes::remark(visit.lang(), &full)));
        }
        match parts.updates.boxd().status().await {
            Ok(status) => page.take(visit, status),
            Err(error) => {
                log::warn!("boxd: {error}");
                page.notes.push(("critical", t.silent.to_owned()));
            }
        }
        Ok(page)
    }

    fn take(&mut self, visit: &Visit, status: Status) {
        let (t, lang) = (self.t, visit.lang());
        self.notes.extend(status.data.remarks.iter().map(|remark| update_texts::remark(t, remark)));
        if let Some(fault) = &status.data.test_fault {
            self.notes.push(("critical", fill(t.data_test, &[fault])));
        }
        self.notes.extend(update_texts::fell_back(t, &status).map(|words| ("critical", words)));
        if !status.health.faults.is_empty() {
            self.notes.push(("warning", fill(t.unwell, &[&update_texts::faults(t, &status.health.faults)])));
        }
        let room = fill(t.storage_free, &[&megabytes(lang, status.data.free), &megabytes(lang, status.data.size)]);
        self.facts = vec![
            (t.erase_name, name()),
            (t.version, status.version),
            (t.board, status.board),
            (t.storage, room),
            (t.zone, status.time_zone.clone().unwrap_or_else(|| t.zone_none.to_owned())),
        ];
        self.zone = status.time_zone.unwrap_or_default();
        self.prepared = status.prepared;
    }
}

impl LicenceView {
    fn of(visit: &Visit, licence: &Licence, devices: u64) -> Self {
        let lang = visit.lang();
        let t = Texts::of(lang);
        let today = visit.viewer.zone.to_datetime(visit.viewer.now).date();
        let mut warnings = Vec::new();
        if today > licence.until {
            warnings.push(t.licence_over.to_owned());
        }
        if today < licence.from {
            warnings.push(t.licence_early.to_owned());
        }
        if devices > licence.devices {
            warnings.push(fill(t.licence_few, &[&number(lang, devices)]));
        }
        let facts = vec![
            (t.licence_holder, licence.holder.clone()),
            (t.licence_id, licence.id.clone()),
            (t.licence_features, licence.features.join(", ")),
            (t.licence_devices, number(lang, licence.devices)),
            (t.licence_valid, fill(t.licence_days, &[&licence.from, &licence.until])),
        ];
        Self { facts, warnings }
    }
}

fn name() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

pub(super) async fn show(visit: Visit, Extension(parts): Extension<Parts>) -> Result<Response, Problem> {
    let page = Page::of(&visit, &parts).await?;
    Ok(visit.page(page.t.the_box, &page))
}

async fn with_problem(visit: &Visit, parts: &Parts, words: String) -> Result<Response, Problem> {
    let mut page = Page::of(visit, parts).await?;
    page.problem = Some(words);
    Ok(visit.page_with_status(StatusCode::UNPROCESSABLE_ENTITY, page.t.the_box, &page))
}

#[derive(Debug, Deserialize)]
pub(super) struct ZoneForm {
    zone: String,
}

pub(super) async fn zone(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(form): CheckedForm<ZoneForm>,
) -> Result<Response, Problem> {
    let t = Texts::of(visit.lang());
    let wrong = fill(t.bad_zone, &[&form.zone]);
    let Ok(zone) = TimeZoneName::parse(form.zone.trim()) else { return with_problem(&visit, &parts, wrong).await };
    match parts.updates.boxd().ask(&Request::SetTimeZone { zone }).await {
        Ok(_) => Ok(visit.go_to_with_notice("/box", t.zone_set)),
        Err(BoxdError::Refused(_)) => with_problem(&visit, &parts, wrong).await,
        Err(error) => with_problem(&visit, &parts, problem(visit.lang(), &error.into())).await,
    }
}

pub(super) async fn licence(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    mut form: Multipart,
) -> Result<Response, Problem> {
    let mut is_checked = false;
    while let Ok(Some(field)) = form.next_field().await {
        match field.name().unwrap_or_default() {
            "csrf" => is_checked = small(field, LARGEST).await.is_some_and(|sent| is_csrf(&visit, &sent)),
            _ if !is_checked => return Err(out_of_date()),
            "licence" => {
                let text =
                    small(field, LARGEST).await.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
                if let Err(error) = parts.updates.licence(text.as_bytes()) {
                    return with_problem(&visit, &parts, problem(visit.lang(), &error)).await;
                }
                log::info!(user = visit.user(); "a licence was stored");
                parts.ask(move |store| store.set_licence(&text)).await?;
                return Ok(visit.go_to_with_notice("/box", Texts::of(visit.lang()).licence_stored));
            }
            _ => {}
        }
    }
    with_problem(&visit, &parts, problem(visit.lang(), &UpdateError::CutOff)).await
}

pub(super) async fn reset_network(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Result<Response, Problem> {
    log::warn!(user = visit.user(); "the network is reset");
    match parts.netcfgd.ask(&netcfg::request::Request::Reset {}).await {
        Ok(netcfg::request::Answer::Done {}) => {
            Ok(visit.go_to_with_notice("/network", Texts::of(visit.lang()).network_reset))
        }
        // The page of the network says what stands in the way.
        _ => Ok(visit.go_to("/network")),
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct EraseForm {
    name: String,
}

pub(super) async fn erase(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(form): CheckedForm<EraseForm>,
) -> Result<Response, Problem> {
    let t = Texts::of(visit.lang());
    if !form.name.trim().eq_ignore_ascii_case(&name()) {
        return with_problem(&visit, &parts, t.erase_wrong.to_owned()).await;
    }
    log::warn!(user = visit.user(); "everything is erased");
    match parts.updates.boxd().ask(&Request::Erase {}).await {
        Ok(_) => Ok(visit.go_to_with_notice("/box", t.erasing)),
        Err(error) => with_problem(&visit, &parts, problem(visit.lang(), &error.into())).await,
    }
}
