//! The manager's decisions: who may do what, what an arriving report means. Data in, data out.
//!
//! No sockets, files, clock, randomness or SQL: time comes as an argument, answers go to the store as values.

pub mod access;
pub mod enrolment;
pub mod identity;
pub mod ingest;
pub mod reading;
pub mod summary;
