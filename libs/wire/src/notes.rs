//! What an agent has noticed beside what its devices say: remarks, what only a person can decide, what happened when.
//!
//! Codes and kinds are open vocabularies, so that a further one needs no other form of the documents: a manager that does not
//! know it shows it as it stands.

use jiff::Timestamp;

use crate::device::DeviceId;
use crate::vocab::{DoubtKind, EventKind, RemarkCode};

/// A short statement that holds until it is left out: of an agent about itself, or about one of its devices.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Remark {
    /// What it is about, for programs.
    pub code: RemarkCode,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// The particulars, for people; of a code that has words of its own only what has to be put into them.
    pub text: String,
}

impl Remark {
    /// Whether it is about something that is wrong; the others only explain.
    pub fn is_trouble(&self) -> bool {
        let explains = [RemarkCode::NoProfile, RemarkCode::PolledLessSilent, RemarkCode::PolledLessSlow];
        !explains.contains(&self.code)
    }
}

/// Whether this device is the same as one that was known before: for a person to decide.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// What makes it a question.
    pub doubt: DoubtKind,
    /// The agent's name of the device that was known before.
    pub older: DeviceId,
    /// Since when it is open.
    pub asked_at: Timestamp,
}

/// What holds of a device beside what it says. A later one replaces all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Notes {
    /// What is odd about it or about reading it.
    pub remarks: Vec<Remark>,
    /// What is open about it.
    pub questions: Vec<Question>,
}

/// Something that happened to a device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// What was before, or what it is about; empty where there is nothing.
    pub before: String,
    /// What is since; empty where there is nothing.
    pub after: String,
}

/// Two names of an agent's have turned out to mean one device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SameDevice {
    /// The name that is given up; it is never given again.
    pub gone: DeviceId,
    /// The name under which the device goes on.
    pub stays: DeviceId,
}
