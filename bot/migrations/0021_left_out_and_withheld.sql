-- The kinds of credentials that were removed from the texts of a turn before they were stored.
ALTER TABLE turns ADD COLUMN left_out text[] NOT NULL DEFAULT '{}';
