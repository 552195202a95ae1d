//! Profiles of a user's own, beside those that are compiled in: found in a folder, checked, explained. A model is added without
//! Rust and without building anything. What a profile may say is `agent_core::profile`'s.

use std::fs;
use std::path::{Path, PathBuf};

use agent_core::profile::{Overview, ProfileError, Profiles};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use wire::vocab::Confidence;

/// The words of `agentd profile`.
#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// Check profiles as the collector would load them, and say what is wrong and where
    #[command(after_help = "Exit status: 0 all are right, 1 some are not, 2 the command is wrong.")]
    Check(Check),
    /// List the profiles that are compiled in, with what each reads
    List,
}

/// The words of `agentd profile check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Files named after the profile that they hold, such as acme.toml
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// A profile's file.
#[derive(Debug, Clone)]
pub struct File {
    path: PathBuf,
    name: String,
    text: String,
}

impl File {
    fn read(path: &Path) -> Result<Self> {
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        if path.extension().is_none_or(|extension| extension != "toml") || name.is_empty() {
            bail!("{} is no profile: their files end in .toml and are named after the profile", path.display());
        }
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(Self { path: path.to_owned(), name, text })
    }

    /// What is wrong, with the line where it can be told.
    fn explain(&self, error: &ProfileError) -> String {
        let words = match error {
            ProfileError::Form { message, .. } => message.trim_end().to_owned(),
            ProfileError::Rule { fault, .. } => fault.clone(),
        };
        match line_of(&words, &self.text) {
            Some(line) => format!("{}: line {line}: {words}", self.path.display()),
            None => format!("{}: {words}", self.path.display()),
        }
    }
}

/// Carries a command out. Gives whether all is right.
pub fn run(command: ProfileCommand) -> Result<bool> {
    match command {
        ProfileCommand::Check(command) => check(&command),
        ProfileCommand::List => {
            for overview in Profiles::built_in()?.overviews() {
                println!("{}: {}", overview.name, words(&overview));
            }
            Ok(true)
        }
    }
}

fn check(command: &Check) -> Result<bool> {
    let mut right = true;
    let mut sound: Vec<File> = Vec::new();
    for path in &command.files {
        let file = File::read(path)?;
        let all: Vec<(&str, &str)> =
            sound.iter().chain([&file]).map(|file| (file.name.as_str(), file.text.as_str())).collect();
        match Profiles::built_in_and(&all) {
            Ok(profiles) => {
                let overview = profiles.overviews().into_iter().find(|overview| overview.name == file.name);
                println!(
                    "{}: right; {}",
                    path.display(),
                    overview.map(|overview| words(&overview)).unwrap_or_default()
                );
                sound.push(file);
            }
            Err(error) => {
                right = false;
                eprintln!("{}", file.explain(&error));
            }
        }
    }
    Ok(right)
}

/// What a profile is for, and what it reads beyond the standard tables, with how sure it is where that is not certain.
fn words(overview: &Overview) -> String {
    let list = |what: &str, all: &[(String, Confidence)]| {
        let each = all.iter().map(|(words, confidence)| match confidence {
            Confidence::Verified => words.clone(),
            other => format!("{words} ({})", other.keyword()),
        });
        let each: Vec<String> = each.collect();
        (!each.is_empty()).then(|| format!("\n  {what}: {}", each.join(", ")))
    };
    let makers = if overview.makers.is_empty() { "any maker".to_owned() } else { overview.makers.join(", ") };
    let parts = [
        list("identity", &overview.identity),
        list("counters", &overview.counters),
        list("supplies", &overview.supplies),
    ];
    parts.into_iter().flatten().fold(makers, |text, part| text + &part)
}

/// The profiles that are compiled in, with those of a folder; a folder that is not there has none. A file that is wrong is an
/// error.
pub fn load(folder: Option<&Path>) -> Result<Profiles> {
    let files = match folder {
        Some(folder) => files(folder)?,
        None => Vec::new(),
    };
    together(&files).map_err(|wrong| anyhow::anyhow!(wrong.0.explain(&wrong.1)))
}

/// The same for a daemon, which goes on without the files that are wrong, and says so.
pub fn load_what_is_right(folder: &Path) -> Result<Profiles> {
    let mut files = if folder.is_dir() { files(folder)? } else { Vec::new() };
    loop {
        match together(&files) {
            Ok(profiles) => {
                if !files.is_empty() {
                    log::info!(folder:% = folder.display(), profiles = files.len(); "profiles of our own are loaded");
                }
                return Ok(profiles);
            }
            Err(wrong) => {
                let (file, error) = *wrong;
                if files.is_empty() {
                    return Err(error).context("the built-in profiles do not load");
                }
                log::error!("a profile is left out: {}", file.explain(&error));
                files.retain(|other| other.path != file.path);
            }
        }
    }
}

