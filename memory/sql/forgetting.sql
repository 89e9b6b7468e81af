-- Forgetting. What is forgotten is hidden by row-level security, except in a transaction that sets
-- kioku.forgotten to 'shown', and deleted ten minutes later.

-- name: choose
-- The memories that a selection is about. In a time, they are those about which something was typed
-- then, whenever a yes let it count; without `until` there is no time.
SELECT DISTINCT key FROM counted_statements
WHERE team_id = %(team)s AND user_id = %(user)s AND forgotten_id IS NULL
    AND (%(everything)s
        OR key = ANY(%(keys)s)
        OR id = ANY(%(statements)s::uuid[])
        OR (channel, ts) IN (SELECT * FROM unnest(%(channels)s::text[], %(times)s::text[]))
        OR ((channel IS NOT NULL OR evidence <> '')
            AND COALESCE(to_timestamp(ts::float8), said_at) >= %(since)s
            AND COALESCE(to_timestamp(ts::float8), said_at) < %(until)s));

-- name: hide
-- Hide statements: those of memories, named ones, those of messages, what was typed in a time, or
-- all. What was taken back about a memory goes with it. Returns the hidden ones.
UPDATE statements SET forgotten_id = %(id)s, forgotten_at = now()
WHERE team_id = %(team)s AND user_id = %(user)s AND forgotten_id IS NULL
    AND (%(everything)s
        OR key = ANY(%(keys)s)
        OR id = ANY(%(statements)s::uuid[])
        OR (channel, ts) IN (SELECT * FROM unnest(%(channels)s::text[], %(times)s::text[]))
        OR ((channel IS NOT NULL OR evidence <> '')
            AND COALESCE(to_timestamp(ts::float8), said_at) >= %(since)s
            AND COALESCE(to_timestamp(ts::float8), said_at) < %(until)s))
RETURNING id, key, kind, content, evidence, channel, ts, batch;

-- name: hide_rest
-- Hide what is left of memories that have gone: clicks, which only repeat, move or remove what is
-- hidden, if no words are left, and, if memories were named, what an earlier key of theirs still says
-- about the same thing.
UPDATE statements SET forgotten_id = %(id)s, forgotten_at = now()
WHERE team_id = %(team)s AND user_id = %(user)s AND forgotten_id IS NULL
    AND NOT EXISTS (SELECT FROM store
        WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s AND store.key = statements.key)
    AND (key = ANY(%(concerned)s) AND NOT EXISTS (SELECT FROM statements AS words
            WHERE words.team_id = %(team)s AND words.user_id = %(user)s
                AND words.forgotten_id IS NULL AND words.key = statements.key
                AND (words.channel IS NOT NULL OR words.evidence <> ''))
        OR act = 'say' AND (kind, subject) IN (
            SELECT hidden.kind, hidden.subject FROM statements AS hidden
            WHERE hidden.team_id = %(team)s AND hidden.user_id = %(user)s
                AND hidden.forgotten_id = %(id)s AND hidden.act = 'say'
                AND hidden.key = ANY(%(keys)s)))
RETURNING id, key, kind, content, evidence, channel, ts, batch;

-- name: delete_open
-- Delete the questions and refusals about what is forgotten, or from its messages.
DELETE FROM statements
WHERE team_id = %(team)s AND user_id = %(user)s AND state <> 'counts'
    AND (%(everything)s OR key = ANY(%(keys)s)
        OR (channel, ts) IN (SELECT * FROM unnest(%(channels)s::text[], %(times)s::text[]))
        OR (COALESCE(to_timestamp(ts::float8), said_at) >= %(since)s
            AND COALESCE(to_timestamp(ts::float8), said_at) < %(until)s))
RETURNING batch;

-- name: record
-- Keep the ids of what is forgotten. If a memory keeps some of its statements, the ids of the hidden
-- ones are recorded in place of its key.
WITH left_over AS (
    SELECT DISTINCT key FROM statements
    WHERE team_id = %(team)s AND user_id = %(user)s AND key = ANY(%(keys)s)
)
INSERT INTO forgotten (id, team_id, user_id, what, keys, statements, channels, times)
SELECT %(id)s, %(team)s, %(user)s, 'forgetting',
    ARRAY(SELECT unnest(%(keys)s::text[]) EXCEPT SELECT key FROM left_over),
    ARRAY(SELECT hidden.id
        FROM unnest(%(hidden_ids)s::uuid[], %(hidden_keys)s::text[]) AS hidden (id, key)
        JOIN left_over USING (key)),
    %(channels)s::text[], %(times)s::text[];

