-- Workspaces this database has served. Slack accepted the bot token at `token_checked_at`. From
-- `left_at` (the time of the event) on the workspace is not served, until `returned_at`; its rows are
-- deleted from `purge_at` on, and were at `purged_at`. Holds nothing of any person.
CREATE TABLE workspaces (
    team_id text PRIMARY KEY,
    bot_user_id text,
    token_checked_at timestamptz,
    left_at timestamptz,
    reason text CHECK (reason IN ('uninstalled', 'token_revoked')),
    purge_at timestamptz,
    purge_started_at timestamptz,
    purged_at timestamptz,
    returned_at timestamptz
);
ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybodys_workspaces ON workspaces USING (true);

-- Rows of a workspace are deleted by their age: when each was written.
ALTER TABLE catching_up ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE notices ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE prompted ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE person_settings ADD COLUMN changed_at timestamptz NOT NULL DEFAULT now();
CREATE FUNCTION settings_changed() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
    AS $$
    BEGIN
        NEW.changed_at := now();
        RETURN NEW;
    END
    $$;
CREATE TRIGGER settings_changed BEFORE UPDATE ON person_settings
    FOR EACH ROW EXECUTE FUNCTION settings_changed();

-- People whose account has been deactivated for `days`. Runs as the owner and returns ids.
CREATE INDEX person_settings_deactivated ON person_settings (deactivated_at)
    WHERE deactivated_at IS NOT NULL;
CREATE FUNCTION people_deactivated_for(days int, most int)
    RETURNS TABLE (team_id text, user_id text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
        SELECT settings.team_id, settings.user_id FROM person_settings AS settings
        WHERE settings.deactivated_at < now() - make_interval(days => people_deactivated_for.days)
        ORDER BY settings.deactivated_at LIMIT most
    $$;
REVOKE ALL ON FUNCTION people_deactivated_for FROM PUBLIC;
GRANT EXECUTE ON FUNCTION people_deactivated_for TO kioku_app;
