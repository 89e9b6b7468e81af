-- Reads memories: rows of LangGraph's store, of one person.

-- name: read_memories
-- The memories with these keys, newest first.
SELECT prefix, key, value, created_at, updated_at, expires_at FROM store
WHERE prefix = ANY(%(prefixes)s) AND key = ANY(%(keys)s)
    AND (expires_at IS NULL OR expires_at > now())
ORDER BY updated_at DESC;

-- name: newest
-- All rows of the newest memories; without a limit, of all.
WITH newest AS (
    SELECT key, max(updated_at) AS updated_at FROM store
    WHERE prefix = ANY(%(prefixes)s) AND (expires_at IS NULL OR expires_at > now())
    GROUP BY key
    ORDER BY updated_at DESC, key LIMIT %(limit)s
)
SELECT store.prefix, key, store.value, store.created_at, store.updated_at, store.expires_at
FROM newest JOIN store USING (key)
WHERE store.prefix = ANY(%(prefixes)s) AND (store.expires_at IS NULL OR store.expires_at > now())
ORDER BY newest.updated_at DESC, key;

-- name: set
-- The memories of a set that may be shown whole: if there are `limit` rows, there may be more. Every
-- reply waits for it; `newest` takes half a millisecond more for 200 memories.
SELECT prefix, key, value, created_at, updated_at, expires_at FROM store
WHERE prefix = ANY(%(prefixes)s) AND (expires_at IS NULL OR expires_at > now())
ORDER BY updated_at DESC, prefix LIMIT %(limit)s;

-- name: always_shown
-- Those that are shown whatever is asked: how the person wants to be answered, and what may harm.
SELECT prefix, key, value, created_at, updated_at, expires_at FROM store
WHERE prefix = ANY(%(prefixes)s) AND (expires_at IS NULL OR expires_at > now())
    AND (value->>'kind' = 'UserInstruction' OR value->'may_harm' = 'true')
ORDER BY updated_at DESC LIMIT %(limit)s;

-- name: is_large
-- Whether there are more than `limit` rows of memories.
SELECT count(*) > %(limit)s AS is_large FROM (
    SELECT FROM store
    WHERE prefix = ANY(%(prefixes)s) AND (expires_at IS NULL OR expires_at > now())
    LIMIT %(limit)s + 1
) AS found;

-- name: nearest
-- All rows of the memories nearest to each of several vectors, by exact distance; none if the
-- stored vectors are of another model. A memory has at most one row for each prefix. `rank` is 1
-- for the nearest memory.
SELECT store.prefix, key, store.value, store.created_at, store.updated_at, store.expires_at,
    dense_rank() OVER (PARTITION BY said.place ORDER BY nearest.distance, key) AS rank
FROM unnest(%(vectors)s::text[]::halfvec[]) WITH ORDINALITY AS said (vector, place)
CROSS JOIN LATERAL (
    SELECT key, min(near.distance) AS distance FROM (
        SELECT key, embedding <=> said.vector AS distance FROM store_vectors
        WHERE prefix = ANY(%(prefixes)s)
            AND (SELECT (model, dimensions) = (%(model)s, %(dimensions)s) FROM kioku_embedding_space)
        ORDER BY distance, key LIMIT %(limit)s * cardinality(%(prefixes)s)
    ) AS near
    GROUP BY key
    ORDER BY distance, key LIMIT %(limit)s
) AS nearest
JOIN store USING (key)
WHERE store.prefix = ANY(%(prefixes)s) AND (store.expires_at IS NULL OR store.expires_at > now())
ORDER BY rank, nearest.distance;

-- name: is_comparable
-- Whether the stored vectors are of this model.
SELECT (model, dimensions) = (%(model)s, %(dimensions)s) AS comparable FROM kioku_embedding_space;
