-- How transactions begin: with the application's role, the settings of their scope, and a lock,
-- which all end with the transaction. The lock is taken in separate statements, so that the
-- timeouts that were just set apply to it. `set` is for a pipeline, a transaction by itself.

-- name: begin
-- With `lock` other writers of the person's memories wait until the transaction ends. A `shared` lock
-- waits until a running write has ended, so that the next statement sees it: transactions that end a
-- turn or begin a request take it.
BEGIN;
SELECT set_config(name, value, true)
FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting (name, value);
SELECT pg_advisory_xact_lock(hashtextextended(%(lock)s, 0))
WHERE %(lock)s <> '' AND NOT %(shared)s;
SELECT pg_advisory_xact_lock_shared(hashtextextended(%(lock)s, 0))
WHERE %(lock)s <> '' AND %(shared)s;

-- name: epoch
-- The person's epoch; no row once they were erased.
SELECT epoch FROM people WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: set
SELECT set_config(name, value, true)
FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting (name, value);

-- name: begin_session
-- How values are read, written and isolated, which a role, a database or the environment may set
-- otherwise; and the process that serves the session.
SELECT pg_backend_pid() AS pid, set_config('DateStyle', 'ISO', false),
    set_config('IntervalStyle', 'postgres', false), set_config('TimeZone', 'UTC', false),
    set_config('bytea_output', 'hex', false), set_config('extra_float_digits', '1', false),
    set_config('standard_conforming_strings', 'on', false),
    set_config('default_transaction_isolation', 'read committed', false);
