"""Violations: messages that do not follow Slack's guidance, and invalid acks."""

from collections.abc import Sequence
from dataclasses import dataclass

UNSEEN = "an ephemeral message in a thread without replies is shown to nobody"
"""Slack takes such a call and answers ok."""
STREAMED = "a message that was streamed keeps its text: an update is added to it"
"""Two live workspaces showed such a message twice, a third did not. Source: docs/reality.md"""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One payload that is not as it must be; `where` is a method, or what it answered."""

    number: int
    where: str
    what: str


class Violations:
    """All of them, numbered from 1."""

    def __init__(self) -> None:
        self._found: list[Violation] = []

    def add(self, where: str, sentences: Sequence[str]) -> None:
        """Keep what is wrong with one payload."""
        for what in sentences:
            self._found.append(Violation(number=self.count + 1, where=where, what=what))

    @property
    def count(self) -> int:
        """The number of violations."""
        return len(self._found)

    def since(self, number: int) -> list[Violation]:
        """Those after number `number`, oldest first."""
        return self._found[number:]
