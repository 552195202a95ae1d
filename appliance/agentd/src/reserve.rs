//! Room on the disk for the day when it is full: a file that is given up then, so that what is small and matters is still written,
//! such as a change of settings, the latest readings and the report that tells the manager.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::fcntl::posix_fallocate;
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use tokio::time::sleep;
use wire::notes::Remark;
use wire::vocab::RemarkCode;

use crate::complaint::Complaint;
use crate::store::Store;

/// Octets of the file: twice what the database writes beside itself before it tidies up.
const SIZE: u64 = 8 << 20;
/// With less than this free the file is given up.
const SCARCE: u64 = 2 << 20;
/// With at least this free it is made again: then as much is still free as it takes.
const PLENTY: u64 = 2 * SIZE;
/// Between two looks.
const LOOK: Duration = Duration::from_secs(10);

/// The file, there or not.
#[derive(Debug, Clone)]
pub struct Reserve {
    file: PathBuf,
    is_full: Arc<AtomicBool>,
}

impl Reserve {
    /// In the agent's folder. Looks at once, so that a start on a full disk has the room.
    pub fn of(folder: &Path) -> Self {
        let reserve = Self { file: folder.join("reserve"), is_full: Arc::default() };
        if let Err(error) = reserve.look() {
            log::warn!(error:% = format!("{error:#}"); "no room is kept back on the disk");
        }
        reserve
    }

    /// What is to be said when the disk is so full that what is read may not be kept.
    pub fn remark(&self) -> Option<Remark> {
        let is_full = self.is_full.load(Ordering::Relaxed);
        is_full.then(|| Remark { code: RemarkCode::StorageFull, since: None, text: String::new() })
    }

    /// Has the manager told whether the disk is full; for ever.
    pub async fn watch(self, store: Arc<Store>) {
        let mut looking = Complaint::about("no room is kept back on the disk");
        let mut telling = Complaint::about("that the disk is full, or no more, cannot be noted");
        loop {
            let (reserve, store) = (self.clone(), store.clone());
            let look = move || {
                let looked = reserve.look();
                (looked, reserve.tell(&store))
            };
            if let Ok((looked, told)) = tokio::task::spawn_blocking(look).await {
                looking.hear(looked);
                telling.hear(told);
            }
            sleep(LOOK).await;
        }
    }

    fn look(&self) -> Result<()> {
        let folder = self.file.parent().context("a file without a folder")?;
        let disk = match statfs(folder) {
            Ok(disk) => disk,
            // The first start makes it.
            Err(nix::errno::Errno::ENOENT) => return Ok(()),
            Err(error) => return Err(error).context("how much room there is"),
        };
        let free = boxcore::octets(disk.blocks_available(), disk.block_size().unsigned_abs());
        let is_there = fs::metadata(&self.file).is_ok_and(|about| about.len() == SIZE);
        let is_memory = disk.filesystem_type() == TMPFS_MAGIC;
        let is_full = match next(is_there, is_memory, free) {
            Step::Leave { is_full } => is_full,
            Step::GiveUp => {
                fs::remove_file(&self.file).context("the room kept back is not given up")?;
                log::error!(free; "the disk is full: the room that was kept back is given up");
                true
            }
            Step::Make => {
                make(&self.file).inspect_err(|_| drop(fs::remove_file(&self.file))).context("room kept back")?;
                false
            }
        };
        self.is_full.store(is_full, Ordering::Relaxed);
        Ok(())
    }

    fn tell(&self, store: &Store) -> Result<()> {
        match self.remark() {
            Some(remark) => store.say_of_self(&remark)?,
            None => store.unsay_of_self(&RemarkCode::StorageFull)?,
        }
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Leave { is_full: bool },
    GiveUp,
    Make,
}

/// What is to be done, with so many octets free. Memory is not kept back: it is scarcer than any disk.
fn next(is_there: bool, is_memory: bool, free: u64) -> Step {
    match is_there {
        true if free < SCARCE => Step::GiveUp,
        true => Step::Leave { is_full: false },
        false if is_memory => Step::Leave { is_full: free < SCARCE },
        false if free >= PLENTY => Step::Make,
        false => Step::Leave { is_full: true },
    }
}

fn make(file: &Path) -> io::Result<()> {
    posix_fallocate(File::create(file)?, 0, SIZE.try_into().map_err(io::Error::other)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_kept_back_given_up_and_made_again_without_going_to_and_fro() {
        let full = |is_full| Step::Leave { is_full };
        assert_eq!(next(false, false, PLENTY), Step::Make);
        assert_eq!(next(true, false, PLENTY - SIZE), full(false), "made, and not given up for it");
        assert_eq!(next(true, false, SCARCE - 1), Step::GiveUp);
        assert_eq!(next(false, false, SCARCE - 1 + SIZE), full(true), "given up, and not made for it");
        assert_eq!(next(false, true, PLENTY), full(false));
        assert_eq!(next(false, true, 0), full(true));
    }

    #[test]
    fn the_file_takes_the_room_that_it_keeps() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("reserve");
        fs::write(&file, "cut short").unwrap();
        make(&file).unwrap();
        let about = fs::metadata(&file).unwrap();
        assert!(about.len() == SIZE && about.blocks() * 512 >= SIZE, "{about:?}");
    }

    #[test]
    fn what_the_disk_has_become_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let reserve = Reserve { file: folder.path().join("reserve"), is_full: Arc::default() };
        let told = || {
            reserve.tell(&store).unwrap();
            store.said_of_self().unwrap().into_iter().map(|remark| remark.code).collect::<Vec<_>>()
        };
        assert_eq!(told(), []);
        reserve.is_full.store(true, Ordering::Relaxed);
        assert_eq!(told(), [RemarkCode::StorageFull]);
        assert_eq!(told(), [RemarkCode::StorageFull]);
        reserve.is_full.store(false, Ordering::Relaxed);
        assert_eq!(told(), []);
    }
}
