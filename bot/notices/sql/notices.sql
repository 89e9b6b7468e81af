-- Notices of remembered changes: the column `notice` of the message whose words they are of.

-- name: add
-- Let the notice of a turn be shown, perhaps again; one that has a message is updated.
UPDATE messages SET notice = CASE WHEN notice <> 'told' THEN notice ELSE 'due' END
WHERE id = %(turn)s AND team_id = %(team)s AND user_id = %(user)s;

-- name: changeable
-- The messages of these ids and of these memories whose notice can be changed or may just be posted,
-- except `except_turn`, if given.
SELECT id FROM messages
WHERE team_id = %(team)s AND user_id = %(user)s AND notice <> 'told'
    AND id IS DISTINCT FROM %(except_turn)s::uuid
    AND id IN (SELECT unnest(%(turns)s::uuid[]) UNION ALL
        SELECT batch FROM statements
        WHERE team_id = %(team)s AND user_id = %(user)s AND key = ANY(%(keys)s::text[]));

-- name: place
-- Where a turn was asked and answered, and the state of its notice.
SELECT channel_id AS channel, thread, audience, reply, ts AS question_ts,
    reply_ts <> '{}' AS replied, notice AS state
FROM messages WHERE id = %(turn)s AND team_id = %(team)s AND user_id = %(user)s;

-- name: note_shown
-- Record that a notice was shown: the ts of its message if it can be changed later, or 'told'.
UPDATE messages SET notice = %(state)s
WHERE id = %(turn)s AND team_id = %(team)s AND user_id = %(user)s;
