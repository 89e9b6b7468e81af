-- As before, but for a day while messages of an outage are still read from Slack, which reads a day
-- back at most: without its ids, what was answered before the erasing would be answered again.
CREATE OR REPLACE FUNCTION forget_author_of_events() RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
        UPDATE inbox_events AS events SET user_id = '', finished_at = now()
            + CASE WHEN EXISTS (
                SELECT FROM catching_up WHERE catching_up.team_id = events.team_id)
                THEN interval '1 day' ELSE interval '15 minutes' END
            - CASE status WHEN 'done' THEN interval '2 days' ELSE interval '14 days' END
        WHERE team_id || '.' || user_id = current_setting('kioku.person', true)
            AND message IS NULL
    $$;
