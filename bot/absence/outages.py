"""While the model is away: messages wait, each author is told, and no worker's place is held."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from bot.absence.breaker import Breaker
from bot.absence.telling import Telling
from bot.inbox import Inbox, Waiting
from bot.reply import Cause

log = logging.getLogger(__name__)

PATIENCE = timedelta(minutes=30)
REFUSED_SECONDS = 120.0
"""For so long the model answers others, while it fails for a message, before that is given up."""
_DELAYS = (5.0, 10.0, 20.0, 40.0, 60.0)


class Outages:
    """Puts messages off and takes them up again."""

    def __init__(self, inbox: Inbox, telling: Telling, breaker: Breaker) -> None:
        self._inbox = inbox
        self._telling = telling
        self._breaker = breaker
        self._others_wait = False

    @property
    def known(self) -> bool:
        """Say whether the model was just found away, so that it is not to be asked."""
        return self._breaker.open

    async def begin(self, waiting: Waiting, cause: Cause) -> bool:
        """Put a message off, and tell its author when it is the first time.

        True when there is nothing more to do for it: after `PATIENCE`, or when the model has
        answered others for `REFUSED_SECONDS`, the author is told that it stays unanswered.
        """
        if waiting.held_since is None:
            await self._telling.meanwhile(waiting, _SENTENCES[cause])
        elif key := await self._hopeless(waiting):
            log.error("message %d was given up: %s", waiting.id, key)
            await self._telling.instead(waiting, key, remember=True)
            return True
        # One that alone fails again and again says nothing of the others.
        if waiting.held_since is None or self._breaker.probing:
            self._others_wait = True
        await self._inbox.put_off(waiting, _DELAYS[min(waiting.spared, len(_DELAYS) - 1)])
        return False

    async def hold(self, waiting: Waiting) -> None:
        """Tell the author of a message that it waits behind another one of its thread."""
        await self._telling.meanwhile(waiting, "held_down")
        await self._inbox.hold(waiting)

    async def answered(self, waiting: Waiting) -> None:
        """Note that the model is there: what was put off here waits no more."""
        if self._others_wait or waiting.held_since is not None:
            self._others_wait = False
            await self._inbox.hurry()

    async def _hopeless(self, waiting: Waiting) -> str | None:
        """Return the sentence that says why a message that was held before is given up, if so."""
        if waiting.held_since is not None and _age(waiting.held_since) > PATIENCE:
            return "held_too_long"
        if self._breaker.probing:
            return None
        refused = await self._inbox.others_answered(waiting, REFUSED_SECONDS)
        return "held_alone" if refused else None


_SENTENCES: dict[Cause, str] = {"model_down": "held_down", "model_busy": "held_busy"}


def _age(since: datetime) -> timedelta:
    return datetime.now(UTC) - since
