//! Files: written so that a power cut leaves the old one or the new one, read with a bound, never through a link.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::fcntl::OFlag;

/// Writes a file whole beside its place and moves it there.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    let beside = path.with_extension("new");
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()
    });
    written.with_context(|| format!("{} cannot be written", path.display()))
}

/// Reads a plain file of at most so many bytes; `None` where there is none.
pub(crate) fn read_bounded(path: &Path, largest: usize) -> Result<Option<Vec<u8>>> {
    let file = match open_plain(path) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    let most = u64::try_from(largest).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).with_context(|| format!("{} cannot be read", path.display()))?;
    if bytes.len() > largest {
        bail!("{} is larger than {largest} bytes", path.display());
    }
    Ok(Some(bytes))
}

/// Opens a plain file: no link, no device, no pipe that would never end.
pub(crate) fn open_plain(path: &Path) -> Result<Option<File>> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    if !file.metadata().is_ok_and(|found| found.is_file()) {
        bail!("{} is no plain file", path.display());
    }
    Ok(Some(file))
}

/// Removes a file that may not be there.
pub(crate) fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            log::warn!("{} cannot be removed: {error}", path.display())
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_of_a_bounded_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        write_whole(&place("in/file"), b"content").unwrap();
        assert_eq!(read_bounded(&place("in/file"), 7).unwrap().unwrap(), b"content");
        assert!(read_bounded(&place("in/file"), 6).is_err());
        assert!(read_bounded(&place("nothing"), 6).unwrap().is_none());
        std::os::unix::fs::symlink(place("in/file"), place("link")).unwrap();
        assert!(read_bounded(&place("link"), 100).is_err());
        assert!(read_bounded(&place("in"), 100).is_err());
    }
}
