//! The language that agent and manager share: vocabulary, plain data, its XML form, signatures.
//!
//! This crate must not touch the world: no sockets, files, clock, randomness or threads, not even through a dependency.
//! It is the only crate that knows both sides of the wire; the XSD in `schema/` is the definition it has to agree with.

pub mod channel;
pub mod device;
pub mod enrolment;
pub mod identity;
pub mod message;
pub mod meter;
pub mod notes;
pub mod sign;
pub mod vocab;
pub mod xml;
