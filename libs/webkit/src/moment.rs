//! Points in time as people read them: how long ago, and when exactly.

use std::fmt;

use askama::filters::HtmlSafe;
use jiff::{Timestamp, tz::TimeZone};

use crate::text::{Lang, fill};

/// Who looks, and from when: what every text with a time, a number or a word depends on.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The language.
    pub lang: Lang,
    /// The zone in which clock times are shown.
    pub zone: TimeZone,
    /// The present.
    pub now: Timestamp,
}

impl Viewer {
    /// How long ago something was, with the exact time on hovering: `<time>`.
    pub fn ago(&self, then: Timestamp) -> Ago {
        Ago {
            relative: relative(self.lang, self.now, then),
            absolute: absolute(self.lang, &self.zone, then),
            machine: then.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            both: false,
        }
    }

    /// How long ago something was, and the exact time beside it.
    pub fn ago_and_when(&self, then: Timestamp) -> Ago {
        Ago { both: true, ..self.ago(then) }
    }

    /// The exact time.
    pub fn when(&self, then: Timestamp) -> String {
        absolute(self.lang, &self.zone, then)
    }
}

/// A point in time as a `<time>` element.
pub struct Ago {
    relative: String,
    absolute: String,
    machine: String,
    both: bool,
}

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // None of the three can hold markup: all are made of digits and our own words.
        let Self { relative, absolute, machine, both } = self;
        match both {
            true => write!(f, r#"<time datetime="{machine}">{relative} <span class="soft">({absolute})</span></time>"#),
            false => write!(f, r#"<time datetime="{machine}" title="{absolute}">{relative}</time>"#),
        }
    }
}

impl HtmlSafe for Ago {}

/// `5 minutes ago`; of the future, which only a wrong clock makes, `in 5 minutes`.
pub fn relative(lang: Lang, now: Timestamp, then: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second());
    let words: [(&str, &str); 4] = match lang {
        Lang::En => [("minute", "minutes"), ("hour", "hours"), ("day", "days"), ("month", "months")],
        Lang::De => [("Minute", "Minuten"), ("Stunde", "Stunden"), ("Tag", "Tagen"), ("Monat", "Monaten")],
    };
    let span = seconds.unsigned_abs();
    let (count, word) = match span {
        0..45 => return lang.pick("just now", "gerade eben").to_owned(),
        45..3600 => ((span + 30) / 60, 0),
        3600..86_400 => (span / 3600, 1),
        86_400..5_184_000 => (span / 86_400, 2),
        _ => (span / 2_592_000, 3),
    };
    let (one, many) = words.get(word).copied().unwrap_or_default();
    let word = if count == 1 { one } else { many };
    let text = match (lang, seconds >= 0) {
        (Lang::En, true) => "{} {} ago",
        (Lang::En, false) => "in {} {}",
        (Lang::De, true) => "vor {} {}",
        (Lang::De, false) => "in {} {}",
    };
    fill(text, &[&count, &word])
}

/// `24 Nov 2026, 15:04` or `24.11.2026, 15:04`.
pub fn absolute(lang: Lang, zone: &TimeZone, then: Timestamp) -> String {
    let local = then.to_zoned_datetime(zone.clone());
    local.strftime(lang.pick("%-d %b %Y, %H:%M", "%d.%m.%Y, %H:%M")).to_string()
}

/// `24 Nov 2026` or `24.11.2026`.
pub fn date(lang: Lang, zone: &TimeZone, then: Timestamp) -> String {
    then.to_zoned_datetime(zone.clone()).strftime(lang.pick("%-d %b %Y", "%d.%m.%Y")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        let now = Timestamp::from_second(1_795_000_000).unwrap();
        let ago = |seconds: i64| relative(Lang::En, now, Timestamp::from_second(1_795_000_000 - seconds).unwrap());
        assert_eq!(ago(3), "just now");
        assert_eq!(ago(60), "1 minute ago");
        assert_eq!(ago(7300), "2 hours ago");
        assert_eq!(ago(86_400), "1 day ago");
        assert_eq!(ago(-300), "in 5 minutes");
        assert_eq!(ago(100 * 86_400), "3 months ago");
        assert_eq!(relative(Lang::De, now, Timestamp::from_second(1_794_999_000).unwrap()), "vor 17 Minuten");
    }
}
