//! The enrolment code: what a dealer hands to a technician so that an agent and its manager find and trust each other.
//!
//! One string to paste: the single-use token, and the fingerprint of the manager's key, so that a manager with a certificate
//! of its own making is trusted without anyone clicking a warning away.

use std::fmt;

/// Version mark at the start of a code.
const PREFIX: &str = "DW1";

/// A token with the fingerprint of the manager's TLS key.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentCode {
    /// 16 secret octets in base32, good for one registration.
    pub token: String,
    /// SHA-256 of the manager's SubjectPublicKeyInfo (as in RFC 7469); `None` where a public authority vouches for it.
    pub server_key: Option<[u8; 32]>,
}

impl EnrolmentCode {
    /// Takes a code apart; blanks and line breaks that crept in while copying are ignored, and small letters are as good
    /// as capitals.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.chars().filter(|character| !character.is_whitespace()).take(200);
        let text: String = text.map(|character| character.to_ascii_uppercase()).collect();
        let mut parts = text.split('-');
        if parts.next() != Some(PREFIX) {
            return None;
        }
        let token = parts.next().filter(|token| is_token(token))?.to_owned();
        let server_key = match parts.next() {
            None => None,
            Some(part) => Some(data_encoding::BASE32_NOPAD.decode(part.as_bytes()).ok()?.try_into().ok()?),
        };
        parts.next().is_none().then_some(Self { token, server_key })
    }

    /// The token that belongs to 16 secret random octets.
    pub fn token_of(secret: &[u8; 16]) -> String {
        data_encoding::BASE32_NOPAD.encode(secret)
    }
}

fn is_token(text: &str) -> bool {
    text.len() == 26 && data_encoding::BASE32_NOPAD.decode(text.as_bytes()).is_ok()
}

/// The string to paste.
impl fmt::Display for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}-{}", self.token)?;
        match &self.server_key {
            Some(key) => write!(f, "-{}", data_encoding::BASE32_NOPAD.encode(key)),
            None => Ok(()),
        }
    }
}

/// Without the secret, so that a code in a log betrays nothing.
impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_comes_back_as_itself_even_from_a_broken_line() {
        let code = EnrolmentCode { token: EnrolmentCode::token_of(&[9; 16]), server_key: Some([3; 32]) };
        let text = code.to_string();
        assert_eq!(EnrolmentCode::parse(&text), Some(code.clone()));
        let (head, tail) = text.split_at(20);
        assert_eq!(EnrolmentCode::parse(&format!(" {head}\r\n {tail}\n")), Some(code.clone()));
        assert_eq!(EnrolmentCode::parse(&text.to_lowercase()), Some(code));
    }

    #[test]
    fn nonsense_is_no_code() {
        for text in
            ["", "DW1", "DW1-", "DW1-ABC", "DW2-BEEQSCIJBEEQSCIJBEEQSCIJBE", "DW1-BEEQSCIJBEEQSCIJBEEQSCIJBE-XX"]
        {
            assert_eq!(EnrolmentCode::parse(text), None, "{text}");
        }
    }
}
