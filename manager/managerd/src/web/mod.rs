//! The manager's pages. One file for each subject; what all of them need stands here.

mod agents;
mod chart;
mod csv;
mod device;
mod fleet;
mod places;
mod questions;
mod texts;

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    http::{HeaderMap, StatusCode, header},
};
use jiff::tz::TimeZone;
use manager_core::access::Scope;
use manager_store::{Store, StoreError};
use webkit::{
    page::Problem,
    site::{NavItem, Site, SiteSettings, User, Users, Visit},
    text::Lang,
};

use crate::service::House;

use texts::Texts;

/// The site with all pages.
pub fn site(house: &House, zone: TimeZone) -> anyhow::Result<Router> {
    let desk = Desk {
        store: house.store.clone(),
        server_key: house.certificate.spki_sha256(),
        given_url: house.given_url()?.map(Arc::from),
    };
    let pages = Router::new()
        .merge(fleet::routes())
        .merge(device::routes())
        .merge(places::routes())
        .merge(questions::routes())
        .merge(agents::routes())
        .with_state(desk);
    let settings = SiteSettings {
        product: "Druckwart Manager",
        name: "manager",
        version: env!("CARGO_PKG_VERSION"),
        nav,
        zone,
        open: &[],
    };
    Ok(Site::new(settings, Arc::new(StoredUsers(house.store.clone()))).router(pages))
}

fn nav(lang: Lang) -> Vec<NavItem> {
    let t = Texts::of(lang);
    vec![
        NavItem { href: "/", label: t.fleet },
        NavItem { href: "/customers", label: t.customers },
        NavItem { href: "/agents", label: t.agents },
        NavItem { href: "/questions", label: t.to_decide },
    ]
}

/// What every page's handler has at hand.
#[derive(Clone)]
struct Desk {
    store: Arc<Store>,
    server_key: [u8; 32],
    /// The address that agents are told, where one was given at start.
    given_url: Option<Arc<str>>,
}

impl Desk {
    /// Asks the store on behalf of the visitor, off the threads that serve pages.
    async fn ask<T: Send + 'static>(
        &self,
        visit: &Visit,
        question: impl FnOnce(&Store, &Scope) -> manager_store::Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        self.try_ask(visit, question).await?.map_err(problem)
    }

    /// As [`Self::ask`], where the page has something better to say about a refusal.
    async fn try_ask<T: Send + 'static>(
        &self,
        visit: &Visit,
        question: impl FnOnce(&Store, &Scope) -> manager_store::Result<T> + Send + 'static,
    ) -> Result<manager_store::Result<T>, Problem> {
        let (store, name) = (self.store.clone(), visit.user().to_owned());
        let asked = tokio::task::spawn_blocking(move || {
            let user = store.user(&name)?.ok_or(StoreError::NotFound)?;
            question(&store, &user.scope)
        });
        asked.await.map_err(|error| Problem::internal(error.into()))
    }

    /// The address that agents are told: the given one, else the one by which the visitor came here.
    fn agent_url(&self, headers: &HeaderMap) -> AgentUrl {
        if let Some(url) = &self.given_url {
            return AgentUrl { url: url.to_string(), is_local: false };
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        match crate::service::parse_url(&format!("https://{host}")) {
            Ok(url) => AgentUrl { is_local: is_local(host), url },
            Err(_) => AgentUrl { url: "https://localhost:8443".to_owned(), is_local: true },
        }
    }
}

/// The address that agents are told.
struct AgentUrl {
    url: String,
    /// Whether only this machine understands it.
    is_local: bool,
}

fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What a page says when the store refuses.
fn problem(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => Problem::not_found(),
        StoreError::Denied(_) => Problem::new(
            StatusCode::FORBIDDEN,
            ["You may not do this", "Das dürfen Sie nicht"],
            [
                "Your user lacks the right. Ask an administrator.",
                "Ihrem Benutzer fehlt das Recht. Fragen Sie einen Administrator.",
            ],
        ),
        StoreError::Busy(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ["The database is busy", "Die Datenbank ist beschäftigt"],
            [
                "Nothing was changed. Please try again in a moment.",
                "Es wurde nichts geändert. Bitte gleich noch einmal.",
            ],
        ),
        StoreError::Full(_) => Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            ["The disk is full", "Die Festplatte ist voll"],
            [
                "Nothing was changed. Make room on the manager's disk and try again; reports wait with the agents.",
                "Es wurde nichts geändert. Schaffen Sie Platz auf der Platte des Managers; Berichte warten bei den Agenten.",
            ],
        ),
        other => Problem::internal(other.into()),
    }
}

/// The users of the manager as the log-in sees them.
struct StoredUsers(Arc<Store>);

impl Users for StoredUsers {
    fn is_empty(&self) -> anyhow::Result<bool> {
        Ok(self.0.has_no_users()?)
    }

    fn find(&self, name: &str) -> anyhow::Result<Option<User>> {
        let user = self.0.user(name)?;
        Ok(user.map(|user| User { name: user.name, password_hash: user.password_hash }))
    }

    fn create_first(&self, user: &User) -> anyhow::Result<bool> {
        Ok(self.0.create_first_administrator(&user.name, &user.password_hash)?)
    }

    fn set_password(&self, user: &User) -> anyhow::Result<()> {
        Ok(self.0.set_password(&user.name, &user.password_hash)?)
    }
}
