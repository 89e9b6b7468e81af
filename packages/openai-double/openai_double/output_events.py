"""The events of a streamed response that build up its output items, one after the other.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, Literal

from openai_double.answer import Call, Item, Message, Reasoning, Search
from openai_double.checks import encrypted_content
from openai_double.tokens import pieces
from openai_double.types import Json

Status = Literal["completed", "incomplete"]


class OutputEvents:
    """Numbers the events of one response and collects its completed items in `output`.

    `encrypts`: reasoning items carry ``encrypted_content``.
    """

    def __init__(self, *, chunk_chars: int, encrypts: bool) -> None:
        self.output: list[Json] = []
        self._chunk_chars = chunk_chars
        self._encrypts = encrypts
        self._sequence = 0

    def emit(self, event_type: str, **values: Any) -> Json:
        """Return the next event."""
        event = {"type": event_type, "sequence_number": self._sequence, **values}
        self._sequence += 1
        return event

    def of_item(self, item: Item, status: Status | None) -> Iterator[Json]:
        """Yield the events of one item. A message without `status` ends before it is done."""
        match item:
            case Reasoning():
                yield from self._reasoning()
            case Search():
                yield from self._search(item)
            case Message():
                yield from self._message(item, status)
            case Call():
                yield from self._call(item)

    def _item(self, kind: Literal["added", "done"], item: Json) -> Json:
        index = len(self.output)
        if kind == "done":
            self.output.append(item)
        return self.emit(f"response.output_item.{kind}", output_index=index, item=item)

    def _reasoning(self) -> Iterator[Json]:
        item: Json = {"id": _id("rs"), "type": "reasoning", "summary": []}
        yield self._item("added", dict(item))
        if self._encrypts:
            item["encrypted_content"] = encrypted_content(item["id"])
        yield self._item("done", item)

    def _search(self, search: Search) -> Iterator[Json]:
        index = len(self.output)
        action = {"type": "search", "query": search.query, "queries": [search.query]}
        item = {
            "id": _id("ws"),
            "type": "web_search_call",
            "status": "in_progress",
            "action": action,
        }
        yield self._item("added", dict(item))
        for step in ("in_progress", "searching", "completed"):
            event = f"response.web_search_call.{step}"
            yield self.emit(event, output_index=index, item_id=item["id"])
        yield self._item("done", {**item, "status": "completed"})

    def _message(self, message: Message, status: Status | None) -> Iterator[Json]:
        item: Json = {
            "id": _id("msg"),
            "type": "message",
            "role": "assistant",
        }
        if message.phase:
            item["phase"] = message.phase
        yield self._item("added", {**item, "status": "in_progress", "content": []})
        part = _part(message)
        where = {
            "item_id": item["id"],
            "output_index": len(self.output),
            "content_index": 0,
        }
        finished = status is not None
        if message.refuses:
            yield from self._refusal(part, where, finished)
        else:
            yield from self._text(part, where, finished)
        if not finished:
            return
        yield self.emit("response.content_part.done", **where, part=part)
        yield self._item("done", {**item, "status": status, "content": [part]})

    def _text(self, part: Json, where: Json, finished: bool) -> Iterator[Json]:
        begun = {**part, "text": "", "annotations": []}
        yield self.emit("response.content_part.added", **where, part=begun)
        for piece in pieces(part["text"], self._chunk_chars):
            yield self.emit(
                "response.output_text.delta", **where, delta=piece, logprobs=[]
            )
        if not finished:
            return
        for number, annotation in enumerate(part["annotations"]):
            yield self.emit(
                "response.output_text.annotation.added",
                **where,
                annotation_index=number,
                annotation=annotation,
            )
        yield self.emit(
            "response.output_text.done", **where, text=part["text"], logprobs=[]
        )

    def _refusal(self, part: Json, where: Json, finished: bool) -> Iterator[Json]:
        begun = {**part, "refusal": ""}
        yield self.emit("response.content_part.added", **where, part=begun)
        for piece in pieces(part["refusal"], self._chunk_chars):
            yield self.emit("response.refusal.delta", **where, delta=piece)
        if finished:
            yield self.emit("response.refusal.done", **where, refusal=part["refusal"])

    def _call(self, call: Call) -> Iterator[Json]:
        item = {
            "id": _id("fc"),
            "type": "function_call",
            "status": "in_progress",
            "call_id": f"call_{secrets.token_hex(12)}",
            "name": call.name,
            "arguments": "",
        }
        where = {"item_id": item["id"], "output_index": len(self.output)}
        yield self._item("added", dict(item))
        for piece in pieces(call.arguments, self._chunk_chars):
            yield self.emit(
                "response.function_call_arguments.delta", **where, delta=piece
            )
        yield self.emit(
            "response.function_call_arguments.done",
            **where,
            name=call.name,
            arguments=call.arguments,
        )
        yield self._item(
            "done", {**item, "status": "completed", "arguments": call.arguments}
        )


def _part(message: Message) -> Json:
    """The content of a message when it is whole."""
    if message.refuses:
        return {"type": "refusal", "refusal": message.text}
    return {
        "type": "output_text",
        "text": message.text,
        "logprobs": [],
        "annotations": [
            {"type": "url_citation", **citation} for citation in message.annotations
        ],
    }


def _id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(24)}"
