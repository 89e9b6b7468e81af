"""The record of every Web API call."""

import time
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Any

from slack_playground.records import Json

KEPT = 50_000


@dataclass(kw_only=True)
class CallRecord:
    """One call with its request and outcome.

    `team_id` is the workspace that the token belongs to. `outcome` is "ok", Slack's error name,
    "status 500" or "dropped before" / "dropped after"; `executed` says whether the call was
    carried out, independent of the response. `ordered` says that a configured fault or an enabled
    rate limit caused the outcome.
    """

    number: int
    method: str
    args: dict[str, Any]
    time: float
    team_id: str = ""
    ms: float = 0.0
    status: int = 200
    outcome: str = ""
    executed: bool = False
    ordered: bool = False
    result: Json | None = None


class Calls:
    """The last 50,000 calls, numbered from 1, and every failure."""

    def __init__(self) -> None:
        self._record: deque[CallRecord] = deque(maxlen=KEPT)
        self._failures: list[CallRecord] = []
        self.count = 0

    def start(self, method: str, args: dict[str, Any], team_id: str) -> CallRecord:
        """Begin the record of a call."""
        self.count += 1
        call = CallRecord(
            number=self.count, method=method, args=args, time=time.time(), team_id=team_id
        )
        self._record.append(call)
        return call

    def finish(self, call: CallRecord) -> None:
        """End the record of a call that has its outcome."""
        call.ms = round((time.time() - call.time) * 1000, 2)
        if call.outcome != "ok" and not call.ordered:
            self._failures.append(call)

    @property
    def failed(self) -> int:
        """The number of failures."""
        return len(self._failures)

    def failures(self, number: int) -> list[CallRecord]:
        """The failures after number `number`, in the order they were answered."""
        return self._failures[number:]

    def since(self, number: int) -> list[CallRecord]:
        """The calls after number `number`, oldest first."""
        kept = len(self._record)
        return list(islice(self._record, max(0, kept - (self.count - number)), kept))
