"""Output items of `/v1/responses` beyond one text, how a response ends badly, and reasoning."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from openai_double.errors import RESPONSE_ERROR_CODES

from .controls import Controls
from .test_responses import events_of

MODEL = "gpt-6-luna"
INCLUDE = ["reasoning.encrypted_content"]


async def test_items_of_every_type_come_in_their_order(
    client: openai.AsyncOpenAI, controls: Controls
) -> None:
    """A script can send reasoning, commentary, a search, several messages, and a call."""
    items = [
        {"type": "reasoning"},
        {"type": "message", "text": "Let me look that up.", "phase": "commentary"},
        {"type": "web_search", "query": "release"},
        {"type": "message", "text": "On Monday.", "phase": "final_answer"},
        {"type": "message", "text": "Anything else?"},
        {"type": "function_call", "name": "look", "arguments": {"a": 1}},
    ]
    await controls.post("script", {"endpoint": "responses", "output": {"items": items}})
    events = await events_of(client, input="When?", include=INCLUDE)
    output = events[-1].response.output
    assert [item.type for item in output] == [
        *(
            "reasoning",
            "message",
            "web_search_call",
            "message",
            "message",
            "function_call",
        )
    ]
    assert output[0].encrypted_content
    assert [getattr(item, "phase", None) for item in output] == [
        *(None, "commentary", None, "final_answer", None, None)
    ]
    assert [part.text for part in output[3].content] == ["On Monday."]
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    assert sorted({event.output_index for event in deltas}) == [1, 3, 4]


@pytest.mark.parametrize("code", RESPONSE_ERROR_CODES)
async def test_a_response_fails_with_every_code(
    client: openai.AsyncOpenAI, controls: Controls, code: str
) -> None:
    """`failed`, a flat and a nested `error` carry each code of the schema."""
    for fault in ({"event": "failed"}, {"event": "error"}):
        await controls.post(
            "faults", {"endpoint": "responses", "error_code": code, **fault}
        )
        last = (await events_of(client, input="hello"))[-1]
        found = last.response.error if fault["event"] == "failed" else last
        assert found.code == code
    nested = {"event": "error", "nested": True, "error_code": code}
    await controls.post("faults", {"endpoint": "responses", **nested})
    with pytest.raises(openai.APIError) as raised:
        await events_of(client, input="hello")
    assert (type(raised.value), raised.value.code) == (openai.APIError, code)


async def test_reasoning_is_taken_back_as_it_was_sent(
    client: openai.AsyncOpenAI, controls: Controls
) -> None:
    """An item without its encrypted content, with another's, or alone at the end is refused."""
    await controls.post("settings", {"reasoning": True})
    response = await client.responses.create(
        model=MODEL,
        input="hello",
        include=INCLUDE,  # type: ignore[arg-type]
    )
    items: list[Any] = [item.to_dict() for item in response.output]
    reasoning, message = items
    assert reasoning["type"] == "reasoning"
    again = {"role": "user", "content": "thanks"}
    asked: list[Any] = [{"role": "user", "content": "hello"}, reasoning, message, again]
    assert (await client.responses.create(model=MODEL, input=asked)).output_text
    bare = {
        key: value for key, value in reasoning.items() if key != "encrypted_content"
    }
    unknown: Any = [bare, message, again]
    with pytest.raises(openai.NotFoundError):
        await client.responses.create(model=MODEL, input=unknown)
    wrong: list[Any]
    for wrong in (
        [{**reasoning, "id": "rs_other"}, message],
        [again, reasoning],
        [reasoning, again],
    ):
        with pytest.raises(openai.BadRequestError):
            await client.responses.create(model=MODEL, input=wrong)
