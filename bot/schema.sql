-- The tables of the Slack app, applied once, after memory/schema.sql and procrastinate's own schema.
-- A change after a release is a numbered file in bot/migrations/; this file is then left as it is.
--
-- Row-level security: a transaction sees the rows of the person in kioku.team and kioku.user,
-- and those of the thread in kioku.thread. Tables whose policy is `true` hold nothing of any person.
-- Functions that are SECURITY DEFINER run as the owner, over the rows of all people, and return
-- ids and numbers only; kioku_app alone may call them. Their search_path is the migration's.

-- One row for each message: what was said and what was answered. It is stored before Slack is
-- acknowledged, with a job that answers it. docs/explanation/one-message.md has the transitions of
-- `status`.
CREATE TABLE messages (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    team_id text NOT NULL,
    user_id text NOT NULL,
    channel_id text NOT NULL,
    ts text NOT NULL,
    thread text NOT NULL,
    audience text,
    -- As Slack sent it; NULL once it is handled, and of a request to POST /ask.
    message jsonb,
    status text NOT NULL DEFAULT 'waiting'
        CHECK (status IN ('waiting', 'answered', 'failed', 'stopped', 'skipped', 'deleted')),
    -- Whether its texts are kept, and memories may be formed from it: `on_record` said so when it was
    -- stored and when it was edited, and memory was not switched off before it was answered.
    on_record boolean NOT NULL DEFAULT true,
    -- The run of a job that answers it: each write of an answer names it. NULL: none does.
    token uuid,
    -- Attempts that ended in an error, or with their process.
    failures int NOT NULL DEFAULT 0,
    -- The ts of the newest event that edited or deleted it; '' for none.
    changed_ts text NOT NULL DEFAULT '',

    -- When its turn first began; NULL: it has none.
    begun_at timestamptz,
    question text NOT NULL DEFAULT '',
    words text NOT NULL DEFAULT '',
    reply text,
    reply_ts text[] NOT NULL DEFAULT '{}',
    -- Since when a message of the reply may be in Slack that is not in `reply_ts`.
    posting_since timestamptz,
    -- The keys of the memories in the prompt, for *Memories Used*.
    recalled text[] NOT NULL DEFAULT '{}',
    -- The person was asked whether to forget what the message names: its words remove nothing.
    removal_proposed boolean NOT NULL DEFAULT false,
    -- NULL: it is still to be answered. One that is 'stopped' then is still to be told so.
    ended_at timestamptz,
    formed_at timestamptz,
    UNIQUE (team_id, channel_id, ts)
);
CREATE INDEX messages_open ON messages (thread, ts) WHERE ended_at IS NULL;
CREATE INDEX messages_open_of_person ON messages (team_id, user_id) WHERE ended_at IS NULL;
CREATE INDEX messages_person ON messages (team_id, user_id, ts);
CREATE INDEX messages_thread ON messages (thread, ts);
CREATE INDEX messages_begun ON messages (team_id, begun_at) WHERE begun_at IS NOT NULL;
CREATE INDEX messages_texts ON messages (begun_at)
    WHERE question <> '' OR words <> '' OR reply IS NOT NULL;
CREATE INDEX messages_without_turn ON messages (ended_at)
    WHERE begun_at IS NULL AND ended_at IS NOT NULL;
CREATE INDEX messages_unformed ON messages (team_id, user_id, audience)
    WHERE formed_at IS NULL AND words <> '';
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_messages ON messages USING (
    team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true)
    OR thread = current_setting('kioku.thread', true)
);

-- Whether a person's message in a thread is for the app although it does not mention it: its author
-- asked the app there before, and the app was asked or answered there after `since`.
CREATE FUNCTION is_followed(in_thread text, author text, message_ts text, since text)
    RETURNS boolean
    LANGUAGE sql STABLE SET search_path FROM CURRENT
    AS $$
        SELECT COALESCE(bool_or(said.user_id = author) AND max(said.last) >= since, false)
        FROM (
            SELECT user_id, GREATEST(ts, (SELECT max(one) FROM unnest(reply_ts) AS one)) AS last
            FROM messages
            WHERE thread = in_thread AND ts < message_ts
                AND (status <> 'deleted' OR begun_at IS NOT NULL)
        ) AS said
    $$;

