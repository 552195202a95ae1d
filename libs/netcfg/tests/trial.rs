//! The trial against a simulated box: a disk, a systemd-networkd and a cable that all may fail, a netcfgd that is killed
//! between any two of its actions and within them, power cuts. Whatever happened, the box ends up with what was confirmed last.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::net::IpAddr;
use std::time::Duration;

use netcfg::action::{Action, STEPS, WAITS};
use netcfg::config::Vlan;
use netcfg::config::{Config, Form};
use netcfg::disk::{Found, decode, decode_planned, encode, encode_planned};
use netcfg::plan::{Plan, Port};
use netcfg::probe::Outcome;
use netcfg::request::{
    Answer, Authentication, Ending, Event as Noted, Link, LinkAddress, Refusal, Request, Stage, Status, Warning,
};
use netcfg::secret::Secret;
use netcfg::trial::Keeper;
use proptest::prelude::*;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const LEASED: &str = "192.168.1.100";
/// The longest from any state to the committed configuration when nobody does anything: check, appearing, time to confirm with
/// its extension, lingering, and three rounds of bringing up.
const LONGEST: u64 = 1800 + 27 + 15 + 120 + 180 + 30 + 3 * 6;

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
        Form { vlan: "7".into(), ..fixed("192.168.1.20/24", "192.168.1.1") },
        Form { mode: "dhcp".into(), vlan: "8".into(), ..Form::default() },
        Form {
            mode: "dhcp".into(),
            dot1x: "peap".into(),
            dot1x_identity: "office".into(),
            dot1x_password: Secret::new("a secret"),
            ..Form::default()
        },
    ]
}

#[derive(Default)]
struct Disk {
    committed: Option<String>,
    previous: Option<String>,
    pending: Option<String>,
    planned: Option<String>,
    is_full: bool,
}

/// Where netcfgd is killed: this many actions from here on, and whether before it, in the middle of it or after it.
type Kill = (u8, u8);

