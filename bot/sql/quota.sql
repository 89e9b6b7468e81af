-- How many messages of a person are answered in an hour.

-- name: may_ask_again
-- When the oldest of the `limit` messages before a message is an hour old, in seconds since 1970; no row
-- where the hour before it has fewer. Requests to POST /ask count, skipped messages do not.
SELECT ts::float8 + 3600 AS at
FROM messages
WHERE team_id = %(team)s AND user_id = %(user)s
    AND ts < %(ts)s::text AND ts > (%(ts)s::text::numeric - 3600)::text
    AND status <> 'skipped'
ORDER BY ts DESC OFFSET %(limit)s - 1 LIMIT 1;
