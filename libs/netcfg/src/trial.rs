//! The trial: try, confirm, take back. A state machine that does nothing itself.
//!
//! What is confirmed stands on disk before anything else follows from it, and what is not confirmed is only ever added beside
//! what is. So wherever the machine is stopped, a start from disk finds the configuration that was last confirmed.
//!
//! Caller loop: carry out `poll_action` and tell `handle_done`, until there is none; run the check of `probe` if there is one;
//! then wait for a request, a change of the link, the check's end or `poll_timeout`.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::action::Action;
use crate::config::{Config, Form, HostName, Ipv4, Ipv6, Vlan};
use crate::disk::{Found, Origin};
use crate::link_local;
use crate::plan::{Plan, Port};
use crate::probe::{self, Outcome, Target};
use crate::request::{
    Answer, Authentication, Ending, Event, Last, Link, Refusal, Request, Stage, Status, TrialStatus, Warning,
};

/// After which a check that says nothing is taken for lost: a busy machine may be late with it.
const LOST: Duration = Duration::from_secs(20);
/// Time for a new address to come up.
const APPEAR: Duration = Duration::from_secs(15);
/// Time to confirm. Spanning tree alone can take 50 seconds of it.
const CONFIRM: Duration = Duration::from_secs(120);
/// What is added to it on demand.
const EXTENSION: Duration = Duration::from_secs(180);
/// Time to confirm what was planned, from the start of the machine on: someone has to come by, and plug it in.
const WINDOW: Duration = Duration::from_secs(30 * 60);
/// How long the old address answers after the new one is confirmed, so that the page there can lead on.
const LINGER: Duration = Duration::from_secs(30);
/// How much longer a port takes that asks first: some switches begin to ask only after half a minute.
const LET_IN: Duration = Duration::from_secs(60);
/// Time for the committed address to be there again.
const VERIFY: Duration = Duration::from_secs(5);
/// Until the next attempt where systemd-networkd does not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// Attempts to bring up the committed configuration before DHCP is added to it.
const ATTEMPTS: u32 = 2;

/// Something for the log of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// Who wanted it; empty where nobody of the pages did.
    pub by: String,
    /// What happened.
    pub event: Event,
    /// What was tried.
    pub candidate: Form,
}

/// The keeper of the configuration.
#[derive(Debug)]
pub struct Keeper {
    committed: Config,
    origin: Origin,
    link: Option<Link>,
    phase: Phase,
    trial: Option<Trial>,
    serial: u64,
    last: Option<Last>,
    in_rescue: bool,
    /// What waits for the next start of the machine, and whether this is it.
    planned: Option<Config>,
    is_due: bool,
    /// A fresh nonce for what is due.
    nonce: String,
    own: OwnAddress,
    /// The link-local address in the last layout.
    laid_out: Option<Ipv4Addr>,
    noted: VecDeque<Noted>,
    /// What was asked for last, with its secrets: nobody can be shown them to send them again.
    typed: Form,
}

/// The address that the box gives itself.
#[derive(Debug, Default)]
struct OwnAddress {
    attempt: u8,
    found: Option<Ipv4Addr>,
    is_checked: bool,
}

#[derive(Debug)]
struct Trial {
    by: String,
    /// When the time to confirm ends, where that does not begin with the address.
    deadline: Option<Duration>,
    /// Whether the port has been brought up, so that a cable can be seen.
    is_port_up: bool,
    candidate: Config,
    nonce: String,
    force: bool,
    is_extended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The committed configuration is in force.
    Idle,
    /// It has to be brought up: `attempt` times it did not work.
    Settle { attempt: u32, not_before: Duration },
    /// It should come up.
    Verify { attempt: u32, until: Duration },
    /// A check of the wanted address runs.
    Check { until: Duration },
    /// The candidate has to be written as pending.
    Keep,
    /// Its plan has to be applied.
    Apply,
    /// Its address should come up.
    Appear { until: Duration },
    /// Someone has to come by it.
    Await { until: Duration },
    /// Someone did, and it has to be made the committed one.
    Commit,
    /// Both addresses answer.
    Linger { until: Duration },
    /// The pending one has to be put away.
    Discard,
    /// The factory's configuration has to be made the committed one.
    Reset,
    /// The candidate has to be written as planned.
    Plan,
    /// The planned one has to be put away.
    Withdraw,
    /// The planned one has to be made pending.
    Activate,
    /// It waits for a cable.
    Plug { until: Duration },
}

