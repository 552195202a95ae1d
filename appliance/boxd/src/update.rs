//! Installs a bundle that was left in the folder for bundles: into a folder of its own first, where nobody but root can exchange it
//! between the look at it and its use.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use boxcore::health::Fault;
use boxcore::octets;
use boxcore::request::{FileName, Progress};
use boxcore::update::{Record, Refusal, Running, Stage, Wish, may_copy, may_install};
use nix::sys::statvfs::statvfs;

use crate::daemon::World;
use crate::place::{open_plain, remove};
use crate::{health, rauc};

/// Where it lies while it is being installed.
const BUNDLE: &str = "bundle.raucb";
/// What is shown until RAUC says how far it is.
pub(crate) const BEGINNING: Progress = Progress { percent: 0, doing: String::new() };

impl World {
    /// Begins; `Show` tells how it goes on.
    pub(crate) fn begin_update(self: &Arc<Self>, file: FileName, wish: Wish) {
        let source = self.settings.updates.join(file.as_str());
        {
            let mut state = self.state();
            if state.is_installing {
                state.refused = Some(Refusal::Busy);
                remove(&source);
                return;
            }
            state.is_installing = true;
            state.refused = None;
        }
        let world = self.clone();
        tokio::spawn(async move {
            let ended = world.update(&source, wish).await;
            remove(&source);
            remove(&world.bundle());
            let mut state = world.state();
            state.is_installing = false;
            match ended {
                Ok(()) if wish == Wish::Found => world.restart_soon(),
                Ok(()) => {}
                Err(refusal) => {
                    log::warn!("the bundle is not installed: {refusal}");
                    state.refused = Some(refusal);
                }
            }
        });
    }

    fn bundle(&self) -> PathBuf {
        self.settings.folders.state.join(BUNDLE)
    }

    async fn update(self: &Arc<Self>, source: &Path, wish: Wish) -> Result<(), Refusal> {
        let (last, is_good) = {
            let state = self.state();
            (state.last.clone(), state.health.is_good)
        };
        if self.is_volatile() {
            return Err(Refusal::NoData);
        }
        match last.as_ref().map(|record| &record.stage) {
            // Putting another one over it would leave nothing to go back to.
            Some(Stage::OnTrial | Stage::Leaving(_)) if !is_good => return Err(Refusal::OnTrial),
            Some(Stage::Installed) if wish == Wish::Found => return Err(Refusal::WaitsForRestart),
            _ => {}
        }
        if rauc::is_busy().await {
            // One that was begun before boxd came back: what it writes belongs to the record that is there.
            return Err(Refusal::Busy);
        }
        let (from, to) = (source.to_owned(), self.bundle());
        let copied = tokio::task::spawn_blocking(move || copy(&from, &to)).await;
        copied.map_err(|error| Refusal::Unread { why: error.to_string() })??;
        let path = self.bundle().display().to_string();
        let bundle = rauc::inspect(&path).await.map_err(|error| Refusal::NotTrusted { why: format!("{error:#}") })?;
        let running = Running { compatible: &self.compatible(), version: &self.version, last: last.as_ref() };
        let version = may_install(&bundle, &running, wish)?;
        let slots = rauc::slots().await.map_err(|error| Refusal::NoInstaller { why: format!("{error:#}") })?;
        let target = slots.iter().find(|slot| !slot.is_running);
        let Some(target) = target.map(|slot| slot.name.clone()) else {
            return Err(Refusal::NoInstaller { why: "there is no second system on the card".to_owned() });
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut record = Record {
            from: self.version.to_string(),
            to: bundle.version,
            slot: target,
            at: now.as_secs(),
            installed_in: self.start.clone(),
            needs: health::needs(self),
            stage: Stage::Installing,
        };
        // Before RAUC chooses the slot: a power cut right after that must find a start that is a trial.
        self.store_record(&record).map_err(|error| {
            log::error!("no record can be kept of the update: {error:#}");
            Refusal::NoData
        })?;
        log::info!(version:%, slot = record.slot.as_str(); "installing");
        let installed = rauc::install(&path).await.map_err(|error| Refusal::NotTrusted { why: format!("{error:#}") });
        record.stage = match installed {
            Ok(()) => Stage::Installed,
            Err(_) => Stage::WentBack(vec![Fault::NotInstalled]),
        };
        self.keep_record(&record);
        installed?;
        log::info!(version:%; "installed; the next start tries it");
        Ok(())
    }
}

/// Copies a bundle to where nobody else can write.
fn copy(from: &Path, to: &Path) -> Result<(), Refusal> {
    let unread = |error: io::Error| Refusal::Unread { why: error.to_string() };
    let source = open_plain(from).map_err(|error| Refusal::Unread { why: format!("{error:#}") })?;
    let mut source = source.ok_or_else(|| Refusal::Unread { why: "it is not there".to_owned() })?;
    let size = source.metadata().map_err(unread)?.len();
    let folder = to.parent().unwrap_or(to);
    let room = statvfs(folder).map_err(|error| unread(error.into()))?;
    may_copy(size, octets(room.blocks_available(), room.fragment_size()))?;
    remove(to);
    let copied = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).and_then(|mut target: File| {
        // No more than was looked at: the file may be growing.
        let copied = io::copy(&mut io::Read::take(&mut source, size), &mut target)?;
        target.sync_all()?;
        Ok(copied)
    });
    match copied {
        Ok(copied) if copied == size => Ok(()),
        Ok(_) => Err(Refusal::Unread { why: "it became shorter".to_owned() }),
        Err(error) => {
            let _ = fs::remove_file(to);
            match error.kind() {
                io::ErrorKind::StorageFull => Err(Refusal::Full { free: 0, needed: size }),
                _ => Err(unread(error)),
            }
        }
    }
}
