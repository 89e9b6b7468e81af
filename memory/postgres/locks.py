"""Places in front of the pool, where tasks wait without a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class _Queue:
    """The places of one name, and the number of tasks that hold one or wait for one."""

    places: asyncio.Semaphore
    tasks: int = 0


class Places:
    """`number` places for each name, for the tasks of this process; first come, first served.

    A task that waits for a place holds no connection. A name is stored only while a task holds or
    awaits one of its places.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._known: dict[str, _Queue] = {}

    def __len__(self) -> int:
        return len(self._known)

    @asynccontextmanager
    async def take(self, name: str) -> AsyncIterator[None]:
        """Wait for a place of this name, and hold it; an empty name does not wait."""
        if not name:
            yield
            return
        queue = self._known.get(name)
        if queue is None:
            queue = _Queue(asyncio.Semaphore(self._number))
            self._known[name] = queue
        queue.tasks += 1
        try:
            async with queue.places:
                yield
        finally:
            queue.tasks -= 1
            if not queue.tasks:
                del self._known[name]
