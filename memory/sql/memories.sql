-- Reads memories: rows of LangGraph's store, of one person. Their audience is the last part of the
-- prefix. `prefixes` are those that a conversation may read; NULL, in direct messages, is all of them.

-- name: read_memories
-- The memories with these keys, newest first.
SELECT prefix, key, value, created_at, updated_at, expires_at FROM store
WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s
    AND (%(prefixes)s::text[] IS NULL OR prefix = ANY(%(prefixes)s))
    AND key = ANY(%(keys)s) AND (expires_at IS NULL OR expires_at > now())
ORDER BY updated_at DESC;

-- name: newest
-- The newest memories; without a limit all. If there are `limit`, there may be more.
SELECT prefix, key, value, created_at, updated_at, expires_at FROM store
WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s
    AND (%(prefixes)s::text[] IS NULL OR prefix = ANY(%(prefixes)s))
    AND (expires_at IS NULL OR expires_at > now())
ORDER BY updated_at DESC, key LIMIT %(limit)s;

-- name: always_shown
-- Those that are shown whatever is asked: how the person wants to be answered, and what may harm.
SELECT prefix, key, value, created_at, updated_at, expires_at FROM store
WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s
    AND (%(prefixes)s::text[] IS NULL OR prefix = ANY(%(prefixes)s))
    AND (expires_at IS NULL OR expires_at > now())
    AND (value->>'kind' = 'UserInstruction' OR value->'may_harm' = 'true')
ORDER BY updated_at DESC LIMIT %(limit)s;

-- name: is_large
-- Whether there are more than `limit` memories.
SELECT count(*) > %(limit)s AS is_large FROM (
    SELECT FROM store
    WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s
        AND (%(prefixes)s::text[] IS NULL OR prefix = ANY(%(prefixes)s))
        AND (expires_at IS NULL OR expires_at > now())
    LIMIT %(limit)s + 1
) AS found;

-- name: nearest
-- The memories nearest to each of several vectors, by exact distance; none if the stored vectors are
-- of another model. `rank` is 1 for the nearest memory.
SELECT prefix, key, store.value, store.created_at, store.updated_at, store.expires_at,
    row_number() OVER (PARTITION BY said.place ORDER BY nearest.distance, key) AS rank
FROM unnest(%(vectors)s::text[]::halfvec[]) WITH ORDINALITY AS said (vector, place)
CROSS JOIN LATERAL (
    SELECT prefix, key, embedding <=> said.vector AS distance FROM store_vectors
    WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s
        AND (%(prefixes)s::text[] IS NULL OR prefix = ANY(%(prefixes)s))
        AND (SELECT (model, dimensions) = (%(model)s, %(dimensions)s) FROM kioku_embedding_space)
    ORDER BY distance, key LIMIT %(limit)s
) AS nearest
JOIN store USING (prefix, key)
WHERE store.expires_at IS NULL OR store.expires_at > now()
ORDER BY rank, nearest.distance;

-- name: is_comparable
-- Whether the stored vectors are of this model.
SELECT (model, dimensions) = (%(model)s, %(dimensions)s) AS comparable FROM kioku_embedding_space;

-- name: for_the_person
-- A memory as the person sees it in a window, with all that was said.
SELECT prefix, key, value || own AS value, created_at, updated_at, expires_at FROM store
WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s AND key = %(key)s
    AND (expires_at IS NULL OR expires_at > now());
