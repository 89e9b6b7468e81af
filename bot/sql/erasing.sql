-- Delete everything about a person: a statement for each table that has rows of people, by name.

-- name: notices
DELETE FROM notices WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: messages
-- Only messages older than a day: Slack delivers an event again for some minutes, and after an
-- outage a day of messages is read, but nothing may be answered twice. `forget_author_of_messages`
-- keeps the ids of the others.
DELETE FROM messages
WHERE team_id = %(team)s AND user_id = %(user)s
    AND ts::float8 < extract(epoch FROM now() - interval '1 day');

-- name: person_settings
DELETE FROM person_settings WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: memory_off
DELETE FROM memory_off WHERE team_id = %(team)s AND user_id = %(user)s;
