//! The trial against a simulated box: a disk, a systemd-networkd and a cable that all may fail, a netcfgd that is killed
//! between any two of its actions and within them, power cuts. Whatever happened, the box ends up with what was confirmed last.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::net::IpAddr;
use std::time::Duration;

use netcfg::config::{Config, Form};
use netcfg::disk::{Found, decode, encode};
use netcfg::plan::{Plan, Port};
use netcfg::probe::Outcome;
use netcfg::request::{Answer, Ending, Link, LinkAddress, Refusal, Request, Stage, Status, Warning};
use netcfg::trial::{Action, Keeper};
use proptest::prelude::*;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const LEASED: &str = "192.168.1.100";
/// The longest from any state to the committed configuration when nobody does anything: check, appearing, time to confirm with
/// its extension, lingering, and three rounds of bringing up.
const LONGEST: u64 = 8 + 15 + 120 + 180 + 30 + 3 * 6;

fn fixed(address: &str, gateway: &str) -> Form {
    Form {
        mode: "static".into(),
        address: address.into(),
        gateway: gateway.into(),
        dns: "192.168.1.1".into(),
        ..Form::default()
    }
}

fn forms() -> Vec<Form> {
    vec![
        Form { mode: "dhcp".into(), ..Form::default() },
        fixed("192.168.1.20/24", "192.168.1.1"),
        fixed("192.168.1.30/24", "192.168.1.1"),
        fixed("10.0.0.5/8", "10.0.0.1"),
        fixed(&format!("{LEASED}/24"), "192.168.1.1"),
        Form { host_name: "other".into(), ..fixed("192.168.1.20/24", "192.168.1.1") },
        fixed("192.168.1.20/24", "192.168.9.1"),
    ]
}

#[derive(Default)]
struct Disk {
    committed: Option<String>,
    previous: Option<String>,
    pending: Option<String>,
    is_full: bool,
}

/// Where netcfgd is killed: this many actions from here on, and whether before it, in the middle of it or after it.
type Kill = (u8, u8);

struct SimBox {
    now: Duration,
    disk: Disk,
    /// What systemd-networkd has read; a power cut takes it away.
    applied: Option<String>,
    written: Option<String>,
    networkd_runs: bool,
    has_cable: bool,
    keeper: Option<Keeper>,
    kill: Option<Kill>,
    serial: u64,
    /// What was confirmed last, and what has been confirmed and is being committed.
    confirmed: Config,
    becoming: Option<Config>,
}

struct Killed;

impl SimBox {
    fn new() -> Self {
        let mut this = Self {
            now: Duration::from_secs(100),
            disk: Disk::default(),
            applied: None,
            written: None,
            networkd_runs: true,
            has_cable: true,
            keeper: None,
            kill: None,
            serial: 0,
            confirmed: Config::factory(),
            becoming: None,
        };
        this.start();
        this
    }

    fn start(&mut self) {
        let read = |file: &Option<String>| file.as_ref().map(|text| decode(text.as_bytes()));
        let found = Found {
            committed: read(&self.disk.committed),
            previous: read(&self.disk.previous),
            pending: read(&self.disk.pending),
        };
        let effective = found.effective().0;
        match self.becoming.take() {
            Some(becoming) if becoming == effective => self.confirmed = effective,
            _ => assert_eq!(effective, self.confirmed, "the disk holds what was never confirmed"),
        }
        self.keeper = Some(Keeper::start(&found));
        self.settle();
    }

    /// Shows the keeper its link and carries out what it wants, until it wants nothing or is killed.
    fn settle(&mut self) {
        loop {
            let link = self.link();
            let Some(keeper) = &mut self.keeper else { return };
            keeper.handle_link(self.now, Some(link));
            keeper.handle_timeout(self.now);
            let Some(action) = keeper.poll_action(self.now) else { break };
            match self.carry_out(&action) {
                Ok(done) => {
                    if let Some(keeper) = &mut self.keeper {
                        keeper.handle_done(self.now, done);
                    }
                }
                Err(Killed) => {
                    self.keeper = None;
                    return;
                }
            }
        }
        self.check();
    }

