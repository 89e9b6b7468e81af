"""An answer as the model writes it, read from the events of one or more responses.

Text goes to the person, commentary becomes a task, and links follow `bot.pipeline.links`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from bot.delivery.splitting import closing_fence, open_fence
from bot.pipeline.links import LinkFilter
from bot.pipeline.reply_sink import AnswerSink
from bot.pipeline.responses.failures import ReplyFailed, failure_of_code
from bot.pipeline.responses.request import Event
from bot.slack.messages import printable
from bot.slack.payloads import storable
from bot.types import COMMENTARY, Citation, CutReason, Reply, Task, TaskState
from memory.formation import TokenUse

MAX_ANSWER = 40_000  # characters of an answer: four messages in Slack
MAX_ITEMS = 64  # output items of one response
_NEAR_THE_END = 2_000  # of these characters: the first sentence that ends there is the last
_BOUNDARY = re.compile(r"\n|[.!?][\"')\]*_]{0,4}\s|[。！？]")


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


_COMMENTARY: Final = "commentary"
_PHASES = (_COMMENTARY, "final_answer")


class ResponseReader:
    """Reads the events of one response into a `StreamedAnswer`.

    `output` holds the items that are complete. `tokens` are those that the response of `model`
    took, empty until it ends.

    Messages, and the text parts within one, become paragraphs of the answer. A message that begins
    with the ``phase`` ``commentary`` is shown as a task and is no part of it. Some servers send
    only part of the events: items of a type for which no event came are read from the response that
    the last event contains.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming, and the schema
    ``MessagePhase`` of https://github.com/openai/openai-openapi
    """

    def __init__(self, written: StreamedAnswer, model: str) -> None:
        self.output: list[Event] = []
        self.tokens: TokenUse = Counter()
        self._model = model
        self._written = written
        self._comments = False
        self._in_message = False
        self._part: object = None
        self._texted = False

    async def read(self, event: Event) -> bool:
        """Take the next event; return whether the response is over.

        Raises `ReplyFailed` for a failure, and for what is not of the API's form.
        """
        match event.get("type"):
            case "response.output_item.added":
                await self._begin_item(event)
            case "response.output_text.delta":
                await self._text(event)
            case "response.refusal.delta":
                await self._text(event, refuses=True)
            case "response.output_text.done":
                await self._written.flush()
            case "response.output_item.done":
                add_item(self.output, event)
                await self._end_item(self.output[-1])
            case "response.completed" | "response.incomplete" as kind:
                await self._read_rest(event)
                await self._written.flush()
                self.tokens = tokens_of(event, self._model)
                self._written.cut = None if kind == "response.completed" else _cut(event)
                return True
            case _:
                raise_if_failed(event)
        return False

    async def _begin_item(self, event: Event) -> None:
        match event.get("item"):
            case {"type": "message", **fields}:
                await self._begin_message()
                self._comments = fields.get("phase") == _COMMENTARY

    async def _begin_message(self) -> None:
        await self._written.new_paragraph()
        self._in_message, self._part = True, None

    async def _text(self, event: Event, *, refuses: bool = False) -> None:
        piece = delta_of(event)
        self._texted = True
        if not self._in_message:
            await self._begin_message()
        part = event.get("output_index"), event.get("content_index")
        if self._part not in (None, part):
            await self._written.new_paragraph()
        self._part = part
        if self._comments:
            self._written.count(piece)
        else:
            await self._written.text(piece, refuses=refuses)

    async def _end_item(self, item: Event) -> None:
        if item["type"] != "message":
            return
        if self._comments:
            await self._written.comment(text_of(item))
        self._comments = self._in_message = False

    async def _read_rest(self, event: Event) -> None:
        """Read the items of a whole response whose types no event has brought."""
        match event:
            case {"response": {"output": list(items)}}:
                seen = {item["type"] for item in self.output}
                for item in items:
                    match item:
                        case {"type": "message" | "function_call" | "reasoning" as kind} if (
                            kind not in seen
                        ):
                            add_item(self.output, {"item": item})
                            await self._show_whole(self.output[-1])

    async def _show_whole(self, item: Event) -> None:
        if item["type"] == "message" and not self._texted:
            await self._begin_item({"item": item})
            if not self._comments:
                await self._written.text(text_of(item))
            await self._end_item(item)


def _cut(event: Event) -> CutReason:
    match event:
        case {"response": {"incomplete_details": {"reason": "content_filter"}}}:
            return "cut_filtered"
    return "cut_short"


def raise_if_failed(event: Event) -> None:
    """Raise `ReplyFailed` for a ``response.failed`` or ``error`` event."""
    match event:
        case {"type": "error"}:
            raise failure_of_code(event.get("code"))
        case {"type": "response.failed", "response": {"error": {"code": code}}}:
            raise failure_of_code(code)
        case {"type": "response.failed"}:
            raise ReplyFailed("model_failed")


def delta_of(event: Event) -> str:
    """Return the text of a delta. Raises `ReplyFailed`."""
    delta = event.get("delta")
    if not isinstance(delta, str):
        raise ReplyFailed("model_malformed")
    return delta


def add_item(items: list[Event], event: Event) -> None:
    """Add the output item of an event. Raises `ReplyFailed`, also for more than `MAX_ITEMS`."""
    if len(items) == MAX_ITEMS:
        raise ReplyFailed("model_malformed")
    items.append(_item_of(event))


def _item_of(event: Event) -> Event:
    """Return an output item, with the fields that its type needs. Raises `ReplyFailed`."""
    item = event.get("item")
    if not isinstance(item, dict):
        raise ReplyFailed("model_malformed")
    match item:
        case {"type": "function_call", "call_id": str(), "name": str(), "arguments": str()}:
            texts = ("call_id", "name", "arguments")
            return {**item, **{name: storable(item[name]) for name in texts}}
        case {"type": "message", "content": list(parts)} if all(map(_is_part, parts)):
            return item
        case {"type": "function_call" | "message"}:
            raise ReplyFailed("model_malformed")
        case {"type": str()}:
            return item
    raise ReplyFailed("model_malformed")


def tokens_of(event: Event, model: str) -> TokenUse:
    """Return the tokens of a completed or incomplete response; empty if it names none."""
    match event:
        case {"response": {"usage": {"total_tokens": int(total), **rest}}}:
            output = _amount(rest.get("output_tokens"), total)
            details = rest.get("input_tokens_details")
            details = details if isinstance(details, dict) else {}
            cached = _amount(details.get("cached_tokens"), total - output)
            written = _amount(details.get("cache_write_tokens"), total - output - cached)
            uncached = max(total - output - cached - written, 0)
            used = {
                (model, "input"): uncached,
                (model, "cache_write"): written,
                (model, "cached"): cached,
                (model, "output"): output,
            }
            return +Counter(used)
    return Counter()


def _amount(value: object, most: int) -> int:
    return min(max(value, 0), max(most, 0)) if isinstance(value, int) else 0


def text_of(item: Event) -> str:
    """Return the text of a message item, its parts joined by blank lines."""
    return "\n\n".join(
        part["text"] for part in item["content"] if part["type"] == "output_text" and part["text"]
    )


def sent_back(output: Sequence[Event]) -> list[Event]:
    """Return the reasoning, messages and calls of a response as input for the next one, in order.

    Messages keep their ``phase``. A reasoning item goes with its encrypted content only: the host
    of the model stored nothing that an id could refer to.

    Source: https://platform.openai.com/docs/guides/reasoning, and the schema ``MessagePhase`` of
    https://github.com/openai/openai-openapi
    """
    return [one for item in output for one in _as_input(item)]


def _as_input(item: Event) -> Iterator[Event]:
    match item:
        case {"type": "reasoning", "id": str(identity), "encrypted_content": str(content)}:
            given = item.get("summary")
            summary = [
                {"type": "summary_text", "text": storable(part["text"])}
                for part in (given if isinstance(given, list) else [])
                if isinstance(part, dict) and isinstance(part.get("text"), str)
            ]
            encrypted = {"id": storable(identity), "encrypted_content": storable(content)}
            yield {"type": "reasoning", **encrypted, "summary": summary}
        case {"type": "message"}:
            phase = {"phase": item["phase"]} if item.get("phase") in _PHASES else {}
            if text := text_of(item):
                yield {"role": "assistant", "content": storable(text), **phase}
        case {"type": "function_call"}:
            called = ("type", "call_id", "name", "arguments")
            yield {name: item[name] for name in called}


def _is_part(part: object) -> bool:
    match part:
        case {"type": "output_text", "text": str()}:
            return True
        case {"type": str(kind)}:
            return kind != "output_text"
    return False
