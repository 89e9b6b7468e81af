-- Everything about a person's memories, as JSON objects.

-- name: memories
SELECT jsonb_build_object('key', key, 'audience', split_part(prefix, '.', 4), 'created_at', created_at,
    'updated_at', updated_at, 'expires_at', expires_at) || value || own AS row
FROM store
WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s
ORDER BY created_at, key;

-- name: statements
SELECT to_jsonb(statement) - 'subject' - 'team_id' - 'user_id' - 'forgotten_id' - 'forgotten_at' AS row
FROM statements AS statement
WHERE team_id = %(team)s AND user_id = %(user)s
ORDER BY number;

-- name: forgotten
SELECT to_jsonb(forgotten) AS row
FROM (
    SELECT DISTINCT channel, ts, forgotten_at FROM forgotten_sources
    WHERE team_id = %(team)s AND user_id = %(user)s AND what = 'message'
) AS forgotten
ORDER BY forgotten_at, channel, ts;
