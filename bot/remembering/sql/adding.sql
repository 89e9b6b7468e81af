-- Memories that a person asks for, from a message of theirs.

-- name: exclude_from_formation
-- Mark a message as formed, because its words are stored in another way.
UPDATE messages SET formed_at = now()
WHERE team_id = %(team)s AND user_id = %(user)s AND channel_id = %(channel)s AND ts = %(ts)s
    AND formed_at IS NULL;
