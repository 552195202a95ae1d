//! Reads one device: asks for names and walks columns, in as few requests as the device can answer.
//!
//! A reader never sends; it says what to ask next and takes the answer, or the news that none came. One request is under way
//! at a time, because many controllers serve one at a time. Whatever a device does (loops, truncates, refuses), the number of
//! requests is bounded, and what was read before the fault is kept.

mod bearing;
mod outcome;
mod plan;
mod question;
mod variables;
mod walk;

use std::collections::{BTreeSet, VecDeque};

use wire::device::Identity;

pub use bearing::Bearing;
pub use outcome::{ReadError, Remark};
pub use plan::{Plan, Table};
pub use question::Question;
pub use variables::Variables;

use crate::gate::{Gate, Readable};
use crate::oid::Oid;
use crate::printer_mib;
use crate::profile::{BASE, Profile, Profiles};
use crate::snmp::Version;
use crate::snmp::message::{ErrorStatus, Operation, Response, Value};
use crate::timer::Timer;
use question::Want;
use walk::{Walk, pack};

/// Most rows taken from one column. No printer has as many trays, supplies or alerts.
const MAX_ROWS: usize = 1000;
/// Most requests for one reading.
const MAX_REQUESTS: u32 = 400;
/// Most requests that may stay without an answer before a reading is given up.
const MAX_SILENCES: u32 = 4;

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
    /// Whether anything was printed since the reading before.
    pub moved: bool,
    /// For a question of a survey: what follows each name, in their order.
    pub successors: Vec<(Oid, Value)>,
    /// How long the device's answers take.
    pub timer: Timer,
}

impl Reading {
    /// Whether it is a printer's, which says this of itself: it has a printer's tables, or a profile of its maker knows where its
    /// serial number stands.
    pub fn is_of_printer(&self, identity: &Identity) -> bool {
        printer_mib::is_printer(&self.variables) || (self.profile != BASE && identity.serial.is_some())
    }
}

/// How far a reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Asks what the device is, and for the columns that every printer has.
    Greeting,
    /// Asks for the system group alone: the greeting before was too much for the device.
    PlainGreeting,
    /// Works off the plan of the profile that seems to fit; what comes may show that another does.
    Guessing,
    /// Asks a device that says nothing of its maker for what only some makers' have.
    Signs,
    /// Works off a plan.
    Reading,
    /// Asks the one question of a survey.
    Asking,
}

/// One reading under way.
#[derive(Debug)]
pub struct Reader {
    phase: Phase,
    profile: String,
    steps: VecDeque<Oid>,
    names: VecDeque<Oid>,
    tables: Vec<Table>,
    walks: Vec<Walk>,
    /// The SNMP context that the walks go through, and the names whose context is not known.
    context: Option<String>,
    /// Contexts that are still to be asked for what the default one lacks.
    contexts: VecDeque<String>,
    /// Whether the last places of what has no value are still to be asked.
    last: bool,
    /// What was known before, where a known device is read whole again.
    before: Option<Variables>,
    /// Whether nothing is known of the device.
    cold: bool,
    /// The names of a survey's question, and what follows them.
    asking: Vec<Readable>,
    successors: Vec<(Oid, Value)>,
    variables: Variables,
    bearing: Bearing,
    witnesses: Vec<Oid>,
    details: Vec<Oid>,
    signs: Vec<Oid>,
    moved: bool,
    moved_before: bool,
    remarks: BTreeSet<Remark>,
    outdated: bool,
    requests: u32,
    answered: u32,
    silences: u32,
}

impl Reader {
    /// A full reading of a device of which nothing is known.
    pub fn full(version: Version) -> Self {
        let mut reader = Self::new(Bearing::of(version), Variables::default());
        reader.cold = true;
        if reader.bearing.mixed {
            reader.phase = Phase::Greeting;
            reader.steps.extend(printer_mib::system_names());
            reader.begin(&printer_mib::tables());
        } else {
            reader.greet_plainly();
        }
        reader
    }

