"""Backup and restore of the whole database, without what was forgotten since.

A list of existing rows, which is written far more often than a backup, has the keys of all rows and
digests of all texts. A restore deletes what is not in it, in whatever way it was deleted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from memory.model.embedding_space import EmbeddingSpace
from memory.postgres.archive import Archive, BackupError, Progress, replacing
from memory.postgres.migrate import (
    RESTORING,
    Migration,
    lock_migrations,
    memory_migrations,
    migrate,
    refuse_restoring,
)
from memory.postgres.roles import Login, create_app_role

_FORMAT = "kioku-existing-2"
_TABLES = (
    "SELECT t.relname AS name, t.relname = ANY(%(copied)s) AS copied,"
    " array_agg(quote_ident(c.attname)) AS columns FROM pg_class AS t"
    " JOIN pg_index AS i ON i.indrelid = t.oid AND i.indisprimary"
    " JOIN pg_attribute AS c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped"
    " AND (c.attnum = ANY(i.indkey) OR t.relname = ANY(%(copied)s))"
    " WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p')"
    " AND NOT t.relname LIKE ANY(%(left_out)s) GROUP BY t.relname"
)
# What a list leaves out: the schema's own tables, and rows that are deleted with their memory.
_LEFT_OUT = ("kioku_%", "%_migrations", "store_vectors", "memory_expiries")


@dataclass(frozen=True, slots=True)
class StoredText:
    """A text in the column of a table, and what a restore does where it exists no longer.

    `owner`, which names row and column, and `text` are SQL expressions: a text exists while a list
    has the digest of both.
    """

    table: str
    owner: str
    text: str
    otherwise: str

    @property
    def digest(self) -> str:
        """The SQL of the text's digest, which reveals nothing without a backup."""
        return f"text_digest((SELECT key FROM kioku_backup), {self.owner}, {self.text})"


