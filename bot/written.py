"""An answer as the model writes it: words, citations and tools, handed on as they may be shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bot.links import Links
from bot.tasks import State, Task

OnText: TypeAlias = Callable[[str], Awaitable[None]]
OnTask: TypeAlias = Callable[[Task], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A page that a web search cites."""

    url: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer in Markdown.

    `cut_short` says that the model ran into its length limit, `refused` that it would not answer.
    """

    text: str
    citations: tuple[Citation, ...] = ()
    cut_short: bool = False
    refused: bool = False


class Written:
    """What has come of one answer, over all responses of the model that it takes."""

    def __init__(self, links: Links, on_text: OnText, on_task: OnTask) -> None:
        self.links = links
        self.cut_short = False
        self._on_text = on_text
        self._on_task = on_task
        self._parts: list[str] = []
        self._citations: dict[str, Citation] = {}
        self._gap = False
        self._refused = False

    async def text(self, piece: str, *, refuses: bool = False) -> None:
        """Take a piece of text."""
        self._refused |= refuses
        await self._show(self.links.feed(piece))

    def cite(self, citations: Sequence[Citation]) -> None:
        """Allow links to the pages that a web search cites in the text that follows."""
        for citation in citations:
            self._citations.setdefault(citation.url, citation)
            self.links.cite(citation.url)

    async def task(self, identity: str, name: str, state: State, detail: str = "") -> None:
        """Tell of a call of a tool."""
        await self._on_task(Task(id=identity, name=name, state=state, detail=detail))

    async def settle(self) -> None:
        """No more is said of the text so far: show what was held of it."""
        await self._show(self.links.settle())

    def response_over(self) -> None:
        """What comes next is another response of the model: a paragraph of its own."""
        self._gap = bool(self._parts)

    def whole(self) -> Reply:
        """Return all that has come."""
        return Reply(
            text="".join(self._parts),
            citations=tuple(self._citations.values()),
            cut_short=self.cut_short,
            refused=self._refused,
        )

    async def _show(self, text: str) -> None:
        if not text:
            return
        text, self._gap = f"\n\n{text}" if self._gap else text, False
        self._parts.append(text)
        await self._on_text(text)
