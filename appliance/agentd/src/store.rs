//! What survives a restart: settings, users, devices, meters, the outbox. SQLite, one file, opened by this program only and by
//! its own commands.
//!
//! Every method is one question or one change, done in one transaction, and blocks: callers on async threads go through
//! `spawn_blocking`. A power cut at any moment leaves the last committed state (WAL, `synchronous=FULL`).

pub mod devices;
pub mod events;
pub mod meters;
pub mod notes;
pub mod outbox;
pub mod search;
pub mod settings;
pub mod snmp_users;
mod users;

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction};
use thiserror::Error;

use notes::tell_again;
use outbox::mark_all;

const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001-first.sql"),
    include_str!("../migrations/0002-snmpv3.sql"),
    include_str!("../migrations/0003-identity.sql"),
    include_str!("../migrations/0004-search.sql"),
    include_str!("../migrations/0005-notes.sql"),
    include_str!("../migrations/0006-unreported.sql"),
    include_str!("../migrations/0007-range-revision.sql"),
];
/// The database.
const FILE: &str = "agentd.sqlite";
/// Days of meters and of reports that are kept.
const KEPT_DAYS: i64 = 90;
/// Octets of reports that are kept while the manager cannot be reached.
const MAX_OUTBOX: i64 = 64 << 20;

/// Why the store cannot do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database does not answer.
    #[error("the database cannot be used")]
    Sql(#[from] rusqlite::Error),
    /// The folder cannot be used.
    #[error("{path} cannot be used")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file was written by a later version.
    #[error(
        "the database has version {found}, this program knows {known}, and there is no copy from before: install the later version again, \
         or start with an empty folder"
    )]
    Newer {
        /// Version of the file.
        found: usize,
        /// Version of the program.
        known: usize,
    },
    /// A stored record does not decode.
    #[error("the stored record of device {0} cannot be read")]
    Record(String, #[source] wire::xml::XmlError),
}

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The database.
pub struct Store {
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the database in a folder, which is made if it is missing. Where a later version of the program was here and is no longer,
    /// the copy that it made before it changed the database goes on.
    pub fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|source| unusable(folder, source))?;
        match Self::open_file(folder) {
            Err(StoreError::Newer { found, known }) if copy_of(folder, known).exists() => {
                take_back(folder, found, known).map_err(|source| unusable(folder, source))?;
                log::warn!(aside:? = copy_of(folder, found); "the database is the one from before a later version, whose own is put aside");
                Self::open_file(folder)
            }
            opened => opened,
        }
    }

    fn open_file(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        private(&path).map_err(|source| unusable(folder, source))?;
        let mut connection = Connection::open(&path)?;
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        connection.set_prepared_statement_cache_capacity(64);
        copy(&connection, folder)?;
        migrate(&mut connection)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere left no half-done change: SQLite rolled it back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn transaction<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let outcome = change(&transaction)?;
        transaction.commit()?;
        Ok(outcome)
    }

    /// Drops what is older than is kept. Reports that go unsent are made up for: the next ones tell everything.
    ///
    /// Ages count in days on which something was written, not by the clock: a box without a battery may believe for an hour
    /// that it is years later.
    pub fn tidy(&self) -> Result<u64> {
        self.transaction(|change| {
            let query = "DELETE FROM meter WHERE day <= (
                             SELECT day FROM (SELECT DISTINCT day FROM meter ORDER BY day DESC LIMIT 1 OFFSET ?1))";
            change.execute(query, [KEPT_DAYS])?;
            let query = "DELETE FROM outbox WHERE created_at / 86400000 <= (
                             SELECT day FROM (SELECT DISTINCT created_at / 86400000 AS day FROM outbox)
                             ORDER BY day DESC LIMIT 1 OFFSET ?1)
                         OR id <= (
                             SELECT coalesce(max(id), 0) FROM (
                                 SELECT id, sum(length(document)) OVER (ORDER BY id DESC) AS newer FROM outbox
                             ) WHERE newer > ?2)";
            let dropped = change.execute(query, [KEPT_DAYS, MAX_OUTBOX])?;
            if dropped > 0 {
                mark_all(change)?;
                tell_again(change)?;
            }
            Ok(u64::try_from(dropped).unwrap_or(u64::MAX))
        })
    }
}

fn unusable(path: &Path, source: io::Error) -> StoreError {
    StoreError::Folder { path: path.to_owned(), source }
}

/// Where the database of a version is kept.
fn copy_of(folder: &Path, version: usize) -> PathBuf {
    folder.join(format!("{FILE}.v{version}"))
}

/// Makes a file if it is missing. Communities and the enrolment token are secrets: nobody else may read it, nor SQLite's files beside it.
fn private(path: &Path) -> io::Result<File> {
    let file = File::options().create(true).append(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Copies a database that is about to be migrated, for the version of the program that may have to come back.
fn copy(connection: &Connection, folder: &Path) -> Result<()> {
    let version: usize = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 || version >= MIGRATIONS.len() {
        return Ok(());
    }
    let to = copy_of(folder, version);
    let failed = |source| unusable(&to, source);
    let new = folder.join(format!("{FILE}.new"));
    // One from before a power cut is not whole.
    let _ = fs::remove_file(&new);
    let file = private(&new).map_err(failed)?;
    connection.execute("VACUUM INTO ?1", [new.to_string_lossy()])?;
    file.sync_all().and_then(|()| fs::rename(&new, &to)).map_err(failed)?;
    // One that comes back is the version before this one.
    for older in (1..version).map(|older| copy_of(folder, older)) {
        let _ = fs::remove_file(older);
    }
    Ok(())
}

/// Puts the copy in the place of a later version's database, which is kept beside it.
fn take_back(folder: &Path, found: usize, known: usize) -> io::Result<()> {
    let (path, aside, new) = (folder.join(FILE), copy_of(folder, found), folder.join(format!("{FILE}.new")));
    let _ = fs::remove_file(&aside);
    let _ = fs::remove_file(&new);
    let mut file = private(&new)?;
    io::copy(&mut File::open(copy_of(folder, known))?, &mut file)?;
    file.sync_all()?;
    fs::hard_link(&path, &aside)?;
    // Whole at any moment: either the one or the other.
    fs::rename(new, path)
}

fn migrate(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: usize = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let Some(due) = MIGRATIONS.get(version..) else {
        return Err(StoreError::Newer { found: version, known: MIGRATIONS.len() });
    };
    for migration in due {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len())?;
    transaction.commit()?;
    Ok(())
}

fn setting(connection: &Connection, key: &str) -> Result<Option<String>> {
    Ok(connection.query_row("SELECT value FROM setting WHERE key = ?1", [key], |row| row.get(0)).optional()?)
}

fn set(change: &Transaction<'_>, key: &str, value: &str) -> Result<()> {
    change.execute("INSERT INTO setting VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2", [key, value])?;
    Ok(())
}

fn moment(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
