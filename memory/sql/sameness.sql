-- The columns of memory.model.sameness, written again by the owner when its version has changed.

-- name: statements
-- What was said, in the order of ids, after one of them.
SELECT id, kind, content FROM statements
WHERE act <> 'remove' AND (%(after)s::uuid IS NULL OR id > %(after)s)
ORDER BY id LIMIT %(limit)s;

-- name: write_subjects
UPDATE statements SET subject = new.subject
FROM unnest(%(ids)s::uuid[], %(subjects)s::text[]) AS new (id, subject)
WHERE statements.id = new.id AND statements.subject <> new.subject;

-- name: copy_subjects
-- A removal has the subject that its memory had.
UPDATE statements SET subject = COALESCE((
    SELECT said.subject FROM statements AS said
    WHERE said.team_id = statements.team_id AND said.user_id = statements.user_id
        AND said.key = statements.key AND said.act = 'say' AND said.number < statements.number
    ORDER BY said.number DESC LIMIT 1
), '')
WHERE act = 'remove';

-- name: rows
-- The rows of store, in the order of their keys, after one of them.
SELECT prefix, key, value || own AS value FROM store
WHERE (prefix, key) > (%(prefix)s, %(key)s)
ORDER BY prefix, key LIMIT %(limit)s;

-- name: write_plain
UPDATE store SET plain = new.plain
FROM unnest(%(prefixes)s::text[], %(keys)s::text[], %(plains)s::text[]) AS new (prefix, key, plain)
WHERE store.prefix = new.prefix AND store.key = new.key AND store.plain <> new.plain;
