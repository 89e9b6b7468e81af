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
