"""Replies and formation through servers that speak the Responses API in their own way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import openai
import pytest

from bot.answering.attachments import AttachedFile
from bot.config import STAND_IN_MODEL
from bot.conversation.turns import Exchange
from bot.locale import say
from memory import Pool
from tests.conftest import Server
from tests.integration.app import App, open_app
from tests.integration.model_servers import (
    LOOSE,
    STRICT,
    Dialect,
    ModelServer,
    model_server,
)
from tests.integration.playground_slack import PlaygroundSlack
from tests.integration.responses_server import (
    ALICE,
    PROMPT,
    LookTool,
    Shown,
    create_replier,
    script,
)
from tests.integration.test_attachments import sent_image


@pytest.fixture(params=[STRICT, LOOSE], ids=lambda dialect: dialect.name)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Each server in turn."""
    assert isinstance(request.param, Dialect)
    return request.param


@pytest.fixture
async def server(dialect: Dialect, stand_in: Server) -> AsyncIterator[ModelServer]:
    """The server that is asked."""
    async with model_server(dialect, stand_in.openai_base_url) as served:
        yield served


@pytest.fixture
async def client(server: ModelServer) -> AsyncIterator[openai.AsyncOpenAI]:
    """A client of it."""
    async with openai.AsyncOpenAI(
        api_key="k", base_url=server.url, max_retries=0
    ) as opened:
        yield opened


async def test_a_message_is_answered_and_remembered(
    pool: Pool,
    database: str,
    slack: PlaygroundSlack,
    stand_in: Server,
    server: ModelServer,
    client: openai.AsyncOpenAI,
    dialect: Dialect,
) -> None:
    """The reply is streamed, a memory is formed and checked, and the next reply has it in view."""
    chat: dict[str, Any] = {}
    if dialect is STRICT:
        chat["memory_model"] = f"openai-chat:{STAND_IN_MODEL}"
    app: App = await open_app(
        pool, database, slack, stand_in, client, openai_base_url=server.url, **chat
    )
    place = slack.place()
    told = await app.ask(place, "I love okonomiyaki")
    assert app.turn(told)["status"] == "answered"
    [memory] = await app.form(told)
    assert memory["food_name"] == "okonomiyaki"
    asked = await app.ask(place, "What shall I eat?")
    assert "okonomiyaki" in app.request_texts()[-1]
    assert "okonomiyaki" in app.turn(asked)["reply"]
    kinds = [entry["kind"] for entry in stand_in.call("/_model/journal")["entries"]]
    assert {"reply", "formation", "verdict"} <= {*kinds}


async def test_a_tool_is_called_once(
    client: openai.AsyncOpenAI, server: ModelServer, stand_in: Server
) -> None:
    """A call is carried out once, and its output goes back, also where only the end names it."""
    script(stand_in, function_calls=[{"name": "look", "arguments": {"at": 1}}])
    script(stand_in, text="Ok.")
    look = LookTool()
    replier = create_replier(client)
    assert (await replier.reply(ALICE, PROMPT, Shown(), look)).text == "Ok."
    assert look.calls == ['{"at": 1}']
    sent, answered = server.requests[-1]["input"][-2:]
    assert (sent["type"], answered["type"]) == ("function_call", "function_call_output")
    assert sent["call_id"] == answered["call_id"]


only_strict = pytest.mark.parametrize(
    "dialect", [STRICT], indirect=True, ids=["strict"]
)
only_loose = pytest.mark.parametrize("dialect", [LOOSE], indirect=True, ids=["loose"])


@only_strict
async def test_refused_parameters_are_left_out_together_from_then_on(
    server: ModelServer, client: openai.AsyncOpenAI
) -> None:
    """One more request, for the first answer only; ``store: false`` stays."""
    replier = create_replier(client, effort="minimal")
    for _ in range(2):
        assert (await replier.reply(ALICE, PROMPT, Shown(), LookTool())).text
    sent = server.requests[-1]
    optional = ("reasoning", "safety_identifier", "max_output_tokens", "include")
    assert sent.keys().isdisjoint(optional)
    assert server.requests[0].keys() >= {*optional}
    assert sent["store"] is False
    assert len(server.requests) == 3


