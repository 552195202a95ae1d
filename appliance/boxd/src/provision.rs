//! Takes what a prepared card or stick says: `agent.toml`, what Raspberry Pi Imager left, a bundle. A file with a fault changes
//! nothing; the answer is written beside it, and its secrets are taken out once they are in the box. Nothing on a medium is ever run.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use boxcore::octets;
use boxcore::prepared::{LARGEST, Prepared, Reset, TakenOut, TimeZoneName};
use boxcore::preseed::Preseed;
use boxcore::request::{Answer, FileName, LONGEST_LINE, Request, Status};
use boxcore::scrub::{is_scrubbed, scrub_but};
use boxcore::update::{Choice, LARGEST as LARGEST_BUNDLE, Refusal, Stage, Wish, may_copy};
use clap::Args;
use control::Client;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use netcfg::config::Config;
use netcfg::disk::PREPARED;
use nix::sys::statvfs::statvfs;
use nix::unistd::User;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep};

use crate::cli::Folders;
use crate::daemon::{BOUNDS, ask_for_erasure, set_time_zone};
use crate::medium::Medium;
use crate::place::{read_bounded, write_whole};
use crate::system;

/// Folder of time zones.
pub(crate) const ZONES: &str = "/usr/share/zoneinfo";
/// The prepared file.
const AGENT_TOML: &str = "agent.toml";
/// What Raspberry Pi Imager leaves.
const PRESEED: &str = "rpi-preseed.toml";
/// The answer, on the medium and in the box.
pub(crate) const ANSWER: &str = "agent-status.txt";
/// The digest of what was taken from the card last.
const TAKEN: &str = "taken";
/// How bundles are called.
const BUNDLE: &str = ".raucb";
/// Longest wait for an installation.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// What the command line says.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    #[command(flatten)]
    folders: Folders,
    /// The medium: a device, or a folder
    #[arg(long, value_name = "DEVICE", default_value = "/dev/druckwart/boot")]
    medium: PathBuf,
    /// The box runs already: what has taken up the former settings is restarted, and bundles are installed
    #[arg(long)]
    is_running: bool,
    /// The agent's program, which reads its part of the file
    #[arg(long, value_name = "FILE", default_value = "/usr/bin/agentd")]
    agentd: PathBuf,
    /// The agent's data
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/agentd")]
    agent_data: PathBuf,
    /// The agent's user, as whom its program is run
    #[arg(long, value_name = "USER")]
    agent_user: Option<String>,
    /// netcfgd's data: the network as it is committed, and one to take at its next start
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/netcfg")]
    network_data: PathBuf,
    /// Folder of time zones
    #[arg(long, value_name = "FOLDER", default_value = ZONES)]
    zones: PathBuf,
    /// Folder in which bundles are left
    #[arg(long, value_name = "FOLDER", default_value = boxcore::request::UPDATES)]
    updates: PathBuf,
    /// Where boxd is asked
    #[arg(long, value_name = "FILE", default_value = "/run/boxd/socket")]
    socket: PathBuf,
}

/// Takes what is there. What is refused is no failure of this program: the answer says it.
pub(crate) async fn run(settings: &Settings) -> Result<()> {
    if !settings.medium.exists() {
        log::info!("{} is not there", settings.medium.display());
        return Ok(());
    }
    let medium = Medium::open(&settings.medium, &settings.folders.run.join("medium"))?;
    let files = Files::read(&medium);
    let mut visit =
        Visit { settings, medium: &medium, said: Vec::new(), restart: Vec::new(), erase: false, has_failed: false };
    visit.take_files(files);
    if settings.is_running {
        visit.take_bundles().await;
    }
    let Visit { restart, erase, .. } = visit;
    drop(medium);
    if erase {
        ask_for_erasure(&settings.folders.state)?;
        return system::reboot().await;
    }
    for unit in restart {
        if let Err(error) = system::restart_unit(unit).await {
            log::error!("{unit} does not restart: {error:#}");
        }
    }
    Ok(())
}

/// The prepared files, as far as they are there.
struct Files {
    prepared: Option<Result<String>>,
    preseed: Option<Result<String>>,
}

