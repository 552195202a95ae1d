//! The way to netcfgd: one connection, one line, one answer. The agent asks; only netcfgd changes the network.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netcfg::request::{Answer, LONGEST_LINE, Request, encode};
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Longest wait: netcfgd itself may be waiting for systemd-networkd.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where netcfgd is asked.
#[derive(Debug, Clone)]
pub struct Netcfgd {
    socket: PathBuf,
}

/// Why there is no answer.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum NetcfgdError {
    #[error("there is no netcfgd on this machine")]
    Absent,
    #[error("netcfgd does not answer")]
    Silent(#[source] std::io::Error),
    #[error("netcfgd sends this agent away")]
    SentAway,
    #[error("netcfgd answers what this agent does not understand")]
    NotUnderstood(#[source] serde_json::Error),
}

impl Netcfgd {
    /// At a socket, which need not be there.
    pub fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Asks.
    pub async fn ask(&self, request: &Request) -> Result<Answer, NetcfgdError> {
        let answer = timeout(PATIENCE, self.exchange(request)).await;
        let answer =
            answer.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())).map_err(|error| match error.kind() {
                // Without the folder there has never been one; a socket that nobody listens on is one that restarts.
                ErrorKind::NotFound => NetcfgdError::Absent,
                _ => NetcfgdError::Silent(error),
            })?;
        if answer.is_empty() {
            return Err(NetcfgdError::SentAway);
        }
        serde_json::from_slice(&answer).map_err(NetcfgdError::NotUnderstood)
    }

    async fn exchange(&self, request: &Request) -> std::io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(&self.socket).await?;
        stream.write_all(encode(request).as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(LONGEST_LINE as u64).read_to_end(&mut answer).await?;
        Ok(answer)
    }
}