struct SimBox {
    now: Duration,
    disk: Disk,
    /// What systemd-networkd has read; a power cut takes it away.
    applied: Option<Plan>,
    written: Option<Plan>,
    networkd_runs: bool,
    has_cable: bool,
    keeper: Option<Keeper>,
    kill: Option<Kill>,
    serial: u64,
    /// Starts of the machine so far.
    boots: u32,
    /// Whether everyone has the address that the box wants to give itself.
    is_taken: bool,
    /// What has happened, for the log.
    noted: Vec<Noted>,
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
            boots: 0,
            is_taken: false,
            noted: Vec::new(),
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
            planned: self.disk.planned.as_ref().map(|text| decode_planned(text.as_bytes())),
        };
        let effective = found.effective().0;
        match self.becoming.take() {
            Some(becoming) if becoming == effective => self.confirmed = effective,
            _ => assert_eq!(effective, self.confirmed, "the disk holds what was never confirmed"),
        }
        self.keeper = Some(Keeper::start(&found, &self.boots.to_string(), "nonce of the start".to_owned()));
        self.settle();
    }

    /// Shows the keeper its link and carries out what it wants, until it wants nothing or is killed.
    fn settle(&mut self) {
        loop {
            let link = self.link();
            let Some(keeper) = &mut self.keeper else { return };
            keeper.handle_link(self.now, Some(link));
            keeper.handle_timeout(self.now);
            while let Some((serial, target)) = keeper.probe()
                && target.address.is_some_and(|address| address.is_link_local())
            {
                keeper.handle_probed(
                    serial,
                    Outcome { in_use_by: self.is_taken.then_some([5; 6]), ..Outcome::default() },
                );
            }
            assert!(keeper.waits_in().is_none_or(|wait| WAITS.contains(&wait)));
            while let Some(noted) = keeper.poll_noted() {
                self.noted.push(noted.event);
            }
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
        assert!(STEPS.contains(&action.step()));
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
                self.written = Some(plan.clone());
                if kill == Some(1) {
                    return Err(Killed);
                }
                if self.networkd_runs {
                    self.applied.clone_from(&self.written);
                }
                if self.networkd_runs { Ok(()) } else { Err("no answer".to_owned()) }
            }
            // A name more or less needs no space.
            Action::Withdraw => {
                self.disk.planned = None;
                Ok(())
            }
            Action::Activate => {
                self.disk.pending = self.disk.planned.take();
                Ok(())
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
                self.disk.planned = None;
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
                (self.disk.pending, self.disk.planned) = (None, None);
                self.confirmed = config.clone();
                Ok(())
            }
            Action::Plan(config) => {
                self.disk.planned = Some(encode_planned(config, &self.boots.to_string()));
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
        let Some(plan) = self.applied.as_ref().filter(|_| self.has_cable) else { return link };
        link.dot1x = plan.dot1x.as_ref().map(|_| Authentication::Passed);
        let device = plan.files.iter().find(|(name, _)| name.ends_with(".netdev")).map(|(_, file)| file);
        let vlan = device.and_then(|file| file.lines().find_map(|line| Vlan::parse(line.strip_prefix("Id=")?)));
        for (name, file) in &plan.files {
            let vlan = vlan.filter(|_| *name == "10-druckwart-vlan.network");
            for line in file.lines() {
                let (address, prefix, is_dynamic) = match line.split_once('=') {
                    Some(("Address", address)) => {
                        let (address, prefix) = address.split_once('/').unwrap();
                        (address.parse().unwrap(), prefix.parse().unwrap(), false)
                    }
                    Some(("DHCP", "ipv4")) => (LEASED.parse().unwrap(), 24, true),
                    _ => continue,
                };
                link.addresses.push(LinkAddress { address, prefix, is_dynamic, vlan });
            }
        }
        link
    }

    /// What holds whenever nothing is left to do: whatever was confirmed last is still laid out.
    fn check(&mut self) {
        let Some(plan) = self.written.clone() else { return };
        let file = &plan.files["10-druckwart.network"];
        assert!(file.contains("LinkLocalAddressing=ipv6") && file.contains("MulticastDNS=yes"));
        let idle = self.keeper.as_ref().is_some_and(Keeper::is_idle);
        if self.disk.is_full || !self.networkd_runs {
            return;
        }
        let is_beside = self.status().is_some_and(|status| status.trial.is_some_and(|trial| trial.is_beside));
        if !idle && !is_beside {
            return;
        }
        let settled = self.settled();
        for (name, wanted) in settled.files {
            let file = &plan.files[name];
            for line in wanted.lines().filter(|line| line.starts_with("Address=") || line.starts_with("DHCP=ipv4")) {
                assert!(file.lines().any(|found| found == line), "{line} is gone from {name}:\n{file}");
            }
        }
    }

    /// What was confirmed last, with the address that the box gives itself.
    fn settled(&self) -> Plan {
        let own = self.written.iter().flat_map(|plan| plan.files.values()).flat_map(|file| file.lines());
        let own = own.filter_map(|line| line.strip_prefix("Address=169.254.")).next();
        let link_local = own.map(|rest| format!("169.254.{}", rest.trim_end_matches("/16")).parse().unwrap());
        Plan::settled(&Port { name: "end0".into(), mac: MAC, link_local }, &self.confirmed)
    }

    fn port_file(&self) -> &str {
        &self.applied.as_ref().unwrap().files["10-druckwart.network"]
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
        self.ask(Request::Try { form: form.clone(), force: true, at_start: false, by: String::new() }).unwrap()
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
            // Secrets are not shown.
            let configs = forms().into_iter().filter_map(|form| form.parse().ok());
            self.becoming =
                configs.into_iter().find(|config: &Config| Form::from(config).without_secrets() == trial.candidate);
        }
        self.settle();
        Some(answer)
    }

    fn wait(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while self.now < end {
            let due = self.keeper.as_ref().and_then(Keeper::poll_timeout);
            self.now = due.filter(|due| *due > self.now).map_or(end, |due| due.min(end));
            self.settle();
        }
    }

    fn power_cut(&mut self) {
        self.keeper = None;
        self.kill = None;
        self.boots += 1;
        (self.applied, self.written) = (None, None);
        self.start();
    }

    /// One that starts reads what lies there.
    fn networkd(&mut self, runs: bool) {
        if runs && !self.networkd_runs {
            self.applied.clone_from(&self.written);
        }
        self.networkd_runs = runs;
    }

    fn crash(&mut self) {
        self.keeper = None;
        self.kill = None;
        self.start();
    }

    /// Everything works again, and nobody does anything: the box comes to rest in time, as it was confirmed last.
    fn comes_to_rest(&mut self) {
        self.networkd(true);
        (self.has_cable, self.disk.is_full, self.kill) = (true, false, None);
        if self.keeper.is_none() {
            self.start();
        }
        self.probed(Outcome::default());
        self.wait(LONGEST);
        let keeper = self.keeper.as_ref().unwrap();
        assert!(keeper.is_idle(), "{keeper:?}");
        assert_eq!(keeper.committed(), &self.confirmed);
        assert!(self.applied.is_some());
        let settled = self.settled();
        let is_rescue = self.keeper.as_mut().is_some_and(|keeper| {
            matches!(keeper.handle_request(self.now, Request::Show {}, String::new()),
                Answer::Status(status) if status.in_rescue)
        });
        assert!(self.applied.as_ref() == Some(&settled) || is_rescue, "{:#?}", self.applied);
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
    assert!(it.port_file().contains("DHCP=ipv4"), "the old address lingers");
    it.wait(31);
    assert!(!it.port_file().contains("DHCP=ipv4"));
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
    it.ask(Request::Try { form: bare, force: false, at_start: false, by: String::new() });
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
    assert!(it.port_file().contains("Hostname=office"));
    it.comes_to_rest();
}

