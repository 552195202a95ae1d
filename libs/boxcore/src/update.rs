//! Updates: which bundle may be installed, and what became of the last one. The record of it lies on the data partition, which both
//! systems share.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::health::{Fault, Needs};

pub use semver::Version;

/// Largest bundle that is taken.
pub const LARGEST: u64 = 256 << 20;
/// Largest record that is worth reading.
const LARGEST_RECORD: usize = 64 << 10;
/// What is left free on the data partition when a bundle has been copied to it: the agent goes on writing meanwhile.
pub const HEADROOM: u64 = 16 << 20;

/// What a bundle says of itself, after its signature was found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// For which boxes it is.
    pub compatible: String,
    /// Its version, as written.
    pub version: String,
}

/// What is there.
#[derive(Debug, Clone)]
pub struct Running<'a> {
    /// For which bundles this box is.
    pub compatible: &'a str,
    /// The running version.
    pub version: &'a Version,
    /// The last update.
    pub last: Option<&'a Record>,
}

/// How someone wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// A person on the page.
    Asked,
    /// A person who has read that the bundle is older or the same.
    AskedAgain,
    /// A stick that was plugged in.
    Found,
}

/// Why a bundle is not installed.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Refusal {
    #[error("the file is for {is}, this box is {box_is}: take the bundle for this kind of box")]
    WrongBoard { is: String, box_is: String },
    #[error("version {is} is older than the running version {running}: it is installed only when that is asked for")]
    Older { is: String, running: String },
    #[error("version {is} runs already")]
    Same { is: String },
    #[error("version {is} was tried and went back: take a later one, or install it on the page")]
    WentBack { is: String },
    #[error("the bundle's version `{is}` is no version")]
    NoVersion { is: String },
    #[error("the file is {size} bytes large; a bundle has at most {LARGEST}")]
    TooLarge { size: u64 },
    #[error("there are {free} bytes free and {needed} needed: the storage is full")]
    Full { free: u64, needed: u64 },
    #[error("the bundle is not whole or its signature does not hold: {why}")]
    NotTrusted { why: String },
    #[error("the file cannot be read: {why}")]
    Unread { why: String },
    #[error("the update service does not work: {why}")]
    NoInstaller { why: String },
    #[error("an update is being installed already")]
    Busy,
    #[error("an update waits for the restart")]
    WaitsForRestart,
    #[error("the present version is not yet found good; this takes a few minutes after a start")]
    OnTrial,
    #[error("the data partition does not work, so nothing can be installed")]
    NoData,
}

impl Refusal {
    /// Whether it is about the bundle itself: another one may be taken.
    pub fn is_of_bundle(&self) -> bool {
        match self {
            Self::WrongBoard { .. } | Self::Older { .. } | Self::Same { .. } | Self::WentBack { .. } => true,
            Self::NoVersion { .. } | Self::TooLarge { .. } | Self::NotTrusted { .. } | Self::Unread { .. } => true,
            Self::Full { .. } | Self::NoInstaller { .. } | Self::NoData => false,
            Self::Busy | Self::WaitsForRestart | Self::OnTrial => false,
        }
    }
}

/// Bundles as their names tell them apart, before anything is known of their signatures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// Those that are worth a try: the latest version first, and last those with names of people's own.
    pub worth: Vec<String>,
    /// Those for other boxes.
    pub foreign: Vec<String>,
}

impl Choice {
    /// Of bundles for a box of this kind.
    pub fn of(names: Vec<String>, board: &str) -> Self {
        let mut versions = Vec::new();
        let mut choice = Self::default();
        let mut others = Vec::new();
        for name in names {
            match board_and_version(&name) {
                Some((is_for, _)) if is_for != board => choice.foreign.push(name),
                Some((_, version)) => versions.push((version, name)),
                None => others.push(name),
            }
        }
        versions.sort_by(|(one, _), (other, _)| other.cmp(one));
        others.sort();
        choice.worth = versions.into_iter().map(|(_, name)| name).chain(others).collect();
        choice
    }
}

/// What a bundle's name says, if it is as it was built: `druckwart-<board>-<version>.raucb`.
fn board_and_version(name: &str) -> Option<(&str, Version)> {
    let (board, rest) = name.strip_prefix("druckwart-")?.split_once('-')?;
    let (version, ending) = rest.rsplit_once('.')?;
    if !ending.eq_ignore_ascii_case("raucb") {
        return None;
    }
    Some((board, Version::parse(version).ok()?))
}

/// Whether a file is of a size that can be taken.
pub fn may_copy(size: u64, free: u64) -> Result<(), Refusal> {
    if size > LARGEST {
        return Err(Refusal::TooLarge { size });
    }
    let needed = size.saturating_add(HEADROOM);
    if free < needed { Err(Refusal::Full { free, needed }) } else { Ok(()) }
}

