-- How transactions begin: with the application's role, the settings of their scope, and a lock,
-- which all end with the transaction. The lock is taken in a separate statement, so that the
-- timeouts that were just set apply to it. `set` is for a pipeline, a transaction by itself.

-- name: begin
BEGIN;
SELECT set_config(name, value, true)
FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting (name, value);

-- name: begin_exclusive
-- Begin, and wait for the lock of a person, under which their memories are written.
BEGIN;
SELECT set_config(name, value, true)
FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting (name, value);
SELECT pg_advisory_xact_lock(hashtextextended(%(lock)s, 0));

-- name: begin_shared
-- Begin, and wait until a running write of a person's memories has ended, so that the next
-- statement sees it. Transactions that end a turn or begin a request share this lock.
BEGIN;
SELECT set_config(name, value, true)
FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting (name, value);
SELECT pg_advisory_xact_lock_shared(hashtextextended(%(lock)s, 0));

-- name: set
SELECT set_config(name, value, true)
FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting (name, value);
