"""A connection that dies between any two statements leaves all of a change or nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import psycopg
import pytest
from psycopg import AsyncCursor
from psycopg.rows import DictRow

from memory import (
    DM,
    PUBLIC,
    Embedder,
    Person,
    PersonMessage,
    Pool,
    Selection,
    create_pool,
    edit_memory,
    erase,
    forget,
    list_changes,
    list_memories,
    move_memory,
    undo_changes,
    undo_forgetting,
)
from memory.formation import take_back
from memory.postgres import Connection
from tests.databases import login_of, printed
from tests.memories import add_memory

ANN = Person("T1", "U1")
TABLES = (
    "store",
    "store_vectors",
    "statements",
    "reminders",
    "forgotten",
)
ORIGIN = PersonMessage(
    actor="command", text="I love it", channel="D1", ts="1700000000.000100"
)
Act: TypeAlias = Callable[[Pool, Embedder, str, Any], Awaitable[object]]


class _Cursor(AsyncCursor[DictRow]):
    async def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
        Mortal.statements += 1
        if Mortal.statements == Mortal.last:
            await self.connection.close()  # as PostgreSQL sees it, the process has died
            raise psycopg.OperationalError("dead")
        return await super().execute(query, params, **more)


class Mortal(Connection):
    """A connection that dies at its `last` statement; the commit is one."""

    statements: ClassVar[int] = 0
    last: ClassVar[int] = 0

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.cursor_factory = _Cursor

    async def commit(self) -> None:
        """Commit, or die before it."""
        Mortal.statements += 1
        if Mortal.statements == Mortal.last:
            await self.close()
            raise psycopg.OperationalError("dead")
        await super().commit()


@dataclass(frozen=True)
class Prepared:
    """What there is to undo: a change and a forgetting."""

    change: Any
    forgotten: Any


async def edit(pool: Pool, embedder: Embedder, key: str, _: Any) -> object:
    """Edit a memory."""
    content = {"food_name": "udon", "preference": 9}
    return await edit_memory(
        pool, embedder, ANN, key, content, PersonMessage(actor="modal")
    )


ACTS: dict[str, Act] = {
    "add": lambda pool, embedder, _, __: add_memory(
        pool, embedder, ANN.namespace(DM), "UserFact", {"fact": "new"}, ORIGIN
    ),
    "edit": edit,
    "move": lambda pool, embedder, key, _: move_memory(
        pool, embedder, ANN, key, PUBLIC
    ),
    "undo": lambda pool, embedder, _, made: undo_changes(
        pool, embedder, ANN, ids=[made.change]
    ),
    "delete": lambda pool, embedder, _, __: take_back(
        pool, embedder, ANN, ("D1", "1700000000.000100"), is_deleted=True
    ),
    "edit the message": lambda pool, embedder, _, __: take_back(
        pool, embedder, ANN, ("D1", "1700000000.000100"), is_deleted=False
    ),
    "forget": lambda pool, _, key, __: forget(pool, ANN, Selection(keys=[key])),
    "unforget": lambda pool, embedder, _, made: undo_forgetting(
        pool, embedder, ANN, made.forgotten
    ),
    "erase": lambda pool, _, __, ___: erase(pool, ANN),
}


@pytest.mark.parametrize("name", ACTS)
async def test_a_crash_between_two_statements(
    pool: Pool, model_embedder: Embedder, database: str, name: str
) -> None:
    """Whenever the connection dies, the act is done again and then done once."""
    own = ANN.namespace(DM)
    for food in ("ramen", "soba"):
        await add_memory(
            pool, model_embedder, own, "UserFoodPreference", {"food_name": food}, ORIGIN
        )
    gone, kept = sorted(
        await list_memories(pool, ANN), key=lambda one: one.content["food_name"]
    )
    await edit(pool, model_embedder, gone.key, None)
    forgotten = await forget(pool, ANN, Selection(keys=[kept.key]))
    [change, *_] = await list_changes(pool, ANN, key=gone.key)
    made = Prepared(change.id, forgotten.id)
    before = printed(database, *TABLES)
    Mortal.last = 0
    mortal = create_pool(login_of(database), min_size=1, max_size=1, timeout=10)
    mortal.connection_class = Mortal
    async with mortal:
        await mortal.wait()
        # The first begins the transaction, and a dead connection of the pool is replaced there.
        for last in range(2, 60):
            Mortal.statements, Mortal.last = 0, last
            try:
                await ACTS[name](mortal, model_embedder, gone.key, made)
            except psycopg.OperationalError:
                # `erase` counts what is left in a second transaction.
                assert name == "erase" or printed(database, *TABLES) == before
            else:
                break
    assert 3 < last < 59
    assert printed(database, *TABLES) != before
