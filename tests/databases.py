"""Databases of the tests: copies of a migrated template, emptied between tests or dropped."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.pq import ExecStatus
from psycopg.rows import DictRow, Row, dict_row

from bot.queue.queue import migrations
from memory import EmbeddedPostgres, EmbeddingSpace, migrate
from tests.temporary import MEMORY

SPACE = EmbeddingSpace("kioku-stand-in-embedding", 256)
_TEMPLATE = "kioku_template"
# What migrating fills; every other row is one of a test.
_MIGRATED = (
    "kioku_migrations",
    "kioku_embedding_space",
    "store_migrations",
    "vector_migrations",
)
_CATALOGUES = (
    *(
        "pg_class",
        "pg_attribute",
        "pg_proc",
        "pg_trigger",
        "pg_policy",
        "pg_constraint",
    ),
    *("pg_type", "pg_extension", "pg_namespace", "pg_default_acl"),
    "pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname ="
    " current_database())",
    "pg_database WHERE datname = current_database()",
)
_STATE = " UNION ALL ".join(
    f"SELECT count(*) AS n, max(xmin::text::bigint) AS newest FROM {rows}"
    for rows in (*_CATALOGUES, *_MIGRATED)
)
"""A number of rows and the newest transaction: different after each change of schema or rights."""
_EMPTY = f"""
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid();
SET session_replication_role = replica;
DO $$
DECLARE one text;
BEGIN
  FOR one IN SELECT relname FROM pg_class
   WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
     AND relname <> ALL ('{{{",".join(_MIGRATED)}}}')
  LOOP
    EXECUTE format('DELETE FROM %I', one);
  END LOOP;
END $$;
RESET session_replication_role
"""

_owners: dict[str, psycopg.Connection[DictRow]] = {}


def make_template(server: EmbeddedPostgres) -> None:
    """Migrate the database that the tests' databases are copies of."""
    server.ensure_database(_TEMPLATE)
    login = server.login_dsn(_TEMPLATE)
    owner = server.dsn(_TEMPLATE)
    migrate(owner, SPACE, migrations(), login=login)


@contextmanager
def fresh_database(
    server: EmbeddedPostgres, template: str = _TEMPLATE
) -> Iterator[str]:
    """Make an empty, migrated database; it goes afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    identifier = sql.Identifier(name)
    # By files where they are in memory, else through the log.
    strategy = sql.SQL(
        "FILE_COPY" if tempfile.gettempdir() == str(MEMORY) else "WAL_LOG"
    )
    copied = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}").format(
        identifier, sql.Identifier(template), strategy
    )
    owner_rows(server.dsn(), copied)
    # A copy has PostgreSQL's usual rights on the database, whatever its template has.
    if template == _TEMPLATE:
        revoked = sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(
            identifier
        )
        owner_rows(server.dsn(), revoked)
    try:
        yield server.dsn(name)
    finally:
        if known := _owners.pop(server.dsn(name), None):
            known.close()
        owner_rows(
            server.dsn(), sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier)
        )


class EmptiedDatabase:
    """One migrated database that tests have in turn; each finds it empty.

    Emptying takes a tenth of the time of a copy. A test that changes the schema or a right gets
    the next test a new copy.
    """

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._kept = ExitStack()
        self._conninfo = ""
        self._state: list[dict[str, Any]] = []

    @contextmanager
    def lent(self) -> Iterator[str]:
        """Lend it to a test; yields the owner's conninfo."""
        if not self._conninfo:
            self._conninfo = self._kept.enter_context(fresh_database(self._server))
            self._state = owner_rows(self._conninfo, _STATE)
        yield self._conninfo
        if owner_rows(self._conninfo, _STATE) == self._state:
            owner_rows(self._conninfo, _EMPTY)
        else:
            self.close()

    def close(self) -> None:
        """Drop the database."""
        self._kept.close()
        self._conninfo = ""


@contextmanager
def read_only(server: EmbeddedPostgres) -> Iterator[None]:
    """Let the server take no writes, as after a failover, or when it has run out of space."""
    with psycopg.connect(server.dsn(), autocommit=True) as owner:
        owner.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        owner.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            owner.execute("ALTER SYSTEM RESET default_transaction_read_only")
            owner.execute("SELECT pg_reload_conf()")


def login_of(conninfo: str) -> str:
    """Return the conninfo of the user that serves a database of these tests."""
    return psycopg.conninfo.make_conninfo(conninfo, user="kioku_login")


def rows_of(done: psycopg.Cursor[Row]) -> list[Row]:
    """Return the rows of a statement; none if it returns none.

    A query must name a column: psycopg describes one without as a statement without rows.
    """
    if done.description:
        return done.fetchall()
    assert done.pgresult is None or done.pgresult.status != ExecStatus.TUPLES_OK, (
        "The query selects no column."
    )
    return []


def owner_rows(
    conninfo: str, statement: str | sql.Composed, *parameters: object
) -> list[dict[str, Any]]:
    """Execute a statement as the owner of a database, committed at once; return its rows.

    `parameters` are those of the statement, or one dictionary of named ones.

    The connection stays open for the next statement; a new one replaces it when it is lost.
    """
    given = statement.encode() if isinstance(statement, str) else statement
    named = (
        parameters[0]
        if len(parameters) == 1 and isinstance(parameters[0], dict)
        else None
    )
    values = named or parameters or None
    if known := _owners.get(conninfo):
        try:
            return rows_of(known.execute(given, values))
        except psycopg.OperationalError:
            if not known.closed:
                raise
    owner = psycopg.connect(conninfo, row_factory=dict_row, autocommit=True)
    _owners[conninfo] = owner
    return rows_of(owner.execute(given, values))


def close_owners() -> None:
    """Close the connections that `owner_rows` has opened."""
    while _owners:
        _owners.popitem()[1].close()


def naming(database: str, word: str) -> dict[str, int]:
    """Return how many rows of each table, the queue's too, have a word in any column.

    The catalogue says which tables there are, so that a new one is among them.
    """
    counts = {}
    for row in owner_rows(
        database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    ):
        query = f"SELECT count(*) FROM {row['tablename']} t WHERE t::text ILIKE %s"
        [found] = owner_rows(database, query, f"%{word}%")
        if found["count"]:
            counts[row["tablename"]] = int(found["count"])
    return counts


def printed(
    database: str, *tables: str, vector_dates: bool = True
) -> dict[str, list[str]]:
    """Return the rows of tables as PostgreSQL prints them, with or without a vector's own dates."""
    found = {}
    for table in tables:
        whole = vector_dates or table != "store_vectors"
        row = "t" if whole else "(prefix, key, field_name, embedding)"
        rows = owner_rows(
            database, f"SELECT {row}::text AS row FROM {table} t ORDER BY 1"
        )
        found[table] = [one["row"] for one in rows]
    return found
