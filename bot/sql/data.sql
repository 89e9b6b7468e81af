-- What is kept about a person: the parts of an export, each row as JSON, and what an erasure left.

-- name: messages
-- The person's messages and their answers, without texts that are or name what is forgotten.
SELECT to_jsonb(said) AS row FROM (
    SELECT channel_id AS channel, thread, ts, audience, status, on_record, ended_at, formed_at,
        CASE WHEN NOT is_forgotten AND NOT says(message->>'text', %(needles)s)
            THEN message->>'text' END AS text,
        CASE WHEN is_forgotten OR says(question, %(needles)s) THEN '' ELSE question END AS question,
        CASE WHEN NOT is_forgotten AND NOT says(reply, %(needles)s) THEN reply END AS reply,
        reply_ts
    FROM (
        SELECT *, (channel_id, ts) IN (
            SELECT channel, ts FROM forgotten_sources
            WHERE team_id = %(team)s AND user_id = %(user)s AND what = 'message') AS is_forgotten
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
SELECT forget_author_of_messages() AS kept;

-- name: count_references
-- Count the references to messages from which no memory is formed again.
SELECT count(*) AS places FROM forgotten_sources
WHERE team_id = %(team)s AND user_id = %(user)s AND what = 'message';

-- name: count_left
-- Count the rows that are left, by the name of the table.
SELECT
    (SELECT count(*) FROM notices WHERE team_id = %(team)s AND user_id = %(user)s) AS notices,
    (SELECT count(*) FROM messages WHERE team_id = %(team)s AND user_id = %(user)s) AS messages,
    (SELECT count(*) FROM person_settings WHERE team_id = %(team)s AND user_id = %(user)s)
        AS person_settings,
    (SELECT count(*) FROM memory_off WHERE team_id = %(team)s AND user_id = %(user)s) AS memory_off;
