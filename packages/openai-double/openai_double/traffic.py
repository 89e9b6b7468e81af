"""Recorded requests and responses, for tests that check them against OpenAI's schemas."""

from __future__ import annotations

import json
from collections import deque
from typing import Literal

from openai_double.request_types import Endpoint

What = Literal["request", "event", "object", "error"]


class Traffic:
    """The records since they were last taken; none unless the setting `record_traffic` is on.

    A record is a request's body, one event of a stream, a whole answer, or an error's body.
    """

    def __init__(self) -> None:
        self._records: deque[tuple[int, str]] = deque()
        self._last = 0

    def add(self, what: What, endpoint: Endpoint, body: str) -> None:
        """Record a body, which is JSON text."""
        self._last += 1
        head = json.dumps({"n": self._last, "what": what, "endpoint": endpoint})
        self._records.append((self._last, f'{head[:-1]}, "body": {body}}}'))

    def after(self, number: int) -> str:
        """Return, as JSON text, the records after `number`; those before are dropped."""
        while self._records and self._records[0][0] <= number:
            self._records.popleft()
        records = ",".join(record for _, record in self._records)
        return f'{{"records": [{records}], "last": {self._last}}}'
