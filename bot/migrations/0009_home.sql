-- Who has opened their App Home, and what of it they look at: published anew when something changes.
CREATE TABLE home_views (
    team_id text NOT NULL,
    user_id text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    language text NOT NULL DEFAULT 'en',
    kind text NOT NULL DEFAULT '',
    page int NOT NULL DEFAULT 1,
    -- What they search for, while they look at it; see `end_home_searches`.
    words text NOT NULL DEFAULT '',
    words_until timestamptz,
    -- A digest of what is shown, and Slack's own name for that state of the view.
    shown text NOT NULL DEFAULT '',
    slack_hash text NOT NULL DEFAULT '',
    -- Until when what was said at its top stays there.
    said_until timestamptz,
    PRIMARY KEY (team_id, user_id)
);
ALTER TABLE home_views ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_home_views ON home_views
    USING (team_id || '.' || user_id = current_setting('kioku.person', true));
CREATE INDEX home_views_searches ON home_views (words_until) WHERE words_until IS NOT NULL;

-- One job for one person, soon: several changes are shown together. Where one waits already, or
-- nobody has opened that Home for a month, there is none. Runs as the owner.
CREATE FUNCTION publish_home_soon(team text, person text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
        INSERT INTO procrastinate_jobs
            (queue_name, task_name, lock, queueing_lock, args, scheduled_at)
        SELECT 'homes', 'publish_home', name, name,
            jsonb_build_object('team', team_id, 'user', user_id), now() + interval '0.5 s'
        FROM home_views, LATERAL (SELECT 'home:' || team_id || '.' || user_id AS name) AS named
        WHERE team_id = team AND user_id = person AND opened_at > now() - interval '30 days'
        ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
    $$;
REVOKE ALL ON FUNCTION publish_home_soon FROM PUBLIC;

-- Whatever changes what a Home shows, whoever does it: in the transaction that does, at its end,
-- when it holds every lock it wants; once for each person.
CREATE FUNCTION home_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
    DECLARE
        changed record;
        who text;
    BEGIN
        IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
        IF TG_TABLE_NAME = 'store' THEN
            IF NOT starts_with(changed.prefix, 'chat.') THEN RETURN NULL; END IF;
            who := split_part(changed.prefix, '.', 2) || '.' || split_part(changed.prefix, '.', 3);
        ELSE
            who := changed.team_id || '.' || changed.user_id;
        END IF;
        IF who IS DISTINCT FROM current_setting('kioku.home_changed', true) THEN
            PERFORM set_config('kioku.home_changed', who, true);
            PERFORM publish_home_soon(split_part(who, '.', 1), split_part(who, '.', 2));
        END IF;
        RETURN NULL;
    END
    $$;
REVOKE ALL ON FUNCTION home_changed FROM PUBLIC;
CREATE CONSTRAINT TRIGGER home_changed AFTER INSERT OR UPDATE OR DELETE ON store
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION home_changed();
CREATE CONSTRAINT TRIGGER home_changed AFTER INSERT OR UPDATE OR DELETE ON memory_questions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION home_changed();
CREATE CONSTRAINT TRIGGER home_changed AFTER INSERT OR DELETE
    OR UPDATE OF pauses, notices, language, consent, retention_days, locale, time_zone,
        deactivated_at
    ON person_settings
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION home_changed();

-- A person who is erased while their Home is open sees that: the job says in which language, as
-- nothing of them is left to ask.
CREATE FUNCTION home_erased() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
    BEGIN
        INSERT INTO procrastinate_jobs
            (queue_name, task_name, lock, queueing_lock, args, scheduled_at)
        VALUES ('homes', 'publish_home', 'home:' || OLD.team_id || '.' || OLD.user_id,
            'home:' || OLD.team_id || '.' || OLD.user_id,
            jsonb_build_object('team', OLD.team_id, 'user', OLD.user_id, 'erased', OLD.language),
            now() + interval '0.5 s')
        ON CONFLICT (queueing_lock) WHERE status = 'todo' DO UPDATE SET args = excluded.args;
        RETURN NULL;
    END
    $$;
REVOKE ALL ON FUNCTION home_erased FROM PUBLIC;
CREATE CONSTRAINT TRIGGER home_erased AFTER DELETE ON home_views
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION home_erased();

-- What people searched for is kept for as long as an Undo: ten minutes. Runs as the owner.
CREATE FUNCTION end_home_searches() RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
        UPDATE home_views SET words = '', words_until = NULL WHERE words_until < now()
    $$;
REVOKE ALL ON FUNCTION end_home_searches FROM PUBLIC;
GRANT EXECUTE ON FUNCTION end_home_searches TO kioku_app;
