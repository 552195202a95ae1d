//! What agents notice about devices, in words: events, remarks, doubts. The same on the agent's page and on the manager's.

use wire::notes::{Event, Remark};
use wire::vocab::{DoubtKind, EventKind, RemarkCode};

use crate::text::{Lang, fill};

crate::texts! {
    /// Words of the log and of remarks.
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
        turned_out_same: "Turned out to be the same device as {}", "Ist, wie sich zeigte, dasselbe Gerät wie {}";
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
        polled_less_silent: "Polled every {} only, because it does not answer.",
            "Wird nur alle {} gelesen, weil es nicht antwortet.";
        polled_less_slow: "Polled every {} only, because a reading takes {}.",
            "Wird nur alle {} gelesen, weil eine Lesung {} dauert.";
        no_profile: "There is no profile for its maker: only what every printer tells in the same way is read.",
            "Für seinen Hersteller gibt es kein Profil: Gelesen wird nur, was alle Drucker auf gleiche Weise sagen.";
        parts_differ: "Its counters do not add up: {}.", "Seine Zähler gehen nicht auf: {}.";
        update_taken_back: "An update did not stay. {}", "Ein Update blieb nicht. {}";
        card_fails: "The storage fails ({}). Replace the card soon.",
            "Der Speicher versagt ({}). Bitte tauschen Sie die Karte bald.";
        storage_full: "The storage is full: what is read from now on may not be kept. Make room, or take a larger card or disk.",
            "Der Speicher ist voll: Was ab jetzt gelesen wird, geht vielleicht verloren. Schaffen Sie Platz, oder nehmen Sie eine \
            größere Karte oder Platte.";
        system_unwell: "Something on the box does not run: {}", "Auf der Box läuft etwas nicht: {}";
        no_answer: "no answer to SNMP: the device is off or asleep, SNMP is off on it, the community is wrong, or a firewall \
            drops UDP",
            "keine Antwort auf SNMP: Das Gerät ist aus oder schläft, SNMP ist dort aus, die Community stimmt nicht, oder eine \
            Firewall verwirft UDP";
        garbled: "it answers, but not in SNMP ({})", "es antwortet, aber nicht in SNMP ({})";
        stopped: "it stopped answering after {} answers", "es antwortet nicht mehr, nach {} Antworten";
        no_connection: "no SNMP over TCP ({})", "kein SNMP über TCP ({})";
        unknown_user: "the SNMPv3 user name is unknown to it", "es kennt den SNMPv3-Benutzernamen nicht";
        wrong_digest: "the SNMPv3 authentication password or protocol is wrong",
            "Passwort oder Verfahren der SNMPv3-Anmeldung ist falsch";
        decryption: "the SNMPv3 privacy password or protocol is wrong, or the device makes its keys longer in another way",
            "Passwort oder Verfahren der SNMPv3-Verschlüsselung ist falsch, oder das Gerät verlängert seine Schlüssel auf andere Art";
        security_level: "it does not offer this SNMPv3 security level to the user: switch authentication or encryption on for him on the device, or choose another protocol",
            "es bietet dem Benutzer diese SNMPv3-Sicherheitsstufe nicht: Schalten Sie am Gerät Anmeldung oder Verschlüsselung für ihn ein, oder wählen Sie ein anderes Verfahren";
        time_window: "it refuses SNMPv3 messages as too old or too new although they bear the time that it gave: its clock is not steady",
            "es weist SNMPv3-Nachrichten als zu alt oder zu neu zurück, obwohl sie seine eigene Zeit tragen: Seine Uhr geht nicht gleichmäßig";
        boots_exhausted: "its count of SNMPv3 starts has reached its maximum, so it takes no authenticated message: it has to be set up anew",
            "sein Zähler der SNMPv3-Neustarts ist am Ende, daher nimmt es keine angemeldete Nachricht mehr: Es muss neu eingerichtet werden";
        engine_id: "it does not know the SNMPv3 engine id that it gave itself",
            "es kennt die SNMPv3-Engine-Kennung nicht, die es selbst genannt hat";
        not_authorized: "the SNMPv3 user may not read anything here: the device's access control does not allow it",
            "der SNMPv3-Benutzer darf hier nichts lesen: Die Zugriffsrechte am Gerät erlauben es nicht";
        silent_user: "it speaks SNMPv3, but leaves this user without an answer: his name, passwords or protocols may be wrong",
            "es spricht SNMPv3, antwortet diesem Benutzer aber nicht: Name, Passwörter oder Verfahren können falsch sein";
        silent_privacy: "it speaks SNMPv3, but leaves this user without an answer: most likely the privacy password or protocol is wrong",
            "es spricht SNMPv3, antwortet diesem Benutzer aber nicht: Sehr wahrscheinlich ist Passwort oder Verfahren der Verschlüsselung falsch";
        other_report: "it refuses SNMPv3 messages ({})", "es weist SNMPv3-Nachrichten zurück ({})";
        not_connected: "the printer is not connected to its USB port", "der Drucker ist nicht an seinem USB-Anschluss";
        bridge_refused: "the bridge to the USB printer refused ({})", "die Brücke zum USB-Drucker lehnte ab ({})";
        usb_silent: "neither a LocalAgent nor a printer answers on its port", "an seinem Port antwortet weder ein LocalAgent noch ein Drucker";
        closed: "the bridge to the USB printer does not take the connection or ended it", "die Brücke zum USB-Drucker nahm die Verbindung nicht an oder beendete sie";
        endless: "it answers and answers without coming to an end", "es antwortet ohne Ende";
        displaced: "another device answers at its address", "unter seiner Adresse antwortet ein anderes Gerät";
        restless: "it says another serial number at each reading; nothing of it is kept",
            "es nennt bei jeder Lesung eine andere Seriennummer; nichts davon wird behalten";
    }
}

