//! USB printers: the ports of this machine's bridge, their names, whether they print, and who may connect.

use std::collections::BTreeMap;

use agent_core::localagent::control::{MAX_NAME, Port, Request, State};
use askama::Template;
use axum::Extension;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use webkit::form::CheckedForm;
use webkit::page::Problem;
use webkit::site::Visit;
use webkit::text::fill;
use webkit::texts;

use super::Parts;
use super::devices::{NoFields, path_of};
use crate::usb::{ControlError, address_of, is_usb};

texts! {
    /// Words of the page.
    Texts {
        title: "USB printers", "USB-Drucker";
        read_now: "Read now", "Jetzt lesen";
        read_ordered: "The USB printers are being read.", "Die USB-Drucker werden gelesen.";
        absent: "The bridge does not run on this machine, so printers on its USB sockets are not seen. It is the program usbbridged; the README says how to install it.",
            "Die Brücke läuft auf diesem Rechner nicht; Drucker an seinen USB-Buchsen sind daher nicht zu sehen. Es ist das Programm usbbridged; wie man es installiert, steht im README.";
        fault: "The bridge reports: {}", "Die Brücke meldet: {}";
        none: "No printer has been plugged in yet. One that is appears here within seconds.",
            "Es wurde noch kein Drucker angesteckt. Ein angesteckter erscheint hier binnen Sekunden.";
        port: "Port", "Port";
        printer: "Printer", "Drucker";
        serial: "Serial number", "Seriennummer";
        state: "State", "Zustand";
        connected: "Connected", "Angesteckt";
        not_connected: "Not connected", "Nicht angesteckt";
        paper_out: "Paper is out", "Papier fehlt";
        offline: "Off line", "Offline";
        port_error: "Reports a fault", "Meldet eine Störung";
        one_way: "One way only: it cannot be asked", "Nur in eine Richtung: kann nicht gefragt werden";
        no_pjl: "Lists no PJL: only whether it answers, its device id and its port status can be read",
            "Nennt kein PJL: Lesbar ist nur, ob er antwortet, seine Gerätekennung und der Portzustand";
        in_use: "{} connections", "{} Verbindungen";
        device_id: "Device id", "Kennung";
        use_: "The port", "Der Port";
        status_only: "Status only", "Nur Status";
        prints: "Prints", "Druckt";
        switch_on: "Switch printing on …", "Drucken einschalten …";
        switch_on_text: "Then every byte sent to port {} reaches the printer: whoever may connect can print, and can send it commands that change its settings.",
            "Dann erreicht jedes an Port {} gesendete Byte den Drucker: Wer sich verbinden darf, kann drucken und ihm auch Befehle senden, die seine Einstellungen ändern.";
        switch_on_confirm: "Yes, switch printing on", "Ja, Drucken einschalten";
        switch_off: "Switch printing off", "Drucken ausschalten";
        printing_on: "Port {} prints.", "Port {} druckt.";
        printing_off: "Port {} passes questions only.", "Port {} lässt nur noch Fragen durch.";
        name: "Name", "Name";
        rename: "Name it …", "Benennen …";
        save: "Save", "Speichern";
        named: "The name is saved.", "Der Name ist gespeichert.";
        forget: "Forget", "Vergessen";
        forgotten: "Port {} is free.", "Port {} ist frei.";
        access: "Who may connect", "Wer sich verbinden darf";
        access_text: "This machine always may. Others only from the addresses and networks listed here: a program that reads printers, or a computer that prints.",
            "Dieser Rechner immer. Andere nur von den hier genannten Adressen und Netzen aus: ein Programm, das Drucker liest, oder ein Rechner, der druckt.";
        networks: "Addresses and networks, one a line", "Adressen und Netze, je Zeile eine";
        allowed: "The list is saved.", "Die Liste ist gespeichert.";
        others: "At other machines", "An anderen Rechnern";
        others_text: "Printers behind LocalAgents that the search has found on port 9418.",
            "Drucker hinter LocalAgents, die die Suche auf Port 9418 gefunden hat.";
        where_: "Address", "Adresse";
    }
}

#[derive(Template)]
#[template(path = "usb.html")]
struct Page {
    t: &'static Texts,
    csrf: String,
    absent: bool,
    faults: Vec<String>,
    rows: Vec<Row>,
    networks: String,
    others: Vec<Other>,
    problem: Option<String>,
    max_name: usize,
}

struct Row {
    port: u16,
    title: String,
    model: String,
    name: String,
    serial: String,
    class: &'static str,
    state: String,
    remarks: Vec<String>,
    device_id: Option<String>,
    is_connected: bool,
    is_printing: bool,
    switch_on_text: String,
    link: Option<String>,
}

struct Other {
    name: String,
    serial: String,
    address: String,
    link: String,
}

impl Page {
    async fn of(visit: &Visit, parts: &Parts) -> Result<Self, Problem> {
        let t = Texts::of(visit.lang());
        let lines = parts.ask(|store| store.devices()).await?;
        let (mut links, mut others) = (BTreeMap::new(), Vec::new());
        for line in lines.into_iter().filter(|line| is_usb(&line.address)) {
            links.insert(line.address.clone(), path_of(&line.id));
            others.push(Other {
                name: [line.manufacturer.as_str(), &line.model].join(" ").trim().to_owned(),
                serial: line.serial,
                link: path_of(&line.id),
                address: line.address,
            });
        }
        let (state, absent, mut faults) = match parts.usb.control(&Request::List {}).await {
            Ok(state) => (state, false, Vec::new()),
            Err(ControlError::Absent) => (State::default(), true, Vec::new()),
            Err(error) => (State::default(), false, vec![fill(t.fault, &[&error])]),
        };
        faults.extend(state.fault.iter().map(|fault| fill(t.fault, &[fault])));
        let own = |port: u16| address_of(None, port);
        others.retain(|other| absent || !state.ports.iter().any(|port| own(port.port) == other.address));
        let rows = state.ports.iter().map(|port| Row::of(t, port, links.get(&own(port.port)).cloned()));
        Ok(Self {
            t,
            csrf: visit.csrf().to_owned(),
            absent,
            faults,
            rows: rows.collect(),
            networks: state.allowed.join("\n"),
            others,
            problem: None,
            max_name: MAX_NAME,
        })
    }
}

