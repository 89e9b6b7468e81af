-- A SECURITY DEFINER function without pg_temp in its search_path looks there first: a temporary table
-- of the caller's, with the name of one of ours, then runs the caller's triggers as the owner.
DO $$
DECLARE
    definer regprocedure;
BEGIN
    FOR definer IN
        SELECT oid FROM pg_proc
        WHERE prosecdef AND pronamespace = 'public'::regnamespace
            AND pg_has_role(proowner, 'USAGE')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, public, pg_temp', definer);
    END LOOP;
END
$$;
