"""Connections whose credentials may change while the application runs."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow


class Renewable(Protocol):
    """A conninfo that is kept somewhere else, where its password is changed now and then."""

    def current(self) -> str:
        """Return the conninfo as it was last read."""

    async def renewed(self) -> bool:
        """Read it again; say whether it has changed."""


Conninfo: TypeAlias = str | Renewable


def address_of(conninfo: Conninfo) -> str:
    """Return a conninfo as it is now."""
    return conninfo if isinstance(conninfo, str) else conninfo.current()


def connection_class(conninfo: Conninfo) -> type[AsyncConnection[DictRow]]:
    """Return a connection that reads `conninfo` again, and tries once more, where it is refused.

    A wrong password is not told apart from other reasons: the conninfo has changed or has not.
    """
    if isinstance(conninfo, str):
        return AsyncConnection[DictRow]
    kept: Renewable = conninfo

    class Renewing(AsyncConnection[DictRow]):
        @classmethod
        async def connect(cls, given: str = "", **kwargs: Any) -> Any:  # type: ignore[override]
            """Connect; what is given in the conninfo's place does not count."""
            del given
            try:
                return await super().connect(kept.current(), **kwargs)
            except psycopg.OperationalError:
                if not await kept.renewed():
                    raise
                return await super().connect(kept.current(), **kwargs)

    return Renewing
