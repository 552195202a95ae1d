//! A site: the pages of one daemon behind one log-in. Decides for each request whether it may pass, and clothes the answer.
//!
//! Everything that must hold for every page holds here: language, session, refusal of requests from other sites, security
//! headers, error pages. A page's handler only takes a [`Visit`] and answers.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use axum::{
    Router,
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Redirect, Response},
};
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    login,
    moment::Viewer,
    page::{self, Problem},
    password::Passwords,
    session::{Session, Sessions, credential_of, equal_secrets},
    text::Lang,
    throttle::Throttle,
};

/// A user as the daemon keeps him.
#[derive(Clone)]
pub struct User {
    /// Name to log in with.
    pub name: String,
    /// Hash of the password in PHC form.
    pub password_hash: String,
}

/// Where a daemon keeps its users. Called off the threads that serve pages, so it may block.
pub trait Users: Send + Sync + 'static {
    /// Whether there is no user yet: then the first visitor sets the administrator's password.
    fn is_empty(&self) -> anyhow::Result<bool>;
    /// The user of that name.
    fn find(&self, name: &str) -> anyhow::Result<Option<User>>;
    /// Keeps the first user; false, and nothing done, when there is one already.
    fn create_first(&self, user: &User) -> anyhow::Result<bool>;
    /// Gives a user another password.
    fn set_password(&self, user: &User) -> anyhow::Result<()>;
}

/// An entry of the navigation.
#[derive(Debug, Clone)]
pub struct NavItem {
    /// Where it leads; marked as current on every page whose path starts with it (`/` only on itself).
    pub href: &'static str,
    /// Its words.
    pub label: &'static str,
}

/// What distinguishes one site from another.
#[derive(Debug, Clone)]
pub struct SiteSettings {
    /// Name of the product in header and titles.
    pub product: &'static str,
    /// Short name in the cookie, so that two daemons on one host do not log each other out.
    pub name: &'static str,
    /// Version shown in the footer.
    pub version: &'static str,
    /// The navigation in a language.
    pub nav: fn(Lang) -> Vec<NavItem>,
    /// The zone of clock times on the pages.
    pub zone: TimeZone,
    /// Paths of pages that need no log-in, beside log-in and first visit.
    pub open: &'static [&'static str],
}

/// One daemon's pages.
pub struct Site {
    pub(crate) settings: SiteSettings,
    pub(crate) users: Arc<dyn Users>,
    pub(crate) sessions: Sessions,
    pub(crate) throttle: Mutex<Throttle>,
    pub(crate) passwords: Passwords,
    /// Once there was a user there always is one; saves the question at each request.
    has_users: AtomicBool,
}

impl Site {
    /// A site with these settings and users; nobody is logged in.
    pub fn new(settings: SiteSettings, users: Arc<dyn Users>) -> Arc<Self> {
        Arc::new(Self {
            settings,
            users,
            sessions: Sessions::default(),
            throttle: Mutex::default(),
            passwords: Passwords::default(),
            has_users: AtomicBool::new(false),
        })
    }

    /// The whole site: `pages`, all of which need a log-in, with log-in, log-out, first visit, password change, style,
    /// script and error pages. Routes that need no log-in are merged into the result by the caller and take care of
    /// themselves.
    pub fn router(self: &Arc<Self>, pages: Router) -> Router {
        pages
            .merge(login::routes())
            .fallback(|| async { Problem::not_found() })
            .layer(from_fn_with_state(self.clone(), enter))
            .merge(page::asset_routes())
    }

    /// Runs a question to the store off the threads that serve pages.
    pub(crate) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&dyn Users) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let users = self.users.clone();
        tokio::task::spawn_blocking(move || question(users.as_ref())).await?
    }

    pub(crate) async fn has_users(self: &Arc<Self>) -> anyhow::Result<bool> {
        if !self.has_users.load(Ordering::Relaxed) && !self.ask(|users| users.is_empty()).await? {
            self.has_users.store(true, Ordering::Relaxed);
        }
        Ok(self.has_users.load(Ordering::Relaxed))
    }

    pub(crate) fn session_cookie(&self) -> String {
        format!("__Host-druckwart-{}", self.settings.name)
    }

    async fn session(self: &Arc<Self>, headers: &HeaderMap) -> anyhow::Result<Option<(String, Session)>> {
        let Some(token) = cookie(headers, &self.session_cookie()) else { return Ok(None) };
        let Some(session) = self.sessions.find(&token, Instant::now(), !is_live(headers)) else { return Ok(None) };
        let name = session.user.clone();
        let user = self.ask(move |users| users.find(&name)).await?;
        if user.is_some_and(|user| credential_of(&user.password_hash) == session.credential) {
            return Ok(Some((token, session)));
        }
        self.sessions.close(&token);
        Ok(None)
    }
}

