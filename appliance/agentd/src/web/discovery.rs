//! Where to search, with which communities, how often; and how far the search is.

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
use webkit::text::{fill, number};
use webkit::texts;

use super::Parts;
use super::devices::NoFields;
use crate::collector::{Activity, Command};
use crate::ranges::{self, OWN_SUBNETS, Range};
use crate::settings::Rhythm;
use crate::store::settings::ScanRange;

/// Most ranges and most communities of one.
const MAX_RANGES: usize = 200;
const MAX_COMMUNITIES: usize = 10;

texts! {
    /// Words of the page.
    Texts {
        title: "Discovery", "Suche";
        running: "Searching {}", "Durchsucht {}";
        progress: "{} of {} addresses, {} answered", "{} von {} Adressen, {} antworten";
        time_left: "about {} s left", "noch etwa {} s";
        idle: "No search is running.", "Es läuft keine Suche.";
        last: "Last search: {} new printers,", "Letzte Suche: {} neue Drucker,";
        watched: "{} devices are watched.", "{} Geräte werden überwacht.";
        search_now: "Search now", "Jetzt suchen";
        stop: "Stop", "Anhalten";
        ordered: "The search begins.", "Die Suche beginnt.";
        stopped: "The search is stopped.", "Die Suche ist angehalten.";
        busy: "Too much is waiting already. Try again in a moment.", "Es wartet schon zu viel. Bitte gleich noch einmal versuchen.";
        fault: "Not searched: {}", "Nicht durchsucht: {}";
        ranges: "Where to search", "Wo gesucht wird";
        ranges_text: "Nothing outside these ranges is ever contacted.", "Außerhalb dieser Bereiche wird nie etwas angesprochen.";
        none: "No range is set, so nothing is searched.", "Kein Bereich ist eingetragen; es wird nichts durchsucht.";
        range: "Range", "Bereich";
        range_hint: "192.0.2.0/24, 192.0.2.10-99, 192.0.2.7 or a host name", "192.0.2.0/24, 192.0.2.10-99, 192.0.2.7 oder ein Hostname";
        own: "This machine's own subnets: {}", "Eigene Subnetze dieses Rechners: {}";
        add_own: "Search own subnets", "Eigene Subnetze durchsuchen";
        exclusions: "Without", "Ohne";
        exclusions_hint: "Separate several with commas", "Mehrere durch Kommas trennen";
        port: "UDP port", "UDP-Port";
        communities: "Communities", "Communitys";
        communities_hint: "One a line, tried in this order", "Je Zeile eine; sie werden in dieser Reihenfolge probiert";
        secret: "{} stored", "{} hinterlegt";
        versions: "SNMP versions", "SNMP-Versionen";
        add: "Add range", "Bereich hinzufügen";
        added: "The range is added and will be searched now.", "Der Bereich ist eingetragen und wird jetzt durchsucht.";
        remove: "Remove", "Entfernen";
        removed: "The range is removed. Devices that were found in it stay.", "Der Bereich ist entfernt. Darin gefundene Geräte bleiben.";
        rhythm: "How often", "Wie oft";
        poll: "Read every device every … seconds", "Jedes Gerät alle … Sekunden lesen";
        search: "Search all ranges every … seconds", "Alle Bereiche alle … Sekunden durchsuchen";
        report: "Report changes after at most … seconds", "Änderungen nach höchstens … Sekunden melden";
        rate: "Probes a second while searching", "Anfragen pro Sekunde bei der Suche";
        save: "Save", "Speichern";
        saved: "Saved.", "Gespeichert.";
        too_many: "There are {} ranges already; that is the most.", "Es gibt schon {} Bereiche; mehr gehen nicht.";
        no_number: "{}: `{}` is no whole number", "{}: „{}“ ist keine ganze Zahl";
        no_port: "The port has to be from 1 to 65535.", "Der Port muss zwischen 1 und 65535 liegen.";
        no_community: "Enter one to ten communities of at most 255 characters.", "Bitte eine bis zehn Communitys mit höchstens 255 Zeichen eintragen.";
        no_version: "Choose at least one SNMP version.", "Bitte mindestens eine SNMP-Version wählen.";
    }
}

#[derive(Template)]
#[template(path = "discovery.html")]
struct Page {
    t: &'static Texts,
    csrf: String,
    state: State,
    faults: Vec<String>,
    ranges: Vec<RangeRow>,
    own_subnets: Option<String>,
    form: RangeForm,
    rhythm: RhythmForm,
    problem: Option<String>,
    rhythm_problem: Option<String>,
}

struct State {
    heading: String,
    detail: String,
    share: Option<u64>,
    last: Option<(String, Ago)>,
    watched: String,
}

struct RangeRow {
    id: i64,
    range: String,
    exclusions: String,
    port: u16,
    versions: String,
    communities: String,
}

/// The form for one range, as typed.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(super) struct RangeForm {
    range: String,
    exclusions: String,
    port: String,
    communities: String,
    v2c: Option<String>,
    v1: Option<String>,
}

