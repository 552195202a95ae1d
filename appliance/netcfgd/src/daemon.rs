//! The loop: shows the keeper the world, carries out what it wants, passes requests on.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use control::Bounds;
use data_encoding::BASE32_NOPAD;
use netcfg::action::Action;
use netcfg::probe::{Outcome, Prober};
use netcfg::request::{Answer, Change, LONGEST_LINE, Refusal, Request};
use netcfg::trial::{Keeper, Noted};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::disk::{Disk, now};
use crate::fault::Faults;
use crate::link::Kernel;
use crate::networkd::Networkd;
use crate::packet::Check;
use crate::supplicant::Supplicant;

/// For the control socket. Who keeps the network may be waiting for systemd-networkd meanwhile.
const BOUNDS: Bounds = Bounds { connections: 16, longest_line: LONGEST_LINE, patience: Duration::from_secs(20) };
/// The port is looked at after so long even if the kernel says nothing: an event may have been lost.
const LOOK: Duration = Duration::from_secs(10);
/// Lines of the log of changes that are shown.
const SHOWN_CHANGES: usize = 50;
/// Events come in bursts; so long after the first the port is looked at.
const BURST: Duration = Duration::from_millis(30);

/// What the command line says.
pub(crate) struct Settings {
    pub(crate) state: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) networkd: PathBuf,
    pub(crate) interface: Option<String>,
    pub(crate) allowed_user: Option<u32>,
    pub(crate) stick: Option<PathBuf>,
    pub(crate) start_name: String,
    pub(crate) faults: Faults,
}

