-- When a person is reminded of each open promise next; memory/model/reminders.py computes it.

-- name: read
-- The rows of these promises.
SELECT key, dated, zone, put_off_at FROM reminders
WHERE team_id = %(team)s AND user_id = %(user)s AND key = ANY(%(keys)s);

-- name: write
-- Write the rows that are planned, of these memories; those that are no open promises lose theirs.
WITH gone AS (
    DELETE FROM reminders
    WHERE team_id = %(team)s AND user_id = %(user)s AND key = ANY(%(keys)s) AND key <> ALL(%(open)s)
)
INSERT INTO reminders (team_id, user_id, key, dated, zone, at)
SELECT %(team)s, %(user)s, key, dated, zone, at
FROM unnest(%(planned)s::text[], %(dated)s::uuid[], %(zones)s::text[], %(moments)s::timestamptz[])
    AS planned (key, dated, zone, at)
ON CONFLICT (team_id, user_id, key) DO UPDATE SET dated = EXCLUDED.dated, zone = EXCLUDED.zone,
    at = EXCLUDED.at, put_off_at = NULL, message_id = NULL, posting_since = NULL;

-- name: next
-- When the person will next be reminded of each of these promises, or is just being reminded.
SELECT key, at FROM reminders
WHERE team_id = %(team)s AND user_id = %(user)s AND key = ANY(%(keys)s) AND at IS NOT NULL;

-- name: due
-- What is due, the earliest first: of a message that is being posted, or if there is none, the rest.
SELECT key, zone, at, message_id FROM reminders
WHERE team_id = %(team)s AND user_id = %(user)s AND at <= now()
    AND message_id IS NOT DISTINCT FROM (
        SELECT message_id FROM reminders
        WHERE team_id = %(team)s AND user_id = %(user)s AND at <= now()
        ORDER BY message_id LIMIT 1)
ORDER BY at, key;

-- name: move
-- Give reminders other moments; what was being posted was, or will not be.
UPDATE reminders SET at = moved.at, zone = moved.zone, message_id = NULL, posting_since = NULL
FROM unnest(%(keys)s::text[], %(zones)s::text[], %(moments)s::timestamptz[]) AS moved (key, zone, at)
WHERE team_id = %(team)s AND user_id = %(user)s AND reminders.key = moved.key;

-- name: put_off
-- The person chose *Tomorrow*.
UPDATE reminders SET zone = %(zone)s, at = %(at)s, put_off_at = now()
WHERE team_id = %(team)s AND user_id = %(user)s AND key = %(key)s
RETURNING key;

-- name: elsewhere
-- What is planned for another time zone.
SELECT key, zone, at FROM reminders
WHERE team_id = %(team)s AND user_id = %(user)s AND zone <> %(zone)s AND message_id IS NULL
    AND at IS NOT NULL;
