//! The collector's program: takes the command line apart and runs what it says. No logic has a place here.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let command_line = agentd::cli::CommandLine::parse();
    journal::start(command_line.verbose, &["agentd", "webkit"]);
    agentd::cli::run(command_line)
}
