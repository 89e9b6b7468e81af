"""The journal: the newest requests and what was answered to each."""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from openai_double.prompt import Kind
from openai_double.request_types import Endpoint

JOURNAL_ENTRIES: Final = 2_000
JOURNAL_CHARS: Final = 32_000_000


@dataclass(kw_only=True)
class Entry:
    """One request and what was answered to it."""

    n: int
    endpoint: Endpoint
    kind: Kind
    time: float
    ms: float
    status: int
    body: str
    answer: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """With the request's body parsed again."""
        try:
            body = json.loads(self.body) if self.body else None
        except ValueError:
            body = self.body
        return {**vars(self), "body": body}


class Journal:
    """The newest requests, at most 2,000 of them and 32 million characters."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._chars = 0
        self._last = 0
        self._cleared = float("-inf")

    def __len__(self) -> int:
        return len(self._entries)

    def add(
        self,
        *,
        endpoint: Endpoint,
        kind: Kind,
        started: float,
        status: int,
        body: str,
        answer: dict[str, Any],
    ) -> None:
        """Write one down. `started` is `time.perf_counter()` at its arrival."""
        if started < self._cleared:
            return
        self._last += 1
        ms = (time.perf_counter() - started) * 1000
        self._entries.append(
            Entry(
                n=self._last,
                endpoint=endpoint,
                kind=kind,
                time=time.time() - ms / 1000,
                ms=round(ms, 3),
                status=status,
                body=body,
                answer=answer,
            )
        )
        self._chars += len(body)
        while len(self._entries) > JOURNAL_ENTRIES or (
            self._chars > JOURNAL_CHARS and len(self._entries) > 1
        ):
            self._chars -= len(self._entries.popleft().body)

    def since(self, number: int) -> list[dict[str, Any]]:
        """The entries after `number`, oldest first."""
        return [entry.as_json() for entry in self._entries if entry.n > number]

    @property
    def last(self) -> int:
        """The number of the newest entry ever written."""
        return self._last

    def clear(self) -> None:
        """Forget the entries, those of requests under way too; the numbers go on."""
        self._entries.clear()
        self._chars = 0
        self._cleared = time.perf_counter()
