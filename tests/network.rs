//! The box in a customer's network, with a real systemd-networkd and a real DHCP server: good changes are kept, everything
//! else is taken back, and whoever dies at whatever moment, the box answers at a published address.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use anyhow::{Context as _, Result, ensure};
use netcfg::action::{STEPS, STEPS_WITH_A_MIDDLE, WAITS};
use netcfg::config::Form;
use netcfg::disk::Origin;
use netcfg::request::{Answer, Authentication, Ending, Event, Request, Stage};
use netcfg::secret::Secret;
use system_tests::browser::{Browser, PHONE};
use system_tests::house::PASSWORD;
use system_tests::lan::{Lan, PAGES, PORT, ROUTER, side_by_side, why_not};
use system_tests::visitor::Visitor;
use system_tests::wait::{until, until_true};
use system_tests::wrong_networks::{self, fixed};

const WANTED: &str = "192.168.77.50";

/// Whether there can be a network here; says why not.
fn can_run() -> bool {
    let why_not = why_not();
    if let Some(why) = &why_not {
        eprintln!("LEFT OUT: {why}");
    }
    why_not.is_none()
}

/// A box that has a lease and answers there.
async fn lan_with_lease() -> Result<(Lan, String)> {
    let mut lan = Lan::new()?;
    lan.unit.power_on().await?;
    let lease = lan.unit.lease().await?;
    lan.answers(&lease).await?;
    // The last that a start does: from here on nothing is laid out anew that nobody has asked for.
    own_address(&lan).await?;
    Ok((lan, lease))
}

fn wanted() -> Form {
    fixed(&format!("{WANTED}/24"), ROUTER)
}

async fn attempt(lan: &Lan) -> Result<()> {
    let answer = lan.unit.attempt(&wanted(), false).await?;
    ensure!(answer == Answer::Done {}, "{answer:?}");
    Ok(())
}

/// A change to the wanted address as it should be, up to the end of the old one.
async fn change(lan: &Lan) -> Result<()> {
    attempt(lan).await?;
    let nonce = lan.unit.awaits().await?;
    lan.answers(WANTED).await?;
    let answer = lan.unit.confirm(&nonce, WANTED.parse()?).await?;
    ensure!(answer == Answer::Done {}, "{answer:?}");
    ensure!(lan.unit.ends().await? == Ending::Committed);
    lan.answers(WANTED).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_change_is_kept_and_survives_a_power_cut() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let (mut lan, lease) = lan_with_lease().await?;
    change(&lan).await?;
    let gone = |status: &netcfg::request::Status| {
        status.link.as_ref()?.addresses.iter().all(|one| one.address.to_string() != lease).then_some(())
    };
    lan.unit.becomes("the old address gone", gone).await?;
    // A damaged file leads to the one before it, which here is DHCP; both damaged, to DHCP and a word of it.
    lan.unit.power_cut().await?;
    lan.answers(WANTED).await?;
    std::fs::write(lan.unit.state().join("committed.toml"), [0; 512])?;
    lan.unit.power_cut().await?;
    let lease = lan.unit.lease().await?;
    lan.answers(&lease).await?;
    ensure!(lan.unit.status().await?.origin == Origin::Rescue, "there was no configuration before the first one");
    // The other way, beside the fixed address.
    let stick = lan.unit.place("stick");
    std::fs::create_dir(&stick)?;
    let toml =
        format!("[network]\r\nmode = \"static\"\r\naddress = \"192.168.77.70/24\"\r\ngateway = \"{ROUTER}\"\r\n");
    std::fs::write(stick.join("agent.toml"), toml)?;
    lan.unit.kill_netcfgd()?;
    lan.unit.start_netcfgd(&["--stick", stick.to_str().context("a place")?]).await?;
    lan.answers("192.168.77.70").await?;
    ensure!(std::fs::read_to_string(stick.join("agent-status.txt"))?.contains("applied"));
    let dhcp = Form { mode: "dhcp".into(), ..Form::default() };
    ensure!(lan.unit.attempt(&dhcp, false).await? == Answer::Done {});
    let nonce = lan.unit.awaits().await?;
    let lease = lan.unit.lease().await?;
    lan.answers("192.168.77.70").await?;
    lan.answers(&lease).await?;
    ensure!(lan.unit.confirm(&nonce, lease.parse()?).await? == Answer::Done {});
    ensure!(lan.unit.ends().await? == Ending::Committed);
    lan.answers(&lease).await
}

