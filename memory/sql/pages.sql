-- The list of a person's memories.

-- name: page
-- A page of memories: open promises by the day they are due, then wishes about answers, then the
-- other kinds, newest first. A memory stays in its place when it is changed. With needles, those that
-- have all of them, and then the promises that have ended, too.
WITH found AS MATERIALIZED (
    SELECT key, created_at, kind, open_until, count(*) OVER () AS total,
        max(created_at) OVER (PARTITION BY kind) AS newest
    FROM (
        SELECT key, created_at, value->>'kind' AS kind,
            CASE WHEN value->>'kind' = 'Promise' AND value->'content'->>'state' = 'open'
                THEN COALESCE(value->'content'->>'due', 'none') END AS open_until
        FROM store
        WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s AND (expires_at IS NULL OR expires_at > now())
            AND (%(needles)s <> '{}'::text[] OR value->>'kind' <> 'Promise'
                OR value->'content'->>'state' = 'open')
            AND NOT EXISTS (
                SELECT FROM unnest(%(needles)s::text[]) AS needle WHERE strpos(plain, needle) = 0)
    ) AS mine
), page AS (
    SELECT GREATEST(LEAST(%(page)s, (count(*) - 1) / %(size)s + 1), 1) AS number FROM found
), shown AS (
    SELECT key, total, number, row_number() OVER (
        ORDER BY open_until, kind <> 'UserInstruction', kind = 'Promise',
            newest DESC, kind, created_at DESC, key) AS place
    FROM found CROSS JOIN page
    ORDER BY place
    LIMIT %(size)s
    OFFSET %(size)s * ((SELECT number FROM page) - 1)
)
SELECT prefix, key, value || own AS value, created_at, updated_at, expires_at, total, number
FROM shown JOIN store USING (key)
WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s
ORDER BY place;
