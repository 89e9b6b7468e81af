"""What was asked, of Slack or PostgreSQL, kept in this process for a while."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Generic, TypeVar

_MOST = 5_000
_Key = TypeVar("_Key")
_Answer = TypeVar("_Answer")


class KeptAnswers(Generic[_Key, _Answer]):
    """Answers, each kept for some seconds; of too many the oldest give way."""

    def __init__(self) -> None:
        # With the time until which each is kept, by the monotonic clock.
        self._kept: dict[_Key, tuple[float, _Answer]] = {}

    def find(self, key: _Key) -> _Answer | None:
        """Return an answer; None if it must be asked for."""
        kept_until, answer = self._kept.get(key, (0.0, None))
        return answer if kept_until > time.monotonic() else None

    def keep(self, key: _Key, answer: _Answer, seconds: float) -> None:
        """Keep an answer."""
        self.drop(key)
        self._kept[key] = (time.monotonic() + seconds, answer)
        if len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]

    def drop(self, key: _Key) -> None:
        """Ask again the next time."""
        self._kept.pop(key, None)

    def items(self) -> Iterator[tuple[_Key, _Answer]]:
        """Yield all answers that can be found, with their keys."""
        now = time.monotonic()
        for key, (kept_until, answer) in self._kept.items():
            if kept_until > now:
                yield key, answer
