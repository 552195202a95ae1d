//! The collector daemon and its commands, as a library so that every part can be tested.
//!
//! Runs without privilege. It changes no network setting and touches no USB device; other daemons do that.

pub mod boxd;
pub mod cli;
pub mod collector;
pub mod complaint;
pub mod driver;
pub mod explore;
pub mod fault;
pub mod json;
pub mod netcfgd;
pub mod one_shot;
pub mod print;
pub mod profiles;
pub mod provision;
pub mod ranges;
pub mod reserve;
pub mod search;
pub mod searches;
pub mod settings;
pub mod snmp_options;
pub mod store;
pub mod tcp;
pub mod traps;
pub mod updates;
pub mod uplink;
pub mod usb;
pub mod web;