-- What Slack said a conversation is; asked again after a change.
CREATE TABLE conversations (
    team_id text NOT NULL,
    channel_id text NOT NULL,
    audience text NOT NULL,
    shared boolean NOT NULL,
    looked_up_at timestamptz NOT NULL DEFAULT now(),
    -- when it was last shared, archived or converted; an older answer of Slack's is stale
    changed_at timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (team_id, channel_id)
);

-- A person's rating of a reply; deleted with the turn.
CREATE TABLE feedback (
    turn_id uuid PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    team_id text NOT NULL,
    user_id text NOT NULL,
    rating text NOT NULL CHECK (rating IN ('good', 'bad')),
    comment text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX feedback_comments ON feedback (changed_at) WHERE comment <> '';
CREATE INDEX feedback_person ON feedback (team_id, user_id);

-- That a formation or a tool changed something, to be shown below the reply.
CREATE TABLE change_notices (
    turn_id uuid PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    team_id text NOT NULL,
    user_id text NOT NULL,
    shown_at timestamptz,
    -- Of its message in a direct message: what one person alone sees cannot be changed.
    ts text
);
CREATE INDEX change_notices_person ON change_notices (team_id, user_id);

-- What a person was told under which message, and until when it is not told again. The kind of a
-- reminder of a promise names its key, for the day and time it is due, and 1 or 2: the row is written
-- before it is posted, and has its ts afterwards, '-' where Slack refused it.
CREATE TABLE notices (
    team_id text NOT NULL,
    user_id text NOT NULL,
    kind text NOT NULL,
    message_id text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (team_id, user_id, kind)
);
ALTER TABLE notices ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_notices ON notices USING (
    team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true)
    OR expires_at < now()
) WITH CHECK (team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true));

-- What a person decided about their memory, and what Slack says about them.
CREATE TABLE person_settings (
    team_id text NOT NULL,
    user_id text NOT NULL,
    notices boolean NOT NULL DEFAULT true,
    -- how much is remembered without being asked
    eagerness text NOT NULL DEFAULT 'balanced'
        CHECK (eagerness IN ('asked', 'balanced', 'lot')),
    -- NULL: the language of their Slack
    language text CHECK (language IN ('en', 'ja')),
    -- when they agreed to memory, which KIOKU_CONSENT=ask needs
    agreed_at timestamptz,
    told_at timestamptz,
    retention_days int CHECK (retention_days BETWEEN 1 AND 36500),
    locale text,
    time_zone text,
    profile_at timestamptz,
    deactivated_at timestamptz,
    PRIMARY KEY (team_id, user_id)
);
CREATE INDEX person_settings_deactivated ON person_settings (deactivated_at)
    WHERE deactivated_at IS NOT NULL;

-- Where a person's memory is neither read nor written. `scope`: a conversation, '' for everywhere.
-- `until_at`: when it ends by itself; NULL: when the person switches it on.
CREATE TABLE memory_off (
    team_id text NOT NULL,
    user_id text NOT NULL,
    scope text NOT NULL,
    until_at timestamptz,
    PRIMARY KEY (team_id, user_id, scope),
    -- As of `store`: Python cannot represent every date of PostgreSQL.
    CONSTRAINT memory_off_dates CHECK (
        until_at BETWEEN '2000-01-01 00:00:00+00' AND '2100-01-01 00:00:00+00')
);

