"""Whether another installation receives this app's events, too.

Slack gives each event to one of the app's Socket Mode connections. Two processes that share a
database share the work; with separate databases each knows half of what people say. Slack reports
its number of connections in `hello`; the processes are counted in the database.
Source: https://docs.slack.dev/apis/events-api/using-socket-mode/
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from psycopg import OperationalError

from bot.cancellation import cancel_until_done
from bot.logs import StandingWarnings
from bot.runtime.prometheus import read_operating_state
from memory import Pool
from memory.model import Json

_CAUSE = "connections"
# Processes that start together connect before all of them are in the database.
_SETTLED_SECONDS = 3.0


class ConnectionCount:
    """Compares the connections that Slack counts with the processes of this database."""

    def __init__(
        self,
        pool: Pool,
        warnings: StandingWarnings,
        *,
        settled_seconds: float = _SETTLED_SECONDS,
    ) -> None:
        self._pool = pool
        self._warnings = warnings
        self._settled_seconds = settled_seconds
        self._comparing: asyncio.Task[None] | None = None

    async def note(self, _client: object, message: Json, _raw: str | None) -> None:
        """Read a message of Socket Mode: the first on each connection is `hello`."""
        if message.get("type") != "hello":
            return
        connections = int(message.get("num_connections") or 0)
        await self.close()
        self._comparing = asyncio.create_task(
            self._compare(connections), name="connections"
        )

    async def close(self) -> None:
        """End a comparison that has not ended."""
        if self._comparing is not None:
            await cancel_until_done(self._comparing)

    async def _compare(self, connections: int) -> None:
        connected_at = datetime.now(UTC)
        try:
            before = await self._count_processes()
            await asyncio.sleep(self._settled_seconds)
            # A process that has stopped meanwhile was connected, too.
            processes = max(before, await self._count_processes())
        except OperationalError:  # `/readyz` says that
            return
        if connections <= processes:
            self._warnings.clear(_CAUSE)
            return
        self._warnings.report(
            _CAUSE,
            f"At {connected_at:%H:%M} UTC Slack counted {connections} connections of this app, but"
            f" {processes} process(es) share this database: another installation with the same"
            " SLACK_APP_TOKEN receives part of the messages. Stop it, or give it an app of its own."
            " (For some minutes Slack may count a connection that was lost, too.)",
        )

    async def _count_processes(self) -> int:
        state = await read_operating_state(self._pool)
        return int(state["processes"])
