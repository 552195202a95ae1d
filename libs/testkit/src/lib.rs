//! Tools of the tests and the demo: simulated printers, golden files. Nothing that ships depends on them.
//!
//! # A simulated printer in a test
//!
//! Without sockets, for the pure crates: hand it bytes, take its bytes.
//!
//! ```no_run
//! use testkit::{printer_sim::{Mood, Printer}, recording::Recording};
//!
//! let recording = Recording::load("../agent-core/walks/kyocera_taskalfa-4054ci.snmprec").unwrap();
//! let mut printer = Printer::new(recording).with_mood(Mood::OddEncoding);
//! for response in printer.answer(b"a request that the code under test made") {
//!     // feed response.bytes to the code under test; response.delay and response.source say when and from where
//! }
//! assert!(!printer.asked().iter().any(|oid| oid.to_string().starts_with("1.3.6.1.4.1.1347.47.")));
//! ```
//!
//! On loopback sockets, one address each and all on one port that was free:
//!
//! ```no_run
//! # async fn test() -> anyhow::Result<()> {
//! use testkit::{printer_sim::Printer, recording::Recording, sim_site::SimSite};
//!
//! let recording = Recording::load("agent-core/walks/hp_color-laserjet-m554.snmprec")?;
//! let site = SimSite::start(vec![Printer::new(recording); 3]).await?;
//! for address in site.addresses() { /* ask address */ }
//! site.with(0, |printer| assert!(printer.traffic().datagrams_in > 0));
//! # Ok(()) }
//! ```
//!
//! The printers stop when the `SimSite` is dropped. For printers that live (pages, toner, covers) see [`life`], for whole
//! sites of them [`site`]; `printer-sim` plays one in real time.

pub mod golden;
pub mod life;
pub mod oid;
pub mod printer_sim;
pub mod recording;
pub mod sim_site;
pub mod simulator;
pub mod site;
pub mod usm;
