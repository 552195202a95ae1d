//! Control sockets of the box's daemons: one connection, one line of JSON, one answer. Who asks is told by the kernel, before what
//! is asked is looked at. What may be asked stands in the daemon's own vocabulary, not here.

use std::fs;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// What a daemon puts up with.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections at once; more wait in the system's queue.
    pub connections: usize,
    /// Longest request, in octets.
    pub longest_line: usize,
    /// Time for a connection to say what it wants and take its answer.
    pub patience: Duration,
}

/// Opens a socket, in place of one that a killed predecessor left.
///
/// # Errors
/// What the system says, with the path; `AlreadyExists` where something that is no socket is in the way.
pub fn listen(path: &Path) -> std::io::Result<UnixListener> {
    let told = |error: Error| Error::new(error.kind(), format!("{}: {error}", path.display()));
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path).map_err(told)?,
        Ok(_) => return Err(told(Error::new(ErrorKind::AlreadyExists, "something that is no socket is in the way"))),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(told(error)),
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(told)?;
    }
    let listener = UnixListener::bind(path).map_err(told)?;
    // Everyone may connect; who is let in is decided by user.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).map_err(told)?;
    Ok(listener)
}

/// Takes connections for ever, from root and one more user. Who has no answer, because of `None`, is left alone.
pub async fn serve<F, Answered, A>(listener: UnixListener, allowed_user: Option<u32>, bounds: Bounds, answer: F)
where
    F: Fn(Vec<u8>) -> Answered + Clone + Send + 'static,
    Answered: Future<Output = Option<A>> + Send,
    A: Serialize + Send,
{
    let permits = Arc::new(Semaphore::new(bounds.connections));
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
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
                let answer = answer.clone();
                tokio::spawn(async move {
                    match timeout(bounds.patience, answer_one(stream, bounds.longest_line, answer)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => log::debug!("a connection broke off: {error}"),
                        Err(_) => log::debug!("a connection was too slow"),
                    }
                    drop(permit);
                });
            }
            Ok(peer) => log::warn!("user {} may not ask and was sent away", peer.uid()),
            Err(error) => log::warn!("someone whose user is not known was sent away: {error}"),
        }
    }
}

async fn answer_one<Answered, A>(
    mut stream: UnixStream,
    longest_line: usize,
    answer: impl Fn(Vec<u8>) -> Answered,
) -> std::io::Result<()>
where
    Answered: Future<Output = Option<A>>,
    A: Serialize,
{
    let mut line = Vec::new();
    let (reader, mut writer) = stream.split();
    BufReader::new(reader.take(longest_line as u64)).read_until(b'\n', &mut line).await?;
    match answer(line).await {
        Some(answer) => writer.write_all(&encode(&answer)?).await,
        None => Ok(()),
    }
}

fn encode(message: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// Why there is no answer. Each names the daemon.
#[derive(Debug, Error)]
pub enum AskError {
    /// Nobody has made the socket.
    #[error("there is no {0} on this machine")]
    Absent(&'static str),
    /// It does not answer in time, or not at all.
    #[error("{0} does not answer")]
    Silent(&'static str, #[source] Error),
    /// It hangs up: this user may not ask.
    #[error("{0} sends this user away")]
    SentAway(&'static str),
    /// The answer is none that this program knows.
    #[error("what {0} answers is not understood")]
    NotUnderstood(&'static str),
}

/// The way to a daemon.
#[derive(Debug, Clone)]
pub struct Client {
    name: &'static str,
    socket: PathBuf,
    longest_line: usize,
    patience: Duration,
}

impl Client {
    /// To the daemon of this name, at a socket that need not be there, with the longest answer in octets and the longest wait.
    pub fn new(name: &'static str, socket: &Path, longest_line: usize, patience: Duration) -> Self {
        Self { name, socket: socket.to_owned(), longest_line, patience }
    }

    /// Where its socket is.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks.
    ///
    /// # Errors
    /// That there is no answer, and why. A refusal is an answer.
    pub async fn ask<A: DeserializeOwned>(&self, request: &impl Serialize) -> Result<A, AskError> {
        let answer = timeout(self.patience, self.exchange(request)).await;
        let answer =
            answer.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())).map_err(|error| match error.kind() {
                // Without the file there has never been one; a socket that nobody listens on is one that restarts.
                ErrorKind::NotFound => AskError::Absent(self.name),
                _ => AskError::Silent(self.name, error),
            })?;
        if answer.is_empty() {
            return Err(AskError::SentAway(self.name));
        }
        serde_json::from_slice(&answer).map_err(|_| AskError::NotUnderstood(self.name))
    }

    async fn exchange(&self, request: &impl Serialize) -> std::io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(&self.socket).await?;
        stream.write_all(&encode(request)?).await?;
        let mut answer = Vec::new();
        stream.take(self.longest_line as u64).read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { connections: 2, longest_line: 64, patience: Duration::from_secs(60) };

    fn client(path: &Path) -> Client {
        Client::new("echod", path, 256, Duration::from_secs(60))
    }

    async fn echo(line: Vec<u8>) -> Option<String> {
        let line = String::from_utf8(line).unwrap();
        (line != "\"nothing\"\n").then_some(line)
    }

    #[tokio::test]
    async fn a_line_has_an_answer_and_what_is_too_long_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/socket");
        assert!(matches!(client(&path).ask::<String>(&"a").await, Err(AskError::Absent("echod"))));
        tokio::spawn(serve(listen(&path).unwrap(), None, BOUNDS, echo));
        // Only root may ask, and only who asks as root is answered.
        let is_root = fs::metadata("/proc/self").map(|about| std::os::unix::fs::MetadataExt::uid(&about) == 0).unwrap();
        let answer = client(&path).ask::<String>(&"a").await;
        if !is_root {
            return assert!(matches!(answer, Err(AskError::SentAway("echod"))), "{answer:?}");
        }
        assert_eq!(answer.unwrap(), "\"a\"\n");
        // Hung up on before all of it was read.
        let answer = client(&path).ask::<String>(&"b".repeat(200)).await;
        assert!(matches!(answer, Err(AskError::Silent("echod", _))), "{answer:?}");
        assert!(matches!(client(&path).ask::<String>(&"nothing").await, Err(AskError::SentAway("echod"))));
        assert!(matches!(client(&path).ask::<u8>(&"a").await, Err(AskError::NotUnderstood("echod"))));
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_anything_else_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        drop(listen(&path).unwrap());
        let answer = client(&path).ask::<String>(&"a").await;
        assert!(matches!(answer, Err(AskError::Silent("echod", _))), "{answer:?}");
        drop(listen(&path).unwrap());
        fs::remove_file(&path).unwrap();
        fs::write(&path, "kept").unwrap();
        assert_eq!(listen(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"kept");
    }
}
