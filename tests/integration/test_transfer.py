"""Export of memories, on the real PostgreSQL."""

from __future__ import annotations

import json
from typing import Any

import pytest

from memory import (
    DM,
    PUBLIC,
    Embedder,
    Person,
    Pool,
    Selection,
    edit_memory,
    export_memories,
    forget,
    list_memories,
    move_memory,
)
from tests.memories import add_memory

ALICE = Person("T1", "U1")
BOB = Person("T1", "U12")
SOURCE = {
    "kind": "message",
    "channel": "D1",
    "ts": "1700000000.000100",
    "permalink": "https://acme.slack.com/archives/D1/p1700000000000100",
    "evidence": "I love ramen",
}


class Shelf:
    """Alice's memories, and documents of them."""

    def __init__(self, pool: Pool, embedder: Embedder) -> None:
        self.pool, self.embedder = pool, embedder

    async def fill(self) -> None:
        """Remember a few things of each kind, for several audiences, with changes."""
        own = ALICE.namespace(DM)
        ramen = await self.add(own, "UserFoodPreference", food_name="ramen", preference=80)
        await self.add(
            ALICE.namespace("C0PRIVATE"), "UserFact", fact="プロジェクトの鍵は金庫にある"
        )
        await self.add(own, "UserTechInterest", topic="pgvector", interest_level=70)
        await edit_memory(
            self.pool,
            self.embedder,
            ALICE,
            ramen,
            {"food_name": "miso ramen", "preference": 95},
            SOURCE | {"ts": "1700000001.000100"},
        )
        moved = await self.add(own, "UserFact", fact="I live in Osaka")
        await move_memory(self.pool, self.embedder, ALICE, moved, PUBLIC)

    async def add(self, namespace: Any, kind: str, **content: Any) -> str:
        change = await add_memory(self.pool, self.embedder, namespace, kind, content, SOURCE)
        return change.key


@pytest.fixture
def shelf(pool: Pool, embedder: Embedder) -> Shelf:
    """Nothing is remembered yet."""
    return Shelf(pool, embedder)


async def test_an_export_holds_all_of_it_and_nothing_of_others(shelf: Shelf) -> None:
    """Memories of every audience, the ledger, and where something was said that was forgotten."""
    await shelf.fill()
    await add_memory(
        shelf.pool, shelf.embedder, BOB.namespace(DM), "UserFact", {"fact": "Bob's own"}, SOURCE
    )
    pgvector = next(
        m for m in await list_memories(shelf.pool, ALICE) if m.content.get("topic") == "pgvector"
    )
    await forget(shelf.pool, ALICE, Selection(keys=[pgvector.key]))
    kept = await export_memories(shelf.pool, ALICE)
    assert {entry["audience"] for entry in kept["memories"]} == {DM, PUBLIC, "C0PRIVATE"}
    assert {entry["action"] for entry in kept["changes"]} == {"remembered", "updated", "moved"}
    assert [entry["ts"] for entry in kept["forgotten"]] == [SOURCE["ts"]]
    told = json.dumps(kept, ensure_ascii=False)
    assert "pgvector" not in told
    assert "Bob's own" not in told
    assert "U12" not in told
