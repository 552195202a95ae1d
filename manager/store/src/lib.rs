//! The manager's database: one method for each question asked. SQL stands in this crate and nowhere else.
//!
//! Methods block; callers in async code go through `spawn_blocking`. Every question about a dealer's data takes a
//! [`Scope`](manager_core::access::Scope) and sees nothing beyond it.
//!
//! How much is kept: a counter reading when the value changed, otherwise once a day; a supply reading when it changed by a
//! hundredth, otherwise once a day. After [`history::FULL_DETAIL`] only the last reading of each day stays. Of alerts the
//! last [`intake::MOST_ALERTS`] of each device stay, of report names those of [`intake::REPORT_NAMES_KEPT`].

pub mod fleet;
pub mod history;
pub mod identity;
pub mod intake;
pub mod places;
pub mod questions;
pub mod users;

use std::{
    error::Error,
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use jiff::Timestamp;
use manager_core::access::Denied;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior};
use thiserror::Error;

/// The schema in steps: step n leads from version n to n + 1.
const MIGRATIONS: [&str; 3] = [
    include_str!("../migrations/0001-first/sqlite.sql"),
    include_str!("../migrations/0002-questions/sqlite.sql"),
    include_str!("../migrations/0003-identity/sqlite.sql"),
];

/// How long a question waits for another process that writes (`manager agent-toml` beside a running manager).
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a question has no answer.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum StoreError {
    #[error("cannot open the database {path}")]
    Open { path: PathBuf, source: Box<dyn Error + Send + Sync> },
    #[error(
        "the database was written by a later version of the manager (schema {found}, this one knows {known}): \
         install that version again, or restore the backup made before the update"
    )]
    LaterSchema { found: i64, known: usize },
    #[error("the database is busy")]
    Busy(#[source] Box<dyn Error + Send + Sync>),
    #[error("the database cannot grow: the disk is full")]
    Full(#[source] Box<dyn Error + Send + Sync>),
    #[error("{0} exists already")]
    NameTaken(String),
    #[error("there is no such entry")]
    NotFound,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("the stored state of device {device} cannot be read")]
    Damaged { device: String, source: wire::xml::XmlError },
    #[error("the database refused")]
    Database(#[source] Box<dyn Error + Send + Sync>),
}

/// What a question answers.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The database of one manager.
pub struct Store {
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the database, making or updating it where needed. The file is readable by its owner only.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |source| StoreError::Open { path: path.to_owned(), source };
        create_private(path).map_err(|error| failed(error.into()))?;
        let mut connection = Connection::open(path).map_err(|error| failed(error.into()))?;
        prepare(&connection).map_err(|error| failed(error.into()))?;
        migrate(&mut connection)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// A value that was kept under a name.
    pub fn setting(&self, name: &str) -> Result<Option<String>> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached("SELECT value FROM setting WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    /// Keeps a value under a name.
    pub fn set_setting(&self, name: &str, value: &str) -> Result<()> {
        self.lock().execute(
            "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [name, value],
        )?;
        Ok(())
    }

    /// A panic in another thread cannot have left half a transaction: it was rolled back when it was dropped.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// All or nothing. Takes the right to write at once, so that two processes wait for each other instead of failing.
    fn transaction<T, E: From<rusqlite::Error>>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let answer = change(&transaction)?;
        transaction.commit()?;
        Ok(answer)
    }
}

fn create_private(path: &Path) -> io::Result<()> {
    fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A report that was acknowledged is gone from the agent: it must survive a power cut here.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn migrate(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.query_row("SELECT user_version FROM pragma_user_version", [], |row| row.get(0))?;
    let known = MIGRATIONS.len();
    let done = usize::try_from(version)
        .ok()
        .filter(|done| *done <= known)
        .ok_or(StoreError::LaterSchema { found: version, known })?;
    for step in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known.to_string())?;
    transaction.commit()?;
    Ok(())
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(error.into()),
            Some(ErrorCode::DiskFull) => Self::Full(error.into()),
            _ => Self::Database(error.into()),
        }
    }
}

/// Turns the refusal of a second entry of the same name into words; everything else stays as it is.
fn name_taken(name: &str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => StoreError::NameTaken(name.to_owned()),
        _ => error.into(),
    }
}

/// A time as it is stored.
fn stored(moment: Timestamp) -> i64 {
    moment.as_millisecond()
}

/// A stored time; one outside of what can be told, which nothing here writes, is 1970.
fn moment(stored: i64) -> Timestamp {
    Timestamp::from_millisecond(stored).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
