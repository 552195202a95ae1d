//! SNMPv3 as a simulated printer speaks it: an engine with a clock that is moved by hand, and users (RFC 3414, 3826, 7860).
//!
//! Written apart from the product's own: HMAC, CFB and CBC are done here by hand over bare hashes and ciphers, so that the
//! two check each other. net-snmp checks both.

use std::collections::BTreeMap;

use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use rasn::types::{Integer, ObjectIdentifier, OctetString};
use rasn_smi::v2::{ApplicationSyntax, ObjectSyntax};
use rasn_snmp::{
    v2::{Pdu, Pdus, Report, VarBind, VarBindValue},
    v3::{HeaderData, Message, ScopedPdu, ScopedPduData, USMSecurityParameters},
};
use sha2::digest::DynDigest;

/// An engine: what tells it from others, its clock, and its users.
#[derive(Debug, Clone)]
pub struct Usm {
    /// The engine's id.
    pub engine_id: Vec<u8>,
    /// How often it has started.
    pub boots: u32,
    /// For how many seconds it has been running. Stands still unless someone moves it.
    pub time: u32,
    /// Who may ask.
    pub users: Vec<User>,
    /// In which way it is odd.
    pub oddity: Oddity,
    salt: u64,
    /// Keys that have been made: each takes a hash of a megabyte.
    keys: BTreeMap<(Hash, Vec<u8>, Vec<u8>), Vec<u8>>,
}

/// Ways in which real engines are odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Oddity {
    /// In none.
    #[default]
    None,
    /// Its Reports about time are not authenticated.
    PlainTimeReports,
    /// It says of everything that it is not in the time window.
    NeverInTime,
    /// It looks at no time of others and gives a time of its own that stands still at nought.
    TimelessAnswers,
    /// It leaves what it cannot decrypt without an answer.
    SilentOnDecryption,
    /// It answers with a digest that is wrong.
    WrongDigests,
    /// It answers without authentication whatever it was asked with.
    PlainAnswers,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub name: String,
    /// Authentication: `MD5`, `SHA-1`, `SHA-224` …, and the password.
    pub auth: Option<(Hash, String)>,
    /// Encryption and the password.
    pub privacy: Option<(Cipher, String)>,
    /// Whether keys are made longer by hashing them as passwords once more (Reeder), not by hashing on (Blumenthal).
    pub reeder: bool,
}

/// A hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Hash {
    #[serde(rename = "MD5")]
    Md5,
    #[serde(rename = "SHA-1")]
    Sha1,
    #[serde(rename = "SHA-224")]
    Sha224,
    #[serde(rename = "SHA-256")]
    Sha256,
    #[serde(rename = "SHA-384")]
    Sha384,
    #[serde(rename = "SHA-512")]
    Sha512,
}

/// A cipher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Cipher {
    #[serde(rename = "DES")]
    Des,
    #[serde(rename = "AES-128")]
    Aes128,
    #[serde(rename = "AES-192")]
    Aes192,
    #[serde(rename = "AES-256")]
    Aes256,
}

/// What came of a message.
pub(crate) enum Heard {
    /// To be sent back as it is.
    Reply(Vec<u8>),
    /// A request to be answered; `Usm::wrap` makes the message.
    Request(Box<Asked>),
    /// Nothing to say.
    Nothing,
}

/// A request that has passed.
pub(crate) struct Asked {
    pub pdus: Pdus,
    pub context: String,
    user: User,
    message_id: Integer,
    flags: u8,
}

const AUTH: u8 = 1;
const PRIV: u8 = 2;
const REPORTABLE: u8 = 4;
const WINDOW: i64 = 150;

impl Usm {
    /// An engine that has just started for the first time.
    pub fn new(engine_id: &[u8], users: Vec<User>) -> Self {
        Self {
            engine_id: engine_id.to_vec(),
            boots: 1,
            time: 0,
            users,
            oddity: Oddity::None,
            salt: 1,
            keys: BTreeMap::new(),
        }
    }

    /// The same, odd in a way.
    pub fn with_oddity(mut self, oddity: Oddity) -> Self {
        self.oddity = oddity;
        self
    }

    pub(crate) fn hear(&mut self, bytes: &[u8], has_context: impl Fn(&str) -> bool) -> Heard {
        self.heard(bytes, has_context).unwrap_or(Heard::Nothing)
    }

