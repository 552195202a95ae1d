//! The words about updates and about how the box is.

use boxcore::health::Fault;
use boxcore::request::{Remark, Status};
use boxcore::update::{Refusal, Stage};
use webkit::text::{Lang, fill, number};
use webkit::texts;
use wire::channel::ChannelError;

use crate::boxd::BoxdError;
use crate::updates::UpdateError;

texts! {
    /// Words of both pages.
    pub(super) Texts {
        updates: "Updates", "Updates";
        the_box: "Box", "Gerät";
        silent: "The box service does not answer at the moment. Everything else goes on; this page tries again by itself.",
            "Der Gerätedienst antwortet gerade nicht. Alles andere läuft weiter; diese Seite versucht es von selbst wieder.";
        present: "Present version", "Jetzige Version";
        version: "Version", "Version";
        board: "Kind of box", "Geräteart";
        slots: "Two systems are on the card. An update goes into the one that does not run.",
            "Auf der Karte liegen zwei Systeme. Ein Update kommt in das, das nicht läuft.";
        slot: "System", "System";
        state: "State", "Zustand";
        running: "runs", "läuft";
        next: "is started next", "wird als Nächstes gestartet";
        good: "good", "in Ordnung";
        untried: "not tried", "nicht erprobt";
        bring: "Bring an update", "Update einspielen";
        bring_text: "A file that ends in .raucb, from your dealer. It is checked before anything changes, and the present version stays until the new one has proved itself.",
            "Eine Datei mit der Endung .raucb von Ihrem Händler. Sie wird geprüft, bevor sich etwas ändert, und die jetzige Version bleibt, bis die neue sich bewährt hat.";
        file: "File", "Datei";
        older: "Also if it is older than the present version, or the same", "Auch wenn sie älter als die jetzige Version oder dieselbe ist";
        upload: "Check and install", "Prüfen und installieren";
        fetch: "Fetch an update", "Update holen";
        fetch_text: "The address of a release that your dealer publishes. What it names is fetched, if it is newer than the present version.",
            "Die Adresse einer Freigabe, die Ihr Händler veröffentlicht. Was sie nennt, wird geholt, wenn es neuer als die jetzige Version ist.";
        address: "Address of the release", "Adresse der Freigabe";
        look: "Look and install", "Nachsehen und installieren";
        arriving: "The file is arriving", "Die Datei kommt an";
        installing: "The update is being installed. The box works on meanwhile.",
            "Das Update wird installiert. Das Gerät arbeitet währenddessen weiter.";
        percent: "{} %", "{} %";
        interrupted: "The installation of version {} was interrupted. A restart shows whether it was complete; otherwise the present version goes on.",
            "Die Installation von Version {} wurde unterbrochen. Ein Neustart zeigt, ob sie vollständig war; sonst läuft die jetzige Version weiter.";
        installed: "Version {} is installed. The next restart tries it; it stays if everything works, and goes back by itself otherwise.",
            "Version {} ist installiert. Der nächste Neustart probiert sie aus; sie bleibt, wenn alles funktioniert, und weicht sonst von selbst.";
        restart: "Restart now", "Jetzt neu starten";
        restarting: "The box restarts. This page answers again in about a minute.",
            "Das Gerät startet neu. Diese Seite antwortet in etwa einer Minute wieder.";
        on_trial: "Version {} runs for the first time. It stays once everything has worked for a moment; otherwise the box goes back within 15 minutes.",
            "Version {} läuft zum ersten Mal. Sie bleibt, sobald alles eine Weile funktioniert hat; sonst kehrt das Gerät binnen 15 Minuten zurück.";
        stayed: "The update from {} to {} stays.", "Das Update von {} auf {} gilt.";
        leaving: "Version {} does not work here and is left: {}", "Version {} funktioniert hier nicht und wird verlassen: {}";
        went_back: "The update to version {} went back: {} Version {} runs as before.",
            "Das Update auf Version {} wurde zurückgenommen: {} Version {} läuft wie zuvor.";
        fell_back: "Version {} was good, but did not come up several times in a row, perhaps because the power failed each time. Version {} runs in its place. To have the other one again, install it once more.",
            "Version {} war in Ordnung, kam aber mehrmals nacheinander nicht hoch, vielleicht weil jedes Mal der Strom ausfiel. An ihrer Stelle läuft Version {}. Um die andere wieder zu bekommen, spielen Sie sie noch einmal ein.";
        not_installed: "No update: {}", "Kein Update: {}";
        fault_unit: "{} did not run.", "{} lief nicht.";
        fault_page: "this page did not answer ({}).", "diese Seite antwortete nicht ({}).";
        fault_data: "nothing could be kept ({}).", "es ließ sich nichts speichern ({}).";
        fault_no_address: "there was no network address, and there had been one.", "es gab keine Netzwerkadresse, und vorher gab es eine.";
        fault_no_manager: "the manager was not reached, and it had been.", "der Manager wurde nicht erreicht, und vorher wurde er es.";
        fault_not_installed: "its installation did not come to an end.", "ihre Installation kam nicht zum Ende.";
        fault_other_version: "version {} was found in its place.", "an ihrer Stelle fand sich Version {}.";
        fault_not_started: "it did not start.", "sie startete nicht.";
        fault_cut_short: "it restarted before it was found good.", "sie startete neu, bevor sie sich bewährt hatte.";
        refused_board: "The file is for another kind of box ({}); this one is {}.", "Die Datei ist für eine andere Geräteart ({}); dieses Gerät ist {}.";
        refused_older: "Version {} is older than the present one ({}).", "Version {} ist älter als die jetzige ({}).";
        refused_same: "Version {} runs already.", "Version {} läuft schon.";
        refused_went_back: "Version {} was tried and went back.", "Version {} wurde probiert und zurückgenommen.";
        refused_no_version: "The file names no version (“{}”).", "Die Datei nennt keine Version („{}“).";
        refused_too_large: "The file is too large ({} bytes) to be an update.", "Die Datei ist zu groß ({} Bytes) für ein Update.";
        refused_full: "The storage is too full: {} MB are free, {} MB are needed.", "Der Speicher ist zu voll: {} MB sind frei, {} MB werden gebraucht.";
        refused_trust: "The file is not whole, or is not signed by your dealer's channel ({}).", "Die Datei ist nicht vollständig oder nicht vom Kanal Ihres Händlers signiert ({}).";
        refused_unread: "The file could not be read ({}).", "Die Datei war nicht lesbar ({}).";
        refused_installer: "The installer does not work ({}).", "Der Installierer arbeitet nicht ({}).";
        refused_busy: "Another update is on its way.", "Ein anderes Update ist unterwegs.";
        refused_waits: "An update waits for the restart.", "Ein Update wartet auf den Neustart.";
        refused_trial: "The present version has not proved itself yet. Try again in a few minutes.",
            "Die jetzige Version hat sich noch nicht bewährt. Versuchen Sie es in einigen Minuten wieder.";
        refused_no_data: "The card does not keep anything, so nothing can be installed.", "Die Karte behält nichts; daher lässt sich nichts installieren.";
        release_wrong: "The release cannot be used: {}.", "Die Freigabe ist nicht brauchbar: {}.";
        channel_key: "the key of the channel is no Ed25519 key in PEM", "der Schlüssel des Kanals ist kein Ed25519-Schlüssel in PEM";
        channel_size: "it is too large, or not in UTF-8", "sie ist zu groß oder nicht in UTF-8";
        channel_cut: "its last line is no signature, so it is not whole", "ihre letzte Zeile ist keine Signatur, sie ist also nicht vollständig";
        channel_signature: "its signature does not hold: it was changed, or is of another channel", "ihre Signatur stimmt nicht: Sie wurde verändert oder gehört zu einem anderen Kanal";
        channel_kind: "it is {}, where {} was wanted", "sie ist „{}“, verlangt war „{}“";
        licence_wrong: "This licence cannot be used: {}.", "Diese Lizenz ist nicht brauchbar: {}.";
        no_key: "This box has no key to check that with.", "Dieses Gerät hat keinen Schlüssel, um das zu prüfen.";
        no_bundle: "Release {} has nothing for this kind of box ({}).", "Freigabe {} enthält nichts für diese Geräteart ({}).";
        no_address: "“{}” is no address. Write https://host/path/release.toml.", "„{}“ ist keine Adresse. Schreiben Sie https://host/pfad/release.toml.";
        no_delivery: "{} does not deliver: {}.", "{} liefert nicht: {}.";
        not_as_named: "What arrived is not what the release names: it was changed on the way, or is not whole.",
            "Angekommen ist nicht, was die Freigabe nennt: Es wurde unterwegs verändert oder ist nicht vollständig.";
        cut_off: "The file did not arrive in full. Please send it again.", "Die Datei kam nicht vollständig an. Bitte noch einmal senden.";
        not_kept: "The file could not be kept: {}.", "Die Datei ließ sich nicht speichern: {}.";
        data_made: "The storage was empty and has been prepared.", "Der Speicher war leer und wurde eingerichtet.";
        data_erased: "Everything was erased, as was asked.", "Alles wurde wie gewünscht gelöscht.";
        data_repaired: "The storage was damaged and has been repaired; something may be missing.",
            "Der Speicher war beschädigt und wurde repariert; es kann etwas fehlen.";
        data_anew: "The storage was damaged beyond repair and made anew; {} files were saved. Please check the settings, and replace the card soon.",
            "Der Speicher war nicht mehr zu reparieren und wurde neu angelegt; {} Dateien wurden gerettet. Bitte prüfen Sie die Einstellungen und ersetzen Sie die Karte bald.";
        data_missing: "The storage is missing. Everything is kept in memory only and is gone after a restart. Please replace the card.",
            "Der Speicher fehlt. Alles liegt nur im Arbeitsspeicher und ist nach einem Neustart weg. Bitte ersetzen Sie die Karte.";
        data_read_only: "The card cannot be written to. The box works with its settings, but what is set or collected from now on is gone after a restart. Please replace the card.",
            "Die Karte lässt sich nicht beschreiben. Das Gerät arbeitet mit seinen Einstellungen weiter, aber was ab jetzt eingestellt oder gesammelt wird, ist nach einem Neustart weg. Bitte ersetzen Sie die Karte.";
        data_not_grown: "The storage could not grow to the size of the card.", "Der Speicher ließ sich nicht auf die Größe der Karte erweitern.";
        data_test: "The card failed a test: {}. Please replace it soon.", "Die Karte hat eine Prüfung nicht bestanden: {}. Bitte ersetzen Sie sie bald.";
        unwell: "Not everything works: {}", "Nicht alles funktioniert: {}";
        at_present: "At present", "Zurzeit";
        storage: "Storage", "Speicher";
        storage_free: "{} MB free of {} MB", "{} MB frei von {} MB";
        zone: "Time zone", "Zeitzone";
        zone_none: "UTC", "UTC";
        zone_hint: "Such as Europe/Berlin. It counts for the times on these pages after a restart.",
            "Zum Beispiel Europe/Berlin. Sie gilt nach einem Neustart für die Zeiten auf diesen Seiten.";
        zone_set: "The time zone is set. It counts after a restart.", "Die Zeitzone ist eingestellt. Sie gilt nach einem Neustart.";
        bad_zone: "“{}” is no time zone. Write one such as Europe/Berlin.", "„{}“ ist keine Zeitzone. Schreiben Sie etwa Europe/Berlin.";
        save: "Save", "Speichern";
        prepared: "The last prepared card or stick", "Die letzte vorbereitete Karte oder der letzte Stick";
        restart_title: "Restart", "Neustart";
        restart_text: "Takes about a minute. Nothing is lost.", "Dauert etwa eine Minute. Es geht nichts verloren.";
        reset: "Reset", "Zurücksetzen";
        reset_network: "Reset the network …", "Netzwerk zurücksetzen …";
        reset_network_text: "The box gets its address by DHCP again. You may have to look for it at a new address.",
            "Das Gerät bekommt seine Adresse wieder per DHCP. Möglicherweise müssen Sie es unter einer neuen Adresse suchen.";
        reset_network_do: "Yes, back to DHCP", "Ja, zurück zu DHCP";
        network_reset: "The network goes back to DHCP.", "Das Netzwerk geht zurück auf DHCP.";
        erase: "Erase everything …", "Alles löschen …";
        erase_text: "Settings, devices, history, passwords, the box's identity at the manager: everything goes, and the box cannot bring it back. It restarts as it came. Special tools may still find some of it on the card: destroy a card that leaves your hands for good. Type its name, {}, to go on.",
            "Einstellungen, Geräte, Verlauf, Kennwörter, die Identität beim Manager: Alles verschwindet, und das Gerät kann es nicht zurückholen. Es startet wie bei der Auslieferung. Mit Spezialwerkzeug lässt sich manches auf der Karte vielleicht noch finden: Vernichten Sie eine Karte, die Sie endgültig aus der Hand geben. Geben Sie seinen Namen ein, {}, um fortzufahren.";
        erase_name: "Name of the box", "Name des Geräts";
        erase_do: "Erase everything", "Alles löschen";
        erase_wrong: "That is not the name of this box. Nothing was erased.", "Das ist nicht der Name dieses Geräts. Es wurde nichts gelöscht.";
        erasing: "Everything is erased. The box restarts and then asks for a new password.",
            "Alles wird gelöscht. Das Gerät startet neu und fragt dann nach einem neuen Kennwort.";
        licence: "Licence", "Lizenz";
        licence_none: "No licence has been stored.", "Es ist keine Lizenz hinterlegt.";
        licence_id: "Number", "Nummer";
        licence_holder: "Issued to", "Ausgestellt für";
        licence_features: "Includes", "Umfasst";
        licence_devices: "Devices", "Geräte";
        licence_valid: "Valid", "Gültig";
        licence_days: "{} to {}", "{} bis {}";
        licence_over: "This licence has expired. Collecting and reporting go on.", "Diese Lizenz ist abgelaufen. Sammeln und Berichten gehen weiter.";
        licence_early: "This licence is not valid yet.", "Diese Lizenz gilt noch nicht.";
        licence_few: "{} devices are collected, more than the licence covers.", "Es werden {} Geräte erfasst, mehr als die Lizenz umfasst.";
        licence_file: "Licence file", "Lizenzdatei";
        licence_store: "Store", "Hinterlegen";
        licence_stored: "The licence is stored.", "Die Lizenz ist hinterlegt.";
    }
}

