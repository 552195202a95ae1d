//! The manager: where it is, how the connection stands, what is sent.

use askama::Template;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use webkit::device_view::StatusPill;
use webkit::form::CheckedForm;
use webkit::moment::Ago;
use webkit::page::Problem;
use webkit::site::Visit;
use webkit::text::{fill, number};
use webkit::texts;

use super::devices::NoFields;
use super::{Parts, Said};
use crate::settings::{ManagerAddress, SettingError};
use crate::store::outbox::Unreported;
use crate::store::settings::Enrolment;
use crate::uplink::{self, DeliveryError, Found, HopError, HopReport, WHOLE_TIMEOUT};

texts! {
    /// Words of the page.
    Texts {
        title: "Manager", "Manager";
        none: "No manager is set. The agent collects and shows what it finds here, and sends nothing.",
            "Es ist kein Manager eingetragen. Der Agent sammelt und zeigt hier, was er findet, und sendet nichts.";
        state: "Connection", "Verbindung";
        connected: "Connected", "Verbunden";
        waiting: "Not yet registered", "Noch nicht angemeldet";
        failing: "Not reached", "Nicht erreicht";
        address: "Address", "Adresse";
        site: "Customer / site", "Kunde / Standort";
        agent: "This agent", "Dieser Agent";
        last_success: "Last accepted", "Zuletzt angenommen";
        never: "nothing yet", "noch nichts";
        last_failure: "Last failure", "Letzter Fehler";
        outbox: "Reports waiting", "Wartende Berichte";
        refused: "Refused for good", "Endgültig abgelehnt";
        next: "Next attempt", "Nächster Versuch";
        pinned: "The manager's key is named in the enrolment code", "Der Schlüssel des Managers steht im Anmeldecode";
        authorities: "This machine's certificate authorities", "Die Zertifizierungsstellen dieses Rechners";
        trust: "Trusted by", "Vertraut wird";
        by: "By the proxy", "Über den Proxy";
        test: "Test", "Prüfen";
        send_now: "Send now", "Jetzt senden";
        sent_now: "The agent tries at once; the page shows what comes of it.",
            "Der Agent versucht es sofort; die Seite zeigt, was dabei herauskommt.";
        tested: "Test of the connection", "Prüfung der Verbindung";
        change: "Set the manager", "Manager eintragen";
        change_text: "Both come from the manager: open the site there and make an enrolment token.",
            "Beides kommt vom Manager: dort den Standort öffnen und einen Anmeldecode erzeugen.";
        url: "Address of the manager", "Adresse des Managers";
        code: "Enrolment code", "Anmeldecode";
        save: "Save and register", "Speichern und anmelden";
        saved: "Saved. The agent registers now.", "Gespeichert. Der Agent meldet sich jetzt an.";
        another: "Setting another manager deletes the reports that still wait for this one; the new one gets everything anew.",
            "Ein anderer Manager löscht die Berichte, die noch auf diesen warten; der neue bekommt alles von vorn.";
        bad_url: "`{}` is no address of a manager. Write https://host:port.", "„{}“ ist keine Adresse eines Managers. Schreiben Sie https://host:port.";
        bad_code: "This is no enrolment code. It starts with DW1- and has to be copied whole.",
            "Das ist kein Anmeldecode. Er beginnt mit DW1- und muss ganz kopiert werden.";
        what_is_sent: "What is sent", "Was gesendet wird";
        what_is_sent_text: "The last report that the manager accepted, byte for byte. No job names, users or documents are in it: \
            the agent does not read them.",
            "Der letzte Bericht, den der Manager angenommen hat, Byte für Byte. Namen von Druckaufträgen, Benutzern und Dokumenten \
            stehen nicht darin: der Agent liest sie nicht.";
        nothing_sent: "Nothing has been sent yet.", "Es wurde noch nichts gesendet.";
        show_report: "Show the last report", "Letzten Bericht zeigen";
        bytes: "{} bytes", "{} Bytes";
        cut: "The first {} bytes of {}.", "Die ersten {} Bytes von {}.";
        found_port: "port {} is open", "Port {} ist offen";
        found_key: "the key is the expected one", "der Schlüssel ist der erwartete";
        found_manager: "answers", "antwortet";
        unresolved: "{} does not resolve: {}", "{} lässt sich nicht auflösen: {}";
        no_name_server: "no name server answers for {}", "für {} antwortet kein Nameserver";
        port_closed: "port {}: {}", "Port {}: {}";
        port_silent: "port {} does not answer: a firewall may drop it", "Port {} antwortet nicht: vielleicht verwirft eine Firewall die Pakete";
        no_setup: "the connection cannot be set up: {}", "die Verbindung lässt sich nicht vorbereiten: {}";
        not_reached: "the manager cannot be reached: {}", "der Manager ist nicht zu erreichen: {}";
        no_tls: "the manager's certificate is not trusted or TLS fails: {}", "dem Zertifikat des Managers wird nicht vertraut, oder TLS schlägt fehl: {}";
        too_slow: "the manager did not answer within {} seconds", "der Manager antwortete nicht innerhalb von {} Sekunden";
        broken: "the connection to the manager broke: {}", "die Verbindung zum Manager brach ab: {}";
        redirected: "the address redirects to {}: if that is the manager, set its address", "die Adresse verweist weiter an {}: Ist das der Manager, tragen Sie dessen Adresse ein";
        no_manager: "the address answers, but not as a Druckwart manager: {}", "unter der Adresse antwortet etwas anderes als ein Druckwart-Manager: {}";
        status: "the server answered {}; trying again later", "der Server antwortete {}; später ein neuer Versuch";
        manager_refused: "the manager refused: {}", "der Manager lehnte ab: {}";
        manager_busy: "the manager is busy: {}", "der Manager ist beschäftigt: {}";
    }
}

