-- The files with everything about a person that the app has sent them: deleted in Slack when the
-- person is erased.
CREATE TABLE sent_files (
    team_id text NOT NULL,
    user_id text NOT NULL,
    file_id text NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, user_id, file_id)
);
ALTER TABLE sent_files ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_sent_files ON sent_files
    USING (team_id || '.' || user_id = current_setting('kioku.person', true));

-- What is still to be deleted in Slack after somebody was erased. No row names the person; all of
-- them go when it is done. `before` is the ts up to which the app's messages in direct messages are
-- deleted, NULL where they are not; `channel_id` is where the end of it is told.
CREATE TABLE slack_erasures (
    id uuid PRIMARY KEY,
    team_id text NOT NULL,
    channel_id text,
    language text NOT NULL,
    before text,
    files int NOT NULL DEFAULT 0,
    messages int NOT NULL DEFAULT 0,
    failed int NOT NULL DEFAULT 0,
    begun_at timestamptz NOT NULL DEFAULT now()
);
-- A file, a message, or a conversation or thread whose messages are still to be listed, from `cursor`.
CREATE TABLE slack_deletions (
    erasure uuid NOT NULL REFERENCES slack_erasures (id) ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('file', 'message', 'thread', 'conversation')),
    channel text NOT NULL DEFAULT '',
    ref text NOT NULL,
    cursor text NOT NULL DEFAULT '',
    PRIMARY KEY (erasure, kind, channel, ref)
);
-- They are of nobody in particular, so every row may be read.
ALTER TABLE slack_erasures ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybodys_erasures ON slack_erasures USING (true);
ALTER TABLE slack_deletions ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybodys_deletions ON slack_deletions USING (true);

-- What Slack may deliver again is known by its ids for a quarter of an hour more, and no longer by
-- its author. For the person whose transaction it is; runs as the owner, because the rows are nobody's
-- afterwards.
CREATE FUNCTION forget_author_of_events() RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
        UPDATE inbox_events SET user_id = '', finished_at = now() + interval '15 minutes'
            - CASE status WHEN 'done' THEN interval '2 days' ELSE interval '14 days' END
        WHERE team_id || '.' || user_id = current_setting('kioku.person', true)
            AND message IS NULL
    $$;
REVOKE ALL ON FUNCTION forget_author_of_events FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_author_of_events TO kioku_app;
