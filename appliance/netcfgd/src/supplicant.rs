//! wpa_supplicant, which speaks 802.1X for the box: over D-Bus, so that what has to be root and more is a service of its own.
//! Passwords go there in memory; certificates and keys as files that only root reads, below the folder of the socket.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use netcfg::dot1x::{Dot1x, Proof};
use netcfg::request::Authentication;
use tokio::time::timeout;
use zbus::Connection;
use zbus::{OwnedObjectPath, Variant};

/// Longest wait for an answer; the first may have to start it.
const ORDER: Duration = Duration::from_secs(5);

#[zbus::proxy(
    interface = "fi.w1.wpa_supplicant1",
    default_service = "fi.w1.wpa_supplicant1",
    default_path = "/fi/w1/wpa_supplicant1"
)]
trait Supplicant {
    fn create_interface(&self, settings: HashMap<&str, Variant<'_>>) -> zbus::Result<OwnedObjectPath>;
    fn get_interface(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    fn remove_interface(&self, path: &OwnedObjectPath) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "fi.w1.wpa_supplicant1.Interface", default_service = "fi.w1.wpa_supplicant1")]
trait Interface {
    fn add_network(&self, settings: HashMap<&str, Variant<'_>>) -> zbus::Result<OwnedObjectPath>;
    fn select_network(&self, path: &OwnedObjectPath) -> zbus::Result<()>;
    #[zbus(property)]
    fn set_ap_scan(&self, how: u32) -> zbus::Result<()>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn state(&self) -> zbus::Result<String>;
}

/// What the box has told wpa_supplicant.
#[derive(Debug)]
pub(crate) struct Supplicant {
    folder: PathBuf,
    told: Option<(String, Dot1x)>,
    /// Whether a predecessor that was killed may have told it something else.
    is_sure: bool,
}

impl Supplicant {
    /// `folder` is for certificates and keys, and is there as long as the box takes part.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, told: None, is_sure: false }
    }

    /// Has the port authenticated so, or no longer.
    pub(crate) async fn apply(&mut self, port: &str, wanted: Option<&Dot1x>) {
        let wanted = wanted.map(|dot1x| (port.to_owned(), dot1x.clone()));
        if self.is_sure && self.told == wanted {
            return;
        }
        let had_one = self.told.is_some() || self.folder.exists();
        (self.told, self.is_sure) = (wanted, true);
        let done = match &self.told {
            Some((port, dot1x)) => timeout(ORDER, begin(&self.folder, port, dot1x)).await,
            // One that was never needed is not woken to be told so.
            None if had_one => timeout(ORDER, end(&self.folder, port)).await,
            None => return,
        };
        match done {
            Ok(Ok(())) => log::info!("wpa_supplicant knows what to say to the port"),
            Ok(Err(error)) => log::warn!("wpa_supplicant: {error:#}"),
            Err(_) => log::warn!("wpa_supplicant does not answer"),
        }
    }

    /// How it stands. One that has lost its memory is told again.
    pub(crate) async fn look(&self) -> Option<Authentication> {
        let (port, dot1x) = self.told.as_ref()?;
        if let Ok(Ok(state)) = timeout(ORDER, state(port)).await {
            return Some(if state == "completed" { Authentication::Passed } else { Authentication::Pending });
        }
        match timeout(ORDER, begin(&self.folder, port, dot1x)).await {
            Ok(Ok(())) => Some(Authentication::Pending),
            _ => Some(Authentication::Impossible),
        }
    }
}

async fn begin(folder: &Path, port: &str, dot1x: &Dot1x) -> Result<()> {
    let connection = Connection::system().await?;
    let supplicant = SupplicantProxy::new(&connection).await?;
    if let Ok(old) = supplicant.get_interface(port).await {
        supplicant.remove_interface(&old).await.context("the port cannot be taken out")?;
    }
    let port = HashMap::from([("Ifname", port.into()), ("Driver", "wired".into())]);
    let path = supplicant.create_interface(port).await.context("the port is not taken")?;
    let interface = InterfaceProxy::builder(&connection).path(&path).build().await?;
    // There is nothing to scan for on a cable.
    interface.set_ap_scan(0).await.context("it will not do without scanning")?;
    let network = interface.add_network(settings(folder, dot1x)?).await.context("the log-in is not taken")?;
    interface.select_network(&network).await.context("the log-in is not begun")
}

async fn end(folder: &Path, port: &str) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).context("its certificates cannot be removed")?;
    }
    let supplicant = SupplicantProxy::new(&Connection::system().await?).await?;
    if let Ok(path) = supplicant.get_interface(port).await {
        supplicant.remove_interface(&path).await.context("the port cannot be taken out")?;
    }
    Ok(())
}

async fn state(port: &str) -> Result<String> {
    let connection = Connection::system().await?;
    let path = SupplicantProxy::new(&connection).await?.get_interface(port).await?;
    Ok(InterfaceProxy::builder(&connection).path(&path).build().await?.state().await?)
}

/// As wpa_supplicant has it in a `network` block.
fn settings(folder: &Path, dot1x: &Dot1x) -> Result<HashMap<&'static str, Variant<'static>>> {
    if folder.exists() {
        fs::remove_dir_all(folder).context("old certificates cannot be removed")?;
    }
    fs::DirBuilder::new().mode(0o700).recursive(true).create(folder).context("no place for certificates")?;
    let keep = |name: &str, text: &str| -> Result<Variant<'static>> {
        let path = folder.join(name);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        std::io::Write::write_all(&mut file, text.as_bytes()).with_context(|| path.display().to_string())?;
        Ok(path.display().to_string().into())
    };
    let text = |text: &str| Variant::from(text.to_owned());
    let mut settings = HashMap::from([("key_mgmt", text("IEEE8021X")), ("identity", text(&dot1x.identity))]);
    if let Some(authority) = &dot1x.authority {
        settings.insert("ca_cert", keep("authority.pem", authority)?);
    }
    if let Some(server) = &dot1x.server {
        settings.insert("domain_match", text(server.as_str()));
    }
    match &dot1x.proof {
        Proof::Peap { password, anonymous } => {
            settings.insert("eap", text("PEAP"));
            settings.insert("phase2", text("auth=MSCHAPV2"));
            settings.insert("password", text(password.reveal()));
            if let Some(anonymous) = anonymous {
                settings.insert("anonymous_identity", text(anonymous));
            }
        }
        Proof::Tls { certificate, key, key_password } => {
            settings.insert("eap", text("TLS"));
            settings.insert("client_cert", keep("certificate.pem", certificate)?);
            settings.insert("private_key", keep("key.pem", key.reveal())?);
            if let Some(password) = key_password {
                settings.insert("private_key_passwd", text(password.reveal()));
            }
        }
    }
    Ok(settings)
}
