//! Reads one device: asks for names and walks columns, in as few requests as the device can answer.
//!
//! A reader never sends; it says what to ask next and takes the answer, or the news that none came. One request is under way
//! at a time, because many controllers serve one at a time. Whatever a device does (loops, truncates, refuses), the number of
//! requests is bounded, and what was read before the fault is kept.

use std::borrow::Borrow;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use thiserror::Error;

use crate::gate::{Gate, Readable};
use crate::oid::Oid;
use crate::printer_mib::{self, System};
use crate::profile::{Profile, Profiles, Quirks};
use crate::snmp::Version;
use crate::snmp::message::{ErrorStatus, Operation, Response, Value};
use crate::snmp::session::Refusal;

/// Most rows taken from one column. No printer has as many trays, supplies or alerts.
const MAX_ROWS: usize = 1000;
/// Most requests for one reading.
const MAX_REQUESTS: u32 = 400;
/// Most requests that may stay without an answer before a reading is given up.
const MAX_SILENCES: u32 = 4;
/// Octets that an answer may take before it risks fragments: an Ethernet frame without IP, UDP and SNMP headers.
const ANSWER_BUDGET: usize = 1350;

/// The values read from a device, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    values: BTreeMap<Oid, Value>,
    /// The SNMP contexts of the values that the default context does not have.
    contexts: BTreeMap<Oid, String>,
}

impl Borrow<[u32]> for Oid {
    fn borrow(&self) -> &[u32] {
        self.arcs()
    }
}

impl Variables {
    /// The value of a name.
    pub fn get(&self, name: &[u32]) -> Option<&Value> {
        self.values.get(name)
    }

    /// The value in a row of a column.
    pub fn cell(&self, column: &[u32], index: &[u32]) -> Option<&Value> {
        self.values.get(&*[column, index].concat())
    }

    /// The rows of a column: index and value.
    pub fn column<'a>(&'a self, column: &'a [u32]) -> impl Iterator<Item = (&'a [u32], &'a Value)> {
        self.below(column).filter_map(move |(name, value)| Some((name.arcs().strip_prefix(column)?, value)))
    }

    /// The full names of the rows of a column.
    pub fn names_below<'a>(&'a self, column: &'a [u32]) -> impl Iterator<Item = Oid> + 'a {
        self.below(column).map(|(name, _)| name.clone())
    }

    /// Keeps a value.
    pub fn insert(&mut self, name: Oid, value: Value) {
        self.values.insert(name, value);
    }

    /// The SNMP context that a value was read in; `None` for the default one.
    pub fn context(&self, name: &Oid) -> Option<&str> {
        self.contexts.get(name).map(String::as_str)
    }

    fn keep(&mut self, name: Oid, value: Value, context: Option<&String>) {
        if let Some(context) = context {
            self.contexts.insert(name.clone(), context.clone());
        }
        self.values.insert(name, value);
    }

    fn remove(&mut self, name: &Oid) -> Option<Value> {
        self.values.remove(name)
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn below<'a>(&'a self, prefix: &'a [u32]) -> impl Iterator<Item = (&'a Oid, &'a Value)> {
        self.values
            .range::<[u32], _>((Bound::Excluded(prefix), Bound::Unbounded))
            .take_while(move |(name, _)| name.arcs().starts_with(prefix))
    }

    fn remove_below(&mut self, prefix: &[u32]) {
        let names: Vec<Oid> = self.names_below(prefix).collect();
        for name in names {
            self.values.remove(&name);
        }
    }
}

impl FromIterator<(Oid, Value)> for Variables {
    fn from_iter<T: IntoIterator<Item = (Oid, Value)>>(pairs: T) -> Self {
        let values = pairs.into_iter().filter(|(_, value)| value.is_some()).collect();
        Self { values, contexts: BTreeMap::new() }
    }
}

/// What to ask a device for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Single instances.
    pub names: Vec<Oid>,
    /// Columns to walk, in this order.
    pub columns: Vec<Oid>,
    /// Names (of those above) whose values make the device itself: another value means another device.
    pub witnesses: Vec<Oid>,
}

