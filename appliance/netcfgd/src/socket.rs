//! The socket: one connection, one line, one answer. Who asks is looked at before what is asked.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use netcfg::request::{Answer, LONGEST_LINE, Refusal, Request, encode};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

/// Connections at once; more wait in the system's queue.
const CONNECTIONS: usize = 16;
/// Time for a connection to say what it wants and take its answer. The keeper may be waiting for systemd-networkd meanwhile.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request and where its answer goes.
pub(crate) type Asked = (Request, oneshot::Sender<Answer>);

/// Opens the socket, in place of one that a killed predecessor left.
pub(crate) fn open(path: &Path) -> Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            fs::remove_file(path).with_context(|| format!("{} is in the way", path.display()))?
        }
        Ok(_) => bail!("{} is in the way and no socket", path.display()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let listener = UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
    // Everyone may connect; who is let in is decided by user, below.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).context("the socket's permissions")?;
    Ok(listener)
}

/// Takes connections for ever.
pub(crate) async fn serve(listener: UnixListener, allowed_user: Option<u32>, asked: mpsc::Sender<Asked>) {
    let permits = std::sync::Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                log::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == 0 || Some(peer.uid()) == allowed_user => {
                let asked = asked.clone();
                tokio::spawn(async move {
                    if timeout(PATIENCE, answer(stream, asked)).await.is_err() {
                        log::debug!("a connection was too slow");
                    }
                    drop(permit);
                });
            }
            Ok(peer) => log::warn!("user {} may not ask and was sent away", peer.uid()),
            Err(error) => log::warn!("someone whose user is not known was sent away: {error}"),
        }
    }
}

async fn answer(mut stream: UnixStream, asked: mpsc::Sender<Asked>) {
    let mut line = Vec::new();
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader).take(LONGEST_LINE as u64);
    if reader.read_until(b'\n', &mut line).await.is_err() {
        return;
    }
    let answer = match Request::decode(&line) {
        Ok(request) => {
            let (sender, receiver) = oneshot::channel();
            if asked.send((request, sender)).await.is_err() {
                return;
            }
            let Ok(answer) = receiver.await else { return };
            answer
        }
        Err(error) => Answer::Refused { why: Refusal::NotUnderstood(error.to_string()) },
    };
    let _ = writer.write_all(encode(&answer).as_bytes()).await;
}
