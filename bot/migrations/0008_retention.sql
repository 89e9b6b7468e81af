-- What operators did to a person's data: who, when, and how many rows; nothing of what they held.
CREATE TABLE operator_actions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    operator text NOT NULL,
    action text NOT NULL CHECK (action IN ('export', 'erase')),
    team_id text NOT NULL,
    user_id text NOT NULL,
    rows bigint NOT NULL
);
-- It is added to and read, and never changed.
ALTER TABLE operator_actions ENABLE ROW LEVEL SECURITY;
CREATE POLICY add_operator_actions ON operator_actions FOR INSERT WITH CHECK (true);
CREATE POLICY read_operator_actions ON operator_actions FOR SELECT USING (true);

-- Whose memories or conversations are older than they are to be kept: the person's own choice or the
-- installation's (`of_all`, NULL for none), whichever is shorter. Runs as the owner, returns ids.
CREATE FUNCTION people_past_retention(of_all int, most int)
    RETURNS TABLE (team_id text, user_id text, days int)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
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
        )
        SELECT old.team_id, old.user_id, min(LEAST(settings.retention_days, of_all))
        FROM old LEFT JOIN person_settings AS settings
            ON settings.team_id = old.team_id AND settings.user_id = old.user_id
        WHERE old.oldest < now() - make_interval(days => LEAST(settings.retention_days, of_all))
        GROUP BY old.team_id, old.user_id LIMIT most
    $$;
REVOKE ALL ON FUNCTION people_past_retention FROM PUBLIC;
GRANT EXECUTE ON FUNCTION people_past_retention TO kioku_app;
