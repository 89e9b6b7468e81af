-- Whose suggested prompts name what is remembered, and in which direct messages they stand.
CREATE TABLE prompted (
    team_id text NOT NULL,
    user_id text NOT NULL,
    channel_id text NOT NULL,
    language text NOT NULL,
    named boolean NOT NULL,
    PRIMARY KEY (team_id, user_id)
);
ALTER TABLE prompted ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_prompted ON prompted
    USING (team_id || '.' || user_id = current_setting('kioku.person', true));

-- What is forgotten, or has ended, is not to stand there either: they are chosen anew at once.
CREATE FUNCTION suggest_anew() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
    BEGIN
        INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)
        SELECT 'replies', 'suggest_prompts', name, name, jsonb_build_object(
            'team', people.team_id, 'user', people.user_id, 'channel', people.channel_id)
        FROM (SELECT DISTINCT split_part(prefix, '.', 2) AS team, split_part(prefix, '.', 3) AS person
            FROM gone WHERE starts_with(prefix, 'chat.')) AS those
        JOIN prompted AS people
            ON people.team_id = those.team AND people.user_id = those.person AND people.named,
        LATERAL (SELECT 'suggest_prompts:' || people.team_id || '.' || people.user_id AS name) AS named
        ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING;
        RETURN NULL;
    END
    $$;
REVOKE ALL ON FUNCTION suggest_anew FROM PUBLIC;
CREATE TRIGGER suggest_anew AFTER DELETE ON store
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION suggest_anew();

-- Who is erased gets those of somebody new; nothing of them is left to ask, so the job says in which
-- language.
CREATE FUNCTION suggest_erased() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
    DECLARE
        name text := 'suggest_prompts:' || OLD.team_id || '.' || OLD.user_id;
    BEGIN
        INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)
        VALUES ('replies', 'suggest_prompts', name, name, jsonb_build_object('team', OLD.team_id,
            'user', OLD.user_id, 'channel', OLD.channel_id, 'erased', OLD.language))
        ON CONFLICT (queueing_lock) WHERE status = 'todo' DO UPDATE SET args = excluded.args;
        RETURN NULL;
    END
    $$;
REVOKE ALL ON FUNCTION suggest_erased FROM PUBLIC;
CREATE TRIGGER suggest_erased AFTER DELETE ON prompted
    FOR EACH ROW WHEN (OLD.named) EXECUTE FUNCTION suggest_erased();
