"""Values that several packages of bot share: an answer, its tasks, the receipt of an erasure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from memory import Erased

CutReason: TypeAlias = Literal["cut_short", "cut_filtered", "cut_loop"]
TaskState: TypeAlias = Literal["in_progress", "complete", "error"]

WEB_SEARCH = "web_search"
COMMENTARY = "commentary"
FILES_ALONE = "[files]"
FORWARDED_ALONE = "[forwarded]"
"""Stored below a question, or as one, for what came with it."""
KEPT_ANSWER = "(answered from what is kept here)"
"""Stored instead of an answer that repeats what somebody keeps for a conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One tool call: `id` names it within an answer, `name` is the tool's.

    `detail` is what it is about: the query of a web search, or the text of commentary, which the
    model writes on its way to the answer.
    """

    id: str
    name: str
    state: TaskState
    detail: str = ""

    @property
    def takes_long(self) -> bool:
        """Whether the person notices the wait, so that it is shown before there is text."""
        return self.name in (WEB_SEARCH, COMMENTARY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A page that a web search cites."""

    url: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer in Markdown.

    `cut` is set if the answer was cut off: at a limit of length or time (``cut_short``), at the
    provider's content filter (``cut_filtered``), or because it only repeated itself (``cut_loop``).
    """

    text: str
    citations: tuple[Citation, ...] = ()
    cut: CutReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonErased(Erased):
    """The receipt: what was erased, and what stays.

    `never_formed_messages` counts messages (channel and time) from which no memory is formed
    again, and `switches` the places (a conversation, a thread, or everywhere) in which memory
    stays off.
    """

    never_formed_messages: int
    switches: int = 0
