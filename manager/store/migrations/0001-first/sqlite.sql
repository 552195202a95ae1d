-- The first schema. Times are milliseconds since 1970 in UTC.

CREATE TABLE dealer (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL
) STRICT;

INSERT INTO dealer (id, name) VALUES (1, 'Dealer');

CREATE TABLE user (
    id            INTEGER PRIMARY KEY,
    dealer_id     INTEGER NOT NULL REFERENCES dealer (id),
    name          TEXT NOT NULL COLLATE NOCASE UNIQUE,
    password_hash TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('administrator'))
) STRICT;

CREATE TABLE customer (
    id         INTEGER PRIMARY KEY,
    dealer_id  INTEGER NOT NULL REFERENCES dealer (id),
    name       TEXT NOT NULL,
    -- The name in lower case: SQLite itself folds ASCII only.
    folded     TEXT NOT NULL,
    UNIQUE (dealer_id, folded)
) STRICT;

CREATE TABLE site (
    id          INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customer (id),
    name        TEXT NOT NULL,
    folded      TEXT NOT NULL,
    UNIQUE (customer_id, folded)
) STRICT;

CREATE TABLE agent (
    id             INTEGER PRIMARY KEY,
    -- The lasting name: half of the digest of the key.
    key_id         TEXT NOT NULL UNIQUE,
    public_key     BLOB NOT NULL CHECK (length(public_key) = 32),
    site_id        INTEGER NOT NULL REFERENCES site (id),
    name           TEXT NOT NULL,
    software       TEXT NOT NULL,
    registered_at  INTEGER NOT NULL,
    last_report_at INTEGER
) STRICT;

CREATE INDEX agent_of_site ON agent (site_id);

CREATE TABLE enrolment_token (
    id         INTEGER PRIMARY KEY,
    site_id    INTEGER NOT NULL REFERENCES site (id),
    -- SHA-256 of the token: what is stolen with the database admits nobody.
    digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,
    agent_id   INTEGER REFERENCES agent (id),
    revoked_at INTEGER
) STRICT;

CREATE INDEX token_of_site ON enrolment_token (site_id);

-- Each report that was taken, so that none is taken twice.
CREATE TABLE report (
    agent_id    INTEGER NOT NULL REFERENCES agent (id),
    epoch       INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,
    digest      BLOB NOT NULL CHECK (length(digest) = 32),
    received_at INTEGER NOT NULL,
    PRIMARY KEY (agent_id, epoch, sequence)
) STRICT, WITHOUT ROWID;

CREATE INDEX report_by_age ON report (agent_id, received_at);

CREATE TABLE device (
    id             INTEGER PRIMARY KEY,
    agent_id       INTEGER NOT NULL REFERENCES agent (id),
    -- The agent's lasting name of the device.
    key            TEXT NOT NULL,
    -- The state: the XML of the record.
    record         BLOB NOT NULL,
    first_seen_at  INTEGER NOT NULL,
    removed_at     INTEGER,
    -- What lists show and sort by, taken from the record.
    manufacturer   TEXT NOT NULL,
    model          TEXT NOT NULL,
    serial         TEXT NOT NULL,
    address        TEXT NOT NULL,
    host_name      TEXT NOT NULL,
    mac            TEXT NOT NULL,
    location       TEXT NOT NULL,
    firmware       TEXT NOT NULL,
    condition      INTEGER NOT NULL CHECK (condition BETWEEN 0 AND 3),
    read_at        INTEGER NOT NULL,
    silent_since   INTEGER,
    total          INTEGER,
    lowest_percent INTEGER,
    inks           TEXT NOT NULL,
    -- All words that a search finds it by, in lower case.
    search         TEXT NOT NULL,
    UNIQUE (agent_id, key)
) STRICT;

-- One counter of one device.
CREATE TABLE meter (
    id        INTEGER PRIMARY KEY,
    device_id INTEGER NOT NULL REFERENCES device (id),
    key       TEXT NOT NULL,
    name      TEXT NOT NULL,
    unit      TEXT NOT NULL,
    source    TEXT NOT NULL,
    UNIQUE (device_id, key)
) STRICT;

CREATE TABLE counter_reading (
    meter_id INTEGER NOT NULL REFERENCES meter (id),
    read_at  INTEGER NOT NULL,
    value    INTEGER NOT NULL,
    epoch    INTEGER NOT NULL,
    remark   TEXT NOT NULL,
    -- Only where it was read from elsewhere than the meter's source.
    source   TEXT,
    PRIMARY KEY (meter_id, read_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE supply_reading (
    device_id    INTEGER NOT NULL REFERENCES device (id),
    supply_index TEXT NOT NULL,
    read_at      INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    color        TEXT,
    description  TEXT NOT NULL,
    level        TEXT NOT NULL,
    amount       INTEGER,
    capacity     INTEGER,
    unit         TEXT NOT NULL,
    percent      INTEGER,
    PRIMARY KEY (device_id, supply_index, read_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert (
    id          INTEGER PRIMARY KEY,
    device_id   INTEGER NOT NULL REFERENCES device (id),
    part        TEXT NOT NULL,
    part_index  INTEGER,
    code        INTEGER,
    description TEXT NOT NULL,
    severity    TEXT NOT NULL,
    opened_at   INTEGER NOT NULL,
    closed_at   INTEGER
) STRICT;

CREATE INDEX alert_of_device ON alert (device_id, opened_at);

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
