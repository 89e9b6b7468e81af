"""Notifies the page, by Server-Sent Events, that something changed."""

import asyncio

from slack_playground.records import Json


class Updates:
    """Sends changes in any workspace to every page."""

    def __init__(self) -> None:
        self.listeners: set[asyncio.Queue[Json]] = set()
        self.published = asyncio.Event()

    def publish(self, changed: str, **more: str) -> None:
        """Notify every listener, without waiting."""
        self.published.set()
        for queue in self.listeners:
            queue.put_nowait({"changed": changed, **more})
