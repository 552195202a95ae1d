//! Replies of printers, as printers send them: with and without form feeds, headers, quotes and carriage returns, in several
//! languages, with messages of other origin in between. Never an error; what is no reply is no line.

use crate::text;

/// Octets of a reply that are looked at; the rest is not kept.
pub const MAX_OCTETS: usize = 64 * 1024;
/// Lines of a reply that are kept.
const MAX_LINES: usize = 2_000;

/// One line of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    /// Whether blanks stand before it: it belongs to the line above.
    is_inner: bool,
    text: String,
}

/// The lines that answer one question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    lines: Vec<Line>,
}

/// A line `KEY=VALUE` of a reply, perhaps with the values that are possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// In capitals.
    pub name: String,
    /// Without quotes; empty where the lines below are the value.
    pub value: String,
    /// The lines indented below it: the choices, or the ends of a range.
    pub choices: Vec<String>,
}

impl Reply {
    /// The answer to `question` (such as `INFO STATUS`) among these octets: the lines below its header, or where the printer
    /// repeats no header, the lines below none.
    pub fn find(octets: &[u8], question: &str) -> Self {
        let octets = octets.get(..MAX_OCTETS).unwrap_or(octets);
        let (mut titled, mut untitled) = (Vec::new(), Vec::new());
        // None: below no header. Some(true): below the one that is wanted.
        let mut is_below = None;
        for raw in octets.split(|octet| matches!(octet, b'\r' | b'\n' | 0x0c)).take(MAX_LINES) {
            let raw = strip_uel(raw);
            let is_inner = raw.first().is_some_and(|octet| matches!(octet, b'\t' | b' '));
            let Some(text) = text::text(&raw) else { continue };
            if let Some(header) = header(&text) {
                is_below = Some(same_words(header, question));
                // A printer may answer on the header's own line.
                if let Some(rest) = value_behind(header, question) {
                    is_below = Some(true);
                    titled.push(Line { is_inner: false, text: rest.to_owned() });
                }
                continue;
            }
            match is_below {
                Some(true) => titled.push(Line { is_inner, text }),
                Some(false) => {}
                None => untitled.push(Line { is_inner, text }),
            }
        }
        let mut lines = if titled.is_empty() { untitled } else { titled };
        lines.retain(|line| !matches!(line.text.as_str(), "?" | "\"?\"" | "\"\""));
        Self { lines }
    }

    /// Whether the printer said nothing, or that it does not know.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines as they are, trimmed, quotes included.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.text.as_str())
    }

    /// The first line that is a value by itself, without quotes.
    pub fn first_text(&self) -> Option<&str> {
        let plain = self.lines.iter().find(|line| is_quoted(&line.text) || !line.text.contains('='))?;
        Some(unquoted(&plain.text)).filter(|text| !text.is_empty())
    }

    /// The lines `KEY=VALUE`, and those above indented ones.
    pub fn variables(&self) -> Vec<Variable> {
        let mut variables: Vec<Variable> = Vec::new();
        // A printer that indents everything indents nothing.
        let indents = self.lines.first().is_some_and(|line| !line.is_inner);
        for line in &self.lines {
            let pair = line.text.split_once('=').filter(|_| !is_quoted(&line.text));
            match (variables.last_mut(), pair) {
                (Some(above), _) if line.is_inner && indents => above.choices.push(unquoted(&line.text).to_owned()),
                (_, Some((name, value))) => variables.push(Variable::new(name, without_bracket(value))),
                (_, None) if line.text.contains('[') => variables.push(Variable::new(without_bracket(&line.text), "")),
                (_, None) => {}
            }
        }
        variables
    }

    /// The value of the first of these keys that has one.
    pub fn value(&self, names: &[&str]) -> Option<String> {
        let variables = self.variables();
        names.iter().find_map(|name| {
            let found = variables.iter().find(|variable| same_words(&variable.name, name));
            found.map(|variable| variable.value.clone()).filter(|value| !value.is_empty() && value != "?")
        })
    }

    /// The number under one of these keys, or the one that is the whole reply. Printers write `12345`, `12,345` and
    /// `"00012345"`; a negative one is none.
    pub fn number(&self, names: &[&str]) -> Option<u64> {
        let bare = || self.first_text().map(str::to_owned);
        let text = self.value(names).or_else(bare)?;
        let digits: String = text.chars().filter(|c| !matches!(c, ',' | '.' | '\'' | ' ')).collect();
        digits.parse().ok()
    }
}

impl Variable {
    fn new(name: &str, value: &str) -> Self {
        Self { name: name.trim().to_uppercase(), value: unquoted(value.trim()).to_owned(), choices: Vec::new() }
    }
}

/// What stands behind `@PJL` on a line, if that is how it begins.
fn header(line: &str) -> Option<&str> {
    let rest = line.get(..4).filter(|head| head.eq_ignore_ascii_case("@PJL")).and_then(|_| line.get(4..))?;
    (rest.is_empty() || rest.starts_with([' ', '\t'])).then(|| rest.trim())
}

