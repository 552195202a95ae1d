//! The whole surface of netcfgd: six requests and their answers, one JSON line each, over its Unix socket.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use crate::config::{FieldError, Form, Vlan};
use crate::disk::Origin;

/// Longest line, either way.
pub const LONGEST_LINE: usize = 256 << 10;
/// Longest name of who asks.
const LONGEST_NAME: usize = 100;

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and the form is what they are about")]
pub enum Request {
    /// How things stand.
    Show {},
    /// Try a configuration beside the one in force.
    Try {
        /// The configuration, as typed.
        form: Form,
        /// Whether warnings have been read and set aside.
        force: bool,
        /// Whether it is to be tried when the machine starts the next time, and not beside the one in force.
        #[serde(default)]
        at_start: bool,
        /// Who wants it, for the log.
        #[serde(default)]
        by: String,
    },
    /// A request has arrived at the new address.
    Confirm {
        /// What the trial's link carries.
        nonce: String,
        /// The address of the box at which the request arrived.
        local: IpAddr,
    },
    /// More time to confirm, once.
    Extend {},
    /// Take the trial back, or what is planned.
    Cancel {
        /// Who wants it, for the log.
        #[serde(default)]
        by: String,
    },
    /// Back to DHCP, whatever is configured.
    Reset {},
}

impl Request {
    /// Reads a line.
    pub fn decode(line: &[u8]) -> Result<Self, serde_json::Error> {
        let mut request = serde_json::from_slice(line)?;
        if let Self::Try { by, .. } | Self::Cancel { by } = &mut request {
            *by = by.chars().filter(|char| !char.is_control()).take(LONGEST_NAME).collect();
        }
        Ok(request)
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// To `Show`.
    Status(Box<Status>),
    /// It is done, or under way; `Show` tells how it goes on.
    Done {},
    /// Nothing was changed.
    Refused {
        /// Why.
        why: Refusal,
    },
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The configuration is wrong in these fields.
    Fields(Vec<FieldError>),
    /// Another change is under way.
    Busy,
    /// What is committed is being brought up, after a start or a change; this takes so long at most.
    Settling {
        /// Seconds.
        seconds: u64,
    },
    /// There is no trial.
    NoTrial,
    /// The nonce is not that of the trial.
    WrongNonce,
    /// The request did not arrive at the new address.
    WrongAddress,
    /// There is no more time to be had.
    AlreadyExtended,
    /// There is no network port, or no cable in it.
    NoCable,
    /// The change came through but could not be stored; the former configuration is in force.
    NotStored,
    /// No such request.
    NotUnderstood(String),
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The configuration in force.
    pub committed: Form,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether it did not come up as it should, so that DHCP runs beside it.
    pub in_rescue: bool,
    /// The name that the box has.
    pub host_name: String,
    /// The network port, where there is one.
    pub link: Option<Link>,
    /// The trial under way.
    pub trial: Option<TrialStatus>,
    /// How the last change ended.
    pub last: Option<Last>,
    /// What will be tried when the machine starts the next time.
    pub planned: Option<Form>,
    /// What has been changed so far, newest first.
    pub changes: Vec<Change>,
}

/// The network port as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Link {
    /// Name of the interface.
    pub name: String,
    /// Hardware address.
    pub mac: [u8; 6],
    /// Whether a cable is in it and someone is at its other end.
    pub has_carrier: bool,
    /// Speed in Mbit/s, where it is known.
    pub speed_mbit: Option<u32>,
    /// All addresses.
    pub addresses: Vec<LinkAddress>,
    /// The ways out.
    pub gateways: Vec<IpAddr>,
    /// Name servers in use.
    pub dns: Vec<IpAddr>,
    /// The lease of the DHCP server.
    pub lease: Option<Lease>,
    /// How it stands with 802.1X, where the box takes part in it.
    pub dot1x: Option<Authentication>,
}

/// How it stands with 802.1X.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authentication {
    /// The port is open.
    Passed,
    /// The other side has not said yes so far.
    Pending,
    /// It cannot be done: wpa_supplicant does not answer.
    Impossible,
}

/// An address of the port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkAddress {
    /// The address.
    pub address: IpAddr,
    /// Its prefix length.
    pub prefix: u8,
    /// Whether it is lent for a time: from DHCP, or made after a router's announcement.
    pub is_dynamic: bool,
    /// The VLAN in which it is, if it is not on the port itself.
    #[serde(default)]
    pub vlan: Option<Vlan>,
}

