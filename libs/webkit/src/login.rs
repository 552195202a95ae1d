//! Log-in, log-out, the first visit and the change of a password: the same pages for every daemon.

use std::time::Instant;

use askama::Template;
use axum::{
    Router,
    extract::Query,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use crate::{
    form::CheckedForm,
    page::Problem,
    password,
    site::{User, Visit, local_path, set_cookie},
    text::fill,
    texts,
};

/// Name of the user that the first visit makes.
pub const ADMINISTRATOR: &str = "admin";

texts! {
    /// Words of the pages around the log-in.
    pub(crate) LoginTexts {
        log_in: "Log in", "Anmelden";
        user: "User", "Benutzer";
        password: "Password", "Passwort";
        wrong: "User or password is wrong.", "Benutzer oder Passwort ist falsch.";
        wait: "Too many attempts failed. The next one is possible in {} seconds.",
            "Zu viele Versuche sind fehlgeschlagen. Der nächste ist in {} Sekunden möglich.";
        welcome: "Welcome", "Willkommen";
        welcome_text: "Nobody has been here before. Choose a password for the administrator to begin; there is no other \
            way in, and no default password.",
            "Hier war noch niemand. Wählen Sie zuerst ein Passwort für den Administrator; einen anderen Zugang und ein \
            Standardpasswort gibt es nicht.";
        rule: "At least 10 characters. A few unrelated words are easy to remember and hard to guess.",
            "Mindestens 10 Zeichen. Ein paar Wörter ohne Zusammenhang sind leicht zu merken und schwer zu erraten.";
        new_password: "New password", "Neues Passwort";
        again: "The same again", "Noch einmal dasselbe";
        differ: "The two passwords differ.", "Die beiden Passwörter sind verschieden.";
        begin: "Set password and begin", "Passwort setzen und beginnen";
        change: "Change password", "Passwort ändern";
        change_text: "Everyone who is logged in under this name elsewhere is logged out.",
            "Wer unter diesem Namen anderswo angemeldet ist, wird abgemeldet.";
        current: "Current password", "Bisheriges Passwort";
        current_wrong: "The current password is wrong.", "Das bisherige Passwort ist falsch.";
        changed: "The password is changed.", "Das Passwort ist geändert.";
    }
}

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/login", get(show_login).post(log_in))
        .route("/logout", post(log_out))
        .route("/setup", get(show_setup).post(set_up))
        .route("/account", get(show_account).post(change_password))
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    t: &'static LoginTexts,
    user: &'a str,
    next: &'a str,
    problem: Option<String>,
}

#[derive(Deserialize)]
struct NextQuery {
    #[serde(default)]
    next: String,
}

async fn show_login(visit: Visit, Query(query): Query<NextQuery>) -> Response {
    if visit.session.is_some() {
        return visit.go_to(&query.next);
    }
    login_page(&visit, StatusCode::OK, "", &query.next, None)
}

fn login_page(visit: &Visit, status: StatusCode, user: &str, next: &str, problem: Option<String>) -> Response {
    let t = LoginTexts::of(visit.lang());
    visit.page_with_status(status, t.log_in, &LoginPage { t, user, next: local_path(next), problem })
}

#[derive(Deserialize)]
struct LoginForm {
    user: String,
    password: String,
    #[serde(default)]
    next: String,
}

async fn log_in(visit: Visit, CheckedForm(form): CheckedForm<LoginForm>) -> Result<Response, Problem> {
    let t = LoginTexts::of(visit.lang());
    let site = &visit.site;
    let name = form.user.trim().chars().take(100).collect::<String>();
    let begun = lock(&site.throttle).begin(visit.peer, &name, Instant::now());
    if let Err(wait) = begun {
        log::info!("a log-in was refused after too many failures");
        let seconds = wait.as_secs() + 1;
        let text = fill(t.wait, &[&seconds]);
        let mut page = login_page(&visit, StatusCode::TOO_MANY_REQUESTS, &name, &form.next, Some(text));
        page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return Ok(page);
    }
    let wanted = name.clone();
    let user = site.ask(move |users| users.find(&wanted)).await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let fits = site.passwords.verify(form.password, hash).await?;
    match user.filter(|_| fits) {
        Some(user) => {
            lock(&site.throttle).succeeded(visit.peer, &name);
            open_session(&visit, &user, local_path(&form.next))
        }
        None => {
            log::info!("a log-in failed");
            log::debug!("a log-in failed: user {name:?} from {}", visit.peer);
            let problem = Some(t.wrong.to_owned());
            Ok(login_page(&visit, StatusCode::UNPROCESSABLE_ENTITY, &name, &form.next, problem))
        }
    }
}

