"""The journal: the newest requests and what was answered to each."""

from __future__ import annotations

import json
import time
from collections import deque
from typing import Any, Final

JOURNAL_ENTRIES: Final = 2_000
JOURNAL_CHARS: Final = 32_000_000


class Journal:
    """The newest requests, at most 2,000 of them and 32 million characters."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque()
        self._chars = 0
        self._cleared = float("-inf")
        self.last = 0
        """The number of the newest entry ever written."""

    def add(self, *, started: float, body: str, **told: Any) -> None:
        """Write one down. `started` is `time.perf_counter()` at its arrival."""
        if started < self._cleared:
            return
        self.last += 1
        ms = (time.perf_counter() - started) * 1000
        when = {"time": time.time() - ms / 1000, "ms": round(ms, 3)}
        self._entries.append({"n": self.last, **told, **when, "body": body})
        self._chars += len(body)
        while len(self._entries) > JOURNAL_ENTRIES or (
            self._chars > JOURNAL_CHARS and len(self._entries) > 1
        ):
            self._chars -= len(self._entries.popleft()["body"])

    def since(self, number: int) -> list[dict[str, Any]]:
        """The entries after `number`, oldest first, with bodies parsed again if they are JSON."""
        return [
            {**entry, "body": _parsed(entry["body"])}
            for entry in self._entries
            if entry["n"] > number
        ]

    def clear(self) -> None:
        """Forget the entries, those of requests under way too; the numbers go on."""
        self._entries.clear()
        self._chars = 0
        self._cleared = time.perf_counter()


def _parsed(body: str) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body
