//! Where a device keeps a value that someone has seen on its counter sheet: a walk over all that may be looked at, and the
//! ways in which a number can hide in what comes back.
//!
//! A [`Survey`] never sends: it says which names to ask the successors of and takes the answers. What is denied
//! (`profiles/denied.toml`) it steps over: it never asks inside, and keeps nothing that a device volunteers from there.
//! Values are kept for the search only; what is shown is what was looked for.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::gate::Readable;
use crate::oid::Oid;
use crate::snmp::message::Value;
use crate::text;

/// Most names in one request.
const WIDTH: usize = 12;
/// Most places shown for one value.
const MOST_MATCHES: usize = 200;
/// Most pages of a counter sheet.
const SHEET: u64 = 4;

/// A walk over parts of a device's tree. Ask for the successors of [`Survey::poll_names`] and hand the outcome to one of the
/// `handle_` methods, until no names are left.
#[derive(Debug)]
pub struct Survey {
    segments: Vec<Segment>,
    allowed: Vec<(Oid, Oid)>,
    denied: Vec<Oid>,
    asked: usize,
    /// How many names the next request has.
    width: usize,
    /// How many names the device answers at most.
    most_names: usize,
    rows: BTreeMap<Oid, Value>,
    most_rows: usize,
    remarks: Vec<String>,
}

/// What lies behind `cursor` and before `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Segment {
    cursor: Oid,
    end: Oid,
}

impl Survey {
    /// A walk over everything below the roots that is not denied, up to so many rows.
    pub fn new(roots: &[Oid], denied: &[Oid], most_rows: usize) -> Self {
        let mut allowed: Vec<(Oid, Oid)> =
            roots.iter().filter_map(|root| Some((root.clone(), after_all(root.arcs())?))).collect();
        allowed.sort();
        // A root below another is part of it.
        let mut last_end: Option<Oid> = None;
        allowed.retain(|(start, end)| {
            let apart = last_end.as_ref().is_none_or(|last| start >= last);
            if apart {
                last_end = Some(end.clone());
            }
            apart
        });
        for shut in denied {
            let Some(shut_end) = after_all(shut.arcs()) else { continue };
            allowed = allowed
                .into_iter()
                .flat_map(|(start, end)| {
                    let before = (start.clone(), end.clone().min(shut.clone()));
                    let behind = (start.max(shut_end.clone()), end);
                    [before, behind]
                })
                .filter(|(start, end)| start < end)
                .collect();
        }
        let segments = allowed.iter().map(|(start, end)| Segment { cursor: start.clone(), end: end.clone() }).collect();
        Self {
            segments,
            allowed,
            denied: denied.to_vec(),
            asked: 0,
            width: WIDTH,
            most_names: WIDTH,
            rows: BTreeMap::new(),
            most_rows,
            remarks: Vec::new(),
        }
    }

    /// The names whose successors are to be asked for next, in one request; none when the walk is complete.
    pub fn poll_names(&mut self) -> Vec<Readable> {
        if self.rows.len() >= self.most_rows && !self.segments.is_empty() {
            self.remarks.push(format!("stopped after {} rows", self.rows.len()));
            self.segments.clear();
        }
        while self.segments.len() < self.width && self.split() {}
        self.segments.retain(|segment| Readable::unless_denied(&segment.cursor, &self.denied).is_some());
        let cursors = self.segments.iter().take(self.width).map(|segment| &segment.cursor);
        let names: Vec<Readable> = cursors.filter_map(|cursor| Readable::unless_denied(cursor, &self.denied)).collect();
        self.asked = names.len();
        names
    }

