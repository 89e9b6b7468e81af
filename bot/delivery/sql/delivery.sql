-- What a row of messages says about the messages of its reply in Slack. No statement changes
-- anything once another worker has taken the message over, because the token differs then.

-- name: intend
-- A message of the reply is about to be posted, so from now on it may be in Slack.
UPDATE messages SET posting_since = now()
WHERE id = %(id)s AND token = %(token)s
RETURNING id;

-- name: give_up_intent
-- All messages of the reply in Slack are recorded.
UPDATE messages SET posting_since = NULL
WHERE id = %(id)s AND token = %(token)s
RETURNING id;

-- name: record
-- A message of the reply is in Slack at `ts`.
UPDATE messages SET posting_since = NULL, reply_ts = array_append(reply_ts, %(ts)s)
WHERE id = %(id)s AND token = %(token)s
RETURNING id;

-- name: remove
-- A message of the reply was deleted in Slack.
UPDATE messages SET reply_ts = array_remove(reply_ts, %(ts)s)
WHERE id = %(id)s AND token = %(token)s
RETURNING id;

-- name: recorded_in_thread
-- The messages of all replies in a thread.
SELECT unnest(reply_ts) AS ts FROM messages
WHERE thread = %(thread)s;
