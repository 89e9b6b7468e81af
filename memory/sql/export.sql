-- Everything about a person's memories, as JSON objects.

-- name: memories
SELECT jsonb_build_object('key', key, 'audience', split_part(prefix, '.', 4), 'created_at', created_at,
    'updated_at', updated_at, 'expires_at', expires_at) || value || own AS row
FROM store
WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s
ORDER BY created_at, key;

-- name: statements
-- What was said, without the quotes of messages from which something was forgotten.
SELECT to_jsonb(statement) - 'subject' - 'team_id' - 'user_id' - 'forgotten_id' - 'forgotten_at'
        || CASE WHEN (channel, ts) IN (SELECT channel, ts FROM forgotten_messages
            WHERE team_id = %(team)s AND user_id = %(user)s)
        THEN '{"evidence": ""}' ELSE '{}' END::jsonb AS row
FROM statements AS statement
WHERE team_id = %(team)s AND user_id = %(user)s
ORDER BY number;

-- name: forgotten
-- The messages from which something was forgotten.
SELECT jsonb_build_object('channel', channel, 'ts', ts, 'forgotten_at', at) AS row
FROM forgotten_messages
WHERE team_id = %(team)s AND user_id = %(user)s
ORDER BY at, channel, ts;
