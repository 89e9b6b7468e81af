-- The log of statements. Row-level security limits each of these to the person of the transaction,
-- and hides what was forgotten unless kioku.forgotten is 'shown'.

-- name: see_states
-- Let this transaction see what does not count; '' hides it again.
SELECT set_config('kioku.states', %(shown)s, true);

-- name: see_forgotten
-- Let this transaction see what is forgotten; '' hides it again. With `many` it touches all rows of a
-- person, whose number PostgreSQL may not know yet, so nested loops are off from then on.
SELECT set_config('kioku.forgotten', %(shown)s, true),
    CASE WHEN %(many)s THEN set_config('enable_nestloop', 'off', true) END,
    CASE WHEN %(many)s THEN set_config('work_mem', '32MB', true) END;

-- name: read_by_keys
-- The statements of these memories, in the order in which they were stored.
SELECT id, number, key, audience, kind, act, actor, content, evidence, channel, ts, said_at, zone,
    until, may_harm, left_out, batch, withdrawn_at, stored_at
FROM counted_statements
WHERE team_id = %(team)s AND user_id = %(user)s AND key = ANY(%(keys)s)
ORDER BY number;

-- name: memories_of_subjects
-- All memories that were ever about one of these subjects, with their present content; NULL if they
-- were taken back. Those that are remembered come first; among equals, the newest. What was forgotten
-- counts as long as its Undo could bring it back.
SELECT said.kind, said.subject, said.key, store.value->'content' AS content
FROM (
    SELECT kind, subject, key, max(number) AS newest FROM counted_statements
    JOIN unnest(%(kinds)s::text[], %(subjects)s::text[]) AS wanted (kind, subject)
        USING (kind, subject)
    WHERE team_id = %(team)s AND user_id = %(user)s
        AND (forgotten_at IS NULL OR forgotten_at > now() - make_interval(mins => %(minutes)s))
    GROUP BY kind, subject, key
) AS said
LEFT JOIN store ON store.prefix ~>=~ %(low)s AND store.prefix ~<~ %(high)s AND store.key = said.key
ORDER BY store.key IS NULL, said.newest DESC;

-- name: insert
-- New statements, from a JSON array. A removal gets the subject of its memory, so that the
-- memory is still found by it when what it rests on is edited. A formation stores the same words of the
-- same message only once, because it may run again, or read what a tool has stored; what was undone
-- does not count again by that.
INSERT INTO statements (id, team_id, user_id, key, audience, kind, act, actor, content, subject,
    evidence, channel, ts, said_at, zone, until, may_harm, batch, state, reason, open_until)
SELECT new.id, %(team)s, %(user)s, new.key, new.audience, new.kind, new.act, new.actor,
    NULLIF(new.content, 'null'::jsonb),
    CASE WHEN new.act <> 'remove' THEN new.subject ELSE COALESCE((
        SELECT said.subject FROM counted_statements AS said
        WHERE said.team_id = %(team)s AND said.user_id = %(user)s AND said.key = new.key
            AND said.act = 'say'
        ORDER BY said.number DESC LIMIT 1
    ), '') END,
    new.evidence, new.channel, new.ts, new.said_at, new.zone, new.until, new.may_harm, new.batch,
    new.state, new.reason,
    CASE new.state WHEN 'asked' THEN now() + interval '14 days'
        WHEN 'refused' THEN now() + interval '1 day' END
FROM ROWS FROM (jsonb_to_recordset(%(statements)s) AS (id uuid, key text, audience text, kind text,
    act text, actor text, content jsonb, subject text, evidence text, channel text, ts text,
    said_at timestamptz, zone text, until timestamptz, may_harm boolean,
    batch uuid, state text, reason text))
    WITH ORDINALITY AS new (id, key, audience, kind, act, actor, content, subject, evidence, channel,
    ts, said_at, zone, until, may_harm, batch, state, reason, place)