    fn heard(&mut self, bytes: &[u8], has_context: impl Fn(&str) -> bool) -> Option<Heard> {
        let message = rasn::ber::decode::<Message>(bytes).ok()?;
        let security = rasn::ber::decode::<USMSecurityParameters>(&message.security_parameters).ok()?;
        let flags = message.global_data.flags.first().copied()?;
        let report = |usm: &mut Self, counter: &[u32], user: Option<&User>, flags: u8| {
            Some(Heard::Reply(usm.report(&message, counter, user, flags)?))
        };
        if *security.authoritative_engine_id != *self.engine_id {
            return report(self, UNKNOWN_ENGINE_IDS, None, 0);
        }
        let named = |user: &&User| user.name.as_bytes() == &*security.user_name;
        let Some(user) = self.users.iter().find(named).cloned() else {
            return report(self, UNKNOWN_USER_NAMES, None, 0);
        };
        if flags & AUTH != 0 && user.auth.is_none() || flags & PRIV != 0 && user.privacy.is_none() {
            return report(self, UNSUPPORTED_SEC_LEVELS, None, 0);
        }
        if flags & AUTH != 0 {
            if !self.digest_fits(bytes, &security.authentication_parameters, &user)? {
                return report(self, WRONG_DIGESTS, None, 0);
            }
            let boots = i64::try_from(&security.authoritative_engine_boots).ok()?;
            let time = i64::try_from(&security.authoritative_engine_time).ok()?;
            let in_time = boots == i64::from(self.boots)
                && boots != i64::from(i32::MAX)
                && (time - i64::from(self.time)).abs() <= WINDOW;
            match self.oddity {
                Oddity::TimelessAnswers => {}
                Oddity::PlainTimeReports if !in_time => return report(self, NOT_IN_TIME_WINDOWS, None, 0),
                _ if !in_time || self.oddity == Oddity::NeverInTime => {
                    return report(self, NOT_IN_TIME_WINDOWS, Some(&user), AUTH);
                }
                _ => {}
            }
        }
        let scoped = match &message.scoped_data {
            ScopedPduData::CleartextPdu(scoped) => scoped.clone(),
            ScopedPduData::EncryptedPdu(octets) => {
                let (boots, time) = (&security.authoritative_engine_boots, &security.authoritative_engine_time);
                let (boots, time) = (u32::try_from(boots).ok()?, u32::try_from(time).ok()?);
                let plain = self.crypt(&user, octets, boots, time, &security.privacy_parameters, false)?;
                let scoped = cut(&plain).and_then(|plain| rasn::ber::decode::<ScopedPdu>(plain).ok());
                match scoped {
                    Some(scoped) => scoped,
                    None if self.oddity == Oddity::SilentOnDecryption => return None,
                    None => return report(self, DECRYPTION_ERRORS, None, 0),
                }
            }
        };
        let context = String::from_utf8(scoped.name.to_vec()).ok()?;
        if !has_context(&context) {
            let flags = flags & AUTH;
            return report(self, UNKNOWN_CONTEXTS, Some(&user), flags);
        }
        let message_id = message.global_data.message_id.clone();
        Some(Heard::Request(Box::new(Asked { pdus: scoped.data, context, user, message_id, flags })))
    }

    /// The message around an answer.
    pub(crate) fn wrap(&mut self, asked: &Asked, data: Pdus) -> Option<Vec<u8>> {
        let flags = if self.oddity == Oddity::PlainAnswers { 0 } else { asked.flags & (AUTH | PRIV) };
        self.message(asked.message_id.clone(), &asked.context, data, Some(&asked.user), flags)
    }

    fn report(&mut self, message: &Message, counter: &[u32], user: Option<&User>, flags: u8) -> Option<Vec<u8>> {
        if message.global_data.flags.first()? & REPORTABLE == 0 {
            return None;
        }
        let count =
            VarBindValue::Value(ObjectSyntax::ApplicationWide(ApplicationSyntax::Counter(rasn_smi::v1::Counter(1))));
        let name = ObjectIdentifier::new_unchecked(counter.to_vec().into());
        let variable_bindings = vec![VarBind { name, value: count }];
        let pdu = Pdu { request_id: 0, error_status: 0, error_index: 0, variable_bindings };
        self.message(message.global_data.message_id.clone(), "", Pdus::Report(Report(pdu)), user, flags)
    }

