//! Takes secrets out of a prepared file once they are in the box. The file keeps its length and every other byte, so that it can be
//! written over in place: on a FAT card nothing but the sectors of the secrets is touched, and a power cut leaves a readable file.

use std::ops::Range;

use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use crate::prepared::Reset;

/// Keys whose values are secret, in whatever table they stand.
const SECRET: [&str; 9] =
    ["enrolment_code", "token", "communities", "secret", "psk", "key", "private_key", "authorized_keys", "proxy"];
/// What any key with this in its name holds.
const PASSWORD: &str = "password";
/// What stands for a text afterwards: the longest that fits.
const WORDS: [&str; 3] = ["\"used, removed\"", "\"used\"", "\"\""];
/// What stands for a list afterwards.
const LISTS: [&str; 3] = ["[\"used, removed\"]", "[\"used\"]", "[]"];
/// Nesting that is followed.
const DEEPEST: usize = 8;

/// Whether secrets were taken out of a file before. Where only values of a few letters were, which became empty, that is not seen.
pub fn is_scrubbed(text: &str) -> bool {
    let body = text.trim_start_matches('\u{feff}');
    let Ok(document) = DeTable::parse(body) else { return false };
    let mut found = Vec::new();
    find(document.get_ref(), 0, &mut found);
    let is_word = |place: &str| place.contains("used") && (WORDS.contains(&place) || LISTS.contains(&place));
    found.into_iter().any(|(range, _)| body.get(range).is_some_and(is_word))
}

/// Whether a secret is only what stands for one that was taken out.
pub fn is_taken_out(secret: &str) -> bool {
    secret.contains("used") && WORDS.iter().any(|word| word.trim_matches('"') == secret)
}

/// The file without its secrets, and with its reset marked as done; `None` when there is nothing to take out, or the file is not
/// TOML. A value that is too short for a word becomes an empty one.
pub fn scrub(text: &str) -> Option<String> {
    scrub_but(text, &[])
}

/// In the same way, but for these tables: they are wanted once more.
pub fn scrub_but(text: &str, tables: &[&str]) -> Option<String> {
    let bom = text.len() - text.trim_start_matches('\u{feff}').len();
    let body = text.get(bom..)?;
    let document = DeTable::parse(body).ok()?;
    let mut found = Vec::new();
    for (key, value) in document.get_ref().iter().filter(|(key, _)| !tables.contains(&key.get_ref().as_ref())) {
        find_in(key.get_ref(), value, 0, &mut found);
    }
    let mut bytes = text.as_bytes().to_vec();
    let mut changed = false;
    for (range, words) in found {
        let place = bytes.get_mut(range.start + bom..range.end + bom)?;
        let longest = words.iter().find(|word| word.len() <= place.len());
        // The last always fits: no text or list is shorter.
        let Some(word) = longest else { continue };
        let mut replacement = word.as_bytes().to_vec();
        replacement.resize(place.len(), b' ');
        changed |= place != replacement.as_slice();
        place.copy_from_slice(&replacement);
    }
    let scrubbed = String::from_utf8(bytes).ok()?;
    // A file that has become another kind of file would be worse than one with a secret in it.
    let same = DeTable::parse(scrubbed.get(bom..)?).is_ok();
    (changed && same).then_some(scrubbed)
}

type Found = (Range<usize>, &'static [&'static str]);

fn find(table: &DeTable<'_>, depth: usize, found: &mut Vec<Found>) {
    if depth > DEEPEST {
        return;
    }
    for (key, value) in table {
        find_in(key.get_ref(), value, depth, found);
    }
}

fn find_in(key: &str, value: &Spanned<DeValue<'_>>, depth: usize, found: &mut Vec<Found>) {
    let is_secret = SECRET.contains(&key) || (key.contains(PASSWORD) && !key.ends_with("_encrypted"));
    match value.get_ref() {
        DeValue::String(_) if is_secret => found.push((value.span(), &WORDS)),
        DeValue::Array(_) if is_secret => found.push((value.span(), &LISTS)),
        DeValue::String(text) if key == "reset" && is_reset(text) => found.push((value.span(), &["\"done\""])),
        _ => inside(value, depth, found),
    }
}

fn inside(value: &Spanned<DeValue<'_>>, depth: usize, found: &mut Vec<Found>) {
    match value.get_ref() {
        DeValue::Table(table) => find(table, depth + 1, found),
        DeValue::Array(list) if depth <= DEEPEST => {
            for one in list.iter() {
                inside(one, depth + 1, found);
            }
        }
        _ => {}
    }
}

