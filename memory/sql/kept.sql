-- What people keep for a conversation. Row-level security shows a person's own lines, and those of the
-- conversation that the transaction names in kioku.channel.

-- name: of_conversation
-- No conversation has more than 500.
SELECT id, team_id, channel_id, ts, thread_ts, user_id, text, decision, kept_at FROM kept
WHERE team_id = %(team)s AND channel_id = %(channel)s
ORDER BY kept_at DESC, id;

-- name: of_message
SELECT id, team_id, channel_id, ts, thread_ts, user_id, text, decision, kept_at FROM kept
WHERE team_id = %(team)s AND channel_id = %(channel)s AND ts = %(ts)s;

-- name: count
SELECT count(*) AS here, count(*) FILTER (WHERE user_id = %(user)s) AS own FROM kept
WHERE team_id = %(team)s AND channel_id = %(channel)s;

-- name: add
INSERT INTO kept (team_id, user_id, channel_id, ts, thread_ts, text, decision)
VALUES (%(team)s, %(user)s, %(channel)s, %(ts)s, %(thread_ts)s, %(text)s, %(decision)s)
ON CONFLICT (team_id, channel_id, ts) DO NOTHING
RETURNING id;

-- name: end
-- End one line of the person, or all that are older than some days. The time is now, not the
-- transaction's, which may have waited while a line was kept.
DELETE FROM kept
WHERE team_id = %(team)s AND user_id = %(user)s AND (%(id)s::uuid IS NULL OR id = %(id)s)
    AND kept_at <= clock_timestamp() - make_interval(days => %(days)s)
RETURNING id, channel_id, thread_ts, line_ts, kept_at,
    extract(epoch FROM posting_since)::float8 AS posting_since;

-- name: change_channel
UPDATE kept SET channel_id = %(new)s
WHERE team_id = %(team)s AND user_id = %(user)s AND channel_id = %(old)s;
