"""An answer as the model writes it, read from the events of one or more responses.

Text goes to the person, commentary becomes a task, and links follow `bot.pipeline.links`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from bot.delivery.reply_stream import closing_fence, open_fence
from bot.pipeline.links import LinkFilter
from bot.pipeline.model import Event, ReplyFailed, failure_of_code, tokens_of
from bot.slack.messages import objects, storable
from bot.types import COMMENTARY, Citation, CutReason, Reply, Task, TaskState
from memory.formation import TokenUse

MAX_ANSWER = 40_000  # characters of an answer: four messages in Slack
MAX_ITEMS = 64  # output items of one response
_NEAR_THE_END = 2_000  # of these characters: the first sentence that ends there is the last
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_BOUNDARY = re.compile(r"\n|[.!?][\"')\]*_]{0,4}\s|[。！？]")
_PHASES = (COMMENTARY, "final_answer")
_CALL = ("type", "call_id", "name", "arguments")


class AnswerSink(Protocol):
    """What an answer is written to while the model gives it: a stream in Slack, or a buffer.

    Each method may raise `bot.conversation.claimed_message.Interrupted`: the answer must end.
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

    `is_full`: the text, commentary included, has reached `MAX_ANSWER`; what follows is not taken.
    `characters` counts all that the model wrote, shown or not; `calls` the tool calls that were
    carried out, `searches` the web searches among them.
    """

    def __init__(self, links: LinkFilter, sink: AnswerSink) -> None:
        self.links = links
        self.sink = sink
        self.cut: CutReason | None = None
        self.is_full = False
        self.characters = 0
        self.calls = 0
        self.searches = 0
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
            titled = replace(citation, title=self.line(citation.title))
            self._citations.setdefault(citation.url, titled)
            self.links.cite(citation.url)

    async def task(self, identity: str, name: str, state: TaskState, detail: str = "") -> None:
        """Show the state of a tool call."""
        await self.sink.task(Task(id=identity, name=name, state=state, detail=detail))

    async def flush(self) -> None:
        """Show the text that was held back; a piece of text has ended."""
        self._half = ""
        await self._show(self.links.flush())

    async def new_paragraph(self) -> None:
        """Separate the text that follows by a blank line: it is another message, or part of one."""
        await self.flush()
        self._gap = bool(self._parts)

    def count(self, piece: str) -> None:
        """Count a piece of commentary."""
        self.characters += len(piece)
        self._used += len(piece)
        self.is_full |= self._used >= MAX_ANSWER

    def line(self, text: str) -> str:
        """Return another text as one line; links in it follow the same rules."""
        links = self.links.another()
        return " ".join((links.feed(printable(text)) + links.flush()).split())

    async def comment(self, text: str) -> None:
        """Tell a whole message of commentary as a task."""
        if shown := self.line(text):
            self._comments += 1
            await self.task(f"commentary-{self._comments}", COMMENTARY, "complete", shown)

    def whole(self) -> Reply:
        """Return the whole answer; close a code block that was cut off."""
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
        await self.sink.write(text)

    def _blank_line(self) -> str:
        """Return what makes the text so far end in a blank line."""
        end = "".join(self._parts[-2:])[-2:]
        return "\n" * (2 - len(end) + len(end.rstrip("\n")))

    def _fitting(self, text: str) -> str:
        """Return as much of `text` as the answer may still take."""
        left = MAX_ANSWER - self._used
        boundary = _BOUNDARY.search(text, max(left - _NEAR_THE_END, 0))
        at = boundary.end() if boundary else 0
        if left - _NEAR_THE_END < at <= left:
            self.is_full = True
        elif len(text) <= left:
            return text
        else:
            self.is_full = True
            at = max(text.rfind(" ", 0, left), 0) or left
        kept, line = text[:at], text[text.rfind("\n", 0, at) + 1 : at]
        # Half a code span is no code, and names in it could become links.
        return kept[: kept.rfind("`")] if line.count("`") % 2 else kept


class ResponseReader:
    """Reads the events of one response into a `StreamedAnswer`.

    `output` holds the items that are complete. `tokens` are those that the response of `model`
    took, empty until it ends.

    Messages, and the text parts within one, become paragraphs of the answer. A message that begins
    with the ``phase`` ``commentary`` is shown as a task and is no part of it. Some servers send no
    events of items: these are then read from the response that the last event contains.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming, and the schema
    ``MessagePhase`` of https://github.com/openai/openai-openapi
    """

    def __init__(self, written: StreamedAnswer, model: str) -> None:
        self.output: list[Event] = []
        self.tokens: TokenUse = Counter()
        self._model = model
        self._written = written
        self._comments = False
        self._part: object = None
        self._texted = False

    async def read(self, event: Event) -> bool:
        """Take the next event; return whether the response is over.

        Raises `ReplyFailed` for a failure, and for what is not of the API's form.
        """
        match event:
            case {"type": "response.output_item.added", "item": {"type": "message", **fields}}:
                await self._written.new_paragraph()
                self._part, self._comments = None, fields.get("phase") == COMMENTARY
            case {"type": "response.output_text.delta" | "response.refusal.delta" as kind}:
                await self._text(event, refuses=kind == "response.refusal.delta")
            case {"type": "response.output_text.done"}:
                await self._written.flush()
            case {"type": "response.output_item.done"}:
                await self._end_item(event.get("item"))
            case {"type": "response.completed" | "response.incomplete" as kind}:
                response = event.get("response")
                response = response if isinstance(response, dict) else {}
                await self._read_items(response)
                await self._written.flush()
                self.tokens = tokens_of(response, self._model)
                self._written.cut = None if kind == "response.completed" else _cut(response)
                return True
            case {"type": "error"}:
                raise failure_of_code(event.get("code"))
            case {"type": "response.failed", "response": {"error": {"code": code}}}:
                raise failure_of_code(code)
            case {"type": "response.failed"}:
                raise ReplyFailed("model_failed")
        return False

    async def _text(self, event: Event, *, refuses: bool) -> None:
        piece = event.get("delta")
        if not isinstance(piece, str):
            raise ReplyFailed("model_malformed")
        part = event.get("output_index"), event.get("content_index")
        # The first text of a message whose beginning came without an event follows other responses.
        if not self._texted or self._part not in (None, part):
            await self._written.new_paragraph()
        self._part, self._texted = part, True
        if self._comments:
            self._written.count(piece)
        else:
            await self._written.text(piece, refuses=refuses)

    def _add(self, item: object) -> Event:
        if len(self.output) == MAX_ITEMS:
            raise ReplyFailed("model_malformed")
        self.output.append(_checked(item))
        return self.output[-1]

    async def _end_item(self, item: object) -> None:
        ended = self._add(item)
        if ended["type"] == "message":
            if self._comments:
                await self._written.comment(text_of(ended))
            self._comments = False

    async def _read_items(self, response: Event) -> None:
        """Read the items of a whole response, where no event has brought any."""
        for one in [] if self.output else objects(response.get("output")):
            item = self._add(one)
            if item["type"] == "message" and not self._texted:
                if item.get("phase") == COMMENTARY:
                    await self._written.comment(text_of(item))
                else:
                    await self._written.new_paragraph()
                    await self._written.text(text_of(item))


def _cut(response: Event) -> CutReason:
    match response:
        case {"incomplete_details": {"reason": "content_filter"}}:
            return "cut_filtered"
    return "cut_short"


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
                summary = [
                    {"type": "summary_text", "text": storable(part["text"])}
                    for part in objects(item.get("summary"))
                    if isinstance(part.get("text"), str)
                ]
                encrypted = {"id": storable(identity), "encrypted_content": storable(content)}
                items.append({"type": "reasoning", **encrypted, "summary": summary})
            case {"type": "message"} if text := text_of(item):
                phase = {"phase": item["phase"]} if item.get("phase") in _PHASES else {}
                items.append({"role": "assistant", "content": storable(text), **phase})
            case {"type": "function_call"}:
                items.append(item)
    return items