#[test]
fn no_wrong_configuration_locks_anyone_out() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let rows = wrong_networks::all()?;
    ensure!(rows.len() >= 40, "only {} were tried", rows.len());
    for row in rows {
        println!("{:>6.1} s  {:<10} {}", row.took.as_secs_f32(), row.ending, row.name);
    }
    Ok(())
}

/// Everywhere that netcfgd can be killed: before, within and after whatever it does, and in all that it waits in. A number is
/// for a later time: the first layout is that of its start, the second adds the box's own address, the third is the trial's.
fn points() -> Vec<String> {
    let around = STEPS.iter().flat_map(|step| [format!("{step}.before"), format!("{step}.after")]);
    let within = STEPS_WITH_A_MIDDLE.iter().map(|step| format!("{step}.within"));
    let waits = WAITS.iter().map(|wait| format!("{wait}.waiting"));
    let later =
        ["apply.within+1", "apply.before+2", "apply.within+2", "apply.after+2", "apply.within+3"].map(str::to_owned);
    around.chain(within).chain(waits).chain(later).collect()
}

#[test]
fn netcfgd_may_be_killed_at_every_step() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    side_by_side(points(), |point| async move { killed_at(&point).await.with_context(|| format!("killed at {point}")) })
        .map(drop)
}

async fn killed_at(point: &str) -> Result<()> {
    let (mut lan, lease) = lan_with_lease().await?;
    let (step, _) = point.split_once('.').context("a point")?;
    let aborting = ["--abort-at", point];
    let plan = Request::Try { form: wanted(), force: false, at_start: true, by: String::new() };
    match step {
        "settle" => {
            lan.unit.kill_networkd()?;
            lan.unit.kill_netcfgd()?;
            lan.unit.start_netcfgd(&aborting).await?;
        }
        "verify" => {
            // Somebody has taken the address away, and systemd-networkd does not mind.
            change(&lan).await?;
            lan.unit.kill_netcfgd()?;
            // It may be just about to lay the address out again.
            let delete = format!("ip addr del {WANTED}/24 dev {PORT}");
            until("the address is gone", async || Ok(lan.unit.host.run(&delete).ok().map(drop))).await?;
            lan.unit.start_netcfgd(&aborting).await?;
        }
        "activate" | "plug" => {
            plan_it(&lan, &plan).await?;
            lan.unit.power_off()?;
            lan.set_cable(step != "plug")?;
            lan.unit.power_on_with(&aborting).await?;
        }
        _ => {
            lan.unit.kill_netcfgd()?;
            lan.unit.start_netcfgd(&aborting).await?;
        }
    }
    // It may end at any of these orders; then the others have nobody to go to.
    let orders = async {
        match step {
            "replace" => drop(lan.unit.ask_when_free(&Request::Reset {}).await?),
            "plan" | "withdraw" => {
                lan.unit.ask_when_free(&plan).await?;
                lan.unit.ask_when_free(&Request::Cancel { by: String::new() }).await?;
            }
            _ => {
                if point.contains('+') {
                    until("its own address, or its end", async || {
                        let addresses = lan.unit.status().await?.link.map(|link| link.addresses).unwrap_or_default();
                        Ok(addresses.iter().any(|one| one.address.to_string().starts_with("169.254.")).then_some(()))
                    })
                    .await?;
                }
                attempt(&lan).await?;
                let nonce = lan.unit.awaits_or_ends().await?;
                match step {
                    "discard" => lan.unit.ask(&Request::Cancel { by: String::new() }).await?,
                    _ => lan.unit.confirm(&nonce, WANTED.parse()?).await?,
                };
                if point.contains('+') {
                    // Where its own address is found free at once, the start and that address are one layout: one more is needed.
                    until("the end of the change, or of netcfgd", async || {
                        Ok(lan.unit.status().await?.trial.is_none().then_some(()))
                    })
                    .await?;
                    lan.unit.ask_when_free(&Request::Reset {}).await?;
                }
            }
        }
        Ok::<(), anyhow::Error>(())
    };
    drop(orders.await);
    let said = lan.unit.netcfgd_ends().await?;
    ensure!(said.contains("as was asked"), "it did not end where it should: {said}");
    let committed = std::fs::read_to_string(lan.unit.state().join("committed.toml")).unwrap_or_default();
    let was_committed = committed.contains("\"static\"");
    if step == "settle" {
        lan.unit.start_networkd()?;
    }
    // Whatever it left, it is started again, as a service manager does; and someone answers before that where the network was up.
    if point.contains('+') {
        // Which of both depends on how many layouts went before.
        lan.answers_at(&[WANTED, &lease]).await?;
    } else if !matches!(step, "verify" | "activate" | "plug") {
        lan.answers(&lease).await?;
    }
    lan.unit.start_netcfgd(&[]).await?;
    lan.set_cable(true)?;
    let is_kept = match point.contains('+') {
        // How many layouts go before the trial's depends on when its own address has been found free.
        true => was_committed,
        false => matches!(point, "commit.after" | "linger.waiting" | "verify.waiting"),
    };
    let expected = if is_kept { "static" } else { "dhcp" };
    // What is still planned was not begun: it is, now.
    let is_still_planned = point == "activate.before";
    if is_still_planned {
        lan.unit.awaits().await?;
        ensure!(lan.unit.ask(&Request::Cancel { by: String::new() }).await? == Answer::Done {});
    }
    lan.unit
        .becomes("the right configuration", |status| {
            (status.trial.is_none() && status.committed.mode == expected).then_some(())
        })
        .await?;
    if is_kept {
        lan.answers(WANTED).await?;
    } else {
        let lease = lan.unit.lease().await?;
        lan.answers(&lease).await?;
    }
    ensure!(!lan.unit.state().join("pending.toml").exists(), "something is still pending");
    let is_planned = lan.unit.status().await?.planned.is_some();
    ensure!(is_planned == matches!(point, "plan.after" | "withdraw.before"), "planned: {is_planned}");
    Ok(())
}

