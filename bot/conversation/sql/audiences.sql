-- What Slack said a conversation is; an audience of NULL: not known. `changed` is in seconds: psycopg
-- reads no infinite timestamp.

-- name: invalidate
-- A conversation was shared or converted: until it is looked up again, it sees only its own memories.
INSERT INTO conversations (team_id, channel_id, audience, shared, looked_up_at, changed_at)
VALUES (%(team)s, %(channel)s, NULL, false, '-infinity', clock_timestamp())
ON CONFLICT (team_id, channel_id) DO UPDATE
SET audience = NULL, shared = false, looked_up_at = '-infinity',
    changed_at = excluded.changed_at;

-- name: invalidate_all
-- The same for all conversations of a workspace.
UPDATE conversations
SET audience = NULL, shared = false, looked_up_at = '-infinity',
    changed_at = clock_timestamp()
WHERE team_id = %(team)s;

-- name: known
-- What is known of a conversation; `is_trusted` is true if it was looked up within the hour, and Slack
-- need not be asked again. `heard_at` is written every 20 seconds. If it is older than `gap`, events,
-- including those of changed conversations, are being missed; if it is older than a day, no process
-- writes it.
SELECT now.asked_at, known.audience, known.shared,
    COALESCE(extract(epoch FROM known.changed_at)::float8, '-infinity') AS changed,
    COALESCE(known.looked_up_at > now() - interval '1 hour', false) AND NOT EXISTS (
        SELECT FROM installation
        WHERE heard_at
            BETWEEN now() - interval '1 day' AND now() - make_interval(secs => %(gap)s)
    ) AS is_trusted
FROM (SELECT clock_timestamp() AS asked_at) AS now
LEFT JOIN conversations AS known
    ON known.team_id = %(team)s AND known.channel_id = %(channel)s;

-- name: keep
-- Returns no row if the conversation changed while Slack was asked.
INSERT INTO conversations (team_id, channel_id, audience, shared)
VALUES (%(team)s, %(channel)s, %(audience)s, %(shared)s)
ON CONFLICT (team_id, channel_id) DO UPDATE
SET audience = excluded.audience, shared = excluded.shared, looked_up_at = now()
WHERE conversations.changed_at < %(asked_at)s
RETURNING channel_id;