impl Plan {
    /// Drops what is asked twice; the first place counts.
    pub fn settle(&mut self) {
        for list in [&mut self.names, &mut self.columns] {
            let mut seen = std::collections::BTreeSet::new();
            list.retain(|oid| seen.insert(oid.clone()));
        }
    }
}

/// What a device has shown that it can bear; learnt while reading and kept for the next time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearing {
    names: usize,
    columns: usize,
    repetitions: u8,
    bulk: bool,
}

impl Bearing {
    fn of(version: Version) -> Self {
        Self { names: 40, columns: 10, repetitions: 8, bulk: version != Version::V1 }
    }

    fn limit(&mut self, quirks: &Quirks) {
        if let Some(most) = quirks.max_repetitions {
            self.repetitions = self.repetitions.min(most).max(1);
        }
        if let Some(most) = quirks.max_names {
            self.names = self.names.min(usize::from(most)).max(1);
            self.columns = self.columns.min(usize::from(most)).max(1);
        }
    }

    /// Asks for less of what an operation takes; `false` when there is no less.
    fn shrink(&mut self, operation: Operation) -> bool {
        match operation {
            Operation::Get if self.names > 1 => self.names /= 2,
            Operation::Get => return false,
            Operation::GetBulk { .. } if self.repetitions > 1 => self.repetitions /= 2,
            Operation::GetBulk { .. } | Operation::GetNext if self.columns > 1 => self.columns /= 2,
            Operation::GetBulk { .. } => self.bulk = false,
            Operation::GetNext => return false,
        }
        true
    }
}

/// A request to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What to do with the names.
    pub operation: Operation,
    /// The names.
    pub names: Vec<Readable>,
    /// The SNMP context to ask in; `None` for the default one.
    pub context: Option<String>,
    /// For walks: the column that each name belongs to.
    columns: Vec<Oid>,
}

/// Something odd that a device did, and that did not stop the reading.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remark {
    /// The names of a column did not rise.
    Loop(Oid),
    /// A column has more rows than are taken.
    TooManyRows(Oid),
    /// The device gave an error, or nothing at all, for a name or column however little was asked.
    Unanswered(Oid),
}

impl std::fmt::Display for Remark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Loop(column) => {
                write!(f, "the names below {column} do not rise (the device loops); read up to there")
            }
            Self::TooManyRows(column) => write!(f, "{column} has more than {MAX_ROWS} rows; the first were read"),
            Self::Unanswered(name) => write!(f, "the device does not answer for {name}; left out"),
        }
    }
}

/// Why a reading failed.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// Nothing came back.
    #[error(
        "no answer to SNMP: the address may be unused, SNMP may be off on the device, the community may be wrong, or a firewall drops UDP"
    )]
    NoAnswer,
    /// Bytes came back that are no SNMP.
    #[error("the device answers, but not in SNMP: {0}")]
    Garbled(String),
    /// It answered, then no more.
    #[error("the device stopped answering after {answered} answers")]
    Stopped {
        /// How many requests it had answered.
        answered: u32,
    },
    /// It speaks SNMPv3, but does not serve the user.
    #[error(transparent)]
    Refused(Refusal),
    /// It answers and answers without coming to an end.
    #[error("the device took more than {MAX_REQUESTS} requests without coming to an end")]
    Endless,
}

/// How a reading was made, apart from its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The values.
    pub variables: Variables,
    /// Name of the profile.
    pub profile: String,
    /// What the device can bear.
    pub bearing: Bearing,
    /// What it did that was odd.
    pub remarks: Vec<Remark>,
    /// Whether rows known from before are gone, or the device has restarted, was rebuilt or is another: the values belong to
    /// no device that is known, and only a full reading tells more.
    pub outdated: bool,
}

#[derive(Debug)]
enum Phase {
    /// Asks for the system group, to learn which profile fits.
    Greeting,
    /// Works off a plan.
    Reading,
}

#[derive(Debug)]
struct Walk {
    column: Oid,
    cursor: Oid,
    rows: usize,
}

/// One reading under way.
#[derive(Debug)]
pub struct Reader {
    phase: Phase,
    profile: String,
    names: VecDeque<Oid>,
    walks: Vec<Walk>,
    /// The SNMP context that the walks go through, and the names whose context is not known.
    context: Option<String>,
    /// Contexts that are still to be asked for what the default one lacks.
    contexts: VecDeque<String>,
    variables: Variables,
    bearing: Bearing,
    witnesses: Vec<Oid>,
    remarks: Vec<Remark>,
    outdated: bool,
    requests: u32,
    answered: u32,
    silences: u32,
}