#[test]
fn others_may_be_killed_and_cables_pulled() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    side_by_side(
        vec![
            "networkd is killed",
            "the cable is pulled",
            "the power fails",
            "DHCP is late",
            "agentd is killed",
            "leases",
            "a VLAN",
            "a planned move",
            "802.1X",
            "its own address is taken",
            "a browser",
        ],
        |story| async move {
            let ended = match story {
                "leases" => leases_are_renewed_and_subnets_change().await,
                "a VLAN" => a_vlan_is_tried_and_kept().await,
                "a planned move" => a_planned_move_is_tried_at_the_next_start().await,
                "802.1X" => the_port_asks_who_the_box_is().await,
                "its own address is taken" => its_own_address_is_taken().await,
                "a browser" => a_person_changes_the_address_in_a_browser().await,
                "networkd is killed" => networkd_is_killed().await,
                "the cable is pulled" => the_cable_is_pulled().await,
                "agentd is killed" => the_page_is_worked_and_agentd_killed().await,
                "the power fails" => power_fails_in_the_trial().await,
                _ => dhcp_comes_late().await,
            };
            ended.context(story)
        },
    )
    .map(drop)
}

async fn networkd_is_killed() -> Result<()> {
    let (mut lan, lease) = lan_with_lease().await?;
    attempt(&lan).await?;
    let nonce = lan.unit.awaits().await?;
    lan.unit.kill_networkd()?;
    // Both addresses stay without it, and with its successor.
    lan.answers(&lease).await?;
    lan.answers(WANTED).await?;
    lan.unit.start_networkd()?;
    lan.answers(&lease).await?;
    lan.answers(WANTED).await?;
    ensure!(lan.unit.confirm(&nonce, WANTED.parse()?).await? == Answer::Done {});
    // The old address goes away while nobody is there to take it away; its successor does.
    lan.unit.kill_networkd()?;
    lan.answers(WANTED).await?;
    ensure!(lan.unit.ends().await? == Ending::Committed);
    lan.unit.start_networkd()?;
    lan.answers(WANTED).await?;
    let gone = |status: &netcfg::request::Status| {
        status.link.as_ref()?.addresses.iter().all(|one| one.address.to_string() != lease).then_some(())
    };
    lan.unit.becomes("the old address gone", gone).await
}

