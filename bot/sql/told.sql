-- What people were told, and until when they are not told it again.

-- name: claim
-- Start the period of a sentence. Returns a row if it may be shown below this message, because no
-- other message's period is running.
INSERT INTO told AS known (team_id, user_id, kind, message_id, until)
VALUES (%(team)s, %(user)s, %(kind)s, %(message)s, now() + make_interval(secs => %(seconds)s))
ON CONFLICT (team_id, user_id, kind) DO UPDATE
SET message_id = excluded.message_id, until = GREATEST(known.until, excluded.until)
WHERE known.until < now() OR known.message_id = excluded.message_id
RETURNING kind;

-- name: end
-- End the period of a sentence, if `message` is given only one that was shown below it.
DELETE FROM told WHERE team_id = %(team)s AND user_id = %(user)s AND kind = %(kind)s
    AND message_id = COALESCE(%(message)s::uuid, message_id);
