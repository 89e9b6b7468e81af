"""Memories formed and checked by models of Anthropic, Google and Amazon Bedrock."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator

import pytest

from bot.runtime import memory_models
from bot.runtime.memory_models import missing_extra
from memory import Embedder, Former, MemoryModelRefused, Pool, memory_model
from memory.formation import TokenUse
from tests.integration.memory_providers import (
    PROVIDERS,
    Provider,
    ProviderServer,
    provider_server,
)
from tests.integration.scripted_model import ScriptedModel, food, remove
from tests.integration.test_formation import ALICE_DM, words

pytestmark = pytest.mark.slow

RAMEN = food("ラーメン", 90, "ラーメンが好きです")


@pytest.fixture(params=PROVIDERS, ids=lambda provider: provider.name)
async def server(
    request: pytest.FixtureRequest, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ProviderServer]:
    """Each provider's API in turn, in front of the scripted model."""
    assert isinstance(request.param, Provider)
    async with provider_server(request.param, model.base_url) as served:
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
    former: Former, model: ScriptedModel, server: ProviderServer
) -> None:
    """The same tools, schemas and memories in view as with OpenAI; tokens are counted."""
    model.answer([RAMEN])
    spent: list[TokenUse] = []

    def spend(used: TokenUse) -> None:
        spent.append(used)

    formed = await former.form(ALICE_DM, words("ラーメンが好きです"), spend=spend)
    assert [change.action for change in formed.changes] == ["remembered"]
    assert [used.total() > 0 for used in spent] == [True]
    model.answer(
        lambda shown: [
            (
                "PatchDoc",
                {
                    "json_doc_id": shown.id_of("ラーメン"),
                    "patches": [
                        {"op": "replace", "path": "/food_name", "value": "うどん"},
                        {"op": "replace", "path": "/evidence", "value": "うどんが好きです"},
                    ],
                },
            )
        ]
    )
    formed = await former.form(ALICE_DM, words("うどんが好きです"))
    assert [change.action for change in formed.changes] == ["updated"]
    model.answer(lambda shown: [remove(shown.id_of("うどん"))])
    formed = await former.form(ALICE_DM, words("うどんが好きなのはやめました"))
    assert [change.action for change in formed.changes] == ["removed"]
    assert len(server.requests) == 6
    tools = [tool["function"] for tool in model.requests[-1]["tools"]]
    assert {"UserFact", "PatchDoc", "RemoveDoc"} <= {tool["name"] for tool in tools}


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refusal_is_no_outage(
    former: Former, server: ProviderServer, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused request is sent once, its status is logged, and the words wait."""
    server.failing = status
    with pytest.raises(MemoryModelRefused) as refused:
        await former.form(ALICE_DM, words("ラーメンが好きです"))
    assert refused.value.status == status
    assert len(server.requests) == 1
    assert "ラーメン" not in caplog.text


@pytest.mark.parametrize(
    ("model", "package", "extra"),
    [
        ("anthropic:claude-sonnet-5", "langchain-anthropic", "anthropic"),
        ("google_genai:gemini-3-flash", "langchain-google-genai", "google"),
        ("bedrock_converse:anthropic.claude-v1:0", "langchain-aws", "bedrock"),
    ],
)
def test_a_missing_package_names_its_extra(
    model: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence stops the start, and the doctor says it."""
    assert missing_extra(model) is None
    monkeypatch.setattr(memory_models, "find_spec", lambda package: None)
    assert missing_extra(model) == (
        f"{model} needs the package {package}: run `pip install '.[{extra}]'` in the folder of"
        " Kioku's source."
    )
    assert missing_extra("gpt-6-luna") is None
