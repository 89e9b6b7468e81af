-- Periodic work. Functions of schema.sql see the rows of all people; comments there say what they do.

-- name: operating_state
-- `quoting` are the settings by which PostgreSQL's log may hold texts of people: of errors, which quote
-- rows, and of statements.
SELECT state.*, current_setting('server_version') AS server,
    (SELECT string_agg(name, ', ' ORDER BY name) FROM pg_settings
        WHERE name IN ('log_min_messages', 'log_min_error_statement')
                AND setting NOT IN ('log', 'fatal', 'panic')
            OR name = 'log_statement' AND setting IN ('mod', 'all')
            OR name IN ('log_min_duration_statement', 'log_min_duration_sample')
                AND setting <> '-1') AS quoting
FROM operating_state() AS state;

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
