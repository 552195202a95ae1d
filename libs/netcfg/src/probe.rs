//! The check before a change: is the wanted address free (RFC 5227, 2.1), and does the gateway answer?
//!
//! Caller loop: `poll_transmit` until it is empty, then wait for a frame or `poll_timeout`, until `outcome` is there.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::arp::Arp;
use crate::config::Vlan;

/// Probes for an address, and questions to a gateway.
const PROBES: u32 = 3;
/// The longest that one check takes: the first wait, two pauses, the last wait.
pub const LONGEST: Duration = Duration::from_secs(1 + 2 + 2 + 2);

/// What has to be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The address that nobody else may have; none where it is the box's own already.
    pub address: Option<Ipv4Addr>,
    /// The gateway that should answer.
    pub gateway: Option<Ipv4Addr>,
    /// The VLAN in which this is.
    pub vlan: Option<Vlan>,
}

impl Target {
    /// Whether there is nothing to check.
    pub fn is_empty(&self) -> bool {
        self.address.is_none() && self.gateway.is_none()
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Who has the wanted address.
    pub in_use_by: Option<[u8; 6]>,
    /// Whether the gateway was asked and did not answer.
    pub gateway_is_silent: bool,
}

/// One check under way.
#[derive(Debug)]
pub struct Prober {
    our_mac: [u8; 6],
    target: Target,
    /// What is random in the waits, from 0 to 255 each.
    random: [u8; PROBES as usize],
    sent: u32,
    queue: Vec<Arp>,
    next: Duration,
    gateway_answered: bool,
    outcome: Option<Outcome>,
}

impl Prober {
    /// Begins a check.
    pub fn new(now: Duration, our_mac: [u8; 6], target: Target, random: [u8; PROBES as usize]) -> Self {
        let [first, ..] = random;
        let next = now + fraction(first);
        let outcome = target.is_empty().then(Outcome::default);
        Self { our_mac, target, random, sent: 0, queue: Vec::new(), next, gateway_answered: false, outcome }
    }

    /// A frame that came in.
    pub fn handle_frame(&mut self, frame: &[u8]) {
        let Some(arp) = Arp::decode(frame).filter(|arp| arp.sender_mac != self.our_mac) else { return };
        let probes_too = arp.is_request && arp.sender.is_unspecified();
        if let Some(address) = self.target.address
            && (arp.sender == address || (probes_too && arp.target == address))
        {
            self.finish(Some(arp.sender_mac));
        }
        if Some(arp.sender) == self.target.gateway {
            self.gateway_answered = true;
            if self.target.address.is_none() {
                self.finish(None);
            }
        }
    }

    /// Time went on.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.outcome.is_some() || now < self.next {
            return;
        }
        if self.sent == PROBES {
            return self.finish(None);
        }
        self.sent += 1;
        let silent_gateway = self.target.gateway.filter(|_| !self.gateway_answered);
        let targets = self.target.address.into_iter().chain(silent_gateway);
        self.queue.extend(targets.map(|target| Arp::probe(self.our_mac, target)));
        let pause = match self.random.get(self.sent as usize) {
            Some(random) => Duration::from_secs(1) + fraction(*random),
            None => Duration::from_secs(2),
        };
        self.next = now + pause;
    }

    /// A frame to send.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.queue.pop().map(|arp| arp.encode_in(self.target.vlan))
    }

    /// When `handle_timeout` is due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.outcome.is_none().then_some(self.next)
    }

    /// What came of it, once it is known.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    fn finish(&mut self, in_use_by: Option<[u8; 6]>) {
        let gateway_is_silent = in_use_by.is_none() && self.target.gateway.is_some() && !self.gateway_answered;
        self.outcome.get_or_insert(Outcome { in_use_by, gateway_is_silent });
    }
}

/// A part of a second.
fn fraction(random: u8) -> Duration {
    Duration::from_millis(u64::from(random) * 1000 / 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const THEIRS: [u8; 6] = [2, 0, 0, 0, 0, 2];
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 5);
    const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

    /// Runs a check in which every probe that is sent is answered so; gives what came of it, and after how long.
    fn check(target: Target, random: u8, answer: impl Fn(Arp) -> Option<Arp>) -> (Outcome, Duration) {
        let mut now = Duration::from_secs(1000);
        let begun = now;
        let mut prober = Prober::new(now, OURS, target, [random; 3]);
        while prober.outcome().is_none() {
            while let Some(frame) = prober.poll_transmit() {
                prober.handle_frame(&frame);
                if let Some(answer) = answer(Arp::decode(&frame).unwrap()) {
                    prober.handle_frame(&answer.encode());
                }
            }
            if let Some(next) = prober.poll_timeout() {
                assert!(next > now || prober.sent == 0);
                now = next;
                prober.handle_timeout(now);
            }
        }
        (prober.outcome().unwrap(), now - begun)
    }

    fn reply(to: Arp) -> Arp {
        Arp { is_request: false, sender_mac: THEIRS, sender: to.target, target: to.sender }
    }

    #[test]
    fn a_free_address_takes_its_time_and_a_taken_one_does_not() {
        let target = Target { address: Some(ADDRESS), gateway: Some(GATEWAY), vlan: None };
        for random in [0, 99, 255] {
            let (outcome, took) = check(target, random, |arp| (arp.target == GATEWAY).then(|| reply(arp)));
            assert_eq!(outcome, Outcome::default());
            assert!(took <= LONGEST && took >= Duration::from_secs(4), "{took:?}");
            let (outcome, took) = check(target, random, |arp| (arp.target == ADDRESS).then(|| reply(arp)));
            assert_eq!(outcome.in_use_by, Some(THEIRS));
            assert!(took <= Duration::from_secs(1));
        }
    }

    #[test]
    fn who_probes_for_the_same_address_has_it() {
        let target = Target { address: Some(ADDRESS), gateway: None, vlan: None };
        let (outcome, _) = check(target, 0, |_| Some(Arp::probe(THEIRS, ADDRESS)));
        assert_eq!(outcome.in_use_by, Some(THEIRS));
        let (outcome, _) = check(target, 0, |_| Some(Arp { sender: GATEWAY, ..Arp::probe(THEIRS, ADDRESS) }));
        assert_eq!(outcome, Outcome::default(), "who asks for it from an address of his own does not want it");
    }

    #[test]
    fn a_silent_gateway_is_told() {
        let target = Target { address: Some(ADDRESS), gateway: Some(GATEWAY), vlan: None };
        assert!(check(target, 7, |_| None).0.gateway_is_silent);
        let target = Target { address: None, gateway: Some(GATEWAY), vlan: None };
        assert!(check(target, 7, |_| None).0.gateway_is_silent);
        assert_eq!(check(target, 0, |arp| Some(reply(arp))), (Outcome::default(), Duration::ZERO));
        let nothing = Target { address: None, gateway: None, vlan: None };
        assert_eq!(check(nothing, 0, |_| None), (Outcome::default(), Duration::ZERO));
    }
}
