"""Whether this process was in touch with PostgreSQL: if not, others may have taken its work."""

from __future__ import annotations

import math
import time

SILENCE_SECONDS = 4.0
"""After this time without a heartbeat a process no longer trusts that it owns its work.

It is less than `bot.queue.queue.STALLED_SECONDS`, after which others take that work.
"""


class Pulse:
    """The heartbeats of this process that PostgreSQL has taken.

    A process that was suspended, or cut off from PostgreSQL, goes on where it was, although another
    one may have taken over its jobs. Times are those of the monotonic clock.
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
        """Return the time since which no heartbeat has been late; infinity while one is."""
        if time.monotonic() - self._last_beat > SILENCE_SECONDS:
            return math.inf
        return self._unbroken_since
