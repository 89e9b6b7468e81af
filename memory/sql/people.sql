-- The people about whom something is stored: the epoch of each, and the count of their requests.

-- name: ask
-- Count requests of the person that make Kioku ask a model; the first one after an hour begins another
-- count. Returns that, when it began, and the epoch. Somebody unknown gets a row.
INSERT INTO people AS known (team_id, user_id, asked)
VALUES (%(team)s, %(user)s, %(requests)s)
ON CONFLICT (team_id, user_id) DO UPDATE SET
    asked = excluded.asked + CASE WHEN known.asked_from > now() - interval '1 hour' THEN known.asked ELSE 0 END,
    asked_from = CASE WHEN known.asked_from > now() - interval '1 hour' THEN known.asked_from ELSE now() END
RETURNING epoch, asked, extract(epoch FROM asked_from)::float8 AS asked_from;

-- name: claim_search
-- Whether a memory that is declined may be looked for: once a day.
UPDATE people SET searched_at = now()
WHERE team_id = %(team)s AND user_id = %(user)s
    AND (searched_at IS NULL OR searched_at < now() - interval '1 day')
RETURNING searched_at;

-- name: begin_epoch
UPDATE people SET epoch = nextval('epochs'), changed_at = clock_timestamp()
WHERE team_id = %(team)s AND user_id = %(user)s;
