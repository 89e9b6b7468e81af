-- People: their settings, whether memory is off for them now, and when they were told why a message
-- is not answered or not remembered.

-- name: state
-- A person's choices, whether memory is off for them everywhere, and what Slack says about them: one
-- row, with the defaults for somebody who has none in `person_settings`.
SELECT everywhere.scope IS NOT NULL AS switched_off, everywhere.until_at AS off_until,
    settings.agreed_at IS NOT NULL AS agreed, COALESCE(settings.notices, true) AS notices,
    COALESCE(settings.eagerness, 'balanced') AS eagerness, settings.language,
    settings.informed_at IS NOT NULL AS informed, settings.retention_days,
    settings.locale, settings.time_zone, settings.profile_at,
    settings.deactivated_at IS NOT NULL AS deactivated
FROM (SELECT) AS person
LEFT JOIN person_settings AS settings
    ON settings.team_id = %(team)s AND settings.user_id = %(user)s
LEFT JOIN off_now AS everywhere
    ON everywhere.team_id = %(team)s AND everywhere.user_id = %(user)s AND everywhere.scope = '';

-- name: off_scopes
-- The conversations in which memory is off for the person now.
SELECT scope FROM off_now
WHERE team_id = %(team)s AND user_id = %(user)s AND scope <> ''
ORDER BY scope;

-- name: message_state
-- The conversation of a message if memory is off there; and whether the message is on the record, NULL
-- if it is not stored.
SELECT
    (
        SELECT scope FROM off_now
        WHERE team_id = %(team)s AND user_id = %(user)s AND scope = %(channel)s
    ) AS off_scope,
    (
        SELECT on_record FROM messages
        WHERE team_id = %(team)s AND user_id = %(user)s
            AND channel_id = %(channel)s AND ts = %(ts)s
    ) AS on_record;

-- name: insert
-- Let a person be known, with the defaults.
INSERT INTO person_settings (team_id, user_id) VALUES (%(team)s, %(user)s) ON CONFLICT DO NOTHING;

-- name: note_profile
-- Note what Slack says about the person, and when; what it does not say (NULL) stays as it is. A person
-- without a row stays unknown.
UPDATE person_settings
SET locale = COALESCE(%(locale)s, locale),
    time_zone = COALESCE(%(zone)s, time_zone),
    profile_at = %(at)s,
    deactivated_at = CASE
        WHEN %(gone)s::boolean IS NULL THEN deactivated_at
        WHEN %(gone)s THEN COALESCE(deactivated_at, now()) END
WHERE team_id = %(team)s AND user_id = %(user)s;

-- name: claim_told
-- Whether the person may be told below this message why it is not answered: they were told nothing
-- since then, or below this message. Its time, by its ts, is when they were told.
INSERT INTO person_settings AS known (team_id, user_id, told_at)
VALUES (%(team)s, %(user)s, to_timestamp(%(ts)s::float8))
ON CONFLICT (team_id, user_id) DO UPDATE SET told_at = excluded.told_at
WHERE known.told_at IS NULL OR known.told_at = excluded.told_at
    OR known.told_at < to_timestamp(%(since)s)
RETURNING told_at;

-- name: claim_unread_told
-- The same for words that could not be read, once a day.
UPDATE person_settings SET unread_told_at = to_timestamp(%(ts)s::float8)
WHERE team_id = %(team)s AND user_id = %(user)s
    AND (unread_told_at IS NULL OR unread_told_at = to_timestamp(%(ts)s::float8)
        OR unread_told_at < to_timestamp(%(ts)s::float8) - interval '1 day')
RETURNING unread_told_at;

-- name: end_told
-- The person is answered, or the message `ts` below which they were told is deleted.
UPDATE person_settings SET told_at = NULL
WHERE team_id = %(team)s AND user_id = %(user)s
    AND told_at = COALESCE(to_timestamp(%(ts)s::float8), told_at);
