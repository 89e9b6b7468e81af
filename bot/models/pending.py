"""Replies of this process that wait for a model, so that less urgent work lets them go first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


class PendingReplies:
    """The number of replies that a model has not finished yet."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count a reply until its model has answered or failed."""
        self._count += 1
        self._none.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._none.set()

    async def wait_until_none(self, longest: float) -> None:
        """Return when no reply waits for a model, or after `longest` seconds."""
        try:
            async with asyncio.timeout(longest):
                await self._none.wait()
        except TimeoutError:
            log.info("a formation begins while replies wait for the model")
