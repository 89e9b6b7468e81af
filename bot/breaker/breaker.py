"""Whether the model is worth asking: a dead one is not asked for every message that waits."""

from __future__ import annotations

import time
from collections.abc import Callable

FAILURES = 3
PROBE_SECONDS = 5.0


class CircuitBreaker:
    """Opens after failures of `FAILURES` different requests, with no success between them.

    Then it lets one request through each `PROBE_SECONDS`. There is one breaker for each process.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: set[str] = set()
        self._next_probe = 0.0

    @property
    def probing(self) -> bool:
        """Say whether the model was found away, so that a request is but a try."""
        return len(self._failed) >= FAILURES

    @property
    def open(self) -> bool:
        """Say whether a request would not be let through just now."""
        return self.probing and self._clock() < self._next_probe

    def admit(self) -> bool:
        """Say whether a request may be made; while the model is away that uses up the probe."""
        if self.open:
            return False
        if self.probing:
            self._next_probe = self._clock() + PROBE_SECONDS
        return True

    def failed(self, request: str) -> None:
        """Record that the model did not answer `request`, an id of who asks and what.

        A request that fails repeatedly counts once, because it may itself be the cause.
        """
        if not self.probing:
            self._failed.add(request)
        self._next_probe = self._clock() + PROBE_SECONDS

    def answered(self) -> None:
        """Note that the model is there, whatever it said."""
        self._failed.clear()
