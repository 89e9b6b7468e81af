-- The kinds of credentials that were removed from the texts of a turn before they were stored.
ALTER TABLE turns ADD COLUMN left_out text[] NOT NULL DEFAULT '{}';

-- Since when the texts of a turn are withheld: nothing reads them, and no memory is formed of them,
-- because the person paused memory, made the thread incognito, or asked not to remember the message.
-- Undo sets it back to NULL; after a day, or a click, the texts are deleted (`off_record`).
ALTER TABLE turns ADD COLUMN withheld_at timestamptz;
CREATE INDEX turns_withheld ON turns (withheld_at) WHERE withheld_at IS NOT NULL;

-- Runs as the owner: the upkeep acts for nobody, and row-level security shows it no turn.
CREATE FUNCTION end_withheld()
    RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
        WITH ended AS (
            UPDATE turns SET off_record = true, question = '', words = '', reply = NULL,
                withheld_at = NULL,
                formed_at = CASE WHEN turns.ended_at IS NOT NULL
                    THEN COALESCE(turns.formed_at, now()) END
            WHERE turns.withheld_at < now() - interval '1 day' RETURNING 1
        )
        SELECT count(*) FROM ended
    $$;
REVOKE ALL ON FUNCTION end_withheld FROM PUBLIC;
GRANT EXECUTE ON FUNCTION end_withheld TO kioku_app;
