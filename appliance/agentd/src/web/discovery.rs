//! Where to search, with which communities, how often; and how far the search is.

use std::sync::Arc;

use agent_core::discover::{AddressSet, RangeError};
use agent_core::search::{Kinds, Progress, Sign, Stranger};
use agent_core::snmp::{Transport, User, Version};
use askama::Template;
use axum::Extension;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use webkit::form::CheckedForm;
use webkit::moment::Ago;
use webkit::page::Problem;
use webkit::site::Visit;
use webkit::text::{Lang, fill, number};
use webkit::texts;

use super::Parts;
use super::devices::NoFields;
use crate::collector::{Activity, Command};
use crate::ranges::{OWN_SUBNETS, Range};
use crate::search as searching;
use crate::searches::Fault;
use crate::settings::{OutOfBounds, Rhythm, RhythmField};
use crate::store::search::Finding;
use crate::store::settings::{Change, ScanRange};

/// Most ranges and most communities of one.
const MAX_RANGES: usize = 200;
const MAX_COMMUNITIES: usize = 10;
/// Most rows of those that were met and are no printers.
const MAX_MET: usize = 200;

texts! {
    /// Words of the page.
    Texts {
        title: "Discovery", "Suche";
        running: "Searching {}", "Durchsucht {}";
        progress: "{} % of {} addresses; {} answer SNMP, {} are there", "{} % von {} Adressen; {} antworten auf SNMP, {} sind da";
        again: "the silent ones are being asked again", "wer still ist, wird noch einmal gefragt";
        seconds_left: "about {} s left", "noch etwa {} s";
        minutes_left: "about {} min left", "noch etwa {} min";
        hours_left: "about {} h left", "noch etwa {} h";
        idle: "No search is running.", "Es läuft keine Suche.";
        last: "Last search: {} new printers, {} known ones,", "Letzte Suche: {} neue Drucker, {} bekannte,";
        watched: "{} devices are watched.", "{} Geräte werden überwacht.";
        search_now: "Search now", "Jetzt suchen";
        stop: "Stop", "Anhalten";
        ordered: "The search begins.", "Die Suche beginnt.";
        stopped: "The search is stopped.", "Die Suche ist angehalten.";
        go_on: "Go on", "Weitersuchen";
        going_on: "The search goes on where it was stopped.", "Die Suche geht dort weiter, wo sie angehalten wurde.";
        paused: "The search was stopped and can be gone on with.", "Die Suche wurde angehalten und kann fortgesetzt werden.";
        no_arp: "Neighbours on attached networks are found slowly, because this program may not send ARP. Give the service CAP_NET_RAW (see docs/discovery.md).", "Nachbarn in angeschlossenen Netzen werden nur langsam gefunden, weil dieses Programm kein ARP senden darf. Geben Sie dem Dienst CAP_NET_RAW (siehe docs/discovery.md).";
        no_echo: "Ping (ICMP echo) is left out: the service needs CAP_NET_RAW or a group within net.ipv4.ping_group_range.", "Ping (ICMP-Echo) entfällt: Der Dienst braucht CAP_NET_RAW oder eine Gruppe in net.ipv4.ping_group_range.";
        no_names: "Names from the DNS are left out: the name server does not answer in time.", "Namen aus dem DNS entfallen: Der Nameserver antwortet nicht rechtzeitig.";
        met: "Who else is there", "Wer sonst noch da ist";
        met_text: "Met by the last search and no printer that can be read. A printer in this list usually has another community, another user, or SNMP switched off.", "Bei der letzten Suche angetroffen, aber kein lesbarer Drucker. Steht ein Drucker in dieser Liste, hat er meist eine andere Community, einen anderen Benutzer oder abgeschaltetes SNMP.";
        met_more: "{} more are not shown; `agentd discover` lists all.", "{} weitere werden nicht gezeigt; „agentd discover“ listet alle auf.";
        address: "Address", "Adresse";
        what: "What it is", "Was es ist";
        signs: "Answers to", "Antwortet auf";
        name: "Name", "Name";
        sign_snmp_closed: "SNMP port: closed", "SNMP-Port: zu";
        sign_tcp_refused: "TCP: refused", "TCP: abgelehnt";
        is_local_agent: "a LocalAgent answers here", "hier antwortet ein LocalAgent";
        is_no_printer: "answers SNMP, no printer", "antwortet auf SNMP, kein Drucker";
        is_engine: "speaks SNMPv3: wrong user?", "spricht SNMPv3: falscher Benutzer?";
        is_closed: "alive, SNMP switched off", "da, SNMP abgeschaltet";
        is_silent: "alive, no SNMP: wrong community?", "da, kein SNMP: falsche Community?";
        probes: "Ask by", "Fragen mit";
        probes_hint: "Shows who is there without answering SNMP. On attached networks ARP is always used.", "Zeigt, wer da ist, ohne auf SNMP zu antworten. In angeschlossenen Netzen wird immer ARP verwendet.";
        probe_snmp: "SNMP", "SNMP";
        probe_icmp: "Ping (ICMP echo)", "Ping (ICMP-Echo)";
        probe_tcp_echo: "TCP echo (port 7)", "TCP-Echo (Port 7)";
        probe_local_agent: "LocalAgents (TCP 9418)", "LocalAgents (TCP 9418)";
        probe_dns_sd: "Announcements (DNS-SD)", "Ankündigungen (DNS-SD)";
        no_probe: "Choose at least one way to ask.", "Bitte mindestens einen Weg zu fragen wählen.";
        busy: "Too much is waiting already. Try again in a moment.", "Es wartet schon zu viel. Bitte gleich noch einmal versuchen.";
        not_searched: "Not searched: {}: {}", "Nicht durchsucht: {}: {}";
        no_route: "{}: {} of {} addresses cannot be reached from here. Check this machine's gateway and network mask.", "{}: {} von {} Adressen sind von hier nicht erreichbar. Bitte Gateway und Netzmaske dieses Rechners prüfen.";
        proxy_arp: "{} addresses are not shown: the network card {} answers ARP for all of them, and nobody else does anything there. That is a router or switch with proxy ARP. Printers behind it are found all the same.",
            "{} Adressen werden nicht gezeigt: Die Netzwerkkarte {} beantwortet ARP für sie alle, und sonst meldet sich dort niemand. Das ist ein Router oder Switch mit Proxy-ARP. Drucker dahinter werden trotzdem gefunden.";
        ranges: "Where to search", "Wo gesucht wird";
        ranges_text: "Nothing outside these ranges is ever contacted.", "Außerhalb dieser Bereiche wird nie etwas angesprochen.";
        none: "No range is set, so nothing is searched.", "Kein Bereich ist eingetragen; es wird nichts durchsucht.";
        range: "Range", "Bereich";
        range_hint: "192.0.2.0/24, 192.0.2.10-99, 192.0.2.7 or a host name", "192.0.2.0/24, 192.0.2.10-99, 192.0.2.7 oder ein Hostname";
        own_subnets: "own subnets", "eigene Subnetze";
        own: "This machine's own subnets: {}", "Eigene Subnetze dieses Rechners: {}";
        add_own: "Search own subnets", "Eigene Subnetze durchsuchen";
        exclusions: "Without", "Ohne";
        exclusions_hint: "Separate several with commas", "Mehrere durch Kommas trennen";
        port: "Port", "Port";
        transport: "Over", "Über";
        communities: "Communities", "Communitys";
        communities_hint: "One a line, tried in this order", "Je Zeile eine; sie werden in dieser Reihenfolge probiert";
        secret: "{} stored", "{} hinterlegt";
        users: "SNMPv3 users", "SNMPv3-Benutzer";
        users_hint: "Names from the page SNMPv3, separated by commas, tried in this order before the communities", "Namen von der Seite SNMPv3, durch Kommas getrennt; sie werden in dieser Reihenfolge vor den Communitys probiert";
        range_form: "“{}” is no range of addresses. Write 192.0.2.0/24, 192.0.2.10-192.0.2.99, 192.0.2.10-99 or 192.0.2.7.",
            "„{}“ ist kein Adressbereich. Schreiben Sie 192.0.2.0/24, 192.0.2.10-192.0.2.99, 192.0.2.10-99 oder 192.0.2.7.";
        range_reversed: "“{}” ends before it starts.", "„{}“ endet vor seinem Anfang.";
        range_ipv6: "“{}” is IPv6. Such networks are too large to be searched; give the IPv4 range of the same devices.",
            "„{}“ ist IPv6. Solche Netze sind zu groß zum Durchsuchen; geben Sie den IPv4-Bereich derselben Geräte an.";
        range_too_large: "The ranges hold {} addresses; a search takes at most {} (a /12 network).",
            "Die Bereiche umfassen {} Adressen; eine Suche nimmt höchstens {} (ein /12-Netz).";
        out_of_bounds: "{}: {} is out of bounds. It has to be from {} to {}.", "{}: {} liegt außerhalb der Grenzen. Erlaubt ist {} bis {}.";
        no_user: "There is no SNMPv3 user named {}. Users are set up on the page SNMPv3.", "Es gibt keinen SNMPv3-Benutzer namens {}. Benutzer werden auf der Seite SNMPv3 eingerichtet.";
        versions: "SNMP versions", "SNMP-Versionen";
        add: "Add range", "Bereich hinzufügen";
        added: "The range is added and will be searched now.", "Der Bereich ist eingetragen und wird jetzt durchsucht.";
        change: "Change", "Ändern";
        change_heading: "Change range", "Bereich ändern";
        changed: "The range is changed and will be searched now.", "Der Bereich ist geändert und wird jetzt durchsucht.";
        overtaken: "Someone else has changed this range since you opened it. In the list above it stands as it is now; Save puts yours in its place.",
            "Jemand anders hat diesen Bereich geändert, seit Sie ihn geöffnet haben. In der Liste oben steht er, wie er jetzt ist; Speichern setzt Ihre Fassung an seine Stelle.";
        gone: "Someone else has removed this range. Add range puts it back.", "Jemand anders hat diesen Bereich entfernt. Mit „Bereich hinzufügen“ legen Sie ihn wieder an.";
        communities_kept: "Leave empty to keep those that are stored ({})", "Leer lassen, um die hinterlegten zu behalten ({})";
        cancel: "Cancel", "Abbrechen";
        remove: "Remove", "Entfernen";
        removed: "The range is removed. Devices that were found in it stay.", "Der Bereich ist entfernt. Darin gefundene Geräte bleiben.";
        rhythm: "How often", "Wie oft";
        poll: "Read every device every … seconds", "Jedes Gerät alle … Sekunden lesen";
        search: "Search all ranges every … seconds", "Alle Bereiche alle … Sekunden durchsuchen";
        report: "Report changes after at most … seconds", "Änderungen nach höchstens … Sekunden melden";
        rate: "Packets a second while searching", "Pakete pro Sekunde bei der Suche";
        save: "Save", "Speichern";
        saved: "Saved.", "Gespeichert.";
        too_many: "There are {} ranges already; that is the most.", "Es gibt schon {} Bereiche; mehr gehen nicht.";
        no_number: "{}: `{}` is no whole number", "{}: „{}“ ist keine ganze Zahl";
        no_port: "The port has to be from 1 to 65535.", "Der Port muss zwischen 1 und 65535 liegen.";
        no_community: "Enter one to ten communities of at most 255 characters.", "Bitte eine bis zehn Communitys mit höchstens 255 Zeichen eintragen.";
        no_version: "Choose SNMPv1 or v2c, or name an SNMPv3 user.", "Bitte SNMPv1 oder v2c wählen oder einen SNMPv3-Benutzer nennen.";
    }
}

