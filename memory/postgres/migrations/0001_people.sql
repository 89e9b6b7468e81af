-- Which model made the vectors; one row.
CREATE TABLE kioku_embedding_space (
    model text NOT NULL,
    dimensions int NOT NULL,
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one)
);

-- A person's memories are found by range over their prefix. The pattern operators are leakproof,
-- so they are used as index conditions below row-level security; LIKE is not.
-- A setting that is not TEAM.USER, such as a team alone, opens nothing.
CREATE INDEX store_vectors_prefix_idx ON store_vectors (prefix text_pattern_ops);

ALTER TABLE store ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_memories ON store
    USING (starts_with(prefix, 'chat.' || current_setting('kioku.person', true) || '.')
        AND current_setting('kioku.person', true) ~ '^[A-Z0-9]+[.][A-Z0-9]+$');

ALTER TABLE store_vectors ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_vectors ON store_vectors
    USING (starts_with(prefix, 'chat.' || current_setting('kioku.person', true) || '.')
        AND current_setting('kioku.person', true) ~ '^[A-Z0-9]+[.][A-Z0-9]+$');
