//! Who the box is to a network port that asks (IEEE 802.1X): by a password inside TLS (PEAP with MSCHAPv2), or by a certificate
//! (EAP-TLS).

use data_encoding::BASE64;

use crate::config::{Fault, Faults, Field, Form, Host};
use crate::secret::Secret;

/// Longest certificate or key, with everything that stands around it.
const LONGEST_PEM: usize = 16 << 10;
/// Longest name or password.
const LONGEST_WORD: usize = 200;

/// How the box proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dot1x {
    /// The name that it gives.
    pub identity: String,
    /// What it proves it with.
    pub proof: Proof,
    /// Certificates of whom the network's server has to be certified by, in PEM. Without them anyone may pose as it.
    pub authority: Option<String>,
    /// The name that stands in that server's certificate.
    pub server: Option<Host>,
}

/// What a name is proved with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A password, inside TLS.
    Peap {
        /// The password.
        password: Secret,
        /// The name given outside TLS, where everyone on the cable can read it.
        anonymous: Option<String>,
    },
    /// A certificate and its key.
    Tls {
        /// The certificate in PEM, and those up to the authority if need be.
        certificate: String,
        /// The private key in PEM.
        key: Secret,
        /// What the key is encrypted with.
        key_password: Option<Secret>,
    },
}

impl Dot1x {
    pub(crate) fn of_form(form: &Form, faults: &mut Faults) -> Option<Self> {
        let identity = word(Field::Dot1xIdentity, &form.dot1x_identity, faults);
        let authority = match form.dot1x_authority.trim() {
            "" => None,
            text => certificates(Field::Dot1xAuthority, text, faults),
        };
        let server = match form.dot1x_server.trim() {
            "" => None,
            text => Host::parse(text).or_else(|| faults.add(Field::Dot1xServer, Fault::NotAName, text)),
        };
        let proof = match form.dot1x.trim() {
            "peap" => Self::peap(form, faults),
            "tls" => Self::tls(form, faults),
            other => faults.add(Field::Dot1x, Fault::UnknownWord, other),
        };
        Some(Self { identity: identity?, proof: proof?, authority, server })
    }

    fn peap(form: &Form, faults: &mut Faults) -> Option<Proof> {
        let anonymous = match form.dot1x_anonymous.trim() {
            "" => None,
            _ => word(Field::Dot1xAnonymous, &form.dot1x_anonymous, faults),
        };
        let password = &form.dot1x_password;
        match is_word(password.reveal()) {
            _ if password.is_empty() => faults.add(Field::Dot1xPassword, Fault::Missing, ""),
            false => faults.add(Field::Dot1xPassword, Fault::TooLong, ""),
            true => Some(Proof::Peap { password: password.clone(), anonymous }),
        }
    }

    fn tls(form: &Form, faults: &mut Faults) -> Option<Proof> {
        let certificate = match form.dot1x_certificate.trim() {
            "" => faults.add(Field::Dot1xCertificate, Fault::Missing, ""),
            text => certificates(Field::Dot1xCertificate, text, faults),
        };
        let key = match form.dot1x_key.reveal().trim() {
            "" => faults.add(Field::Dot1xKey, Fault::Missing, ""),
            text if is_key(text) => Some(Secret::new(lines(text))),
            _ => faults.add(Field::Dot1xKey, Fault::NotAKey, ""),
        };
        let key_password = Some(form.dot1x_key_password.clone()).filter(|password| !password.is_empty());
        if key_password.as_ref().is_some_and(|password| !is_word(password.reveal())) {
            return faults.add(Field::Dot1xKeyPassword, Fault::TooLong, "");
        }
        Some(Proof::Tls { certificate: certificate?, key: key?, key_password })
    }

    pub(crate) fn fill_in(&self, form: &mut Form) {
        form.dot1x_identity.clone_from(&self.identity);
        form.dot1x_authority = self.authority.clone().unwrap_or_default();
        form.dot1x_server = self.server.as_ref().map(|server| server.as_str().to_owned()).unwrap_or_default();
        match &self.proof {
            Proof::Peap { password, anonymous } => {
                form.dot1x = "peap".to_owned();
                form.dot1x_anonymous = anonymous.clone().unwrap_or_default();
                form.dot1x_password = password.clone();
            }
            Proof::Tls { certificate, key, key_password } => {
                form.dot1x = "tls".to_owned();
                form.dot1x_certificate.clone_from(certificate);
                form.dot1x_key = key.clone();
                form.dot1x_key_password = key_password.clone().unwrap_or_default();
            }
        }
    }
}

fn word(field: Field, text: &str, faults: &mut Faults) -> Option<String> {
    match text.trim() {
        "" => faults.add(field, Fault::Missing, ""),
        text if is_word(text) => Some(text.to_owned()),
        text => faults.add(field, Fault::TooLong, text),
    }
}

fn is_word(text: &str) -> bool {
    text.len() <= LONGEST_WORD && !text.chars().any(char::is_control)
}

