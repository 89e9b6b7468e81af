-- Statements about procrastinate's tables that its own functions do not have.

-- name: connected_long_enough
-- Whether this user has had a connection for so many seconds. After a restart of PostgreSQL, and on a
-- server that has just taken over, no process had the time yet to say that it lives.
SELECT COALESCE(min(backend_start) < now() - make_interval(secs => %(seconds)s), false) AS holds
FROM pg_stat_activity
WHERE usename = session_user AND datname = current_database();

-- name: state
-- What waits in the queue. A process has three workers.
SELECT
    (SELECT (count(*) + 2) / 3 FROM procrastinate_workers
        WHERE last_heartbeat > now() - make_interval(secs => %(alive)s)) AS processes,
    count(*) FILTER (WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now()))
        AS jobs_due,
    COALESCE(extract(epoch FROM now() - min(scheduled_at)
        FILTER (WHERE status = 'todo' AND scheduled_at <= now())), 0)::float AS oldest_job_seconds,
    count(*) FILTER (WHERE status = 'todo' AND scheduled_at > now()) AS jobs_later,
    count(*) FILTER (WHERE status = 'failed') AS jobs_failed
FROM procrastinate_jobs;

-- name: hold_waiting
-- Lock a job that waits, so that no worker takes it before this transaction has ended: workers skip
-- jobs that are locked, and so does this statement for one that a worker is just taking.
SELECT id FROM procrastinate_jobs
WHERE lock = %(lock)s AND status = 'todo' AND task_name = %(task)s AND priority >= %(priority)s
LIMIT 1 FOR SHARE SKIP LOCKED;