async fn the_cable_is_pulled() -> Result<()> {
    let (lan, lease) = lan_with_lease().await?;
    attempt(&lan).await?;
    lan.unit.awaits().await?;
    lan.set_cable(false)?;
    ensure!(lan.unit.ends().await? == Ending::NotConfirmed);
    lan.set_cable(true)?;
    lan.answers(&lease).await?;
    let trials = lan.unit.addresses()?.contains(WANTED);
    ensure!(!trials, "the address that was tried is still there");
    Ok(())
}

/// The page as a technician works it: a wrong field, a trial, agentd killed in it, and the link to the new address.
async fn the_page_is_worked_and_agentd_killed() -> Result<()> {
    let (mut lan, lease) = lan_with_lease().await?;
    lan.unit.start_agentd().await?;
    let (pages, at) = (format!("https://{lease}:{PAGES}"), lease.clone());
    let link = lan.technician.within(move || async move {
        let visitor = Visitor::new(&pages)?;
        visitor.log_in(PASSWORD).await?;
        let page = visitor.open("/network").await?;
        ensure!(page.says(&at) && page.says("automatic (DHCP)"), "{}", page.text());
        let typed = |address| {
            [("mode", "static"), ("address", address), ("prefix", "24"), ("gateway", ROUTER), ("dns", ROUTER)]
        };
        let wrong = visitor.fill_in(&page, "/network", &typed("192.168.77.0")).await?;
        ensure!(wrong.status == 422 && wrong.says("is the subnet itself"), "{}", wrong.text());
        // After a start, the committed configuration is being applied.
        until("the form is taken", async || {
            let answer = visitor.fill_in(&page, "/network", &typed(WANTED)).await?;
            Ok((!answer.says("is still bringing up its network")).then_some(()))
        })
        .await?;
        until("the link", async || Ok(visitor.open("/network").await?.link(WANTED).ok())).await
    })?;
    let path = link.strip_prefix(&format!("http://{WANTED}:{PAGES}")).context(link.clone())?.to_owned();
    lan.unit.kill_agentd()?;
    lan.unit.start_agentd().await?;
    let (elsewhere, there) = (format!("http://{lease}:{PAGES}"), format!("http://{WANTED}:{PAGES}"));
    lan.technician.within(move || async move {
        let page = Visitor::new(&elsewhere)?.get(&path).await?;
        ensure!(page.status == 409 && page.says("not its new address"), "{}", page.text());
        let page = Visitor::new(&there)?.get("/network/confirm?trial=GUESS").await?;
        ensure!(page.status == 409, "{}", page.text());
        let sent_on = Visitor::new(&there)?.get("/network").await.map(|page| page.path);
        ensure!(
            sent_on.is_err_and(|error| error.to_string().contains("https://")),
            "only the confirmation goes without TLS"
        );
        let page = Visitor::new(&there)?.open(&path).await?;
        ensure!(page.says("The change is kept"), "{}", page.text());
        Ok(())
    })?;
    ensure!(lan.unit.ends().await? == Ending::Committed);
    lan.answers(WANTED).await?;
    // Who did what, from where, and what came of it.
    let there = format!("https://{WANTED}:{PAGES}");
    lan.technician.within(move || async move {
        let visitor = Visitor::new(&there)?;
        visitor.log_in(PASSWORD).await?;
        let page = visitor.open("/network/log").await?;
        let who = format!("admin ({})", system_tests::lan::TECHNICIAN);
        ensure!(page.says(&format!("Tried: {WANTED}/24")) && page.says(&who), "{}", page.text());
        ensure!(page.says(&format!("The change is kept: {WANTED}/24")), "{}", page.text());
        Ok(())
    })
}

