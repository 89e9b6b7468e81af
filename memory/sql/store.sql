-- LangGraph's tables store and store_vectors: the projection of the statements.

-- name: move
-- Give memories that have another audience now its prefix, and their vectors.
WITH new AS (
    SELECT key, prefix FROM unnest(%(keys)s::text[], %(prefixes)s::text[]) AS new (key, prefix)
), moved AS (
    UPDATE store SET prefix = new.prefix, updated_at = clock_timestamp() FROM new
    WHERE store.key = new.key AND store.prefix <> new.prefix
        AND store.prefix ~>=~ %(low)s AND store.prefix ~<~ %(high)s
)
UPDATE store_vectors SET prefix = new.prefix FROM new
WHERE store_vectors.key = new.key AND store_vectors.prefix <> new.prefix
    AND store_vectors.prefix ~>=~ %(low)s AND store_vectors.prefix ~<~ %(high)s;

-- name: write
-- Make the rows of these memories those of a JSON array: the others are deleted, and a trigger
-- deletes their vectors. A row whose content changes loses its vector; equal rows are not touched.
-- Each table has a condition on its own prefixes: without nested loops a table that is only joined is
-- read whole.
WITH new AS (
    SELECT prefix, key, value, plain, own, created_at, expires_at, place
    FROM ROWS FROM (jsonb_to_recordset(%(rows)s) AS (prefix text, key text, value jsonb, plain text,
        own jsonb, created_at timestamptz, expires_at timestamptz))
        WITH ORDINALITY AS new (prefix, key, value, plain, own, created_at, expires_at, place)
), gone AS (
    DELETE FROM store
    WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s AND key = ANY(%(keys)s)
        AND NOT EXISTS (SELECT FROM new WHERE new.key = store.key)
), stale AS (
    DELETE FROM store_vectors USING new JOIN store USING (prefix, key)
    WHERE store_vectors.prefix = new.prefix AND store_vectors.key = new.key
        AND store_vectors.prefix ~>=~ %(low)s AND store_vectors.prefix ~<~ %(high)s
        AND store.prefix ~>=~ %(low)s AND store.prefix ~<~ %(high)s
        AND store.value->'content' <> new.value->'content'
)
INSERT INTO store (prefix, key, value, plain, own, created_at, updated_at, expires_at)
SELECT prefix, key, value, plain, own, created_at,
    clock_timestamp() + place * interval '1 microsecond', expires_at
FROM new
ON CONFLICT (prefix, key) DO UPDATE SET value = EXCLUDED.value, plain = EXCLUDED.plain,
    own = EXCLUDED.own, created_at = EXCLUDED.created_at, updated_at = EXCLUDED.updated_at,
    expires_at = EXCLUDED.expires_at, ttl_minutes = NULL
WHERE (store.value, store.own) <> (EXCLUDED.value, EXCLUDED.own)
    OR store.expires_at IS DISTINCT FROM EXCLUDED.expires_at;

-- name: remaining
-- How many more memories a person may have.
SELECT %(most)s - count(*) AS remaining FROM store
WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s;
