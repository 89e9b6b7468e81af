-- The tables of the Slack app, applied once, after memory/schema.sql and procrastinate's own schema.
-- A change after a release is a numbered file in bot/migrations/; this file is then left as it is.
--
-- Row-level security: a transaction sees the rows of the person in kioku.team and kioku.user,
-- and those of the thread in kioku.thread. Tables whose policy is `true` hold nothing of any person.
-- Functions that are SECURITY DEFINER run as the owner, over the rows of all people, and return
-- ids and numbers only; kioku_app alone may call them. Their search_path is the migration's.

-- kioku_queue may use the queue's tables, as kioku_app may: the login inherits it, because
-- procrastinate sets no role.
GRANT SELECT, INSERT, UPDATE, DELETE ON procrastinate_jobs, procrastinate_events,
    procrastinate_periodic_defers, procrastinate_workers TO kioku_queue, kioku_app;
GRANT USAGE, SELECT ON SEQUENCE procrastinate_jobs_id_seq, procrastinate_events_id_seq,
    procrastinate_periodic_defers_id_seq, procrastinate_workers_id_seq TO kioku_queue, kioku_app;

-- A job waits for others of its lock; without the index each fetch reads all waiting jobs.
CREATE INDEX procrastinate_jobs_lock ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing');
-- The table is empty most of the time and full within minutes after an outage.
ALTER TABLE procrastinate_jobs SET (
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 500,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500
);
-- A job that is to run later is announced when it is due, by `beat`, and not when it is stored.
DROP TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 ON procrastinate_jobs;
CREATE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1
    AFTER INSERT ON procrastinate_jobs
    FOR EACH ROW WHEN (new.status = 'todo' AND new.scheduled_at IS NULL)
    EXECUTE FUNCTION procrastinate_notify_queue_job_inserted_v1();

-- One row for each message, from its event, stored before Slack is acknowledged, to its answer.
-- docs/explanation/one-message.md has the transitions of `status`.
CREATE TABLE messages (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    team_id text NOT NULL,
    -- NULL: a request to POST /ask
    event_id text,
    user_id text NOT NULL,
    channel_id text NOT NULL,
    ts text NOT NULL,
    thread text NOT NULL,
    audience text,
    -- as Slack sent it; NULL once it is handled
    message jsonb,
    status text NOT NULL DEFAULT 'waiting' CHECK (status IN
        ('waiting', 'answering', 'answered', 'failed', 'stopped', 'skipped', 'gone')),
    received_at timestamptz NOT NULL DEFAULT now(),

    -- Of the attempts, `failures` ended in an error; in `crashes` the process died.
    attempts int NOT NULL DEFAULT 0,
    failures int NOT NULL DEFAULT 0,
    crashes int NOT NULL DEFAULT 0,
    -- the process that answers it, a row of procrastinate_workers; NULL: none does
    worker bigint,
    -- no process begins it earlier
    due_at timestamptz NOT NULL DEFAULT now(),

    interrupted boolean NOT NULL DEFAULT false,
    -- counts the edits of its text
    revision int NOT NULL DEFAULT 0,
    -- when it was last edited
    edited_at timestamptz,
    -- the ts of the newest event that edited or deleted it; '' for none
    changed_ts text NOT NULL DEFAULT '',

    -- When its turn first began; NULL: it has none.
    begun_at timestamptz,
    question text NOT NULL DEFAULT '',
    words text NOT NULL DEFAULT '',
    reply text,
    reply_ts text[] NOT NULL DEFAULT '{}',
    -- Since when a message of the reply may be in Slack that is not in `reply_ts`.
    posting_since timestamptz,
    -- keys of the memories in the prompt, for *Memories Used*
    recalled text[] NOT NULL DEFAULT '{}',
    -- The person was asked whether to forget what the message names: its words remove
    -- nothing.
    removal_proposed boolean NOT NULL DEFAULT false,
    -- NULL where no model answered
    model text,
    -- NULL for one that is gone: the unfinished answer is still to be deleted.
    ended_at timestamptz,
    formed_at timestamptz,
    UNIQUE (team_id, channel_id, ts),
    UNIQUE (team_id, event_id)
);
-- One message of a thread is answered at a time.
CREATE UNIQUE INDEX messages_answered ON messages (thread)
    WHERE worker IS NOT NULL AND status IN ('waiting', 'answering');
