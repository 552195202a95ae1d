//! Web ground shared by the daemons: TLS listener, limits, sessions, page frame.
