"""What the app sent that Slack, or Slack's guidance, does not want, whatever became of it."""

from collections.abc import Sequence
from dataclasses import dataclass

PAYLOAD_ERRORS = frozenset(
    {
        "invalid_arguments",
        "invalid_attachments",
        "invalid_blocks",
        "invalid_chunks",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "markdown_text_conflict",
        "metadata_too_large",
        "missing_argument",
        "missing_recipient_team_id",
        "missing_recipient_user_id",
        "msg_blocks_too_long",
        "msg_blocks_too_many",
        "no_text",
        "too_many_attachments",
        "view_too_large",
    }
)


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
        """How many there are."""
        return len(self._found)

    def since(self, number: int) -> list[Violation]:
        """Those after number `number`, oldest first."""
        return self._found[number:]
