-- What `kioku status` shows: counts and times of all people's messages, and no ids.
CREATE FUNCTION operating_state()
    RETURNS TABLE (
        waiting bigint, oldest_seconds float, failed_messages bigint,
        received_at timestamptz, answered_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
        SELECT
            count(*) FILTER (WHERE status = 'waiting'),
            extract(epoch FROM now() - min(received_at) FILTER (WHERE status = 'waiting'))::float,
            count(*) FILTER (WHERE status = 'failed'),
            max(received_at),
            max(finished_at) FILTER (WHERE status = 'done')
        FROM inbox_events
    $$;
REVOKE ALL ON FUNCTION operating_state FROM PUBLIC;
GRANT EXECUTE ON FUNCTION operating_state TO kioku_app;

-- An operator who lets failed jobs run again, or deletes them, is recorded as one who erases is.
ALTER TABLE operator_actions DROP CONSTRAINT operator_actions_action_check;
ALTER TABLE operator_actions ADD CONSTRAINT operator_actions_action_check
    CHECK (action IN ('export', 'erase', 'feedback', 'retry', 'drop'));
