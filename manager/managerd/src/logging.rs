//! Where the log goes: to the journal when systemd started us, else readable to standard error.

use std::{env, fs, os::unix::fs::MetadataExt};

use log::LevelFilter;
use systemd_journal_logger::JournalLog;

/// Starts logging. On a terminal `RUST_LOG` overrides the level.
pub fn start(is_verbose: bool) {
    let level = if is_verbose { LevelFilter::Debug } else { LevelFilter::Info };
    if stderr_is_the_journal() && start_journal().is_ok() {
        log::set_max_level(level);
        return;
    }
    let mut builder = env_logger::Builder::new();
    builder.filter_level(LevelFilter::Warn);
    for module in ["managerd", "manager", "manager_store", "webkit"] {
        builder.filter_module(module, level);
    }
    // A second start, in tests, is no fault.
    let _ = builder.parse_default_env().try_init();
}

fn start_journal() -> std::io::Result<()> {
    JournalLog::new()?.install().map_err(std::io::Error::other)
}

/// Whether standard error is the stream that systemd connected to the journal (systemd.exec(5), JOURNAL_STREAM).
fn stderr_is_the_journal() -> bool {
    let Ok(stream) = env::var("JOURNAL_STREAM") else { return false };
    let Some((device, inode)) = stream.split_once(':') else { return false };
    fs::metadata("/proc/self/fd/2")
        .is_ok_and(|stderr| device.parse() == Ok(stderr.dev()) && inode.parse() == Ok(stderr.ino()))
}
