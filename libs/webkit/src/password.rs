//! Passwords: what a good one is, and argon2id to keep and check them. Never logged, never kept in clear.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

use crate::text::Lang;

/// Fewest characters of a new password.
pub const MIN_LENGTH: usize = 10;
/// Most bytes of a password; more is not hashed at all.
pub const MAX_LENGTH: usize = 256;
/// Each costs 19 MiB while it runs: a small box must not be talked out of its memory.
const AT_ONCE: usize = 2;

/// Words on which alone no password may rest.
const OBVIOUS: [&str; 32] = [
    "password",
    "passwort",
    "kennwort",
    "geheim",
    "geheimnis",
    "secret",
    "druckwart",
    "drucker",
    "printer",
    "admin",
    "administrator",
    "root",
    "manager",
    "agent",
    "welcome",
    "willkommen",
    "changeme",
    "letmein",
    "qwerty",
    "qwertyuiop",
    "qwertz",
    "qwertzuiop",
    "asdfghjkl",
    "iloveyou",
    "hallo",
    "hello",
    "test",
    "kyocera",
    "epson",
    "raspberry",
    "passw0rd",
    "p@ssword",
];

/// What is wrong with a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// Fewer than [`MIN_LENGTH`] characters.
    TooShort,
    /// More than [`MAX_LENGTH`] bytes.
    TooLong,
    /// A row of the keyboard, a repetition, a well-known word with digits, or the user's own name.
    Obvious,
}

impl Weakness {
    /// The weakness and the way out.
    pub fn message(self, lang: Lang) -> String {
        match (self, lang) {
            (Self::TooShort, Lang::En) => format!("The password needs at least {MIN_LENGTH} characters."),
            (Self::TooShort, Lang::De) => format!("Das Passwort braucht mindestens {MIN_LENGTH} Zeichen."),
            (Self::TooLong, Lang::En) => format!("The password may have at most {MAX_LENGTH} bytes."),
            (Self::TooLong, Lang::De) => format!("Das Passwort darf höchstens {MAX_LENGTH} Bytes lang sein."),
            (Self::Obvious, Lang::En) => {
                "This password is among the first that an attacker tries. Several words that have nothing to do with each \
                 other make a good one."
                    .to_owned()
            }
            (Self::Obvious, Lang::De) => {
                "Dieses Passwort probiert ein Angreifer als eines der ersten. Mehrere Wörter, die nichts miteinander zu tun \
                 haben, sind ein gutes."
                    .to_owned()
            }
        }
    }
}

/// Whether a new password is good enough for `user`.
pub fn check_new(password: &str, user: &str) -> Result<(), Weakness> {
    if password.chars().count() < MIN_LENGTH {
        return Err(Weakness::TooShort);
    }
    if password.len() > MAX_LENGTH {
        return Err(Weakness::TooLong);
    }
    let lower = password.to_lowercase();
    let core = lower.trim_matches(|character: char| !character.is_alphabetic());
    let user = user.to_lowercase();
    let known = OBVIOUS.contains(&core) || (!user.is_empty() && core == user);
    let mut distinct: Vec<char> = lower.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    match known || core.is_empty() && is_run(&lower) || distinct.len() < 5 {
        true => Err(Weakness::Obvious),
        false => Ok(()),
    }
}

/// Whether each character is the neighbour of the one before, as in 1234567890.
fn is_run(text: &str) -> bool {
    let bytes = text.as_bytes();
    let neighbours = |pair: &[u8]| match pair {
        [a, b] => a.abs_diff(*b) <= 1 || (*a == b'9' && *b == b'0') || (*a == b'0' && *b == b'9'),
        _ => true,
    };
    bytes.windows(2).all(neighbours)
}

/// Hashes and checks passwords away from the threads that serve pages, a few at once.
#[derive(Debug, Clone)]
pub struct Passwords {
    gate: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { gate: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Passwords {
    /// The hash to store, in PHC form. Does not judge the password: see [`check_new`].
    pub async fn hash(&self, password: String) -> anyhow::Result<String> {
        let _permit = self.gate.acquire().await?;
        tokio::task::spawn_blocking(move || hash(&password)).await?
    }

    /// Whether the password belongs to the hash. Without a hash (no such user) it takes as long, and the answer is no.
    pub async fn verify(&self, password: String, hash: Option<String>) -> anyhow::Result<bool> {
        if password.len() > MAX_LENGTH {
            return Ok(false);
        }
        let _permit = self.gate.acquire().await?;
        Ok(tokio::task::spawn_blocking(move || verify(&password, hash.as_deref())).await?)
    }
}

/// The hash to store, in PHC form; takes a while and 19 MiB. For programs without pages: `manager passwd`.
pub fn hash(password: &str) -> anyhow::Result<String> {
    let hash =
        Argon2::default().hash_password(password.as_bytes()).map_err(|error| anyhow::anyhow!("argon2: {error}"))?;
    Ok(hash.to_string())
}

fn verify(password: &str, hash: Option<&str>) -> bool {
    let parsed = hash.and_then(|hash| PasswordHash::new(hash).ok());
    match parsed {
        Some(hash) => Argon2::default().verify_password(password.as_bytes(), &hash).is_ok(),
        None => {
            // The same work as a real check, so that the time of the answer does not tell which users exist.
            let mut waste = [0_u8; 32];
            let _ = Argon2::default().hash_password_into(password.as_bytes(), b"nobody has this salt", &mut waste);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_obvious_is_refused() {
        for password in [
            "Passwort123",
            "1234567890",
            "0987654321",
            "aaaaaaaaaaaa",
            "druckwart2026",
            "administrator1!",
            "ababababab",
        ] {
            assert_eq!(check_new(password, "admin"), Err(Weakness::Obvious), "{password}");
        }
        assert_eq!(check_new("maria.weber1", "maria.weber"), Err(Weakness::Obvious));
        assert_eq!(check_new("short", "admin"), Err(Weakness::TooShort));
        assert_eq!(check_new(&"long phrase".repeat(30), "admin"), Err(Weakness::TooLong));
        assert_eq!(check_new("blauer Esel im Schnee", "admin"), Ok(()));
        assert_eq!(check_new("8264019375", "admin"), Ok(()));
    }

    #[tokio::test]
    async fn only_the_right_password_fits() {
        let passwords = Passwords::default();
        let hash = passwords.hash("blauer Esel".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(passwords.verify("blauer Esel".to_owned(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("roter Esel".to_owned(), Some(hash)).await.unwrap());
        assert!(!passwords.verify("blauer Esel".to_owned(), None).await.unwrap());
        assert!(!passwords.verify("blauer Esel".to_owned(), Some("rubbish".to_owned())).await.unwrap());
    }
}
