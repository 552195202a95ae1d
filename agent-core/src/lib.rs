//! Reading printers: what to ask, what the answers mean, what has changed and what is worth reporting.
//!
//! Pure decisions. This crate owns no socket, file, clock or randomness: bytes and times come in as arguments, bytes and
//! events go out as return values, and the daemon around it does the rest (see [`engine::Engine`] for the caller's loop).
#![warn(clippy::indexing_slicing)]

pub mod arp;
pub mod change;
pub mod discover;
pub mod dns_sd;
pub mod echo;
pub mod engine;
pub mod explore;
pub mod gate;
pub mod identity;
pub mod ieee1284;
pub mod localagent;
pub mod oid;
pub mod pjl;
pub mod printer_mib;
pub mod profile;
pub mod reader;
pub mod register;
pub mod report;
pub mod routes;
pub mod schedule;
pub mod search;
pub mod snmp;
pub mod text;
pub mod tick;
pub mod timer;
