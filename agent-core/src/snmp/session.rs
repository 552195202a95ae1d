//! What is known of the SNMPv3 engines that are spoken to (RFC 3414, 2.3): their ids and clocks, and the keys that go with
//! them. Decides what a message from one of them is worth. Bounded; what was dropped is discovered again.
//!
//! An answer counts only if it bears the msgID and request-id of a request under way, comes from the address that was asked
//! (the engine sees to that), is authenticated as the request was, and lies within the time window. An unauthenticated Report
//! is taken at its word only as long as the device has not proved that it knows the user's key; afterwards it is a hint.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;

use super::User;
use super::message::{Operation, Response};
use super::usm::{KeyRing, LocalKeys};
use super::v3::{self, Header, Message, Report};
use crate::gate::Readable;
use crate::tick::Tick;

/// Engines that are remembered.
const MAX_REMOTES: usize = 8192;
/// Seconds by which a message may differ from the engine's clock (RFC 3414, 2.2.3).
pub(super) const TIME_WINDOW: u32 = 150;
/// The greatest number of starts and of seconds; an engine that has reached it takes no authenticated message.
pub(super) const MAX_BOOTS: u32 = 2_147_483_647;
/// Octets that every engine takes (RFC 3412, 6).
const LEAST_MAX_SIZE: usize = 484;

/// Why a device does not serve a user, in words for whoever set it up.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// usmStatsUnknownUserNames.
    #[error("the SNMPv3 user name is unknown to the device")]
    UnknownUser,
    /// usmStatsWrongDigests.
    #[error("the SNMPv3 authentication password or protocol is wrong")]
    WrongDigest,
    /// usmStatsDecryptionErrors.
    #[error("the SNMPv3 privacy password or protocol is wrong, or the device makes its keys longer in another way")]
    Decryption,
    /// usmStatsUnsupportedSecLevels.
    #[error(
        "the device does not offer this SNMPv3 security level to the user: switch authentication or encryption on for him on the device, or choose another protocol"
    )]
    SecurityLevel,
    /// usmStatsNotInTimeWindows, again and again.
    #[error(
        "the device refuses SNMPv3 messages as too old or too new although they bear the time that it gave: its clock is not steady"
    )]
    TimeWindow,
    /// The number of starts has come to its end.
    #[error(
        "the device's count of SNMPv3 starts has reached its maximum, so it takes no authenticated message: it has to be set up anew"
    )]
    BootsExhausted,
    /// usmStatsUnknownEngineIDs, although the id is that which the device gave.
    #[error("the device does not know the SNMPv3 engine id that it gave itself")]
    EngineId,
    /// authorizationError.
    #[error("the SNMPv3 user may not read anything here: the device's access control does not allow it")]
    NotAuthorized,
    /// Discovery was answered, and nothing else.
    #[error(
        "the device speaks SNMPv3, but leaves this user without an answer: his name, passwords or protocols may be wrong"
    )]
    Silent,
    /// The same with someone who encrypts: devices name wrong names and digests, and drop what they cannot decrypt.
    #[error(
        "the device speaks SNMPv3, but leaves this user without an answer: most likely the privacy password or protocol is wrong"
    )]
    SilentWithPrivacy,
    /// Another counter.
    #[error("the device refuses SNMPv3 messages with a Report of {0}")]
    Other(Report),
}

/// What a message is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The answer.
    Response(Response),
    /// The engine's id or clock was not as thought; ask again.
    AskAgain,
    /// The device does not have the context that was asked for.
    NoContext,
    /// The device does not serve the user.
    Refused(Refusal),
    /// The same, but not proved: to be believed only when no answer comes.
    Hint(Hint),
    /// Of no worth, and why.
    Unfit(&'static str),
}

/// What an unproved Report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// The engine has another id or clock.
    Changed,
    /// It does not serve the user.
    Refused(Refusal),
}

/// Why there are no bytes for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSent {
    /// The device's engine is not known.
    Undiscovered,
    /// The device does not take messages of that size.
    TooLarge,
}