fn found(t: &Texts, found: &Found) -> String {
    match found {
        Found::Addresses(addresses) => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        Found::Open(port) => fill(t.found_port, &[port]),
        Found::Key => t.found_key.to_owned(),
        Found::Manager => t.found_manager.to_owned(),
    }
}

fn hop_error(t: &Texts, error: &HopError) -> String {
    match error {
        HopError::Unresolved { host, why } => fill(t.unresolved, &[host, why]),
        HopError::NoNameServer { host } => fill(t.no_name_server, &[host]),
        HopError::Closed { port, why } => fill(t.port_closed, &[port, why]),
        HopError::Silent { port } => fill(t.port_silent, &[port]),
        HopError::Delivery(error) => delivery_error(t, error),
    }
}

/// What the manager and the libraries say themselves stays in their words.
fn delivery_error(t: &Texts, error: &DeliveryError) -> String {
    match error {
        DeliveryError::Setup(why) => fill(t.no_setup, &[why]),
        DeliveryError::Connect(why) => fill(t.not_reached, &[why]),
        DeliveryError::Tls(why) => fill(t.no_tls, &[why]),
        DeliveryError::Timeout => fill(t.too_slow, &[&WHOLE_TIMEOUT.as_secs()]),
        DeliveryError::Broken(why) => fill(t.broken, &[why]),
        DeliveryError::Redirect(to) => fill(t.redirected, &[to]),
        DeliveryError::NotAManager(why) => fill(t.no_manager, &[why]),
        DeliveryError::Status { status, .. } => fill(t.status, &[status]),
        DeliveryError::Refused(fault) => fill(t.manager_refused, &[&fault.message]),
        DeliveryError::Busy { message, .. } => fill(t.manager_busy, &[message]),
    }
}

/// Most of a report that the page shows.
const SHOWN: usize = 200 << 10;

#[derive(Template)]
#[template(path = "manager.html")]
struct Page {
    t: &'static Texts,
    csrf: String,
    state: Option<State>,
    agent: String,
    /// What this box says of itself, and since when.
    said: Vec<Said>,
    hops: Vec<HopRow>,
    form: ManagerForm,
    problem: Option<String>,
}

struct State {
    pill: StatusPill,
    address: String,
    site: String,
    last_success: Option<Ago>,
    failure: Option<(String, Ago)>,
    next: Option<String>,
    waiting: String,
    refused: Option<String>,
    trust: &'static str,
    proxy: Option<String>,
}

struct HopRow {
    pill: StatusPill,
    words: String,
}

/// The form, as typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ManagerForm {
    url: String,
    code: String,
}

impl Page {
    async fn of(visit: &Visit, parts: &Parts) -> Result<Self, Problem> {
        let (enrolment, proxy, unreported, refused) = parts
            .ask(|store| {
                let (waiting, refused) = (store.unreported()?, store.refused_reports()?);
                Ok((store.enrolment()?, store.proxy()?, waiting, refused))
            })
            .await?;
        let proxy = proxy.map(|proxy| proxy.url.to_string());
        Ok(Self {
            t: Texts::of(visit.lang()),
            csrf: visit.csrf().to_owned(),
            form: ManagerForm {
                url: enrolment.as_ref().map(|enrolment| enrolment.manager.url.to_string()).unwrap_or_default(),
                code: String::new(),
            },
            state: enrolment.map(|enrolment| State::of(visit, parts, enrolment, proxy, unreported, refused)),
            agent: parts.agent.to_string(),
            said: parts.said_of_self(visit).await?,
            hops: Vec::new(),
            problem: None,
        })
    }
}

