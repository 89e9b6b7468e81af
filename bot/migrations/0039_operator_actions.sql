-- A command that is new need not change the table: `kioku backup` and `kioku restore` are recorded too.
ALTER TABLE operator_actions DROP CONSTRAINT IF EXISTS operator_actions_action_check;
