-- Periodic work. Functions of schema.sql see the rows of all people; comments there say what they do.

-- name: operating_state
SELECT state.*, current_setting('server_version') AS server FROM operating_state() AS state;

-- name: unanswered_threads
SELECT thread FROM unanswered_threads(%(most)s);

-- name: end_lost_requests
SELECT end_lost_requests();

-- name: people_past_retention
SELECT * FROM people_past_retention(%(days)s, %(most)s);

-- name: delete_old_turns
-- Delete the turns of a person that are older than `days`.
DELETE FROM messages
WHERE team_id = %(team)s AND user_id = %(user)s AND ended_at IS NOT NULL
    AND begun_at < now() - make_interval(days => %(days)s);

-- name: end_history
SELECT * FROM end_history(%(days)s, %(most)s);

-- name: people_to_look_up
SELECT * FROM people_to_look_up(%(days)s, %(most)s);
