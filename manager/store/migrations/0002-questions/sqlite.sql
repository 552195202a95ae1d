-- Questions that a person has to decide, about meters and about who is who.

-- How often the counter has gone past the end of 32 bits in its epoch.
ALTER TABLE counter_reading ADD COLUMN wraps INTEGER NOT NULL DEFAULT 0;

-- A device that may be the same as another one that is known: it is not counted until someone has decided.
ALTER TABLE device ADD COLUMN twin_of INTEGER REFERENCES device (id);

-- What breaks the meters of a device at one moment. The readings that are meant are those with the same device, moment and remark.
CREATE TABLE meter_question (
    id         INTEGER PRIMARY KEY,
    device_id  INTEGER NOT NULL REFERENCES device (id),
    read_at    INTEGER NOT NULL,
    remark     TEXT NOT NULL,
    -- Whether every counter of the reading broke: the mark of a board that was swapped.
    is_whole   INTEGER NOT NULL,
    decision   TEXT CHECK (decision IN ('bill', 'leave', 'returned')),
    decided_at INTEGER,
    decided_by TEXT,
    UNIQUE (device_id, read_at, remark)
) STRICT;

CREATE INDEX meter_question_open ON meter_question (device_id) WHERE decision IS NULL;

-- Two devices of which nobody but a person can say whether they are one.
CREATE TABLE device_question (
    id         INTEGER PRIMARY KEY,
    older      INTEGER NOT NULL REFERENCES device (id),
    newer      INTEGER NOT NULL REFERENCES device (id),
    asked_at   INTEGER NOT NULL,
    decision   TEXT CHECK (decision IN ('same', 'another')),
    decided_at INTEGER,
    decided_by TEXT,
    UNIQUE (older, newer)
) STRICT;
