-- What became of a person's memories, and who did it; `before` and `after` are whole stored values.
-- The entries of a memory go with it when it is forgotten; `vector` is that of `before`.
CREATE TABLE memory_changes (
    id uuid PRIMARY KEY,
    team_id text NOT NULL,
    user_id text NOT NULL,
    audience text NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    action text NOT NULL
        CHECK (action IN ('remembered', 'updated', 'confirmed', 'removed', 'moved', 'restored')),
    actor text NOT NULL CHECK (actor IN ('formation', 'tool', 'command', 'modal', 'import',
        'source', 'expiry', 'undo', 'question')),
    moved_from text,
    before jsonb,
    after jsonb,
    vector vector,
    created_at timestamptz,
    updated_at timestamptz,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    undone_at timestamptz
);
COMMENT ON COLUMN memory_changes.created_at IS 'of the row before the change, as is updated_at';
CREATE INDEX memory_changes_newest ON memory_changes (team_id, user_id, at DESC);
CREATE INDEX memory_changes_of_memory ON memory_changes (team_id, user_id, key);
ALTER TABLE memory_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_changes ON memory_changes
    USING (team_id || '.' || user_id = current_setting('kioku.person', true));

-- What formation wanted and the words did not settle: the person decides.
CREATE TABLE memory_questions (
    id uuid PRIMARY KEY,
    team_id text NOT NULL,
    user_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('replace', 'remove', 'widen')),
    audience text NOT NULL,
    key text NOT NULL,
    narrow_audience text,
    narrow_key text,
    before jsonb NOT NULL,
    after jsonb,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX memory_questions_person ON memory_questions (team_id, user_id, at);
ALTER TABLE memory_questions ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_questions ON memory_questions
    USING (team_id || '.' || user_id = current_setting('kioku.person', true));
-- Anyone may clear away, unread, what nobody answered in time.
CREATE POLICY unanswered_questions ON memory_questions FOR DELETE USING (expires_at < now());

-- When a memory ends by itself. Ids only: whoever clears away may see what is due, and whose.
CREATE TABLE memory_expiries (
    prefix text NOT NULL,
    key text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (prefix, key),
    FOREIGN KEY (prefix, key) REFERENCES store (prefix, key) ON DELETE CASCADE
);
CREATE INDEX memory_expiries_due ON memory_expiries (expires_at);
ALTER TABLE memory_expiries ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_expiries ON memory_expiries
    USING (starts_with(prefix, 'chat.' || current_setting('kioku.person', true) || '.')
        AND current_setting('kioku.person', true) ~ '^[A-Z0-9]+[.][A-Z0-9]+$');
CREATE POLICY due_expiries ON memory_expiries FOR SELECT USING (expires_at <= now());

-- How a person wants to be answered is read with every reply, however much else is remembered.
CREATE INDEX store_instructions ON store (prefix text_pattern_ops)
    WHERE value->>'kind' = 'UserInstruction';
