-- The ts of the newest event that a message was edited or deleted by; '' for none. Slack delivers events
-- in any order, and some again.
ALTER TABLE inbox_events ADD COLUMN changed_ts text NOT NULL DEFAULT '';

-- Whether the app takes part in a thread, and whether other messages of it are still to be handled.
CREATE INDEX inbox_events_thread ON inbox_events (thread);
CREATE INDEX inbox_events_failed ON inbox_events (id) WHERE status = 'failed';

-- Each value is read from an index: rows of handled messages are kept for days.
CREATE OR REPLACE FUNCTION operating_state()
    RETURNS TABLE (
        waiting bigint, oldest_seconds float, failed_messages bigint,
        received_at timestamptz, answered_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
        SELECT
            count(*),
            extract(epoch FROM now() - min(events.received_at))::float,
            (SELECT count(*) FROM inbox_events WHERE status = 'failed'),
            (SELECT newest.received_at FROM inbox_events AS newest ORDER BY id DESC LIMIT 1),
            (SELECT max(finished_at) FROM inbox_events WHERE status = 'done')
        FROM inbox_events AS events WHERE events.status = 'waiting'
    $$;
