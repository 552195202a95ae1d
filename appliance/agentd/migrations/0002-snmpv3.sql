-- Users of SNMPv3. `label` is what ranges and devices refer to; `name` is what the devices call the user.
CREATE TABLE snmp_user (
    label         TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    auth_protocol TEXT,
    auth_password BLOB,
    priv_protocol TEXT,
    priv_password BLOB,
    -- How short keys are made longer; NULL tries both ways.
    key_extension TEXT
) STRICT;

-- Labels of users, one a line, in the order in which they are tried; and over which transport.
ALTER TABLE scan_range ADD COLUMN snmp_users TEXT NOT NULL DEFAULT '';
ALTER TABLE scan_range ADD COLUMN transport TEXT NOT NULL DEFAULT 'udp';

-- To which user a device answers, with keys made longer in which way, over which transport.
ALTER TABLE device ADD COLUMN snmp_user TEXT;
ALTER TABLE device ADD COLUMN key_extension TEXT;
ALTER TABLE device ADD COLUMN transport TEXT NOT NULL DEFAULT 'udp';
