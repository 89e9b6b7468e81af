-- Follow the change of a conversation's id in Slack.

-- name: people
-- The people of whom something names the conversation.
SELECT user_id FROM people_of_channel(%(team)s, %(old)s);

-- name: change_messages
-- Messages with the new id may have arrived already; those are kept.
UPDATE messages
SET channel_id = %(new)s,
    audience = CASE WHEN audience = %(old)s THEN %(new)s ELSE audience END,
    thread = replace(thread, '.' || %(old)s || '.', '.' || %(new)s || '.')
WHERE team_id = %(team)s AND user_id = %(user)s AND channel_id = %(old)s
    AND ended_at IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM messages AS known
        WHERE known.team_id = %(team)s AND known.channel_id = %(new)s AND known.ts = messages.ts
    );

-- name: change_lines
UPDATE kept_lines SET channel_id = %(new)s
WHERE team_id = %(team)s AND user_id = %(user)s AND channel_id = %(old)s;

-- name: change_off
-- Change the switches of the conversation and of its threads.
WITH changed AS (
    SELECT scope AS old_scope,
        CASE WHEN scope = %(old)s THEN %(new)s
            ELSE replace(scope, '.' || %(old)s || '.', '.' || %(new)s || '.') END AS new_scope
    FROM memory_off
    WHERE team_id = %(team)s AND user_id = %(user)s
        AND (scope = %(old)s OR starts_with(scope, %(team)s || '.' || %(old)s || '.'))
)
UPDATE memory_off SET scope = new_scope
FROM changed
WHERE team_id = %(team)s AND user_id = %(user)s AND scope = old_scope
    AND NOT EXISTS (
        SELECT FROM memory_off AS known
        WHERE known.team_id = %(team)s AND known.user_id = %(user)s AND known.scope = new_scope
    );
