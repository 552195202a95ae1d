//! Customers, their sites, and the enrolment codes of a site.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use manager_core::access::{CustomerId, SiteId, TokenId};
use manager_store::{
    StoreError,
    places::{Customer, Site, Token},
};
use serde::Deserialize;
use webkit::{
    device_view::StatusPill,
    form::CheckedForm,
    moment::{Ago, Viewer},
    page::Problem,
    site::Visit,
    text::{Lang, fill},
};
use wire::enrolment::EnrolmentCode;

use super::{Desk, agents::AgentLine, texts::Texts};
use crate::{agent_toml, service::parse_name};

pub fn routes() -> Router<Desk> {
    Router::new()
        .route("/customers", get(show_customers).post(create_customer))
        .route("/customers/{id}", get(show_customer))
        .route("/customers/{id}/name", post(rename_customer))
        .route("/customers/{id}/sites", post(create_site))
        .route("/sites/{id}", get(show_site))
        .route("/sites/{id}/name", post(rename_site))
        .route("/sites/{id}/codes", post(make_code))
        .route("/sites/{id}/agent.toml", post(download_agent_toml))
        .route("/codes/{id}/revoke", post(revoke_code))
}

/// A form with nothing but a name, shown again with what is wrong.
#[derive(Default)]
struct NameForm {
    value: String,
    problem: Option<String>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

/// The name that was sent, or the form with what is wrong with it.
fn read_name(lang: Lang, sent: Name) -> Result<String, NameForm> {
    let t = Texts::of(lang);
    parse_name(&sent.name).map_err(|_| NameForm {
        // Enough to recognise what was typed, not enough to fill the page.
        value: sent.name.chars().take(200).collect(),
        problem: Some(t.name_bad.to_owned()),
    })
}

/// What comes of a name: taken, or refused with the form.
fn name_kept<T>(lang: Lang, name: &str, kept: manager_store::Result<T>) -> Result<Result<T, NameForm>, Problem> {
    match kept {
        Ok(kept) => Ok(Ok(kept)),
        Err(StoreError::NameTaken(_)) => {
            let problem = Some(fill(Texts::of(lang).name_taken, &[&name]));
            Ok(Err(NameForm { value: name.to_owned(), problem }))
        }
        Err(other) => Err(super::problem(other)),
    }
}

#[derive(Template)]
#[template(path = "customers.html")]
struct CustomersPage<'a> {
    t: &'static Texts,
    csrf: &'a str,
    form: NameForm,
    customers: Vec<Customer>,
}

async fn show_customers(visit: Visit, State(desk): State<Desk>) -> Result<Response, Problem> {
    customers_page(&visit, &desk, StatusCode::OK, NameForm::default()).await
}

async fn customers_page(visit: &Visit, desk: &Desk, status: StatusCode, form: NameForm) -> Result<Response, Problem> {
    let customers = desk.ask(visit, |store, scope| store.customers(scope)).await?;
    let t = Texts::of(visit.lang());
    Ok(visit.page_with_status(status, t.customers, &CustomersPage { t, csrf: visit.csrf(), form, customers }))
}

async fn create_customer(
    visit: Visit,
    State(desk): State<Desk>,
    CheckedForm(sent): CheckedForm<Name>,
) -> Result<Response, Problem> {
    let lang = visit.lang();
    let name = match read_name(lang, sent) {
        Ok(name) => name,
        Err(form) => return customers_page(&visit, &desk, StatusCode::UNPROCESSABLE_ENTITY, form).await,
    };
    let wanted = name.clone();
    let created = desk.try_ask(&visit, move |store, scope| store.create_customer(scope, &wanted)).await?;
    match name_kept(lang, &name, created)? {
        Ok(CustomerId(id)) => {
            Ok(visit.go_to_with_notice(&format!("/customers/{id}"), Texts::of(lang).customer_created))
        }
        Err(form) => customers_page(&visit, &desk, StatusCode::CONFLICT, form).await,
    }
}

#[derive(Template)]
#[template(path = "customer.html")]
struct CustomerPage<'a> {
    t: &'static Texts,
    csrf: &'a str,
    customer: Customer,
    sites: Vec<Site>,
    form: NameForm,
    rename: NameForm,
}

async fn show_customer(visit: Visit, State(desk): State<Desk>, Path(id): Path<i64>) -> Result<Response, Problem> {
    customer_page(&visit, &desk, StatusCode::OK, CustomerId(id), NameForm::default(), None).await
}

