-- The app's lines below messages that are kept for their conversations.

-- name: add
INSERT INTO kept_lines (team_id, user_id, key, channel_id, thread_ts)
VALUES (%(team)s, %(user)s, %(key)s, %(channel)s, %(thread_ts)s);

-- name: all
SELECT key, channel_id AS channel, thread_ts, ts FROM kept_lines
WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: note_changed
-- The lines that are out of date, because their words are no longer kept or kept again, and in any
-- case those of `keys`.
UPDATE kept_lines SET is_kept = now_kept.is_kept, changed_at = now()
FROM (
    SELECT line.key, EXISTS (SELECT FROM store
        WHERE store.prefix = concat_ws('.', 'chat', line.team_id, line.user_id, 'dm')
            AND store.key = line.key) AS is_kept
    FROM kept_lines AS line
    WHERE line.team_id = %(team)s AND line.user_id = %(user)s
) AS now_kept
WHERE kept_lines.team_id = %(team)s AND kept_lines.user_id = %(user)s
    AND kept_lines.key = now_kept.key
    AND (kept_lines.is_kept <> now_kept.is_kept OR kept_lines.key = ANY(%(keys)s))
RETURNING kept_lines.key, channel_id AS channel, thread_ts, ts;

-- name: people_with_changed
-- The people with a line that no longer says whether its message is kept.
SELECT team_id, user_id FROM people_with_changed_lines(%(most)s);

-- name: begin_post
-- A line without a known message is about to be posted; returns since when it may have one already.
WITH earlier AS (
    SELECT key, extract(epoch FROM posting_since)::float8 AS posting_since FROM kept_lines
    WHERE team_id = %(team)s AND user_id = %(user)s AND key = %(key)s FOR NO KEY UPDATE
)
UPDATE kept_lines SET posting_since = COALESCE(kept_lines.posting_since, now()) FROM earlier
WHERE kept_lines.team_id = %(team)s AND kept_lines.user_id = %(user)s AND kept_lines.key = earlier.key
RETURNING channel_id AS channel, ts, earlier.posting_since;

-- name: note_posted
-- Record where a line is in Slack.
UPDATE kept_lines SET ts = %(ts)s
WHERE team_id = %(team)s AND user_id = %(user)s AND key = %(key)s;
