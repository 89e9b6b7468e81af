"""What was asked, of Slack or PostgreSQL, kept in this process for a while."""

from __future__ import annotations

import time
from typing import Generic, TypeVar

_MOST = 5_000
_Key = TypeVar("_Key")
_Answer = TypeVar("_Answer")


class KeptAnswers(Generic[_Key, _Answer]):
    """Answers, each kept for some seconds; if there are too many, the oldest is dropped."""

    def __init__(self) -> None:
        # With the time until which each is kept, by the monotonic clock.
        self._kept: dict[_Key, tuple[float, _Answer]] = {}

    def find(self, key: _Key) -> _Answer | None:
        """Return an answer; None if it must be asked for."""
        if key not in self._kept:
            return None
        kept_until, answer = self._kept[key]
        if kept_until <= time.monotonic():
            return None
        return answer

    def keep(self, key: _Key, answer: _Answer, seconds: float) -> None:
        """Keep an answer."""
        kept_until = time.monotonic() + seconds
        self.drop(key)
        self._kept[key] = (kept_until, answer)
        if len(self._kept) > _MOST:
            oldest = next(iter(self._kept))
            self.drop(oldest)

    def drop(self, key: _Key) -> None:
        """Ask again the next time."""
        self._kept.pop(key, None)
