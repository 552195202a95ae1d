//! Reading printers: SNMP, profiles, discovery, change detection; no I/O, no clock.