/// Megabytes for people.
pub(super) fn megabytes(lang: Lang, bytes: u64) -> String {
    number(lang, bytes / 1_000_000)
}

pub(super) fn faults(t: &Texts, faults: &[Fault]) -> String {
    let words = |fault: &Fault| match fault {
        Fault::Unit(unit) => fill(t.fault_unit, &[unit]),
        Fault::Page(why) => fill(t.fault_page, &[why]),
        Fault::Data(why) => fill(t.fault_data, &[why]),
        Fault::NoAddress => t.fault_no_address.to_owned(),
        Fault::NoManager => t.fault_no_manager.to_owned(),
        Fault::NotInstalled => t.fault_not_installed.to_owned(),
        Fault::OtherVersion(version) => fill(t.fault_other_version, &[version]),
        Fault::NotStarted => t.fault_not_started.to_owned(),
        Fault::CutShort => t.fault_cut_short.to_owned(),
    };
    faults.iter().map(words).collect::<Vec<_>>().join(" ")
}

/// That an update which was good does not run, if so.
pub(super) fn fell_back(t: &Texts, status: &Status) -> Option<String> {
    let last = status.last.as_ref().filter(|last| last.stage == Stage::FellBack)?;
    Some(fill(t.fell_back, &[&last.to, &status.version]))
}