/// Time since the start; it never jumps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// Runs until it is told to stop. What it has laid out stays in force without it.
pub(crate) async fn run(settings: Settings) -> Result<()> {
    let disk = Disk::open(&settings.state, settings.faults.clone())?;
    disk.take_prepared();
    if let Some(folder) = &settings.stick {
        disk.provision(folder);
    }
    let found = disk.find();
    let (sender, mut asked) = mpsc::channel(16);
    let listener = control::listen(&settings.socket).context("the control socket")?;
    let mut terminated = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let mut world = World {
        keeper: Keeper::start(&found, &settings.start_name, nonce()),
        kernel: Kernel::open(settings.interface)?,
        supplicant: Supplicant::new(settings.socket.with_file_name("802.1x")),
        networkd: Networkd::new(&settings.networkd, settings.faults.clone()),
        faults: settings.faults,
        start_name: settings.start_name,
        disk,
        clock: Clock(Instant::now()),
        check: None,
    };
    tokio::spawn(control::serve(listener, settings.allowed_user, BOUNDS, move |line| ask(sender.clone(), line)));
    log::info!(socket:% = settings.socket.display(), state:% = settings.state.display(); "keeping the network");
    loop {
        world.look().await;
        world.carry_out().await;
        if let Some(wait) = world.keeper.waits_in() {
            world.faults.reach(wait, "waiting");
        }
        let pause = pause(&world);
        tokio::select! {
            request = asked.recv() => world.answer(request.context("the socket's task ended")?).await,
            changed = world.kernel.changed() => {
                changed?;
                // Not to look a hundred times while addresses come and go.
                sleep(BURST).await;
            }
            outcome = run_check(&mut world.check) => world.end_check(outcome),
            () = sleep(pause) => {}
            _ = terminated.recv() => break,
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    log::info!("stopping; the network stays as it is");
    Ok(())
}

/// A request and where its answer goes.
type Asked = (Request, oneshot::Sender<Answer>);

/// Has the one who keeps the network answer; nothing where it has ended.
async fn ask(asked: mpsc::Sender<Asked>, line: Vec<u8>) -> Option<Answer> {
    let request = match Request::decode(&line) {
        Ok(request) => request,
        Err(error) => return Some(Answer::Refused { why: Refusal::NotUnderstood(error.to_string()) }),
    };
    let (sender, receiver) = oneshot::channel();
    asked.send((request, sender)).await.ok()?;
    receiver.await.ok()
}

fn pause(world: &World) -> Duration {
    let due = world.keeper.poll_timeout().map(|due| due.saturating_sub(world.clock.now()));
    due.map_or(LOOK, |due| due.min(LOOK))
}

async fn run_check(check: &mut Option<Check>) -> Outcome {
    match check {
        Some(check) => check.run().await,
        None => std::future::pending().await,
    }
}

struct World {
    keeper: Keeper,
    kernel: Kernel,
    supplicant: Supplicant,
    networkd: Networkd,
    faults: Faults,
    start_name: String,
    disk: Disk,
    clock: Clock,
    check: Option<Check>,
}

impl World {
    /// Shows the keeper the port.
    async fn look(&mut self) {
        let link = match self.kernel.look().await {
            Ok(None) => None,
            Ok(Some((index, mut link))) => {
                let held: Vec<_> = link.addresses.iter().map(|one| one.address).collect();
                (link.dns, link.lease) = self.networkd.describe(index, &held).await;
                link.dot1x = self.supplicant.look().await;
                Some(link)
            }
            Err(error) => return log::warn!("the network port cannot be looked at: {error:#}"),
        };
        self.keeper.handle_link(self.clock.now(), link);
        self.keeper.handle_timeout(self.clock.now());
    }

    /// Does what the keeper wants, one after the other.
    async fn carry_out(&mut self) {
        while self.carry_out_next().await.is_some() {}
        self.log_changes();
        self.watch_check();
    }

    /// Does the one thing that the keeper wants next, if it wants any; says whether it could be done.
    async fn carry_out_next(&mut self) -> Option<bool> {
        let action = self.keeper.poll_action(self.clock.now())?;
        self.faults.reach(action.step(), "before");
        let done = match &action {
            Action::KeepPending(config) => self.disk.keep_pending(config),
            Action::Apply(plan) => {
                self.supplicant.apply(&plan.port, plan.dot1x.as_ref()).await;
                self.networkd.apply(plan).await
            }
            Action::Commit => self.disk.commit(),
            Action::Discard => self.disk.discard(),
            Action::Replace(config) => self.disk.replace(config),
            Action::Plan(config) => self.disk.plan(config, &self.start_name),
            Action::Withdraw => self.disk.withdraw(),
            Action::Activate => self.disk.activate(),
        };
        self.faults.reach(action.step(), "after");
        match &done {
            Ok(()) => log::info!("done: {}", name(&action)),
            Err(error) => log::error!("failed: {}: {error:#}", name(&action)),
        }
        let could = done.is_ok();
        self.keeper.handle_done(self.clock.now(), done.map_err(|error| format!("{error:#}")));
        self.log_changes();
        self.look().await;
        Some(could)
    }

    /// Writes down what happened, before anything else follows from it.
    fn log_changes(&mut self) {
        while let Some(noted) = self.keeper.poll_noted() {
            let Noted { by, event, candidate } = noted;
            self.disk.log(&Change { at: now(), by, event, candidate });
        }
    }

    /// Runs the check that the keeper wants, and no other.
    fn watch_check(&mut self) {
        let Some((serial, target)) = self.keeper.probe() else { return self.check = None };
        if self.check.as_ref().is_some_and(|check| check.serial == serial) {
            return;
        }
        let now = self.clock.now();
        let Some((interface, mac)) = self.keeper.port() else { return };
        let mut random = [0; 3];
        // Without randomness two boxes that start at once might probe at once; that is all.
        let _ = getrandom::fill(&mut random);
        match Check::new(serial, Prober::new(now, mac, target, random), &interface, self.clock) {
            Ok(check) => self.check = Some(check),
            Err(error) => log::error!("the wanted address cannot be checked: {error:#}"),
        }
    }

    fn end_check(&mut self, outcome: Outcome) {
        if let Some(check) = self.check.take() {
            self.keeper.handle_probed(check.serial, outcome);
        }
    }

    async fn answer(&mut self, (request, sender): Asked) {
        match &request {
            Request::Show {} => {}
            Request::Try { .. } => log::info!("asked to try a configuration"),
            Request::Confirm { local, .. } => log::info!("a request came in at {local}"),
            Request::Extend {} => log::info!("asked for more time"),
            Request::Cancel { .. } => log::info!("asked to take the trial back"),
            Request::Reset {} => log::info!("asked to reset the network"),
        }
        let is_confirmation = matches!(request, Request::Confirm { .. });
        let mut answer = self.keeper.handle_request(self.clock.now(), request, nonce());
        self.log_changes();
        // That a change is kept is said once it is stored: the power may fail right after.
        if is_confirmation && answer == (Answer::Done {}) && self.carry_out_next().await == Some(false) {
            answer = Answer::Refused { why: Refusal::NotStored };
        }
        if let Answer::Status(status) = &mut answer {
            status.changes = self.disk.changes(SHOWN_CHANGES);
        }
        if let Answer::Refused { why } = &answer {
            log::info!("refused: {why:?}");
        }
        // Who asked may have gone.
        let _ = sender.send(answer);
    }
}

/// What the link to a new address carries: 160 random bits. Without randomness nothing, and an empty nonce confirms nothing.
fn nonce() -> String {
    let mut bytes = [0_u8; 20];
    match getrandom::fill(&mut bytes) {
        Ok(()) => BASE32_NOPAD.encode(&bytes),
        Err(error) => {
            log::error!("the system gives no randomness: {error}");
            String::new()
        }
    }
}

fn name(action: &Action) -> &'static str {
    match action {
        Action::KeepPending(_) => "keep the candidate as pending",
        Action::Apply(_) => "lay out the network",
        Action::Commit => "commit the candidate",
        Action::Discard => "put the candidate away",
        Action::Replace(_) => "replace the configuration",
        Action::Plan(_) => "keep the candidate for the next start",
        Action::Withdraw => "put away what was planned",
        Action::Activate => "begin what was planned",
    }
}
