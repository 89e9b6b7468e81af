"""`POST /v1/responses`: the response object, and the events of a stream in their order.

Field by field after the `openai` package's types (`openai.types.responses`), in the
order of OpenAI's streaming reference.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator
from typing import Final, Literal

from openai_double.answer import Answer, Call, Item, Message, Reasoning
from openai_double.checks import ENCRYPTED
from openai_double.control import Fault
from openai_double.output_events import OutputEvents, Status
from openai_double.tokens import count_tokens, cut_to_tokens
from openai_double.types import Json

_ECHOED: Final[Json] = {
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
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""Request fields that a response repeats, with the API's defaults."""
_REASONING_TOKENS: Final = 64  # of one reasoning item
_NO_FAULT: Final = Fault.model_construct()

End = Literal["completed", "incomplete", "failed", "error"]
"""The name of the last event; all but "error" are also the status of the response."""


class ResponseWriter:
    """One answer as a response object and as the events that build it up.

    A `fault` with an event makes it end badly: the terminal event comes after as many characters of
    text as the fault says. `reasons`: a reasoning item comes first. `text` is all text that is
    sent.
    """

    def __init__(
        self,
        body: Json,
        answer: Answer,
        input_tokens: int,
        *,
        fault: Fault | None,
        reasons: bool,
    ) -> None:
        self._body = body
        self._input_tokens = input_tokens
        self._fault = fault or _NO_FAULT
        self._id = f"resp_{secrets.token_hex(24)}"
        self._created = int(time.time())
        self._output: list[Json] = []
        items = answer.items
        if reasons and not any(isinstance(item, Reasoning) for item in items):
            items = (Reasoning(), *items)
        whole = "".join(item.text for item in items if isinstance(item, Message))
        self._end, length = self._ending(whole)
        self.text = whole[:length]
        self._items: list[tuple[Item, Status | None]]
        if self._end == "completed":
            self._items = [(item, "completed") for item in items]
        elif self._end == "incomplete":
            self._items = list(_cut(items, length, "incomplete"))
        else:
            self._items = list(_cut(items, length, None))

    def _ending(self, text: str) -> tuple[End, int]:
        """How the response ends, and after how many characters of its text."""
        end = self._fault.event
        if end is not None:
            if self._fault.break_after_chars is not None:
                return end, self._fault.break_after_chars
            if end == "incomplete":
                return end, len(text) // 2
            return end, 0
        limit = self._body.get("max_output_tokens")
        if limit is not None and count_tokens(text) > limit:
            return "incomplete", len(cut_to_tokens(text, limit))
        return "completed", len(text)

    def whole(self) -> Json:
        """The response object for a request without ``stream``; raises the error of an event."""
        if self._end == "error":
            raise self._fault.event_error
        in_one_piece = max(len(self.text), 1)
        *_, last = self.events(chunk_chars=in_one_piece)
        response: Json = last["response"]
        return response

    def events(self, *, chunk_chars: int) -> Iterator[Json]:
        """Every event of the stream; text and arguments in pieces of `chunk_chars`."""
        encrypts = ENCRYPTED in (self._body.get("include") or [])
        writer = OutputEvents(chunk_chars=chunk_chars, encrypts=encrypts)
        self._output = writer.output
        yield writer.emit("response.created", response=self._response("in_progress"))
        yield writer.emit(
            "response.in_progress", response=self._response("in_progress")
        )
        for item, status in self._items:
            yield from writer.of_item(item, status)
        if self._end == "error":
            yield writer.emit("error", **self._fault.error_fields)
        else:
            yield writer.emit(
                f"response.{self._end}", response=self._response(self._end)
            )

    def _response(self, status: str) -> Json:
        response: Json = {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "completed_at": None,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "model": self._body["model"],
            "output": list(self._output),
            "usage": None,
        }
        for name, default in _ECHOED.items():
            value = self._body.get(name)
            response[name] = default if value is None else value
        tools = self._body.get("tools") or []
        response["tools"] = [_echoed(tool) for tool in tools]
        if status == "completed":
            response["completed_at"] = int(time.time())
        if status == "incomplete":
            response["incomplete_details"] = {
                "reason": self._fault.reason or "max_output_tokens"
            }
        if status == "failed":
            error = self._fault.event_error
            response["error"] = {"code": error.code, "message": error.message}
        if status in ("completed", "incomplete"):
            response["usage"] = self._usage()
        return response

    def _usage(self) -> Json:
        reasoning = 0
        output = count_tokens(self.text)
        for item, _ in self._items:
            if isinstance(item, Reasoning):
                reasoning += _REASONING_TOKENS
            elif isinstance(item, Call):
                output += count_tokens(item.arguments) + 8
        output += reasoning
        return {
            "input_tokens": self._input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": self._input_tokens + output,
        }


def _cut(
    items: Iterable[Item], length: int, status: Status | None
) -> Iterator[tuple[Item, Status | None]]:
    """Yield the items of a response that ends badly, cut to `length` characters, with their states.

    Calls are left out, and so are the citations of a message that is cut.
    """
    for item in items:
        if isinstance(item, Call):
            continue
        if not isinstance(item, Message):
            yield item, "completed"
            continue
        if len(item.text) >= length:
            if length > 0:
                changes = {"text": item.text[:length], "annotations": ()}
                yield item.model_copy(update=changes), status
            return
        yield item, "completed"
        length -= len(item.text)


def _echoed(tool: Json) -> Json:
    """A tool as the response repeats it: one that leaves out `strict` was taken for strict.

    Source: https://platform.openai.com/docs/guides/function-calling
    """
    if tool["type"] != "function":
        return tool
    return {"strict": True, **tool}
