-- What came of a formation and is to be told: entries of the ledger and questions, by id only.
-- The reply to the turn carries the notice.
CREATE TABLE change_notices (
    id uuid PRIMARY KEY,
    team_id text NOT NULL,
    user_id text NOT NULL,
    turn_id uuid NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    changes uuid[] NOT NULL,
    questions uuid[] NOT NULL DEFAULT '{}',
    made_at timestamptz NOT NULL DEFAULT now(),
    shown_at timestamptz,
    -- Of its message in a direct message: what one person alone sees cannot be changed.
    ts text
);
CREATE INDEX change_notices_turn ON change_notices (turn_id);
CREATE INDEX change_notices_person ON change_notices (team_id, user_id);
ALTER TABLE change_notices ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_change_notices ON change_notices
    USING (team_id || '.' || user_id = current_setting('kioku.person', true));

-- When a conversation was last shared, archived or converted: what was asked of it before is stale.
ALTER TABLE conversations ADD COLUMN changed_at timestamptz NOT NULL DEFAULT '-infinity';

-- Since when the person's account is deactivated: nothing of their memory is read or written.
ALTER TABLE person_settings ADD COLUMN deactivated_at timestamptz;
