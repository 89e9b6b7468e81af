"""The schema's steps, the application's role, and whether a database is what this version needs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

import psycopg
from psycopg import Connection, sql
from psycopg.rows import DictRow, dict_row

from memory.database import Pool, act_as_app, transaction
from memory.errors import DatabaseNotReady, EmbeddingSpaceMismatch
from memory.rotation import Conninfo, connection_class

_CONNECT_SECONDS = 30
_MIGRATION_LOCK = 0x6B696F6B75  # "kioku"
_MIGRATION_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema; `name` orders and identifies it, `statements` is its SQL.

    `includes` are the names of later steps whose changes `statements` makes as well: they are
    recorded with this step and not applied.
    """

    name: str
    statements: str
    includes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """Which model makes the vectors, and how many dimensions they have."""

    model: str
    dimensions: int


def packaged_migrations(package: str) -> list[Migration]:
    """Read the ``migrations/*.sql`` files of `package`, in name order."""
    folder = files(package) / "migrations"
    found = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [
        Migration(f"{package}/{f.name.removesuffix('.sql')}", f.read_text("utf-8")) for f in found
    ]


def migrate(
    conninfo: Conninfo, space: EmbeddingSpace, migrations: Iterable[Migration] = ()
) -> list[str]:
    """Bring the database up to this version; return the names of the steps just applied.

    Needs a role that owns the schema. Safe to run from any number of processes at once: an
    advisory lock lets one through at a time. `migrations` are further steps, after our own.
    Raises `EmbeddingSpaceMismatch` when the stored vectors are of another model or size.
    """
    address = conninfo if isinstance(conninfo, str) else conninfo.current()
    with psycopg.connect(address, autocommit=True, row_factory=dict_row) as connection:
        _wait_for_turn(connection)
        _create_app_role(connection)
        connection.execute(
            "CREATE TABLE IF NOT EXISTS kioku_migrations"
            " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied = {row["name"] for row in connection.execute("SELECT name FROM kioku_migrations")}
        done: list[str] = []
        if "langgraph/store" not in applied:
            _create_langgraph_store(address, space)
            _record(connection, "langgraph/store", done)
        for step in [*packaged_migrations("memory"), *migrations]:
            if step.name not in applied and step.name not in done:
                with connection.transaction():
                    connection.execute(step.statements)
                    for name in (step.name, *step.includes):
                        _record(connection, name, done)
        _settle_embedding_space(connection, space)
        if done:
            _grant(connection)
        _revoke_temporary(connection)
    return done


def _wait_for_turn(connection: Connection[DictRow]) -> None:
    # A wait inside PostgreSQL holds a snapshot, for which LangGraph's CREATE INDEX CONCURRENTLY
    # waits in turn: neither would ever end.
    statement = "SELECT pg_try_advisory_lock(%s) AS taken"
    while not connection.execute(statement, (_MIGRATION_LOCK,)).fetchall()[0]["taken"]:
        time.sleep(_MIGRATION_POLL_SECONDS)


def _create_app_role(connection: Connection[DictRow]) -> None:
    # Roles belong to the whole cluster, the lock to one database: two may come at once.
    connection.execute(
        "DO $$ BEGIN CREATE ROLE kioku_app NOLOGIN;"
        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    row = connection.execute("SELECT pg_has_role('kioku_app', 'MEMBER') AS member").fetchone()
    if not (row and row["member"]):
        connection.execute("GRANT kioku_app TO CURRENT_USER")


def _create_langgraph_store(conninfo: str, space: EmbeddingSpace) -> None:
    from langgraph.store.postgres import PostgresStore
    from langgraph.store.postgres.base import PostgresIndexConfig

    index: PostgresIndexConfig = {
        "dims": space.dimensions,
        "embed": lambda texts: [[0.0] * space.dimensions for _ in texts],
        "ann_index_config": {"kind": "flat"},
    }
    with PostgresStore.from_conn_string(conninfo, index=index) as store:
        store.setup()


def _record(connection: Connection[DictRow], name: str, done: list[str]) -> None:
    connection.execute("INSERT INTO kioku_migrations (name) VALUES (%s)", (name,))
    done.append(name)


def _settle_embedding_space(connection: Connection[DictRow], space: EmbeddingSpace) -> None:
    connection.execute(
        "INSERT INTO kioku_embedding_space (model, dimensions) VALUES (%s, %s)"
        " ON CONFLICT DO NOTHING",
        (space.model, space.dimensions),
    )
    row = connection.execute("SELECT model, dimensions FROM kioku_embedding_space").fetchone()
    _compare(row, space)


def _compare(row: DictRow | None, space: EmbeddingSpace) -> None:
    if row is None:
        raise DatabaseNotReady("The database has no memory tables yet: run `kioku migrate`.")
    stored = EmbeddingSpace(row["model"], row["dimensions"])
    if stored != space:
        raise EmbeddingSpaceMismatch(
            f"The stored memories were embedded with {stored.model} ({stored.dimensions}"
            f" dimensions), but {space.model} ({space.dimensions}) is configured: set"
            f" KIOKU_EMBEDDING_MODEL={stored.model}, or run `kioku reembed`, or use another"
            " database or KIOKU_DATA_DIR."
        )


def _grant(connection: Connection[DictRow]) -> None:
    for statement in (
        "GRANT USAGE ON SCHEMA public TO kioku_app",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO kioku_app",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO kioku_app",
        "REVOKE INSERT, UPDATE, DELETE ON kioku_migrations, kioku_embedding_space,"
        " store_migrations, vector_migrations FROM kioku_app",
    ):
        connection.execute(statement)


def _revoke_temporary(connection: Connection[DictRow]) -> None:
    """Let nobody but the owner create temporary tables: their names would hide ours.

    Checked at each run, as neither a dump nor a copy of a database keeps the rights on it. Where
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


async def check_access(conninfo: Conninfo) -> None:
    """Raise unless PostgreSQL answers and lets this user act as the application's role.

    A pool would try for as long as it may, and log each time. Raises `DatabaseNotReady`, and
    `psycopg.OperationalError` when PostgreSQL cannot be reached.
    """
    try:
        # A database that was paused takes its time to answer.
        async with await connection_class(conninfo).connect(
            conninfo if isinstance(conninfo, str) else "",
            connect_timeout=_CONNECT_SECONDS,
            row_factory=dict_row,
        ) as connection:
            await act_as_app(connection)
    except psycopg.errors.InvalidParameterValue as missing:
        raise DatabaseNotReady("The database is not set up: run `kioku migrate`.") from missing
    except psycopg.errors.InsufficientPrivilege as missing:
        raise DatabaseNotReady(
            "The user of DATABASE_URL may not act as kioku_app: run `GRANT kioku_app TO` that"
            " user, as the owner of the database."
        ) from missing


async def check_database(
    pool: Pool,
    space: EmbeddingSpace | None,
    migrations: Sequence[Migration] = (),
    *,
    wait: float | None = None,
) -> None:
    """Raise unless the database is reachable, migrated and embedded as `space`, if given, says.

    `wait` (seconds) bounds the wait for a connection. Raises `DatabaseNotReady` or
    `EmbeddingSpaceMismatch`, and `psycopg.OperationalError` when PostgreSQL cannot be reached.
    """
    wanted = {"langgraph/store"} | {
        step.name for step in [*packaged_migrations("memory"), *migrations]
    }
    try:
        async with transaction(pool, wait=wait) as connection:
            rows = await (await connection.execute("SELECT name FROM kioku_migrations")).fetchall()
            spaces = await connection.execute("SELECT model, dimensions FROM kioku_embedding_space")
            row = await spaces.fetchone()
    except psycopg.errors.UndefinedTable as missing:
        raise DatabaseNotReady("The database is not set up: run `kioku migrate`.") from missing
    if missing_steps := wanted - {row["name"] for row in rows}:
        raise DatabaseNotReady(
            f"The database is {len(missing_steps)} step(s) behind this version:"
            " run `kioku migrate`."
        )
    if space is not None:
        _compare(row, space)
