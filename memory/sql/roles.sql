-- The user of a connection.

-- name: is_bound
-- Whether row-level security applies to the user. It does not apply to a superuser, to a user with
-- BYPASSRLS, or to the owner of the tables.
SELECT NOT EXISTS (
        SELECT FROM pg_roles WHERE rolname = session_user AND (rolsuper OR rolbypassrls)
    ) AND NOT EXISTS (
        SELECT FROM pg_class
        WHERE oid = to_regclass('store') AND pg_has_role(session_user, relowner, 'USAGE')
    ) AS bound;
