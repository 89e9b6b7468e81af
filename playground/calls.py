"""The record of every Web API call."""

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Any

from playground.records import Json

KEPT = 50_000


@dataclass(kw_only=True)
class CallRecord:
    """One call: what was asked and what came of it.

    `outcome` is "ok", Slack's error name, "status 500" or "dropped before" / "dropped after";
    `executed` says whether the call did its work, whatever the caller was told.
    """

    number: int
    method: str
    args: dict[str, Any]
    time: float
    ms: float = 0.0
    status: int = 200
    outcome: str = ""
    executed: bool = False
    result: Json | None = None


class Calls:
    """The last 50,000 calls, numbered from 1."""

    def __init__(self) -> None:
        self._record: deque[CallRecord] = deque(maxlen=KEPT)
        self.count = 0

    def start(self, method: str, args: dict[str, Any], time: float) -> CallRecord:
        """Begin the record of a call."""
        self.count += 1
        call = CallRecord(number=self.count, method=method, args=args, time=time)
        self._record.append(call)
        return call

    def since(self, number: int) -> list[CallRecord]:
        """The calls after number `number`, oldest first."""
        kept = len(self._record)
        return list(islice(self._record, max(0, kept - (self.count - number)), kept))
