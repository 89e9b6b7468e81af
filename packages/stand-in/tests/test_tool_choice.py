"""Which function the stand-in calls where the request asks for one."""

from __future__ import annotations

import json
from typing import Any

import openai

MODEL = "kioku-stand-in"
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


async def test_tool_choice_is_honoured(client: openai.AsyncOpenAI) -> None:
    """`auto` and `none` answer with text here; `required` and a name call the tool."""
    for free in ("auto", "none"):
        answer = await client.chat.completions.create(
            model=MODEL, messages=HELLO, tools=[TOOL], tool_choice=free
        )
        assert not answer.choices[0].message.tool_calls
    choices: list[Any] = [
        "required",
        {"type": "function", "function": {"name": "save"}},
    ]
    for choice in choices:
        answer = await client.chat.completions.create(
            model=MODEL, messages=HELLO, tools=[TOOL], tool_choice=choice
        )
        [call] = answer.to_dict()["choices"][0]["message"]["tool_calls"]  # type: ignore[index]
        assert json.loads(call["function"]["arguments"]).keys() == {"content"}
        assert answer.choices[0].finish_reason == "tool_calls"
