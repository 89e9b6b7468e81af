-- The tables of memory, beside LangGraph's store and store_vectors, which exist already.
-- docs/explanation/memories.md says what they hold. A change after a release is a numbered migration;
-- this file is then left as it is.
--
-- Row-level security: a transaction sees the rows of the person in kioku.team and kioku.user, which
-- memory.postgres.transaction sets; without both it sees none.
-- SECURITY DEFINER functions run as the owner, on the rows of all people, and return only ids and
-- numbers; only kioku_app may call them. Their search_path is the migration's: the schema of these
-- tables, that of pgvector, then pg_temp.

GRANT SELECT ON kioku_migrations, store_migrations, vector_migrations TO kioku_app;

-- The people about whom something is stored. `epoch` is another one once what may be stored about
-- them has changed, last at `changed_at`: memory/store/people.py. `asked` counts what made Kioku ask a
-- model for them in the hour from `asked_from` on. At `searched_at` a memory that the model's provider
-- declines was last looked for.
CREATE SEQUENCE epochs;
CREATE TABLE people (
    team_id text NOT NULL,
    user_id text NOT NULL,
    epoch bigint NOT NULL DEFAULT nextval('epochs'),
    changed_at timestamptz,
    searched_at timestamptz,
    asked int NOT NULL DEFAULT 0,
    asked_from timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, user_id)
);
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_people ON people
    USING (team_id = (SELECT current_setting('kioku.team', true))
        AND user_id = (SELECT current_setting('kioku.user', true)));
GRANT SELECT, INSERT, UPDATE, DELETE ON people TO kioku_app;
GRANT USAGE ON SEQUENCE epochs TO kioku_app;
-- Whoever has a row in a table that refers to this one has one here, made by a trigger whose name comes
-- before that of the foreign key's; who is erased loses it, and with it all of those.
CREATE FUNCTION make_person() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    INSERT INTO people (team_id, user_id) VALUES (NEW.team_id, NEW.user_id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

-- Memories, each in the namespace of the one audience that may read it. The person follows from the prefix, chat.TEAM.USER.AUDIENCE,
-- so that LangGraph's own store can write here, too.
ALTER TABLE store
    ADD COLUMN team_id text GENERATED ALWAYS AS (
        CASE WHEN split_part(prefix, '.', 1) = 'chat' THEN split_part(prefix, '.', 2) END) STORED,
    ADD COLUMN user_id text GENERATED ALWAYS AS (
        CASE WHEN split_part(prefix, '.', 1) = 'chat' THEN split_part(prefix, '.', 3) END) STORED,
    -- what a search finds: memory.model.sameness
    ADD COLUMN plain text NOT NULL DEFAULT '',
    -- `sources` and `said_on` of all that was said, for what only the person sees; the value has those
    -- of what the audience heard
    ADD COLUMN own jsonb NOT NULL DEFAULT '{}';
CREATE INDEX store_person ON store (team_id, user_id);
ALTER TABLE store ADD FOREIGN KEY (team_id, user_id) REFERENCES people ON DELETE CASCADE;
CREATE TRIGGER "1_make_person" AFTER INSERT ON store FOR EACH ROW WHEN (NEW.team_id IS NOT NULL)
    EXECUTE FUNCTION make_person();
-- A search reads thousands of rows: they stay whole and are not compressed, if they fit into a page.
ALTER TABLE store SET (toast_tuple_target = 8160);
ALTER TABLE store ENABLE ROW LEVEL SECURITY;
-- PostgreSQL evaluates a subquery once for a statement, and a function alone once for each row.
CREATE POLICY own_memories ON store
    USING (team_id = (SELECT current_setting('kioku.team', true))
        AND user_id = (SELECT current_setting('kioku.user', true)));
-- Python has no date below year 1: one such row would end every read of its person's rows.
ALTER TABLE store ADD CONSTRAINT store_dates CHECK (
    (created_at >= '2000-01-01 00:00:00+00' AND created_at < '2100-01-01 00:00:00+00'
    AND updated_at >= '2000-01-01 00:00:00+00' AND updated_at < '2100-01-01 00:00:00+00') IS TRUE
    AND expires_at BETWEEN '2000-01-01 00:00:00+00' AND '2100-01-01 00:00:00+00' IS NOT FALSE);
-- So would a row that is no memory, such as LangMem's manage_memory tool stores: it has no kind.
ALTER TABLE store ADD CONSTRAINT store_memories CHECK (team_id IS NULL OR (
    jsonb_typeof(value->'kind') = 'string' AND jsonb_typeof(value->'content') = 'object') IS TRUE);

ALTER TABLE store_vectors
    ADD COLUMN team_id text GENERATED ALWAYS AS (
        CASE WHEN split_part(prefix, '.', 1) = 'chat' THEN split_part(prefix, '.', 2) END) STORED,
    ADD COLUMN user_id text GENERATED ALWAYS AS (
        CASE WHEN split_part(prefix, '.', 1) = 'chat' THEN split_part(prefix, '.', 3) END) STORED;
ALTER TABLE store_vectors ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_vectors ON store_vectors
    USING (team_id = (SELECT current_setting('kioku.team', true))
        AND user_id = (SELECT current_setting('kioku.user', true)));
-- A vector of half precision and 3,072 dimensions takes 6 kB and fits into a page with its row.
-- PostgreSQL would move values of 2 kB or more out of the row, which costs a search more reads for
-- each vector.
ALTER TABLE store_vectors SET (toast_tuple_target = 8160);
-- One statement deletes the vectors of all deleted rows; LangGraph's foreign key needs one per row.
ALTER TABLE store_vectors DROP CONSTRAINT store_vectors_prefix_key_fkey;
CREATE FUNCTION delete_vectors() RETURNS trigger LANGUAGE plpgsql
    SET search_path FROM CURRENT SET enable_nestloop = on AS $$ BEGIN
    DELETE FROM store_vectors v USING gone WHERE (v.prefix, v.key) = (gone.prefix, gone.key);
    RETURN NULL;
END $$;
CREATE TRIGGER delete_vectors AFTER DELETE ON store REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION delete_vectors();
-- Pattern operators are leakproof, so that they can be index conditions under row-level security;
-- LIKE is not.
CREATE INDEX store_vectors_prefix_idx ON store_vectors (prefix text_pattern_ops);

-- The model that made the vectors; one row.
CREATE TABLE kioku_embedding_space (
    model text NOT NULL,
    dimensions int NOT NULL,
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one)
);
GRANT SELECT ON kioku_embedding_space TO kioku_app;

