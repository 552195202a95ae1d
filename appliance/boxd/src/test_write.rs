//! Whether what is written to a folder is what is read from it: cards that fail turn read-only, or take writes and forget them.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

const SIZE: usize = 64 << 10;

/// Writes random bytes, has the system forget that it knows them, and reads them back.
pub(crate) fn test_write(folder: &Path) -> Result<()> {
    let path = folder.join("write-test");
    let mut written = vec![0; SIZE];
    getrandom::fill(&mut written).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&path).context("cannot write")?;
    file.write_all(&written).context("cannot write")?;
    file.sync_all().context("what was written does not reach the storage")?;
    // To its end.
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).context("the cache cannot be emptied")?;
    drop(file);
    let mut read = Vec::new();
    File::open(&path).and_then(|mut file| file.read_to_end(&mut read)).context("cannot read what was written")?;
    crate::place::remove(&path);
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