_ROW = "prefix || '/' || key"
_QUOTES = "jsonb_path_query_array(value, '$.sources[*].evidence')::text"
# Each memory that another one supersedes for its audience, and the primary key of that one.
_SUPERSEDED = (
    "SELECT substring(prefix FROM '^(?:[^.]*[.]){3}') || (one->>'audience') AS prefix,"
    " one->>'key' AS key, prefix AS by_prefix, key AS by_key"
    " FROM store, jsonb_path_query(value, '$.supersedes[*]') AS one"
)
# What was corrected is not restored: the old content would count as what the person said last.
TEXTS = (
    StoredText(
        *("store", _ROW, "concat(value->'kind', value->'content', value->'expires_at')"),
        "DELETE FROM store",
    ),
    StoredText(
        *("store", _ROW, _QUOTES),
        "UPDATE store SET value = jsonb_set(value, '{sources}', (SELECT COALESCE(jsonb_agg(one ||"
        " '{\"evidence\": \"\"}'), '[]') FROM jsonb_path_query(value, '$.sources[*]') AS one))",
    ),
    StoredText(
        *("memory_changes", "id::text", "concat(before, after, undone_at IS NULL)"),
        "DELETE FROM memory_changes",
    ),
    StoredText(
        *("memory_questions", "id::text", "concat(before, after)"), "DELETE FROM memory_questions"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupTables:
    """The application's tables, as they are backed up and restored.

    A backup has no rows of `omitted` (patterns of LIKE). `copied` have no texts: a list has them
    whole, and a restore takes them from it. Of any other table a row is deleted unless the list has
    its key. `afterwards` are statements that end a restore.
    """

    omitted: Sequence[str]
    copied: Sequence[str]
    texts: Sequence[StoredText]
    afterwards: Sequence[str]


def back_up(conninfo: str, file: Path, tables: BackupTables, progress: Progress) -> None:
    """Write the database, as of one moment, to a file with mode 600. Raises `BackupError`."""
    with _connect(conninfo) as connection, replacing(file) as part:
        refuse_restoring(connection)
        connection.execute("UPDATE kioku_backup SET begun_at = now()")
        archive = Archive(part, conninfo, connection.info.server_version // 10_000)
        archive.dump([pattern.replace("%", "*") for pattern in tables.omitted], progress)


def list_existing(conninfo: str, file: Path, tables: BackupTables) -> None:
    """Write the list of existing rows, as of one moment. Raises `BackupError`."""
    with _connect(conninfo) as connection, replacing(file) as part, part.open("wb") as out:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        refuse_restoring(connection)
        [row] = connection.execute("SELECT now() AS at, key::text FROM kioku_backup").fetchall()
        out.write(_line(_FORMAT, row["at"].isoformat(), _sha256(row["key"])))
        selected = [
            (one["name"], one["columns"], f"SELECT {', '.join(one['columns'])} FROM {one['name']}")
            for one in _tables(connection, tables)
        ]
        digests = [f"SELECT {one.digest} FROM {one.table}" for one in (*TEXTS, *tables.texts)]
        for name, columns, rows in (
            *selected,
            ("texts", ["digest"], " UNION ALL ".join(digests)),
            ("superseded", ["prefix", "key", "by_prefix", "by_key"], _SUPERSEDED),
        ):
            out.write(_line(name, *columns))
            with connection.cursor().copy(f"COPY ({rows}) TO STDOUT".encode()) as copy:
                for block in copy:
                    out.write(block)
            out.write(b"\\.\n")
        out.write(_line("end"))


def restore(
    conninfo: str,
    file: Path,
    existing: Path | None,
    tables: BackupTables,
    migrations: Sequence[Migration],
    login: Login,
    progress: Progress,
) -> datetime:
    """Restore a backup into an empty database; return the time of the list, or of the backup.

    What `existing`, a list newer than the backup, does not have is deleted in the transaction that
    lets other roles than the owner read; without a list nothing is. A restore that was interrupted
    is continued. The database is migrated at the end. Raises `BackupError`.
    """
    with _connect(conninfo) as connection:
        lock_migrations(connection)
        archive = Archive(file, conninfo, connection.info.server_version // 10_000)
        at = _check(archive, existing, migrations)
        if _begin(connection, file):
            archive.load(progress)
        with connection.transaction():
            if existing is not None:
                _delete_missing(connection, existing, tables)
            create_app_role(connection)
            for statement in (*tables.afterwards, *archive.grants(), f"DROP TABLE {RESTORING}"):
                connection.execute(statement.encode())
        statement = "SELECT model, dimensions FROM kioku_embedding_space"
        [space] = connection.execute(statement).fetchall()
    try:
        with _connect(conninfo) as connection:
            connection.execute("ANALYZE")
        migrate(conninfo, EmbeddingSpace(**space), migrations, login=login)
    except psycopg.Error as error:
        raise BackupError(
            f"The backup is restored, but not migrated ({type(error).__name__}):"
            " run `kioku migrate`."
        ) from error
    return at


def _connect(conninfo: str) -> Connection[DictRow]:
    return psycopg.connect(conninfo, autocommit=True, row_factory=dict_row)


def _tables(connection: Connection[DictRow], tables: BackupTables) -> list[DictRow]:
    given = {"copied": [*tables.copied], "left_out": [*_LEFT_OUT, *tables.omitted]}
    return connection.execute(_TABLES.encode(), given).fetchall()


def _line(*words: str) -> bytes:
    return json.dumps(words).encode() + b"\n"


def _sha256(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def _check(archive: Archive, existing: Path | None, migrations: Sequence[Migration]) -> datetime:
    """Raise unless this version can restore the backup, with this list if there is one."""
    known = {"langgraph/store", *(step.name for step in (*memory_migrations(), *migrations))}
    applied = {row[0] for row in archive.rows("kioku_migrations")}
    backup = archive.rows("kioku_backup")
    if not applied or not backup:
        raise BackupError(f"{archive.file} is not a backup that `kioku backup` made.")
    if newer := applied - known:
        raise BackupError(
            f"{archive.file} is from a newer version of Kioku, with {max(newer)}: install that one."
        )
    [[_, key, begun_at]] = backup
    begun = datetime.fromisoformat(begun_at)
    if existing is None:
        return begun
    try:
        with existing.open("rb") as lines:
            form, at, of = json.loads(lines.readline())
    except (OSError, TypeError, ValueError):  # TypeError: a number, say
        form = None
    if form != _FORMAT:
        raise BackupError(f"{existing} is not a list that `kioku backup --ids` wrote.")
    if of != _sha256(key):
        raise BackupError(f"{existing} is the list of another database than the backup's.")
    if (listed := datetime.fromisoformat(at)) <= begun:
        raise BackupError(
            f"{existing} is older than the backup, and what was forgotten since would come back:"
            " name a newer list, or accept it with --accept-forgotten."
        )
    return listed


def _begin(connection: Connection[DictRow], file: Path) -> bool:
    """Mark the database as not ready; return whether its tables are still to be loaded."""
    with file.open("rb") as start:
        backup = _sha256(start.read(1 << 16))
    found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    names = {row["tablename"] for row in found}
    if RESTORING not in names:
        if names:
            raise BackupError("The database is not empty: restore into a new one.")
        connection.execute(f"CREATE TABLE {RESTORING} (backup text)")
        connection.execute(f"INSERT INTO {RESTORING} VALUES (%s)", (backup,))
    elif not connection.execute(f"SELECT FROM {RESTORING} WHERE backup = %s", (backup,)).rowcount:
        raise BackupError("The restore of another backup was interrupted here: name that one.")
    return names <= {RESTORING}


def _delete_missing(connection: Connection[DictRow], existing: Path, tables: BackupTables) -> None:
    """Delete what a list does not have; take from it what it has whole."""
    listed = _load(connection, existing)
    for table in _tables(connection, tables):
        name, there = table["name"], listed.get(table["name"], ())
        columns = [column for column in table["columns"] if column in there]
        given = ", ".join(columns)
        statement = f"DELETE FROM {name}"
        if columns and table["copied"]:
            statement += f"; INSERT INTO {name} ({given}) SELECT {given} FROM listed_{name}"
        elif columns:
            same = " AND ".join(f"l.{column} = {name}.{column}" for column in columns)
            statement += f" WHERE NOT EXISTS (SELECT FROM listed_{name} AS l WHERE {same})"
        connection.execute(statement.encode())
    for one in (*TEXTS, *tables.texts):
        connection.execute(
            f"{one.otherwise} WHERE {one.text} <> '' AND NOT EXISTS"
            f" (SELECT FROM listed_texts AS l WHERE l.digest = {one.digest})".encode()
        )
    # Without what superseded it a memory would be used again where it was corrected or removed.
    shown_again = f"TABLE listed_superseded EXCEPT {_SUPERSEDED}"
    delete = f"DELETE FROM store WHERE (prefix, key) IN (SELECT prefix, key FROM ({shown_again}))"
    while connection.execute(delete.encode()).rowcount:  # which may have superseded another one
        pass


def _load(connection: Connection[DictRow], existing: Path) -> dict[str, list[str]]:
    """Load a list into temporary tables named ``listed_…``; return the columns of each."""
    listed: dict[str, list[str]] = {}
    with existing.open("rb") as lines:
        lines.readline()
        while (line := lines.readline()).endswith(b"\n"):
            name, *columns = json.loads(line)
            if name == "end":
                return listed
            found = connection.execute(
                "SELECT quote_ident(attname) AS name, format_type(atttypid, atttypmod) AS type"
                " FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0",
                (name,),
            )
            types = {row["name"]: row["type"] for row in found}
            fields = ", ".join(f"{column} {types.get(column, 'text')}" for column in columns)
            create = f"CREATE TEMP TABLE listed_{name} ({fields}) ON COMMIT DROP"
            connection.execute(create.encode())
            with connection.cursor().copy(f"COPY listed_{name} FROM STDIN".encode()) as copy:
                while (row := lines.readline()) != b"\\.\n" and row.endswith(b"\n"):
                    copy.write(row)
            connection.execute(f"ANALYZE listed_{name}".encode())
            listed[name] = columns
    raise BackupError(f"{existing} is cut off: name a whole list.")
