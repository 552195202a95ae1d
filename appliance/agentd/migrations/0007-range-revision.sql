-- Rises with every change of a range, so that who changes it from an old page is told.
ALTER TABLE scan_range ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