/// One request, as far as a page's handler needs to know it. An extractor.
#[derive(Clone)]
pub struct Visit {
    pub(crate) site: Arc<Site>,
    /// Language, zone and present of the visitor.
    pub viewer: Viewer,
    /// The visitor's address; unspecified where the router is called without a listener.
    pub peer: IpAddr,
    pub(crate) session: Option<Session>,
    pub(crate) token: Option<String>,
    pub(crate) uri: Uri,
    /// Whether the page asks for itself, to stay fresh.
    pub(crate) is_live: bool,
}

impl Visit {
    /// The visitor's language.
    pub fn lang(&self) -> Lang {
        self.viewer.lang
    }

    /// Name of the user who is logged in; empty on pages before the log-in.
    pub fn user(&self) -> &str {
        self.session.as_ref().map_or("", |session| &session.user)
    }

    /// What every form on the page must carry in a hidden field `csrf`.
    pub fn csrf(&self) -> &str {
        self.session.as_ref().map_or("", |session| &session.csrf)
    }

    /// Whether a form carried it. For forms that [`crate::form::CheckedForm`] does not read, such as uploads.
    pub fn is_csrf(&self, sent: &str) -> bool {
        self.session.as_ref().is_some_and(|session| equal_secrets(sent, &session.csrf))
    }

    /// Leads on to another page of this site after a form was taken (303).
    pub fn go_to(&self, path: &str) -> Response {
        Redirect::to(local_path(path)).into_response()
    }

    /// As [`Self::go_to`], and the next page that is shown says so.
    pub fn go_to_with_notice(&self, path: &str, notice: impl Into<String>) -> Response {
        if let Some(token) = &self.token {
            self.site.sessions.leave_notice(token, notice.into());
        }
        self.go_to(path)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::internal(anyhow::anyhow!("a handler takes a Visit outside of Site::router")))
    }
}

/// Paths of pages that are open to those who are not logged in.
const BEFORE_LOG_IN: [&str; 2] = ["/login", "/setup"];

async fn enter(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let headers = &parts.headers;
    let lang = cookie(headers, LANGUAGE_COOKIE)
        .and_then(|tag| Lang::of_tag(&tag))
        .or_else(|| Lang::of_accept_language(headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?))
        .unwrap_or_default();
    let peer = parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.ip().to_canonical());
    let mut visit = Visit {
        viewer: Viewer { lang, zone: site.settings.zone.clone(), now: Timestamp::now() },
        peer,
        session: None,
        token: None,
        uri: parts.uri.clone(),
        is_live: is_live(headers),
        site,
    };
    let response = match admit(&mut visit, &parts).await {
        Ok(None) => {
            parts.extensions.insert(visit.clone());
            next.run(Request::from_parts(parts, body)).await
        }
        Ok(Some(answer)) => answer,
        Err(problem) => problem.into_response(),
    };
    page::finish(&visit, response)
}

