//! The box's own program: takes the command line apart and runs what it says. No logic has a place here.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let command_line = boxd::cli::CommandLine::parse();
    journal::start(command_line.verbose, &["boxd"]);
    boxd::cli::run(command_line)
}
