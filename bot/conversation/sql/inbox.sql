-- Messages are stored, taken by the run of a job, stopped, released and ended. Row-level security
-- limits each statement to the rows of the transaction's person and thread.

-- name: store
-- Store a waiting message with the job that answers it, unless it is known, or neither addressed
-- to the bot nor in a thread that is followed, or was missed before its person was erased. The more
-- messages of its person wait, the later its job begins.
WITH stored AS (
    INSERT INTO messages (team_id, user_id, channel_id, ts, thread, audience, message, on_record)
    SELECT %(team)s, %(user)s, %(channel)s, %(ts)s, %(thread)s, %(audience)s, %(message)s,
        on_record(%(team)s, %(user)s, %(channel)s, %(must_agree)s)
    WHERE (%(addressed)s OR is_followed(%(thread)s, %(user)s, %(ts)s, %(since)s))
        AND NOT (%(missed)s AND EXISTS (
            SELECT FROM forgotten
            WHERE team_id = %(team)s AND user_id = %(user)s AND what = 'erasure'
                AND at > to_timestamp(%(ts)s::text::float8)))
    ON CONFLICT (team_id, channel_id, ts) DO NOTHING
    RETURNING messages.thread, (
        SELECT count(*)::int FROM messages AS other
        WHERE other.team_id = %(team)s AND other.user_id = %(user)s AND other.ended_at IS NULL
    ) AS waiting
)
SELECT procrastinate_defer_jobs_v1(ARRAY[
    ROW(%(queue)s, %(task)s, -waiting, thread, NULL, jsonb_build_object('thread', thread), NULL)
        ::procrastinate_job_to_defer_v1])
FROM stored;

-- name: store_deleted
-- Store a message that was deleted before it was delivered, so that it is never answered.
INSERT INTO messages (team_id, user_id, channel_id, ts, thread, audience, status, ended_at)
SELECT %(team)s, %(user)s, %(channel)s, %(ts)s, %(thread)s, %(audience)s, 'deleted', now()
WHERE %(addressed)s OR is_followed(%(thread)s, %(user)s, %(ts)s, %(since)s)
ON CONFLICT DO NOTHING;

-- name: add_brought
-- Replace a message that waits by one with files or words of others that it lacks: a run that answers
-- it loses it.
WITH old AS (
    SELECT id, token IS NOT NULL AS is_taken
    FROM messages
    WHERE team_id = %(team)s AND channel_id = %(channel)s AND ts = %(ts)s AND changed_ts < %(event_ts)s
        AND status = 'waiting'
        AND (%(message)s::jsonb->'brought')
            - ARRAY(SELECT jsonb_object_keys(message->'brought')) <> '{}'
    FOR UPDATE
)
UPDATE messages
SET message = %(message)s, token = NULL
FROM old WHERE messages.id = old.id
RETURNING is_taken;

-- name: take
-- Take the oldest message of a thread that is still to be answered. If another run had it and did
-- not release it, the process of that run died. The columns are fields of `ClaimedMessage`.
WITH oldest AS (
    SELECT open.id, open.token IS NOT NULL AND open.token <> %(token)s AS process_died
    FROM messages AS open
    WHERE open.thread = %(thread)s AND open.ended_at IS NULL
    ORDER BY open.ts LIMIT 1 FOR UPDATE
)
UPDATE messages
SET token = %(token)s, failures = failures + oldest.process_died::int
FROM oldest
WHERE messages.id = oldest.id
RETURNING messages.id, message, failures, process_died, status = 'stopped' AS stopped,
    begun_at IS NOT NULL AS begun, reply_ts <> '{}' AS replied,
    GREATEST(extract(epoch FROM now())::float8 - GREATEST(ts, changed_ts)::float8, 0) AS waited;

-- name: read_run
-- The status of a message that is still this run's.
SELECT status FROM messages WHERE id = %(id)s AND token = %(token)s;

-- name: progress
-- How far a message is: it waits for its turn or for the model, its turn runs, or it has ended.
SELECT CASE WHEN ended_at IS NOT NULL THEN 'ended'
    WHEN begun_at IS NOT NULL AND token IS NOT NULL THEN 'begun' ELSE 'waiting' END AS progress
FROM messages WHERE team_id = %(team)s AND channel_id = %(channel)s AND ts = %(ts)s;

-- name: stop
-- The person pressed Stop at `stopped_ts`: stop what was written or edited before, and is being
-- answered in the thread or was begun and waits for the model; if there is nothing of the kind in
-- the thread, then what waits for its turn, for which Slack shows Stop, too.
WITH open AS (
    SELECT id, token IS NOT NULL OR begun_at IS NOT NULL AS is_begun,
        GREATEST(ts, changed_ts) < %(stopped_ts)s AS is_meant
    FROM messages
    WHERE thread = %(thread)s AND ended_at IS NULL FOR UPDATE
)
UPDATE messages SET status = 'stopped'
FROM open
WHERE messages.id = open.id AND is_meant
    AND (is_begun OR NOT EXISTS (SELECT FROM open AS other WHERE other.is_begun));

-- name: release
-- An attempt ended without an answer; `failed`: with an error.
UPDATE messages SET token = NULL, failures = failures + %(failed)s::int
WHERE id = %(id)s AND token = %(token)s
RETURNING id;

-- name: finish
-- A message is handled: its body is deleted.
UPDATE messages SET status = %(status)s, message = NULL, token = NULL, ended_at = now(),
    formed_at = CASE WHEN words = '' THEN now() ELSE formed_at END
WHERE id = %(id)s AND token = %(token)s;