impl Keeper {
    /// Starts from what is on disk. A trial that was under way is over. `boot` names this start of the machine: what was
    /// planned in another one is due, and uses the nonce.
    pub fn start(found: &Found, boot: &str, nonce: String) -> Self {
        let (committed, origin) = found.effective();
        let last = found.pending.as_ref().map(|pending| Last {
            ending: Ending::Restarted,
            candidate: pending.as_ref().map(Form::from).unwrap_or_default(),
        });
        let planned = match &found.planned {
            Some(Ok((config, planned_in))) => Some((config.clone(), planned_in != boot)),
            _ => None,
        };
        let is_due = planned.as_ref().is_some_and(|(_, is_due)| *is_due);
        let phase = match (&found.pending, &found.planned) {
            (Some(_), _) => Phase::Discard,
            (None, Some(Err(_))) => Phase::Withdraw,
            (None, _) => SETTLE,
        };
        let mut keeper = Self {
            committed,
            origin,
            link: None,
            phase,
            trial: None,
            serial: 0,
            last,
            in_rescue: false,
            planned: planned.map(|(config, _)| config),
            is_due,
            nonce,
            own: OwnAddress::default(),
            laid_out: None,
            noted: VecDeque::new(),
            typed: Form::default(),
        };
        if let Some(last) = &keeper.last {
            keeper.noted.push_back(Noted {
                by: String::new(),
                event: Event::Ended(last.ending.clone()),
                candidate: last.candidate.clone().for_log(),
            });
        }
        if keeper.phase == SETTLE {
            keeper.settle();
        }
        keeper
    }

    /// A request, with a fresh nonce in case that it begins a trial.
    pub fn handle_request(&mut self, now: Duration, request: Request, nonce: String) -> Answer {
        let outcome = match request {
            Request::Show {} => return Answer::Status(Box::new(self.status(now))),
            Request::Try { form, force, at_start: false, by } => self.begin(now, form, force, nonce, by),
            Request::Try { form, force, at_start: true, by } => self.plan(form, force, &by, now),
            Request::Confirm { nonce, local } => self.confirm(&nonce, local),
            Request::Extend {} => self.extend(),
            Request::Cancel { by } => self.cancel(by),
            Request::Reset {} => {
                self.phase = Phase::Reset;
                Ok(())
            }
        };
        match outcome {
            Ok(()) => Answer::Done {},
            Err(why) => Answer::Refused { why },
        }
    }

    /// The network port as it is.
    pub fn handle_link(&mut self, now: Duration, link: Option<Link>) {
        let name = |link: &Option<Link>| link.as_ref().map(|link| (link.name.clone(), link.mac));
        let is_another = name(&link) != name(&self.link);
        if is_another {
            self.own = OwnAddress::default();
        } else if link.as_ref().is_some_and(|link| link.has_carrier) && !self.has_carrier() {
            // Another cable may lead to others who have the address.
            self.own.is_checked = false;
            self.serial += 1;
        }
        self.link = link;
        match self.phase {
            Phase::Appear { .. } if self.trial.as_ref().is_some_and(|trial| self.is_up(&trial.candidate)) => {
                self.phase = Phase::Await { until: self.deadline(now + CONFIRM) };
            }
            Phase::Plug { .. } if self.has_carrier() => self.check_planned(now),
            Phase::Verify { attempt, .. } if self.is_up(&self.committed) || !self.has_carrier() => {
                self.come_to_rest(attempt)
            }
            Phase::Idle if is_another => self.settle(),
            _ => {}
        }
    }

    /// The check of this number has ended.
    pub fn handle_probed(&mut self, serial: u64, outcome: Outcome) {
        if serial != self.serial {
            return;
        }
        self.serial += 1;
        let (Phase::Check { .. }, Some(trial)) = (self.phase, &self.trial) else { return self.end_own_check(outcome) };
        if let Some(mac) = outcome.in_use_by {
            return self.end(Ending::InUse(mac), self.after_check());
        }
        if trial.deadline.is_some() {
            // It is on disk already, and who planned it cannot be asked.
            return self.phase = Phase::Apply;
        }
        let mut warnings = warnings(&trial.candidate);
        if outcome.gateway_is_silent {
            warnings.push(Warning::GatewayIsSilent);
        }
        match warnings.is_empty() || trial.force {
            true => self.phase = Phase::Keep,
            false => self.end(Ending::Warned(warnings), Phase::Idle),
        }
    }

