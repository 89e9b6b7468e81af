"""What the model does besides writing, as a person is told of it while it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["in_progress", "complete", "error"]

WEB_SEARCH = "web_search"
COMMENTARY = "commentary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One call of a tool: `id` names it within an answer, `name` is the tool's.

    `detail` is what it is about: the query of a web search, or the text of commentary, which the
    model writes on its way to the answer.
    """

    id: str
    name: str
    state: State
    detail: str = ""

    @property
    def takes_long(self) -> bool:
        """Whether the person waits for it noticeably: it is shown before there is text."""
        return self.name in (WEB_SEARCH, COMMENTARY)
