-- The people about whom something is stored, and the epoch of each.

-- name: enter
-- The person's epoch; their row is made if there is none.
INSERT INTO people (team_id, user_id) VALUES (%(team)s, %(user)s)
ON CONFLICT (team_id, user_id) DO UPDATE SET team_id = excluded.team_id
RETURNING epoch;

-- name: begin_epoch
UPDATE people SET epoch = nextval('epochs'), changed_at = clock_timestamp()
WHERE team_id = %(team)s AND user_id = %(user)s;