fn open_session(visit: &Visit, user: &User, next: &str) -> Result<Response, Problem> {
    let token = visit.site.sessions.open(&user.name, &user.password_hash, Instant::now())?;
    let cookie = set_cookie(&visit.site.session_cookie(), &token, None);
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response())
}

#[derive(Deserialize)]
struct Nothing {}

async fn log_out(visit: Visit, CheckedForm(Nothing {}): CheckedForm<Nothing>) -> Response {
    if let Some(token) = &visit.token {
        visit.site.sessions.close(token);
    }
    let cookie = set_cookie(&visit.site.session_cookie(), "", Some(0));
    ([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response()
}

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    t: &'static LoginTexts,
    user: &'static str,
    problem: Option<String>,
}

async fn show_setup(visit: Visit) -> Result<Response, Problem> {
    match visit.site.has_users().await? {
        true => Ok(visit.go_to("/")),
        false => Ok(setup_page(&visit, StatusCode::OK, None)),
    }
}

fn setup_page(visit: &Visit, status: StatusCode, problem: Option<String>) -> Response {
    let t = LoginTexts::of(visit.lang());
    visit.page_with_status(status, t.welcome, &SetupPage { t, user: ADMINISTRATOR, problem })
}

#[derive(Deserialize)]
struct SetupForm {
    password: String,
    again: String,
}

async fn set_up(visit: Visit, CheckedForm(form): CheckedForm<SetupForm>) -> Result<Response, Problem> {
    if visit.site.has_users().await? {
        return Ok(visit.go_to("/login"));
    }
    if let Some(problem) = objection(&visit, ADMINISTRATOR, &form.password, &form.again) {
        return Ok(setup_page(&visit, StatusCode::UNPROCESSABLE_ENTITY, Some(problem)));
    }
    let password_hash = visit.site.passwords.hash(form.password).await?;
    let user = User { name: ADMINISTRATOR.to_owned(), password_hash };
    let first = user.clone();
    match visit.site.ask(move |users| users.create_first(&first)).await? {
        true => {
            log::info!("the administrator's password has been set");
            open_session(&visit, &user, "/")
        }
        false => Ok(visit.go_to("/login")),
    }
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    t: &'static LoginTexts,
    user: &'a str,
    csrf: &'a str,
    problem: Option<String>,
}

async fn show_account(visit: Visit) -> Response {
    account_page(&visit, StatusCode::OK, None)
}

fn account_page(visit: &Visit, status: StatusCode, problem: Option<String>) -> Response {
    let t = LoginTexts::of(visit.lang());
    let body = AccountPage { t, user: visit.user(), csrf: visit.csrf(), problem };
    visit.page_with_status(status, t.change, &body)
}

#[derive(Deserialize)]
struct ChangeForm {
    current: String,
    password: String,
    again: String,
}

async fn change_password(visit: Visit, CheckedForm(form): CheckedForm<ChangeForm>) -> Result<Response, Problem> {
    let t = LoginTexts::of(visit.lang());
    let again = |problem: String| Ok(account_page(&visit, StatusCode::UNPROCESSABLE_ENTITY, Some(problem)));
    let site = &visit.site;
    let name = visit.user().to_owned();
    // Under the same throttle as the log-in: a session left open must not become a place to guess.
    let begun = lock(&site.throttle).begin(visit.peer, &name, Instant::now());
    if let Err(wait) = begun {
        return again(fill(t.wait, &[&(wait.as_secs() + 1)]));
    }
    let wanted = name.clone();
    let hash = site.ask(move |users| users.find(&wanted)).await?.map(|user| user.password_hash);
    if !site.passwords.verify(form.current, hash).await? {
        return again(t.current_wrong.to_owned());
    }
    lock(&site.throttle).succeeded(visit.peer, &name);
    if let Some(problem) = objection(&visit, &name, &form.password, &form.again) {
        return again(problem);
    }
    let user = User { name, password_hash: site.passwords.hash(form.password).await? };
    let changed = user.clone();
    site.ask(move |users| users.set_password(&changed)).await?;
    if let Some(token) = &visit.token {
        site.sessions.close(token);
    }
    log::info!("a password has been changed");
    let token = site.sessions.open(&user.name, &user.password_hash, Instant::now())?;
    site.sessions.leave_notice(&token, t.changed.to_owned());
    let cookie = set_cookie(&site.session_cookie(), &token, None);
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/account")).into_response())
}

fn objection(visit: &Visit, user: &str, password: &str, again: &str) -> Option<String> {
    if password != again {
        return Some(LoginTexts::of(visit.lang()).differ.to_owned());
    }
    password::check_new(password, user).err().map(|weakness| weakness.message(visit.lang()))
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
