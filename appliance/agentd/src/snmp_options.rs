//! The options of the command line that say how devices are spoken to. Passwords come from files or the environment: a
//! command line can be seen by everyone on the machine.

use std::path::{Path, PathBuf};

use agent_core::snmp::{AuthProtocol, Credential, KeyExtension, Keyed, PrivProtocol, Secret, Transport, User, Version};
use anyhow::{Context, Result, bail};
use clap::Args;

/// Where the passwords are taken from when no file is named.
const AUTH_PASSWORD: &str = "AGENTD_AUTH_PASSWORD";
const PRIV_PASSWORD: &str = "AGENTD_PRIV_PASSWORD";

/// The options.
#[derive(Debug, Args)]
pub struct SnmpOptions {
    /// SNMP community to try; give the option several times to try several [default: public, unless there is a --user]
    #[arg(long, value_name = "NAME")]
    community: Vec<String>,
    /// SNMP version to speak: v1, v2c or v3 [default: v3 with a --user, and v2c, then v1 with communities]
    #[arg(long, value_name = "VERSION", value_parser = version)]
    snmp: Option<Version>,
    /// SNMPv3 user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How the user proves who he is: MD5, SHA-1, SHA-224, SHA-256, SHA-384 or SHA-512
    #[arg(long, value_name = "PROTOCOL", value_parser = auth_protocol, requires = "user")]
    auth_protocol: Option<AuthProtocol>,
    /// File that holds the password for it [default: the environment's AGENTD_AUTH_PASSWORD]
    #[arg(long, value_name = "FILE", requires = "auth_protocol")]
    auth_password_file: Option<PathBuf>,
    /// How the messages are encrypted: DES, AES-128, AES-192 or AES-256
    #[arg(long, value_name = "PROTOCOL", value_parser = priv_protocol, requires = "auth_protocol")]
    priv_protocol: Option<PrivProtocol>,
    /// File that holds the password for it [default: the environment's AGENTD_PRIV_PASSWORD]
    #[arg(long, value_name = "FILE", requires = "priv_protocol")]
    priv_password_file: Option<PathBuf>,
    /// How short keys are made longer: blumenthal or reeder [default: both are tried]
    #[arg(long, value_name = "WAY", value_parser = key_extension, requires = "priv_protocol")]
    key_extension: Option<KeyExtension>,
    /// Speak SNMP over TCP instead of UDP (RFC 3430)
    #[arg(long)]
    tcp: bool,
}

fn version(word: &str) -> Result<Version, String> {
    Version::from_keyword(word).ok_or_else(|| "versions are v1, v2c and v3".to_owned())
}

fn auth_protocol(word: &str) -> Result<AuthProtocol, String> {
    let known = AuthProtocol::ALL.map(AuthProtocol::keyword).join(", ");
    AuthProtocol::from_keyword(word).ok_or_else(|| format!("protocols are {known}"))
}

fn priv_protocol(word: &str) -> Result<PrivProtocol, String> {
    let known = PrivProtocol::ALL.map(PrivProtocol::keyword).join(", ");
    PrivProtocol::from_keyword(word).ok_or_else(|| format!("protocols are {known}"))
}

fn key_extension(word: &str) -> Result<KeyExtension, String> {
    KeyExtension::from_keyword(word).ok_or_else(|| "the ways are blumenthal and reeder".to_owned())
}

impl SnmpOptions {
    /// The credentials in the order in which they are tried.
    pub fn credentials(&self) -> Result<Vec<Credential>> {
        let user = self.user()?;
        let communities: Vec<&str> = match (self.community.is_empty(), &user) {
            (false, _) => self.community.iter().map(String::as_str).collect(),
            (true, None) => vec!["public"],
            (true, Some(_)) => Vec::new(),
        };
        let of = |version| -> Vec<Credential> {
            match version {
                Version::V1 => communities.iter().map(|community| Credential::v1(community)).collect(),
                Version::V2c => communities.iter().map(|community| Credential::v2c(community)).collect(),
                Version::V3 => user.clone().map(Credential::v3).into_iter().collect(),
            }
        };
        let credentials = match self.snmp {
            Some(version) => of(version),
            None => [Version::V3, Version::V2c, Version::V1].into_iter().flat_map(of).collect(),
        };
        if credentials.is_empty() {
            bail!("v3 needs a --user, v1 and v2c need a --community");
        }
        let transport = if self.tcp { Transport::Tcp } else { Transport::Udp };
        Ok(credentials.into_iter().map(|credential| credential.over(transport)).collect())
    }

    fn user(&self) -> Result<Option<User>> {
        let Some(name) = &self.user else { return Ok(None) };
        let auth = match self.auth_protocol {
            Some(protocol) => Some(Keyed { protocol, password: password(&self.auth_password_file, AUTH_PASSWORD)? }),
            None => None,
        };
        let privacy = match self.priv_protocol {
            Some(protocol) => Some(Keyed { protocol, password: password(&self.priv_password_file, PRIV_PASSWORD)? }),
            None => None,
        };
        Ok(Some(User::new(name, auth, privacy)?.extending(self.key_extension)))
    }
}

/// The first line of the file, or what the environment holds.
fn password(file: &Option<PathBuf>, variable: &str) -> Result<Secret> {
    let text = match file {
        Some(path) => read(path)?,
        None => std::env::var(variable)
            .ok()
            .with_context(|| format!("the password is missing: name a file that holds it, or set {variable}"))?,
    };
    Ok(Secret::new(text.lines().next().unwrap_or_default()))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}
