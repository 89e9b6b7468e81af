-- What came of a formation and is to be told: entries of the ledger and questions, by id only.
-- `turns` are those whose words were formed; the reply to the last of them carries the notice.
CREATE TABLE notices (
    id uuid PRIMARY KEY,
    team_id text NOT NULL,
    user_id text NOT NULL,
    turns uuid[] NOT NULL,
    changes uuid[] NOT NULL,
    questions uuid[] NOT NULL DEFAULT '{}',
    made_at timestamptz NOT NULL DEFAULT now(),
    shown_at timestamptz
);
CREATE INDEX notices_person ON notices (team_id, user_id, made_at);
ALTER TABLE notices ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_notices ON notices
    USING (team_id || '.' || user_id = current_setting('kioku.person', true));

-- When a conversation was last shared, archived or converted: what was asked of it before is stale.
ALTER TABLE conversations ADD COLUMN changed_at timestamptz NOT NULL DEFAULT '-infinity';
