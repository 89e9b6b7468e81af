-- Which workspaces have the app. A workspace is served while `left_at` is NULL.

-- name: left
-- When a workspace left, and when its rows are deleted; no row if it is served.
SELECT left_at, purge_at FROM workspaces WHERE team_id = %(team)s AND left_at IS NOT NULL;

-- name: with_message
-- The workspaces that an event of a shared channel is for.
SELECT team_id
FROM workspaces_with_message(%(channel)s, %(ts)s, %(root)s, %(author)s, %(mentioned)s::text[])
ORDER BY team_id;

-- name: leave
-- The app was removed, so the rows are deleted after `grace` seconds; or its token was revoked, so
-- they stay (NULL). Events that are older than the newest installation change nothing.
INSERT INTO workspaces AS known (team_id, left_at, purge_at)
VALUES (%(team)s, now(), now() + make_interval(secs => %(grace)s))
ON CONFLICT (team_id) DO UPDATE
SET purge_at = excluded.purge_at,
    left_at = COALESCE(known.left_at, excluded.left_at)
WHERE known.purge_at IS NULL
    AND (known.left_at IS NULL OR excluded.purge_at IS NOT NULL)
    AND COALESCE(known.installed_at, '-infinity') < to_timestamp(%(at)s)
RETURNING team_id;

-- name: uninstalled_since
-- The workspaces that removed the app from a time on, and have not installed it again.
SELECT team_id FROM workspaces
WHERE left_at >= %(since)s AND purge_at IS NOT NULL
ORDER BY team_id;

-- name: token_accepted
-- Slack accepts the token of a workspace: it is served, and keeps its rows.
INSERT INTO workspaces (team_id, bot_user_id, installed_at) VALUES (%(team)s, %(bot)s, now())
ON CONFLICT (team_id) DO UPDATE
SET bot_user_id = excluded.bot_user_id, installed_at = now(), left_at = NULL, purge_at = NULL;

-- name: to_purge
-- The workspaces whose time came within the last `days`.
SELECT team_id FROM workspaces
WHERE purge_at <= now() AND purge_at > now() - make_interval(days => %(days)s);

-- name: purge
SELECT purge_workspace(%(team)s);
