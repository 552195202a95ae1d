-- What is asked in a range, in the words of agent.toml.
ALTER TABLE scan_range ADD COLUMN probes TEXT NOT NULL DEFAULT 'snmp,icmp,tcp-echo,local-agent,dns-sd';

-- How far the search of each range is that has not come to its end, to go on from there.
CREATE TABLE search (
    range_id INTEGER PRIMARY KEY REFERENCES scan_range (id) ON DELETE CASCADE,
    -- What the cursor belongs to: a digest of addresses and questions.
    plan     TEXT NOT NULL,
    -- The search's own numbers, separated by blanks.
    cursor   TEXT NOT NULL,
    began    INTEGER NOT NULL,
    -- Whether a person has stopped it.
    stopped  INTEGER NOT NULL
) STRICT;

-- Who was met at which address, printer or not.
CREATE TABLE finding (
    address   TEXT PRIMARY KEY,
    seen_at   INTEGER NOT NULL,
    mac       TEXT NOT NULL,
    -- Signs of life, separated by commas.
    signs     TEXT NOT NULL,
    -- What it announces itself as, what SNMP says it is, and its name in the DNS.
    announced TEXT NOT NULL,
    described TEXT NOT NULL,
    host_name TEXT NOT NULL
) STRICT;