/// The page as a person works it: by clicks, on a screen and on a phone, in both languages, with script and without.
async fn a_person_changes_the_address_in_a_browser() -> Result<()> {
    let (mut lan, lease) = lan_with_lease().await?;
    lan.unit.start_agentd().await?;
    let pages = format!("https://{lease}:{PAGES}");
    let (from, to) = (lease.clone(), format!("https://{WANTED}:{PAGES}"));
    lan.technician.within(move || async move {
        let browser = Browser::open().await?;
        browser.go(&format!("{pages}/network")).await?;
        log_in(&browser, "User", "Password", "Log in").await?;
        browser.go(&format!("{pages}/network")).await?;
        browser.sees("automatic (DHCP)").await?;
        for words in [from.as_str(), "169.254.", "Hardware address", ".local", "Lease"] {
            browser.sees(words).await?;
        }
        for (language, more) in
            [("de", "Mehr: Name, Zeit, VLAN, IPv6, 802.1X"), ("en", "More: name, time, VLAN, IPv6, 802.1X")]
        {
            browser.go(&format!("{pages}/network?lang={language}")).await?;
            browser.click(more).await?;
            browser.click_on("//label[contains(., '(EAP-TLS)')]").await?;
            fits_a_phone(&browser).await.with_context(|| language.to_owned())?;
        }
        // The lease is offered for keeping, with all that belongs to it.
        browser.go(&format!("{pages}/network")).await?;
        browser.click("Make this address permanent").await?;
        ensure!(browser.value("IPv4 address").await? == from && browser.value("Gateway").await? == ROUTER);
        browser.fill("IPv4 address", "192.168.77.255").await?;
        browser.click("Try").await?;
        browser.sees("is the broadcast address of the subnet").await?;
        browser.fill("IPv4 address", WANTED).await?;
        browser.click("Try").await?;
        browser.sees("The change is being tried").await?;
        // The page asks at the new address by itself, which confirms, and goes there; its certificate is trusted here.
        until_true("the browser is at the new address", async || Ok(browser.url().await?.starts_with(&to))).await?;
        log_in(&browser, "User", "Password", "Log in").await?;
        browser.go(&format!("{to}/network")).await?;
        browser.sees("The change is kept").await?;
        drop(browser);

        let browser = Browser::open_without_script().await?;
        browser.go(&format!("{to}/network?lang=de")).await?;
        log_in(&browser, "Benutzer", "Passwort", "Anmelden").await?;
        browser.go(&format!("{to}/network?lang=de")).await?;
        browser.click("Mehr: Name, Zeit, VLAN, IPv6, 802.1X").await?;
        browser.fill("VLAN", "5000").await?;
        browser.click("Ausprobieren").await?;
        browser.sees("ist keine Zahl von 1 bis 4094").await?;
        browser.fill("VLAN", "").await?;
        browser.fill("IPv4-Adresse", "192.168.77.51").await?;
        until_true("the trial, and its link", async || {
            // As a person who reads that it takes a moment.
            if browser.text().await.unwrap_or_default().contains("noch einmal")
                || browser.text().await.unwrap_or_default().contains("markierten Felder")
            {
                browser.click("Ausprobieren").await?;
            }
            Ok(browser.text().await.unwrap_or_default().contains("192.168.77.51")
                && browser.text().await.unwrap_or_default().contains("Das Gerät antwortet nun auch"))
        })
        .await?;
        browser.click("192.168.77.51").await?;
        // Which language was chosen stays at the old address; there it is the browser's own.
        browser.sees("The change is kept").await
    })?;
    lan.answers("192.168.77.51").await
}

