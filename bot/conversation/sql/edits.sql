-- Edits and deletions of stored messages, in a transaction of the message's thread and author.

-- name: read
-- The message that an event is about, unless a newer event has changed it already: whether it is
-- still to be answered, whether a run answers it, what it says, and whether its stored texts change.
-- The mark of what came with a question is not one of its words (`stored_question`). A question that was
-- blanked is not compared. `has_words`: some are stored.
SELECT id, user_id, audience, ended_at IS NULL AS is_open, token IS NOT NULL AS is_taken,
    message->>'text' AS text, formed_at IS NOT NULL AS formed,
    (question <> '' OR words <> '') AND (words <> %(words)s OR question <> ''
        AND regexp_replace(question, '(^|\n)\[(files|forwarded)\](\n\[files\])?$', '') <> %(question)s)
        AS reworded,
    words <> '' AS has_words
FROM messages
WHERE team_id = %(team)s AND channel_id = %(channel)s AND ts = %(ts)s
    AND changed_ts < %(changed)s
FOR UPDATE;

-- name: enter_person
-- Let the transaction reach the rows of the message's author, too.
SELECT set_config('kioku.team', %(team)s, true), set_config('kioku.user', %(user)s, true);

-- name: note_change
-- Note the newest event of a message.
UPDATE messages SET changed_ts = %(changed)s WHERE id = %(id)s;

-- name: change_open
-- Let a message that is still to be answered wait with its new text, so that a run that answers the old
-- one loses it.
UPDATE messages
SET message = jsonb_set(message, '{text}', to_jsonb(%(text)s::text)),
    changed_ts = %(changed)s, status = 'waiting', token = NULL, failures = 0,
    on_record = on_record AND on_record(team_id, user_id, channel_id, %(must_agree)s)
WHERE id = %(id)s;

-- name: reword
-- Replace the stored texts of an edited message, so that memories are formed from it again. What
-- was said in public belongs to its channel alone if that is not known to be public now.
UPDATE messages
SET question = %(question)s, words = %(words)s, formed_at = NULL,
    audience = CASE WHEN audience = %(public)s AND NOT EXISTS (
            SELECT FROM conversations AS known
            WHERE known.team_id = messages.team_id AND known.channel_id = messages.channel_id
                AND known.audience = messages.audience)
        THEN channel_id ELSE audience END,
    on_record = on_record AND on_record(team_id, user_id, channel_id, %(must_agree)s)
WHERE id = %(id)s
RETURNING audience, on_record;

-- name: unform
-- Let the words of a message be formed again that were formed before what it said was taken back.
UPDATE messages SET formed_at = NULL
WHERE team_id = %(team)s AND user_id = %(user)s AND channel_id = %(channel)s AND ts = %(ts)s
    AND words <> '' AND formed_at IS NOT NULL
RETURNING audience;

-- name: withdraw
-- Withdraw a deleted message: it is not answered, a run loses it, and its texts are deleted. Most
-- columns are fields of `ChangedMessage`.
WITH old AS (
    SELECT id, formed_at IS NOT NULL AS formed, question <> '' OR words <> '' AS reworded,
        ended_at IS NULL OR question <> '' OR words <> '' AS says_else,
        ended_at IS NULL AND token IS NOT NULL AS interrupts, ended_at IS NULL AS is_open,
        ended_at IS NULL AND begun_at IS NOT NULL AS has_unfinished_answer
    FROM messages
    WHERE team_id = %(team)s AND channel_id = %(channel)s AND ts = %(ts)s FOR UPDATE
)
UPDATE messages
SET changed_ts = GREATEST(changed_ts, %(changed)s), question = '', words = '', reply = NULL,
    status = CASE WHEN old.is_open THEN 'deleted' ELSE status END, message = NULL, token = NULL,
    ended_at = COALESCE(ended_at, now()), formed_at = COALESCE(formed_at, now())
FROM old WHERE messages.id = old.id
RETURNING messages.id, user_id, audience, formed, reworded, says_else, interrupts,
    has_unfinished_answer;

-- name: thread_and_author
-- Those of a message, by a function that row-level security does not limit.
SELECT thread, user_id FROM thread_and_author(%(team)s, %(channel)s, %(ts)s);

-- name: delete_texts
-- Delete the texts of a person's turn; no memory is formed from them.
UPDATE messages SET question = '', words = '', reply = NULL,
    formed_at = CASE WHEN ended_at IS NOT NULL THEN COALESCE(formed_at, now()) END
WHERE id = %(id)s AND team_id = %(team)s AND user_id = %(user)s;

-- name: answer_to_delete
-- The messages of an answer to a message that was deleted while it was answered; `asked`: how many
-- seconds ago another one may have been posted that is not recorded.
SELECT ts, reply_ts, extract(epoch FROM now() - posting_since)::float8 AS asked
FROM messages WHERE id = %(id)s AND status = 'deleted';

-- name: forget_answer
-- Record that the answer to a deleted message is deleted in Slack.
UPDATE messages SET reply_ts = '{}', posting_since = NULL WHERE id = %(id)s;
