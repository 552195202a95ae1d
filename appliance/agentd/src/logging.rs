//! Where the log goes: to the journal when systemd started us, else readable to standard error.

use std::env;
use std::os::unix::fs::MetadataExt;

use log::LevelFilter;
use systemd_journal_logger::JournalLog;

/// Starts logging. `RUST_LOG` overrides the level where the log goes to a terminal.
pub fn start(verbose: bool) {
    let level = if verbose { LevelFilter::Debug } else { LevelFilter::Info };
    if stderr_is_journal()
        && JournalLog::new().and_then(|journal| journal.install().map_err(std::io::Error::other)).is_ok()
    {
        log::set_max_level(level);
        return;
    }
    let mut builder = env_logger::Builder::new();
    builder
        .filter_level(LevelFilter::Warn)
        .filter_module("agentd", level)
        .filter_module("webkit", level)
        .parse_default_env();
    // Logging may be started once only; a second start (in tests) is no fault.
    let _ = builder.try_init();
}

/// Whether standard error is the stream that systemd connected to the journal (systemd.exec(5), JOURNAL_STREAM).
fn stderr_is_journal() -> bool {
    let Ok(stream) = env::var("JOURNAL_STREAM") else { return false };
    let Some((device, inode)) = stream.split_once(':') else { return false };
    std::fs::metadata("/dev/stderr")
        .is_ok_and(|stderr| device.parse() == Ok(stderr.dev()) && inode.parse() == Ok(stderr.ino()))
}
