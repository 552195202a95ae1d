//! SNMP as a manager speaks it: versions 1, 2c and 3, reading only. There is no way to write (SetRequest) in this crate.
//!
//! Here: what a device is spoken to with. Secrets are wiped from memory when they are dropped, and have no printable form.

pub mod ber;
pub mod framing;
mod lenient;
pub mod message;
pub mod session;
pub mod traps;
pub mod usm;
pub mod v3;

use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use zeroize::Zeroize;

/// Protocol version; the number is that on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// SNMPv1 (RFC 1157): no GETBULK, one missing name spoils a whole answer.
    V1 = 0,
    /// SNMPv2c (RFC 1901, 3416).
    V2c = 1,
    /// SNMPv3 with the user-based security model (RFC 3412, 3414).
    V3 = 3,
}

impl Version {
    const ALL: [Self; 3] = [Self::V1, Self::V2c, Self::V3];

    /// The word used in settings and on the command line.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2c => "v2c",
            Self::V3 => "v3",
        }
    }

    /// The version of a word.
    pub fn from_keyword(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.keyword() == word)
    }
}

/// What carries the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Transport {
    /// A message a datagram.
    #[default]
    Udp,
    /// A stream of messages (RFC 3430).
    Tcp,
}

impl Transport {
    /// The word used in settings and on the command line.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }

    /// The transport of a word.
    pub fn from_keyword(word: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp].into_iter().find(|transport| transport.keyword() == word)
    }
}

/// How a device is spoken to. Cheap to clone: the secrets are shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Credential {
    /// As whom.
    pub access: Access,
    /// Over what.
    pub transport: Transport,
}

/// As whom a device is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// SNMPv1 with a community.
    V1(Arc<Secret>),
    /// SNMPv2c with a community.
    V2c(Arc<Secret>),
    /// SNMPv3 as a user.
    V3(Arc<User>),
}

impl Credential {
    /// SNMPv2c with this community, over UDP.
    pub fn v2c(community: &str) -> Self {
        Self::over_udp(Access::V2c(Arc::new(Secret::new(community))))
    }

    /// SNMPv1 with this community, over UDP.
    pub fn v1(community: &str) -> Self {
        Self::over_udp(Access::V1(Arc::new(Secret::new(community))))
    }

    /// SNMPv3 as this user, over UDP.
    pub fn v3(user: impl Into<Arc<User>>) -> Self {
        Self::over_udp(Access::V3(user.into()))
    }

    fn over_udp(access: Access) -> Self {
        Self { access, transport: Transport::Udp }
    }

    /// The same over another transport.
    pub fn over(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// The version that is spoken.
    pub fn version(&self) -> Version {
        match self.access {
            Access::V1(_) => Version::V1,
            Access::V2c(_) => Version::V2c,
            Access::V3(_) => Version::V3,
        }
    }

    /// The community of versions 1 and 2c.
    pub fn community(&self) -> Option<&[u8]> {
        match &self.access {
            Access::V1(community) | Access::V2c(community) => Some(community.octets()),
            Access::V3(_) => None,
        }
    }

    /// The user of version 3.
    pub fn user(&self) -> Option<&Arc<User>> {
        match &self.access {
            Access::V3(user) => Some(user),
            Access::V1(_) | Access::V2c(_) => None,
        }
    }
}

/// Octets that nobody may see.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Keeps a secret.
    pub fn new(octets: impl AsRef<[u8]>) -> Self {
        Self(octets.as_ref().into())
    }

