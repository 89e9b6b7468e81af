"""The ways to search that are compared; each takes somebody and the vector of their question."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import openai
import psycopg
from langgraph.store.postgres import AsyncPostgresStore, PostgresStore
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from bench.search.rows import OWNERS, TEAM
from memory import DM, Embedder, EmbeddingSpace, Person, create_pool, memory_view, recall_memories

Search: TypeAlias = Callable[[str, Sequence[float], int], Awaitable[list[str]]]
"""Somebody's id, a question's vector, how many are wanted; the keys that were found, best first."""

_QUESTION = "the question"
_MEM0 = (
    "SELECT id, vector <=> %s::vector AS distance, payload FROM mem0 WHERE payload->>%s = %s"
    " ORDER BY distance LIMIT %s"
)


class _Given(Embedder):
    """Knows the vector of the one question that is asked."""

    def __init__(self, space: EmbeddingSpace) -> None:
        super().__init__(openai.AsyncOpenAI(api_key="none", base_url="http://127.0.0.1:9"), space)
        self.vector: list[float] = []

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [self.vector for _ in texts]


@asynccontextmanager
async def open_ours(address: str, space: EmbeddingSpace) -> AsyncIterator[Search]:
    """Search as the app does for a reply, from taking a connection to giving it back."""
    embedder = _Given(space)
    async with create_pool(address, min_size=1, max_size=2, timeout=60) as pool:

        async def search(user: str, vector: Sequence[float], count: int) -> list[str]:
            embedder.vector = list(vector)
            mine = memory_view(Person(TEAM, user).namespace(DM))
            found = await recall_memories(pool, embedder, mine, _QUESTION)
            # A small set comes whole, newest first: all of it is in the prompt.
            keys = [memory.key for memory in found.memories]
            return keys if len(keys) == OWNERS[user] else keys[:count]

        yield search


@asynccontextmanager
async def open_store(address: str, space: EmbeddingSpace, *, kind: str) -> AsyncIterator[Search]:
    """Search by LangGraph's own ``store.search``, its index of `kind` ``flat`` or ``hnsw``."""
    given: list[list[float]] = [[]]

    async def embed(_texts: Sequence[str]) -> list[list[float]]:
        return given

    index = index_of(space, kind, embed)
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        address,
        min_size=1,
        max_size=2,
        open=False,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
    )
    async with pool:
        store = AsyncPostgresStore(pool, index=index)

        async def search(user: str, vector: Sequence[float], count: int) -> list[str]:
            given[0] = list(vector)
            found = await store.asearch(("chat", TEAM, user, "dm"), query=_QUESTION, limit=count)
            return [item.key for item in found]

        yield search


def index_of(space: EmbeddingSpace, kind: str, embed: object) -> Any:
    """Return an index as LangGraph's store takes it."""
    more = {"ann_index_config": {"kind": "flat"}} if kind == "flat" else {}
    return {"dims": space.dimensions, "embed": embed, "fields": ["content"], **more}


def make_hnsw_store(address: str, space: EmbeddingSpace) -> None:
    """Make LangGraph's tables as its documentation does, with its default index."""

    def embed(texts: Sequence[str]) -> list[list[float]]:
        return [[0.0] * space.dimensions for _ in texts]

    with PostgresStore.from_conn_string(address, index=index_of(space, "hnsw", embed)) as store:
        store.setup()


@asynccontextmanager
async def open_mem0(address: str) -> AsyncIterator[Search]:
    """Search by the statement that mem0ai 2.2.1 sends; its further work is left out."""
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:

        async def search(user: str, vector: Sequence[float], count: int) -> list[str]:
            cursor = await connection.execute(_MEM0, (list(vector), "user_id", user, count))
            return [str(row[0]) for row in await cursor.fetchall()]

        yield search
