"""Whole stories, formed by LangMem over HTTP with the stand-in model's rules as its model."""

from __future__ import annotations

from typing import Any

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
    answer_question,
    checked_schemas,
    list_changes,
    list_memories,
    memory_model,
    memory_view,
    subject,
)
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


async def known(pool: Pool) -> dict[str, dict[str, Any]]:
    """Return what is remembered, by subject."""
    return {subject(m.kind, m.content): m.content for m in await list_memories(pool, ALICE)}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("I'm vegetarian", "vegetarian"),
        ("I love miso ramen, and I hate natto", "miso ramen"),
        ("I'm really interested in Rust and Kubernetes.", "Rust"),
        ("Hey, I'm learning Go these days. Any tips?", "Go"),
        ("ベジタリアンです", "ベジタリアン"),
        ("最近はKubernetesを勉強しています", "Kubernetes"),
        ("寿司が好きだけど、わさびは苦手です", "寿司"),
    ],
)
async def test_one_plain_statement_is_one_memory(
    stand_in_former: Former, pool: Pool, text: str, wanted: str
) -> None:
    """One plain statement is one memory at least, and nothing of it is refused."""
    assert not (await tell(stand_in_former, text)).refused
    subjects = await known(pool)
    assert any(wanted.casefold() in name.casefold() for name in subjects), list(subjects)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("I love ramen", "forget that I like ramen"),
        ("I love ramen", "I'm sick of ramen"),
        ("I'm interested in Rust", "I lost interest in Rust"),
        ("I'm interested in Rust", "Can you forget my interest in Rust?"),
        ("パスタが好きです", "パスタのことは忘れてください"),
        ("パスタが好きです", "パスタには飽きました"),
        ("AWSに興味があります", "AWSへの興味がなくなりました"),
    ],
)
async def test_a_statement_that_retracts_another_removes_or_lowers_it(
    stand_in_former: Former, pool: Pool, first: str, then: str
) -> None:
    """A change of mind leaves nothing of the old liking."""
    assert not (await tell(stand_in_former, first)).refused
    assert await known(pool)
    await tell(stand_in_former, then)
    left = await known(pool)
    assert all((c.get("preference") or c.get("interest_level") or 0) <= 20 for c in left.values())


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


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("I live in Osaka.", "I live in Tokyo."),
        ("大阪に住んでいます。", "東京に住んでいます。"),
    ],
)
async def test_a_new_home_without_a_word_of_moving_is_a_question(
    stand_in_former: Former, pool: Pool, embedder: Embedder, first: str, then: str
) -> None:
    """Another home without a word of moving is a question; a yes replaces, the ledger keeps it."""
    await tell(stand_in_former, first)
    formed = await tell(stand_in_former, then)
    assert (formed.changes, [q.asks for q in formed.questions]) == ((), ["replace"])
    [old] = await list_memories(pool, ALICE)
    assert old.content["fact"] in first
    done = await answer_question(pool, embedder, ALICE, formed.questions[0].id, "yes")
    assert len(done) == 1
    [new] = await list_memories(pool, ALICE)
    assert (new.key, new.content["fact"] in then) == (old.key, True)
    [change, _] = await list_changes(pool, ALICE, key=new.key)
    assert (change.before or {})["content"] == old.content


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
