//! The bridge's program: arguments, log, signals.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use agent_core::localagent::FIRST_PORT;
use anyhow::{Context, Result};
use clap::Parser;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{User, geteuid};
use usbbridged::bridge::{Bridge, Options};
use usbbridged::session::Timing;
use usbbridged::usb::LibUsb;

/// Offers USB printers on TCP ports from 9418 up: to be asked for their status, and to print where that is switched on.
#[derive(Debug, Parser)]
#[command(name = "usbbridged", version)]
struct CommandLine {
    /// Folder for what has to outlive a restart [default: $STATE_DIRECTORY, else ./usbbridged-data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Unix socket on which the bridge is controlled [default: $RUNTIME_DIRECTORY/control, else ./usbbridged-data/control]
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// User who may control the bridge, beside root and the bridge's own; give it several times for several
    #[arg(long, value_name = "NAME", default_value = "agentd")]
    control_user: Vec<String>,
    /// Port of the first printer; further ones follow it
    #[arg(long, value_name = "PORT", default_value_t = FIRST_PORT)]
    port: u16,
    /// Address to listen on [default: this machine only, or every address once others may connect]
    #[arg(long, value_name = "ADDRESS")]
    address: Option<IpAddr>,
    /// Say more in the log
    #[arg(long, short)]
    verbose: bool,
}

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    journal::start(command_line.verbose, &["usbbridged"]);
    match run(command_line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!(error:% = format!("{error:#}"); "the bridge ends");
            ExitCode::FAILURE
        }
    }
}

fn run(command_line: CommandLine) -> Result<()> {
    // Before the first thread starts, so that none of them gets the signal in the old way.
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
    signals.thread_block().context("signals cannot be blocked")?;
    let stop = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC).context("signals cannot be read")?;
    let of_service = |name| std::env::var_os(name).map(PathBuf::from);
    let here = || PathBuf::from("usbbridged-data");
    let folder = command_line.data.or_else(|| of_service("STATE_DIRECTORY")).unwrap_or_else(here);
    let control =
        command_line.control.unwrap_or_else(|| of_service("RUNTIME_DIRECTORY").unwrap_or_else(here).join("control"));
    let users = command_line.control_user.iter().filter_map(|name| User::from_name(name).ok().flatten());
    let options = Options {
        folder,
        control,
        users: users.map(|user| user.uid.as_raw()).chain([0, geteuid().as_raw()]).collect(),
        first_port: command_line.port,
        address: command_line.address,
        timing: Timing::default(),
    };
    let start = Box::new(|| Ok(Arc::new(LibUsb::new()?) as Arc<_>));
    Bridge::new(start, options)?.run(stop.as_fd())
}