#[derive(Template)]
#[template(path = "discovery.html")]
struct Page {
    t: &'static Texts,
    csrf: String,
    state: State,
    faults: Vec<String>,
    lacks: Vec<&'static str>,
    met: Vec<MetRow>,
    met_more: Option<String>,
    ranges: Vec<RangeRow>,
    own_subnets: Option<String>,
    form: RangeForm,
    /// The range that the form changes.
    changed: Option<Changed>,
    rhythm: RhythmForm,
    problem: Option<String>,
    rhythm_problem: Option<String>,
}

struct Changed {
    id: i64,
    revision: i64,
    communities: String,
}

struct State {
    heading: String,
    running: Vec<RunningRow>,
    can_go_on: bool,
    last: Option<(String, Ago)>,
    watched: String,
}

struct RunningRow {
    range: String,
    detail: String,
    share: u32,
}

struct MetRow {
    address: String,
    what: &'static str,
    signs: String,
    names: String,
    mac: String,
}

struct RangeRow {
    id: i64,
    probes: String,
    range: String,
    exclusions: String,
    port: String,
    versions: String,
    communities: String,
    users: String,
}

/// The form for one range, as typed.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(super) struct RangeForm {
    range: String,
    exclusions: String,
    port: String,
    communities: String,
    users: String,
    transport: String,
    v2c: Option<String>,
    v1: Option<String>,
    snmp: Option<String>,
    icmp: Option<String>,
    tcp_echo: Option<String>,
    local_agent: Option<String>,
    dns_sd: Option<String>,
    /// Of the range that is changed, as it was when the form was opened.
    revision: Option<i64>,
}

