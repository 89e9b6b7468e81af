"""Read-only inspection of a database: version, pgvector, migrations, roles, row-level security."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow, dict_row

from memory.model.embedding_space import EmbeddingSpace
from memory.postgres.database import APP_ROLE
from memory.postgres.migrate import CONNECT_SECONDS, Migration, memory_migrations
from memory.postgres.roles import UNBOUND

# PostgreSQL has the privilege SET of a role since version 16.
_FACTS: LiteralString = (
    "SELECT CASE WHEN EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') THEN 'installed'"
    " WHEN EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') THEN 'available'"
    " ELSE 'missing' END AS pgvector, app.oid IS NOT NULL AS app_role_exists,"
    " COALESCE(pg_has_role(app.oid, CASE WHEN current_setting('server_version_num')::int >= 160000"
    " THEN 'SET' ELSE 'MEMBER' END), false) AS app_role_allowed,"
    " COALESCE(app.rolsuper OR app.rolbypassrls OR EXISTS (SELECT FROM pg_class"
    " WHERE oid = to_regclass('store') AND pg_has_role(app.oid, relowner, 'USAGE')), false)"
    f" AS app_role_bypasses, {UNBOUND} AS login_bypasses,"
    " COALESCE(pg_has_role(app.oid, 'USAGE'), false) AS login_inherits,"
    " ARRAY(SELECT name FROM unnest(%s::text[]) AS name JOIN pg_class ON oid = to_regclass(name)"
    " WHERE NOT relrowsecurity ORDER BY name) AS unprotected,"
    " (SELECT atttypmod FROM pg_attribute WHERE attrelid = to_regclass('store_vectors')"
    " AND attname = 'embedding' AND atttypmod > 0) AS column_dimensions,"
    " COALESCE(pg_relation_size(to_regclass('store_vectors')), 0) = 0 AS without_vectors,"
    " to_regclass('kioku_migrations') IS NOT NULL AS has_migrations,"
    " to_regclass('kioku_embedding_space') IS NOT NULL AS has_space"
    f" FROM (SELECT) AS one LEFT JOIN pg_roles AS app ON app.rolname = '{APP_ROLE}'"
)
_PROTECTED = re.compile(r"ALTER TABLE (\w+) ENABLE ROW LEVEL SECURITY", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """The state of a database as seen by one user.

    `server_version` is PostgreSQL's number (160004 is 16.4). `pgvector` is "installed",
    "available" (can be installed in this database) or "missing". `app_role_bypasses`: row-level
    security does not apply to the application's role, because it is a superuser, has BYPASSRLS or
    owns the tables. `login_bypasses`: the same for this user. `login_inherits`: this user has the
    application's rights outside of a transaction. `steps_missing` and `steps_unknown` are None if
    this user may not read the applied migrations. `column_dimensions` is that of the vector column.
    `without_vectors`: its table takes no space, so there is not one; the rows are others' to read.
    """

    server_version: int
    pgvector: str
    steps_missing: frozenset[str] | None
    steps_unknown: frozenset[str] | None
    app_role_exists: bool
    app_role_allowed: bool
    app_role_bypasses: bool
    login_bypasses: bool
    login_inherits: bool
    unprotected_tables: tuple[str, ...]
    space: EmbeddingSpace | None
    column_dimensions: int | None
    without_vectors: bool


async def database_facts(conninfo: str, migrations: Sequence[Migration] = ()) -> DatabaseFacts:
    """Inspect a database without changes. `migrations` are those besides this package's own.

    Raises `psycopg.OperationalError` if PostgreSQL cannot be reached.
    """
    steps = [*memory_migrations(), *migrations]
    wanted = {"langgraph/store"} | {step.name for step in steps}
    protected = [table for step in steps for table in _PROTECTED.findall(step.statements)]
    async with await AsyncConnection[DictRow].connect(
        conninfo, autocommit=True, connect_timeout=CONNECT_SECONDS, row_factory=dict_row
    ) as connection:
        [facts] = await (await connection.execute(_FACTS, (protected,))).fetchall()
        applied: list[DictRow] | None = []
        if facts.pop("has_migrations"):
            applied = await _as_app_if_needed(connection, "SELECT name FROM kioku_migrations")
        spaces: list[DictRow] | None = []
        if facts.pop("has_space"):
            spaces = await _as_app_if_needed(
                connection, "SELECT model, dimensions FROM kioku_embedding_space"
            )
        names = None if applied is None else {row["name"] for row in applied}
        return DatabaseFacts(
            server_version=connection.info.server_version,
            steps_missing=None if names is None else frozenset(wanted - names),
            steps_unknown=None if names is None else frozenset(names - wanted),
            unprotected_tables=tuple(facts.pop("unprotected")),
            space=EmbeddingSpace(**spaces[0]) if spaces else None,
            **facts,
        )


async def _as_app_if_needed(
    connection: AsyncConnection[DictRow], query: LiteralString
) -> list[DictRow] | None:
    """Return rows as this user, else as the application's role; None if neither may read them."""
    for act in (None, sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(APP_ROLE))):
        try:
            async with connection.transaction():
                if act is not None:
                    await connection.execute(act)
                return await (await connection.execute(query)).fetchall()
        except psycopg.errors.InsufficientPrivilege:
            continue
    return None
