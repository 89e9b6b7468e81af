"""Replies through ``/chat/completions``, for servers that have nothing else (KIOKU_REPLY_API)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import openai
import pytest
from aiohttp import web

from bot.conversation.turns import Exchange
from bot.locale import say
from bot.pipeline.attachments import AttachedFile
from bot.reply_models.chat_completions import response_events
from bot.reply_models.failures import ReplyFailed
from tests.conftest import Server
from tests.integration.app import MakeApp
from tests.integration.responses_server import (
    ALICE,
    PROMPT,
    LookTool,
    Shown,
    counted_tokens,
    create_replier,
    requests,
)
from tests.loopback import serving

LOOK = {"name": "look", "arguments": {"at": 1}}
EARLIER = Exchange(ts="1.0", user_id="U1", question="Hi", reply="Hello!")
IMAGE = {
    "type": "input_image",
    "image_url": "data:image/png;base64,AA==",
    "detail": "auto",
}
PDF = {
    "type": "input_file",
    "filename": "a.pdf",
    "file_data": "data:application/pdf;base64,AA==",
}


def script(stand_in: Server, **output: Any) -> None:
    """Say what the model answers next."""
    stand_in.call("/_model/script", {"endpoint": "chat", "output": output})


def fault(stand_in: Server, **how: Any) -> None:
    """Say how the model fails next."""
    stand_in.call("/_model/faults", {"endpoint": "chat", **how})


async def test_a_conversation_with_files_and_tools(
    model_client: openai.AsyncOpenAI, stand_in: Server
) -> None:
    """The same answer comes as from ``/responses``: pieces, a tool round, its tokens."""
    script(stand_in, text="Let me look.", function_calls=[LOOK])
    script(stand_in, text="It is a cat, on page one.")
    files = [
        AttachedFile(name="a.png", content=IMAGE),
        AttachedFile(name="a.pdf", content=PDF),
    ]
    asked = replace(PROMPT, exchanges=[EARLIER], files=files)
    look = LookTool()
    shown = Shown()
    replier = create_replier(model_client, api="chat", effort="low")
    with counted_tokens() as spent:
        reply = await replier.reply(ALICE, asked, shown, look)
    assert reply.text == shown.text == "Let me look.\n\nIt is a cat, on page one."
    assert look.calls == ['{"at": 1}']
    assert {kind for _, kind in spent} == {"input", "output"}
    first, second = requests(stand_in)
    assert [message["role"] for message in first["messages"]] == [
        *("system", "user", "assistant"),
        *("user", "user"),
    ]
    words, image, document = first["messages"][-1]["content"]
    assert words == {"type": "text", "text": PROMPT.question}
    assert image == {"type": "image_url", "image_url": {"url": IMAGE["image_url"]}}
    assert document["file"]["filename"] == "a.pdf"
    assert first["reasoning_effort"] == "low"
    assert first["tools"][0]["function"]["name"] == "look"
    said, output = second["messages"][len(first["messages"]) :]
    assert said["content"] == "Let me look."
    assert [call["function"]["name"] for call in said["tool_calls"]] == ["look"]
    assert (output["role"], output["tool_call_id"]) == (
        "tool",
        said["tool_calls"][0]["id"],
    )


async def test_a_message_is_answered_through_the_app(make_app: MakeApp) -> None:
    """With the setting, nothing is asked of ``/responses``, and no web search is offered."""
    app = await make_app(reply_api="chat")
    asked = await app.ask(app.slack.place(), "What do you remember?")
    assert app.turn(asked)["status"] == "answered"
    entries = [
        one
        for one in app.stand_in.call("/_model/journal")["entries"]
        if one["kind"] == "reply"
    ]
    assert {entry["endpoint"] for entry in entries} == {"chat"}
    entry = entries[0]
    names = [tool["function"]["name"] for tool in entry["body"]["tools"]]
    assert "memory_settings" in names
    assert "search_web" not in names


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ({"status": 401}, "model_refused"),
        ({"error_code": "context_length_exceeded"}, "model_too_long"),
        ({"status": 429}, "model_busy"),
        ({"status": 500}, "model_down"),
        ({"drop": True}, "model_down"),
    ],
    ids=str,
)
async def test_an_error_has_the_same_meaning(
    model_client: openai.AsyncOpenAI, stand_in: Server, how: dict[str, Any], cause: str
) -> None:
    """As from ``/responses``."""
    fault(stand_in, times=-1, **how)
    with pytest.raises(ReplyFailed) as raised:
        await create_replier(model_client, api="chat").reply(ALICE, PROMPT, Shown())
    assert raised.value.cause == cause
    assert say("en", ReplyFailed(cause).sentence)


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """Return one chunk of a completion."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def tool_call(**call: Any) -> dict[str, Any]:
    """Return a chunk with a piece of a call."""
    return chunk(tool_calls=[call])


