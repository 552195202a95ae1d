//! Chromium without a window, worked by chromedriver (W3C WebDriver) as a person works it: by the words that stand on links,
//! buttons and fields. Knows nothing of the pages.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    programs::Daemon,
    visitor::client,
    wait::{until, until_true},
};

/// What a reference to an element is called in WebDriver's JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Width of a small phone, in CSS pixels.
pub const PHONE: u32 = 360;
/// What tells the browser to leave the rest of the world alone, and not to mind where it runs.
const FLAGS: [&str; 12] = [
    "--headless=new",
    // The sandbox needs rights that containers lack; the only pages that are opened are our own.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE 192.168.77.*",
];

/// A browser with one tab; it ends when this is dropped.
pub struct Browser {
    http: Client,
    port: u16,
    session: String,
    // Dropped in this order: first the driver, then the folder in which its browser writes.
    _driver: Daemon,
    _folder: TempDir,
}

impl Browser {
    /// Starts a browser as people have it.
    pub async fn open() -> Result<Self> {
        Self::start(json!({})).await
    }

    /// Starts a browser in which scripts are switched off.
    pub async fn open_without_script() -> Result<Self> {
        Self::start(json!({ "profile.managed_default_content_settings.javascript": 2 })).await
    }

    async fn start(mut preferences: Value) -> Result<Self> {
        let (chromium, chromedriver) = (find_program("chromium")?, find_program("chromedriver")?);
        let folder = tempfile::Builder::new().prefix("druckwart-browser-").tempdir()?;
        let mut command = Command::new(chromedriver);
        command.arg("--port=0").env("TMPDIR", folder.path());
        let mut driver = Daemon::start(command, &folder.path().join("chromedriver.log"))?;
        let said = driver.says("started successfully on port ").await?;
        let port = said.trim_end_matches('.').parse().with_context(|| format!("chromedriver said no port: {said}"))?;
        preferences["intl.accept_languages"] = json!("en-GB,en");
        let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
        let flags: Vec<_> = FLAGS.iter().copied().chain([profile.as_str()]).collect();
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "acceptInsecureCerts": true,
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "binary": chromium, "args": flags, "prefs": preferences },
        }}});
        let mut browser = Self { http: client()?, port, session: String::new(), _driver: driver, _folder: folder };
        let session = browser.ask(Method::POST, "/session", &wanted).await.context("chromium does not start")?;
        browser.session = session.pointer("/sessionId").and_then(Value::as_str).context("no session")?.to_owned();
        browser.resize(1280, 900, 1.0).await?;
        Ok(browser)
    }

    /// Opens an address.
    pub async fn go(&self, url: &str) -> Result<()> {
        self.tell("/url", json!({ "url": url })).await.map(drop)
    }

    /// The address of the page that is open.
    pub async fn url(&self) -> Result<String> {
        let url = self.get("/url").await?;
        url.as_str().map(str::to_owned).context("a page without address")
    }

    /// Makes the window as large as this (in CSS pixels), with so many pixels to each of them.
    pub async fn resize(&self, width: u32, height: u32, scale: f64) -> Result<()> {
        // As a desktop: what is too wide then sticks out, instead of making the page smaller.
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await
    }

    /// Chooses between light and dark as the system's setting would.
    pub async fn prefer_light(&self) -> Result<()> {
        let light = json!({ "features": [{ "name": "prefers-color-scheme", "value": "light" }] });
        self.devtools("Emulation.setEmulatedMedia", light).await
    }

    /// Clicks on the link or button that says exactly this, once it is there.
    pub async fn click(&self, words: &str) -> Result<()> {
        let words = quoted(words);
        self.click_on(&format!("//*[self::a or self::button or self::summary][normalize-space()={words}]")).await
    }

    /// Clicks on the first element of an XPath, once it is there.
    pub async fn click_on(&self, xpath: &str) -> Result<()> {
        self.do_with(xpath, async |element| self.tell(&format!("/element/{element}/click"), json!({})).await.map(drop))
            .await
    }

    /// Types into the field whose label begins like this, in place of what stands there.
    pub async fn fill(&self, label: &str, text: &str) -> Result<()> {
        self.do_with(&field(label), async |element| {
            self.tell(&format!("/element/{element}/clear"), json!({})).await?;
            self.tell(&format!("/element/{element}/value"), json!({ "text": text })).await.map(drop)
        })
        .await
    }

    /// What stands in the field whose label begins like this.
    pub async fn value(&self, label: &str) -> Result<String> {
        let element = self.find(&field(label)).await?;
        let value = self.get(&format!("/element/{element}/property/value")).await?;
        value.as_str().map(str::to_owned).with_context(|| format!("the field {label} has no value"))
    }

    /// What a person reads in the first element of an XPath, with single blanks.
    pub async fn text_of(&self, xpath: &str) -> Result<String> {
        let element = self.find(xpath).await?;
        let text = self.get(&format!("/element/{element}/text")).await?;
        Ok(text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// What a person reads on the page.
    pub async fn text(&self) -> Result<String> {
        self.text_of("//body").await
    }

    /// Waits until the page says this: by itself, or after a click.
    pub async fn sees(&self, words: &str) -> Result<()> {
        let seen = until_true(words, async || Ok(self.text().await.is_ok_and(|text| text.contains(words)))).await;
        match seen {
            Ok(()) => Ok(()),
            Err(error) => Err(error.context(format!("the page says: {}", self.text().await?))),
        }
    }

    /// Opens an address again and again until the page says this.
    pub async fn sees_at(&self, url: &str, words: &str) -> Result<()> {
        let what = format!("{words} at {url}");
        let seen = until_true(&what, async || {
            self.go(url).await?;
            Ok(self.text().await?.contains(words))
        });
        match seen.await {
            Ok(()) => Ok(()),
            Err(error) => Err(error.context(format!("the page says: {}", self.text().await?))),
        }
    }

    /// What an expression is on the page. Needs script.
    pub async fn evaluate(&self, expression: &str) -> Result<Value> {
        self.tell("/execute/sync", json!({ "script": format!("return {expression};"), "args": [] })).await
    }

    /// What the browser had to object to since it was asked last: errors, and what the content security policy refused.
    pub async fn complaints(&self) -> Result<Vec<String>> {
        let log = self.tell("/se/log", json!({ "type": "browser" })).await?;
        let entries = log.as_array().into_iter().flatten();
        let serious = entries.filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")));
        Ok(serious.filter_map(|entry| entry["message"].as_str()).map(str::to_owned).collect())
    }

    /// A picture (PNG) of what the window shows.
    pub async fn picture(&self) -> Result<Vec<u8>> {
        let picture = self.get("/screenshot").await?;
        let picture = picture.as_str().context("no picture")?;
        data_encoding::BASE64.decode(picture.as_bytes()).context("a picture that is no base64")
    }

    /// Finds an element and does something with it. A page that stays fresh may take it away at any moment: then once more.
    async fn do_with(&self, xpath: &str, mut act: impl AsyncFnMut(&str) -> Result<()>) -> Result<()> {
        let mut last = None;
        let done = until(xpath, async || {
            let done = async { act(&self.find(xpath).await?).await }.await;
            Ok(done.map_err(|error| last = Some(error)).ok())
        })
        .await;
        match (done, last) {
            (Err(error), Some(last)) => Err(last.context(error.to_string()).context(self.where_it_is().await)),
            (done, _) => done,
        }
    }

    /// For messages.
    async fn where_it_is(&self) -> String {
        let (url, text) = (self.url().await.unwrap_or_default(), self.text().await.unwrap_or_default());
        format!("{url} says: {text}")
    }

    async fn find(&self, xpath: &str) -> Result<String> {
        let found = self.tell("/element", json!({ "using": "xpath", "value": xpath })).await?;
        found[ELEMENT].as_str().map(str::to_owned).with_context(|| format!("no element: {xpath}"))
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Result<()> {
        self.tell("/goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await.map(drop)
    }

    async fn get(&self, path: &str) -> Result<Value> {
        self.ask(Method::GET, &format!("/session/{}{path}", self.session), &Value::Null).await
    }

    async fn tell(&self, path: &str, body: Value) -> Result<Value> {
        self.ask(Method::POST, &format!("/session/{}{path}", self.session), &body).await
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let mut request = self.http.request(method, format!("http://127.0.0.1:{}{path}", self.port));
        if !body.is_null() {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let answer = request.send().await?;
        let is_well = answer.status().is_success();
        let mut answer: Value = serde_json::from_str(&answer.text().await?)?;
        let value = answer["value"].take();
        match is_well {
            true => Ok(value),
            false => Err(fault(&value)),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Only chromedriver knows the browser's processes: it has to end them before it is ended itself.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
            let _ = stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
}

/// What went wrong, without chromedriver's own stack.
fn fault(value: &Value) -> anyhow::Error {
    let part = |name: &str| value[name].as_str().unwrap_or_default().lines().next().unwrap_or_default().to_owned();
    anyhow!("{}: {}", part("error"), part("message"))
}

/// The field of a label.
fn field(label: &str) -> String {
    format!("//label[starts-with(normalize-space(), {})]//*[self::input or self::textarea]", quoted(label))
}

/// A text as XPath writes it.
fn quoted(text: &str) -> String {
    match text.contains('"') {
        true => format!("'{text}'"),
        false => format!("\"{text}\""),
    }
}

/// Where a program is, or how to get it.
fn find_program(name: &str) -> Result<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&folders).map(|folder| folder.join(name));
    match places.find(|place| is_file(place)) {
        Some(place) => Ok(place),
        None => bail!("{name} is missing. On Debian: apt-get install chromium chromium-driver"),
    }
}

fn is_file(place: &Path) -> bool {
    fs::metadata(place).is_ok_and(|metadata| metadata.is_file())
}
