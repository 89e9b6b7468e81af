"""`/v1/chat/completions`, read by the real `openai` client."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from .controls import Controls

MODEL = "local-model"
HELLO: list[Any] = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "hello"},
]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "save",
        "parameters": {
            "type": "object",
            "properties": {"content": {"type": "string"}},
            "required": ["content"],
        },
    },
}


async def test_a_completion_brings_text_and_usage(client: openai.AsyncOpenAI) -> None:
    """A stream is refused: no program asks this double for one."""
    answer = await client.chat.completions.create(model=MODEL, messages=HELLO)
    assert (answer.choices[0].message.content or "").startswith("Hello!")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    with pytest.raises(openai.BadRequestError):
        await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)


async def test_scripted_tool_calls_are_in_a_completion(
    client: openai.AsyncOpenAI, controls: Controls
) -> None:
    """Arguments are the script's JSON."""
    calls = [{"name": "save", "arguments": {"content": "a longer piece of text"}}]
    await controls.post(
        "script", {"endpoint": "chat", "output": {"function_calls": calls}}
    )
    answer = await client.chat.completions.create(
        model=MODEL, messages=HELLO, tools=[TOOL]
    )
    [call] = answer.to_dict()["choices"][0]["message"]["tool_calls"]  # type: ignore[index]
    assert json.loads(call["function"]["arguments"]) == calls[0]["arguments"]
    assert answer.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("model", "change", "status"),
    [
        ("gpt-6-luna", {"tools": [TOOL]}, 400),
        ("ft:gpt-5.6-terra:acme::x", {"tools": [TOOL]}, 400),
        ("gpt-5.6-luna", {"tools": [TOOL], "reasoning_effort": "none"}, 200),
        ("gpt-5.4", {"tools": [TOOL]}, 200),
        ("gpt-5-chat-latest", {"temperature": 0.2}, 200),
        ("o3-mini", {"temperature": 1}, 400),
        ("ft:gpt-5-none:acme::x", {}, 404),
    ],
)
async def test_models_that_reason_refuse_tools_and_temperature(
    client: openai.AsyncOpenAI, model: str, change: dict[str, Any], status: int
) -> None:
    """Tools and temperature are refused where OpenAI refuses them, and unknown models."""
    body = {"model": model, "messages": HELLO, **change}
    if status == 200:
        await client.post("/chat/completions", body=body, cast_to=object)
        return
    with pytest.raises(openai.APIStatusError) as refused:
        await client.post("/chat/completions", body=body, cast_to=object)
    assert refused.value.status_code == status