/// One or several certificates; the fault does not repeat them.
fn certificates(field: Field, text: &str, faults: &mut Faults) -> Option<String> {
    let blocks = blocks(text).filter(|blocks| !blocks.is_empty());
    let is_good = |(label, body): &(&str, String)| {
        let der = BASE64.decode(body.as_bytes());
        *label == "CERTIFICATE" && der.is_ok_and(|der| der.first() == Some(&0x30))
    };
    match blocks.is_some_and(|blocks| blocks.iter().all(is_good)) {
        true => Some(lines(text)),
        false => faults.add(field, Fault::NotACertificate, ""),
    }
}

fn is_key(text: &str) -> bool {
    // A key of an elliptic curve may have its parameters before it; an old encrypted one has lines that are no Base64.
    blocks(text).is_some_and(|blocks| {
        let keys = blocks.iter().filter(|(label, _)| label.ends_with("PRIVATE KEY")).count();
        keys == 1 && blocks.iter().all(|(label, _)| label.ends_with("PRIVATE KEY") || *label == "EC PARAMETERS")
    })
}

/// The blocks of a PEM text: what each is called, and its lines without their ends. Nothing may stand between two blocks but
/// what openssl writes there.
fn blocks(text: &str) -> Option<Vec<(&str, String)>> {
    if text.len() > LONGEST_PEM {
        return None;
    }
    let mut found = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in text.lines().map(str::trim) {
        let mark = |beginning: &str| line.strip_prefix(beginning).and_then(|rest| rest.strip_suffix("-----"));
        match (open.take(), mark("-----BEGIN "), mark("-----END ")) {
            (None, Some(label), None) => open = Some((label, String::new())),
            (Some((label, body)), None, Some(end)) if label == end => found.push((label, body)),
            (Some((label, body)), None, None) => open = Some((label, body + line)),
            (None, None, None) => {}
            _ => return None,
        }
    }
    open.is_none().then_some(found)
}

/// With the line ends that everyone reads.
fn lines(text: &str) -> String {
    text.lines().map(|line| line.trim().to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMAMCAQE=\n-----END PRIVATE KEY-----\n";

    fn form(method: &str) -> Form {
        Form {
            mode: "dhcp".into(),
            dot1x: method.into(),
            dot1x_identity: "office".into(),
            dot1x_password: Secret::new("a secret"),
            dot1x_authority: CERTIFICATE.replace('\n', "\r\n"),
            dot1x_server: "radius.example".into(),
            dot1x_certificate: CERTIFICATE.into(),
            dot1x_key: Secret::new(KEY),
            ..Form::default()
        }
    }

    fn faults(form: &Form) -> Vec<(Field, Fault)> {
        form.parse().unwrap_err().into_iter().map(|error| (error.field, error.fault)).collect()
    }

    #[test]
    fn both_ways_are_read_and_written() {
        for method in ["peap", "tls"] {
            let config = form(method).parse().unwrap();
            let dot1x = config.dot1x.clone().unwrap();
            assert_eq!(dot1x.authority.as_deref(), Some(CERTIFICATE), "line ends do not matter");
            assert_eq!(Form::from(&config).parse().unwrap(), config);
            assert!(!format!("{config:?} {:?}", form(method)).contains("secret"));
        }
        let Config { dot1x, .. } = Form { dot1x: "off".into(), ..form("peap") }.parse().unwrap();
        assert_eq!(dot1x, None);
    }

    #[test]
    fn what_is_wrong_is_named_and_secrets_are_not() {
        use Fault::*;
        assert_eq!(faults(&form("md5")), [(Field::Dot1x, UnknownWord)]);
        assert_eq!(faults(&Form { dot1x_identity: " ".into(), ..form("peap") }), [(Field::Dot1xIdentity, Missing)]);
        let bare = Form { dot1x_password: Secret::default(), ..form("peap") };
        assert_eq!(faults(&bare), [(Field::Dot1xPassword, Missing)]);
        let wild = Form { dot1x_password: Secret::new("a\nb"), ..form("peap") };
        assert_eq!(faults(&wild), [(Field::Dot1xPassword, TooLong)]);
        for text in [
            KEY,
            "x",
            "-----BEGIN CERTIFICATE-----\nMAMCAQE=",
            &CERTIFICATE.replace("MAM", "!"),
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
        ] {
            let wrong = Form { dot1x_certificate: text.into(), ..form("tls") };
            assert_eq!(faults(&wrong), [(Field::Dot1xCertificate, NotACertificate)], "{text}");
        }
        for text in [CERTIFICATE, "x", &format!("{KEY}{KEY}"), &"x".repeat(20_000)] {
            let wrong = Form { dot1x_key: Secret::new(text), ..form("tls") };
            assert_eq!(faults(&wrong), [(Field::Dot1xKey, NotAKey)], "{text}");
            assert!(wrong.parse().unwrap_err().iter().all(|error| error.value.is_empty()));
        }
    }
}