-- name: keys_of_messages
-- The memories that rest on these messages.
SELECT DISTINCT key FROM statements
WHERE team_id = %(team)s AND user_id = %(user)s
    AND (channel, ts) IN (SELECT * FROM unnest(%(channels)s::text[], %(times)s::text[]));

-- name: delete_record
-- Take a forgetting back within ten minutes.
DELETE FROM forgotten
WHERE team_id = %(team)s AND user_id = %(user)s AND id = %(id)s AND what = 'forgetting'
    AND at > now() - make_interval(mins => %(minutes)s)
RETURNING channels, times;

-- name: show_again
-- Let the statements of a forgetting count again.
UPDATE statements SET forgotten_id = NULL, forgotten_at = NULL
WHERE team_id = %(team)s AND user_id = %(user)s AND forgotten_id = %(id)s
RETURNING key;

-- name: undoable
-- The newest forgetting that can still be undone, and how many memories it took.
SELECT id, at, at + make_interval(mins => %(minutes)s) AS until, (
        SELECT count(DISTINCT key) FROM statements
        WHERE team_id = %(team)s AND user_id = %(user)s AND forgotten_id = forgotten.id) AS count
FROM forgotten
WHERE team_id = %(team)s AND user_id = %(user)s AND what = 'forgetting'
    AND at > now() - make_interval(mins => %(minutes)s)
ORDER BY at DESC LIMIT 1;

-- name: due
-- The forgettings that no Undo takes back any more, of which texts may be left.
SELECT id, at, channels, times FROM forgotten
WHERE team_id = %(team)s AND user_id = %(user)s AND what = 'forgetting' AND purged_at IS NULL
    AND at <= now() - make_interval(mins => %(minutes)s);

-- name: delete_due
-- Delete the statements of these forgettings.
DELETE FROM statements
WHERE team_id = %(team)s AND user_id = %(user)s AND forgotten_id = ANY(%(ids)s::uuid[]);

-- name: blank_quotes
-- Blank what quotes these messages, even in statements whose forgetting can be undone.
UPDATE statements SET evidence = ''
WHERE team_id = %(team)s AND user_id = %(user)s AND evidence <> ''
    AND (channel, ts) IN (SELECT * FROM unnest(%(channels)s::text[], %(times)s::text[]));

-- name: note_purged
-- Nothing is left of these forgettings but their ids.
UPDATE forgotten SET purged_at = now()
WHERE team_id = %(team)s AND user_id = %(user)s AND id = ANY(%(ids)s::uuid[]);

-- name: are_forgotten
-- Those of these messages from which this person has forgotten something.
SELECT channel, ts FROM forgotten_messages
WHERE team_id = %(team)s AND user_id = %(user)s
    AND (channel, ts) IN (SELECT * FROM unnest(%(channels)s::text[], %(times)s::text[]));

-- name: refuse_hidden_rows
-- A user from whom row-level security hides rows gets an error instead of fewer rows.
SET row_security = off;

-- name: since
-- What was forgotten from a time on, by its ids, for a database that was restored from a backup.
SELECT id, team_id, user_id, at, what, keys, statements, channels, times FROM forgotten
WHERE at >= %(since)s
ORDER BY team_id, user_id, at, id;

-- name: delete_person
-- Delete the person, and by foreign keys their rows in the other tables.
DELETE FROM people WHERE team_id = %(team)s AND user_id = %(user)s RETURNING asked, asked_from;

-- name: carry_count
-- What an erased person asked for in this hour still counts, in another epoch.
INSERT INTO people (team_id, user_id, asked, asked_from)
SELECT %(team)s, %(user)s, %(asked)s, %(asked_from)s
WHERE %(asked)s > 0 AND %(asked_from)s > now() - interval '1 hour';

-- name: record_erasure
-- One row keeps the ids of all messages from which the person had forgotten something.
WITH gone AS (
    DELETE FROM forgotten WHERE team_id = %(team)s AND user_id = %(user)s
    RETURNING channels, times
), messages AS (
    SELECT DISTINCT said.channel, said.ts
    FROM gone, unnest(channels, times) AS said (channel, ts)
)
INSERT INTO forgotten (id, team_id, user_id, what, channels, times, purged_at)
SELECT %(id)s, %(team)s, %(user)s, 'erasure',
    COALESCE(array_agg(channel ORDER BY channel, ts), '{}'),
    COALESCE(array_agg(ts ORDER BY channel, ts), '{}'), now()
FROM messages;
