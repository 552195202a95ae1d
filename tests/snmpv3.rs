//! `agentd read` against net-snmp's agent over SNMPv3 and TCP: every protocol that it knows, every refusal.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::fmt::Write as _;
use std::fs;
use std::net::UdpSocket;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use system_tests::house::Folder;
use system_tests::programs::{Daemon, run};
use system_tests::wait::until_true;

const HASHES: [&str; 6] = ["MD5", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512"];
/// What net-snmp calls a cipher, what we call it, and how its keys are made longer.
const CIPHERS: [(&str, &str, Option<&str>); 6] = [
    ("DES", "DES", None),
    ("AES", "AES-128", None),
    ("AES-192", "AES-192", Some("blumenthal")),
    ("AES-256", "AES-256", Some("blumenthal")),
    ("AES-192-C", "AES-192", Some("reeder")),
    ("AES-256-C", "AES-256", Some("reeder")),
];

struct Snmpd {
    folder: Folder,
    port: String,
    _daemon: Daemon,
}

impl Snmpd {
    async fn start() -> Result<Self> {
        let folder = Folder::new()?;
        let mut conf = "rocommunity public 127.0.0.1\nsysLocation Cellar\n".to_owned();
        writeln!(conf, "createUser open\nrouser open noauth")?;
        for hash in HASHES {
            writeln!(conf, "createUser {hash} {hash} auth-{hash}\nrouser {hash} auth")?;
            for (cipher, _, _) in CIPHERS {
                writeln!(conf, "createUser {hash}{cipher} {hash} auth-{hash} {cipher} priv-{cipher}")?;
                writeln!(conf, "rouser {hash}{cipher} priv")?;
            }
        }
        fs::write(folder.path().join("snmpd.conf"), conf)?;
        fs::write(folder.path().join("wrong"), "wrong password\n")?;
        for word in HASHES {
            fs::write(folder.path().join(format!("auth-{word}")), format!("auth-{word}\n"))?;
        }
        for (word, _, _) in CIPHERS {
            fs::write(folder.path().join(format!("priv-{word}")), format!("priv-{word}\n"))?;
        }
        // A port that was free a moment ago: snmpd cannot be asked to choose one.
        let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
        let mut command = Command::new("/usr/sbin/snmpd");
        command.args(["-f", "-Lo", "-C", "-c", &folder.place("snmpd.conf"), "-p", &folder.place("pid")]);
        command.args([format!("udp:127.0.0.1:{port}"), format!("tcp:127.0.0.1:{port}")]);
        command.env("SNMP_PERSISTENT_DIR", folder.path().join("kept"));
        let daemon = Daemon::start(command, &folder.path().join("snmpd.log"))
            .context("snmpd is missing. On Debian: apt-get install snmpd")?;
        let snmpd = Self { folder, port, _daemon: daemon };
        until_true("snmpd answers", async || Ok(snmpd.read(&["--community", "public"])?.is_ok())).await?;
        Ok(snmpd)
    }

    /// The location that it says, or why it could not be read.
    fn read(&self, options: &[&str]) -> Result<Result<String, String>> {
        let output = run("agentd", &[&["read", "127.0.0.1", "--port", &self.port, "--json"], options].concat(), "")?;
        let line: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        Ok(match line["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(line["identity"]["location"].as_str().unwrap_or_default().to_owned()),
        })
    }

    /// The same as a user whose passwords are in files of these names.
    fn read_as(
        &self,
        user: &str,
        auth: (&str, &str),
        privacy: Option<(&str, &str)>,
        more: &[&str],
    ) -> Result<Result<String, String>> {
        let (auth_file, priv_file) = (self.folder.place(auth.1), privacy.map(|(_, file)| self.folder.place(file)));
        let mut options = vec!["--user", user, "--auth-protocol", auth.0, "--auth-password-file", &auth_file];
        if let (Some((protocol, _)), Some(file)) = (privacy, &priv_file) {
            options.extend(["--priv-protocol", protocol, "--priv-password-file", file]);
        }
        self.read(&[&options, more].concat())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_protocol_of_net_snmp_is_spoken() -> Result<()> {
    let snmpd = Snmpd::start().await?;
    let cellar = Ok("Cellar".to_owned());
    assert_eq!(snmpd.read(&["--user", "open"])?, cellar);
    for hash in HASHES {
        let auth = format!("auth-{hash}");
        assert_eq!(snmpd.read_as(hash, (hash, &auth), None, &["--tcp"])?, cellar, "{hash} over TCP");
        for (cipher, protocol, extension) in CIPHERS {
            let privacy = format!("priv-{cipher}");
            let more: &[&str] = if let Some(extension) = &extension { &["--key-extension", extension] } else { &[] };
            let read = snmpd.read_as(&format!("{hash}{cipher}"), (hash, &auth), Some((protocol, &privacy)), more)?;
            assert_eq!(read, cellar, "{hash} {cipher}");
        }
    }
    // Whoever does not know how his device makes keys longer need not know it.
    let unsaid = snmpd.read_as("MD5AES-256-C", ("MD5", "auth-MD5"), Some(("AES-256", "priv-AES-256-C")), &[])?;
    assert_eq!(unsaid, cellar);
    assert_eq!(snmpd.read(&["--community", "public", "--tcp"])?, cellar);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said() -> Result<()> {
    let snmpd = Snmpd::start().await?;
    let sha = ("SHA", "auth-SHA");
    let aes = Some(("AES", "priv-AES"));
    for (user, auth, privacy, words) in [
        ("SHA", ("SHA", "wrong"), None, "authentication password or protocol is wrong"),
        ("SHA", ("SHA-512", "auth-SHA"), None, "authentication password or protocol is wrong"),
        ("stranger", sha, None, "user name is unknown"),
        ("SHAAES", sha, Some(("AES", "wrong")), "privacy password or protocol is wrong"),
        ("SHAAES", sha, Some(("DES", "priv-AES")), "privacy password or protocol is wrong"),
        ("SHA", sha, aes, "does not offer this SNMPv3 security level"),
        ("SHAAES", sha, None, "access control does not allow it"),
    ] {
        let error = snmpd.read_as(user, auth, privacy, &[])?.unwrap_err();
        ensure!(error.contains(words), "{user}: {error}");
    }
    let nobody =
        run("agentd", &["read", "127.0.0.1", "--port", &snmpd.port, "--user", "SHA", "--auth-protocol", "SHA"], "")?;
    ensure!(
        String::from_utf8(nobody.stderr)?.contains("AGENTD_AUTH_PASSWORD"),
        "a password that is missing is asked for"
    );
    Ok(())
}
