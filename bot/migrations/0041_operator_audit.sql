-- Every operator command that changes something or reads what people wrote: from which machine, and how
-- it ended. The commands are not listed here any more: a new one needs no migration.
ALTER TABLE operator_actions
    ADD COLUMN host text NOT NULL DEFAULT '',
    ADD COLUMN outcome text NOT NULL DEFAULT 'done' CHECK (outcome IN ('done', 'failed'));
ALTER TABLE operator_actions DROP CONSTRAINT operator_actions_action_check;
ALTER TABLE operator_actions ADD CONSTRAINT operator_actions_action_check
    CHECK (action ~ '^[a-z]{1,20}( [a-z]{1,20})?$');