/// Whether a bundle may be installed.
pub fn may_install(bundle: &Bundle, running: &Running<'_>, wish: Wish) -> Result<Version, Refusal> {
    if bundle.compatible != running.compatible {
        return Err(Refusal::WrongBoard { is: shortened(&bundle.compatible), box_is: running.compatible.to_owned() });
    }
    let is = shortened(&bundle.version);
    let Ok(version) = Version::parse(&bundle.version) else { return Err(Refusal::NoVersion { is }) };
    match version.cmp_precedence(running.version) {
        _ if wish == Wish::AskedAgain => {}
        std::cmp::Ordering::Less => return Err(Refusal::Older { is, running: running.version.to_string() }),
        std::cmp::Ordering::Equal => return Err(Refusal::Same { is }),
        std::cmp::Ordering::Greater => {}
    }
    // A stick that stays plugged in must not install what does not work again and again.
    let failed = |record: &&Record| record.has_failed() && record.to == bundle.version;
    if wish == Wish::Found && running.last.filter(failed).is_some() {
        return Err(Refusal::WentBack { is });
    }
    Ok(version)
}

fn shortened(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(80).collect()
}

/// The last update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The version before it.
    pub from: String,
    /// The version that it brought.
    pub to: String,
    /// The boot loader's name of the slot that it was written to.
    pub slot: String,
    /// When it was installed, in seconds since 1970.
    pub at: u64,
    /// The start of the machine during which it was installed: only another one decides what becomes of it.
    #[serde(default)]
    pub installed_in: String,
    /// What has to work with it.
    pub needs: Needs,
    /// How far it is.
    pub stage: Stage,
}

/// How far an update is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It is being written to the card. It may be whole, and chosen by the boot loader, before anyone hears of it.
    Installing,
    /// It is on the card; the next start tries it.
    Installed,
    /// It was started and is being watched.
    OnTrial,
    /// It stays.
    Good,
    /// It was good, and the boot loader has taken the system before it all the same: several starts in a row did not come far
    /// enough.
    FellBack,
    /// It is being left for these reasons.
    Leaving(Vec<Fault>),
    /// The system before it is back, for these reasons.
    WentBack(Vec<Fault>),
}

/// What a start means for the last update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Nothing: there was none, or it ended before.
    Settled,
    /// It is the update's first start, or another one before it was found good.
    Trial(Needs),
    /// The system before it is back.
    Back,
}

/// A start of the machine.
#[derive(Debug, Clone, Copy)]
pub struct Booted<'a> {
    /// The boot loader's name of the slot that runs.
    pub slot: &'a str,
    /// The version that runs.
    pub version: &'a Version,
    /// What the kernel calls this start.
    pub start: &'a str,
}

impl Record {
    /// Takes a start into the record.
    pub fn handle_start(&mut self, booted: Booted<'_>) -> Start {
        let is_there = self.slot == booted.slot;
        let is_other = Version::parse(&self.to).is_ok_and(|to| to.cmp_precedence(booted.version).is_ne());
        match (&mut self.stage, is_there) {
            // Whoever keeps the record has come back, and the machine has not started since.
            (Stage::Installing | Stage::Installed, _) if self.installed_in == booted.start => Start::Settled,
            // What lies there was good before, or nobody knows of it: it is no update to be tried.
            (Stage::WentBack(_), true) if is_other => Start::Settled,
            (Stage::Installing, true) if is_other => self.go_back(vec![Fault::NotInstalled]),
            (_, true) if is_other => self.go_back(vec![Fault::OtherVersion(booted.version.to_string())]),
            (Stage::Good, true) | (Stage::FellBack | Stage::WentBack(_), false) => Start::Settled,
            (Stage::Good, false) => {
                self.stage = Stage::FellBack;
                Start::Back
            }
            (Stage::FellBack, true) => {
                self.stage = Stage::Good;
                Start::Settled
            }
            // It was never found good, and no other system started: another trial is better than none.
            (Stage::Installing | Stage::Installed | Stage::OnTrial | Stage::WentBack(_), true) => {
                self.stage = Stage::OnTrial;
                Start::Trial(self.needs)
            }
            // In the same way; the reasons stay until it gets away from it.
            (Stage::Leaving(_), true) => Start::Trial(self.needs),
            (Stage::Leaving(why), false) => {
                let why = std::mem::take(why);
                self.go_back(why)
            }
            (Stage::Installing, false) => self.go_back(vec![Fault::NotInstalled]),
            (Stage::Installed, false) => self.go_back(vec![Fault::NotStarted]),
            (Stage::OnTrial, false) => self.go_back(vec![Fault::CutShort]),
        }
    }

