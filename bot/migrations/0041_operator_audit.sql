-- Every operator command that changes something or reads what people wrote: from which machine, and how
-- it ended.
ALTER TABLE operator_actions
    ADD COLUMN host text NOT NULL DEFAULT '',
    ADD COLUMN outcome text NOT NULL DEFAULT 'done' CHECK (outcome IN ('done', 'failed'));
