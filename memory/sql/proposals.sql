-- What does not count: questions that wait for the person, and refused proposals with the reason.

-- name: insert
-- New proposals, from a JSON array: questions for 14 days, refusals for one.
INSERT INTO proposals (id, team_id, user_id, key, audience, kind, act, content, evidence, channel, ts,
    zone, until, may_harm, batch, reason, expires_at)
SELECT new.id, %(team)s, %(user)s, new.key, new.audience, new.kind, new.act,
    NULLIF(new.content, 'null'::jsonb), new.evidence, new.channel, new.ts, new.zone, new.until,
    new.may_harm, new.batch, new.reason,
    now() + CASE WHEN new.reason IS NULL THEN interval '14 days' ELSE interval '1 day' END
FROM jsonb_to_recordset(%(proposals)s) AS new (id uuid, key text, audience text, kind text, act text,
    content jsonb, evidence text, channel text, ts text, zone text, until timestamptz, may_harm boolean,
    batch uuid, reason text);

-- name: delete_replaced
-- One question about a memory is open at a time, and a sentence has one reason why it was not
-- remembered: delete what new proposals replace.
DELETE FROM proposals USING jsonb_to_recordset(%(proposals)s) AS new (key text, evidence text,
    reason text)
WHERE team_id = %(team)s AND user_id = %(user)s
    AND (proposals.reason IS NULL) = (new.reason IS NULL)
    AND (proposals.key = new.key OR proposals.evidence = new.evidence AND new.evidence <> '');

-- name: open
-- The open questions, the oldest first, with what the memory amounts to now. What would be over, or
-- would remove what is gone, is not asked any more.
SELECT proposals.id, proposals.key, proposals.audience, proposals.kind, proposals.act,
    proposals.content, proposals.evidence, proposals.channel, proposals.ts, proposals.zone,
    proposals.until, proposals.may_harm, proposals.batch, proposals.at,
    store.prefix, store.value || store.own AS now
FROM proposals
LEFT JOIN store ON store.prefix ~>=~ %(low)s AND store.prefix ~<~ %(high)s
    AND store.key = proposals.key
WHERE proposals.team_id = %(team)s AND proposals.user_id = %(user)s AND reason IS NULL
    AND proposals.expires_at > now() AND (proposals.until IS NULL OR proposals.until > now())
    AND (proposals.act <> 'remove' OR store.key IS NOT NULL)
    AND (%(batch)s::uuid IS NULL OR proposals.batch = %(batch)s)
    AND (%(question)s::uuid IS NULL OR proposals.id = %(question)s)
ORDER BY proposals.at, proposals.id;

-- name: refused
-- What was not remembered, the newest first. A sentence may have been refused as several kinds; one
-- that the person then had stored as typed is remembered.
SELECT evidence AS sentence, reason, max(proposals.at) AS at FROM proposals
WHERE team_id = %(team)s AND user_id = %(user)s AND reason IS NOT NULL AND expires_at > now()
    AND NOT EXISTS (
        SELECT FROM statements AS said
        WHERE said.team_id = %(team)s AND said.user_id = %(user)s
            AND said.evidence = proposals.evidence AND said.actor = 'command'
            AND said.withdrawn_at IS NULL
    )
GROUP BY evidence, reason
ORDER BY max(proposals.at) DESC, evidence LIMIT 20;

-- name: delete
DELETE FROM proposals
WHERE team_id = %(team)s AND user_id = %(user)s AND id = %(id)s;

-- name: delete_of_message
DELETE FROM proposals
WHERE team_id = %(team)s AND user_id = %(user)s AND channel = %(channel)s AND ts = %(ts)s
RETURNING batch;