impl Default for RangeForm {
    fn default() -> Self {
        Self {
            range: String::new(),
            exclusions: String::new(),
            port: "161".to_owned(),
            communities: "public".to_owned(),
            users: String::new(),
            transport: Transport::Udp.keyword().to_owned(),
            v2c: None,
            v1: None,
            snmp: None,
            icmp: None,
            tcp_echo: None,
            local_agent: None,
            dns_sd: None,
            revision: None,
        }
    }
}

impl From<&ScanRange> for RangeForm {
    /// Without the communities, which are secrets: they stay where the field stays empty.
    fn from(range: &ScanRange) -> Self {
        let on = |chosen: bool| chosen.then(|| "on".to_owned());
        let speaks = |version| on(range.versions.contains(&version));
        Self {
            range: range.range.clone(),
            exclusions: range.exclusions.clone(),
            port: range.port.to_string(),
            communities: String::new(),
            users: range.users.join(", "),
            transport: range.transport.keyword().to_owned(),
            v2c: speaks(Version::V2c),
            v1: speaks(Version::V1),
            snmp: on(range.kinds.snmp),
            icmp: on(range.kinds.echo),
            tcp_echo: on(range.kinds.echo_port),
            local_agent: on(range.kinds.local_agent),
            dns_sd: on(range.kinds.announcements),
            revision: None,
        }
    }
}

