-- How a turn begins and ends in its message's row, and what it begins with. Each statement runs in
-- a transaction of the message's thread and author.

-- name: forgettings
-- When the person last forgot something, and from which messages of this channel since the thread
-- began.
SELECT
    (SELECT COALESCE(extract(epoch FROM max(at)), 0)::float8 FROM forgotten
        WHERE team_id = %(team)s AND user_id = %(user)s) AS history_from,
    ARRAY(SELECT ts FROM forgotten_messages
        WHERE team_id = %(team)s AND user_id = %(user)s AND channel = %(channel)s
            AND ts >= %(thread_ts)s) AS messages;

-- name: exchanges_of_thread
-- The newest exchanges of the thread since the last forgetting of the person, and of whoever asked.
SELECT ts, user_id, question, reply, cited FROM messages
WHERE team_id = %(team)s AND channel_id = %(channel)s AND thread = %(thread)s
    AND ended_at IS NOT NULL AND question <> '' AND ts < %(ts)s
    AND begun_at > to_timestamp(%(history_from)s) AND begun_at > forgotten_until(team_id, user_id)
ORDER BY ts DESC LIMIT %(most_exchanges)s;

-- name: known_of_thread
-- The earlier messages of the thread that the history has, of which a text was deleted, or whose author
-- has forgotten something since, and the app's answers to them. What its author took out of memory is off
-- the record, and formed.
SELECT unnest(ts || reply_ts) AS ts FROM messages
WHERE thread = %(thread)s AND ts < %(ts)s AND begun_at IS NOT NULL
    AND CASE WHEN on_record
        THEN question = '' OR reply IS NULL OR begun_at > to_timestamp(%(history_from)s)
            OR begun_at <= forgotten_until(team_id, user_id)
        ELSE formed_at IS NOT NULL END;

-- name: exchanges_of_direct_messages
-- The newest exchanges of the thread and of the person's last day, because people do not think in
-- threads, and Slack opens one for every top-level direct message.
SELECT ts, user_id, question, reply, cited FROM messages
WHERE team_id = %(team)s AND channel_id = %(channel)s
    AND (thread = %(thread)s
        OR user_id = %(user)s AND ts > (extract(epoch FROM now()) - 86400)::text)
    AND ended_at IS NOT NULL AND question <> '' AND ts < %(ts)s
    AND begun_at > to_timestamp(%(history_from)s)
ORDER BY ts DESC LIMIT %(most_exchanges)s;

-- name: unformed_words
-- The person's newest words that no memories were formed from yet. In a direct message everything
-- they wrote may be shown (`audiences` is NULL).
SELECT ts, words FROM messages
WHERE team_id = %(team)s AND user_id = %(user)s
    AND (%(audiences)s::text[] IS NULL OR audience = ANY (%(audiences)s))
    AND formed_at IS NULL AND words <> '' AND question <> '' AND ts < %(ts)s
    AND begun_at > to_timestamp(%(history_from)s)
ORDER BY ts DESC LIMIT %(most_words)s;

-- name: of_message
-- The turn of a person's message, if it has begun: where it is remembered, and its texts. It runs
-- in a transaction of the author alone.
SELECT audience, question, words, changed_ts <> '' AS has_changed FROM messages
WHERE team_id = %(team)s AND user_id = %(user)s AND channel_id = %(channel)s AND ts = %(ts)s
    AND begun_at IS NOT NULL;

-- name: message_before
-- The person's last message in a channel, since a time. A request about memory is begun without a text;
-- a message that was blanked is off the record.
SELECT ts, question FROM messages
WHERE team_id = %(team)s AND user_id = %(user)s AND channel_id = %(channel)s
    AND ts < %(ts)s AND ts > %(since)s
    AND NOT (on_record AND begun_at IS NOT NULL AND question = '' AND words = '')
ORDER BY ts DESC LIMIT 1;