async fn customer_page(
    visit: &Visit,
    desk: &Desk,
    status: StatusCode,
    id: CustomerId,
    form: NameForm,
    rename: Option<NameForm>,
) -> Result<Response, Problem> {
    let (customer, sites) =
        desk.ask(visit, move |store, scope| Ok((store.customer(scope, id)?, store.sites(scope, id)?))).await?;
    let t = Texts::of(visit.lang());
    let rename = rename.unwrap_or_else(|| NameForm { value: customer.name.clone(), problem: None });
    let title = customer.name.clone();
    let page = CustomerPage { t, csrf: visit.csrf(), customer, sites, form, rename };
    Ok(visit.page_with_status(status, &title, &page))
}

async fn rename_customer(
    visit: Visit,
    State(desk): State<Desk>,
    Path(id): Path<i64>,
    CheckedForm(sent): CheckedForm<Name>,
) -> Result<Response, Problem> {
    let (lang, id) = (visit.lang(), CustomerId(id));
    let again = async |status, form| customer_page(&visit, &desk, status, id, NameForm::default(), Some(form)).await;
    let name = match read_name(lang, sent) {
        Ok(name) => name,
        Err(form) => return again(StatusCode::UNPROCESSABLE_ENTITY, form).await,
    };
    let wanted = name.clone();
    let renamed = desk.try_ask(&visit, move |store, scope| store.rename_customer(scope, id, &wanted)).await?;
    match name_kept(lang, &name, renamed)? {
        Ok(()) => Ok(visit.go_to_with_notice(&format!("/customers/{}", id.0), Texts::of(lang).renamed)),
        Err(form) => again(StatusCode::CONFLICT, form).await,
    }
}

async fn create_site(
    visit: Visit,
    State(desk): State<Desk>,
    Path(id): Path<i64>,
    CheckedForm(sent): CheckedForm<Name>,
) -> Result<Response, Problem> {
    let (lang, id) = (visit.lang(), CustomerId(id));
    let again = async |status, form| customer_page(&visit, &desk, status, id, form, None).await;
    let name = match read_name(lang, sent) {
        Ok(name) => name,
        Err(form) => return again(StatusCode::UNPROCESSABLE_ENTITY, form).await,
    };
    let wanted = name.clone();
    let created = desk.try_ask(&visit, move |store, scope| store.create_site(scope, id, &wanted)).await?;
    match name_kept(lang, &name, created)? {
        Ok(SiteId(site)) => Ok(visit.go_to_with_notice(&format!("/sites/{site}"), Texts::of(lang).site_created)),
        Err(form) => again(StatusCode::CONFLICT, form).await,
    }
}

#[derive(Template)]
#[template(path = "site.html")]
struct SitePage<'a> {
    t: &'static Texts,
    csrf: &'a str,
    site: Site,
    agents: Vec<AgentLine>,
    codes: Vec<CodeLine>,
    rename: NameForm,
}

/// An enrolment code in the list; the code itself is not kept.
struct CodeLine {
    id: i64,
    pill: StatusPill,
    text: String,
    created: Ago,
    created_by: String,
    expires: String,
    is_open: bool,
}

impl CodeLine {
    fn of(token: Token, viewer: &Viewer) -> Self {
        let t = Texts::of(viewer.lang);
        let is_over = token.expires_at <= viewer.now;
        let (class, word) = match (&token.used_at, &token.revoked_at) {
            (Some(_), _) => ("good", t.code_used),
            (None, Some(_)) => ("unknown", t.code_revoked),
            (None, None) if is_over => ("unknown", t.code_expired),
            (None, None) => ("warning", t.code_open),
        };
        Self {
            id: token.id.0,
            pill: StatusPill::custom(class, word.split(" {}").next().unwrap_or(word)),
            text: fill(word, &[&token.agent_name.as_deref().unwrap_or_default()]),
            created: viewer.ago(token.created_at),
            created_by: fill(t.by, &[&token.created_by]),
            expires: viewer.when(token.expires_at),
            is_open: token.used_at.is_none() && token.revoked_at.is_none() && !is_over,
        }
    }
}

async fn show_site(visit: Visit, State(desk): State<Desk>, Path(id): Path<i64>) -> Result<Response, Problem> {
    site_page(&visit, &desk, StatusCode::OK, SiteId(id), None).await
}