async fn log_in(browser: &Browser, user: &str, password: &str, button: &str) -> Result<()> {
    browser.fill(user, "admin").await?;
    browser.fill(password, PASSWORD).await?;
    browser.click(button).await?;
    until_true("logged in", async || Ok(!browser.url().await?.contains("/login"))).await
}

async fn fits_a_phone(browser: &Browser) -> Result<()> {
    browser.resize(PHONE, 740, 1.0).await?;
    let width = browser.evaluate("document.scrollingElement.scrollWidth").await?;
    ensure!(width.as_u64() <= Some(PHONE.into()), "{width} wide");
    browser.resize(1280, 900, 1.0).await
}

async fn power_fails_in_the_trial() -> Result<()> {
    let (mut lan, _) = lan_with_lease().await?;
    attempt(&lan).await?;
    lan.unit.awaits().await?;
    lan.unit.power_cut().await?;
    let lease = lan.unit.lease().await?;
    lan.answers(&lease).await?;
    let ending = lan.unit.becomes("it says so", |status| status.last.as_ref().map(|last| last.ending.clone())).await?;
    ensure!(ending == Ending::Restarted, "{ending:?}");
    Ok(())
}

/// The address that the box gives itself, which answers beside every other.
async fn own_address(lan: &Lan) -> Result<String> {
    lan.unit
        .becomes("an address of its own", |status| {
            let mut addresses = status.link.iter().flat_map(|link| &link.addresses).map(|one| one.address.to_string());
            addresses.find(|address| address.starts_with("169.254."))
        })
        .await
}

async fn leases_are_renewed_and_subnets_change() -> Result<()> {
    let (mut lan, lease) = lan_with_lease().await?;
    lan.technician_takes("169.254.77.77/16")?;
    lan.answers(&own_address(&lan).await?).await?;
    let left = |status: &netcfg::request::Status| status.link.as_ref()?.lease.as_ref()?.seconds_left;
    let mut before = lan.unit.becomes("the time of the lease", left).await?;
    until("the lease is renewed", async || {
        let now = lan.unit.status().await.ok().as_ref().and_then(left).unwrap_or_default();
        let is_renewed = now > before + 5;
        before = now;
        Ok(is_renewed.then_some(()))
    })
    .await?;
    ensure!(lan.unit.lease().await? == lease, "it has another address");
    // The network gets other addresses: the server refuses the old one and gives one of the other subnet.
    lan.stop_dhcp()?;
    lan.add_subnet("192.168.80")?;
    lan.start_dhcp_in("192.168.80")?;
    let moved = lan
        .unit
        .becomes("a lease in the other subnet", |status| {
            let lease = status.link.as_ref()?.lease.as_ref()?.address.to_string();
            lease.starts_with("192.168.80.").then_some(lease)
        })
        .await?;
    lan.answers(&moved).await?;
    lan.answers(&own_address(&lan).await?).await
}

async fn its_own_address_is_taken() -> Result<()> {
    let mut lan = Lan::new()?;
    let mac = lan.unit.host.run(&format!("cat /sys/class/net/{PORT}/address"))?;
    let octets: Vec<u8> = mac.trim().split(':').map(|part| u8::from_str_radix(part, 16)).collect::<Result<_, _>>()?;
    let first = netcfg::link_local::address(octets.try_into().ok().context("no hardware address")?, 0).to_string();
    lan.add_host(&[&format!("{first}/16")])?;
    lan.unit.power_on().await?;
    let own = own_address(&lan).await?;
    ensure!(own != first, "it took the address of another host");
    lan.technician_takes("169.254.77.77/16")?;
    lan.answers(&own).await
}

