"""Tells the page, by Server-Sent Events, that something changed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playground.records import Json

_QUEUE = 1000


class Updates:
    """Fans out what changed to everyone who listens; a listener too slow for it is told so."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[Json]] = set()

    def publish(self, update: Json) -> None:
        """Tell every listener; never waits."""
        for queue in self._listeners:
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
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)
