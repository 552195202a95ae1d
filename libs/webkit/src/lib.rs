//! Web ground shared by the daemons: TLS listener, limits, log-in, sessions, page frame, the view of a device.
//!
//! Knows nothing of agents, managers or printers beyond the plain data of `wire`. Pages are rendered here, work without
//! script, and speak two languages.

pub mod certificate;
pub mod device_view;
pub mod form;
pub mod listen;
pub mod login;
pub mod moment;
pub mod notes;
pub mod page;
pub mod password;
pub mod session;
pub mod site;
pub mod text;
pub mod throttle;
pub mod words;