CREATE INDEX messages_begun ON messages (team_id, begun_at) WHERE begun_at IS NOT NULL;
CREATE INDEX messages_deleted ON messages (thread) WHERE status = 'gone' AND ended_at IS NULL;
-- Those that wait, and unfinished answers to deleted ones; a request to POST /ask has no `message`.
CREATE INDEX messages_due ON messages (due_at) WHERE worker IS NULL AND (message IS NOT NULL
    AND status IN ('waiting', 'answering') OR status = 'gone' AND ended_at IS NULL);
CREATE INDEX messages_failed ON messages (id) WHERE status = 'failed';
CREATE INDEX messages_open ON messages (thread, ts) WHERE status IN ('waiting', 'answering');
CREATE INDEX messages_open_of_person ON messages (team_id, user_id)
    WHERE status IN ('waiting', 'answering');
CREATE INDEX messages_person ON messages (team_id, user_id, ts);
CREATE INDEX messages_received ON messages (team_id, user_id, received_at);
CREATE INDEX messages_texts ON messages (begun_at)
    WHERE question <> '' OR words <> '' OR reply IS NOT NULL;
CREATE INDEX messages_thread ON messages (thread, ts);
CREATE INDEX messages_unanswered ON messages (ended_at)
    WHERE begun_at IS NULL AND ended_at IS NOT NULL;
CREATE INDEX messages_unformed ON messages (team_id, user_id, audience)
    WHERE formed_at IS NULL AND words <> '';
CREATE INDEX messages_worker ON messages (worker, thread) WHERE worker IS NOT NULL;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_messages ON messages USING (
    team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true)
    OR thread = current_setting('kioku.thread', true)
);

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
CREATE TABLE notices (
    turn_id uuid PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    team_id text NOT NULL,
    user_id text NOT NULL,
    shown_at timestamptz,
    -- Of its message in a direct message: what one person alone sees cannot be changed.
    ts text
);
CREATE INDEX notices_person ON notices (team_id, user_id);

-- A message with words that the memory model could not read.
CREATE TABLE unread_messages (
    turn_id uuid PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    team_id text NOT NULL,
    user_id text NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX unread_messages_person ON unread_messages (team_id, user_id, found_at);

-- What a person was told, below which message, and until when they are not told it again.
CREATE TABLE told (
    team_id text NOT NULL,
    user_id text NOT NULL,
    kind text NOT NULL,
    message_id uuid NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (team_id, user_id, kind)
);
ALTER TABLE told ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_told ON told USING (
    team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true)
    OR until < now()
) WITH CHECK (team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true));

-- Requests of people that ask a model or Slack before they store something. A request about a message
-- names its conversation and ts, and says whether that message has changed since.
CREATE TABLE requests_under_way (
    id uuid PRIMARY KEY,
    team_id text NOT NULL,
    user_id text NOT NULL,
    channel_id text NOT NULL,
    ts text NOT NULL,
    changed boolean NOT NULL DEFAULT false,
    begun_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX requests_under_way_person ON requests_under_way (team_id, user_id);
ALTER TABLE requests_under_way ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_requests_under_way ON requests_under_way USING (
    team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true)
    OR begun_at < now() - interval '1 hour'
) WITH CHECK (team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true));

