-- What makes a device itself, what happened to it, what nobody but a person can decide, and meters with their epochs.

-- A digest of each group of `record`, so that it need not be decoded to see what has changed.
ALTER TABLE device ADD COLUMN digests BLOB;
-- Where its counters stand: one line each.
ALTER TABLE device ADD COLUMN meters TEXT NOT NULL DEFAULT '';
-- What it is known by beside its serial number; MACs and further addresses separated by blanks.
ALTER TABLE device ADD COLUMN macs TEXT NOT NULL DEFAULT '';
ALTER TABLE device ADD COLUMN object_id TEXT NOT NULL DEFAULT '';
ALTER TABLE device ADD COLUMN host_name TEXT NOT NULL DEFAULT '';
ALTER TABLE device ADD COLUMN also_at TEXT NOT NULL DEFAULT '';
-- What the last reading met that was odd: one line each, a word and what it is about.
ALTER TABLE device ADD COLUMN remarks TEXT NOT NULL DEFAULT '';
-- What the last reading cost, both ways.
ALTER TABLE device ADD COLUMN packets INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN octets INTEGER NOT NULL DEFAULT 0;

-- The newest events of each device.
CREATE TABLE event (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    device_id TEXT NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    at        INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    before    TEXT NOT NULL,
    after     TEXT NOT NULL
) STRICT;
CREATE INDEX event_of_device ON event (device_id, id);

-- Two devices of which only a person can say whether they are one.
CREATE TABLE question (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL,
    older      TEXT NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    newer      TEXT NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    asked_at   INTEGER NOT NULL,
    -- Who said that they are two, and when; empty while the question is open.
    decided_by TEXT,
    decided_at INTEGER,
    UNIQUE (older, newer)
) STRICT;

-- The last state of a device before its meters broke, as long as no report has told it.
CREATE TABLE untold_record (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    device_id  TEXT NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    record     TEXT NOT NULL,
    unreported INTEGER NOT NULL
) STRICT;

DROP TABLE meter;
-- The last value of each counter on each day (days since 1970, UTC), in each epoch of its meter.
CREATE TABLE meter (
    device_id TEXT NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    key       TEXT NOT NULL,
    day       INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    value     INTEGER NOT NULL,
    wraps     INTEGER NOT NULL,
    remark    TEXT NOT NULL,
    PRIMARY KEY (device_id, key, day, epoch)
) STRICT, WITHOUT ROWID;
