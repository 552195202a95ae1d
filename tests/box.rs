//! The box as its programs make it: a prepared card is taken or refused as a whole, updates go through the real RAUC, a data
//! partition comes back from whatever has become of it, and every unit has as few rights as it can.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use system_tests::house::Folder;
use system_tests::programs::{Daemon, program, run};
use system_tests::repository::root;
use system_tests::wait::until;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// A card or stick as a folder, and a box that looks at it.
struct Card {
    folder: Folder,
}

impl Card {
    fn new() -> Result<Self> {
        let card = Self { folder: Folder::new()? };
        for name in ["medium", "zones/Europe"] {
            fs::create_dir_all(card.place(name))?;
        }
        fs::write(card.place("zones/Europe/Berlin"), "TZif")?;
        Ok(card)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, text: &str) -> Result<()> {
        Ok(fs::write(self.place("medium").join(name), text)?)
    }

    fn look(&self) -> Result<Output> {
        let mut words = vec!["provision".to_owned()];
        for (option, name) in [
            ("--medium", "medium"),
            ("--state", "state"),
            ("--run", "run"),
            ("--agent-data", "agent"),
            ("--network-data", "netcfg"),
            ("--zones", "zones"),
        ] {
            words.extend([option.to_owned(), self.folder.place(name)]);
        }
        words.extend(["--agentd".to_owned(), program("agentd")?.display().to_string()]);
        run("boxd", &words, "")
    }

    /// What is left for netcfgd.
    fn network(&self) -> Result<netcfg::config::Config> {
        Ok(netcfg::disk::decode(&fs::read(self.place("netcfg/prepared.toml"))?)?)
    }

    /// What is written beside the file.
    fn answer(&self) -> Result<String> {
        let output = self.look()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(fs::read_to_string(self.place("medium/agent-status.txt")).unwrap_or_default())
    }
}

#[test]
fn a_prepared_card_is_taken_once_and_loses_its_secrets() -> Result<()> {
    let card = Card::new()?;
    let file = "\u{feff}# Head office\r\n[[snmp_user]]\r\nname = \"monitor\"\r\nauth_protocol = \"SHA-256\"\r\n\
                auth_password = \"opensesame\"\r\n[[scan]]\r\nrange = \"192.0.2.0/24\"\r\nusers = [\"monitor\"]\r\n[network]\r\n\
                mode = \"static\"\r\naddress = \"192.0.2.20/24\"\r\ngateway = \"192.0.2.1\"\r\n[box]\r\ntime_zone = \"Europe/Berlin\"\r\n";
    card.put("agent.toml", file)?;
    let answer = card.answer()?;
    for words in ["agent: applied", "network: applied", "time zone Europe/Berlin: applied", "secrets were taken out"] {
        ensure!(answer.contains(words), "{words}: {answer}");
    }
    let left = fs::read_to_string(card.place("medium/agent.toml"))?;
    ensure!(!left.contains("opensesame") && left.len() == file.len() && left.contains("# Head office\r\n"), "{left}");
    ensure!(fs::read_to_string(card.place("state/environment"))? == "TZ=Europe/Berlin\n");
    ensure!(format!("{:?}", card.network()?).contains("192.0.2.20"));
    let database = rusqlite::Connection::open(card.place("agent/agentd.sqlite"))?;
    let ranges: i64 = database.query_row("SELECT count(*) FROM scan_range", [], |row| row.get(0))?;
    ensure!(ranges == 1);
    // At the next start the card says the same, and what was changed on the page since then stays.
    fs::remove_dir_all(card.place("netcfg"))?;
    fs::remove_file(card.place("medium/agent-status.txt"))?;
    ensure!(card.answer()?.is_empty() && !card.place("netcfg").exists());
    // A box that has forgotten everything takes what it still can.
    fs::remove_dir_all(card.place("state"))?;
    let answer = card.answer()?;
    ensure!(answer.contains("agent: left as it is") && answer.contains("network: applied"), "{answer}");
    Ok(())
}

