//! Whether a system that has started is good enough to stay: what has to work, for how long it is waited for, and what is said of
//! what does not.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A system on trial that is not good after so long goes back.
pub const PATIENCE: Duration = Duration::from_secs(12 * 60);
/// So often in a row everything has to be well: a program that dies at once and is restarted looks well for a moment.
const IN_A_ROW: u32 = 3;

/// What was seen of the system.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// Units that do not run.
    pub units_down: Vec<String>,
    /// What is wrong with the page.
    pub page_fault: Option<String>,
    /// What is wrong with the data partition.
    pub data_fault: Option<String>,
    /// Whether the box has an address that others gave it.
    pub has_address: bool,
    /// Whether the manager has taken something since the start.
    pub manager_reached: bool,
}

/// What has to work beside units, page and data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Needs {
    /// An address: it had one before the update.
    pub address: bool,
    /// The manager: it was reached before the update.
    pub manager: bool,
}

/// What does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A part of the system does not run.
    Unit(String),
    /// The page does not answer.
    Page(String),
    /// Nothing can be kept.
    Data(String),
    /// There is no address, and there was one.
    NoAddress,
    /// The manager is not reached, and it was.
    NoManager,
    /// The system was not written to the card to its end.
    NotInstalled,
    /// This version was found in its place.
    OtherVersion(String),
    /// The system did not start.
    NotStarted,
    /// The system restarted before it was found good.
    CutShort,
}

/// A started system is one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It runs for the first time and may go back.
    OnTrial(Needs),
    /// It was good before. It does not go back for a cable that is missing or a card that is failing: the other system would
    /// have neither.
    Settled,
}

/// Watches one start.
#[derive(Debug, Clone)]
pub struct Watch {
    kind: Kind,
    began: Duration,
    good_in_a_row: u32,
    verdict: Verdict,
}

/// What is known so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Verdict {
    /// Nothing yet.
    #[default]
    Open,
    /// It is good and stays.
    Good,
    /// It is not, for these reasons; one on trial goes back.
    Bad(Vec<Fault>),
}

impl Watch {
    /// From this moment on.
    pub fn new(kind: Kind, now: Duration) -> Self {
        Self { kind, began: now, good_in_a_row: 0, verdict: Verdict::Open }
    }

    /// What is wrong with what was seen, for a system of this kind.
    pub fn faults(&self, seen: &Seen) -> Vec<Fault> {
        let mut faults: Vec<_> = seen.units_down.iter().cloned().map(Fault::Unit).collect();
        faults.extend(seen.page_fault.clone().map(Fault::Page));
        if let Kind::OnTrial(needs) = self.kind {
            faults.extend(seen.data_fault.clone().map(Fault::Data));
            faults.extend((needs.address && !seen.has_address).then_some(Fault::NoAddress));
            faults.extend((needs.manager && !seen.manager_reached).then_some(Fault::NoManager));
        }
        faults
    }

    /// Takes what was seen. Once it is known, what comes of it does not change any more.
    pub fn handle_seen(&mut self, now: Duration, seen: &Seen) -> &Verdict {
        if matches!(self.verdict, Verdict::Good) || (self.is_on_trial() && matches!(self.verdict, Verdict::Bad(_))) {
            return &self.verdict;
        }
        let faults = self.faults(seen);
        if faults.is_empty() {
            self.good_in_a_row += 1;
            if self.good_in_a_row >= IN_A_ROW {
                self.verdict = Verdict::Good;
            }
            return &self.verdict;
        }
        self.good_in_a_row = 0;
        if now.saturating_sub(self.began) >= PATIENCE {
            self.verdict = Verdict::Bad(faults);
        }
        &self.verdict
    }

    /// Whether it may go back.
    pub fn is_on_trial(&self) -> bool {
        matches!(self.kind, Kind::OnTrial(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_secs(10);

    fn well() -> Seen {
        Seen { has_address: true, manager_reached: true, ..Seen::default() }
    }

    /// Watches with one look a step until it is known what comes of it.
    fn watch(kind: Kind, mut seen: impl FnMut(u32) -> Seen) -> (Verdict, Duration) {
        let mut watch = Watch::new(kind, Duration::ZERO);
        for step in 0..200 {
            let verdict = watch.handle_seen(STEP * step, &seen(step)).clone();
            if verdict != Verdict::Open {
                return (verdict, STEP * step);
            }
        }
        (Verdict::Open, STEP * 200)
    }

    #[test]
    fn a_good_system_stays() {
        let needs = Needs { address: true, manager: true };
        assert_eq!(watch(Kind::OnTrial(needs), |_| well()), (Verdict::Good, STEP * 2));
        // The manager is reached a little later.
        let late = |step| Seen { manager_reached: step > 5, ..well() };
        assert_eq!(watch(Kind::OnTrial(needs), late), (Verdict::Good, STEP * 8));
    }

    #[test]
    fn a_system_on_trial_goes_back_and_says_why() {
        let needs = Needs { address: true, manager: true };
        let cut_off = |_| Seen::default();
        let (verdict, at) = watch(Kind::OnTrial(needs), cut_off);
        assert_eq!(verdict, Verdict::Bad(vec![Fault::NoAddress, Fault::NoManager]));
        assert!(at <= Duration::from_secs(15 * 60));
        assert_eq!(
            watch(Kind::OnTrial(Needs::default()), cut_off).0,
            Verdict::Good,
            "what was not there is not missed"
        );
        // What dies again and again is never good.
        let flapping = |step: u32| Seen { units_down: vec!["agentd.service".into(); (step % 2) as usize], ..well() };
        assert!(matches!(watch(Kind::OnTrial(needs), flapping).0, Verdict::Bad(_)));
        let full = |_| Seen { data_fault: Some("full".into()), ..well() };
        assert!(matches!(watch(Kind::OnTrial(needs), full).0, Verdict::Bad(_)));
    }

    #[test]
    fn a_settled_system_bears_much_and_may_recover() {
        let lonely = |_| Seen { data_fault: Some("full".into()), ..Seen::default() };
        assert_eq!(watch(Kind::Settled, lonely).0, Verdict::Good);
        let mut watch = Watch::new(Kind::Settled, Duration::ZERO);
        let down = Seen { page_fault: Some("silent".into()), ..well() };
        assert!(matches!(watch.handle_seen(PATIENCE, &down), Verdict::Bad(_)));
        for _ in 0..3 {
            watch.handle_seen(PATIENCE, &well());
        }
        assert_eq!(watch.handle_seen(PATIENCE, &down), &Verdict::Good);
    }
}