pub(super) fn refusal(lang: Lang, refusal: &Refusal) -> String {
    let t = Texts::of(lang);
    match refusal {
        Refusal::WrongBoard { is, box_is } => fill(t.refused_board, &[is, box_is]),
        Refusal::Older { is, running } => fill(t.refused_older, &[is, running]),
        Refusal::Same { is } => fill(t.refused_same, &[is]),
        Refusal::WentBack { is } => fill(t.refused_went_back, &[is]),
        Refusal::NoVersion { is } => fill(t.refused_no_version, &[is]),
        Refusal::TooLarge { size } => fill(t.refused_too_large, &[&number(lang, *size)]),
        Refusal::Full { free, needed } => {
            fill(t.refused_full, &[&megabytes(lang, *free), &megabytes(lang, needed.saturating_add(999_999))])
        }
        Refusal::NotTrusted { why } => fill(t.refused_trust, &[why]),
        Refusal::Unread { why } => fill(t.refused_unread, &[why]),
        Refusal::NoInstaller { why } => fill(t.refused_installer, &[why]),
        Refusal::Busy => t.refused_busy.to_owned(),
        Refusal::WaitsForRestart => t.refused_waits.to_owned(),
        Refusal::OnTrial => t.refused_trial.to_owned(),
        Refusal::NoData => t.refused_no_data.to_owned(),
    }
}