-- Each time that a person is reminded of a promise: in the morning of a day (`due_time` is ''), or before
-- the time that the promise names. A row is stored with the job that posts it; those that are due at
-- the same time share a message. `message_id`: of the message's metadata, stored before it is posted.
-- `ts`: of the posted message, '-' where Slack refused it.
CREATE TABLE reminders (
    team_id text NOT NULL,
    user_id text NOT NULL,
    key text NOT NULL,
    day date NOT NULL,
    due_time text NOT NULL,
    message_id uuid,
    posting_since timestamptz,
    ts text,
    PRIMARY KEY (team_id, user_id, key, day, due_time)
);
CREATE INDEX reminders_day ON reminders USING brin (day);
ALTER TABLE reminders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_reminders ON reminders USING (
    team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true)
    OR day < current_date - 60
) WITH CHECK (team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true));

-- The day to which a person has put off the reminders of a promise. The newest row of a promise counts,
-- until something is said about the promise later.
CREATE TABLE snoozes (
    team_id text NOT NULL,
    user_id text NOT NULL,
    key text NOT NULL,
    day date NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, user_id, key, day)
);
CREATE INDEX snoozes_day ON snoozes USING brin (day);
ALTER TABLE snoozes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_snoozes ON snoozes USING (
    team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true)
    OR day < current_date - 60
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

-- When a person's memory is neither read nor written: what was written or edited within is never
-- remembered. `scope`: a conversation, '' for everywhere. `until_at`: NULL until it is switched on.
CREATE TABLE memory_off (
    team_id text NOT NULL,
    user_id text NOT NULL,
    scope text NOT NULL,
    from_at timestamptz NOT NULL,
    until_at timestamptz,
    PRIMARY KEY (team_id, user_id, scope, from_at),
    -- As of `store`: Python cannot represent every date of PostgreSQL.
    CONSTRAINT memory_off_dates CHECK (
        from_at BETWEEN '2000-01-01 00:00:00+00' AND '2100-01-01 00:00:00+00'
        AND until_at BETWEEN '2000-01-01 00:00:00+00' AND '2100-01-01 00:00:00+00' IS NOT FALSE)
);

-- Requests of a person in an hour that call a model and are no message: an addition, POST /ask; and
-- their questions about colleagues.
CREATE TABLE person_requests (
    team_id text NOT NULL,
    user_id text NOT NULL,
    hour timestamptz NOT NULL,
    requests int NOT NULL DEFAULT 0,
    colleague_questions int NOT NULL DEFAULT 0,
    PRIMARY KEY (team_id, user_id, hour)
);
CREATE INDEX person_requests_hour ON person_requests (hour);
ALTER TABLE person_requests ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_person_requests ON person_requests USING (
    team_id = current_setting('kioku.team', true) AND user_id = current_setting('kioku.user', true)
    OR hour < now() - interval '30 days'
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

GRANT SELECT, INSERT, UPDATE, DELETE ON messages, conversations, feedback, notices, unread_messages, told,
    requests_under_way, reminders, snoozes, person_settings, memory_off, person_requests, sent_files,
    workspaces, interactions, listening TO kioku_app;
-- Tables of which a person's transaction sees that person's rows, and nothing else does.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY '{feedback,notices,unread_messages,person_settings,memory_off,
        sent_files}'::text[] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (team_id = %s AND user_id = %s)', name,
            'current_setting(''kioku.team'', true)', 'current_setting(''kioku.user'', true)');
    END LOOP;
END
$$;

CREATE INDEX store_open_promises ON store ((value->'content'->>'due'))
    WHERE value->>'kind' = 'Promise' AND value->'content'->>'state' = 'open';
CREATE INDEX store_open_promises_of_person ON store (team_id, user_id)
    WHERE value->>'kind' = 'Promise' AND value->'content'->>'state' = 'open';