fn is_reset(text: &str) -> bool {
    // The words of `Reset` that ask for something.
    let of = |reset: Reset| serde_json::to_string(&reset).unwrap_or_default();
    [Reset::Network, Reset::Everything].iter().any(|reset| of(*reset) == format!("\"{text}\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_go_and_everything_else_stays() {
        let text = "\u{feff}# office\r\n[manager]\r\nurl = \"https://m.example\"\r\nenrolment_code = \"DW1-abcdefghijklmnop\" # once\r\n\
                    [[snmp_user]]\r\nname = \"monitor\"\r\nauth_password = '''long\r\npassword'''\r\npriv_password = \"x\"\r\n\
                    [[scan]]\r\ncommunities = [\"s3cret\", \"other-one\"]\r\n[box]\r\nreset = \"network\"\r\n";
        let clean = scrub(text).unwrap();
        assert_eq!(clean.len(), text.len());
        for secret in ["DW1-", "long", "s3cret", "other-one", "\"x\"", "\"network\""] {
            assert!(!clean.contains(secret), "{secret}: {clean}");
        }
        for kept in ["# office\r\n", "https://m.example", "# once\r\n", "\"monitor\"", "\"done\""] {
            assert!(clean.contains(kept), "{kept}: {clean}");
        }
        assert_eq!(scrub(&clean), None, "a second time there is nothing to do");
        assert!(is_scrubbed(&clean) && !is_scrubbed(text));
        assert_eq!(scrub("[manager]\nurl = \"x\"\n"), None);
        assert_eq!(scrub("[manager\n"), None);
    }

    #[test]
    fn a_table_that_is_wanted_once_more_keeps_its_secrets() {
        let text = "[proxy]\npassword = \"of the proxy\"\n[network.dot1x]\npassword = \"of the network\"\n";
        let clean = scrub_but(text, &["network"]).unwrap();
        assert!(!clean.contains("of the proxy") && clean.contains("of the network"), "{clean}");
        assert_eq!(scrub_but(&clean, &["network"]), None);
    }

    #[test]
    fn a_file_with_short_secrets_shows_that_they_were_taken_out() {
        for text in ["[[scan]]\ncommunities = [\"public\"]\n", "[[snmp_user]]\nauth_password = \"12345678\"\n"] {
            assert!(is_scrubbed(&scrub(text).unwrap()), "{text}");
        }
        assert!(!is_scrubbed("[manager]\nsite = \"used\"\n[[scan]]\ncommunities = []\n"));
    }

    #[test]
    fn a_key_of_many_lines_goes() {
        let text = "[network.dot1x]\r\nkey = \"\"\"\r\n-----BEGIN PRIVATE KEY-----\r\nMAMCAQE=\r\n-----END PRIVATE KEY-----\r\n\"\"\"\r\n\
                    server = \"radius.example\"\r\n";
        let clean = scrub(text).unwrap();
        assert!(
            !clean.contains("MAMCAQE") && clean.len() == text.len() && clean.ends_with("radius.example\"\r\n"),
            "{clean}"
        );
        assert!(is_scrubbed(&clean));
    }

    /// The page about the file shows each secret as dots; of the network the form knows which they are.
    #[test]
    fn every_secret_of_the_file_goes() {
        let page = include_str!("../../../docs/agent-toml.md");
        let example = page.split("```").nth(1).and_then(|block| block.strip_prefix("toml\n")).unwrap();
        let clean: toml::Table = toml::from_str(&scrub(example).unwrap()).unwrap();
        let left: Vec<_> = dotted("", &toml::Value::Table(clean));
        assert_eq!(left, ["network.dot1x.authority"], "certificates are no secret");

        let fields = serde_json::to_value(netcfg::config::Form::default()).unwrap();
        let names = fields.as_object().unwrap().keys();
        let all: serde_json::Map<_, _> = names.map(|name| (name.clone(), "hidden away".into())).collect();
        let form: netcfg::config::Form = serde_json::from_value(all.clone().into()).unwrap();
        let shown = serde_json::to_value(form.without_secrets()).unwrap();
        let secrets: Vec<_> = all.keys().filter(|name| shown.get(name) != all.get(*name)).collect();
        assert_eq!(secrets.len(), 3);
        for name in secrets {
            let text = format!("[network.dot1x]\n{} = \"hidden away\"\n", name.strip_prefix("dot1x_").unwrap());
            assert!(scrub(&text).is_some_and(|clean| !clean.contains("hidden")), "{text}");
        }
    }

    /// The keys in whose texts there are dots.
    fn dotted(path: &str, value: &toml::Value) -> Vec<String> {
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value {
            toml::Value::Table(table) => table.iter().flat_map(|(key, value)| dotted(&below(key), value)).collect(),
            toml::Value::Array(list) => list.iter().flat_map(|value| dotted(path, value)).collect(),
            toml::Value::String(text) if text.contains('\u{2026}') => vec![path.to_owned()],
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_secret_is_found_wherever_it_stands() {
        for text in [
            "manager = { enrolment_code = \"DW1-hidden\" }",
            "manager.enrolment_code = \"DW1-hidden\"",
            "user.password = \"hidden\"",
            "a = [{ b = { wifi_password = \"hidden\" } }]",
        ] {
            assert!(!scrub(text).unwrap().contains("hidden"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_stumble(text in ".{0,300}", secret in "[a-z0-9 \u{e4}\u{20ac}]{0,40}") {
            let _ = scrub(&text);
            let file = format!("[a]\npassword = \"{secret}\"\nb = \"{secret}!\"\n");
            let clean = scrub(&file).unwrap_or(file.clone());
            prop_assert_eq!(clean.len(), file.len());
            let table: toml::Table = toml::from_str(&clean).unwrap();
            let kept = format!("{secret}!");
            prop_assert_eq!(table["a"]["b"].as_str(), Some(kept.as_str()));
        }
    }
}
