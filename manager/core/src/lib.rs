//! The manager's decisions: access, ingest; no I/O.
