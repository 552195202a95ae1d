//! The certificate under which a daemon's pages answer: loaded from the data folder, or made there.
//!
//! The key is made once and lasts: agents pin it (see `wire::enrolment`), so a renewed certificate carries the same key.

use std::{
    fs, io,
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, PublicKeyData, SanType};
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use thiserror::Error;
use x509_parser::{extensions::GeneralName, prelude::*};

/// How long a certificate of our own making is good. Apple's systems refuse more than 825 days.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 800);
/// How long before its end it is renewed.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(24 * 60);
/// A box without a clock starts in 1970: before this moment (1 November 2026) the clock is not believed.
const CLOCK_FLOOR: i64 = 1_793_491_200;

/// Why there is no certificate to answer with.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum CertificateError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "{path} holds no private key in PEM form; move it away and a new one is made (agents then need new enrolment)"
    )]
    Key { path: PathBuf, source: rcgen::Error },
    #[error("cannot make a certificate")]
    Make(#[source] rcgen::Error),
    #[error("the TLS library refuses certificate and key")]
    Tls(#[source] rustls::Error),
}

/// A certificate with its key, renewed in time; the TLS listener asks it at each handshake.
#[derive(Debug)]
pub struct CertificateKeeper {
    folder: PathBuf,
    names: Vec<String>,
    key: KeyPair,
    current: RwLock<Arc<CertifiedKey>>,
    provider: Arc<CryptoProvider>,
}

impl CertificateKeeper {
    /// Loads `web-key.pem` and `web-certificate.pem` from `folder`, or makes what is missing, expiring or made for other
    /// names. The certificate is for `names` (host names and addresses) and for this machine's loopback names.
    pub fn load_or_make(folder: &Path, names: &[String], now: Timestamp) -> Result<Self, CertificateError> {
        let key = load_or_make_key(&folder.join("web-key.pem"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let names = with_loopback(names);
        let certificate = match load(&folder.join("web-certificate.pem"), &key, &names, now)? {
            Some(certificate) => certificate,
            None => make(folder, &key, &names, now)?,
        };
        let current = RwLock::new(Arc::new(certified(certificate, &key, &provider)?));
        Ok(Self { folder: folder.to_owned(), names, key, current, provider })
    }

    /// Renews the certificate when its end is near; tells whether it did. Cheap: call it every hour or so.
    pub fn renew_if_due(&self, now: Timestamp) -> Result<bool, CertificateError> {
        if load(&self.folder.join("web-certificate.pem"), &self.key, &self.names, now)?.is_some() {
            return Ok(false);
        }
        let certificate = make(&self.folder, &self.key, &self.names, now)?;
        let certified = Arc::new(certified(certificate, &self.key, &self.provider)?);
        *self.current.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = certified;
        Ok(true)
    }

    /// SHA-256 of the key's SubjectPublicKeyInfo: what an enrolment code carries.
    pub fn spki_sha256(&self) -> [u8; 32] {
        Sha256::digest(self.key.subject_public_key_info()).into()
    }

    /// The TLS settings of a server that answers with this certificate.
    pub fn server_config(self: &Arc<Self>) -> Result<rustls::ServerConfig, CertificateError> {
        let mut config = rustls::ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(CertificateError::Tls)?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for CertificateKeeper {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone())
    }
}

/// Writes a file so that a power cut leaves the old one or the new one; readable by its owner only.
pub fn write_private_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn load_or_make_key(path: &Path) -> Result<KeyPair, CertificateError> {
    match fs::read_to_string(path) {
        Ok(pem) => KeyPair::from_pem(&pem).map_err(|source| CertificateError::Key { path: path.to_owned(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(CertificateError::Make)?;
            write_private_file(path, key.serialize_pem().as_bytes())
                .map_err(|source| CertificateError::Write { path: path.to_owned(), source })?;
            Ok(key)
        }
        Err(source) => Err(CertificateError::Read { path: path.to_owned(), source }),
    }
}

/// The certificate on disk, if it is fit for use: for this key, for these names, and with time left.
fn load(
    path: &Path,
    key: &KeyPair,
    names: &[String],
    now: Timestamp,
) -> Result<Option<CertificateDer<'static>>, CertificateError> {
    let pem = match fs::read(path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CertificateError::Read { path: path.to_owned(), source }),
    };
    Ok(CertificateDer::from_pem_slice(&pem).ok().filter(|der| is_fit(der, key, names, now)))
}

fn is_fit(der: &CertificateDer<'_>, key: &KeyPair, names: &[String], now: Timestamp) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
    let same_key = certificate.public_key().raw == key.subject_public_key_info();
    let lasts = certificate.validity().not_after.timestamp() > (believed(now) + RENEW_BEFORE).as_second();
    let Ok(Some(alternatives)) = certificate.subject_alternative_name() else { return false };
    let has = |name: &String| {
        alternatives.value.general_names.iter().any(|known| match (known, name.parse::<IpAddr>()) {
            (GeneralName::DNSName(known), Err(_)) => *known == name.as_str(),
            (GeneralName::IPAddress(octets), Ok(IpAddr::V4(address))) => *octets == address.octets().as_slice(),
            (GeneralName::IPAddress(octets), Ok(IpAddr::V6(address))) => *octets == address.octets().as_slice(),
            _ => false,
        })
    };
    same_key && lasts && names.iter().all(has)
}

fn make(
    folder: &Path,
    key: &KeyPair,
    names: &[String],
    now: Timestamp,
) -> Result<CertificateDer<'static>, CertificateError> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, names.first().map_or("druckwart", String::as_str));
    params.distinguished_name.push(DnType::OrganizationName, "Druckwart (self-signed)");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for name in names {
        params.subject_alt_names.push(match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.as_str().try_into().map_err(CertificateError::Make)?),
        });
    }
    let now = believed(now);
    let (year, month, date) = day(now - SignedDuration::from_hours(48));
    params.not_before = rcgen::date_time_ymd(year, month, date);
    let (year, month, date) = day(now + LIFETIME);
    params.not_after = rcgen::date_time_ymd(year, month, date);
    let certificate = params.self_signed(key).map_err(CertificateError::Make)?;
    let path = folder.join("web-certificate.pem");
    write_private_file(&path, certificate.pem().as_bytes())
        .map_err(|source| CertificateError::Write { path, source })?;
    log::info!("made a certificate for {}", names.join(", "));
    Ok(certificate.der().clone())
}

