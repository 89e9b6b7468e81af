-- A job is fetched by looking whether another of its lock runs or came before it. Without this index
-- and with many jobs waiting, each fetch reads all of them: seconds instead of a millisecond.
CREATE INDEX procrastinate_jobs_lock ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing');
-- The table is empty most of the time and is full within minutes after an outage.
ALTER TABLE procrastinate_jobs SET (
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 500,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500
);

-- What is deleted when its time is over.
CREATE INDEX inbox_events_finished ON inbox_events (finished_at) WHERE status <> 'waiting';
CREATE INDEX turns_answering ON turns (intended_at) WHERE status = 'answering';

-- The upkeep concerns everybody's rows, which row-level security keeps from the application. These
-- functions run as the owner and return ids and numbers only.

-- Threads in which something waits, or was withdrawn half answered, and no job is to see to it.
CREATE FUNCTION threads_without_a_job()
    RETURNS TABLE (thread text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
        SELECT DISTINCT waiting.thread FROM (
            SELECT events.thread FROM inbox_events AS events
            WHERE events.status = 'waiting' AND events.received_at < now() - interval '1 minute'
            UNION ALL
            SELECT turns.thread FROM turns JOIN inbox_events AS events
                ON events.team_id = turns.team_id AND events.channel_id = turns.channel_id
                AND events.ts = turns.question_ts
            WHERE turns.status = 'answering' AND events.status = 'withdrawn'
                AND events.finished_at < now() - interval '1 minute'
        ) AS waiting
        WHERE NOT EXISTS (
            SELECT FROM procrastinate_jobs AS jobs
            WHERE jobs.lock = 'replies:' || waiting.thread AND jobs.status IN ('todo', 'doing')
        )
    $$;

-- Messages that no job can answer, however often: the jobs of their thread failed `most` times.
CREATE FUNCTION fail_poison_events(most int)
    RETURNS TABLE (id bigint, thread text)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
        UPDATE inbox_events AS events SET status = 'failed', message = NULL, finished_at = now()
        WHERE events.status = 'waiting' AND events.received_at < now() - interval '1 minute'
            AND NOT EXISTS (
                SELECT FROM procrastinate_jobs AS jobs
                WHERE jobs.lock = 'replies:' || events.thread AND jobs.status IN ('todo', 'doing')
            )
            AND most <= (
                SELECT count(*) FROM procrastinate_jobs AS jobs
                WHERE jobs.status = 'failed' AND jobs.queueing_lock = 'replies:' || events.thread
                    AND events.received_at < (
                        SELECT max(at) FROM procrastinate_events WHERE job_id = jobs.id
                    )
            )
        RETURNING events.id, events.thread
    $$;

-- Deletes events that were answered two days ago, and failed or withdrawn ones after two weeks; ends
-- turns whose message waits no longer. Some at a time: the next upkeep takes the others.
CREATE FUNCTION clear_away(most int)
    RETURNS TABLE (events bigint, turns bigint)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
        WITH gone AS (
            DELETE FROM inbox_events WHERE inbox_events.id IN (
                SELECT old.id FROM inbox_events AS old
                WHERE old.status <> 'waiting' AND old.finished_at < now()
                    - CASE old.status WHEN 'done' THEN interval '2 days' ELSE interval '14 days' END
                ORDER BY old.finished_at LIMIT most
            ) RETURNING 1
        ), ended AS (
            UPDATE turns SET status = 'failed', ended_at = now(),
                formed_at = CASE WHEN turns.words = '' THEN now() END
            WHERE turns.status = 'answering' AND turns.intended_at < now() - interval '1 hour'
                AND NOT EXISTS (
                    SELECT FROM inbox_events AS asked
                    WHERE asked.team_id = turns.team_id AND asked.channel_id = turns.channel_id
                        AND asked.ts = turns.question_ts AND asked.status IN ('waiting', 'withdrawn')
                ) RETURNING 1
        )
        SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM ended)
    $$;

-- How the work stands, for whoever runs the app.
CREATE FUNCTION work_at_hand()
    RETURNS TABLE (waiting bigint, oldest_seconds float, failed_events bigint, failed_jobs bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
        SELECT
            count(*) FILTER (WHERE events.status = 'waiting'),
            extract(epoch FROM now() - min(events.received_at)
                FILTER (WHERE events.status = 'waiting'))::float,
            count(*) FILTER (WHERE events.status = 'failed'),
            (SELECT count(*) FROM procrastinate_jobs AS jobs WHERE jobs.status = 'failed')
        FROM inbox_events AS events WHERE events.status IN ('waiting', 'failed')
    $$;

REVOKE ALL ON FUNCTION threads_without_a_job, fail_poison_events, clear_away, work_at_hand
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION threads_without_a_job, fail_poison_events, clear_away, work_at_hand
    TO kioku_app;
