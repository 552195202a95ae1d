//! Tools of the tests and the demo: simulated printers, golden files.
