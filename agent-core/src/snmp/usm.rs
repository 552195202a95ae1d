//! The user-based security model's cryptography: keys from passwords, digests, encryption (RFC 3414, RFC 3826, RFC 7860, and
//! the two drafts for AES with longer keys). Knows nothing of messages; whatever is random is an argument.

use std::sync::Arc;

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Digest;
use subtle::ConstantTimeEq;

use super::{AuthProtocol, KeyExtension, PrivProtocol, Secret, User};

/// Octets that are hashed to turn a password into a key (RFC 3414, A.2).
const PASSWORD_OCTETS: usize = 1 << 20;
/// Users whose keys are kept.
const MAX_MASTERS: usize = 64;
/// Octets of a salt.
pub const SALT: usize = 8;

/// Does something with the type of a protocol's hash.
macro_rules! with_hash {
    ($protocol:expr, $H:ident => $body:expr) => {
        match $protocol {
            AuthProtocol::Md5 => {
                type $H = md5::Md5;
                $body
            }
            AuthProtocol::Sha1 => {
                type $H = sha1::Sha1;
                $body
            }
            AuthProtocol::Sha224 => {
                type $H = sha2::Sha224;
                $body
            }
            AuthProtocol::Sha256 => {
                type $H = sha2::Sha256;
                $body
            }
            AuthProtocol::Sha384 => {
                type $H = sha2::Sha384;
                $body
            }
            AuthProtocol::Sha512 => {
                type $H = sha2::Sha512;
                $body
            }
        }
    };
}

impl AuthProtocol {
    /// Octets of its hash.
    fn hash_octets(self) -> usize {
        with_hash!(self, H => <H as Digest>::output_size())
    }

    /// Octets of its digest in a message (RFC 3414, 6 and 7; RFC 7860, 4.2.2).
    pub fn digest_octets(self) -> usize {
        match self {
            Self::Md5 | Self::Sha1 => 12,
            Self::Sha224 => 16,
            Self::Sha256 => 24,
            Self::Sha384 => 32,
            Self::Sha512 => 48,
        }
    }
}

impl PrivProtocol {
    /// Octets of the localised key that it uses; of DES half is key, half is the start of the IV.
    fn key_octets(self) -> usize {
        match self {
            Self::Des | Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }
}

impl User {
    /// The users to try for this one: both ways of making keys longer, where it matters and is not known.
    pub fn variants(self: &Arc<Self>) -> Vec<Arc<User>> {
        let short = |auth: AuthProtocol, privacy: PrivProtocol| privacy.key_octets() > auth.hash_octets();
        match (self.auth(), self.privacy(), self.extension()) {
            (Some(auth), Some(privacy), None) if short(auth.protocol, privacy.protocol) => {
                let extended = |extension| Arc::new(User::clone(self).extending(Some(extension)));
                KeyExtension::ALL.into_iter().map(extended).collect()
            }
            _ => vec![self.clone()],
        }
    }
}

/// The keys of a user at one engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalKeys {
    auth: Option<(AuthProtocol, Secret)>,
    privacy: Option<(PrivProtocol, Secret)>,
}

/// Keys of users before they are localised: making one takes a hash of a megabyte, so they are kept.
#[derive(Debug, Default)]
pub struct KeyRing {
    /// Protocol, password, key; the oldest first.
    masters: Vec<(AuthProtocol, Secret, Secret)>,
}

impl KeyRing {
    /// The keys of a user at an engine.
    pub fn localise(&mut self, user: &User, engine_id: &[u8]) -> LocalKeys {
        let keys = self.localise_authentication(user, engine_id);
        let Some((auth, privacy)) = user.auth().zip(user.privacy()) else { return keys };
        let key = localise(auth.protocol, &self.master(auth.protocol, &privacy.password), engine_id);
        let extension = user.extension().unwrap_or(KeyExtension::Blumenthal);
        let key = extend(auth.protocol, key, privacy.protocol.key_octets(), extension, engine_id);
        LocalKeys { privacy: Some((privacy.protocol, key)), ..keys }
    }

    /// The key for digests alone. It costs next to nothing at a further engine, while a long key for encryption may take a hash of
    /// a megabyte at each.
    pub fn localise_authentication(&mut self, user: &User, engine_id: &[u8]) -> LocalKeys {
        let auth = user.auth().map(|auth| {
            let master = self.master(auth.protocol, &auth.password);
            (auth.protocol, localise(auth.protocol, &master, engine_id))
        });
        LocalKeys { auth, privacy: None }
    }

