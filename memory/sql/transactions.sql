-- How transactions begin: with the application's role, the settings of their scope, and a lock. All of
-- it ends with the transaction. A lock waits in a statement of its own, so that the limits of time
-- that were just set count for it. `set` is for a pipeline, which is a transaction of its own.

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
-- Begin, and wait for a running write of a person's memories: the next statement sees what was written.
-- Those that end a turn or begin a request share this lock.
BEGIN;
SELECT set_config(name, value, true)
FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting (name, value);
SELECT pg_advisory_xact_lock_shared(hashtextextended(%(lock)s, 0));

-- name: set
SELECT set_config(name, value, true)
FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting (name, value);
