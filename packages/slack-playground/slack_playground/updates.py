"""Tells the page, by Server-Sent Events, that something changed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from slack_playground.records import Json


class Updates:
    """Fans out what changed in any workspace to every page."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[Json]] = set()
        self.published = asyncio.Event()

    def publish(self, changed: str, **more: str) -> None:
        """Tell every listener; never waits."""
        self.published.set()
        for queue in self._listeners:
            queue.put_nowait({"changed": changed, **more})

    @contextmanager
    def listen(self) -> Iterator[asyncio.Queue[Json]]:
        """A queue of what changes from now on."""
        queue: asyncio.Queue[Json] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.remove(queue)