-- When a person asked something that counts and is no message: 'model' requests (an addition, an edit
-- of an answered message, POST /ask), and 'colleague' for questions about colleagues.
CREATE TABLE person_requests (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    team_id text NOT NULL,
    user_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('model', 'colleague')),
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX person_requests_person ON person_requests (team_id, user_id, at);
CREATE INDEX person_requests_at ON person_requests (at);
ALTER TABLE person_requests ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_person_requests ON person_requests USING (
    team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true)
    OR at < now() - interval '1 day'
) WITH CHECK (team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true));

-- Files with a person's data that the app sent; deleted in Slack when the person is erased.
CREATE TABLE sent_files (
    team_id text NOT NULL,
    user_id text NOT NULL,
    file_id text NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, user_id, file_id)
);

-- A workspace with the app, or without it since `left_at`. Its rows are deleted at `purge_at`, where
-- it removed the app. `tokens` of an installation by OAuth are encrypted with KIOKU_SECRET_KEY.
CREATE TABLE workspaces (
    team_id text PRIMARY KEY,
    bot_user_id text,
    installed_at timestamptz,
    tokens text,
    left_at timestamptz,
    purge_at timestamptz
);
ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY;
-- The user that serves cannot have a workspace deleted sooner than in an hour.
CREATE POLICY everybodys_workspaces ON workspaces USING (true)
    WITH CHECK (purge_at IS NULL OR purge_at >= now() + interval '1 hour');

-- Commands, shortcuts, clicks and submissions of the last minutes that were carried out, by Slack's id
-- of each. One that comes again is not: Slack delivers again what was not acknowledged, and whoever has
-- seen a signed request can send it again while its signature is valid, five minutes.
CREATE TABLE interactions (
    trigger_id text PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now()
);

-- When a process last heard from Slack with the database in reach.
CREATE TABLE listening (
    team_id text PRIMARY KEY,
    heard_at timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON messages, conversations, feedback, change_notices, notices,
    person_settings, memory_off, person_requests, sent_files, workspaces, interactions, listening
    TO kioku_app;
-- Tables of which a person's transaction sees that person's rows, and nothing else does.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY '{feedback,change_notices,person_settings,memory_off,sent_files}'::text[] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (team_id = %s AND user_id = %s)', name,
            'current_setting(''kioku.team'', true)', 'current_setting(''kioku.user'', true)');
    END LOOP;
END
$$;

-- The switches that are off now.
CREATE VIEW off_now WITH (security_invoker = true) AS
SELECT team_id, user_id, scope, until_at FROM memory_off
WHERE until_at IS NULL OR until_at > now();

-- People's choices, whether memory is off for them everywhere, and what Slack says about them.
CREATE VIEW person_states WITH (security_invoker = true) AS
SELECT settings.team_id, settings.user_id, everywhere.scope IS NOT NULL AS switched_off,
    everywhere.until_at AS off_until, settings.agreed_at IS NOT NULL AS agreed, settings.notices,
    settings.eagerness, settings.language, settings.told_at IS NOT NULL AS informed,
    settings.retention_days, settings.locale, settings.time_zone, settings.profile_at,
    settings.deactivated_at IS NOT NULL AS deactivated
FROM person_settings AS settings
LEFT JOIN off_now AS everywhere ON everywhere.team_id = settings.team_id
    AND everywhere.user_id = settings.user_id AND everywhere.scope = '';

GRANT SELECT ON off_now, person_states TO kioku_app;

-- Whether what a person writes in a conversation is on the record: memory is on there now, and they
-- agreed to it where they must. False in a transaction that is not this person's, which cannot know.
CREATE FUNCTION on_record(team text, person text, channel text, must_agree boolean)
    RETURNS boolean
    LANGUAGE sql STABLE SET search_path FROM CURRENT
    AS $$
        SELECT COALESCE(
                team = current_setting('kioku.team', true)
                AND person = current_setting('kioku.user', true), false)
            AND NOT EXISTS (
                SELECT FROM off_now
                WHERE off_now.team_id = team AND off_now.user_id = person
                    AND off_now.scope IN ('', channel))
            AND NOT EXISTS (
                SELECT FROM person_states AS state
                WHERE state.team_id = team AND state.user_id = person AND state.deactivated)
            AND (NOT must_agree OR EXISTS (
                SELECT FROM person_states AS state
                WHERE state.team_id = team AND state.user_id = person AND state.agreed))
    $$;