async fn a_vlan_is_tried_and_kept() -> Result<()> {
    const IN_VLAN: &str = "192.168.79.50";
    let (mut lan, lease) = lan_with_lease().await?;
    if let Err(error) = lan.add_vlan(7, "192.168.79") {
        let why = error.to_string();
        ensure!(why.contains("Unknown device type"), "{why}");
        eprintln!("LEFT OUT: this machine's kernel has no VLANs");
        return Ok(());
    }
    lan.technician_takes("169.254.77.77/16")?;
    let own = own_address(&lan).await?;
    let form = Form { vlan: "7".into(), ..fixed(&format!("{IN_VLAN}/24"), "192.168.79.1") };
    // Without force: the gateway is asked in the VLAN, and answers there.
    ensure!(lan.unit.attempt(&form, false).await? == Answer::Done {});
    lan.unit.awaits().await?;
    lan.answers(IN_VLAN).await?;
    ensure!(lan.unit.ask(&Request::Cancel { by: String::new() }).await? == Answer::Done {});
    lan.answers(&lease).await?;
    ensure!(lan.unit.attempt(&form, false).await? == Answer::Done {});
    let nonce = lan.unit.awaits().await?;
    ensure!(lan.unit.confirm(&nonce, IN_VLAN.parse()?).await? == Answer::Done {});
    ensure!(lan.unit.ends().await? == Ending::Committed);
    lan.unit.power_cut().await?;
    lan.answers(IN_VLAN).await?;
    // On the port itself the box is found as ever.
    lan.answers(&own).await?;
    let dhcp = Form { mode: "dhcp".into(), ..Form::default() };
    ensure!(lan.unit.attempt(&dhcp, false).await? == Answer::Done {});
    let nonce = lan.unit.awaits().await?;
    let lease = lan.unit.lease().await?;
    ensure!(lan.unit.confirm(&nonce, lease.parse()?).await? == Answer::Done {});
    ensure!(lan.unit.ends().await? == Ending::Committed);
    lan.answers(&lease).await?;
    let gone = |status: &netcfg::request::Status| {
        status.link.as_ref()?.addresses.iter().all(|one| one.vlan.is_none()).then_some(())
    };
    lan.unit.becomes("nothing left in the VLAN", gone).await
}

/// Plans a change, and waits until it is on disk.
async fn plan_it(lan: &Lan, plan: &Request) -> Result<()> {
    ensure!(lan.unit.ask_when_free(plan).await? == Answer::Done {});
    lan.unit.becomes("a plan", |status| status.planned.is_some().then_some(())).await
}

async fn a_planned_move_is_tried_at_the_next_start() -> Result<()> {
    const THERE: &str = "192.168.78.50";
    let (mut lan, lease) = lan_with_lease().await?;
    lan.add_subnet("192.168.78")?;
    let form = fixed(&format!("{THERE}/24"), "192.168.78.1");
    let plan = Request::Try { form, force: false, at_start: true, by: "a technician".into() };
    plan_it(&lan, &plan).await?;
    // netcfgd starts, the machine does not.
    lan.unit.kill_netcfgd()?;
    lan.unit.start_netcfgd(&[]).await?;
    lan.answers(&lease).await?;
    let status = lan.unit.status().await?;
    ensure!(status.planned.is_some() && status.trial.is_none(), "{status:?}");
    lan.unit.power_cut().await?;
    let nonce = lan.unit.awaits().await?;
    lan.answers(THERE).await?;
    ensure!(lan.unit.confirm(&nonce, lease.parse()?).await? != Answer::Done {}, "confirmed by another address");
    // It is tried once.
    lan.unit.power_cut().await?;
    let lease = lan.unit.lease().await?;
    lan.answers(&lease).await?;
    plan_it(&lan, &plan).await?;
    lan.unit.power_cut().await?;
    let nonce = lan.unit.awaits().await?;
    lan.answers(THERE).await?;
    ensure!(lan.unit.confirm(&nonce, THERE.parse()?).await? == Answer::Done {});
    ensure!(lan.unit.ends().await? == Ending::Committed);
    lan.unit.power_cut().await?;
    lan.answers(THERE).await?;
    let changes = lan.unit.status().await?.changes;
    let events: Vec<_> = changes.into_iter().rev().map(|change| (change.event, change.by)).collect();
    let nobody = String::new;
    let technician = || "a technician".to_owned();
    ensure!(
        events
            == [
                (Event::Planned, technician()),
                (Event::Activated, nobody()),
                (Event::Ended(Ending::Restarted), nobody()),
                (Event::Planned, technician()),
                (Event::Activated, nobody()),
                (Event::Ended(Ending::Committed), nobody()),
            ],
        "{events:?}"
    );
    Ok(())
}

