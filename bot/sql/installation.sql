-- The one row of `installation`: whose database this is, and whether the app is installed.

-- name: found
-- Store the workspace of the first token that Slack accepts.
INSERT INTO installation (team_id, bot_user_id) VALUES (%(team)s, %(bot)s)
ON CONFLICT DO NOTHING;

-- name: read
SELECT team_id, bot_user_id, left_at FROM installation;

-- name: token_accepted
-- Slack accepts the token: the app is installed.
UPDATE installation SET bot_user_id = %(bot)s, left_at = NULL WHERE team_id = %(team)s;

-- name: leave
-- The app was uninstalled.
UPDATE installation SET left_at = now() WHERE team_id = %(team)s AND left_at IS NULL
RETURNING left_at;

-- name: hear
-- Record that this process receives events, and return how long none did.
WITH earlier AS (
    SELECT team_id, heard_at FROM installation
    WHERE team_id = %(team)s AND left_at IS NULL FOR UPDATE
), heard AS (
    UPDATE installation SET heard_at = now() FROM earlier
    WHERE installation.team_id = earlier.team_id
)
SELECT extract(epoch FROM heard_at)::text AS heard,
    extract(epoch FROM now() - heard_at)::float AS gap
FROM earlier WHERE heard_at IS NOT NULL;

-- name: delete_everybody
SELECT delete_everybody() AS rows;