#[test]
fn a_medium_that_was_used_leaves_the_log_in_at_the_network_as_it_is() -> Result<()> {
    let card = Card::new()?;
    card.put(
        "agent.toml",
        "[network]\nmode = \"dhcp\"\n[network.dot1x]\nmethod = \"peap\"\nidentity = \"office\"\npassword = \"opensesame\"\n",
    )?;
    ensure!(card.answer()?.contains("network: applied"));
    ensure!(!fs::read_to_string(card.place("medium/agent.toml"))?.contains("opensesame"));
    // The box has taken it up, and looks at the same medium once more.
    fs::rename(card.place("netcfg/prepared.toml"), card.place("netcfg/committed.toml"))?;
    fs::remove_dir_all(card.place("state"))?;
    ensure!(card.answer()?.contains("network: applied"));
    ensure!(fs::read_to_string(card.place("netcfg/prepared.toml"))?.contains("opensesame"));
    // Everything was erased.
    for folder in ["state", "netcfg"] {
        fs::remove_dir_all(card.place(folder))?;
    }
    let answer = card.answer()?;
    ensure!(answer.contains("network: not applied") && answer.contains("write it into the file again"), "{answer}");
    ensure!(!card.place("netcfg").exists());
    Ok(())
}

#[test]
fn what_was_applied_is_told_part_by_part_and_the_rest_is_tried_again() -> Result<()> {
    let card = Card::new()?;
    card.put(
        "agent.toml",
        "[[scan]]\nrange = \"192.0.2.0/24\"\ncommunities = [\"opensesame\"]\n[network]\nmode = \"dhcp\"\n[network.dot1x]\n\
         method = \"peap\"\nidentity = \"office\"\npassword = \"barley\"\n[box]\ntime_zone = \"Europe/Berlin\"\n",
    )?;
    // Nothing can be left for netcfgd.
    fs::write(card.place("netcfg"), "")?;
    let answer = card.answer()?;
    for words in ["agent: applied", "network: not applied", "time zone Europe/Berlin: applied", "but for those"] {
        ensure!(answer.contains(words), "{words}: {answer}");
    }
    ensure!(!answer.contains("nothing of it"), "{answer}");
    let left = fs::read_to_string(card.place("medium/agent.toml"))?;
    ensure!(!left.contains("opensesame") && left.contains("barley"), "{left}");
    // The next start can; and what it leaves lies where a power cut does not take it away.
    fs::remove_file(card.place("netcfg"))?;
    let answer = card.answer()?;
    ensure!(answer.contains("network: applied"), "{answer}");
    ensure!(format!("{:?}", card.network()?).contains("office"));
    ensure!(!fs::read_to_string(card.place("medium/agent.toml"))?.contains("barley"));
    Ok(())
}

#[test]
fn a_card_with_a_fault_changes_nothing_and_says_where_it_is() -> Result<()> {
    for (file, words) in [
        ("[network]\nmode = \"dhcp\"\n[manger]\nurl = \"x\"\n", ["line 3", "manger"]),
        ("[network]\nmode = \"static\"\naddress = \"192.0.2.255/24\"\n", ["[network]", "broadcast"]),
        ("[box]\ntime_zone = \"Europe/Atlantis\"\n[network]\nmode = \"dhcp\"\n", ["[box]", "Europe/Atlantis"]),
        ("[[scan]]\nrange = \"192.0.2.0/24\"\npassword = \"opensesame\"\n", ["line 3", "password"]),
        ("[box]\nrun = \"rm -rf /\"\n", ["line 2", "run"]),
    ] {
        let card = Card::new()?;
        card.put("agent.toml", file)?;
        let answer = card.answer()?;
        ensure!(words.iter().all(|words| answer.contains(words)), "{file}: {answer}");
        ensure!(answer.contains("refused, nothing of it was applied"), "{answer}");
        ensure!(!card.place("netcfg").exists() && !card.place("state/environment").exists(), "{file}");
        ensure!(fs::read_to_string(card.place("medium/agent.toml"))? == file, "a refused file stays for its owner");
    }
    let card = Card::new()?;
    fs::write(card.place("medium/agent.toml"), [0xff, 0xfe, 0, b'['])?;
    ensure!(card.answer()?.contains("UTF-8"));
    card.put("agent.toml", &"#".repeat(70_000))?;
    ensure!(card.answer()?.contains("larger than"));
    fs::remove_file(card.place("medium/agent.toml"))?;
    std::os::unix::fs::symlink("/etc/shadow", card.place("medium/agent.toml"))?;
    ensure!(!card.answer()?.contains("root:"));
    Ok(())
}

