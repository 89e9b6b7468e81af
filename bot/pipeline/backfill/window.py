"""The time at which a process last received events from Slack: the `listening` table.

Slack delivers an event again for about six minutes. After a longer time in which no process could
store events, the messages of that time are read from Slack.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from psycopg import OperationalError

from bot.cancellation import cancel_until_done
from bot.logs import fault
from bot.queue.queue import REPLIES, Queue
from bot.slack.audiences import invalidate_kinds
from bot.slack.client import GAP_SECONDS
from memory import Pool
from memory.postgres import transaction

log = logging.getLogger(__name__)

CATCH_UP = "catch_up"
MARK_SECONDS = 20.0
_WAIT_SECONDS = 10.0


class BackfillWindow:
    """Writes the time to `listening` from each process that can receive and store events."""

    def __init__(
        self, pool: Pool, queue: Queue, *, teams: Callable[[], Awaitable[Sequence[str]]]
    ) -> None:
        self._pool = pool
        self._queue = queue
        self._teams = teams

    async def mark(self) -> None:
        """Record that a front receives events of teams; after too long a gap, schedule a backfill.

        Of several fronts only the first to return defers it: the others find its mark. The known
        kinds of conversations are looked up again, because events about their changes were missed.
        """
        teams = list(await self._teams())
        if not teams:
            return
        async with transaction(self._pool, wait=_WAIT_SECONDS) as connection:
            found = await connection.execute(
                "SELECT team_id, extract(epoch FROM heard_at)::text AS heard,"
                " extract(epoch FROM now() - heard_at)::float AS gap FROM listening"
                " WHERE team_id = ANY(%s) ORDER BY team_id FOR UPDATE",
                (teams,),
            )
            rows = await found.fetchall()
            await connection.execute(
                "INSERT INTO listening (team_id, heard_at)"
                " SELECT team, now() FROM unnest(%s::text[]) AS team ORDER BY team"
                " ON CONFLICT (team_id) DO UPDATE SET heard_at = now()",
                (teams,),
            )
            for row in rows:
                if row["gap"] <= GAP_SECONDS:
                    continue
                team = row["team_id"]
                log.warning(
                    "no process received events for %d minutes: catching up", row["gap"] // 60
                )
                await invalidate_kinds(connection, team)
                await self._queue.defer(
                    connection,
                    CATCH_UP,
                    queue=REPLIES,
                    lock=f"{CATCH_UP}:{team}",
                    team=team,
                    since=row["heard"],
                )

    @asynccontextmanager
    async def marked(self) -> AsyncIterator[None]:
        """Mark at once and every `MARK_SECONDS` the teams whose events are received."""
        task = asyncio.create_task(self._mark_on(), name="listening")
        try:
            yield
        finally:
            await cancel_until_done(task)

    async def _mark_on(self) -> None:
        while True:
            try:
                await self.mark()
            except OperationalError as error:
                log.warning(
                    "the time at which events were received was not stored: %s", fault(error)
                )
            await asyncio.sleep(MARK_SECONDS)
