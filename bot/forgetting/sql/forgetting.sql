-- The texts of what a person forgets.

-- name: messages_of
-- The person's messages of a time, or all.
SELECT channel_id AS channel, ts FROM messages
WHERE team_id = %(team)s AND user_id = %(user)s
    AND (%(everything)s
        OR (to_timestamp(ts::float8) >= %(since)s AND to_timestamp(ts::float8) < %(until)s));

-- name: messages_of_day
-- What the person wrote within a day, newest first, that stands in prompts or waits to be formed.
SELECT channel_id AS channel, ts, question, words FROM messages
WHERE team_id = %(team)s AND user_id = %(user)s AND begun_at > now() - interval '1 day'
    AND begun_at > forgotten_until(team_id, user_id) AND (question <> '' OR words <> '')
    AND (channel_id, ts) NOT IN (SELECT channel, ts FROM statements
        WHERE team_id = %(team)s AND user_id = %(user)s AND channel IS NOT NULL)
ORDER BY ts DESC;

-- name: audiences_unformed
-- Where the person has words that are not formed.
SELECT DISTINCT audience FROM unformed_messages
WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: end_texts
-- Blank what the person wrote before a forgetting, and the answers. Words that are not formed yet, and of
-- which nothing was forgotten, wait to be formed.
WITH old AS (
    SELECT id, id IN (SELECT id FROM unformed_messages
            WHERE team_id = %(team)s AND user_id = %(user)s) AS waits
    FROM messages
    WHERE team_id = %(team)s AND user_id = %(user)s AND begun_at <= %(before)s
        AND ended_at IS NOT NULL AND (question <> '' OR words <> '' OR reply IS NOT NULL)
)
UPDATE messages
SET question = '', reply = NULL, words = CASE WHEN old.waits THEN words ELSE '' END,
    formed_at = CASE WHEN old.waits THEN NULL ELSE COALESCE(formed_at, now()) END
FROM old WHERE messages.id = old.id;

-- name: drop_words
-- Form no words any more that have waited for a day.
WITH old AS (
    SELECT id, words FROM unformed_messages
    WHERE team_id = %(team)s AND user_id = %(user)s
        AND begun_at <= LEAST(%(before)s, now() - interval '1 day')
)
UPDATE messages SET question = '', words = '', formed_at = now()
FROM old WHERE messages.id = old.id
RETURNING messages.channel_id AS channel, messages.ts, messages.audience, old.words;

-- name: texts_left
-- Whether a message from before a forgetting waits for its answer, or to be formed.
SELECT EXISTS (
    SELECT FROM messages
    WHERE team_id = %(team)s AND user_id = %(user)s AND begun_at <= %(before)s
        AND (ended_at IS NULL OR words <> '')
) AS is_left;
