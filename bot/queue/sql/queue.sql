-- Statements about procrastinate's tables that its own functions do not have.

-- name: beat
-- Record that these workers live.
UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = ANY(%(workers)s);

-- name: recover
-- Let the jobs in progress run again whose workers have ended, or have sent no heartbeat for so many
-- seconds; end those that were aborted longer ago than `aborting`. The worker is looked up in a subquery:
-- for a job that has changed meanwhile, PostgreSQL evaluates that again, but not a join. Periodic work
-- whose next job waits already is ended: that job waits for its lock, and does its work. No worker counts
-- as dead before this user has had a connection for so long: after a restart of PostgreSQL, and on a
-- server that has just taken over, no process had the time yet to say that it lives.
WITH stalled AS (
    SELECT id, task_name, queueing_lock FROM procrastinate_jobs AS job
    WHERE status = 'doing' AND (
        abort_requested AND (
            SELECT max(at) FROM procrastinate_events AS event
            WHERE event.job_id = job.id AND event.type = 'abort_requested'
        ) < now() - make_interval(secs => %(aborting)s)
        OR (worker_id IS NULL OR (
            SELECT last_heartbeat FROM procrastinate_workers AS worker WHERE worker.id = job.worker_id
        ) < now() - make_interval(secs => %(seconds)s)) AND (
            SELECT min(backend_start) < now() - make_interval(secs => %(seconds)s) FROM pg_stat_activity
            WHERE usename = session_user AND datname = current_database()))
    FOR UPDATE SKIP LOCKED
)
SELECT id, task_name, CASE
    WHEN EXISTS (SELECT FROM procrastinate_jobs AS next
        WHERE next.status = 'todo' AND next.queueing_lock = stalled.queueing_lock)
    THEN procrastinate_finish_job_v1(id, 'failed', true)
    ELSE procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL)
END
FROM stalled;

-- name: finish
-- End a job, unless another run of it has begun or it has ended: each run begins with one attempt more.
WITH run AS (
    SELECT id FROM procrastinate_jobs
    WHERE id = %(id)s AND status = 'doing' AND attempts = %(attempts)s FOR UPDATE
)
SELECT procrastinate_finish_job_v1(id, %(status)s, %(delete_job)s) FROM run;

-- name: retry
-- Let a job run again at a time, unless another run of it has begun or it has ended.
WITH run AS (
    SELECT id FROM procrastinate_jobs
    WHERE id = %(id)s AND status = 'doing' AND attempts = %(attempts)s FOR UPDATE
)
SELECT procrastinate_retry_job_v2(id, %(retry_at)s, %(priority)s, %(queue)s, %(lock)s) FROM run;

-- name: running
-- Lock the jobs in progress with these locks: they cannot end before this transaction does.
SELECT id FROM procrastinate_jobs WHERE lock = ANY(%(locks)s) AND status = 'doing'
ORDER BY id FOR UPDATE;

-- name: state
-- What waits in the queue. A process has three workers.
SELECT
    (SELECT (count(*) + 2) / 3 FROM procrastinate_workers
        WHERE last_heartbeat > now() - interval '10 seconds') AS processes,
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
WHERE lock = %(lock)s AND status = 'todo' AND task_name = %(task)s
    AND (scheduled_at IS NULL OR scheduled_at <= now() + make_interval(secs => %(delay)s))
LIMIT 1 FOR SHARE SKIP LOCKED;

-- name: delete_old
-- Delete jobs that ended two weeks ago. procrastinate's own statement reads all jobs once for each of
-- them if the table was empty when it was analyzed last.
DELETE FROM procrastinate_jobs AS job
WHERE status NOT IN ('todo', 'doing')
    AND NOT EXISTS (
        SELECT FROM procrastinate_events AS event
        WHERE event.job_id = job.id AND event.at > now() - interval '14 days'
    );