    /// Takes the successors, in the order of the names.
    pub fn handle_rows(&mut self, rows: Vec<(Oid, Value)>) {
        let asked = self.asked.min(self.segments.len());
        if rows.is_empty() {
            return self.handle_failure();
        }
        // One long answer in between is no reason to go slowly for ever; a device that answers fewer names than asked is.
        if rows.len() < asked {
            self.most_names = rows.len();
        }
        self.width = (self.width + 1).min(self.most_names);
        let mut kept: Vec<Segment> = Vec::new();
        let rest = self.segments.split_off(asked);
        let mut rows = rows.into_iter();
        for mut segment in std::mem::take(&mut self.segments) {
            let Some((name, value)) = rows.next() else {
                kept.push(segment);
                continue;
            };
            if value == Value::EndOfMibView {
                continue;
            }
            if name <= segment.cursor {
                self.remarks.push(format!("the device goes in circles behind {}", segment.cursor));
                continue;
            }
            if value.is_some() && self.allowed.iter().any(|(start, end)| *start < name && name < *end) {
                self.rows.insert(name.clone(), value);
            }
            if name < segment.end {
                segment.cursor = name;
                kept.push(segment);
            }
        }
        kept.extend(rest);
        self.segments = kept;
    }

    /// Takes the news that a request was too large, failed, or stayed without an answer. Of version 1 the end of its tree is a
    /// failure too.
    pub fn handle_failure(&mut self) {
        match self.asked {
            0 | 1 => self.step_over(),
            asked => self.width = asked / 2,
        }
    }

    /// Everything that was found.
    pub fn rows(&self) -> &BTreeMap<Oid, Value> {
        &self.rows
    }

    /// Where the walk is.
    pub fn position(&self) -> Option<&Oid> {
        self.segments.first().map(|segment| &segment.cursor)
    }

    /// What was left out, and why.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Leaves out what follows the first cursor up to the next column.
    fn step_over(&mut self) {
        if self.segments.is_empty() {
            return;
        }
        let Segment { cursor, end } = self.segments.remove(0);
        if cursor.arcs().len() > 7 {
            self.remarks.push(format!("nothing came for what follows {cursor}"));
        }
        let arcs = cursor.arcs();
        let beyond = arcs.get(..arcs.len().saturating_sub(1)).and_then(after_all).filter(|beyond| *beyond < end);
        if let Some(beyond) = beyond {
            self.segments.insert(0, Segment { cursor: beyond, end });
        }
    }

    /// Cuts a segment in two where the tree is likely to go on: behind the branch of its cursor nearest to the root. Walking
    /// many branches at once saves round trips without asking for several rows of one branch, which could run into a denied
    /// one.
    fn split(&mut self) -> bool {
        let cut = |segment: &Segment| {
            let arcs = segment.cursor.arcs();
            (6..arcs.len())
                .filter_map(|length| Some((length, after_all(arcs.get(..length)?)?)))
                .find(|(_, middle)| *middle < segment.end)
        };
        let best = self
            .segments
            .iter()
            .enumerate()
            .filter_map(|(at, segment)| cut(segment).map(|(length, middle)| (length, at, middle)))
            .min();
        let Some((_, at, middle)) = best else { return false };
        let Some(segment) = self.segments.get_mut(at) else { return false };
        let behind = Segment { cursor: middle.clone(), end: std::mem::replace(&mut segment.end, middle) };
        self.segments.insert(at + 1, behind);
        true
    }
}

/// The first identifier behind everything below these arcs.
fn after_all(arcs: &[u32]) -> Option<Oid> {
    let (last, head) = arcs.split_last()?;
    match last.checked_add(1) {
        Some(next) => Oid::new(&[head, &[next]].concat()),
        None => after_all(head),
    }
}

/// A value to look for, as someone has typed it from a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// As typed.
    pub typed: String,
    number: Option<u64>,
}

/// Why a text is nothing to look for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WantedError {
    /// Empty.
    #[error("an empty value is nothing to look for: give a number or a text from the device's counter sheet")]
    Empty,
    /// Found everywhere.
    #[error(
        "`{0}` stands in too many places to mean anything: take a value of three digits or more from the counter sheet, or print pages until one has as many"
    )]
    Common(String),
}

impl Wanted {
    /// Reads a number with or without marks between thousands (`76064`, `76,064`, `76.064`, `76'064`, `76 064`), or any text.
    pub fn parse(typed: &str) -> Result<Self, WantedError> {
        let typed = typed.trim();
        let number = plain_number(typed);
        match (typed.chars().count(), number) {
            (0, _) => Err(WantedError::Empty),
            (_, Some(0..=9)) | (1, _) => Err(WantedError::Common(typed.to_owned())),
            _ => Ok(Self { typed: typed.to_owned(), number }),
        }
    }