/// The form for the schedule, as typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct RhythmForm {
    poll: String,
    search: String,
    report: String,
    rate: String,
}

impl From<Rhythm> for RhythmForm {
    fn from(rhythm: Rhythm) -> Self {
        Self {
            poll: rhythm.poll.as_secs().to_string(),
            search: rhythm.search.as_secs().to_string(),
            report: rhythm.report.as_secs().to_string(),
            rate: rhythm.rate.to_string(),
        }
    }
}

impl Page {
    async fn of(visit: &Visit, parts: &Parts) -> Result<Self, Problem> {
        let t = Texts::of(visit.lang());
        let (ranges, rhythm, mut met) =
            parts.ask(|store| Ok((store.ranges()?, store.rhythm()?, store.findings()?))).await?;
        met.retain(|finding| !finding.is_device);
        // What people look for comes first.
        let rank = |finding: &Finding| {
            let order = [Sign::LocalAgent, Sign::Announced, Sign::SnmpEngine, Sign::Snmp];
            order.iter().position(|sign| finding.signs.contains(sign)).unwrap_or(order.len())
        };
        met.sort_by_key(rank);
        let activity = parts.collector.activity();
        let has_own = ranges.iter().any(|(_, range)| range.range == OWN_SUBNETS);
        let own =
            searching::own_subnets().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let rows = ranges.into_iter().map(|(id, range)| RangeRow {
            id,
            probes: range.kinds.words().collect::<Vec<_>>().join(", "),
            versions: range.versions.iter().map(|version| version.keyword()).collect::<Vec<_>>().join(", "),
            communities: fill(t.secret, &[&range.communities.len()]),
            range: if range.range == OWN_SUBNETS { fill(t.own, &[&own]) } else { range.range },
            exclusions: range.exclusions,
            port: match range.transport {
                Transport::Udp => range.port.to_string(),
                Transport::Tcp => format!("{}/tcp", range.port),
            },
            users: range.users.join(", "),
        });
        let on = || Some("on".to_owned());
        let lacks = activity.search.lacks;
        let lacks = [(lacks.arp, t.no_arp), (lacks.echo, t.no_echo), (lacks.names, t.no_names)];
        let met_more = met.len().checked_sub(MAX_MET).filter(|more| *more > 0);
        Ok(Self {
            t,
            csrf: visit.csrf().to_owned(),
            state: State::of(visit, &activity),
            faults: activity.search.faults.iter().map(|fault| words_of(visit.lang(), fault)).collect(),
            lacks: lacks.into_iter().filter(|(lacking, _)| *lacking).map(|(_, words)| words).collect(),
            met: met.iter().take(MAX_MET).map(|finding| MetRow::of(t, finding)).collect(),
            met_more: met_more.map(|more| fill(t.met_more, &[&more])),
            ranges: rows.collect(),
            own_subnets: Some(own).filter(|own| !has_own && !own.is_empty()),
            form: RangeForm {
                v1: on(),
                v2c: on(),
                snmp: on(),
                icmp: on(),
                tcp_echo: on(),
                local_agent: on(),
                dns_sd: on(),
                ..RangeForm::default()
            },
            changed: None,
            rhythm: rhythm.into(),
            problem: None,
            rhythm_problem: None,
        })
    }

