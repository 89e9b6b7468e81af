-- The list of a person's memories.

-- name: page
-- A page of memories: open promises by the day they are due, then wishes about answers, then the
-- other kinds, newest first, then the promises that have ended, and last what is kept for channels. A
-- memory stays in its place when it is changed. With words, those whose content has all of them; if
-- there are none, those whose content and quotes together do.
WITH wanted AS (
    SELECT array_agg(DISTINCT
        CASE WHEN %(whole)s AND word ~ '^[!-~]+$' THEN ' ' || word || ' ' ELSE needle(word) END
    ) AS needles
    FROM regexp_split_to_table(btrim(plain_text(%(words)s)), ' ') AS word
), mine AS (
    SELECT prefix, key, value, created_at, updated_at, expires_at,
        value->>'kind' AS kind,
        (SELECT string_agg(one #>> '{}', ' ')
            FROM jsonb_path_query(value, '$.content.*') AS one) AS content_text,
        (SELECT string_agg(one #>> '{}', ' ')
            FROM jsonb_path_query(value, '$.sources[*].evidence') AS one) AS quotes,
        CASE WHEN value->>'kind' = 'Promise' AND value->'content'->>'state' = 'open'
            THEN COALESCE(value->'content'->>'due', 'none') END AS open_until
    FROM store
    WHERE prefix = %(prefix)s AND (expires_at IS NULL OR expires_at > now())
), ranked AS (
    SELECT mine.*,
        CASE WHEN %(words)s = '' THEN 1
            WHEN btrim(plain_text(%(words)s)) = '' THEN NULL
            WHEN NOT EXISTS (
                SELECT FROM (SELECT plain_text(content_text) AS plain OFFSET 0) AS one,
                    unnest(wanted.needles) AS needle
                WHERE strpos(plain, needle) = 0
            ) THEN 1
            WHEN NOT EXISTS (
                SELECT FROM (
                    SELECT plain_text(concat_ws(' ', content_text, quotes)) AS plain OFFSET 0
                ) AS one, unnest(wanted.needles) AS needle
                WHERE strpos(plain, needle) = 0
            ) THEN 2
        END AS rank
    FROM mine CROSS JOIN wanted
), found AS MATERIALIZED (
    SELECT *, count(*) OVER () AS total, max(created_at) OVER (PARTITION BY kind) AS newest
    FROM ranked WHERE rank = (SELECT min(rank) FROM ranked)
), page AS (
    SELECT GREATEST(LEAST(%(page)s, (count(*) - 1) / %(size)s + 1), 1) AS number FROM found
)
SELECT prefix, key, value, created_at, updated_at, expires_at, total, number
FROM found CROSS JOIN page
ORDER BY open_until, kind <> 'UserInstruction', kind = 'KeptLine', kind = 'Promise', newest DESC, kind,
    created_at DESC, key
LIMIT %(size)s
OFFSET %(size)s * ((SELECT number FROM page) - 1);