-- When a person who may ask a model `most` times an hour may ask again, at a `moment` in Slack's time
-- (seconds as text): an hour after the request that is `most` requests back. NULL: now. A message counts
-- by its time, unless it was skipped; POST /ask counts as a request, and its rows in `messages` do not.
CREATE FUNCTION may_ask_again_at(team text, person text, moment text, most int)
    RETURNS timestamptz
    LANGUAGE sql STABLE SET search_path FROM CURRENT
    AS $$
        SELECT asked.at + interval '1 hour' FROM (
            SELECT to_timestamp(said.ts::float8) AS at FROM messages AS said
            WHERE said.team_id = team AND said.user_id = person AND team <> 'API'
                AND said.ts > (moment::numeric - 3600)::text AND said.ts < moment
                AND said.status <> 'skipped'
            UNION ALL
            SELECT request.at FROM person_requests AS request
            WHERE request.team_id = team AND request.user_id = person AND request.kind = 'model'
                AND request.at > to_timestamp(moment::float8) - interval '1 hour'
                AND request.at < to_timestamp(moment::float8)
        ) AS asked
        ORDER BY asked.at DESC OFFSET most - 1 LIMIT 1
    $$;

CREATE INDEX store_open_promises ON store ((value->'content'->>'due'))
    WHERE value->>'kind' = 'Promise' AND value->'content'->>'state' = 'open';