impl Files {
    fn read(medium: &Medium) -> Self {
        let text = |name: &str| {
            let text = |bytes: Vec<u8>| {
                String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("it is not in UTF-8: save it as UTF-8"))
            };
            medium.read(name, LARGEST).transpose().map(|read| read.and_then(text))
        };
        Self { prepared: text(AGENT_TOML), preseed: text(PRESEED) }
    }

    fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for file in [&self.prepared, &self.preseed] {
            let text = match file {
                None => String::new(),
                Some(Ok(text)) => text.clone(),
                Some(Err(error)) => format!("{error:#}"),
            };
            digest.update(text.len().to_be_bytes());
            digest.update(text);
        }
        HEXLOWER.encode(&digest.finalize())
    }
}

/// One look at a medium.
struct Visit<'a> {
    settings: &'a Settings,
    medium: &'a Medium,
    /// The answer, line by line.
    said: Vec<String>,
    /// Units that have to take something up.
    restart: Vec<&'static str>,
    erase: bool,
    /// The box could not keep a part of what is right: the next start tries again.
    has_failed: bool,
}

/// Tables of a file that were not applied.
type Left = &'static [&'static str];

impl Visit<'_> {
    fn take_files(&mut self, files: Files) {
        if files.prepared.is_none() && files.preseed.is_none() {
            return;
        }
        // The card stays in the box, and what it says counts once: later changes on the page are not undone by a restart. A stick
        // is plugged in by someone who wants just that.
        let taken = self.settings.folders.state.join(TAKEN);
        let before = read_bounded(&taken, 100).ok().flatten();
        if !self.settings.is_running && before == Some(files.digest().into_bytes()) {
            return;
        }
        let mut kept = Files { prepared: None, preseed: None };
        let mut back = Vec::new();
        if let Some(text) = files.prepared {
            kept.prepared = Some(self.settle(AGENT_TOML, text, &mut back, |visit, text| visit.take_prepared(text)));
        }
        if let Some(text) = files.preseed {
            kept.preseed = Some(self.settle(PRESEED, text, &mut back, |visit, text| visit.take_preseed(text)));
        }
        let answer = self.answer();
        back.push((ANSWER, answer.clone()));
        let back: Vec<_> = back.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        if let Err(error) = self.medium.write_back(&back) {
            log::error!("the answer cannot be written to the medium: {error:#}");
            if self.erase {
                // It would be erased again and again while the medium is there.
                self.erase = false;
                self.said.push(format!(
                    "reset: refused: the medium cannot be written, so the wish would never end: {error:#}"
                ));
            }
        }
        let keep = |path: &Path, text: &str| write_whole(path, text.as_bytes());
        let kept = if self.has_failed { Ok(()) } else { keep(&taken, &kept.digest()) };
        if let Err(error) = kept.and_then(|()| keep(&self.settings.folders.state.join(ANSWER), &self.answer())) {
            log::error!("what was taken is not kept in mind: {error:#}");
        }
    }

    /// Takes a file and says what came of it. What of it stays on the medium is returned, and put among what is written back if
    /// it differs.
    fn settle(
        &mut self,
        name: &'static str,
        text: Result<String>,
        back: &mut Vec<(&'static str, String)>,
        take: impl FnOnce(&mut Self, &str) -> Result<Left>,
    ) -> Result<String> {
        let outcome = text.as_ref().map_err(|error| anyhow::anyhow!("{error:#}")).and_then(|text| take(self, text));
        let left = match outcome {
            Ok(left) => left,
            Err(error) => {
                // Not the file: an answer and a log must not hold its secrets. The readers name the line and the key.
                self.say(format!("{name}: refused, nothing of it was applied: {error:#}"));
                return text;
            }
        };
        let text = text?;
        let Some(clean) = scrub_but(&text, left) else { return Ok(text) };
        self.say(match left {
            [] => format!("{name}: its secrets were taken out"),
            _ => format!("{name}: its secrets were taken out, but for those of what was not applied"),
        });
        back.push((name, clean.clone()));
        Ok(clean)
    }

    fn say(&mut self, line: String) {
        log::info!("{line}");
        self.said.push(line);
    }

    fn answer(&self) -> String {
        let mut answer = format!("{}\r\n", Timestamp::now().strftime("%Y-%m-%d %H:%M UTC"));
        for line in &self.said {
            let _ = write!(answer, "{}\r\n", line.trim_end().replace('\n', "\r\n    "));
        }
        answer
    }

    fn take_prepared(&mut self, text: &str) -> Result<Left> {
        let prepared = Prepared::parse(text, &self.network_as_it_will_be())?;
        if let Some(zone) = &prepared.time_zone {
            ensure!(self.settings.zones.join(zone.as_str()).is_file(), "[box]: there is no time zone `{zone}`");
        }
        if prepared.reset == Some(Reset::Everything) {
            self.erase = true;
            self.say("reset: everything is erased, and the box restarts; nothing else of the file counts".to_owned());
            return Ok(&[]);
        }
        // The agent's part first: it may still be refused.
        if is_scrubbed(text) {
            self.say(
                "agent: left as it is, because the file was used before and its secrets were taken out then".to_owned(),
            );
        } else {
            self.hand_to_agent(text)?;
            self.say("agent: applied".to_owned());
            self.restart("agentd.service");
        }
        let is_applied = self.take_network(prepared.network, prepared.reset == Some(Reset::Network));
        self.take_zone(prepared.time_zone.as_ref());
        // Where the network waits, the wish to reset it does.
        Ok(if is_applied { &[] } else { &["network", "box"] })
    }

    /// Whether nothing of it is left to do.
    fn take_network(&mut self, network: Option<Result<Config, TakenOut>>, reset: bool) -> bool {
        let (network, is_whole) = match network.transpose() {
            Ok(network) => (network, true),
            Err(error) => {
                self.say(format!("network: not applied: {error}"));
                (None, false)
            }
        };
        let Some(config) = network.or(reset.then(Config::factory)) else { return is_whole };
        let words = if reset { "network: reset" } else { "network: applied" };
        self.hand_to_netcfgd(&config, words) && is_whole
    }

    fn take_preseed(&mut self, text: &str) -> Result<Left> {
        let preseed = Preseed::parse(text)?;
        for (key, why) in &preseed.refused {
            self.say(format!("{PRESEED}: {key}: not applied: {why}"));
        }
        if let Some(name) = preseed.host_name {
            let words = format!("{PRESEED}: host name {}: applied", name.as_str());
            let config = Config { host_name: Some(name), ..self.network_as_it_will_be() };
            self.hand_to_netcfgd(&config, &words);
        }
        match preseed.time_zone {
            Some(zone) if !self.settings.zones.join(zone.as_str()).is_file() => {
                self.say(format!("{PRESEED}: locale.timezone: not applied: there is no time zone `{zone}`"));
            }
            zone => self.take_zone(zone.as_ref()),
        }
        Ok(&[])
    }

    fn take_zone(&mut self, zone: Option<&TimeZoneName>) {
        let Some(zone) = zone else { return };
        let done = set_time_zone(&self.settings.zones, &self.settings.folders.state, zone);
        if self.is_done(done, &format!("time zone {zone}: applied")) {
            self.restart("agentd.service");
        }
    }

    /// Says so of a part of a file that was applied, or why it was not.
    fn is_done(&mut self, done: Result<()>, words: &str) -> bool {
        match &done {
            Ok(()) => self.say(words.to_owned()),
            Err(error) => {
                self.has_failed = true;
                let part = words.rsplit_once(": ").map_or(words, |(part, _)| part);
                self.say(format!("{part}: not applied: {error:#}"));
            }
        }
        done.is_ok()
    }

    fn restart(&mut self, unit: &'static str) {
        if self.settings.is_running && !self.restart.contains(&unit) {
            self.restart.push(unit);
        }
    }

    /// The agent's own program reads the file, as the agent's user and with nothing else in reach.
    fn hand_to_agent(&self, text: &str) -> Result<()> {
        let mut command = Command::new(&self.settings.agentd);
        command.args(["provision", "--data"]).arg(&self.settings.agent_data).arg("-");
        command.env_clear().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).current_dir("/");
        if let Some(name) = &self.settings.agent_user {
            let user = User::from_name(name)?.with_context(|| format!("there is no user {name}"))?;
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        let mut child =
            command.spawn().with_context(|| format!("{} cannot be started", self.settings.agentd.display()))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(text.as_bytes()).context("the agent's program does not listen")?;
        }
        let output = child.wait_with_output().context("the agent's program was lost")?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            bail!("{}", words.trim().trim_start_matches("agentd: ").trim_start_matches("agent.toml: "));
        }
        Ok(())
    }

    /// Leaves a network for netcfgd's next start, where a power cut does not take it away; and says so.
    fn hand_to_netcfgd(&mut self, config: &Config, words: &str) -> bool {
        let folder = &self.settings.network_data;
        // It may hold a password for the network's port.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder).context("the folder for netcfgd");
        let left = made.and_then(|()| write_whole(&folder.join(PREPARED), netcfg::disk::encode(config).as_bytes()));
        let is_left = self.is_done(left, words);
        if is_left {
            self.restart("netcfgd.service");
        }
        is_left
    }

    /// What was just left for netcfgd, or what is committed, or what a box has that nobody has configured.
    fn network_as_it_will_be(&self) -> Config {
        let config = |name: &str| {
            let path = self.settings.network_data.join(name);
            netcfg::disk::decode(&read_bounded(&path, LARGEST).ok()??).ok()
        };
        config(PREPARED).or_else(|| config("committed.toml")).unwrap_or_else(Config::factory)
    }

    /// Has the best bundle of a stick installed, and waits for what comes of it.
    async fn take_bundles(&mut self) {
        let names = self.medium.names(BUNDLE);
        if names.is_empty() {
            return;
        }
        match self.ask_status().await {
            Ok(status) => self.take_best(Choice::of(names, &status.board), &status.board).await,
            Err(error) => self.say(format!("{}: not installed: {error:#}", names.join(", "))),
        }
        let answer = self.answer();
        if let Err(error) = self.medium.write_back(&[(ANSWER, answer.as_bytes())]) {
            log::warn!("the answer cannot be written to the medium: {error:#}");
        }
        if let Err(error) = write_whole(&self.settings.folders.state.join(ANSWER), answer.as_bytes()) {
            log::error!("the answer is not kept: {error:#}");
        }
    }

    /// The first that is not refused. boxd tells versions and boards apart, after the signature; here only names are known.
    async fn take_best(&mut self, choice: Choice, board: &str) {
        for name in choice.foreign {
            self.say(format!("{name}: not installed: by its name it is for another kind of box, this one is {board}"));
        }
        for name in choice.worth {
            match self.install(&name).await {
                Ok(words) => return self.say(format!("{name}: {words}")),
                Err(error) => {
                    self.say(format!("{name}: not installed: {error:#}"));
                    if !error.downcast_ref().is_some_and(Refusal::is_of_bundle) {
                        return;
                    }
                }
            }
        }
    }

    async fn install(&self, name: &str) -> Result<String> {
        let file = FileName::parse("stick.raucb").context("a good name")?;
        let target = self.settings.updates.join(file.as_str());
        let mut source = self.medium.open_file(name).map_err(|error| Refusal::Unread { why: format!("{error:#}") })?;
        let size = source.metadata().context("its size")?.len();
        let room = statvfs(&self.settings.updates).context("the folder for bundles")?;
        // It is there twice for a moment: as it was brought, and where only boxd can write.
        let free = octets(room.blocks_available(), room.fragment_size());
        may_copy(size, free.saturating_sub(size.min(LARGEST_BUNDLE)))?;
        let _ = fs::remove_file(&target);
        let copied = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&target).and_then(|mut to| {
            io::copy(&mut (&mut source).take(size), &mut to)?;
            to.sync_all()
        });
        copied.context("it cannot be copied to the box")?;
        self.ask(&Request::Install { file, wish: Wish::Found }).await?;
        let began = Instant::now();
        loop {
            sleep(Duration::from_secs(1)).await;
            let status = self.ask_status().await?;
            if status.progress.is_some() {
                ensure!(began.elapsed() < PATIENCE, "it takes too long; the page shows how it goes on");
                continue;
            }
            if let Some(why) = status.refused {
                return Err(why.into());
            }
            let installed =
                status.last.filter(|last| last.stage == Stage::Installed).context("it was not installed")?;
            return Ok(format!("version {} is installed; the box restarts and tries it", installed.to));
        }
    }

    async fn ask(&self, request: &Request) -> Result<Answer> {
        match Client::new("boxd", &self.settings.socket, LONGEST_LINE, BOUNDS.patience).ask(request).await? {
            Answer::Refused { why } => bail!("{why}"),
            answer => Ok(answer),
        }
    }

    async fn ask_status(&self) -> Result<Status> {
        match self.ask(&Request::Show {}).await? {
            Answer::Status(status) => Ok(*status),
            _ => bail!("boxd does not say how things stand"),
        }
    }
}
