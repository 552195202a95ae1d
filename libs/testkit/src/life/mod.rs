//! What happens to a printer as time goes by: pages, toner, paper, covers, jams, sleep. A pure state machine: the same seed
//! and the same number of seconds give the same printer, and the clock is the caller's.
//!
//! ```no_run
//! # fn test() -> anyhow::Result<()> {
//! use std::{path::Path, time::Duration};
//! use testkit::{life::{Life, Plan, model::Model}, printer_sim::Printer, recording::Recording};
//!
//! let recording = Recording::load("agent-core/walks/kyocera_taskalfa-4054ci.snmprec")?;
//! let model = Model::load(Path::new("demo/life/kyocera_taskalfa-4054ci.toml"))?;
//! let mut life = Life::new(model, &recording, Plan { pace: 600, ..Plan::default() })?;
//! let mut printer = Printer::new(recording);
//! life.run(Duration::from_secs(3600)); // about 600 impressions
//! life.show(&mut printer);
//! # Ok(()) }
//! ```
//!
//! Every counter of a model is raised by the same events, so that its sums hold whatever happens.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

use self::{
    facts::{Facts, Kind},
    model::{Event, Model, Row, Span, Spot},
};
use crate::recording::Recording;

mod facts;
pub mod model;
mod show;

/// What is planned for one printer.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Printers of one model and plan differ by this.
    pub seed: u64,
    /// Impressions an hour, on average.
    pub pace: u64,
    /// Impressions made before the recording, on top of its counters.
    pub pages: u64,
    /// Percent left of supplies at first, by row, where it is not as recorded.
    pub levels: BTreeMap<Row, u64>,
    /// Sheets in trays at first, by row, where it is not as recorded.
    pub sheets: BTreeMap<Row, u64>,
    /// What is to happen, counted from each start of the simulation.
    pub incidents: Vec<Incident>,
}

/// Something planned.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Incident {
    /// What.
    pub what: What,
    /// To which cover or tray.
    pub row: Option<Row>,
    /// When, after the start.
    pub at: Span,
    /// For how long.
    pub lasts: Span,
    /// Again each time so much has passed.
    pub every: Option<Span>,
}

/// What can be planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A cover stands open.
    Cover,
    /// Paper is jammed.
    Jam,
    /// A tray is empty and nobody fills it.
    Empty,
    /// The device is switched off.
    Off,
}

impl Incident {
    fn is_on(&self, after: Duration) -> bool {
        let Some(since) = after.checked_sub(self.at.0) else { return false };
        let turn = match self.every {
            Some(Span(every)) if !every.is_zero() => since.as_millis() % every.as_millis(),
            _ => since.as_millis(),
        };
        turn < self.lasts.0.as_millis()
    }
}

/// A printer's life.
#[derive(Debug, Clone)]
pub struct Life {
    model: Model,
    facts: Facts,
    plan: Plan,
    state: State,
}

/// All that changes in a life; can be kept and given back with [`Life::resume`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Seconds lived, and of those the ones before this start.
    clock: u64,
    started: u64,
    random: u64,
    /// When it was switched on last, and what sysUpTime was then.
    on_since: u64,
    uptime_then: u64,
    off: bool,
    counters: BTreeMap<Spot, u64>,
    used: BTreeMap<Row, u64>,
    replaced_at: BTreeMap<Row, u64>,
    sheets: BTreeMap<Row, u64>,
    refilled_at: BTreeMap<Row, u64>,
    job: Option<Job>,
    next_job: u64,
    /// Sixtieths of a page that the engine has moved and not delivered.
    progress: u64,
    busy: u64,
    warm_at: u64,
    jammed_until: u64,
    alerts: Vec<Alert>,
    next_alert: u32,
    events: (u64, u64),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Job {
    /// `print`, `copy`, `fax`; `send` and `send-fax` only scan.
    service: String,
    color: bool,
    size: String,
    two_sided: bool,
    pages: u64,
    adf: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Alert {
    index: u32,
    trouble: Trouble,
    row: Row,
    critical: bool,
    /// sysUpTime when it came up.
    uptime: u64,
}

/// What can be wrong; the order is that of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Trouble {
    Cover,
    Jam,
    TrayEmpty,
    SupplyOut,
    WasteFull,
    PartOver,
    TrayLow,
    SupplyLow,
    WasteNearFull,
    PartLow,
}

