//! The trial: try, confirm, take back. A state machine that does nothing itself.
//!
//! What is confirmed stands on disk before anything else follows from it, and what is not confirmed is only ever added beside
//! what is. So wherever the machine is stopped, a start from disk finds the configuration that was last confirmed.
//!
//! Caller loop: carry out `poll_action` and tell `handle_done`, until there is none; run the check of `probe` if there is one;
//! then wait for a request, a change of the link, the check's end or `poll_timeout`.

use std::net::IpAddr;
use std::time::Duration;

use crate::config::{Config, Form, HostName, Ipv4, Ipv6};
use crate::disk::{Found, Origin};
use crate::plan::{Plan, Port};
use crate::probe::{self, Outcome, Target};
use crate::request::{Answer, Ending, Last, Link, Refusal, Request, Stage, Status, TrialStatus, Warning};

/// Time for a new address to come up.
const APPEAR: Duration = Duration::from_secs(15);
/// Time to confirm. Spanning tree alone can take 50 seconds of it.
const CONFIRM: Duration = Duration::from_secs(120);
/// What is added to it on demand.
const EXTENSION: Duration = Duration::from_secs(180);
/// How long the old address answers after the new one is confirmed, so that the page there can lead on.
const LINGER: Duration = Duration::from_secs(30);
/// Time for the committed address to be there again.
const VERIFY: Duration = Duration::from_secs(5);
/// Until the next attempt where systemd-networkd does not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// Attempts to bring up the committed configuration before DHCP is added to it.
const ATTEMPTS: u32 = 2;

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
    /// Make this the committed configuration, and the committed one the previous.
    Replace(Config),
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
}

#[derive(Debug)]
struct Trial {
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
}

impl Keeper {
    /// Starts from what is on disk. A trial that was under way is over.
    pub fn start(found: &Found) -> Self {
        let (committed, origin) = found.effective();
        let last = found.pending.as_ref().map(|pending| Last {
            ending: Ending::Restarted,
            candidate: pending.as_ref().map(Form::from).unwrap_or_default(),
        });
        let phase = match found.pending {
            Some(_) => Phase::Discard,
            None => SETTLE,
        };
        Self { committed, origin, link: None, phase, trial: None, serial: 0, last, in_rescue: false }
    }

