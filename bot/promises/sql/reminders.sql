-- Reminders of promises, as they are posted. memory/sql/reminders.sql plans them.

-- name: people
-- The people with a reminder that is due.
SELECT team_id, user_id FROM people_to_remind(%(most)s);

-- name: conversation
-- The person's direct messages with the app, if they have written there.
SELECT channel_id FROM messages
WHERE team_id = %(team)s AND user_id = %(user)s AND audience = %(dm)s LIMIT 1;

-- name: begin_post
-- Name the message that is posted next, unless one is being posted.
UPDATE reminders SET message_id = COALESCE(message_id, %(message)s),
    posting_since = COALESCE(posting_since, now())
WHERE team_id = %(team)s AND user_id = %(user)s AND key = ANY(%(keys)s)
RETURNING message_id, posting_since;

-- name: find_begun
-- The reminders of a message that is being posted.
SELECT key FROM reminders
WHERE team_id = %(team)s AND user_id = %(user)s AND message_id = %(message)s;

-- name: take_back
-- The message is not in Slack, so another one will carry its reminders.
UPDATE reminders SET message_id = NULL, posting_since = NULL
WHERE team_id = %(team)s AND user_id = %(user)s AND message_id = %(message)s;

-- name: note_posted
-- The message was posted at `ts`; NULL if Slack refused it.
UPDATE reminders SET ts = COALESCE(%(ts)s, ts)
WHERE team_id = %(team)s AND user_id = %(user)s AND message_id = %(message)s
RETURNING key;

-- name: posted
-- The messages that last reminded of these promises.
SELECT key, ts FROM reminders
WHERE team_id = %(team)s AND user_id = %(user)s AND key = ANY(%(keys)s) AND ts IS NOT NULL;
