//! A file that is there while the manager is reached: by it boxd sees whether an update has cost the box its manager.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The name below the service's folder for what does not last.
const NAME: &str = "manager-reached";

/// The file, and whether it is there; nothing where the agent runs by hand.
pub struct Reached {
    path: Option<PathBuf>,
    is_set: bool,
}

impl Reached {
    /// In the folder that systemd has made for the service. It is empty at the start.
    pub fn of_service() -> Self {
        Self { path: env::var_os("RUNTIME_DIRECTORY").map(|folder| Path::new(&folder).join(NAME)), is_set: false }
    }

    /// Makes or removes it.
    pub fn set(&mut self, is_reached: bool) {
        let Some(path) = self.path.as_ref().filter(|_| self.is_set != is_reached) else { return };
        let done = if is_reached { fs::write(path, "") } else { fs::remove_file(path) };
        match done {
            Ok(()) => self.is_set = is_reached,
            Err(error) => log::warn!("{}: {error}", path.display()),
        }
    }
}