impl Reader {
    /// A full reading of a device of which nothing is known.
    pub fn full(version: Version) -> Self {
        Self::new(Phase::Greeting, Bearing::of(version), printer_mib::system_names().into(), Variables::default())
    }

    /// A routine poll: what can have changed since `last`.
    pub fn routine(profiles: &Profiles, last: Reading) -> Self {
        let plan = profiles.routine_plan(profiles.named(&last.profile), &last.variables);
        let mut reader = Self::new(Phase::Reading, last.bearing, VecDeque::new(), last.variables);
        for column in &plan.columns {
            reader.variables.remove_below(column.arcs());
        }
        reader.profile = last.profile;
        reader.take_up(plan);
        reader
    }

    fn new(phase: Phase, bearing: Bearing, names: VecDeque<Oid>, variables: Variables) -> Self {
        Self {
            phase,
            profile: String::new(),
            names,
            walks: Vec::new(),
            context: None,
            contexts: VecDeque::new(),
            variables,
            bearing,
            witnesses: Vec::new(),
            remarks: Vec::new(),
            outdated: false,
            requests: 0,
            answered: 0,
            silences: 0,
        }
    }

    fn take_up(&mut self, plan: Plan) {
        self.names.extend(plan.names);
        // Those of one context together: a request has one.
        let variables = &self.variables;
        self.names.make_contiguous().sort_by(|one, other| variables.context(one).cmp(&variables.context(other)));
        self.witnesses = plan.witnesses;
        self.walks.extend(plan.columns.into_iter().map(|column| Walk { cursor: column.clone(), column, rows: 0 }));
    }

    /// What to ask next; `None` when the reading is complete.
    pub fn poll_question(&mut self, profiles: &Profiles) -> Result<Option<Question>, ReadError> {
        if self.names.is_empty() && self.walks.is_empty() && matches!(self.phase, Phase::Greeting) {
            let profile: &Profile = profiles.choose(System::of(&self.variables).object_id.as_ref());
            self.phase = Phase::Reading;
            self.profile.clone_from(&profile.name);
            self.bearing.limit(&profile.quirks);
            self.contexts = profile.contexts().iter().cloned().collect();
            self.take_up(profiles.full_plan(profile));
        }
        self.let_go_unless_printer();
        while self.names.is_empty() && self.walks.is_empty() {
            let Some(context) = self.contexts.pop_front() else { break };
            self.context = Some(context);
            self.take_up(profiles.context_plan(profiles.named(&self.profile), &self.variables));
        }
        let question = if !self.names.is_empty() {
            Some(self.ask_names(profiles.gate()))
        } else if !self.walks.is_empty() {
            Some(self.ask_rows(profiles.gate()))
        } else {
            None
        };
        if question.is_some() {
            self.requests += 1;
            if self.requests > MAX_REQUESTS {
                return Err(ReadError::Endless);
            }
        }
        Ok(question)
    }

    /// A device that has none of the printer's tables is not asked for all the others.
    fn let_go_unless_printer(&mut self) {
        let looking =
            self.walks.iter().any(|walk| printer_mib::PRINTER_SIGNS.iter().any(|sign| walk.column.arcs() == sign.arcs));
        if !looking && !printer_mib::is_printer(&self.variables) {
            self.walks.clear();
        }
    }

    fn ask_names(&mut self, gate: &Gate) -> Question {
        let mut names = Vec::new();
        let mut octets = 0;
        let context_of = |name: &Oid| self.variables.context(name).or(self.context.as_deref()).map(str::to_owned);
        let context = self.names.front().and_then(context_of);
        while let Some(name) = self.names.front() {
            octets += self.likely_octets(name);
            let elsewhere = self.variables.context(name).or(self.context.as_deref()) != context.as_deref();
            if elsewhere || names.len() >= self.bearing.names || (octets > ANSWER_BUDGET && !names.is_empty()) {
                break;
            }
            names.extend(self.names.pop_front().and_then(|name| gate.admit(&name)));
        }
        Question { operation: Operation::Get, names, context, columns: Vec::new() }
    }