-- name: blank
-- Take a message of the person out of memory, with its answer: no text of it is kept or formed, also if
-- it is only being answered, and nobody's prompt has it.
UPDATE messages SET on_record = false, question = '', words = '', reply = NULL,
    formed_at = COALESCE(formed_at, now())
WHERE team_id = %(team)s AND user_id = %(user)s AND channel_id = %(channel)s AND ts = %(ts)s;

-- name: end_exchanges
-- Blank what the person asked from a message on, and the answers: no prompt has them again. Of a message
-- that was edited, what it says now stays.
UPDATE messages SET question = CASE WHEN ts = %(edited)s THEN question ELSE '' END, reply = NULL
WHERE team_id = %(team)s AND user_id = %(user)s AND ts >= %(since)s AND ended_at IS NOT NULL
    AND (question <> '' OR reply IS NOT NULL);

-- name: begin
-- Begin a turn, perhaps again. Returns what earlier attempts posted, and how many seconds ago a message
-- of the reply may have been posted that is not recorded.
WITH earlier AS (
    SELECT id, extract(epoch FROM now() - posting_since)::float8 AS asked
    FROM messages WHERE id = %(id)s AND token = %(token)s FOR NO KEY UPDATE
)
UPDATE messages
SET audience = %(audience)s, begun_at = COALESCE(begun_at, now()),
    on_record = on_record AND %(on_record)s,
    posting_since = COALESCE(posting_since, now()),
    question = CASE WHEN on_record THEN %(question)s ELSE '' END,
    words = CASE WHEN on_record THEN %(words)s ELSE '' END
FROM earlier WHERE messages.id = earlier.id
RETURNING asked, reply_ts, status = 'stopped' AS stopped;

-- name: begin_ask
-- Store a request to POST /ask, which gets its row when its turn begins.
INSERT INTO messages (id, token, team_id, user_id, channel_id, thread, audience, ts, question,
    words, on_record, begun_at)
VALUES (%(id)s, %(token)s, %(team)s, %(user)s, %(channel)s, %(thread)s, %(audience)s, %(ts)s,
    %(question)s, %(words)s, %(on_record)s, now())
RETURNING NULL::float8 AS asked, reply_ts, false AS stopped;

-- name: end
-- Keep the texts of a turn that has ended, but none of a message that was forgotten while it was
-- answered, no question that the model's provider refused, and no reply if the person is in another
-- epoch than that in which the turn began, or a line that the model was given is no longer kept: it may
-- repeat what is gone.
UPDATE messages
SET question = CASE WHEN forgotten.message OR %(refused)s THEN '' ELSE question END,
    words = CASE WHEN forgotten.message THEN '' ELSE words END,
    reply = CASE WHEN on_record AND are_kept(%(kept)s::uuid[]) AND EXISTS (
            SELECT FROM people WHERE people.team_id = messages.team_id
                AND people.user_id = messages.user_id AND people.epoch = %(epoch)s)
        THEN %(reply)s END,
    with_kept = cardinality(%(kept)s::uuid[]) > 0, cited = %(cited)s,
    removal_proposed = %(removal_proposed)s,
    formed_at = CASE WHEN forgotten.message THEN now() ELSE formed_at END
FROM (
    SELECT EXISTS (
        SELECT FROM forgotten_messages
        WHERE team_id = %(team)s AND user_id = %(user)s
            AND channel = %(channel)s AND ts = %(ts)s) AS message
) AS forgotten
WHERE id = %(id)s AND team_id = %(team)s AND user_id = %(user)s
RETURNING audience, formed_at IS NULL AS unformed, notice IS NOT NULL AS has_notice;

-- name: note_informed
-- Record that the person was informed of memory, or asked whether they agree to it.
INSERT INTO person_settings (team_id, user_id, informed_at) VALUES (%(team)s, %(user)s, now())
ON CONFLICT (team_id, user_id) DO UPDATE SET informed_at = excluded.informed_at;
