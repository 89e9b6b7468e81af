"""Reading one streamed response: final text to the person, commentary as a task."""

from __future__ import annotations

from typing import Final

from bot.pipeline.responses.answer import Answer
from bot.pipeline.responses.errors import raise_if_failed
from bot.pipeline.responses.events import Event, add_item, delta_of, text_of, tokens_of
from bot.types import CutReason

_COMMENTARY: Final = "commentary"


class ResponseReader:
    """Reads the events of one response into a `Answer`.

    `output` holds the items that are complete, `tokens` what the response took, 0 until it ends.
    Messages, and the text parts within one, become paragraphs of the answer. A message whose
    ``phase`` is ``commentary`` is told as a task and is no part of it, also where the phase is
    known only at its end.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming, and the schema
    ``MessagePhase`` of https://github.com/openai/openai-openapi
    """

    def __init__(self, written: Answer) -> None:
        self.output: list[Event] = []
        self.tokens = 0
        self._written = written
        self._comments = False
        self._begun_at: int | None = None
        self._part: object = None

    async def read(self, event: Event) -> bool:
        """Take the next event; return whether the response is over.

        Raises `bot.pipeline.responses.events.Malformed`, and `ReplyFailed` for a failure.
        """
        match event.get("type"):
            case "response.output_item.added":
                await self._begin_item(event)
            case "response.output_text.delta":
                await self._text(event)
            case "response.refusal.delta":
                await self._text(event, refuses=True)
            case "response.output_text.done":
                await self._written.settle()
            case "response.output_item.done":
                add_item(self.output, event)
                await self._end_item(self.output[-1])
            case "response.completed" | "response.incomplete" as kind:
                await self._written.settle()
                self.tokens = tokens_of(event)
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
        self._begun_at = self._written.mark
        self._part = None

    async def _text(self, event: Event, *, refuses: bool = False) -> None:
        piece = delta_of(event)
        if self._begun_at is None:
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
        if item.get("phase") == _COMMENTARY:
            await self._written.settle()
            if self._begun_at is not None and not self._comments:
                self._written.retract(self._begun_at)
            await self._written.comment(text_of(item))
        self._comments, self._begun_at = False, None


def _cut(event: Event) -> CutReason:
    match event:
        case {"response": {"incomplete_details": {"reason": "content_filter"}}}:
            return "cut_filtered"
    return "cut_short"
