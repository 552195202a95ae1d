//! What the keeper of the configuration has done by others, and what it waits in, by name.

use crate::config::Config;
use crate::plan::Plan;

/// What the caller has to do, one at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write the pending configuration to disk.
    KeepPending(Config),
    /// Write the plan where systemd-networkd reads it, and let it.
    Apply(Plan),
    /// Make the committed configuration the previous one and the pending one the committed one; the latter at a single stroke.
    Commit,
    /// Put the pending configuration away.
    Discard,
    /// Make this the committed configuration, and the committed one the previous; put everything else away.
    Replace(Config),
    /// Write the configuration that waits for the next start of the machine.
    Plan(Config),
    /// Put that away.
    Withdraw,
    /// Make it the pending one, at a single stroke.
    Activate,
}

/// Everything that is done, by name, and what of it has a middle. Tests stop the program before, within and after each.
pub const STEPS: [&str; 8] = ["keep", "apply", "commit", "discard", "replace", "plan", "withdraw", "activate"];
/// Steps that change more than one thing.
pub const STEPS_WITH_A_MIDDLE: [&str; 3] = ["apply", "commit", "replace"];
/// Everything that is waited in, by name. Tests stop the program in each.
pub const WAITS: [&str; 8] = ["idle", "settle", "verify", "check", "appear", "await", "linger", "plug"];

impl Action {
    /// Its name, one of [`STEPS`].
    pub fn step(&self) -> &'static str {
        match self {
            Self::KeepPending(_) => "keep",
            Self::Apply(_) => "apply",
            Self::Commit => "commit",
            Self::Discard => "discard",
            Self::Replace(_) => "replace",
            Self::Plan(_) => "plan",
            Self::Withdraw => "withdraw",
            Self::Activate => "activate",
        }
    }
}