-- When a person is reminded of a promise, at most three times: at 9:00 of its day in their zone; two
-- hours before the time that it names; and at 9:00 of the next day. Of a promise whose day had
-- passed when it was made (`said_at`) the day it was made counts, and of one that was put off the day it
-- was put off to. Nothing is said at 9:00 where the other reminder comes no later, or where the promise
-- was made after 9:00. A moment before `said_at` is replaced: by the middle of the time that was left
-- then, or an hour later.
CREATE FUNCTION reminder_moments(due date, due_time time, said_at timestamptz, snoozed_to date, zone text)
    RETURNS TABLE (day date, due_time text, at timestamptz)
    LANGUAGE sql STABLE
    AS $$
        WITH promise AS (
            SELECT COALESCE(snoozed_to, GREATEST(due, (said_at AT TIME ZONE zone)::date)) AS first_day
            WHERE due IS NOT NULL OR snoozed_to IS NOT NULL
        ), timed AS (
            SELECT due AS day, to_char(reminder_moments.due_time, 'HH24:MI') AS due_time,
                (due + reminder_moments.due_time) AT TIME ZONE zone AS ends_at
            FROM promise
            WHERE first_day = due AND snoozed_to IS NULL AND reminder_moments.due_time IS NOT NULL
        ), morning AS (
            SELECT first_day AS day, (first_day + time '09:00') AT TIME ZONE zone AS at FROM promise
        ), planned AS (
            SELECT morning.day, '' AS due_time, morning.at, NULL::timestamptz AS ends_at FROM morning
            WHERE NOT EXISTS (SELECT FROM timed
                WHERE timed.ends_at - interval '2 hours' <= morning.at OR morning.at < said_at)
            UNION ALL
            SELECT timed.day, timed.due_time, timed.ends_at - interval '2 hours', timed.ends_at FROM timed
            UNION ALL
            SELECT first_day + 1, '', (first_day + 1 + time '09:00') AT TIME ZONE zone, NULL FROM promise
        )
        SELECT planned.day, planned.due_time,
            CASE WHEN planned.at > said_at THEN planned.at
                WHEN planned.ends_at > said_at THEN said_at + (planned.ends_at - said_at) / 2
                ELSE said_at + interval '1 hour' END
        FROM planned
    $$;

-- When people are reminded of their open promises, and which of these reminders were stored.
CREATE VIEW promise_reminders WITH (security_invoker = true) AS
    SELECT store.prefix, store.team_id, store.user_id, store.key, value->'content'->>'due' AS due,
        moment.day, moment.due_time, moment.at, stored.key IS NOT NULL AS is_stored, stored.ts
    FROM store
    LEFT JOIN person_settings AS settings
        ON settings.team_id = store.team_id AND settings.user_id = store.user_id
    CROSS JOIN LATERAL (
        SELECT COALESCE(max(statement.said_at), store.updated_at) AS at FROM statements AS statement
        WHERE statement.team_id = store.team_id AND statement.user_id = store.user_id
            AND statement.key = store.key AND statement.act = 'say'
            AND statement.audience <> 'colleagues' AND statement.withdrawn_at IS NULL
            AND statement.forgotten_id IS NULL
    ) AS said
    LEFT JOIN LATERAL (
        SELECT snooze.day FROM snoozes AS snooze
        WHERE snooze.team_id = store.team_id AND snooze.user_id = store.user_id
            AND snooze.key = store.key AND snooze.asked_at > said.at
        ORDER BY snooze.asked_at DESC LIMIT 1
    ) AS snoozed ON true
    -- Text that is no day, no time or no zone counts as none.
    CROSS JOIN LATERAL (
        SELECT CASE WHEN pg_input_is_valid(value->'content'->>'due', 'date')
                THEN (value->'content'->>'due')::date END AS due,
            CASE WHEN pg_input_is_valid(value->'content'->>'due_time', 'time')
                THEN (value->'content'->>'due_time')::time END AS due_time,
            CASE WHEN pg_input_is_valid('2000-01-01 00:00 ' || settings.time_zone, 'timestamptz')
                THEN settings.time_zone ELSE 'UTC' END AS zone
    ) AS promise
    CROSS JOIN LATERAL reminder_moments(
        promise.due, promise.due_time, said.at, snoozed.day, promise.zone) AS moment
    -- With LIMIT it is looked up by its key, however few promises the planner expects.
    LEFT JOIN LATERAL (
        SELECT reminder.key, reminder.ts FROM reminders AS reminder
        WHERE reminder.team_id = store.team_id AND reminder.user_id = store.user_id
            AND reminder.key = store.key AND reminder.day = moment.day
            AND reminder.due_time = moment.due_time
        LIMIT 1
    ) AS stored ON true
    WHERE value->>'kind' = 'Promise' AND value->'content'->>'state' = 'open'
        AND split_part(store.prefix, '.', 4) = 'dm';
