//! Users of SNMPv3, whose passwords go in and never come out again; and what has become of traps.

use agent_core::snmp::{AuthProtocol, KeyExtension, Keyed, PrivProtocol, Secret, User, UserError};
use askama::Template;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use webkit::form::CheckedForm;
use webkit::moment::Ago;
use webkit::page::Problem;
use webkit::site::Visit;
use webkit::text::{fill, number};
use webkit::texts;

use super::Parts;
use crate::collector::{Command, TrapState};
use crate::store::snmp_users::Removal;

/// Most users.
const MAX_USERS: usize = 64;

texts! {
    /// Words of the page.
    Texts {
        title: "SNMPv3", "SNMPv3";
        users: "Users", "Benutzer";
        users_text: "Set up the same users on the devices, and name them in the ranges of the search. Passwords are not shown again.",
            "Dieselben Benutzer auf den Geräten einrichten und in den Bereichen der Suche nennen. Passwörter werden nicht wieder angezeigt.";
        none: "There are no users yet. Devices that speak SNMPv1 or v2c need none.",
            "Es gibt noch keine Benutzer. Geräte mit SNMPv1 oder v2c brauchen keine.";
        label: "Name here", "Name hier";
        label_hint: "Empty: like the user name. Two users may bear one name on different devices.",
            "Leer: wie der Benutzername. Zwei Benutzer können auf verschiedenen Geräten gleich heißen.";
        name: "User name", "Benutzername";
        auth: "Authentication", "Authentifizierung";
        privacy: "Encryption", "Verschlüsselung";
        auth_password: "Password for authentication", "Passwort für die Authentifizierung";
        priv_password: "Password for encryption", "Passwort für die Verschlüsselung";
        password_hint: "8 to 255 characters", "8 bis 255 Zeichen";
        no_protocol: "none", "keine";
        extension: "AES-192 and AES-256: long keys", "AES-192 und AES-256: lange Schlüssel";
        automatic: "try both ways", "beide Arten probieren";
        add: "Add or replace user", "Benutzer hinzufügen oder ersetzen";
        added: "The user is added. Name him in a range of the search.", "Der Benutzer ist eingetragen. Nennen Sie ihn in einem Bereich der Suche.";
        replaced: "The user is replaced; devices are read with the new passwords.", "Der Benutzer ist ersetzt; Geräte werden mit den neuen Passwörtern gelesen.";
        remove: "Remove", "Entfernen";
        removed: "The user is removed. {} devices were read as him and are silent until they are found in another way.",
            "Der Benutzer ist entfernt. {} Geräte wurden mit ihm gelesen und bleiben stumm, bis sie auf anderem Weg gefunden werden.";
        in_use: "The range {} still names this user. Remove the range first.", "Der Bereich {} nennt diesen Benutzer noch. Zuerst den Bereich entfernen.";
        too_many: "There are {} users already; that is the most.", "Es gibt schon {} Benutzer; mehr gehen nicht.";
        bad_name: "A user name has 1 to 32 characters.", "Ein Benutzername hat 1 bis 32 Zeichen.";
        bad_label: "The name here has at most 64 characters and no comma.", "Der Name hier hat höchstens 64 Zeichen und kein Komma.";
        bad_password: "A password has 8 to 255 characters.", "Ein Passwort hat 8 bis 255 Zeichen.";
        privacy_alone: "Encryption needs authentication too.", "Verschlüsselung geht nur mit Authentifizierung.";
        traps: "Traps and informs", "Traps und Informs";
        traps_text: "A trap has its sender polled early, if it is a device that is watched here. What a trap says is not believed.",
            "Ein Trap lässt seinen Absender früher abfragen, wenn es ein überwachtes Gerät ist. Was ein Trap sagt, wird nicht geglaubt.";
        taken_at: "Taken at", "Angenommen auf";
        not_taken: "Not taken: {}", "Nicht angenommen: {}";
        off: "Traps are switched off (--trap-listen).", "Traps sind ausgeschaltet (--trap-listen).";
        last: "Last of a known device", "Zuletzt von einem bekannten Gerät";
        never: "none yet", "noch keiner";
        received: "Received", "Empfangen";
        polls: "Devices polled early", "Früher abgefragte Geräte";
        acknowledged: "Informs confirmed", "Bestätigte Informs";
        unknown_source: "Dropped: from unknown addresses", "Verworfen: von unbekannten Adressen";
        limited: "Dropped: too many", "Verworfen: zu viele";
        not_authentic: "Dropped: unknown user or wrong password", "Verworfen: unbekannter Benutzer oder falsches Passwort";
        malformed: "Dropped: no traps", "Verworfen: keine Traps";
    }
}

