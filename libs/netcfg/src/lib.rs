//! The network configuration of the appliance as data and decisions: what it may be, how it is laid out for systemd-networkd,
//! and how a change is tried, confirmed or taken back.
//!
//! Touches no network, file or clock: time, bytes and randomness are arguments.

pub mod action;
pub mod arp;
pub mod config;
pub mod disk;
pub mod dot1x;
pub mod fault;
pub mod link_local;
pub mod plan;
pub mod probe;
pub mod request;
pub mod secret;
pub mod trial;
