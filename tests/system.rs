//! The parts against each other, as processes of their own: printers on the wire, agent, manager, and what can go wrong
//! between them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use system_tests::gate::{Behaviour, Gate};
use system_tests::house::{Folder, House, enrol, printers};
use system_tests::programs::{Daemon, run};
use system_tests::proxy::Proxy;
use system_tests::wait::{until, until_true};
use testkit::sim_site::SimSite;

/// The device that is looked for, its serial number, meter and cyan toner in the recording.
const STEM: &str = "kyocera_taskalfa-4054ci";
const SERIAL: &str = "W8M4100417";
const METER: &str = "184232";

const SITE: &[&str] = &[STEM, "hp_color-laserjet-m554", "epson_workforce-wf-c17590", "ricoh_im-c3000"];

/// A site of printers with an agent that is enrolled, under this address, at a manager that runs.
async fn houses(url: Option<&str>) -> Result<(SimSite, House, House)> {
    let site = printers(SITE).await?;
    let (mut manager, agent) = (House::manager()?, House::agent()?);
    manager.set_password()?;
    manager.start().await?;
    agent.set_password()?;
    let url = url.map_or_else(|| manager.url().to_owned(), str::to_owned);
    enrol(&agent, &manager, &url, &site)?;
    Ok((site, manager, agent))
}

fn devices_at(manager: &House) -> Result<i64> {
    manager.count("SELECT count(*) FROM device WHERE removed_at IS NULL")
}

async fn all_devices_arrive(manager: &House) -> Result<()> {
    let all = i64::try_from(SITE.len())?;
    until_true("all devices at the manager", async || Ok(devices_at(manager)? == all)).await
}

