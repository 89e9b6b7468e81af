"""What was asked and answered: the newest requests, and every body if that is switched on."""

from __future__ import annotations

import json
import time
from collections import deque
from typing import Any, Literal

from openai_double.types import Json

What = Literal["request", "event", "object", "error"]


class Journal:
    """The newest 2,000 requests and their answers."""

    def __init__(self) -> None:
        self._entries: deque[Json] = deque(maxlen=2_000)
        self._cleared = float("-inf")
        self.last = 0
        """The number of the newest entry ever written."""

    def add(self, *, started: float, **fields: Any) -> None:
        """Add a request. `started` is `time.perf_counter()` at its arrival."""
        if started < self._cleared:
            return
        self.last += 1
        seconds = time.perf_counter() - started
        entry = {
            "n": self.last,
            **fields,
            "time": time.time() - seconds,
            "ms": round(seconds * 1000, 3),
        }
        self._entries.append(entry)

    def since(self, number: int) -> list[Json]:
        """The entries after `number`, oldest first."""
        return [entry for entry in self._entries if entry["n"] > number]

    def clear(self) -> None:
        """Delete the entries, including those of requests in progress; the numbers continue."""
        self._entries.clear()
        self._cleared = time.perf_counter()


class TrafficLog:
    """All bodies since they were last taken: requests, events, whole answers and errors."""

    def __init__(self) -> None:
        self._records: list[Json] = []
        self._last = 0

    def add(self, what: What, endpoint: str, body: str) -> None:
        """Record a body, which is JSON text."""
        self._last += 1
        record = {
            "n": self._last,
            "what": what,
            "endpoint": endpoint,
            "body": json.loads(body),
        }
        self._records.append(record)

    def after(self, number: int) -> Json:
        """Return the records after `number`; earlier ones are dropped."""
        self._records = [record for record in self._records if record["n"] > number]
        return {"records": self._records, "last": self._last}
