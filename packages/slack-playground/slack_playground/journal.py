"""Journals of what the app did: every Web API call, failures, violations of Slack's guidance."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from slack_playground.records import Json

UNSEEN = "an ephemeral message in a thread without replies is shown to nobody"
"""Slack accepts such a call and answers ok."""
STREAMED = "a message that was streamed keeps its text: an update is added to it"
"""Two live workspaces showed such a message twice, a third did not. Source: docs/reality.md"""
_Entry = TypeVar("_Entry", bound="Entry")


@dataclass(kw_only=True)
class Entry:
    """An entry of a journal; `number` begins with 1."""

    number: int = 0


class Journal(Generic[_Entry]):
    """The newest 50,000 entries, numbered from 1."""

    def __init__(self) -> None:
        self._entries: deque[_Entry] = deque(maxlen=50_000)
        self.count = 0

    def add(self, entry: _Entry) -> _Entry:
        """Keep an entry, and give it its number."""
        self._entries.append(entry)
        self.count += 1
        entry.number = self.count
        return entry

    def since(self, number: int) -> list[_Entry]:
        """The entries after number `number`, oldest first."""
        return [entry for entry in self._entries if entry.number > number]


@dataclass(kw_only=True)
class CallRecord(Entry):
    """One call with its request and outcome.

    `outcome` is "ok", Slack's error name, "status 500" or "dropped before" / "dropped after";
    `executed` says whether the call was carried out, independent of the response. `injected` says
    that a configured fault or an enabled rate limit caused the outcome.
    """

    method: str
    args: Json
    time: float = field(default_factory=time.time)
    ms: float = 0.0
    status: int = 200
    outcome: str = ""
    executed: bool = False
    injected: bool = False
    result: Json | None = None


@dataclass(kw_only=True)
class Failure(Entry):
    """A call that failed without a configured fault; `messages` is what Slack adds to `error`."""

    method: str
    error: str
    messages: list[str]


@dataclass(kw_only=True)
class Violation(Entry):
    """One invalid payload; `where` is the method, or what the payload answered."""

    where: str
    what: str


class Violations(Journal[Violation]):
    """The journal of messages that do not follow Slack's guidance, and invalid acks."""

    def add_all(self, where: str, sentences: Sequence[str]) -> None:
        """Record what is wrong with one payload."""
        for what in sentences:
            self.add(Violation(where=where, what=what))
