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

-- name: change_off
-- Change the switch of the conversation, unless there is one with the new id.
UPDATE memory_off SET scope = %(new)s
WHERE team_id = %(team)s AND user_id = %(user)s AND scope = %(old)s
    AND NOT EXISTS (
        SELECT FROM memory_off AS known
        WHERE known.team_id = %(team)s AND known.user_id = %(user)s AND known.scope = %(new)s
    );