    fn message(
        &mut self,
        message_id: Integer,
        context: &str,
        data: Pdus,
        user: Option<&User>,
        flags: u8,
    ) -> Option<Vec<u8>> {
        let time = if self.oddity == Oddity::TimelessAnswers { 0 } else { self.time };
        let scoped = ScopedPdu {
            engine_id: OctetString::from(self.engine_id.clone()),
            name: OctetString::from(context.as_bytes().to_vec()),
            data,
        };
        self.salt += 1;
        let (mut salt, mut scoped_data) = (Vec::new(), ScopedPduData::CleartextPdu(scoped.clone()));
        if let (Some(user), true) = (user, flags & PRIV != 0) {
            salt = self.salt.to_be_bytes().to_vec();
            let plain = rasn::ber::encode(&scoped).ok()?;
            let octets = self.crypt(user, &plain, self.boots, time, &salt, true)?;
            scoped_data = ScopedPduData::EncryptedPdu(OctetString::from(octets));
        }
        let auth = user.filter(|_| flags & AUTH != 0).and_then(|user| user.auth.as_ref());
        let digest_octets = auth.map_or(0, |(hash, _)| hash.digest_octets());
        // A mark that stands nowhere else, to find the digest's place by; then the zeros that the digest is taken over.
        let mark: Vec<u8> =
            (0..digest_octets).map(|at| 0xa5 ^ u8::try_from(at).unwrap_or(0).wrapping_mul(37)).collect();
        let security = USMSecurityParameters {
            authoritative_engine_id: OctetString::from(self.engine_id.clone()),
            authoritative_engine_boots: Integer::from(self.boots),
            authoritative_engine_time: Integer::from(time),
            user_name: OctetString::from(user.map(|user| user.name.clone().into_bytes()).unwrap_or_default()),
            authentication_parameters: OctetString::from(mark.clone()),
            privacy_parameters: OctetString::from(salt),
        };
        let message = Message {
            version: Integer::from(3),
            global_data: HeaderData {
                message_id,
                max_size: Integer::from(65_507),
                flags: OctetString::from(vec![flags]),
                security_model: Integer::from(3),
            },
            security_parameters: OctetString::from(rasn::ber::encode(&security).ok()?),
            scoped_data,
        };
        let mut bytes = rasn::ber::encode(&message).ok()?;
        if let Some((hash, password)) = auth {
            let at = bytes.windows(digest_octets).position(|window| window == mark)?;
            bytes.get_mut(at..at + digest_octets)?.fill(0);
            let key = self.key(*hash, password.as_bytes());
            let mut digest = hmac(*hash, &key, &bytes);
            if self.oddity == Oddity::WrongDigests
                && let Some(octet) = digest.first_mut()
            {
                *octet ^= 1;
            }
            bytes.get_mut(at..at + digest_octets)?.copy_from_slice(digest.get(..digest_octets)?);
        }
        Some(bytes)
    }

    fn digest_fits(&mut self, bytes: &[u8], digest: &[u8], user: &User) -> Option<bool> {
        let (hash, password) = user.auth.as_ref()?;
        if digest.len() != hash.digest_octets() {
            return Some(false);
        }
        let at = bytes.windows(digest.len()).position(|window| window == digest)?;
        let mut blank = bytes.to_vec();
        blank.get_mut(at..at + digest.len())?.fill(0);
        let key = self.key(*hash, password.as_bytes());
        Some(hmac(*hash, &key, &blank).get(..digest.len())? == digest)
    }

    fn key(&mut self, hash: Hash, password: &[u8]) -> Vec<u8> {
        let of = (hash, password.to_vec(), self.engine_id.clone());
        self.keys
            .entry(of)
            .or_insert_with_key(|(hash, password, engine_id)| localised(*hash, password, engine_id))
            .clone()
    }

    fn crypt(
        &mut self,
        user: &User,
        octets: &[u8],
        boots: u32,
        time: u32,
        salt: &[u8],
        encrypt: bool,
    ) -> Option<Vec<u8>> {
        let ((hash, _), (cipher, password)) = (user.auth.as_ref()?, user.privacy.as_ref()?);
        let mut key = self.key(*hash, password.as_bytes());
        let mut last = key.clone();
        while key.len() < cipher.key_octets() {
            last = match user.reeder {
                true => self.key(*hash, &last),
                false => hash.of(&[&key]),
            };
            key.extend_from_slice(&last);
        }
        let key = key.get(..cipher.key_octets())?;
        let iv = [&boots.to_be_bytes(), &time.to_be_bytes(), salt].concat();
        match cipher {
            Cipher::Des => {
                let cipher = des::Des::new_from_slice(key.get(..8)?).ok()?;
                let mixed: Vec<u8> = key.get(8..)?.iter().zip(salt).map(|(key, salt)| key ^ salt).collect();
                des_cbc(&cipher, octets, mixed, encrypt)
            }
            Cipher::Aes128 => Some(cfb(&aes::Aes128::new_from_slice(key).ok()?, octets, iv, encrypt)),
            Cipher::Aes192 => Some(cfb(&aes::Aes192::new_from_slice(key).ok()?, octets, iv, encrypt)),
            Cipher::Aes256 => Some(cfb(&aes::Aes256::new_from_slice(key).ok()?, octets, iv, encrypt)),
        }
    }
}

