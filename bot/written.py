"""An answer as the model writes it: words, citations and tools, handed on as they may be shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from bot.links import Links
from bot.tasks import WEB_SEARCH, State, Task

OnText: TypeAlias = Callable[[str], Awaitable[None]]
OnTask: TypeAlias = Callable[[Task], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A page the answer cites."""

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

    async def annotation(self, annotation: dict[str, Any]) -> None:
        """Take what is said of a piece of text: it may cite a page."""
        url = str(annotation.get("url") or "")
        if annotation.get("type") == "url_citation" and url.startswith(("http://", "https://")):
            title = str(annotation.get("title") or url)
            self._citations.setdefault(url, Citation(url=url, title=title))
            await self._show(self.links.cite(url))

    async def item(self, item: dict[str, Any], state: State) -> None:
        """Take an item of the output that begins or ends: it may be a search of the web."""
        if item.get("type") != "web_search_call":
            return
        self.links.searching = True
        failed = item.get("status") == "failed"
        await self.task(str(item.get("id")), WEB_SEARCH, "error" if failed else state)

    async def task(self, identity: str, name: str, state: State) -> None:
        """Tell of a call of a tool."""
        await self._on_task(Task(id=identity, name=name, state=state))

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
