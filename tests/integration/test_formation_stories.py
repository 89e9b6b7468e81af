"""Whole stories, formed by LangMem over HTTP with the stand-in model's rules as its model."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from memory import (
    DM,
    Embedder,
    FormationResult,
    Former,
    Person,
    PersonMessage,
    Pool,
    UserFact,
    list_memories,
    memory_model,
    memory_view,
    subject,
)
from memory.model import checked_schemas
from tests.conftest import Server
from tests.integration.scripted_model import ScriptedModel

ALICE = Person("T1", "U1")


@pytest.fixture
def stand_in_former(pool: Pool, embedder: Embedder, stand_in: Server) -> Former:
    """What is tested, with the stand-in's rules behind it."""
    chat = memory_model(model="gpt-6-luna", api_key="none", base_url=stand_in.openai_base_url)
    return Former(pool, embedder, chat)


async def tell(former: Former, text: str) -> FormationResult:
    """Let Alice say something in a DM; return what was formed of it."""
    words = [PersonMessage(text=text, channel="D1", ts="1.1")]
    return await former.form(memory_view(ALICE.namespace(DM)), words)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "Our deploys failed every Friday, so we tried smaller releases and it fixed them.",
            ["deploys failed", "smaller releases", "fixed"],
        ),
        (
            "ビルドが遅かったので、キャッシュを試したところ、半分の時間になりました。",
            ["ビルドが遅かった", "キャッシュ", "半分の時間"],
        ),
    ],
)
async def test_an_experience_is_stored_as_an_episode(
    stand_in_former: Former, pool: Pool, text: str, parts: list[str]
) -> None:
    """What the person tells of having tried is one memory: situation, attempt and outcome."""
    assert not (await tell(stand_in_former, text)).refused
    [memory] = await list_memories(pool, ALICE)
    assert memory.kind == "Episode"
    told = [str(memory.content[name]) for name in ("observation", "action", "result")]
    assert all(part in said for part, said in zip(parts, told, strict=True)), told


class Pet(BaseModel):
    """An animal the person has"""

    name: str
    animal: str | None = None


async def test_an_operators_own_kind(pool: Pool, embedder: Embedder, model: ScriptedModel) -> None:
    """A kind of the operator's is formed beside the built-in ones, grounded like these."""
    former = Former(
        pool,
        embedder,
        lambda: memory_model(model="scripted", api_key="none", base_url=model.base_url),
        schemas=checked_schemas([UserFact, Pet]),
    )
    model.answer(
        [
            ("Pet", {"name": "Mochi", "animal": "cat", "evidence": "I have a cat called Mochi"}),
            ("Pet", {"name": "Rex", "animal": "dog", "evidence": "I have a dog called Rex"}),
        ]
    )
    formed = await tell(former, "I have a cat called Mochi")
    assert [(c.kind, (c.after or {})["content"]) for c in formed.changes] == [
        ("Pet", {"name": "Mochi", "animal": "cat"})
    ]
    assert [one.reason for one in formed.refused] == ["no_evidence"]
    assert subject("Pet", {"animal": "cat", "name": "Mochi"}) == "Mochi"