/// What the DHCP server gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The server.
    pub server: Ipv4Addr,
    /// The address.
    pub address: Ipv4Addr,
    /// For how long it still holds.
    pub seconds_left: Option<u64>,
}

/// A trial under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialStatus {
    /// How far it is.
    pub stage: Stage,
    /// Seconds until this stage ends by itself.
    pub seconds_left: u64,
    /// Whether the present addresses answer meanwhile.
    pub is_beside: bool,
    /// Whether the time to confirm can be extended.
    pub can_extend: bool,
    /// What the link to the new address has to carry.
    pub nonce: String,
    /// The new addresses: a request that arrives at one of them confirms.
    pub at: Vec<IpAddr>,
    /// What is tried.
    pub candidate: Form,
}

/// How far a trial is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A planned change waits for a cable.
    Plugging,
    /// Whether the address is free and the gateway answers.
    Checking,
    /// The new address is being added.
    Applying,
    /// It is there; someone has to come by it.
    Awaiting,
    /// Someone did. The old address answers for a while yet.
    Committed,
}

/// How the last change ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// How.
    pub ending: Ending,
    /// What had been tried.
    pub candidate: Form,
}

/// How a change can end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It is in force.
    Committed,
    /// Someone else has the address; nothing was changed.
    InUse([u8; 6]),
    /// Something speaks against it; nothing was changed.
    Warned(Vec<Warning>),
    /// The new address did not come up; the old configuration is back.
    NotApplied,
    /// It could not be written to disk; the old configuration is back.
    NotStored,
    /// Nobody came by the new address in time; the old configuration is back.
    NotConfirmed,
    /// It was taken back by a person.
    Cancelled,
    /// The box or a part of it restarted during the trial; the old configuration is back.
    Restarted,
    /// The network was reset to DHCP.
    Reset,
}

/// What speaks against a configuration without making it impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// There is no gateway: nothing beyond the subnet can be reached.
    NoGateway,
    /// There is no name server: the manager's name cannot be found.
    NoDns,
    /// The gateway does not answer.
    GatewayIsSilent,
    /// There is no certificate by which the network's server could be told from an impostor.
    NoAuthority,
}

/// A line of the log of changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When, in seconds since 1970 by the clock of the box.
    pub at: i64,
    /// Who wanted it; empty where nobody of the pages did.
    pub by: String,
    /// What happened.
    pub event: Event,
    /// What was tried.
    pub candidate: Form,
}

/// What can happen to a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A trial has begun.
    Begun,
    /// It is to be tried when the machine starts the next time.
    Planned,
    /// That has been taken back.
    Withdrawn,
    /// The machine has started, and it is being tried.
    Activated,
    /// It came from a stick or the boot partition.
    Provisioned,
    /// A change has ended.
    Ended(Ending),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written() {
        let requests = [
            Request::Show {},
            Request::Try {
                form: Form { mode: "dhcp".into(), ..Form::default() },
                force: false,
                at_start: true,
                by: "admin".into(),
            },
            Request::Confirm { nonce: "abc".into(), local: "192.0.2.5".parse().unwrap() },
            Request::Extend {},
            Request::Cancel { by: "admin".into() },
            Request::Reset {},
        ];
        for request in requests {
            let line = serde_json::to_string(&request).unwrap();
            assert_eq!(Request::decode(line.trim_end().as_bytes()).unwrap(), request, "{line}");
        }
    }

    #[test]
    fn names_are_for_one_line_of_a_log() {
        let long = format!(r#"{{"request":"cancel","by":"a\n{}"}}"#, "x".repeat(200));
        let Request::Cancel { by } = Request::decode(long.as_bytes()).unwrap() else { panic!("something else") };
        assert!(by.starts_with("ax") && by.len() == 100, "{by}");
    }

    #[test]
    fn the_list_is_closed() {
        for line in [
            "",
            "{}",
            r#"{"request":"run"}"#,
            r#"{"request":"show","more":1}"#,
            r#"{"request":"try","form":{"gate":"x"},"force":true}"#,
            "[]",
        ] {
            assert!(Request::decode(line.as_bytes()).is_err(), "{line}");
        }
        assert!(Request::decode(&[b'['; 60_000]).is_err());
    }
}
