//! The repository as files: where it is, what texts it has. Reads only.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// Folders that hold no work of ours.
const PASSED_OVER: [&str; 3] = [".git", ".demo", "target"];

/// The folder of the workspace.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Every file of the repository that is text, with its path seen from the root, in order.
pub fn texts() -> Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let path = root().join(&folder);
        for entry in fs::read_dir(&path).with_context(|| format!("can not read {}", path.display()))? {
            let entry = entry?;
            let name = entry.file_name();
            let place = folder.join(&name);
            let kind = entry.file_type()?;
            // `.git` is a file where the repository is one of several work trees.
            if PASSED_OVER.iter().any(|passed_over| name == *passed_over) {
                continue;
            }
            if kind.is_dir() {
                folders.push(place);
            } else if kind.is_file()
                && let Ok(text) = fs::read_to_string(entry.path())
            {
                texts.push((place.display().to_string(), text));
            }
        }
    }
    texts.sort();
    Ok(texts)
}
