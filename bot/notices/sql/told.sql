-- When people were told why a message is not answered, or not remembered.

-- name: claim
-- Whether the person may be told below this message why it is not answered: they were told nothing
-- since then, or below this message. Its time, by its ts, is when they were told.
INSERT INTO person_settings AS known (team_id, user_id, told_at)
VALUES (%(team)s, %(user)s, to_timestamp(%(ts)s::float8))
ON CONFLICT (team_id, user_id) DO UPDATE SET told_at = excluded.told_at
WHERE known.told_at IS NULL OR known.told_at = excluded.told_at
    OR known.told_at < to_timestamp(%(since)s)
RETURNING told_at;

-- name: claim_unread
-- The same for words that could not be read, once a day.
UPDATE person_settings SET unread_told_at = to_timestamp(%(ts)s::float8)
WHERE team_id = %(team)s AND user_id = %(user)s
    AND (unread_told_at IS NULL OR unread_told_at = to_timestamp(%(ts)s::float8)
        OR unread_told_at < to_timestamp(%(ts)s::float8) - interval '1 day')
RETURNING unread_told_at;

-- name: end
-- The person is answered, or the message `ts` below which they were told is deleted.
UPDATE person_settings SET told_at = NULL
WHERE team_id = %(team)s AND user_id = %(user)s
    AND told_at = COALESCE(to_timestamp(%(ts)s::float8), told_at);
