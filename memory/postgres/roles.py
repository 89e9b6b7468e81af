"""Database roles: the application's role and the serving login, with their rights."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import LiteralString

from psycopg import Connection, errors, pq, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow

from memory.postgres.database import APP_ROLE
from memory.postgres.rotation import Conninfo, address_of

# Whether row-level security does not apply to the current user.
UNBOUND: LiteralString = (
    "(EXISTS (SELECT FROM pg_roles WHERE rolname = session_user AND (rolsuper OR rolbypassrls))"
    " OR EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('store')"
    " AND pg_has_role(session_user, relowner, 'USAGE')))"
)
# Tables by their names, and the sequences of their columns; both as PostgreSQL quotes them.
_RELATIONS: LiteralString = (
    "WITH tables AS (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    " AND relkind = 'r' AND relname = ANY(%(tables)s))"
    " SELECT (SELECT string_agg(oid::regclass::text, ', ') FROM tables) AS tables,"
    " string_agg(s.oid::regclass::text, ', ') AS sequences FROM tables"
    " JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = tables.oid"
    " AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')"
    " JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'"
)


@dataclass(frozen=True, slots=True)
class Login:
    """The serving login: `conninfo` has its name and password; it inherits `roles`."""

    conninfo: Conninfo
    roles: tuple[str, ...] = ()


def create_app_role(connection: Connection[DictRow]) -> None:
    """Create the application's role if it is missing, and grant it to this user."""
    if not _exists(connection, APP_ROLE):
        # Roles belong to the cluster, the lock to one database: migrations may run in parallel.
        connection.execute(
            "DO $$ BEGIN CREATE ROLE kioku_app NOLOGIN;"
            " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    row = connection.execute("SELECT pg_has_role('kioku_app', 'SET') AS allowed").fetchone()
    if not (row and row["allowed"]):
        connection.execute("GRANT kioku_app TO CURRENT_USER WITH INHERIT FALSE, SET TRUE")


def _exists(connection: Connection[DictRow], role: str) -> bool:
    found = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,))
    return found.rowcount == 1


def create_login(connection: Connection[DictRow], login: Login) -> None:
    """Create the serving login if it is missing, and grant it the roles it needs.

    It may set the application's role but does not inherit its rights: outside of a transaction that
    sets the role it cannot read tables of people.
    """
    given = conninfo_to_dict(address_of(login.conninfo))
    name = str(given.get("user") or _default_user())
    if name == connection.info.user:
        return
    user = sql.Identifier(name)
    if not _exists(connection, name):
        statement = sql.SQL("CREATE ROLE {} LOGIN").format(user)
        if password := given.get("password"):
            # The server may log the statement, so it contains the password's SCRAM verifier only.
            secret = connection.pgconn.encrypt_password(
                str(password).encode(), name.encode(), b"scram-sha-256"
            )
            statement += sql.SQL(" PASSWORD {}").format(secret.decode())
        with suppress(errors.DuplicateObject, errors.UniqueViolation):
            connection.execute(statement)
    for role, inherit in ((APP_ROLE, False), *((role, True) for role in login.roles)):
        granted = connection.execute(
            "SELECT FROM pg_auth_members WHERE roleid = %s::regrole AND member = %s::regrole"
            " AND inherit_option = %s AND set_option",
            (role, user.as_string(connection), inherit),
        )
        if granted.rowcount == 0:
            connection.execute(
                sql.SQL("GRANT {} TO {} WITH INHERIT {}, SET TRUE").format(
                    sql.Identifier(role), user, sql.SQL("TRUE" if inherit else "FALSE")
                )
            )


def _default_user() -> str:
    """Return the user that libpq uses for a conninfo without one."""
    values = {option.keyword: option.val for option in pq.Conninfo.get_defaults()}
    return (values[b"user"] or b"").decode()


def grant_rows(connection: Connection[DictRow], tables: Collection[str]) -> None:
    """Grant the application's role SELECT, INSERT, UPDATE and DELETE on `tables`, if they exist.

    It gets their sequences, too, and nothing else: something else may use the same database.
    """
    [found] = connection.execute(_RELATIONS, {"tables": [*tables]}).fetchall()
    statements = [
        "GRANT USAGE ON SCHEMA public TO kioku_app",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {found['tables']} TO kioku_app",
        "REVOKE INSERT, UPDATE, DELETE ON kioku_migrations, kioku_embedding_space,"
        " store_migrations, vector_migrations FROM kioku_app",
    ]
    if sequences := found["sequences"]:
        statements.append(f"GRANT USAGE, SELECT ON SEQUENCE {sequences} TO kioku_app")
    for statement in statements:
        connection.execute(statement.encode())


def revoke_temporary(connection: Connection[DictRow]) -> None:
    """Revoke TEMPORARY from all but the owner: a temporary table would shadow a table of Kioku.

    Runs at each migration, because neither a dump nor a copy of a database keeps its privileges. If
    this user does not own the database, PostgreSQL changes nothing and warns.
    """
    row = connection.execute(
        "SELECT current_database() AS name,"
        " has_database_privilege('public', current_database(), 'TEMPORARY')"
        " OR has_database_privilege('kioku_app', current_database(), 'TEMPORARY') AS granted"
    ).fetchone()
    if row and row["granted"]:
        connection.execute(
            sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC, kioku_app").format(
                sql.Identifier(row["name"])
            )
        )