    fn carry_out(&mut self, action: &Action) -> Result<Result<(), String>, Killed> {
        let kill = match &mut self.kill {
            Some((0, place)) => Some(*place % 3),
            Some((count, _)) => {
                *count -= 1;
                None
            }
            None => None,
        };
        if kill.is_some() {
            self.kill = None;
        }
        if kill == Some(0) {
            return Err(Killed);
        }
        let full = || Err("no space left".to_owned());
        let done = match action {
            Action::Apply(plan) => {
                self.written = Some(plan.file.clone());
                if kill == Some(1) {
                    return Err(Killed);
                }
                if self.networkd_runs {
                    self.applied.clone_from(&self.written);
                }
                if self.networkd_runs { Ok(()) } else { Err("no answer".to_owned()) }
            }
            _ if self.disk.is_full => full(),
            Action::KeepPending(config) => {
                self.disk.pending = Some(encode(config));
                Ok(())
            }
            Action::Commit => {
                self.disk.previous.clone_from(&self.disk.committed);
                if kill == Some(1) {
                    return Err(Killed);
                }
                self.disk.committed = self.disk.pending.take();
                self.confirmed = self.becoming.take().expect("nothing is committed that was not confirmed");
                Ok(())
            }
            Action::Discard => {
                self.disk.pending = None;
                Ok(())
            }
            Action::Replace(config) => {
                self.disk.previous.clone_from(&self.disk.committed);
                self.disk.committed = Some(encode(config));
                self.disk.pending = None;
                self.confirmed = config.clone();
                Ok(())
            }
        };
        // Whether the reset reaches the disk or not: the keeper goes by it.
        if let Action::Replace(config) = action {
            self.confirmed = if done.is_ok() { config.clone() } else { self.confirmed.clone() };
        }
        if kill.is_some() { Err(Killed) } else { Ok(done) }
    }

    fn link(&self) -> Link {
        let mut link = Link { name: "end0".into(), mac: MAC, has_carrier: self.has_cable, ..Link::default() };
        let lines = self.applied.iter().filter(|_| self.has_cable).flat_map(|file| file.lines());
        for line in lines {
            let (address, prefix, is_dynamic) = match line.split_once('=') {
                Some(("Address", address)) => {
                    let (address, prefix) = address.split_once('/').unwrap();
                    (address.parse().unwrap(), prefix.parse().unwrap(), false)
                }
                Some(("DHCP", "ipv4")) => (LEASED.parse().unwrap(), 24, true),
                _ => continue,
            };
            link.addresses.push(LinkAddress { address, prefix, is_dynamic });
        }
        link
    }

    /// What holds whenever nothing is left to do: whatever was confirmed last is still laid out.
    fn check(&self) {
        let Some(file) = &self.written else { return };
        assert!(file.contains("LinkLocalAddressing=yes") && file.contains("MulticastDNS=yes"));
        if self.disk.is_full || !self.networkd_runs {
            return;
        }
        let port = Port { name: "end0".into(), mac: MAC };
        let settled = Plan::settled(&port, &self.confirmed).file;
        for line in settled.lines().filter(|line| line.starts_with("Address=") || line.starts_with("DHCP=ipv4")) {
            assert!(file.lines().any(|found| found == line), "{line} is gone from\n{file}");
        }
    }

    fn ask(&mut self, request: Request) -> Option<Answer> {
        self.serial += 1;
        let nonce = format!("nonce-{}", self.serial);
        let answer = self.keeper.as_mut()?.handle_request(self.now, request, nonce);
        self.settle();
        Some(answer)
    }

    fn status(&mut self) -> Option<Status> {
        match self.keeper.as_mut()?.handle_request(self.now, Request::Show {}, String::new()) {
            Answer::Status(status) => Some(*status),
            other => panic!("{other:?}"),
        }
    }

    fn attempt(&mut self, form: &Form) -> Answer {
        self.ask(Request::Try { form: form.clone(), force: true }).unwrap()
    }

    fn probed(&mut self, outcome: Outcome) {
        let Some(keeper) = &mut self.keeper else { return };
        if let Some((serial, _)) = keeper.probe() {
            keeper.handle_probed(serial, outcome);
            self.settle();
        }
    }

    /// Confirms as a browser does that came by this address.
    fn confirm(&mut self, right_nonce: bool, local: Option<IpAddr>) -> Option<Answer> {
        let trial = self.status()?.trial?;
        let nonce = if right_nonce { trial.nonce } else { "guess".to_owned() };
        let local = local.or(trial.at.first().copied()).unwrap_or(IpAddr::from([127, 0, 0, 1]));
        let answer = self.keeper.as_mut()?.handle_request(self.now, Request::Confirm { nonce, local }, String::new());
        if answer == (Answer::Done {}) && trial.stage == Stage::Awaiting {
            assert!(right_nonce && trial.at.contains(&local), "confirmed by {local}, which is none of {:?}", trial.at);
            self.becoming = trial.candidate.parse().ok();
        }
        self.settle();
        Some(answer)
    }

    fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += Duration::from_secs(1);
            self.settle();
        }
    }

    fn power_cut(&mut self) {
        self.keeper = None;
        self.kill = None;
        (self.applied, self.written) = (None, None);
        self.start();
    }

    fn crash(&mut self) {
        self.keeper = None;
        self.kill = None;
        self.start();
    }

    /// Everything works again, and nobody does anything: the box comes to rest in time, as it was confirmed last.
    fn comes_to_rest(&mut self) {
        (self.networkd_runs, self.has_cable, self.disk.is_full, self.kill) = (true, true, false, None);
        if self.keeper.is_none() {
            self.start();
        }
        self.probed(Outcome::default());
        self.wait(LONGEST);
        let keeper = self.keeper.as_ref().unwrap();
        assert!(keeper.is_idle(), "{keeper:?}");
        assert_eq!(keeper.committed(), &self.confirmed);
        let port = Port { name: "end0".into(), mac: MAC };
        let settled = Plan::settled(&port, &self.confirmed).file;
        assert!(
            self.applied.as_ref() == Some(&settled) || self.applied == Some(Plan::rescue(&port, &self.confirmed).file),
            "{:?}",
            self.applied
        );
        // One that could not be put away while the disk was full goes at the next start, and changes nothing there.
        self.crash();
        assert_eq!(self.disk.pending, None);
        assert_eq!(self.keeper.as_ref().unwrap().committed(), &self.confirmed);
    }
}

fn last(status: Option<Status>) -> Ending {
    status.unwrap().last.unwrap().ending
}

#[test]
fn a_good_change_is_kept_and_the_old_address_lingers() {
    let mut it = SimBox::new();
    let form = fixed("192.168.1.20/24", "192.168.1.1");
    assert_eq!(it.attempt(&form), Answer::Done {});
    assert_eq!(it.attempt(&form), Answer::Refused { why: Refusal::Busy });
    it.probed(Outcome::default());
    let trial = it.status().unwrap().trial.unwrap();
    assert_eq!((trial.stage, trial.seconds_left, trial.can_extend), (Stage::Awaiting, 120, true));
    assert_eq!(it.confirm(true, Some(LEASED.parse().unwrap())), Some(Answer::Refused { why: Refusal::WrongAddress }));
    assert_eq!(it.confirm(false, None), Some(Answer::Refused { why: Refusal::WrongNonce }));
    assert_eq!(it.confirm(true, None), Some(Answer::Done {}));
    assert_eq!(it.confirm(true, None), Some(Answer::Done {}), "the browser may come twice");
    assert!(it.applied.as_ref().unwrap().contains("DHCP=ipv4"), "the old address lingers");
    it.wait(31);
    assert!(!it.applied.as_ref().unwrap().contains("DHCP=ipv4"));
    assert_eq!(last(it.status()), Ending::Committed);
    it.comes_to_rest();
}

#[test]
fn without_confirmation_everything_is_as_before() {
    let mut it = SimBox::new();
    it.attempt(&fixed("192.168.1.20/24", "192.168.1.1"));
    it.probed(Outcome::default());
    assert_eq!(it.ask(Request::Extend {}), Some(Answer::Done {}));
    assert_eq!(it.ask(Request::Extend {}), Some(Answer::Refused { why: Refusal::AlreadyExtended }));
    it.wait(299);
    assert_eq!(it.status().unwrap().trial.unwrap().stage, Stage::Awaiting);
    it.wait(2);
    assert_eq!(it.status().unwrap().trial, None);
    assert_eq!(last(it.status()), Ending::NotConfirmed);
    it.comes_to_rest();
}

#[test]
fn what_cannot_work_changes_nothing() {
    let mut it = SimBox::new();
    let before = it.applied.clone();
    let answer = it.attempt(&fixed("192.168.1.20/24", "192.168.9.1"));
    assert!(matches!(answer, Answer::Refused { why: Refusal::Fields(_) }));
    it.attempt(&fixed("192.168.1.20/24", "192.168.1.1"));
    it.probed(Outcome { in_use_by: Some([7; 6]), gateway_is_silent: false });
    assert_eq!(last(it.status()), Ending::InUse([7; 6]));
    let bare = Form { dns: String::new(), gateway: String::new(), ..fixed("192.168.1.20/24", "") };
    it.ask(Request::Try { form: bare, force: false });
    it.probed(Outcome::default());
    assert_eq!(last(it.status()), Ending::Warned(vec![Warning::NoGateway, Warning::NoDns]));
    it.has_cable = false;
    it.settle();
    assert_eq!(it.attempt(&fixed("192.168.1.20/24", "192.168.1.1")), Answer::Refused { why: Refusal::NoCable });
    assert_eq!(it.applied, before);
}

