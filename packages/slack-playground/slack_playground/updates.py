"""Tells the page, by Server-Sent Events, that something changed."""

import asyncio

from slack_playground.records import Json


class Updates:
    """Fans out what changed in any workspace to every page."""

    def __init__(self) -> None:
        self.listeners: set[asyncio.Queue[Json]] = set()
        self.published = asyncio.Event()

    def publish(self, changed: str, **more: str) -> None:
        """Tell every listener; never waits."""
        self.published.set()
        for queue in self.listeners:
            queue.put_nowait({"changed": changed, **more})
