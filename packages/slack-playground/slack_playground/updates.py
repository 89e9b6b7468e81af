"""Tells the page, by Server-Sent Events, that something changed."""

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from slack_playground.records import Json

_QUEUE = 1000


class Updates:
    """Fans out what changed to everyone who listens; a slow listener is told to load everything."""

    def __init__(self) -> None:
        self._team = ""
        self._listeners: dict[asyncio.Queue[Json], str] = {}
        self.published = asyncio.Event()

    def of(self, team: str) -> Self:
        """The same listeners; only those of one workspace receive what is published here."""
        part = copy.copy(self)
        part._team = team
        return part

    def publish(self, update: Json) -> None:
        """Tell every listener of this workspace, or of all; never waits."""
        self.published.set()
        for queue, team in self._listeners.items():
            if self._team not in ("", team):
                continue
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait({"changed": "everything"})
            else:
                queue.put_nowait(update)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[asyncio.Queue[Json]]:
        """A queue of what changes from now on."""
        queue: asyncio.Queue[Json] = asyncio.Queue(maxsize=_QUEUE)
        self._listeners[queue] = self._team
        try:
            yield queue
        finally:
            del self._listeners[queue]
