-- Whose rows are due to be deleted.

-- name: people_with_due
SELECT * FROM people_with_due(%(most)s);