WHERE new.state <> 'counts' OR new.actor <> 'formation' OR NOT EXISTS (
    SELECT FROM counted_statements AS known
    WHERE known.team_id = %(team)s AND known.user_id = %(user)s AND known.key = new.key
        AND known.act = new.act AND known.channel = new.channel AND known.ts = new.ts
        AND known.audience = new.audience AND known.evidence = new.evidence
        AND COALESCE(known.content, 'null') @> COALESCE(new.content, 'null')
)
ORDER BY new.place;

-- name: withdraw
-- Withdraw these statements, so that they no longer count.
UPDATE statements SET withdrawn_at = now()
WHERE team_id = %(team)s AND user_id = %(user)s AND id = ANY(%(ids)s)
    AND withdrawn_at IS NULL
RETURNING key;

-- name: leave_out
-- Mark what these memories add up to: no model is shown them as long as nothing else is said.
UPDATE statements SET left_out = true
WHERE team_id = %(team)s AND user_id = %(user)s AND key = ANY(%(keys)s)
RETURNING key;

-- name: read_of_message
-- What a message says.
SELECT id, number, key, audience, kind, act, actor, content, evidence, channel, ts, said_at, zone,
    until, may_harm, left_out, batch, withdrawn_at, stored_at
FROM counted_statements
WHERE team_id = %(team)s AND user_id = %(user)s AND channel = %(channel)s AND ts = %(ts)s;

-- name: delete
-- Delete statements, forgotten ones too if they are shown; what was set aside is not.
DELETE FROM statements
WHERE team_id = %(team)s AND user_id = %(user)s AND id = ANY(%(ids)s);

-- name: messages_among
-- Those of these messages that something was remembered or asked from.
SELECT channel, ts FROM unnest(%(channels)s::text[], %(times)s::text[]) AS said (channel, ts)
WHERE EXISTS (
    SELECT FROM statements
    WHERE team_id = %(team)s AND user_id = %(user)s AND statements.channel = said.channel
        AND statements.ts = said.ts
);

-- name: read_changes
-- The newest changes: all, those of a memory, those of a notice, or those of named statements. A
-- change is what one notice says about one memory.
SELECT batch, key, max(number) AS newest FROM counted_statements
WHERE team_id = %(team)s AND user_id = %(user)s
    AND (%(key)s::text IS NULL OR key = %(key)s)
    AND (%(batch)s::uuid IS NULL OR batch = %(batch)s)
    AND (%(ids)s::uuid[] IS NULL OR (batch, key) IN (
        SELECT named.batch, named.key FROM counted_statements AS named
        WHERE named.team_id = %(team)s AND named.user_id = %(user)s AND named.id = ANY(%(ids)s)
    ))
GROUP BY batch, key
ORDER BY newest DESC
LIMIT %(limit)s;

-- name: change_channel
-- Replace a conversation's id by the one that Slack has given it since.
UPDATE statements SET
    audience = CASE WHEN audience = %(old)s THEN %(new)s ELSE audience END,
    channel = CASE WHEN channel = %(old)s THEN %(new)s ELSE channel END
WHERE team_id = %(team)s AND user_id = %(user)s
    AND (audience = %(old)s OR channel = %(old)s)
RETURNING key;

-- name: change_channel_of_forgotten
UPDATE forgotten SET channels = array_replace(channels, %(old)s, %(new)s)
WHERE team_id = %(team)s AND user_id = %(user)s AND %(old)s = ANY(channels);

-- name: delete_ended
-- Delete statements that are over.
DELETE FROM statements
WHERE team_id = %(team)s AND user_id = %(user)s AND until <= now()
RETURNING key;

-- name: delete_old
-- Delete memories about which nothing was said for `days`, and statements withdrawn longer ago.
WITH last_said AS (
    SELECT key, max(said_at) FILTER (WHERE withdrawn_at IS NULL) AS at FROM statements
    WHERE team_id = %(team)s AND user_id = %(user)s
    GROUP BY key
)
DELETE FROM statements USING last_said
WHERE team_id = %(team)s AND user_id = %(user)s AND statements.key = last_said.key
    AND (last_said.at < now() - make_interval(days => %(days)s)
        OR statements.withdrawn_at < now() - make_interval(days => %(days)s))
RETURNING statements.key;
