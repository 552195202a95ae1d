-- What agentd keeps. Times are milliseconds since 1970, UTC.

CREATE TABLE setting (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE user (
    name          TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL
) STRICT;

-- Where to search, and with which communities (one a line, in the order in which they are tried).
CREATE TABLE scan_range (
    id          INTEGER PRIMARY KEY,
    range       TEXT NOT NULL,
    exclusions  TEXT NOT NULL,
    port        INTEGER NOT NULL,
    versions    TEXT NOT NULL,
    communities TEXT NOT NULL
) STRICT;

-- One row a device. `record` is its whole state as a document of the wire's schema; the columns beside it are copies for lists.
CREATE TABLE device (
    id            TEXT PRIMARY KEY,
    address       TEXT NOT NULL,
    snmp_version  TEXT NOT NULL,
    community     BLOB NOT NULL,
    record        TEXT NOT NULL,
    manufacturer  TEXT NOT NULL,
    model         TEXT NOT NULL,
    serial        TEXT NOT NULL,
    location      TEXT NOT NULL,
    condition     TEXT NOT NULL,
    total         INTEGER,
    lowest_pct    INTEGER,
    first_seen_at INTEGER NOT NULL,
    read_at       INTEGER NOT NULL,
    silent_since  INTEGER,
    failure       TEXT,
    -- Groups that have changed since the last report, as a sum of bits, and since when an urgent change waits.
    unreported    INTEGER NOT NULL,
    urgent_since  INTEGER
) STRICT;
CREATE INDEX device_address ON device (address);

-- Devices that were removed here and whose removal no report has told yet.
CREATE TABLE removed_device (
    id TEXT PRIMARY KEY
) STRICT;

-- The last value of each counter on each day (days since 1970, UTC).
CREATE TABLE meter (
    device_id TEXT NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    name      TEXT NOT NULL,
    day       INTEGER NOT NULL,
    value     INTEGER NOT NULL,
    PRIMARY KEY (device_id, name, day)
) STRICT, WITHOUT ROWID;

-- Reports that the manager has not accepted yet: the very bytes (gzip of the XML), which every retry sends again.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch      INTEGER NOT NULL,
    sequence   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    document   BLOB NOT NULL,
    UNIQUE (epoch, sequence)
) STRICT;

-- The newest reports that the manager refused for good, for whoever looks into it.
CREATE TABLE refused_report (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch      INTEGER NOT NULL,
    sequence   INTEGER NOT NULL,
    refused_at INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    document   BLOB NOT NULL
) STRICT;
