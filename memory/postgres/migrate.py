"""The schema and its migrations, and checks that a database fits this version."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from memory.model.embedding_space import EmbeddingSpace
from memory.model.errors import DatabaseNotReady, EmbeddingSpaceMismatch
from memory.postgres.comparisons import STEP, write_comparisons
from memory.postgres.database import (
    Connection,
    Pool,
    begin,
    fetch_rows,
    transaction,
)
from memory.postgres.pool import with_usual_options
from memory.postgres.requirements import (
    MigrationTarget,
    check_server,
    explaining_refusal,
    find_target,
)
from memory.postgres.roles import (
    create_login,
    create_roles,
    set_search_path,
)
from memory.postgres.statements import load_statements

_SQL = load_statements("memory", "roles")
_LANGGRAPH = "langgraph/store"
_MIGRATION_LOCK = 0x6B696F6B75  # "kioku"
_MIGRATION_POLL_SECONDS = 0.1
STATEMENT_SECONDS = 600.0
"""How long one statement of a migration is waited for, which may wait for locks of a service."""
_EMBEDDING_SPACE: LiteralString = (
    "SELECT model, dimensions, NOT EXISTS (SELECT FROM store_vectors) AS empty"
    " FROM kioku_embedding_space"
)


class _Owner(psycopg.Connection[DictRow]):
    """A connection whose statements are waited for as long as a migration's may take."""

    def wait(self, *arguments: Any, **named: Any) -> Any:
        """Wait for PostgreSQL; raise `psycopg.OperationalError` if it does not answer."""
        return super().wait(*arguments, **{"timeout": STATEMENT_SECONDS, **named})


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema; `roles` are those, besides kioku_app, to which it grants rights."""

    name: str
    statements: str
    roles: Sequence[str] = ()


def packaged_migrations(package: str) -> list[Migration]:
    """Read ``schema.sql`` of `package`, and its ``migrations/*.sql`` in name order.

    The schema is recorded as ``PACKAGE/schema@DIGEST``, a migration as ``PACKAGE/FILE``.
    """
    folder = Path(str(files(package)))
    schema = (folder / "schema.sql").read_text("utf-8")
    digest = hashlib.sha256(schema.encode()).hexdigest()[:12]
    steps = [Migration(f"{package}/schema@{digest}", schema)]
    for file in sorted(folder.glob("migrations/*.sql")):
        name = f"{package}/{file.stem}"
        steps.append(Migration(name, file.read_text("utf-8")))
    return steps


def migrate(
    conninfo: str,
    space: EmbeddingSpace,
    migrations: Iterable[Migration] = (),
    *,
    login: str | None = None,
) -> list[str]:
    """Apply the missing steps of the schema; return their names.

    First it checks the server, the encoding, the schemas and pgvector. Then it creates roles, the
    extension and the list of steps in one transaction, so that a refusal leaves nothing behind. The
    tables are in the schema of an earlier migration, or else in the first one of the user's
    search_path.

    Any number of processes may run it: an advisory lock admits one at a time. `migrations` are
    applied after those of this package. The columns of `memory.model.sameness` are written again if
    its version has changed: the application has registered its kinds before. The user of the
    conninfo `login` is created if it is missing, and granted the application's role, which it does
    not inherit, and the roles of `migrations`, which it inherits; an existing user keeps its
    password. Raises `DatabaseNotReady` if the database lacks something or has the schema of another
    version, and `EmbeddingSpaceMismatch` if the stored vectors have another model or size.
    """
    steps = [*packaged_migrations("memory"), *migrations]
    roles: list[str] = []
    for step in steps:
        roles += [role for role in step.roles if role not in roles]
    with _Owner.connect(
        with_usual_options(conninfo), autocommit=True, row_factory=dict_row
    ) as connection:
        check_server(connection.info)
        _lock_migrations(connection)
        target = find_target(connection)
        with connection.transaction():
            create_roles(connection, target, roles)
            if login is not None:
                create_login(connection, target, login, roles)
            _enter_schemas(connection, target)
            connection.execute(
                "CREATE TABLE IF NOT EXISTS kioku_migrations"
                " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
            )
            found = connection.execute("SELECT name FROM kioku_migrations").fetchall()
            applied = {row["name"] for row in found}
            _refuse_other_schema(applied, {step.name for step in steps})
        done: list[str] = []
        if _LANGGRAPH not in applied:
            _create_langgraph_store(connection, space)
            _record(connection, _LANGGRAPH)
            done.append(_LANGGRAPH)
        for step in steps:
            if step.name in applied:
                continue
            with connection.transaction():
                connection.execute(step.statements)
                _record(connection, step.name)
            done.append(step.name)
        if STEP not in applied:
            with connection.transaction():
                write_comparisons(connection)
                _record(connection, STEP)
            done.append(STEP)
        _record_embedding_space(connection, space)
        # A temporary table would shadow one of Kioku. Neither a dump nor a copy of a
        # database keeps its privileges; if it is another user's, PostgreSQL only warns.
        revoke = sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC, kioku_app")
        connection.execute(revoke.format(sql.Identifier(target.database)))
    return done


def _enter_schemas(
    connection: psycopg.Connection[DictRow], target: MigrationTarget
) -> None:
    """Set the search_path of this session and user to the schemas of the tables and pgvector.

    The schema's SECURITY DEFINER functions keep this search_path, so temporary tables come last.
    The extension pgvector is created if it is missing.
    """
    [row] = connection.execute("SELECT current_schemas(false) AS names").fetchall()
    if not set(target.schemas) <= set(row["names"]):
        set_search_path(connection, target, target.user)
    path = sql.SQL(", ").join(map(sql.Identifier, [*target.schemas, "pg_temp"]))
    connection.execute(sql.SQL("SET search_path TO {}").format(path))
    if not target.has_vector:
        with explaining_refusal(
            f'The user "{target.user}" may not create pgvector\'s extension: run'
            f' `CREATE EXTENSION vector` in the database "{target.database}" as a superuser.'
        ):
            connection.execute("CREATE EXTENSION vector")


def _lock_migrations(connection: psycopg.Connection[DictRow]) -> None:
    """Wait for the lock that one migration at a time holds until its session ends."""
    # Poll, because a blocking pg_advisory_lock() holds a snapshot that LangGraph's CREATE INDEX
    # CONCURRENTLY would wait for: a deadlock.
    while True:
        found = connection.execute(
            "SELECT pg_try_advisory_lock(%s) AS taken", (_MIGRATION_LOCK,)
        )
        [row] = found.fetchall()
        if row["taken"]:
            return
        time.sleep(_MIGRATION_POLL_SECONDS)


def _refuse_other_schema(applied: Set[str], wanted: Set[str]) -> None:
    """Raise `DatabaseNotReady` if a schema was applied whose digest is not the wanted one."""
    packages = {name.partition("@")[0] for name in wanted}
    for name in applied - wanted:
        package, at, _ = name.partition("@")
        if at and package in packages:
            raise DatabaseNotReady(
                f"The database has another version of {package}.sql, which this version of Kioku"
                " does not read: use the version that created it, or begin anew with another"
                " database (for `kioku up`: another folder in KIOKU_DATA_DIR)."
            )


def _create_langgraph_store(
    connection: psycopg.Connection[DictRow], space: EmbeddingSpace
) -> None:
    # Importing LangGraph takes half a second, so it waits until PostgreSQL has started.
    from langgraph.store.postgres import PostgresStore
    from langgraph.store.postgres.base import PostgresIndexConfig

    index: PostgresIndexConfig = {
        "dims": space.dimensions,
        "embed": lambda texts: [[0.0] * space.dimensions for _ in texts],
        "ann_index_config": {"kind": "flat", "vector_type": "halfvec"},
    }
    PostgresStore(connection, index=index).setup()


def _record(connection: psycopg.Connection[DictRow], name: str) -> None:
    connection.execute("INSERT INTO kioku_migrations (name) VALUES (%s)", (name,))


def _record_embedding_space(
    connection: psycopg.Connection[DictRow], space: EmbeddingSpace
) -> None:
    with connection.transaction():
        recorded = connection.execute(
            "INSERT INTO kioku_embedding_space (model, dimensions) VALUES (%s, %s)"
            " ON CONFLICT DO NOTHING",
            (space.model, space.dimensions),
        )
        if recorded.rowcount:
            # An interrupted migration may have made the table for another model.
            connection.execute(alter_vectors(space))
    _compare(connection.execute(_EMBEDDING_SPACE).fetchall(), space)


def alter_vectors(space: EmbeddingSpace) -> sql.Composed:
    """Return the statement that makes the table of vectors, which is empty, one of `space`."""
    size = sql.Literal(space.dimensions)
    return sql.SQL("ALTER TABLE store_vectors ALTER embedding TYPE halfvec({})").format(
        size
    )


def _compare(rows: Sequence[DictRow], space: EmbeddingSpace) -> None:
    """Raise `EmbeddingSpaceMismatch` unless the stored vectors are of `space`."""
    stored = _stored_space(rows)
    if stored != space:
        [row] = rows
        back = f"set KIOKU_EMBEDDING_MODEL={stored.model}"
        if stored.model == space.model:
            back = "name the server that has that one in KIOKU_EMBEDDING_BASE_URL"
        raise EmbeddingSpaceMismatch(
            f"The stored memories were embedded with {stored.model} ({stored.dimensions}"
            f" dimensions), but {space.model} ({space.dimensions}) is configured: {back}, or embed"
            " all memories again with `kioku migrate --yes`, or use another database or"
            " KIOKU_DATA_DIR.",
            stored,
            empty=row["empty"],
        )


def _stored_space(rows: Sequence[DictRow]) -> EmbeddingSpace:
    """Return the space of the stored vectors. Raises `DatabaseNotReady`."""
    if not rows:
        raise DatabaseNotReady(
            "The database has no memory tables yet: run `kioku migrate`."
        )
    [row] = rows
    return EmbeddingSpace(row["model"], row["dimensions"])


async def stored_space(pool: Pool) -> EmbeddingSpace:
    """Return the space of the vectors in a database that is migrated."""
    async with transaction(pool) as connection:
        spaces = await fetch_rows(connection, _EMBEDDING_SPACE)
    return _stored_space(spaces)


async def check_access(conninfo: str) -> bool:
    """Raise unless PostgreSQL takes writes, is suitable, and lets this user act as kioku_app.

    Returns whether row-level security also applies to the user outside of `transaction`: it does
    not if the user owns the tables, is a superuser or has BYPASSRLS. Uses a single connection,
    because a pool would retry, log each attempt and not say why none succeeded. Raises
    `DatabaseNotReady`, and `psycopg.OperationalError` if PostgreSQL gives no connection.
    """
    try:
        async with await Connection.connect(
            with_usual_options(conninfo), row_factory=dict_row
        ) as connection:
            check_server(connection.info)
            await begin(connection)
            [row] = await fetch_rows(connection, _SQL["is_bound"])
            return bool(row["bound"])
    except psycopg.errors.InvalidParameterValue as missing:
        raise DatabaseNotReady(
            "The database is not set up: run `kioku migrate`."
        ) from missing
    except psycopg.errors.InsufficientPrivilege as missing:
        raise DatabaseNotReady(
            "The user of DATABASE_URL may not act as kioku_app: run `kioku migrate`, with the"
            " address of the database's owner in DATABASE_OWNER_URL."
        ) from missing


async def check_database(
    pool: Pool, space: EmbeddingSpace | None, migrations: Sequence[Migration] = ()
) -> None:
    """Raise unless the database is reachable, migrated and, if given, embedded with `space`.

    Raises `DatabaseNotReady` or `EmbeddingSpaceMismatch`, and `psycopg.OperationalError` if
    PostgreSQL cannot be reached.
    """
    wanted = {step.name for step in [*packaged_migrations("memory"), *migrations]}
    wanted |= {_LANGGRAPH, STEP}
    try:
        async with transaction(pool) as connection:
            steps = await fetch_rows(connection, "SELECT name FROM kioku_migrations")
            spaces = await fetch_rows(connection, _EMBEDDING_SPACE)
    except psycopg.errors.UndefinedTable as missing:
        raise DatabaseNotReady(
            "The database is not set up: run `kioku migrate`."
        ) from missing
    applied = {row["name"] for row in steps}
    _refuse_other_schema(applied, wanted)
    if behind := wanted - applied:
        raise DatabaseNotReady(
            f"The database is {len(behind)} step(s) behind this version: run `kioku migrate`."
        )
    if space is not None:
        _compare(spaces, space)
