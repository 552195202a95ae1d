//! The one gate to the wire: an object identifier reaches a request only as a [`Readable`], and only this module makes one.
//!
//! What is admitted is the closed list that the documentation publishes: the standard tables and what profiles name. There is
//! no other way to make a request name something, so nothing outside the list can be asked for by mistake. Must not know how
//! requests are made, nor what the values mean.

use std::collections::BTreeSet;

use crate::oid::Oid;
use crate::printer_mib;

/// An object identifier that may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readable(Oid);

impl Readable {
    /// The identifier.
    pub fn oid(&self) -> &Oid {
        &self.0
    }

    /// The identifier, which passes the gate no more.
    pub fn into_oid(self) -> Oid {
        self.0
    }

    /// A name outside the closed list, for a survey that a person orders by hand (`agentd explore`): everything passes that
    /// is not denied. Readings have no way to this door.
    pub(crate) fn unless_denied(name: &Oid, denied: &[Oid]) -> Option<Self> {
        let shut = denied.iter().any(|shut| name == shut || name.below(shut).is_some());
        (!shut).then(|| Self(name.clone()))
    }

    /// sysObjectID alone: every agent has it, and its answer is short. A search asks for it.
    pub fn object_id() -> Option<Self> {
        Oid::new(printer_mib::SYS_OBJECT_ID).map(Self)
    }

    /// The system group, which a first request asks for; the list begins with it.
    pub fn system() -> Vec<Self> {
        printer_mib::system_names().into_iter().map(Self).collect()
    }
}

/// What may be asked for: these objects, and the rows below them.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    listed: BTreeSet<Oid>,
}

impl Gate {
    /// A gate for exactly these objects. Whoever makes one has checked them (profiles are, when they are loaded).
    pub(crate) fn new(listed: impl IntoIterator<Item = Oid>) -> Self {
        Self { listed: listed.into_iter().collect() }
    }

    /// Lets a listed object, or a row of a listed column, pass.
    pub fn admit(&self, name: &Oid) -> Option<Readable> {
        let arcs = name.arcs();
        let listed = (1..=arcs.len()).any(|length| arcs.get(..length).is_some_and(|head| self.listed.contains(head)));
        listed.then(|| Readable(name.clone()))
    }

    /// Lets pass what stands before a listed object, so that the object is its successor.
    pub fn admit_step(&self, name: &Oid) -> Option<Readable> {
        self.admit(name).map(|readable| Readable(readable.0.before()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profiles;

    #[test]
    fn a_step_goes_to_a_listed_object_only() {
        let gate = Profiles::built_in().unwrap().gate().clone();
        let step = |text: &str| gate.admit_step(&Oid::parse(text).unwrap()).map(|step| step.oid().to_string());
        assert_eq!(step("1.3.6.1.2.1.1.2.0").as_deref(), Some("1.3.6.1.2.1.1.2"));
        assert_eq!(step("1.3.6.1.2.1.43.11.1.1.9.1.4").as_deref(), Some("1.3.6.1.2.1.43.11.1.1.9.1.3"));
        assert_eq!(step("1.3.6.1.4.1.1347.47.6.1.1.4"), None);
    }

    #[test]
    fn listed_objects_and_their_rows_pass_and_nothing_else() {
        let gate = Profiles::built_in().unwrap().gate().clone();
        let admitted = |text: &str| gate.admit(&Oid::parse(text).unwrap()).is_some();
        assert!(admitted("1.3.6.1.2.1.1.2.0"));
        assert!(admitted("1.3.6.1.2.1.43.11.1.1.9"));
        assert!(admitted("1.3.6.1.2.1.43.11.1.1.9.1.4"));
        for other in [
            "1.3.6.1.2.1.43.11.1.1",       // above a column
            "1.3.6.1.2.1.43.11.1.1.99",    // beside it
            "1.3.6.1.2.1.1",               // above the system group
            "1.3.6.1.4.1.1347.47.6.1.1.4", // jobs
            "1.3.6.1.4.1.1347",            // above them
            "1.3.6.1.4.1.2699.1.1.1.3.1",
            "1.3.6.1",
        ] {
            assert!(!admitted(other), "{other}");
        }
    }
}