async fn site_page(
    visit: &Visit,
    desk: &Desk,
    status: StatusCode,
    id: SiteId,
    rename: Option<NameForm>,
) -> Result<Response, Problem> {
    let (site, agents, tokens) = desk
        .ask(visit, move |store, scope| {
            Ok((store.site(scope, id)?, store.agents_of_site(scope, id)?, store.tokens(scope, id)?))
        })
        .await?;
    let rename = rename.unwrap_or_else(|| NameForm { value: site.name.clone(), problem: None });
    let title = site.name.clone();
    let page = SitePage {
        t: Texts::of(visit.lang()),
        csrf: visit.csrf(),
        site,
        agents: agents.into_iter().map(|agent| AgentLine::of(agent, &visit.viewer)).collect(),
        codes: tokens.into_iter().map(|token| CodeLine::of(token, &visit.viewer)).collect(),
        rename,
    };
    Ok(visit.page_with_status(status, &title, &page))
}

async fn rename_site(
    visit: Visit,
    State(desk): State<Desk>,
    Path(id): Path<i64>,
    CheckedForm(sent): CheckedForm<Name>,
) -> Result<Response, Problem> {
    let (lang, id) = (visit.lang(), SiteId(id));
    let again = async |status, form| site_page(&visit, &desk, status, id, Some(form)).await;
    let name = match read_name(lang, sent) {
        Ok(name) => name,
        Err(form) => return again(StatusCode::UNPROCESSABLE_ENTITY, form).await,
    };
    let wanted = name.clone();
    let renamed = desk.try_ask(&visit, move |store, scope| store.rename_site(scope, id, &wanted)).await?;
    match name_kept(lang, &name, renamed)? {
        Ok(()) => Ok(visit.go_to_with_notice(&format!("/sites/{}", id.0), Texts::of(lang).renamed)),
        Err(form) => again(StatusCode::CONFLICT, form).await,
    }
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage<'a> {
    t: &'static Texts,
    csrf: &'a str,
    site: Site,
    url: String,
    is_local: bool,
    code: String,
    file: String,
}

#[derive(Deserialize)]
struct Nothing {}

/// Makes a code and shows it, this once.
async fn make_code(
    visit: Visit,
    State(desk): State<Desk>,
    Path(id): Path<i64>,
    headers: HeaderMap,
    CheckedForm(Nothing {}): CheckedForm<Nothing>,
) -> Result<Response, Problem> {
    let (id, now, server_key) = (SiteId(id), visit.viewer.now, desk.server_key);
    let site = desk.ask(&visit, move |store, scope| store.site(scope, id)).await?;
    let code =
        desk.ask(&visit, move |store, scope| Ok(agent_toml::make_code(store, scope, id, server_key, now))).await??;
    let address = desk.agent_url(&headers);
    let t = Texts::of(visit.lang());
    let page = CodePage {
        t,
        csrf: visit.csrf(),
        file: agent_toml::render(&site.customer_name, &site.name, &address.url, &code),
        code: code.to_string(),
        url: address.url,
        is_local: address.is_local,
        site,
    };
    Ok(visit.page(t.new_code, &page))
}

#[derive(Deserialize)]
struct CodeForm {
    code: String,
}

/// The ready file for a code that was just shown: the page sends it back, since it is not kept.
async fn download_agent_toml(
    visit: Visit,
    State(desk): State<Desk>,
    Path(id): Path<i64>,
    headers: HeaderMap,
    CheckedForm(form): CheckedForm<CodeForm>,
) -> Result<Response, Problem> {
    let (id, server_key) = (SiteId(id), desk.server_key);
    let site = desk.ask(&visit, move |store, scope| store.site(scope, id)).await?;
    let code = EnrolmentCode::parse(&form.code).filter(|code| code.server_key == Some(server_key));
    let code = code.ok_or_else(|| {
        let (english, german) = (Texts::of(Lang::En), Texts::of(Lang::De));
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            [english.code_bad, german.code_bad],
            [english.code_bad_text, german.code_bad_text],
        )
        .with_next(format!("/sites/{}", id.0), [english.back_to_site, german.back_to_site])
    })?;
    let file = agent_toml::render(&site.customer_name, &site.name, &desk.agent_url(&headers).url, &code);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/toml; charset=utf-8")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"agent.toml\"")),
    ];
    Ok((headers, file).into_response())
}

async fn revoke_code(
    visit: Visit,
    State(desk): State<Desk>,
    Path(id): Path<i64>,
    CheckedForm(Nothing {}): CheckedForm<Nothing>,
) -> Result<Response, Problem> {
    let now = visit.viewer.now;
    let SiteId(site) = desk.ask(&visit, move |store, scope| store.revoke_token(scope, TokenId(id), now)).await?;
    Ok(visit.go_to_with_notice(&format!("/sites/{site}"), Texts::of(visit.lang()).revoked))
}