/// Lets a printer print: the next poll finds its meter moved.
fn print_pages(site: &SimSite, printer: usize, meter: u32) {
    let oid = "1.3.6.1.4.1.1347.43.10.1.1.12.1.1".parse().unwrap();
    site.with(printer, |printer| printer.set(oid, Some(testkit::oid::Value::Counter32(meter))));
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_stand_on_both_pages_with_what_they_say() -> Result<()> {
    let (_site, manager, mut agent) = houses(None).await?;
    agent.start().await?;
    all_devices_arrive(&manager).await?;
    for house in [&agent, &manager] {
        let visitor = house.visitor().await?;
        let list = visitor.open("/").await?;
        let device = visitor.open(&list.link("TASKalfa 4054ci")?).await?;
        for words in [SERIAL, "184,232", "Waste toner", "some room", "Cassette 2", "Bereit zum Drucken", "127.77."] {
            ensure!(device.says(words), "{words} is missing: {}", device.text());
        }
        for (supply, level) in [("Toner cyan", "62 %"), ("Toner magenta", "48 %"), ("Toner black", "35 %")] {
            let shown = device.level_of(supply);
            ensure!(shown.as_deref() == Some(level), "{supply}: {shown:?}");
        }
    }
    // The export of the agent has the same device with the same meter.
    let csv = agent.visitor().await?.open("/devices.csv").await?.html;
    ensure!(csv.lines().any(|line| line.contains(SERIAL) && line.contains(METER)), "{csv}");
    let csv = manager.visitor().await?.open("/devices.csv").await?.html;
    ensure!(csv.lines().any(|line| line.contains(SERIAL) && line.contains(METER)), "{csv}");
    // Both end well when a service manager ends them.
    let (mut manager, mut agent) = (manager, agent);
    ensure!(agent.stop()? && manager.stop()?, "not ended well");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_and_a_silent_device_are_told() -> Result<()> {
    let (site, manager, mut agent) = houses(None).await?;
    agent.start().await?;
    all_devices_arrive(&manager).await?;
    site.with(0, |printer| {
        // hrPrinterDetectedErrorState: doorOpen
        let state = "1.3.6.1.2.1.25.3.5.1.2.1".parse().unwrap();
        printer.set(state, Some(testkit::oid::Value::OctetString(vec![0x08])));
    });
    site.with(1, |printer| printer.set_mood(testkit::printer_sim::Mood::Silent));
    let visitor = manager.visitor().await?;
    until_true("the open door at the manager", async || {
        let list = visitor.open("/").await?;
        Ok(visitor.open(&list.link("TASKalfa 4054ci")?).await?.text().to_lowercase().contains("open"))
    })
    .await?;
    until_true("the silent device at the manager", async || {
        Ok(manager.count("SELECT count(*) FROM device WHERE silent_since IS NOT NULL")? == 1)
    })
    .await?;
    site.with(1, |printer| printer.set_mood(testkit::printer_sim::Mood::Normal));
    until_true("the device's return at the manager", async || {
        Ok(manager.count("SELECT count(*) FROM device WHERE silent_since IS NOT NULL")? == 0)
    })
    .await
}

/// What the manager has accepted is never lost, and nothing is counted twice, however both sides are cut off.
#[tokio::test(flavor = "multi_thread")]
async fn power_cuts_lose_nothing_and_double_nothing() -> Result<()> {
    let gate = Gate::open().await?;
    let (site, mut manager, mut agent) = houses(Some(&gate.url())).await?;
    gate.forward(manager.port()?);
    agent.start().await?;
    all_devices_arrive(&manager).await?;
    let reports = |manager: &House| {
        manager.ask("SELECT agent_id, epoch, sequence FROM report", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })
    };
    let mut accepted: Vec<(i64, i64, i64)> = Vec::new();
    let mut meter = 184_234;
    for round in 0..8_u32 {
        meter += 100 + round;
        print_pages(&site, 0, meter);
        let before = reports(&manager)?.len();
        // In turn: cut the agent, the manager, both; each at another moment of the work that goes on.
        match round % 4 {
            0 => agent.kill()?,
            1 => manager.kill()?,
            2 => {
                until_true("a further report", async || Ok(reports(&manager)?.len() > before)).await?;
                agent.kill()?;
            }
            _ => {
                manager.kill()?;
                agent.kill()?;
            }
        }
        let kept = reports(&manager)?;
        ensure!(accepted.iter().all(|report| kept.contains(report)), "a report was lost in round {round}");
        accepted = kept;
        if manager.said().is_empty() {
            manager.start().await?;
            gate.forward(manager.port()?);
        }
        if agent.said().is_empty() {
            agent.start().await?;
        }
    }
    let last = i64::from(meter);
    until_true("the last meter at the manager", async || {
        Ok(manager.count("SELECT max(total) FROM device WHERE serial = 'W8M4100417'")? == last)
    })
    .await?;
    let kept = reports(&manager)?;
    let mut once = kept.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), kept.len(), "a report was taken twice");
    assert_eq!(devices_at(&manager)?, i64::try_from(SITE.len())?, "a device stands there twice");
    // Meters only rise, so a value that stands twice or backwards in the history was applied twice.
    let history = manager.ask(
        "SELECT reading.value FROM counter_reading reading
         JOIN meter ON meter.id = reading.meter_id JOIN device ON device.id = meter.device_id
         WHERE device.serial = ?1 AND meter.source = '1.3.6.1.4.1.1347.43.10.1.1.12.1.1' ORDER BY reading.read_at",
        [SERIAL],
        |row| row.get::<_, i64>(0),
    )?;
    ensure!(history.windows(2).all(|pair| pair[0] < pair[1]), "{history:?}");
    until_true("an empty outbox", async || Ok(agent.count("SELECT count(*) FROM outbox")? == 0)).await
}

