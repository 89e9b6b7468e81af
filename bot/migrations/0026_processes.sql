-- Processes that work the queue, and when each last said that it lives: one whose worker starts anew,
-- as after a restart of PostgreSQL, has not died.
CREATE TABLE processes (
    id text PRIMARY KEY,
    seen_at timestamptz NOT NULL DEFAULT now()
);

CREATE OR REPLACE FUNCTION count_crashes(stalled float, alone_after int)
    RETURNS TABLE (lock text, alone boolean, lone_crashes int)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
        WITH dead AS (
            SELECT events.id, events.claimed_by,
                count(*) OVER (PARTITION BY events.claimed_by) = 1 AS lone
            FROM procrastinate_jobs AS jobs
            JOIN inbox_events AS events ON events.thread = jobs.args->>'thread'
            WHERE jobs.status = 'doing' AND jobs.task_name = 'answer_thread'
                AND (jobs.worker_id IS NULL OR jobs.worker_id IN (
                    SELECT workers.id FROM procrastinate_workers AS workers
                    WHERE workers.last_heartbeat < now() - make_interval(secs => stalled)))
                AND events.status = 'waiting' AND events.claimed_by IS NOT NULL
                AND NOT EXISTS (
                    SELECT FROM processes WHERE processes.id = events.claimed_by
                        AND processes.seen_at > now() - make_interval(secs => stalled))
        ), counted AS (
            UPDATE inbox_events AS events SET crashes = events.crashes + 1,
                lone_crashes = events.lone_crashes + dead.lone::int, claimed_by = NULL
            FROM dead WHERE events.id = dead.id
            RETURNING events.thread, events.crashes, events.lone_crashes, dead.lone
        )
        SELECT 'replies:' || counted.thread, counted.crashes >= alone_after,
            CASE WHEN counted.lone THEN counted.lone_crashes ELSE 0 END
        FROM counted
    $$;
