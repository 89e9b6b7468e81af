"""The job that drains one thread: its messages are answered in order, one after the other."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from langgraph.pregel import Pregel

from bot.delivery import DeliveryFailed
from bot.inbox import MAX_ATTEMPTS, Inbox, Superseded, Waiting
from bot.logs import fault
from bot.turn import OpenOutlet, Parts, apologise

log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 0.5


class Answering:
    """Answers what waits in a thread until nothing waits."""

    def __init__(
        self,
        inbox: Inbox,
        turn: Pregel[Any, Any, Any, Any],
        parts: Parts,
        open_outlet: OpenOutlet,
    ) -> None:
        self._inbox = inbox
        self._turn = turn
        self._parts = parts
        self._open_outlet = open_outlet

    async def drain(self, thread: str) -> None:
        """Answer the waiting messages of `thread` in the order they were written."""
        while waiting := await self._inbox.next(thread):
            try:
                await self._answer(waiting)
            except Superseded:
                log.info("a thread was taken over by another worker")
                return

    async def _answer(self, waiting: Waiting) -> None:
        try:
            if waiting.attempts < MAX_ATTEMPTS:
                await self._turn.ainvoke(waiting)
            else:
                await apologise(self._parts, waiting, self._open_outlet)
        except Superseded:
            raise
        except DeliveryFailed:
            log.exception("a reply could not be delivered")
            await self._inbox.give_up(waiting)
        except Exception as error:
            if waiting.attempts > MAX_ATTEMPTS:
                log.exception("a message was given up after %d attempts", waiting.attempts)
                await self._inbox.give_up(waiting)
                return
            log.warning("a turn failed and is begun again: %s", fault(error))
            await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2**waiting.attempts)
