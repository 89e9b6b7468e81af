"""Values that several packages of bot share: an answer, the receipt of an erasure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

CutReason: TypeAlias = Literal["cut_short", "cut_filtered", "cut_loop", "cut_ended"]

COMMENTARY = "commentary"
"""The phase of what a model writes on its way to the answer."""
FILES_ALONE = "[files]"
FORWARDED_ALONE = "[forwarded]"
"""Stored below a question, or as one, for what came with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A page that a web search cites."""

    url: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer in Markdown.

    `cut` is set if the answer was cut off: at a limit of length or time (``cut_short``), at the
    provider's content filter (``cut_filtered``), because it only repeated itself (``cut_loop``), or
    perhaps, because its server ended it without saying so (``cut_ended``). `cited` are the marks of
    memories and kept lines that it rests on. `links` are the addresses that may be links in it, as
    `bot.answering.links` knows them. `is_refusal`: it only says why the model does not answer.
    """

    text: str
    cited: tuple[str, ...] = ()
    citations: tuple[Citation, ...] = ()
    links: frozenset[str] = frozenset()
    cut: CutReason | None = None
    is_refusal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonErased:
    """The receipt: when what was erased, and what stays.

    `counts` are the deleted rows by table, of which `memories` were memories, and `left` those that
    are still found afterwards. `never_formed_messages` counts messages (channel and time) from
    which no memory is formed again, and `switches` the places (a conversation, or everywhere) in
    which memory stays off.
    """

    at: datetime
    memories: int
    counts: Mapping[str, int]
    left: Mapping[str, int]
    never_formed_messages: int
    switches: int = 0

    @property
    def total(self) -> int:
        """The number of deleted rows."""
        return sum(self.counts.values())
