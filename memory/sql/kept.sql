-- What people keep for a conversation. Row-level security shows the lines of the conversations that the
-- transaction names in kioku.kept.

-- name: newest
-- The newest lines of conversations; with `public`, only those that were said in public channels.
SELECT prefix, key, value, created_at, updated_at, expires_at
FROM store
WHERE team_id = %(team)s AND kept_in = ANY(%(channels)s)
    AND (expires_at IS NULL OR expires_at > now())
    AND (NOT %(public)s OR (value->'content'->>'public')::boolean)
ORDER BY created_at DESC, key
LIMIT %(most)s;

-- name: nearest
-- The lines nearest to a vector, by exact distance. No rows if the stored vectors are of another model,
-- or there are none yet.
SELECT prefix, key, store.value, store.created_at, store.updated_at, store.expires_at
FROM store_vectors AS made
JOIN store USING (prefix, key)
WHERE made.team_id = %(team)s AND made.kept_in = ANY(%(channels)s)
    AND (SELECT (model, dimensions) = (%(model)s, %(dimensions)s) FROM kioku_embedding_space)
    AND (store.expires_at IS NULL OR store.expires_at > now())
    AND (NOT %(public)s OR (store.value->'content'->>'public')::boolean)
ORDER BY made.embedding <=> %(vector)s::halfvec, key
LIMIT %(most)s;

-- name: author
-- Who keeps what a message says.
SELECT user_id FROM store
WHERE team_id = %(team)s AND kept_in = %(channel)s
    AND value->'sources' @> jsonb_build_array(jsonb_build_object('ts', %(ts)s::text))
LIMIT 1;

-- name: channels
-- The conversations of a workspace for which something is kept.
SELECT channel_id FROM channels_with_kept(%(team)s);

-- name: keys_of_person
-- What a person keeps for conversations.
SELECT key FROM store
WHERE team_id = %(team)s AND user_id = %(user)s AND kept_in IS NOT NULL;
