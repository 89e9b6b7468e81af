-- Memories that a person asks for, from a message of theirs.

-- name: still_says
-- Whether no edit or deletion of a message has removed these words from it.
SELECT NOT EXISTS (
    SELECT FROM messages
    WHERE team_id = %(team)s AND user_id = %(user)s AND channel_id = %(channel)s AND ts = %(ts)s
        AND changed_ts <> '' AND position(%(text)s IN words) = 0
) AS still_says;

-- name: mark_formed
UPDATE messages SET formed_at = now()
WHERE team_id = %(team)s AND user_id = %(user)s AND channel_id = %(channel)s AND ts = %(ts)s
    AND ended_at IS NOT NULL AND formed_at IS NULL;
