//! Where a text is no TOML, or not of the form that was wanted. Unlike the library's own words these quote nothing of it: a prepared
//! file holds secrets, and what is wrong with it stands in logs, on pages and beside it on the card.

use serde::de::DeserializeOwned;
use thiserror::Error;

/// What is wrong, and in which line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{what}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct TomlFault {
    line: Option<usize>,
    what: String,
}

/// Reads a text.
pub fn from_toml<T: DeserializeOwned>(text: &str) -> Result<T, TomlFault> {
    toml::from_str(text).map_err(|error| TomlFault::new(&error, text))
}

impl TomlFault {
    /// From the words of the library for this text.
    pub fn new(error: &toml::de::Error, text: &str) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start));
        // A value of the wrong kind is quoted in the message itself.
        let words = error.message();
        let what = match (words.split_once("string \""), words.rsplit_once("\", expected")) {
            (Some((before, _)), Some((_, wanted))) => format!("{before}a text, expected{wanted}"),
            _ => words.to_owned(),
        };
        Self { line: before.map(|before| before.matches('\n').count() + 1), what }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[allow(dead_code, reason = "only that it is read counts")]
        codes: Vec<String>,
    }

    #[test]
    fn a_fault_names_its_line_and_nothing_that_stands_there() {
        for (text, words) in [
            ("\ncodes = hush", "line 2: "),
            ("\ncodes = \"hush", "line 2: "),
            ("\ncodes = \"hush\"", "line 2: invalid type: a text, expected a sequence"),
            ("\ncodes = \"hush\\\", expected hush\"", "line 2: invalid type: a text, expected a sequence"),
            ("\ncodes = [\"hush\"", "line 2: "),
            ("codes = []\nhush", "line 2: "),
            ("codes = [\"hush\"]\ncode = \"hush\"", "line 2: unknown field `code`"),
        ] {
            let fault = from_toml::<File>(text).unwrap_err().to_string();
            assert!(fault.starts_with(words) && !fault.contains("hush"), "{text:?}: {fault}");
        }
    }
}