    /// A full reading of a device that was read whole before: its rows are known, and asked for in the fewest packets.
    pub fn again(profiles: &Profiles, last: Reading) -> Self {
        let plan = profiles.repeat_plan(profiles.named(&last.profile), &last.variables);
        let mut reader = Self::new(last.bearing, Variables::default());
        reader.profile = last.profile;
        reader.before = Some(last.variables);
        reader.take_up(plan);
        reader
    }

    /// A routine poll: what can have changed since `last`.
    pub fn routine(profiles: &Profiles, last: Reading) -> Self {
        let plan = profiles.routine_plan(profiles.named(&last.profile), &last.variables);
        let mut reader = Self::new(last.bearing, last.variables);
        reader.profile = last.profile;
        reader.moved_before = last.moved;
        let columns: Vec<Oid> =
            plan.tables.iter().flat_map(|table| table.leaders.iter().chain(&table.members)).cloned().collect();
        reader.take_up(plan);
        for column in &columns {
            reader.variables.remove_below(column.arcs());
        }
        reader
    }

    /// One question of a survey: what follows these names.
    pub fn asking(version: Version, names: Vec<Readable>) -> Self {
        let mut reader = Self::new(Bearing::of(version), Variables::default());
        (reader.phase, reader.asking) = (Phase::Asking, names);
        reader
    }

    fn new(bearing: Bearing, variables: Variables) -> Self {
        Self {
            phase: Phase::Reading,
            profile: String::new(),
            steps: VecDeque::new(),
            names: VecDeque::new(),
            tables: Vec::new(),
            walks: Vec::new(),
            context: None,
            contexts: VecDeque::new(),
            last: false,
            before: None,
            cold: false,
            asking: Vec::new(),
            successors: Vec::new(),
            variables,
            bearing,
            witnesses: Vec::new(),
            details: Vec::new(),
            signs: Vec::new(),
            moved: false,
            moved_before: false,
            remarks: BTreeSet::new(),
            outdated: false,
            requests: 0,
            answered: 0,
            silences: 0,
        }
    }

    fn take_up(&mut self, plan: Plan) {
        let Plan { steps, names, tables, witnesses, details, signs } = plan;
        self.steps.extend(steps);
        self.names.extend(names);
        // Those of one context together: a request has one.
        let variables = &self.variables;
        self.names.make_contiguous().sort_by(|one, other| variables.context(one).cmp(&variables.context(other)));
        (self.witnesses, self.details, self.signs) = (witnesses, details, signs);
        self.begin(&tables);
    }

    /// Begins the walks of tables, from what is known of their rows.
    fn begin(&mut self, tables: &[Table]) {
        for table in tables {
            let number = self.tables.len();
            self.tables.push(table.clone());
            let lone = table.leaders.is_empty();
            let columns = table.leaders.iter().map(|column| (column, true));
            let columns: Vec<_> = columns.chain(table.members.iter().map(|column| (column, lone))).collect();
            let has_rows = |column: &Oid| self.known().below(column.arcs()).next().is_some();
            let rows_known = table.leaders.iter().any(has_rows);
            for (column, leads) in columns {
                let known: Vec<Oid> = self.known().names_below(column.arcs()).collect();
                // A column that had no row where its table had some is one that the device does not have.
                if rows_known && known.is_empty() {
                    continue;
                }
                let width = self.width(column);
                self.walks.push(Walk {
                    table: number,
                    leads,
                    ready: leads || !known.is_empty() || (self.cold && table.likely == 1),
                    probes: table.sparse && !leads && known.is_empty(),
                    cursor: before_first(column, &known),
                    rows: 0,
                    narrow: table.likely == 1,
                    likely: match known.len() {
                        0 if self.cold => table.likely,
                        rows => rows + 1,
                    },
                    closed: !leads && !known.is_empty(),
                    known,
                    width,
                    column: column.clone(),
                });
            }
        }
    }

    fn known(&self) -> &Variables {
        self.before.as_ref().unwrap_or(&self.variables)
    }

