//! Users and on whose behalf they ask.

use manager_core::access::{DealerId, Right, Rights, Scope};
use rusqlite::{OptionalExtension, params};

use crate::{Result, Store, StoreError};

/// A user as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUser {
    /// Name to log in with.
    pub name: String,
    /// Hash of the password in PHC form.
    pub password_hash: String,
    /// On whose behalf he asks.
    pub scope: Scope,
}

impl Store {
    /// Whether there is no user yet.
    pub fn has_no_users(&self) -> Result<bool> {
        Ok(self.lock().query_row("SELECT NOT EXISTS (SELECT 1 FROM user)", [], |row| row.get(0))?)
    }

    /// The user of a name, whatever its case.
    pub fn user(&self, name: &str) -> Result<Option<StoredUser>> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached("SELECT name, password_hash, dealer_id, role FROM user WHERE name = ?1")?;
        let user = statement.query_row([name], |row| {
            let name: String = row.get(0)?;
            let rights = match row.get::<_, String>(3)?.as_str() {
                "administrator" => Rights::ALL,
                _ => Rights::NONE.with(Right::View),
            };
            let scope = Scope { dealer: DealerId(row.get(2)?), user: name.clone(), rights };
            Ok(StoredUser { name, password_hash: row.get(1)?, scope })
        });
        Ok(user.optional()?)
    }

    /// Keeps the first administrator; false, and nothing done, when there is a user already.
    pub fn create_first_administrator(&self, name: &str, password_hash: &str) -> Result<bool> {
        let added = self.lock().execute(
            "INSERT INTO user (dealer_id, name, password_hash, role)
             SELECT (SELECT min(id) FROM dealer), ?1, ?2, 'administrator' WHERE NOT EXISTS (SELECT 1 FROM user)",
            params![name, password_hash],
        )?;
        Ok(added == 1)
    }

    /// Gives a user another password.
    pub fn set_password(&self, name: &str, password_hash: &str) -> Result<()> {
        let changed =
            self.lock().execute("UPDATE user SET password_hash = ?2 WHERE name = ?1", params![name, password_hash])?;
        if changed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// The scope of the program itself, for commands given on the machine: the first dealer's administrator.
    pub fn own_scope(&self, command: &str) -> Result<Scope> {
        let dealer = self.lock().query_row("SELECT min(id) FROM dealer", [], |row| row.get(0))?;
        Ok(Scope::administrator(DealerId(dealer), command))
    }
}