/// Whatever the agent meets instead of its manager: the page says what it was, reports wait, printers are read on, and
/// everything is delivered in the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_is_not_well_costs_time_only() -> Result<()> {
    let gate = Gate::open().await?;
    let (site, manager, mut agent) = houses(Some(&gate.url())).await?;
    gate.forward(manager.port()?);
    agent.start().await?;
    all_devices_arrive(&manager).await?;
    let visitor = agent.visitor().await?;
    let html = Behaviour::answer("200 OK", "Content-Type: text/html\r\n", "<h1>Welcome to the hotel</h1>");
    let redirect = Behaviour::answer("302 Found", &format!("Location: {}/agent/messages\r\n", gate.url()), "");
    let other_xml = Behaviour::answer("200 OK", "Content-Type: application/xml\r\n", "<surprise/>");
    let long = Behaviour::answer("200 OK", "Content-Type: application/xml\r\n", &" ".repeat(100_000));
    let mut meter = 200_000;
    for (behaviour, words) in [
        (Behaviour::HangUp, "not reached"),
        (Behaviour::HangUpAfterRequest, "broke"),
        (Behaviour::answer("500 Internal Server Error", "Content-Type: text/plain\r\n", "oops"), "answered 500"),
        (html, "not as a Druckwart manager"),
        (redirect, "redirects to"),
        (other_xml, "not as a Druckwart manager"),
        (long, "more than 65536 bytes"),
    ] {
        gate.play(behaviour.clone(), &manager.data())?;
        meter += 1;
        print_pages(&site, 0, meter);
        until_true(&format!("{behaviour:?}: {words}"), async || {
            let page = visitor.open("/manager").await?;
            // The button for the impatient: the agent's own pauses grow.
            visitor.fill_in(&page, "/manager/send", &[]).await?;
            Ok(visitor.open("/manager").await?.text().to_lowercase().contains(&words.to_lowercase()))
        })
        .await?;
        until_true("the meter at the agent all the same", async || {
            Ok(agent.count("SELECT total FROM device WHERE serial = 'W8M4100417'")? == i64::from(meter))
        })
        .await?;
        let list = visitor.open("/").await?;
        ensure!(list.says("TASKalfa 4054ci"), "the list of devices is gone");
    }
    ensure!(agent.count("SELECT count(*) FROM outbox")? > 0, "reports did not wait");
    gate.forward(manager.port()?);
    let page = visitor.open("/manager").await?;
    visitor.fill_in(&page, "/manager/send", &[]).await?;
    until_true("the last meter at the manager", async || {
        Ok(manager.count("SELECT max(total) FROM device WHERE serial = 'W8M4100417'")? == i64::from(meter))
    })
    .await?;
    until_true("an empty outbox", async || Ok(agent.count("SELECT count(*) FROM outbox")? == 0)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn someone_else_with_a_certificate_is_no_manager() -> Result<()> {
    let (_site, manager, mut agent) = houses(None).await?;
    let mut other = House::manager()?;
    other.start().await?;
    // The code of one manager with the address of another: the key does not fit, and the token is not given away.
    let gate = Gate::open().await?;
    gate.forward(other.port()?);
    let code = manager.command(&["agent-toml", "--customer", "A", "--site", "B", "--url", &gate.url()], "")?;
    agent.command(&["provision", "-"], &code)?;
    agent.start().await?;
    let visitor = agent.visitor().await?;
    until_true("the page names the key", async || {
        Ok(visitor.open("/manager").await?.says("its key is not the one that the enrolment code names"))
    })
    .await?;
    let page = visitor.open("/manager").await?;
    let tested = visitor.fill_in(&page, "/manager/test", &[]).await?;
    ensure!(tested.says("DNS") && tested.says("TCP") && tested.says("TLS"), "{}", tested.text());
    assert_eq!(other.count("SELECT count(*) FROM agent")?, 0);
    Ok(())
}

/// A manager whose name only the proxy knows: whatever arrives has come through it.
#[tokio::test(flavor = "multi_thread")]
async fn reports_go_through_a_proxy_that_wants_a_login() -> Result<()> {
    const PROXY_PASSWORD: &str = "nobody may read this";
    let (site, manager, mut agent) = houses(Some("https://manager.invalid:8443")).await?;
    let login = format!("office:{PROXY_PASSWORD}");
    let proxy = Proxy::open("manager.invalid:8443", manager.port()?, &login).await?;
    let toml = format!("[proxy]\nurl = \"{}\"\nuser = \"office\"\npassword = \"wrong\"\n", proxy.url());
    agent.command(&["provision", "-"], &toml)?;
    agent.start().await?;
    let visitor = agent.visitor().await?;
    until_true("the page says that the proxy wants a log-in", async || {
        Ok(visitor.open("/manager").await?.text().to_lowercase().contains("proxy auth"))
    })
    .await?;
    let page = visitor.open("/manager").await?;
    let tested = visitor.fill_in(&page, "/manager/test", &[]).await?;
    ensure!(tested.says("Proxy") && !tested.says("DNS"), "{}", tested.text());
    // The page of a machine that manages its network itself has the form too.
    let page = visitor.open("/network").await?;
    let wrong = [("address", "https://proxy.example"), ("user", "office"), ("password", PROXY_PASSWORD)];
    let refused = visitor.fill_in(&page, "/network/proxy", &wrong).await?;
    ensure!(refused.status == 422 && refused.says("is no address of a proxy"), "{}", refused.text());
    let right = [("address", proxy.url()), ("user", "office".to_owned()), ("password", PROXY_PASSWORD.to_owned())];
    let right = right.each_ref().map(|(name, value)| (*name, value.as_str()));
    let saved = visitor.fill_in(&page, "/network/proxy", &right).await?;
    ensure!(saved.status == 200 && saved.says(&proxy.url()), "{}", saved.text());
    ensure!(!saved.html.contains(PROXY_PASSWORD) && !refused.html.contains(PROXY_PASSWORD), "the password is shown");
    all_devices_arrive(&manager).await?;
    ensure!(proxy.passed() > 0, "nothing went through the proxy");
    let page = visitor.open("/manager").await?;
    ensure!(visitor.fill_in(&page, "/manager/test", &[]).await?.says("answers"), "the test does not use the proxy");
    // A password that is not typed again stays; without a proxy the manager cannot be found.
    let kept = [("address", proxy.url()), ("user", "office".to_owned()), ("password", String::new())];
    let kept = kept.each_ref().map(|(name, value)| (*name, value.as_str()));
    let page = visitor.open("/network").await?;
    visitor.fill_in(&page, "/network/proxy", &kept).await?;
    print_pages(&site, 0, 184_999);
    until_true("a report by the kept password", async || {
        Ok(manager.count("SELECT max(total) FROM device WHERE serial = 'W8M4100417'")? == 184_999)
    })
    .await?;
    let said = agent.said();
    ensure!(!said.contains(PROXY_PASSWORD) && !said.contains("b2ZmaWNlO"), "the password is in the log");
    let page = visitor.open("/network").await?;
    visitor.fill_in(&page, "/network/proxy", &[("address", "")]).await?;
    print_pages(&site, 0, 185_999);
    until_true("no way without it", async || Ok(visitor.open("/manager").await?.says("cannot be reached"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn read_and_discover_serve_scripts() -> Result<()> {
    let site = printers(SITE).await?;
    let addresses = site.addresses();
    let port = addresses[0].port().to_string();
    let first = addresses[0].ip().to_string();

    let whole = run("agentd", &["read", &first, "--port", &port], "")?;
    let text = String::from_utf8(whole.stdout)?;
    ensure!(whole.status.success() && text.contains("62 %") && text.contains(SERIAL), "{text}");

    // A list with comments, and one address where nobody lives.
    let folder = Folder::new()?;
    let mut list = "# printers\n\n".to_owned();
    addresses.iter().for_each(|address| list += &format!("{}  # one\n", address.ip()));
    list += "127.77.255.254\n";
    fs::write(folder.path().join("targets"), list)?;
    let output = run("agentd", &["read", "--targets", &folder.place("targets"), "--port", &port, "--json"], "")?;
    assert_eq!(output.status.code(), Some(1), "one was not read");
    let lines: Vec<Value> =
        String::from_utf8(output.stdout)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(lines.len(), SITE.len() + 1);
    let failed = lines.iter().find(|line| line["error"].is_string()).context("no error")?;
    ensure!(failed["error"].as_str().unwrap().contains("community may be wrong"), "{failed}");
    let kyocera = lines.iter().find(|line| line["identity"]["serial"] == SERIAL).context("not there")?;
    assert_eq!(kyocera["total"], 184_232);
    assert_eq!(kyocera["supplies"][0]["percent_left"], 62);

    let wrong = run("agentd", &["read", &first, "--port", &port, "--community", "wrong", "--snmp", "v2c"], "")?;
    assert_eq!(wrong.status.code(), Some(1));
    ensure!(String::from_utf8(wrong.stderr)?.contains("community may be wrong"));

    let range = format!("{first}/28");
    let found = run("agentd", &["discover", &range, "--port", &port, "--json", "--rate", "5000"], "")?;
    ensure!(found.status.success());
    assert_eq!(String::from_utf8(found.stdout)?.lines().count(), SITE.len());
    for (words, complaint) in [
        (&["read", "no-such-host.invalid"][..], "does not resolve"),
        (&["discover", "192.0.2.0/99"], "192.0.2.0/99"),
        (&["discover", "0.0.0.0/0"], "at most 1048576"),
        (&["read", "--targets", "/no/such/file"], "/no/such/file"),
        (&["provision", "/no/such/file"], "/no/such/file"),
    ] {
        let output = run("agentd", words, "")?;
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let said = String::from_utf8(output.stderr)?;
        ensure!(said.contains(complaint), "{words:?}: {said}");
    }
    Ok(())
}

/// net-snmp's own agent is no printer, and says so in its own words.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_of_net_snmp_is_read_and_is_no_printer() -> Result<()> {
    let folder = Folder::new()?;
    // A port that was free a moment ago: snmpd cannot be asked to choose one.
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    fs::write(
        folder.path().join("snmpd.conf"),
        "rocommunity public 127.0.0.1\nsysLocation Cellar\nsysName cellar-box\n",
    )?;
    let mut command = Command::new("/usr/sbin/snmpd");
    command.args(["-f", "-Lo", "-C", "-c", &folder.place("snmpd.conf"), "-p", &folder.place("pid")]);
    command.arg(format!("udp:127.0.0.1:{port}")).env("SNMP_PERSISTENT_DIR", folder.path());
    let _snmpd = Daemon::start(command, &folder.path().join("snmpd.log"))
        .context("snmpd is missing. On Debian: apt-get install snmpd")?;
    let port = port.to_string();
    let read: Value = until("snmpd answers", async || {
        let output = run("agentd", &["read", "127.0.0.1", "--port", &port, "--json"], "")?;
        Ok(output.status.success().then(|| serde_json::from_slice(&output.stdout)).transpose()?)
    })
    .await?;
    let identity: BTreeMap<String, Value> = serde_json::from_value(read["identity"].clone())?;
    assert_eq!(identity["location"], "Cellar");
    assert_eq!(identity["host_name"], "cellar-box");
    assert_eq!(identity["profile"], "printer-mib");
    let found = run("agentd", &["discover", "127.0.0.1", "--port", &port], "")?;
    assert_eq!(found.status.code(), Some(1), "no printer");
    ensure!(String::from_utf8(found.stderr)?.contains("1 other SNMP device"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_people_who_change_a_range_the_second_is_told() -> Result<()> {
    let mut agent = House::agent()?;
    agent.set_password()?;
    agent.command(&["provision", "-"], "[[scan]]\nrange = \"127.0.0.1\"\ncommunities = [\"s3cret\"]\n")?;
    agent.start().await?;
    let (one, other) = (agent.visitor().await?, agent.visitor().await?);
    let opened = one.open(&one.open("/discovery").await?.link("Change")?).await?;
    let action = opened.path.trim_end_matches("#range").to_owned();
    ensure!(opened.says("Change range") && !opened.html.contains("s3cret"), "{}", opened.html);
    let form = |exclusions: &'static str| {
        [
            ("range", "127.0.0.1"),
            ("exclusions", exclusions),
            ("port", "161"),
            // As browsers send a field that is left empty.
            ("communities", ""),
            ("v2c", "on"),
            ("snmp", "on"),
        ]
    };
    let at_other = other.open(&action).await?;
    let saved = one.fill_in(&opened, &action, &form("192.0.2.1")).await?;
    ensure!(saved.says("The range is changed") && saved.says("192.0.2.1"), "{}", saved.text());
    let told = other.fill_in(&at_other, &action, &form("192.0.2.2")).await?;
    ensure!(told.says("Someone else has changed this range") && told.says("192.0.2.1"), "{}", told.text());
    ensure!(told.field("exclusions").as_deref() == Some("192.0.2.2"), "what was typed has to be typed again");
    // He has seen it, and saves all the same. The communities stay, since none were typed.
    let saved = other.fill_in(&told, &action, &form("192.0.2.2")).await?;
    ensure!(saved.says("The range is changed") && saved.says("192.0.2.2"), "{}", saved.text());
    let kept = agent.ask("SELECT communities FROM scan_range", [], |row| row.get::<_, String>(0))?;
    ensure!(kept == ["s3cret"], "{kept:?}");

    let opened = one.open(&action).await?;
    let removed = one.fill_in(&opened, &format!("{action}/remove"), &[]).await?;
    ensure!(removed.says("The range is removed"), "{}", removed.text());
    let told = other.fill_in(&told, &action, &form("192.0.2.3")).await?;
    ensure!(told.says("Someone else has removed this range"), "{}", told.text());
    Ok(())
}