#[derive(Template)]
#[template(path = "snmp.html")]
struct Page {
    t: &'static Texts,
    csrf: String,
    users: Vec<UserRow>,
    form: UserForm,
    problem: Option<String>,
    auth_words: [&'static str; 6],
    priv_words: [&'static str; 4],
    extension_words: [&'static str; 2],
    open: String,
    faults: Vec<String>,
    last: Option<(String, Ago)>,
    counts: Vec<(&'static str, String)>,
}

struct UserRow {
    label: String,
    name: String,
    auth: &'static str,
    privacy: &'static str,
}

/// The form for one user, as typed; without the passwords when it is shown again.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct UserForm {
    label: String,
    name: String,
    auth: String,
    auth_password: String,
    privacy: String,
    priv_password: String,
    extension: String,
}

/// Whom to remove.
#[derive(Debug, Deserialize)]
pub(super) struct RemoveForm {
    label: String,
}

impl Page {
    async fn of(visit: &Visit, parts: &Parts) -> Result<Self, Problem> {
        let t = Texts::of(visit.lang());
        let users = parts.ask(|store| store.snmp_users()).await?;
        let TrapState { open, faults, counts, last } = parts.collector.activity().traps;
        let count = |words, count: u64| (words, number(visit.lang(), count));
        let rows = users.iter().map(|user| UserRow {
            label: user.label().to_owned(),
            name: user.name().to_owned(),
            auth: user.auth().map_or(t.no_protocol, |auth| auth.protocol.keyword()),
            privacy: user.privacy().map_or(t.no_protocol, |privacy| privacy.protocol.keyword()),
        });
        Ok(Self {
            t,
            csrf: visit.csrf().to_owned(),
            users: rows.collect(),
            form: UserForm {
                auth: AuthProtocol::Sha256.keyword().to_owned(),
                privacy: PrivProtocol::Aes128.keyword().to_owned(),
                ..UserForm::default()
            },
            problem: None,
            auth_words: AuthProtocol::ALL.map(AuthProtocol::keyword),
            priv_words: PrivProtocol::ALL.map(PrivProtocol::keyword),
            extension_words: KeyExtension::ALL.map(KeyExtension::keyword),
            open: open.join(", "),
            faults: faults.iter().map(|fault| fill(t.not_taken, &[fault])).collect(),
            last: last.map(|(at, from)| (from.to_string(), visit.viewer.ago(at))),
            counts: vec![
                count(t.received, counts.received),
                count(t.polls, counts.polls),
                count(t.acknowledged, counts.acknowledged),
                count(t.unknown_source, counts.unknown_source),
                count(t.limited, counts.too_many),
                count(t.not_authentic, counts.not_authentic),
                count(t.malformed, counts.malformed),
            ],
        })
    }
}

pub(super) async fn show(visit: Visit, Extension(parts): Extension<Parts>) -> Result<Response, Problem> {
    let page = Page::of(&visit, &parts).await?;
    Ok(visit.page(page.t.title, &page))
}

pub(super) async fn add(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(form): CheckedForm<UserForm>,
) -> Result<Response, Problem> {
    let t = Texts::of(visit.lang());
    let mut page = Page::of(&visit, &parts).await?;
    let checked = form.check(t).and_then(|user| match page.users.iter().any(|row| row.label == user.label()) {
        false if page.users.len() >= MAX_USERS => Err(fill(t.too_many, &[&MAX_USERS])),
        _ => Ok(user),
    });
    match checked {
        Ok(user) => {
            let replaced = parts.ask(move |store| store.set_snmp_user(&user)).await?;
            parts.collector.order(Command::Reload);
            Ok(visit.go_to_with_notice("/snmp", if replaced { t.replaced } else { t.added }))
        }
        Err(problem) => {
            page.problem = Some(problem);
            page.form = UserForm { auth_password: String::new(), priv_password: String::new(), ..form };
            Ok(visit.page_with_status(StatusCode::UNPROCESSABLE_ENTITY, t.title, &page))
        }
    }
}

pub(super) async fn remove(
    visit: Visit,
    Extension(parts): Extension<Parts>,
    CheckedForm(RemoveForm { label }): CheckedForm<RemoveForm>,
) -> Result<Response, Problem> {
    let t = Texts::of(visit.lang());
    let removal = parts.ask(move |store| store.remove_snmp_user(&label, Timestamp::now())).await?;
    let notice = match removal {
        Removal::Done(devices) => {
            parts.collector.order(Command::Reload);
            fill(t.removed, &[&devices])
        }
        Removal::InUse(range) => fill(t.in_use, &[&range]),
    };
    Ok(visit.go_to_with_notice("/snmp", &notice))
}

impl UserForm {
    /// The user, or what is wrong with him.
    fn check(&self, t: &Texts) -> Result<User, String> {
        let keyed = |password: &str| Secret::new(password);
        let auth = AuthProtocol::from_keyword(&self.auth)
            .map(|protocol| Keyed { protocol, password: keyed(&self.auth_password) });
        let privacy = PrivProtocol::from_keyword(&self.privacy)
            .map(|protocol| Keyed { protocol, password: keyed(&self.priv_password) });
        let name = self.name.trim();
        let label = match self.label.trim() {
            "" => name,
            label => label,
        };
        let user =
            User::new(name, auth, privacy).and_then(|user| user.labelled(label)).map_err(|error| match error {
                UserError::Name => t.bad_name.to_owned(),
                UserError::Password => t.bad_password.to_owned(),
                UserError::PrivacyAlone => t.privacy_alone.to_owned(),
                UserError::Label => t.bad_label.to_owned(),
            })?;
        Ok(user.extending(KeyExtension::from_keyword(&self.extension)))
    }
}

#[cfg(test)]
mod tests {
    use webkit::text::Lang;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_user_is_named() {
        let t = Texts::of(Lang::En);
        let form = |change: fn(&mut UserForm)| {
            let mut form = UserForm {
                name: " monitor ".to_owned(),
                auth: "SHA-256".to_owned(),
                auth_password: "auth-pass".to_owned(),
                privacy: "AES-256".to_owned(),
                priv_password: "priv-pass".to_owned(),
                ..UserForm::default()
            };
            change(&mut form);
            form.check(t)
        };
        let user = form(|_| ()).unwrap();
        assert_eq!(
            (user.label(), user.name(), user.level(), user.extension()),
            ("monitor", "monitor", "authPriv", None)
        );
        let user = form(|form| {
            form.label = "third floor".to_owned();
            form.extension = "reeder".to_owned();
        });
        assert_eq!(
            user.map(|user| (user.label().to_owned(), user.extension())),
            Ok(("third floor".to_owned(), Some(KeyExtension::Reeder)))
        );
        assert_eq!(form(|form| form.privacy = "none".to_owned()).unwrap().level(), "authNoPriv");
        assert_eq!(form(|form| form.auth = "none".to_owned()).unwrap_err(), t.privacy_alone);
        assert_eq!(form(|form| form.priv_password = "short".to_owned()).unwrap_err(), t.bad_password);
        assert_eq!(form(|form| form.name.clear()).unwrap_err(), t.bad_name);
        assert_eq!(form(|form| form.label = "a, b".to_owned()).unwrap_err(), t.bad_label);
    }
}
