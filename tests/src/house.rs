//! A manager and an agent in folders of their own, as a dealer and a technician would set them up on the command line.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use rusqlite::{Connection, OpenFlags, Params};
use tempfile::TempDir;
use testkit::{printer_sim::Printer, recording::Recording, sim_site::SimSite};

use crate::{
    programs::{Daemon, program, run_well},
    repository::root,
    visitor::Visitor,
};

/// The administrator's password on both sides.
pub const PASSWORD: &str = "correct horse battery";

/// The printers of a small site: the recordings of these stems, each once.
pub async fn printers(stems: &[&str]) -> Result<SimSite> {
    let printer = |stem: &&str| {
        let path = root().join("agent-core/walks").join(format!("{stem}.snmprec"));
        Ok(Printer::new(Recording::load(path)?))
    };
    SimSite::start(stems.iter().map(printer).collect::<Result<_>>()?).await
}

/// A folder that is gone after the test.
pub struct Folder(TempDir);

impl Folder {
    /// A new one.
    pub fn new() -> Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix("druckwart-test-").tempdir()?))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A place in it, as a word of a command line.
    pub fn place(&self, name: &str) -> String {
        self.path().join(name).display().to_string()
    }
}

/// One of the two daemons: a folder that lasts, and a process that comes and goes.
pub struct House {
    program: &'static str,
    ready: &'static str,
    folder: Folder,
    process: Option<Daemon>,
    starts: u32,
    address: String,
    options: Vec<String>,
}

impl House {
    /// A manager that has not been started.
    pub fn manager() -> Result<Self> {
        Self::new("manager", "manager ready: ")
    }

    /// An agent that has not been started.
    pub fn agent() -> Result<Self> {
        Self::new("agentd", "the pages are at ")
    }

    fn new(program: &'static str, ready: &'static str) -> Result<Self> {
        Ok(Self {
            program,
            ready,
            folder: Folder::new()?,
            process: None,
            starts: 0,
            address: String::new(),
            options: Vec::new(),
        })
    }

    /// The same, started with these words more.
    pub fn with_options(self, words: &[&str]) -> Self {
        Self { options: words.iter().map(|word| (*word).to_owned()).collect(), ..self }
    }

    /// Where its data are.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs one of its commands to the end.
    pub fn command(&self, words: &[&str], input: &str) -> Result<String> {
        let data = self.data().display().to_string();
        run_well(self.program, &[words, &["--data", &data]].concat(), input)
    }

    /// Sets the administrator's password.
    pub fn set_password(&self) -> Result<()> {
        self.command(&["passwd"], PASSWORD).map(drop)
    }

    /// Starts it on a port that is free, and waits until it answers there.
    pub async fn start(&mut self) -> Result<()> {
        self.starts += 1;
        let log = self.folder.path().join(format!("{}-{}.log", self.program, self.starts));
        let mut command = Command::new(program(self.program)?);
        command.args(["run", "--verbose", "--listen", "127.0.0.1:0", "--data"]).arg(self.data());
        if self.program == "agentd" {
            // The port of the standard may be taken, and not be ours to take.
            command.args(["--trap-listen", "127.0.0.1:0"]);
        }
        command.args(&self.options);
        command.env("NO_COLOR", "1").env_remove("RUST_LOG").env_remove("JOURNAL_STREAM");
        let mut process = Daemon::start(command, &log)?;
        let said = process.says(self.ready).await?;
        self.address = said.split_whitespace().next().unwrap_or_default().trim_end_matches('/').to_owned();
        self.process = Some(process);
        Ok(())
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.address
    }

    /// On which port.
    pub fn port(&self) -> Result<u16> {
        let port = self.address.rsplit(':').next().and_then(|port| port.parse().ok());
        port.with_context(|| format!("{} said no port: {}", self.program, self.address))
    }

    /// What the process has logged.
    pub fn said(&self) -> String {
        self.process.as_ref().map(Daemon::said).unwrap_or_default()
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), Daemon::kill)
    }

    /// Ends it as a service manager would; gives whether it ended well.
    pub fn stop(&mut self) -> Result<bool> {
        self.process.take().map_or(Ok(true), |process| Ok(process.stop()?.success()))
    }

    /// A visitor who has logged in.
    pub async fn visitor(&self) -> Result<Visitor> {
        let visitor = Visitor::new(&self.address)?;
        visitor.log_in(PASSWORD).await?;
        Ok(visitor)
    }

    /// Asks its database, whether it runs or not.
    pub fn ask<T>(
        &self,
        question: &str,
        parameters: impl Params,
        row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let path = self.data().join(format!("{}.sqlite", self.program));
        // Not read-only: who opens the file after a kill has to replay the journal.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).with_context(|| path.display().to_string())?;
        connection.busy_timeout(std::time::Duration::from_secs(20))?;
        let mut statement = connection.prepare(question)?;
        let rows = statement.query_map(parameters, row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Asks its database for one number.
    pub fn count(&self, question: &str) -> Result<i64> {
        let numbers = self.ask(question, [], |row| row.get(0))?;
        numbers.first().copied().with_context(|| format!("no number: {question}"))
    }
}

/// Enrols an agent that does not run at a manager, under an address, for these printers.
pub fn enrol(agent: &House, manager: &House, url: &str, site: &SimSite) -> Result<()> {
    let names = ["--customer", "Muster & Sohn", "--site", "Head office", "--url", url];
    let mut toml = manager.command(&[&["agent-toml"][..], &names].concat(), "")?;
    for address in site.addresses() {
        toml += &format!("[[scan]]\nrange = \"{}\"\nport = {}\n", address.ip(), address.port());
    }
    // The quickest that the settings allow.
    toml += "[schedule]\npoll_seconds = 5\nreport_seconds = 5\nsearch_seconds = 60\nprobes_per_second = 1000\n";
    agent.command(&["provision", "-"], &toml).map(drop)
}
