//! Columns under way, and which of them go into the next request: those that fill an answer with the least that is useless.

use super::bearing::Bearing;
use crate::oid::Oid;

/// What a further request and its answer are worth in octets: headers of IP, UDP and SNMP, both ways, and the time.
const REQUEST: usize = 2 * (28 + 30) + 64;
/// Octets of useless variables from a column above which it rather waits for a request that fits it better.
const MOST_WASTE: usize = 120;

/// A column under way.
#[derive(Debug)]
pub(super) struct Walk {
    /// Which.
    pub column: Oid,
    /// The table that it belongs to, by number.
    pub table: usize,
    /// Whether its rows tell which rows the table has.
    pub leads: bool,
    /// Whether it is known which rows to ask for, or has to be found out.
    pub ready: bool,
    /// Whether its first row is asked alone, because the column may well not exist.
    pub probes: bool,
    /// The last name that was read.
    pub cursor: Oid,
    /// Rows read.
    pub rows: usize,
    /// Whether columns of its table have one row as a rule.
    pub narrow: bool,
    /// Rows that it probably has, those included that were read, and one more where the end has to be seen.
    pub likely: usize,
    /// The names of the rows that it is known to have, in their order; empty where nothing is known.
    pub known: Vec<Oid>,
    /// Whether the column ends with the last known row, without a look at what follows.
    pub closed: bool,
    /// Octets that a row takes in an answer.
    pub width: usize,
}

impl Walk {
    /// Known rows behind the cursor.
    fn ahead(&self) -> &[Oid] {
        let passed = self.known.partition_point(|name| *name <= self.cursor);
        self.known.get(passed..).unwrap_or_default()
    }

    /// Whether there is nothing more to read.
    pub fn is_done(&self) -> bool {
        self.closed && self.ahead().is_empty()
    }

    /// Goes on at the next row that is known.
    pub fn skip_to_known(&mut self) {
        if let Some(start) = self.ahead().first().map(Oid::before)
            && start > self.cursor
        {
            self.cursor = start;
        }
    }

    /// Rows to ask for.
    fn left(&self) -> usize {
        if self.probes && self.rows == 0 {
            1
        } else if self.closed {
            self.ahead().len().max(1)
        } else if self.likely > self.rows {
            self.likely - self.rows
        } else if self.narrow {
            1
        } else {
            // Longer than such columns are: by how much, nobody knows.
            self.rows.max(2)
        }
    }

    /// Octets that a name takes in a request.
    fn name_octets(&self) -> usize {
        self.column.arcs().len() + 7
    }

    /// The names to ask for the next rows one by one: of each the one before it.
    fn single_steps(&self, rows: usize) -> Option<Vec<Oid>> {
        if rows == 1 {
            return Some(vec![self.cursor.clone()]);
        }
        let before = self.ahead().get(..rows.checked_sub(1)?)?;
        Some(std::iter::once(&self.cursor).chain(before).cloned().collect())
    }
}

/// The columns' part of a request.
#[derive(Debug, Default)]
pub(super) struct Pack {
    /// Names to step from once, each with its column.
    pub singles: Vec<(Oid, Oid)>,
    /// Names to step from repeatedly, each with its column.
    pub repeated: Vec<(Oid, Oid)>,
    /// How often.
    pub repetitions: usize,
    cost: usize,
    /// Octets that remain for later requests.
    rest: usize,
}

impl Pack {
    fn is_empty(&self) -> bool {
        self.singles.is_empty() && self.repeated.is_empty()
    }

    /// What it takes in all to come to the end, this request included, when an answer holds so many octets.
    fn price(&self, octets: usize) -> usize {
        self.cost + self.rest + self.rest.div_ceil(octets.max(1)) * REQUEST
    }
}

/// Chooses what to ask of the columns in one request beside `names` others whose values take `octets`.
pub(super) fn pack(walks: &[Walk], bearing: &Bearing, names: usize, octets: usize) -> Pack {
    let eligible: Vec<&Walk> = walks.iter().filter(|walk| walk.ready).collect();
    let mut repetitions: Vec<usize> = vec![0];
    if bearing.bulk {
        let most = bearing.repetitions.min(bearing.variables.saturating_sub(names));
        let room = bearing.octets.saturating_sub(octets);
        let fitting = |walk: &&Walk| walk.left().min(most).min((room / walk.width.max(1)).max(1));
        repetitions.extend(eligible.iter().map(fitting).filter(|rows| *rows > 1));
    }
    repetitions.sort_unstable();
    repetitions.dedup();
    let packs = repetitions.into_iter().map(|rows| pack_with(&eligible, bearing, names, octets, rows));
    packs.filter(|pack| !pack.is_empty()).min_by_key(|pack| pack.price(bearing.octets)).unwrap_or_default()
}

/// The same with a given number of repetitions.
fn pack_with(eligible: &[&Walk], bearing: &Bearing, names: usize, octets: usize, repetitions: usize) -> Pack {
    let mut pack = Pack { repetitions, ..Pack::default() };
    let waste = |walk: &Walk| repetitions.saturating_sub(walk.left()) * walk.width;
    let mut order: Vec<&Walk> = eligible.to_vec();
    order.sort_by_key(|walk| if walk.left() == 1 { 0 } else { waste(walk) });
    let (mut names, mut octets, mut variables) = (names, octets, names);
    for walk in order {
        let left = walk.left();
        let repeated = walk.name_octets() + repetitions * walk.width;
        let (mut rows, mut answers) = (left.min(repetitions), repetitions);
        // Without GETBULK a column gives one row at a time unless more are known by name.
        let single = left.min(bearing.names.saturating_sub(names)).min(bearing.variables.saturating_sub(variables));
        let single = if bearing.mixed || repetitions == 0 { single } else { 0 };
        let steps = match walk.single_steps(single.max(1)) {
            Some(steps)
                if repetitions == 0 || (single == left && left * (walk.name_octets() + walk.width) <= repeated) =>
            {
                Some(steps)
            }
            None if repetitions == 0 => Some(vec![walk.cursor.clone()]),
            _ => None,
        };
        if let Some(steps) = &steps {
            (rows, answers) = (steps.len(), steps.len());
        } else if waste(walk) > MOST_WASTE {
            pack.rest += walk.name_octets() + left * walk.width;
            continue;
        }
        let asks = steps.as_ref().map_or(1, Vec::len);
        let fits = names + asks <= bearing.names
            && variables + answers <= bearing.variables
            && octets + answers * walk.width <= bearing.octets;
        let alone = pack.is_empty() && names == 0;
        if !fits && !alone {
            pack.rest += walk.name_octets() + left * walk.width;
            continue;
        }
        if rows < left {
            pack.rest += walk.name_octets() + (left - rows) * walk.width;
        }
        names += asks;
        variables += answers;
        octets += answers * walk.width;
        pack.cost += asks * walk.name_octets() + answers * walk.width;
        match steps {
            Some(steps) => pack.singles.extend(steps.into_iter().map(|step| (step, walk.column.clone()))),
            None => pack.repeated.push((walk.cursor.clone(), walk.column.clone())),
        }
    }
    if pack.repeated.is_empty() {
        pack.repetitions = 0;
    }
    pack
}
