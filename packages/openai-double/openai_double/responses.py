"""`POST /v1/responses`: the response object, and the events of a stream in their order.

Field by field after the `openai` package's types (`openai.types.responses`), in the
order of OpenAI's streaming reference.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from openai_double.answer import Answer, Call, Item, Message, Reasoning
from openai_double.checks import ENCRYPTED
from openai_double.control import Fault
from openai_double.output_events import OutputEvents, Status
from openai_double.tokens import count_tokens, cut_to_tokens

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
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""Request fields that a response repeats, with the API's defaults."""
_REASONING_TOKENS: Final = 64  # of one reasoning item


class ResponseWriter:
    """One answer as a response object and as the events that build it up.

    A `fault` with an event makes it end badly: the terminal event comes after as many characters of
    text as the fault says. `reasons`: a reasoning item comes first. `text` is all text that is
    sent.
    """

    def __init__(
        self,
        body: dict[str, Any],
        answer: Answer,
        input_tokens: int,
        *,
        fault: Fault | None = None,
        reasons: bool = False,
    ) -> None:
        self._body = body
        self._input_tokens = input_tokens
        self._fault = fault if fault and fault.event else None
        self._event = self._fault.event if self._fault else None
        self._id = f"resp_{secrets.token_hex(24)}"
        self._created = int(time.time())
        self._output: list[dict[str, Any]] = []
        self._reason = (self._fault.reason if self._fault else None) or "max_output_tokens"
        items = answer.items
        if reasons and not any(isinstance(item, Reasoning) for item in items):
            items = (Reasoning(), *items)
        whole = "".join(part for item in items if isinstance(item, Message) for part in item.parts)
        room, limit = len(whole), body.get("max_output_tokens")
        if self._fault:
            default = room // 2 if self._event == "incomplete" else 0
            after = self._fault.break_after_chars
            room = default if after is None else after
        elif limit is not None and count_tokens(whole) > limit:
            room = len(cut_to_tokens(whole, limit))
            self._event = "incomplete"
        self.text = whole[:room]
        self._items: list[tuple[Item, Status | None]]
        if self._event is None:
            self._items = [(item, "completed") for item in items]
        else:
            status: Status | None = "incomplete" if self._event == "incomplete" else None
            self._items = [*_cut(items, room, status)]

    def whole(self) -> dict[str, Any]:
        """The response object for a request without ``stream``; raises the error of an event."""
        if self._fault and self._event == "error":
            raise self._fault.event_error
        *_, last = self.events(chunk_chars=max(len(self.text), 1))
        response: dict[str, Any] = last["response"]
        return response

    def events(self, *, chunk_chars: int) -> Iterator[dict[str, Any]]:
        """Every event of the stream; text and arguments in pieces of `chunk_chars`."""
        writer = OutputEvents(
            chunk_chars=chunk_chars, encrypts=ENCRYPTED in (self._body.get("include") or [])
        )
        self._output = writer.output
        for name in ("created", "in_progress"):
            yield writer.emit(f"response.{name}", response=self._response("in_progress"))
        for item, status in self._items:
            yield from writer.of_item(item, status)
        if self._fault and self._fault.event == "error":
            yield writer.emit("error", **self._fault.error_fields)
            return
        yield writer.emit(
            f"response.{self._event or 'completed'}",
            response=self._response(self._event or "completed"),
        )

    def _response(self, status: str) -> dict[str, Any]:
        over = status != "in_progress"
        failed = self._fault is not None and status == "failed"
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "completed_at": int(time.time()) if status == "completed" else None,
            "status": status,
            "error": self._fault.response_error if failed and self._fault else None,
            "incomplete_details": {"reason": self._reason} if status == "incomplete" else None,
            "model": self._body["model"],
            "output": list(self._output),
            **{
                name: default if self._body.get(name) is None else self._body[name]
                for name, default in _ECHOED.items()
            },
            "tools": [_echoed(tool) for tool in self._body.get("tools") or ()],
            "usage": self._usage() if over and status != "failed" else None,
        }

    def _usage(self) -> dict[str, Any]:
        items = [item for item, _ in self._items]
        calls = [item for item in items if isinstance(item, Call)]
        reasoning = _REASONING_TOKENS * sum(isinstance(item, Reasoning) for item in items)
        written = sum(count_tokens(call.arguments) + 8 for call in calls)
        output = count_tokens(self.text) + written + reasoning
        return {
            "input_tokens": self._input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": self._input_tokens + output,
        }


def _cut(
    items: Iterable[Item], room: int, status: Status | None
) -> Iterator[tuple[Item, Status | None]]:
    """Yield what a response that ends badly sends before, `room` characters long, and its state.

    Calls are left out, and so are the citations of a message that is cut.
    """
    for item in items:
        if not isinstance(item, Message):
            if not isinstance(item, Call):
                yield item, "completed"
            continue
        parts: list[str] = []
        left = room
        for part in item.parts:
            parts += [part[:left]] if left else []
            left -= len(part[:left])
        if left:
            yield item, "completed"
        elif parts:
            cut = {"parts": tuple(parts), "annotations": ()}
            yield item.model_copy(update=cut), status
        if not left:
            return
        room = left


def _echoed(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool as the response repeats it: one that leaves out `strict` was taken for strict.

    Source: https://platform.openai.com/docs/guides/function-calling
    """
    return {"strict": True, **tool} if tool["type"] == "function" else tool
