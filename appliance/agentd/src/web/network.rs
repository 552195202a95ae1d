//! The network: how the box is attached, a change of it, and the trial that a change goes through.

use std::net::{IpAddr, SocketAddr};

use askama::Template;
use axum::Extension;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use control::AskError;
use netcfg::config::Form;
use netcfg::disk::Origin;
use netcfg::request::{
    Answer, Authentication, Ending, Link, LinkAddress, Refusal, Request, Stage, Status, TrialStatus, Warning,
};
use serde::Deserialize;
use webkit::device_view::StatusPill;
use webkit::form::CheckedForm;
use webkit::listen::LocalAddress;
use webkit::page::{AlsoAsks, Problem};
use webkit::site::Visit;
use webkit::text::fill;

use super::Parts;
use super::devices::NoFields;
use super::network_form::{FormView, Sent};
use super::network_log::wanted;
use super::network_texts::Texts;
use super::{proxy, rights};

/// Where a request confirms a trial, over TLS or without, logged in or not: nothing may stand in its way.
pub(super) const CONFIRM: &str = "/network/confirm";
/// Seconds after which the page is fetched again.
const FRESH: u32 = 3;

#[derive(Template)]
#[template(path = "network.html")]
struct Page {
    t: &'static Texts,
    csrf: String,
    absent: Option<&'static str>,
    notes: Vec<Note>,
    state: Option<State>,
    trial: Option<Trial>,
    /// What waits for the next start.
    planned: Option<String>,
    form: Option<FormView>,
    proxy: proxy::View,
}

pub(super) struct Note {
    kind: &'static str,
    pub(super) words: String,
}

