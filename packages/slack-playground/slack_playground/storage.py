"""Persistence of the workspace: one SQLite table of JSON documents."""

import copy
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS document (
    kind TEXT NOT NULL, key TEXT NOT NULL, content TEXT NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID
"""


class StorageError(Exception):
    """The data directory cannot be used."""


def _open(path: Path) -> sqlite3.Connection:
    """Open the file for this process alone."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        for statement in (
            "PRAGMA locking_mode = EXCLUSIVE",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = OFF",
            _SCHEMA,
            "INSERT OR REPLACE INTO document VALUES ('format', '', '1')",
        ):
            connection.execute(statement)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


class Storage:
    """A key-value store of JSON objects by kind; without a path it lives in memory only."""

    def __init__(self, path: Path | None) -> None:
        self._prefix = ""
        self._parts: list[Storage] = []
        self._connection: sqlite3.Connection | None = None
        if path is not None:
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._connection = _open(path)
            except (OSError, sqlite3.Error) as error:
                raise StorageError(
                    f"The playground cannot keep its data in {path.parent} ({error}): "
                    "choose another --data-dir, or stop the playground that uses it."
                ) from error

    def within(self, name: str) -> "Storage":
        """A part of this storage with kinds of its own; closed with the whole."""
        part = copy.copy(self)
        part._prefix = f"{name}/"
        self._parts.append(part)
        return part

    def put(self, kind: str, key: str, content: Any) -> None:
        """Write one document; it is safe once this returns, unless the machine itself dies."""
        if self._connection is not None:
            self._connection.execute(
                "INSERT OR REPLACE INTO document VALUES (?, ?, ?)",
                (self._prefix + kind, key, json.dumps(content)),
            )

    def remove(self, kind: str, key: str) -> None:
        """Delete one document; none there is fine."""
        if self._connection is not None:
            self._connection.execute(
                "DELETE FROM document WHERE kind = ? AND key = ?", (self._prefix + kind, key)
            )

    def load(self, kind: str) -> Iterator[Any]:
        """All documents of a kind, in the order of their keys."""
        if self._connection is not None:
            rows = self._connection.execute(
                "SELECT content FROM document WHERE kind = ? ORDER BY key",
                (self._prefix + kind,),
            )
            for (content,) in rows:
                yield json.loads(content)

    def close(self) -> None:
        """Close the file; what is written later is lost."""
        if self._connection is not None:
            self._connection.close()
        for storage in (self, *self._parts):
            storage._connection = None
