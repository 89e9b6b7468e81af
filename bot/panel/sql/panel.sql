-- What a person's panel shows of their messages.

-- name: unformed
-- How many messages of the person have words that are not formed yet, by audience.
SELECT audience, count(*) AS messages FROM unformed_messages
WHERE team_id = %(team)s AND user_id = %(user)s
GROUP BY audience;

-- name: cited
-- What an answer to the person rests on.
SELECT cited FROM messages
WHERE team_id = %(team)s AND user_id = %(user)s AND id::text = %(turn)s;
