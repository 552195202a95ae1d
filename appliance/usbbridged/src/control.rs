//! The control socket: who is on the other side, one request, one answer. What the requests do is the bridge's affair.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use agent_core::localagent::control::{Answer, MAX_LINE, Request};
use anyhow::{Context, Result};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// For the request to come and the answer to go.
const PATIENCE: Duration = Duration::from_secs(2);

/// Listens on a path. Everyone may connect: who is served is decided by the peer's user id, which cannot be forged.
pub fn listen(path: &Path) -> Result<UnixListener> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    // What a bridge that was killed has left behind.
    let _ = fs::remove_file(path);
    let listener = UnixListener::bind(path).with_context(|| format!("{} cannot be listened on", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).with_context(|| format!("{}", path.display()))?;
    listener.set_nonblocking(true).with_context(|| format!("{}", path.display()))?;
    Ok(listener)
}

/// Serves one connection.
pub fn serve(stream: &UnixStream, users: &[u32], answer: impl FnOnce(Request) -> Answer) {
    let refused = |reason: String| Answer::Refused { reason };
    let answer = match request(stream, users) {
        Ok(request) => answer(request),
        Err(error) => {
            log::warn!(error:% = format!("{error:#}"); "a request to the bridge was refused");
            refused(format!("{error:#}"))
        }
    };
    let mut line = serde_json::to_vec(&answer).unwrap_or_default();
    line.push(b'\n');
    let mut stream = stream;
    let _ = stream.write_all(&line);
}

fn request(stream: &UnixStream, users: &[u32]) -> Result<Request> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let peer = getsockopt(stream, PeerCredentials).context("the other side cannot be told")?;
    if !users.contains(&peer.uid()) {
        anyhow::bail!("user {} may not control the bridge", peer.uid());
    }
    let mut line = String::new();
    let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    BufReader::new(stream.take(limit)).read_line(&mut line).context("no whole request came")?;
    serde_json::from_str(&line).context("this is no request that the bridge knows")
}
