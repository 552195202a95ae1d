//! The network keeper: carries out what `netcfg` decides. The only program of the appliance that may change the network.
//!
//! What it does beyond six requests on its socket, it does not do: no page, no manager, no decision of its own.

pub mod cli;
mod daemon;
mod disk;
mod fault;
mod link;
mod networkd;
mod packet;
mod supplicant;