impl Life {
    /// A printer as recorded, with its history and start levels as planned. An error names what does not fit.
    pub fn new(model: Model, recording: &Recording, plan: Plan) -> anyhow::Result<Self> {
        if let Some(missing) = facts::missing(recording, &model) {
            bail!("{missing} in the recording");
        }
        let facts = Facts::of(recording, &model).map_err(anyhow::Error::msg)?;
        let counters = model.counters.keys();
        let counters = counters.map(|spot| (spot.clone(), spot.read(&recording.rows).unwrap_or_default())).collect();
        let mut used = BTreeMap::new();
        for supply in &model.supply {
            let known = facts.supplies.get(&supply.row).context("each supply has its facts")?;
            let recorded = match (known.level, known.capacity) {
                (level @ 0.., capacity @ 1..) => u64::try_from(level * 100 / capacity).ok(),
                (level @ 0..=100, _) => u64::try_from(level).ok(),
                _ => None,
            };
            let left = plan.levels.get(&supply.row).copied().or(supply.start).or(recorded);
            let left = left.with_context(|| format!("supply {} has no level: it wants a start", supply.row))?.min(100);
            used.insert(supply.row.clone(), supply.lasts * (100 - left) / 100);
        }
        let mut sheets = BTreeMap::new();
        for tray in &model.tray {
            let known = facts.trays.get(&tray.row).context("each tray has its facts")?;
            let start = plan.sheets.get(&tray.row).copied().or(tray.start).or(u64::try_from(known.level).ok());
            let start = start.with_context(|| format!("tray {} has no level: it wants a start", tray.row))?;
            sheets.insert(tray.row.clone(), start.min(known.capacity));
        }
        for row in plan.levels.keys() {
            ensure!(used.contains_key(row), "the plan sets a level of supply {row}, which does not change");
        }
        for row in plan.sheets.keys() {
            ensure!(sheets.contains_key(row), "the plan fills tray {row}, which is not fed from");
        }
        for incident in &plan.incidents {
            let (part, known) = match (incident.what, &incident.row) {
                (What::Cover, Some(row)) => (format!("cover {row}"), facts.covers.contains_key(row)),
                (What::Empty, Some(row)) => (format!("tray {row}"), facts.trays.contains_key(row)),
                (What::Cover | What::Empty, None) => ("no row".to_owned(), false),
                (What::Jam | What::Off, Some(row)) => (format!("row {row}"), false),
                (What::Jam | What::Off, None) => continue,
            };
            ensure!(known, "an incident ({:?}) names {part}, which this printer does not know", incident.what);
        }
        let mut life = Self {
            state: State {
                clock: 0,
                started: 0,
                random: plan.seed,
                on_since: 0,
                uptime_then: facts.uptime,
                off: false,
                counters,
                used,
                replaced_at: BTreeMap::new(),
                sheets,
                refilled_at: BTreeMap::new(),
                job: None,
                next_job: 0,
                progress: 0,
                busy: 0,
                warm_at: 0,
                jammed_until: 0,
                alerts: Vec::new(),
                next_alert: facts.first_alert,
                events: facts.events,
            },
            model,
            facts,
            plan,
        };
        life.remember(life.plan.pages);
        if let Some(broken) = life.broken_sum() {
            bail!("the recording's sums do not hold: {broken}");
        }
        life.state.next_job = life.pause(1);
        life.notice();
        Ok(life)
    }

    /// What changes, to keep it.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Goes on from what was kept, `ahead` of it, as after a new start of the simulation: planned incidents begin anew. What
    /// the state does not know (a counter that the model got since) stays as recorded.
    pub fn resume(&mut self, kept: State, ahead: Duration) {
        let fresh = std::mem::replace(&mut self.state, kept);
        let State { counters, used, sheets, .. } = &mut self.state;
        *counters = with_keys_of(fresh.counters, counters);
        *used = with_keys_of(fresh.used, used);
        *sheets = with_keys_of(fresh.sheets, sheets);
        self.run(ahead);
        self.state.started = self.state.clock;
        self.notice();
    }

    /// Lets time pass; parts of a second are left out.
    pub fn run(&mut self, time: Duration) {
        for _ in 0..time.as_secs() {
            self.tick();
        }
    }

    /// Whether it is switched off: it should not answer.
    pub fn is_off(&self) -> bool {
        self.state.off
    }

    /// A sum of the model that does not hold, in words; there should never be one.
    pub fn broken_sum(&self) -> Option<String> {
        let counter = |spot: &Spot| self.state.counters.get(spot).copied();
        self.model.sums.iter().find_map(|sum| {
            let (total, parts) = sum.split_first()?;
            let parts: Option<u64> = parts.iter().map(counter).sum();
            let holds = counter(total).is_some() && counter(total) == parts;
            (!holds).then(|| format!("{total} is {:?}, its parts make {parts:?}", counter(total)))
        })
    }

