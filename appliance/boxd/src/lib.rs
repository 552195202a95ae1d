//! Makes an appliance out of the programs: carries out what `boxcore` decides about prepared cards, updates, health and the data
//! partition, and writes on the screen where the page is.
//!
//! Each command is a unit of its own with no more rights than it needs. Nothing that lies on a card is ever run.

pub mod cli;
mod daemon;
mod data;
mod errors;
mod health;
mod medium;
mod place;
mod provision;
mod rauc;
mod screen;
mod system;
mod test_write;
mod update;