impl Row {
    fn of(t: &Texts, port: &Port, link: Option<String>) -> Self {
        let model =
            [&port.manufacturer, &port.model].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ");
        let name = port.name.clone().unwrap_or_default();
        let bits = port.port_status.filter(|bits| bits & 0b0011_1000 != 0);
        let (class, state) = match (port.is_connected, &port.fault, bits) {
            (false, ..) => ("unknown", t.not_connected.to_owned()),
            (_, Some(fault), _) => ("critical", fill(t.fault, &[fault])),
            (_, _, Some(bits)) if bits & 0b0010_0000 != 0 => ("critical", t.paper_out.to_owned()),
            (_, _, Some(bits)) if bits & 0b0001_0000 == 0 => ("critical", t.offline.to_owned()),
            (_, _, Some(bits)) if bits & 0b0000_1000 == 0 => ("critical", t.port_error.to_owned()),
            _ => ("good", t.connected.to_owned()),
        };
        let mut remarks = Vec::new();
        let speaks_pjl =
            port.device_id.as_deref().is_some_and(|id| agent_core::ieee1284::Ieee1284::parse(id).speaks_pjl());
        if port.is_connected && !port.is_two_way {
            remarks.push(t.one_way.to_owned());
        } else if port.is_connected && !speaks_pjl {
            remarks.push(t.no_pjl.to_owned());
        }
        if port.connections > 1 {
            remarks.push(fill(t.in_use, &[&port.connections]));
        }
        Self {
            port: port.port,
            title: if name.is_empty() { model.clone() } else { name.clone() },
            model,
            name,
            serial: port.serial.clone().unwrap_or_default(),
            class,
            state,
            remarks,
            device_id: port.device_id.clone(),
            is_connected: port.is_connected,
            is_printing: port.is_printing,
            switch_on_text: fill(t.switch_on_text, &[&port.port]),
            link,
        }
    }
}

pub(super) async fn show(visit: Visit, Extension(parts): Extension<Parts>) -> Result<Response, Problem> {
    let page = Page::of(&visit, &parts).await?;
    Ok(visit.live_page(page.t.title, 3, &page))
}

pub(super) async fn read_now(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Response {
    // One that is ordered already will do.
    parts.usb.hurry();
    visit.go_to_with_notice("/usb", Texts::of(visit.lang()).read_ordered)
}

#[derive(Deserialize)]
pub(super) struct NameForm {
    name: String,
}

pub(super) async fn name(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    Path(port): Path<u16>,
    CheckedForm(form): CheckedForm<NameForm>,
) -> Result<Response, Problem> {
    let t = Texts::of(visit.lang());
    change(&visit, &parts, &Request::Name { port, name: form.name }, t.named.to_owned()).await
}

#[derive(Deserialize)]
pub(super) struct PrintingForm {
    on: String,
}

pub(super) async fn printing(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    Path(port): Path<u16>,
    CheckedForm(form): CheckedForm<PrintingForm>,
) -> Result<Response, Problem> {
    let t = Texts::of(visit.lang());
    let on = form.on == "yes";
    let done = fill(if on { t.printing_on } else { t.printing_off }, &[&port]);
    change(&visit, &parts, &Request::Printing { port, on }, done).await
}

pub(super) async fn forget(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    Path(port): Path<u16>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Result<Response, Problem> {
    let done = fill(Texts::of(visit.lang()).forgotten, &[&port]);
    change(&visit, &parts, &Request::Forget { port }, done).await
}

#[derive(Deserialize)]
pub(super) struct AccessForm {
    networks: String,
}

pub(super) async fn access(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(form): CheckedForm<AccessForm>,
) -> Result<Response, Problem> {
    let t = Texts::of(visit.lang());
    let networks = form.networks.split(['\n', ',']).map(str::trim).filter(|line| !line.is_empty());
    let request = Request::Allow { networks: networks.map(str::to_owned).collect() };
    match parts.usb.control(&request).await {
        Ok(_) => Ok(visit.go_to_with_notice("/usb", t.allowed)),
        Err(error) => {
            let mut page = Page::of(&visit, &parts).await?;
            page.problem = Some(fill(t.fault, &[&error]));
            page.networks = form.networks;
            Ok(visit.page_with_status(StatusCode::UNPROCESSABLE_ENTITY, t.title, &page))
        }
    }
}

/// Has the bridge change something, and says that it is done or why not.
async fn change(visit: &Visit, parts: &Parts, request: &Request, done: String) -> Result<Response, Problem> {
    match parts.usb.control(request).await {
        Ok(_) => Ok(visit.go_to_with_notice("/usb", done)),
        Err(error) => {
            let t = Texts::of(visit.lang());
            let mut page = Page::of(visit, parts).await?;
            page.faults.insert(0, fill(t.fault, &[&error]));
            Ok(visit.page_with_status(StatusCode::UNPROCESSABLE_ENTITY, t.title, &page))
        }
    }
}