    fn go_back(&mut self, why: Vec<Fault>) -> Start {
        self.stage = Stage::WentBack(why);
        Start::Back
    }

    /// Whether it was started and did not work. One that never was on the card whole may do so yet.
    fn has_failed(&self) -> bool {
        match &self.stage {
            Stage::FellBack => true,
            Stage::WentBack(why) => *why != [Fault::NotInstalled],
            _ => false,
        }
    }

    /// As its file.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("words, numbers and lists have a JSON form") + "\n"
    }

    /// From its file; one that a power cut or a failing card has spoilt is none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= LARGEST_RECORD).then(|| serde_json::from_slice(bytes).ok())?
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(stage: Stage) -> Record {
        Record {
            from: "1.0.0".into(),
            to: "1.1.0".into(),
            slot: "B".into(),
            at: 1_800_000_000,
            installed_in: "first".into(),
            needs: Needs { address: true, manager: false },
            stage,
        }
    }

    #[test]
    fn bundles_are_weighed() {
        let version = Version::parse("1.1.0").unwrap();
        let went_back = Record { to: "1.2.0".into(), ..record(Stage::WentBack(vec![])) };
        let running = Running { compatible: "druckwart-pi64", version: &version, last: Some(&went_back) };
        let weigh = |compatible: &str, version: &str, wish| {
            may_install(&Bundle { compatible: compatible.into(), version: version.into() }, &running, wish)
        };
        assert!(weigh("druckwart-pi64", "1.3.0", Wish::Found).is_ok());
        assert!(matches!(weigh("druckwart-pi2", "1.3.0", Wish::AskedAgain), Err(Refusal::WrongBoard { .. })));
        assert!(matches!(weigh("druckwart-pi64", "1.0.9", Wish::Asked), Err(Refusal::Older { .. })));
        assert!(matches!(weigh("druckwart-pi64", "1.1.0-rc.1", Wish::Asked), Err(Refusal::Older { .. })));
        assert!(matches!(weigh("druckwart-pi64", "1.1.0", Wish::Found), Err(Refusal::Same { .. })));
        assert!(weigh("druckwart-pi64", "1.0.9", Wish::AskedAgain).is_ok());
        assert!(matches!(weigh("druckwart-pi64", "latest", Wish::AskedAgain), Err(Refusal::NoVersion { .. })));
        assert!(matches!(weigh("druckwart-pi64", "1.2.0", Wish::Found), Err(Refusal::WentBack { .. })));
        assert!(weigh("druckwart-pi64", "1.2.0", Wish::Asked).is_ok(), "a person may try again");
        let fell_back = Record { stage: Stage::FellBack, ..went_back.clone() };
        let running = Running { last: Some(&fell_back), ..running };
        let bundle = Bundle { compatible: "druckwart-pi64".into(), version: "1.2.0".into() };
        assert!(matches!(may_install(&bundle, &running, Wish::Found), Err(Refusal::WentBack { .. })));
        assert!(may_install(&bundle, &running, Wish::Asked).is_ok(), "a person may bring it once more");
        let cut_off = Record { stage: Stage::WentBack(vec![Fault::NotInstalled]), ..went_back.clone() };
        let running = Running { last: Some(&cut_off), ..running };
        assert!(may_install(&bundle, &running, Wish::Found).is_ok(), "a stick may finish what it has begun");
    }

    #[test]
    fn of_several_bundles_the_latest_for_this_box_comes_first() {
        let names = [
            "another.raucb",
            "druckwart-pi2-9.0.0.raucb",
            "druckwart-pi64-1.10.0-rc.1.raucb",
            "druckwart-pi64-1.10.0.raucb",
            "druckwart-pi64-1.9.0.RAUCB",
            "druckwart-pi64-latest.raucb",
            "a.raucb",
        ];
        let choice = Choice::of(names.map(str::to_owned).to_vec(), "pi64");
        assert_eq!(
            choice.worth,
            [
                "druckwart-pi64-1.10.0.raucb",
                "druckwart-pi64-1.10.0-rc.1.raucb",
                "druckwart-pi64-1.9.0.RAUCB",
                "a.raucb",
                "another.raucb",
                "druckwart-pi64-latest.raucb",
            ]
        );
        assert_eq!(choice.foreign, ["druckwart-pi2-9.0.0.raucb"]);
    }

    #[test]
    fn there_has_to_be_room() {
        assert_eq!(may_copy(30 << 20, 100 << 20), Ok(()));
        assert!(matches!(may_copy(30 << 20, 40 << 20), Err(Refusal::Full { .. })));
        assert!(matches!(may_copy(LARGEST + 1, u64::MAX), Err(Refusal::TooLarge { .. })));
    }

    fn start_of(record: &mut Record, slot: &str, version: &str, start: &str) -> Start {
        record.handle_start(Booted { slot, version: &Version::parse(version).unwrap(), start })
    }

    #[test]
    fn every_stage_means_something_at_a_start_of_either_slot() {
        let went_back = |fault| Stage::WentBack(vec![fault]);
        let trial = || Start::Trial(record(Stage::Good).needs);
        let version = |slot| if slot == "B" { "1.1.0" } else { "1.0.0" };
        for (before, booted, start, after) in [
            (Stage::Installing, "B", trial(), Stage::OnTrial),
            (Stage::Installing, "A", Start::Back, went_back(Fault::NotInstalled)),
            (Stage::Installed, "B", trial(), Stage::OnTrial),
            (Stage::Installed, "A", Start::Back, went_back(Fault::NotStarted)),
            (Stage::OnTrial, "B", trial(), Stage::OnTrial),
            (Stage::OnTrial, "A", Start::Back, went_back(Fault::CutShort)),
            (Stage::Leaving(vec![Fault::NoManager]), "B", trial(), Stage::Leaving(vec![Fault::NoManager])),
            (Stage::Leaving(vec![Fault::NoManager]), "A", Start::Back, went_back(Fault::NoManager)),
            (went_back(Fault::NotStarted), "B", trial(), Stage::OnTrial),
            (went_back(Fault::NotStarted), "A", Start::Settled, went_back(Fault::NotStarted)),
            (Stage::Good, "B", Start::Settled, Stage::Good),
            (Stage::Good, "A", Start::Back, Stage::FellBack),
            (Stage::FellBack, "A", Start::Settled, Stage::FellBack),
            (Stage::FellBack, "B", Start::Settled, Stage::Good),
        ] {
            let mut record = record(before.clone());
            assert_eq!(start_of(&mut record, booted, version(booted), "second"), start, "{before:?} in {booted}");
            assert_eq!(record.stage, after, "{before:?} in {booted}");
            // A keeper that dies and comes back finds the same.
            start_of(&mut record, booted, version(booted), "second");
            assert_eq!(record.stage, after, "{before:?} in {booted}, once more");
        }
    }

    #[test]
    fn another_version_in_its_slot_is_not_the_update() {
        let went_back = |fault| Stage::WentBack(vec![fault]);
        let other = || Fault::OtherVersion("0.9.0".into());
        for (before, after) in [
            (Stage::Installing, went_back(Fault::NotInstalled)),
            (Stage::Installed, went_back(other())),
            (Stage::OnTrial, went_back(other())),
            (Stage::Leaving(vec![Fault::NoManager]), went_back(other())),
            (Stage::Good, went_back(other())),
            (Stage::FellBack, went_back(other())),
            (went_back(Fault::NotStarted), went_back(Fault::NotStarted)),
        ] {
            let mut record = record(before.clone());
            assert!(!matches!(start_of(&mut record, "B", "0.9.0", "second"), Start::Trial(_)), "{before:?}");
            assert_eq!(record.stage, after, "{before:?}");
            assert_eq!(start_of(&mut record, "B", "0.9.0", "third"), Start::Settled, "{before:?}");
        }
        // What was built of the same sources is the same.
        let mut built_again = record(Stage::Installed);
        assert!(matches!(start_of(&mut built_again, "B", "1.1.0+2", "second"), Start::Trial(_)));
    }

    #[test]
    fn what_was_installed_waits_for_a_start_of_the_machine() {
        for stage in [Stage::Installing, Stage::Installed] {
            let mut waiting = record(stage.clone());
            assert_eq!(start_of(&mut waiting, "A", "1.0.0", "first"), Start::Settled);
            assert_eq!(waiting.stage, stage, "only its keeper has started");
            assert!(matches!(start_of(&mut waiting, "B", "1.1.0", "second"), Start::Trial(needs) if needs.address));
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for stage in [Stage::Installed, Stage::Leaving(vec![Fault::Unit("agentd.service".into()), Fault::NoAddress])] {
            let record = record(stage);
            assert_eq!(Record::decode(record.encode().as_bytes()), Some(record));
        }
        assert_eq!(Record::decode(&[0; 512]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_record_or_none(bytes: Vec<u8>) {
            let _ = Record::decode(&bytes);
        }

        #[test]
        fn any_name_is_worth_a_try(names in proptest::collection::vec("(druckwart-)?.{0,30}", 0..5)) {
            let Choice { worth, foreign } = Choice::of(names.clone(), "pi64");
            prop_assert_eq!(worth.len() + foreign.len(), names.len());
        }
    }
}
