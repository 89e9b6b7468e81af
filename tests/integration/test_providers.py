"""Models of Anthropic, Google, Amazon Bedrock, and servers of chat completions alone."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import openai
import pytest

from bot.answering.attachments import AttachedFile
from bot.answering.reply import ask_model
from bot.config import load_settings
from bot.conversation.turns import Exchange
from bot.models.failures import ReplyFailed
from bot.models.langchain import LangChainModel
from bot.runtime.wiring import ModelClients, create_reply_model, open_model_clients
from bot.types import Reply
from memory import Embedder, Former, MemoryModelRefused, Pool, memory_model
from tests.conftest import Server
from tests.integration.app import open_app
from tests.integration.memory_providers import (
    CHAT,
    PROVIDERS,
    THOUGHT,
    Provider,
    ProviderServer,
    Said,
    provider_server,
)
from tests.integration.playground_slack import PlaygroundSlack
from tests.integration.responses_server import (
    ALICE,
    PROMPT,
    LookTool,
    Shown,
    counted_tokens,
)
from tests.integration.scripted_model import food, patch, remove
from tests.integration.test_formation import ALICE_DM, words
from tests.waiting import SECONDS

pytestmark = pytest.mark.slow

DATA = "iVBORw0KGgo="
IMAGE = {
    "type": "input_image",
    "image_url": f"data:image/png;base64,{DATA}",
    "detail": "auto",
}
PDF = {
    "type": "input_file",
    "filename": "a.pdf",
    "file_data": f"data:application/pdf;base64,{DATA}",
}
ASKED = replace(
    PROMPT,
    exchanges=[Exchange(ts="1.0", user_id="U1", question="Hi", reply="Hello!")],
    files=[
        AttachedFile(name="a.png", kind="image/png", content=IMAGE),
        AttachedFile(name="a.pdf", kind="application/pdf", content=PDF),
    ],
)


@pytest.fixture(params=[*PROVIDERS, CHAT], ids=lambda provider: provider.name)
async def server(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ProviderServer]:
    """Each API in turn."""
    assert isinstance(request.param, Provider)
    async with provider_server(request.param) as served:
        for name, value in request.param.variables(served.url).items():
            monkeypatch.setenv(name, value)
        yield served
    # The bodies that google-genai does not await go here: elsewhere their warning may fail.
    gc.collect()


of_vendors = pytest.mark.parametrize(
    "server", PROVIDERS, indirect=True, ids=lambda provider: provider.name
)


@pytest.fixture
async def replying(server: ProviderServer) -> AsyncIterator[LangChainModel]:
    """The provider's model, as the app makes it of its settings."""
    given = {"KIOKU_REPLY_MODEL": server.provider.model}
    if server.provider is CHAT:
        given |= server.provider.variables(server.url)
    settings = load_settings(given, dotenv=None)
    async with open_model_clients(settings) as clients:
        created = create_reply_model(settings, clients.replies)
        assert isinstance(created, LangChainModel)
        yield created