fn files(folder: &Path) -> Result<Vec<File>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .with_context(|| format!("{} cannot be read", folder.display()))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.iter().map(|path| File::read(path)).collect()
}

/// All files beside the built-in profiles, or the first that does not fit in.
fn together(files: &[File]) -> Result<Profiles, Box<(File, ProfileError)>> {
    let mut all: Vec<(&str, &str)> = Vec::new();
    for file in files {
        all.push((&file.name, &file.text));
        if let Err(error) = Profiles::built_in_and(&all) {
            return Err(Box::new((file.clone(), error)));
        }
    }
    let nothing = || File { path: PathBuf::from("built-in"), name: String::new(), text: String::new() };
    Profiles::built_in_and(&all).map_err(|error| Box::new((nothing(), error)))
}

/// The line that a fault speaks of: that of the numbered rule, or of the object that it names. What the TOML reader says has
/// its line already.
fn line_of(words: &str, text: &str) -> Option<usize> {
    let line_at = |at: usize| text.get(..at).map(|before| before.matches('\n').count() + 1);
    if let Some((head, rest)) = words.split_once(" number ")
        && let Ok(number) = rest.split(|character: char| !character.is_ascii_digit()).next()?.parse::<usize>()
    {
        let (at, _) = text.match_indices(head).nth(number.checked_sub(1)?)?;
        return line_at(at);
    }
    let is_object =
        |word: &&str| word.matches('.').count() > 3 && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.'));
    let object = words.split(|character: char| !character.is_ascii_digit() && character != '.').find(is_object)?;
    line_at(text.find(object)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &str = "name = \"acme\"\nextends = \"printer-mib\"\nconfidence = \"probable\"\n[match]\nsys_object_id = [\"1.3.6.1.4.1.99999\"]\n";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn profiles_of_a_folder_join_those_built_in() {
        let folder = folder(&[("acme.toml", RIGHT), ("notes.txt", "not a profile")]);
        assert_eq!(load(Some(folder.path())).unwrap().named("acme").name, "acme");
        assert!(load(Some(Path::new("/no/such/folder"))).is_err());
        // One that replaces a built-in profile is taken instead of it.
        let own = self::folder(&[(
            "pantum.toml",
            "name = \"pantum\"\nextends = \"printer-mib\"\nconfidence = \"verified\"\n",
        )]);
        let replaced = load(Some(own.path())).unwrap().overviews();
        assert!(replaced.iter().any(|overview| overview.name == "pantum" && overview.makers.is_empty()));
    }

    #[test]
    fn a_daemon_goes_on_without_what_is_wrong() {
        let folder = folder(&[("acme.toml", RIGHT), ("bad.toml", "name = \"bad\"\ncolour = 1\n")]);
        assert!(load(Some(folder.path())).is_err());
        let profiles = load_what_is_right(folder.path()).unwrap();
        assert_eq!(profiles.named("acme").name, "acme");
        assert_eq!(profiles.named("bad").name, agent_core::profile::BASE);
        load_what_is_right(Path::new("/no/such/folder")).unwrap();
    }

    #[test]
    fn faults_have_their_line() {
        let fault = |rest: &str| {
            let file = File { path: "acme.toml".into(), name: "acme".into(), text: format!("{RIGHT}{rest}") };
            let error = Profiles::built_in_and(&[("acme", &file.text)]).unwrap_err();
            file.explain(&error)
        };
        let two = "[[counter]]\nservice = \"Print\"\nbasis = \"Meter\"\noid = \"1.3.6.1.4.1.99999.1.0\"\n[[counter]]\nservice = \"Copy\"\nbasis = \"Meter\"\n";
        assert!(fault(two).starts_with("acme.toml: line 10: [[counter]] number 2"), "{}", fault(two));
        let jobs = "[identity]\nmodel = [{ oid = \"1.3.6.1.4.1.2699.1.1.1.3.0\" }]\n";
        assert!(fault(jobs).starts_with("acme.toml: line 7: 1.3.6.1.4.1.2699"), "{}", fault(jobs));
        assert!(fault("colour = 1\n").contains("line 6"), "{}", fault("colour = 1\n"));
    }
}