    /// The number, where it is one.
    pub fn number(&self) -> Option<u64> {
        self.number
    }
}

/// The number that a text is, marks between thousands left out; `None` for texts that are none, and for more than 19 digits.
fn plain_number(text: &str) -> Option<u64> {
    let groups: Vec<&str> = text.split(['.', ',', '\'', '’', ' ', '\u{a0}', '\u{202f}']).collect();
    let digits = |group: &&str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    let grouped = groups.len() == 1 || groups.iter().skip(1).all(|group| group.len() == 3);
    let fits = groups.iter().all(digits) && grouped;
    fits.then(|| groups.concat()).filter(|digits| digits.len() <= 19)?.parse().ok()
}

/// How a value hides in what a device sends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// It is the number.
    Number,
    /// It is the text.
    Text,
    /// It is the sum of a column's rows, of so many that are not nought.
    Sum(usize),
    /// It is so much more: the sheet that shows the value was a page too.
    Above(u64),
    /// It is part of the text.
    WithinText,
    /// Four octets of a binary string, the most significant first, behind so many others.
    BigEndian(usize),
    /// Four octets of a binary string, the least significant first, behind so many others.
    LittleEndian(usize),
    /// Its digits are the half-octets of a binary string, behind so many octets.
    Decimal(usize),
    /// It is the hexadecimal number that the text is.
    HexText,
}

impl How {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::Number => "is the value".to_owned(),
            Self::Text => "is the text".to_owned(),
            Self::Sum(rows) => format!("is the sum of the column ({rows} rows that are not 0)"),
            Self::Above(more) => format!("is {more} more, as after printing the sheet"),
            Self::WithinText => "stands in the text".to_owned(),
            Self::BigEndian(at) => format!("stands in the octets {}–{} (big endian)", at + 1, at + 4),
            Self::LittleEndian(at) => format!("stands in the octets {}–{} (little endian)", at + 1, at + 4),
            Self::Decimal(at) => format!("stands in the half-octets from octet {} (packed decimal)", at + 1),
            Self::HexText => "is the hexadecimal number that the text is".to_owned(),
        }
    }

    /// The word used in JSON.
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Text => "text",
            Self::Sum(_) => "sum",
            Self::Above(_) => "above",
            Self::WithinText => "withinText",
            Self::BigEndian(_) => "bigEndian",
            Self::LittleEndian(_) => "littleEndian",
            Self::Decimal(_) => "packedDecimal",
            Self::HexText => "hexText",
        }
    }
}

/// A place where a value was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// How it is kept there.
    pub how: How,
    /// The object; of a sum, the column.
    pub oid: Oid,
    /// What stands there.
    pub shown: String,
    /// SNMP's type of it.
    pub kind: &'static str,
    /// The tag of the record that holds it, where it lies in a string of records (tag, type, length, value).
    pub record: Option<u8>,
}

/// Every place where the value is found, the likely ones first.
pub fn find(rows: &BTreeMap<Oid, Value>, wanted: &Wanted) -> Vec<Match> {
    let single = rows.iter().flat_map(|(oid, value)| {
        places(value, wanted).into_iter().map(|how| Match {
            how,
            oid: oid.clone(),
            shown: shown(value),
            kind: kind(value),
            record: None,
        })
    });
    let single = single.map(|found| Match { record: record(rows.get(&found.oid), &found.how), ..found });
    let mut matches: Vec<Match> =
        single.chain(wanted.number.map(|number| sums(rows, number)).unwrap_or_default()).collect();
    matches.sort_by(|one, other| (&one.how, &one.oid).cmp(&(&other.how, &other.oid)));
    matches.truncate(MOST_MATCHES);
    matches
}

/// The tag of the record whose value was found, if the octets before it are those of one: tag, type, and a length of 4.
fn record(value: Option<&Value>, how: &How) -> Option<u8> {
    let How::BigEndian(at) = how else { return None };
    match value?.octets()?.get(at.checked_sub(3)?..*at)? {
        [tag, _, 4] => Some(*tag),
        _ => None,
    }
}

