//! The socket: one connection, one line, one answer. Who asks is looked at before what is asked.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use boxcore::request::{Answer, LONGEST_LINE, Request, encode};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::daemon::World;

/// Connections at once; more wait in the system's queue.
const CONNECTIONS: usize = 8;
/// Time for a connection to say what it wants and take its answer.
const PATIENCE: Duration = Duration::from_secs(20);

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
    let listener = UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
    // Everyone may connect; who is let in is decided by user, below.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).context("the socket's permissions")?;
    Ok(listener)
}

/// Takes connections for ever.
pub(crate) async fn serve(listener: UnixListener, allowed_user: Option<u32>, world: Arc<World>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                log::warn!("cannot accept a connection: {error}");
                sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == 0 || Some(peer.uid()) == allowed_user => {
                let world = world.clone();
                tokio::spawn(async move {
                    if timeout(PATIENCE, answer(stream, &world)).await.is_err() {
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

async fn answer(mut stream: UnixStream, world: &Arc<World>) {
    let mut line = Vec::new();
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader).take(LONGEST_LINE as u64);
    if reader.read_until(b'\n', &mut line).await.is_err() {
        return;
    }
    let answer = match Request::decode(&line) {
        Ok(request) => world.answer(request).await,
        Err(error) => Answer::Refused { why: error.to_string() },
    };
    let _ = writer.write_all(encode(&answer).as_bytes()).await;
}

/// Asks a running boxd.
pub(crate) async fn ask(path: &Path, request: &Request) -> Result<Answer> {
    let exchange = async {
        let mut stream = UnixStream::connect(path).await?;
        stream.write_all(encode(request).as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(LONGEST_LINE as u64).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = timeout(PATIENCE, exchange).await.context("boxd does not answer")?.context("boxd is not there")?;
    serde_json::from_slice(&answer).context("boxd's answer is not understood")
}
