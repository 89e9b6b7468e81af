-- Prompts are not improved here, policies are settings, costs are not kept, and feedback is a rating
-- with a comment.
DROP FUNCTION shared_exchanges;
DROP TABLE prompt_versions, prompt_changes, token_use;
ALTER TABLE feedback
    DROP COLUMN reasons, DROP COLUMN shared, DROP COLUMN model, DROP COLUMN latency_ms,
    DROP COLUMN memories;
ALTER TABLE turns DROP COLUMN latency_ms;
ALTER TABLE person_settings DROP COLUMN guest;

CREATE OR REPLACE FUNCTION people_past_retention(of_all int, most int)
    RETURNS TABLE (team_id text, user_id text, days int)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
        WITH old AS (
            SELECT split_part(store.prefix, '.', 2) AS team_id,
                split_part(store.prefix, '.', 3) AS user_id, min(store.updated_at) AS oldest
            FROM store WHERE store.prefix LIKE 'chat.%'
                AND (of_all IS NOT NULL OR EXISTS (
                    SELECT FROM person_settings WHERE retention_days IS NOT NULL))
            GROUP BY 1, 2
            UNION ALL
            SELECT turns.team_id, turns.user_id, min(turns.intended_at) FROM turns
            WHERE turns.status <> 'answering'
                AND (of_all IS NOT NULL OR EXISTS (
                    SELECT FROM person_settings WHERE retention_days IS NOT NULL))
            GROUP BY 1, 2
            UNION ALL
            SELECT memory_changes.team_id, memory_changes.user_id, min(memory_changes.at)
            FROM memory_changes
            WHERE of_all IS NOT NULL OR EXISTS (
                    SELECT FROM person_settings WHERE retention_days IS NOT NULL)
            GROUP BY 1, 2
        ), kept AS (
            SELECT old.team_id, old.user_id, old.oldest,
                LEAST(settings.retention_days, of_all) AS days
            FROM old LEFT JOIN person_settings AS settings
                ON settings.team_id = old.team_id AND settings.user_id = old.user_id
        )
        SELECT kept.team_id, kept.user_id, min(kept.days) FROM kept
        WHERE kept.oldest < now() - make_interval(days => kept.days)
        GROUP BY kept.team_id, kept.user_id ORDER BY random() LIMIT most
    $$;
DROP TABLE workspace_policies;
