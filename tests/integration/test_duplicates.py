"""Memories that say the same: found, judged, shown, merged, and all of it undone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from memory import (
    DM,
    PUBLIC,
    Embedder,
    MergeResult,
    Namespace,
    Person,
    Pool,
    answer_question,
    create_pool,
    edit_memory,
    find_similar,
    forget,
    history,
    list_memories,
    merge_memories,
    open_questions,
    source_deleted,
    state_id,
    undo_batch,
    undo_change,
    undo_forget,
)
from memory.store import duplicates
from memory.store.unit_of_work import commit_steps
from tests.conftest import owner_rows, printed
from tests.integration.counted import count_statements, counted

ANN, BOB = Person("T1", "U1"), Person("T1", "U12")
OWN = ANN.namespace(DM)
TABLES = ("store", "store_vectors", "memory_expiries")
OSAKA = ("I live in Osaka", "I live in Osaka.", "So I live in Osaka")


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """The application's pool, whose statements are counted."""
    opened = create_pool(database, min_size=1, max_size=2, timeout=15)
    count_statements(opened)
    async with opened:
        await opened.wait()
        yield opened


class Shelf:
    """What people have, as rows; and what is done with it."""

    def __init__(self, pool: Pool, embedder: Embedder, database: str) -> None:
        self.pool, self.embedder, self.database = pool, embedder, database
        self._number = 0

    async def put(self, *facts: str, namespace: Namespace = OWN, **value: Any) -> list[str]:
        """Store facts, each the next day's, as an older version or another tool may have."""
        vectors = await self.embedder.packed(facts)
        keys = []
        for fact in facts:
            self._number += 1
            at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=self._number)
            source = {"kind": "message", "channel": "D1", "ts": f"17000{self._number:05}.000100"}
            whole = {
                "kind": "UserFact",
                "content": {"fact": fact, "topic": None},
                "sources": [{**source, "permalink": None, "evidence": fact}],
                "confirmed_at": at.isoformat(),
                **value,
            }
            keys.append(f"k{self._number}")
            owner_rows(
                self.database,
                "INSERT INTO store (prefix, key, value, created_at, updated_at)"
                " VALUES (%s, %s, %s, %s, %s) RETURNING key",
                *(namespace.prefix, keys[-1], json.dumps(whole), at, at),
            )
            owner_rows(
                self.database,
                "INSERT INTO store_vectors (prefix, key, field_name, embedding) VALUES (%s, %s,"
                " 'content', %s::real[]::vector) RETURNING key",
                *(namespace.prefix, keys[-1], _floats(vectors[fact])),
            )
        return keys

    def printed(self) -> dict[str, list[str]]:
        """Return the rows, vectors and expiries of everybody as PostgreSQL prints them."""
        return printed(self.database, *TABLES, vector_dates=False)

    async def groups(self) -> list[set[str]]:
        """Return the keys of the groups of similar memories."""
        found = await find_similar(self.pool, ANN)
        return [{one.key for one in group} for group in found.groups]

    async def merge(self, *keys: str) -> MergeResult:
        """Merge memories into the first one."""
        known = {memory.key: memory for memory in await list_memories(self.pool, ANN)}
        names = [state_id(known[key]) for key in keys]
        return await merge_memories(self.pool, self.embedder, ANN, [names])

    async def undo(self, done: MergeResult) -> int:
        """Undo a merge; return how many changes that are."""
        times = done.changes[0].at, done.changes[-1].at
        undone = await undo_batch(self.pool, self.embedder, ANN, "merge", *times)
        return len(undone)


def _floats(vector: bytes) -> list[float]:
    """Return the numbers of a vector in pgvector's binary format."""
    import struct

    [count, _] = struct.unpack_from(">HH", vector)
    return list(struct.unpack_from(f">{count}f", vector, 4))


@pytest.fixture
def shelf(pool: Pool, embedder: Embedder, database: str) -> Shelf:
    """Nobody's memories yet."""
    return Shelf(pool, embedder, database)


