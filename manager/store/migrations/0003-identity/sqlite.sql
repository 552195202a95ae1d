-- Which names mean one device, what happened to it, and what only a person can decide about two of them.

-- Further names of a device: those that an agent gave up, and those of other agents that read it or have read it.
CREATE TABLE device_name (
    agent_id  INTEGER NOT NULL REFERENCES agent (id),
    key       TEXT NOT NULL,
    device_id INTEGER NOT NULL REFERENCES device (id),
    -- What was read up to here is this device's, whatever it says; what was read later has to say that it is.
    until     INTEGER NOT NULL,
    PRIMARY KEY (agent_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_name_of_device ON device_name (device_id);

-- By what one agent's device is found again among another's.
CREATE INDEX device_by_serial ON device (serial) WHERE serial <> '';
CREATE INDEX device_by_mac ON device (mac) WHERE mac <> '';
CREATE INDEX device_by_host_name ON device (host_name) WHERE host_name <> '';

CREATE TABLE device_event (
    device_id INTEGER NOT NULL REFERENCES device (id),
    at        INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    before    TEXT NOT NULL,
    after     TEXT NOT NULL,
    PRIMARY KEY (device_id, at, kind, before, after)
) STRICT, WITHOUT ROWID;

-- Whether two devices are one. Asked by an agent about two of its own, or by the manager about those of two agents.
CREATE TABLE identity_question (
    id         INTEGER PRIMARY KEY,
    older      INTEGER NOT NULL REFERENCES device (id),
    newer      INTEGER NOT NULL REFERENCES device (id),
    doubt      TEXT NOT NULL,
    asked_at   INTEGER NOT NULL,
    by_agent   INTEGER NOT NULL,
    decision   TEXT CHECK (decision IN ('another', 'moot')),
    decided_at INTEGER,
    decided_by TEXT,
    UNIQUE (older, newer)
) STRICT;
CREATE INDEX identity_question_of_newer ON identity_question (newer);

-- What the agent notes about the device that asks for attention, as a list shows it: a code and particulars, separated by a tab.
ALTER TABLE device ADD COLUMN trouble TEXT NOT NULL DEFAULT '';

-- What agents say of themselves, and when they said it.
CREATE TABLE agent_remark (
    agent_id INTEGER NOT NULL REFERENCES agent (id),
    place    INTEGER NOT NULL,
    code     TEXT NOT NULL,
    since    INTEGER,
    text     TEXT NOT NULL,
    PRIMARY KEY (agent_id, place)
) STRICT, WITHOUT ROWID;
ALTER TABLE agent ADD COLUMN remarked_at INTEGER NOT NULL DEFAULT 0;

-- The agent that has taken over its devices.
ALTER TABLE agent ADD COLUMN replaced_by INTEGER REFERENCES agent (id);
