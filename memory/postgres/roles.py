"""Database roles: the application's role and the serving login, with their rights."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import LiteralString

from psycopg import Connection, errors, pq, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow

from memory.postgres.database import APP_ROLE

# Whether row-level security does not apply to the current user.
UNBOUND: LiteralString = (
    "(EXISTS (SELECT FROM pg_roles WHERE rolname = session_user AND (rolsuper OR rolbypassrls))"
    " OR EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('store')"
    " AND pg_has_role(session_user, relowner, 'USAGE')))"
)


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


def create_login(connection: Connection[DictRow], login: str, inherits: Sequence[str]) -> None:
    """Create the user of the conninfo `login` if it is missing, and grant it the roles it needs.

    It may set the application's role but does not inherit its rights: outside of a transaction that
    sets the role it cannot read tables of people.
    """
    given = conninfo_to_dict(login)
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
    for role, inherit in ((APP_ROLE, False), *((role, True) for role in inherits)):
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


def revoke_temporary(connection: Connection[DictRow]) -> None:
    """Revoke TEMPORARY from all but the owner: a temporary table would shadow a table of Kioku.

    Runs at each migration, because neither a dump nor a copy of a database keeps its privileges. If
    this user does not own the database, PostgreSQL changes nothing and warns.
    """
    # Not the name that the client gave: a pooler may have another one for the database.
    [row] = connection.execute("SELECT current_database() AS name").fetchall()
    connection.execute(
        sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC, kioku_app").format(
            sql.Identifier(row["name"])
        )
    )
