//! Who is logged in: a bounded table in memory. Only a digest of each token is kept; time is an argument.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

/// A session without a request for so long ends.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// A session ends after so long whatever happens.
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);
/// Most sessions at once; the one longest idle gives way.
const CAPACITY: usize = 500;

/// One visitor who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The user's name.
    pub user: String,
    /// What every form of this session carries, so that no other page can submit one.
    pub csrf: String,
    /// Digest of the password hash at log-in: when the stored one changes, the session is over.
    pub credential: [u8; 32],
}

/// All who are logged in. Ends with the process: after a restart everyone logs in again.
#[derive(Debug, Default)]
pub struct Sessions {
    table: Mutex<HashMap<[u8; 32], Entry>>,
}

#[derive(Debug)]
struct Entry {
    session: Session,
    began: Instant,
    seen: Instant,
    notice: Option<String>,
}

impl Entry {
    fn is_alive(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.seen) < IDLE && now.saturating_duration_since(self.began) < LONGEST
    }
}

impl Sessions {
    /// Opens a session and returns the token for the cookie: 256 random bits.
    pub fn open(&self, user: &str, password_hash: &str, now: Instant) -> anyhow::Result<String> {
        let token = random_token()?;
        let session =
            Session { user: user.to_owned(), csrf: random_token()?, credential: credential_of(password_hash) };
        let mut table = self.lock();
        table.retain(|_, entry| entry.is_alive(now));
        if table.len() >= CAPACITY {
            let idlest = table.iter().min_by_key(|(_, entry)| entry.seen).map(|(key, _)| *key);
            idlest.and_then(|key| table.remove(&key));
        }
        table.insert(key_of(&token), Entry { session, began: now, seen: now, notice: None });
        Ok(token)
    }

    /// The session of a token, if it is alive. `keeps_alive` is false for requests that a page makes of itself.
    pub fn find(&self, token: &str, now: Instant, keeps_alive: bool) -> Option<Session> {
        let mut table = self.lock();
        let entry = table.get_mut(&key_of(token)).filter(|entry| entry.is_alive(now))?;
        if keeps_alive {
            entry.seen = now;
        }
        Some(entry.session.clone())
    }

    /// Keeps a sentence for the next page of a session.
    pub fn leave_notice(&self, token: &str, notice: String) {
        if let Some(entry) = self.lock().get_mut(&key_of(token)) {
            entry.notice = Some(notice);
        }
    }

    /// The sentence kept for this page, once.
    pub fn take_notice(&self, token: &str) -> Option<String> {
        self.lock().get_mut(&key_of(token))?.notice.take()
    }

    /// Ends one session.
    pub fn close(&self, token: &str) {
        self.lock().remove(&key_of(token));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Entry>> {
        self.table.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// What a session remembers of the password it was opened with.
pub fn credential_of(password_hash: &str) -> [u8; 32] {
    Sha256::digest(password_hash).into()
}

/// Whether two secrets are equal, in a time that does not depend on where they differ.
pub fn equal_secrets(one: &str, other: &str) -> bool {
    Sha256::digest(one) == Sha256::digest(other)
}

fn key_of(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn random_token() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the system gives no randomness: {error}"))?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lives_while_it_is_used_and_never_too_long() {
        let sessions = Sessions::default();
        let start = Instant::now();
        let token = sessions.open("admin", "hash", start).unwrap();
        assert_eq!(token.len(), 43);
        let minutes = |count: u64| start + Duration::from_secs(60 * count);
        assert_eq!(sessions.find(&token, minutes(59), true).unwrap().user, "admin");
        assert!(sessions.find(&token, minutes(118), false).is_some());
        assert!(sessions.find(&token, minutes(120), true).is_none(), "a page's own requests do not keep it alive");
        let token = sessions.open("admin", "hash", start).unwrap();
        for half_hour in 1..24 {
            assert!(sessions.find(&token, minutes(30 * half_hour), true).is_some());
        }
        assert!(sessions.find(&token, minutes(720), true).is_none());
    }

    #[test]
    fn log_out_ends_it_and_the_table_is_bounded() {
        let sessions = Sessions::default();
        let now = Instant::now();
        let token = sessions.open("admin", "hash", now).unwrap();
        sessions.close(&token);
        assert!(sessions.find(&token, now, true).is_none());
        assert!(sessions.find("made up", now, true).is_none());
        for _ in 0..CAPACITY + 10 {
            sessions.open("admin", "hash", now).unwrap();
        }
        assert_eq!(sessions.lock().len(), CAPACITY);
    }
}