class Watched(Shown):
    """A reply that says when it has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    async def write(self, piece: str) -> None:
        """Take a piece of the text."""
        await super().write(piece)
        self.begun.set()


async def replied(
    replying: LangChainModel, shown: Shown, tools: LookTool | None = None, **more: Any
) -> Reply:
    """Return the answer of the model."""
    asked = replace(ASKED, **more)
    return await ask_model(replying, ALICE, asked, shown, tools, may_search=False)


async def test_a_message_with_files_is_answered_after_a_tools_result(
    server: ProviderServer, replying: LangChainModel
) -> None:
    """Thoughts are not shown; with their signature they go back beside the call they led to."""
    server.said += [
        Said(pieces=["One ", "moment."], calls=[("look", {"at": 1})]),
        Said(pieces=["On Mon", "day."]),
    ]
    shown = Shown()
    look = LookTool()
    with counted_tokens() as spent:
        reply = await replied(replying, shown, look)
    assert reply.text == shown.text == "One moment.\n\nOn Monday."
    assert [json.loads(one) for one in look.calls] == [{"at": 1}]
    assert len(shown.pieces) >= 4
    if server.provider is not CHAT:
        assert {kind for _, kind in spent} == {"input", "output"}
    first, second = (json.dumps(one) for one in server.requests)
    assert first.count(DATA) == 2
    if server.provider is CHAT:
        parts = [message["content"] for message in server.requests[0]["messages"]]
        [with_files] = [one for one in parts if isinstance(one, list)]
        assert {part["type"] for part in with_files} == {"text", "image_url", "file"}
    assert "You are Kioku" in first
    assert "Hello!" in first
    assert server.provider.thought in second
    assert "called" in second  # the tool's result
    assert (THOUGHT in second) is bool(server.provider.thought)


@of_vendors
async def test_one_providers_key_is_enough(
    pool: Pool,
    database: str,
    slack: PlaygroundSlack,
    stand_in: Server,
    model_client: openai.AsyncOpenAI,
    server: ProviderServer,
) -> None:
    """Kioku answers and remembers; without an embedding model it recalls the newest memories."""
    app = await open_app(
        pool,
        database,
        slack,
        stand_in,
        model_client,
        clients=ModelClients(model_client, model_client, None),
        reply_model=server.provider.model,
        memory_model=server.provider.model,
    )
    place = slack.place()
    server.said += [Said(pieces=["Noted."]), Said(pieces=["Ramen!"])]
    server.steps.append(lambda shown: [food("ramen", 90, "I love ramen")])
    told = await app.ask(place, "I love ramen")
    assert app.replies(told) == ["Noted."]
    [memory] = await app.form(told)
    assert memory["food_name"] == "ramen"
    asked = await app.ask(place, "What shall I eat?")
    assert app.replies(asked) == ["Ramen!"]
    assert "ramen" in json.dumps(server.requests[-1])


async def test_an_answer_that_a_limit_cut_off_is_marked(
    server: ProviderServer, replying: LangChainModel
) -> None:
    """Whatever the provider calls the limit; the tool is offered, and none is called."""
    server.said.append(Said(pieces=["Half of"], is_cut=True))
    reply = await replied(replying, Shown(), LookTool(), files=())
    assert (reply.text, reply.cut) == ("Half of", "cut_short")


async def test_stop_leaves_the_server(
    server: ProviderServer, replying: LangChainModel
) -> None:
    """The stream is closed, and what still comes is dropped."""
    server.said.append(Said(pieces=["It begins "]))
    server.is_held = True
    shown = Watched()
    asking = asyncio.create_task(replied(replying, shown))
    await asyncio.wait_for(shown.begun.wait(), SECONDS)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(server.left.wait(), SECONDS)


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (400, "model_failed"),
        (401, "model_refused"),
        (404, "model_refused"),
        (429, "model_busy"),
        (503, "model_down"),
    ],
)
async def test_a_refusal_has_the_same_meaning(
    server: ProviderServer, replying: LangChainModel, status: int, cause: str
) -> None:
    """By its HTTP status; only what may pass at once is asked a second time."""
    server.failing = status
    with pytest.raises(ReplyFailed) as failed:
        await replied(replying, Shown(), files=())
    assert (failed.value.cause, failed.value.status) == (cause, status)


RAMEN = food("ラーメン", 90, "ラーメンが好きです")


@pytest.fixture
def former(pool: Pool, model_embedder: Embedder, server: ProviderServer) -> Former:
    """A former whose memories are formed and checked by the provider's model."""
    chat = memory_model(model=server.provider.model)
    return Former(pool, model_embedder, chat)


@of_vendors
async def test_a_memory_is_formed_checked_changed_and_removed(
    former: Former, server: ProviderServer
) -> None:
    """The same tools, schemas and memories in view as with OpenAI; tokens are counted."""
    udon = "うどんが好きです"
    for said, step, action in (
        ("ラーメンが好きです", lambda shown: [RAMEN], "remembered"),
        (
            udon,
            lambda shown: [
                patch(shown.id_of("ラーメン"), food_name="うどん", evidence=udon)
            ],
            "updated",
        ),
        (
            "うどんはやめました",
            lambda shown: [remove(shown.id_of("うどん"))],
            "removed",
        ),
    ):
        server.steps.append(step)
        with counted_tokens() as spent:
            formed = await former.form(ALICE_DM, words(said))
        assert spent.total() > 0
        assert [change.action for change in formed.changes] == [action]
    assert len(server.requests) == 6
    assert server.tools(-2)


@of_vendors
@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refusal_is_no_outage(
    former: Former,
    server: ProviderServer,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A refused request is sent once, its status is logged, and the words wait.

    After any but a 401, which may be the request's, the model is asked whether it answers others.
    """
    server.failing = status
    with pytest.raises(MemoryModelRefused) as refused:
        await former.form(ALICE_DM, words("ラーメンが好きです"))
    assert refused.value.error is not None
    assert refused.value.error.status == status
    assert len(server.requests) == (1 if status == 401 else 2)
    assert "ラーメン" not in caplog.text
