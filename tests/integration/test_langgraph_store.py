"""LangGraph's own store on the tables that Kioku migrated, and where our store departs.

Below, one test for each departure from `BaseStore`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from langgraph.store.postgres import AsyncPostgresStore
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from tests.integration.test_user_store import OWN, PersonStore, food, quoted
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
