"""Searching one person's memories among many people's: what is found, and how long it takes."""

from __future__ import annotations

import asyncio
import json
import math
import random
import statistics
import time
import uuid
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import mul
from typing import Any, TypeAlias

import openai
import psycopg
from psycopg import sql

from bench.ground import Ground
from bench.plan import Plan
from bench.results import quantile
from bot.queue.migrations import migrations
from memory import (
    DM,
    Embedder,
    EmbeddingSpace,
    Person,
    create_pool,
    memory_view,
    migrate,
    recall_memories,
)

TEAM = "TBENCH"
OWNERS = {"U100": 100, "U5000": 5_000}  # the people who are asked about, and their memories
WANTED = 10
_SPACE = EmbeddingSpace("kioku-stand-in-embedding", 256)
_OF_EACH_OTHER = 100
_INDEXED = 100_000  # rows up to which mem0's index is built: a million take half an hour
_NAMES = {10_000: "10k", 100_000: "100k", 1_000_000: "1m"}
_VALUE = json.dumps({"kind": "UserFact", "content": {"fact": "something they said"}})
_MEM0 = (  # the statement and the index of mem0ai 2.2.1
    "SELECT id, vector <=> %s::vector AS distance, payload FROM mem0 WHERE payload->>%s = %s"
    " ORDER BY distance LIMIT %s"
)

Owner = psycopg.Connection[tuple[Any, ...]]
Stored: TypeAlias = tuple[str, str, str, Sequence[float]]
"""A memory to load: user, key, LangMem's JSON, vector."""


class Vectors:
    """Random vectors, one for each number: windows onto one long row, so that none is kept."""

    def __init__(self) -> None:
        chance = random.Random(7)
        self._row = array("f", (chance.gauss(0, 1) for _ in range(2**21)))

    def of(self, number: int) -> Sequence[float]:
        """Return the vector of a memory. The factor is odd: no place is met twice."""
        start = number * 786_433 % (len(self._row) - _SPACE.dimensions)
        return self._row[start : start + _SPACE.dimensions]

    def asked(self, number: int) -> list[float]:
        """Return the vector of a question: near nothing in particular."""
        chance = random.Random(f"question {number}")
        return [chance.gauss(0, 1) for _ in range(_SPACE.dimensions)]

    def nearest(self, asked: Sequence[float], numbers: Sequence[int]) -> set[str]:
        """Return the keys of the nearest memories by cosine, by plain arithmetic."""

        def far(number: int) -> float:
            vector = self.of(number)
            length = math.sqrt(sum(map(mul, vector, vector)))
            return float(-sum(map(mul, vector, asked)) / length)

        return {key(one) for one in sorted(numbers, key=far)[:WANTED]}


def key(number: int) -> str:
    """Return the key of a memory."""
    return str(uuid.UUID(int=number + 1))


def _users(start: int, end: int) -> Iterator[tuple[int, str]]:
    owned = [user for user, count in OWNERS.items() for _ in range(count)]
    for number in range(start, end):
        yield number, owned[number] if number < len(owned) else f"O{number // _OF_EACH_OTHER}"


def _memories(vectors: Vectors, start: int, end: int) -> Iterator[Stored]:
    return ((user, key(n), _VALUE, vectors.of(n)) for n, user in _users(start, end))


def _copy(owner: Owner, statement: str, rows: Iterator[tuple[Any, ...]]) -> None:
    with owner.cursor().copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _literal(vector: Sequence[float]) -> str:
    return "[" + ",".join(f"{one:.5g}" for one in vector) + "]"


