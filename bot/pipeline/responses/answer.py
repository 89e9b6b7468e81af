"""An answer as the model writes it: text, citations and tools, passed on as they may be shown."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from bot.delivery.splitting import closing_fence, open_fence
from bot.pipeline.links import Links, without_links
from bot.slack.text import printable
from bot.types import COMMENTARY, Citation, CutReason, Reply, Task, TaskState

OnText: TypeAlias = Callable[[str], Awaitable[None]]
OnTask: TypeAlias = Callable[[Task], Awaitable[None]]

MAX_ANSWER = 40_000  # characters of an answer: four messages in Slack
_NEAR_THE_END = 2_000  # of these characters: the first sentence that ends there is the last
_BOUNDARY = re.compile(r"\n|[.!?][\"')\]*_]{0,4}\s|[。！？]")


class Answer:
    """The text of one answer, over all responses of the model that it takes.

    `is_full`: the text, commentary included, has reached `MAX_ANSWER`; what follows is not taken.
    `characters` counts all that the model wrote, shown or not; `searches` its web searches.
    """

    def __init__(self, links: Links, on_text: OnText, on_task: OnTask) -> None:
        self.links = links
        self.cut: CutReason | None = None
        self.is_full = False
        self.characters = 0
        self.searches = 0
        self._on_text = on_text
        self._on_task = on_task
        self._parts: list[str] = []
        self._used = 0
        self._comments = 0
        self._half = ""
        self._citations: dict[str, Citation] = {}
        self._gap = False
        self._refused = False

    async def text(self, piece: str, *, refuses: bool = False) -> None:
        """Take a piece of text."""
        self._refused |= refuses
        self.characters += len(piece)
        piece = self._half + piece
        # JSON can cut a character outside the basic plane into two escapes, one in each piece.
        self._half = piece[-1:] if "\ud800" <= piece[-1:] < "\udc00" else ""
        text = printable(piece.removesuffix(self._half))
        if self._gap:
            text = text.lstrip("\n")
            if not text:
                return
            text, self._gap = self._blank_line() + text, False
        await self._show(self.links.feed(text))

    def cite(self, citations: Sequence[Citation]) -> None:
        """Allow links to the pages that a web search cites in the text that follows."""
        for citation in citations:
            titled = replace(citation, title=without_links(citation.title))
            self._citations.setdefault(citation.url, titled)
            self.links.cite(citation.url)

    async def task(self, identity: str, name: str, state: TaskState, detail: str = "") -> None:
        """Tell of a call of a tool."""
        await self._on_task(Task(id=identity, name=name, state=state, detail=detail))

    async def settle(self) -> None:
        """Show the held text; the text so far has ended."""
        self._half = ""
        await self._show(self.links.settle())

    async def new_paragraph(self) -> None:
        """Separate the text that follows by a blank line: it is another message, or part of one."""
        await self.settle()
        self._gap = bool(self._parts)

    @property
    def mark(self) -> int:
        """The place that the text has reached, for `retract`."""
        return len(self._parts)

    def retract(self, mark: int) -> None:
        """Take the text since `mark` out of the answer: it has turned out to be commentary."""
        del self._parts[mark:]
        self._gap = bool(self._parts)

    def count(self, piece: str) -> None:
        """Count a piece of commentary."""
        self.characters += len(piece)
        self._used += len(piece)
        self.is_full |= self._used >= MAX_ANSWER

    async def comment(self, text: str) -> None:
        """Tell a whole message of commentary as a task; links in it follow the same rules."""
        links = self.links.another()
        shown = " ".join((links.feed(printable(text)) + links.settle()).split())
        if shown:
            self._comments += 1
            await self.task(f"commentary-{self._comments}", COMMENTARY, "complete", shown)

    def whole(self) -> Reply:
        """Return all that has come; a code block that was cut off is closed."""
        text = "".join(self._parts)
        if self.cut and (fence := open_fence(text)):
            text = f"{text.rstrip()}\n{closing_fence(fence)}"
        return Reply(
            text=text,
            citations=tuple(self._citations.values()),
            cut=self.cut,
            refused=self._refused,
        )

    async def _show(self, text: str) -> None:
        if not text or self.is_full:
            return
        text = self._fitting(text)
        self._used += len(text)
        self._parts.append(text)
        await self._on_text(text)

    def _blank_line(self) -> str:
        """Return what makes the text so far end in a blank line."""
        end = "".join(self._parts[-2:])[-2:]
        return "\n" * (2 - len(end) + len(end.rstrip("\n")))

    def _fitting(self, text: str) -> str:
        """Return as much of `text` as the answer may still take."""
        room = MAX_ANSWER - self._used
        boundary = _BOUNDARY.search(text, max(room - _NEAR_THE_END, 0))
        if boundary and room - _NEAR_THE_END < boundary.end() <= room:
            self.is_full = True
            return text[: boundary.end()]
        if len(text) <= room:
            return text
        self.is_full = True
        at = text.rfind(" ", 0, room)
        return text[: at if at > 0 else room]