/// An event in words; one of a later version shows its own.
pub fn event(lang: Lang, event: &Event) -> String {
    let t = Words::of(lang);
    let Event { kind, before, after, .. } = event;
    match kind {
        EventKind::Met => t.met.to_owned(),
        EventKind::Moved => fill(t.moved, &[before, after]),
        EventKind::AlsoAt => fill(t.also_at, &[after]),
        EventKind::SerialKnown => fill(t.serial_known, &[after]),
        EventKind::SerialChanged => fill(t.serial_changed, &[before, after]),
        EventKind::MacKnown => fill(t.mac_known, &[after]),
        EventKind::MacChanged => fill(t.mac_changed, &[before, after]),
        EventKind::Silent => fill(t.silent, &[&reason(lang, after)]),
        EventKind::Answers => t.answers.to_owned(),
        EventKind::Backwards => fill(t.backwards, &[after]),
        EventKind::Jumped => fill(t.jumped, &[after]),
        EventKind::Wrapped => fill(t.wrapped, &[after]),
        EventKind::Returned => fill(t.returned, &[after]),
        EventKind::Asked => {
            format!("{}. {}", fill(t.asked, &[before]), doubt(lang, &DoubtKind::from_keyword(after)))
        }
        EventKind::Same if after.is_empty() => fill(t.turned_out_same, &[before]),
        EventKind::Same => fill(t.same, &[after, before]),
        EventKind::Another if after.is_empty() => fill(t.moot, &[before]),
        EventKind::Another => fill(t.another, &[after, before]),
        EventKind::Other(other) => format!("{other} {before} {after}"),
    }
}

/// What makes a question of it whether two devices are one.
pub fn doubt(lang: Lang, doubt: &DoubtKind) -> String {
    let t = Words::of(lang);
    match doubt {
        DoubtKind::SerialTwice => t.serial_twice.to_owned(),
        DoubtKind::BoardSwapped => t.board_swapped.to_owned(),
        DoubtKind::LookAlike => t.look_alike.to_owned(),
        DoubtKind::Other(other) => other.clone(),
    }
}

