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
    -- Whether the model was given lines that people keep for the conversation.
    with_kept boolean NOT NULL DEFAULT false,
    -- The keys of memories, and the ids of kept lines, that the reply rests on, as the model says.
    cited text[] NOT NULL DEFAULT '{}',
    reply_ts text[] NOT NULL DEFAULT '{}',
    -- Since when a message of the reply may be in Slack that is not in `reply_ts`.
    posting_since timestamptz,
    -- The person was asked whether to forget what the message names: its words remove nothing.
    removal_proposed boolean NOT NULL DEFAULT false,
    -- The notice of what its words or its tools changed: NULL, there is none; 'due', it is to be shown;
    -- 'told', it has no message that can be changed, as an ephemeral one; else the ts of its message.
    notice text,
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

-- Messages with words from which memories are still to be formed: they have been answered, and nothing of
-- them was forgotten.
CREATE VIEW unformed_messages WITH (security_invoker = true) AS
    SELECT id, team_id, user_id, channel_id, ts, thread, audience, words, removal_proposed, begun_at,
        ended_at
    FROM messages
    WHERE formed_at IS NULL AND ended_at IS NOT NULL AND words <> ''
        AND (team_id, user_id, channel_id, ts) NOT IN (
            SELECT team_id, user_id, channel, ts FROM forgotten_messages);
GRANT SELECT ON unformed_messages TO kioku_app;

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
    -- NULL: Slack has not said what it is, or it has changed since
    audience text,
    -- with another organisation
    shared boolean NOT NULL,
    looked_up_at timestamptz NOT NULL DEFAULT now(),
    -- when it was last shared or converted; an older answer of Slack's is stale
    changed_at timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (team_id, channel_id)
);

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
    -- when they were told that there is a memory
    informed_at timestamptz,
    -- The time of the message below which they were told why it is not answered, NULL once they are
    -- answered; and that some of their words could not be read.
    told_at timestamptz,
    unread_told_at timestamptz,
    retention_days int CHECK (retention_days BETWEEN 1 AND 36500),
    locale text,
    time_zone text,
    profile_at timestamptz,
    deactivated_at timestamptz,
    PRIMARY KEY (team_id, user_id),
    FOREIGN KEY (team_id, user_id) REFERENCES people ON DELETE CASCADE
);
CREATE TRIGGER "1_make_person" AFTER INSERT ON person_settings FOR EACH ROW EXECUTE FUNCTION make_person();
CREATE INDEX person_settings_deactivated ON person_settings (deactivated_at)
    WHERE deactivated_at IS NOT NULL;

-- Where a person's memory is neither read nor written. `scope`: a conversation, or '' for everywhere.
-- `until_at`: when it ends by itself; NULL: when the person switches it on.
CREATE TABLE memory_off (
    team_id text NOT NULL,
    user_id text NOT NULL,
    scope text NOT NULL,
    until_at timestamptz,
    PRIMARY KEY (team_id, user_id, scope),
    -- As for the dates of `store`: Python cannot represent every date of PostgreSQL.
    CONSTRAINT memory_off_dates CHECK (
        until_at BETWEEN '2000-01-01 00:00:00+00' AND '2100-01-01 00:00:00+00')
);

-- The one workspace of this database, made by the first start. `heard_at`: when a process last heard
-- from Slack with the database in reach. `left_at`: when the app was uninstalled, NULL while it is
-- installed.
CREATE TABLE installation (
    team_id text PRIMARY KEY,
    bot_user_id text NOT NULL,
    heard_at timestamptz,
    left_at timestamptz
);
CREATE UNIQUE INDEX one_installation ON installation ((true));
ALTER TABLE installation ENABLE ROW LEVEL SECURITY;
-- The user that serves can say only that the app is uninstalled at this moment.
CREATE POLICY uninstalled_now ON installation USING (true)
    WITH CHECK (left_at IS NULL OR left_at = now());

