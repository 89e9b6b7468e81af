-- Delete everything of a person: a statement for each table that holds rows of people, by its name.

-- name: feedback
DELETE FROM feedback WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: notices
DELETE FROM notices WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: unread_messages
DELETE FROM unread_messages WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: messages
-- Slack delivers an event again for some minutes, and after an outage messages of a day are read: what
-- was answered is not to be answered again. `forget_author_of_messages` keeps the ids of the others.
DELETE FROM messages
WHERE team_id = %(team)s AND user_id = %(user)s
    AND ts::float8 < extract(epoch FROM now() - interval '1 day');

-- name: told
DELETE FROM told WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: requests_under_way
DELETE FROM requests_under_way WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: reminders
DELETE FROM reminders WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: snoozes
DELETE FROM snoozes WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: kept_lines
DELETE FROM kept_lines WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: person_settings
DELETE FROM person_settings WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: memory_off
DELETE FROM memory_off WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: sent_files
DELETE FROM sent_files WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: person_requests
DELETE FROM person_requests WHERE team_id = %(team)s AND user_id = %(user)s;
