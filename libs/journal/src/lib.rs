//! Where a daemon's log goes: to the journal when systemd started it, else readable to standard error.
//!
//! Only that; what is logged is the daemons' business.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;

use log::LevelFilter;
use systemd_journal_logger::JournalLog;

/// Starts logging: these modules at INFO (with `is_verbose`, DEBUG), everything else at WARN. Where the log goes to a
/// terminal, `RUST_LOG` overrides it. A second start, as in tests, changes nothing.
pub fn start(is_verbose: bool, modules: &[&str]) {
    let level = if is_verbose { LevelFilter::Debug } else { LevelFilter::Info };
    if stderr_is_the_journal() && start_journal().is_ok() {
        log::set_max_level(level);
        return;
    }
    let mut builder = env_logger::Builder::new();
    builder.filter_level(LevelFilter::Warn);
    for module in modules {
        builder.filter_module(module, level);
    }
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
