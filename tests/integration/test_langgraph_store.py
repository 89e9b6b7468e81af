"""LangGraph's own store on the tables that Kioku migrated, and where our store departs.

Below, one test for each departure from `BaseStore`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from langgraph.store.postgres import AsyncPostgresStore
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from memory.model.namespace import PUBLIC
from tests.integration.test_user_store import ALICE, OWN, PersonStore, food, put, quoted
from tests.integration.test_user_store import person_store as person_store


@pytest.fixture
async def connection(database: str) -> AsyncIterator[AsyncConnection[DictRow]]:
    """A connection of the owner's to a database that Kioku migrated."""
    async with await AsyncConnection.connect(
        database, autocommit=True, prepare_threshold=0, row_factory=dict_row
    ) as opened:
        yield opened


@pytest.fixture
async def store(connection: AsyncConnection[DictRow]) -> AsyncPostgresStore:
    """LangGraph's store, set up by Kioku's migrations alone."""
    return AsyncPostgresStore(connection)


async def test_setup_has_nothing_left_to_do(
    store: AsyncPostgresStore, connection: AsyncConnection[DictRow]
) -> None:
    """LangGraph's own `setup` after Kioku's migrations changes no table, and can be repeated."""
    query = (
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_name LIKE 'store%%' ORDER BY 1, 2"
    )
    before = await (await connection.execute(query)).fetchall()
    await store.setup()
    await store.setup()
    assert await (await connection.execute(query)).fetchall() == before


async def test_memories_of_kioku_are_items_of_langgraphs(
    store: AsyncPostgresStore, person_store: PersonStore
) -> None:
    """What formation commits is found by LangGraph's store, by namespace, key and filter."""
    key = "0b6c1a0e-0000-4000-8000-000000000001"
    loaded = await person_store.load("I like ramen")
    await loaded.aput(OWN.parts, key, quoted(food("ramen"), "I like ramen"))
    formed = await person_store.commit(loaded)
    assert len(formed.changes) == 1
    item = await store.aget(OWN.parts, formed.changes[0].key)
    assert item is not None
    assert item.value["kind"] == "UserFoodPreference"
    assert item.value["content"]["food_name"] == "ramen"
    assert await store.alist_namespaces(prefix=("chat",)) == [OWN.parts]
    assert len(await store.asearch(("chat",), filter={"kind": "UserFoodPreference"})) == 1


# --- one test for each departure -----------------------------------------------------------------


async def two_memories(person_store: PersonStore) -> Any:
    """Return a loaded store of two memories."""
    put(person_store.database, OWN, "a", food("ramen"))
    put(person_store.database, OWN, "b", food("sushi"))
    return await person_store.load("I like ramen")


async def test_departure_search_returns_what_was_loaded(person_store: PersonStore) -> None:
    """A search returns all loaded memories: prefix, filter, limit and offset are not applied."""
    loaded = await two_memories(person_store)
    put(person_store.database, OWN, "c", food("udon"))
    for found in (
        await loaded.asearch(OWN.parts, limit=1),
        await loaded.asearch(OWN.parts, offset=1),
        await loaded.asearch(OWN.parts, filter={"kind": "Nothing"}),
        await loaded.asearch(("other",)),
    ):
        assert {item.key for item in found} == {"a", "b"}


async def test_departure_writes_are_proposals(person_store: PersonStore) -> None:
    """A write without evidence in the person's words is refused by the commit, not by the call."""
    loaded = await two_memories(person_store)
    await loaded.aput(OWN.parts, "c", quoted(food("udon"), "I like udon"))
    formed = await person_store.commit(loaded)
    assert formed.changes == ()
    assert len(formed.refused) == 1


async def test_departure_only_the_own_namespace_is_written(person_store: PersonStore) -> None:
    """A write to any other namespace, also one that can be read, is refused by the commit."""
    loaded = await two_memories(person_store)
    other = ALICE.namespace(PUBLIC).parts
    await loaded.aput(other, "c", quoted(food("ramen"), "I like ramen"))
    assert (await person_store.commit(loaded)).changes == ()


async def test_departure_keys_are_chosen_by_the_store(person_store: PersonStore) -> None:
    """A new memory gets the key that the commit gives it; a known thing keeps its row's key."""
    loaded = await two_memories(person_store)
    await loaded.aput(OWN.parts, "c", quoted(food("ramen", 20), "I like ramen"))
    formed = await person_store.commit(loaded)
    assert [change.key for change in formed.changes] == ["a"]
