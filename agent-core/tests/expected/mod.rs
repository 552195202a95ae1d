//! What a recording's `expected/*.json` demands of a snapshot: every value compared, every difference named.
#![allow(dead_code, missing_docs, clippy::unwrap_used, reason = "each test binary uses its part")]

mod counters;
mod identity;
pub mod peer;
mod tables;

use std::fmt;

use serde_json::Value;
use wire::device::Snapshot;

/// A value that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    pub device: String,
    pub field: String,
    pub expected: String,
    pub got: String,
    /// Where the expectation comes from.
    pub source: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, field, expected, got, source } = self;
        write!(f, "{device}  {field}: expected {expected}, got {got}  ({source})")
    }
}

/// The comparison of one device: counts what agrees, keeps what does not.
pub struct Comparison<'a> {
    device: &'a str,
    pub snapshot: &'a Snapshot,
    pub compared: usize,
    pub differences: Vec<Difference>,
}

impl<'a> Comparison<'a> {
    /// Compares a snapshot with everything that is expected of it.
    pub fn new(device: &'a str, expected: &Value, snapshot: &'a Snapshot) -> Self {
        let mut comparison = Self { device, snapshot, compared: 0, differences: Vec::new() };
        identity::compare(&mut comparison, expected);
        counters::compare(&mut comparison, expected);
        tables::compare(&mut comparison, expected);
        comparison
    }

    /// Takes one value.
    pub fn check(
        &mut self,
        agrees: bool,
        field: &str,
        expected: impl fmt::Display,
        got: impl fmt::Display,
        source: &str,
    ) {
        self.compared += 1;
        if !agrees {
            self.differences.push(Difference {
                device: self.device.to_owned(),
                field: field.to_owned(),
                expected: expected.to_string(),
                got: got.to_string(),
                source: source.to_owned(),
            });
        }
    }

    /// Takes one value that has to be the same.
    pub fn equal(&mut self, field: &str, expected: &str, got: Option<&str>, source: &str) {
        let agrees =
            got.is_some_and(|got| plain(got) == plain(expected)) || (plain(expected).is_empty() && got.is_none());
        self.check(agrees, field, format_args!("`{expected}`"), format_args!("`{}`", got.unwrap_or("nothing")), source);
    }
}

/// A text without the blanks and control characters that devices pad with.
pub fn plain(text: &str) -> String {
    text.split(|character: char| character.is_whitespace() || character.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A value given as `{"value": …, "from": …}`: its text and where it is from.
pub fn sourced(entry: &Value) -> (String, String) {
    let value = match &entry["value"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    (value, entry["from"].as_str().unwrap_or_default().to_owned())
}
