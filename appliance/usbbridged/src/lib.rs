//! The bridge to USB printers: finds them, and offers each as a two-way stream of bytes on a TCP port from 9418 up. As a library,
//! so that all of it can be tested on a transport that has no USB.
//!
//! It touches USB and nothing else of the machine. What may be sent to a printer is decided in `agent_core::pjl::filter`; jobs
//! pass through and are neither kept nor logged.

pub mod access;
pub mod book;
pub mod bridge;
pub mod control;
pub mod quirks;
pub mod session;
pub mod slot;
pub mod transport;
pub mod usb;
