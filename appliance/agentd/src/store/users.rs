//! Who may log in.

use rusqlite::OptionalExtension;

use super::{Result, Store};

impl Store {
    /// Whether nobody can log in yet.
    pub fn has_no_users(&self) -> Result<bool> {
        Ok(self.connection().query_row("SELECT NOT EXISTS (SELECT 1 FROM user)", [], |row| row.get(0))?)
    }

    /// The password hash of a user.
    pub fn password_hash(&self, name: &str) -> Result<Option<String>> {
        let query = "SELECT password_hash FROM user WHERE name = ?1";
        Ok(self.connection().query_row(query, [name], |row| row.get(0)).optional()?)
    }

    /// Keeps the first user; `false` and nothing done when there is one already.
    pub fn create_first_user(&self, name: &str, password_hash: &str) -> Result<bool> {
        let query = "INSERT INTO user SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM user)";
        Ok(self.connection().execute(query, [name, password_hash])? == 1)
    }

    /// Sets a user's password; the user is made if missing.
    pub fn set_password(&self, name: &str, password_hash: &str) -> Result<()> {
        let query = "INSERT INTO user VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET password_hash = ?2";
        self.connection().execute(query, [name, password_hash])?;
        Ok(())
    }
}
