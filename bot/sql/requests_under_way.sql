-- Requests that ask a model or Slack before they store something.

-- name: begin
-- A request begins. Erasing the person deletes its row.
INSERT INTO requests_under_way (id, team_id, user_id, channel_id, ts)
VALUES (%(id)s, %(team)s, %(user)s, %(channel)s, %(ts)s);

-- name: note_message_changed
-- This waits for a transaction that has checked such a request.
UPDATE requests_under_way SET changed = true
WHERE team_id = %(team)s AND user_id = %(user)s AND channel_id = %(channel)s AND ts = %(ts)s;

-- name: check
-- This locks the row until the transaction ends.
SELECT changed FROM requests_under_way
WHERE id = %(id)s AND team_id = %(team)s AND user_id = %(user)s FOR UPDATE;
