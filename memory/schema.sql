-- The tables of memory, beside LangGraph's store and store_vectors, which exist already. A change
-- after a release is a numbered migration; this file is then left as it is.
--
-- Row-level security: a transaction sees the rows of the person in kioku.person (TEAM.USER), which
-- memory.transaction sets. A setting that is not TEAM.USER, such as a team alone, opens nothing.
-- Functions that are SECURITY DEFINER run as the owner, over the rows of all people, and return
-- ids and numbers only; kioku_app alone may call them.

GRANT USAGE ON SCHEMA public TO kioku_app;
GRANT SELECT ON kioku_migrations, store_migrations, vector_migrations TO kioku_app;

-- Memories. The policies ask for the person once a statement, not once a row.
GRANT SELECT, INSERT, UPDATE, DELETE ON store TO kioku_app;
ALTER TABLE store ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_memories ON store
    USING (starts_with(prefix, (SELECT 'chat.' || current_setting('kioku.person', true) || '.'))
        AND (SELECT current_setting('kioku.person', true) ~ '^[A-Z0-9]+[.][A-Z0-9]+(-[TE][A-Z0-9]+)?$'));
-- Python has no date below year 1: one such row would end every read of its person's rows.
ALTER TABLE store ADD CONSTRAINT store_dates CHECK (
    (created_at >= '2000-01-01 00:00:00+00' AND created_at < '2100-01-01 00:00:00+00'
    AND updated_at >= '2000-01-01 00:00:00+00' AND updated_at < '2100-01-01 00:00:00+00') IS TRUE);
-- Instructions are read for every reply, superseding memories in every search.
CREATE INDEX store_instructions ON store (prefix text_pattern_ops)
    WHERE value->>'kind' = 'UserInstruction';
CREATE INDEX store_superseding ON store (prefix text_pattern_ops) WHERE value ? 'supersedes';

GRANT SELECT, INSERT, UPDATE, DELETE ON store_vectors TO kioku_app;
ALTER TABLE store_vectors ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_vectors ON store_vectors
    USING (starts_with(prefix, (SELECT 'chat.' || current_setting('kioku.person', true) || '.'))
        AND (SELECT current_setting('kioku.person', true) ~ '^[A-Z0-9]+[.][A-Z0-9]+(-[TE][A-Z0-9]+)?$'));
-- A vector of 1,536 dimensions is 6 kB and fits into a page with its row; beside the row, as
-- PostgreSQL keeps values from 2 kB on, each costs a search four more reads.
ALTER TABLE store_vectors SET (toast_tuple_target = 8160);
-- Pattern operators are leakproof: index conditions below row-level security, unlike LIKE.
CREATE INDEX store_vectors_prefix_idx ON store_vectors (prefix text_pattern_ops);

-- The model that made the vectors; one row.
CREATE TABLE kioku_embedding_space (
    model text NOT NULL,
    dimensions int NOT NULL,
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one)
);
GRANT SELECT ON kioku_embedding_space TO kioku_app;

-- When a memory ends by itself. Ids only: expiry reads what is due of all people.
CREATE TABLE memory_expiries (
    prefix text NOT NULL,
    key text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (prefix, key),
    FOREIGN KEY (prefix, key) REFERENCES store (prefix, key) ON DELETE CASCADE
);
CREATE INDEX memory_expiries_due ON memory_expiries (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON memory_expiries TO kioku_app;
ALTER TABLE memory_expiries ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_expiries ON memory_expiries
    USING (starts_with(prefix, (SELECT 'chat.' || current_setting('kioku.person', true) || '.'))
        AND (SELECT current_setting('kioku.person', true) ~ '^[A-Z0-9]+[.][A-Z0-9]+(-[TE][A-Z0-9]+)?$'));
CREATE POLICY due_expiries ON memory_expiries FOR SELECT USING (expires_at <= now());

-- Each change of a memory, by whom; `before` and `after` are whole stored values. The rows of a
-- memory are deleted when it is forgotten.
CREATE TABLE memory_changes (
    id uuid PRIMARY KEY,
    team_id text NOT NULL,
    user_id text NOT NULL,
    audience text NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    action text NOT NULL
        CHECK (action IN ('remembered', 'updated', 'confirmed', 'removed', 'moved', 'restored')),
    actor text NOT NULL CHECK (actor IN
        ('formation', 'tool', 'command', 'modal', 'source', 'expiry', 'undo', 'question')),
    moved_from text,
    before jsonb,
    after jsonb,
    vector vector, -- of `before`
    created_at timestamptz, -- of the row before the change, as is updated_at
    updated_at timestamptz,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    undone_at timestamptz,
    CONSTRAINT memory_changes_dates CHECK (
        (created_at IS NULL
            OR created_at >= '2000-01-01 00:00:00+00' AND created_at < '2100-01-01 00:00:00+00')
        AND (updated_at IS NULL
            OR updated_at >= '2000-01-01 00:00:00+00' AND updated_at < '2100-01-01 00:00:00+00'))
);
CREATE INDEX memory_changes_newest ON memory_changes (team_id, user_id, at DESC);
CREATE INDEX memory_changes_of_memory ON memory_changes (team_id, user_id, key);
GRANT SELECT, INSERT, UPDATE, DELETE ON memory_changes TO kioku_app;
ALTER TABLE memory_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_changes ON memory_changes
    USING (team_id || '.' || user_id = current_setting('kioku.person', true));

-- Proposals of formation that the person decides about. `messages`: a JSON array of {channel, ts},
-- the messages it was asked because of. 'store': `before` has an empty content.
CREATE TABLE memory_questions (
    id uuid PRIMARY KEY,
    team_id text NOT NULL,
    user_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('replace', 'remove', 'widen', 'store')),
    audience text NOT NULL,
    key text NOT NULL,
    narrow_audience text,
    narrow_key text,
    before jsonb NOT NULL,
    after jsonb,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    messages jsonb
);
CREATE INDEX memory_questions_person ON memory_questions (team_id, user_id, at);
GRANT SELECT, INSERT, UPDATE, DELETE ON memory_questions TO kioku_app;
ALTER TABLE memory_questions ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_questions ON memory_questions
    USING (team_id || '.' || user_id = current_setting('kioku.person', true));

