"""While the model is away: messages wait, each person is told once, and nobody holds a place."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from bot.absence.breaker import Breaker
from bot.absence.notices import Notices
from bot.absence.telling import Telling
from bot.inbox import Inbox, Waiting
from bot.reply import Cause

log = logging.getLogger(__name__)

PATIENCE = timedelta(minutes=30)
_DELAYS = (5.0, 10.0, 20.0, 40.0, 60.0)
# For as long as some message of the person is tried at least this often it is the same outage.
_NOTICE_SECONDS = 300.0


class Outages:
    """Puts messages off and takes them up again."""

    def __init__(self, inbox: Inbox, notices: Notices, telling: Telling, breaker: Breaker) -> None:
        self._inbox = inbox
        self._notices = notices
        self._telling = telling
        self._breaker = breaker
        self._others_wait = False

    @property
    def known(self) -> bool:
        """Say whether the model was just found away, so that it is not to be asked."""
        return self._breaker.open

    async def comes_later(self, waiting: Waiting) -> bool:
        """Put a message off once more where the one under which its person was told still waits."""
        if waiting.held_since is None or not await self._notices.is_ahead(waiting, "outage"):
            return False
        await self._put_off(waiting)
        return True

    async def begin(self, waiting: Waiting, cause: Cause) -> bool:
        """Put a message off, and tell the person if they do not know.

        True when there is nothing more to do for it: after `PATIENCE` the person is told that it
        stays unanswered.
        """
        if waiting.held_since is not None and _age(waiting.held_since) > PATIENCE:
            log.error("message %d was given up: the model was away for too long", waiting.id)
            await self._telling.instead(waiting, "held_too_long", remember=True)
            return True
        first = await self._notices.claim(waiting, "outage", _NOTICE_SECONDS)
        if waiting.held_since is None:
            await self._telling.meanwhile(waiting, _SENTENCES[cause], anyway=first)
        await self._put_off(waiting)
        return False

    async def answered(self, waiting: Waiting) -> None:
        """Note that the model is there: what was put off here waits no more."""
        if waiting.held_since is not None:
            await self._notices.over(waiting, "outage")
        if self._others_wait or waiting.held_since is not None:
            self._others_wait = False
            await self._inbox.hurry()

    async def _put_off(self, waiting: Waiting) -> None:
        self._others_wait = True
        await self._inbox.put_off(waiting, _DELAYS[min(waiting.spared, len(_DELAYS) - 1)])


_SENTENCES: dict[Cause, str] = {"model_down": "held_down", "model_busy": "held_busy"}


def _age(since: datetime) -> timedelta:
    return datetime.now(UTC) - since
