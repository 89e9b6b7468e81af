"""Statements of a pool, noted: what it sends to PostgreSQL, commits included."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

from psycopg import AsyncCursor
from psycopg.rows import DictRow

from memory import Pool
from memory.postgres import Connection


class Sent(NamedTuple):
    """A statement, the person whose transaction it was sent in ("" for none), and its values."""

    text: str
    scope: str = ""
    params: Any = None


class _Cursor(AsyncCursor[DictRow]):
    async def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
        done = await super().execute(query, params, **more)
        text = query.decode() if isinstance(query, bytes) else str(query)
        # Asked once on each connection, so it depends on which connection the pool gives.
        if "regtype" not in text:
            scope = await AsyncCursor(self.connection).execute(
                "SELECT concat_ws('.', NULLIF(current_setting('kioku.team', true), ''),"
                " NULLIF(current_setting('kioku.user', true), '')) AS scope"
            )
            row = await scope.fetchone() or {}
            CountedConnection.statements.append(Sent(text, row["scope"] or "", params))
        return done


class CountedConnection(Connection):
    """A connection that notes each statement it sends."""

    statements: ClassVar[list[Sent]] = []

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.cursor_factory = _Cursor

    async def commit(self) -> None:
        """Commit, which is a statement too."""
        CountedConnection.statements.append(Sent("COMMIT"))
        await super().commit()


def count_statements(pool: Pool) -> None:
    """Let a pool that is not open yet note the statements of its connections."""
    pool.connection_class = CountedConnection
    CountedConnection.statements.clear()


@contextmanager
def counted() -> Iterator[list[Sent]]:
    """Give the statements that are sent in this block."""
    CountedConnection.statements.clear()
    yield CountedConnection.statements