-- Commands, shortcuts, clicks and submissions of the last minutes that were carried out, by Slack's id
-- of each. One that comes again is not: Slack delivers again what was not acknowledged, and whoever has
-- seen a signed request can send it again while its signature is valid, five minutes.
CREATE TABLE interactions (
    trigger_id text PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT, UPDATE, DELETE ON messages, conversations, person_settings, memory_off,
    interactions TO kioku_app;
GRANT SELECT, INSERT, UPDATE ON installation TO kioku_app;
-- Tables of which a person's transaction sees that person's rows, and nothing else does.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY '{person_settings,memory_off}'::text[] LOOP
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

GRANT SELECT ON off_now TO kioku_app;

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
                SELECT FROM person_settings AS settings
                WHERE settings.team_id = team AND settings.user_id = person
                    AND settings.deactivated_at IS NOT NULL)
            AND (NOT must_agree OR EXISTS (
                SELECT FROM person_settings AS settings
                WHERE settings.team_id = team AND settings.user_id = person
                    AND settings.agreed_at IS NOT NULL))
    $$;

-- Threads with a message that has waited for two minutes and for which there is no job: it was lost.
-- The message may still have the token of a run that died.
CREATE FUNCTION unanswered_threads(most int)
    RETURNS TABLE (thread text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        SELECT DISTINCT open.thread FROM messages AS open
        WHERE open.ended_at IS NULL AND open.message IS NOT NULL
            AND GREATEST(open.ts, open.changed_ts)::float8
                < extract(epoch FROM now() - interval '2 minutes')
            AND NOT EXISTS (SELECT FROM procrastinate_jobs AS job
                WHERE job.lock = open.thread AND job.status IN ('todo', 'doing'))
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

-- Deletes people about whom nothing is stored but what they asked for in an hour of the day before;
-- `most` rows a call. What else refers to a person depends on these tables.
CREATE FUNCTION clear_away_people(most int)
    RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        DELETE FROM people WHERE (people.team_id, people.user_id) IN (
            SELECT gone.team_id, gone.user_id FROM people AS gone
            WHERE gone.asked_from < now() - interval '1 day'
                AND NOT EXISTS (SELECT FROM messages AS said
                    WHERE said.team_id = gone.team_id AND said.user_id = gone.user_id)
                AND NOT EXISTS (SELECT FROM statements AS statement
                    WHERE statement.team_id = gone.team_id AND statement.user_id = gone.user_id)
                AND NOT EXISTS (SELECT FROM store AS memory
                    WHERE memory.team_id = gone.team_id AND memory.user_id = gone.user_id)
                AND NOT EXISTS (SELECT FROM person_settings AS settings
                    WHERE settings.team_id = gone.team_id AND settings.user_id = gone.user_id)
                AND NOT EXISTS (SELECT FROM kept AS line
                    WHERE line.team_id = gone.team_id AND line.user_id = gone.user_id)
            LIMIT most
        )
    $$;

-- Removes the texts of conversations older than `days`, `most` rows of each table a call. Whatever
-- is given, texts of the last day stay, and 5,000 rows are the most. Rows stay: a message that
-- Slack delivers again is known by them, and a thread followed. Words that formed no memory form
-- none any more; a message that still waits ends as failed.
CREATE FUNCTION end_history(days int, most int)
    RETURNS TABLE (turns bigint, unformed bigint, waiting bigint)
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
            (SELECT count(*) FROM late)
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
-- it after an outage, is known by its ids for a day, without its author and its texts; older messages
-- are deleted.
CREATE FUNCTION forget_author_of_messages() RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        UPDATE messages SET user_id = '', status = 'deleted', message = NULL,
            token = NULL, begun_at = NULL, question = '', words = '', reply = NULL,
            reply_ts = '{}', posting_since = NULL, formed_at = NULL,
            audience = NULL, on_record = true, removal_proposed = false, failures = 0,
            with_kept = false, cited = '{}', notice = NULL,
            ended_at = now() - interval '13 days'
        WHERE team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true)
            AND ts::float8 >= extract(epoch FROM now() - interval '1 day');
        DELETE FROM messages
        WHERE team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true)
    $$;