    /// One second.
    fn tick(&mut self) {
        self.state.clock += 1;
        let off = self.is_planned(What::Off).is_some();
        if off != self.state.off {
            self.state.off = off;
            if !off {
                self.switch_on();
            }
        }
        if off {
            return;
        }
        self.serve();
        self.notice();
        if self.state.alerts.iter().any(|alert| alert.critical) {
            return;
        }
        let clock = self.state.clock;
        if self.state.job.is_none() && clock >= self.state.next_job && self.plan.pace > 0 {
            if self.is_asleep() {
                self.state.warm_at = clock + WARM_UP;
            }
            self.begin_job();
        }
        if self.state.job.is_some() && clock >= self.state.warm_at {
            self.work();
        }
    }

    fn is_asleep(&self) -> bool {
        self.state.job.is_none() && self.state.clock - self.state.busy >= self.model.sleeps_after.0.as_secs()
    }

    fn switch_on(&mut self) {
        let State { clock, counters, on_since, uptime_then, warm_at, busy, .. } = &mut self.state;
        (*on_since, *uptime_then, *warm_at, *busy) = (*clock, 0, *clock + WARM_UP, *clock);
        for (spot, count) in &self.model.counters {
            if count.since_power_on {
                counters.insert(spot.clone(), 0);
            }
        }
    }

    fn is_planned(&self, what: What) -> Option<&Incident> {
        let after = Duration::from_secs(self.state.clock - self.state.started);
        self.plan.incidents.iter().find(|incident| incident.what == what && incident.is_on(after))
    }

    fn is_planned_for(&self, what: What, row: &Row) -> bool {
        let after = Duration::from_secs(self.state.clock - self.state.started);
        let planned = |incident: &Incident| incident.what == what && incident.row.as_ref() == Some(row);
        self.plan.incidents.iter().any(|incident| planned(incident) && incident.is_on(after))
    }

    /// People come with toner and paper, after a while.
    fn serve(&mut self) {
        let State { clock, used, replaced_at, sheets, refilled_at, .. } = &mut self.state;
        replaced_at.retain(|row, due| due > clock || used.insert(row.clone(), 0).is_none());
        refilled_at.retain(|row, due| {
            let full = self.facts.trays.get(row).map_or(0, |tray| tray.capacity);
            due > clock || sheets.insert(row.clone(), full).is_none()
        });
        let is_out = |supply: &&model::SupplyModel| used.get(&supply.row).is_some_and(|used| *used >= supply.lasts);
        let out = self.model.supply.iter().filter(is_out).map(|supply| supply.row.clone());
        let out: Vec<Row> = out.filter(|row| !replaced_at.contains_key(row)).collect();
        let empty = sheets.iter().filter(|(_, sheets)| **sheets == 0).map(|(row, _)| row.clone());
        let empty: Vec<Row> = empty.filter(|row| !refilled_at.contains_key(row)).collect();
        for row in out {
            let part = self.facts.supplies.get(&row).is_some_and(|supply| supply.kind == Kind::Part);
            let wait = if part { 3600 + self.below(3 * 3600) } else { 600 + self.below(1800) };
            self.state.replaced_at.insert(row, self.state.clock + wait);
        }
        for row in empty {
            let wait = 180 + self.below(720);
            self.state.refilled_at.insert(row, self.state.clock + wait);
        }
    }

    /// Brings the alerts up to what is wrong.
    fn notice(&mut self) {
        let wrong = self.wrong();
        let uptime = self.uptime();
        let State { alerts, next_alert, events, .. } = &mut self.state;
        let before = alerts.len();
        alerts.retain(|alert| wrong.get(&(alert.trouble, alert.row.clone())) == Some(&alert.critical));
        events.1 += u64::try_from(before - alerts.len()).unwrap_or_default();
        let known: BTreeSet<_> = alerts.iter().map(|alert| (alert.trouble, alert.row.clone())).collect();
        for ((trouble, row), critical) in wrong {
            if !known.contains(&(trouble, row.clone())) {
                alerts.push(Alert { index: *next_alert, trouble, row, critical, uptime });
                *next_alert += 1;
                events.0 += u64::from(critical);
                events.1 += 1;
            }
        }
    }

    /// sysUpTime, in hundredths of a second.
    fn uptime(&self) -> u64 {
        self.state.uptime_then + (self.state.clock - self.state.on_since) * 100
    }