    fn master(&mut self, protocol: AuthProtocol, password: &Secret) -> Secret {
        let known = self.masters.iter().find(|(of, from, _)| *of == protocol && from == password);
        if let Some((_, _, key)) = known {
            return key.clone();
        }
        let key = master_key(protocol, password.octets());
        if self.masters.len() == MAX_MASTERS {
            self.masters.remove(0);
        }
        self.masters.push((protocol, password.clone(), key.clone()));
        key
    }
}

/// The key of a password (RFC 3414, A.2).
fn master_key(protocol: AuthProtocol, password: &[u8]) -> Secret {
    if password.is_empty() {
        return Secret::new([]);
    }
    // Whole repetitions of the password, so that the pieces join without a seam.
    let piece = Secret::new(password.repeat(4096_usize.div_ceil(password.len())));
    with_hash!(protocol, H => {
        let mut hash = H::new();
        let mut left = PASSWORD_OCTETS;
        while left > 0 {
            let octets = piece.octets().get(..left).unwrap_or(piece.octets());
            hash.update(octets);
            left -= octets.len();
        }
        Secret::new(hash.finalize())
    })
}

/// The key at one engine (RFC 3414, 2.6).
fn localise(protocol: AuthProtocol, master: &Secret, engine_id: &[u8]) -> Secret {
    hash(protocol, &[master.octets(), engine_id, master.octets()])
}

fn hash(protocol: AuthProtocol, parts: &[&[u8]]) -> Secret {
    with_hash!(protocol, H => {
        let mut hash = H::new();
        parts.iter().for_each(|part| hash.update(part));
        Secret::new(hash.finalize())
    })
}

/// A localised key of at least so many octets.
fn extend(protocol: AuthProtocol, key: Secret, octets: usize, extension: KeyExtension, engine_id: &[u8]) -> Secret {
    let mut last = key.clone();
    let mut whole = key;
    while whole.octets().len() < octets {
        last = match extension {
            KeyExtension::Blumenthal => hash(protocol, &[whole.octets()]),
            KeyExtension::Reeder => localise(protocol, &master_key(protocol, last.octets()), engine_id),
        };
        whole = Secret::new([whole.octets(), last.octets()].concat());
    }
    whole
}

impl LocalKeys {
    /// How many octets a digest takes; `None` for a user who does not authenticate.
    pub fn digest_octets(&self) -> Option<usize> {
        self.auth.as_ref().map(|(protocol, _)| protocol.digest_octets())
    }

    /// The same without encryption.
    pub fn without_privacy(&self) -> Self {
        Self { auth: self.auth.clone(), privacy: None }
    }

    /// Whether messages are encrypted.
    pub fn encrypts(&self) -> bool {
        self.privacy.is_some()
    }

    /// The digest of the parts of a message, one behind the other.
    pub fn digest(&self, parts: &[&[u8]]) -> Vec<u8> {
        let Some((protocol, key)) = &self.auth else { return Vec::new() };
        let mut digest = with_hash!(*protocol, H => {
            let Ok(mut mac) = <Hmac<H> as KeyInit>::new_from_slice(key.octets()) else { return Vec::new() };
            parts.iter().for_each(|part| mac.update(part));
            mac.finalize().into_bytes().to_vec()
        });
        digest.truncate(protocol.digest_octets());
        digest
    }

    /// Whether a digest is that of the parts. Takes the same time wherever they differ.
    pub fn verify(&self, parts: &[&[u8]], digest: &[u8]) -> bool {
        let right = self.digest(parts);
        !right.is_empty() && right.len() == digest.len() && bool::from(right.ct_eq(digest))
    }

    /// Encrypts. `salt` must be another one for each message of a key; it travels with the message.
    pub fn encrypt(&self, plain: &[u8], boots: u32, time: u32, salt: [u8; SALT]) -> Option<Vec<u8>> {
        let (protocol, key) = self.privacy.as_ref()?;
        let key = key.octets().get(..protocol.key_octets())?;
        let mut octets = plain.to_vec();
        let iv = aes_iv(boots, time, salt);
        match protocol {
            PrivProtocol::Des => {
                octets.resize(octets.len().next_multiple_of(8), 0);
                let length = octets.len();
                let (key, iv) = des_key_and_iv(key, salt)?;
                let cipher = cbc::Encryptor::<des::Des>::new_from_slices(key, &iv).ok()?;
                cipher.encrypt_padded::<NoPadding>(&mut octets, length).ok()?;
            }
            PrivProtocol::Aes128 => {
                cfb_mode::Encryptor::<aes::Aes128>::new_from_slices(key, &iv).ok()?.encrypt(&mut octets);
            }
            PrivProtocol::Aes192 => {
                cfb_mode::Encryptor::<aes::Aes192>::new_from_slices(key, &iv).ok()?.encrypt(&mut octets);
            }
            PrivProtocol::Aes256 => {
                cfb_mode::Encryptor::<aes::Aes256>::new_from_slices(key, &iv).ok()?.encrypt(&mut octets);
            }
        }
        Some(octets)
    }

