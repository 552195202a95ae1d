//! The HTTP proxy between the agent and its manager: a form on the network page, on the appliance and elsewhere.

use axum::Extension;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use webkit::form::CheckedForm;
use webkit::listen::LocalAddress;
use webkit::page::Problem;
use webkit::site::Visit;
use webkit::text::{Lang, fill};
use webkit::texts;

use super::{Parts, network, rights};
use crate::settings::{Proxy, SettingError};

texts! {
    /// Words of the form.
    pub(super) Texts {
        title: "Proxy", "Proxy";
        none: "The agent reaches its manager directly.", "Der Agent erreicht seinen Manager direkt.";
        by: "The agent reaches its manager by {}.", "Der Agent erreicht seinen Manager über {}.";
        more: "Set an HTTP proxy", "HTTP-Proxy eintragen";
        address: "Address of the proxy", "Adresse des Proxys";
        address_hint: "Empty: none.", "Leer: keiner.";
        user: "User at the proxy", "Benutzer am Proxy";
        user_hint: "Empty: the proxy asks for no log-in.", "Leer: Der Proxy verlangt keine Anmeldung.";
        password: "Password at the proxy", "Passwort am Proxy";
        password_kept: "It is not shown. Empty: it stays as it is.", "Es wird nicht angezeigt. Leer: Es bleibt, wie es ist.";
        save: "Save proxy", "Proxy speichern";
        saved: "Saved. The agent tries the manager at once.", "Gespeichert. Der Agent versucht sofort, den Manager zu erreichen.";
        test: "Whether it works is shown by “Test” on the page Manager.", "Ob er funktioniert, zeigt „Prüfen“ auf der Seite Manager.";
        bad_address: "“{}” is no address of a proxy. Write http://proxy.example:3128, without user and password.",
            "„{}“ ist keine Adresse eines Proxys. Schreiben Sie http://proxy.example:3128, ohne Benutzer und Passwort.";
        bad_login: "User and password have at most 200 characters each; the user has no colon.",
            "Benutzer und Passwort haben je höchstens 200 Zeichen; der Benutzer enthält keinen Doppelpunkt.";
    }
}

/// The form as it is shown.
pub(super) struct View {
    pub(super) t: &'static Texts,
    pub(super) state: String,
    pub(super) address: String,
    pub(super) user: String,
    pub(super) has_password: bool,
    pub(super) problem: Option<String>,
}

impl View {
    pub(super) fn of(lang: Lang, proxy: Option<&Proxy>) -> Self {
        let t = Texts::of(lang);
        let address = proxy.map(|proxy| proxy.url.as_str().trim_end_matches('/').to_owned());
        let login = proxy.and_then(|proxy| proxy.login.as_ref());
        Self {
            t,
            state: address.as_ref().map_or_else(|| t.none.to_owned(), |address| fill(t.by, &[address])),
            address: address.unwrap_or_default(),
            user: login.map(|login| login.user.clone()).unwrap_or_default(),
            has_password: login.is_some(),
            problem: None,
        }
    }
}

/// The form as it is sent.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    address: String,
    user: String,
    password: String,
}

pub(super) async fn set(
    visit: Visit,
    headers: HeaderMap,
    Extension(local): Extension<LocalAddress>,
    Extension(parts): Extension<Parts>,
    CheckedForm(sent): CheckedForm<Sent>,
) -> Result<Response, Problem> {
    rights::may_change_network(&visit)?;
    let t = Texts::of(visit.lang());
    let before = parts.ask(|store| store.proxy()).await?;
    match Proxy::parse(&sent.address, &sent.user, &sent.password, before.as_ref()) {
        Ok(proxy) => {
            parts.ask(move |store| store.set_proxy(proxy.as_ref())).await?;
            parts.uplink.wake();
            log::info!("the proxy was set by {}", visit.user());
            Ok(visit.go_to_with_notice("/network", t.saved))
        }
        Err(error) => {
            let mut view = View::of(visit.lang(), before.as_ref());
            view.problem = Some(match &error {
                SettingError::Proxy(shown) => fill(t.bad_address, &[shown]),
                _ => t.bad_login.to_owned(),
            });
            (view.address, view.user) = (sent.address, sent.user);
            network::show_with_proxy(&visit, &parts, &network::Way::of(&headers, local), view).await
        }
    }
}
