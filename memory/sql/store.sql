-- LangGraph's tables store and store_vectors: the projection of the statements.

-- name: read_by_keys
-- The rows of these memories, in all audiences.
SELECT prefix, key, value, created_at, updated_at, expires_at FROM store
WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s AND key = ANY(%(keys)s)
    AND (expires_at IS NULL OR expires_at > now());

-- name: write
-- Make the rows of these memories those of a JSON array: the others are deleted, and a trigger
-- deletes their vectors. A row whose content changes loses its vector; equal rows are not touched.
-- Each table has a condition on its own prefixes: without nested loops a table that is only joined is
-- read whole.
WITH new AS (
    SELECT prefix, key, value, plain, created_at, expires_at, place
    FROM ROWS FROM (jsonb_to_recordset(%(rows)s) AS (prefix text, key text, value jsonb, plain text,
        created_at timestamptz, expires_at timestamptz))
        WITH ORDINALITY AS new (prefix, key, value, plain, created_at, expires_at, place)
), gone AS (
    DELETE FROM store
    WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s AND key = ANY(%(keys)s)
        AND NOT EXISTS (SELECT FROM new WHERE new.prefix = store.prefix AND new.key = store.key)
), stale AS (
    DELETE FROM store_vectors USING new JOIN store USING (prefix, key)
    WHERE store_vectors.prefix = new.prefix AND store_vectors.key = new.key
        AND store_vectors.prefix ~>=~ %(low)s AND store_vectors.prefix ~<~ %(high)s
        AND store.prefix ~>=~ %(low)s AND store.prefix ~<~ %(high)s
        AND store.value->'content' <> new.value->'content'
)
INSERT INTO store (prefix, key, value, plain, created_at, updated_at, expires_at)
SELECT prefix, key, value, plain, created_at, clock_timestamp() + place * interval '1 microsecond',
    expires_at
FROM new
ON CONFLICT (prefix, key) DO UPDATE SET value = EXCLUDED.value, plain = EXCLUDED.plain, created_at = EXCLUDED.created_at,
    updated_at = EXCLUDED.updated_at, expires_at = EXCLUDED.expires_at, ttl_minutes = NULL
WHERE store.value <> EXCLUDED.value OR store.expires_at IS DISTINCT FROM EXCLUDED.expires_at;

-- name: copy_vectors
-- Give rows without a vector that of a row of the same memory with the same content.
INSERT INTO store_vectors (prefix, key, field_name, embedding, created_at, updated_at)
SELECT DISTINCT ON (bare.prefix, bare.key) bare.prefix, bare.key, made.field_name, made.embedding,
    bare.updated_at, bare.updated_at
FROM store AS bare
JOIN store AS other ON other.key = bare.key AND other.value->'content' = bare.value->'content'
    AND other.prefix ~>=~ %(low)s AND other.prefix ~<~ %(high)s
JOIN store_vectors AS made ON made.prefix = other.prefix AND made.key = other.key
    AND made.prefix ~>=~ %(low)s AND made.prefix ~<~ %(high)s
WHERE bare.prefix ~>=~ %(low)s AND bare.prefix ~<~ %(high)s AND bare.key = ANY(%(keys)s)
ON CONFLICT DO NOTHING;

-- name: remaining
-- How many more memories a person may have. Each memory has one row for direct messages.
SELECT %(most)s - count(*) AS remaining FROM store WHERE prefix = %(prefix)s;