struct State {
    pill: StatusPill,
    facts: Vec<(&'static str, String)>,
    /// Whether the lease can be made permanent.
    can_be_kept: bool,
}

struct Trial {
    words: &'static str,
    /// Whether the present addresses answer meanwhile.
    is_beside: bool,
    seconds_left: u64,
    stage: Stage,
    can_extend: bool,
    /// For each new address: itself, the link that confirms, the page there.
    links: Vec<NewAddress>,
}

struct NewAddress {
    address: String,
    confirm: String,
    ask: String,
    then: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ShowQuery {
    /// The lease is to be made permanent.
    keep: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ConfirmQuery {
    #[serde(default)]
    trial: String,
}

pub(super) async fn show(
    visit: Visit,
    headers: HeaderMap,
    Extension(local): Extension<LocalAddress>,
    Extension(parts): Extension<Parts>,
    Query(query): Query<ShowQuery>,
) -> Result<Response, Problem> {
    let proxy = proxy_view(&visit, &parts).await?;
    let status = match status(&parts).await {
        Ok(status) => status,
        Err(error) => return Ok(without_netcfgd(&visit, proxy, &error)),
    };
    let mut page = Page::of(&visit, &status, &Way::of(&headers, local), proxy);
    if let (Some(form), Some(_)) = (&mut page.form, query.keep) {
        form.is_static = true;
    }
    let mut response = visit.live_page(page.t.title, FRESH, &page);
    if let Some(trial) = &status.trial {
        let port = Way::of(&headers, local).port.unwrap_or(443);
        let places = trial.at.iter().map(|address| SocketAddr::new(*address, port)).collect();
        response.extensions_mut().insert(AlsoAsks(places));
    }
    Ok(response)
}

pub(super) async fn attempt(
    visit: Visit,
    headers: HeaderMap,
    Extension(local): Extension<LocalAddress>,
    Extension(parts): Extension<Parts>,
    CheckedForm(sent): CheckedForm<Sent>,
) -> Result<Response, Problem> {
    rights::may_change_network(&visit)?;
    let t = Texts::of(visit.lang());
    let force = sent.force.is_some();
    let at_start = sent.when == "start";
    let form = Form::from(sent);
    let by = who(&visit);
    let answer = match parts.netcfgd.ask(&Request::Try { form: form.clone(), force, at_start, by }).await {
        Ok(answer) => answer,
        Err(error) => return Ok(without_netcfgd(&visit, proxy_view(&visit, &parts).await?, &error)),
    };
    let why = match answer {
        Answer::Refused { why } => why,
        _ => {
            log::info!("a change of the network was begun by {}", visit.user());
            return Ok(visit.go_to("/network"));
        }
    };
    let proxy = proxy_view(&visit, &parts).await?;
    let status = match status(&parts).await {
        Ok(status) => status,
        Err(error) => return Ok(without_netcfgd(&visit, proxy, &error)),
    };
    let mut page = Page::of(&visit, &status, &Way::of(&headers, local), proxy);
    match why {
        Refusal::Fields(errors) => page.form = Some(FormView::of(visit.lang(), &form, &errors)),
        other => {
            page.form = page.form.map(|_| FormView::of(visit.lang(), &form, &[]));
            page.notes.push(Note { kind: "critical", words: refusal(t, &other) });
        }
    }
    Ok(visit.page_with_status(StatusCode::UNPROCESSABLE_ENTITY, t.title, &page))
}

pub(super) async fn extend(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Result<Response, Problem> {
    order(&visit, &parts, &Request::Extend {}).await
}

pub(super) async fn cancel(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Result<Response, Problem> {
    let by = who(&visit);
    order(&visit, &parts, &Request::Cancel { by }).await
}

/// For the log of changes.
fn who(visit: &Visit) -> String {
    format!("{} ({})", visit.user(), visit.peer.to_canonical())
}

async fn order(visit: &Visit, parts: &Parts, request: &Request) -> Result<Response, Problem> {
    rights::may_change_network(visit)?;
    match parts.netcfgd.ask(request).await {
        Ok(Answer::Refused { why }) => Ok(visit.go_to_with_notice("/network", refusal(Texts::of(visit.lang()), &why))),
        Ok(_) => Ok(visit.go_to("/network")),
        Err(error) => Ok(without_netcfgd(visit, proxy_view(visit, parts).await?, &error)),
    }
}

#[derive(Template)]
#[template(path = "network_confirm.html")]
struct ConfirmPage {
    title: &'static str,
    words: String,
    kind: &'static str,
    next: String,
    next_words: &'static str,
}

/// A request that came by the new address. Whoever sends it knows the trial's nonce, and has shown that the address works.
pub(super) async fn confirm(
    visit: Visit,
    headers: HeaderMap,
    Extension(local): Extension<LocalAddress>,
    Extension(parts): Extension<Parts>,
    Query(query): Query<ConfirmQuery>,
) -> Result<Response, Problem> {
    let t = Texts::of(visit.lang());
    let address = local.0.ip().to_canonical();
    let request = Request::Confirm { nonce: query.trial, local: address };
    let (status, title, kind, words) = match parts.netcfgd.ask(&request).await {
        Ok(Answer::Refused { why: Refusal::WrongAddress }) => {
            (StatusCode::CONFLICT, t.not_confirmed, "warning", fill(t.wrong_address, &[&address]))
        }
        Ok(Answer::Refused { why: Refusal::NotStored }) => {
            (StatusCode::INSUFFICIENT_STORAGE, t.not_confirmed, "critical", t.ended_not_stored.to_owned())
        }
        Ok(Answer::Refused { .. }) => (StatusCode::CONFLICT, t.not_confirmed, "warning", t.stale_link.to_owned()),
        Ok(_) => {
            log::info!("a change of the network is confirmed: a request came by the new address");
            (StatusCode::OK, t.confirmed, "good", fill(t.confirmed_text, &[&address]))
        }
        Err(error) => {
            log::warn!("no change can be confirmed: {error}");
            (StatusCode::SERVICE_UNAVAILABLE, t.not_confirmed, "warning", t.silent.to_owned())
        }
    };
    let way = Way::of(&headers, local);
    let page = ConfirmPage { title, words, kind, next: way.to(address, "/network"), next_words: t.to_the_pages };
    Ok(visit.page_with_status(status, title, &page))
}

pub(super) async fn status(parts: &Parts) -> Result<Status, AskError> {
    match parts.netcfgd.ask(&Request::Show {}).await? {
        Answer::Status(status) => Ok(*status),
        _ => Err(AskError::NotUnderstood("netcfgd")),
    }
}

async fn proxy_view(visit: &Visit, parts: &Parts) -> Result<proxy::View, Problem> {
    let proxy = parts.ask(|store| store.proxy()).await?;
    Ok(proxy::View::of(visit.lang(), proxy.as_ref()))
}

/// The page with a form for the proxy that was refused.
pub(super) async fn show_with_proxy(
    visit: &Visit,
    parts: &Parts,
    way: &Way,
    proxy: proxy::View,
) -> Result<Response, Problem> {
    let page = match status(parts).await {
        Ok(status) => Page::of(visit, &status, way, proxy),
        Err(error) => Page::without_netcfgd(visit, proxy, &error),
    };
    Ok(visit.page_with_status(StatusCode::UNPROCESSABLE_ENTITY, page.t.title, &page))
}

fn without_netcfgd(visit: &Visit, proxy: proxy::View, error: &AskError) -> Response {
    let page = Page::without_netcfgd(visit, proxy, error);
    visit.live_page(page.t.title, FRESH, &page)
}

/// How the visitor came, so that links to another address of this box lead there in the same way.
pub(super) struct Way {
    port: Option<u16>,
}

impl Way {
    pub(super) fn of(headers: &HeaderMap, LocalAddress(local): LocalAddress) -> Self {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        // In front of the box may stand something that takes another port to ours: the visitor's is the one that counts.
        let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
        let port = after.rsplit_once(':').map(|(_, port)| port.parse().unwrap_or(local.port()));
        Self { port }
    }

    /// A page at another address.
    fn to(&self, address: IpAddr, path: &str) -> String {
        format!("https://{}{path}", self.authority(address))
    }

    /// The link that confirms. Without TLS where the port speaks both: the browser need not trust a certificate first.
    fn to_confirm(&self, address: IpAddr, nonce: &str) -> String {
        let scheme = if self.port.is_some() { "http" } else { "https" };
        format!("{scheme}://{}{CONFIRM}?trial={nonce}", self.authority(address))
    }

    fn authority(&self, address: IpAddr) -> String {
        match (address, self.port) {
            (IpAddr::V4(address), None) => address.to_string(),
            (IpAddr::V6(address), None) => format!("[{address}]"),
            (address, Some(port)) => SocketAddr::new(address, port).to_string(),
        }
    }
}

impl Page {
    fn without_netcfgd(visit: &Visit, proxy: proxy::View, error: &AskError) -> Self {
        let t = Texts::of(visit.lang());
        let words = match error {
            AskError::Absent(_) => t.absent,
            _ => {
                log::warn!("the network page is empty: {error}");
                t.silent
            }
        };
        Self {
            t,
            csrf: visit.csrf().to_owned(),
            absent: Some(words),
            notes: Vec::new(),
            state: None,
            trial: None,
            planned: None,
            form: None,
            proxy,
        }
    }

    fn of(visit: &Visit, status: &Status, way: &Way, proxy: proxy::View) -> Self {
        let lang = visit.lang();
        let t = Texts::of(lang);
        let mut form = status.trial.is_none().then(|| FormView::of(lang, &suggestion(status), &[]));
        let mut notes = Vec::new();
        match status.origin {
            Origin::Committed | Origin::Factory => {}
            Origin::Previous => notes.push(Note { kind: "warning", words: t.from_previous.to_owned() }),
            Origin::Rescue => notes.push(Note { kind: "critical", words: t.from_rescue.to_owned() }),
        }
        if status.in_rescue {
            notes.push(Note { kind: "critical", words: t.in_rescue.to_owned() });
        }
        if let Some(last) = status.last.as_ref().filter(|_| status.trial.is_none()) {
            notes.push(ending(t, &last.ending, &last.candidate));
            // Whoever typed it should not have to type it again.
            if last.ending != Ending::Committed && last.ending != Ending::Reset {
                form = Some(FormView::of(lang, &last.candidate, &[]));
            }
            if let (Ending::Warned(warnings), Some(form)) = (&last.ending, &mut form) {
                form.warnings = warnings.iter().map(|warning| warning_words(t, *warning)).collect();
            }
        }
        Self {
            t,
            csrf: visit.csrf().to_owned(),
            absent: None,
            notes,
            state: Some(State::of(t, status)),
            trial: status.trial.as_ref().map(|trial| Trial::of(t, trial, way)),
            planned: status.planned.as_ref().map(|planned| fill(t.planned_text, &[&wanted(planned)])),
            form,
            proxy,
        }
    }
}

impl State {
    fn of(t: &'static Texts, status: &Status) -> Self {
        let Some(link) = &status.link else {
            return Self { pill: StatusPill::custom("critical", t.no_port), facts: Vec::new(), can_be_kept: false };
        };
        let pill = match link.has_carrier {
            true => StatusPill::custom("good", t.cable),
            false => StatusPill::custom("critical", t.no_cable),
        };
        let is_dhcp = status.committed.mode == "dhcp";
        let mut facts = Vec::new();
        if let Some(speed) = link.speed_mbit {
            facts.push((t.speed, format!("{speed} Mbit/s")));
        }
        facts.push((t.obtained, if is_dhcp { t.dhcp } else { t.fixed }.to_owned()));
        facts.push((t.addresses, listed(addresses(t, link))));
        if let Some(lease) = &link.lease {
            facts.push((t.lease, lease_words(t, lease)));
        }
        facts.push((t.gateway, listed(link.gateways.iter().map(ToString::to_string))));
        facts.push((t.dns, listed(link.dns.iter().map(ToString::to_string))));
        facts.push((t.mac, mac(link.mac)));
        if let Some(state) = link.dot1x {
            facts.push(("802.1X", dot1x_words(t, state).to_owned()));
        }
        facts.push((t.names, format!("{}.local", status.host_name)));
        Self { pill, facts, can_be_kept: is_dhcp && link.lease.is_some() && status.trial.is_none() }
    }
}

fn addresses(t: &Texts, link: &Link) -> impl Iterator<Item = String> {
    // What a person would type first comes first.
    let rank = |address: IpAddr| match address {
        IpAddr::V4(address) => u8::from(address.is_link_local()) * 2,
        IpAddr::V6(address) => 1 + u8::from(address.is_unicast_link_local()) * 2,
    };
    let mut addresses: Vec<_> = link.addresses.iter().map(|one| (rank(one.address), one)).collect();
    addresses.sort_by_key(|(rank, _)| *rank);
    addresses.into_iter().map(|(_, LinkAddress { address, prefix, vlan, .. })| match vlan {
        None => format!("{address}/{prefix}"),
        Some(vlan) => format!("{address}/{prefix} ({} {})", t.vlan_short, vlan.number()),
    })
}

fn listed(words: impl Iterator<Item = String>) -> String {
    let list = words.collect::<Vec<_>>().join(", ");
    if list.is_empty() { "–".to_owned() } else { list }
}

fn lease_words(t: &Texts, lease: &netcfg::request::Lease) -> String {
    match lease.seconds_left {
        Some(seconds) if seconds >= 5400 => fill(t.lease_hours, &[&lease.server, &((seconds + 1800) / 3600)]),
        Some(seconds) => fill(t.lease_minutes, &[&lease.server, &seconds.div_ceil(60)]),
        None => fill(t.lease_of, &[&lease.server]),
    }
}

fn dot1x_words(t: &Texts, state: Authentication) -> &'static str {
    match state {
        Authentication::Passed => t.dot1x_passed,
        Authentication::Pending => t.dot1x_pending,
        Authentication::Impossible => t.dot1x_impossible,
    }
}

fn mac(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

impl Trial {
    fn of(t: &'static Texts, trial: &TrialStatus, way: &Way) -> Self {
        let words = match trial.stage {
            Stage::Plugging => t.plugging,
            Stage::Checking => t.checking,
            Stage::Applying => t.applying,
            Stage::Awaiting if trial.at.is_empty() => t.awaiting_lease,
            Stage::Awaiting if !trial.is_beside => t.awaiting_instead,
            Stage::Awaiting => t.awaiting,
            Stage::Committed => t.lingering,
        };
        let link = |address: &IpAddr| NewAddress {
            address: address.to_string(),
            confirm: match trial.stage {
                Stage::Committed => way.to(*address, "/network"),
                _ => way.to_confirm(*address, &trial.nonce),
            },
            ask: format!("{}?trial={}", way.to(*address, CONFIRM), trial.nonce),
            then: way.to(*address, "/network"),
        };
        let has_links = matches!(trial.stage, Stage::Awaiting | Stage::Committed);
        Self {
            words,
            is_beside: trial.is_beside,
            seconds_left: trial.seconds_left,
            stage: trial.stage,
            can_extend: trial.can_extend,
            links: trial.at.iter().filter(|_| has_links).map(link).collect(),
        }
    }
}

impl Trial {
    /// Whether the page may ask at the new address by itself: that confirms.
    fn can_ask(&self) -> bool {
        self.stage == Stage::Awaiting
    }

    fn is_timed(&self) -> bool {
        matches!(self.stage, Stage::Awaiting | Stage::Committed)
    }

    fn can_cancel(&self) -> bool {
        self.stage != Stage::Committed
    }

    fn left(&self, t: &Texts) -> &'static str {
        if self.stage == Stage::Committed { t.left_linger } else { t.left }
    }
}

/// What the form holds before anyone types: the configuration in force, and for a fixed address what the lease suggests.
fn suggestion(status: &Status) -> Form {
    let mut form = status.committed.clone();
    let Some(link) = status.link.as_ref().filter(|_| form.mode == "dhcp") else { return form };
    let Some(lease) = &link.lease else { return form };
    let own = link.addresses.iter().find(|one| one.address == IpAddr::V4(lease.address));
    form.address = lease.address.to_string();
    form.prefix = own.map(|own| own.prefix.to_string()).unwrap_or_default();
    let gateway = link.gateways.iter().find(|gateway| gateway.is_ipv4());
    form.gateway = gateway.map(ToString::to_string).unwrap_or_default();
    if form.dns.is_empty() {
        form.dns = link.dns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    }
    form
}

fn refusal(t: &'static Texts, why: &Refusal) -> String {
    let words = match why {
        Refusal::Settling { seconds } => return fill(t.settling, &[seconds]),
        Refusal::Fields(_) => t.nothing_changed,
        Refusal::Busy => t.busy,
        Refusal::NoTrial | Refusal::WrongNonce | Refusal::WrongAddress => t.no_trial,
        Refusal::AlreadyExtended => t.already_extended,
        Refusal::NoCable => t.refused_no_cable,
        Refusal::NotStored => t.ended_not_stored,
        Refusal::NotUnderstood(_) => t.silent,
    };
    words.to_owned()
}

fn warning_words(t: &'static Texts, warning: Warning) -> &'static str {
    match warning {
        Warning::NoGateway => t.warn_no_gateway,
        Warning::NoDns => t.warn_no_dns,
        Warning::GatewayIsSilent => t.warn_gateway,
        Warning::NoAuthority => t.warn_no_authority,
    }
}

/// How a change ended.
pub(super) fn ending(t: &'static Texts, ending: &Ending, candidate: &Form) -> Note {
    let wanted = wanted(candidate);
    let (kind, words) = match ending {
        Ending::Committed => ("good", fill(t.ended_committed, &[&wanted])),
        Ending::InUse(by) => ("critical", fill(t.ended_in_use, &[&candidate.address, &mac(*by)])),
        Ending::Warned(_) => ("warning", t.ended_warned.to_owned()),
        Ending::NotApplied => ("critical", fill(t.ended_not_applied, &[&wanted])),
        Ending::NotStored => ("critical", t.ended_not_stored.to_owned()),
        Ending::NotConfirmed => ("warning", fill(t.ended_not_confirmed, &[&wanted])),
        Ending::Cancelled => ("good", fill(t.ended_cancelled, &[&wanted])),
        Ending::Restarted => ("warning", fill(t.ended_restarted, &[&wanted])),
        Ending::Reset => ("good", t.ended_reset.to_owned()),
    };
    Note { kind, words }
}