-- Open promises of the last thirty days, of today and, for zones ahead of UTC, of tomorrow, of which
-- a person whose memory is on has not been reminded twice.
CREATE FUNCTION promises_to_remind_of(most int)
    RETURNS TABLE (team_id text, user_id text, key text, due text, said_at timestamptz,
        time_zone text, posted int, last_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        SELECT promise.team, promise.person, promise.key, promise.due, promise.said_at,
            settings.time_zone, earlier.posted, earlier.last_at
        FROM (SELECT store.team_id AS team, store.user_id AS person, store.key,
                concat_ws(' ', value->'content'->>'due', value->'content'->>'due_time') AS due,
                COALESCE((SELECT max(statement.said_at) FROM statements AS statement
                    WHERE statement.team_id = store.team_id AND statement.user_id = store.user_id
                        AND statement.key = store.key AND statement.act = 'say'
                        AND statement.audience <> 'colleagues' AND statement.withdrawn_at IS NULL
                        AND statement.forgotten_id IS NULL), store.updated_at) AS said_at
            FROM store WHERE value->>'kind' = 'Promise' AND value->'content'->>'state' = 'open'
                AND split_part(prefix, '.', 4) = 'dm'
                AND value->'content'->>'due' BETWEEN to_char(now() - interval '30 days', 'YYYY-MM-DD')
                    AND to_char(now() + interval '14 hours', 'YYYY-MM-DD')
            ORDER BY value->'content'->>'due' DESC LIMIT most) AS promise
        LEFT JOIN person_settings AS settings
            ON settings.team_id = promise.team AND settings.user_id = promise.person
        CROSS JOIN LATERAL (SELECT count(*)::int AS posted,
                max(one.expires_at) - interval '60 days' AS last_at
            FROM notices AS one WHERE one.team_id = promise.team AND one.user_id = promise.person
                AND one.message_id <> '' AND one.kind IN (
                    concat_ws(' ', 'reminder', promise.key, promise.due, 1),
                    concat_ws(' ', 'reminder', promise.key, promise.due, 2))) AS earlier
        WHERE earlier.posted < 2 AND settings.deactivated_at IS NULL
            AND NOT EXISTS (SELECT FROM workspaces AS here
                WHERE here.team_id = promise.team AND here.left_at IS NOT NULL)
            AND NOT EXISTS (SELECT FROM off_now AS off WHERE off.team_id = promise.team
                AND off.user_id = promise.person AND off.scope = '')
    $$;

-- Threads with a message that has waited for two minutes and is not being answered: their job was lost.
CREATE FUNCTION unanswered_threads(most int)
    RETURNS TABLE (thread text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        SELECT DISTINCT open.thread FROM messages AS open
        WHERE open.ended_at IS NULL AND open.token IS NULL AND open.message IS NOT NULL
            AND GREATEST(open.ts, open.changed_ts)::float8
                < extract(epoch FROM now() - interval '2 minutes')
        LIMIT most
    $$;

-- Ends requests to POST /ask whose process died.
CREATE FUNCTION end_lost_requests() RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        UPDATE messages AS lost SET status = 'failed', ended_at = now(),
            formed_at = CASE WHEN lost.words = '' THEN now() END
        WHERE lost.ended_at IS NULL AND lost.message IS NULL AND lost.status = 'waiting'
            AND lost.ts::float8 < extract(epoch FROM now() - interval '10 minutes')
    $$;

-- Deletes messages without a turn: skipped ones after two days, failed and deleted ones after two
-- weeks; `most` rows a call. Returns how many.
CREATE FUNCTION clear_away(most int)
    RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        WITH cleared AS (
            DELETE FROM messages WHERE messages.id IN (
                SELECT old.id FROM messages AS old
                WHERE old.begun_at IS NULL AND old.ended_at < now()
                    - CASE old.status WHEN 'skipped' THEN interval '2 days'
                      ELSE interval '14 days' END
                ORDER BY old.ended_at LIMIT most
            ) RETURNING 1
        )
        SELECT count(*) FROM cleared
    $$;

-- Removes the texts of conversations older than `days`, `most` rows of each table a call. Whatever
-- is given, texts of the last day stay, and 5,000 rows are the most. Rows stay: a message that
-- Slack delivers again is known by them, and a thread followed. Words that formed no memory form
-- none any more; a message that still waits ends as failed.
CREATE FUNCTION end_history(days int, most int)
    RETURNS TABLE (turns bigint, unformed bigint, comments bigint, waiting bigint)
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        WITH allowed AS (
            SELECT now() - make_interval(days => GREATEST(end_history.days, 1)) AS before,
                LEAST(end_history.most, 5000) AS most
        ), old AS MATERIALIZED (
            SELECT kept.id, kept.words <> '' AND kept.formed_at IS NULL AS unformed
            FROM messages AS kept
            WHERE kept.begun_at < (SELECT before FROM allowed)
                AND kept.ended_at IS NOT NULL
                AND (kept.question <> '' OR kept.words <> '' OR kept.reply IS NOT NULL)
            ORDER BY kept.begun_at LIMIT (SELECT allowed.most FROM allowed)
            FOR UPDATE SKIP LOCKED
        ), blanked AS (
            UPDATE messages SET question = '', words = '', reply = NULL,
                formed_at = COALESCE(messages.formed_at, now())
            FROM old WHERE messages.id = old.id
        ), said AS (
            UPDATE feedback SET comment = '' WHERE feedback.turn_id IN (
                SELECT rated.turn_id FROM feedback AS rated WHERE rated.comment <> ''
                    AND rated.changed_at < (SELECT before FROM allowed)
                ORDER BY rated.changed_at LIMIT (SELECT allowed.most FROM allowed)
                FOR UPDATE SKIP LOCKED
            ) RETURNING 1
        ), late AS (
            UPDATE messages SET status = 'failed', message = NULL, token = NULL, question = '',
                words = '', reply = NULL, ended_at = now(), formed_at = now()
            WHERE messages.id IN (
                SELECT asked.id FROM messages AS asked
                WHERE asked.ended_at IS NULL AND GREATEST(asked.ts, asked.changed_ts)::float8
                    < (SELECT extract(epoch FROM before) FROM allowed)
                ORDER BY asked.ts LIMIT (SELECT allowed.most FROM allowed)
                FOR UPDATE SKIP LOCKED
            ) RETURNING 1
        )
        SELECT (SELECT count(*) FROM old), (SELECT count(*) FROM old WHERE old.unformed),
            (SELECT count(*) FROM said), (SELECT count(*) FROM late)
    $$;

-- Ends what is still to be answered, without its texts: for a database that was restored, whose
-- messages may have been answered after the backup. Returns how many.
CREATE FUNCTION end_open_messages() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        WITH ended AS (
            UPDATE messages SET status = 'skipped', message = NULL, token = NULL,
                question = '', words = '', ended_at = now(), formed_at = now()
            WHERE ended_at IS NULL RETURNING 1
        )
        SELECT count(*) FROM ended
    $$;

-- For the person of this transaction, who is erased: what Slack may deliver again, or is read from
-- it after an outage, is known by its ids for a day, without its author and its texts. Returns how
-- many.
CREATE FUNCTION forget_author_of_messages() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        WITH kept AS (UPDATE messages SET user_id = '', status = 'deleted', message = NULL,
            token = NULL, begun_at = NULL, question = '', words = '', reply = NULL,
            reply_ts = '{}', posting_since = NULL, recalled = '{}', formed_at = NULL,
            audience = NULL, on_record = true, removal_proposed = false, failures = 0,
            ended_at = now() - interval '13 days'
        WHERE team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true)
        RETURNING 1) SELECT count(*) FROM kept
    $$;

-- People with memories about which nothing was said for longer than they are kept, or with turns or
-- undone statements that are older: the person's own choice or the installation's (`of_all`; NULL: none), whichever is shorter. In random order, so that
-- people whose rows cannot be deleted leave room for others.
CREATE FUNCTION people_past_retention(of_all int, most int)
    RETURNS TABLE (team_id text, user_id text, days int)
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        WITH kept AS (
            SELECT statement.team_id AS team, statement.user_id AS person,
                max(statement.said_at) AS at
            FROM statements AS statement WHERE statement.withdrawn_at IS NULL
            GROUP BY statement.team_id, statement.user_id, statement.key
            UNION ALL
            SELECT statement.team_id, statement.user_id, statement.withdrawn_at
            FROM statements AS statement WHERE statement.withdrawn_at IS NOT NULL
            UNION ALL
            SELECT said.team_id, said.user_id, said.begun_at FROM messages AS said
            WHERE said.ended_at IS NOT NULL
        )
        SELECT kept.team, kept.person, min(LEAST(settings.retention_days, of_all))
        FROM kept LEFT JOIN person_settings AS settings
            ON settings.team_id = kept.team AND settings.user_id = kept.person
        WHERE kept.at < now() - make_interval(days => LEAST(settings.retention_days, of_all))
            AND (of_all IS NOT NULL
                OR EXISTS (SELECT FROM person_settings WHERE retention_days IS NOT NULL))
        GROUP BY kept.team, kept.person ORDER BY random() LIMIT most
    $$;

-- People whose account has been deactivated for `days`, in random order.
CREATE FUNCTION people_deactivated_for(days int, most int)
    RETURNS TABLE (team_id text, user_id text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        SELECT settings.team_id, settings.user_id FROM person_settings AS settings
        WHERE settings.deactivated_at < now() - make_interval(days => people_deactivated_for.days)
        ORDER BY random() LIMIT most
    $$;

-- Threads the app took part in, newest first.
CREATE FUNCTION followed_threads(of_team text, since timestamptz, most int)
    RETURNS TABLE (thread text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        SELECT said.thread FROM messages AS said
        WHERE said.team_id = of_team AND said.begun_at > since
        GROUP BY said.thread ORDER BY max(said.begun_at) DESC LIMIT most
    $$;

-- The thread of a message, which an event without the deleted message does not name.
CREATE FUNCTION thread_of_message(team text, channel text, message_ts text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        SELECT thread FROM messages
        WHERE team_id = team AND channel_id = channel AND ts = message_ts
    $$;

-- Slack sends an event of a shared channel once, however many organisations have the app. The
-- workspaces it is for, of those that have the app: their bot is mentioned, or they have rows of the
-- message or its thread.
CREATE FUNCTION workspaces_with_message(
    channel text, message_ts text, root_ts text, author text, mentioned text[]
)
    RETURNS TABLE (team_id text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        WITH served AS (SELECT * FROM workspaces WHERE left_at IS NULL)
        SELECT here.team_id FROM served AS here WHERE here.bot_user_id = ANY (mentioned)
        UNION SELECT here.team_id FROM served AS here JOIN messages AS said
            ON said.team_id = here.team_id AND said.channel_id = channel
            AND said.ts IN (message_ts, root_ts)
        UNION SELECT here.team_id FROM served AS here JOIN messages AS said
            ON said.thread = here.team_id || '.' || channel || '.' || root_ts
            AND (said.begun_at IS NOT NULL OR said.ended_at IS NULL)
        UNION SELECT here.team_id FROM served AS here JOIN statements AS statement
            ON statement.team_id = here.team_id
            AND statement.channel = workspaces_with_message.channel
            AND statement.ts = message_ts
            AND (statement.user_id = author OR starts_with(statement.user_id, author || '-'))
    $$;

-- The people of whom something names a conversation.
CREATE FUNCTION people_of_channel(team text, channel text)
    RETURNS TABLE (user_id text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        SELECT said.user_id FROM messages AS said
        WHERE said.team_id = team AND said.channel_id = channel AND said.user_id <> ''
        UNION SELECT statement.user_id FROM statements AS statement
        WHERE statement.team_id = team
            AND (statement.audience = people_of_channel.channel
                OR statement.channel = people_of_channel.channel)
        UNION SELECT off.user_id FROM memory_off AS off
        WHERE off.team_id = team AND off.scope = channel
    $$;

-- How many messages wait, and how old the oldest of them is.
CREATE FUNCTION operating_state()
    RETURNS TABLE (messages_waiting bigint, oldest_message_seconds float)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        SELECT count(*),
            GREATEST(COALESCE(extract(epoch FROM now()) - min(GREATEST(open.ts, open.changed_ts)::float8),
                0), 0)::float
        FROM messages AS open WHERE open.ended_at IS NULL
    $$;

-- Deletes the rows of a workspace that removed the app, once its time has come. Its jobs hold ids only,
-- and end without work, since it is not served.
CREATE FUNCTION purge_workspace(team text)
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM workspaces AS w WHERE w.team_id = team AND w.purge_at <= now()) THEN
            RETURN;
        END IF;
        DELETE FROM messages WHERE team_id = team;
        DELETE FROM notices WHERE team_id = team;
        DELETE FROM person_settings WHERE team_id = team;
        DELETE FROM person_requests WHERE team_id = team;
        DELETE FROM memory_off WHERE team_id = team;
        DELETE FROM sent_files WHERE team_id = team;
        DELETE FROM conversations WHERE team_id = team;
        DELETE FROM listening WHERE team_id = team;
        PERFORM purge_workspace_memories(team);
    END
    $$;

REVOKE ALL ON FUNCTION
    unanswered_threads, end_lost_requests, clear_away, end_history, end_open_messages,
    forget_author_of_messages, followed_threads,
    operating_state, workspaces_with_message, thread_of_message, promises_to_remind_of,
    people_of_channel,
    people_past_retention, people_deactivated_for, purge_workspace
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    unanswered_threads, end_lost_requests, clear_away, end_history, end_open_messages,
    forget_author_of_messages, followed_threads,
    operating_state, workspaces_with_message, thread_of_message, promises_to_remind_of,
    people_of_channel,
    people_past_retention, people_deactivated_for, purge_workspace
    TO kioku_app;
