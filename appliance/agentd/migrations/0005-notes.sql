-- What the manager is told beside what devices say.

-- Whether a report has told the event.
ALTER TABLE event ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
-- Why and since when the device is polled less often than the others: a word, milliseconds since 1970 and particulars, separated
-- by tabs; empty when it is not.
ALTER TABLE device ADD COLUMN slowed TEXT NOT NULL DEFAULT '';

-- Names of devices that were given up when two turned out to be one. They are never given again.
CREATE TABLE given_up (
    gone  TEXT PRIMARY KEY,
    stays TEXT NOT NULL,
    told  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the agent has to say about itself.
CREATE TABLE own_remark (
    code  TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    text  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
