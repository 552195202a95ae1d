//! The frame around every page: header, navigation, footer, security headers, error pages, and the two files of style and
//! script.

use std::{net::SocketAddr, sync::LazyLock};

use askama::Template;
use axum::{
    Router,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use sha2::{Digest, Sha256};

use crate::{
    site::{NavItem, Visit},
    text::{Lang, fill},
    texts,
};

texts! {
    /// Words of the frame.
    pub(crate) FrameTexts {
        skip: "Skip to content", "Zum Inhalt springen";
        log_out: "Log out", "Abmelden";
        account: "Password", "Passwort";
        menu: "Menu", "Menü";
    }
}

texts! {
    /// Words of the error pages.
    pub(crate) ProblemTexts {
        not_found: "There is no such page", "Diese Seite gibt es nicht";
        not_found_text: "The address may be mistyped, or what it showed has been removed.",
            "Die Adresse enthält vielleicht einen Tippfehler, oder was sie zeigte, wurde entfernt.";
        internal: "Something went wrong here", "Hier ist etwas schiefgegangen";
        internal_text: "The fault is on our side and has been written to the log. Please try again; nothing was half done.",
            "Der Fehler liegt auf unserer Seite und steht im Protokoll. Bitte noch einmal versuchen; es wurde nichts halb getan.";
        foreign: "This form came from another site", "Dieses Formular kam von einer anderen Seite";
        foreign_text: "Your browser says that another web site sent this request, so nothing was changed. If you did mean it, \
            open the page here and send the form again.",
            "Ihr Browser meldet, dass eine andere Website diese Anfrage gesendet hat; es wurde nichts geändert. Wenn Sie es \
            so wollten, öffnen Sie die Seite hier und senden Sie das Formular noch einmal.";
        refused: "This request was not understood", "Diese Anfrage war nicht verständlich";
        refused_text: "Nothing was changed. Please go back and try again.",
            "Es wurde nichts geändert. Bitte gehen Sie zurück und versuchen Sie es noch einmal.";
        start: "To the start page", "Zur Startseite";
    }
}

/// Why a page cannot be shown, in both languages; the frame turns it into a page that offers the next step.
#[derive(Debug, Clone)]
pub struct Problem(Box<ProblemContent>);

#[derive(Debug, Clone)]
struct ProblemContent {
    status: StatusCode,
    title: [String; 2],
    text: [String; 2],
    next: Option<(String, [String; 2])>,
}

impl Problem {
    /// A problem with a title and what to do, in English and German.
    pub fn new(status: StatusCode, title: [&str; 2], text: [&str; 2]) -> Self {
        let [title, text] = [title, text].map(|pair| pair.map(str::to_owned));
        Self(Box::new(ProblemContent { status, title, text, next: None }))
    }

    /// Offers another next step than the start page: a path of this site and its words.
    #[must_use]
    pub fn with_next(mut self, path: impl Into<String>, words: [&str; 2]) -> Self {
        self.0.next = Some((path.into(), words.map(str::to_owned)));
        self
    }

    /// No such page, or nothing behind it.
    pub fn not_found() -> Self {
        Self::of_texts(StatusCode::NOT_FOUND, |texts| (texts.not_found, texts.not_found_text))
    }

    /// Our own fault. Logs the whole chain: this is where it is handled.
    pub fn internal(error: anyhow::Error) -> Self {
        log::error!("a page failed: {error:#}");
        Self::of_texts(StatusCode::INTERNAL_SERVER_ERROR, |texts| (texts.internal, texts.internal_text))
    }

    pub(crate) fn foreign_request() -> Self {
        log::info!("refused a request that another web site sent");
        Self::of_texts(StatusCode::FORBIDDEN, |texts| (texts.foreign, texts.foreign_text))
    }

    fn refused(status: StatusCode) -> Self {
        Self::of_texts(status, |texts| (texts.refused, texts.refused_text))
    }

    fn of_texts(status: StatusCode, choose: fn(&'static ProblemTexts) -> (&'static str, &'static str)) -> Self {
        let (title, text) = choose(ProblemTexts::of(Lang::En));
        let (german_title, german_text) = choose(ProblemTexts::of(Lang::De));
        Self::new(status, [title, german_title], [text, german_text])
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        Self::internal(error)
    }
}

/// Carries the problem to the frame, which shows it in the visitor's language.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.0.status, format!("{}\n{}\n", self.0.title[0], self.0.text[0])).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Template)]
#[template(path = "frame.html")]
struct Frame<'a> {
    t: &'static FrameTexts,
    lang: &'static str,
    title: &'a str,
    product: &'static str,
    version: &'static str,
    nav: Vec<(NavItem, bool)>,
    user: &'a str,
    csrf: &'a str,
    notice: Option<String>,
    live_seconds: Option<u32>,
    other_language: (&'static str, &'static str, String),
    assets: &'static Assets,
    body: String,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    status: u16,
    title: &'a str,
    text: &'a str,
    next_href: &'a str,
    next_words: &'a str,
}

impl Visit {
    /// The page with `body` in its frame.
    pub fn page(&self, title: &str, body: &impl Template) -> Response {
        self.framed(StatusCode::OK, title, body, None)
    }

    /// A page that stays fresh: with script, its content is fetched again every few seconds while someone looks.
    pub fn live_page(&self, title: &str, seconds: u32, body: &impl Template) -> Response {
        self.framed(StatusCode::OK, title, body, Some(seconds))
    }

    /// A page with another status than 200: a form shown again with what is wrong is 422.
    pub fn page_with_status(&self, status: StatusCode, title: &str, body: &impl Template) -> Response {
        self.framed(status, title, body, None)
    }

    fn framed(&self, status: StatusCode, title: &str, body: &impl Template, live_seconds: Option<u32>) -> Response {
        match self.render(title, body, live_seconds) {
            Ok(html) => (status, Html(html)).into_response(),
            Err(error) => {
                log::error!("a page could not be rendered: {error}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }

    fn render(&self, title: &str, body: &impl Template, live_seconds: Option<u32>) -> askama::Result<String> {
        let lang = self.lang();
        let path = self.uri.path();
        let is_current = |item: &NavItem| match item.href {
            "/" => path == "/",
            href => path == href || path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/')),
        };
        let nav = match self.session {
            Some(_) => (self.site.settings.nav)(lang),
            None => Vec::new(),
        };
        let nav = nav.into_iter().map(|item| (item.clone(), is_current(&item))).collect();
        let frame = Frame {
            t: FrameTexts::of(lang),
            lang: lang.tag(),
            title,
            product: self.site.settings.product,
            version: self.site.settings.version,
            nav,
            user: self.user(),
            csrf: self.csrf(),
            // Not for a page that only refreshes itself: the notice is meant for the page that follows the form.
            notice: self
                .token
                .as_ref()
                .filter(|_| !self.is_live)
                .and_then(|token| self.site.sessions.take_notice(token)),
            live_seconds,
            other_language: self.language_switch(),
            assets: &ASSETS,
            body: body.render()?,
        };
        frame.render()
    }

    /// Tag, name and address of the other language.
    fn language_switch(&self) -> (&'static str, &'static str, String) {
        let (other, name) = self.lang().other();
        let query: Vec<(String, String)> =
            self.uri.query().and_then(|query| serde_urlencoded::from_str(query).ok()).unwrap_or_default();
        let kept = query.into_iter().filter(|(key, _)| key != "lang");
        let query: Vec<_> = kept.chain([("lang".to_owned(), other.tag().to_owned())]).collect();
        let query = serde_urlencoded::to_string(query).unwrap_or_default();
        (other.tag(), name, format!("{}?{query}", self.uri.path()))
    }
}

/// What a page may load and do: nothing but its own style, script, pictures and forms.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; \
     connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const SECURITY_HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
];

/// Other addresses of this very machine at which the script of a page may ask over TLS. An extension of the response.
#[derive(Debug, Clone)]
pub struct AlsoAsks(pub Vec<SocketAddr>);

/// Turns problems into pages and sets the headers that every answer carries.
pub(crate) fn finish(visit: &Visit, response: Response) -> Response {
    let mut response = match problem_of(&response) {
        Some(problem) => problem_page(visit, &problem),
        None => response,
    };
    set_security_headers(&mut response);
    let also_asks = response.extensions_mut().remove::<AlsoAsks>();
    let headers = response.headers_mut();
    if let Some(AlsoAsks(places)) = also_asks {
        let places: String = places.iter().map(|place| format!(" https://{place}")).collect();
        let policy = CONTENT_SECURITY_POLICY.replace("connect-src 'self'", &format!("connect-src 'self'{places}"));
        let policy = HeaderValue::try_from(policy).expect("a policy with addresses in it is ASCII");
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    // Pages show a customer's data: no cache on the way may keep them.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn set_security_headers(response: &mut Response) {
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}

/// The problem that a response carries; also for the bare refusals of the extractors of axum.
fn problem_of(response: &Response) -> Option<Problem> {
    if let Some(problem) = response.extensions().get::<Problem>() {
        return Some(problem.clone());
    }
    let status = response.status();
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_bare = content_type.is_none_or(|value| value.starts_with("text/plain"));
    match status {
        StatusCode::UNAUTHORIZED => None,
        StatusCode::NOT_FOUND if is_bare => Some(Problem::not_found()),
        _ if is_bare && (status.is_client_error() || status.is_server_error()) => Some(Problem::refused(status)),
        _ => None,
    }
}

fn problem_page(visit: &Visit, Problem(problem): &Problem) -> Response {
    let lang = visit.lang();
    let of = |pair: &'_ [String; 2]| lang.pick(&pair[0], &pair[1]).to_owned();
    let start = ProblemTexts::of(lang).start;
    let (next_href, next_words) = match &problem.next {
        Some((path, words)) => (path.as_str(), of(words)),
        None => ("/", start.to_owned()),
    };
    let (title, text) = (of(&problem.title), of(&problem.text));
    let body =
        ProblemPage { status: problem.status.as_u16(), title: &title, text: &text, next_href, next_words: &next_words };
    visit.page_with_status(problem.status, &title, &body)
}

/// Addresses of style, script and icon; they change with the content, so browsers may keep them for ever.
struct Assets {
    style: String,
    script: String,
    icon: String,
}

const STYLE: &str = include_str!("../assets/style.css");
const SCRIPT: &str = include_str!("../assets/live.js");
const ICON: &str = include_str!("../assets/icon.svg");

static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let hash = |content: &str| {
        let digest = Sha256::digest(content);
        data_encoding::HEXLOWER.encode(digest.get(..8).unwrap_or_default())
    };
    Assets {
        style: fill("/assets/style-{}.css", &[&hash(STYLE)]),
        script: fill("/assets/live-{}.js", &[&hash(SCRIPT)]),
        icon: fill("/assets/icon-{}.svg", &[&hash(ICON)]),
    }
});

pub(crate) fn asset_routes() -> Router {
    let serve = |content_type: &'static str, content: &'static str| {
        get(move || async move {
            let headers =
                [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
            let mut response = (headers, content).into_response();
            set_security_headers(&mut response);
            response
        })
    };
    Router::new()
        .route(&ASSETS.style, serve("text/css; charset=utf-8", STYLE))
        .route(&ASSETS.script, serve("text/javascript; charset=utf-8", SCRIPT))
        .route(&ASSETS.icon, serve("image/svg+xml", ICON))
}
