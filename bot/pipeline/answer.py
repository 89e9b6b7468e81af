"""An answer as the model writes it, read from the events of one or more responses.

Text goes to the person, commentary becomes a task, and links follow `bot.pipeline.links`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from bot.delivery.reply_stream import closing_fence, open_fence
from bot.pipeline.links import LinkFilter, normal
from bot.pipeline.model import Cause, Event, ReplyFailed, failure_of_code
from bot.slack.messages import objects, storable
from bot.types import COMMENTARY, Citation, CutReason, Reply, Task

MAX_ANSWER = 40_000  # characters of an answer: four messages in Slack
MAX_ITEMS = 64  # output items of one response
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_PHASES = (COMMENTARY, "final_answer")
_CALL = ("type", "call_id", "name", "arguments")


class AnswerSink(Protocol):
    """What an answer is written to while the model gives it: a stream in Slack, or a buffer.

    Each method may raise `bot.conversation.inbox.Interrupted`: the answer must end.
    """

    async def check(self) -> None:
        """Do nothing but raise `Interrupted` if the answer must end."""

    async def write(self, piece: str) -> None:
        """Take a piece of the answer."""

    async def task(self, task: Task) -> None:
        """Show the state of a tool call, or commentary."""


def printable(text: str) -> str:
    """Return a model's text without control characters; halves of characters become U+FFFD."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _CONTROL.sub("", whole)


class StreamedAnswer:
    """The text of one answer, over all responses of the model that it takes.

    `characters` counts what the model wrote, commentary included; `is_full`: they have reached
    `MAX_ANSWER`, and what follows is not taken. Of the response that is read, `output` holds the
    items that are complete, `response` is the whole one when it has ended, else None.

    Messages, and the text parts within one, become paragraphs of the answer. A message that begins
    with the ``phase`` ``commentary`` is shown as a task and is no part of it. Some servers send no
    events of items: these are then read from the response that the last event contains.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming, and the schema
    ``MessagePhase`` of https://github.com/openai/openai-openapi
    """

    def __init__(self, links: LinkFilter, sink: AnswerSink) -> None:
        self.links = links
        self.sink = sink
        self.characters = 0
        self._parts: list[str] = []
        self._half = ""
        self._citations: dict[str, Citation] = {}
        self._comments = 0
        self._gap = self._refused = False
        self.begin_response()

    def begin_response(self) -> None:
        """Begin to read another response."""
        self.cut: CutReason | None = None
        self.output: list[Event] = []
        self.response: Event | None = None
        self._part: object = None
        self._is_comment = False

    @property
    def is_full(self) -> bool:
        """Whether the text has reached its limit."""
        return self.characters >= MAX_ANSWER

    async def read(self, event: Event) -> None:
        """Take the next event of a response.

        Raises `ReplyFailed` for a failure, and for what is not of the API's form.
        """
        match event:
            case {"type": "response.output_text.delta" | "response.refusal.delta" as kind}:
                self._refused |= kind == "response.refusal.delta"
                await self._read_text(event)
            case {"type": "response.output_item.added", "item": {"type": "message", **fields}}:
                self._part, self._is_comment = None, fields.get("phase") == COMMENTARY
            case {"type": "response.output_item.done"}:
                item = self._add(event.get("item"))
                if item["type"] == "message":
                    if self._is_comment:
                        await self._comment(text_of(item))
                    self._is_comment = False
            case {"type": "response.completed" | "response.incomplete" as kind}:
                response = event.get("response")
                self.response = response if isinstance(response, dict) else {}
                await self._read_items(self.response)
                await self.flush()
                if kind == "response.incomplete":
                    filtered = "content_filter" in str(self.response.get("incomplete_details"))
                    self.cut = "cut_filtered" if filtered else "cut_short"
            case {"type": "error"}:
                raise failure_of_code(event.get("code"))
            case {"type": "response.failed", "response": {"error": {"code": code}}}:
                raise failure_of_code(code)
            case {"type": "response.failed"}:
                raise ReplyFailed("model_failed")

    def cite(self, citations: Sequence[Citation]) -> None:
        """Allow links to the pages that a web search cites in the text that follows."""
        for citation in citations:
            titled = replace(citation, title=self.line(citation.title))
            self._citations.setdefault(citation.url, titled)
            self.links.known.add(normal(citation.url))

    def line(self, text: str) -> str:
        """Return another text as one line; links in it follow the same rules."""
        links = LinkFilter(self.links.known)
        return " ".join((links.feed(printable(text)) + links.flush()).split())

    async def flush(self) -> None:
        """Show the text that was held back; a piece of text has ended."""
        self._half = ""
        await self._show(self.links.flush())

    def whole(self, without_text: Cause = "model_empty") -> Reply:
        """Return the whole answer; close a code block that was cut off.

        Raises `ReplyFailed` with `without_text` for an answer without text.
        """
        text = "".join(self._parts)
        if not text.strip():
            raise ReplyFailed("model_policy" if self.cut == "cut_filtered" else without_text)
        if self.cut and (fence := open_fence(text)):
            text = f"{text.rstrip()}\n{closing_fence(fence)}"
        citations = tuple(self._citations.values())
        return Reply(text=text, citations=citations, cut=self.cut, refused=self._refused)

    async def _read_text(self, event: Event) -> None:
        piece = event.get("delta")
        if not isinstance(piece, str):
            raise ReplyFailed("model_malformed")
        part = event.get("output_index"), event.get("content_index")
        if part != self._part:
            await self._new_paragraph()
            self._part = part
        await self._write(piece)

    async def _read_items(self, response: Event) -> None:
        """Read the items of a whole response, where no event has brought any."""
        for one in [] if self.output else objects(response.get("output")):
            item = self._add(one)
            if item["type"] == "message" and self._part is None:
                if item.get("phase") == COMMENTARY:
                    await self._comment(text_of(item))
                else:
                    await self._new_paragraph()
                    await self._write(text_of(item))

    def _add(self, item: object) -> Event:
        if len(self.output) == MAX_ITEMS:
            raise ReplyFailed("model_malformed")
        self.output.append(_checked(item))
        return self.output[-1]

    async def _comment(self, text: str) -> None:
        """Tell a whole message of commentary as a task."""
        if shown := self.line(text):
            self._comments += 1
            identity = f"commentary-{self._comments}"
            await self.sink.task(Task(id=identity, name=COMMENTARY, state="complete", detail=shown))

    async def _new_paragraph(self) -> None:
        """Separate the text that follows by a blank line: it is another message, or part of one."""
        await self.flush()
        self._gap = bool(self._parts)

    async def _write(self, piece: str) -> None:
        room = max(MAX_ANSWER - self.characters, 0)
        self.characters += len(piece)
        if self._is_comment:
            return
        if len(piece) > room:
            piece = piece[: piece.rfind(" ", 0, room) + 1] or piece[:room]
        piece = self._half + piece
        # JSON can cut a character outside the basic plane into two escapes, one in each piece.
        self._half = piece[-1:] if "\ud800" <= piece[-1:] < "\udc00" else ""
        text = printable(piece.removesuffix(self._half))
        if self._gap:
            text = text.lstrip("\n")
            if not text:
                return
            end = "".join(self._parts[-2:])[-2:]
            text = "\n" * (2 - len(end) + len(end.rstrip("\n"))) + text
            self._gap = False
        await self._show(self.links.feed(text))

    async def _show(self, text: str) -> None:
        if text:
            self._parts.append(text)
            await self.sink.write(text)


