-- The messages that a question was asked because of, as a JSON array of objects with channel and ts.
-- NULL: it was asked by an earlier version, and `after` names its messages among its sources.
ALTER TABLE memory_questions ADD COLUMN messages jsonb;
