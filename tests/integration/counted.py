"""Statements of a pool, counted: what it sends to PostgreSQL, commits included."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import DictRow

from memory import Pool


class _Cursor(AsyncCursor[DictRow]):
    async def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
        # Asked once on each connection, so it depends on which connection the pool gives.
        if "regtype" not in str(query):
            CountedConnection.statements.append(str(query))
        return await super().execute(query, params, **more)


class CountedConnection(AsyncConnection[DictRow]):
    """A connection that notes each statement it sends."""

    statements: ClassVar[list[str]] = []

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.cursor_factory = _Cursor

    async def commit(self) -> None:
        """Commit, which is a statement too."""
        CountedConnection.statements.append("COMMIT")
        await super().commit()


def count_statements(pool: Pool) -> None:
    """Let a pool that is not open yet count the statements of its connections."""
    pool.connection_class = CountedConnection


@contextmanager
def counted() -> Iterator[list[str]]:
    """Give the statements that are sent in this block."""
    CountedConnection.statements.clear()
    yield CountedConnection.statements
