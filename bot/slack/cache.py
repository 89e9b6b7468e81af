"""What was asked of Slack, remembered in this process for a while."""

from __future__ import annotations

import time
from typing import Generic, TypeVar

_MOST = 5_000
_Key = TypeVar("_Key")
_Answer = TypeVar("_Answer")


class Cache(Generic[_Key, _Answer]):
    """Answers, each trusted for some seconds; if there are too many, the oldest is dropped."""

    def __init__(self) -> None:
        # With the time until which each is trusted, by the monotonic clock.
        self._answers: dict[_Key, tuple[float, _Answer]] = {}

    def find(self, key: _Key) -> _Answer | None:
        """Return an answer; None if it must be asked for."""
        if key not in self._answers:
            return None
        trusted_until, answer = self._answers[key]
        if trusted_until <= time.monotonic():
            return None
        return answer

    def keep(self, key: _Key, answer: _Answer, seconds: float) -> None:
        """Add an answer."""
        self.drop(key)
        self._answers[key] = (time.monotonic() + seconds, answer)
        if len(self._answers) > _MOST:
            oldest = next(iter(self._answers))
            self.drop(oldest)

    def drop(self, key: _Key) -> None:
        """Ask again the next time."""
        self._answers.pop(key, None)