def _checked(item: object) -> Event:
    """Return an output item, of a call the fields that are sent back. Raises `ReplyFailed`."""
    given: Event = item if isinstance(item, dict) else {}
    match given:
        case {"type": "function_call", "call_id": str(), "name": str(), "arguments": str()}:
            return {name: storable(given[name]) for name in _CALL}
        case {"type": str(kind)} if kind != "function_call":
            return given
    raise ReplyFailed("model_malformed")


def text_of(item: Mapping[str, Any]) -> str:
    """Return the text of a message item, its parts joined by blank lines."""
    texts = [
        part.get("text")
        for part in objects(item.get("content"))
        if part.get("type") == "output_text"
    ]
    return "\n\n".join(text for text in texts if isinstance(text, str) and text)


def sent_back(output: Sequence[Event]) -> list[Event]:
    """Return the reasoning, messages and calls of a response as input for the next one, in order.

    Messages keep their ``phase``. A reasoning item goes with its encrypted content only: the host
    of the model stored nothing that an id could refer to.

    Source: https://platform.openai.com/docs/guides/reasoning, and the schema ``MessagePhase`` of
    https://github.com/openai/openai-openapi
    """
    items: list[Event] = []
    for item in output:
        match item:
            case {"type": "reasoning", "id": str(identity), "encrypted_content": str(content)}:
                encrypted = {"id": storable(identity), "encrypted_content": storable(content)}
                items.append({"type": "reasoning", **encrypted, "summary": []})
            case {"type": "message"} if text := text_of(item):
                phase = {"phase": item["phase"]} if item.get("phase") in _PHASES else {}
                items.append({"role": "assistant", "content": storable(text), **phase})
            case {"type": "function_call"}:
                items.append(item)
    return items
