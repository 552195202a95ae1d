//! What a channel signs beside its bundles: which release there is, and licences. Text that a person can read, in TOML, with the
//! signature in its last line: `# ed25519 <base64>`, over every byte before that line.

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, VerifyingKey};
use jiff::civil::Date;
use serde::Deserialize;
use thiserror::Error;

/// Largest text that is read.
pub const LARGEST: usize = 64 << 10;
/// Set before the text when signing, so that a signature made for another purpose never fits.
pub const CONTEXT: &[u8] = b"druckwart channel 2026-11\n";
/// What begins the last line.
const LINE: &str = "# ed25519 ";
/// What an Ed25519 key in PEM has before its 32 octets (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The key of a channel: whoever holds its other half says what is released and licensed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelKey(VerifyingKey);

/// Why a text is refused.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ChannelError {
    #[error("the key of the channel is no Ed25519 key in PEM")]
    Key,
    #[error("it is larger than {LARGEST} bytes, or not in UTF-8")]
    Size,
    #[error("its last line is no signature, so it is not whole")]
    NoSignature,
    #[error("its signature does not hold: it was changed, or is of another channel")]
    Signature,
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    #[error("it is {0}, where {1} was wanted")]
    Kind(String, &'static str),
    #[error("{0}")]
    Value(&'static str),
}

impl ChannelKey {
    /// Reads a key in PEM, as `openssl pkey -pubout` writes it.
    pub fn parse(pem: &str) -> Result<Self, ChannelError> {
        let lines = pem.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("-----"));
        let der = BASE64.decode(lines.collect::<String>().as_bytes()).map_err(|_| ChannelError::Key)?;
        let key = der.strip_prefix(&SPKI).and_then(|key| <[u8; 32]>::try_from(key).ok()).ok_or(ChannelError::Key)?;
        VerifyingKey::from_bytes(&key).map(Self).map_err(|_| ChannelError::Key)
    }

    /// The text before the signature, if that holds.
    fn open<'a>(&self, bytes: &'a [u8]) -> Result<&'a str, ChannelError> {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= LARGEST).ok_or(ChannelError::Size)?;
        let end = text.trim_end_matches(['\r', '\n']);
        let start = end.rfind('\n').map(|place| place + 1).ok_or(ChannelError::NoSignature)?;
        let (body, line) = end.split_at(start);
        let signature = line.strip_prefix(LINE).ok_or(ChannelError::NoSignature)?;
        let signature = BASE64.decode(signature.trim().as_bytes()).map_err(|_| ChannelError::NoSignature)?;
        let signature = Signature::from_slice(&signature).map_err(|_| ChannelError::NoSignature)?;
        let signed = [CONTEXT, body.as_bytes()].concat();
        self.0.verify_strict(&signed, &signature).map_err(|_| ChannelError::Signature)?;
        Ok(body)
    }
}

/// A release: one version, a bundle for each kind of box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its version.
    pub version: String,
    /// What is new, for people.
    pub notes: String,
    /// The bundles.
    pub bundles: Vec<ReleasedBundle>,
}

/// A bundle of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasedBundle {
    /// The kind of box.
    pub board: String,
    /// Where it lies, relative to the release's own address.
    pub file: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: [u8; 32],
}

impl Release {
    /// Reads a release that the channel has signed.
    pub fn parse(bytes: &[u8], key: &ChannelKey) -> Result<Self, ChannelError> {
        #[derive(Deserialize)]
        struct File {
            version: String,
            #[serde(default)]
            notes: String,
            #[serde(default)]
            bundle: Vec<Bundle>,
        }
        #[derive(Deserialize)]
        struct Bundle {
            board: String,
            file: String,
            size: u64,
            sha256: String,
        }
        let File { version, notes, bundle } = of_kind(key.open(bytes)?, "druckwart-release")?;
        let bundles = bundle.into_iter().map(|Bundle { board, file, size, sha256 }| {
            let digest = HEXLOWER.decode(sha256.as_bytes()).ok().and_then(|digest| digest.try_into().ok());
            let sha256 = digest.ok_or(ChannelError::Value("a bundle's sha256 is not 64 hexadecimal digits"))?;
            // Joined to the release's own address it must not lead to another host.
            let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            if file.is_empty() || file.starts_with('.') || !file.bytes().all(good) {
                return Err(ChannelError::Value("a bundle's file is no plain name"));
            }
            Ok(ReleasedBundle { board, file, size, sha256 })
        });
        Ok(Self { version, notes, bundles: bundles.collect::<Result<_, _>>()? })
    }
}

/// A licence: for whom, what, how many devices, from when until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Licence {
    /// Its number.
    pub id: String,
    /// For whom.
    pub holder: String,
    /// What it allows, each in a word.
    pub features: Vec<String>,
    /// For how many devices.
    pub devices: u64,
    /// The first day.
    pub from: Date,
    /// The last day.
    pub until: Date,
}