    /// The octets, for whoever sends, stores or hashes them.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// How messages prove who sent them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are those of RFC 3414 and RFC 7860")]
pub enum AuthProtocol {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl AuthProtocol {
    /// All of them, the commonest first.
    pub const ALL: [Self; 6] = [Self::Sha1, Self::Md5, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// The word used in settings, on pages and on the command line.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// The protocol of a word, in any spelling that devices' pages use: `SHA`, `sha256`, `HMAC-SHA-256` …
    pub fn from_keyword(word: &str) -> Option<Self> {
        let word = plain(word);
        let word = word.strip_prefix("hmac").unwrap_or(&word);
        let is = |protocol: &Self| plain(protocol.keyword()) == word;
        if word == "sha" { Some(Self::Sha1) } else { Self::ALL.into_iter().find(is) }
    }
}

/// How messages are kept from being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are those of RFC 3414, RFC 3826 and what devices' pages call them")]
pub enum PrivProtocol {
    Des,
    Aes128,
    Aes192,
    Aes256,
}

impl PrivProtocol {
    /// All of them, the commonest first.
    pub const ALL: [Self; 4] = [Self::Aes128, Self::Des, Self::Aes192, Self::Aes256];

    /// The word used in settings, on pages and on the command line.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Des => "DES",
            Self::Aes128 => "AES-128",
            Self::Aes192 => "AES-192",
            Self::Aes256 => "AES-256",
        }
    }

    /// The protocol of a word, in any spelling that devices' pages use: `AES`, `aes256` …
    pub fn from_keyword(word: &str) -> Option<Self> {
        let word = plain(word);
        let is = |protocol: &Self| plain(protocol.keyword()) == word;
        if word == "aes" { Some(Self::Aes128) } else { Self::ALL.into_iter().find(is) }
    }
}

/// Lower case, letters and digits only.
fn plain(word: &str) -> String {
    word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// How a key is made longer than the hash of its password: two ways are in use, and devices do not say which is theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyExtension {
    /// The hash of what there is of the key is appended (draft-blumenthal-aes-usm-04).
    Blumenthal,
    /// What there is of the key is taken as a password once more (draft-reeder-snmpv3-usm-3desede).
    Reeder,
}

impl KeyExtension {
    /// Both, in the order in which they are tried.
    pub const ALL: [Self; 2] = [Self::Blumenthal, Self::Reeder];

    /// The word used in settings and on the command line.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Blumenthal => "blumenthal",
            Self::Reeder => "reeder",
        }
    }

    /// The extension of a word.
    pub fn from_keyword(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|extension| extension.keyword() == plain(word))
    }
}

/// A protocol and the password that goes with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keyed<P> {
    /// Which.
    pub protocol: P,
    /// With what.
    pub password: Secret,
}

/// A user of SNMPv3.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct User {
    label: String,
    name: String,
    auth: Option<Keyed<AuthProtocol>>,
    privacy: Option<Keyed<PrivProtocol>>,
    extension: Option<KeyExtension>,
}

/// Why there can be no such user.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum UserError {
    /// No name, or more than the standard allows.
    #[error("the name of an SNMPv3 user has 1 to {max} characters", max = User::MAX_NAME)]
    Name,
    /// Devices take no shorter ones (RFC 3414, 11.2).
    #[error("a password of an SNMPv3 user has {min} to {max} characters", min = User::MIN_PASSWORD, max = User::MAX_PASSWORD)]
    Password,
    /// There is no encryption for someone who does not prove who he is.
    #[error("an SNMPv3 user with encryption needs authentication too")]
    PrivacyAlone,
    /// It would not fit a list.
    #[error("what an SNMPv3 user is called here has 1 to {max} characters and neither commas nor control characters", max = User::MAX_LABEL)]
    Label,
}

impl User {
    /// Longest label, in characters.
    pub const MAX_LABEL: usize = 64;
    /// Longest name, in octets (RFC 3414, usmUserName).
    pub const MAX_NAME: usize = 32;
    /// Shortest password.
    pub const MIN_PASSWORD: usize = 8;
    /// Longest password.
    pub const MAX_PASSWORD: usize = 255;