#[derive(Debug)]
struct Remote {
    engine_id: Box<[u8]>,
    boots: u32,
    /// The engine's clock, at a moment of ours.
    time: u32,
    at: Tick,
    /// The latest time that an authenticated message bore.
    latest: u32,
    /// Whether the device has shown that it knows a key.
    authenticated: bool,
    max_size: usize,
    keys: Option<(Arc<User>, LocalKeys)>,
    used: u64,
}

impl Remote {
    fn of(now: Tick, message: &Message<'_>) -> Self {
        let (boots, time) = (message.boots, message.time);
        Self {
            engine_id: message.engine_id.into(),
            boots,
            time,
            at: now,
            latest: time,
            authenticated: false,
            max_size: message.max_size.max(LEAST_MAX_SIZE),
            keys: None,
            used: 0,
        }
    }

    fn time_at(&self, now: Tick) -> u32 {
        let since = u32::try_from(now.since(self.at).as_secs()).unwrap_or(MAX_BOOTS);
        self.time.saturating_add(since).min(MAX_BOOTS)
    }

    fn set_clock(&mut self, now: Tick, message: &Message<'_>) {
        (self.boots, self.time, self.latest, self.at) = (message.boots, message.time, message.time, now);
    }

    /// Takes an authenticated message's time; says whether it lies within the window (RFC 3414, 3.2, 7 b).
    fn takes_time(&mut self, now: Tick, message: &Message<'_>) -> bool {
        if message.boots > self.boots || (message.boots == self.boots && message.time > self.latest) {
            self.set_clock(now, message);
        }
        message.boots == self.boots
            && self.boots != MAX_BOOTS
            && message.time.saturating_add(TIME_WINDOW) >= self.time_at(now)
    }

    fn keys(&mut self, ring: &mut KeyRing, user: &Arc<User>) -> LocalKeys {
        match &self.keys {
            Some((of, keys)) if of == user => keys.clone(),
            _ => {
                let keys = ring.localise(user, &self.engine_id);
                self.keys = Some((user.clone(), keys.clone()));
                keys
            }
        }
    }
}

/// See the module's page.
#[derive(Debug)]
pub struct Sessions {
    remotes: BTreeMap<SocketAddr, Remote>,
    ring: KeyRing,
    salt: u64,
    uses: u64,
}

impl Sessions {
    /// Knows nobody. `seed` is where the salts begin; it has to be another one at each start.
    pub fn new(seed: u64) -> Self {
        Self { remotes: BTreeMap::new(), ring: KeyRing::default(), salt: seed, uses: 0 }
    }

    /// Forgets an engine, so that it is discovered again.
    pub fn forget(&mut self, address: &SocketAddr) {
        self.remotes.remove(address);
    }

    /// The bytes of a request.
    pub fn encode_request(
        &mut self,
        now: Tick,
        to: SocketAddr,
        user: &Arc<User>,
        context: &str,
        (id, operation, names): (i32, Operation, &[Readable]),
    ) -> Result<Vec<u8>, NotSent> {
        let remote = self.remotes.get_mut(&to).ok_or(NotSent::Undiscovered)?;
        self.uses += 1;
        remote.used = self.uses;
        let keys = remote.keys(&mut self.ring, user);
        self.salt = self.salt.wrapping_add(1);
        let header = Header {
            msg_id: id,
            reportable: true,
            engine_id: &remote.engine_id,
            boots: remote.boots,
            time: remote.time_at(now),
            user: user.name(),
            context_engine_id: &remote.engine_id,
            context,
        };
        let bytes = v3::encode_request(&header, &keys, self.salt.to_be_bytes(), operation, names);
        bytes.filter(|bytes| bytes.len() <= remote.max_size).ok_or(NotSent::TooLarge)
    }

    /// Takes the answer to a discovery; says whether it is one.
    pub fn handle_discovery(&mut self, now: Tick, from: SocketAddr, message: &Message<'_>) -> bool {
        let report = message.scoped(None).and_then(|scoped| scoped.report());
        let tells = report.is_some() && !message.is_authenticated() && !message.engine_id.is_empty();
        if tells {
            self.remember(from, Remote::of(now, message));
        }
        tells
    }