impl State {
    fn of(
        visit: &Visit,
        parts: &Parts,
        enrolment: Enrolment,
        proxy: Option<String>,
        unreported: Unreported,
        (refused, reason): (u64, Option<String>),
    ) -> Self {
        let lang = visit.lang();
        let t = Texts::of(lang);
        let connection = parts.uplink.connection();
        let pill = match (&connection.last_failure, enrolment.registered) {
            (Some(_), _) => StatusPill::custom("critical", t.failing),
            (None, false) => StatusPill::custom("unknown", t.waiting),
            (None, true) => StatusPill::custom("good", t.connected),
        };
        Self {
            pill,
            address: enrolment.manager.url.to_string(),
            site: enrolment.site.map(|(customer, site)| format!("{customer} / {site}")).unwrap_or_default(),
            last_success: connection.last_success.map(|at| visit.viewer.ago_and_when(at)),
            failure: connection.last_failure.map(|(at, error)| (delivery_error(t, &error), visit.viewer.ago(at))),
            next: connection.next_attempt.map(|at| visit.viewer.when(at)),
            waiting: number(lang, unreported.waiting),
            refused: reason.map(|reason| format!("{} ({reason})", number(lang, refused))),
            trust: if enrolment.manager.code.server_key.is_some() { t.pinned } else { t.authorities },
            proxy,
        }
    }
}

pub(super) async fn show(visit: Visit, Extension(parts): Extension<Parts>) -> Result<Response, Problem> {
    let page = Page::of(&visit, &parts).await?;
    Ok(visit.live_page(page.t.title, 3, &page))
}

pub(super) async fn set(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(form): CheckedForm<ManagerForm>,
) -> Result<Response, Problem> {
    let t = Texts::of(visit.lang());
    match ManagerAddress::parse(&form.url, &form.code) {
        Ok(manager) => {
            parts.ask(move |store| store.set_manager(&manager)).await?;
            parts.uplink.wake();
            Ok(visit.go_to_with_notice("/manager", t.saved))
        }
        Err(error) => {
            let mut page = Page::of(&visit, &parts).await?;
            page.problem = Some(match error {
                SettingError::Url(url) => fill(t.bad_url, &[&url]),
                SettingError::Code => t.bad_code.to_owned(),
                other => other.to_string(),
            });
            page.form = form;
            Ok(visit.page_with_status(StatusCode::UNPROCESSABLE_ENTITY, t.title, &page))
        }
    }
}

pub(super) async fn test(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Result<Response, Problem> {
    let (enrolment, proxy) = parts.ask(|store| Ok((store.enrolment()?, store.proxy()?))).await?;
    let Some(enrolment) = enrolment else { return Ok(visit.go_to("/manager")) };
    let hops = uplink::test_connection(&enrolment.manager, proxy.as_ref()).await;
    let mut page = Page::of(&visit, &parts).await?;
    page.hops = hops
        .into_iter()
        .map(|HopReport { hop, outcome }| match outcome {
            Ok(what) => HopRow { pill: StatusPill::custom("good", hop.name()), words: found(page.t, &what) },
            Err(why) => HopRow { pill: StatusPill::custom("critical", hop.name()), words: hop_error(page.t, &why) },
        })
        .collect();
    Ok(visit.page(page.t.title, &page))
}

pub(super) async fn send(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Response {
    parts.uplink.wake();
    visit.go_to_with_notice("/manager", Texts::of(visit.lang()).sent_now)
}

#[derive(Template)]
#[template(path = "sent.html")]
struct SentPage {
    t: &'static Texts,
    size: String,
    document: Option<String>,
}

pub(super) async fn sent(visit: Visit, Extension(parts): Extension<Parts>) -> Result<Response, Problem> {
    let lang = visit.lang();
    let t = Texts::of(lang);
    let document = parts.ask(|store| store.last_report()).await?;
    let document = document.map(|packed| uplink::unpack(&packed)).transpose()?;
    let length = |bytes: usize| number(lang, u64::try_from(bytes).unwrap_or(u64::MAX));
    let size = match document.as_ref().map_or(0, Vec::len) {
        size @ 0..=SHOWN => fill(t.bytes, &[&length(size)]),
        size => fill(t.cut, &[&length(SHOWN), &length(size)]),
    };
    let document = document.map(|mut bytes| {
        bytes.truncate(SHOWN);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    Ok(visit.page(t.what_is_sent, &SentPage { t, size, document }))
}

#[cfg(test)]
mod tests {
    use webkit::text::Lang;

    use super::*;

    #[test]
    fn what_fails_on_the_way_is_said_in_german() {
        let t = Texts::of(Lang::De);
        assert_eq!(
            hop_error(t, &HopError::Silent { port: 8443 }),
            "Port 8443 antwortet nicht: vielleicht verwirft eine Firewall die Pakete"
        );
        let slow = HopError::Delivery(DeliveryError::Timeout);
        assert_eq!(hop_error(t, &slow), "der Manager antwortete nicht innerhalb von 60 Sekunden");
        assert_eq!(found(t, &Found::Addresses(vec!["192.0.2.7".parse().unwrap()])), "192.0.2.7");
    }
}
