//! The files of the configurations. Each is written whole beside its place and then moved there, so that a power cut leaves
//! the old one or the new one.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use netcfg::config::{Config, Form};
use netcfg::disk::{DiskError, Found, PREPARED, decode, decode_planned, encode, encode_planned, of_agent_toml};
use netcfg::request::{Change, Event};

use crate::fault::Faults;

const COMMITTED: &str = "committed.toml";
const PREVIOUS: &str = "previous.toml";
const PENDING: &str = "pending.toml";
/// What waits for the next start of the machine.
const PLANNED: &str = "planned.toml";
/// The log of changes: one JSON object a line, oldest first.
const LOG: &str = "changes.jsonl";
/// Lines of it that are kept.
const KEPT_CHANGES: usize = 200;
/// What was pending when it was put away: the page offers it again.
const REVERTED: &str = "reverted.toml";
/// The prepared file on a stick.
const AGENT_TOML: &str = "agent.toml";
/// Where the outcome is written beside it.
const STATUS: &str = "agent-status.txt";

/// The folder of the configurations.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    faults: Faults,
}

impl Disk {
    pub(crate) fn open(folder: &Path, faults: Faults) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned(), faults })
    }

    /// What is there at a start.
    pub(crate) fn find(&self) -> Found {
        let planned = self.read_by(PLANNED, decode_planned);
        Found { committed: self.read(COMMITTED), previous: self.read(PREVIOUS), pending: self.read(PENDING), planned }
    }

    pub(crate) fn keep_pending(&self, config: &Config) -> Result<()> {
        self.write(PENDING, encode(config).as_bytes())
    }

    /// The committed one becomes the previous one; then the pending one the committed one, by one rename.
    pub(crate) fn commit(&self) -> Result<()> {
        self.keep_previous()?;
        self.faults.reach("commit", "within");
        fs::rename(self.place(PENDING), self.place(COMMITTED)).context("cannot commit")?;
        for name in [REVERTED, PLANNED, PREPARED] {
            self.remove(name);
        }
        self.sync()?;
        Ok(())
    }

    pub(crate) fn discard(&self) -> Result<()> {
        match fs::rename(self.place(PENDING), self.place(REVERTED)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).context("cannot put the pending one away");
            }
            _ => self.sync()?,
        }
        Ok(())
    }

    pub(crate) fn replace(&self, config: &Config) -> Result<()> {
        self.keep_previous()?;
        self.faults.reach("replace", "within");
        self.write(COMMITTED, encode(config).as_bytes())?;
        for name in [PENDING, PLANNED, REVERTED, PREPARED] {
            self.remove(name);
        }
        Ok(())
    }

    pub(crate) fn plan(&self, config: &Config, start: &str) -> Result<()> {
        self.write(PLANNED, encode_planned(config, start).as_bytes())
    }

    pub(crate) fn withdraw(&self) -> Result<()> {
        self.remove(PLANNED);
        self.sync()
    }

    /// What was planned is tried once: whatever happens from here on, it is pending.
    pub(crate) fn activate(&self) -> Result<()> {
        fs::rename(self.place(PLANNED), self.place(PENDING)).context("what was planned cannot be begun")?;
        self.sync()
    }

    /// Adds a line to the log of changes.
    pub(crate) fn log(&self, change: &Change) {
        let mut lines = self.log_lines();
        lines.push(serde_json::to_string(change).expect("words and numbers have a JSON form"));
        lines.drain(..lines.len().saturating_sub(KEPT_CHANGES));
        // A log that cannot be written is no reason not to give someone his network.
        if let Err(error) = self.write(LOG, (lines.join("\n") + "\n").as_bytes()) {
            log::warn!("the log of changes: {error:#}");
        }
    }

    /// The log of changes, newest first. A line that cannot be read is left out.
    pub(crate) fn changes(&self, most: usize) -> Vec<Change> {
        let lines = self.log_lines();
        lines.iter().rev().filter_map(|line| serde_json::from_str(line).ok()).take(most).collect()
    }

    fn log_lines(&self) -> Vec<String> {
        let bytes = fs::read(self.place(LOG)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }

    /// Takes the `[network]` table of a stick's file as the committed configuration, and writes beside the file what came of it.
    /// It counts at every start, since who plugs one in wants just that.
    pub(crate) fn provision(&self, folder: &Path) {
        let path = folder.join(AGENT_TOML);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => return log::warn!("{} cannot be read: {error}", path.display()),
        };
        let said = match of_agent_toml(&text) {
            Ok(None) => return,
            Ok(Some(config)) => match self.take(&config) {
                Ok(()) => "network: applied".to_owned(),
                Err(error) => format!("network: not applied: {error:#}"),
            },
            Err(error) => format!("network: refused, nothing was changed: {error}"),
        };
        log::info!("{}: {said}", path.display());
        if let Err(error) = fs::write(folder.join(STATUS), said + "\r\n") {
            log::warn!("{STATUS} cannot be written beside it: {error}");
        }
    }

    /// Takes what boxd has left as the committed configuration. It stays there until that is stored: a power cut at any moment
    /// leaves it to the next start.
    pub(crate) fn take_prepared(&self) {
        let taken = match self.read(PREPARED) {
            None => return,
            Some(Ok(config)) => self.take(&config),
            Some(Err(DiskError::Unread(why))) => Err(anyhow::anyhow!(why)),
            // Said where it was read; it will not become better.
            Some(Err(_)) => Ok(()),
        };
        match taken {
            Ok(()) => self.remove(PREPARED),
            Err(error) => return log::error!("{PREPARED} is left for the next start: {error:#}"),
        }
        match self.sync() {
            Ok(()) => log::info!("{PREPARED}: done"),
            Err(error) => log::error!("{PREPARED}: {error:#}"),
        }
    }

    fn take(&self, config: &Config) -> Result<()> {
        match self.read(COMMITTED) {
            Some(Ok(committed)) if committed == *config => {
                self.remove(PENDING);
                Ok(())
            }
            _ => {
                self.replace(config)?;
                let candidate = Form::from(config).for_log();
                self.log(&Change { at: now(), by: String::new(), event: Event::Provisioned, candidate });
                Ok(())
            }
        }
    }

    /// A committed file that cannot be read is no good previous one: then that stays.
    fn keep_previous(&self) -> Result<()> {
        match self.read(COMMITTED) {
            Some(Ok(committed)) => self.write(PREVIOUS, encode(&committed).as_bytes()),
            _ => Ok(()),
        }
    }

    fn read(&self, name: &str) -> Option<Result<Config, DiskError>> {
        self.read_by(name, decode)
    }

    fn read_by<T>(&self, name: &str, decode: impl Fn(&[u8]) -> Result<T, DiskError>) -> Option<Result<T, DiskError>> {
        let found = match fs::read(self.place(name)) {
            Ok(bytes) => decode(&bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => Err(DiskError::Unread(error.to_string())),
        };
        if let Err(error) = &found {
            log::error!("{name}: {error}");
        }
        Some(found)
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        write_whole(&self.place(name), content)?;
        self.sync()
    }

    fn remove(&self, name: &str) {
        match fs::remove_file(self.place(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => log::warn!("{name} cannot be removed: {error}"),
            _ => {}
        }
    }

    /// Makes renames last.
    fn sync(&self) -> Result<()> {
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .context("the folder of the state cannot be synced")
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The clock of the box, for the log.
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}

/// Writes a file so that whoever reads it finds the old content or the new.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let beside = path.with_extension("new");
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&beside, path)).with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use netcfg::config::Form;
    use netcfg::disk::Origin;

    use super::*;

    fn config(address: &str) -> Config {
        Form { mode: "static".into(), address: address.into(), ..Form::default() }.parse().unwrap()
    }

    fn disk() -> (tempfile::TempDir, Disk) {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(&folder.path().join("state"), Faults::default()).unwrap();
        (folder, disk)
    }

    #[test]
    fn what_is_committed_has_the_former_beside_it() {
        let (_folder, disk) = disk();
        assert_eq!(disk.find().effective(), (Config::factory(), Origin::Factory));
        for address in ["192.0.2.5/24", "192.0.2.6/24"] {
            disk.keep_pending(&config(address)).unwrap();
            disk.commit().unwrap();
        }
        assert_eq!(disk.find().effective(), (config("192.0.2.6/24"), Origin::Committed));
        fs::write(disk.place(COMMITTED), [0; 100]).unwrap();
        assert_eq!(disk.find().effective(), (config("192.0.2.5/24"), Origin::Previous));
        // A repair keeps the good one as the previous one.
        disk.replace(&config("192.0.2.7/24")).unwrap();
        fs::remove_file(disk.place(COMMITTED)).unwrap();
        assert_eq!(disk.find().effective(), (config("192.0.2.5/24"), Origin::Previous));
        fs::write(disk.place(PREVIOUS), "").unwrap();
        assert_eq!(disk.find().effective().1, Origin::Rescue);
    }

    #[test]
    fn what_is_planned_becomes_pending_once() {
        let (_folder, disk) = disk();
        disk.plan(&config("192.0.2.5/24"), "this start").unwrap();
        let (planned, start) = disk.find().planned.unwrap().unwrap();
        assert_eq!((planned, start.as_str()), (config("192.0.2.5/24"), "this start"));
        disk.activate().unwrap();
        assert!(disk.find().planned.is_none() && disk.find().pending.is_some());
        assert!(disk.activate().is_err());
        disk.plan(&config("192.0.2.6/24"), "this start").unwrap();
        disk.commit().unwrap();
        assert!(disk.find().planned.is_none(), "a later change counts");
        disk.plan(&config("192.0.2.6/24"), "this start").unwrap();
        disk.withdraw().unwrap();
        assert!(disk.find().planned.is_none());
    }

    #[test]
    fn the_log_is_bounded_and_holds_no_secret() {
        let (_folder, disk) = disk();
        let form = Form {
            mode: "dhcp".into(),
            dot1x: "peap".into(),
            dot1x_identity: "office".into(),
            dot1x_password: netcfg::secret::Secret::new("a secret"),
            ..Form::default()
        };
        let line = |at| Change { at, by: "admin".into(), event: Event::Begun, candidate: form.clone().for_log() };
        for at in 0..250 {
            disk.log(&line(at));
        }
        assert_eq!(disk.changes(1_000).len(), KEPT_CHANGES);
        assert_eq!(disk.changes(1).first(), Some(&line(249)));
        assert!(!fs::read_to_string(disk.place(LOG)).unwrap().contains("a secret"));
        fs::write(disk.place(LOG), "{\n\u{0}").unwrap();
        disk.log(&line(1));
        assert_eq!(disk.changes(9), [line(1)]);
    }

    #[test]
    fn what_is_pending_goes_away() {
        let (_folder, disk) = disk();
        disk.discard().unwrap();
        disk.keep_pending(&config("192.0.2.5/24")).unwrap();
        assert!(disk.find().pending.is_some());
        disk.discard().unwrap();
        assert!(disk.find().pending.is_none() && disk.find().committed.is_none());
    }

    #[test]
    fn what_boxd_has_left_counts_until_it_is_stored() {
        let (_folder, disk) = disk();
        let leave = |text: &str| fs::write(disk.place(PREPARED), text).unwrap();
        disk.take_prepared();
        assert_eq!(disk.find().effective().1, Origin::Factory);
        leave(&encode(&config("192.0.2.5/24")));
        // Where the committed one would go lies something that cannot be written over.
        fs::create_dir_all(disk.place(COMMITTED).join("in the way")).unwrap();
        disk.take_prepared();
        assert!(disk.place(PREPARED).exists(), "it waits for another start");
        fs::remove_dir_all(disk.place(COMMITTED)).unwrap();
        disk.take_prepared();
        assert_eq!(disk.find().effective(), (config("192.0.2.5/24"), Origin::Committed));
        assert!(!disk.place(PREPARED).exists(), "a later change counts");
        leave("version = 1");
        disk.take_prepared();
        assert_eq!(disk.find().effective(), (config("192.0.2.5/24"), Origin::Committed));
        assert!(!disk.place(PREPARED).exists());
    }

    #[test]
    fn a_stick_counts_every_time() {
        let (folder, disk) = disk();
        let media = folder.path().join("media");
        fs::create_dir(&media).unwrap();
        disk.provision(&media);
        assert!(!media.join(STATUS).exists());
        let toml = |address: &str| {
            format!("[manager]\r\nx = 1\r\n[network]\r\nmode = \"static\"\r\naddress = \"{address}\"\r\n")
        };
        fs::write(media.join(AGENT_TOML), toml("192.0.2.5/24")).unwrap();
        for _ in 0..2 {
            disk.replace(&config("192.0.2.9/24")).unwrap();
            disk.provision(&media);
            assert_eq!(disk.find().effective().0, config("192.0.2.5/24"));
        }
        assert_eq!(fs::read_to_string(media.join(STATUS)).unwrap(), "network: applied\r\n");
        fs::write(media.join(AGENT_TOML), toml("192.0.2.0/24")).unwrap();
        disk.provision(&media);
        assert_eq!(disk.find().effective().0, config("192.0.2.5/24"));
        assert!(fs::read_to_string(media.join(STATUS)).unwrap().contains("is the subnet and not a host in it"));
    }
}
