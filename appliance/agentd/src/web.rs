//! The pages. `router` is the table of all of them; each has a file of its own.

mod appliance;
mod devices;
mod discovery;
mod manager;
mod network;
mod network_form;
mod network_log;
mod network_texts;
mod proxy;
mod rights;
mod snmp;
mod update_texts;
mod updates;
mod usb;

use std::sync::Arc;

use anyhow::Context;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Extension, Router};
use jiff::tz::TimeZone;
use webkit::moment::Ago;
use webkit::notes;
use webkit::page::Problem;
use webkit::site::{NavItem, Site, SiteSettings, User, Users, Visit};
use webkit::text::Lang;
use wire::message::AgentId;
use wire::vocab::RemarkCode;

pub use webkit::login::ADMINISTRATOR;

use crate::netcfgd::Netcfgd;
use crate::reserve::Reserve;
use crate::store::{Store, StoreError};
use crate::updates::Updates;
use crate::{collector, uplink, usb as usb_printers};

/// Something that is to be said of the agent itself.
struct Said {
    words: String,
    since: Option<Ago>,
}

/// What the pages show and order.
#[derive(Clone)]
pub struct Parts {
    /// The database.
    pub store: Arc<Store>,
    /// The collector.
    pub collector: collector::Handle,
    /// The USB printers.
    pub usb: usb_printers::Handle,
    /// The way to the manager.
    pub uplink: uplink::Handle,
    /// Who this agent is.
    pub agent: AgentId,
    /// The way to netcfgd, where there is one.
    pub netcfgd: Netcfgd,
    /// The way to boxd, and of bundles to it.
    pub updates: Updates,
    /// The room kept back on the disk.
    pub reserve: Reserve,
}

impl Parts {
    /// What is to be said of the agent itself.
    async fn said_of_self(&self, visit: &Visit) -> Result<Vec<Said>, Problem> {
        let mut said = self.ask(|store| store.said_of_self()).await?;
        // A disk that is full enough takes not even that.
        said.retain(|remark| remark.code != RemarkCode::StorageFull);
        said.extend(self.reserve.remark());
        let said = said.into_iter().map(|remark| Said {
            words: notes::remark(visit.lang(), &remark),
            since: remark.since.map(|since| visit.viewer.ago_and_when(since)),
        });
        Ok(said.collect())
    }

    /// Asks the store, off the threads that serve pages.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let store = self.store.clone();
        let answer = tokio::task::spawn_blocking(move || question(&store)).await.context("the store's thread ended")?;
        Ok(answer.context("the store does not answer")?)
    }
}

/// Paths that need neither log-in nor TLS.
pub const OPEN: &[&str] = &[network::CONFIRM];
/// Paths to which more may be sent than a form, and how much: a bundle and what is around it.
pub const LARGE: &[(&str, usize)] = &[(updates::UPLOAD, (256 << 20) + (64 << 10))];

/// All pages, behind the log-in.
pub fn router(parts: Parts) -> Router {
    let users: Arc<dyn Users> = Arc::new(StoredUsers(parts.store.clone()));
    let settings = SiteSettings {
        product: "Druckwart Agent",
        name: "agent",
        version: env!("CARGO_PKG_VERSION"),
        nav,
        zone: TimeZone::system(),
        open: OPEN,
    };
    let is_box = parts.updates.boxd().is_there();
    let settings = SiteSettings { nav: if is_box { nav_of_box } else { nav }, ..settings };
    let pages = Router::new()
        .route("/", get(devices::list))
        .route("/devices.csv", get(devices::csv))
        .route("/device/{id}", get(devices::show))
        .route("/device/{id}/poll", post(devices::poll))
        .route("/device/{id}/remove", post(devices::remove))
        .route("/question/{row}/{choice}", post(devices::decide))
        .route("/discovery", get(discovery::show))
        .route("/discovery/range", post(discovery::add_range))
        .route("/discovery/range/{id}", get(discovery::show_range).post(discovery::change_range))
        .route("/discovery/range/{id}/remove", post(discovery::remove_range))
        .route("/discovery/search", post(discovery::search))
        .route("/discovery/go-on", post(discovery::go_on))
        .route("/discovery/stop", post(discovery::stop))
        .route("/discovery/rhythm", post(discovery::set_rhythm))
        .route("/snmp", get(snmp::show))
        .route("/snmp/user", post(snmp::add))
        .route("/snmp/user/remove", post(snmp::remove))
        .route("/network", get(network::show).post(network::attempt))
        .route("/network/extend", post(network::extend))
        .route("/network/cancel", post(network::cancel))
        .route("/network/proxy", post(proxy::set))
        .route("/network/log", get(network_log::show))
        .route(network::CONFIRM, get(network::confirm))
        .route("/usb", get(usb::show))
        .route("/usb/read", post(usb::read_now))
        .route("/usb/access", post(usb::access))
        .route("/usb/{port}/name", post(usb::name))
        .route("/usb/{port}/printing", post(usb::printing))
        .route("/usb/{port}/forget", post(usb::forget))
        .route("/manager", get(manager::show).post(manager::set))
        .route("/manager/test", post(manager::test))
        .route("/manager/send", post(manager::send))
        .route("/manager/sent", get(manager::sent))
        .merge(if is_box { box_pages() } else { Router::new() })
        .layer(Extension(parts));
    Site::new(settings, users).router(pages)
}

/// Pages that only the appliance has.
fn box_pages() -> Router {
    Router::new()
        .route("/updates", get(updates::show))
        // How much may be sent is bounded by the listener, and by what is free.
        .route(updates::UPLOAD, post(updates::upload).layer(DefaultBodyLimit::disable()))
        .route("/updates/fetch", post(updates::fetch))
        .route("/updates/restart", post(updates::restart))
        .route("/box", get(appliance::show))
        .route("/box/zone", post(appliance::zone))
        .route("/box/licence", post(appliance::licence))
        .route("/box/reset-network", post(appliance::reset_network))
        .route("/box/erase", post(appliance::erase))
}

fn nav_of_box(lang: Lang) -> Vec<NavItem> {
    let mut items = nav(lang);
    items.push(NavItem { href: "/updates", label: "Updates" });
    items.push(NavItem { href: "/box", label: lang.pick("Box", "Gerät") });
    items
}

fn nav(lang: Lang) -> Vec<NavItem> {
    vec![
        NavItem { href: "/", label: lang.pick("Devices", "Geräte") },
        NavItem { href: "/discovery", label: lang.pick("Discovery", "Suche") },
        NavItem { href: "/snmp", label: "SNMPv3" },
        NavItem { href: "/network", label: lang.pick("Network", "Netzwerk") },
        NavItem { href: "/usb", label: lang.pick("USB printers", "USB-Drucker") },
        NavItem { href: "/manager", label: "Manager" },
    ]
}

struct StoredUsers(Arc<Store>);

impl Users for StoredUsers {
    fn is_empty(&self) -> anyhow::Result<bool> {
        Ok(self.0.has_no_users()?)
    }

    fn find(&self, name: &str) -> anyhow::Result<Option<User>> {
        let hash = self.0.password_hash(name)?;
        Ok(hash.map(|password_hash| User { name: name.to_owned(), password_hash }))
    }

    fn create_first(&self, user: &User) -> anyhow::Result<bool> {
        Ok(self.0.create_first_user(&user.name, &user.password_hash)?)
    }

    fn set_password(&self, user: &User) -> anyhow::Result<()> {
        Ok(self.0.set_password(&user.name, &user.password_hash)?)
    }
}