GRANT SELECT ON promise_reminders TO kioku_app;

-- People who are to be reminded now of a promise of the last thirty days, and whose memory is on. Many
-- promises of one person are one row. A plan that was made while tables were empty stays: it may read
-- none of them whole.
CREATE FUNCTION people_to_remind()
    RETURNS TABLE (team_id text, user_id text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off
    AS $$
        WITH people AS MATERIALIZED (
            SELECT reminder.team_id, reminder.user_id FROM promise_reminders AS reminder
            WHERE reminder.due BETWEEN to_char(now() - interval '30 days', 'YYYY-MM-DD')
                    AND to_char(now() + interval '14 hours', 'YYYY-MM-DD')
                AND NOT reminder.is_stored
                AND reminder.at BETWEEN now() - interval '30 days' AND now()
            UNION
            SELECT reminder.team_id, reminder.user_id FROM snoozes AS snooze
            JOIN promise_reminders AS reminder
                ON reminder.prefix = concat_ws('.', 'chat', snooze.team_id, snooze.user_id, 'dm')
                AND reminder.key = snooze.key
            WHERE snooze.day BETWEEN current_date - 30 AND current_date + 1
                AND NOT reminder.is_stored
                AND reminder.at BETWEEN now() - interval '30 days' AND now()
        )
        SELECT people.team_id, people.user_id FROM people
        WHERE NOT EXISTS (SELECT FROM person_settings AS settings
                WHERE settings.team_id = people.team_id AND settings.user_id = people.user_id
                    AND settings.deactivated_at IS NOT NULL)
            AND NOT EXISTS (SELECT FROM workspaces AS here
                WHERE here.team_id = people.team_id AND here.left_at IS NOT NULL)
            AND NOT EXISTS (SELECT FROM memory_off AS off
                WHERE off.team_id = people.team_id AND off.user_id = people.user_id
                    AND off.scope = '' AND off.from_at <= now()
                    AND (off.until_at IS NULL OR off.until_at > now()))
    $$;

-- Takes the message that waits longest for `process`, of a thread of which none is answered and of a
-- person of whom fewer than `of_person` are. An answer to a deleted message is taken by nobody, and
-- comes back after a minute if it could not be deleted.
CREATE FUNCTION claim_thread(process bigint, of_person int)
    RETURNS TABLE (thread text)
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        WITH next AS (
            SELECT one.id, one.status FROM messages AS one
            WHERE one.worker IS NULL AND one.due_at <= now()
                AND (one.message IS NOT NULL AND one.status IN ('waiting', 'answering')
                    OR one.status = 'gone' AND one.ended_at IS NULL)
                AND NOT EXISTS (
                    SELECT FROM messages AS other WHERE other.thread = one.thread
                        AND (other.worker IS NOT NULL OR other.ts < one.ts
                            AND other.status IN ('waiting', 'answering')))
                AND of_person > (
                    SELECT count(*) FROM messages AS other WHERE other.worker IS NOT NULL
                        AND other.team_id = one.team_id AND other.user_id = one.user_id)
                -- One of these may be what ended the processes: no two run in one.
                AND (one.crashes < 2 OR NOT EXISTS (SELECT FROM messages AS suspect
                    WHERE suspect.worker = process AND suspect.crashes >= 2))
            ORDER BY one.due_at LIMIT 1 FOR UPDATE SKIP LOCKED
        )
        UPDATE messages AS taken
        SET worker = CASE WHEN next.status = 'gone' THEN NULL ELSE process END,
            due_at = now() + CASE next.status WHEN 'gone' THEN interval '1 minute'
                ELSE interval '0' END
        FROM next WHERE taken.id = next.id
        RETURNING taken.thread
    $$;

-- Records that `process` lives, and that it answers the threads in `running` (NULL: it ends). Gives
-- back what it lost track of; if it may be `trusted`, also what processes without a beat for
-- `stalled` seconds were answering, which counts as a crash, and the jobs of workers without one.
-- Announces jobs that are due. Returns whether a message waits that nobody answers.
CREATE FUNCTION beat(process bigint, running text[], trusted boolean, stalled float)
    RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
    BEGIN
        -- Procrastinate may have deleted its row during an outage.
        INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (process)
        ON CONFLICT (id) DO UPDATE SET last_heartbeat = now();
        -- What was taken a moment ago may be missing there: the call waited for a connection.
        UPDATE messages SET worker = NULL WHERE worker = process AND (running IS NULL
            OR thread <> ALL (running) AND due_at < now() - interval '5 seconds');
        IF trusted AND pg_try_advisory_xact_lock(hashtextextended('kioku beat', 0)) THEN
            UPDATE messages SET worker = NULL, crashes = crashes + 1, due_at = now()
            WHERE worker IS NOT NULL AND worker NOT IN (
                SELECT id FROM procrastinate_workers
                WHERE last_heartbeat > now() - make_interval(secs => stalled));
            -- The one that waits for the same lock does the work of a job whose worker died.
            WITH dead AS (
                SELECT job.id, job.queueing_lock FROM procrastinate_jobs AS job
                WHERE job.status = 'doing' AND (job.worker_id IS NULL OR job.worker_id IN (
                    SELECT id FROM procrastinate_workers
                    WHERE last_heartbeat < now() - interval '15 seconds'))
            ), needless AS (
                DELETE FROM procrastinate_jobs AS job USING dead WHERE job.id = dead.id AND EXISTS (
                    SELECT FROM procrastinate_jobs AS waiting WHERE waiting.status = 'todo'
                        AND waiting.queueing_lock = dead.queueing_lock)
                RETURNING job.id
            )
            UPDATE procrastinate_jobs AS job
            SET status = 'todo', attempts = job.attempts + 1, scheduled_at = now()
            FROM dead WHERE job.id = dead.id AND NOT EXISTS (
                SELECT FROM procrastinate_jobs AS waiting WHERE waiting.status = 'todo'
                    AND waiting.queueing_lock = dead.queueing_lock);
        END IF;
        PERFORM pg_notify('procrastinate_any_queue_v1', '{"type": "job_inserted", "job_id": 0}')
        WHERE EXISTS (
            SELECT FROM procrastinate_jobs AS job
            WHERE job.status = 'todo' AND (job.scheduled_at IS NULL OR job.scheduled_at <= now())
                AND NOT EXISTS (
                    SELECT FROM procrastinate_jobs AS other
                    WHERE other.lock = job.lock AND other.status = 'doing')
        );
        RETURN EXISTS (
            SELECT FROM messages
            WHERE worker IS NULL AND due_at <= now() AND (message IS NOT NULL
                AND status IN ('waiting', 'answering') OR status = 'gone' AND ended_at IS NULL)
        );
    END
    $$;

-- Fails messages that nothing could be done with in more than `most` attempts, 100 at least, and
-- requests to POST /ask whose process died.
CREATE FUNCTION fail_poison_messages(most int)
    RETURNS TABLE (id uuid, thread text)
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        UPDATE messages AS poison SET status = 'failed', message = NULL,
            ended_at = now(), formed_at = CASE WHEN poison.words = '' THEN now() END
        WHERE poison.status IN ('waiting', 'answering') AND poison.worker IS NULL
            AND (poison.attempts > GREATEST(most, 100)
                OR poison.message IS NULL AND poison.received_at < now() - interval '10 minutes')
        RETURNING poison.id, poison.thread
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
                AND kept.status NOT IN ('waiting', 'answering')
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
            UPDATE messages SET status = 'failed', message = NULL, question = '', words = '',
                reply = NULL, ended_at = now(), formed_at = now()
            WHERE messages.id IN (
                SELECT asked.id FROM messages AS asked
                WHERE asked.status IN ('waiting', 'answering')
                    AND asked.received_at < (SELECT before FROM allowed)
                ORDER BY asked.received_at LIMIT (SELECT allowed.most FROM allowed)
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
            UPDATE messages SET status = 'skipped', message = NULL,
                question = '', words = '', ended_at = now(), formed_at = now()
            WHERE status IN ('waiting', 'answering') RETURNING 1
        )
        SELECT count(*) FROM ended
    $$;

-- For the person of this transaction, who is erased: what Slack may deliver again, or is read from
-- it after an outage, is known by its ids for a day, without its author and its texts. Returns how
-- many.
CREATE FUNCTION forget_author_of_messages() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        WITH kept AS (UPDATE messages SET user_id = '', status = 'gone', message = NULL,
            interrupted = true, begun_at = NULL, question = '', words = '', reply = NULL,
            reply_ts = '{}', posting_since = NULL, recalled = '{}', formed_at = NULL,
            audience = NULL, model = NULL,
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
            WHERE said.status NOT IN ('waiting', 'answering')
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
            AND (said.begun_at IS NOT NULL OR said.status = 'waiting')
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

-- Counts of messages and the age of the oldest that waits; each is read from an index.
CREATE FUNCTION operating_state()
    RETURNS TABLE (
        messages_waiting bigint, oldest_message_seconds float, messages_failed bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
        SELECT
            count(*),
            COALESCE(extract(epoch FROM now() - min(open.received_at)), 0)::float,
            (SELECT count(*) FROM messages WHERE status = 'failed')
        FROM messages AS open WHERE open.status IN ('waiting', 'answering')
    $$;

-- Deletes the rows of a workspace that removed the app, once its time has come.
CREATE FUNCTION purge_workspace(team text)
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
    DECLARE
        name text;
    BEGIN
        IF NOT EXISTS (SELECT FROM workspaces AS w WHERE w.team_id = team AND w.purge_at <= now()) THEN
            RETURN;
        END IF;
        FOREACH name IN ARRAY '{messages,told,requests_under_way,reminders,snoozes,person_settings,
            person_requests,memory_off,sent_files,conversations,listening}'::text[] LOOP
            EXECUTE format('DELETE FROM %I WHERE team_id = $1', name) USING team;
        END LOOP;
        PERFORM purge_workspace_memories(team);
        DELETE FROM procrastinate_jobs WHERE status <> 'doing' AND args->>'team' = team;
    END
    $$;

REVOKE ALL ON FUNCTION
    claim_thread, beat, fail_poison_messages, clear_away, end_history, end_open_messages,
    forget_author_of_messages, followed_threads,
    operating_state, workspaces_with_message, thread_of_message, people_to_remind,
    people_of_channel,
    people_past_retention, people_deactivated_for, purge_workspace
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    claim_thread, beat, fail_poison_messages, clear_away, end_history, end_open_messages,
    forget_author_of_messages, followed_threads,
    operating_state, workspaces_with_message, thread_of_message, people_to_remind,
    people_of_channel,
    people_past_retention, people_deactivated_for, purge_workspace
    TO kioku_app;
