"""Whole stories, formed by LangMem over HTTP with the stand-in model's rules as its model."""

from __future__ import annotations

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
    memory_model,
    memory_view,
    subject,
)
from memory.model import checked_schemas
from tests.integration.scripted_model import ScriptedModel

ALICE = Person("T1", "U1")


async def tell(former: Former, text: str) -> FormationResult:
    """Let Alice say something in a DM; return what was formed of it."""
    words = [PersonMessage(text=text, channel="D1", ts="1.1")]
    return await former.form(memory_view(ALICE.namespace(DM)), words)


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