    /// Has the form change a range.
    fn change(&mut self, id: i64, revision: i64, range: &ScanRange) {
        let communities = fill(self.t.communities_kept, &[&range.communities.len()]);
        self.changed = Some(Changed { id, revision, communities });
        self.own_subnets = None;
    }
}

fn words_of(lang: Lang, fault: &Fault) -> String {
    let t = Texts::of(lang);
    let named = |range: &str| if range == OWN_SUBNETS { t.own_subnets.to_owned() } else { range.to_owned() };
    match fault {
        Fault::NotSearched(range, why) => fill(t.not_searched, &[&named(range), why]),
        Fault::NoRoute(range, some, all) => {
            fill(t.no_route, &[&named(range), &number(lang, *some), &number(lang, *all)])
        }
        Fault::ProxyArp(mac, some) => {
            fill(t.proxy_arp, &[&number(lang, u64::try_from(*some).unwrap_or(u64::MAX)), mac])
        }
    }
}

impl Texts {
    /// Words for a sign of life, short enough for a list.
    fn sign(&self, sign: Sign) -> &'static str {
        match sign {
            Sign::Snmp => "SNMP",
            Sign::SnmpEngine => "SNMPv3",
            Sign::Arp => "ARP",
            Sign::Echo => "Ping",
            Sign::SnmpClosed => self.sign_snmp_closed,
            Sign::TcpRefused => self.sign_tcp_refused,
            Sign::EchoPort => "TCP 7",
            Sign::LocalAgent => "TCP 9418",
            Sign::Announced => "DNS-SD",
        }
    }
}

impl State {
    fn of(visit: &Visit, activity: &Activity) -> Self {
        let lang = visit.lang();
        let t = Texts::of(lang);
        let search = &activity.search;
        let heading = match search.running.as_slice() {
            [] if search.can_go_on => t.paused.to_owned(),
            [] => t.idle.to_owned(),
            [(range, _), rest @ ..] => {
                let name = if range == OWN_SUBNETS { t.own_subnets } else { range };
                let more = if rest.is_empty() { String::new() } else { format!(" + {}", rest.len()) };
                fill(t.running, &[&format!("{name}{more}")])
            }
        };
        let watched = u64::try_from(activity.watched).unwrap_or(u64::MAX);
        Self {
            heading,
            running: search.running.iter().map(|(range, at)| RunningRow::of(lang, range, at)).collect(),
            can_go_on: search.can_go_on,
            last: search.last.map(|last| (fill(t.last, &[&last.added, &last.known]), visit.viewer.ago(last.at))),
            watched: fill(t.watched, &[&number(lang, watched)]),
        }
    }
}

