-- The texts of what a person forgets.

-- name: stop_forming
-- The messages to forget: the sources of what is forgotten, all of a selected time, and those whose
-- words name it and are not formed yet. No memory is formed from them any more.
WITH found AS (
    SELECT id, channel_id, ts FROM messages
    WHERE team_id = %(team)s AND user_id = %(user)s
        AND (%(everything)s
            OR (to_timestamp(ts::float8) >= %(since)s AND to_timestamp(ts::float8) < %(until)s)
            OR (channel_id, ts) IN (SELECT * FROM unnest(%(channels)s::text[], %(times)s::text[]))
            OR (formed_at IS NULL AND words <> '' AND says(words, %(needles)s)))
), formed AS (
    UPDATE messages SET formed_at = now() FROM found
    WHERE messages.id = found.id AND messages.formed_at IS NULL
)
SELECT channel_id AS channel, ts FROM found;

-- name: unform
-- Let words be formed again that were not formed when they were forgotten.
UPDATE messages SET formed_at = NULL
WHERE team_id = %(team)s AND user_id = %(user)s AND formed_at = %(at)s AND words <> ''
RETURNING audience;

-- name: delete_texts
-- Delete the texts of these messages and of requests to forget before the newest forgetting, which say
-- it in words of their own, and each text that names what is forgotten.
UPDATE messages
SET question = CASE WHEN named.whole OR named.question THEN '' ELSE messages.question END,
    words = CASE WHEN named.whole OR named.words THEN '' ELSE messages.words END,
    reply = CASE WHEN named.whole OR named.reply THEN NULL ELSE messages.reply END
FROM (
    SELECT id, (channel_id, ts) IN
            (SELECT * FROM unnest(%(channels)s::text[], %(times)s::text[]))
            OR removal_proposed AND formed_at IS NOT NULL AND begun_at < (
                SELECT max(forgotten_at) FROM forgotten_sources
                WHERE team_id = %(team)s AND user_id = %(user)s AND what = 'forgetting') AS whole,
        says(question, %(needles)s) AS question, says(words, %(needles)s) AS words,
        says(COALESCE(reply, ''), %(needles)s) AS reply
    FROM messages
    WHERE team_id = %(team)s AND user_id = %(user)s
        AND (question <> '' OR words <> '' OR reply IS NOT NULL)
) AS named
WHERE messages.id = named.id AND (named.whole OR named.question OR named.words OR named.reply);
