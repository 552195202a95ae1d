//! The log of changes of the network: who wanted what, and what came of it. netcfgd keeps it.

use askama::Template;
use axum::Extension;
use axum::response::Response;
use jiff::Timestamp;
use netcfg::config::Form;
use netcfg::request::{Change, Event};
use webkit::page::Problem;
use webkit::site::Visit;
use webkit::text::fill;

use super::Parts;
use super::network::{ending, status};
use super::network_texts::Texts;

#[derive(Template)]
#[template(path = "network_log.html")]
struct Page {
    t: &'static Texts,
    absent: Option<&'static str>,
    lines: Vec<Line>,
}

struct Line {
    when: String,
    who: String,
    what: String,
}

pub(super) async fn show(visit: Visit, Extension(parts): Extension<Parts>) -> Result<Response, Problem> {
    let t = Texts::of(visit.lang());
    let (lines, absent) = match status(&parts).await {
        Ok(status) => (status.changes.iter().map(|change| line(&visit, t, change)).collect(), None),
        Err(error) => {
            log::warn!("the log of changes is not to be had: {error}");
            (Vec::new(), Some(t.silent))
        }
    };
    Ok(visit.page(t.log, &Page { t, absent, lines }))
}

fn line(visit: &Visit, t: &'static Texts, change: &Change) -> Line {
    let Change { at, by, event, candidate } = change;
    let wanted = wanted(candidate);
    let what = match event {
        Event::Begun => fill(t.log_begun, &[&wanted]),
        Event::Planned => fill(t.log_planned, &[&wanted]),
        Event::Withdrawn => fill(t.log_withdrawn, &[&wanted]),
        Event::Activated => fill(t.log_activated, &[&wanted]),
        Event::Provisioned => fill(t.log_provisioned, &[&wanted]),
        Event::Ended(how) => ending(t, how, candidate).words,
    };
    let when = Timestamp::from_second(*at).map(|at| visit.viewer.when(at)).unwrap_or_default();
    Line { when, who: if by.is_empty() { "–".to_owned() } else { by.clone() }, what }
}

/// A configuration in a few words.
pub(super) fn wanted(form: &Form) -> String {
    let mut words = match form.mode.as_str() {
        "static" if form.prefix.is_empty() => form.address.clone(),
        "static" => format!("{}/{}", form.address, form.prefix),
        _ => "DHCP".to_owned(),
    };
    if !form.vlan.is_empty() {
        words += &format!(", VLAN {}", form.vlan);
    }
    match form.dot1x.as_str() {
        "peap" => words += ", 802.1X (PEAP)",
        "tls" => words += ", 802.1X (TLS)",
        _ => {}
    }
    words
}