    /// Decrypts; `None` for what cannot have been encrypted with such a protocol. A wrong key yields rubbish.
    pub fn decrypt(&self, encrypted: &[u8], boots: u32, time: u32, salt: &[u8]) -> Option<Vec<u8>> {
        let (protocol, key) = self.privacy.as_ref()?;
        let key = key.octets().get(..protocol.key_octets())?;
        let salt = salt.try_into().ok()?;
        let mut octets = encrypted.to_vec();
        let iv = aes_iv(boots, time, salt);
        match protocol {
            PrivProtocol::Des => {
                let (key, iv) = des_key_and_iv(key, salt)?;
                let cipher = cbc::Decryptor::<des::Des>::new_from_slices(key, &iv).ok()?;
                cipher.decrypt_padded::<NoPadding>(&mut octets).ok()?;
            }
            PrivProtocol::Aes128 => {
                cfb_mode::Decryptor::<aes::Aes128>::new_from_slices(key, &iv).ok()?.decrypt(&mut octets);
            }
            PrivProtocol::Aes192 => {
                cfb_mode::Decryptor::<aes::Aes192>::new_from_slices(key, &iv).ok()?.decrypt(&mut octets);
            }
            PrivProtocol::Aes256 => {
                cfb_mode::Decryptor::<aes::Aes256>::new_from_slices(key, &iv).ok()?.decrypt(&mut octets);
            }
        }
        Some(octets)
    }
}

/// Boots, time and salt, one behind the other (RFC 3826, 3.1.2.1).
fn aes_iv(boots: u32, time: u32, salt: [u8; SALT]) -> [u8; 16] {
    let mut iv = [0; 16];
    let octets = boots.to_be_bytes().into_iter().chain(time.to_be_bytes()).chain(salt);
    iv.iter_mut().zip(octets).for_each(|(place, octet)| *place = octet);
    iv
}

