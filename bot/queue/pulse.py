"""Whether this process was in touch with PostgreSQL: if not, others may have taken its work."""

from __future__ import annotations

import math
import time

BEAT_SECONDS = 1.5
"""The time between two heartbeats of a process."""
SILENCE_SECONDS = 4.0
"""After this time without a heartbeat a process no longer trusts that it owns its work."""
STALLED_SECONDS = 6.0
"""After this time without a heartbeat others take its work."""
BEGIN_AGAIN_SECONDS = 20.0
"""After this time without a heartbeat it ends all its connections, and begins again."""
DEAD_SECONDS = 120.0
"""A worker that neither beats nor begins again for this time must be started anew."""


class Pulse:
    """The heartbeats of this process that PostgreSQL has taken.

    A process that was suspended, or cut off from PostgreSQL, goes on where it was, although another
    one may have taken over its jobs. Times are those of the monotonic clock.
    """

    def __init__(self) -> None:
        # What a process may write, what others take, and when it gives up exclude each other.
        assert BEAT_SECONDS < SILENCE_SECONDS < STALLED_SECONDS < BEGIN_AGAIN_SECONDS  # noqa: S101
        self._last_beat = time.monotonic()
        self._began_again = self._last_beat
        self._unbroken_since = self._last_beat

    def beat(self) -> None:
        """Note that PostgreSQL has taken a heartbeat."""
        now = time.monotonic()
        if now - self._last_beat > SILENCE_SECONDS:
            self._unbroken_since = now
        self._last_beat = now

    def silence(self) -> float:
        """Return the seconds since the last heartbeat."""
        return time.monotonic() - self._last_beat

    def unbroken_since(self) -> float:
        """Return the time since which no heartbeat has been late; infinity while one is."""
        if self.silence() > SILENCE_SECONDS:
            return math.inf
        return self._unbroken_since

    def is_to_begin_again(self) -> bool:
        """Return whether it is time to begin again; it then counts as done."""
        now = time.monotonic()
        is_time = now - self._worked_at() > BEGIN_AGAIN_SECONDS
        if is_time:
            self._began_again = now
        return is_time

    def is_dead(self) -> bool:
        """Return whether nothing has beaten or begun again for `DEAD_SECONDS`."""
        return time.monotonic() - self._worked_at() > DEAD_SECONDS

    def _worked_at(self) -> float:
        return max(self._last_beat, self._began_again)