    fn remember(&mut self, address: SocketAddr, remote: Remote) {
        if self.remotes.len() >= MAX_REMOTES && !self.remotes.contains_key(&address) {
            let oldest = self.remotes.iter().min_by_key(|(_, remote)| remote.used).map(|(address, _)| *address);
            oldest.map(|oldest| self.remotes.remove(&oldest));
        }
        self.uses += 1;
        self.remotes.insert(address, Remote { used: self.uses, ..remote });
    }

    /// Takes a message that bears the id of a request under way to this address as this user.
    pub fn handle_message(
        &mut self,
        now: Tick,
        from: SocketAddr,
        user: &Arc<User>,
        id: i32,
        message: &Message<'_>,
    ) -> Verdict {
        let Some(remote) = self.remotes.get_mut(&from) else {
            return Verdict::Unfit("from an engine that is not known");
        };
        let keys = remote.keys(&mut self.ring, user);
        let same_engine = message.engine_id == &*remote.engine_id;
        let mut in_window = true;
        if message.is_authenticated() {
            if !same_engine || message.user != user.name().as_bytes() {
                return Verdict::Unfit("authenticated for another engine or user");
            }
            if !message.verify(&keys) {
                return Verdict::Unfit("with a digest that is not of this user's key");
            }
            remote.authenticated = true;
            in_window = remote.takes_time(now, message);
        }
        if message.is_encrypted() && !message.is_authenticated() {
            return Verdict::Unfit("encrypted without authentication");
        }
        let Some(scoped) = message.scoped(Some(&keys)) else { return Verdict::Unfit("that cannot be decrypted") };
        if let Some(report) = scoped.report() {
            return remote.handle_report(now, message, report);
        }
        if message.is_authenticated() != keys.digest_octets().is_some() || message.is_encrypted() != keys.encrypts() {
            return Verdict::Unfit("of another security level than the request");
        }
        if !same_engine {
            return Verdict::Unfit("from another engine");
        }
        let response = match scoped.response() {
            Ok(response) if response.request_id == id => response,
            Ok(_) => return Verdict::Unfit("with another request-id than asked"),
            Err(_) => return Verdict::Unfit("that holds no response"),
        };
        if message.is_authenticated() && !in_window {
            if message.boots == MAX_BOOTS {
                return Verdict::Refused(Refusal::BootsExhausted);
            }
            // The clock has gone backwards, or stands still. The message is no replay, since it bears an id that was given
            // out just now; so its time is taken, and only an answer that fits it counts.
            remote.set_clock(now, message);
            return Verdict::AskAgain;
        }
        remote.max_size = message.max_size.max(LEAST_MAX_SIZE);
        Verdict::Response(response)
    }
}

impl Remote {
    fn handle_report(&mut self, now: Tick, message: &Message<'_>, report: Report) -> Verdict {
        let proved = message.is_authenticated() || !self.authenticated;
        let refused = |refusal| if proved { Verdict::Refused(refusal) } else { Verdict::Hint(Hint::Refused(refusal)) };
        match report {
            Report::NotInTimeWindows | Report::UnknownEngineIds if !proved => Verdict::Hint(Hint::Changed),
            Report::NotInTimeWindows if message.boots == MAX_BOOTS => Verdict::Refused(Refusal::BootsExhausted),
            Report::NotInTimeWindows => {
                self.set_clock(now, message);
                Verdict::AskAgain
            }
            Report::UnknownEngineIds if message.engine_id.is_empty() || message.engine_id == &*self.engine_id => {
                Verdict::Refused(Refusal::EngineId)
            }
            Report::UnknownEngineIds => {
                *self = Self { used: self.used, ..Self::of(now, message) };
                Verdict::AskAgain
            }
            Report::UnknownContexts | Report::UnavailableContexts if proved => Verdict::NoContext,
            Report::UnknownContexts | Report::UnavailableContexts => Verdict::Unfit("a Report without authentication"),
            Report::UnknownUserNames => refused(Refusal::UnknownUser),
            Report::WrongDigests => refused(Refusal::WrongDigest),
            Report::DecryptionErrors => refused(Refusal::Decryption),
            Report::UnsupportedSecLevels => refused(Refusal::SecurityLevel),
            Report::Other(_) | Report::Empty => refused(Refusal::Other(report)),
        }
    }
}
