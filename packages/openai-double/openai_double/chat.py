"""`POST /v1/chat/completions`: the completion object, and its chunks when streamed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

from openai_double.answer import Answer, Call
from openai_double.tokens import count_tokens, pieces
from openai_double.types import Json


class ChatWriter:
    """One answer as a chat completion and as the chunks that build it up."""

    def __init__(self, body: Json, answer: Answer, input_tokens: int) -> None:
        self._body = body
        self._id = f"chatcmpl-{secrets.token_hex(14)}"
        self._created = int(time.time())
        self._input_tokens = input_tokens
        self.text = answer.text
        self._finish = "tool_calls" if answer.calls else "stop"
        self._calls = [_called(call) for call in answer.calls]

    def whole(self) -> Json:
        """The completion object that a request without ``stream`` gets."""
        message: Json = {
            "role": "assistant",
            "content": self.text,
            "refusal": None,
            "annotations": [],
        }
        if self._calls:
            message["content"] = self.text or None
            message["tool_calls"] = self._calls
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": self._finish,
        }
        return {
            **self._head("chat.completion"),
            "choices": [choice],
            "usage": self._usage(),
        }

    def events(self, *, chunk_chars: int) -> Iterator[Json]:
        """Every chunk of the stream; text and arguments in pieces of `chunk_chars`."""
        yield self._chunk({"role": "assistant", "content": "", "refusal": None})
        for piece in pieces(self.text, chunk_chars):
            yield self._chunk({"content": piece})
        for index, call in enumerate(self._calls):
            function = call["function"]
            without_arguments = {**function, "arguments": ""}
            opened = {**call, "index": index, "function": without_arguments}
            yield self._chunk({"tool_calls": [opened]})
            for piece in pieces(function["arguments"], chunk_chars):
                more = {"index": index, "function": {"arguments": piece}}
                yield self._chunk({"tool_calls": [more]})
        yield self._chunk({}, finish=self._finish)
        options = self._body.get("stream_options") or {}
        if options.get("include_usage"):
            yield {
                **self._head("chat.completion.chunk"),
                "choices": [],
                "usage": self._usage(),
            }

    def _head(self, kind: str) -> Json:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._body["model"],
            "service_tier": "default",
        }

    def _chunk(self, delta: Json, *, finish: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _usage(self) -> Json:
        output = count_tokens(self.text)
        for call in self._calls:
            output += count_tokens(call["function"]["arguments"]) + 8
        return {
            "prompt_tokens": self._input_tokens,
            "completion_tokens": output,
            "total_tokens": self._input_tokens + output,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }


def _called(call: Call) -> Json:
    """The call of a function as a completion has it."""
    return {
        "id": f"call_{secrets.token_hex(12)}",
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
