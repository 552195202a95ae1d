//! The pages of agent and manager in a real browser (headless Chromium), worked by clicks and typing as a person would.
//!
//! One story on one site, because each step needs what the one before it has done: first visit, search, enrolment, a device on
//! both sides; then what holds for every page.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use system_tests::{
    browser::{Browser, PHONE},
    house::{House, PASSWORD, printers},
    usb_sim::UsbSim,
};
use testkit::sim_site::SimSite;

/// The device that is looked for, and the level of its cyan toner in the recording: 12,400 of 20,000 impressions.
const DEVICE: &str = "Kyocera TASKalfa 4054ci";
const CYAN: &str = "62 %";
/// On either device page: how much is left of a supply, by the supply's name.
const CYAN_LEVEL: &str = "//*[@class='supply'][.//*[@class='name'][contains(., 'yan')]]//*[contains(@class, 'level')]";
/// A field's complaint, on every page.
const ALERT: &str = "//*[@role='alert']";

#[tokio::test(flavor = "multi_thread")]
async fn a_person_can_work_with_the_pages() -> Result<()> {
    let browser = Browser::open().await?;
    let site = printers(&["kyocera_taskalfa-4054ci", "hp_laserjet-mfp-m428", "epson_cw-c6500"]).await?;
    let (mut manager, mut agent) = (House::manager()?, House::agent()?);
    manager.start().await?;
    agent.start().await?;

    for house in [&agent, &manager] {
        first_visit(&browser, house).await.context("first visit")?;
        log_in(&browser, house).await.context("log-in")?;
    }
    search(&browser, &agent, &site).await.context("search")?;
    see_device(&browser, &agent).await.context("the device at the agent")?;
    enrol(&browser, &manager, &agent).await.context("enrolment")?;
    see_device(&browser, &manager).await.context("the device at the manager")?;
    for house in [&agent, &manager] {
        change_language(&browser, house).await.context("language")?;
    }
    assert_eq!(browser.complaints().await?, [""; 0], "what Chromium's console says");

    for house in [&agent, &manager] {
        every_page_fits_a_phone(&browser, house).await.context("pages on a phone")?;
    }
    assert_eq!(browser.complaints().await?, [""; 0], "what Chromium's console says");

    let browser = Browser::open_without_script().await?;
    browser.go("data:text/html,<noscript>no script here</noscript>").await?;
    browser.sees("no script here").await?;
    for house in [&agent, &manager] {
        browser.go(house.url()).await?;
        type_password(&browser, PASSWORD).await.context("log-in without script")?;
        // Going on at once could cut the request short.
        browser.sees("Log out").await?;
        see_device(&browser, house).await.context("the device without script")?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn usb_printers_are_worked_by_clicks() -> Result<()> {
    let mut sim = UsbSim::start()?;
    let mut agent = House::agent()?.with_options(&sim.options());
    agent.set_password()?;
    agent.start().await?;
    let browser = Browser::open().await?;
    browser.go(agent.url()).await?;
    type_password(&browser, PASSWORD).await?;
    browser.click("USB printers").await?;
    browser.sees("No printer has been plugged in yet").await?;

    // The page stays fresh by itself; what the printer says is behind its name once it has been read.
    sim.order("plug 0")?;
    browser.sees("A1-4711").await?;
    browser.click("Read now").await?;
    browser.sees("The USB printers are being read").await?;
    browser.click("Acme Office 10").await?;
    browser.sees("4,711").await?;
    work_usb_page(&browser, &agent, "Reception").await?;

    // One that can not be asked says so.
    sim.order("plug 1")?;
    browser.go(&format!("{}/usb", agent.url())).await?;
    browser.sees("Lists no PJL").await?;
    for language in ["de", "en"] {
        browser.go(&format!("{}/usb?lang={language}", agent.url())).await?;
        fits_a_phone(&browser).await?;
    }
    assert_eq!(browser.complaints().await?, [""; 0], "what Chromium's console says");

    // Pulled out it stays on the page until it is forgotten.
    sim.order("unplug 1")?;
    browser.sees("Not connected").await?;
    browser.click("Forget").await?;
    browser.sees("Port 9419 is free").await?;
    ensure!(!browser.text().await?.contains("Photo 5"), "it is not forgotten");

    let browser = Browser::open_without_script().await?;
    browser.go(agent.url()).await?;
    type_password(&browser, PASSWORD).await?;
    browser.sees_at(&format!("{}/usb", agent.url()), "Reception").await?;
    work_usb_page(&browser, &agent, "Front desk").await.context("without script")
}

/// Names the printer of port 9418, lets it print and no more, and says who may connect.
async fn work_usb_page(browser: &Browser, agent: &House, name: &str) -> Result<()> {
    browser.go(&format!("{}/usb", agent.url())).await?;
    browser.click("Name it …").await?;
    browser.fill("Name", name).await?;
    browser.click("Save").await?;
    browser.sees("The name is saved").await?;
    ensure!(browser.text_of("//main//h2").await? == name, "the name does not stand above the printer");

    browser.click("Switch printing on …").await?;
    browser.sees("every byte sent to port 9418 reaches the printer").await?;
    fits_a_phone(browser).await?;
    browser.click("Yes, switch printing on").await?;
    browser.sees("Port 9418 prints.").await?;
    browser.click("Switch printing off").await?;
    browser.sees("Port 9418 passes questions only.").await?;

    const NETWORKS: &str = "Addresses and networks";
    const SAVE_NETWORKS: &str = "//form[.//textarea]//button";
    browser.fill(NETWORKS, "everybody").await?;
    browser.click_on(SAVE_NETWORKS).await?;
    browser.sees("`everybody` is neither an address nor a network").await?;
    ensure!(browser.text_of(ALERT).await?.contains("everybody"), "the complaint is not marked as one");
    ensure!(browser.value(NETWORKS).await? == "everybody", "the list has to be typed again");
    refused(browser).await?;
    browser.fill(NETWORKS, "192.0.2.0/24").await?;
    browser.click_on(SAVE_NETWORKS).await?;
    browser.sees("The list is saved").await
}

async fn first_visit(browser: &Browser, house: &House) -> Result<()> {
    browser.go(house.url()).await?;
    browser.sees("Nobody has been here before").await?;
    fits_a_phone(browser).await?;
    for (password, again, complaint) in [
        ("druckwart2026", "druckwart2026", "among the first that an attacker tries"),
        (PASSWORD, "correct horse battery stable", "The two passwords differ"),
    ] {
        browser.fill("New password", password).await?;
        browser.fill("The same again", again).await?;
        browser.click("Set password and begin").await?;
        browser.sees(complaint).await?;
        ensure!(browser.text_of(ALERT).await?.contains(complaint), "the complaint is not marked as one");
        refused(browser).await?;
    }
    browser.fill("New password", PASSWORD).await?;
    browser.fill("The same again", PASSWORD).await?;
    browser.click("Set password and begin").await?;
    browser.sees("No devices yet").await
}

async fn log_in(browser: &Browser, house: &House) -> Result<()> {
    browser.click("Log out").await?;
    // Going on at once could cut the request short.
    browser.sees("Log in").await?;
    browser.go(house.url()).await?;
    fits_a_phone(browser).await?;
    type_password(browser, "wrong horse battery").await?;
    browser.sees("User or password is wrong").await?;
    ensure!(browser.value("User").await? == "admin", "the user's name has to be typed again");
    refused(browser).await?;
    type_password(browser, PASSWORD).await?;
    browser.sees("No devices yet").await
}

async fn type_password(browser: &Browser, password: &str) -> Result<()> {
    browser.fill("User", "admin").await?;
    browser.fill("Password", password).await?;
    browser.click("Log in").await
}

/// Tells the agent where its printers are; first wrongly.
async fn search(browser: &Browser, agent: &House, site: &SimSite) -> Result<()> {
    let addresses = site.addresses();
    let (first, last) = (addresses.first().unwrap(), addresses.last().unwrap());
    let range = format!("{}-{}", first.ip(), last.ip().octets()[3]);
    browser.go(agent.url()).await?;
    browser.click("Set up the search").await?;
    browser.fill("Range", "300.1.1.1/8").await?;
    browser.fill("Port", &first.port().to_string()).await?;
    browser.fill("Communities", "first\nsecond").await?;
    browser.click("Add range").await?;
    browser.sees("300.1.1.1").await?;
    ensure!(browser.text_of(ALERT).await?.contains("300.1.1.1/8"), "the complaint does not name the range");
    refused(browser).await?;
    for (label, typed) in
        [("Range", "300.1.1.1/8"), ("Port", &first.port().to_string()), ("Communities", "first\nsecond")]
    {
        ensure!(browser.value(label).await? == typed, "{label} has to be typed again");
    }
    browser.fill("Range", &range).await?;
    browser.fill("Communities", "public").await?;
    browser.click("Add range").await?;
    browser.sees("The range is added").await?;
    browser.click("Change").await?;
    browser.sees("Change range").await?;
    fits_a_phone(browser).await?;
    browser.fill("Without", "192.0.2.1").await?;
    browser.click_on("//form[.//input[@name='revision']]//button").await?;
    browser.sees("The range is changed").await?;
    // The page stays fresh by itself.
    browser.sees("3 devices are watched").await?;
    browser.fill("Report changes", "5").await?;
    browser.click("Save").await?;
    browser.sees("Saved.").await
}

/// From the list to the device, whose toner level is known.
async fn see_device(browser: &Browser, house: &House) -> Result<()> {
    browser.sees_at(house.url(), DEVICE).await?;
    browser.click(DEVICE).await?;
    browser.sees("W8M4100417").await?;
    let level = browser.text_of(CYAN_LEVEL).await?;
    ensure!(level == CYAN, "cyan toner: {level}");
    Ok(())
}

/// The whole enrolment by clicks: customer, site and code at the manager; address and code at the agent.
async fn enrol(browser: &Browser, manager: &House, agent: &House) -> Result<()> {
    browser.go(manager.url()).await?;
    browser.click("Create a customer").await?;
    browser.fill("New customer", "Muster & Sohn").await?;
    browser.click("Create").await?;
    browser.sees("The customer is created").await?;
    browser.fill("New site", "Head office").await?;
    browser.click("Create").await?;
    browser.sees("The site is created").await?;
    if browser.text_of("//h1").await? != "Head office" {
        browser.click("Head office").await?;
    }
    browser.click("Make enrolment code").await?;
    browser.sees("This code is shown once").await?;
    let (url, code) = (browser.value("Address of this manager").await?, browser.value("Enrolment code").await?);
    fits_a_phone(browser).await?;

    browser.go(agent.url()).await?;
    browser.click("Manager").await?;
    browser.fill("Address of the manager", &url).await?;
    browser.fill("Enrolment code", &code[..code.len() - 1]).await?;
    browser.click("Save and register").await?;
    browser.sees("This is no enrolment code").await?;
    refused(browser).await?;
    browser.fill("Enrolment code", &code).await?;
    browser.click("Save and register").await?;
    // The page stays fresh by itself.
    browser.sees("Muster & Sohn / Head office").await?;
    browser.sees("Connected").await?;
    browser.click("Test").await?;
    browser.sees("Test of the connection").await?;
    browser.click("Show the last report").await?;
    // As XML, in which maker and model stand apart.
    browser.sees("<Model>").await
}

async fn change_language(browser: &Browser, house: &House) -> Result<()> {
    see_device(browser, house).await?;
    for (choice, lang, words) in [("Deutsch", "de", "Zähler"), ("English", "en", "Counters")] {
        browser.click(choice).await?;
        browser.sees(words).await?;
        ensure!(browser.evaluate("document.documentElement.lang").await? == lang, "the page is not in {choice}");
        // It is remembered, also where the address does not say it.
        browser.go(house.url()).await?;
        ensure!(browser.evaluate("document.documentElement.lang").await? == lang, "{choice} is forgotten");
        browser.click(DEVICE).await?;
        browser.sees(words).await?;
    }
    Ok(())
}

/// Follows every link of a site and looks at each page in both languages.
async fn every_page_fits_a_phone(browser: &Browser, house: &House) -> Result<()> {
    browser.resize(PHONE, 740, 1.0).await?;
    let (mut waiting, mut seen) = (BTreeSet::from(["/".to_owned()]), BTreeSet::new());
    let mut faults = BTreeMap::new();
    while let Some(path) = waiting.pop_first() {
        for language in ["de", "en"] {
            browser.go(&format!("{}{path}?lang={language}", house.url())).await?;
            if let Err(fault) = has_the_width_of_a_phone(browser).await {
                faults.insert(format!("{path} {language}"), fault.to_string());
            }
        }
        let links = browser.evaluate("[...document.links].filter(a => !a.download).map(a => a.href)").await?;
        seen.insert(path);
        for link in links.as_array().into_iter().flatten().filter_map(|link| link.as_str()) {
            let Some(path) = link.strip_prefix(house.url()) else { continue };
            let path = path.split(['?', '#']).next().unwrap_or_default();
            if !path.ends_with(".csv") && !seen.contains(path) {
                waiting.insert(path.to_owned());
            }
        }
    }
    // Nothing is gained by a look at no pages.
    ensure!(seen.contains("/account"), "/account was not found among {seen:?}");
    ensure!(seen.len() >= 7, "only {seen:?} were found");
    assert_eq!(faults, BTreeMap::new());
    browser.resize(1280, 900, 1.0).await
}

/// The page that is open, looked at on a phone.
async fn fits_a_phone(browser: &Browser) -> Result<()> {
    browser.resize(PHONE, 740, 1.0).await?;
    has_the_width_of_a_phone(browser).await?;
    browser.resize(1280, 900, 1.0).await
}

async fn has_the_width_of_a_phone(browser: &Browser) -> Result<()> {
    let width = browser.evaluate("innerWidth").await?;
    ensure!(width == PHONE, "the window is {width} wide");
    let content = browser.evaluate("document.scrollingElement.scrollWidth").await?;
    let too_wide = browser
        .evaluate(
            "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)\
             .map(e => e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40)).slice(0, 5)",
        )
        .await?;
    ensure!(content.as_u64() <= Some(PHONE.into()), "{content} wide: {too_wide}");
    Ok(())
}

/// Forgets what the console says of a form that was refused, which is its status and nothing else.
async fn refused(browser: &Browser) -> Result<()> {
    let complaints = browser.complaints().await?;
    let others: Vec<_> =
        complaints.iter().filter(|complaint| !complaint.contains("responded with a status of 4")).collect();
    ensure!(others.is_empty(), "the console says {others:?}");
    Ok(())
}
