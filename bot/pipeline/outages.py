"""Outages of the model: messages wait, each author gets a notice, and no worker slot is held."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from bot.conversation.inbox import ClaimedMessage, Inbox
from bot.pipeline.fixed_reply import FixedReplies
from bot.pipeline.responses.events import Cause
from bot.pipeline.responses.request import CircuitBreaker

log = logging.getLogger(__name__)

PATIENCE = timedelta(minutes=30)
REFUSED_SECONDS = 120.0
"""Seconds for which the model answers others before a message that it fails for is given up."""
_DELAYS = (5.0, 10.0, 20.0, 40.0, 60.0)


class ModelOutages:
    """Puts messages off and takes them up again."""

    def __init__(self, inbox: Inbox, telling: FixedReplies, breaker: CircuitBreaker) -> None:
        self._inbox = inbox
        self._telling = telling
        self._breaker = breaker
        self._others_wait = False

    @property
    def known(self) -> bool:
        """Say whether the model was just found away, so that it is not to be asked."""
        return self._breaker.open

    async def begin(self, claimed: ClaimedMessage, cause: Cause) -> bool:
        """Put a message off, and send its author a notice the first time.

        Returns True if nothing more is to be done for it: after `PATIENCE`, or when the model has
        answered others for `REFUSED_SECONDS`, the author is told that it stays unanswered.
        """
        if claimed.held_since is None:
            await self._telling.meanwhile(claimed, _SENTENCES[cause])
        elif key := await self._reason_to_give_up(claimed):
            log.error("message %d was given up: %s", claimed.id, key)
            await self._telling.instead(claimed, key, remember=True)
            return True
        # One that alone fails again and again says nothing of the others.
        if claimed.held_since is None or self._breaker.probing:
            self._others_wait = True
        await self._inbox.put_off(claimed, _DELAYS[min(claimed.spared, len(_DELAYS) - 1)])
        return False

    async def hold(self, claimed: ClaimedMessage) -> None:
        """Send the author of a message a notice that it waits behind another one of its thread."""
        await self._telling.meanwhile(claimed, "held_down")
        await self._inbox.hold(claimed)

    async def answered(self, claimed: ClaimedMessage) -> None:
        """Note that the model is there: what was put off here waits no more."""
        if self._others_wait or claimed.held_since is not None:
            self._others_wait = False
            await self._inbox.hurry()

    async def _reason_to_give_up(self, claimed: ClaimedMessage) -> str | None:
        """Return the key of the sentence that ends a held message; None while it is to wait."""
        if claimed.held_since is not None and _age(claimed.held_since) > PATIENCE:
            return "held_too_long"
        if self._breaker.probing:
            return None
        refused = await self._inbox.others_answered(claimed, REFUSED_SECONDS)
        return "held_alone" if refused else None


_SENTENCES: dict[Cause, str] = {"model_down": "held_down", "model_busy": "held_busy"}


def _age(since: datetime) -> timedelta:
    return datetime.now(UTC) - since
