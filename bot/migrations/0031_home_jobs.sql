-- The application adds the jobs that follow a change of memories in the transaction that writes it:
-- see bot/home/change_jobs.py. What follows a change of settings is still left by home_changed().
DROP TRIGGER home_changed ON store;
DROP TRIGGER home_changed ON memory_questions;
DROP TRIGGER suggest_anew ON store;
DROP FUNCTION suggest_anew();

CREATE OR REPLACE FUNCTION home_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
    DECLARE
        changed record;
        who text;
    BEGIN
        IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
        who := changed.team_id || '.' || changed.user_id;
        IF who IS DISTINCT FROM current_setting('kioku.home_changed', true) THEN
            PERFORM set_config('kioku.home_changed', who, true);
            PERFORM publish_home_soon(changed.team_id, changed.user_id);
        END IF;
        RETURN NULL;
    END
    $$;