-- What was said about memories, one row per statement. memory.model.statement adds them up to the
-- rows of store, which nothing else writes.
CREATE TABLE statements (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,
    team_id text NOT NULL,
    user_id text NOT NULL,
    key text NOT NULL,
    -- where it was said, or, for a move, where the memory goes
    audience text NOT NULL,
    kind text NOT NULL,
    act text NOT NULL CHECK (act IN ('say', 'remove', 'move')),
    actor text NOT NULL CHECK (actor IN ('formation', 'tool', 'command', 'modal', 'question')),
    -- the fields that it says, always with the one that names the subject; of a move those that it showed
    content jsonb CHECK (state = 'refused' OR (content IS NOT NULL) = (act <> 'remove')),
    -- the subject, for comparison: there is one memory per subject (memory.model.sameness)
    subject text NOT NULL,
    -- the person's words, as typed
    evidence text NOT NULL,
    -- the message; NULL for a form or a tool
    channel text,
    ts text,
    said_at timestamptz NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    -- the person's time zone then
    zone text NOT NULL,
    until timestamptz,
    -- somebody may come to harm if it is not known
    may_harm boolean NOT NULL DEFAULT false,
    -- the model's provider declines its memory, unless that was said otherwise since
    left_out boolean NOT NULL DEFAULT false,
    -- the statements of one notice
    batch uuid NOT NULL,
    -- 'asked': a question that waits for the person; 'refused': it was not remembered, with the reason;
    -- 'edited': its message was edited since, and is read again
    state text NOT NULL DEFAULT 'counts' CHECK (state IN ('counts', 'asked', 'refused', 'edited')),
    reason text CHECK ((reason IS NOT NULL) = (state = 'refused')),
    open_until timestamptz CHECK ((open_until IS NOT NULL) = (state <> 'counts')),
    withdrawn_at timestamptz,
    forgotten_id uuid,
    forgotten_at timestamptz,
    -- Python has no date below year 1: one such row would end every read of its person's rows.
    CHECK (said_at >= '2000-01-01 00:00:00+00' AND said_at < '2100-01-01 00:00:00+00'),
    CHECK (until BETWEEN '2000-01-01 00:00:00+00' AND '2100-01-01 00:00:00+00'),
    CHECK ((forgotten_id IS NULL) = (forgotten_at IS NULL)),
    FOREIGN KEY (team_id, user_id) REFERENCES people ON DELETE CASCADE
);
CREATE TRIGGER "1_make_person" AFTER INSERT ON statements FOR EACH ROW EXECUTE FUNCTION make_person();
CREATE INDEX statements_memory ON statements (team_id, user_id, key, number);
CREATE INDEX statements_subject ON statements (team_id, user_id, kind, subject, number);
CREATE INDEX statements_message ON statements (team_id, user_id, channel, ts);
CREATE INDEX statements_batch ON statements (team_id, user_id, batch);
CREATE INDEX statements_until ON statements (until) WHERE until IS NOT NULL;
CREATE INDEX statements_open ON statements (open_until) WHERE open_until IS NOT NULL;
ALTER TABLE statements ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_statements ON statements
    USING (team_id = (SELECT current_setting('kioku.team', true))
        AND user_id = (SELECT current_setting('kioku.user', true))
        AND (forgotten_id IS NULL OR (SELECT current_setting('kioku.forgotten', true)) = 'shown')
        AND (state = 'counts' OR (SELECT current_setting('kioku.states', true)) = 'shown'));