#[test]
fn what_the_imager_leaves_is_taken_in_part_and_the_rest_is_refused_in_words() -> Result<()> {
    let card = Card::new()?;
    card.put(
        "rpi-preseed.toml",
        "config_version = \"1.1\"\n[system]\nhostname = \"Office-7\"\n[user]\nname = \"alice\"\npassword = \"opensesame\"\n\
         [locale]\ntimezone = \"Europe/Berlin\"\n[runcmd]\nlate = [\"touch /tmp/owned\"]\n",
    )?;
    let answer = card.answer()?;
    for words in [
        "host name office-7: applied",
        "Europe/Berlin: applied",
        "user.password: not applied",
        "runcmd.late: not applied",
    ] {
        ensure!(answer.contains(words), "{words}: {answer}");
    }
    ensure!(!answer.contains("opensesame"));
    ensure!(!fs::read_to_string(card.place("medium/rpi-preseed.toml"))?.contains("opensesame"));
    ensure!(fs::read_to_string(card.place("netcfg/prepared.toml"))?.contains("office-7"));
    Ok(())
}

/// A box with a real RAUC on a bus of its own, two slots that are files, and a boot loader that is a folder.
struct Appliance {
    folder: Folder,
    _bus: Daemon,
    _rauc: Daemon,
    boxd: Option<Daemon>,
}

