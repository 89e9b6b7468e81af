-- What shaped an answer.

-- name: texts
-- The question and the answer of a person's turn, and where they are; no row if a text is no longer
-- kept.
SELECT channel_id AS channel, ts, audience, question, reply FROM messages
WHERE id = %(turn)s AND team_id = %(team)s AND user_id = %(user)s AND question <> '' AND reply <> '';
