//! The agent against net-snmp: `agentd read` over SNMPv3 and TCP with every protocol that it knows and every refusal; and a
//! printer that speaks SNMPv3 alone, set up on the page, whose informs net-snmp sends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::fmt::Write as _;
use std::fs;
use std::net::UdpSocket;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use system_tests::house::{Folder, House};
use system_tests::programs::{Daemon, run};
use system_tests::repository::root;
use system_tests::wait::until_true;
use testkit::printer_sim::Printer;
use testkit::recording::Recording;
use testkit::sim_site::SimSite;
use testkit::usm::{self, Cipher, Hash, Usm};

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
    daemon: Daemon,
}

impl Snmpd {
    async fn start() -> Result<Self> {
        Self::with("").await
    }

    /// The same, set up further.
    async fn with(more: &str) -> Result<Self> {
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
        fs::write(folder.path().join("snmpd.conf"), conf + more)?;
        fs::write(folder.path().join("wrong"), "wrong password\n")?;
        for word in HASHES {
            fs::write(folder.path().join(format!("auth-{word}")), format!("auth-{word}\n"))?;
        }
        for (word, _, _) in CIPHERS {
            fs::write(folder.path().join(format!("priv-{word}")), format!("priv-{word}\n"))?;
        }
        // A port that was free a moment ago: snmpd cannot be asked to choose one.
        let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
        let daemon = Self::spawn(&folder, &port)?;
        let snmpd = Self { folder, port, daemon };
        snmpd.answers().await?;
        Ok(snmpd)
    }

    fn spawn(folder: &Folder, port: &str) -> Result<Daemon> {
        let mut command = Command::new("/usr/sbin/snmpd");
        command.args(["-f", "-Lo", "-C", "-c", &folder.place("snmpd.conf"), "-p", &folder.place("pid")]);
        command.args([format!("udp:127.0.0.1:{port}"), format!("tcp:127.0.0.1:{port}")]);
        command.env("SNMP_PERSISTENT_DIR", folder.path().join("kept"));
        Daemon::start(command, &folder.path().join("snmpd.log"))
            .context("snmpd is missing. On Debian: apt-get install snmpd")
    }

    async fn answers(&self) -> Result<()> {
        until_true("snmpd answers", async || Ok(self.read(&["--community", "public"])?.is_ok())).await
    }