impl RunningRow {
    fn of(lang: Lang, range: &str, at: &Progress) -> Self {
        let t = Texts::of(lang);
        let percent = at.done / 10;
        let numbers = [number(lang, at.addresses), number(lang, at.found), number(lang, at.alive)];
        let [addresses, found, alive] = &numbers;
        let mut detail = fill(t.progress, &[&percent, addresses, found, alive]);
        if at.again > 0 {
            detail = format!("{detail}; {}", t.again);
        }
        let seconds = at.left.as_secs();
        let left = match seconds {
            0..=119 => fill(t.seconds_left, &[&seconds]),
            120..=7199 => fill(t.minutes_left, &[&seconds.div_ceil(60)]),
            _ => fill(t.hours_left, &[&seconds.div_ceil(3600)]),
        };
        let range = if range == OWN_SUBNETS { t.own_subnets.to_owned() } else { range.to_owned() };
        Self { range, detail: format!("{detail}; {left}"), share: percent }
    }
}

impl MetRow {
    fn of(t: &'static Texts, finding: &Finding) -> Self {
        let what = match Stranger::of(&finding.signs) {
            Stranger::LocalAgent => t.is_local_agent,
            Stranger::SnmpDevice => t.is_no_printer,
            Stranger::OtherUser => t.is_engine,
            Stranger::SnmpOff => t.is_closed,
            Stranger::Silent => t.is_silent,
        };
        let names = [&finding.host_name, &finding.announced, &finding.described];
        Self {
            address: finding.address.to_string(),
            what,
            signs: finding.signs.iter().map(|sign| t.sign(*sign)).collect::<Vec<_>>().join(", "),
            names: names.into_iter().filter(|name| !name.is_empty()).cloned().collect::<Vec<_>>().join("; "),
            mac: finding.mac.map(|mac| mac.to_string()).unwrap_or_default(),
        }
    }
}

pub(super) async fn show(visit: Visit, Extension(parts): Extension<Parts>) -> Result<Response, Problem> {
    let page = Page::of(&visit, &parts).await?;
    Ok(visit.live_page(page.t.title, 2, &page))
}

pub(super) async fn add_range(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(form): CheckedForm<RangeForm>,
) -> Result<Response, Problem> {
    let t = Texts::of(visit.lang());
    let mut page = Page::of(&visit, &parts).await?;
    let checked = match page.ranges.len() {
        MAX_RANGES.. => Err(fill(t.too_many, &[&MAX_RANGES])),
        _ => form.check(t, &parts.ask(|store| store.snmp_users()).await?, &[]),
    };
    match checked {
        Ok(range) => {
            parts.ask(move |store| store.add_range(&range)).await?;
            parts.collector.order(Command::Search);
            Ok(visit.go_to_with_notice("/discovery", t.added))
        }
        Err(problem) => {
            page.problem = Some(problem);
            page.form = form;
            Ok(visit.page_with_status(StatusCode::UNPROCESSABLE_ENTITY, t.title, &page))
        }
    }
}

pub(super) async fn show_range(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let mut page = Page::of(&visit, &parts).await?;
    // One that is gone is missing in the list, too.
    if let Some((revision, range)) = parts.ask(move |store| store.range(id)).await? {
        page.change(id, revision, &range);
        page.form = RangeForm::from(&range);
    }
    Ok(visit.page(page.t.title, &page))
}

pub(super) async fn change_range(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    Path(id): Path<i64>,
    CheckedForm(form): CheckedForm<RangeForm>,
) -> Result<Response, Problem> {
    let t = Texts::of(visit.lang());
    let (present, users) = parts.ask(move |store| Ok((store.range(id)?, store.snmp_users()?))).await?;
    let kept = present.as_ref().map(|(_, range)| range.communities.clone()).unwrap_or_default();
    let opened = form.revision.unwrap_or(-1);
    let problem = match (&present, form.check(t, &users, &kept)) {
        (None, _) => t.gone.to_owned(),
        (Some(_), Err(problem)) => problem,
        (Some(_), Ok(range)) => match parts.ask(move |store| store.change_range(id, opened, &range)).await? {
            Change::Made => {
                parts.collector.order(Command::Search);
                return Ok(visit.go_to_with_notice("/discovery", t.changed));
            }
            Change::Overtaken => t.overtaken.to_owned(),
            Change::Gone => t.gone.to_owned(),
        },
    };
    let mut page = Page::of(&visit, &parts).await?;
    if let Some((revision, range)) = parts.ask(move |store| store.range(id)).await? {
        // Who has been told that he was overtaken may save all the same; a mistake elsewhere tells nothing of that.
        page.change(id, if problem == t.overtaken { revision } else { opened }, &range);
    }
    page.problem = Some(problem);
    page.form = form;
    Ok(visit.page_with_status(StatusCode::UNPROCESSABLE_ENTITY, t.title, &page))
}

