"""`/v1/responses`, read by the real `openai` client."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import openai
import pytest
from openai.types.responses import Response

from .controls import Controls

MODEL = "gpt-6-luna"
BAD = pytest.mark.nonconforming
SITE = {
    "url": "https://example.com/",
    "title": "Site",
    "start_index": 8,
    "end_index": 12,
}
TOOL: Any = {
    "type": "function",
    "name": "list_memories",
    "description": "List them.",
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {
            "query": {"type": "string"},
            "limit": {"type": "integer", "maximum": 5},
        },
        "required": ["query", "limit"],
    },
}


async def events_of(client: openai.AsyncOpenAI, **arguments: Any) -> list[Any]:
    """Every event of one streamed response, in order, each valid by the strict type it names."""
    stream = await client.responses.create(stream=True, model=MODEL, **arguments)
    events: list[Any] = [event async for event in stream]
    for event in events:
        assert type(event).model_validate(event.to_dict()).type == event.type
        assert type(event).__name__ != "BaseModel"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    return events


def final(events: list[Any]) -> Response:
    """The response of the last event."""
    response: Response = events[-1].response
    return response


async def test_a_plain_answer_is_a_whole_response_object(
    client: openai.AsyncOpenAI,
) -> None:
    """Without `stream` the client gets text, usage and what it asked with."""
    response = await client.responses.create(
        model=MODEL,
        input="hello",
        store=False,
        safety_identifier="hashed",
        instructions="Be kind.",
        tools=[{"type": "web_search"}],
        metadata={"a": "b"},
    )
    assert response.output_text.startswith("Hello!")
    assert response.status == "completed"
    assert response.store is False  # type: ignore[attr-defined]
    assert response.safety_identifier == "hashed"
    assert response.metadata == {"a": "b"}
    assert [tool.type for tool in response.tools] == ["web_search"]
    assert response.usage is not None
    assert response.usage.input_tokens > 0
    assert (
        response.usage.total_tokens
        == response.usage.input_tokens + response.usage.output_tokens
    )


async def test_a_stream_has_the_real_events_in_the_real_order(
    client: openai.AsyncOpenAI,
) -> None:
    """Every event arrives typed, numbered from 0, and the deltas make up the text."""
    events = await events_of(client, input="hello")
    types = [event.type for event in events]
    assert types[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    deltas = [
        event.delta for event in events if event.type == "response.output_text.delta"
    ]
    assert types[4:-4] == ["response.output_text.delta"] * len(deltas)
    assert types[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert len(deltas) > 2
    assert "".join(deltas) == events[-4].text == final(events).output_text


async def test_a_search_an_annotation_and_a_call_are_streamed(
    client: openai.AsyncOpenAI, controls: Controls
) -> None:
    """Each comes with the events of its kind, and as an item of the response."""
    output = {
        "text": "See the site.",
        "annotations": [SITE],
        "web_search": True,
        "function_calls": [
            {"name": "list_memories", "arguments": {"query": "x", "limit": 1}}
        ],
    }
    await controls.post("script", {"endpoint": "responses", "output": output})
    events = await events_of(
        client, input="hello", tools=[TOOL, {"type": "web_search"}]
    )
    assert {event.type for event in events} >= {
        "response.web_search_call.in_progress",
        "response.web_search_call.searching",
        "response.web_search_call.completed",
        "response.output_text.annotation.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
    }
    search, message, call = (item.to_dict() for item in final(events).output)
    assert search["type"] == "web_search_call"
    assert message["content"][0]["annotations"] == [{"type": "url_citation", **SITE}]  # type: ignore[index]
    assert json.loads(str(call["arguments"])) == {"query": "x", "limit": 1}


async def test_max_output_tokens_cuts_the_answer(
    client: openai.AsyncOpenAI, controls: Controls
) -> None:
    """A limit ends the response as incomplete, with its reason."""
    text = "One word after another. " * 20
    await controls.post("script", {"endpoint": "responses", "output": {"text": text}})
    events = await events_of(client, input="hello", max_output_tokens=16)
    assert events[-1].type == "response.incomplete"
    assert final(events).to_dict()["incomplete_details"] == {
        "reason": "max_output_tokens"
    }
    assert 0 < len(final(events).output_text) < len(text)


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        pytest.param(
            {"input": "x", "temprature": 1},
            "temprature",
            "unknown_parameter",
            marks=BAD,
        ),
        pytest.param(
            {"input": "x", "temperature": "hot"},
            "temperature",
            "invalid_type",
            marks=BAD,
        ),
        pytest.param(
            {"input": [{"role": "robot", "content": "x"}]},
            "input",
            None,
            marks=BAD,
        ),
        pytest.param(
            {"input": "x", "tools": [{"type": "function"}]},
            "tools",
            None,
            marks=BAD,
        ),
        ({"input": "x", "tool_choice": "required"}, "tool_choice", "invalid_value"),
        (
            {"input": "x", "model": "text-embedding-3-small"},
            "model",
            "unsupported_model",
        ),
        pytest.param({"input": "x", "model": None}, "model", None, marks=BAD),
    ],
)
async def test_a_bad_request_is_refused_in_openai_s_words(
    client: openai.AsyncOpenAI, body: dict[str, Any], param: str, code: str | None
) -> None:
    """400 names the parameter, as the openai package's own types have it."""
    with pytest.raises(openai.BadRequestError) as refused:
        await client.post("/responses", body={"model": MODEL, **body}, cast_to=Response)
    assert refused.value.type == "invalid_request_error"
    assert refused.value.param == param
    assert refused.value.message
    if code:
        assert refused.value.code == code


async def test_a_request_needs_a_key(url: str, session: aiohttp.ClientSession) -> None:
    """Without a bearer, or with a blank one, the answer is 401."""
    for headers in ({}, {"authorization": "Bearer  "}, {"authorization": "Basic eDp4"}):
        async with session.post(
            f"{url}/v1/responses", json={}, headers=headers
        ) as response:
            assert response.status == 401
            assert (await response.json())["error"]["code"] == "invalid_api_key"


async def test_models_are_known_by_name(client: openai.AsyncOpenAI) -> None:
    """An unknown one is 404 `model_not_found`."""
    with pytest.raises(openai.NotFoundError) as unknown:
        await client.responses.create(model="gpt-5-none", input="x")
    assert unknown.value.code == "model_not_found"
