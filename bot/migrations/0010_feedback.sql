-- What a reply was made with, and how long it took: NULL where no model answered in words of its own.
ALTER TABLE turns ADD COLUMN model text;
ALTER TABLE turns ADD COLUMN latency_ms int;

-- What its asker thought of a reply, with what it was made with. It goes with the turn.
CREATE TABLE feedback (
    turn_id uuid PRIMARY KEY REFERENCES turns (id) ON DELETE CASCADE,
    team_id text NOT NULL,
    user_id text NOT NULL,
    rating text NOT NULL CHECK (rating IN ('good', 'bad')),
    reasons text[] NOT NULL DEFAULT '{}',
    comment text NOT NULL DEFAULT '',
    model text NOT NULL,
    latency_ms int NOT NULL,
    memories text[] NOT NULL,
    given_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX feedback_person ON feedback (team_id, user_id);
CREATE INDEX feedback_given ON feedback (given_at);
ALTER TABLE feedback ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_feedback ON feedback
    USING (team_id || '.' || user_id = current_setting('kioku.person', true));

-- An operator who reads what people wrote is noted, as one who exports or erases is.
ALTER TABLE operator_actions DROP CONSTRAINT operator_actions_action_check;
ALTER TABLE operator_actions ADD CONSTRAINT operator_actions_action_check
    CHECK (action IN ('export', 'erase', 'feedback'));
