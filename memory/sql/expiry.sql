-- What is due to be deleted.

-- name: people_with_due
-- Whose rows are due.
SELECT * FROM people_with_due(%(most)s);

-- name: delete_proposals
-- Delete questions and refusals that have expired.
DELETE FROM proposals
WHERE team_id = %(team)s AND user_id = %(user)s AND expires_at < now();
