"""One attempt at one message by one job: what interrupts it, and whether it may still write."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar
from uuid import UUID

from bot.app import App
from bot.cancellation import Interrupted, Stopped, Superseded, cancel_until_done
from bot.slack.messages import THREAD_SETTING
from memory.postgres import (
    execute_statement,
    load_statements,
)

_SQL = load_statements("bot.conversation", "inbox")
_Result = TypeVar("_Result")


class Run:
    """An attempt at a message, under a `token` that the message's row must have for it to write.

    A Stop changes the message's status, an edit or a deletion takes the token away; each then tells
    the job, which calls `interrupt`. A process that was out of touch with PostgreSQL may have lost
    the message to another one, so `confirm` is called before anything is written to Slack.
    """

    def __init__(self, app: App, message: UUID, *, token: UUID, thread: str) -> None:
        self.id = message
        self.token = token
        self.thread = thread
        self._pool = app.pool
        self._pulse = app.queue.pulse
        self._confirmed_at = time.monotonic()
        self._interruption: asyncio.Future[Interrupted] = (
            asyncio.get_running_loop().create_future()
        )

    @property
    def ownership(self) -> dict[str, UUID]:
        """The parameters of statements that this run alone may execute."""
        return {"id": self.id, "token": self.token}

    def interrupt(self, interruption: Interrupted) -> None:
        """Make the attempt end for this reason, unless it has another already."""
        if not self._interruption.done():
            self._interruption.set_result(interruption)

    def raise_if_interrupted(self) -> None:
        """Raise the reason for which the attempt was interrupted, if it was."""
        if self._interruption.done():
            raise self._interruption.result()

    async def unless_interrupted(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Do the work; if the attempt is interrupted, cancel the work and raise the reason."""
        task = asyncio.create_task(work)
        try:
            both: set[asyncio.Future[Any]] = {task, self._interruption}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                self.raise_if_interrupted()
            return await task
        finally:
            await cancel_until_done(task)
            # An error that closing a connection raises is not logged.
            await asyncio.gather(task, return_exceptions=True)

    async def confirm(self) -> None:
        """Raise `Interrupted` if the message is no longer this run's.

        PostgreSQL is asked only if this process may have lost touch with it since it was last
        asked. Raises `psycopg.OperationalError` if it does not answer.
        """
        if self._pulse.unbroken_since() <= self._confirmed_at:
            return
        asked_at = time.monotonic()
        interruption = await self.read_interruption()
        if interruption is not None:
            raise interruption
        self._confirmed_at = asked_at

    async def read_interruption(self) -> Interrupted | None:
        """Return the reason in the message's row why the attempt must end, or None."""
        scope = {THREAD_SETTING: self.thread}
        statement = _SQL["read_run"]
        rows = await execute_statement(
            self._pool, statement, self.ownership, scope=scope
        )
        if not rows:
            return Superseded()
        if rows[0]["status"] == "stopped":
            return Stopped()
        return None
