"""Playgrounds, models and applications for tests in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from langchain_core.language_models import BaseChatModel

from memory import Embedder, EmbeddingSpace, Former, Pool, memory_model
from tests.conftest import WITHOUT_MODEL, Server, open_playground
from tests.integration.app import App, MakeApp, open_app
from tests.integration.deliveries import Sender, Thread, open_sender
from tests.integration.playground_slack import PlaygroundSlack
from tests.integration.responses_server import Replier, create_replier
from tests.integration.scripted_model import DIMENSIONS, ScriptedModel, scripted_model

SPACE = EmbeddingSpace("kioku-stand-in-embedding", DIMENSIONS)


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    """A model that answers what the test says."""
    async with scripted_model() as served:
        yield served


@pytest.fixture
def replier(model_client: openai.AsyncOpenAI) -> Replier:
    """A replier with the stand-in as its model, which may search the web."""
    return create_replier(model_client, web_search=True)


@pytest.fixture
async def model_embedder(model: ScriptedModel) -> AsyncIterator[Embedder]:
    """An embedder that asks the scripted model."""
    async with openai.AsyncOpenAI(
        api_key="none", base_url=model.base_url, max_retries=0
    ) as client:
        yield Embedder(client, SPACE)


@pytest.fixture
def former(pool: Pool, model_embedder: Embedder, model: ScriptedModel) -> Former:
    """What is tested: LangMem and the verdicts over HTTP, and PostgreSQL."""

    def chat() -> BaseChatModel:
        return memory_model(model="scripted", api_key="none", base_url=model.base_url)

    return Former(pool, model_embedder, chat)


@pytest.fixture(scope="session")
def playground_process() -> Iterator[Server]:
    """A playground without a model, as a process of its own."""
    with open_playground(module=WITHOUT_MODEL) as server:
        yield server


@pytest.fixture(scope="module")
def own_playground() -> Iterator[Server]:
    """A playground of one module alone: it has nothing to send from other tests."""
    with open_playground(module=WITHOUT_MODEL) as server:
        yield server


@pytest.fixture
def slack(request: pytest.FixtureRequest) -> PlaygroundSlack:
    """The playground's Slack, or the module's ``own_slack``, with no faults and no calls."""
    own = request.node.get_closest_marker("own_slack") is not None
    server = request.getfixturevalue("own_playground" if own else "playground_process")
    opened = PlaygroundSlack(server)
    opened.clear()
    return opened


@pytest.fixture
async def make_app(
    pool: Pool,
    database: str,
    slack: PlaygroundSlack,
    stand_in: Server,
    model_client: openai.AsyncOpenAI,
    monkeypatch: pytest.MonkeyPatch,
) -> MakeApp:
    """Wire the app with the settings a test names; deadlines are long, and Slack is never late."""
    monkeypatch.setattr("bot.remembering.adding._DEADLINE", 60.0)
    monkeypatch.setattr("bot.slack.posting.SETTLED_SECONDS", 0.5)

    async def make(**settings: Any) -> App:
        return await open_app(pool, database, slack, stand_in, model_client, **settings)

    return make


@pytest.fixture
async def sender(database: str, slack: PlaygroundSlack) -> AsyncIterator[Sender]:
    """Everything an answer is delivered with."""
    async with open_sender(database, slack) as opened:
        yield opened


@pytest.fixture
def thread(sender: Sender) -> Thread:
    """A thread in somebody's direct messages."""
    return Thread(sender, sender.slack.place())


@pytest.fixture
async def app(make_app: MakeApp) -> App:
    """The app with default settings."""
    return await make_app()
