//! What answers requests. Each is one of a closed list; what it may do is decided in `boxcore`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use boxcore::octets;
use boxcore::prepared::TimeZoneName;
use boxcore::request::{Answer, Data, Health, LONGEST_LINE, Remark, Request, Status};
use boxcore::update::{Record, Refusal, Version};
use clap::Args;
use control::Bounds;
use nix::sys::statvfs::statvfs;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::cli::Folders;
use crate::place::{read_bounded, write_whole};
use crate::{data, health, provision, rauc, system};

/// For the control socket.
pub(crate) const BOUNDS: Bounds =
    Bounds { connections: 8, longest_line: LONGEST_LINE, patience: Duration::from_secs(20) };
/// Between the answer and the restart, so that the page can still say that it comes.
const BREATH: Duration = Duration::from_secs(2);
/// The record of the last update.
pub(crate) const RECORD: &str = "update.json";
/// The variable TZ for the agent's unit.
const ENVIRONMENT: &str = "environment";
/// Largest file of its own that it reads.
const LARGEST: usize = 64 << 10;

/// What the command line says.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    #[command(flatten)]
    pub(crate) folders: Folders,
    /// The socket on which it is asked
    #[arg(long, value_name = "FILE", default_value = "/run/boxd/socket")]
    socket: PathBuf,
    /// Folder in which bundles are left
    #[arg(long, value_name = "FOLDER", default_value = boxcore::request::UPDATES)]
    pub(crate) updates: PathBuf,
    /// The mount point of the data partition
    #[arg(long, value_name = "FOLDER", default_value = "/data")]
    mount: PathBuf,
    /// What says which version runs
    #[arg(long, value_name = "FILE", default_value = "/etc/os-release")]
    os_release: PathBuf,
    /// What says which kind of box it is
    #[arg(long, value_name = "FILE", default_value = "/etc/druckwart/board")]
    board: PathBuf,
    /// The kernel's command line, which names the running slot
    #[arg(long, value_name = "FILE", default_value = "/proc/cmdline")]
    command_line: PathBuf,
    /// Folder of time zones
    #[arg(long, value_name = "FOLDER", default_value = provision::ZONES)]
    zones: PathBuf,
    /// A unit without which the system is not good; may be given several times
    #[arg(long = "require", value_name = "UNIT")]
    pub(crate) units: Vec<String>,
    /// Address and port of the page
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:443")]
    pub(crate) page: std::net::SocketAddr,
    /// A file that is there while the agent reaches its manager
    #[arg(long, value_name = "FILE", default_value = "/run/agentd/manager-reached")]
    pub(crate) manager_reached: PathBuf,
    /// For tests: the name of this start of the machine, in place of the kernel's
    #[arg(long, value_name = "NAME", hide = true)]
    start_name: Option<String>,
}

/// Runs until it is told to stop.
pub(crate) async fn run(settings: Settings, allowed_user: Option<u32>) -> Result<()> {
    // The one place where the process chooses its cryptography.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut terminated = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let listener = control::listen(&settings.socket).context("the control socket")?;
    let world = Arc::new(World::new(settings)?);
    log::info!(version:% = world.version, board = world.board.as_str(); "keeping the box");
    let asked = world.clone();
    let answer = move |line: Vec<u8>| {
        let world = asked.clone();
        async move {
            Some(match Request::decode(&line) {
                Ok(request) => world.answer(request).await,
                Err(error) => Answer::Refused { why: error.to_string() },
            })
        }
    };
    tokio::spawn(control::serve(listener, allowed_user, BOUNDS, answer));
    tokio::select! {
        () = health::watch(&world) => {}
        _ = terminated.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}

/// All that is known, and what is under way.
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) version: Version,
    board: String,
    /// The boot loader's name of the running slot.
    pub(crate) slot: Option<String>,
    /// What the kernel calls this start of the machine.
    pub(crate) start: String,
    remarks: Vec<Remark>,
    pub(crate) state: Mutex<State>,
}

/// What changes.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Whether an update is being installed.
    pub(crate) is_installing: bool,
    /// Why the last one was not.
    pub(crate) refused: Option<Refusal>,
    /// The last update that was.
    pub(crate) last: Option<Record>,
    pub(crate) health: Health,
    pub(crate) test_fault: Option<String>,
}

