//! The way to netcfgd. The agent asks; only netcfgd changes the network.

use std::path::Path;
use std::time::Duration;

use control::{AskError, Client};
use netcfg::request::{Answer, LONGEST_LINE, Request};

/// Longest wait: netcfgd itself may be waiting for systemd-networkd.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where netcfgd is asked.
#[derive(Debug, Clone)]
pub struct Netcfgd(Client);

impl Netcfgd {
    /// At a socket, which need not be there.
    pub fn at(socket: &Path) -> Self {
        Self(Client::new("netcfgd", socket, LONGEST_LINE, PATIENCE))
    }

    /// Asks.
    pub async fn ask(&self, request: &Request) -> Result<Answer, AskError> {
        self.0.ask(request).await
    }
}
