-- In any order: people of a workspace that Slack gives no answer about would be the first each time.
CREATE OR REPLACE FUNCTION people_deactivated_for(days int, most int)
    RETURNS TABLE (team_id text, user_id text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
        SELECT settings.team_id, settings.user_id FROM person_settings AS settings
        WHERE settings.deactivated_at < now() - make_interval(days => people_deactivated_for.days)
        ORDER BY random() LIMIT most
    $$;
