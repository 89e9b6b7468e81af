-- Notices of remembered changes.

-- name: add
-- Add the notice of a turn, or let it be shown again.
INSERT INTO notices (turn_id, team_id, user_id) VALUES (%(turn)s, %(team)s, %(user)s)
ON CONFLICT (turn_id) DO UPDATE SET shown_at = NULL;

-- name: changeable
-- The notices of these turns and of these memories whose message can be changed or may just be
-- posted, except that of `except_turn`, if given.
SELECT notices.turn_id FROM notices
WHERE notices.team_id = %(team)s AND notices.user_id = %(user)s
    AND (notices.ts IS NOT NULL OR notices.shown_at IS NULL)
    AND notices.turn_id IS DISTINCT FROM %(except_turn)s::uuid
    AND (notices.turn_id = ANY(%(turns)s::uuid[])
        OR notices.turn_id IN (SELECT statements.batch FROM statements
            WHERE statements.team_id = %(team)s AND statements.user_id = %(user)s
                AND statements.key = ANY(%(keys)s::text[])));

-- name: place
-- Where a turn was asked and answered, whether a notice was added, and its message.
SELECT messages.channel_id AS channel, messages.thread, messages.audience, messages.reply,
    messages.ts AS question_ts, messages.reply_ts <> '{}' AS replied,
    notices.turn_id IS NOT NULL AS added, notices.ts, notices.shown_at IS NOT NULL AS shown
FROM messages LEFT JOIN notices ON notices.turn_id = messages.id
    AND notices.team_id = messages.team_id AND notices.user_id = messages.user_id
WHERE messages.id = %(turn)s AND messages.team_id = %(team)s AND messages.user_id = %(user)s;

-- name: note_shown
-- Record that a notice was shown, and its message if it can be changed later.
UPDATE notices SET ts = %(ts)s, shown_at = COALESCE(shown_at, now())
WHERE turn_id = %(turn)s AND team_id = %(team)s AND user_id = %(user)s;
