"""Memories formed and checked by models of Anthropic, Google and Amazon Bedrock."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator

import pytest

from memory import Embedder, Former, MemoryModelRefused, Pool, memory_model
from tests.integration.memory_providers import (
    PROVIDERS,
    Provider,
    ProviderServer,
    provider_server,
)
from tests.integration.responses_server import counted_tokens
from tests.integration.scripted_model import food, patch, remove
from tests.integration.test_formation import ALICE_DM, words

pytestmark = pytest.mark.slow

RAMEN = food("ラーメン", 90, "ラーメンが好きです")


@pytest.fixture(params=PROVIDERS, ids=lambda provider: provider.name)
async def server(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ProviderServer]:
    """Each provider's API in turn."""
    assert isinstance(request.param, Provider)
    async with provider_server(request.param) as served:
        for name, value in request.param.variables(served.url).items():
            monkeypatch.setenv(name, value)
        yield served
    # The bodies that google-genai does not await go here: elsewhere their warning may fail.
    gc.collect()


@pytest.fixture
def former(pool: Pool, model_embedder: Embedder, server: ProviderServer) -> Former:
    """A former whose memories are formed and checked by the provider's model."""
    chat = memory_model(model=server.provider.model)
    return Former(pool, model_embedder, chat)


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