    /// A request, with a fresh nonce in case that it begins a trial.
    pub fn handle_request(&mut self, now: Duration, request: Request, nonce: String) -> Answer {
        let outcome = match request {
            Request::Show {} => return Answer::Status(Box::new(self.status(now))),
            Request::Try { form, force } => self.begin(now, &form, force, nonce),
            Request::Confirm { nonce, local } => self.confirm(&nonce, local),
            Request::Extend {} => self.extend(),
            Request::Cancel {} => self.cancel(),
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
        let is_another = link.as_ref().map(port_of) != self.link.as_ref().map(port_of);
        self.link = link;
        match self.phase {
            Phase::Appear { .. } if self.trial.as_ref().is_some_and(|trial| self.is_up(&trial.candidate)) => {
                self.phase = Phase::Await { until: now + CONFIRM };
            }
            Phase::Verify { attempt, .. } if self.is_up(&self.committed) || !self.has_carrier() => {
                self.come_to_rest(attempt)
            }
            Phase::Idle if is_another => self.phase = SETTLE,
            _ => {}
        }
    }

    /// The check of this number has ended.
    pub fn handle_probed(&mut self, serial: u64, outcome: Outcome) {
        let (Phase::Check { .. }, Some(trial)) = (self.phase, &self.trial) else { return };
        if serial != self.serial {
            return;
        }
        if let Some(mac) = outcome.in_use_by {
            return self.end(Ending::InUse(mac), Phase::Idle);
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
            (Phase::Apply, Ok(())) => match self.trial.as_ref().is_some_and(|trial| self.is_up(&trial.candidate)) {
                true => self.phase = Phase::Await { until: now + CONFIRM },
                false => self.phase = Phase::Appear { until: now + APPEAR },
            },
            (Phase::Apply, Err(_)) => self.end(Ending::NotApplied, Phase::Discard),
            (Phase::Commit, Ok(())) => {
                if let Some(trial) = &self.trial {
                    let reached_like_before = trial.candidate.is_reached_like(&self.committed);
                    self.committed = trial.candidate.clone();
                    self.origin = Origin::Committed;
                    let form = Form::from(&self.committed);
                    self.last = Some(Last { ending: Ending::Committed, candidate: form });
                    match reached_like_before {
                        true => self.end(Ending::Committed, SETTLE),
                        false => self.phase = Phase::Linger { until: now + LINGER },
                    }
                }
            }
            // One that cannot be put away is put away at the next start.
            (Phase::Discard, _) => self.phase = SETTLE,
            (Phase::Reset, done) => {
                self.trial = None;
                self.committed = Config::factory();
                self.origin = if done.is_ok() { Origin::Committed } else { Origin::Rescue };
                self.last = Some(Last { ending: Ending::Reset, candidate: Form::from(&self.committed) });
                self.phase = SETTLE;
            }
            (Phase::Settle { attempt, .. }, Ok(())) => match self.is_up(&self.committed) || !self.has_carrier() {
                true => self.come_to_rest(attempt),
                false => self.phase = Phase::Verify { attempt, until: now + VERIFY },
            },
            (Phase::Settle { attempt, .. }, Err(_)) => {
                self.phase = Phase::Settle { attempt: attempt.saturating_add(1), not_before: now + PAUSE };
            }
            _ => {}
        }
    }

    /// Time went on.
    pub fn handle_timeout(&mut self, now: Duration) {
        match self.phase {
            // The check reports by itself; this is for one that was lost.
            Phase::Check { until } if now >= until => self.end(Ending::NotApplied, Phase::Idle),
            Phase::Appear { until } if now >= until => self.end(Ending::NotApplied, Phase::Discard),
            Phase::Await { until } if now >= until => self.end(Ending::NotConfirmed, Phase::Discard),
            Phase::Linger { until } if now >= until => {
                self.trial = None;
                self.phase = SETTLE;
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
        let port = || self.link.as_ref().map(port_of);
        match self.phase {
            Phase::Keep => Some(Action::KeepPending(candidate()?.clone())),
            Phase::Apply => Some(Action::Apply(Plan::trial(&port()?, &self.committed, candidate()?))),
            Phase::Commit => Some(Action::Commit),
            Phase::Discard => Some(Action::Discard),
            Phase::Reset => Some(Action::Replace(Config::factory())),
            Phase::Settle { attempt, not_before } if now >= not_before => {
                Some(Action::Apply(match attempt >= ATTEMPTS {
                    true => Plan::rescue(&port()?, &self.committed),
                    false => Plan::settled(&port()?, &self.committed),
                }))
            }
            _ => None,
        }
    }

    /// The check that has to run, with its number.
    pub fn probe(&self) -> Option<(u64, Target)> {
        let trial = self.trial.as_ref().filter(|_| matches!(self.phase, Phase::Check { .. }))?;
        Some((self.serial, self.target(&trial.candidate)))
    }

    /// When `handle_timeout` or `poll_action` is due again without anything else happening.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.phase {
            Phase::Check { until }
            | Phase::Appear { until }
            | Phase::Await { until }
            | Phase::Linger { until }
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

    fn begin(&mut self, now: Duration, form: &Form, force: bool, nonce: String) -> Result<(), Refusal> {
        let candidate = form.parse().map_err(Refusal::Fields)?;
        if self.phase != Phase::Idle {
            return Err(Refusal::Busy);
        }
        let target = self.target(&candidate);
        let is_new = !candidate.is_reached_like(&self.committed);
        if self.link.is_none() || (is_new && !target.is_empty() && !self.has_carrier()) {
            return Err(Refusal::NoCable);
        }
        self.serial += 1;
        self.last = None;
        self.trial = Some(Trial { candidate, nonce, force, is_extended: false });
        self.phase = match is_new && !target.is_empty() {
            true => Phase::Check { until: now + probe::LONGEST + PAUSE },
            false => Phase::Keep,
        };
        Ok(())
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

    fn cancel(&mut self) -> Result<(), Refusal> {
        match self.phase {
            Phase::Check { .. } => self.end(Ending::Cancelled, Phase::Idle),
            Phase::Appear { .. } | Phase::Await { .. } => self.end(Ending::Cancelled, Phase::Discard),
            _ => return Err(Refusal::NoTrial),
        }
        Ok(())
    }

    fn end(&mut self, ending: Ending, next: Phase) {
        if let Some(trial) = self.trial.take() {
            self.last = Some(Last { ending, candidate: Form::from(&trial.candidate) });
        }
        self.phase = next;
    }

    fn come_to_rest(&mut self, attempt: u32) {
        self.in_rescue = attempt >= ATTEMPTS;
        self.phase = Phase::Idle;
    }

    fn target(&self, candidate: &Config) -> Target {
        let Ipv4::Static(fixed) = &candidate.ipv4 else { return Target { address: None, gateway: None } };
        if candidate.ipv4 == self.committed.ipv4 {
            return Target { address: None, gateway: None };
        }
        let address = fixed.address.addr();
        Target { address: Some(address).filter(|address| !self.has(IpAddr::V4(*address))), gateway: fixed.gateway }
    }

    /// The addresses by which a request has to come.
    fn new_addresses(&self, trial: &Trial) -> Vec<IpAddr> {
        let candidate = &trial.candidate;
        match (&candidate.ipv4, &candidate.ipv6) {
            (ipv4, Ipv6::Static(fixed)) if *ipv4 == self.committed.ipv4 => vec![fixed.address.addr().into()],
            (Ipv4::Static(fixed), _) => vec![fixed.address.addr().into()],
            (Ipv4::Dhcp, _) => {
                let addresses = self.link.iter().flat_map(|link| &link.addresses);
                addresses.filter(|one| one.is_dynamic && one.address.is_ipv4()).map(|one| one.address).collect()
            }
        }
    }

    fn has(&self, address: IpAddr) -> bool {
        self.link.as_ref().is_some_and(|link| link.addresses.iter().any(|one| one.address == address))
    }

    fn has_carrier(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.has_carrier)
    }

    /// Whether all fixed addresses of a configuration are there.
    fn is_up(&self, config: &Config) -> bool {
        let ipv4 = match &config.ipv4 {
            Ipv4::Static(fixed) => self.has(fixed.address.addr().into()),
            Ipv4::Dhcp => true,
        };
        let ipv6 = match &config.ipv6 {
            Ipv6::Static(fixed) => self.has(fixed.address.addr().into()),
            Ipv6::Auto | Ipv6::Off => true,
        };
        ipv4 && ipv6
    }

    fn status(&self, now: Duration) -> Status {
        let name = self.committed.host_name.clone();
        let name = name.or_else(|| self.link.as_ref().map(|link| HostName::of_hardware(link.mac)));
        Status {
            committed: Form::from(&self.committed),
            origin: self.origin,
            in_rescue: self.in_rescue,
            host_name: name.map(|name| name.as_str().to_owned()).unwrap_or_default(),
            link: self.link.clone(),
            trial: self.trial.as_ref().and_then(|trial| self.trial_status(now, trial)),
            last: self.last.clone(),
        }
    }

    fn trial_status(&self, now: Duration, trial: &Trial) -> Option<TrialStatus> {
        let (stage, until) = match self.phase {
            Phase::Check { until } => (Stage::Checking, until),
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
            can_extend: stage == Stage::Awaiting && !trial.is_extended,
            nonce: trial.nonce.clone(),
            at: self.new_addresses(trial),
            candidate: Form::from(&trial.candidate),
        })
    }
}

const SETTLE: Phase = Phase::Settle { attempt: 0, not_before: Duration::ZERO };

fn port_of(link: &Link) -> Port {
    Port { name: link.name.clone(), mac: link.mac }
}

fn warnings(candidate: &Config) -> Vec<Warning> {
    let Ipv4::Static(fixed) = &candidate.ipv4 else { return Vec::new() };
    let without_gateway = fixed.gateway.is_none().then_some(Warning::NoGateway);
    without_gateway.into_iter().chain(candidate.dns.is_empty().then_some(Warning::NoDns)).collect()
}

/// Compares in a time that does not depend on where the two differ.
fn is_same_secret(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && !one.is_empty() && differences == 0
}