    /// Ends it and starts it again with what it has kept: its engine counts one start more, and its clock begins anew.
    async fn restart(self) -> Result<Self> {
        let Self { folder, port, daemon } = self;
        daemon.stop()?;
        let daemon = Self::spawn(&folder, &port)?;
        let snmpd = Self { folder, port, daemon };
        snmpd.answers().await?;
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

/// A real engine that restarts between two polls: the agent finds out by its report, takes the new count and clock, and goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_printer_behind_net_snmp_is_read_on_when_that_has_restarted() -> Result<()> {
    let recording = Recording::load(root().join("agent-core/walks/kyocera_taskalfa-4054ci.snmprec"))?;
    let site = SimSite::start(vec![Printer::new(recording)]).await?;
    let proxy = |object: &str| format!("proxy -v 2c -c public {} {object}\n", site.addresses()[0]);
    let objects = ["1.3.6.1.2.1.43", "1.3.6.1.4.1.1347"].map(proxy).concat();
    let mut snmpd = Snmpd::with(&format!("sysObjectID 1.3.6.1.4.1.1347.41\n{objects}")).await?;
    let user = ["--user", "SHA-256AES", "--auth-protocol", "SHA-256", "--priv-protocol", "AES-128"];
    let files = [snmpd.folder.place("auth-SHA-256"), snmpd.folder.place("priv-AES")];
    let passwords = ["--auth-password-file", &files[0], "--priv-password-file", &files[1]];

    // What `explore` finds, over UDP and TCP.
    for transport in [&[][..], &["--tcp"]] {
        let place = ["127.0.0.1", "184232", "--port", &snmpd.port, "--pause", "0", "--root", "1.3.6.1.4.1.1347"];
        let found = run("agentd", &[&["explore"], &place[..], &user, &passwords, transport].concat(), "")?;
        let said = String::from_utf8_lossy(&found.stdout).into_owned();
        ensure!(said.contains("1.3.6.1.4.1.1347.43.10.1.1.12.1.1"), "{transport:?}: {said}");
    }

    let mut agent = House::agent()?;
    agent.set_password()?;
    let toml = format!(
        "[[snmp_user]]\nname = \"u\"\nuser = \"SHA-256AES\"\nauth_protocol = \"SHA-256\"\nauth_password = \"auth-SHA-256\"\n\
         priv_protocol = \"AES-128\"\npriv_password = \"priv-AES\"\n\
         [[scan]]\nrange = \"127.0.0.1\"\nport = {}\nusers = [\"u\"]\nsnmp = [\"v3\"]\n\
         [schedule]\npoll_seconds = 5\nsearch_seconds = 86400\n",
        snmpd.port
    );
    agent.command(&["provision", "-"], &toml)?;
    agent.start().await?;
    let meter = async |value: &str| {
        until_true(&format!("the meter is {value}"), async || {
            Ok(agent.count(&format!("SELECT count(*) FROM device WHERE total = {value}"))? == 1)
        })
        .await
    };
    meter("184232").await?;
    for value in ["184233", "184234"] {
        snmpd = snmpd.restart().await?;
        let oid = "1.3.6.1.4.1.1347.43.10.1.1.12.1.1".parse().map_err(anyhow::Error::msg)?;
        site.with(0, |printer| printer.set(oid, Some(testkit::oid::Value::Counter32(value.parse().unwrap()))));
        meter(value).await?;
    }
    ensure!(agent.count("SELECT count(*) FROM device WHERE silent_since IS NULL")? == 1, "it is one device and well");

    // It informs over a connection (RFC 3430). net-snmp sends that from this very address, whatever it is told.
    let said = agent.said();
    let traps = said.split("address=TCP ").nth(1).and_then(|rest| rest.split_whitespace().next()).context("no port")?;
    let mut inform = Command::new("snmpinform");
    inform.env("SNMPCONFPATH", "/nonexistent").args(["-m", "", "-M", "", "-t", "20", "-v3", "-l", "authPriv"]);
    inform.args(["-u", "SHA-256AES", "-a", "SHA-256", "-A", "auth-SHA-256", "-x", "AES", "-X", "priv-AES"]);
    inform.args([&format!("tcp:{traps}"), "", "1.3.6.1.6.3.1.1.5.1"]);
    let confirmed = inform.output().context("snmpinform is missing. On Debian: apt-get install snmp")?;
    ensure!(confirmed.status.success(), "{}", String::from_utf8_lossy(&confirmed.stderr));
    let page = agent.visitor().await?.open("/snmp").await?;
    ensure!(page.says("Informs confirmed 1"), "{}", page.text());
    Ok(())
}

/// What a person does: enters a user on the page, names him in a range; and what the printer does then: it informs.
#[tokio::test(flavor = "multi_thread")]
async fn a_printer_with_a_user_is_set_up_on_the_page_and_heard() -> Result<()> {
    let recording = Recording::load(root().join("agent-core/walks/kyocera_taskalfa-4054ci.snmprec"))?;
    let user = usm::User {
        name: "monitor".to_owned(),
        auth: Some((Hash::Sha256, "auth-pass".to_owned())),
        privacy: Some((Cipher::Aes128, "priv-pass".to_owned())),
        reeder: false,
    };
    let engine = [0x80, 0, 0, 0, 4, b'p', b'r', b'i', b'n', b't'];
    let printer = Printer::new(recording).with_usm(Usm::new(&engine, vec![user])).without_communities();
    let site = SimSite::start(vec![printer]).await?;
    let address = site.addresses()[0];
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let mut agent = House::agent()?;
    agent.set_password()?;
    agent.start().await?;
    let visitor = agent.visitor().await?;
    let user = |auth_password| {
        [
            ("name", "monitor"),
            ("auth", "SHA-256"),
            ("auth_password", auth_password),
            ("privacy", "AES-128"),
            ("priv_password", "priv-pass"),
        ]
    };
    let range = format!("[[scan]]\nrange = \"{ip}\"\nport = {port}\nusers = [\"monitor\"]\n");

    let page = visitor.open("/snmp").await?;
    let refused = visitor.fill_in(&page, "/snmp/user", &user("short")).await?;
    ensure!(refused.says("8 to 255 characters"), "{}", refused.text());
    let page = visitor.open("/snmp").await?;
    let added = visitor.fill_in(&page, "/snmp/user", &user("auth-pass")).await?;
    ensure!(added.says("The user is added") && !added.html.contains("-pass\""), "{}", added.html);
    agent.command(&["provision", "-"], &range)?;
    let page = visitor.open("/discovery").await?;
    visitor.fill_in(&page, "/discovery/search", &[]).await?;
    until_true("the printer on the page", async || Ok(visitor.open("/").await?.says("TASKalfa 4054ci"))).await?;

    let said = agent.said();
    let traps = said.split("address=UDP ").nth(1).and_then(|rest| rest.split_whitespace().next()).context("no port")?;
    let source = format!("--clientaddr={ip}");
    let options =
        ["-v3", "-u", "monitor", "-l", "authPriv", "-a", "SHA-256", "-A", "auth-pass", "-x", "AES", "-X", "priv-pass"];
    let inform = |options: &[&str]| {
        let mut command = Command::new("snmpinform");
        command.env("SNMPCONFPATH", "/nonexistent").args(["-m", "", "-M", "", "-t", "5"]).args(options);
        command.args([traps, "", "1.3.6.1.6.3.1.1.5.1"]);
        command.output().context("snmpinform is missing. On Debian: apt-get install snmp")
    };
    let before = site.with(0, |printer| printer.traffic().datagrams_in);
    let confirmed = inform(&[&[source.as_str()][..], &options].concat())?;
    ensure!(confirmed.status.success(), "{}", String::from_utf8_lossy(&confirmed.stderr));
    until_true("an early poll", async || Ok(site.with(0, |printer| printer.traffic().datagrams_in) > before)).await?;
    let confirmed = inform(&[source.as_str(), "-v2c", "-c", "whatever"])?;
    ensure!(confirmed.status.success(), "{}", String::from_utf8_lossy(&confirmed.stderr));
    // From where no printer is, nobody hears anything.
    let stranger = inform(&["-r", "0", "-v2c", "-c", "whatever"])?;
    ensure!(!stranger.status.success(), "a stranger was answered");
    let page = visitor.open("/snmp").await?;
    ensure!(page.says("Informs confirmed 2") && page.says("Devices polled early 1"), "{}", page.text());
    ensure!(page.says("from unknown addresses 1"), "{}", page.text());

    // Who is still named by a range stays; nothing secret is in the log.
    let kept = visitor.fill_in(&page, "/snmp/user/remove", &[]).await?;
    ensure!(kept.says("still names this user"), "{}", kept.text());
    ensure!(!agent.said().contains("-pass"), "a password is in the log");
    Ok(())
}
