//! What happened to a device, what was odd and what is in doubt, in words.

use agent_core::reader::ReadError;
use webkit::text::{Lang, fill};
use webkit::texts;

use crate::store::events::Event;

texts! {
    /// Words of the log.
    Words {
        met: "Found for the first time", "Zum ersten Mal gefunden";
        moved: "Address changed from {} to {}", "Adresse geändert von {} auf {}";
        also_at: "Found at a second address: {}", "Unter einer zweiten Adresse gefunden: {}";
        serial_known: "Serial number known: {}", "Seriennummer bekannt: {}";
        serial_changed: "Serial number changed from {} to {}", "Seriennummer geändert von {} auf {}";
        mac_known: "Network card known: {}", "Netzwerkkarte bekannt: {}";
        mac_changed: "Network card changed from {} to {}", "Netzwerkkarte geändert von {} auf {}";
        silent: "Does not answer: {}", "Antwortet nicht: {}";
        answers: "Answers again", "Antwortet wieder";
        backwards: "Counters went backwards, new meters begin: {}", "Zähler liefen rückwärts, neue Zähler beginnen: {}";
        jumped: "Counters rose by more than can be printed, new meters begin: {}",
            "Zähler stiegen um mehr, als gedruckt werden kann, neue Zähler beginnen: {}";
        wrapped: "Counters went past the end of 32 bits and go on: {}",
            "Zähler liefen über das Ende von 32 Bit und zählen weiter: {}";
        returned: "Counters go on where they were before: {}", "Zähler machen weiter, wo sie vorher waren: {}";
        asked: "May be the same device as {}", "Ist vielleicht dasselbe Gerät wie {}";
        same: "Decided by {}: the same device as {}", "Entschieden von {}: dasselbe Gerät wie {}";
        another: "Decided by {}: another device than {}", "Entschieden von {}: ein anderes Gerät als {}";
        moot: "Turned out to be another device than {}", "Ist, wie sich zeigte, ein anderes Gerät als {}";
        serial_twice: "Two devices say the same serial number.", "Zwei Geräte nennen dieselbe Seriennummer.";
        board_swapped: "In the same place, or with the same network card, there is another serial number: the mainboard was \
            swapped, or the device.",
            "Am selben Platz oder mit derselben Netzwerkkarte ist eine andere Seriennummer: Die Hauptplatine wurde \
            getauscht, oder das Gerät.";
        look_alike: "Two devices look alike, and neither says anything that would tell them apart.",
            "Zwei Geräte gleichen sich, und keines sagt etwas, das sie unterscheidet.";
        remark_loop: "Its answers below {} go in circles; read up to there.",
            "Seine Antworten unter {} drehen sich im Kreis; gelesen wurde bis dorthin.";
        remark_many: "It has too many rows below {}; the first were read.",
            "Es hat zu viele Zeilen unter {}; die ersten wurden gelesen.";
        remark_unanswered: "It does not answer for {}; that was left out.",
            "Für {} antwortet es nicht; das wurde ausgelassen.";
        no_answer: "no answer to SNMP: the device is off or asleep, SNMP is off on it, the community is wrong, or a firewall \
            drops UDP",
            "keine Antwort auf SNMP: Das Gerät ist aus oder schläft, SNMP ist dort aus, die Community stimmt nicht, oder eine \
            Firewall verwirft UDP";
        endless: "it answers and answers without coming to an end", "es antwortet ohne Ende";
        displaced: "another device answers at its address", "unter seiner Adresse antwortet ein anderes Gerät";
        restless: "it says another serial number at each reading; nothing of it is kept",
            "es nennt bei jeder Lesung eine andere Seriennummer; nichts davon wird behalten";
    }
}

/// An event in words; one of a later version shows its own.
pub(super) fn words(lang: Lang, event: &Event) -> String {
    let t = Words::of(lang);
    let Event { kind, before, after, .. } = event;
    match kind.as_str() {
        "met" => t.met.to_owned(),
        "moved" => fill(t.moved, &[before, after]),
        "alsoAt" => fill(t.also_at, &[after]),
        "serialKnown" => fill(t.serial_known, &[after]),
        "serialChanged" => fill(t.serial_changed, &[before, after]),
        "macKnown" => fill(t.mac_known, &[after]),
        "macChanged" => fill(t.mac_changed, &[before, after]),
        "silent" => fill(t.silent, &[&reason(lang, after)]),
        "answers" => t.answers.to_owned(),
        "backwards" => fill(t.backwards, &[after]),
        "jumped" => fill(t.jumped, &[after]),
        "wrapped" => fill(t.wrapped, &[after]),
        "returned" => fill(t.returned, &[after]),
        "asked" => format!("{}. {}", fill(t.asked, &[before]), doubt(lang, after)),
        "same" => fill(t.same, &[after, before]),
        "another" if after.is_empty() => fill(t.moot, &[before]),
        "another" => fill(t.another, &[after, before]),
        other => format!("{other} {before} {after}"),
    }
}

/// What makes a question of it whether two devices are one.
pub(super) fn doubt(lang: Lang, keyword: &str) -> String {
    let t = Words::of(lang);
    let words = match keyword {
        "serialTwice" => t.serial_twice,
        "boardSwapped" => t.board_swapped,
        "lookAlike" => t.look_alike,
        other => other,
    };
    words.to_owned()
}

/// What was odd at a reading.
pub(super) fn remark(lang: Lang, keyword: &str, about: &str) -> String {
    let t = Words::of(lang);
    match keyword {
        "loop" => fill(t.remark_loop, &[&about]),
        "tooManyRows" => fill(t.remark_many, &[&about]),
        "unanswered" => fill(t.remark_unanswered, &[&about]),
        other => format!("{other} {about}"),
    }
}

/// Why a device was not read. What has no words here stays as it was written down.
pub(super) fn reason(lang: Lang, failure: &str) -> String {
    let (t, english) = (Words::of(lang), Words::of(Lang::En));
    let known = [
        (ReadError::NoAnswer.to_string(), t.no_answer),
        (ReadError::Endless.to_string(), t.endless),
        (english.displaced.to_owned(), t.displaced),
        (english.restless.to_owned(), t.restless),
    ];
    let found = known.iter().find(|(written, _)| written == failure);
    found.map_or_else(|| failure.to_owned(), |(_, words)| (*words).to_owned())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn events_have_words_in_both_languages() {
        let event = |kind: &str| Event {
            at: Timestamp::UNIX_EPOCH,
            kind: kind.to_owned(),
            before: "one".to_owned(),
            after: "two".to_owned(),
        };
        assert_eq!(words(Lang::En, &event("moved")), "Address changed from one to two");
        assert_eq!(words(Lang::De, &event("same")), "Entschieden von two: dasselbe Gerät wie one");
        assert_eq!(words(Lang::De, &event("of tomorrow")), "of tomorrow one two");
        assert!(reason(Lang::De, &ReadError::NoAnswer.to_string()).contains("schläft"));
    }
}