/// The first half of the key, and the second half mixed with the salt (RFC 3414, 8.1.1.1).
fn des_key_and_iv(key: &[u8], salt: [u8; SALT]) -> Option<(&[u8], [u8; 8])> {
    let (key, before) = key.split_at_checked(8)?;
    let mut iv = salt;
    iv.iter_mut().zip(before).for_each(|(place, octet)| *place ^= octet);
    Some((key, iv))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Keyed;
    use super::*;

    const PASSWORD: &[u8] = b"maplesyrup";
    const ENGINE: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// RFC 3414, A.3.1 and A.3.2.
    #[test]
    fn passwords_become_the_keys_of_the_standard() {
        for (protocol, master, local) in [
            (AuthProtocol::Md5, "9faf3283884e92834ebc9847d8edd963", "526f5eed9fcce26f8964c2930787d82b"),
            (
                AuthProtocol::Sha1,
                "9fb5cc0381497b3793528939ff788d5d79145211",
                "6695febc9288e36282235fc7151f128497b38f3f",
            ),
        ] {
            let key = master_key(protocol, PASSWORD);
            assert_eq!(hex(key.octets()), master);
            assert_eq!(hex(localise(protocol, &key, &ENGINE).octets()), local);
        }
    }

    fn user(auth: AuthProtocol, privacy: Option<PrivProtocol>) -> User {
        let keyed = Keyed { protocol: auth, password: Secret::new("maplesyrup") };
        let privacy = privacy.map(|protocol| Keyed { protocol, password: Secret::new("maplesyrup") });
        User::new("u", Some(keyed), privacy).unwrap()
    }

    fn keys(auth: AuthProtocol, privacy: PrivProtocol, extension: Option<KeyExtension>) -> LocalKeys {
        KeyRing::default().localise(&user(auth, Some(privacy)).extending(extension), &ENGINE)
    }

    /// Draft-blumenthal hashes on, draft-reeder chains; the first octets are the localised key in both.
    #[test]
    fn longer_keys_begin_alike_and_differ_after() {
        let key = |extension| keys(AuthProtocol::Md5, PrivProtocol::Aes256, Some(extension)).privacy.unwrap().1;
        let (blumenthal, reeder) = (key(KeyExtension::Blumenthal), key(KeyExtension::Reeder));
        assert_eq!(hex(blumenthal.octets()).get(..32), Some("526f5eed9fcce26f8964c2930787d82b"));
        // draft-reeder-snmpv3-usm-3desede-00, B.1: the localised key of this password and engine, made longer.
        assert_eq!(hex(reeder.octets()), "526f5eed9fcce26f8964c2930787d82b79eff44a90650ee0a3a40abfac5acc12");
        assert_ne!(blumenthal, reeder);
    }

    #[test]
    fn only_keys_that_are_too_short_have_variants() {
        let variants = |auth, privacy| Arc::new(user(auth, Some(privacy))).variants().len();
        assert_eq!(variants(AuthProtocol::Sha1, PrivProtocol::Aes256), 2);
        assert_eq!(variants(AuthProtocol::Sha224, PrivProtocol::Aes192), 1);
        assert_eq!(variants(AuthProtocol::Sha256, PrivProtocol::Aes256), 1);
        assert_eq!(variants(AuthProtocol::Md5, PrivProtocol::Aes128), 1);
        assert_eq!(Arc::new(user(AuthProtocol::Md5, None)).variants().len(), 1);
    }

    /// RFC 2202 and RFC 4231, test case 2 where the key is text, cut as the protocols cut.
    #[test]
    fn digests_are_those_of_the_hash() {
        for (protocol, expected) in [
            (AuthProtocol::Md5, "750c783e6ab0b503eaa86e31"),
            (AuthProtocol::Sha1, "effcdf6ae5eb2fa2d27416d5"),
            (AuthProtocol::Sha224, "a30e01098bc6dbbf45690f3a7e9e6d0f"),
            (AuthProtocol::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d273983"),
            (AuthProtocol::Sha384, "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"),
            (
                AuthProtocol::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd",
            ),
        ] {
            let keys = LocalKeys { auth: Some((protocol, Secret::new("Jefe"))), privacy: None };
            let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
            let digest = keys.digest(&parts);
            assert_eq!(hex(&digest), expected, "{protocol:?}");
            assert!(keys.verify(&parts, &digest));
            assert!(!keys.verify(&[b"what do ya want ", b"for nothing!"], &digest));
            assert!(!keys.verify(&parts, digest.get(1..).unwrap()));
            assert!(!keys.verify(&parts, &[]));
        }
    }

    /// NIST SP 800-38A, F.3.13: AES-128 in CFB128; the IV is boots, time and salt.
    #[test]
    fn aes_is_that_of_the_standard() {
        let key: Vec<u8> = (0..16)
            .map(|at| u8::from_str_radix(&"2b7e151628aed2a6abf7158809cf4f3c"[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let keys = LocalKeys { auth: None, privacy: Some((PrivProtocol::Aes128, Secret::new(key))) };
        let plain: Vec<u8> = (0..16)
            .map(|at| u8::from_str_radix(&"6bc1bee22e409f96e93d7e117393172a"[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let salt = [8, 9, 10, 11, 12, 13, 14, 15];
        let encrypted = keys.encrypt(&plain, 0x0001_0203, 0x0405_0607, salt).unwrap();
        assert_eq!(hex(&encrypted), "3b3fd92eb72dad20333449f8e83cfb4a");
    }

    #[test]
    fn a_password_is_hashed_once() {
        let mut ring = KeyRing::default();
        let user = user(AuthProtocol::Sha1, Some(PrivProtocol::Aes128));
        for engine in 0..100_u8 {
            ring.localise(&user, &[engine; 5]);
        }
        assert_eq!(ring.masters.len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever was encrypted comes back, with at most the padding of DES behind it.
        #[test]
        fn what_was_encrypted_comes_back(plain in proptest::collection::vec(any::<u8>(), 0..200), salt: [u8; 8], boots: u32, time: u32) {
            for privacy in PrivProtocol::ALL {
                let keys = keys(AuthProtocol::Sha512, privacy, None);
                let encrypted = keys.encrypt(&plain, boots, time, salt).unwrap();
                let decrypted = keys.decrypt(&encrypted, boots, time, &salt).unwrap();
                prop_assert_eq!(decrypted.get(..plain.len()), Some(plain.as_slice()));
                prop_assert!(decrypted.len() - plain.len() < 8);
            }
        }

        #[test]
        fn nothing_to_decrypt_panics(octets in proptest::collection::vec(any::<u8>(), 0..40), salt in proptest::collection::vec(any::<u8>(), 0..12)) {
            for privacy in PrivProtocol::ALL {
                let key = Secret::new([7; 32]);
                let keys = LocalKeys { auth: None, privacy: Some((privacy, key)) };
                let decrypted = keys.decrypt(&octets, 1, 2, &salt);
                prop_assert_eq!(decrypted.is_some(), salt.len() == 8 && (privacy != PrivProtocol::Des || octets.len().is_multiple_of(8)));
            }
        }
    }
}
