//! Recordings of devices: the `.snmprec` format, one row of `OID|tag|value` a line.
//!
//! Tags are ASN.1 application numbers: `2` INTEGER, `4` OCTET STRING as printable ASCII, `4x` the same in hexadecimal,
//! `5` NULL, `6` OBJECT IDENTIFIER, `64` IpAddress, `65` Counter32, `66` Gauge32, `67` TimeTicks, `68x` Opaque in
//! hexadecimal, `70` Counter64. Blank lines and lines that begin with `#` are comments. The order of lines is free; an OID
//! that stands twice is an error.
//!
//! ```
//! let recording = testkit::recording::Recording::parse("# a tiny device\n1.3.6.1.2.1.1.1.0|4|Tiny 1\n").unwrap();
//! assert_eq!(recording.rows.len(), 1);
//! ```

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs, io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER_PERMISSIVE;

use crate::oid::{Oid, Value};

/// Everything that a device answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recording {
    /// The rows in the order of a walk.
    pub rows: BTreeMap<Oid, Value>,
}

impl Recording {
    /// Reads a file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let text =
            fs::read_to_string(path).map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|source| LoadError::Wrong { path: path.to_owned(), source })
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, RecordingError> {
        let mut rows = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (oid, value) = row(line).map_err(|fault| RecordingError { line: index + 1, fault })?;
            let twice = format!("{oid} stands in an earlier line already");
            if rows.insert(oid, value).is_some() {
                return Err(RecordingError { line: index + 1, fault: twice });
            }
        }
        Ok(Self { rows })
    }

    /// The recording as text that [`Recording::parse`] reads back.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (oid, value) in &self.rows {
            let (tag, value) = tagged(value);
            // Writing to a String can not fail.
            let _ = writeln!(text, "{oid}|{tag}|{value}");
        }
        text
    }
}

fn row(line: &str) -> Result<(Oid, Value), String> {
    let (oid, rest) = line.split_once('|').ok_or("no `|`: wanted is OID|tag|value")?;
    let (tag, value) = rest.split_once('|').ok_or("only one `|`: wanted is OID|tag|value")?;
    let oid = oid.parse::<Oid>().map_err(|error| error.to_string())?;
    Ok((oid, self::value(tag, value)?))
}

fn value(tag: &str, text: &str) -> Result<Value, String> {
    Ok(match tag {
        "2" => Value::Integer(number(text)?),
        "4" if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => Value::text(text),
        "4" => return Err("tag 4 holds more than printable ASCII: write it in hexadecimal with tag 4x".to_owned()),
        "4x" => Value::OctetString(hex(text)?),
        "5" => Value::Null,
        "6" => Value::ObjectId(text.parse::<Oid>().map_err(|error| error.to_string())?),
        "64" => {
            let address = text.parse::<Ipv4Addr>().map_err(|_| format!("`{text}` is no IPv4 address"))?;
            Value::IpAddress(address.octets())
        }
        "65" => Value::Counter32(number(text)?),
        "66" => Value::Gauge32(number(text)?),
        "67" => Value::TimeTicks(number(text)?),
        "68x" => Value::Opaque(hex(text)?),
        "70" => Value::Counter64(number(text)?),
        tag => return Err(format!("unknown tag `{tag}`: one of 2 4 4x 5 6 64 65 66 67 68x 70 is wanted")),
    })
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no number that fits the type"))
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|error| format!("`{text}` is no hexadecimal: {error}"))
}

fn tagged(value: &Value) -> (&'static str, String) {
    match value {
        Value::Integer(number) => ("2", number.to_string()),
        Value::OctetString(octets) => match std::str::from_utf8(octets) {
            Ok(text) if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => ("4", text.to_owned()),
            _ => ("4x", HEXLOWER_PERMISSIVE.encode(octets)),
        },
        Value::Null => ("5", String::new()),
        Value::ObjectId(oid) => ("6", oid.to_string()),
        Value::IpAddress(octets) => ("64", Ipv4Addr::from(*octets).to_string()),
        Value::Counter32(number) => ("65", number.to_string()),
        Value::Gauge32(number) => ("66", number.to_string()),
        Value::TimeTicks(number) => ("67", number.to_string()),
        Value::Opaque(octets) => ("68x", HEXLOWER_PERMISSIVE.encode(octets)),
        Value::Counter64(number) => ("70", number.to_string()),
    }
}

/// What is wrong with a recording, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: String,
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.fault)
    }
}

impl std::error::Error for RecordingError {}

/// Why a recording could not be loaded.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields say it")]
pub enum LoadError {
    /// The file can not be read.
    Unreadable { path: PathBuf, source: io::Error },
    /// The file is no recording.
    Wrong { path: PathBuf, source: RecordingError },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, .. } => write!(f, "can not read the recording {}", path.display()),
            Self::Wrong { path, .. } => write!(f, "the recording {} is wrong", path.display()),
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::Wrong { source, .. } => Some(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_is_read_and_written_back() {
        let text = "1.3.6.1.2.1.1.1.0|4|Tiny | 1\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.1347.41\n1.3.6.1.2.1.1.3.0|67|4294967295\n\
                    1.3.6.1.2.1.1.4.0|4|\n1.3.6.1.2.1.1.7.0|2|-3\n1.3.6.1.2.1.2.2.1.5.1|66|1000000000\n\
                    1.3.6.1.2.1.2.2.1.6.1|4x|0017c8000001\n1.3.6.1.2.1.4.20.1.1.10.0.0.1|64|10.0.0.1\n\
                    1.3.6.1.2.1.4.31.1.1.4.1|70|18446744073709551615\n1.3.6.1.2.1.43.10.2.1.4.1.1|65|76498\n\
                    1.3.6.1.4.1.1.1|5|\n1.3.6.1.4.1.1.2|68x|0400\n";
        let recording = Recording::parse(text).unwrap();
        assert_eq!(recording.rows.len(), 12);
        assert_eq!(recording.to_text(), text);
    }

    #[test]
    fn comments_and_any_order_are_fine() {
        let recording = Recording::parse("# two\n\n1.3.10|2|1\n1.3.9|2|2\n").unwrap();
        let oids: Vec<String> = recording.rows.keys().map(Oid::to_string).collect();
        assert_eq!(oids, ["1.3.9", "1.3.10"]);
    }

    #[test]
    fn a_wrong_line_is_named_with_its_fault() {
        for (line, fault) in [
            ("1.3.6.1", "no `|`"),
            ("1.3.6.1|2", "only one `|`"),
            (".1.3.6.1|2|1", "is no OID"),
            ("1.3.6.1|2|x", "is no number"),
            ("1.3.6.1|65|-1", "is no number that fits"),
            ("1.3.6.1|65|4294967296", "is no number that fits"),
            ("1.3.6.1|4|Türen", "4x"),
            ("1.3.6.1|4x|0g", "hexadecimal"),
            ("1.3.6.1|64|1.2.3", "IPv4"),
            ("1.3.6.1|99|1", "unknown tag `99`"),
            ("1.3.6.0|2|1", "earlier line"),
        ] {
            let error = Recording::parse(&format!("# head\n1.3.6.0|2|1\n{line}\n")).unwrap_err();
            assert_eq!(error.line, 3, "{line}");
            assert!(error.to_string().contains(fault), "{line}: {error}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Recording::load("no/such.snmprec").unwrap_err();
        assert!(error.to_string().contains("no/such.snmprec"), "{error}");
    }
}
