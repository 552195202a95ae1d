//! Whether an agent that shows a token is admitted. A token is good once; the same agent may ask again and hears the same.

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use wire::message::AgentId;

use crate::access::SiteId;

/// How long a token is good unless said otherwise.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 30);

/// What is kept of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// The site that an agent with it belongs to.
    pub site: SiteId,
    /// When it ends.
    pub expires: Timestamp,
    /// The agent that used it.
    pub used_by: Option<AgentId>,
    /// Whether it was taken back.
    pub is_revoked: bool,
}

/// What to do with a registration that is in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Use up the token and keep the agent's key for this site.
    Admit(SiteId),
    /// It did so before and did not hear the answer: answer again, change nothing.
    AlreadyAdmitted(SiteId),
}

/// Why a token is not taken. One sentence for each, which tells the technician the way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Never given out here.
    #[error("the enrolment code is not known here: check that it was copied whole and that this is the right manager")]
    Unknown,
    /// Used by another agent.
    #[error("the enrolment code was used already by another agent: make a new one in the manager, each is good once")]
    Used,
    /// Too old.
    #[error("the enrolment code has expired: make a new one in the manager")]
    Expired,
    /// Taken back.
    #[error("the enrolment code was revoked: make a new one in the manager")]
    Revoked,
}

/// Decides about a registration by `agent`, whose signature has been checked.
pub fn decide(token: Option<&StoredToken>, agent: &AgentId, now: Timestamp) -> Result<Admission, Refusal> {
    let token = token.ok_or(Refusal::Unknown)?;
    match &token.used_by {
        Some(user) if user == agent => Ok(Admission::AlreadyAdmitted(token.site)),
        Some(_) => Err(Refusal::Used),
        None if token.is_revoked => Err(Refusal::Revoked),
        None if token.expires <= now => Err(Refusal::Expired),
        None => Ok(Admission::Admit(token.site)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_once_and_for_its_time() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let (one, other) = (AgentId::of_key(&[1; 32]), AgentId::of_key(&[2; 32]));
        let fresh = StoredToken { site: SiteId(7), expires: now + LIFETIME, used_by: None, is_revoked: false };
        assert_eq!(decide(None, &one, now), Err(Refusal::Unknown));
        assert_eq!(decide(Some(&fresh), &one, now), Ok(Admission::Admit(SiteId(7))));
        assert_eq!(decide(Some(&fresh), &one, now + LIFETIME), Err(Refusal::Expired));
        assert_eq!(decide(Some(&StoredToken { is_revoked: true, ..fresh.clone() }), &one, now), Err(Refusal::Revoked));
        let used = StoredToken { used_by: Some(one.clone()), ..fresh };
        assert_eq!(decide(Some(&used), &one, now + LIFETIME), Ok(Admission::AlreadyAdmitted(SiteId(7))));
        assert_eq!(decide(Some(&used), &other, now), Err(Refusal::Used));
    }
}
