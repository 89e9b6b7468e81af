-- What Slack delivered, stored before Slack is answered. Bodies are blanked when they are done.
CREATE TABLE inbox_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id text NOT NULL,
    event_id text NOT NULL,
    user_id text NOT NULL,
    channel_id text NOT NULL,
    ts text NOT NULL,
    thread text NOT NULL,
    audience text,
    message jsonb,
    status text NOT NULL DEFAULT 'waiting'
        CHECK (status IN ('waiting', 'done', 'failed', 'withdrawn')),
    attempts int NOT NULL DEFAULT 0,
    interrupted boolean NOT NULL DEFAULT false,
    received_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    UNIQUE (team_id, event_id),
    UNIQUE (team_id, channel_id, ts)
);
CREATE INDEX inbox_events_waiting ON inbox_events (thread, ts) WHERE status = 'waiting';
CREATE INDEX inbox_events_person ON inbox_events (team_id, user_id) WHERE status = 'waiting';

-- What was asked and answered. Written when a reply is about to be posted, finished with it.
CREATE TABLE turns (
    id uuid PRIMARY KEY,
    team_id text NOT NULL,
    user_id text NOT NULL,
    channel_id text NOT NULL,
    thread text NOT NULL,
    audience text NOT NULL,
    question_ts text NOT NULL,
    question text NOT NULL,
    words text NOT NULL,
    reply text,
    reply_ts text[] NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'answering'
        CHECK (status IN ('answering', 'answered', 'failed', 'stopped')),
    intended_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    formed_at timestamptz,
    UNIQUE (team_id, channel_id, question_ts)
);
CREATE INDEX turns_thread ON turns (thread, question_ts);
CREATE INDEX turns_person ON turns (team_id, user_id, question_ts);
CREATE INDEX turns_unformed ON turns (team_id, user_id, audience) WHERE formed_at IS NULL;

-- A row is reached as its person, or as somebody answering in its thread.
ALTER TABLE inbox_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_events ON inbox_events USING (
    team_id || '.' || user_id = current_setting('kioku.person', true)
    OR thread = current_setting('kioku.thread', true)
);
ALTER TABLE turns ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_turns ON turns USING (
    team_id || '.' || user_id = current_setting('kioku.person', true)
    OR thread = current_setting('kioku.thread', true)
);

-- What kind of conversation a channel is, as Slack last said; forgotten when it changes.
CREATE TABLE conversations (
    team_id text NOT NULL,
    channel_id text NOT NULL,
    audience text NOT NULL,
    shared boolean NOT NULL,
    looked_up_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, channel_id)
);