impl World {
    fn new(settings: Settings) -> Result<Self> {
        let version =
            system::of_os_release(&settings.os_release, "VERSION_ID").context("os-release names no version")?;
        let board = read_bounded(&settings.board, LARGEST)?.context("nothing says which kind of box this is")?;
        let report = read_bounded(&settings.folders.run.join(data::REPORT), LARGEST).unwrap_or_default();
        let last = read_bounded(&settings.folders.state.join(RECORD), LARGEST).unwrap_or_default();
        let state = State { last: last.and_then(|bytes| Record::decode(&bytes)), ..State::default() };
        Ok(Self {
            version: Version::parse(&version).with_context(|| format!("`{version}` is no version"))?,
            board: String::from_utf8_lossy(&board).trim().to_owned(),
            slot: system::of_command_line(&settings.command_line, "rauc.slot"),
            start: settings.start_name.clone().map_or_else(system::start_name, Ok)?,
            remarks: report.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default(),
            state: Mutex::new(state),
            settings,
        })
    }

    /// For which bundles this box is.
    pub(crate) fn compatible(&self) -> String {
        format!("druckwart-{}", self.board)
    }

    /// Whether data are kept in memory only.
    pub(crate) fn is_volatile(&self) -> bool {
        self.remarks.iter().any(|remark| matches!(remark, Remark::Missing | Remark::ReadOnly))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what became of the last update; in memory where nothing else takes it.
    pub(crate) fn keep_record(&self, record: &Record) {
        if let Err(error) = self.store_record(record) {
            log::error!("what became of the update is not kept: {error:#}");
            self.state().last = Some(record.clone());
        }
    }

    /// Keeps it where a start finds it, or not at all.
    pub(crate) fn store_record(&self, record: &Record) -> Result<()> {
        write_whole(&self.settings.folders.state.join(RECORD), record.encode().as_bytes())?;
        self.state().last = Some(record.clone());
        Ok(())
    }

    /// Answers a request.
    pub(crate) async fn answer(self: &Arc<Self>, request: Request) -> Answer {
        let done = match request {
            Request::Show {} => return Answer::Status(Box::new(self.status().await)),
            Request::Install { file, wish } => {
                log::info!(file = file.as_str(); "asked to install a bundle");
                self.begin_update(file, wish);
                Ok(())
            }
            Request::Restart {} => {
                self.restart_soon();
                Ok(())
            }
            Request::Erase {} => {
                log::warn!("asked to erase everything");
                ask_for_erasure(&self.settings.folders.state).map(|()| self.restart_soon())
            }
            Request::SetTimeZone { zone } => set_time_zone(&self.settings.zones, &self.settings.folders.state, &zone),
        };
        match done {
            Ok(()) => Answer::Done {},
            Err(error) => {
                log::warn!("refused: {error:#}");
                Answer::Refused { why: format!("{error:#}") }
            }
        }
    }

    /// Restarts once the answer has gone out.
    pub(crate) fn restart_soon(self: &Arc<Self>) {
        tokio::spawn(async {
            sleep(BREATH).await;
            if let Err(error) = system::reboot().await {
                log::error!("the box does not restart: {error:#}");
            }
        });
    }

    async fn status(&self) -> Status {
        let slots = rauc::slots().await.unwrap_or_else(|error| {
            log::debug!("the slots are not known: {error:#}");
            Vec::new()
        });
        let is_installing = self.state().is_installing;
        let progress = if is_installing { rauc::progress().await.or(Some(crate::update::BEGINNING)) } else { None };
        let room = statvfs(&self.settings.mount).ok();
        let state_folder = &self.settings.folders.state;
        let word = |path: &Path| {
            let bytes = read_bounded(path, LARGEST).ok().flatten()?;
            Some(String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        let state = self.state();
        Status {
            version: self.version.to_string(),
            board: self.board.clone(),
            slots,
            progress,
            refused: state.refused.clone(),
            last: state.last.clone(),
            health: state.health.clone(),
            data: Data {
                is_volatile: self.is_volatile(),
                remarks: self.remarks.clone(),
                test_fault: state.test_fault.clone(),
                size: room.map_or(0, |room| octets(room.blocks(), room.fragment_size())),
                free: room.map_or(0, |room| octets(room.blocks_available(), room.fragment_size())),
            },
            time_zone: word(&state_folder.join(ENVIRONMENT))
                .and_then(|line| Some(line.strip_prefix("TZ=")?.to_owned())),
            prepared: word(&state_folder.join(provision::ANSWER)),
        }
    }
}

/// Leaves the wish to erase everything for the next start.
pub(crate) fn ask_for_erasure(state: &Path) -> Result<()> {
    write_whole(&state.join(data::ERASE_WISH), b"erase\n")
}

/// Sets the zone of the agent's clock times, from its next start on.
pub(crate) fn set_time_zone(zones: &Path, state: &Path, zone: &TimeZoneName) -> Result<()> {
    anyhow::ensure!(zones.join(zone.as_str()).is_file(), "there is no time zone `{zone}`");
    write_whole(&state.join(ENVIRONMENT), format!("TZ={zone}\n").as_bytes())
}