#[test]
fn an_unreadable_disk_leads_to_dhcp_and_says_so() {
    let mut it = SimBox::new();
    it.disk.committed = Some("version = 1\n[netw".into());
    it.crash();
    assert_eq!(it.status().unwrap().origin, netcfg::disk::Origin::Rescue);
    assert!(it.port_file().contains("DHCP=ipv4"));
}

#[test]
fn another_vlan_takes_the_place_of_the_present_one_and_gives_it_back() {
    let mut it = SimBox::new();
    it.attempt(&Form { vlan: "7".into(), ..fixed("192.168.1.20/24", "192.168.1.1") });
    it.probed(Outcome::default());
    let trial = it.status().unwrap().trial.unwrap();
    assert_eq!((trial.stage, trial.is_beside), (Stage::Awaiting, false));
    assert!(it.port_file().contains("VLAN=vlan7") && it.port_file().contains("DHCP=no"));
    it.wait(121);
    assert_eq!(last(it.status()), Ending::NotConfirmed);
    assert!(it.port_file().contains("DHCP=ipv4"));
    it.attempt(&Form { vlan: "7".into(), ..fixed("192.168.1.20/24", "192.168.1.1") });
    it.probed(Outcome::default());
    assert_eq!(it.confirm(true, None), Some(Answer::Done {}));
    assert_eq!(it.status().unwrap().trial, None, "there is nothing that could linger");
    it.comes_to_rest();
}

#[test]
fn a_secret_is_neither_shown_nor_asked_for_again() {
    let mut it = SimBox::new();
    let form = forms().pop().unwrap();
    let bare = Form { dot1x_password: Secret::default(), ..form.clone() };
    assert!(matches!(it.attempt(&bare), Answer::Refused { why: Refusal::Fields(_) }));
    it.ask(Request::Try { form, force: false, at_start: false, by: String::new() });
    assert_eq!(last(it.status()), Ending::Warned(vec![Warning::NoAuthority]));
    assert_eq!(it.attempt(&bare), Answer::Done {});
    assert_eq!(it.confirm(true, None), Some(Answer::Done {}));
    let status = it.status().unwrap();
    assert_eq!((status.committed.dot1x.as_str(), status.committed.dot1x_password.is_empty()), ("peap", true));
    assert!(!serde_json::to_string(&status).unwrap().contains("a secret"));
    assert!(it.disk.committed.as_ref().unwrap().contains("a secret"));
    it.comes_to_rest();
}

