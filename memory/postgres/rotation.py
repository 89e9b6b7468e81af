"""Connections whose password may be rotated while the application runs."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow


class RotatingConninfo(Protocol):
    """A conninfo from a secret store that rotates the password."""

    def current(self) -> str:
        """Return the conninfo that was read last."""

    async def renewed(self) -> bool:
        """Read it again; return whether it has changed."""


Conninfo: TypeAlias = str | RotatingConninfo


def address_of(conninfo: Conninfo) -> str:
    """Return a conninfo as a string."""
    return conninfo if isinstance(conninfo, str) else conninfo.current()


def connection_class(conninfo: Conninfo) -> type[AsyncConnection[DictRow]]:
    """Return a connection class that reads `conninfo` again and retries once after a failure.

    It retries if the conninfo has changed; the reason of the failure is not examined.
    """
    if isinstance(conninfo, str):
        return AsyncConnection[DictRow]
    kept: RotatingConninfo = conninfo

    class Renewing(AsyncConnection[DictRow]):
        @classmethod
        async def connect(cls, given: str = "", **kwargs: Any) -> Any:  # type: ignore[override]
            """Connect; the positional conninfo is ignored."""
            del given
            try:
                return await super().connect(kept.current(), **kwargs)
            except psycopg.OperationalError:
                if not await kept.renewed():
                    raise
                return await super().connect(kept.current(), **kwargs)

    return Renewing