impl Default for RangeForm {
    fn default() -> Self {
        Self {
            range: String::new(),
            exclusions: String::new(),
            port: "161".to_owned(),
            communities: "public".to_owned(),
            v2c: None,
            v1: None,
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
        let (ranges, rhythm) = parts.ask(|store| Ok((store.ranges()?, store.rhythm()?))).await?;
        let activity = parts.collector.activity();
        let has_own = ranges.iter().any(|(_, range)| range.range == OWN_SUBNETS);
        let own =
            ranges::own_subnets().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let rows = ranges.into_iter().map(|(id, range)| RangeRow {
            id,
            versions: range.versions.iter().map(|version| version.keyword()).collect::<Vec<_>>().join(", "),
            communities: fill(t.secret, &[&range.communities.len()]),
            range: if range.range == OWN_SUBNETS { fill(t.own, &[&own]) } else { range.range },
            exclusions: range.exclusions,
            port: range.port,
        });
        let v2c = Some("on".to_owned());
        Ok(Self {
            t,
            csrf: visit.csrf().to_owned(),
            state: State::of(visit, &activity),
            faults: activity.faults.iter().map(|fault| fill(t.fault, &[fault])).collect(),
            ranges: rows.collect(),
            own_subnets: Some(own).filter(|own| !has_own && !own.is_empty()),
            form: RangeForm { v1: v2c.clone(), v2c, ..RangeForm::default() },
            rhythm: rhythm.into(),
            problem: None,
            rhythm_problem: None,
        })
    }
}

impl State {
    fn of(visit: &Visit, activity: &Activity) -> Self {
        let lang = visit.lang();
        let t = Texts::of(lang);
        let (mut heading, mut detail, mut share) = (t.idle.to_owned(), String::new(), None);
        if let Some((range, at)) = &activity.search {
            heading = fill(t.running, &[range]);
            detail = fill(t.progress, &[&number(lang, at.done), &number(lang, at.total), &number(lang, at.found)]);
            let hundredths = (at.done * 100).checked_div(at.total).unwrap_or(100);
            share = Some(hundredths);
            if let (Some(began), true) = (activity.search_began, at.done > 0) {
                let left = began.elapsed().as_secs().saturating_mul(at.total - at.done) / at.done;
                detail = format!("{detail}, {}", fill(t.time_left, &[&left]));
            }
        }
        let watched = u64::try_from(activity.watched).unwrap_or(u64::MAX);
        Self {
            heading,
            detail,
            share,
            last: activity.last_search.map(|(at, added)| (fill(t.last, &[&added]), visit.viewer.ago(at))),
            watched: fill(t.watched, &[&number(lang, watched)]),
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
        _ => form.check(t),
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

impl RangeForm {
    /// The range, or what is wrong with it.
    fn check(&self, t: &Texts) -> Result<ScanRange, String> {
        Range::parse(&self.range).map_err(|error| error.to_string())?;
        Range::parse_list(&self.exclusions).map_err(|error| error.to_string())?;
        let port = self.port.trim().parse().ok().filter(|port| *port > 0).ok_or_else(|| t.no_port.to_owned())?;
        let communities: Vec<String> =
            self.communities.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let fits = |community: &String| community.len() <= 255;
        if communities.is_empty() || communities.len() > MAX_COMMUNITIES || !communities.iter().all(fits) {
            return Err(t.no_community.to_owned());
        }
        let versions = [(&self.v2c, agent_core::snmp::Version::V2c), (&self.v1, agent_core::snmp::Version::V1)];
        let versions: Vec<_> =
            versions.into_iter().filter(|(chosen, _)| chosen.is_some()).map(|(_, version)| version).collect();
        if versions.is_empty() {
            return Err(t.no_version.to_owned());
        }
        Ok(ScanRange {
            range: self.range.trim().to_owned(),
            exclusions: self.exclusions.trim().to_owned(),
            port,
            transport: agent_core::snmp::Transport::Udp,
            versions,
            communities,
            users: Vec::new(),
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
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use webkit::text::Lang;

    use super::*;

    fn form() -> RangeForm {
        RangeForm { range: "192.0.2.0/24".to_owned(), v2c: Some("on".to_owned()), ..RangeForm::default() }
    }

    #[test]
    fn nonsense_is_named() {
        let t = Texts::of(Lang::En);
        assert!(form().check(t).is_ok());
        let fault = |change: fn(&mut RangeForm)| {
            let mut form = form();
            change(&mut form);
            form.check(t).unwrap_err()
        };
        assert!(fault(|form| form.range = "300.1.1.1/8".to_owned()).contains("300.1.1.1/8"));
        assert!(fault(|form| form.exclusions = "192.0.2.1, ???".to_owned()).contains("???"));
        assert_eq!(fault(|form| form.port = "0".to_owned()), t.no_port);
        assert_eq!(fault(|form| form.port = "99999".to_owned()), t.no_port);
        assert_eq!(fault(|form| form.communities = " \n ".to_owned()), t.no_community);
        assert_eq!(fault(|form| form.v2c = None), t.no_version);
    }
}
