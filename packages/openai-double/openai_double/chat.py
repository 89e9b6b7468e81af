"""`POST /v1/chat/completions`: the completion object. It is not streamed."""

from __future__ import annotations

import secrets
import time

from openai_double.answer import Answer, Call
from openai_double.errors import bad_request
from openai_double.tokens import count_tokens
from openai_double.types import Json


def completion(body: Json, answer: Answer, input_tokens: int) -> Json:
    """Return an answer as a chat completion; raise `ApiError` (400) if a stream is asked for."""
    if body.get("stream"):
        raise bad_request("This double streams no chat completions.", param="stream")
    message: Json = {
        "role": "assistant",
        "content": answer.text,
        "refusal": None,
        "annotations": [],
    }
    choice: Json = {"index": 0, "message": message, "logprobs": None}
    choice["finish_reason"] = "stop"
    output_tokens = count_tokens(answer.text)
    if answer.calls:
        message["content"] = answer.text or None
        message["tool_calls"] = [_called(call) for call in answer.calls]
        choice["finish_reason"] = "tool_calls"
    for call in answer.calls:
        output_tokens += count_tokens(call.arguments) + 8
    return {
        "id": f"chatcmpl-{secrets.token_hex(14)}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "service_tier": "default",
        "choices": [choice],
        "usage": {
            "prompt_tokens": input_tokens,
            "completion_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
    }


def _called(call: Call) -> Json:
    """The call of a function as a completion has it."""
    return {
        "id": f"call_{secrets.token_hex(12)}",
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
