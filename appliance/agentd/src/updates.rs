//! Bundles on their way to boxd: brought through the page, or fetched from an address where a release lies that the channel has
//! signed. And licences of the same channel.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use boxcore::octets;
use boxcore::request::{FileName, Request};
use boxcore::update::{LARGEST, Refusal, Wish, may_copy};
use nix::sys::statvfs::statvfs;
use reqwest::Url;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wire::channel::{ChannelError, ChannelKey, LARGEST as LARGEST_TEXT, Licence, Release};

use crate::boxd::{Boxd, BoxdError};
use crate::settings::Proxy;
use crate::uplink;

/// A bundle comes in pieces; so many may wait for the card.
const PIECES: usize = 8;
/// Longest silence of whoever sends.
const SILENCE: Duration = Duration::from_secs(60);
/// Largest key of a channel.
const LARGEST_KEY: u64 = 4 << 10;

/// Why a bundle or a text does not come.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum UpdateError {
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("{0}")]
    Boxd(#[from] BoxdError),
    #[error("the release: {0}")]
    Release(#[source] ChannelError),
    #[error("the licence: {0}")]
    Licence(#[source] ChannelError),
    #[error("this box has no key of a channel, so nothing that a channel signs can be checked")]
    NoKey,
    #[error("release {version} has no bundle for this kind of box ({board})")]
    NoBundle { version: String, board: String },
    #[error("`{0}` is no address: write https://host/path/release.toml")]
    Address(String),
    #[error("{host} does not deliver: {why}")]
    Fetch { host: String, why: String },
    #[error("what arrived is not what the release names: it was changed on the way, or is not whole")]
    Digest,
    #[error("the bundle did not arrive in full")]
    CutOff,
    #[error("the bundle cannot be kept: {0}")]
    Storage(#[source] io::Error),
    #[error("another bundle is on its way")]
    Busy,
}

/// How far a bundle is on its way.
#[derive(Debug, Clone, Default)]
pub enum OnTheWay {
    /// None is.
    #[default]
    Nothing,
    /// This many hundredths have arrived.
    Percent(u8),
    /// The last one did not come, and why.
    Failed(Arc<UpdateError>),
}

/// The way of bundles to boxd.
#[derive(Clone)]
pub struct Updates {
    boxd: Boxd,
    folder: PathBuf,
    key: Option<ChannelKey>,
    state: Arc<Mutex<OnTheWay>>,
}

impl Updates {
    /// Over this folder, for this channel.
    pub fn new(boxd: Boxd, folder: &Path, key: &Path) -> Self {
        let is_box = boxd.is_there();
        let read = || {
            let size = fs::metadata(key).ok()?.len();
            ChannelKey::parse(&fs::read_to_string(key).ok().filter(|_| size <= LARGEST_KEY)?).ok()
        };
        let found = if is_box { read() } else { None };
        if is_box && found.is_none() {
            log::warn!("{} is no key of a channel; releases and licences cannot be checked", key.display());
        }
        Self { boxd, folder: folder.to_owned(), key: found, state: Arc::default() }
    }

    /// The way to boxd.
    pub fn boxd(&self) -> &Boxd {
        &self.boxd
    }

    /// How far a bundle is on its way.
    pub fn on_the_way(&self) -> OnTheWay {
        self.state().clone()
    }

    fn state(&self) -> MutexGuard<'_, OnTheWay> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a bundle of which at most so many bytes come. One at a time.
    pub fn begin(&self, most: Option<u64>) -> Result<Arrival, UpdateError> {
        {
            let mut state = self.state();
            if matches!(*state, OnTheWay::Percent(_)) {
                return Err(UpdateError::Busy);
            }
            *state = OnTheWay::Percent(0);
        }
        let begun = self.open(most);
        if begun.is_err() {
            *self.state() = OnTheWay::Nothing;
        }
        begun
    }

    fn open(&self, most: Option<u64>) -> Result<Arrival, UpdateError> {
        let room = statvfs(&self.folder).map_err(|error| UpdateError::Storage(error.into()))?;
        // It lies there twice for a moment: here, and where only boxd can write.
        let free = octets(room.blocks_available(), room.fragment_size()) / 2;
        may_copy(most.unwrap_or_default(), free)?;
        let path = self.folder.join("arriving");
        let _ = fs::remove_file(&path);
        // boxd reads it as a member of the folder's group.
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&path);
        let mut file = opened.map_err(UpdateError::Storage)?;
        let _ = fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640));
        let (pieces, mut waiting) = mpsc::channel::<Vec<u8>>(PIECES);
        let written = tokio::task::spawn_blocking(move || {
            let mut digest = Sha256::new();
            while let Some(piece) = waiting.blocking_recv() {
                digest.update(&piece);
                file.write_all(&piece)?;
            }
            file.sync_all()?;
            Ok(digest.finalize().into())
        });
        let expected = most.unwrap_or(LARGEST);
        Ok(Arrival {
            updates: self.clone(),
            path,
            pieces: Some(pieces),
            written: Some(written),
            size: 0,
            most: free.min(LARGEST),
            expected,
        })
    }

    /// Fetches a release and its bundle, and hands that to boxd; the page shows how it goes on.
    pub fn begin_fetch(&self, address: &str, proxy: Option<Proxy>, wish: Wish) -> Result<(), UpdateError> {
        let key = self.key.clone().ok_or(UpdateError::NoKey)?;
        let url = parse_address(address)?;
        let updates = self.clone();
        tokio::spawn(async move {
            if let Err(error) = updates.fetch(&key, url, proxy.as_ref(), wish).await {
                log::warn!("no update: {error}");
                let mut state = updates.state();
                // Another one on its way goes on, and is what the page shows.
                if !matches!(*state, OnTheWay::Percent(_)) {
                    *state = OnTheWay::Failed(Arc::new(error));
                }
            }
        });
        Ok(())
    }

    async fn fetch(&self, key: &ChannelKey, url: Url, proxy: Option<&Proxy>, wish: Wish) -> Result<(), UpdateError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let broken = |error: reqwest::Error| UpdateError::Fetch { host: host.clone(), why: uplink::reason(&error) };
        let client = uplink::web_client(&url, proxy)
            .map_err(|error| UpdateError::Fetch { host: host.clone(), why: format!("{error:#}") })?;
        let get =
            async |url: Url| client.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(broken);
        let mut answer = get(url.clone()).await?;
        let mut text = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(broken)? {
            text.extend_from_slice(&piece);
            if text.len() > LARGEST_TEXT {
                return Err(UpdateError::Release(ChannelError::Size));
            }
        }
        let release = Release::parse(&text, key).map_err(UpdateError::Release)?;
        let status = self.boxd.status().await?;
        // What can be said before 30 MB are fetched is said now; boxd looks at the bundle itself.
        let running = status.version.clone();
        let bundle = release.bundles.iter().find(|bundle| bundle.board == status.board);
        let Some(bundle) = bundle else {
            return Err(UpdateError::NoBundle { version: release.version, board: status.board });
        };
        if wish != Wish::AskedAgain {
            let version = |text: &str| boxcore::update::Version::parse(text);
            match (version(&release.version), version(&running)) {
                (Ok(is), Ok(runs)) if is == runs => return Err(Refusal::Same { is: release.version }.into()),
                (Ok(is), Ok(runs)) if is < runs => return Err(Refusal::Older { is: release.version, running }.into()),
                _ => {}
            }
        }
        let place = url.join(&bundle.file).map_err(|_| UpdateError::Address(bundle.file.clone()))?;
        let mut arrival = self.begin(Some(bundle.size))?;
        let mut answer = get(place).await?;
        while let Some(piece) =
            timeout(SILENCE, answer.chunk()).await.map_err(|_| UpdateError::CutOff)?.map_err(broken)?
        {
            arrival.take(piece.to_vec()).await?;
        }
        arrival.end(Some((bundle.size, bundle.sha256)), wish).await
    }

    /// A licence that the channel has signed.
    pub fn licence(&self, text: &[u8]) -> Result<Licence, UpdateError> {
        let key = self.key.as_ref().ok_or(UpdateError::NoKey)?;
        Licence::parse(text, key).map_err(UpdateError::Licence)
    }
}

