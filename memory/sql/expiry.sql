-- What is due to be deleted.

-- name: people_with_due
-- Whose rows are due.
SELECT * FROM people_with_due(%(most)s);