async def test_only_what_may_say_the_same_is_a_group(shelf: Shelf) -> None:
    """Of one person, audience, end and set of numbers; of facts, also of different kinds."""
    same = await shelf.put(*OSAKA)
    await shelf.put(OSAKA[0], namespace=BOB.namespace(DM))
    public = await shelf.put(*OSAKA[:2], namespace=ANN.namespace(PUBLIC))
    await shelf.put(OSAKA[0], namespace=ANN.namespace("C0PRIVATE"))
    await shelf.put(OSAKA[0], kind="UserInstruction", content={"instruction": OSAKA[0]})
    await shelf.put(OSAKA[0], expires_at="2090-01-01T00:00:00+00:00")
    await shelf.put(OSAKA[0], expires_at="2020-01-01T00:00:00+00:00")
    await shelf.put("I own 2 blue boats", "I own 3 blue boats")
    food = await shelf.put("ramen", kind="UserFoodPreference", content={"food_name": "ramen"})
    fact = await shelf.put("ramen")
    groups = await shelf.groups()
    assert sorted(map(sorted, groups)) == sorted(map(sorted, (same, public, [*food, *fact])))
    found = await find_similar(shelf.pool, ANN)
    assert [one.key for one in found.groups[-1]] == same[::-1]
    assert found.compared == found.total


async def test_superseded_memories_and_those_asked_about_are_left_alone(shelf: Shelf) -> None:
    """What another memory supersedes, what only hides, and what a question is about, stay out."""
    wide = await shelf.put(*OSAKA, namespace=ANN.namespace(PUBLIC))
    entry = {"audience": PUBLIC, "key": wide[0]}
    await shelf.put("I live in Kyoto", namespace=ANN.namespace("C0PRIVATE"), supersedes=[entry])
    asked = await shelf.put(*OSAKA)
    owner_rows(
        shelf.database,
        "INSERT INTO memory_questions (id, team_id, user_id, kind, audience, key, before,"
        " expires_at) SELECT gen_random_uuid(), %s, %s, 'remove', 'dm', key, value,"
        " now() + interval '1 day' FROM store WHERE key = %s RETURNING key",
        *(ANN.team_id, ANN.user_id, asked[1]),
    )
    assert sorted(map(sorted, await shelf.groups())) == sorted(
        map(sorted, (set(wide[1:]), {asked[0], asked[2]}))
    )
    [question] = await open_questions(shelf.pool, ANN)
    known = {m.key: m for m in await list_memories(shelf.pool, ANN)}
    done = await merge_memories(
        shelf.pool, shelf.embedder, ANN, [[state_id(known[asked[0]]), state_id(known[asked[1]])]]
    )
    assert (done.changes, done.changed) == ([], 1)
    await answer_question(shelf.pool, shelf.embedder, ANN, question.id, "yes")
    assert asked[1] not in {m.key for m in await list_memories(shelf.pool, ANN)}


async def test_two_hundred_are_merged_in_as_many_statements_as_two(shelf: Shelf) -> None:
    """The kept one has every source and all they supersede; one Undo restores every byte."""
    counts = []
    for size in (2, 200):
        await forget(shelf.pool, ANN, None)
        hidden = {"audience": PUBLIC, "key": f"wide-{size}"}
        await shelf.put(OSAKA[0], supersedes=[hidden])
        await shelf.put(*(OSAKA[n % 3] for n in range(size - 1)))
        await shelf.put(OSAKA[0], namespace=BOB.namespace(DM))
        await shelf.put(OSAKA[0], namespace=ANN.namespace(PUBLIC))
        before = shelf.printed()
        with counted() as sent:
            [group] = (await find_similar(shelf.pool, ANN)).groups
            done = await merge_memories(
                shelf.pool, shelf.embedder, ANN, [[state_id(one) for one in group]]
            )
            merging = len(sent)
        assert (len(done.changes), done.changed) == (size, 0)
        [kept] = [m for m in await list_memories(shelf.pool, ANN) if m.namespace == OWN]
        assert (kept.key, kept.content, kept.updated_at) == (
            group[0].key,
            group[0].content,
            group[0].updated_at,
        )
        assert len(kept.sources) == size
        assert kept.sources[-1] == group[0].sources[-1]
        assert kept.supersedes == ((PUBLIC, f"wide-{size}"),)
        with counted() as sent:
            assert await shelf.undo(done) == size
            counts.append((merging, len(sent)))
        assert shelf.printed() == before
        assert await shelf.undo(done) == 0
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 30