-- When a person is reminded of each open promise next: `at`, NULL if they are not, for their time zone.
-- `dated`: the statement that named its day. `put_off_at`: when they chose *Tomorrow*. `message_id`: of
-- the metadata of a message that is being posted, `posting_since`. `ts`: of the last one posted.
CREATE TABLE reminders (
    team_id text NOT NULL,
    user_id text NOT NULL,
    key text NOT NULL,
    dated uuid NOT NULL,
    zone text NOT NULL,
    at timestamptz,
    put_off_at timestamptz,
    message_id uuid,
    posting_since timestamptz,
    ts text,
    PRIMARY KEY (team_id, user_id, key),
    FOREIGN KEY (team_id, user_id) REFERENCES people ON DELETE CASCADE
);
CREATE TRIGGER "1_make_person" AFTER INSERT ON reminders FOR EACH ROW EXECUTE FUNCTION make_person();
CREATE INDEX reminders_at ON reminders (at) WHERE at IS NOT NULL;
ALTER TABLE reminders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_reminders ON reminders
    USING (team_id = (SELECT current_setting('kioku.team', true))
        AND user_id = (SELECT current_setting('kioku.user', true)));

-- What a person forgot, by its ids, for thirty days: for an Undo, for a database that is restored, and
-- so that its messages are not formed again. `keys` are those of memories, `statements` what is gone of
-- memories that keep others; a message is a channel and a time. `what` is a forgetting, or the erasure
-- of the person. `purged_at`: when no text from before it was left. An Undo deletes the row.
CREATE TABLE forgotten (
    id uuid PRIMARY KEY,
    team_id text NOT NULL,
    user_id text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    what text NOT NULL CHECK (what IN ('forgetting', 'erasure')),
    keys text[] NOT NULL DEFAULT '{}',
    statements uuid[] NOT NULL DEFAULT '{}',
    channels text[] NOT NULL DEFAULT '{}',
    times text[] NOT NULL DEFAULT '{}' CHECK (cardinality(times) = cardinality(channels)),
    purged_at timestamptz
);
CREATE INDEX forgotten_person ON forgotten (team_id, user_id, at);
CREATE INDEX forgotten_due ON forgotten (at) WHERE purged_at IS NULL;
ALTER TABLE forgotten ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_forgotten ON forgotten
    USING (team_id = (SELECT current_setting('kioku.team', true))
        AND user_id = (SELECT current_setting('kioku.user', true)));

-- The messages from which something was forgotten.
CREATE VIEW forgotten_messages WITH (security_invoker = true) AS
    SELECT forgotten.id, team_id, user_id, at, said.channel, said.ts
    FROM forgotten, unnest(channels, times) AS said (channel, ts);