@only_strict
async def test_requests_that_are_refused_together_are_all_sent_again(
    server: ModelServer, client: openai.AsyncOpenAI
) -> None:
    """What the first refusal has taught is no reason to give up the second, nor teaches it more."""
    alone = create_replier(client, effort="minimal")
    assert (await alone.reply(ALICE, PROMPT, Shown(), LookTool())).text
    server.together = asyncio.Barrier(2)
    replier = create_replier(client, effort="minimal")
    answers = await asyncio.gather(
        *[replier.reply(ALICE, PROMPT, Shown(), LookTool()) for _ in range(2)]
    )
    assert all(answer.text for answer in answers)
    assert replier.model.left_out == alone.model.left_out


LOOK = {"name": "look", "arguments": {}}
EARLIER = Exchange(ts="1.0", user_id="U1", question="Hi", reply="Hello!")
UNANSWERED = replace(EARLIER, reply=None)
NOTES = AttachedFile(name="a.txt", kind="text/plain", text="Budget: 5 euros")


@only_loose
async def test_reasoning_that_is_not_encrypted_goes_back_whole(
    server: ModelServer, client: openai.AsyncOpenAI, stand_in: Server
) -> None:
    """With its content, which llama.cpp asks for, and without a refusal."""
    stand_in.call("/_model/settings", {"reasoning": True})
    script(stand_in, function_calls=[LOOK])
    script(stand_in, text="On Monday.")
    reply = await create_replier(client).reply(ALICE, PROMPT, Shown(), LookTool())
    assert reply.text == "On Monday."
    first, second = [sent["input"] for sent in server.requests if "include" in sent][
        -2:
    ]
    reasoning, call, _ = second[len(first) :]
    assert (reasoning["type"], call["type"]) == ("reasoning", "function_call")
    assert reasoning["content"][0]["type"] == "reasoning_text"


@only_strict
async def test_a_conversation_goes_on(
    server: ModelServer, client: openai.AsyncOpenAI
) -> None:
    """After an answer and after none, and with what others wrote, roles alternate."""
    replier = create_replier(client)
    for exchanges in ([EARLIER], [UNANSWERED], [EARLIER, UNANSWERED]):
        asked = replace(PROMPT, exchanges=exchanges, files=[NOTES])
        assert (await replier.reply(ALICE, asked, Shown(), LookTool())).text
    assert len(server.requests) == 1 + 3  # the first one has fields that are refused
    sent = server.requests[-1]["input"]
    roles = [item["role"] for item in sent]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    frame, _, words = sent[-1]["content"].partition("</files>")
    assert "\n<files>\n{" in frame
    assert words.strip() == PROMPT.question


@only_loose
async def test_three_people_whose_pictures_fail_keep_nobody_waiting(
    pool: Pool,
    database: str,
    slack: PlaygroundSlack,
    stand_in: Server,
    server: ModelServer,
    client: openai.AsyncOpenAI,
) -> None:
    """What the server breaks at while it answers others is left out; each of them is answered."""
    app = await open_app(pool, database, slack, stand_in, client)
    for _ in range(3):
        shown = await sent_image(app, slack.place(), "Look at this")
        assert app.replies(shown)[0].endswith(
            say("en", "files_model", names="`cat.png`")
        )
        asked = await app.ask(slack.place(), "I like ramen")
        for message in (shown, asked):
            assert app.turn(message)["status"] == "answered"
    assert not app.core.model.breaker.is_away
    kinds = [
        "image" if "input_image" in json.dumps(one) else "" for one in server.requests
    ]
    # Each picture is tried once, then the probe, then the words; after it somebody else's.
    assert kinds == ["image", "", "", ""] * 3


@only_loose
async def test_an_answer_that_the_limit_cut_off_is_marked(
    client: openai.AsyncOpenAI, stand_in: Server
) -> None:
    """Also where the server calls it complete: by the tokens that it counts."""
    script(stand_in, text="one two three four five six seven eight nine ten " * 10)
    replier = create_replier(client, max_output_tokens=16)
    assert (await replier.reply(ALICE, PROMPT, Shown())).cut == "cut_short"
    script(stand_in, text="Yes.")
    assert (await replier.reply(ALICE, PROMPT, Shown())).cut is None
