//! Devices that change, from the simulated printer through the agent to the manager's page: swapped addresses, swapped
//! mainboards, a counter that goes backwards; decided at the agent and at the manager.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::mem;

use anyhow::{Context as _, Result, ensure};
use system_tests::house::{House, enrol, printers};
use system_tests::visitor::{Page, Visitor};
use system_tests::wait::{until, until_true};
use testkit::oid::Value;
use testkit::printer_sim::Printer;
use testkit::sim_site::SimSite;

const KYOCERA: usize = 0;
const HP: usize = 1;
const RICOH: usize = 2;
const SITE: &[&str] = &["kyocera_taskalfa-4054ci", "hp_color-laserjet-m554", "ricoh_im-c3000"];

const ENGINE: &str = "1.3.6.1.2.1.43.10.2.1.4.1.1";
/// Where the maker of the first device keeps its meter.
const ITS_METER: &str = "1.3.6.1.4.1.1347.43.10.1.1.12.1.1";
const CARD: &str = "1.3.6.1.2.1.2.2.1.6.1";

fn set(printer: &mut Printer, oid: &str, value: Value) {
    printer.set(oid.parse().unwrap(), Some(value));
}

fn text(text: &str) -> Value {
    Value::OctetString(text.as_bytes().to_vec())
}

/// Gives another value to every object that has this one: makers keep the same thing in several places.
fn replace(printer: &mut Printer, before: &Value, after: &Value) {
    let same = |value: &Value| match (value.octets(), value.number()) {
        (Some(octets), _) => before.octets() == Some(octets),
        (_, Some(number)) => before.number() == Some(number),
        _ => false,
    };
    let places: Vec<_> = printer.rows().iter().filter(|(_, value)| same(value)).map(|(oid, _)| oid.clone()).collect();
    for place in places {
        printer.set(place, Some(after.clone()));
    }
}

/// Another mainboard: another serial number and network card, and a total that begins anew. The name in the network is kept.
fn swap_board(printer: &mut Printer, serial: (&str, &str), card: u8, total: (u32, u32)) {
    replace(printer, &text(serial.0), &text(serial.1));
    replace(printer, &Value::Counter32(total.0), &Value::Counter32(total.1));
    set(printer, CARD, Value::OctetString(vec![0, 0x17, 0xc8, 1, 1, card]));
}

/// A site, its manager and its agent, with a visitor of each.
struct Scene {
    site: SimSite,
    manager: House,
    agent: House,
    at_manager: Visitor,
    at_agent: Visitor,
}

impl Scene {
    async fn new() -> Result<Self> {
        let site = printers(SITE).await?;
        let (mut manager, mut agent) = (House::manager()?, House::agent()?);
        manager.set_password()?;
        manager.start().await?;
        agent.set_password()?;
        enrol(&agent, &manager, manager.url(), &site)?;
        agent.start().await?;
        let (at_manager, at_agent) = (manager.visitor().await?, agent.visitor().await?);
        let scene = Self { site, manager, agent, at_manager, at_agent };
        until_true("all devices at the manager", async || Ok(scene.devices()? == 3)).await?;
        Ok(scene)
    }

    fn devices(&self) -> Result<i64> {
        self.manager.count("SELECT count(*) FROM device WHERE removed_at IS NULL")
    }

    /// The manager's number of the device that says this serial number, once there is one.
    async fn row(&self, serial: &str) -> Result<i64> {
        until(&format!("{serial} at the manager"), async || {
            let rows = self.manager.ask("SELECT id FROM device WHERE serial = ?1", [serial], |row| row.get(0))?;
            Ok(rows.first().copied())
        })
        .await
    }

    async fn page(&self, device: i64) -> Result<Page> {
        self.at_manager.open(&format!("/devices/{device}")).await
    }

    /// Waits until the page of a device at the manager says something.
    async fn says(&self, device: i64, words: &str) -> Result<()> {
        until_true(&format!("{words} on the page"), async || Ok(self.page(device).await?.says(words))).await
    }

    fn breaks(&self) -> Result<i64> {
        self.manager.count("SELECT count(*) FROM counter_reading WHERE remark IN ('backwards', 'jumped')")
    }
}

