"""One attempt at one message by one job, and what ends it early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

THREAD_SETTING = "kioku.thread"
_WATCH_SECONDS = 1.0


class Interrupted(Exception):
    """The running answer must end."""


class Stopped(Interrupted):
    """The person pressed Stop; the text written so far is kept."""


class Withdrawn(Interrupted):
    """The person deleted the message; its answer is deleted, too."""


class Edited(Interrupted):
    """The person edited the message; the answer is written again for the new text."""


class Superseded(Interrupted):
    """Another worker took the message over; this one must write nothing more."""


class Run:
    """One attempt at one message.

    `ownership` are the parameters of statements that this attempt alone may execute. `interrupt`
    tells it of what ends it: Stop, an edit, a deletion, or another worker.
    """

    def __init__(self) -> None:
        self.ownership: dict[str, UUID] = {}
        self._interruption: Exception | None = None
        self._in_touch = asyncio.Event()
        self._in_touch.set()

    def interrupt(self, reason: Exception) -> None:
        """Let the attempt end with `reason`, an `Interrupted`."""
        self._interruption = reason

    def lose_touch(self) -> None:
        """Note that PostgreSQL does not answer, so that nothing is known of the message."""
        self._in_touch.clear()

    def regain_touch(self) -> None:
        """Note that PostgreSQL answers again."""
        self._in_touch.set()

    def raise_if_interrupted(self) -> None:
        """Raise what ends the attempt, if it has been told of anything."""
        if self._interruption is not None:
            raise self._interruption

    async def confirm(self) -> None:
        """Wait until PostgreSQL answers; raise what ends the attempt."""
        await self._in_touch.wait()
        self.raise_if_interrupted()

    @asynccontextmanager
    async def watched(self, read_flags: Callable[[], Awaitable[bool]]) -> AsyncIterator[None]:
        """Read the message's flags each second, and tell the attempt what they say.

        `read_flags` returns False where PostgreSQL does not answer, and raises what ends the
        attempt.
        """
        await self._look(read_flags)
        watching = asyncio.create_task(self._watch(read_flags))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self, read_flags: Callable[[], Awaitable[bool]]) -> None:
        while self._interruption is None:
            await asyncio.sleep(_WATCH_SECONDS)
            await self._look(read_flags)

    async def _look(self, read_flags: Callable[[], Awaitable[bool]]) -> None:
        try:
            is_known = await read_flags()
        except Exception as reason:  # noqa: BLE001 - whatever it is ends the attempt
            self.interrupt(reason)
            is_known = True
        if is_known:
            self.regain_touch()
        else:
            self.lose_touch()