async def test_the_newest_are_compared(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long history a part is compared, and how many that are is said."""
    old = await shelf.put(*OSAKA[:2])
    new = await shelf.put("I love ramen", "I love ramen.")
    monkeypatch.setattr(duplicates, "MOST_COMPARED", 3)
    assert await shelf.groups() == [set(new)]
    found = await find_similar(shelf.pool, ANN)
    assert (found.compared, found.total) == (3, 4)
    monkeypatch.setattr(duplicates, "MOST_COMPARED", 4)
    assert await shelf.groups() == [set(new), set(old)]


async def test_what_has_changed_since_is_left_out(shelf: Shelf) -> None:
    """A memory changed after it was shown stays; if the one to keep has changed, all do."""
    keys = await shelf.put(*OSAKA)
    shown = {m.key: state_id(m) for m in await list_memories(shelf.pool, ANN)}
    names = [shown[key] for key in reversed(keys)]
    source = {"kind": "modal", "evidence": "-"}
    content = {"fact": "I live in Kyoto"}
    await edit_memory(shelf.pool, shelf.embedder, ANN, f"dm/{keys[0]}", content, source)
    done = await merge_memories(shelf.pool, shelf.embedder, ANN, [names])
    assert (len(done.changes), done.changed) == (2, 1)
    left = {m.key: m.content["fact"] for m in await list_memories(shelf.pool, ANN)}
    assert left == {keys[0]: "I live in Kyoto", keys[2]: OSAKA[2]}
    again = await merge_memories(shelf.pool, shelf.embedder, ANN, [names])
    assert (again.changes, again.changed) == ([], 2)
    assert await shelf.undo(done) == 2
    assert len(await list_memories(shelf.pool, ANN)) == 3


async def test_a_merge_that_is_committed_is_reported(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is read after the commit, so the person gets the result and its Undo."""
    keys = await shelf.put(*OSAKA)

    async def then_away(*arguments: Any, **named: Any) -> Any:
        done = await commit_steps(*arguments, **named)
        await shelf.pool.close()
        return done

    monkeypatch.setattr(duplicates, "commit_steps", then_away)
    done = await shelf.merge(*keys)
    assert len(done.changes) == 3
    async with create_pool(shelf.database, min_size=1, max_size=2, timeout=15) as shelf.pool:
        assert await shelf.undo(done) == 3


async def test_undo_leaves_what_was_edited_since(shelf: Shelf) -> None:
    """The kept memory, edited after the merge, stays as it is; the others come back."""
    keys = await shelf.put(*OSAKA)
    done = await shelf.merge(*keys)
    source = {"kind": "modal", "evidence": "-"}
    content = {"fact": "I live in Kyoto"}
    await edit_memory(shelf.pool, shelf.embedder, ANN, f"dm/{keys[0]}", content, source)
    assert await shelf.undo(done) == 2
    facts = {m.key: m.content["fact"] for m in await list_memories(shelf.pool, ANN)}
    assert facts == {keys[0]: "I live in Kyoto", keys[1]: OSAKA[1], keys[2]: OSAKA[2]}


async def test_each_change_is_in_the_ledger(shelf: Shelf) -> None:
    """One removal is undone on its own; one with the same subject as the kept one says no."""
    keys = await shelf.put(*OSAKA)
    await shelf.merge(*keys)
    changes = await history(shelf.pool, ANN)
    assert {one.actor for one in changes} == {"merge"}
    assert sorted(one.action for one in changes) == ["confirmed", "removed", "removed"]
    [removed] = [one for one in changes if one.key == keys[2]]
    await undo_change(shelf.pool, shelf.embedder, ANN, removed.id)
    assert {m.key for m in await list_memories(shelf.pool, ANN)} == {keys[0], keys[2]}


async def test_forgetting_the_kept_one_forgets_the_merged(shelf: Shelf) -> None:
    """No text of a merged memory is left, also after a second merge; Undo brings all back."""
    first, second, third = await shelf.put(*OSAKA)
    await shelf.merge(second, first)
    await shelf.merge(third, second)
    before = shelf.printed()
    ledger = "SELECT count(*) AS n FROM memory_changes WHERE before IS NOT NULL"
    [entries] = owner_rows(shelf.database, ledger)
    gone = await forget(shelf.pool, ANN, [f"dm/{third}"])
    assert owner_rows(shelf.database, ledger) == [{"n": 0}]
    assert gone.undo is not None
    await undo_forget(shelf.pool, ANN, gone.undo)
    assert shelf.printed() == before
    assert owner_rows(shelf.database, ledger) == [entries]


async def test_a_deleted_message_leaves_what_others_said(shelf: Shelf) -> None:
    """The kept memory outlives its own message: the merged ones said the same."""
    keys = await shelf.put(*OSAKA)
    await shelf.merge(*reversed(keys))
    [kept] = await list_memories(shelf.pool, ANN)
    for number, (channel, ts) in enumerate(reversed(kept.source_messages), 1):
        await source_deleted(shelf.pool, shelf.embedder, ANN, channel, ts)
        left = await list_memories(shelf.pool, ANN)
        assert [m.content["fact"] for m in left] == ([OSAKA[2]] if number < 3 else [])