/// Whether two lines have the same words, whatever their case and the blanks between them.
fn same_words(one: &str, other: &str) -> bool {
    let words = |text: &str| text.split_whitespace().map(str::to_uppercase).collect::<Vec<_>>();
    words(one) == words(other)
}

/// What stands behind the question on a header's line.
fn value_behind<'a>(header: &'a str, question: &str) -> Option<&'a str> {
    let head = header.get(..question.len()).filter(|head| head.eq_ignore_ascii_case(question))?;
    let rest = header.get(head.len()..)?;
    let rest = rest.strip_prefix([' ', '\t', '='])?.trim_start_matches(['=', ' ', '\t']).trim();
    (!rest.is_empty()).then_some(rest)
}

fn strip_uel(line: &[u8]) -> Vec<u8> {
    let mut stripped = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((first, after)) = rest.split_first() {
        match rest.strip_prefix(super::UEL) {
            Some(behind) => rest = behind,
            None => {
                stripped.push(*first);
                rest = after;
            }
        }
    }
    stripped
}

fn without_bracket(text: &str) -> &str {
    let text = text.trim();
    if is_quoted(text) {
        return text;
    }
    text.split_once('[').map_or(text, |(head, _)| head.trim())
}

fn is_quoted(text: &str) -> bool {
    text.trim_start().starts_with('"')
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').map_or(text, |inner| inner.strip_suffix('"').unwrap_or(inner)).trim()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reply_is_found_among_others_with_or_without_its_ends() {
        for octets in [
            &b"@PJL INFO PAGECOUNT\r\nPAGECOUNT=12345\r\n\x0c"[..],
            b"@PJL USTATUS DEVICE\r\nCODE=10001\r\n\x0c@PJL INFO PAGECOUNT\r\nPAGECOUNT=12345\r\n\x0c",
            b"@PJL  info  pagecount\nPAGECOUNT = 12345",
            b"@PJL INFO PAGECOUNT\r\n12345\r\n",
            b"@PJL INFO PAGECOUNT 12345\r\n\x0c",
            b"\x1b%-12345X12,345\x1b%-12345X",
            b"\"12345\"\r\n",
        ] {
            assert_eq!(Reply::find(octets, "INFO PAGECOUNT").number(&["PAGECOUNT"]), Some(12_345), "{octets:?}");
        }
        for octets in
            [&b"@PJL INFO PAGECOUNT\r\n\"?\"\r\n\x0c"[..], b"", b"?", b"@PJL INFO ID\r\n12345\r\n", b"PAGECOUNT=-1"]
        {
            assert_eq!(Reply::find(octets, "INFO PAGECOUNT").number(&["PAGECOUNT"]), None, "{octets:?}");
        }
    }

    #[test]
    fn an_id_may_be_quoted_and_hold_an_equals_sign() {
        let id = |octets: &[u8]| Reply::find(octets, "INFO ID").first_text().map(str::to_owned);
        assert_eq!(id(b"@PJL INFO ID\r\n\"Acme M=1 series\"\r\n\x0c").as_deref(), Some("Acme M=1 series"));
        assert_eq!(id(b"@PJL INFO ID\r\nAcme M 2\r\n\x0c").as_deref(), Some("Acme M 2"));
        assert_eq!(id(b"@PJL INFO ID\r\n\x0c"), None);
    }

    #[test]
    fn variables_have_values_and_choices() {
        let octets = b"@PJL INFO VARIABLES\r\nCOPIES=1 [2 RANGE]\r\n\t1\r\n\t999\r\nPAPER=A4 [3 ENUMERATED]\r\n\tLETTER\r\n\tA4\r\n\tA3\r\n\
            LANG=\"DEUTSCH\"\r\nIN TRAYS [2 ENUMERATED]\r\n\tINTRAY1 MF\r\n\tINTRAY2 PC\r\n\x0c";
        let reply = Reply::find(octets, "INFO VARIABLES");
        let variables = reply.variables();
        let named = |name: &str| variables.iter().find(|variable| variable.name == name).unwrap();
        assert_eq!((named("COPIES").value.as_str(), named("COPIES").choices.len()), ("1", 2));
        assert_eq!(named("PAPER").choices, ["LETTER", "A4", "A3"]);
        assert_eq!(named("LANG").value, "DEUTSCH");
        assert_eq!(named("IN TRAYS").choices, ["INTRAY1 MF", "INTRAY2 PC"]);
        assert_eq!(variables.len(), 4);
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
            let reply = Reply::find(&octets, "INFO STATUS");
            let _ = (reply.variables(), reply.number(&["X"]), reply.first_text().is_some());
        }

        #[test]
        fn no_likely_text_panics(text in "(@PJL INFO STATUS|\\[|\"|=|\t|\r\n|\x0c|ä|CODE|[0-9]){0,40}") {
            let reply = Reply::find(text.as_bytes(), "INFO STATUS");
            let _ = (reply.variables(), reply.number(&["CODE"]), reply.first_text().is_some());
        }
    }
}