    /// A user; without protocols one who neither proves who he is nor encrypts.
    pub fn new(
        name: &str,
        auth: Option<Keyed<AuthProtocol>>,
        privacy: Option<Keyed<PrivProtocol>>,
    ) -> Result<Self, UserError> {
        let passwords = auth.iter().map(|auth| &auth.password).chain(privacy.iter().map(|privacy| &privacy.password));
        let fits = |password: &Secret| (Self::MIN_PASSWORD..=Self::MAX_PASSWORD).contains(&password.octets().len());
        if name.is_empty() || name.len() > Self::MAX_NAME {
            Err(UserError::Name)
        } else if auth.is_none() && privacy.is_some() {
            Err(UserError::PrivacyAlone)
        } else if !passwords.into_iter().all(fits) {
            Err(UserError::Password)
        } else {
            Ok(Self { label: name.to_owned(), name: name.to_owned(), auth, privacy, extension: None })
        }
    }

    /// The same under another label: two users may bear one name on different devices.
    pub fn labelled(mut self, label: &str) -> Result<Self, UserError> {
        let is_bad = |character: char| character == ',' || character.is_control();
        if label.is_empty() || label.chars().count() > Self::MAX_LABEL || label.chars().any(is_bad) {
            return Err(UserError::Label);
        }
        label.clone_into(&mut self.label);
        Ok(self)
    }

    /// The same with the way in which keys are made longer; `None` tries both.
    pub fn extending(mut self, extension: Option<KeyExtension>) -> Self {
        self.extension = extension;
        self
    }

    /// What he is called here.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What the devices call him.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How he proves who he is.
    pub fn auth(&self) -> Option<&Keyed<AuthProtocol>> {
        self.auth.as_ref()
    }

    /// How his messages are encrypted.
    pub fn privacy(&self) -> Option<&Keyed<PrivProtocol>> {
        self.privacy.as_ref()
    }

    /// How his keys are made longer, where that is known.
    pub fn extension(&self) -> Option<KeyExtension> {
        self.extension
    }

    /// The level in the words of the standard.
    pub fn level(&self) -> &'static str {
        match (&self.auth, &self.privacy) {
            (None, _) => "noAuthNoPriv",
            (Some(_), None) => "authNoPriv",
            (Some(_), Some(_)) => "authPriv",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed<P>(protocol: P, password: &str) -> Option<Keyed<P>> {
        Some(Keyed { protocol, password: Secret::new(password) })
    }

    #[test]
    fn nothing_secret_can_be_printed() {
        let user =
            User::new("monitor", keyed(AuthProtocol::Sha256, "auth-s3cret"), keyed(PrivProtocol::Des, "priv-s3cret"));
        for credential in [Credential::v3(user.unwrap()), Credential::v1("s3cret"), Credential::v2c("s3cret")] {
            let shown = format!("{credential:?}");
            assert!(!shown.contains("s3cret") && !shown.contains("115"), "{shown}");
        }
    }

    #[test]
    fn users_that_cannot_be_are_refused() {
        let error = |name: &str, auth, privacy| User::new(name, auth, privacy).unwrap_err();
        assert_eq!(error("", None, None), UserError::Name);
        assert_eq!(error(&"n".repeat(33), None, None), UserError::Name);
        assert_eq!(error("a", keyed(AuthProtocol::Md5, "1234567"), None), UserError::Password);
        assert_eq!(error("a", None, keyed(PrivProtocol::Des, "12345678")), UserError::PrivacyAlone);
    }

    #[test]
    fn protocols_are_known_by_the_words_of_devices_pages() {
        for (word, protocol) in [
            ("sha", AuthProtocol::Sha1),
            ("SHA1", AuthProtocol::Sha1),
            ("md5", AuthProtocol::Md5),
            ("HMAC-SHA-256", AuthProtocol::Sha256),
            ("SHA512", AuthProtocol::Sha512),
        ] {
            assert_eq!(AuthProtocol::from_keyword(word), Some(protocol), "{word}");
        }
        for (word, protocol) in
            [("AES", PrivProtocol::Aes128), ("aes-256", PrivProtocol::Aes256), ("des", PrivProtocol::Des)]
        {
            assert_eq!(PrivProtocol::from_keyword(word), Some(protocol), "{word}");
        }
        assert_eq!(AuthProtocol::from_keyword("sha3"), None);
    }
}
