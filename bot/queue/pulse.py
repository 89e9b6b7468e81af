"""Whether this process was in touch with PostgreSQL: if not, others may have taken its work."""

from __future__ import annotations

import math
import time

SILENCE_SECONDS = 4.0
"""Seconds without a heartbeat after which a process no longer trusts that its work is its own.

Less than `bot.queue.recovery.STALLED_SECONDS`, after which others take it.
"""


class Pulse:
    """The heartbeats of this process that PostgreSQL has taken.

    A process that was suspended, or cut off from PostgreSQL, goes on where it was; another one may
    have taken over its jobs meanwhile. Times are of the monotonic clock.
    """

    def __init__(self) -> None:
        self._last_beat = time.monotonic()
        self._unbroken_since = self._last_beat

    def beat(self) -> None:
        """Note that PostgreSQL has taken a heartbeat."""
        now = time.monotonic()
        if now - self._last_beat > SILENCE_SECONDS:
            self._unbroken_since = now
        self._last_beat = now

    def unbroken_since(self) -> float:
        """Return since when no heartbeat was late; infinity while one is."""
        if time.monotonic() - self._last_beat > SILENCE_SECONDS:
            return math.inf
        return self._unbroken_since