#[test]
fn a_change_that_can_lock_nobody_out_needs_no_trial() {
    let mut it = SimBox::new();
    it.becoming = Form { mode: "dhcp".into(), host_name: "office".into(), ..Form::default() }.parse().ok();
    it.attempt(&Form { mode: "dhcp".into(), host_name: "office".into(), ..Form::default() });
    assert_eq!(last(it.status()), Ending::Committed);
    assert!(it.applied.as_ref().unwrap().contains("Hostname=office"));
    it.comes_to_rest();
}

#[test]
fn an_unreadable_disk_leads_to_dhcp_and_says_so() {
    let mut it = SimBox::new();
    it.disk.committed = Some("version = 1\n[netw".into());
    it.crash();
    assert_eq!(it.status().unwrap().origin, netcfg::disk::Origin::Rescue);
    assert!(it.applied.as_ref().unwrap().contains("DHCP=ipv4"));
}

#[derive(Debug, Clone)]
enum Event {
    Try(usize, bool),
    Probed(bool, bool),
    Confirm(bool, bool),
    Extend,
    Cancel,
    Reset,
    Wait(u64),
    KillLater(u8, u8),
    Crash,
    PowerCut,
    Networkd(bool),
    Cable(bool),
    DiskFull(bool),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..forms().len(), any::<bool>()).prop_map(|(form, force)| Event::Try(form, force)),
        6 => (prop::bool::weighted(0.2), any::<bool>()).prop_map(|(taken, silent)| Event::Probed(taken, silent)),
        5 => (prop::bool::weighted(0.8), prop::bool::weighted(0.8)).prop_map(|(nonce, place)| Event::Confirm(nonce, place)),
        1 => Just(Event::Extend),
        1 => Just(Event::Cancel),
        1 => Just(Event::Reset),
        4 => (1..200_u64).prop_map(Event::Wait),
        5 => (0..4_u8, 0..3_u8).prop_map(|(after, place)| Event::KillLater(after, place)),
        1 => Just(Event::Crash),
        2 => Just(Event::PowerCut),
        2 => any::<bool>().prop_map(Event::Networkd),
        2 => any::<bool>().prop_map(Event::Cable),
        1 => any::<bool>().prop_map(Event::DiskFull),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn the_box_ends_up_with_what_was_confirmed_last(events in prop::collection::vec(event(), 1..40)) {
        let mut it = SimBox::new();
        for event in events {
            match event {
                Event::Try(form, force) => {
                    let form = forms().swap_remove(form);
                    // What needs no trial is confirmed by being asked for.
                    let config = form.parse().ok();
                    if it.keeper.as_ref().is_some_and(Keeper::is_idle)
                        && config.as_ref().is_some_and(|config: &Config| config.is_reached_like(&it.confirmed))
                    {
                        it.becoming = config;
                    }
                    it.ask(Request::Try { form, force });
                    if it.keeper.is_some() {
                        it.becoming = None;
                    }
                }
                Event::Probed(taken, gateway_is_silent) =>
                    it.probed(Outcome { in_use_by: taken.then_some([9; 6]), gateway_is_silent }),
                Event::Confirm(right_nonce, right_place) => {
                    let elsewhere = (!right_place).then(|| IpAddr::from([203, 0, 113, 9]));
                    it.confirm(right_nonce, elsewhere);
                    if it.keeper.is_some() {
                        it.becoming = None;
                    }
                }
                Event::Extend => drop(it.ask(Request::Extend {})),
                Event::Cancel => drop(it.ask(Request::Cancel {})),
                Event::Reset => {
                    if !it.disk.is_full {
                        it.becoming = Some(Config::factory());
                        it.ask(Request::Reset {});
                        if it.keeper.is_some() {
                            it.becoming = None;
                        }
                    }
                }
                Event::Wait(seconds) => it.wait(seconds),
                Event::KillLater(after, place) => it.kill = Some((after, place)),
                Event::Crash => it.crash(),
                Event::PowerCut => it.power_cut(),
                Event::Networkd(runs) => it.networkd_runs = runs,
                Event::Cable(there) => it.has_cable = there,
                Event::DiskFull(full) => it.disk.is_full = full,
            }
            if it.keeper.is_none() {
                it.start();
            }
        }
        it.comes_to_rest();
    }
}