    /// How much room a name takes in an answer, by its value at the last reading.
    fn likely_octets(&self, name: &Oid) -> usize {
        let value = match self.variables.get(name.arcs()) {
            Some(value) => value.octets().map_or(5, <[u8]>::len),
            None => 16,
        };
        name.arcs().len() + 8 + value
    }

    fn ask_rows(&self, gate: &Gate) -> Question {
        let walks = self.walks.iter().take(self.bearing.columns);
        let (names, columns) = walks.filter_map(|walk| Some((gate.admit(&walk.cursor)?, walk.column.clone()))).unzip();
        let operation = match self.bearing.bulk {
            true => Operation::GetBulk { max_repetitions: self.bearing.repetitions },
            false => Operation::GetNext,
        };
        Question { operation, names, context: self.context.clone(), columns }
    }

    /// Takes the answer to a question.
    pub fn handle_response(&mut self, question: Question, response: Response) {
        self.answered += 1;
        let refused = matches!(response.error_status, ErrorStatus::Other(_));
        if refused && question.context.is_some() && question.context == self.context {
            return self.leave_context();
        }
        match (response.error_status, question.operation) {
            (ErrorStatus::NoError, Operation::Get) => self.handle_values(question, response.variables),
            (ErrorStatus::NoError, _) => self.handle_rows(&question, response.variables),
            (ErrorStatus::TooBig, _) => self.ask_less(question),
            (ErrorStatus::NoSuchName | ErrorStatus::Other(_), _) => self.handle_error(question, response.error_index),
        }
    }

    /// Takes the news that a question stayed without an answer, however often it was repeated.
    pub fn handle_silence(&mut self, question: Question) -> Result<(), ReadError> {
        if question.context.is_some() && question.context == self.context {
            // A context that a device does not have is silence, and no reason to think ill of what it does have.
            self.leave_context();
            return Ok(());
        }
        self.silences += 1;
        if self.answered == 0 {
            return Err(ReadError::NoAnswer);
        }
        if self.silences > MAX_SILENCES {
            return Err(ReadError::Stopped { answered: self.answered });
        }
        // A device that fell silent over a large question gets a much smaller one: every silence costs seconds.
        for _ in 0..2 {
            self.bearing.shrink(question.operation);
        }
        self.ask_less(question);
        Ok(())
    }

    fn leave_context(&mut self) {
        self.names.clear();
        self.walks.clear();
    }

    /// The outcome, when there is no further question.
    pub fn finish(self) -> Reading {
        Reading {
            variables: self.variables,
            profile: self.profile,
            bearing: self.bearing,
            remarks: self.remarks,
            outdated: self.outdated,
        }
    }

    fn handle_values(&mut self, question: Question, variables: Vec<(Oid, Value)>) {
        let mut waiting: Vec<Oid> = question.names.into_iter().map(Readable::into_oid).collect();
        let asked = waiting.len();
        for (name, value) in variables {
            let Some(at) = waiting.iter().position(|waiting| *waiting == name) else { continue };
            waiting.swap_remove(at);
            if value.is_some() {
                self.outdated |= self.tells_of_rebuilding(&name, &value);
                self.variables.keep(name, value, question.context.as_ref());
            } else if self.variables.remove(&name).is_some() {
                self.outdated = true;
            }
        }
        // A device that answers fewer names than asked gets the rest again, as long as it answers any.
        if waiting.len() < asked {
            self.names.extend(waiting);
        } else {
            self.ask_less_of(question.operation, waiting, &[]);
        }
    }

    /// Whether a value says that what was known of the device before may not hold.
    fn tells_of_rebuilding(&self, name: &Oid, value: &Value) -> bool {
        if self.witnesses.contains(name) {
            return self.variables.get(name.arcs()) != Some(value);
        }
        let number = |value: Option<&Value>| value.and_then(Value::number);
        let (Some(before), Some(after)) = (number(self.variables.get(name.arcs())), number(Some(value))) else {
            return false;
        };
        let restarted = printer_mib::up_time_name().as_ref() == Some(name) && after < before;
        let rebuilt = name.arcs().starts_with(printer_mib::PRT_GENERAL_CONFIG_CHANGES.arcs) && after != before;
        restarted || rebuilt
    }

