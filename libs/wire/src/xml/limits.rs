//! How much of everything a document may have. The schema has the same numbers; a test keeps them equal.
//!
//! A device that fills every list with the longest texts stays below [`DOCUMENT`] (a test builds it).

/// Octets of a document, uncompressed.
pub const DOCUMENT: usize = 32 * 1024 * 1024;

/// Octets from one `<` to the next: a tag with its attributes and the text after it, or a comment.
pub const PIECE: usize = 64 * 1024;

/// Elements of a document.
pub const ELEMENTS: usize = 500_000;

/// Characters of a text in the words of a device or a person.
pub const TEXT: usize = 1024;

/// Characters of an index, address or source.
pub const TOKEN: usize = 256;

/// Characters of a keyword outside the vocabulary.
pub const KEYWORD: usize = 64;

/// Names of devices that one report may give as removed.
pub const REMOVED: usize = 500;

/// Detected errors of a device.
pub const ERRORS: usize = 64;

/// Lines of a device's console display.
pub const CONSOLE_LINES: usize = 64;

/// Alerts of a device.
pub const ALERTS: usize = 256;

/// Supplies of a device.
pub const SUPPLIES: usize = 256;

/// Trays of a device, inputs and outputs together.
pub const TRAYS: usize = 256;

/// Counters of a device.
pub const COUNTERS: usize = 1024;

/// Sources of fields of one identity.
pub const SOURCES: usize = 16;

/// Remarks about a device.
pub const REMARKS: usize = 64;

/// Open questions about a device.
pub const QUESTIONS: usize = 32;

/// Events of a device in one report.
pub const EVENTS: usize = 200;

/// Remarks of an agent about itself.
pub const OWN_REMARKS: usize = 16;

/// Pairs of names that one report may give as one device.
pub const SAME: usize = 500;