fn certified(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, CertificateError> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|_| rustls::Error::General("key form".to_owned()));
    let key = key.and_then(|key| provider.key_provider.load_private_key(key)).map_err(CertificateError::Tls)?;
    Ok(CertifiedKey::new(vec![certificate], key))
}

fn with_loopback(names: &[String]) -> Vec<String> {
    let loopback =
        ["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string(), Ipv6Addr::LOCALHOST.to_string()].into_iter();
    let mut all: Vec<String> = Vec::new();
    for name in names.iter().map(|name| name.trim().to_ascii_lowercase()).chain(loopback) {
        let fits = !name.is_empty() && name.len() <= 253 && name.is_ascii() && !name.contains(char::is_whitespace);
        if fits && !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// The clock, where it can be believed. Also keeps clear of the end of time, so that adding a lifetime cannot overflow.
fn believed(now: Timestamp) -> Timestamp {
    let floor = Timestamp::constant(CLOCK_FLOOR, 0);
    let ceiling = Timestamp::constant(CLOCK_FLOOR + 100 * 365 * 86_400, 0);
    now.clamp(floor, ceiling)
}

/// Year, month and day in UTC: certificates need no finer grain.
fn day(moment: Timestamp) -> (i32, u8, u8) {
    let date = moment.to_zoned_datetime(TimeZone::UTC).date();
    (date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn at(days: i64) -> Timestamp {
        Timestamp::from_second(CLOCK_FLOOR + days * 86_400).unwrap()
    }

    #[test]
    fn the_key_lasts_while_the_certificate_is_renewed() {
        let folder = tempfile::tempdir().unwrap();
        let first = CertificateKeeper::load_or_make(folder.path(), &["box.example".to_owned()], at(1)).unwrap();
        let pem = fs::read(folder.path().join("web-certificate.pem")).unwrap();
        let again = CertificateKeeper::load_or_make(folder.path(), &["box.example".to_owned()], at(2)).unwrap();
        assert_eq!(fs::read(folder.path().join("web-certificate.pem")).unwrap(), pem, "a good one is kept");
        assert!(!again.renew_if_due(at(700)).unwrap());
        assert!(again.renew_if_due(at(760)).unwrap());
        assert_ne!(fs::read(folder.path().join("web-certificate.pem")).unwrap(), pem);
        assert_eq!(first.spki_sha256(), again.spki_sha256());
    }

    #[test]
    fn another_name_gets_another_certificate_with_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let first = CertificateKeeper::load_or_make(folder.path(), &["a.example".to_owned()], at(1)).unwrap();
        let pem = fs::read(folder.path().join("web-certificate.pem")).unwrap();
        let second = CertificateKeeper::load_or_make(folder.path(), &["192.0.2.1".to_owned()], at(1)).unwrap();
        assert_ne!(fs::read(folder.path().join("web-certificate.pem")).unwrap(), pem);
        assert_eq!(first.spki_sha256(), second.spki_sha256());
    }

    #[test]
    fn a_clock_that_stands_in_1970_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = CertificateKeeper::load_or_make(folder.path(), &[], Timestamp::UNIX_EPOCH).unwrap();
        assert!(!keeper.renew_if_due(at(10)).unwrap());
    }

    #[test]
    fn the_key_is_for_its_owner_only_and_rubbish_is_named() {
        let folder = tempfile::tempdir().unwrap();
        CertificateKeeper::load_or_make(folder.path(), &[], at(1)).unwrap();
        let path = folder.path().join("web-key.pem");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "rubbish").unwrap();
        let error = CertificateKeeper::load_or_make(folder.path(), &[], at(1)).unwrap_err();
        assert!(error.to_string().contains("web-key.pem holds no private key"), "{error}");
    }

    #[test]
    fn a_certificate_that_is_rubbish_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("web-certificate.pem"), "rubbish").unwrap();
        CertificateKeeper::load_or_make(folder.path(), &[], at(1)).unwrap();
    }
}
