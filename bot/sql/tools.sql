-- What the model's tools check.

-- name: still_says
-- Whether a message still has these words: an edit changes them, deleting or forgetting removes
-- them.
SELECT id FROM messages WHERE id = %(id)s AND words = %(words)s;
