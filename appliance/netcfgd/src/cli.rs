//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use nix::unistd::User;

use crate::daemon::{self, Settings};
use crate::fault::Faults;

/// Where the kernel says which start of the machine this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Keeps the network configuration of the appliance: tries changes, and takes back what is not confirmed.
#[derive(Debug, Parser)]
#[command(name = "netcfgd", version)]
pub struct CommandLine {
    /// Say more in the log
    #[arg(long, short)]
    pub verbose: bool,
    /// Folder of the configurations; by default $STATE_DIRECTORY
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
    /// The socket on which it is asked
    #[arg(long, value_name = "FILE", default_value = "/run/netcfgd/socket")]
    socket: PathBuf,
    /// Folder from which systemd-networkd reads
    #[arg(long, value_name = "FOLDER", default_value = "/run/systemd/network")]
    networkd: PathBuf,
    /// The network port; by default the first wired one
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
    /// Beside root, the user who may ask
    #[arg(long, value_name = "USER")]
    allow: Option<String>,
    /// Folder of a rescue stick: the [network] table of its agent.toml becomes the committed configuration at every start
    #[arg(long, value_name = "FOLDER")]
    stick: Option<PathBuf>,
    /// For tests: the name of this start of the machine, in place of the kernel's
    #[arg(long, value_name = "NAME", hide = true)]
    start_name: Option<String>,
    /// For tests: end as if killed when this point is reached
    #[arg(long, value_name = "POINT", hide = true)]
    abort_at: Option<String>,
}

/// Runs until it is told to stop.
pub fn run(command_line: CommandLine) -> ExitCode {
    let outcome = command_line.settings().and_then(|settings| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.context("the runtime does not start")?.block_on(daemon::run(settings))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

impl CommandLine {
    fn settings(self) -> Result<Settings> {
        let of_service = || std::env::var_os("STATE_DIRECTORY").map(PathBuf::from);
        let allowed_user = match &self.allow {
            None => None,
            Some(name) => {
                let user = User::from_name(name).with_context(|| format!("cannot look up the user {name}"))?;
                Some(user.with_context(|| format!("there is no user {name}"))?.uid.as_raw())
            }
        };
        Ok(Settings {
            state: self.state.or_else(of_service).context("no folder for the state: give --state")?,
            socket: self.socket,
            networkd: self.networkd,
            interface: self.interface,
            allowed_user,
            stick: self.stick,
            start_name: match self.start_name {
                Some(name) => name,
                None => std::fs::read_to_string(BOOT_ID).with_context(|| BOOT_ID.to_owned())?.trim().to_owned(),
            },
            faults: Faults::new(self.abort_at),
        })
    }
}
