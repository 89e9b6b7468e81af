"""Replies and formation through servers that speak the Responses API in their own way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from bot.config import STAND_IN_MODEL
from bot.pipeline.model import CircuitBreaker, ModelRequests, ReplyFailed
from bot.pipeline.prompt import Prompt
from bot.pipeline.reply import Replier
from memory import Pool
from tests.conftest import Server
from tests.integration.app import App, open_app
from tests.integration.model_servers import (
    DIALECTS,
    OLLAMA,
    STRICT,
    VLLM,
    VLLM_CONTEXT,
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
    fault,
    script,
)


@pytest.fixture(params=DIALECTS, ids=lambda dialect: dialect.name)
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
    async with openai.AsyncOpenAI(api_key="k", base_url=server.url, max_retries=0) as opened:
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
    chat = {"memory_model": f"chat:{STAND_IN_MODEL}"} if dialect is STRICT else {}
    app: App = await open_app(
        pool, database, slack, stand_in, client, openai_base_url=server.url, **chat
    )
    place = slack.place()
    told = await app.ask(place, "I love okonomiyaki")
    assert app.turn(told)["model"] == STAND_IN_MODEL
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


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ({"status": 401}, "model_refused"),
        ({"error_code": "context_length_exceeded"}, "model_too_long"),
        ({"status": 429}, "model_busy"),
        ({"status": 503}, "model_down"),
        ({"event": "failed", "break_after_chars": 5}, "model_down"),
    ],
    ids=str,
)
async def test_an_error_has_the_same_meaning(
    client: openai.AsyncOpenAI, stand_in: Server, dialect: Dialect, how: dict[str, Any], cause: str
) -> None:
    """By the status where the body says nothing that is known."""
    fault(stand_in, **how)
    with pytest.raises(ReplyFailed) as raised:
        await create_replier(client).reply(ALICE, PROMPT, Shown())
    without_code = dialect in (OLLAMA, STRICT) and cause == "model_too_long"
    assert raised.value.cause == ("model_failed" if without_code else cause)


async def test_a_refused_parameter_is_left_out_from_then_on(
    server: ModelServer, client: openai.AsyncOpenAI, dialect: Dialect
) -> None:
    """One more request for each refused parameter, for the first answer only."""
    replier = create_replier(client, effort="minimal")
    for _ in range(2):
        assert (await replier.reply(ALICE, PROMPT, Shown(), LookTool())).text
    sent = server.requests[-1]
    assert ("reasoning" in sent) is (dialect not in (OLLAMA, STRICT))
    assert ("safety_identifier" in sent) is (dialect is not STRICT)
    assert ("max_output_tokens" in sent) is (dialect not in (VLLM, STRICT))
    refused = {VLLM: 1, OLLAMA: 1, STRICT: 4}.get(dialect, 0)
    assert len(server.requests) == refused + 2


@pytest.mark.parametrize("dialect", [VLLM], indirect=True, ids=["vllm"])
async def test_what_no_limit_of_the_output_makes_fit_is_too_long(
    server: ModelServer, client: openai.AsyncOpenAI
) -> None:
    """Without the limit the request is refused again, and the person learns why."""
    long = Prompt(question="?", user_id="U1", style="word " * VLLM_CONTEXT)
    with pytest.raises(ReplyFailed) as raised:
        await create_replier(client).reply(ALICE, long, Shown())
    assert raised.value.cause == "model_too_long"
    assert ["max_output_tokens" in sent for sent in server.requests] == [True, False]


@pytest.fixture
async def second(stand_in: Server) -> AsyncIterator[ModelServer]:
    """The server of the fallback model."""
    async with model_server(OLLAMA, stand_in.openai_base_url) as served:
        yield served


@pytest.fixture
async def fallback(second: ModelServer) -> AsyncIterator[ModelRequests]:
    """The fallback model: the stand-in under another name."""
    async with openai.AsyncOpenAI(api_key="k2", base_url=second.url, max_retries=0) as opened:
        yield ModelRequests(opened, model="gpt-6-luna")


@pytest.fixture
def replier(model_client: openai.AsyncOpenAI, fallback: ModelRequests) -> Replier:
    """A replier with both models."""
    return create_replier(model_client, fallbacks=[fallback])


@pytest.mark.parametrize(
    "how",
    [{"status": 500}, {"status": 429}, {"error_code": "insufficient_quota"}, {"status": 401}],
    ids=str,
)
async def test_the_fallback_answers_when_the_first_model_does_not(
    replier: Replier,
    stand_in: Server,
    second: ModelServer,
    fallback: ModelRequests,
    how: dict[str, Any],
) -> None:
    """The reply names the model that gave it, and one model is asked at a time."""
    fault(stand_in, **how)
    reply = await replier.reply(ALICE, PROMPT, Shown())
    assert (reply.model, bool(reply.text)) == (fallback.model, True)
    assert len(second.requests) == 1
    assert not replier.unavailable
    assert (await replier.reply(ALICE, PROMPT, Shown())).model == STAND_IN_MODEL
    assert len(second.requests) == 1


@pytest.mark.parametrize(
    ("first", "second_fails"),
    [
        ({"status": 503}, {"status": 401}),
        ({"status": 401}, {"status": 503}),
    ],
    ids=str,
)
async def test_a_message_waits_while_either_model_may_answer(
    replier: Replier, stand_in: Server, first: dict[str, Any], second_fails: dict[str, Any]
) -> None:
    """A failure of one that passes outweighs one of the other that does not."""
    fault(stand_in, **first)
    fault(stand_in, **second_fails)
    with pytest.raises(ReplyFailed) as raised:
        await replier.reply(ALICE, PROMPT, Shown())
    assert raised.value.passes


async def test_messages_wait_only_where_every_model_is_away(
    stand_in: Server, second: ModelServer, fallback: ModelRequests
) -> None:
    """A model that failed three times is asked once in a while only, and the fallback answers."""
    async with openai.AsyncOpenAI(
        api_key="k", base_url="http://127.0.0.1:9/v1", max_retries=0
    ) as nobody:
        replier = create_replier(nobody, fallbacks=[fallback])
        for model in replier.models:
            model.breaker = CircuitBreaker(lambda: 0.0)

        async def ask(number: int) -> str:
            asked = Prompt(question=f"What about number {number}?", user_id="U1")
            return (await replier.reply(ALICE, asked, Shown())).model

        assert [await ask(number) for number in range(4)] == [fallback.model] * 4
        assert replier.models[0].breaker.open
        assert not replier.unavailable
        fault(stand_in, status=500, times=-1)
        waiting = []
        for number in range(4, 7):
            with pytest.raises(ReplyFailed):
                await ask(number)
            waiting.append(replier.unavailable)
        assert waiting == [False, False, True]
        assert len(second.requests) == 7
