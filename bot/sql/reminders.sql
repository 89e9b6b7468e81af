-- Reminders of promises. promise_reminders of bot/schema.sql says when each is due.

-- name: people
-- The people with a reminder that is due and not stored.
SELECT team_id, user_id FROM people_to_remind();

-- name: add_due
-- Store the due reminders of a person.
INSERT INTO reminders (team_id, user_id, key, day, due_time)
SELECT team_id, user_id, key, day, due_time FROM promise_reminders
WHERE team_id = %(team)s AND user_id = %(user)s AND NOT is_stored
    AND at BETWEEN now() - interval '30 days' AND now()
ON CONFLICT DO NOTHING;

-- name: interrupted
-- The messages that were being posted when their job ended, and where they are.
SELECT reminders.message_id, min(reminders.posting_since) AS posting_since,
    (SELECT channel_id FROM messages
        WHERE team_id = %(team)s AND user_id = %(user)s AND audience = %(dm)s LIMIT 1) AS channel
FROM reminders
WHERE team_id = %(team)s AND user_id = %(user)s AND message_id IS NOT NULL AND ts IS NULL
GROUP BY reminders.message_id;

-- name: to_post
-- The open promises with a stored reminder that is still due then, the earliest first.
SELECT key FROM promise_reminders
WHERE team_id = %(team)s AND user_id = %(user)s AND is_stored AND ts IS NULL
GROUP BY key
ORDER BY min(at), key;

-- name: begin_post
-- Name the message that is posted next. Returns its conversation, if that is known.
WITH begun AS (
    UPDATE reminders SET message_id = %(message)s, posting_since = now()
    WHERE team_id = %(team)s AND user_id = %(user)s AND message_id IS NULL AND key = ANY(%(keys)s)
    RETURNING key
)
SELECT (SELECT count(*) FROM begun) AS reminders,
    (SELECT channel_id FROM messages
        WHERE team_id = %(team)s AND user_id = %(user)s AND audience = %(dm)s LIMIT 1) AS channel;

-- name: release
-- Delete stored reminders that are not posted now.
DELETE FROM reminders
WHERE team_id = %(team)s AND user_id = %(user)s AND message_id IS NULL AND ts IS NULL
    AND key <> ALL(%(keys)s);

-- name: find_begun
-- The reminders of a message that is being posted.
SELECT key FROM reminders
WHERE team_id = %(team)s AND user_id = %(user)s AND message_id = %(message)s AND ts IS NULL;

-- name: note_posted
-- A message was posted at `ts`, which is '-' if Slack refused it.
UPDATE reminders SET ts = %(ts)s
WHERE team_id = %(team)s AND user_id = %(user)s AND message_id = %(message)s;

-- name: take_back
-- The message is not in Slack, so another one will carry its reminders.
UPDATE reminders SET message_id = NULL, posting_since = NULL
WHERE team_id = %(team)s AND user_id = %(user)s AND message_id = %(message)s;

-- name: next
-- When the person will next be reminded of each of these promises.
SELECT key, min(at) AS at FROM promise_reminders
WHERE team_id = %(team)s AND user_id = %(user)s AND key = ANY(%(keys)s) AND NOT is_stored AND at > now()
GROUP BY key;

-- name: snooze
-- Put the reminders of a promise off to a day.
INSERT INTO snoozes (team_id, user_id, key, day) VALUES (%(team)s, %(user)s, %(key)s, %(day)s)
ON CONFLICT (team_id, user_id, key, day) DO UPDATE SET asked_at = now();
