//! Takes the README's pictures from a demo that runs. Arguments: agent's address, manager's address, password, folder.

use std::env;
use std::path::Path;

use anyhow::{Context as _, Result};
use system_tests::browser::Browser;

/// The device that is shown.
const DEVICE: &str = "Kyocera TASKalfa 4054ci";

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [agent, manager, password, folder] = arguments.as_slice() else {
        anyhow::bail!("wants the agent's address, the manager's address, the password and a folder");
    };
    let folder = Path::new(folder);
    let browser = Browser::open().await?;
    browser.prefer_light().await?;
    for (url, list, device) in [(agent, "agent-devices", "agent-device"), (manager, "manager-fleet", "manager-device")]
    {
        browser.go(url).await?;
        browser.fill("User", "admin").await?;
        browser.fill("Password", password).await?;
        browser.click("Log in").await?;
        browser.sees(DEVICE).await?;
        take(&browser, folder, list).await?;
        browser.click(DEVICE).await?;
        browser.sees("Supplies").await?;
        take(&browser, folder, device).await?;
    }
    browser.resize(390, 844, 1.5).await?;
    browser.go(agent).await?;
    browser.click(DEVICE).await?;
    browser.sees("Supplies").await?;
    take(&browser, folder, "agent-phone").await
}

async fn take(browser: &Browser, folder: &Path, name: &str) -> Result<()> {
    let path = folder.join(name).with_extension("png");
    std::fs::write(&path, browser.picture().await?).with_context(|| format!("{} cannot be written", path.display()))
}
