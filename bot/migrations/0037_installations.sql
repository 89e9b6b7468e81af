-- Workspaces and organisations that installed the app by OAuth. The tokens are encrypted with
-- KIOKU_SECRET_KEY. The process that refreshes them has until `refreshing_until`. Holds nothing of
-- any person.
CREATE TABLE installations (
    team_id text PRIMARY KEY,
    bot_user_id text NOT NULL,
    bot_id text,
    bot_token text NOT NULL,
    refresh_token text,
    expires_at timestamptz,
    refreshing_until timestamptz,
    installed_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE installations ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybodys_installations ON installations USING (true);

-- The states of installations under way, by their SHA-256. Each is used once, and ends.
CREATE TABLE oauth_states (
    digest bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
ALTER TABLE oauth_states ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybodys_oauth_states ON oauth_states USING (true);
