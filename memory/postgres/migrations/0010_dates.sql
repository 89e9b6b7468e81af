-- Dates outside 2000 to 2100 are not stored. Python has no date below year 1: one row with such a
-- date made every read of its person's rows fail, and with it expiry and retention for everybody.
-- The earliest date makes the row due wherever retention is on; a later one never came in.
UPDATE store SET
    created_at = COALESCE(LEAST(GREATEST(created_at, '2000-01-01 00:00:00+00'), now()), now()),
    updated_at = COALESCE(LEAST(GREATEST(updated_at, '2000-01-01 00:00:00+00'), now()), now())
WHERE (created_at >= '2000-01-01 00:00:00+00' AND created_at < '2100-01-01 00:00:00+00'
    AND updated_at >= '2000-01-01 00:00:00+00' AND updated_at < '2100-01-01 00:00:00+00') IS NOT TRUE;
-- Deferred triggers of the changed rows, which would keep the table from being altered, run now.
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE store ADD CONSTRAINT store_dates CHECK (
    (created_at >= '2000-01-01 00:00:00+00' AND created_at < '2100-01-01 00:00:00+00'
    AND updated_at >= '2000-01-01 00:00:00+00' AND updated_at < '2100-01-01 00:00:00+00') IS TRUE);

-- The ledger holds the dates of rows, NULL where there was none before.
UPDATE memory_changes SET
    created_at = LEAST(GREATEST(created_at, '2000-01-01 00:00:00+00'), now()),
    updated_at = LEAST(GREATEST(updated_at, '2000-01-01 00:00:00+00'), now())
WHERE created_at < '2000-01-01 00:00:00+00' OR created_at >= '2100-01-01 00:00:00+00'
    OR updated_at < '2000-01-01 00:00:00+00' OR updated_at >= '2100-01-01 00:00:00+00';
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE memory_changes ADD CONSTRAINT memory_changes_dates CHECK (
    (created_at IS NULL
        OR created_at >= '2000-01-01 00:00:00+00' AND created_at < '2100-01-01 00:00:00+00')
    AND (updated_at IS NULL
        OR updated_at >= '2000-01-01 00:00:00+00' AND updated_at < '2100-01-01 00:00:00+00'));
