-- What memories are formed from: the words of ended turns. Statements run in a person's
-- transaction.

-- name: pause
-- How many seconds the person has paused in an audience, and how many the oldest words have waited;
-- NULL if nothing is to be formed. `unchanged`: for how long the person is in their epoch; NULL: always.
SELECT extract(epoch FROM now() - max(ended_at))::float8 AS paused,
    extract(epoch FROM now() - min(ended_at))::float8 AS waited,
    (SELECT extract(epoch FROM now() - changed_at)::float8 FROM people
        WHERE team_id = %(team)s AND user_id = %(user)s) AS unchanged
FROM unformed_messages
WHERE team_id = %(team)s AND user_id = %(user)s AND audience = %(audience)s;

-- name: unformed
-- The oldest words that are not formed yet, each with what the app had said before, in a direct
-- message in any of its threads; nothing that the app said before the person last forgot something.
SELECT id, channel_id, ts, words, removal_proposed, (
        SELECT earlier.reply FROM messages AS earlier
        WHERE earlier.team_id = said.team_id AND earlier.user_id = said.user_id
            AND earlier.channel_id = said.channel_id
            AND (earlier.thread = said.thread OR said.audience = %(dm)s)
            AND earlier.ts < said.ts AND earlier.ts > (said.ts::numeric - 86400)::text
            AND earlier.begun_at > forgotten_until(said.team_id, said.user_id)
            AND earlier.ended_at IS NOT NULL
        ORDER BY earlier.ts DESC LIMIT 1) AS before
FROM unformed_messages AS said
WHERE team_id = %(team)s AND user_id = %(user)s AND audience = %(audience)s
ORDER BY ts LIMIT %(most)s;

-- name: name_words
-- Store words again, with the names that Slack has said meanwhile, unless they changed.
UPDATE messages SET words = taken.named
FROM unnest(%(ids)s::uuid[], %(words)s::text[], %(named)s::text[]) AS taken (id, words, named)
WHERE messages.id = taken.id AND messages.team_id = %(team)s AND messages.user_id = %(user)s
    AND messages.words = taken.words AND messages.formed_at IS NULL;

-- name: mark_formed
-- Record that memories were formed from these words, unless they were formed or deleted meanwhile.
UPDATE messages SET formed_at = now()
WHERE team_id = %(team)s AND user_id = %(user)s AND id = ANY(%(ids)s::uuid[])
    AND formed_at IS NULL AND words <> '';
