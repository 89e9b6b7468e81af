-- A person switches memory off and on, and chooses settings. `scope` is a conversation, or '' for
-- everywhere.

-- name: switch_off
-- Switch memory off until a time; NULL: until it is switched on.
INSERT INTO memory_off (team_id, user_id, scope, until_at)
VALUES (%(team)s, %(user)s, %(scope)s, %(until)s)
ON CONFLICT (team_id, user_id, scope) DO UPDATE SET until_at = excluded.until_at;

-- name: switch_on
-- Switch memory on in `scope`; NULL: in all scopes.
DELETE FROM memory_off
WHERE team_id = %(team)s AND user_id = %(user)s
    AND (%(scope)s::text IS NULL OR scope = %(scope)s);

-- name: take_off_record
-- Keep no text of messages that are still to be answered.
UPDATE messages SET on_record = false, question = '', words = ''
WHERE team_id = %(team)s AND user_id = %(user)s AND %(scope)s IN (channel_id, '')
    AND ended_at IS NULL;

-- name: discard_words
-- Form no memory from words that are not formed yet.
UPDATE messages SET words = '', formed_at = now()
WHERE team_id = %(team)s AND user_id = %(user)s AND %(scope)s IN (channel_id, '')
    AND ended_at IS NOT NULL AND formed_at IS NULL AND begun_at IS NOT NULL;

-- name: note_agreed
-- Record that the person agreed to memory, if they had not before.
INSERT INTO person_settings (team_id, user_id, agreed_at) VALUES (%(team)s, %(user)s, now())
ON CONFLICT (team_id, user_id)
DO UPDATE SET agreed_at = COALESCE(person_settings.agreed_at, excluded.agreed_at);

-- name: choose
-- Store what the person chose in the form of their settings.
INSERT INTO person_settings (team_id, user_id, notices, language, eagerness, retention_days)
VALUES (%(team)s, %(user)s, %(notices)s, %(language)s, %(eagerness)s, %(retention_days)s)
ON CONFLICT (team_id, user_id) DO UPDATE
SET notices = excluded.notices, language = excluded.language, eagerness = excluded.eagerness,
    retention_days = excluded.retention_days;
