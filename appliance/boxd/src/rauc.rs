//! RAUC, over D-Bus: what the two systems on the card are, and putting a bundle into the one that does not run.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use boxcore::request::{Progress, Slot};
use boxcore::update::Bundle;
use futures_util::StreamExt as _;
use tokio::time::timeout;
use zbus::{Connection, OwnedVariant, Variant};

/// Longest wait for an answer to a question.
const QUESTION: Duration = Duration::from_secs(5);
/// Checking a bundle's signature reads a part of it from the card.
const CHECK: Duration = Duration::from_secs(60);
/// Longest installation: 64 MiB onto the slowest card.
const INSTALLATION: Duration = Duration::from_secs(30 * 60);

#[zbus::proxy(interface = "de.pengutronix.rauc.Installer", default_service = "de.pengutronix.rauc", default_path = "/")]
trait Installer {
    fn install_bundle(&self, source: &str, arguments: HashMap<&str, Variant<'_>>) -> zbus::Result<()>;
    fn info(&self, bundle: &str) -> zbus::Result<(String, String)>;
    fn mark(&self, state: &str, slot: &str) -> zbus::Result<(String, String)>;
    fn get_slot_status(&self) -> zbus::Result<Vec<(String, HashMap<String, OwnedVariant>)>>;
    fn get_primary(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn last_error(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn operation(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn progress(&self) -> zbus::Result<(i32, String, i32)>;
    #[zbus(signal)]
    fn completed(&self, result: i32) -> zbus::Result<()>;
}

async fn installer() -> Result<InstallerProxy<'static>> {
    let connection = Connection::system().await.context("there is no message bus")?;
    InstallerProxy::new(&connection).await.context("RAUC is not there")
}

async fn within<T>(limit: Duration, answer: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(limit, answer).await.context("RAUC does not answer")?
}

/// The systems on the card.
pub(crate) async fn slots() -> Result<Vec<Slot>> {
    within(QUESTION, async {
        let installer = installer().await?;
        let next = installer.get_primary().await.unwrap_or_default();
        let found = installer.get_slot_status().await.context("RAUC does not know its slots")?;
        Ok(found.into_iter().filter_map(|(name, about)| slot(name == next, &about)).collect())
    })
    .await
}

fn slot(is_next: bool, about: &HashMap<String, OwnedVariant>) -> Option<Slot> {
    let word = |key: &str| about.get(key).and_then(|value| value.downcast_ref::<String>().ok());
    Some(Slot {
        name: word("bootname")?,
        version: word("bundle.version"),
        is_running: word("state").as_deref() == Some("booted"),
        is_next,
        is_good: word("boot-status").as_deref() == Some("good"),
    })
}

/// What a bundle says of itself, once its signature was found good.
pub(crate) async fn inspect(path: &str) -> Result<Bundle> {
    within(CHECK, async {
        // RAUC's answer to a bad bundle is the same for all that can be wrong with it, and it says so in its own log only.
        let (compatible, version) = installer().await?.info(path).await.map_err(plain)?;
        Ok(Bundle { compatible, version })
    })
    .await
}

/// Puts a bundle into the system that does not run. That one is tried at the next start.
pub(crate) async fn install(path: &str) -> Result<()> {
    within(INSTALLATION, async {
        let installer = installer().await?;
        // Before it begins, so that the end is not missed.
        let mut completed = installer.receive_completed().await.context("RAUC's end cannot be waited for")?;
        installer.install_bundle(path, HashMap::new()).await.map_err(plain)?;
        let end = completed.next().await.context("RAUC has gone")?;
        match end.args().context("RAUC's answer is not understood")?.result {
            0 => Ok(()),
            _ => anyhow::bail!("{}", installer.last_error().await.unwrap_or_default().trim()),
        }
    })
    .await
}

/// Whether it is installing, for whomever.
pub(crate) async fn is_busy() -> bool {
    let asked = async { Ok(installer().await?.operation().await?) };
    within(QUESTION, asked).await.is_ok_and(|operation| operation == "installing")
}

/// How far an installation is.
pub(crate) async fn progress() -> Option<Progress> {
    let asked = async { Ok(installer().await?.progress().await?) };
    let (percent, doing, _) = within(QUESTION, asked).await.ok()?;
    Some(Progress { percent: u8::try_from(percent.clamp(0, 100)).unwrap_or_default(), doing })
}

/// Tells the boot loader about the running system: to go on with it, or to take the other one.
pub(crate) async fn mark_running(is_good: bool) -> Result<()> {
    let state = if is_good { "good" } else { "bad" };
    within(QUESTION, async {
        let (slot, message) = installer().await?.mark(state, "booted").await.map_err(plain)?;
        log::info!(slot; "{message}");
        Ok(())
    })
    .await
}

/// RAUC's own words, without the names of D-Bus around them.
fn plain(error: zbus::Error) -> anyhow::Error {
    match error {
        zbus::Error::MethodError(_, Some(words), _) if words == "rauc info error" => anyhow::anyhow!("RAUC refuses it"),
        zbus::Error::MethodError(_, Some(words), _) => anyhow::anyhow!("{words}"),
        other => other.into(),
    }
}