    /// What is wrong with which part, and whether it stops the printer.
    fn wrong(&self) -> BTreeMap<(Trouble, Row), bool> {
        let mut wrong = BTreeMap::new();
        for row in self.facts.covers.keys().filter(|row| self.is_planned_for(What::Cover, row)) {
            wrong.insert((Trouble::Cover, row.clone()), true);
        }
        if self.state.clock < self.state.jammed_until || self.is_planned(What::Jam).is_some() {
            wrong.insert((Trouble::Jam, Row::new(&[1])), true);
        }
        for (row, tray) in &self.facts.trays {
            let sheets = self.sheets_in(row);
            if sheets == 0 {
                // As long as another tray holds the same paper the printer goes on.
                let same = self.facts.trays.iter().filter(|(_, other)| other.size == tray.size);
                let critical = same.map(|(row, _)| self.sheets_in(row)).sum::<u64>() == 0;
                wrong.insert((Trouble::TrayEmpty, row.clone()), critical);
            } else if sheets * 10 < tray.capacity {
                wrong.insert((Trouble::TrayLow, row.clone()), false);
            }
        }
        for supply in &self.model.supply {
            let Some(facts) = self.facts.supplies.get(&supply.row) else { continue };
            let (low, out) = match facts.kind {
                Kind::Toner | Kind::Ink => (Trouble::SupplyLow, Trouble::SupplyOut),
                Kind::WasteToner | Kind::WasteInk => (Trouble::WasteNearFull, Trouble::WasteFull),
                Kind::Part => (Trouble::PartLow, Trouble::PartOver),
            };
            match self.percent_left(supply) {
                0 => wrong.insert((out, supply.row.clone()), out != Trouble::PartOver),
                left if left <= supply.low => wrong.insert((low, supply.row.clone()), false),
                _ => None,
            };
        }
        wrong
    }

    fn sheets_in(&self, tray: &Row) -> u64 {
        if self.is_planned_for(What::Empty, tray) {
            return 0;
        }
        self.state.sheets.get(tray).copied().unwrap_or_default()
    }

    /// In the device's steps, rounded up: nought means empty.
    fn percent_left(&self, supply: &model::SupplyModel) -> u64 {
        let used = self.state.used.get(&supply.row).copied().unwrap_or_default().min(supply.lasts);
        let left = ((supply.lasts - used) * 100).div_ceil(supply.lasts.max(1));
        (left.div_ceil(supply.step.max(1)) * supply.step.max(1)).min(100)
    }

    fn begin_job(&mut self) {
        let mix = self.model.mix.clone();
        let draw = self.below(100 + mix.scan);
        let service = match draw {
            draw if draw < mix.copy => "copy",
            draw if draw < mix.copy + mix.fax => ["fax", "send-fax"][usize::from(self.below(2) == 0)],
            draw if draw < 100 => "print",
            _ => "send",
        };
        let office = matches!(service, "print" | "copy");
        let job = Job {
            service: service.to_owned(),
            color: service != "fax" && service != "send-fax" && self.below(100) < mix.color,
            size: if office { self.some_size() } else { mix.usual_size().to_owned() },
            two_sided: office && self.below(100) < mix.two_sided,
            pages: 1 + self.below(if office { 12 } else { 4 }),
            adf: self.below(4) > 0,
        };
        self.state.next_job = self.state.clock + self.pause(job.pages);
        self.state.job = Some(job);
    }

    /// Seconds to the next job after one of so many pages.
    fn pause(&mut self, pages: u64) -> u64 {
        let average = pages * 3600 / self.plan.pace.max(1);
        average * (40 + self.below(121)) / 100
    }

    fn some_size(&mut self) -> String {
        let mut draw = self.below(100);
        for (size, share) in &self.model.mix.sizes {
            match draw.checked_sub(*share) {
                Some(rest) => draw = rest,
                None => return size.clone(),
            }
        }
        self.model.mix.usual_size().to_owned()
    }

    /// One second of a job.
    fn work(&mut self) {
        let Some(mut job) = self.state.job.take() else { return };
        self.state.busy = self.state.clock;
        if matches!(job.service.as_str(), "send" | "send-fax") {
            let service = if job.service == "send" { "send" } else { "fax" };
            self.happen(Event::Scan { service, color: job.color, adf: job.adf });
            job.pages -= 1;
        } else {
            self.state.progress += self.model.pages_per_minute;
            while job.pages > 0 {
                let two_sided = job.two_sided && job.pages > 1;
                let pages = if two_sided { 2 } else { 1 };
                if self.state.progress < pages * 60 || !self.take_sheet(&job.size) {
                    break;
                }
                self.state.progress -= pages * 60;
                job.pages -= pages;
                for _ in 0..if job.service == "copy" { pages } else { 0 } {
                    self.happen(Event::Scan { service: "copy", color: job.color, adf: job.adf });
                }
                self.happen(Event::Sheet { service: &job.service, color: job.color, size: &job.size, two_sided });
                if self.model.sheets_per_jam.is_some_and(|sheets| self.below(sheets) == 0) {
                    self.happen(Event::Jam);
                    self.state.jammed_until = self.state.clock + 45 + self.below(180);
                    break;
                }
            }
        }
        if job.pages > 0 {
            self.state.job = Some(job);
        } else {
            self.state.progress = 0;
        }
    }

