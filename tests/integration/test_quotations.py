"""What was forgotten is not quoted by other memories of the same message."""

from __future__ import annotations

from typing import Any

import pytest

from memory import (
    DM,
    Embedder,
    Person,
    Pool,
    add_memory,
    edit_memory,
    forget,
    history,
    list_memories,
    undo_change,
    undo_forget,
)
from tests.conftest import printed

ANN = Person("T1", "U1")
SAID = "I love ramen and I'm interested in AWS"


def source(evidence: str = SAID, ts: str = "1700000000.000100") -> dict[str, Any]:
    """Return a message as a source."""
    return {"kind": "message", "permalink": None, "channel": "D1", "ts": ts, "evidence": evidence}


def quoting(database: str) -> list[str]:
    """Return every row that holds stored values, as PostgreSQL prints it."""
    found = printed(database, "store", "memory_changes", "memory_questions")
    return [row for rows in found.values() for row in rows]


async def add(pool: Pool, embedder: Embedder, kind: str, **content: Any) -> str:
    """Remember something of the message."""
    own = ANN.namespace(DM)
    return (await add_memory(pool, embedder, own, kind, content, source())).reference


@pytest.fixture
async def ramen(pool: Pool, embedder: Embedder) -> str:
    """Ramen, AWS and Osaka are remembered: the first two of one message, quoted whole."""
    aws = await add(pool, embedder, "UserTechInterest", topic="AWS", interest_level=70)
    more = {"topic": "AWS", "interest_level": 90}
    await edit_memory(pool, embedder, ANN, aws, more, source("AWS it is", "1700000009.000100"))
    own = ANN.namespace(DM)
    osaka = {"fact": "I live in Osaka"}
    elsewhere = source("I eat ramen in Osaka", "1700000005.000100")
    await add_memory(pool, embedder, own, "UserFact", osaka, elsewhere)
    return await add(pool, embedder, "UserFoodPreference", food_name="ramen", preference=90)


async def test_what_was_forgotten_is_quoted_nowhere_until_undo(
    pool: Pool, database: str, ramen: str
) -> None:
    """Neither the other memory of the message nor the ledger says it; other messages are left.

    Undo restores every row, byte for byte.
    """
    before = quoting(database)
    forgotten = await forget(pool, ANN, [ramen])
    left = quoting(database)
    assert not [row for row in left if SAID in row]
    assert [row for row in left if "AWS it is" in row]
    assert [row for row in left if "I eat ramen in Osaka" in row]
    assert forgotten.undo is not None
    await undo_forget(pool, ANN, forgotten.undo)
    assert quoting(database) == before


async def test_a_change_can_be_undone_after_a_forgetting(
    pool: Pool, embedder: Embedder, database: str, ramen: str
) -> None:
    """The ledger and the memory lose the same quote, so that they still fit."""
    await forget(pool, ANN, [ramen])
    edit = next(e for e in await history(pool, ANN) if e.action == "updated")
    await undo_change(pool, embedder, ANN, edit.id)
    assert not [row for row in quoting(database) if SAID in row]


@pytest.mark.parametrize("first", ["ramen", "AWS"])
async def test_undo_of_the_first_of_two_forgettings_brings_no_quotes_back(
    pool: Pool, embedder: Embedder, database: str, ramen: str, first: str
) -> None:
    """Neither the restored memory nor a third one of the message names the later subject."""
    about = {"fact": "I follow news of the cloud"}
    await add_memory(pool, embedder, ANN.namespace(DM), "UserFact", about, source())
    found = await list_memories(pool, ANN)
    by_subject = {"ramen": ramen}
    by_subject["AWS"] = next(m.reference for m in found if m.content.get("topic") == "AWS")
    forgotten = await forget(pool, ANN, [by_subject.pop(first)])
    [second] = by_subject.values()
    later = await forget(pool, ANN, [second])
    assert forgotten.undo is not None
    assert later.undo is not None
    [restored] = await undo_forget(pool, ANN, forgotten.undo)
    assert first in restored.content.values()
    left = quoting(database)
    assert not [row for row in left if SAID in row]
    assert [row for row in left if "I eat ramen in Osaka" in row]
    await undo_forget(pool, ANN, later.undo)


async def test_undo_of_the_last_forgetting_brings_its_quotes_back(
    pool: Pool, embedder: Embedder, database: str, ramen: str
) -> None:
    """What was forgotten before it does not matter: every row is as it was."""
    shown = "1700000000.000100"
    own = ANN.namespace(DM)
    tea = {"food_name": "tea", "preference": 60}
    added = await add_memory(pool, embedder, own, "UserFoodPreference", tea, source("Tea!", shown))
    await forget(pool, ANN, [ramen])
    before = quoting(database)
    forgotten = await forget(pool, ANN, [added.reference])
    assert forgotten.undo is not None
    await undo_forget(pool, ANN, forgotten.undo)
    assert quoting(database) == before