-- What was forgotten, for ten minutes, encrypted with a key that only the Undo button has.
CREATE TABLE forgotten (
    id uuid PRIMARY KEY,
    team_id text NOT NULL,
    user_id text NOT NULL,
    ciphertext bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX forgotten_expiry ON forgotten (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON forgotten TO kioku_app;
ALTER TABLE forgotten ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_forgotten ON forgotten USING (
    team_id || '.' || user_id = current_setting('kioku.person', true) OR expires_at < now());

-- The messages of forgotten memories, which are never read or formed again. Of two memories from
-- one message each has a row, so that each can be undone alone.
CREATE TABLE forgotten_sources (
    forgotten_id uuid NOT NULL,
    team_id text NOT NULL,
    user_id text NOT NULL,
    channel text NOT NULL,
    ts text NOT NULL,
    forgotten_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, user_id, channel, ts, forgotten_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON forgotten_sources TO kioku_app;
ALTER TABLE forgotten_sources ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_forgotten_sources ON forgotten_sources
    USING (team_id || '.' || user_id = current_setting('kioku.person', true));

-- What was forgotten, by ids only: a restored backup is cleaned with them. `key` is that of a
-- memory, or the id of a change or a question; NULL: the person was erased.
CREATE TABLE forgotten_keys (
    forgotten_id uuid NOT NULL,
    team_id text NOT NULL,
    user_id text NOT NULL,
    key text,
    forgotten_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX forgotten_keys_person ON forgotten_keys (team_id, user_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON forgotten_keys TO kioku_app;
ALTER TABLE forgotten_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_forgotten_keys ON forgotten_keys
    USING (team_id || '.' || user_id = current_setting('kioku.person', true));

-- People with questions that were not answered in time; each one's are deleted as that person.
CREATE FUNCTION people_with_expired_questions(most int)
    RETURNS TABLE (team_id text, user_id text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
        SELECT DISTINCT question.team_id, question.user_id FROM memory_questions AS question
        WHERE question.expires_at < now() LIMIT most
    $$;

-- Deletes the memories of a workspace and what belongs to them. The application's own function
-- calls it, once it has found that the workspace removed the app.
CREATE FUNCTION purge_workspace_memories(team text)
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
    BEGIN
        IF team !~ '^[A-Z0-9]+$' THEN
            RAISE EXCEPTION 'not the id of a workspace';
        END IF;
        -- As starts_with(prefix, 'chat.' || team || '.'), by the index.
        DELETE FROM store_vectors
            WHERE prefix ~>=~ ('chat.' || team || '.') AND prefix ~<~ ('chat.' || team || '/');
        DELETE FROM store
            WHERE prefix ~>=~ ('chat.' || team || '.') AND prefix ~<~ ('chat.' || team || '/');
        DELETE FROM memory_questions WHERE team_id = team;
        DELETE FROM memory_changes WHERE team_id = team;
        DELETE FROM forgotten WHERE team_id = team;
        DELETE FROM forgotten_sources WHERE team_id = team;
        DELETE FROM forgotten_keys WHERE team_id = team;
    END
    $$;

REVOKE ALL ON FUNCTION people_with_expired_questions, purge_workspace_memories FROM PUBLIC;
GRANT EXECUTE ON FUNCTION people_with_expired_questions TO kioku_app;
