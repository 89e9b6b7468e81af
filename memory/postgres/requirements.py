"""Requirements on a database before anything is created in it, each with a sentence if it fails.

They are checked by asking PostgreSQL. What only an attempt can tell is tried within the single
transaction of `memory.postgres.migrate`, so that nothing is left half done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import LiteralString

from psycopg import Connection, ConnectionInfo, errors
from psycopg.rows import DictRow

from memory.model.errors import DatabaseNotReady

# The first with options of a granted role: GRANT … WITH INHERIT FALSE, SET TRUE.
_OLDEST = 16
# The first with vectors of half precision.
_OLDEST_PGVECTOR = (0, 7)

_FIND_TARGET: LiteralString = """
SELECT
    current_user AS "user",
    current_database() AS database,
    current_schema() AS current,
    -- where an earlier migration was, whatever schema has been created since
    (SELECT nspname FROM pg_class JOIN pg_namespace AS place ON place.oid = relnamespace
        WHERE relname = 'kioku_migrations' AND relkind = 'r' AND pg_has_role(relowner, 'USAGE')
        ORDER BY nspname <> current_schema() LIMIT 1) AS migrated,
    (SELECT nspname FROM pg_extension JOIN pg_namespace AS place ON place.oid = extnamespace
        WHERE extname = 'vector') AS vector,
    (SELECT COALESCE(installed_version, default_version) FROM pg_available_extensions
        WHERE name = 'vector') AS vector_version
"""
_MAY_CREATE: LiteralString = "SELECT has_schema_privilege(%s, 'CREATE') AS allowed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationTarget:
    """What a migration works on: the user, the database, the schemas of the tables and of pgvector.

    `vector_schema` is the tables' schema if pgvector's extension is still to be created.
    """

    user: str
    database: str
    schema: str
    vector_schema: str
    has_vector: bool

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schemas of the tables, the functions and the vector type, in search order."""
        return tuple(dict.fromkeys((self.schema, self.vector_schema)))


def check_server(info: ConnectionInfo) -> None:
    """Raise `DatabaseNotReady` for an unsuitable version or encoding; sends no query."""
    version = info.server_version // 10_000
    if version < _OLDEST:
        raise DatabaseNotReady(
            f"The server is PostgreSQL {version}: Kioku needs {_OLDEST} or newer."
        )
    encoding = info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise DatabaseNotReady(
            f"The database has the encoding {encoding}, in which not every message can be stored:"
            " create one with `CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'`, and correct"
            " DATABASE_URL."
        )


def find_target(connection: Connection[DictRow]) -> MigrationTarget:
    """Return what a migration works on; changes nothing. Raises `DatabaseNotReady`."""
    [found] = connection.execute(_FIND_TARGET).fetchall()
    user = found["user"]
    schema = found["migrated"] or found["current"]
    if schema is None:
        raise DatabaseNotReady(
            "No schema of the search_path exists: create one with"
            f' `CREATE SCHEMA "{user}" AUTHORIZATION "{user}"`.'
        )
    version = found["vector_version"]
    if version is None:
        raise DatabaseNotReady(
            "This PostgreSQL lacks the extension pgvector: install it, or use a PostgreSQL that"
            " brings it."
        )
    major, minor = version.split(".")[:2]
    if (int(major), int(minor)) < _OLDEST_PGVECTOR:
        raise DatabaseNotReady(
            f"The extension pgvector is {version} here: Kioku needs 0.7 or newer. Install a newer"
            " one, and run `ALTER EXTENSION vector UPDATE` in the database as a superuser."
        )
    [creates] = connection.execute(_MAY_CREATE, (schema,)).fetchall()
    if not creates["allowed"]:
        raise DatabaseNotReady(
            f'The user "{user}" may not create tables in the schema "{schema}": write the address'
            " of the database's owner into DATABASE_OWNER_URL, or create a schema for this user"
            f' with `CREATE SCHEMA "{user}" AUTHORIZATION "{user}"`.'
        )
    return MigrationTarget(
        user=user,
        database=found["database"],
        schema=schema,
        vector_schema=found["vector"] or schema,
        has_vector=found["vector"] is not None,
    )


@contextmanager
def explaining_refusal(sentence: str) -> Iterator[None]:
    """Raise `DatabaseNotReady` with this sentence if the user lacks a right in this block."""
    try:
        yield
    except errors.InsufficientPrivilege as refused:
        raise DatabaseNotReady(sentence) from refused