/// Whether a request may pass (`None`), and otherwise the answer to it.
async fn admit(visit: &mut Visit, request: &Parts) -> Result<Option<Response>, Problem> {
    let reads = matches!(request.method, Method::GET | Method::HEAD);
    if reads && let Some(answer) = switch_language(&request.uri) {
        return Ok(Some(answer));
    }
    if !reads && !is_from_here(&request.headers, &request.uri) {
        return Err(Problem::foreign_request());
    }
    let path = request.uri.path();
    if reads && visit.site.settings.open.contains(&path) {
        return Ok(None);
    }
    if !visit.site.has_users().await? {
        return Ok((path != "/setup").then(|| Redirect::to("/setup").into_response()));
    }
    if !reads && BEFORE_LOG_IN.contains(&path) {
        // Whoever logs in, does so anew: a log-in form left open in another tab must not fail for lack of a token.
        return Ok(None);
    }
    if let Some((token, session)) = visit.site.session(&request.headers).await? {
        visit.session = Some(session);
        visit.token = Some(token);
        return Ok(None);
    }
    if BEFORE_LOG_IN.contains(&path) {
        return Ok(None);
    }
    if is_live(&request.headers) {
        return Ok(Some(StatusCode::UNAUTHORIZED.into_response()));
    }
    let back = match reads {
        true => request.uri.path_and_query().map_or("/", |path| path.as_str()),
        false => "/",
    };
    let query = serde_urlencoded::to_string([("next", back)]).map_err(|error| Problem::internal(error.into()))?;
    Ok(Some(Redirect::to(&format!("/login?{query}")).into_response()))
}

const LANGUAGE_COOKIE: &str = "__Host-druckwart-language";

/// Answers `?lang=de`: remembers the choice and leads back to the same page without it.
fn switch_language(uri: &Uri) -> Option<Response> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(uri.query()?).ok()?;
    let lang = pairs.iter().find(|(key, _)| key == "lang").and_then(|(_, tag)| Lang::of_tag(tag))?;
    let rest: Vec<_> = pairs.iter().filter(|(key, _)| key != "lang").collect();
    let rest = serde_urlencoded::to_string(rest).ok()?;
    let path = local_path(uri.path());
    let target = if rest.is_empty() { path.to_owned() } else { format!("{path}?{rest}") };
    let cookie = set_cookie(LANGUAGE_COOKIE, lang.tag(), Some(400 * 86_400));
    Some(([(header::SET_COOKIE, cookie)], Redirect::to(&target)).into_response())
}

/// Whether a request that may change something comes from a page of this site. Browsers say where it comes from; a program
/// that says nothing is not a browser and cannot be abused by another site.
fn is_from_here(headers: &HeaderMap, uri: &Uri) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    if text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return false;
    }
    let host = uri.authority().map(|authority| authority.as_str()).or_else(|| text("host"));
    text("origin").is_none_or(|origin| {
        origin.strip_prefix("https://").zip(host).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
    })
}

/// Whether a page asks for itself to stay fresh: such a request does not keep a session alive.
fn is_live(headers: &HeaderMap) -> bool {
    headers.contains_key("druckwart-live")
}

/// A path on this site; anything that could lead elsewhere becomes the start page.
pub(crate) fn local_path(path: &str) -> &str {
    let safe = path.starts_with('/')
        && !path.starts_with("//")
        && !path.starts_with("/\\")
        && path.len() <= 2000
        && path.bytes().all(|byte| byte.is_ascii_graphic());
    if safe { path } else { "/" }
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

/// A cookie for the whole site; one without `max_age_seconds` ends with the browser.
pub(crate) fn set_cookie(name: &str, value: &str, max_age_seconds: Option<u32>) -> HeaderValue {
    let age = max_age_seconds.map_or_else(String::new, |age| format!("; Max-Age={age}"));
    let line = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict{age}");
    HeaderValue::try_from(line).expect("names and values are made of ASCII letters, digits and dashes here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_site_may_post() {
        let check = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs
                .iter()
                .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_from_here(&headers.collect(), &Uri::from_static("/x"))
        };
        assert!(check(&[("host", "box:8443")]));
        assert!(check(&[("host", "box:8443"), ("origin", "https://box:8443"), ("sec-fetch-site", "same-origin")]));
        assert!(!check(&[("host", "box:8443"), ("origin", "https://evil.example")]));
        assert!(!check(&[("host", "box:8443"), ("origin", "http://box:8443")]));
        assert!(!check(&[("host", "box:8443"), ("origin", "null")]));
        assert!(!check(&[("host", "box:8443"), ("sec-fetch-site", "cross-site")]));
        assert!(!check(&[("host", "box:8443"), ("sec-fetch-site", "same-site")]));
        assert!(!check(&[("origin", "https://box:8443")]));
    }

    #[test]
    fn nobody_is_led_elsewhere() {
        assert_eq!(local_path("/devices?x=1"), "/devices?x=1");
        for path in ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\r\nb"] {
            assert_eq!(local_path(path), "/", "{path}");
        }
    }
}