/// A remark about a device or an agent; of one that has no words here its own are shown.
pub fn remark(lang: Lang, remark: &Remark) -> String {
    let t = Words::of(lang);
    let about = &remark.text;
    match &remark.code {
        RemarkCode::Loop => fill(t.remark_loop, &[about]),
        RemarkCode::TooManyRows => fill(t.remark_many, &[about]),
        RemarkCode::Unanswered => fill(t.remark_unanswered, &[about]),
        RemarkCode::PolledLessSilent => fill(t.polled_less_silent, &[about]),
        RemarkCode::PolledLessSlow => {
            let (every, took) = about.split_once("; ").unwrap_or((about, "?"));
            fill(t.polled_less_slow, &[&every, &took])
        }
        RemarkCode::NoProfile => t.no_profile.to_owned(),
        RemarkCode::PartsDiffer => fill(t.parts_differ, &[about]),
        RemarkCode::UpdateTakenBack => fill(t.update_taken_back, &[about]),
        RemarkCode::CardFails => fill(t.card_fails, &[about]),
        RemarkCode::StorageFull => t.storage_full.to_owned(),
        RemarkCode::SystemUnwell => fill(t.system_unwell, &[about]),
        RemarkCode::Other(other) if about.is_empty() => other.clone(),
        RemarkCode::Other(_) => about.clone(),
    }
}

/// Why a device was not read. Agents write it down in English; what has no words here stays so.
pub fn reason(lang: Lang, failure: &str) -> String {
    let (t, english) = (Words::of(lang), Words::of(Lang::En));
    let whole = [
        ("no answer to SNMP", t.no_answer),
        ("the device took more than", t.endless),
        ("the SNMPv3 user name is unknown", t.unknown_user),
        ("the SNMPv3 authentication password", t.wrong_digest),
        ("the SNMPv3 privacy password", t.decryption),
        ("the device does not offer this SNMPv3 security level", t.security_level),
        ("the device refuses SNMPv3 messages as too old", t.time_window),
        ("the device's count of SNMPv3 starts", t.boots_exhausted),
        ("the device does not know the SNMPv3 engine id", t.engine_id),
        ("the SNMPv3 user may not read anything", t.not_authorized),
        ("the device speaks SNMPv3, but leaves this user without an answer: most likely", t.silent_privacy),
        ("the device speaks SNMPv3, but leaves this user without an answer", t.silent_user),
        ("the printer is not connected", t.not_connected),
        ("neither a LocalAgent nor a printer answers", t.usb_silent),
        ("the connection was closed", t.closed),
        (english.displaced, t.displaced),
        (english.restless, t.restless),
    ];
    // What stands before and behind the part that differs.
    let partly = [
        ("the device answers, but not in SNMP: ", "", t.garbled),
        ("the device stopped answering after ", " answers", t.stopped),
        ("no SNMP over TCP: ", "", t.no_connection),
        ("the device refuses SNMPv3 messages with a Report of ", "", t.other_report),
        ("the bridge refused: ", "", t.bridge_refused),
    ];
    let whole = whole.iter().find(|(written, _)| failure.starts_with(written)).map(|(_, words)| (*words).to_owned());
    let part = || {
        partly.iter().find_map(|(before, behind, words)| {
            let differs = failure.strip_prefix(before)?.strip_suffix(behind)?;
            Some(fill(words, &[&differs]))
        })
    };
    whole.or_else(part).unwrap_or_else(|| failure.to_owned())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn events_and_remarks_have_words_in_both_languages() {
        let event = |kind: &str| Event {
            at: Timestamp::UNIX_EPOCH,
            kind: EventKind::from_keyword(kind),
            before: "one".to_owned(),
            after: "two".to_owned(),
        };
        assert_eq!(super::event(Lang::En, &event("moved")), "Address changed from one to two");
        assert_eq!(super::event(Lang::De, &event("same")), "Entschieden von two: dasselbe Gerät wie one");
        assert_eq!(super::event(Lang::De, &event("ofTomorrow")), "ofTomorrow one two");
        let remark = |code: &str, text: &str| Remark {
            code: RemarkCode::from_keyword(code),
            since: None,
            text: text.to_owned(),
        };
        let slow = super::remark(Lang::De, &remark("polledLessSlow", "15 min; 12 s"));
        assert_eq!(slow, "Wird nur alle 15 min gelesen, weil eine Lesung 12 s dauert.");
        assert_eq!(
            super::remark(Lang::En, &remark("updateTakenBack", "0.3.0 did not come up")),
            "An update did not stay. 0.3.0 did not come up"
        );
        assert_eq!(super::remark(Lang::De, &remark("ofTomorrow", "in its words")), "in its words");
    }
}
