-- How transactions begin: with the application's role, the settings of their scope, and a lock,
-- which all end with the transaction. The lock is taken in a separate statement, so that the
-- timeouts that were just set apply to it. `set` is for a pipeline, a transaction by itself.

-- name: begin
-- Begin. With `exclusive`, wait for the lock of a person, under which their memories are written. With
-- `shared`, wait until a running write of a person's memories has ended, so that the next statement
-- sees it; transactions that end a turn or begin a request share this lock.
BEGIN;
SELECT set_config(name, value, true)
FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting (name, value);
SELECT pg_advisory_xact_lock(hashtextextended(%(exclusive)s, 0)) WHERE %(exclusive)s <> '';
SELECT pg_advisory_xact_lock_shared(hashtextextended(%(shared)s, 0)) WHERE %(shared)s <> '';

-- name: set
SELECT set_config(name, value, true)
FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting (name, value);
