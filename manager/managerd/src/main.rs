//! The program `manager`: takes the command line apart and runs what it says. No logic has a place here.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let command_line = managerd::cli::CommandLine::parse();
    journal::start(command_line.is_verbose(), &["managerd", "manager", "manager_store", "webkit"]);
    match managerd::cli::run(command_line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
