"""`POST /v1/responses`: the response object, and the events of a stream in their order.

Field by field after the `openai` package's types (`openai.types.responses`), in the
order of OpenAI's streaming reference.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any, Final, Literal

from playground.model.answer import Answer, Call
from playground.model.control import Event
from playground.model.tokens import count_tokens, cut_to_tokens

_ECHOED: Final[dict[str, Any]] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""What a response repeats of its request, with the API's defaults."""

Status = Literal["completed", "failed", "incomplete"]


class ResponseWriter:
    """One answer as a response object and as the events that build it up.

    `event` makes it end badly: the terminal event after the first `after_chars`
    characters of its text.
    """

    def __init__(
        self,
        body: dict[str, Any],
        answer: Answer,
        *,
        input_tokens: int,
        event: Event | None = None,
        after_chars: int | None = None,
    ) -> None:
        self._body = body
        self._answer = answer
        self._input_tokens = input_tokens
        self._event = event
        self._id = f"resp_{secrets.token_hex(24)}"
        self._created = int(time.time())
        self._sequence = 0
        self._output: list[dict[str, Any]] = []
        self._written = 0
        text = answer.text
        limit = body.get("max_output_tokens")
        self._reason = "max_output_tokens"
        if event is not None:
            default = len(text) // 2 if event == "incomplete" else 0
            text = text[: default if after_chars is None else after_chars]
        elif limit is not None and count_tokens(text) > limit:
            text = cut_to_tokens(text, limit)
            self._event = "incomplete"
        self.text = text

    def whole(self) -> dict[str, Any]:
        """The response object that a request without ``stream`` gets."""
        *_, last = self.events(chunk_chars=max(len(self.text), 1))
        response: dict[str, Any] = last["response"]
        return response

    def events(self, *, chunk_chars: int) -> Iterator[dict[str, Any]]:
        """Every event of the stream; text and arguments in pieces of `chunk_chars`."""
        for name in ("created", "in_progress"):
            yield self._emit(f"response.{name}", response=self._response("in_progress"))
        if self._answer.web_search:
            yield from self._search_events()
        if self.text or not (self._answer.calls or self._event):
            yield from self._message_events(chunk_chars)
        if self._event is None:
            for call in self._answer.calls:
                yield from self._call_events(call, chunk_chars)
        if self._event == "error":
            yield self._emit(
                "error",
                code="server_error",
                message="The server had an error while processing your request.",
                param=None,
            )
            return
        status: Status = self._event or "completed"
        yield self._emit(f"response.{status}", response=self._response(status))

    def _emit(self, event_type: str, **values: Any) -> dict[str, Any]:
        event = {"type": event_type, "sequence_number": self._sequence, **values}
        self._sequence += 1
        return event

    def _response(self, status: Status | Literal["in_progress"]) -> dict[str, Any]:
        over = status != "in_progress"
        error = None
        if status == "failed":
            error = {
                "code": "server_error",
                "message": "The model failed to generate a response.",
            }
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "completed_at": int(time.time()) if status == "completed" else None,
            "status": status,
            "error": error,
            "incomplete_details": {"reason": self._reason} if status == "incomplete" else None,
            "model": self._body["model"],
            "output": list(self._output),
            **{
                name: default if self._body.get(name) is None else self._body[name]
                for name, default in _ECHOED.items()
            },
            "usage": self._usage() if over and status != "failed" else None,
        }

    def _usage(self) -> dict[str, Any]:
        written = sum(count_tokens(call.arguments) + 8 for call in self._answer.calls)
        output = count_tokens(self.text) + written
        return {
            "input_tokens": self._input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self._input_tokens + output,
        }

    def _item_events(self, kind: Literal["added", "done"], item: dict[str, Any]) -> dict[str, Any]:
        index = len(self._output)
        if kind == "done":
            self._output.append(item)
        return self._emit(f"response.output_item.{kind}", output_index=index, item=item)

    def _search_events(self) -> Iterator[dict[str, Any]]:
        index = len(self._output)
        queries = [annotation["title"] for annotation in self._answer.annotations]
        item = {
            "id": f"ws_{secrets.token_hex(24)}",
            "type": "web_search_call",
            "status": "in_progress",
            "action": {
                "type": "search",
                "query": (queries or ["news"])[0],
                "queries": queries or ["news"],
            },
        }
        yield self._item_events("added", dict(item))
        for step in ("in_progress", "searching", "completed"):
            yield self._emit(
                f"response.web_search_call.{step}", output_index=index, item_id=item["id"]
            )
        yield self._item_events("done", {**item, "status": "completed"})

    def _message_events(self, chunk_chars: int) -> Iterator[dict[str, Any]]:
        item_id = f"msg_{secrets.token_hex(24)}"
        where = {"item_id": item_id, "output_index": len(self._output), "content_index": 0}
        item = {
            "id": item_id,
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        yield self._item_events("added", item)
        yield self._emit("response.content_part.added", **where, part=empty)
        for start in range(0, len(self.text), chunk_chars):
            piece = self.text[start : start + chunk_chars]
            yield self._emit("response.output_text.delta", **where, delta=piece, logprobs=[])
        if self._event in {"failed", "error"}:
            return
        annotations = [
            {"type": "url_citation", **annotation} for annotation in self._answer.annotations
        ]
        for number, annotation in enumerate(annotations):
            yield self._emit(
                "response.output_text.annotation.added",
                **where,
                annotation_index=number,
                annotation=annotation,
            )
        part = {**empty, "text": self.text, "annotations": annotations}
        yield self._emit("response.output_text.done", **where, text=self.text, logprobs=[])
        yield self._emit("response.content_part.done", **where, part=part)
        status = "incomplete" if self._event == "incomplete" else "completed"
        yield self._item_events("done", {**item, "status": status, "content": [part]})

    def _call_events(self, call: Call, chunk_chars: int) -> Iterator[dict[str, Any]]:
        item = {
            "id": f"fc_{secrets.token_hex(24)}",
            "type": "function_call",
            "status": "in_progress",
            "call_id": f"call_{secrets.token_hex(12)}",
            "name": call.name,
            "arguments": "",
        }
        where = {"item_id": item["id"], "output_index": len(self._output)}
        yield self._item_events("added", dict(item))
        for start in range(0, len(call.arguments), chunk_chars):
            yield self._emit(
                "response.function_call_arguments.delta",
                **where,
                delta=call.arguments[start : start + chunk_chars],
            )
        yield self._emit(
            "response.function_call_arguments.done",
            **where,
            name=call.name,
            arguments=call.arguments,
        )
        yield self._item_events(
            "done", {**item, "status": "completed", "arguments": call.arguments}
        )