    /// The action that was polled last has been carried out, or could not be.
    pub fn handle_done(&mut self, now: Duration, done: Result<(), String>) {
        match (self.phase, done) {
            (Phase::Keep, Ok(())) => {
                let locks_out =
                    self.trial.as_ref().is_some_and(|trial| !trial.candidate.is_reached_like(&self.committed));
                self.phase = if locks_out { Phase::Apply } else { Phase::Commit };
            }
            (Phase::Keep | Phase::Commit, Err(_)) => self.end(Ending::NotStored, Phase::Discard),
            (Phase::Apply, Ok(())) => {
                self.laid_out = self.own.found;
                self.phase = match self.trial.as_ref().is_some_and(|trial| self.is_up(&trial.candidate)) {
                    true => Phase::Await { until: self.deadline(now + CONFIRM) },
                    false => Phase::Appear { until: self.deadline(now + self.time_to_appear()) },
                };
            }
            (Phase::Apply, Err(_)) => self.end(Ending::NotApplied, Phase::Discard),
            (Phase::Commit, Ok(())) => {
                if let Some(trial) = &self.trial {
                    let nothing_lingers = trial.candidate.is_reached_like(&self.committed) || !self.is_beside(trial);
                    self.committed = trial.candidate.clone();
                    self.origin = Origin::Committed;
                    self.planned = None;
                    let by = trial.by.clone();
                    self.note_end(Ending::Committed, Form::from(&self.committed), by);
                    match nothing_lingers {
                        true => {
                            self.trial = None;
                            self.settle();
                        }
                        false => self.phase = Phase::Linger { until: now + LINGER },
                    }
                }
            }
            // One that cannot be put away is put away at the next start.
            (Phase::Discard | Phase::Withdraw, _) => self.settle(),
            (Phase::Plan, Ok(())) => {
                self.planned = self.trial.take().map(|trial| trial.candidate);
                self.phase = Phase::Idle;
            }
            (Phase::Plan, Err(_)) => self.end(Ending::NotStored, Phase::Idle),
            (Phase::Activate, Ok(())) => self.activate(now),
            (Phase::Activate, Err(_)) => {
                self.planned = None;
                self.phase = Phase::Withdraw;
            }
            (Phase::Reset, done) => {
                self.trial = None;
                self.committed = Config::factory();
                self.origin = if done.is_ok() { Origin::Committed } else { Origin::Rescue };
                (self.planned, self.is_due) = (None, false);
                self.note_end(Ending::Reset, Form::from(&self.committed), String::new());
                self.settle();
            }
            // A systemd-networkd that does not answer finds the file when it starts.
            (Phase::Plug { .. }, _) => {
                self.laid_out = self.own.found;
                if let Some(trial) = &mut self.trial {
                    trial.is_port_up = true;
                }
            }
            (Phase::Idle | Phase::Await { .. } | Phase::Linger { .. }, _) => self.laid_out = self.own.found,
            (Phase::Settle { attempt, .. }, Ok(())) => {
                self.laid_out = self.own.found;
                match self.is_up(&self.committed) || !self.has_carrier() {
                    true => self.come_to_rest(attempt),
                    false => self.phase = Phase::Verify { attempt, until: now + self.time_to_verify() },
                }
            }
            // Whether the configuration works is not known yet: this is no attempt.
            (Phase::Settle { attempt, .. }, Err(_)) => self.phase = Phase::Settle { attempt, not_before: now + PAUSE },
            _ => {}
        }
    }

    /// Time went on.
    pub fn handle_timeout(&mut self, now: Duration) {
        match self.phase {
            // The check reports by itself; this is for one that was lost.
            Phase::Check { until } if now >= until => self.end(Ending::NotApplied, self.after_check()),
            Phase::Appear { until } if now >= until => self.end(Ending::NotApplied, Phase::Discard),
            Phase::Await { until } | Phase::Plug { until } if now >= until => {
                self.end(Ending::NotConfirmed, Phase::Discard)
            }
            Phase::Linger { until } if now >= until => {
                self.trial = None;
                self.settle();
            }
            Phase::Verify { attempt, until } if now >= until => match attempt >= ATTEMPTS {
                true => self.come_to_rest(attempt),
                false => self.phase = Phase::Settle { attempt: attempt + 1, not_before: now },
            },
            _ => {}
        }
    }

