-- When something was forgotten: a workspace's rows are deleted by their age.
ALTER TABLE forgotten ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();

-- Deletes up to `most` memories of a workspace that were last changed before `before`, with their
-- vectors and expiries. Runs as the owner and returns the number of rows by table.
CREATE FUNCTION purge_workspace_memories(team text, before timestamptz, most int)
    RETURNS TABLE (relation text, removed bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
    BEGIN
        IF team !~ '^[A-Z0-9]+$' THEN
            RAISE EXCEPTION 'not the id of a workspace';
        END IF;
        RETURN QUERY
        WITH old AS MATERIALIZED (
            SELECT kept.prefix, kept.key FROM store AS kept
            -- As starts_with(prefix, 'chat.' || team || '.'), by the index.
            WHERE kept.prefix ~>=~ ('chat.' || team || '.')
                AND kept.prefix ~<~ ('chat.' || team || '/')
                AND kept.updated_at < before
            LIMIT most FOR UPDATE
        ), expiries AS (
            DELETE FROM memory_expiries AS gone USING old
            WHERE gone.prefix = old.prefix AND gone.key = old.key RETURNING 1
        ), vectors AS (
            DELETE FROM store_vectors AS gone USING old
            WHERE gone.prefix = old.prefix AND gone.key = old.key RETURNING 1
        ), memories AS (
            DELETE FROM store AS gone USING old
            WHERE gone.prefix = old.prefix AND gone.key = old.key RETURNING 1
        )
        SELECT 'memory_expiries', count(*) FROM expiries
        UNION ALL SELECT 'store_vectors', count(*) FROM vectors
        UNION ALL SELECT 'store', count(*) FROM memories;
    END
    $$;

-- Deletes up to `most` rows of a workspace from one table with a column team_id, those whose column
-- `age` (a date or time) is before `before`. Runs as the owner and returns their number.
CREATE FUNCTION purge_workspace_rows(
    relation name, age name, team text, before timestamptz, most int
) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
    DECLARE
        removed bigint;
    BEGIN
        EXECUTE format(
            'DELETE FROM public.%1$I WHERE ctid = ANY (ARRAY(SELECT ctid FROM public.%1$I'
            ' WHERE team_id = $1 AND %2$I < $2 LIMIT $3))', relation, age
        ) USING team, before, most;
        GET DIAGNOSTICS removed = ROW_COUNT;
        RETURN removed;
    END
    $$;
REVOKE ALL ON FUNCTION purge_workspace_memories, purge_workspace_rows FROM PUBLIC;
GRANT EXECUTE ON FUNCTION purge_workspace_memories, purge_workspace_rows TO kioku_app;
