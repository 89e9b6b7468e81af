"""Database roles: the application's role and the serving login, with their rights."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import Connection, errors, pq, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow

from memory.model.errors import DatabaseNotReady
from memory.postgres.database import APP_ROLE
from memory.postgres.requirements import MigrationTarget, explaining_refusal


def create_roles(
    connection: Connection[DictRow], target: MigrationTarget, roles: Sequence[str]
) -> None:
    """Create the application's role, which this user may then set, and `roles`.

    All of them may use the schemas of the tables and of pgvector. Runs in the caller's transaction.
    Raises `DatabaseNotReady`.
    """
    with explaining_refusal(
        f'The user "{target.user}" may not create roles: run `ALTER ROLE "{target.user}"'
        " CREATEROLE` as a superuser."
    ):
        for role in (APP_ROLE, *roles):
            _create(connection, role, sql.SQL("NOLOGIN"))
    with explaining_refusal(_created_by_another(target.user, roles)):
        found = connection.execute("SELECT pg_has_role('kioku_app', 'SET') AS allowed")
        [row] = found.fetchall()
        if not row["allowed"]:
            connection.execute(
                "GRANT kioku_app TO CURRENT_USER WITH INHERIT FALSE, SET TRUE"
            )
    for schema in target.schemas:
        for role in (APP_ROLE, *roles):
            _grant_usage(connection, role, schema)


def _create(
    connection: Connection[DictRow], role: str, options: sql.Composable
) -> None:
    """Create a role if it is missing: the migration lock does not cover the whole cluster."""
    found = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,))
    if found.rowcount:
        return
    try:
        with connection.transaction():
            connection.execute(
                sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(role), options)
            )
    except (errors.DuplicateObject, errors.UniqueViolation):
        pass  # another database's migration was faster


def _grant_usage(connection: Connection[DictRow], role: str, schema: str) -> None:
    """Let a role use a schema, if it may not yet. Raises `DatabaseNotReady`."""
    if _may_use(connection, role, schema):
        return
    statement = sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(
        sql.Identifier(schema), sql.Identifier(role)
    )
    sentence = (
        f'Other users may not use the schema "{schema}": run'
        f' `GRANT USAGE ON SCHEMA "{schema}" TO PUBLIC` as its owner.'
    )
    with explaining_refusal(sentence):
        connection.execute(statement)
    if not _may_use(connection, role, schema):  # PostgreSQL may only warn
        raise DatabaseNotReady(sentence)


def _may_use(connection: Connection[DictRow], role: str, schema: str) -> bool:
    question = "SELECT has_schema_privilege(%s, %s, 'USAGE') AS allowed"
    [row] = connection.execute(question, (role, schema)).fetchall()
    return bool(row["allowed"])


def _created_by_another(user: str, roles: Sequence[str]) -> str:
    names = ", ".join((APP_ROLE, *roles))
    return (
        "Another installation in this PostgreSQL server has created Kioku's roles: run"
        f' `GRANT {names} TO "{user}" WITH ADMIN OPTION` as the user that created them or as a'
        " superuser, or use the same owner for both."
    )


def create_login(
    connection: Connection[DictRow],
    target: MigrationTarget,
    login: str,
    inherits: Sequence[str],
) -> None:
    """Create the user of the conninfo `login` if it is missing, and grant it the roles it needs.

    It may set the application's role but does not inherit its rights: outside of a transaction that
    sets the role it cannot read people's tables. If the tables or pgvector are not in the schema
    public, the user's search_path in this database is set to their schemas. Runs in the caller's
    transaction. Raises `DatabaseNotReady`, also if the user is one of the roles.
    """
    given = conninfo_to_dict(login)
    name = str(given.get("user") or _default_user())
    if name == target.user:
        return
    if name in (APP_ROLE, *inherits):
        raise DatabaseNotReady(
            f'"{name}" is a group role that Kioku grants to its user: write another user into'
            " DATABASE_URL, such as kioku_login."
        )
    options: sql.Composable = sql.SQL("LOGIN")
    if password := given.get("password"):
        # The server may log the statement, so it contains the password's SCRAM verifier only.
        secret = connection.pgconn.encrypt_password(
            str(password).encode(), name.encode(), b"scram-sha-256"
        )
        options += sql.SQL(" PASSWORD {}").format(secret.decode())
    with explaining_refusal(
        f'The user "{target.user}" may not create the user "{name}" of DATABASE_URL: run'
        f' `ALTER ROLE "{target.user}" CREATEROLE` as a superuser.'
    ):
        _create(connection, name, options)
    with explaining_refusal(_created_by_another(target.user, inherits)):
        _grant(connection, APP_ROLE, name, inherit=False)
        for role in inherits:
            _grant(connection, role, name, inherit=True)
    question = "SELECT has_database_privilege(%s, %s, 'CONNECT') AS allowed"
    [row] = connection.execute(question, (name, target.database)).fetchall()
    if not row["allowed"]:  # only the owner of the database can grant it
        grant = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}")
        names = (sql.Identifier(target.database), sql.Identifier(name))
        connection.execute(grant.format(*names))
    if target.schemas != ("public",):
        set_search_path(connection, target, name)


def _grant(
    connection: Connection[DictRow], role: str, user: str, *, inherit: bool
) -> None:
    member = sql.Identifier(user)
    granted = connection.execute(
        "SELECT FROM pg_auth_members WHERE roleid = %s::regrole AND member = %s::regrole"
        " AND inherit_option = %s AND set_option",
        (role, member.as_string(connection), inherit),
    )
    if granted.rowcount:
        return
    grant = sql.SQL("GRANT {} TO {} WITH INHERIT {}, SET TRUE")
    inherits = sql.SQL("TRUE" if inherit else "FALSE")
    connection.execute(grant.format(sql.Identifier(role), member, inherits))


def set_search_path(
    connection: Connection[DictRow], target: MigrationTarget, user: str
) -> None:
    """Set the search_path that a user has in this database, unless it is set already.

    Raises `DatabaseNotReady` if this user may not change that one.
    """
    path = sql.SQL(", ").join(map(sql.Identifier, target.schemas))
    statement = sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path = {}").format(
        sql.Identifier(user), sql.Identifier(target.database), path
    )
    found = connection.execute(
        "SELECT FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase"
        " WHERE datname = current_database() AND setrole = %s::regrole"
        " AND ('search_path=' || (SELECT string_agg(quote_ident(name), ', ' ORDER BY place)"
        " FROM unnest(%s::text[]) WITH ORDINALITY AS path (name, place))) = ANY (setconfig)",
        (sql.Identifier(user).as_string(connection), list(target.schemas)),
    )
    if found.rowcount:
        return
    with explaining_refusal(
        f'The user "{user}" does not find the schemas of the database: run'
        f" `{statement.as_string(connection)}` as a superuser."
    ):
        connection.execute(statement)


def _default_user() -> str:
    """Return the user that libpq uses for a conninfo without one."""
    for option in pq.Conninfo.get_defaults():
        if option.keyword == b"user" and option.val is not None:
            return option.val.decode()
    return ""
