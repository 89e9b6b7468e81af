-- Statements that do not count: questions that wait for the person, what was not remembered, with the
-- reason, and what a message said before it was edited. Row-level security shows them to a transaction
-- in which kioku.states is 'shown'.

-- name: delete_replaced
-- One question about a memory is open at a time, and a sentence has one reason why it was not
-- remembered: delete what new ones replace.
DELETE FROM statements USING jsonb_to_recordset(%(statements)s) AS new (key text, evidence text,
    state text)
WHERE team_id = %(team)s AND user_id = %(user)s
    AND statements.state = new.state AND statements.state <> 'counts'
    AND (statements.key = new.key OR statements.evidence = new.evidence AND new.evidence <> '');

-- name: open
-- The open questions, the oldest first, with what the memory amounts to now. What would be over, or
-- would remove what is gone, is not asked any more.
SELECT said.id, said.key, said.audience, said.kind, said.act, said.content, said.evidence,
    said.channel, said.ts, said.zone, said.until, said.may_harm, said.batch,
    said.open_until - interval '14 days' AS at, store.prefix, store.value || store.own AS now
FROM statements AS said
LEFT JOIN store ON store.prefix ~>=~ %(low)s AND store.prefix ~<~ %(high)s
    AND store.key = said.key
WHERE said.team_id = %(team)s AND said.user_id = %(user)s AND said.state = 'asked'
    AND said.open_until > now() AND (said.until IS NULL OR said.until > now())
    AND (said.act <> 'remove' OR store.key IS NOT NULL)
    AND (%(batch)s::uuid IS NULL OR said.batch = %(batch)s)
    AND (%(question)s::uuid IS NULL OR said.id = %(question)s)
ORDER BY said.number;

-- name: refused
-- What was not remembered, the newest first. A sentence may have been refused as several kinds; one
-- that the person then had stored as typed is remembered.
SELECT evidence AS sentence, reason, max(open_until) - interval '1 day' AS at
FROM statements AS refused
WHERE team_id = %(team)s AND user_id = %(user)s AND state = 'refused' AND open_until > now()
    AND NOT EXISTS (
        SELECT FROM counted_statements AS said
        WHERE said.team_id = %(team)s AND said.user_id = %(user)s
            AND said.evidence = refused.evidence AND said.actor = 'command'
            AND said.withdrawn_at IS NULL
    )
GROUP BY evidence, reason
ORDER BY max(number) DESC LIMIT 20;

-- name: delete
DELETE FROM statements
WHERE team_id = %(team)s AND user_id = %(user)s AND id = %(id)s AND state <> 'counts';

-- name: delete_of_message
-- Delete the questions and refusals that quote a message.
DELETE FROM statements
WHERE team_id = %(team)s AND user_id = %(user)s AND channel = %(channel)s AND ts = %(ts)s
    AND state IN ('asked', 'refused')
RETURNING batch;

-- name: set_aside
-- Set aside what a message said before it was edited, for a day at most: what is formed again about the
-- same thing is the same memory, and what the person decided about it holds.
UPDATE statements SET state = 'edited', evidence = '', open_until = now() + interval '1 day'
WHERE team_id = %(team)s AND user_id = %(user)s AND id = ANY(%(ids)s) AND forgotten_id IS NULL;

-- name: set_aside_of_messages
-- What these messages said before they were edited, and where its memory was moved last.
SELECT channel, ts, audience, key, kind, subject, content, actor, withdrawn_at IS NOT NULL AS is_undone, (
        SELECT moved.audience FROM counted_statements AS moved
        WHERE moved.team_id = %(team)s AND moved.user_id = %(user)s AND moved.key = aside.key
            AND moved.act = 'move' AND moved.withdrawn_at IS NULL
        ORDER BY moved.said_at DESC, moved.number DESC LIMIT 1) AS moved_to
FROM statements AS aside
WHERE team_id = %(team)s AND user_id = %(user)s AND state = 'edited'
    AND (channel, ts) IN (SELECT * FROM unnest(%(channels)s::text[], %(times)s::text[]))
ORDER BY number;

-- name: delete_set_aside
DELETE FROM statements
WHERE team_id = %(team)s AND user_id = %(user)s AND state = 'edited'
    AND (channel, ts) IN (SELECT * FROM unnest(%(channels)s::text[], %(times)s::text[]));

-- name: delete_expired
DELETE FROM statements
WHERE team_id = %(team)s AND user_id = %(user)s AND open_until < now();