    /// What has to be done at this time.
    pub fn poll_action(&self, now: Duration) -> Option<Action> {
        let candidate = || self.trial.as_ref().map(|trial| &trial.candidate);
        let port = || {
            let link = self.link.as_ref()?;
            Some(Port { name: link.name.clone(), mac: link.mac, link_local: self.own.found })
        };
        match self.phase {
            Phase::Keep => Some(Action::KeepPending(candidate()?.clone())),
            Phase::Apply => Some(Action::Apply(Plan::trial(&port()?, &self.committed, candidate()?))),
            Phase::Commit => Some(Action::Commit),
            Phase::Discard => Some(Action::Discard),
            Phase::Reset => Some(Action::Replace(Config::factory())),
            Phase::Plan => Some(Action::Plan(candidate()?.clone())),
            Phase::Withdraw => Some(Action::Withdraw),
            Phase::Activate => Some(Action::Activate),
            Phase::Settle { attempt, not_before } if now >= not_before => {
                Some(Action::Apply(match attempt >= ATTEMPTS {
                    true => Plan::rescue(&port()?, &self.committed),
                    false => Plan::settled(&port()?, &self.committed),
                }))
            }
            Phase::Plug { .. } if self.trial.as_ref().is_some_and(|trial| !trial.is_port_up) => {
                Some(Action::Apply(Plan::bare(&port()?)))
            }
            // A link-local address was found free meanwhile, or taken.
            _ if self.laid_out == self.own.found => None,
            Phase::Idle => Some(Action::Apply(match self.in_rescue {
                true => Plan::rescue(&port()?, &self.committed),
                false => Plan::settled(&port()?, &self.committed),
            })),
            Phase::Await { .. } => Some(Action::Apply(Plan::trial(&port()?, &self.committed, candidate()?))),
            _ => None,
        }
    }

    /// Something for the log of changes, oldest first.
    pub fn poll_noted(&mut self) -> Option<Noted> {
        self.noted.pop_front()
    }

    /// The check that has to run, with its number.
    pub fn probe(&self) -> Option<(u64, Target)> {
        match (self.phase, &self.trial) {
            (Phase::Check { .. }, Some(trial)) => Some((self.serial, self.target(&trial.candidate))),
            _ if self.own.is_checked || !self.has_carrier() => None,
            _ => {
                let address = link_local::address(self.link.as_ref()?.mac, self.own.attempt);
                Some((self.serial, Target { address: Some(address), gateway: None, vlan: None }))
            }
        }
    }

