//! Our programs as a user starts them: built once, run as processes of their own, ended with the test whatever becomes of it.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::OnceLock,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::{repository::root, wait::until};

/// Where the program of this name is: `agentd`, `manager` or `printer-sim`.
pub fn program(name: &str) -> Result<&'static Path> {
    static BUILT: OnceLock<Result<BTreeMap<String, PathBuf>, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    let programs = built.as_ref().map_err(|error| anyhow::anyhow!("the programs can not be built: {error}"))?;
    programs.get(name).map(PathBuf::as_path).with_context(|| format!("the workspace has no program {name}"))
}

/// Lets cargo build all programs, or find that they are built already.
fn build() -> Result<BTreeMap<String, PathBuf>> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // With the examples, cargo chooses the features of dependencies as it does for tests: so everything below the programs
    // has been compiled for these very tests already, and is not compiled once more.
    cargo.args([
        "build",
        "--workspace",
        "--bins",
        "--examples",
        "--locked",
        "--message-format",
        "json-render-diagnostics",
    ]);
    let output = cargo.current_dir(root()).stderr(Stdio::inherit()).output().context("cargo does not start")?;
    ensure!(output.status.success(), "cargo build: {}", output.status);
    let mut programs = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        let name = message.pointer("/target/name").and_then(Value::as_str);
        if let (Some(name), Some(path)) = (name, message.get("executable").and_then(Value::as_str)) {
            programs.insert(name.to_owned(), PathBuf::from(path));
        }
    }
    Ok(programs)
}

/// Runs a program of ours to its end.
pub fn run<S: AsRef<OsStr>>(name: &str, words: &[S], input: &str) -> Result<Output> {
    let mut command = Command::new(program(name)?);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("{name} does not start"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input may end before it is written.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output().with_context(|| format!("{name} can not be waited for"))
}

/// Runs a program of ours that has to succeed, and returns what it says on standard output.
pub fn run_well<S: AsRef<OsStr>>(name: &str, words: &[S], input: &str) -> Result<String> {
    let output = run(name, words, input)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} ended with {}: {said}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// A program that runs until it is dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts a program with its output in a file.
    pub fn start(mut command: Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("can not write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("{:?} does not start", command.get_program()))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The rest of the line behind a text, once it has been said in full.
    pub async fn says(&mut self, text: &str) -> Result<String> {
        let what = format!("{} says `{text}`", self.log.display());
        until(&what, async || {
            let said = self.said();
            let line = said.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let found = line.filter_map(|line| line.split_once(text)).map(|(_, rest)| rest.trim().to_owned()).next();
            if found.is_none()
                && let Some(status) = self.child.try_wait()?
            {
                bail!("{} ended ({status}) before it said `{text}`:\n{said}", self.log.display());
            }
            Ok(found)
        })
        .await
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it as a service manager would.
    pub fn stop(mut self) -> Result<ExitStatus> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status()?;
        ensure!(sent.success(), "can not send SIGTERM to {id}");
        Ok(self.child.wait()?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = self.said();
            let lines: Vec<&str> = said.lines().collect();
            let last = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default();
            eprintln!("--- {} ends with:\n{}", self.log.display(), last.join("\n"));
        }
    }
}
