"""What a playground has recorded of the app's calls and of model requests."""

from __future__ import annotations

from collections import Counter

from tests.e2e.messages import asked, told
from tests.playground import Playground

ORDERED = frozenset(
    {
        "ratelimited",
        "internal_error",
        "message_not_in_streaming_state",
        "status 500",
        "dropped before",
        "dropped after",
    }
)


class Record:
    """What the playground has recorded so far of calls and model requests."""

    def __init__(self, workspace: Playground) -> None:
        self._workspace = workspace
        self._calls = int(workspace.control("calls?since=999999999")["last"])
        self._requests = int(workspace.model("journal?since=999999999")["last"])
        self.outcomes: Counter[str] = Counter()
        self.model: Counter[str] = Counter()
        self.asked: list[tuple[str, str]] = []
        self.newest: list[str] = []

    def read(self) -> int:
        """Read on; returns how many calls of Slack were new."""
        calls = self._workspace.control(f"calls?since={self._calls}")
        self._calls = calls["last"]
        if calls["calls"]:
            self.newest = [call["method"] for call in calls["calls"]]
        for call in calls["calls"]:
            self.outcomes[str(call["outcome"])] += 1
        self._read_prompts()
        return len(calls["calls"])

    def _read_prompts(self) -> None:
        journal = self._workspace.model(f"journal?since={self._requests}")
        self._requests = journal["last"]
        for entry in journal["entries"]:
            self.model["good" if entry["status"] == 200 else "failed"] += 1
            # A process that was killed may have sent the beginning of a request only.
            if (
                entry["kind"] == "reply"
                and entry["endpoint"] == "responses"
                and entry["body"]
            ):
                self.asked.append((asked(entry), told(entry)))

    @property
    def refused(self) -> int:
        """How many calls failed by an injected fault."""
        return sum(n for outcome, n in self.outcomes.items() if outcome in ORDERED)

    @property
    def made(self) -> int:
        """How many calls there were."""
        return sum(self.outcomes.values())
