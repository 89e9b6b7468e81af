-- Periodic work for all people, by functions of schema.sql that run as the owner.

-- name: operating_state
SELECT state.*, current_setting('server_version') AS server FROM operating_state() AS state;

-- name: unanswered_threads
SELECT thread FROM unanswered_threads(%(most)s);

-- name: end_lost_requests
SELECT end_lost_requests();

-- name: people_past_retention
SELECT * FROM people_past_retention(%(days)s, %(most)s);

-- name: delete_old_turns
DELETE FROM messages
WHERE team_id = %(team)s AND user_id = %(user)s AND ended_at IS NOT NULL
    AND begun_at < now() - make_interval(days => %(days)s);

-- name: end_history
SELECT * FROM end_history(%(days)s, %(most)s);

-- name: people_to_look_up
SELECT * FROM people_to_look_up(%(days)s, %(most)s);

-- name: followed_threads
-- Threads the app took part in lately, the newest first.
SELECT thread FROM followed_threads(%(team)s, now() - make_interval(days => %(days)s), %(most)s);

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
