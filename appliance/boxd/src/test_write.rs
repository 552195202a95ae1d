//! Whether what is written to a folder is what is read from it: cards that fail turn read-only, or take writes and forget them.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context, Result, bail};
use boxcore::octets;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use nix::sys::statvfs::statvfs;

const SIZE: usize = 64 << 10;
/// With less free a write may fail for that.
const ROOM: u64 = 1 << 20;

/// Writes random bytes, has the system forget that it knows them, and reads them back.
///
/// A full folder passes: its card is no worse for that, and that it is full the agent says.
pub(crate) fn test_write(folder: &Path) -> Result<()> {
    let path = folder.join("write-test");
    let tested = write_and_read(&path);
    crate::place::remove(&path);
    let is_refused = |error: &anyhow::Error| {
        let io = error.downcast_ref::<io::Error>();
        io.is_some_and(|error| error.kind() == ErrorKind::StorageFull)
    };
    tested.or_else(|error| if is_refused(&error) && is_full(folder) { Ok(()) } else { Err(error) })
}

/// A damaged file system says that it is full when it is not.
fn is_full(folder: &Path) -> bool {
    let room = statvfs(folder);
    room.is_ok_and(|room| octets(room.blocks_free(), room.fragment_size()) < ROOM || room.files_free() == 0)
}

fn write_and_read(path: &Path) -> Result<()> {
    let mut written = vec![0; SIZE];
    getrandom::fill(&mut written).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path).context("cannot write")?;
    file.write_all(&written).context("cannot write")?;
    file.sync_all().context("what was written does not reach the storage")?;
    // To its end.
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).context("the cache cannot be emptied")?;
    drop(file);
    let mut read = Vec::new();
    File::open(path).and_then(|mut file| file.read_to_end(&mut read)).context("cannot read what was written")?;
    if read != written {
        bail!("what was read is not what was written");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_folder_passes_and_a_missing_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        test_write(folder.path()).unwrap();
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing is left behind");
        assert!(test_write(&folder.path().join("nowhere")).is_err());
    }
}
