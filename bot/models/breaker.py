"""Whether a model answers at all: a failure belongs to a request until the model fails others."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

from bot.models.failures import Cause
from memory.metrics import count

log = logging.getLogger(__name__)

PROBE_SECONDS = 5.0
"""Seconds between the probes of a model that is away."""

Probed: TypeAlias = Literal["answered", "failed", "silent"]
Probe: TypeAlias = Callable[[], Awaitable[Probed]]
"""Sends a small request of the app's own, without any text of a person."""


class CircuitBreaker:
    """Whether one model of this process answers.

    ::

        answering ──a request fails──▶ unsure ──probe fails──▶ away
            ▲                            │                      │
            └── a probe, or any request, ┴─────── is answered ──┘

    A person's request is never the probe, because a failure may be the fault of that request alone,
    such as a picture for a model that reads none. While the model is unsure, all callers wait for
    one shared probe. While it is away, callers wait only during a probe, which is sent every
    `PROBE_SECONDS` at most. A probe that times out proves nothing, unless the failed request timed
    out, too: a server with one place may be busy. Any other failed probe is counted as a failed
    request is, because no request is sent meanwhile.
    """

    def __init__(
        self, probe: Probe, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._probe = probe
        self._clock = clock
        self._state: Literal["answering", "unsure", "away"] = "answering"
        self._silent = False
        self._next_probe = 0.0
        self._probing: asyncio.Task[None] | None = None
        self.cause: Cause = "model_down"
        """Why it was last believed not to answer."""

    @property
    def is_away(self) -> bool:
        """Whether the model is believed to answer no one."""
        return self._state == "away"

    async def is_answering(self) -> bool:
        """Return whether the model answers; wait for a probe if that is not known."""
        if self._state == "answering":
            return True
        if self._probing is None:
            if self._clock() < self._next_probe:
                return False
            self._probing = asyncio.create_task(self._run_probe(), name="model probe")
        await asyncio.wait({self._probing})
        return not self.is_away

    def failed(self, cause: Cause, *, silent: bool = False) -> None:
        """Record that a request failed, perhaps by the model's fault: the model becomes unsure."""
        self.cause = cause
        if self._state == "answering":
            self._state = "unsure"
            self._silent = silent

    def answered(self) -> None:
        """Record that the model answered a request, with whatever result."""
        self._state = "answering"
        self._next_probe = 0.0
        if self._probing is not None:
            self._probing.cancel()
            self._probing = None

    async def _run_probe(self) -> None:
        result: Probed = "failed"
        try:
            result = await self._probe()
        finally:
            if self._probing is asyncio.current_task():
                self._take(result)
                self._probing = None

    def _take(self, result: Probed) -> None:
        may_be_busy = result == "silent" and not self._silent
        shows_nothing = may_be_busy and self._state == "unsure"
        if result == "answered" or shows_nothing:
            self._state = "answering"
            return
        count("errors", kind=self.cause)
        if self._state == "unsure":
            log.warning("the model answers no other request either: messages wait")
        self._state = "away"
        self._next_probe = self._clock() + PROBE_SECONDS