/// A bundle that is arriving. Dropped before its end, nothing of it is left.
pub struct Arrival {
    updates: Updates,
    path: PathBuf,
    pieces: Option<mpsc::Sender<Vec<u8>>>,
    written: Option<JoinHandle<io::Result<[u8; 32]>>>,
    size: u64,
    most: u64,
    expected: u64,
}

impl Arrival {
    /// The next piece.
    pub async fn take(&mut self, piece: Vec<u8>) -> Result<(), UpdateError> {
        self.size = self.size.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if self.size > LARGEST {
            return Err(Refusal::TooLarge { size: self.size }.into());
        }
        if self.size > self.most {
            return Err(Refusal::Full { free: self.most, needed: self.size }.into());
        }
        let percent = self.size.saturating_mul(100) / self.expected.max(1);
        *self.updates.state() = OnTheWay::Percent(u8::try_from(percent.min(100)).unwrap_or_default());
        if let Some(pieces) = &self.pieces
            && pieces.send(piece).await.is_ok()
        {
            return Ok(());
        }
        // Whoever writes has given up, and says why.
        self.settle().await.map(|_| ())
    }

    async fn settle(&mut self) -> Result<[u8; 32], UpdateError> {
        self.pieces = None;
        let written = self.written.take().ok_or(UpdateError::CutOff)?;
        match written.await.map_err(|_| UpdateError::CutOff)? {
            Ok(digest) => Ok(digest),
            Err(error) if error.kind() == ErrorKind::StorageFull => {
                Err(Refusal::Full { free: 0, needed: self.size }.into())
            }
            Err(error) => Err(UpdateError::Storage(error)),
        }
    }