impl Appliance {
    async fn new() -> Result<Self> {
        let folder = Folder::new()?;
        let place = |name: &str| folder.place(name);
        for name in ["state", "run", "updates", "boot", "mnt", "content"] {
            fs::create_dir(place(name))?;
        }
        fs::write(place("slot-a"), vec![0; 1 << 20])?;
        fs::write(place("slot-b"), vec![0; 1 << 20])?;
        fs::write(place("os-release"), "VERSION_ID=1.0.0\n")?;
        fs::write(place("board"), "test\n")?;
        fs::write(place("cmdline"), "rauc.slot=A")?;
        let boot = place("boot");
        let script = format!(
            "#!/bin/sh\ncd {boot} || exit\ncase $1 in\nget-primary) cat primary 2> /dev/null || echo A ;;\n\
             set-primary) cp ../state/update.json ../record; echo \"$2\" > primary ;;\nget-state) cat \"$2\" 2> /dev/null || echo good ;;\n\
             set-state) echo \"$3\" > \"$2\" ;;\nget-current) echo A ;;\nesac\n"
        );
        fs::write(place("loader"), script)?;
        fs::set_permissions(place("loader"), fs::Permissions::from_mode(0o755))?;
        let slots = format!(
            "[slot.rootfs.0]\ndevice={}\ntype=raw\nbootname=A\n[slot.rootfs.1]\ndevice={}\ntype=raw\nbootname=B\n",
            place("slot-a"),
            place("slot-b")
        );
        let config = format!(
            "[system]\ncompatible=druckwart-test\nbootloader=custom\nbundle-formats=plain verity\nstatusfile={}\nmountprefix={}\n\
             [handlers]\nbootloader-custom-backend={}\n[keyring]\npath={}\n{slots}",
            place("slots.raucs"),
            place("mnt"),
            place("loader"),
            place("keys/update.cert.pem")
        );
        fs::write(place("rauc.conf"), config)?;
        for channel in ["keys", "other"] {
            fs::create_dir(place(channel))?;
            let made = Command::new("openssl")
                .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "30"])
                .args(["-subj", &format!("/CN={channel}"), "-keyout", "update.key.pem", "-out", "update.cert.pem"])
                .current_dir(place(channel))
                .output()
                .context("openssl does not start")?;
            ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        let address = format!("unix:path={}", place("bus"));
        let config = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\"><busconfig><type>system</type><listen>{address}</listen>\
             <auth>EXTERNAL</auth><policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>\
             <allow send_destination=\"*\" eavesdrop=\"true\"/><allow receive_type=\"method_call\"/>\
             <allow receive_type=\"method_return\"/><allow receive_type=\"error\"/><allow receive_type=\"signal\"/></policy></busconfig>"
        );
        fs::write(place("bus.conf"), config)?;
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--nofork", "--nopidfile", "--print-address", "--config-file"]).arg(place("bus.conf"));
        let mut bus = Daemon::start(bus, &folder.path().join("bus.log"))?;
        bus.says("unix:path=").await?;
        let mut rauc = Command::new("rauc");
        rauc.args(["--override-boot-slot=A", "--conf"]).arg(place("rauc.conf")).arg("service");
        rauc.env("DBUS_SYSTEM_BUS_ADDRESS", &address);
        let rauc = Daemon::start(rauc, &folder.path().join("rauc.log"))?;
        let mut appliance = Self { folder, _bus: bus, _rauc: rauc, boxd: None };
        appliance.start_boxd("first").await?;
        until("RAUC knows its slots", async || {
            let status = appliance.ask(json!({"request": "show"})).await?;
            Ok(status["slots"].as_array().filter(|slots| slots.len() == 2).map(drop))
        })
        .await?;
        Ok(appliance)
    }

    /// Starts boxd, in the start of the machine of this name.
    async fn start_boxd(&mut self, start: &str) -> Result<()> {
        self.boxd = None;
        let mut command = Command::new(program("boxd")?);
        command
            .args(["run", "--start-name", start])
            .env("DBUS_SYSTEM_BUS_ADDRESS", format!("unix:path={}", self.folder.place("bus")));
        for (option, name) in [
            ("--state", "state"),
            ("--run", "run"),
            ("--socket", "run/socket"),
            ("--updates", "updates"),
            ("--mount", "state"),
            ("--os-release", "os-release"),
            ("--board", "board"),
            ("--command-line", "cmdline"),
            ("--manager-reached", "manager-reached"),
        ] {
            command.arg(option).arg(self.folder.place(name));
        }
        let mut boxd = Daemon::start(command, &self.folder.path().join("boxd.log"))?;
        boxd.says("keeping the box").await?;
        self.boxd = Some(boxd);
        Ok(())
    }

    async fn ask(&self, request: Value) -> Result<Value> {
        let mut stream = UnixStream::connect(self.folder.path().join("run/socket")).await?;
        stream.write_all(format!("{request}\n").as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    fn bundle(&self, name: &str, compatible: &str, version: &str, channel: &str) -> Result<()> {
        let content = self.folder.path().join("content");
        fs::write(content.join("rootfs.img"), version.repeat(30_000))?;
        let manifest = format!(
            "[update]\ncompatible={compatible}\nversion={version}\n[bundle]\nformat=plain\n[image.rootfs]\nfilename=rootfs.img\n"
        );
        fs::write(content.join("manifest.raucm"), manifest)?;
        let key = |name: &str| self.folder.path().join(channel).join(name);
        let mut rauc = Command::new("rauc");
        rauc.arg("bundle").arg("--cert").arg(key("update.cert.pem")).arg("--key").arg(key("update.key.pem"));
        let made = rauc.arg(&content).arg(self.folder.path().join(name)).output().context("rauc does not start")?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Ok(())
    }

    /// Has a bundle installed, and waits for what comes of it.
    async fn install(&self, name: &str, wish: &str) -> Result<Value> {
        fs::copy(self.folder.path().join(name), self.folder.path().join("updates/brought.raucb"))?;
        let answer = self.ask(json!({"request": "install", "file": "brought.raucb", "wish": wish})).await?;
        ensure!(answer["answer"] == "done", "{answer}");
        until("the installation ends", async || {
            let status = self.ask(json!({"request": "show"})).await?;
            Ok(status["progress"].is_null().then_some(status))
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_are_refused_or_installed_and_their_fate_is_known_after_the_start() -> Result<()> {
    if let Some(why) = no_rauc() {
        eprintln!("LEFT OUT: {why}");
        return Ok(());
    }
    let mut appliance = Appliance::new().await?;
    for (name, compatible, version, channel) in [
        ("good.raucb", "druckwart-test", "1.1.0", "keys"),
        ("old.raucb", "druckwart-test", "0.9.0", "keys"),
        ("board.raucb", "druckwart-pi2", "1.1.0", "keys"),
        ("foreign.raucb", "druckwart-test", "1.1.0", "other"),
    ] {
        appliance.bundle(name, compatible, version, channel)?;
    }
    let whole = fs::read(appliance.folder.path().join("good.raucb"))?;
    fs::write(appliance.folder.path().join("cut.raucb"), whole.get(..whole.len() / 2).unwrap())?;
    for (name, wish, refusal) in [
        ("foreign.raucb", "asked_again", "not_trusted"),
        ("cut.raucb", "asked_again", "not_trusted"),
        ("board.raucb", "asked_again", "wrong_board"),
        ("old.raucb", "asked", "older"),
    ] {
        let status = appliance.install(name, wish).await?;
        ensure!(status["refused"].get(refusal).is_some() && status["last"].is_null(), "{name}: {status}");
        ensure!(fs::read_dir(appliance.folder.path().join("updates"))?.next().is_none(), "{name} was left");
    }
    let status = appliance.install("good.raucb", "asked").await?;
    ensure!(status["last"]["to"] == "1.1.0" && status["last"]["stage"] == "installed", "{status}");
    let slot = fs::read(appliance.folder.path().join("slot-b"))?;
    ensure!(slot.starts_with(b"1.1.01.1.0"), "the bundle is in the slot that does not run");
    ensure!(fs::read(appliance.folder.path().join("slot-a"))?.iter().all(|byte| *byte == 0));
    let next = status["slots"].as_array().unwrap().iter().find(|slot| slot["is_next"] == true).unwrap();
    ensure!(next["name"] == "B" && next["version"] == "1.1.0", "{status}");
    // boxd alone comes back: the update waits on.
    appliance.start_boxd("first").await?;
    let status = appliance.ask(json!({"request": "show"})).await?;
    ensure!(status["last"]["stage"] == "installed", "{status}");
    // The boot loader tried it in vain: the system before it is back, and says so; a stick does not try again.
    appliance.start_boxd("second").await?;
    let status = appliance.ask(json!({"request": "show"})).await?;
    ensure!(status["last"]["stage"] == json!({"went_back": ["not_started"]}), "{status}");
    let status = appliance.install("good.raucb", "found").await?;
    ensure!(status["refused"].get("went_back").is_some(), "{status}");
    // Tried by a person once more, it comes up this time.
    appliance.install("good.raucb", "asked").await?;
    fs::write(appliance.folder.path().join("cmdline"), "rauc.slot=B")?;
    fs::write(appliance.folder.path().join("os-release"), "VERSION_ID=1.1.0\n")?;
    // The power failed as soon as RAUC had chosen the slot.
    let record: Value = serde_json::from_slice(&fs::read(appliance.folder.path().join("record"))?)?;
    ensure!(record["stage"] == "installing" && record["slot"] == "B", "{record}");
    fs::copy(appliance.folder.path().join("record"), appliance.folder.path().join("state/update.json"))?;
    appliance.start_boxd("third").await?;
    let status = appliance.ask(json!({"request": "show"})).await?;
    // Its patience counts from the start of the machine, which may be long ago here: whether it leaves already is open.
    let is_on_trial = status["last"]["stage"] == "on_trial" || status["health"]["is_on_trial"] == true;
    ensure!(is_on_trial && status["health"]["is_good"] == false, "{status}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_updates_on_a_stick_the_best_is_taken() -> Result<()> {
    if let Some(why) = no_rauc() {
        eprintln!("LEFT OUT: {why}");
        return Ok(());
    }
    let appliance = Appliance::new().await?;
    fs::create_dir(appliance.folder.path().join("stick"))?;
    for (name, version, channel) in [
        ("druckwart-test-1.11.0", "1.11.0", "other"),
        ("druckwart-test-1.10.0", "1.10.0", "keys"),
        ("druckwart-test-1.9.0", "1.9.0", "keys"),
        ("druckwart-zero-1.12.0", "1.12.0", "keys"),
        ("latest", "1.2.0", "keys"),
    ] {
        appliance.bundle(&format!("stick/{name}.raucb"), "druckwart-test", version, channel)?;
    }
    let mut words = vec!["provision".to_owned(), "--is-running".to_owned()];
    for (option, name) in [
        ("--medium", "stick"),
        ("--state", "provision"),
        ("--run", "run"),
        ("--socket", "run/socket"),
        ("--updates", "updates"),
    ] {
        words.extend([option.to_owned(), appliance.folder.place(name)]);
    }
    let output = run("boxd", &words, "")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer = fs::read_to_string(appliance.folder.path().join("stick/agent-status.txt"))?;
    for words in [
        "druckwart-zero-1.12.0.raucb: not installed: by its name",
        "druckwart-test-1.11.0.raucb: not installed: the bundle is not whole or its signature does not hold",
        "druckwart-test-1.10.0.raucb: version 1.10.0 is installed",
    ] {
        ensure!(answer.contains(words), "{words}: {answer}");
    }
    ensure!(!answer.contains("1.9.0") && !answer.contains("latest"), "{answer}");
    let status = appliance.ask(json!({"request": "show"})).await?;
    ensure!(status["last"]["to"] == "1.10.0" && status["last"]["stage"] == "installed", "{status}");
    Ok(())
}

fn no_rauc() -> Option<String> {
    let works = |name: &str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    match (works("rauc"), works("dbus-daemon"), nix::unistd::geteuid().is_root()) {
        (true, true, true) => None,
        (false, ..) => Some("there is no rauc".to_owned()),
        (_, false, _) => Some("there is no dbus-daemon".to_owned()),
        _ => Some("RAUC mounts bundles, which only root may".to_owned()),
    }
}

#[test]
fn a_data_partition_comes_back_from_whatever_has_become_of_it() -> Result<()> {
    let folder = Folder::new()?;
    let Some(disk) = Loop::of(&folder.path().join("disk"), 48 << 20)? else {
        eprintln!("LEFT OUT: only root may attach and mount a disk");
        return Ok(());
    };
    let place = |name: &str| folder.path().join(name);
    fs::create_dir(place("run"))?;
    let id = "0123456789abcdef0123456789abcdef\n";
    let start = |device: &Path| -> Result<(Value, Mounted)> {
        fs::write(place("run/machine-id"), id)?;
        let mut words = vec!["data".to_owned(), "--device".to_owned(), device.display().to_string()];
        for (option, name) in
            [("--mount", "data"), ("--lib", "lib"), ("--run", "run"), ("--machine-id", "run/machine-id")]
        {
            words.extend([option.to_owned(), folder.place(name)]);
        }
        let mounted = Mounted(vec![place("lib"), place("data"), place("data")]);
        let output = run("boxd", &words, "")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok((serde_json::from_slice(&fs::read(place("run/data.json"))?)?, mounted))
    };
    let key = place("lib/agentd/agent.key");
    // Never used: it is made.
    let (found, mounted) = start(&disk.device)?;
    ensure!(found == json!(["made"]), "{found}");
    fs::create_dir(place("lib/agentd"))?;
    fs::write(&key, "secret")?;
    drop(mounted);
    // Used, and all is well.
    let (found, mounted) = start(&disk.device)?;
    ensure!(found == json!([]) && fs::read_to_string(&key)? == "secret", "{found}");
    ensure!(fs::read_to_string(place("lib/machine-id"))? == id);
    drop(mounted);
    // Its first block is gone: repaired, and nothing is missing.
    disk.overwrite(1024, 1024)?;
    let (found, mounted) = start(&disk.device)?;
    ensure!(found == json!(["repaired"]) && fs::read_to_string(&key)? == "secret", "{found}");
    drop(mounted);
    // It cannot be written to: the box runs with its settings, in memory.
    disk.set_read_only(true)?;
    let (found, mounted) = start(&disk.device)?;
    ensure!(found == json!(["read_only"]) && fs::read_to_string(&key)? == "secret", "{found}");
    fs::write(&key, "changed")?;
    drop(mounted);
    disk.set_read_only(false)?;
    let (_, mounted) = start(&disk.device)?;
    ensure!(fs::read_to_string(&key)? == "secret");
    // To be erased, and the power fails on the way.
    fs::create_dir_all(place("lib/boxd"))?;
    fs::write(place("lib/boxd/erase-everything"), "")?;
    drop(mounted);
    let (found, mounted) = start(&disk.device)?;
    ensure!(found == json!(["erased"]) && !key.exists() && !place("lib/boxd").exists(), "{found}");
    drop(mounted);
    disk.write(0, b"druckwart: erase this partition\n")?;
    let (found, mounted) = start(&disk.device)?;
    ensure!(found == json!(["erased"]), "{found}");
    drop(mounted);
    let (found, mounted) = start(&disk.device)?;
    ensure!(found == json!([]), "erased once: {found}");
    drop(mounted);
    // Rubbish from end to end: made anew.
    disk.overwrite(0, 48 << 20)?;
    let (found, mounted) = start(&disk.device)?;
    ensure!(found == json!([{"made_anew": {"saved": 0}}]), "{found}");
    drop(mounted);
    // None at all: memory.
    let (found, mounted) = start(Path::new("/dev/null/nothing"))?;
    ensure!(found == json!(["missing"]) && place("lib/machine-id").exists(), "{found}");
    drop(mounted);
    Ok(())
}

/// Folders on which something is mounted until this is dropped.
struct Mounted(Vec<PathBuf>);

impl Drop for Mounted {
    fn drop(&mut self) {
        for folder in &self.0 {
            // The last one is there only where memory covers a partition.
            let _ = Command::new("umount").arg(folder).output();
        }
    }
}

/// A file as a disk.
struct Loop {
    device: PathBuf,
}

impl Loop {
    fn of(file: &Path, size: u64) -> Result<Option<Self>> {
        if !nix::unistd::geteuid().is_root() {
            return Ok(None);
        }
        fs::File::create(file)?.set_len(size)?;
        let attached = Command::new("losetup").args(["--show", "--find"]).arg(file).output()?;
        let device = PathBuf::from(String::from_utf8_lossy(&attached.stdout).trim());
        Ok(attached.status.success().then_some(Self { device }))
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<()> {
        use std::os::unix::fs::FileExt as _;
        let disk = fs::OpenOptions::new().write(true).open(&self.device)?;
        disk.write_all_at(bytes, at)?;
        Ok(disk.sync_all()?)
    }

    /// Bytes that mean nothing.
    fn overwrite(&self, at: u64, length: usize) -> Result<()> {
        let mut state: u32 = 7;
        let bytes = (0..length).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        });
        self.write(at, &bytes.collect::<Vec<_>>())
    }

    fn set_read_only(&self, is_read_only: bool) -> Result<()> {
        let word = if is_read_only { "--setro" } else { "--setrw" };
        ensure!(Command::new("blockdev").arg(word).arg(&self.device).status()?.success());
        Ok(())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.device).output();
    }
}

#[test]
fn every_unit_has_as_few_rights_as_it_can() -> Result<()> {
    let mut units = Vec::new();
    for folder in [
        "appliance/agentd/service",
        "appliance/boxd/service",
        "appliance/netcfgd/service",
        "appliance/usbbridged/service",
        "buildroot-overlay/usr/lib/systemd/system",
    ] {
        let found = fs::read_dir(root().join(folder))?.flatten().map(|entry| entry.path());
        units.extend(found.filter(|path| path.extension().is_some_and(|ending| ending == "service")));
    }
    ensure!(units.len() >= 10);
    for unit in units {
        // It has to share the system's view of the mounts; its unit says so.
        let most = if unit.ends_with("boxd-data.service") { 40 } else { 30 };
        let judged = Command::new("systemd-analyze")
            .args(["security", "--offline=yes", "--no-pager", &format!("--threshold={most}")])
            .arg(&unit)
            .output()
            .context("systemd-analyze is needed")?;
        let verdict = String::from_utf8_lossy(&judged.stdout);
        ensure!(judged.status.success(), "{}: {}", unit.display(), verdict.lines().last().unwrap_or_default());
    }
    Ok(())
}
