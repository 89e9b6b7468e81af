-- What the model's tools check.

-- name: still_says
-- Whether a message has these words: others after an edit, none after it was deleted or forgotten.
SELECT id FROM messages WHERE id = %(id)s AND words = %(words)s;