fn range_error(t: &Texts, error: RangeError) -> String {
    match error {
        RangeError::Form(text) => fill(t.range_form, &[&text]),
        RangeError::Reversed(text) => fill(t.range_reversed, &[&text]),
        RangeError::Ipv6(text) => fill(t.range_ipv6, &[&text]),
        RangeError::TooLarge(addresses) => fill(t.range_too_large, &[&addresses, &AddressSet::MAX_ADDRESSES]),
    }
}

impl RangeForm {
    /// The range, or what is wrong with it. Where no communities are typed, those that are stored stay.
    fn check(&self, t: &Texts, known: &[Arc<User>], stored: &[String]) -> Result<ScanRange, String> {
        Range::parse(&self.range).map_err(|error| range_error(t, error))?;
        Range::parse_list(&self.exclusions).map_err(|error| range_error(t, error))?;
        let port = self.port.trim().parse().ok().filter(|port| *port > 0).ok_or_else(|| t.no_port.to_owned())?;
        let mut communities: Vec<String> =
            self.communities.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        if communities.is_empty() {
            communities.extend_from_slice(stored);
        }
        let fits = |community: &String| community.len() <= 255;
        let by_community = self.v2c.is_some() || self.v1.is_some();
        if by_community && communities.is_empty()
            || communities.len() > MAX_COMMUNITIES
            || !communities.iter().all(fits)
        {
            return Err(t.no_community.to_owned());
        }
        let users: Vec<String> =
            self.users.split([',', '\n']).map(str::trim).filter(|label| !label.is_empty()).map(str::to_owned).collect();
        if let Some(stranger) = users.iter().find(|label| known.iter().all(|user| user.label() != *label)) {
            return Err(fill(t.no_user, &[stranger]));
        }
        let versions =
            [(!users.is_empty(), Version::V3), (self.v2c.is_some(), Version::V2c), (self.v1.is_some(), Version::V1)];
        let versions: Vec<_> = versions.into_iter().filter(|(chosen, _)| *chosen).map(|(_, version)| version).collect();
        if versions.is_empty() {
            return Err(t.no_version.to_owned());
        }
        let probes = [
            (&self.snmp, "snmp"),
            (&self.icmp, "icmp"),
            (&self.tcp_echo, "tcp-echo"),
            (&self.local_agent, "local-agent"),
            (&self.dns_sd, "dns-sd"),
        ];
        let probes: Vec<&str> = probes.iter().filter(|(chosen, _)| chosen.is_some()).map(|(_, word)| *word).collect();
        let kinds = match Kinds::from_words(probes.iter().copied()) {
            Ok(kinds) if !probes.is_empty() => kinds,
            _ => return Err(t.no_probe.to_owned()),
        };
        Ok(ScanRange {
            kinds,
            range: self.range.trim().to_owned(),
            exclusions: self.exclusions.trim().to_owned(),
            port,
            transport: Transport::from_keyword(&self.transport).unwrap_or_default(),
            versions,
            communities: if by_community { communities } else { Vec::new() },
            users,
        })
    }
}

