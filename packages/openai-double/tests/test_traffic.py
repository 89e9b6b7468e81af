"""What the double records for a check against OpenAI's schemas."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from .controls import Controls

MODEL = "gpt-6-luna"


async def test_what_is_received_and_sent_is_recorded(
    client: openai.AsyncOpenAI, controls: Controls
) -> None:
    """Requests, events, answers and errors are recorded as they were, until they are taken."""
    await client.responses.create(model=MODEL, input="hello")
    stream = await client.responses.create(model=MODEL, input="hello", stream=True)
    events = [event.type async for event in stream]
    with pytest.raises(openai.NotFoundError):
        await client.responses.create(model="other", input="hello")
    told = await controls.get("traffic")
    records = told["records"]
    assert [one["what"] for one in records] == [
        *("request", "object", "request"),
        *("event" for _ in events),
        *("request", "error"),
    ]
    assert [one["body"]["type"] for one in records if one["what"] == "event"] == events
    assert records[0]["body"]["input"] == "hello"
    assert records[1]["body"]["object"] == "response"
    assert (await controls.get(f"traffic?since={told['last']}"))["records"] == []


@pytest.mark.nonconforming
async def test_a_function_tool_without_strict_is_taken_for_strict(
    client: openai.AsyncOpenAI,
) -> None:
    """OpenAI takes a tool without `strict` for strict; its schema requires it, and so does ours."""
    tool: Any = {"type": "function", "name": "save", "parameters": {}}
    response = await client.responses.create(model=MODEL, input="hello", tools=[tool])
    assert [one.to_dict() for one in response.tools] == [{**tool, "strict": True}]