-- What counts. Questions and refusals are hidden from a transaction that does not set kioku.states, too.
-- A message from which something was forgotten is quoted no more, whatever else it said.
CREATE VIEW counted_statements WITH (security_invoker = true) AS
    SELECT id, number, team_id, user_id, key, audience, kind, act, actor, content, subject,
        CASE WHEN (SELECT current_setting('kioku.forgotten', true)) IS DISTINCT FROM 'shown'
                AND (team_id, user_id, channel, ts) IN (
                    SELECT team_id, user_id, channel, ts FROM forgotten_messages)
            THEN '' ELSE evidence END AS evidence,
        channel, ts, said_at, stored_at, zone, until, may_harm, left_out, batch, withdrawn_at,
        forgotten_id, forgotten_at
    FROM statements WHERE state = 'counts';

-- Messages that their authors keep for a conversation. A transaction reads the lines of the
-- conversation in kioku.channel, besides those of its person. `text`: the message as it was typed.
-- `line_ts`: of the app's post in the thread, whose metadata has `id`; `posting_since`: since when it
-- may be in Slack.
CREATE TABLE kept (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    team_id text NOT NULL,
    channel_id text NOT NULL,
    ts text NOT NULL,
    thread_ts text NOT NULL,
    user_id text NOT NULL,
    text text NOT NULL,
    decision boolean NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    posting_since timestamptz,
    line_ts text,
    UNIQUE (team_id, channel_id, ts),
    FOREIGN KEY (team_id, user_id) REFERENCES people ON DELETE CASCADE
);
CREATE TRIGGER "1_make_person" AFTER INSERT ON kept FOR EACH ROW EXECUTE FUNCTION make_person();
CREATE INDEX kept_person ON kept (team_id, user_id);
ALTER TABLE kept ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_kept ON kept
    USING (team_id = (SELECT current_setting('kioku.team', true))
        AND user_id = (SELECT current_setting('kioku.user', true)));
CREATE POLICY kept_in_conversation ON kept FOR SELECT
    USING (team_id = (SELECT current_setting('kioku.team', true))
        AND channel_id = (SELECT current_setting('kioku.channel', true)));

GRANT SELECT ON counted_statements, forgotten_messages TO kioku_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON store, store_vectors, statements, reminders, forgotten, kept
    TO kioku_app;

-- People with something to delete: a statement, question or refusal that has ended, or what was forgotten
-- more than ten minutes ago. The rows are deleted in a transaction of that person. The order is
-- random, so that people whose rows cannot be deleted do not block others.
CREATE FUNCTION people_with_due(most int)
    RETURNS TABLE (team_id text, user_id text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        SELECT people.team_id, people.user_id FROM (
            SELECT statement.team_id, statement.user_id FROM statements AS statement
                WHERE statement.until <= now()
            UNION SELECT forgetting.team_id, forgetting.user_id FROM forgotten AS forgetting
                WHERE forgetting.what = 'forgetting' AND forgetting.purged_at IS NULL
                    AND forgetting.at < now() - interval '10 minutes'
            UNION SELECT statement.team_id, statement.user_id FROM statements AS statement
                WHERE statement.open_until < now()
        ) AS people
        ORDER BY random() LIMIT most
    $$;

-- People with a reminder that is due.
CREATE FUNCTION people_to_remind(most int)
    RETURNS TABLE (team_id text, user_id text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        SELECT reminder.team_id, reminder.user_id FROM reminders AS reminder
        WHERE reminder.at <= now()
        GROUP BY reminder.team_id, reminder.user_id
        ORDER BY random() LIMIT most
    $$;

-- Until when a person has forgotten: what was said before is shown to no model, in anybody's prompt.
CREATE FUNCTION forgotten_until(team text, person text) RETURNS timestamptz
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        SELECT COALESCE(max(gone.at), '-infinity') FROM forgotten AS gone
        WHERE gone.team_id = team AND gone.user_id = person
    $$;

-- Deletes the ids of what was forgotten thirty days ago.
CREATE FUNCTION clear_away_forgotten() RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        DELETE FROM forgotten WHERE at < now() - interval '30 days'
    $$;

REVOKE ALL ON FUNCTION people_with_due, people_to_remind, forgotten_until, clear_away_forgotten
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION people_with_due, people_to_remind, forgotten_until, clear_away_forgotten
    TO kioku_app;
