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
from memory.postgres.migrate import Migration, memory_migrations
from memory.postgres.roles import UNBOUND

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


async def database_facts(
    conninfo: str, migrations: Sequence[Migration] = (), *, connect_seconds: int = 30
) -> DatabaseFacts:
    """Inspect a database without changes. `migrations` are those besides this package's own.

    `connect_seconds` limits the wait for a database that is resuming from a pause.

    Raises `psycopg.OperationalError` if PostgreSQL cannot be reached.
    """
    steps = [*memory_migrations(), *migrations]
    async with await AsyncConnection[DictRow].connect(
        conninfo, autocommit=True, connect_timeout=connect_seconds, row_factory=dict_row
    ) as connection:
        applied = await _applied(connection)
        wanted = {"langgraph/store"} | {step.name for step in steps}
        role = await _row(
            connection,
            "SELECT oid, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = 'kioku_app'",
        )
        return DatabaseFacts(
            server_version=connection.info.server_version,
            pgvector=await _pgvector(connection),
            steps_missing=None if applied is None else frozenset(wanted - applied),
            steps_unknown=None if applied is None else frozenset(applied - wanted),
            app_role_exists=role is not None,
            app_role_allowed=role is not None and await _may_act(connection),
            app_role_bypasses=role is not None and await _bypasses(connection, role),
            login_bypasses=await _holds(connection, UNBOUND),
            login_inherits=role is not None
            and await _holds(connection, "pg_has_role('kioku_app', 'USAGE')"),
            unprotected_tables=await _unprotected(connection, steps),
            space=await _space(connection),
            column_dimensions=await _column_dimensions(connection),
        )


async def _row(connection: AsyncConnection[DictRow], statement: LiteralString) -> DictRow | None:
    return await (await connection.execute(statement)).fetchone()


async def _holds(connection: AsyncConnection[DictRow], condition: LiteralString) -> bool:
    row = await _row(connection, f"SELECT {condition} AS holds")
    return bool(row and row["holds"])


async def _exists(connection: AsyncConnection[DictRow], table: str) -> bool:
    found = await connection.execute("SELECT to_regclass(%s) IS NOT NULL AS found", (table,))
    row = await found.fetchone()
    return bool(row and row["found"])


async def _pgvector(connection: AsyncConnection[DictRow]) -> str:
    row = await _row(
        connection,
        "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') AS installed,"
        " EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') AS available",
    )
    if row and row["installed"]:
        return "installed"
    return "available" if row and row["available"] else "missing"


async def _applied(connection: AsyncConnection[DictRow]) -> set[str] | None:
    if not await _exists(connection, "kioku_migrations"):
        return set()
    rows = await _as_app_if_needed(connection, "SELECT name FROM kioku_migrations")
    return None if rows is None else {row["name"] for row in rows}


async def _space(connection: AsyncConnection[DictRow]) -> EmbeddingSpace | None:
    if not await _exists(connection, "kioku_embedding_space"):
        return None
    rows = await _as_app_if_needed(
        connection, "SELECT model, dimensions FROM kioku_embedding_space"
    )
    return EmbeddingSpace(rows[0]["model"], rows[0]["dimensions"]) if rows else None


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


async def _may_act(connection: AsyncConnection[DictRow]) -> bool:
    try:
        async with connection.transaction():
            await connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(APP_ROLE)))
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


async def _bypasses(connection: AsyncConnection[DictRow], role: DictRow) -> bool:
    if role["rolsuper"] or role["rolbypassrls"]:
        return True
    found = await connection.execute(
        "SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('store')"
        " AND pg_has_role(%s::oid, relowner, 'USAGE')) AS owner",
        (role["oid"],),
    )
    row = await found.fetchone()
    return bool(row and row["owner"])


async def _unprotected(
    connection: AsyncConnection[DictRow], steps: Sequence[Migration]
) -> tuple[str, ...]:
    """Return existing tables without row-level security that the migrations protect with it."""
    names = [table for step in steps for table in _PROTECTED.findall(step.statements)]
    found = await connection.execute(
        "SELECT name FROM unnest(%s::text[]) AS name JOIN pg_class ON oid = to_regclass(name)"
        " WHERE NOT relrowsecurity ORDER BY name",
        (names,),
    )
    return tuple(row["name"] for row in await found.fetchall())


async def _column_dimensions(connection: AsyncConnection[DictRow]) -> int | None:
    row = await _row(
        connection,
        "SELECT atttypmod FROM pg_attribute WHERE attrelid = to_regclass('store_vectors')"
        " AND attname = 'embedding' AND atttypmod > 0",
    )
    return None if row is None else int(row["atttypmod"])
