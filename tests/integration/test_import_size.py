"""Imports of thousands of lines: linear in time, and other people are answered meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress

import pytest

from memory import Embedder, Person, Pool, import_memories, list_memories, plan_import
from tests.conftest import Server
from tests.integration.test_embeddings import asked

pytestmark = pytest.mark.slow

ANN, BOB = Person("T1", "U1"), Person("T1", "U2")


def lines(count: int) -> str:
    """Return so many different facts, one a line."""
    return "\n".join(f"I own book number {number}" for number in range(count))


async def test_planning_is_linear(pool: Pool, embedder: Embedder) -> None:
    """Four times the lines take about four times the processor time; quadratic would be sixteen."""
    await plan_import(pool, embedder, ANN, lines(100))
    spent = []
    for count in (2_000, 8_000):
        begin = time.process_time()
        plan = await plan_import(pool, embedder, ANN, lines(count))
        spent.append(time.process_time() - begin)
        assert len(plan.of("added")) == count
    assert spent[1] < 9 * spent[0]


async def longest_gap(pool: Pool, embedder: Embedder, person: Person) -> float:
    """Import 2,100 lines; return the longest time without another task, of the whole time."""
    gaps: list[float] = []

    async def others() -> None:
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(0.005)
            gaps.append(time.perf_counter() - begin)

    begin = time.perf_counter()
    waiting = asyncio.create_task(others())
    plan = await plan_import(pool, embedder, person, lines(2_100))
    changes = (await import_memories(pool, embedder, person, lines(2_100))).changes
    took = time.perf_counter() - begin
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    assert len(plan.of("added")) == len(changes) == 2_100
    assert len(await list_memories(pool, person)) == 2_100
    return max(gaps) / took


async def test_others_are_answered_during_an_import(
    pool: Pool, embedder: Embedder, stand_in: Server
) -> None:
    """While 2,100 lines come in the event loop never stops for a large part of that time.

    That many texts do not fit into one request for embeddings. Another process can stop the loop,
    too, but hardly in each of three imports.
    """
    shares: list[float] = []
    for number in range(3):
        shares.append(await longest_gap(pool, embedder, Person("T1", f"U{number}")))
        if shares[-1] < 0.3:
            break
    assert min(shares) < 0.3
    assert max(map(len, asked(stand_in))) <= 128


async def test_each_memory_is_written_once(pool: Pool, embedder: Embedder) -> None:
    """Of many versions of one thing in a document the newest is stored, with one entry for it."""
    entries = [
        {
            "audience": "dm",
            "key": f"k-{number}",
            "kind": "UserFoodPreference",
            "content": {"food_name": "ramen", "preference": number},
            "updated_at": f"2025-01-{number:02d}T00:00:00+00:00",
        }
        for number in (3, 9, 5)
    ]
    text = json.dumps({"format": "kioku-export", "version": 1, "memories": entries})
    plan = await plan_import(pool, embedder, ANN, text)
    assert [one.fate for one in plan.planned] == ["unchanged", "added", "unchanged"]
    [change] = (await import_memories(pool, embedder, ANN, text)).changes
    assert (change.action, change.after and change.after["preference"]) == ("remembered", 9)
    again = await import_memories(pool, embedder, ANN, text)
    assert (again.changes, again.known) == ([], 3)
    [memory] = await list_memories(pool, ANN)
    assert memory.content["preference"] == 9


async def test_many_audiences_take_one_lock(pool: Pool, embedder: Embedder) -> None:
    """A document with thousands of audiences does not use up PostgreSQL's table of locks."""
    entries = [
        {
            "audience": f"C{number:05d}",
            "key": "k-1",
            "kind": "UserFact",
            "content": {"fact": "I own a book"},
        }
        for number in range(12_000)
    ]
    text = json.dumps({"format": "kioku-export", "version": 1, "memories": entries})
    assert len((await import_memories(pool, embedder, ANN, text)).changes) == 12_000
    assert len((await import_memories(pool, embedder, BOB, lines(1))).changes) == 1