fn places(value: &Value, wanted: &Wanted) -> Vec<How> {
    if let Some(number) = value.number() {
        let above = wanted.number.and_then(|wanted| Some((wanted, u64::try_from(number).ok()?.checked_sub(wanted)?)));
        return match above {
            Some((_, 0)) => vec![How::Number],
            Some((wanted, more)) if more <= SHEET && wanted >= 1000 => vec![How::Above(more)],
            _ => Vec::new(),
        };
    }
    let Some(octets) = value.octets() else { return Vec::new() };
    let mut found = Vec::new();
    let words = text::text(octets).unwrap_or_default();
    if words.eq_ignore_ascii_case(&wanted.typed) || (wanted.number.is_some() && plain_number(&words) == wanted.number) {
        found.push(How::Text);
    } else if word_in(&words, &wanted.typed) {
        found.push(How::WithinText);
    }
    let Some(number) = wanted.number else { return found };
    let hexadecimal = words.strip_prefix("0x").unwrap_or(&words);
    if found.is_empty() && hexadecimal.len() >= 4 && u64::from_str_radix(hexadecimal, 16) == Ok(number) {
        found.push(How::HexText);
    }
    if let Ok(number) = u32::try_from(number)
        && number > 0xff
    {
        let at = |octets: &[u8], bytes: [u8; 4]| octets.windows(4).position(|window| window == bytes);
        found.extend(at(octets, number.to_be_bytes()).map(How::BigEndian));
        found.extend(at(octets, number.to_le_bytes()).map(How::LittleEndian));
    }
    if let Some(packed) = packed_decimal(number) {
        found.extend(octets.windows(packed.len()).position(|window| window == packed).map(How::Decimal));
    }
    found
}