async fn the_port_asks_who_the_box_is() -> Result<()> {
    const SECRET: &str = "not to be read in a log";
    let (mut lan, lease) = lan_with_lease().await?;
    lan.start_authenticator("office", SECRET)?;
    lan.unit.start_supplicant()?;
    let peap = |password: &str| Form {
        mode: "dhcp".into(),
        dot1x: "peap".into(),
        dot1x_identity: "office".into(),
        dot1x_password: Secret::new(password),
        dot1x_authority: lan.pem("authority.pem").unwrap_or_default(),
        dot1x_server: "radius.example".into(),
        ..Form::default()
    };
    let (wrong, right) = (peap("wrong"), peap(SECRET));
    let tls = Form {
        dot1x: "tls".into(),
        dot1x_identity: "box.example".into(),
        dot1x_password: Secret::default(),
        dot1x_certificate: lan.pem("box.example.pem")?,
        dot1x_key: Secret::new(lan.pem("box.example.key")?),
        ..right.clone()
    };
    let is_asked =
        |state| move |status: &netcfg::request::Status| (status.link.as_ref()?.dot1x == Some(state)).then_some(());
    // Not let in: it never comes to be confirmed, and goes back.
    ensure!(lan.unit.attempt(&wrong, false).await? == Answer::Done {});
    lan.unit.becomes("the port does not let it in", is_asked(Authentication::Pending)).await?;
    ensure!(lan.unit.ends().await? == Ending::NotApplied);
    lan.answers(&lease).await?;
    ensure!(lan.unit.status().await?.link.context("no port")?.dot1x.is_none(), "it still takes part");
    for form in [right, tls] {
        ensure!(lan.unit.attempt(&form, false).await? == Answer::Done {});
        let nonce = lan.unit.awaits().await?;
        lan.unit.becomes("the port lets it in", is_asked(Authentication::Passed)).await?;
        let lease = lan.unit.lease().await?;
        ensure!(lan.unit.confirm(&nonce, lease.parse()?).await? == Answer::Done {});
        ensure!(lan.unit.ends().await? == Ending::Committed);
        lan.unit.power_off()?;
        lan.unit.power_on().await?;
        lan.unit.start_supplicant()?;
        lan.unit.becomes("the port lets it in after a power cut", is_asked(Authentication::Passed)).await?;
        lan.answers(&lease).await?;
    }
    let said = lan.unit.said();
    ensure!(!said.contains(SECRET) && !said.contains("PRIVATE KEY"), "a secret is in the log");
    let log = std::fs::read_to_string(lan.unit.state().join("changes.jsonl"))?;
    ensure!(!log.contains(SECRET) && !log.contains("BEGIN"), "a secret is in the log of changes");
    Ok(())
}

/// Without DHCP the box is found at its automatic address, and a lease that comes later is taken.
async fn dhcp_comes_late() -> Result<()> {
    let mut lan = Lan::without_dhcp()?;
    lan.unit.power_on().await?;
    let automatic = own_address(&lan).await?;
    lan.technician_takes("169.254.77.77/16")?;
    lan.answers(&automatic).await?;
    lan.start_dhcp()?;
    let lease = lan.unit.lease().await?;
    lan.answers(&lease).await?;
    change(&lan).await?;
    // Twice the shortest lease passes in the tests beside this one; here the fixed address needs none.
    lan.stop_dhcp()?;
    lan.answers(WANTED).await?;
    ensure!(lan.unit.ask(&Request::Reset {}).await? == Answer::Done {});
    lan.start_dhcp()?;
    let lease = lan.unit.lease().await?;
    lan.answers(&lease).await?;
    let stage = lan.unit.status().await?.trial.map(|trial| trial.stage);
    ensure!(stage != Some(Stage::Awaiting), "a reset is no trial");
    Ok(())
}
