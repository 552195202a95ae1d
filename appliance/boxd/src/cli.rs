//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use nix::unistd::User;

use crate::{daemon, data, errors, provision, screen};

/// Makes an appliance out of the programs: prepared cards, updates, health, data partition, screen.
#[derive(Debug, Parser)]
#[command(name = "boxd", version)]
pub struct CommandLine {
    /// Say more in the log
    #[arg(long, short, global = true)]
    pub verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer requests, watch whether the system is good, install updates
    Run(Run),
    /// Check, grow and mount the data partition; at every start, before anything else uses it
    Data(data::Settings),
    /// Take what a prepared card or stick says
    Provision(provision::Settings),
    /// Write name, addresses and a QR code of the page on the screen, for ever
    Screen(screen::Settings),
    /// Keep the errors of the journal in a small file that survives a restart, for ever
    Errors(errors::Settings),
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    settings: daemon::Settings,
    /// Beside root, the user who may ask
    #[arg(long, value_name = "USER")]
    allow: Option<String>,
}

/// Runs a command.
pub fn run(command_line: CommandLine) -> ExitCode {
    match dispatch(command_line.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Data(settings) => data::run(&settings),
        Command::Screen(settings) => screen::run(&settings),
        Command::Errors(settings) => errors::run(&settings),
        Command::Provision(settings) => runtime()?.block_on(provision::run(&settings)),
        Command::Run(Run { settings, allow }) => {
            let allowed = allow.map(|name| user(&name)).transpose()?;
            runtime()?.block_on(daemon::run(settings, allowed))
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime does not start")
}

fn user(name: &str) -> Result<u32> {
    let user = User::from_name(name).with_context(|| format!("cannot look up the user {name}"))?;
    Ok(user.with_context(|| format!("there is no user {name}"))?.uid.as_raw())
}

/// Where boxd keeps what lasts.
#[derive(Debug, Clone, Args)]
pub(crate) struct Folders {
    /// Folder of what lasts
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/boxd")]
    pub(crate) state: PathBuf,
    /// Folder of what does not
    #[arg(long, value_name = "FOLDER", default_value = "/run/boxd")]
    pub(crate) run: PathBuf,
}
