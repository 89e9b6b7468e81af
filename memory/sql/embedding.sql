-- Vectors of rows of store that have none.

-- name: missing
-- Those whose prefix is in a range, a person's or all people's, in the order of the index of prefixes.
-- A count is looked up for each row until there are enough; NOT EXISTS would join both tables first.
SELECT prefix, key, value, updated_at FROM store
WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s
    AND (SELECT (model, dimensions) = (%(model)s, %(dimensions)s) FROM kioku_embedding_space)
    AND 0 = (
        SELECT count(*) FROM store_vectors AS made
        WHERE made.prefix = store.prefix AND made.key = store.key
    )
ORDER BY prefix USING ~<~
LIMIT %(limit)s;

-- name: count_missing
SELECT count(*) AS total FROM store
WHERE prefix ~>=~ %(low)s AND prefix ~<~ %(high)s
    AND (SELECT (model, dimensions) = (%(model)s, %(dimensions)s) FROM kioku_embedding_space)
    AND NOT EXISTS (
        SELECT FROM store_vectors AS made
        WHERE made.prefix = store.prefix AND made.key = store.key
    );

-- name: write
-- Rows that have changed or gone since they were read get no vector; changed ones are read again.
INSERT INTO store_vectors (prefix, key, field_name, embedding, created_at, updated_at)
SELECT store.prefix, store.key, 'content', made.embedding, store.updated_at, store.updated_at
FROM unnest(%(prefixes)s::text[], %(keys)s::text[], %(times)s::timestamptz[],
    %(vectors)s::text[]::halfvec[]) AS made (prefix, key, updated_at, embedding)
JOIN store USING (prefix, key, updated_at)
WHERE (SELECT (model, dimensions) = (%(model)s, %(dimensions)s) FROM kioku_embedding_space)
FOR KEY SHARE OF store
ON CONFLICT DO NOTHING
RETURNING key;

-- name: has_others
-- Whether there are vectors, and of another model.
SELECT EXISTS (SELECT FROM store_vectors)
    AND (SELECT (model, dimensions) <> (%(model)s, %(dimensions)s) FROM kioku_embedding_space)
    AS has_others;

-- name: change_space
-- Record the model that makes the vectors from now on; no row is updated if it is the same one.
UPDATE kioku_embedding_space SET model = %(model)s, dimensions = %(dimensions)s
WHERE (model, dimensions) <> (%(model)s, %(dimensions)s);

-- name: delete_vectors
TRUNCATE store_vectors;