async def answered(chunks: Sequence[Any], **how: Any) -> tuple[Any, LookTool]:
    """Return the reply, or failure, for chunks that a server sends; then it says "Done."."""
    sent: list[Sequence[Any]] = [chunks, [chunk(content="Done."), chunk("stop")]]

    async def complete(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for one in sent.pop(0) if sent else []:
            await response.write(f"data: {json.dumps(one)}\n\n".encode())
        return response

    application = web.Application()
    application.router.add_post("/v1/chat/completions", complete)
    look = LookTool()
    async with (
        serving(application) as url,
        openai.AsyncOpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0) as client,
    ):
        replier = create_replier(client, api="chat", **how)
        try:
            return await replier.reply(ALICE, PROMPT, Shown(), look), look
        except ReplyFailed as failed:
            return failed.cause, look


@pytest.mark.parametrize(
    "calls",
    [
        # In pieces, as OpenAI sends them; whole, without index or id, as others do.
        [
            tool_call(index=0, id="c1", function={"name": "look", "arguments": ""}),
            tool_call(index=0, function={"arguments": '{"at"'}),
            tool_call(index=0, function={"arguments": ": 1}"}),
        ],
        [
            tool_call(
                index=0, id="c1", function={"name": "look", "arguments": '{"at"'}
            ),
            tool_call(index=0, id="c1", function={"name": "look", "arguments": ": 1}"}),
        ],
        [tool_call(id="c1", function={"name": "look", "arguments": '{"at": 1}'})],
        [tool_call(function={"name": "look", "arguments": '{"at": 1}'})],
        [
            tool_call(
                index=0, id="c1", function={"name": "look", "arguments": {"at": 1}}
            )
        ],
    ],
    ids=["pieces", "named pieces", "without index", "without id", "object"],
)
async def test_a_call_is_put_together(calls: Sequence[Any]) -> None:
    """It is carried out once, with all of its arguments."""
    reply, look = await answered([*calls, chunk("tool_calls")])
    assert look.calls == ['{"at": 1}']
    assert reply.text == "Done."


@pytest.mark.parametrize(
    "named",
    [
        [{"index": 0, "id": "c1"}, {"index": 0, "id": "c2"}],
        [{"index": 0}, {"index": 0}],
        [{"id": "c1"}, {"id": "c2"}],
        [{}, {}],
        [{"index": 0, "id": "c1"}, {"index": 1, "id": "c2"}],
        [{"index": 0, "id": ""}, {"index": 1, "id": ""}],
    ],
    ids=str,
)
@pytest.mark.parametrize("together", [False, True])
async def test_calls_that_come_whole_are_kept_apart(
    named: Sequence[dict[str, Any]], together: bool
) -> None:
    """Each is carried out, although some servers give several of them the same index, or none."""
    numbered = enumerate(named, start=1)
    calls = [
        {**names, "function": {"name": "look", "arguments": f'{{"at": {at}}}'}}
        for at, names in numbered
    ]
    chunks = (
        [chunk(tool_calls=calls)]
        if together
        else [chunk(tool_calls=[one]) for one in calls]
    )
    _, look = await answered([*chunks, chunk("tool_calls")])
    assert look.calls == ['{"at": 1}', '{"at": 2}']


@pytest.mark.parametrize(
    ("finish", "cut"),
    [("stop", None), ("length", "cut_short"), ("content_filter", "cut_filtered")],
)
async def test_how_a_completion_ended(finish: str, cut: str | None) -> None:
    """A limit and a filter are said below the answer."""
    reply, _ = await answered([chunk(content="Half of"), chunk(finish)])
    assert (reply.text, reply.cut) == ("Half of", cut)


async def test_thoughts_in_a_field_of_their_own_are_not_shown() -> None:
    """DeepSeek, vLLM and llama.cpp name the field differently; Mistral makes parts."""
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    thoughts = [
        chunk(content=[thought]),
        chunk(content=[{"type": "text", "text": "Oh: "}]),
        chunk(reasoning_content="hm"),
        chunk(reasoning="hm"),
        chunk(content=None),
    ]
    reply, _ = await answered([*thoughts, chunk(content="Yes."), chunk("stop")])
    assert reply.text == "Oh: Yes."


async def test_a_thought_shows_that_an_answer_has_begun() -> None:
    """KIOKU_MODEL_TIMEOUT, which is for a server that sends nothing, is over with it."""

    async def thinking() -> AsyncIterator[object]:
        yield chunk(reasoning_content="hm")
        await asyncio.Event().wait()

    async with asyncio.timeout(60), aclosing(response_events(thinking())) as events:
        assert await anext(events)


@pytest.mark.parametrize(
    ("chunks", "cause"),
    [
        ([chunk(content="Half of")], "model_this_message"),
        ([chunk("", content="Half of")], "model_this_message"),
        ([chunk("stop")], "model_empty"),
        ([chunk(content=5)], "model_malformed"),
        ([tool_call(function="look")], "model_malformed"),
        ([5], "model_malformed"),
    ],
    ids=str,
)
async def test_what_is_no_whole_answer_is_a_failure(
    chunks: Sequence[Any], cause: str
) -> None:
    """A stream without a reason for its end has broken off."""
    failed, _ = await answered(chunks)
    assert failed == cause


async def test_a_refusal_is_an_answer() -> None:
    """It is shown, and can be rated, like any other."""
    reply, _ = await answered([chunk(refusal="I cannot."), chunk("stop")])
    assert reply.text == "I cannot."
