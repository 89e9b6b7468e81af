-- How a message that waits has fared. `revision` counts the edits of its text; `spared` the attempts
-- at it that ended in good order, if without an answer; `held_since` is when the model was first
-- found away; `late` says that it was found by catching up after an outage.
ALTER TABLE inbox_events
    ADD COLUMN revision int NOT NULL DEFAULT 0,
    ADD COLUMN spared int NOT NULL DEFAULT 0,
    ADD COLUMN held_since timestamptz,
    ADD COLUMN late boolean NOT NULL DEFAULT false;
-- A person's messages of this hour are counted.
CREATE INDEX inbox_events_received ON inbox_events (team_id, user_id, received_at);

-- What a person was told, under which message, and until when they need not be told again.
CREATE TABLE notices (
    team_id text NOT NULL,
    user_id text NOT NULL,
    kind text NOT NULL,
    event_id bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (team_id, user_id, kind)
);
ALTER TABLE notices ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_notices ON notices USING (
    team_id || '.' || user_id = current_setting('kioku.person', true) OR expires_at < now()
) WITH CHECK (team_id || '.' || user_id = current_setting('kioku.person', true));

-- Model tokens a workspace has used, by day in UTC.
CREATE TABLE token_use (
    team_id text NOT NULL,
    day date NOT NULL,
    tokens bigint NOT NULL,
    PRIMARY KEY (team_id, day)
);

-- When somebody last listened to Slack with the database in reach.
CREATE TABLE listening (
    team_id text PRIMARY KEY,
    heard_at timestamptz NOT NULL
);

-- Replies in threads the app has no part in, for two minutes and without their text: the mention
-- that calls it into the thread may have been sent before them, and be delivered after.
CREATE TABLE overheard (
    team_id text NOT NULL,
    channel_id text NOT NULL,
    ts text NOT NULL,
    thread text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, channel_id, ts)
);
CREATE INDEX overheard_thread ON overheard (thread);
CREATE INDEX overheard_received ON overheard (received_at);
ALTER TABLE overheard ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_overheard ON overheard USING (
    thread = current_setting('kioku.thread', true) OR received_at < now() - interval '2 minutes'
) WITH CHECK (thread = current_setting('kioku.thread', true));

-- Conversations and threads (`thread_ts` is not '') still to be read after an outage, by `rank`, from
-- the message after `oldest` on; `cursor` is where Slack's next page begins.
CREATE TABLE catching_up (
    team_id text NOT NULL,
    channel_id text NOT NULL,
    thread_ts text NOT NULL DEFAULT '',
    kind text NOT NULL,
    oldest text NOT NULL,
    cursor text NOT NULL DEFAULT '',
    rank int NOT NULL,
    PRIMARY KEY (team_id, channel_id, thread_ts)
);

-- Threads the app took part in, newest first: keys only, whoever wrote in them.
CREATE INDEX turns_recent ON turns (team_id, intended_at);
CREATE FUNCTION followed_threads(of_team text, since timestamptz, most int)
    RETURNS TABLE (thread text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
        SELECT turns.thread FROM turns
        WHERE turns.team_id = of_team AND turns.intended_at > since
        GROUP BY turns.thread ORDER BY max(turns.intended_at) DESC LIMIT most
    $$;
REVOKE ALL ON FUNCTION followed_threads FROM PUBLIC;
GRANT EXECUTE ON FUNCTION followed_threads TO kioku_app;
