//! A prepared card or stick: mounted where no other program sees it, read-only but for the moment of the answer.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::place::{open_plain, read_bounded};

/// What a card or stick may be formatted with.
const KINDS: [&str; 3] = ["vfat", "exfat", "ext4"];
/// Most entries of a folder that are looked at.
const MOST: usize = 1000;

/// A medium in reach.
#[derive(Debug)]
pub(crate) struct Medium {
    folder: PathBuf,
    is_mounted: bool,
}

impl Medium {
    /// Mounts a device on a folder. A folder in place of the device is taken as it is.
    pub(crate) fn open(device: &Path, folder: &Path) -> Result<Self> {
        if device.is_dir() {
            return Ok(Self { folder: device.to_owned(), is_mounted: false });
        }
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut last = None;
        for kind in KINDS {
            match mount(Some(device), folder, Some(kind), flags() | MsFlags::MS_RDONLY, None::<&str>) {
                Ok(()) => return Ok(Self { folder: folder.to_owned(), is_mounted: true }),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("a kind")?).with_context(|| format!("{} cannot be mounted", device.display()))
    }

    /// A file in its first folder; `None` where there is none.
    pub(crate) fn read(&self, name: &str, largest: usize) -> Result<Option<Vec<u8>>> {
        read_bounded(&self.folder.join(name), largest)
    }

    /// The names of files in its first folder that end so, in order.
    pub(crate) fn names(&self, ending: &str) -> Vec<String> {
        let Ok(found) = fs::read_dir(&self.folder) else { return Vec::new() };
        let names = found.flatten().take(MOST).filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter(|name| name.to_ascii_lowercase().ends_with(ending)).collect();
        names.sort();
        names
    }

    /// A file to be copied from.
    pub(crate) fn open_file(&self, name: &str) -> Result<File> {
        open_plain(&self.folder.join(name))?.with_context(|| format!("{name} is gone"))
    }

    /// Writes files back. One that is there with the same length is written over in place.
    pub(crate) fn write_back(&self, files: &[(&str, &[u8])]) -> Result<()> {
        self.remount(flags())?;
        let written = files.iter().try_for_each(|(name, content)| {
            let path = self.folder.join(name);
            let in_place =
                fs::symlink_metadata(&path).is_ok_and(|about| about.is_file() && about.len() == content.len() as u64);
            if path.is_symlink() {
                bail!("{name} is a link");
            }
            let mut options = OpenOptions::new();
            options.write(true).create(!in_place).truncate(!in_place);
            let done = options.open(&path).and_then(|mut file| {
                file.write_all(content)?;
                file.sync_all()
            });
            done.with_context(|| format!("{name} cannot be written"))
        });
        nix::unistd::sync();
        written.and(self.remount(flags() | MsFlags::MS_RDONLY))
    }

    fn remount(&self, flags: MsFlags) -> Result<()> {
        if !self.is_mounted {
            return Ok(());
        }
        mount(None::<&str>, &self.folder, None::<&str>, flags | MsFlags::MS_REMOUNT, None::<&str>)
            .context("the medium is write-protected")
    }
}

impl Drop for Medium {
    fn drop(&mut self) {
        if self.is_mounted
            && let Err(error) = umount2(&self.folder, MntFlags::empty())
        {
            log::warn!("{} stays mounted: {error}", self.folder.display());
        }
    }
}

fn flags() -> MsFlags {
    MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_NOATIME
}
