-- The app's posts below messages that are kept for their conversations.

-- name: begin_post
-- A post that has no known message is about to be made; returns the line, and since when it may have one
-- already.
WITH earlier AS (
    SELECT id, extract(epoch FROM posting_since)::float8 AS posting_since FROM kept
    WHERE team_id = %(team)s AND user_id = %(user)s AND id = %(id)s FOR NO KEY UPDATE
)
UPDATE kept SET posting_since = COALESCE(kept.posting_since, now()) FROM earlier
WHERE kept.team_id = %(team)s AND kept.user_id = %(user)s AND kept.id = earlier.id
RETURNING text, decision, line_ts, earlier.posting_since;

-- name: blank_answers
-- Blank the answers that may rest on what was kept for a conversation since then.
SELECT blank_answers_with_kept(%(team)s, %(channel)s, %(since)s);

-- name: note_posted
-- Record where a post is in Slack.
UPDATE kept SET line_ts = %(ts)s
WHERE team_id = %(team)s AND user_id = %(user)s AND id = %(id)s;
