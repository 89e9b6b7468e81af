-- Ratings of answers by the people who asked.

-- name: rate
-- Rate an answer that this person got; a good rating has no comment. The turn may not have ended:
-- the buttons are shown with the last words of the answer, before its end is stored.
INSERT INTO feedback AS given (turn_id, team_id, user_id, rating)
SELECT id, team_id, user_id, %(rating)s FROM messages
WHERE id = %(turn)s AND team_id = %(team)s AND user_id = %(user)s
ON CONFLICT (turn_id) DO UPDATE
SET rating = excluded.rating, changed_at = now(),
    comment = CASE excluded.rating WHEN 'bad' THEN given.comment ELSE '' END
RETURNING comment;

-- name: comment
-- Store the comment on a bad answer, which may be empty.
UPDATE feedback SET rating = 'bad', comment = %(comment)s, changed_at = now()
WHERE turn_id = %(turn)s AND team_id = %(team)s AND user_id = %(user)s
RETURNING turn_id;