/// Whether the words stand in the text, not inside a longer number or word.
fn word_in(text: &str, words: &str) -> bool {
    let (text, words) = (text.to_lowercase(), words.to_lowercase());
    text.match_indices(&words).any(|(at, _)| {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        let after = text.get(at + words.len()..).and_then(|tail| tail.chars().next());
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

/// The digits as half-octets, where they fill at least two octets.
fn packed_decimal(number: u64) -> Option<Vec<u8>> {
    let digits = number.to_string();
    let even = if digits.len().is_multiple_of(2) { digits } else { format!("0{digits}") };
    let packed: Vec<u8> = even
        .as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    (packed.len() >= 2 && number > 999).then_some(packed)
}

/// Columns whose rows add up to the number. A column is what is left of a row's name without its last one, two or three arcs.
fn sums(rows: &BTreeMap<Oid, Value>, number: u64) -> Vec<Match> {
    let mut columns: BTreeMap<&[u32], (u64, usize, usize)> = BTreeMap::new();
    for (oid, value) in rows {
        let Some(addend) = value.number().and_then(|addend| u64::try_from(addend).ok()) else { continue };
        for cut in 1..=3 {
            let Some(column) = oid.arcs().len().checked_sub(cut).and_then(|length| oid.arcs().get(..length)) else {
                continue;
            };
            let (sum, rows, counted) = columns.entry(column).or_default();
            *sum = sum.saturating_add(addend);
            *rows += 1;
            *counted += usize::from(addend > 0);
        }
    }
    let same_rows = |column: &[u32], rows: usize| {
        let below = columns.range::<[u32], _>((std::ops::Bound::Excluded(column), std::ops::Bound::Unbounded));
        below.take_while(|(other, _)| other.starts_with(column)).any(|(_, (_, other, _))| *other == rows)
    };
    columns
        .iter()
        .filter(|(_, (sum, _, counted))| *sum == number && *counted >= 2)
        // A column stands for itself; what is above it and holds nothing else does not.
        .filter(|(column, (_, rows, _))| !same_rows(column, *rows))
        .filter_map(|(column, (sum, _, counted))| {
            Some(Match {
                how: How::Sum(*counted),
                oid: Oid::new(column)?,
                shown: sum.to_string(),
                kind: "sum",
                record: None,
            })
        })
        .collect()
}

/// Rows whose number has grown by at least one and at most `most`: what a page, printed between two walks, leaves behind.
pub fn risen(before: &BTreeMap<Oid, Value>, after: &BTreeMap<Oid, Value>, most: u64) -> Vec<(Oid, u64, u64)> {
    let number = |value: &Value| match value {
        Value::TimeTicks(_) => None,
        other => other
            .number()
            .or_else(|| other.octets().and_then(text::text).and_then(|text| text.parse().ok()))
            .and_then(|number| u64::try_from(number).ok()),
    };
    after
        .iter()
        .filter_map(|(oid, value)| Some((oid.clone(), number(before.get(oid)?)?, number(value)?)))
        .filter(|(_, before, after)| after > before && after - before <= most)
        .collect()
}

/// A value in words: text where it is text, else hexadecimal.
pub fn shown(value: &Value) -> String {
    match value {
        Value::OctetString(octets) | Value::Opaque(octets) => {
            let control =
                octets.iter().filter(|octet| octet.is_ascii_control() && !matches!(octet, 0 | 9 | 10 | 13)).count();
            match text::text(octets) {
                Some(text) if control == 0 => text,
                None if octets.is_empty() => String::new(),
                _ => octets.iter().take(96).map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(" "),
            }
        }
        Value::ObjectIdentifier(oid) => oid.to_string(),
        Value::IpAddress(octets) => octets.map(|octet| octet.to_string()).join("."),
        Value::Counter64(number) => number.to_string(),
        other => other.number().map(|number| number.to_string()).unwrap_or_default(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "INTEGER",
        Value::OctetString(_) => "OCTET STRING",
        Value::ObjectIdentifier(_) => "OBJECT IDENTIFIER",
        Value::IpAddress(_) => "IpAddress",
        Value::Counter32(_) => "Counter32",
        Value::Gauge32(_) => "Gauge32",
        Value::TimeTicks(_) => "TimeTicks",
        Value::Counter64(_) => "Counter64",
        Value::Opaque(_) => "Opaque",
        Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => "nothing",
    }
}

/// What to put into a profile for a place: the reader's to complete, since what a number means stands on the sheet alone.
pub fn snippet(found: &Match) -> String {
    let place = match &found.how {
        How::Number | How::Above(_) | How::Text => format!("oid = \"{}\"", found.oid),
        How::Sum(_) => format!("sum = \"{}\"", found.oid),
        How::BigEndian(_) if let Some(tag) = found.record => {
            return format!(
                "[[blob]]\noid = \"{}\"\ncounters = [{{ tag = {tag:#04x}, service = \"System\", basis = \"Meter\" }}] # service and color as the sheet says",
                found.oid
            );
        }
        _ => return format!("# {} {}: no rule reads that yet", found.oid, found.how.words()),
    };
    if found.kind == "OCTET STRING" && plain_number(&found.shown).is_none() {
        return format!(
            "[identity] # put it beside the field that it is: model, serial, firmware or host_name\nserial = [{{ {place} }}]"
        );
    }
    format!(
        "[[counter]]\nservice = \"System\" # or Print, Copy, Fax, Scan: what the sheet calls it\ncolor = \"Any\" # or Monochrome, Color, FullColor, SingleColor\nbasis = \"Meter\"\n{place}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(text: &str) -> Oid {
        Oid::parse(text).unwrap()
    }

    fn device(rows: &[(&str, Value)]) -> BTreeMap<Oid, Value> {
        rows.iter().map(|(name, value)| (oid(name), value.clone())).collect()
    }

    /// Walks a tree as a device would answer; gives the names that were asked and the rows that were told.
    fn walk(survey: &mut Survey, tree: &BTreeMap<Oid, Value>, most_names: usize) -> (Vec<Oid>, Vec<Oid>) {
        let (mut asked, mut told) = (Vec::new(), Vec::new());
        for _ in 0..10_000 {
            let names = survey.poll_names();
            if names.is_empty() {
                return (asked, told);
            }
            asked.extend(names.iter().map(|name| name.oid().clone()));
            let next = |name: &Readable| {
                let name = name.oid();
                tree.range::<Oid, _>((std::ops::Bound::Excluded(name), std::ops::Bound::Unbounded))
                    .next()
                    .map_or((name.clone(), Value::EndOfMibView), |(name, value)| (name.clone(), value.clone()))
            };
            let rows: Vec<_> = names.iter().take(most_names).map(next).collect();
            told.extend(rows.iter().map(|(name, _)| name.clone()));
            survey.handle_rows(rows);
        }
        panic!("endless");
    }

    fn tree() -> BTreeMap<Oid, Value> {
        let mut rows = BTreeMap::new();
        for table in [5, 8, 11] {
            for column in 1..6 {
                for row in 1..5 {
                    let name = format!("1.3.6.1.4.1.99999.{table}.1.{column}.1.{row}");
                    rows.insert(oid(&name), Value::Integer(i64::from(table * 100 + column * 10 + row)));
                }
            }
        }
        for job in 1..30 {
            rows.insert(oid(&format!("1.3.6.1.4.1.99999.9.1.{job}")), Value::OctetString(Box::from(&b"CANARY"[..])));
        }
        rows.insert(oid("1.3.6.1.4.1.99999.20.0"), Value::Integer(7));
        rows
    }

    #[test]
    fn a_survey_finds_every_row_and_keeps_out_of_what_is_denied() {
        let tree = tree();
        let denied = oid("1.3.6.1.4.1.99999.9");
        let open: Vec<&Oid> = tree.keys().filter(|name| name.below(&denied).is_none()).collect();
        for most_names in [100, 1] {
            let mut survey =
                Survey::new(&[oid("1.3.6.1.4.1"), oid("1.3.6.1.4.1.99999")], std::slice::from_ref(&denied), 10_000);
            let (asked, told) = walk(&mut survey, &tree, most_names);
            assert_eq!(survey.rows().keys().collect::<Vec<_>>(), open, "{most_names}");
            assert!(asked.iter().all(|name| *name != denied && name.below(&denied).is_none()));
            // The one that follows the last open row cannot be helped: it is told once at that edge and not kept.
            let inside: std::collections::BTreeSet<&Oid> =
                told.iter().filter(|name| name.below(&denied).is_some()).collect();
            assert!(inside.len() <= 1, "{inside:?}");
            assert_eq!(survey.remarks(), [""; 0]);
        }
    }

    #[test]
    fn a_survey_asks_for_many_branches_at_once_and_ends_in_any_case() {
        let mut survey = Survey::new(&[oid("1.3.6.1.4.1")], &[], 10_000);
        let mut requests = 0;
        let tree = tree();
        loop {
            let names = survey.poll_names();
            if names.is_empty() {
                break;
            }
            requests += 1;
            let next = |name: &Readable| {
                let name = name.oid();
                tree.range::<Oid, _>((std::ops::Bound::Excluded(name), std::ops::Bound::Unbounded))
                    .next()
                    .map_or((name.clone(), Value::EndOfMibView), |(name, value)| (name.clone(), value.clone()))
            };
            survey.handle_rows(names.iter().map(next).collect());
        }
        assert_eq!(survey.rows().len(), tree.len());
        assert!(requests < tree.len() / 2, "{requests} requests for {} rows", tree.len());
        // A device that is silent, goes in circles, or never ends.
        let mut survey = Survey::new(&[oid("1.3.6.1.4.1")], &[], 10_000);
        for _ in 0..20 {
            survey.poll_names();
            survey.handle_failure();
        }
        assert!(survey.poll_names().is_empty());
        let mut survey = Survey::new(&[oid("1.3.6.1.4.1")], &[], 10_000);
        let names = survey.poll_names();
        survey.handle_rows(names.into_iter().map(|name| (name.into_oid(), Value::Integer(1))).collect());
        assert!(survey.poll_names().is_empty());
        let mut survey = Survey::new(&[oid("1.3.6.1.4.1")], &[], 50);
        for row in 1..200 {
            let names = survey.poll_names();
            survey.handle_rows(vec![(oid(&format!("1.3.6.1.4.1.5.{row}.1")), Value::Integer(1)); names.len().min(1)]);
        }
        assert!(survey.rows().len() <= 51 && survey.remarks().iter().any(|remark| remark.contains("stopped")));
    }

    #[test]
    fn a_value_is_found_however_it_is_kept() {
        let blob = |octets: &[u8]| Value::OctetString(octets.into());
        let rows = device(&[
            ("1.3.6.1.4.1.5.1.0", Value::Counter32(76064)),
            ("1.3.6.1.4.1.5.2.0", blob(b"76.064 ")),
            ("1.3.6.1.4.1.5.3.0", blob(b"Total: 76064 pages")),
            ("1.3.6.1.4.1.5.4.0", blob(&[0, 1, 4, 0, 1, 0x29, 0x20, 0xff])),
            ("1.3.6.1.4.1.5.5.0", blob(&[0x20, 0x29, 1, 0])),
            ("1.3.6.1.4.1.5.6.0", blob(&[0x99, 0x07, 0x60, 0x64])),
            ("1.3.6.1.4.1.5.7.0", blob(b"00012920")),
            ("1.3.6.1.4.1.5.8.1.1", Value::Integer(70_000)),
            ("1.3.6.1.4.1.5.8.1.2", Value::Integer(6_064)),
            ("1.3.6.1.4.1.5.9.0", blob(b"176064")),
            ("1.3.6.1.4.1.5.10.0", Value::Integer(-76064)),
            ("1.3.6.1.4.1.5.11.0", Value::Integer(76066)),
        ]);
        let found = find(&rows, &Wanted::parse("76'064").unwrap());
        let found: Vec<(String, How)> = found.into_iter().map(|found| (found.oid.to_string(), found.how)).collect();
        let expected = [
            ("1.3.6.1.4.1.5.1.0", How::Number),
            ("1.3.6.1.4.1.5.2.0", How::Text),
            ("1.3.6.1.4.1.5.8.1", How::Sum(2)),
            ("1.3.6.1.4.1.5.11.0", How::Above(2)),
            ("1.3.6.1.4.1.5.4.0", How::BigEndian(3)),
            ("1.3.6.1.4.1.5.5.0", How::LittleEndian(0)),
            ("1.3.6.1.4.1.5.6.0", How::Decimal(1)),
            ("1.3.6.1.4.1.5.7.0", How::HexText),
        ];
        let expected: Vec<(String, How)> = expected.map(|(oid, how)| (oid.to_owned(), how)).into();
        assert_eq!(found, expected);
        let within = find(&rows, &Wanted::parse("76064").unwrap());
        assert!(within.iter().any(|found| found.how == How::WithinText && found.oid == oid("1.3.6.1.4.1.5.3.0")));
        let texts = find(&rows, &Wanted::parse("total").unwrap());
        assert_eq!(texts.len(), 1);
    }

    #[test]
    fn what_is_nothing_to_look_for_is_refused_with_advice() {
        assert_eq!(Wanted::parse(" "), Err(WantedError::Empty));
        assert!(Wanted::parse("5").unwrap_err().to_string().contains("three digits"));
        assert_eq!(Wanted::parse("1.234.567").unwrap().number(), Some(1_234_567));
        assert_eq!(Wanted::parse("1.23").unwrap().number(), None);
        assert_eq!(Wanted::parse("RH28Y00024").unwrap().number(), None);
        assert_eq!(Wanted::parse("99999999999999999999").unwrap().number(), None);
    }

    #[test]
    fn a_printed_page_shows_in_what_has_risen() {
        let before = device(&[
            ("1.3.6.1.4.1.5.1.0", Value::Counter32(10)),
            ("1.3.6.1.4.1.5.2.0", Value::TimeTicks(10)),
            ("1.3.6.1.4.1.5.3.0", Value::Counter32(10)),
            ("1.3.6.1.4.1.5.4.0", Value::OctetString(Box::from(&b"10"[..]))),
        ]);
        let after = device(&[
            ("1.3.6.1.4.1.5.1.0", Value::Counter32(11)),
            ("1.3.6.1.4.1.5.2.0", Value::TimeTicks(11)),
            ("1.3.6.1.4.1.5.3.0", Value::Counter32(500)),
            ("1.3.6.1.4.1.5.4.0", Value::OctetString(Box::from(&b"11"[..]))),
        ]);
        let risen = risen(&before, &after, 2);
        assert_eq!(risen, [(oid("1.3.6.1.4.1.5.1.0"), 10, 11), (oid("1.3.6.1.4.1.5.4.0"), 10, 11)]);
    }
}
