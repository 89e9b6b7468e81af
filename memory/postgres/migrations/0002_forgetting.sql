-- What was forgotten, for ten minutes, under a key that exists only in the Undo button.
CREATE TABLE forgotten (
    id uuid PRIMARY KEY,
    team_id text NOT NULL,
    user_id text NOT NULL,
    ciphertext bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX forgotten_expiry ON forgotten (expires_at);
ALTER TABLE forgotten ENABLE ROW LEVEL SECURITY;
-- Anyone may clear away what has expired: without its key it says nothing.
CREATE POLICY own_forgotten ON forgotten USING (
    team_id || '.' || user_id = current_setting('kioku.person', true) OR expires_at < now()
);

-- What is left of something forgotten: where it was said, so that it is not formed or read again.
-- A message in which two things were said can be forgotten twice, and taken back one by one.
CREATE TABLE forgotten_sources (
    forgotten_id uuid NOT NULL,
    team_id text NOT NULL,
    user_id text NOT NULL,
    channel text NOT NULL,
    ts text NOT NULL,
    forgotten_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, user_id, channel, ts, forgotten_id)
);
ALTER TABLE forgotten_sources ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_forgotten_sources ON forgotten_sources
    USING (team_id || '.' || user_id = current_setting('kioku.person', true));