    fn handle_rows(&mut self, question: &Question, variables: Vec<(Oid, Value)>) {
        let mut moved = false;
        let mut columns = question.columns.as_slice();
        if answers_first_name_only(&question.names, &variables) {
            columns = columns.get(..1).unwrap_or_default();
            self.bearing.columns = 1;
        }
        for ((name, value), column) in variables.into_iter().zip(columns.iter().cycle()) {
            let Some(at) = self.walks.iter().position(|walk| walk.column == *column) else { continue };
            let Some(walk) = self.walks.get_mut(at) else { continue };
            let remark = if value == Value::EndOfMibView || (name.below(column).is_none() && name != walk.cursor) {
                None
            } else if name <= walk.cursor {
                Some(Remark::Loop(column.clone()))
            } else if walk.rows == MAX_ROWS {
                Some(Remark::TooManyRows(column.clone()))
            } else {
                moved = true;
                walk.rows += 1;
                walk.cursor = name.clone();
                if value.is_some() {
                    self.variables.keep(name, value, question.context.as_ref());
                }
                continue;
            };
            moved = true;
            self.remarks.extend(remark);
            self.walks.remove(at);
        }
        if !moved {
            self.ask_less(question.clone());
        }
    }

    /// An error that blames one variable: that one is left out. Of version 1, noSuchName on a walk is its end.
    fn handle_error(&mut self, question: Question, error_index: u32) {
        let blamed = usize::try_from(error_index).ok().and_then(|index| index.checked_sub(1));
        let Some(blamed) = blamed.filter(|at| *at < question.names.len()) else { return self.ask_less(question) };
        match question.operation {
            Operation::Get => {
                let mut names: Vec<Oid> = question.names.into_iter().map(Readable::into_oid).collect();
                let missing = names.remove(blamed);
                self.outdated |= self.variables.remove(&missing).is_some();
                names.into_iter().rev().for_each(|name| self.names.push_front(name));
            }
            Operation::GetNext | Operation::GetBulk { .. } => {
                if let Some(column) = question.columns.get(blamed) {
                    self.walks.retain(|walk| walk.column != *column);
                }
            }
        }
    }

    /// Asks again with less in one request; what fails alone is left out.
    fn ask_less(&mut self, question: Question) {
        let names = question.names.into_iter().map(Readable::into_oid).collect();
        self.ask_less_of(question.operation, names, &question.columns);
    }

    fn ask_less_of(&mut self, operation: Operation, names: Vec<Oid>, columns: &[Oid]) {
        let shrunk = self.bearing.shrink(operation);
        match operation {
            Operation::Get if shrunk || names.len() > 1 => {
                names.into_iter().rev().for_each(|name| self.names.push_front(name));
            }
            Operation::Get => self.remarks.extend(names.into_iter().map(Remark::Unanswered)),
            Operation::GetNext | Operation::GetBulk { .. } if shrunk => {}
            Operation::GetNext | Operation::GetBulk { .. } => {
                if let Some(column) = columns.first() {
                    self.walks.retain(|walk| walk.column != *column);
                    self.remarks.push(Remark::Unanswered(column.clone()));
                }
            }
        }
    }
}

/// Whether a device took only the first of several names. Then the second variable is the first one's successor, which a right
/// answer to the second name is only by chance: of two names, the later has no earlier successor, and the same one where it
/// lies between the earlier and its successor.
fn answers_first_name_only(names: &[Readable], variables: &[(Oid, Value)]) -> bool {
    let mut pairs: Vec<(&Oid, &Oid)> = names
        .iter()
        .zip(variables)
        .filter(|(_, (_, value))| *value != Value::EndOfMibView)
        .map(|(name, (successor, _))| (name.oid(), successor))
        .collect();
    let [(_, first), (_, second), ..] = pairs.as_slice() else { return false };
    if second <= first {
        return false;
    }
    pairs.sort();
    pairs
        .iter()
        .zip(pairs.iter().skip(1))
        .any(|((_, successor), (name, next))| next < successor || (*name < *successor && next != successor))
}
