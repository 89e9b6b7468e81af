-- Threads in which the app answers only where it is mentioned, until it is: who asked for that.
CREATE TABLE quiet_threads (
    team_id text NOT NULL,
    user_id text NOT NULL,
    thread text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX quiet_threads_person ON quiet_threads (team_id, user_id);
ALTER TABLE quiet_threads ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_quiet_threads ON quiet_threads USING (
    team_id || '.' || user_id = current_setting('kioku.person', true)
    OR thread = current_setting('kioku.thread', true)
);

-- What a person looks at in Slack with the app beside it: the ids Slack last told, for an hour.
CREATE TABLE viewed (
    team_id text NOT NULL,
    user_id text NOT NULL,
    channel_id text NOT NULL,
    message_ts text,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, user_id)
);
CREATE INDEX viewed_seen ON viewed (seen_at);
ALTER TABLE viewed ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_viewed ON viewed USING (
    team_id || '.' || user_id = current_setting('kioku.person', true)
    OR seen_at < now() - interval '1 hour'
) WITH CHECK (team_id || '.' || user_id = current_setting('kioku.person', true));