    /// How much room a row of a column takes in an answer.
    fn width(&self, column: &Oid) -> usize {
        let mut rows = 0;
        let octets: usize =
            self.known().below(column.arcs()).inspect(|_| rows += 1).map(|(_, value)| octets(value)).sum();
        let value = octets.checked_div(rows).unwrap_or_else(|| printer_mib::likely_octets(column.arcs()));
        column.arcs().len() + 6 + value
    }

    fn greet_plainly(&mut self) {
        self.phase = Phase::PlainGreeting;
        self.bearing.mixed = false;
        self.steps.clear();
        self.tables.clear();
        self.walks.clear();
        self.names = printer_mib::system_names().into();
    }

    /// What to ask next; `None` when the reading is complete.
    pub fn poll_question(&mut self, profiles: &Profiles) -> Result<Option<Question>, ReadError> {
        if self.phase == Phase::Asking {
            let names = std::mem::take(&mut self.asking);
            let question =
                Question { operation: Operation::GetNext, names, context: None, wants: Vec::new(), tentative: false };
            return Ok((!question.names.is_empty()).then_some(question));
        }
        self.choose_profile(profiles);
        self.let_go_unless_printer(profiles);
        while self.steps.is_empty() && self.names.is_empty() && self.walks.is_empty() && self.go_further(profiles) {}
        if !self.bearing.mixed {
            self.names.extend(self.steps.drain(..));
        }
        if self.steps.is_empty() && (self.moved || self.moved_before) {
            self.names.extend(self.details.drain(..));
        }
        let question = if !self.steps.is_empty() {
            Some(self.ask_onward(profiles.gate()))
        } else if !self.names.is_empty() {
            Some(self.ask_names(profiles.gate()))
        } else if !self.walks.is_empty() {
            Some(self.ask_onward(profiles.gate()))
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

    /// Once the device has said what it is, what its profile wants is added to what the greeting has begun.
    fn choose_profile(&mut self, profiles: &Profiles) {
        let greeted = match self.phase {
            Phase::Greeting => self.answered > 0 && self.steps.is_empty() && self.names.is_empty(),
            Phase::PlainGreeting => self.names.is_empty(),
            Phase::Guessing | Phase::Signs | Phase::Reading | Phase::Asking => false,
        };
        if !greeted {
            return;
        }
        let choice = profiles.choose(&self.variables);
        self.phase = if choice.settled { Phase::Reading } else { Phase::Guessing };
        self.last = true;
        let plan = profiles.full_plan(choice.profile);
        self.follow(choice.profile, plan);
    }

    /// Goes by a profile: takes up what it asks for, except for columns whose walks have begun.
    fn follow(&mut self, profile: &Profile, mut plan: Plan) {
        self.profile.clone_from(&profile.name);
        self.bearing.limit(&profile.quirks);
        self.contexts = profile.contexts().iter().cloned().collect();
        self.walks.retain(|walk| walk.leads || !profile.skips(&walk.column));
        let begun: BTreeSet<Oid> =
            self.tables.iter().flat_map(|table| table.leaders.iter().chain(&table.members)).cloned().collect();
        for table in &mut plan.tables {
            table.leaders.retain(|column| !begun.contains(column));
            table.members.retain(|column| !begun.contains(column));
        }
        plan.tables.retain(|table| !table.leaders.is_empty() || !table.members.is_empty());
        self.take_up(plan);
    }

    /// Takes up what is to be asked once the plan at hand has been worked off; `false` when that is nothing.
    fn go_further(&mut self, profiles: &Profiles) -> bool {
        let profile = profiles.named(&self.profile);
        match self.phase {
            Phase::Greeting | Phase::PlainGreeting | Phase::Asking => return false,
            Phase::Guessing | Phase::Signs => {
                let choice = profiles.choose(&self.variables);
                let changes = choice.profile.name != self.profile;
                let asks_for_signs = self.phase == Phase::Guessing && !choice.settled && !changes;
                self.phase = if asks_for_signs { Phase::Signs } else { Phase::Reading };
                if changes {
                    self.follow(choice.profile, profiles.change_plan(choice.profile, profile));
                } else if asks_for_signs {
                    self.names.extend(profiles.signs(&self.variables));
                }
                return true;
            }
            Phase::Reading => {}
        }
        if std::mem::take(&mut self.last) && profiles.looks_like_printer(profile, &self.variables) {
            self.take_up(profiles.last_plan(profile, &self.variables));
            return true;
        }
        let Some(context) = self.contexts.pop_front() else { return false };
        if profiles.looks_like_printer(profile, &self.variables) {
            self.context = Some(context);
            self.take_up(profiles.context_plan(profile, &self.variables));
        }
        true
    }

    /// A device that has nothing of a printer is not asked for all the other tables.
    fn let_go_unless_printer(&mut self, profiles: &Profiles) {
        let signs = printer_mib::PRINTER_SIGNS;
        let looking = self.walks.iter().any(|walk| signs.iter().any(|sign| walk.column.arcs() == sign.arcs));
        let chosen = matches!(self.phase, Phase::Guessing | Phase::Signs | Phase::Reading);
        if chosen
            && !looking
            && !self.walks.is_empty()
            && !profiles.looks_like_printer(profiles.named(&self.profile), &self.variables)
        {
            // Should it turn out to be one after all, the tables begin anew.
            self.walks.clear();
            self.tables.clear();
        }
    }

    fn ask_names(&mut self, gate: &Gate) -> Question {
        let (mut names, mut wants) = (Vec::new(), Vec::new());
        let mut room = self.bearing.octets;
        let most = self.bearing.names.min(self.bearing.variables);
        let own =
            |reader: &Self, name: &Oid| reader.variables.context(name).or(reader.context.as_deref()).map(str::to_owned);
        let context = self.names.front().and_then(|name| own(self, name));
        while let Some(name) = self.names.front() {
            let takes = self.likely_octets(name);
            let elsewhere = own(self, name) != context;
            if elsewhere || names.len() >= most || (takes > room && !names.is_empty()) {
                break;
            }
            room = room.saturating_sub(takes);
            let Some(name) = self.names.pop_front() else { break };
            if let Some(readable) = gate.admit(&name) {
                names.push(readable);
                wants.push(Want::Name(name));
            }
        }
        let tentative = self.is_unproven(context.as_ref());
        Question { operation: Operation::Get, names, context, wants, tentative }
    }

    /// How much room a name takes in an answer, by its value at the last reading.
    fn likely_octets(&self, name: &Oid) -> usize {
        name.arcs().len() + 6 + self.known().get(name.arcs()).map_or(12, octets)
    }

    /// A request for successors: of names, and of rows in columns.
    fn ask_onward(&mut self, gate: &Gate) -> Question {
        let (mut names, mut wants, mut room) = (Vec::new(), Vec::new(), 0);
        let most = self.bearing.names.min(self.bearing.variables);
        while let Some(name) = self.steps.front() {
            let takes = self.likely_octets(name);
            if names.len() >= most || (room + takes > self.bearing.octets && !names.is_empty()) {
                break;
            }
            room += takes;
            let Some(name) = self.steps.pop_front() else { break };
            if let Some(step) = gate.admit_step(&name) {
                names.push(step);
                wants.push(Want::Name(name));
            }
        }
        let pack = pack(&self.walks, &self.bearing, names.len(), room);
        let mut take = |columns: Vec<(Oid, Oid)>| {
            for (cursor, column) in columns {
                if let Some(name) = gate.admit(&cursor) {
                    names.push(name);
                    wants.push(Want::Row(column));
                }
            }
            names.len()
        };
        let once = take(pack.singles);
        let repeated = take(pack.repeated) - once;
        let operation = match u8::try_from(pack.repetitions) {
            Ok(max_repetitions @ 1..) if repeated > 0 => {
                Operation::GetBulk { non_repeaters: u8::try_from(once).unwrap_or(0), max_repetitions }
            }
            _ => Operation::GetNext,
        };
        let tentative = self.phase == Phase::Greeting && self.answered == 0 || self.is_unproven(self.context.as_ref());
        Question { operation, names, context: self.context.clone(), wants, tentative }
    }

    /// Whether a context has not answered yet. Most devices have no other than the default one, and meet it with silence.
    fn is_unproven(&self, context: Option<&String>) -> bool {
        context.is_some_and(|context| !self.variables.has_context(context))
    }

    /// Takes the answer to a question.
    pub fn handle_response(&mut self, question: Question, response: Response) {
        self.answered += 1;
        if self.phase == Phase::Asking {
            if response.error_status == ErrorStatus::NoError {
                self.successors = response.variables;
            }
            return;
        }
        let refused = matches!(response.error_status, ErrorStatus::Other(_));
        if refused && question.context.is_some() && question.context == self.context {
            return self.leave_context();
        }
        if matches!(question.operation, Operation::GetBulk { .. }) {
            self.bearing.bulk_proven = true;
        }
        match (response.error_status, question.operation) {
            (ErrorStatus::NoError, Operation::Get) => self.handle_values(question, response.variables),
            (ErrorStatus::NoError, _) => self.handle_successors(question, response.variables),
            _ if self.phase == Phase::Greeting => self.greet_plainly(),
            (ErrorStatus::TooBig, _) => self.ask_less(question),
            (ErrorStatus::NoSuchName | ErrorStatus::Other(_), _) => self.handle_error(question, response.error_index),
        }
    }

    /// Takes the news that a question stayed without an answer, however often it was repeated.
    pub fn handle_silence(&mut self, question: Question) -> Result<(), ReadError> {
        if question.context == self.context && self.is_unproven(question.context.as_ref()) {
            // No reason to think ill of what the device has in the default context.
            self.leave_context();
            return Ok(());
        }
        self.silences += 1;
        if self.answered == 0 && self.phase == Phase::Greeting {
            self.greet_plainly();
            return Ok(());
        }
        if self.answered == 0 {
            return Err(ReadError::NoAnswer);
        }
        if self.silences > MAX_SILENCES {
            return Err(ReadError::Stopped { answered: self.answered });
        }
        if matches!(question.operation, Operation::GetBulk { .. }) && !self.bearing.bulk_proven {
            self.bearing.bulk = false;
            self.put_back(question);
        } else {
            // A device that fell silent over a large question gets a much smaller one: every silence costs seconds.
            self.bearing.shrink(question.operation, question.variables());
            self.ask_less(question);
        }
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
            remarks: self.remarks.into_iter().collect(),
            outdated: self.outdated,
            moved: self.moved,
            successors: self.successors,
            timer: Timer::default(),
        }
    }

    fn handle_values(&mut self, question: Question, variables: Vec<(Oid, Value)>) {
        let mut waiting: Vec<Oid> = question.names.iter().map(|name| name.oid().clone()).collect();
        let asked = waiting.len();
        for (name, value) in variables {
            let Some(at) = waiting.iter().position(|waiting| *waiting == name) else { continue };
            waiting.remove(at);
            self.take_value(name, value, question.context.as_ref());
        }
        // A device that answers fewer names than asked gets the rest again, as long as it answers any.
        match asked - waiting.len() {
            0 => self.ask_less(question),
            answered if answered < asked => {
                self.bearing.names = self.bearing.names.min(answered);
                waiting.into_iter().rev().for_each(|name| self.names.push_front(name));
            }
            _ => {}
        }
    }

    fn take_value(&mut self, name: Oid, value: Value, context: Option<&String>) {
        if !value.is_some() {
            self.miss_value(&name);
            return;
        }
        self.outdated |= self.tells_of_rebuilding(&name, &value);
        if self.signs.contains(&name) {
            self.moved |= self.known().get(name.arcs()) != Some(&value);
        }
        self.variables.keep(name, value, context);
    }

    fn miss_value(&mut self, name: &Oid) {
        let known =
            self.variables.remove(name) | self.before.as_ref().is_some_and(|before| before.get(name.arcs()).is_some());
        self.outdated |= known;
    }

    /// Whether a value says that what was known of the device before may not hold.
    fn tells_of_rebuilding(&self, name: &Oid, value: &Value) -> bool {
        let known = self.known().get(name.arcs());
        if self.witnesses.contains(name) {
            return known != Some(value);
        }
        let (Some(before), Some(after)) = (known.and_then(Value::number), value.number()) else { return false };
        let restarted = printer_mib::up_time_name().as_ref() == Some(name) && after < before;
        let rebuilt = name.arcs().starts_with(printer_mib::PRT_GENERAL_CONFIG_CHANGES.arcs) && after != before;
        restarted || rebuilt
    }

    fn handle_successors(&mut self, mut question: Question, variables: Vec<(Oid, Value)>) {
        if question.is_answered_first_name_only(&variables) {
            self.bearing.names = 1;
            for want in question.wants.drain(1..) {
                self.want_again(want);
            }
            question.names.truncate(1);
        }
        let places = question.names.len();
        let answered = variables.len();
        let mut sent: Vec<Oid> = question.names.iter().map(|name| name.oid().clone()).collect();
        let (mut moved, mut octets_taken) = (false, 0);
        for (number, (name, value)) in variables.into_iter().enumerate() {
            let Some(place) = question.place(number).filter(|place| *place < places) else { break };
            let (Some(want), Some(sent)) = (question.wants.get(place), sent.get_mut(place)) else { break };
            // An answer that goes back belongs to another name than its place says: the device does not count as it should.
            if matches!(want, Want::Row(column) if name < *sent && name.below(column).is_none()) && value.is_some() {
                self.bearing.mixed = false;
                break;
            }
            octets_taken += name.arcs().len() + 6 + octets(&value);
            moved |= match want {
                Want::Name(wanted) => {
                    self.take_successor(wanted.clone(), &name, value);
                    true
                }
                Want::Row(column) => self.take_row(column, question.context.as_ref(), sent, &name, value),
            };
            *sent = name;
        }
        let cut = answered < question.variables() && answered > 1;
        if cut && matches!(question.operation, Operation::GetBulk { .. }) && self.walks_remain(&question) {
            self.bearing.cut_at(octets_taken);
        }
        for want in question.wants.get(answered..question.once()).unwrap_or_default().to_vec() {
            self.want_again(want);
        }
        if moved {
            self.close_tables();
        } else {
            question.wants.retain(|want| matches!(want, Want::Row(_)));
            self.ask_less(question);
        }
    }

    /// Whether any column that a question was about goes on.
    fn walks_remain(&self, question: &Question) -> bool {
        question.wants.iter().any(|want| match want {
            Want::Name(_) => false,
            Want::Row(column) => self.walks.iter().any(|walk| walk.column == *column && !walk.is_done()),
        })
    }

    /// A name that was asked for as a successor and not answered is asked for by itself.
    fn want_again(&mut self, want: Want) {
        if let Want::Name(name) = want {
            self.names.push_back(name);
        }
    }

    /// The successor of what stands before a name: the name's value, or proof that it has none.
    fn take_successor(&mut self, wanted: Oid, name: &Oid, value: Value) {
        if *name == wanted {
            self.take_value(wanted, value, None);
        } else if *name > wanted || value == Value::EndOfMibView {
            self.miss_value(&wanted);
        } else {
            // Something stands between, or the device goes backwards: the name itself has to be asked for.
            self.names.push_back(wanted);
        }
    }

    /// The next row of a column; `false` for an answer that tells nothing.
    fn take_row(&mut self, column: &Oid, context: Option<&String>, sent: &Oid, name: &Oid, value: Value) -> bool {
        let Some(at) = self.walks.iter().position(|walk| walk.column == *column) else { return true };
        let Some(walk) = self.walks.get_mut(at) else { return true };
        let remark = if value == Value::EndOfMibView || (name.below(column).is_none() && name != sent) {
            None
        } else if name <= sent {
            Some(Remark::Loop(column.clone()))
        } else if *name <= walk.cursor {
            return true;
        } else if walk.rows == MAX_ROWS {
            Some(Remark::TooManyRows(column.clone()))
        } else {
            walk.rows += 1;
            walk.cursor = name.clone();
            if value.is_some() {
                self.variables.keep(name.clone(), value, context);
            }
            return true;
        };
        self.remarks.extend(remark);
        self.walks.remove(at);
        true
    }

    /// Where all leaders of a table have come to their ends, its rows are known, and with them what is left of its members.
    fn close_tables(&mut self) {
        self.walks.retain(|walk| !walk.is_done());
        let open: BTreeSet<usize> = self.walks.iter().filter(|walk| walk.leads).map(|walk| walk.table).collect();
        let closing: BTreeSet<usize> = self
            .walks
            .iter()
            .filter(|walk| !walk.leads && !open.contains(&walk.table))
            .map(|walk| walk.table)
            .collect();
        for number in closing {
            let Some(table) = self.tables.get(number) else { continue };
            let rows: BTreeSet<Vec<u32>> = table
                .leaders
                .iter()
                .flat_map(|column| self.variables.column(column.arcs()).map(|(index, _)| index.to_vec()))
                .collect();
            let (stands_alone, cold) = (table.stands_alone, self.cold);
            let variables = &mut self.variables;
            self.walks.retain_mut(|walk| {
                if walk.table != number {
                    return true;
                }
                if rows.is_empty() {
                    (walk.leads, walk.ready, walk.closed, walk.narrow) = (true, true, false, false);
                    walk.known.clear();
                    return stands_alone && cold;
                }
                walk.known = rows.iter().map(|index| walk.column.child(index)).collect();
                (walk.ready, walk.closed) = (true, true);
                // What was read of it before its rows were known may be of other rows.
                let strays = variables.names_below(walk.column.arcs()).filter(|name| !walk.known.contains(name));
                for stray in strays.collect::<Vec<_>>() {
                    variables.remove(&stray);
                }
                walk.skip_to_known();
                !walk.is_done()
            });
        }
    }

    /// An error that blames one variable: that one is left out. Of version 1, noSuchName on a walk is its end.
    fn handle_error(&mut self, question: Question, error_index: u32) {
        let blamed = usize::try_from(error_index).ok().and_then(|index| index.checked_sub(1));
        let Some(blamed) = blamed.filter(|at| *at < question.names.len()) else { return self.ask_less(question) };
        match question.wants.get(blamed) {
            Some(Want::Name(missing)) if question.operation == Operation::Get => {
                let missing = missing.clone();
                self.miss_value(&missing);
                let others = question.names.into_iter().map(Readable::into_oid).filter(|name| *name != missing);
                others.rev().for_each(|name| self.names.push_front(name));
            }
            Some(Want::Name(_)) | None => self.put_back(question),
            Some(Want::Row(column)) => {
                self.walks.retain(|walk| walk.column != *column);
                self.put_back(question);
                self.close_tables();
            }
        }
    }

    /// Names of a question are asked for again, by themselves; columns go on from where they are.
    fn put_back(&mut self, question: Question) {
        for want in question.wants.into_iter().rev() {
            if let Want::Name(name) = want {
                self.names.push_front(name);
            }
        }
    }

    /// Asks again with less in one request; what fails alone is left out.
    fn ask_less(&mut self, question: Question) {
        let shrunk = self.bearing.shrink(question.operation, question.variables());
        if shrunk {
            return self.put_back(question);
        }
        for want in question.wants {
            match want {
                Want::Name(name) => {
                    self.remarks.insert(Remark::Unanswered(name));
                }
                Want::Row(column) => {
                    self.walks.retain(|walk| walk.column != column);
                    self.remarks.insert(Remark::Unanswered(column));
                }
            }
        }
        self.close_tables();
    }
}

/// Octets that a value takes in an answer, apart from its tag and length.
fn octets(value: &Value) -> usize {
    match value {
        Value::ObjectIdentifier(oid) => oid.arcs().len(),
        Value::IpAddress(_) => 4,
        other => match (other.octets(), other.number()) {
            (Some(octets), _) => octets.len(),
            (None, Some(number)) => usize::try_from(72 - number.unsigned_abs().leading_zeros()).unwrap_or(8) / 8,
            (None, None) => 0,
        },
    }
}

/// Where to begin so that the first row is the first of those that are known; at the column where none is.
fn before_first(column: &Oid, known: &[Oid]) -> Oid {
    known.first().map_or_else(|| column.clone(), Oid::before)
}
