"""LangGraph's own store on the tables that Kioku migrated."""

from __future__ import annotations

from collections.abc import AsyncIterator

import langmem  # type: ignore[import-untyped]
import pytest
from langgraph.store.postgres import AsyncPostgresStore
from psycopg import AsyncConnection, errors
from psycopg.rows import DictRow, dict_row

from memory import Former, recall_memories
from tests.integration.scripted_model import ScriptedModel, food
from tests.integration.test_formation import ALICE_DM, words


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
    store: AsyncPostgresStore, former: Former, model: ScriptedModel
) -> None:
    """What formation commits is found by LangGraph's store, by namespace, key and filter."""
    model.answer([food("ramen", 80, "I like ramen")])
    [change] = (await former.form(ALICE_DM, words("I like ramen"))).changes
    item = await store.aget(ALICE_DM.own.parts, change.key)
    assert item is not None
    assert item.value["kind"] == "UserFoodPreference"
    assert item.value["content"]["food_name"] == "ramen"
    assert await store.alist_namespaces(prefix=("chat",)) == [ALICE_DM.own.parts]
    assert (
        len(await store.asearch(("chat",), filter={"kind": "UserFoodPreference"})) == 1
    )


async def test_what_is_no_memory_is_refused_among_a_persons(
    store: AsyncPostgresStore, former: Former
) -> None:
    """A row without a kind, as LangMem's tool stores it, would end every read of its person's."""
    written = {"action": "create", "content": "Likes ramen"}
    tool = langmem.create_manage_memory_tool(ALICE_DM.own.parts, store=store)
    with pytest.raises(errors.CheckViolation, match="store_memories"):
        await tool.ainvoke(written)
    recalled = await recall_memories(former.pool, former.embedder, ALICE_DM, "ramen")
    assert recalled.memories == ()
    other = langmem.create_manage_memory_tool(("notes", "alice"), store=store)
    await other.ainvoke(written)
