-- What a waiting job says to whoever takes jobs. `person` is whose reply it is, `budget` which of
-- Slack's limits its answer will wait for: so many jobs of each run at a time. While one runs that is
-- `alone`, the process that took it starts no other.
ALTER TABLE procrastinate_jobs
    ADD COLUMN person text,
    ADD COLUMN budget text,
    ADD COLUMN alone boolean NOT NULL DEFAULT false;
CREATE INDEX procrastinate_jobs_person ON procrastinate_jobs (person)
    WHERE status IN ('todo', 'doing');
CREATE INDEX procrastinate_jobs_budget ON procrastinate_jobs (budget)
    WHERE status IN ('todo', 'doing');

-- Which process has a message in progress, NULL for none. How often a process died with it in
-- progress, and how often with nothing else; how many attempts at it ended in an error.
ALTER TABLE inbox_events
    ADD COLUMN claimed_by text,
    ADD COLUMN crashes int NOT NULL DEFAULT 0,
    ADD COLUMN lone_crashes int NOT NULL DEFAULT 0,
    ADD COLUMN failures int NOT NULL DEFAULT 0;

-- Counts the crash of each process for the messages it had in progress: those whose job is held by a
-- worker without a heartbeat for `stalled` seconds. To be called before these jobs are given back.
-- Returns the lock of each message, whether it is to run alone from now on, and, where it was the
-- process's only one, how often that has been so. Runs as the owner: the messages are everybody's.
CREATE FUNCTION count_crashes(stalled float, alone_after int)
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

-- Says whether the model answered somebody of the team between two points in time.
CREATE FUNCTION model_answered(of_team text, begun_after timestamptz, ended_before timestamptz)
    RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
        SELECT EXISTS (
            SELECT FROM turns WHERE turns.team_id = of_team AND turns.intended_at > begun_after
                AND turns.status = 'answered' AND turns.model IS NOT NULL
                AND turns.ended_at < ended_before
        )
    $$;

REVOKE ALL ON FUNCTION count_crashes, model_answered FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_crashes, model_answered TO kioku_app;
