//! What outlives a restart: which printer has which port and name, whether it may print, and who may connect.
//!
//! One TOML file, replaced as a whole, so that a power cut leaves the old one or the new one.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use agent_core::localagent::control::MAX_NAME;
use agent_core::localagent::message::MAX_PORTS;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::access::Access;

const FILE: &str = "usbbridged.toml";

/// The file's content.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    allowed: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    printer: Vec<Entry>,
}

/// A printer that was seen, and what was decided about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What it is known by: USB numbers and serial number, or without one the socket that it is plugged into.
    pub key: String,
    /// Which port it has, counted from the first.
    pub slot: usize,
    /// What it says that it is, to be shown while it is not connected.
    #[serde(default)]
    pub model: String,
    /// The name that an administrator gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether every byte passes.
    #[serde(default)]
    pub printing: bool,
}

/// The book.
#[derive(Debug)]
pub struct Book {
    path: PathBuf,
    /// Who may connect.
    pub access: Access,
    entries: Vec<Entry>,
}

impl Book {
    /// Opens the book of a folder, which is made if it is missing. A spoilt book is put aside as `usbbridged.toml.spoilt` and a new
    /// one begun, which lets in this box only and prints nowhere: printers that are not read because of a file help nobody.
    pub fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let path = folder.join(FILE);
        let read = match fs::read(&path) {
            Ok(bytes) => Self::decode(&bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Default::default()),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let (access, entries) = match read {
            Ok(content) => content,
            Err(error) => {
                let aside = path.with_extension("toml.spoilt");
                log::error!(
                    error:% = format!("{error:#}"), aside:% = aside.display();
                    "{FILE} is spoilt and put aside; ports, names and who may connect are as on the first day"
                );
                fs::rename(&path, &aside).with_context(|| format!("{} cannot be put aside", path.display()))?;
                Default::default()
            }
        };
        Ok(Self { path, access, entries })
    }

    fn decode(bytes: &[u8]) -> Result<(Access, Vec<Entry>)> {
        let written: Written = toml::from_str(std::str::from_utf8(bytes)?)?;
        let access = Access::parse(&written.allowed)?;
        let mut entries: Vec<Entry> = Vec::new();
        for entry in written.printer {
            if entry.slot >= MAX_PORTS || entries.iter().any(|other| other.slot == entry.slot || other.key == entry.key)
            {
                bail!("printer `{}` has no port of its own", entry.key);
            }
            entries.push(entry);
        }
        Ok((access, entries))
    }

    /// Every printer that has a port.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The printer of a port.
    pub fn entry(&self, slot: usize) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.slot == slot)
    }

    /// The port of a printer; one that was never seen gets the lowest that is free, or when none is, one of a printer that is
    /// not connected and about which nothing was decided. `None` when every port is in use.
    pub fn slot_of(&mut self, key: &str, model: &str, is_connected: impl Fn(usize) -> bool) -> Option<usize> {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == key) {
            let slot = entry.slot;
            if entry.model != model {
                model.clone_into(&mut entry.model);
                self.keep();
            }
            return Some(slot);
        }
        let free = (0..MAX_PORTS).find(|slot| self.entry(*slot).is_none()).or_else(|| {
            let is_undecided = |entry: &&Entry| entry.name.is_none() && !entry.printing && !is_connected(entry.slot);
            self.entries.iter().find(is_undecided).map(|entry| entry.slot)
        })?;
        self.entries.retain(|entry| entry.slot != free);
        self.entries.push(Entry {
            key: key.to_owned(),
            slot: free,
            model: model.to_owned(),
            name: None,
            printing: false,
        });
        self.entries.sort_by_key(|entry| entry.slot);
        self.keep();
        Some(free)
    }

    /// Names a printer; an empty name takes its name away.
    pub fn name(&mut self, slot: usize, name: &str) -> Result<()> {
        let name = name.trim();
        if name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            bail!("a name has at most {MAX_NAME} characters, all of them visible");
        }
        self.change(slot)?.name = Some(name.to_owned()).filter(|name| !name.is_empty());
        self.write()
    }

    /// Switches printing on or off.
    pub fn set_printing(&mut self, slot: usize, printing: bool) -> Result<()> {
        self.change(slot)?.printing = printing;
        self.write()
    }

    /// Frees a port.
    pub fn forget(&mut self, slot: usize) -> Result<()> {
        self.change(slot)?;
        self.entries.retain(|entry| entry.slot != slot);
        self.write()
    }

    /// Sets who may connect.
    pub fn allow(&mut self, access: Access) -> Result<()> {
        self.access = access;
        self.write()
    }

    fn change(&mut self, slot: usize) -> Result<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.slot == slot).context("there is no printer on this port")
    }

    /// Writes; a fault is logged, because what is plugged in has to work all the same.
    fn keep(&self) {
        if let Err(error) = self.write() {
            log::warn!(error:% = format!("{error:#}"); "which printer has which port is not kept over a restart");
        }
    }

    fn write(&self) -> Result<()> {
        let written = Written { allowed: self.access.texts(), printer: self.entries.clone() };
        let text = toml::to_string(&written).context("the book cannot be written as TOML")?;
        let beside = self.path.with_extension("new");
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)?;
            // The new name has to survive a power cut as well.
            self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        };
        write().with_context(|| format!("{} cannot be written", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printer_keeps_its_port_and_what_was_decided() {
        let folder = tempfile::tempdir().unwrap();
        let mut book = Book::open(folder.path()).unwrap();
        assert_eq!(book.slot_of("a", "A", |_| true), Some(0));
        assert_eq!(book.slot_of("b", "B", |_| true), Some(1));
        book.name(1, " Empfang ").unwrap();
        book.set_printing(1, true).unwrap();
        assert!(book.name(1, "two\nlines").is_err());
        assert!(book.name(7, "x").is_err());
        book.allow(Access::parse(&["192.0.2.0/24".to_owned()]).unwrap()).unwrap();
        let mut again = Book::open(folder.path()).unwrap();
        assert_eq!(again.slot_of("b", "B", |_| true), Some(1));
        let entry = again.entry(1).unwrap();
        assert_eq!((entry.name.as_deref(), entry.printing), (Some("Empfang"), true));
        assert_eq!(again.access.texts(), ["192.0.2.0/24"]);
        again.forget(0).unwrap();
        assert_eq!(again.slot_of("c", "C", |_| true), Some(0));
    }

    #[test]
    fn when_all_ports_are_given_an_absent_printer_loses_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut book = Book::open(folder.path()).unwrap();
        for number in 0..MAX_PORTS {
            book.slot_of(&number.to_string(), "", |_| true).unwrap();
        }
        book.name(3, "kept").unwrap();
        assert_eq!(book.slot_of("x", "", |_| true), None);
        assert_eq!(book.slot_of("x", "", |slot| slot < 3), Some(4));
    }

    #[test]
    fn a_spoilt_file_is_put_aside() {
        let texts: [&[u8]; 4] =
            [b"printer = 3", b"allowed = [\"x\"]", b"[[printer]]\nkey = \"a\"\nslot = 99\n", &[0xff; 512]];
        for text in texts {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(FILE), text).unwrap();
            let mut book = Book::open(folder.path()).unwrap();
            assert_eq!((book.entries().len(), book.access.texts()), (0, Access::default().texts()));
            assert_eq!(fs::read(folder.path().join("usbbridged.toml.spoilt")).unwrap(), text);
            assert_eq!(book.slot_of("a", "A", |_| true), Some(0));
            assert_eq!(Book::open(folder.path()).unwrap().entries().len(), 1);
        }
    }
}
