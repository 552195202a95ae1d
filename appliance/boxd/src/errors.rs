//! The journal lies in memory. What it holds of errors is kept on the card, too, in two files of a bounded size: when one is full
//! it takes the other's place.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

/// Size at which a file is full.
const FULL: u64 = 128 << 10;
/// Longest line that is kept whole.
const LONGEST: usize = 1000;

/// What the command line says.
#[derive(Debug, Args)]
pub struct Settings {
    /// Folder of the two files
    #[arg(long, value_name = "FOLDER", default_value = "/data/errors")]
    folder: PathBuf,
    /// Where it is noted how far the journal has been read
    #[arg(long, value_name = "FILE", default_value = "/run/boxd-errors/cursor")]
    cursor: PathBuf,
}

/// Follows the journal until it ends.
pub fn run(settings: &Settings) -> Result<()> {
    let mut journal = Command::new("journalctl")
        .args(["--follow", "--priority=err", "--lines=all", "--no-hostname", "--output=short-iso", "--quiet"])
        .arg(format!("--cursor-file={}", settings.cursor.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("the journal cannot be followed")?;
    let lines = journal.stdout.take().context("the journal has an output")?;
    let mut is_failing = false;
    for line in BufReader::new(lines).split(b'\n') {
        let kept = keep(&settings.folder, &line.context("the journal cannot be read")?);
        // No error: it would come back as the next line.
        if let Err(error) = &kept
            && !is_failing
        {
            log::warn!("errors are not kept: {error:#}");
        }
        is_failing = kept.is_err();
    }
    bail!("the journal ended: {}", journal.wait().context("the journal was lost")?)
}

fn keep(folder: &Path, line: &[u8]) -> Result<()> {
    let path = folder.join("errors.log");
    if fs::metadata(&path).is_ok_and(|about| about.len() >= FULL) {
        fs::rename(&path, folder.join("errors.1.log")).context("a full file stays in the way")?;
    }
    let mut line: String =
        String::from_utf8_lossy(line).chars().filter(|char| !char.is_control()).take(LONGEST).collect();
    line.push('\n');
    let written =
        OpenOptions::new().append(true).create(true).open(&path).and_then(|mut file| file.write_all(line.as_bytes()));
    written.with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_kept_within_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..3000 {
            keep(folder.path(), format!("{number} {}\x1b[2J", "x".repeat(200)).as_bytes()).unwrap();
        }
        keep(folder.path(), &[0xff; 5000]).unwrap();
        let size: u64 =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!((FULL..=2 * FULL + 4000).contains(&size), "{size}");
        let text = fs::read_to_string(folder.path().join("errors.log")).unwrap();
        assert!(text.contains("2999 xxx") && !text.contains('\x1b'));
    }
}
