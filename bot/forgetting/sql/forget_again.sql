-- What `kioku forget-again` changes in a restored database, besides what it forgets.

-- name: end_open_messages
-- Messages that wait in the backup may have been answered since.
SELECT end_open_messages();

-- name: forget_kinds
-- Ask Slack again what each conversation is: it may have changed since the backup.
UPDATE conversations
SET audience = NULL, shared = false, looked_up_at = '-infinity',
    changed_at = clock_timestamp();

-- name: forget_installation
-- `heard_at` of the backup says since when no events came. Without it nothing of that time is read from
-- Slack: it may have been answered, and forgotten. Whether the app is installed, the next start asks
-- Slack.
UPDATE installation SET heard_at = NULL, left_at = NULL;

-- name: is_erased
-- Whether the database has this erasure of the person.
SELECT id FROM forgotten
WHERE team_id = %(team)s AND user_id = %(user)s AND id = %(id)s;
