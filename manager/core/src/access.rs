//! On whose behalf a question is asked. Every question to the store takes a [`Scope`], so that no page can forget to ask.

use thiserror::Error;

/// Declares the number under which the store keeps something.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);
    )*};
}

ids! {
    /// A dealer: sees nothing of another dealer.
    DealerId
    /// A dealer's customer.
    CustomerId
    /// A place of a customer where an agent stands.
    SiteId
    /// A device, across the agents that report it.
    DeviceRow
    /// An enrolment token.
    TokenId
}

/// Something that not everyone may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// See customers, agents and devices.
    View,
    /// Create and rename customers and sites.
    ManageCustomers,
    /// Make and revoke enrolment tokens.
    ManageAgents,
    /// Create users and set their passwords.
    ManageUsers,
    /// Decide what is billed where meters broke, and whether two devices are one.
    DecideMeters,
}

/// A set of rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights(u8);

impl Rights {
    /// No right at all.
    pub const NONE: Self = Self(0);
    /// Every right: an administrator.
    pub const ALL: Self = Self(u8::MAX);

    /// The same with one more.
    pub fn with(self, right: Right) -> Self {
        Self(self.0 | Self::bit(right))
    }

    /// Whether a right is among them.
    pub fn has(self, right: Right) -> bool {
        self.0 & Self::bit(right) != 0
    }

    fn bit(right: Right) -> u8 {
        match right {
            Right::View => 1,
            Right::ManageCustomers => 2,
            Right::ManageAgents => 4,
            Right::ManageUsers => 8,
            Right::DecideMeters => 16,
        }
    }
}

/// On whose behalf a question is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Whose data.
    pub dealer: DealerId,
    /// Who asks: a user's name, or the program itself.
    pub user: String,
    /// What he may do.
    pub rights: Rights,
}

/// A right is missing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{user} lacks the right {right:?}")]
pub struct Denied {
    /// Who asked.
    pub user: String,
    /// What was missing.
    pub right: Right,
}

impl Scope {
    /// A scope with every right for a dealer.
    pub fn administrator(dealer: DealerId, user: impl Into<String>) -> Self {
        Self { dealer, user: user.into(), rights: Rights::ALL }
    }

    /// Whether a right is there.
    pub fn require(&self, right: Right) -> Result<(), Denied> {
        match self.rights.has(right) {
            true => Ok(()),
            false => Err(Denied { user: self.user.clone(), right }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_granted_is_denied() {
        let scope = Scope { dealer: DealerId(1), user: "ines".to_owned(), rights: Rights::NONE.with(Right::View) };
        assert_eq!(scope.require(Right::View), Ok(()));
        assert_eq!(scope.require(Right::ManageAgents).unwrap_err().to_string(), "ines lacks the right ManageAgents");
        assert_eq!(Scope::administrator(DealerId(1), "admin").require(Right::ManageUsers), Ok(()));
    }
}