fn channel_error(t: &Texts, error: &ChannelError) -> String {
    match error {
        ChannelError::Key => t.channel_key.to_owned(),
        ChannelError::Size => t.channel_size.to_owned(),
        ChannelError::NoSignature => t.channel_cut.to_owned(),
        ChannelError::Signature => t.channel_signature.to_owned(),
        ChannelError::Kind(is, wanted) => fill(t.channel_kind, &[is, wanted]),
        // What is wrong within is for who writes such files.
        ChannelError::Form(_) | ChannelError::Value(_) => error.to_string(),
    }
}

pub(super) fn problem(lang: Lang, error: &UpdateError) -> String {
    let t = Texts::of(lang);
    match error {
        UpdateError::Refused(why) => refusal(lang, why),
        UpdateError::Boxd(BoxdError::Refused(why)) => why.clone(),
        UpdateError::Boxd(_) => t.silent.to_owned(),
        UpdateError::Release(why) => fill(t.release_wrong, &[&channel_error(t, why)]),
        UpdateError::Licence(why) => fill(t.licence_wrong, &[&channel_error(t, why)]),
        UpdateError::NoKey => t.no_key.to_owned(),
        UpdateError::NoBundle { version, board } => fill(t.no_bundle, &[version, board]),
        UpdateError::Address(text) => fill(t.no_address, &[text]),
        UpdateError::Fetch { host, why } => fill(t.no_delivery, &[host, why]),
        UpdateError::Digest => t.not_as_named.to_owned(),
        UpdateError::CutOff => t.cut_off.to_owned(),
        UpdateError::Storage(why) => fill(t.not_kept, &[why]),
        UpdateError::Busy => t.refused_busy.to_owned(),
    }
}

pub(super) fn remark(t: &Texts, remark: &Remark) -> (&'static str, String) {
    match remark {
        Remark::Made => ("good", t.data_made.to_owned()),
        Remark::Erased => ("good", t.data_erased.to_owned()),
        Remark::Repaired => ("warning", t.data_repaired.to_owned()),
        Remark::MadeAnew { saved } => ("critical", fill(t.data_anew, &[saved])),
        Remark::Missing => ("critical", t.data_missing.to_owned()),
        Remark::ReadOnly => ("critical", t.data_read_only.to_owned()),
        Remark::NotGrown => ("warning", t.data_not_grown.to_owned()),
    }
}