pub(super) async fn remove_range(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    Path(id): Path<i64>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Result<Response, Problem> {
    parts.ask(move |store| store.remove_range(id)).await?;
    Ok(visit.go_to_with_notice("/discovery", Texts::of(visit.lang()).removed))
}

pub(super) async fn search(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Response {
    order(&visit, &parts, Command::Search, Texts::of(visit.lang()).ordered)
}

pub(super) async fn stop(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Response {
    order(&visit, &parts, Command::StopSearch, Texts::of(visit.lang()).stopped)
}

pub(super) async fn go_on(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(NoFields {}): CheckedForm<NoFields>,
) -> Response {
    order(&visit, &parts, Command::GoOnSearching, Texts::of(visit.lang()).going_on)
}

fn order(visit: &Visit, parts: &Parts, command: Command, done: &str) -> Response {
    let taken = parts.collector.order(command);
    visit.go_to_with_notice("/discovery", if taken { done } else { Texts::of(visit.lang()).busy })
}

pub(super) async fn set_rhythm(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(form): CheckedForm<RhythmForm>,
) -> Result<Response, Problem> {
    let t = Texts::of(visit.lang());
    match form.check(t) {
        Ok(rhythm) => {
            parts.ask(move |store| store.set_rhythm(&rhythm)).await?;
            parts.collector.order(Command::Reload);
            Ok(visit.go_to_with_notice("/discovery", t.saved))
        }
        Err(problem) => {
            let mut page = Page::of(&visit, &parts).await?;
            page.rhythm_problem = Some(problem);
            page.rhythm = form;
            Ok(visit.page_with_status(StatusCode::UNPROCESSABLE_ENTITY, t.title, &page))
        }
    }
}

impl RhythmForm {
    fn check(&self, t: &Texts) -> Result<Rhythm, String> {
        let number =
            |name: &str, text: &str| text.trim().parse::<u64>().map_err(|_| fill(t.no_number, &[&name, &text]));
        let rate = u32::try_from(number(t.rate, &self.rate)?).unwrap_or(u32::MAX);
        Rhythm::new(number(t.poll, &self.poll)?, number(t.search, &self.search)?, number(t.report, &self.report)?, rate)
            .map_err(|error| out_of_bounds(t, error))
    }
}

fn out_of_bounds(t: &Texts, OutOfBounds { field, value, min, max }: OutOfBounds) -> String {
    let label = match field {
        RhythmField::Poll => t.poll,
        RhythmField::Search => t.search,
        RhythmField::Report => t.report,
        RhythmField::Rate => t.rate,
    };
    fill(t.out_of_bounds, &[&label, &value, &min, &max])
}

#[cfg(test)]
mod tests {
    use webkit::text::Lang;

    use super::*;

    fn form() -> RangeForm {
        let on = || Some("on".to_owned());
        RangeForm { range: "192.0.2.0/24".to_owned(), v2c: on(), snmp: on(), ..RangeForm::default() }
    }

    #[test]
    fn nonsense_is_named() {
        let t = Texts::of(Lang::En);
        assert!(form().check(t, &[], &[]).is_ok());
        let fault = |change: fn(&mut RangeForm)| {
            let mut form = form();
            change(&mut form);
            form.check(t, &[], &[]).unwrap_err()
        };
        assert!(fault(|form| form.range = "300.1.1.1/8".to_owned()).contains("300.1.1.1/8"));
        assert!(fault(|form| form.exclusions = "192.0.2.1, ???".to_owned()).contains("???"));
        assert_eq!(fault(|form| form.port = "0".to_owned()), t.no_port);
        assert_eq!(fault(|form| form.port = "99999".to_owned()), t.no_port);
        assert_eq!(fault(|form| form.communities = " \n ".to_owned()), t.no_community);
        assert_eq!(fault(|form| form.v2c = None), t.no_version);
        assert!(fault(|form| form.users = "nobody".to_owned()).contains("nobody"));
        let user = Arc::new(User::new("monitor", None, None).unwrap());
        let only_v3 = RangeForm { v2c: None, users: "monitor, ".to_owned(), transport: "tcp".to_owned(), ..form() };
        let range = only_v3.check(t, &[user], &[]).unwrap();
        assert_eq!((range.versions, range.communities.len(), range.transport), (vec![Version::V3], 0, Transport::Tcp));
        assert_eq!(fault(|form| form.snmp = None), t.no_probe);
    }

    #[test]
    fn what_is_wrong_with_numbers_is_said_by_their_labels() {
        let t = Texts::of(Lang::De);
        let form = RhythmForm { poll: "4".to_owned(), ..Rhythm::default().into() };
        let words = form.check(t).unwrap_err();
        assert_eq!(words, format!("{}: 4 liegt außerhalb der Grenzen. Erlaubt ist 5 bis 86400.", t.poll));
        let ipv6 = RangeForm { range: "2001:db8::/64".to_owned(), ..self::form() };
        assert!(ipv6.check(t, &[], &[]).unwrap_err().contains("zu groß zum Durchsuchen"));
    }
}