impl Licence {
    /// Reads a licence that the channel has signed.
    pub fn parse(bytes: &[u8], key: &ChannelKey) -> Result<Self, ChannelError> {
        #[derive(Deserialize)]
        struct File {
            id: String,
            holder: String,
            #[serde(default)]
            features: Vec<String>,
            devices: u64,
            from: String,
            until: String,
        }
        let File { id, holder, features, devices, from, until } = of_kind(key.open(bytes)?, "druckwart-licence")?;
        let date = |text: &str| text.parse().map_err(|_| ChannelError::Value("a day is written 2027-12-31"));
        Ok(Self { id, holder, features, devices, from: date(&from)?, until: date(&until)? })
    }
}

/// A text of one kind: a licence must never pass for a release.
fn of_kind<T: for<'a> Deserialize<'a>>(body: &str, wanted: &'static str) -> Result<T, ChannelError> {
    #[derive(Deserialize)]
    struct Kind {
        kind: String,
    }
    let Kind { kind } = toml::from_str(body)?;
    match kind == wanted {
        true => Ok(toml::from_str(body)?),
        false => Err(ChannelError::Kind(kind.chars().take(40).collect(), wanted)),
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use proptest::prelude::*;

    use super::*;

    const RELEASE: &str = "kind = \"druckwart-release\"\nversion = \"1.2.0\"\nnotes = \"Finds more\"\n[[bundle]]\nboard = \"pi64\"\n\
                           file = \"druckwart-1.2.0-pi64.raucb\"\nsize = 30000000\n\
                           sha256 = \"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"\n";
    const LICENCE: &str = "kind = \"druckwart-licence\"\nid = \"L-7\"\nholder = \"Muster AG\"\nfeatures = [\"usb\"]\ndevices = 250\n\
                           from = \"2026-12-01\"\nuntil = \"2027-11-30\"\n";

    fn signer() -> (SigningKey, ChannelKey) {
        let signer = SigningKey::from_bytes(&[7; 32]);
        let der = [SPKI.as_slice(), signer.verifying_key().as_bytes()].concat();
        let pem = format!("-----BEGIN PUBLIC KEY-----\r\n{}\r\n-----END PUBLIC KEY-----\r\n", BASE64.encode(&der));
        (signer, ChannelKey::parse(&pem).unwrap())
    }

    fn signed(body: &str, signer: &SigningKey) -> String {
        let signature = signer.sign(&[CONTEXT, body.as_bytes()].concat());
        format!("{body}{LINE}{}\n", BASE64.encode(&signature.to_bytes()))
    }

    #[test]
    fn what_the_channel_has_signed_is_read() {
        let (signer, key) = signer();
        let release = Release::parse(signed(RELEASE, &signer).as_bytes(), &key).unwrap();
        assert_eq!((release.version.as_str(), release.bundles.len()), ("1.2.0", 1));
        assert_eq!(release.bundles.first().unwrap().sha256.last(), Some(&0x1f));
        let licence = Licence::parse(signed(LICENCE, &signer).as_bytes(), &key).unwrap();
        assert_eq!((licence.devices, licence.until.to_string().as_str()), (250, "2027-11-30"));
    }

    #[test]
    fn everything_else_is_refused() {
        let (signer, key) = signer();
        let fault = |text: &str| Release::parse(text.as_bytes(), &key).unwrap_err().to_string();
        let whole = signed(RELEASE, &signer);
        assert!(fault(&whole.replace("1.2.0", "9.2.0")).contains("does not hold"));
        assert!(fault(RELEASE).contains("not whole"));
        assert!(fault(whole.get(..whole.len() / 2).unwrap()).contains("not whole"));
        assert!(fault(&format!("{whole}version = \"9\"\n")).contains("not whole"));
        assert!(fault(&signed(LICENCE, &signer)).contains("druckwart-licence"));
        assert!(
            fault(&signed(&RELEASE.replace("druckwart-1.2.0-pi64.raucb", "//evil.example/x"), &signer))
                .contains("plain")
        );
        assert!(fault(&signed(&RELEASE.replace("0001", "00"), &signer)).contains("64"));
        assert!(fault(&signed(RELEASE, &SigningKey::from_bytes(&[8; 32]))).contains("does not hold"));
        assert!(ChannelKey::parse("-----BEGIN PUBLIC KEY-----\nMCowBQ==\n").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_stumble(bytes: Vec<u8>, text in ".{0,300}", cut in 0_usize..400) {
            let (signer, key) = signer();
            let _ = Release::parse(&bytes, &key);
            let _ = Release::parse(signed(&format!("{text}\n"), &signer).as_bytes(), &key);
            let whole = signed(RELEASE, &signer);
            let part = whole.as_bytes().get(..cut.min(whole.len() - 2)).unwrap();
            prop_assert!(Release::parse(part, &key).is_err());
            let _ = ChannelKey::parse(&text);
        }
    }
}