def load_memories(address: str, memories: Callable[[], Iterator[Stored]]) -> None:
    """Add memories in the shape that LangMem stores; `memories` is called once for each table."""
    with psycopg.connect(address, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        rows: Iterator[tuple[Any, ...]] = (
            (_prefix(user), key, value) for user, key, value, _ in memories()
        )
        _copy(owner, "COPY store (prefix, key, value) FROM STDIN", rows)
        rows = (
            (_prefix(user), key, "content", _literal(vector)) for user, key, _, vector in memories()
        )
        _copy(owner, "COPY store_vectors (prefix, key, field_name, embedding) FROM STDIN", rows)
        owner.execute("VACUUM ANALYZE store")
        owner.execute("VACUUM ANALYZE store_vectors")


def _prefix(user: str) -> str:
    return f"chat.{TEAM}.{user}.dm"


def load_mem0(address: str, vectors: Vectors, start: int, end: int) -> None:
    """Add the same memories to the table that mem0 makes, and then its index."""
    with psycopg.connect(address, autocommit=True) as owner:
        owner.execute("DROP INDEX IF EXISTS mem0_vector_idx")
        rows = (
            (key(n), _literal(vectors.of(n)), json.dumps({"data": "something", "user_id": user}))
            for n, user in _users(start, end)
        )
        _copy(owner, "COPY mem0 (id, vector, payload) FROM STDIN", rows)
        owner.execute("CREATE INDEX mem0_vector_idx ON mem0 USING hnsw (vector vector_cosine_ops)")
        owner.execute("VACUUM ANALYZE mem0")


class _Given(Embedder):
    """Knows the vector of the one question that is asked."""

    def __init__(self) -> None:
        super().__init__(openai.AsyncOpenAI(api_key="none", base_url="http://127.0.0.1:9"), _SPACE)
        self.vector: list[float] = []

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [self.vector for _ in texts]


async def measure(ground: Ground, plan: Plan) -> dict[str, float]:
    """Load, ask, and load more; the app's whole recall and mem0's one statement."""
    vectors, found, loaded = Vectors(), dict[str, float](), 0
    app, mem0 = ground.database("search"), ground.database("search_mem0")
    migrate(app, _SPACE, migrations())
    with psycopg.connect(mem0, autocommit=True) as owner:
        owner.execute("CREATE EXTENSION IF NOT EXISTS vector")
        size = sql.Literal(_SPACE.dimensions)
        table = sql.SQL("CREATE TABLE mem0 (id uuid PRIMARY KEY, vector vector({}), payload jsonb)")
        owner.execute(table.format(size))
    for count in plan.memories:
        await asyncio.to_thread(load_memories, app, partial(_memories, vectors, loaded, count))
        if count <= _INDEXED:
            await asyncio.to_thread(load_mem0, mem0, vectors, loaded, count)
        found |= await _ask(app, mem0 if count <= _INDEXED else "", vectors, count, plan.questions)
        loaded = count
    return found


async def _ask(
    app: str, mem0: str, vectors: Vectors, count: int, questions: int
) -> dict[str, float]:
    embedder, found = _Given(), dict[str, float]()
    async with create_pool(app, min_size=1, max_size=2, timeout=60) as pool:

        async def ours(user: str, vector: list[float]) -> list[str]:
            embedder.vector = vector
            view = memory_view(Person(TEAM, user).namespace(DM))
            recalled = await recall_memories(pool, embedder, view, "the question")
            return [one.key for one in recalled.memories][:WANTED]

        async def theirs(user: str, vector: list[float]) -> list[str]:
            cursor = await connection.execute(_MEM0, (vector, "user_id", user, WANTED))
            return [str(row[0]) for row in await cursor.fetchall()]

        async with await psycopg.AsyncConnection.connect(mem0 or app) as connection:
            ways = {"": ours, "mem0_": theirs} if mem0 else {"": ours}
            for way, search in ways.items():
                for user, own in OWNERS.items():
                    numbers = [n for n, one in _users(0, sum(OWNERS.values())) if one == user]
                    times, shares = [], []
                    await search(user, vectors.asked(-1))
                    for asked in map(vectors.asked, range(questions)):
                        began = time.perf_counter()
                        keys = await search(user, asked)
                        times.append((time.perf_counter() - began) * 1000)
                        shares.append(len(vectors.nearest(asked, numbers) & {*keys}) / WANTED)
                    name = f"{_NAMES[count]}_{own}"
                    found[f"{way}search_recall_at_{WANTED}_{name}"] = round(
                        statistics.fmean(shares), 3
                    )
                    found[f"{way}search_ms_p50_{name}"] = round(statistics.median(times), 2)
                    found[f"{way}search_ms_p95_{name}"] = round(quantile(times, 0.95), 2)
    return found
