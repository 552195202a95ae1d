//! Someone who visits pages without script: follows links, fills in forms, keeps cookies. Knows HTML just well enough.

use std::{
    collections::BTreeMap,
    sync::{Mutex, OnceLock, PoisonError},
};

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::{
    Client, Method, StatusCode,
    header::{ACCEPT_LANGUAGE, CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE},
    redirect::Policy,
};

/// How browsers send forms.
const FORM: &str = "application/x-www-form-urlencoded";
/// Redirects followed at most.
const MOST_REDIRECTS: usize = 5;

/// A client that takes any certificate, as a person does who clicks the browser's warning away.
pub fn client() -> Result<Client> {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| drop(rustls::crypto::ring::default_provider().install_default()));
    Ok(Client::builder().tls_danger_accept_invalid_certs(true).redirect(Policy::none()).no_proxy().build()?)
}

/// A visitor of one site.
pub struct Visitor {
    http: Client,
    base: String,
    language: &'static str,
    cookies: Mutex<BTreeMap<String, String>>,
}

/// A page as it came.
#[derive(Debug, Clone)]
pub struct Page {
    /// Path after redirects.
    pub path: String,
    /// Status.
    pub status: StatusCode,
    /// The HTML.
    pub html: String,
}

impl Visitor {
    /// A visitor of the site at this address (`https://host:port`), with no cookies.
    pub fn new(base: &str) -> Result<Self> {
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { http: client()?, base, language: "en", cookies: Mutex::default() })
    }

    /// The same who reads German.
    pub fn german(base: &str) -> Result<Self> {
        Ok(Self { language: "de", ..Self::new(base)? })
    }

    /// Opens a page.
    pub async fn get(&self, path: &str) -> Result<Page> {
        self.go(Method::GET, path, &[]).await
    }

    /// Opens a page that has to be there.
    pub async fn open(&self, path: &str) -> Result<Page> {
        let page = self.get(path).await?;
        ensure!(page.status.is_success(), "{path}: {} {}", page.status, page.text());
        Ok(page)
    }

    /// Fills in the form of a page that goes to `action`, and sends it with the fields that stand in it already.
    pub async fn fill_in(&self, page: &Page, action: &str, fields: &[(&str, &str)]) -> Result<Page> {
        let mut all = page.hidden_fields(action)?;
        all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.go(Method::POST, action, &all).await
    }

    /// Logs in as the administrator.
    pub async fn log_in(&self, password: &str) -> Result<Page> {
        let page = self.open("/").await?;
        ensure!(page.path.starts_with("/login"), "no log-in was asked for: {}", page.path);
        let page = self.fill_in(&page, "/login", &[("user", "admin"), ("password", password)]).await?;
        ensure!(page.status == StatusCode::OK && page.path == "/", "the log-in failed: {}", page.text());
        Ok(page)
    }

    async fn go(&self, method: Method, path: &str, fields: &[(String, String)]) -> Result<Page> {
        let (mut method, mut path) = (method, path.to_owned());
        for _ in 0..MOST_REDIRECTS {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
            request = request.header(ACCEPT_LANGUAGE, self.language).header(COOKIE, self.cookie_line());
            if method == Method::POST {
                request = request.header(ORIGIN, &self.base).header(CONTENT_TYPE, FORM).body(encode(fields));
            }
            let answer = request.send().await.with_context(|| format!("{method} {}{path}", self.base))?;
            self.keep_cookies(answer.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()));
            let status = answer.status();
            if !status.is_redirection() {
                return Ok(Page { path, status, html: answer.text().await? });
            }
            let place = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
            place.strip_prefix(&self.base).unwrap_or(place).clone_into(&mut path);
            ensure!(path.starts_with('/'), "sent elsewhere: {place}");
            method = Method::GET;
        }
        bail!("more than {MOST_REDIRECTS} redirects, the last to {path}")
    }

    fn cookie_line(&self) -> String {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep_cookies<'a>(&self, lines: impl Iterator<Item = &'a str>) {
        let mut cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines {
            if let Some((name, value)) = line.split(';').next().and_then(|pair| pair.split_once('=')) {
                cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }
}

impl Page {
    /// What a person reads: without tags, with single blanks.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for part in self.html.split('<').enumerate() {
            match part {
                (0, head) => text.push_str(head),
                (_, part) => {
                    text.push(' ');
                    text.push_str(part.split_once('>').map_or("", |(_, words)| words));
                }
            }
        }
        unescape(&text).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Whether a person reads these words.
    pub fn says(&self, words: &str) -> bool {
        self.text().contains(words)
    }

    /// The first link whose text has these words.
    pub fn link(&self, words: &str) -> Result<String> {
        let links = self.html.split("<a ").skip(1).filter_map(|part| part.split_once("</a>"));
        let found = links.filter(|(link, _)| link.contains(words)).filter_map(|(link, _)| attribute(link, "href"));
        found.map(|href| unescape(&href)).next().with_context(|| format!("no link says {words:?}: {}", self.text()))
    }

    /// The value of the first field with this name or id.
    pub fn field(&self, name: &str) -> Option<String> {
        let tags = self.html.split('<').filter_map(|part| part.split('>').next());
        let mut named =
            tags.filter(|tag| ["name", "id"].iter().any(|key| attribute(tag, key).is_some_and(|value| value == name)));
        named.find_map(|tag| attribute(tag, "value")).map(|value| unescape(&value))
    }

    /// What is behind the name of a supply on the page of a device: how much is left.
    pub fn level_of(&self, supply: &str) -> Option<String> {
        let (_, rest) = self.html.split_once(&format!("class=\"name\">{supply}"))?;
        let (_, rest) = rest.split_once("class=\"level")?;
        let (_, rest) = rest.split_once('>')?;
        Some(unescape(rest.split('<').next()?).replace('\u{a0}', " "))
    }

    fn hidden_fields(&self, action: &str) -> Result<Vec<(String, String)>> {
        let forms = self.html.split("<form ").skip(1).map(|part| part.split("</form>").next().unwrap_or_default());
        let mut forms = forms.filter(|form| attribute(form, "action").is_some_and(|place| unescape(&place) == action));
        let form = forms.next().with_context(|| format!("{} has no form to {action}", self.path))?;
        let tags = form.split('<').filter_map(|part| part.split('>').next());
        let hidden = tags.filter(|tag| tag.starts_with("input") && tag.contains("type=\"hidden\""));
        let pair = |tag: &str| Some((attribute(tag, "name")?, unescape(&attribute(tag, "value")?)));
        Ok(hidden.filter_map(pair).collect())
    }
}

fn encode(fields: &[(String, String)]) -> String {
    let escaped = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect()
    };
    fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect::<Vec<_>>().join("&")
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    Some(rest.split('"').next()?.to_owned())
}

fn unescape(text: &str) -> String {
    let pairs =
        [("&#38;", "&"), ("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&lt;", "<"), ("&gt;", ">")];
    let text = pairs.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character));
    text.replace("&quot;", "\"").replace("&#x27;", "'").replace("&amp;", "&")
}