/// The number of the first question of a kind on a page, from where its button leads.
fn question(page: &Page, path: &str) -> Result<String> {
    let (_, rest) = page.html.split_once(path).with_context(|| format!("no {path}: {}", page.text()))?;
    Ok(rest.chars().take_while(char::is_ascii_digit).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_that_swap_addresses_go_on_as_themselves() -> Result<()> {
    let scene = Scene::new().await?;
    let (kyocera, hp) = (scene.row("W8M4100417").await?, scene.row("CNCRP4K0M7").await?);
    scene.site.with(KYOCERA, |one| scene.site.with(HP, |other| mem::swap(one, other)));
    let addresses = scene.site.addresses();
    for (device, before, after) in [(kyocera, KYOCERA, HP), (hp, HP, KYOCERA)] {
        let (before, after) = (addresses[before], addresses[after]);
        scene.says(device, &format!("Address changed from {before} to {after}")).await?;
        scene.says(device, &after.ip().to_string()).await?;
    }
    assert_eq!((scene.devices()?, scene.breaks()?), (3, 0));
    let page = scene.at_manager.open("/questions").await?;
    ensure!(page.says("Nothing to decide"), "{}", page.text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swapped_mainboard_is_one_device_when_a_person_says_so() -> Result<()> {
    let scene = Scene::new().await?;
    // At the agent: one click, and the manager has one device with the history of both.
    let kyocera = scene.row("W8M4100417").await?;
    scene.site.with(KYOCERA, |printer| swap_board(printer, ("W8M4100417", "NEWBOARD01"), 1, (184_232, 12)));
    let newer = scene.row("NEWBOARD01").await?;
    assert_eq!(scene.devices()?, 4, "two, until someone decides");
    scene.says(newer, "the mainboard was swapped, or the device").await?;
    let list = scene.at_manager.open("/").await?;
    ensure!(list.says("There is something to decide"), "{}", list.text());
    let page = scene.at_agent.open("/").await?;
    let number = question(&page, "/question/")?;
    scene.at_agent.fill_in(&page, &format!("/question/{number}/same"), &[]).await?;
    scene.says(kyocera, "NEWBOARD01").await?;
    scene.says(kyocera, "Decided by admin: the same device").await?;
    assert_eq!(scene.devices()?, 3);
    let total = "SELECT r.value FROM counter_reading r JOIN meter m ON m.id = r.meter_id
                 WHERE m.device_id = ?1 AND m.source = ?2 ORDER BY r.read_at";
    let history = || scene.manager.ask(total, rusqlite::params![kyocera, ITS_METER], |row| row.get::<_, i64>(0));
    let values = history()?;
    ensure!(values.starts_with(&[184_232]) && values.contains(&12), "{values:?}");
    // The meter broke: what is billed is decided at the manager.
    let page = scene.at_manager.open("/questions").await?;
    ensure!(page.says("184,232") && page.says("12"), "{}", page.text());
    let number = question(&page, "/questions/meters/")?;
    scene.at_manager.fill_in(&page, &format!("/questions/meters/{number}/bill"), &[]).await?;
    scene.site.with(KYOCERA, |printer| set(printer, ITS_METER, Value::Counter32(17)));
    until_true("the meter goes on", async || Ok(history()?.last() == Some(&17))).await?;

    // At the manager: the agent does not know of it, and goes on asking and telling of two.
    let ricoh = scene.row("3100R910227").await?;
    scene.site.with(RICOH, |printer| swap_board(printer, ("3100R910227", "NEWBOARD02"), 2, (310_244, 34)));
    let newer = scene.row("NEWBOARD02").await?;
    scene.says(newer, "the mainboard was swapped, or the device").await?;
    let page = scene.at_manager.open("/questions").await?;
    let number = question(&page, "/questions/devices/")?;
    let page = scene.at_manager.fill_in(&page, &format!("/questions/devices/{number}/same"), &[]).await?;
    ensure!(page.path == format!("/devices/{ricoh}") && page.says("NEWBOARD02"), "{}: {}", page.path, page.text());
    assert_eq!((scene.devices()?, scene.agent.count("SELECT count(*) FROM device")?), (3, 4));
    scene.site.with(RICOH, |printer| replace(printer, &Value::Counter32(34), &Value::Counter32(35)));
    until_true("the device goes on", async || {
        let total = scene.manager.ask("SELECT total FROM device WHERE id = ?1", [ricoh], |row| row.get::<_, i64>(0))?;
        Ok(total == [35])
    })
    .await?;
    assert_eq!(scene.devices()?, 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_goes_backwards_is_shown_and_billed_by_decision_only() -> Result<()> {
    let scene = Scene::new().await?;
    let hp = scene.row("CNCRP4K0M7").await?;
    scene.site.with(HP, |printer| set(printer, ENGINE, Value::Counter32(5)));
    scene.says(hp, "Counters went backwards, new meters begin").await?;
    let page = scene.at_manager.open("/questions").await?;
    let number = question(&page, "/questions/meters/")?;
    let page = scene.at_manager.fill_in(&page, &format!("/questions/meters/{number}/leave"), &[]).await?;
    ensure!(page.says("Nothing to decide") && page.says("Decided."), "{}", page.text());
    assert_eq!(scene.devices()?, 3);
    Ok(())
}
