-- Since when a message of the reply may stand in Slack that is not in reply_ts: set before Slack is
-- asked, null once its ts is stored. An older version names neither, so its turns are looked up.
ALTER TABLE turns ADD COLUMN posting_since timestamptz DEFAULT now();

-- Slack's rate limits as token buckets, one for all replicas; no row is a full bucket.
CREATE TABLE slack_budgets (
    team_id text NOT NULL,
    name text NOT NULL,
    tokens double precision NOT NULL,
    refilled_at timestamptz NOT NULL,
    granted double precision NOT NULL DEFAULT 0,
    PRIMARY KEY (team_id, name)
) WITH (fillfactor = 50);
