-- What is kept about a person: the parts of an export, each row as JSON, and what an erasure left.

-- name: messages
-- The person's messages and their answers, without texts from before the last forgetting.
SELECT to_jsonb(said) AS row FROM (
    SELECT channel_id AS channel, thread, ts, audience, status, on_record, ended_at, formed_at,
        CASE WHEN NOT is_gone THEN message->>'text' END AS text,
        CASE WHEN is_gone THEN '' ELSE question END AS question,
        CASE WHEN NOT is_gone THEN reply END AS reply, reply_ts
    FROM (
        SELECT *, begun_at <= forgotten_until(team_id, user_id) IS TRUE
            OR (channel_id, ts) IN (SELECT channel, ts FROM forgotten_messages
                WHERE team_id = %(team)s AND user_id = %(user)s) AS is_gone
        FROM messages
        WHERE team_id = %(team)s AND user_id = %(user)s
    ) AS own
) AS said
ORDER BY ts, channel;

-- name: settings
SELECT to_jsonb(chosen) AS row FROM (
    SELECT notices, eagerness, language, agreed_at, retention_days, locale, time_zone
    FROM person_settings
    WHERE team_id = %(team)s AND user_id = %(user)s
) AS chosen;

-- name: memory_off
SELECT to_jsonb(switch) AS row FROM (
    SELECT scope, until_at FROM memory_off WHERE team_id = %(team)s AND user_id = %(user)s
) AS switch
ORDER BY scope;

-- name: kept
-- The messages that the person keeps for conversations.
SELECT to_jsonb(line) AS row FROM (
    SELECT channel_id AS channel, ts, text, decision, kept_at FROM kept
    WHERE team_id = %(team)s AND user_id = %(user)s
) AS line
ORDER BY kept_at, ts;

-- name: threads_being_answered
-- The threads in which an answer to the person is being written.
SELECT thread FROM messages
WHERE team_id = %(team)s AND user_id = %(user)s AND token IS NOT NULL;

-- name: forget_author_of_messages
-- Keep the ids of messages that may be delivered again, without their author and texts.
SELECT forget_author_of_messages();

-- name: forget_switches
DELETE FROM memory_off WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: count_references
-- Count the references to messages from which no memory is formed again.
SELECT count(*) AS places FROM forgotten_messages
WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: count_rows
-- How many rows of the person each table has, but for what an erasure leaves.
SELECT 'store' AS name, count(*) AS rows FROM store
    WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s
UNION ALL SELECT 'store_vectors', count(*) FROM store_vectors
    WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s
UNION ALL SELECT 'statements', count(*) FROM statements WHERE team_id = %(team)s AND user_id = %(user)s
UNION ALL SELECT 'reminders', count(*) FROM reminders WHERE team_id = %(team)s AND user_id = %(user)s
UNION ALL SELECT 'kept', count(*) FROM kept WHERE team_id = %(team)s AND user_id = %(user)s
UNION ALL SELECT 'messages', count(*) FROM messages WHERE team_id = %(team)s AND user_id = %(user)s
UNION ALL SELECT 'person_settings', count(*) FROM person_settings
    WHERE team_id = %(team)s AND user_id = %(user)s
UNION ALL SELECT 'memory_off', count(*) FROM memory_off
    WHERE team_id = %(team)s AND user_id = %(user)s;
