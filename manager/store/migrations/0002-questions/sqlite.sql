-- Questions about meters, which a person has to decide.

-- How often the counter has gone past the end of 32 bits in its epoch.
ALTER TABLE counter_reading ADD COLUMN wraps INTEGER NOT NULL DEFAULT 0;

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