-- People with memories about which nothing was said for longer than they are kept, or with turns,
-- undone statements or kept lines that are older: the person's own choice or the installation's
-- (`of_all`; NULL: none), whichever is shorter. In random order, so that people whose rows cannot be
-- deleted leave room for others.
CREATE FUNCTION people_past_retention(of_all int, most int)
    RETURNS TABLE (team_id text, user_id text, days int)
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        WITH held AS (
            SELECT statement.team_id AS team, statement.user_id AS person,
                max(statement.said_at) AS at
            FROM counted_statements AS statement WHERE statement.withdrawn_at IS NULL
            GROUP BY statement.team_id, statement.user_id, statement.key
            UNION ALL
            SELECT statement.team_id, statement.user_id, statement.withdrawn_at
            FROM counted_statements AS statement WHERE statement.withdrawn_at IS NOT NULL
            UNION ALL
            SELECT said.team_id, said.user_id, said.begun_at FROM messages AS said
            WHERE said.ended_at IS NOT NULL
            UNION ALL
            SELECT line.team_id, line.user_id, line.kept_at FROM kept AS line
        )
        SELECT held.team, held.person, min(LEAST(settings.retention_days, of_all))
        FROM held LEFT JOIN person_settings AS settings
            ON settings.team_id = held.team AND settings.user_id = held.person
        WHERE held.at < now() - make_interval(days => LEAST(settings.retention_days, of_all))
            AND (of_all IS NOT NULL
                OR EXISTS (SELECT FROM person_settings WHERE retention_days IS NOT NULL))
        GROUP BY held.team, held.person ORDER BY random() LIMIT most
    $$;

-- People whose account has been deactivated for `days` (`is_due`), or about whom Slack has not been
-- asked for as long, because the event of a deactivation may have been missed; in random order.
CREATE FUNCTION people_to_look_up(days int, most int)
    RETURNS TABLE (team_id text, user_id text, is_due boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        SELECT settings.team_id, settings.user_id,
            COALESCE(settings.deactivated_at < before.moment, false) AS is_due
        FROM person_settings AS settings
        CROSS JOIN (SELECT now() - make_interval(days => people_to_look_up.days) AS moment) AS before
        WHERE settings.deactivated_at < before.moment OR settings.profile_at < before.moment
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

-- The thread and the author of a message, which an event without the deleted message does not name.
CREATE FUNCTION thread_and_author(team text, channel text, message_ts text)
    RETURNS TABLE (thread text, user_id text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        SELECT said.thread, said.user_id FROM messages AS said
        WHERE said.team_id = team AND said.channel_id = channel AND said.ts = message_ts
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
        UNION SELECT line.user_id FROM kept AS line
        WHERE line.team_id = team AND line.channel_id = people_of_channel.channel
    $$;

-- Whether all of these lines are still kept. Who ends one of them waits for the caller's transaction.
CREATE FUNCTION are_kept(lines uuid[]) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        SELECT count(*) = cardinality(lines)
        FROM (SELECT FROM kept WHERE kept.id = ANY (lines) FOR KEY SHARE) AS still
    $$;

-- Blanks answers that may rest on what was kept for a conversation `since` then, whoever asked.
CREATE FUNCTION blank_answers_with_kept(team text, channel text, since timestamptz) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        UPDATE messages SET reply = NULL
        WHERE team_id = team AND channel_id = channel AND with_kept AND ended_at >= since
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

-- Deletes the rows of everybody, if the app was uninstalled at least a day ago; returns how many. Jobs
-- stay: they hold ids only.
CREATE FUNCTION delete_everybody()
    RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
    DECLARE
        name text;
        deleted bigint;
        total bigint := 0;
    BEGIN
        -- A start with a token that Slack accepts waits for the end of this.
        PERFORM FROM installation WHERE left_at <= now() - interval '1 day' FOR UPDATE;
        IF NOT FOUND THEN
            RETURN 0;
        END IF;
        FOREACH name IN ARRAY ARRAY['messages', 'people', 'memory_off', 'conversations',
            'forgotten', 'store'] LOOP
            EXECUTE format('DELETE FROM %I', name);
            GET DIAGNOSTICS deleted = ROW_COUNT;
            total := total + deleted;
        END LOOP;
        RETURN total;
    END
    $$;

REVOKE ALL ON FUNCTION
    unanswered_threads, end_lost_requests, clear_away, clear_away_people, end_history, end_open_messages,
    forget_author_of_messages, followed_threads,
    operating_state, thread_and_author, people_of_channel, are_kept, blank_answers_with_kept,
    people_past_retention, people_to_look_up, delete_everybody
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    unanswered_threads, end_lost_requests, clear_away, clear_away_people, end_history, end_open_messages,
    forget_author_of_messages, followed_threads,
    operating_state, thread_and_author, people_of_channel, are_kept, blank_answers_with_kept,
    people_past_retention, people_to_look_up, delete_everybody
    TO kioku_app;
