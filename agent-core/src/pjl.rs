//! PJL, the language in which printers with a cable are asked: what replies mean ([`reply`], [`status`], [`reading`]), the
//! status readback of PCL 5 ([`pcl`]), and what may be sent to a printer that is offered for reading only ([`filter`]).
//!
//! Nothing in here writes to a printer or changes a setting: there is no such command to be made.

pub mod filter;
pub mod pcl;
pub mod reading;
pub mod reply;
pub mod status;

/// The universal exit: brings a printer to PJL from whatever language it is in. Nothing is ever sent before it.
pub const UEL: &[u8] = b"\x1b%-12345X";