#[test]
fn what_is_planned_is_tried_at_the_next_start_and_no_other() {
    let form = fixed("10.0.0.5/8", "10.0.0.1");
    let planned = |force| Request::Try { form: form.clone(), force, at_start: true, by: "admin".into() };
    let mut it = SimBox::new();
    assert_eq!(it.ask(planned(true)), Some(Answer::Done {}));
    it.crash();
    let status = it.status().unwrap();
    assert!(status.planned.is_some() && status.trial.is_none(), "netcfgd has started, the machine has not");
    it.ask(Request::Cancel { by: "admin".into() });
    it.power_cut();
    assert!(it.status().unwrap().trial.is_none());
    // In a network where it is of no use: half an hour, and the present configuration is back.
    it.ask(planned(true));
    it.has_cable = false;
    it.power_cut();
    assert_eq!(it.status().unwrap().trial.unwrap().stage, Stage::Plugging);
    assert!(it.port_file().contains("DHCP=no"), "a port that nobody brings up has no cable");
    it.wait(600);
    it.has_cable = true;
    it.settle();
    it.probed(Outcome::default());
    let trial = it.status().unwrap().trial.unwrap();
    assert_eq!((trial.stage, trial.seconds_left, trial.is_beside), (Stage::Awaiting, 1200, false));
    it.wait(1201);
    assert_eq!(last(it.status()), Ending::NotConfirmed);
    assert!(it.port_file().contains("DHCP=ipv4"));
    it.power_cut();
    assert!(it.status().unwrap().trial.is_none(), "it is tried once");
    // A power cut within the half hour ends it too.
    it.ask(planned(true));
    it.power_cut();
    it.probed(Outcome::default());
    it.power_cut();
    assert_eq!(last(it.status()), Ending::Restarted);
    // And where it is right, it is kept.
    it.ask(planned(true));
    it.power_cut();
    it.probed(Outcome::default());
    it.noted.clear();
    assert_eq!(it.confirm(true, None), Some(Answer::Done {}));
    assert_eq!(it.noted, [Noted::Ended(Ending::Committed)]);
    it.power_cut();
    assert_eq!(it.keeper.as_ref().unwrap().committed(), &form.parse().unwrap());
    it.comes_to_rest();
}

#[test]
fn what_was_planned_for_a_taken_address_is_not_used() {
    let mut it = SimBox::new();
    let form = fixed("10.0.0.5/8", "10.0.0.1");
    it.ask(Request::Try { form, force: true, at_start: true, by: "admin".into() });
    it.power_cut();
    it.probed(Outcome { in_use_by: Some([7; 6]), gateway_is_silent: false });
    assert_eq!(last(it.status()), Ending::InUse([7; 6]));
    it.comes_to_rest();
}

#[test]
fn while_it_is_bringing_something_up_it_says_for_how_long() {
    let mut it = SimBox::new();
    it.networkd(false);
    it.crash();
    let answer = it.attempt(&fixed("192.168.1.20/24", "192.168.1.1"));
    assert!(matches!(answer, Answer::Refused { why: Refusal::Settling { seconds: 1..=10 } }), "{answer:?}");
    it.wait(60);
    it.networkd(true);
    it.wait(2);
    assert_eq!(it.attempt(&fixed("192.168.1.20/24", "192.168.1.1")), Answer::Done {}, "a late networkd is no failure");
    assert!(!it.status().unwrap().in_rescue);
}

#[test]
fn its_own_address_gives_way() {
    let mut it = SimBox::new();
    let own = |it: &SimBox| it.port_file().lines().find(|line| line.contains("169.254.")).map(str::to_owned);
    let first = own(&it);
    assert!(first.is_some());
    it.is_taken = true;
    it.has_cable = false;
    it.settle();
    it.has_cable = true;
    it.settle();
    assert_eq!(own(&it), None, "somebody has them all");
    it.is_taken = false;
    it.crash();
    assert_eq!(own(&it), first, "it is always the same");
}

#[derive(Debug, Clone)]
enum Event {
    Plan(usize),
    Taken(bool),
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
        2 => (0..forms().len()).prop_map(Event::Plan),
        1 => any::<bool>().prop_map(Event::Taken),
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
                    it.ask(Request::Try { form, force, at_start: false, by: String::new() });
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
                Event::Cancel => drop(it.ask(Request::Cancel { by: String::new() })),
                Event::Plan(form) => {
                    let form = forms().swap_remove(form);
                    it.ask(Request::Try { form, force: true, at_start: true, by: String::new() });
                }
                Event::Taken(taken) => it.is_taken = taken,
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
                Event::Networkd(runs) => it.networkd(runs),
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
