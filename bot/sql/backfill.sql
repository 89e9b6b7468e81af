-- When events were received last, and what is read from Slack after a time without them.

-- name: mark_listening
-- Record that this process receives events of these workspaces, and how long none did.
WITH earlier AS (
    SELECT * FROM listening WHERE team_id = ANY (%(teams)s) ORDER BY team_id FOR UPDATE
), heard AS (
    INSERT INTO listening (team_id, heard_at)
    SELECT team, now() FROM unnest(%(teams)s::text[]) AS team ORDER BY team
    ON CONFLICT (team_id) DO UPDATE SET heard_at = now()
)
SELECT team_id, extract(epoch FROM heard_at)::text AS heard,
    extract(epoch FROM now() - heard_at)::float AS gap
FROM earlier;

-- name: followed_threads
-- Threads the app took part in lately, the newest first.
SELECT thread FROM followed_threads(%(team)s, now() - make_interval(days => %(days)s), %(most)s);