    /// When `handle_timeout` or `poll_action` is due again without anything else happening.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.phase {
            Phase::Check { until }
            | Phase::Appear { until }
            | Phase::Await { until }
            | Phase::Linger { until }
            | Phase::Plug { until }
            | Phase::Verify { until, .. } => Some(until),
            Phase::Settle { not_before, .. } => self.link.as_ref().map(|_| not_before),
            _ => None,
        }
    }

    /// Name and hardware address of the port.
    pub fn port(&self) -> Option<(String, [u8; 6])> {
        self.link.as_ref().map(|link| (link.name.clone(), link.mac))
    }

    /// The configuration in force.
    pub fn committed(&self) -> &Config {
        &self.committed
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// The name of what is waited in, one of [`crate::action::WAITS`]; none where something is to be done at once.
    pub fn waits_in(&self) -> Option<&'static str> {
        match self.phase {
            Phase::Idle => Some("idle"),
            Phase::Settle { .. } => Some("settle"),
            Phase::Verify { .. } => Some("verify"),
            Phase::Check { .. } => Some("check"),
            Phase::Appear { .. } => Some("appear"),
            Phase::Await { .. } => Some("await"),
            Phase::Linger { .. } => Some("linger"),
            Phase::Plug { .. } => Some("plug"),
            Phase::Keep
            | Phase::Apply
            | Phase::Commit
            | Phase::Discard
            | Phase::Reset
            | Phase::Plan
            | Phase::Withdraw
            | Phase::Activate => None,
        }
    }

    fn begin(&mut self, now: Duration, form: Form, force: bool, nonce: String, by: String) -> Result<(), Refusal> {
        let candidate = self.read(form)?;
        self.is_free(now)?;
        let target = self.target(&candidate);
        let is_new = !candidate.is_reached_like(&self.committed);
        if self.link.is_none() || (is_new && !target.is_empty() && !self.has_carrier()) {
            return Err(Refusal::NoCable);
        }
        self.serial += 1;
        self.last = None;
        self.note(&by, Event::Begun, &candidate);
        self.trial = Some(Trial { candidate, nonce, force, is_extended: false, by, deadline: None, is_port_up: true });
        match is_new {
            true => self.phase = Phase::Check { until: now + probe::LONGEST + LOST },
            false => self.phase = Phase::Keep,
        }
        if is_new && target.is_empty() {
            self.handle_probed(self.serial, Outcome::default());
        }
        Ok(())
    }

    fn plan(&mut self, form: Form, force: bool, by: &str, now: Duration) -> Result<(), Refusal> {
        let candidate = self.read(form)?;
        self.is_free(now)?;
        let warnings = warnings(&candidate);
        if !warnings.is_empty() && !force {
            let candidate = Form::from(&candidate).without_secrets();
            self.last = Some(Last { ending: Ending::Warned(warnings), candidate });
            return Ok(());
        }
        self.last = None;
        self.note(by, Event::Planned, &candidate);
        let (nonce, by) = (String::new(), by.to_owned());
        self.trial = Some(Trial { candidate, nonce, force, is_extended: false, by, deadline: None, is_port_up: true });
        self.phase = Phase::Plan;
        Ok(())
    }

    /// What was typed, with secrets that were typed before in the place of those that are not shown.
    fn read(&mut self, mut form: Form) -> Result<Config, Refusal> {
        form.keep_secrets_of(&self.typed);
        form.keep_secrets_of(&Form::from(&self.committed));
        if let Some(planned) = &self.planned {
            form.keep_secrets_of(&Form::from(planned));
        }
        let candidate = form.parse().map_err(Refusal::Fields)?;
        self.typed = form;
        Ok(candidate)
    }

    fn is_free(&self, now: Duration) -> Result<(), Refusal> {
        let until = match self.phase {
            Phase::Idle => return Ok(()),
            Phase::Verify { until, .. } | Phase::Linger { until } => until,
            Phase::Settle { not_before, .. } => not_before.max(now) + VERIFY,
            _ if self.trial.is_some() => return Err(Refusal::Busy),
            _ => now + VERIFY,
        };
        Err(Refusal::Settling { seconds: until.saturating_sub(now).as_secs() + 1 })
    }

    /// What was planned is being tried from here on.
    fn activate(&mut self, now: Duration) {
        let Some(candidate) = self.planned.take() else { return self.settle() };
        self.note("", Event::Activated, &candidate);
        let (nonce, until) = (std::mem::take(&mut self.nonce), now + WINDOW);
        let by = String::new();
        let (deadline, is_port_up) = (Some(until), false);
        self.trial = Some(Trial { candidate, nonce, force: true, is_extended: true, by, deadline, is_port_up });
        self.phase = Phase::Plug { until };
        if self.has_carrier() {
            self.check_planned(now);
        }
    }

    /// There is a cable: is the planned address free where it leads?
    fn check_planned(&mut self, now: Duration) {
        let target = self.trial.as_ref().map(|trial| self.target(&trial.candidate));
        self.serial += 1;
        self.phase = match target.is_some_and(|target| target.address.is_some()) {
            true => Phase::Check { until: now + probe::LONGEST + LOST },
            false => Phase::Apply,
        };
    }

    fn end_own_check(&mut self, outcome: Outcome) {
        let Some(link) = &self.link else { return };
        if outcome.in_use_by.is_none() {
            self.own.found = Some(link_local::address(link.mac, self.own.attempt));
            self.own.is_checked = true;
            return;
        }
        self.own.found = None;
        self.own.attempt = (self.own.attempt + 1) % link_local::MOST;
        // All of them taken: someone answers for everything.
        self.own.is_checked = self.own.attempt == 0;
    }

    /// The committed configuration is to be brought up; or, once after a start of the machine, what is due.
    fn settle(&mut self) {
        self.phase = match std::mem::take(&mut self.is_due) {
            true => Phase::Activate,
            false => SETTLE,
        };
    }

    fn confirm(&mut self, nonce: &str, local: IpAddr) -> Result<(), Refusal> {
        let trial = self.trial.as_ref().ok_or(Refusal::NoTrial)?;
        if !is_same_secret(&trial.nonce, nonce) {
            return Err(Refusal::WrongNonce);
        }
        match self.phase {
            Phase::Commit | Phase::Linger { .. } => Ok(()),
            Phase::Await { .. } if self.new_addresses(trial).contains(&local.to_canonical()) => {
                self.phase = Phase::Commit;
                Ok(())
            }
            Phase::Await { .. } => Err(Refusal::WrongAddress),
            _ => Err(Refusal::NoTrial),
        }
    }

    fn extend(&mut self) -> Result<(), Refusal> {
        match (&mut self.phase, &mut self.trial) {
            (Phase::Await { .. }, Some(trial)) if trial.is_extended => Err(Refusal::AlreadyExtended),
            (Phase::Await { until }, Some(trial)) => {
                trial.is_extended = true;
                *until += EXTENSION;
                Ok(())
            }
            _ => Err(Refusal::NoTrial),
        }
    }

    fn cancel(&mut self, by: String) -> Result<(), Refusal> {
        let next = match self.phase {
            Phase::Check { .. } => self.after_check(),
            Phase::Plug { .. } | Phase::Appear { .. } | Phase::Await { .. } => Phase::Discard,
            Phase::Idle => {
                let planned = self.planned.take().ok_or(Refusal::NoTrial)?;
                self.note(&by, Event::Withdrawn, &planned);
                self.phase = Phase::Withdraw;
                return Ok(());
            }
            _ => return Err(Refusal::NoTrial),
        };
        if let Some(trial) = &mut self.trial {
            trial.by = by;
        }
        self.end(Ending::Cancelled, next);
        Ok(())
    }

    fn end(&mut self, ending: Ending, next: Phase) {
        if let Some(trial) = self.trial.take() {
            self.note_end(ending, Form::from(&trial.candidate), trial.by);
        }
        self.serial += 1;
        self.phase = next;
    }

    fn note_end(&mut self, ending: Ending, candidate: Form, by: String) {
        let candidate = candidate.without_secrets();
        self.last = Some(Last { ending: ending.clone(), candidate: candidate.clone() });
        self.noted.push_back(Noted { by, event: Event::Ended(ending), candidate: candidate.for_log() });
    }

    fn note(&mut self, by: &str, event: Event, candidate: &Config) {
        self.noted.push_back(Noted { by: by.to_owned(), event, candidate: Form::from(candidate).for_log() });
    }

    /// Where a check leads that ends a trial: what was planned is on disk already.
    fn after_check(&self) -> Phase {
        let is_planned = self.trial.as_ref().is_some_and(|trial| trial.deadline.is_some());
        if is_planned { Phase::Discard } else { Phase::Idle }
    }

    /// Until when something has to have happened: for what was planned there is one time for everything.
    fn deadline(&self, otherwise: Duration) -> Duration {
        self.trial.as_ref().and_then(|trial| trial.deadline).unwrap_or(otherwise)
    }

    fn time_to_appear(&self) -> Duration {
        let asks = self.trial.as_ref().is_some_and(|trial| trial.candidate.dot1x.is_some());
        if asks { APPEAR + LET_IN } else { APPEAR }
    }

    fn time_to_verify(&self) -> Duration {
        if self.committed.dot1x.is_some() { VERIFY + LET_IN } else { VERIFY }
    }

    fn is_beside(&self, trial: &Trial) -> bool {
        trial.deadline.is_none() && trial.candidate.is_attached_like(&self.committed)
    }

    fn come_to_rest(&mut self, attempt: u32) {
        self.in_rescue = attempt >= ATTEMPTS;
        self.phase = Phase::Idle;
    }

    fn target(&self, candidate: &Config) -> Target {
        let nothing = Target { address: None, gateway: None, vlan: candidate.vlan };
        let Ipv4::Static(fixed) = &candidate.ipv4 else { return nothing };
        // A port that lets nobody in as he is lets nobody ask either.
        if (&candidate.ipv4, candidate.vlan) == (&self.committed.ipv4, self.committed.vlan)
            || candidate.dot1x != self.committed.dot1x
        {
            return nothing;
        }
        let address = fixed.address.addr();
        let free = Some(address).filter(|address| !self.has(IpAddr::V4(*address), candidate.vlan));
        Target { address: free, gateway: fixed.gateway, vlan: candidate.vlan }
    }

    /// The addresses by which a request has to come.
    fn new_addresses(&self, trial: &Trial) -> Vec<IpAddr> {
        let candidate = &trial.candidate;
        let is_kept = candidate.ipv4 == self.committed.ipv4 && self.is_beside(trial);
        match (&candidate.ipv4, &candidate.ipv6) {
            (_, Ipv6::Static(fixed)) if is_kept => vec![fixed.address.addr().into()],
            (Ipv4::Static(fixed), _) => vec![fixed.address.addr().into()],
            (Ipv4::Dhcp, _) => {
                let addresses = self.link.iter().flat_map(|link| &link.addresses);
                let is_lent = |one: &&crate::request::LinkAddress| {
                    one.is_dynamic && one.address.is_ipv4() && one.vlan == candidate.vlan
                };
                addresses.filter(is_lent).map(|one| one.address).collect()
            }
        }
    }

    fn has(&self, address: IpAddr, vlan: Option<Vlan>) -> bool {
        let is_it = |one: &crate::request::LinkAddress| one.address == address && one.vlan == vlan;
        self.link.as_ref().is_some_and(|link| link.addresses.iter().any(is_it))
    }

    fn has_carrier(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.has_carrier)
    }

    /// Whether the port has let the box in, and all fixed addresses of a configuration are there.
    fn is_up(&self, config: &Config) -> bool {
        let is_let_in = match &config.dot1x {
            None => true,
            Some(_) => self.link.as_ref().is_some_and(|link| link.dot1x == Some(Authentication::Passed)),
        };
        let ipv4 = match &config.ipv4 {
            Ipv4::Static(fixed) => self.has(fixed.address.addr().into(), config.vlan),
            Ipv4::Dhcp => true,
        };
        let ipv6 = match &config.ipv6 {
            Ipv6::Static(fixed) => self.has(fixed.address.addr().into(), config.vlan),
            Ipv6::Auto | Ipv6::Off => true,
        };
        is_let_in && ipv4 && ipv6
    }

    fn status(&self, now: Duration) -> Status {
        let name = self.committed.host_name.clone();
        let name = name.or_else(|| self.link.as_ref().map(|link| HostName::of_hardware(link.mac)));
        Status {
            committed: Form::from(&self.committed).without_secrets(),
            origin: self.origin,
            in_rescue: self.in_rescue,
            host_name: name.map(|name| name.as_str().to_owned()).unwrap_or_default(),
            link: self.link.clone(),
            trial: self.trial.as_ref().and_then(|trial| self.trial_status(now, trial)),
            last: self.last.clone(),
            planned: self.planned.as_ref().map(|planned| Form::from(planned).without_secrets()),
            changes: Vec::new(),
        }
    }

    fn trial_status(&self, now: Duration, trial: &Trial) -> Option<TrialStatus> {
        let (stage, until) = match self.phase {
            Phase::Check { until } => (Stage::Checking, until),
            Phase::Plug { until } => (Stage::Plugging, until),
            Phase::Keep | Phase::Apply => (Stage::Applying, now + APPEAR),
            Phase::Appear { until } => (Stage::Applying, until),
            Phase::Await { until } => (Stage::Awaiting, until),
            Phase::Commit => (Stage::Committed, now + LINGER),
            Phase::Linger { until } => (Stage::Committed, until),
            _ => return None,
        };
        Some(TrialStatus {
            stage,
            seconds_left: until.saturating_sub(now).as_secs(),
            is_beside: self.is_beside(trial),
            can_extend: stage == Stage::Awaiting && !trial.is_extended,
            nonce: trial.nonce.clone(),
            at: self.new_addresses(trial),
            candidate: Form::from(&trial.candidate).without_secrets(),
        })
    }
}

const SETTLE: Phase = Phase::Settle { attempt: 0, not_before: Duration::ZERO };

fn warnings(candidate: &Config) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if let Ipv4::Static(fixed) = &candidate.ipv4 {
        warnings.extend(fixed.gateway.is_none().then_some(Warning::NoGateway));
        warnings.extend(candidate.dns.is_empty().then_some(Warning::NoDns));
    }
    let trusts_anyone = candidate.dot1x.as_ref().is_some_and(|dot1x| dot1x.authority.is_none());
    warnings.extend(trusts_anyone.then_some(Warning::NoAuthority));
    warnings
}

/// Compares in a time that does not depend on where the two differ.
fn is_same_secret(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && !one.is_empty() && differences == 0
}
