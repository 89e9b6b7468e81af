"""The answer that the events of a model's responses add up to, as it is streamed."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from bot.answering.filters import (
    AnswerNames,
    CitationFilter,
    LoopDetector,
    without_repetitions,
)
from bot.answering.links import LinkFilter, filter_links, normal
from bot.answering.output_items import (
    Item,
    checked_item,
    is_refusal,
    printable,
    raw_text_of,
)
from bot.delivery.reply_sink import ReplySink
from bot.delivery.splitting import closing_fence, open_fence
from bot.models.failures import Cause, ReplyFailed, failed_by
from bot.models.model import Event
from bot.types import COMMENTARY, Citation, CutReason, Reply
from memory.model import ThoughtFilter, model_error_in, objects

log = logging.getLogger(__name__)

MAX_ANSWER = 40_000  # characters of an answer: four messages in Slack
MAX_ITEMS = 64  # output items of one response


class StreamedAnswer:
    """The text of one answer, over all responses of the model that it takes.

    `characters` counts what the model wrote, commentary and thoughts included; `is_over`: the text
    has reached `MAX_ANSWER` or only repeats itself, and no more is taken. `output` holds the items
    that are complete in the response being read; `response` is the whole response once it has
    ended, else None. The model's thoughts are left out: see `memory.model.thoughts`.

    Messages, and the text parts within one, become paragraphs of the answer. A message that begins
    with the ``phase`` ``commentary`` is no part of it. Some servers send no events of items: these
    are then read from the response that the last event contains. Text that comes in no pieces is
    read from its item; where pieces and items of a response differ, the items are the answer.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming, and the schema
    ``MessagePhase`` of https://github.com/openai/openai-openapi
    """

    def __init__(
        self,
        marks: CitationFilter,
        links: LinkFilter,
        names: AnswerNames,
        sink: ReplySink,
    ) -> None:
        self.marks = marks
        self.links = links
        self.names = names
        self.sink = sink
        self.characters = 0
        self._text = ""
        self._newest = 0  # where the newest message begins in the text
        self._cited_before = 0  # what the messages before it cite
        self._thoughts = ThoughtFilter()
        self._loops = LoopDetector()
        self._is_loop = False
        self._half = ""
        self._citations: dict[str, Citation] = {}
        self._begins_paragraph = True
        self.begin_response()

    def begin_response(self) -> None:
        """Begin to read another response."""
        self.cut: CutReason | None = None
        self.output: list[Item] = []
        self.response: Item | None = None
        self._part: object = None
        self._is_comment = False
        self._refuses = False
        self._began = len(self._text)
        self._pieces: list[str] = []
        self._said: list[str] = []  # the texts of the items

    @property
    def is_over(self) -> bool:
        """Whether the text has reached its limit, or only repeats itself."""
        return self._is_loop or self.characters >= MAX_ANSWER

    @property
    def is_empty(self) -> bool:
        """Whether the answer has no text; commentary and thoughts are none."""
        return not self._text.strip()

    async def read(self, event: Event) -> None:
        """Take the next event of a response; unknown ones are ignored.

        Raises `ReplyFailed` for a failure, and for an event that breaks the API's format.
        """
        match event:
            case {"type": "response.output_text.delta" | "response.refusal.delta"}:
                await self._read_text(event)
            case {
                "type": "response.output_item.added",
                "item": {"type": "message", **message},
            }:
                self._part = None
                self._is_comment = message.get("phase") == COMMENTARY
            case {"type": "response.output_item.done"}:
                await self._read_item(event.get("item"))
            case {"type": "response.completed" | "response.incomplete"}:
                await self._read_response(event)
            case {"type": "error", **error} | {
                "type": "response.failed",
                "response": {"error": {**error}},
            }:
                raise failed_by(model_error_in(error))
            case {"type": "response.failed"}:
                raise ReplyFailed("model_failed")

    async def end_response(self, output_limit: int | None) -> None:
        """End a response that was read; raises `ReplyFailed` if it brought nothing.

        Without a last event it is whole if it brought whole items, and else was cut off. Some
        servers call a response complete although the limit of its tokens has cut it off.
        """
        await self.flush()
        if self.is_over:
            self.cut = "cut_loop" if self._is_loop else "cut_short"
            return
        await self._prefer_items()
        if self.response is None:
            if not (self.output or self._pieces):
                raise ReplyFailed("model_down")
            self.cut = None if self.output else "cut_ended"
            return
        if output_limit is None or self.cut is not None:
            return
        match self.response:
            case {"usage": {"output_tokens": int(tokens)}} if tokens >= output_limit:
                self.cut = "cut_short"

    def cite(self, citations: Sequence[Citation]) -> None:
        """Allow links to the pages that a web search cites in the text that follows."""
        for citation in citations:
            self._citations.setdefault(citation.url, citation)
            self.links.known.add(normal(citation.url))

    def one_line(self, text: str) -> str:
        """Return another text as one line; links in it follow the same rules."""
        shown = filter_links(printable(text), self.links.known)
        return " ".join(shown.split())

    async def flush(self) -> None:
        """Show the text that was held back; a piece of text has ended."""
        self._half = ""
        held = self._thoughts.flush()
        self._thoughts = ThoughtFilter()
        text = self.marks.feed(self._spaced(held)) + self.marks.flush()
        text = self.links.feed(text) + self.links.flush()
        await self._show(self.names.feed(text) + self.names.flush())

    def whole(self, without_text: Cause) -> Reply:
        """Return the whole answer; close a code block that was cut off.

        Raises `ReplyFailed` with `without_text` for an answer without text.
        """
        text = self._text
        if self.cut == "cut_loop":
            text = without_repetitions(text)
        if self.is_empty:
            if self.cut == "cut_filtered":
                without_text = "model_policy"
            raise ReplyFailed(without_text)
        if self.cut and (fence := open_fence(text)):
            text = f"{text.rstrip()}\n{closing_fence(fence)}"
        return Reply(
            text=text,
            cited=tuple(self.marks.cited),
            citations=tuple(self._citations.values()),
            links=frozenset(self.links.known),
            cut=self.cut,
            is_refusal=self._refuses,
        )

    async def _read_text(self, event: Event) -> None:
        piece = event.get("delta")
        if not isinstance(piece, str):
            raise ReplyFailed("model_malformed")
        if not self._is_comment:
            self._pieces.append(piece)
        part = (event.get("output_index"), event.get("content_index"))
        if part != self._part:
            await self._new_paragraph()
            self._part = part
        await self._write(piece)

    async def _read_response(self, event: Event) -> None:
        """Read the whole response in a last event, and whether it was cut off.

        Its items are read if no event has brought any. Some servers write so into the response
        alone, and call the event ``response.completed``.
        """
        response = event.get("response")
        if not isinstance(response, dict):
            response = {}
        self.response = response
        if not self.output:
            for item in objects(response.get("output")):
                await self._read_item(item)
        is_cut = event["type"] == "response.incomplete"
        if is_cut or response.get("status") == "incomplete":
            reason = str(response.get("incomplete_details"))
            is_filtered = "content_filter" in reason
            self.cut = "cut_filtered" if is_filtered else "cut_short"

    async def _read_item(self, item: object) -> None:
        """Read a whole item; its text, if the response does not come in pieces."""
        if len(self.output) == MAX_ITEMS:
            raise ReplyFailed("model_malformed")
        done = checked_item(item)
        self.output.append(done)
        if done["type"] != "message":
            return
        is_comment = self._is_comment or done.get("phase") == COMMENTARY
        self._is_comment = False
        if is_comment:
            return
        self._refuses = is_refusal(done)
        text = raw_text_of(done)
        self._said.append(text)
        if not self._pieces:
            await self._new_paragraph()
            await self._write(text)

    async def _prefer_items(self) -> None:
        """Show the items of a response in place of its pieces, where they differ.

        Some servers send thoughts as pieces of the answer, or a piece twice.
        """
        pieces = "".join(self._pieces)
        said = _letters("".join(self._said))
        if not (pieces and said) or said == _letters(pieces):
            return
        self.characters -= len(pieces)
        self._newest = self._began
        self._loops = LoopDetector()
        self._thoughts = ThoughtFilter()
        await self._restart()
        for text in self._said:
            await self._new_paragraph()
            await self._write(text)
        await self.flush()

    async def _new_paragraph(self) -> None:
        """Separate the text that follows by a blank line: it is another message, or part of one."""
        await self.flush()
        self._begins_paragraph = True
        self._newest = len(self._text)
        self._cited_before = len(self.marks.cited)

    async def _write(self, piece: str) -> None:
        room = max(MAX_ANSWER - self.characters, 0)
        self.characters += len(piece)
        if self._is_comment:
            return
        self._is_loop = self._is_loop or self._loops.feed(piece)
        if len(piece) > room:
            end_of_word = piece.rfind(" ", 0, room) + 1
            piece = piece[: end_of_word or room]
        piece = self._half + piece
        # JSON can cut a character outside the basic plane into two escapes, one in each piece.
        last = piece[-1:]
        self._half = last if "\ud800" <= last < "\udc00" else ""
        text = self._thoughts.feed(printable(piece.removesuffix(self._half)))
        if self._thoughts.restarts:
            await self._restart()
        text = self.links.feed(self.marks.feed(self._spaced(text)))
        await self._show(self.names.feed(text))

    def _spaced(self, text: str) -> str:
        """Return a text, behind a blank line if it begins a paragraph that is not the first."""
        if not self._begins_paragraph:
            return text
        text = text.lstrip("\n")
        self._begins_paragraph = not text
        if not (text and self._text):
            return text
        return f"\n\n{text}"

    async def _restart(self) -> None:
        """Take back what was shown of the newest message: it was a thought."""
        self.marks.flush()
        del self.marks.cited[self._cited_before :]
        self.links.flush()
        self.names.flush()
        was_shown = len(self._text) > self._newest
        self._text = self._text[: self._newest]
        self._begins_paragraph = True
        if was_shown:
            self.sink.start_over()
            if self._text:
                await self.sink.write(self._text)

    async def _show(self, text: str) -> None:
        if text:
            self._text += text
            await self.sink.write(text)


def _letters(text: str) -> str:
    """Return a model's text without white space, for comparison."""
    return "".join(printable(text).split())