const UNSUPPORTED_SEC_LEVELS: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1, 1, 0];
const NOT_IN_TIME_WINDOWS: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0];
const UNKNOWN_USER_NAMES: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1, 3, 0];
const UNKNOWN_ENGINE_IDS: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0];
const WRONG_DIGESTS: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1, 5, 0];
const DECRYPTION_ERRORS: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1, 6, 0];
const UNKNOWN_CONTEXTS: &[u32] = &[1, 3, 6, 1, 6, 3, 12, 1, 5, 0];

impl Hash {
    fn digest_octets(self) -> usize {
        match self {
            Self::Md5 | Self::Sha1 => 12,
            Self::Sha224 => 16,
            Self::Sha256 => 24,
            Self::Sha384 => 32,
            Self::Sha512 => 48,
        }
    }

    fn block_octets(self) -> usize {
        if matches!(self, Self::Sha384 | Self::Sha512) { 128 } else { 64 }
    }

    fn hasher(self) -> Box<dyn DynDigest> {
        match self {
            Self::Md5 => Box::new(md5::Md5::default()),
            Self::Sha1 => Box::new(sha1::Sha1::default()),
            Self::Sha224 => Box::new(sha2::Sha224::default()),
            Self::Sha256 => Box::new(sha2::Sha256::default()),
            Self::Sha384 => Box::new(sha2::Sha384::default()),
            Self::Sha512 => Box::new(sha2::Sha512::default()),
        }
    }

    fn of(self, parts: &[&[u8]]) -> Vec<u8> {
        let mut hasher = self.hasher();
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finalize().into_vec()
    }
}

impl Cipher {
    fn key_octets(self) -> usize {
        match self {
            Self::Des | Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }
}

/// A password's key at an engine, as RFC 3414, A.2 has it: 64 octets of the endless password at a time.
fn localised(hash: Hash, password: &[u8], engine_id: &[u8]) -> Vec<u8> {
    let mut hasher = hash.hasher();
    let mut endless = password.iter().copied().cycle();
    for _ in 0..(1 << 20) / 64 {
        let block: Vec<u8> = endless.by_ref().take(64).collect();
        hasher.update(&block);
    }
    let key = hasher.finalize();
    hash.of(&[&key, engine_id, &key])
}

/// RFC 2104.
fn hmac(hash: Hash, key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut block = key.to_vec();
    block.resize(hash.block_octets(), 0);
    let pad = |with: u8| block.iter().map(|octet| octet ^ with).collect::<Vec<u8>>();
    hash.of(&[&pad(0x5c), &hash.of(&[&pad(0x36), bytes])])
}

fn cfb<C: BlockCipherEncrypt>(cipher: &C, octets: &[u8], mut feedback: Vec<u8>, encrypt: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len());
    for piece in octets.chunks(16) {
        let Ok(mut block) = Array::<u8, C::BlockSize>::try_from(feedback.as_slice()) else { return out };
        cipher.encrypt_block(&mut block);
        let mixed: Vec<u8> = piece.iter().zip(&block).map(|(octet, key)| octet ^ key).collect();
        feedback = if encrypt { mixed.clone() } else { piece.to_vec() };
        out.extend(mixed);
    }
    out
}

fn des_cbc(cipher: &des::Des, octets: &[u8], mut chain: Vec<u8>, encrypt: bool) -> Option<Vec<u8>> {
    let mut octets = octets.to_vec();
    if encrypt {
        octets.resize(octets.len().next_multiple_of(8), 0);
    }
    let mut out = Vec::with_capacity(octets.len());
    for piece in octets.chunks(8) {
        let xor = |with: &[u8], octets: &[u8]| octets.iter().zip(with).map(|(a, b)| a ^ b).collect::<Vec<u8>>();
        let mut block = match encrypt {
            true => Array::try_from(xor(&chain, piece).as_slice()).ok()?,
            false => Array::try_from(piece).ok()?,
        };
        match encrypt {
            true => {
                cipher.encrypt_block(&mut block);
                chain = block.to_vec();
                out.extend_from_slice(&block);
            }
            false => {
                cipher.decrypt_block(&mut block);
                out.extend(xor(&chain, &block));
                chain = piece.to_vec();
            }
        }
    }
    Some(out)
}

/// The first element alone: decrypted octets may have padding behind it.
fn cut(bytes: &[u8]) -> Option<&[u8]> {
    let length = match bytes.get(1..)? {
        [short @ 0..=0x7f, ..] => 2 + usize::from(*short),
        [0x81, length, ..] => 3 + usize::from(*length),
        [0x82, high, low, ..] => 4 + (usize::from(*high) << 8 | usize::from(*low)),
        _ => return None,
    };
    bytes.get(..length)
}
