//! The manager: takes the reports of agents, keeps them, shows them.
//!
//! This crate is the only one of the manager's with sockets, a clock and randomness; what a report means is decided in
//! `manager-core`, how it is kept in `manager-store`.

pub mod agent_toml;
pub mod cli;
pub mod intake;
pub mod service;
pub mod web;

#[cfg(test)]
mod tests;
