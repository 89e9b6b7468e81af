-- Finds the texts that are older than KIOKU_HISTORY_DAYS without reading the rows that have none.
CREATE INDEX turns_texts ON turns (intended_at)
    WHERE question <> '' OR words <> '' OR reply IS NOT NULL;
CREATE INDEX feedback_comments ON feedback (changed_at) WHERE comment <> '';

-- Removes the texts of conversations that are older than `days`, `most` rows of each table a call.
-- Rows stay without their texts: a message that Slack delivers again is known by them, and a thread
-- is followed by them. Words that formed no memory until then form none any more; a message that
-- still waits ends as failed. Runs as the owner and returns the numbers of rows.
CREATE FUNCTION end_history(days int, most int)
    RETURNS TABLE (turns bigint, unformed bigint, comments bigint, waiting bigint)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
        WITH old AS MATERIALIZED (
            SELECT kept.id, kept.words <> '' AND kept.formed_at IS NULL AS unformed
            FROM turns AS kept
            WHERE kept.intended_at < now() - make_interval(days => end_history.days)
                AND kept.status <> 'answering'
                AND (kept.question <> '' OR kept.words <> '' OR kept.reply IS NOT NULL)
            ORDER BY kept.intended_at LIMIT most FOR UPDATE SKIP LOCKED
        ), blanked AS (
            UPDATE turns SET question = '', words = '', reply = NULL,
                formed_at = COALESCE(turns.formed_at, now())
            FROM old WHERE turns.id = old.id
        ), said AS (
            UPDATE feedback SET comment = '' WHERE feedback.turn_id IN (
                SELECT rated.turn_id FROM feedback AS rated WHERE rated.comment <> ''
                    AND rated.changed_at < now() - make_interval(days => end_history.days)
                ORDER BY rated.changed_at LIMIT most FOR UPDATE SKIP LOCKED
            ) RETURNING 1
        ), late AS (
            UPDATE inbox_events SET status = 'failed', message = NULL, finished_at = now()
            WHERE inbox_events.id IN (
                SELECT asked.id FROM inbox_events AS asked WHERE asked.status = 'waiting'
                    AND asked.received_at < now() - make_interval(days => end_history.days)
                ORDER BY asked.received_at LIMIT most FOR UPDATE SKIP LOCKED
            ) RETURNING 1
        )
        SELECT (SELECT count(*) FROM old), (SELECT count(*) FROM old WHERE old.unformed),
            (SELECT count(*) FROM said), (SELECT count(*) FROM late)
    $$;
REVOKE ALL ON FUNCTION end_history FROM PUBLIC;
GRANT EXECUTE ON FUNCTION end_history TO kioku_app;