    /// All has arrived: checks that it is what was named, and hands it to boxd.
    pub async fn end(mut self, named: Option<(u64, [u8; 32])>, wish: Wish) -> Result<(), UpdateError> {
        let digest = self.settle().await?;
        if named.is_some_and(|named| named != (self.size, digest)) {
            return Err(UpdateError::Digest);
        }
        let file = FileName::parse("arrived.raucb").ok_or(UpdateError::CutOff)?;
        fs::rename(&self.path, self.updates.folder.join(file.as_str())).map_err(UpdateError::Storage)?;
        self.updates.boxd.ask(&Request::Install { file, wish }).await?;
        Ok(())
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        *self.updates.state() = OnTheWay::Nothing;
    }
}

fn parse_address(text: &str) -> Result<Url, UpdateError> {
    let wrong = || UpdateError::Address(text.chars().take(200).collect());
    let url = Url::parse(text.trim()).map_err(|_| wrong())?;
    // Over plain HTTP too: what comes is signed, and boxes without a way out fetch from a server in the house.
    let good = matches!(url.scheme(), "https" | "http") && url.has_host() && url.username().is_empty();
    if good { Ok(url) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_the_web() {
        assert!(parse_address(" https://updates.example/release.toml ").is_ok());
        assert!(parse_address("http://192.0.2.7:8080/r.toml").is_ok());
        for text in ["", "release.toml", "file:///etc/shadow", "ftp://x/y", "https://u:p@x/"] {
            assert!(matches!(parse_address(text), Err(UpdateError::Address(_))), "{text}");
        }
    }

    #[tokio::test]
    async fn what_does_not_arrive_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let updates = Updates::new(Boxd::at(Path::new("/nowhere/socket")), folder.path(), Path::new("/nowhere/key"));
        let is_empty = || fs::read_dir(folder.path()).unwrap().next().is_none();
        let mut arrival = updates.begin(None).unwrap();
        arrival.take(b"part".to_vec()).await.unwrap();
        assert!(matches!(updates.begin(None), Err(UpdateError::Busy)));
        drop(arrival);
        assert!(is_empty());
        let mut arrival = updates.begin(Some(4)).unwrap();
        arrival.take(b"part".to_vec()).await.unwrap();
        assert!(matches!(arrival.end(Some((4, [0; 32])), Wish::Asked).await, Err(UpdateError::Digest)));
        assert!(is_empty());
        assert!(matches!(updates.begin(Some(LARGEST + 1)), Err(UpdateError::Refused(Refusal::TooLarge { .. }))));
        assert!(matches!(updates.begin_fetch("http://192.0.2.7/r.toml", None, Wish::Asked), Err(UpdateError::NoKey)));
    }
}