    /// Whether there was a sheet to take; paper of a size without a tray comes by hand.
    fn take_sheet(&mut self, size: &str) -> bool {
        let trays = || self.facts.trays.iter().filter(|(_, tray)| tray.size == size);
        if trays().next().is_none() {
            return true;
        }
        let Some(tray) = trays().map(|(row, _)| row.clone()).find(|row| self.sheets_in(row) > 0) else { return false };
        if let Some(sheets) = self.state.sheets.get_mut(&tray) {
            *sheets -= 1;
        }
        true
    }

    /// Counts an event and uses up what it uses.
    fn happen(&mut self, event: Event<'_>) {
        self.count(event, 1);
        for supply in &self.model.supply {
            let used = self.state.used.entry(supply.row.clone()).or_default();
            *used = (*used + supply.used_by.raised_by(event)).min(supply.lasts);
        }
    }

    fn count(&mut self, event: Event<'_>, times: u64) {
        for (spot, count) in &self.model.counters {
            let raised = count.raised_by(event) * times;
            if raised > 0 {
                *self.state.counters.entry(spot.clone()).or_default() += raised;
            }
        }
    }

    /// Counts impressions made long ago, shared out as the mix says; what can not be shared out is printed plainly.
    fn remember(&mut self, impressions: u64) {
        let mix = self.model.mix.clone();
        let usual = mix.usual_size().to_owned();
        let before = self.state.counters.clone();
        let mut left = impressions;
        let shares = [("copy", mix.copy), ("fax", mix.fax), ("print", 100 - mix.copy - mix.fax)];
        for (service, share) in shares {
            for (color, size, two_sided) in combinations(&mix) {
                let fax = service == "fax";
                if fax && (color || two_sided || size != usual) {
                    continue;
                }
                let of_color = if color { mix.color } else { 100 - mix.color };
                let of_sides = if two_sided { mix.two_sided } else { 100 - mix.two_sided };
                let of_size = mix.sizes.get(size).copied().unwrap_or_default();
                let percent = if fax { 1_000_000 } else { of_color * of_sides * of_size };
                let sides = if two_sided { 2 } else { 1 };
                let sheets = impressions * share * percent / 100_000_000 / sides;
                self.count(Event::Sheet { service, color, size, two_sided }, sheets);
                if service == "copy" {
                    self.count(Event::Scan { service, color, adf: true }, sheets * sides);
                }
                left -= sheets * sides;
            }
        }
        let color = mix.color > 50;
        self.count(Event::Sheet { service: "print", color, size: &usual, two_sided: false }, left);
        self.count(Event::Scan { service: "send", color, adf: true }, impressions * mix.scan / 100);
        self.count(Event::Jam, self.model.sheets_per_jam.map_or(0, |sheets| impressions / sheets));
        // That was before it was switched on last.
        for (spot, _) in self.model.counters.iter().filter(|(_, count)| count.since_power_on) {
            self.state.counters.insert(spot.clone(), before.get(spot).copied().unwrap_or_default());
        }
    }

    /// A number below `limit`, by splitmix64: no two lives with different seeds are alike.
    fn below(&mut self, limit: u64) -> u64 {
        self.state.random = self.state.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}

/// Seconds from sleep, or from switching on, to the first page.
const WARM_UP: u64 = 15;

fn combinations(mix: &model::Mix) -> impl Iterator<Item = (bool, &str, bool)> {
    let colors = [false, true].into_iter();
    colors.flat_map(|color| {
        mix.sizes.keys().flat_map(move |size| [false, true].map(|two_sided| (color, size.as_str(), two_sided)))
    })
}

/// The keys of `fresh`, with the values of `kept` where it has them.
fn with_keys_of<K: Ord>(fresh: BTreeMap<K, u64>, kept: &BTreeMap<K, u64>) -> BTreeMap<K, u64> {
    fresh
        .into_iter()
        .map(|(key, value)| {
            let value = kept.get(&key).copied().unwrap_or(value);
            (key, value)
        })
        .collect()
}
