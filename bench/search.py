"""Recall and duration of a search in one person's memories among those of many people."""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import time
from collections.abc import Sequence

import openai
import psycopg

from bench.plan import Plan
from bench.results import percentile_95
from bench.testbed import Testbed
from bot.queue.queue import migrations
from memory import (
    DM,
    Embedder,
    EmbeddingSpace,
    Person,
    create_pool,
    memory_view,
    migrate,
)
from memory.recall import search_memories

TEAM = "TBENCH"
OWNERS = {"U100": 100, "U5000": 5_000}
"""The people to search for, and how many memories they have."""
WANTED = 10
_SPACE = EmbeddingSpace("kioku-stand-in-embedding", 256)
_INDEXED = 100_000  # the most rows for which mem0's index is built; a million take half an hour
_NAMES = {10_000: "10k", 100_000: "100k", 1_000_000: "1m"}
# Memories made from numbers, in LangMem's form, with random vectors.
_LOAD = """
WITH added AS (INSERT INTO store (prefix, key, value) SELECT 'chat.TBENCH.' || CASE
    WHEN n <= 100 THEN 'U100' WHEN n <= 5100 THEN 'U5000' ELSE 'O' || n / 100 END || '.dm',
    md5(n::text)::uuid::text, jsonb_build_object('kind', 'UserFact', 'content',
    jsonb_build_object('fact', 'something they said'))
    FROM generate_series(%s::int, %s::int) AS n RETURNING prefix, key)
INSERT INTO store_vectors (prefix, key, field_name, embedding) SELECT prefix, key, 'content',
    (SELECT array_agg(random() - 0.5) FROM generate_series(1, 256) WHERE key <> '')::halfvec
FROM added
"""
# The table, the index and the statement of mem0ai 2.2.1, with the same memories.
_LOAD_MEM0 = """
DROP TABLE IF EXISTS mem0;
CREATE TABLE mem0 AS SELECT key::uuid AS id, embedding::vector(256) AS vector,
    jsonb_build_object('data', 'something', 'user_id', split_part(prefix, '.', 3)) AS payload
    FROM store_vectors;
ALTER TABLE mem0 ADD PRIMARY KEY (id);
CREATE INDEX mem0_vector_idx ON mem0 USING hnsw (vector vector_cosine_ops);
"""
_MEM0 = (
    "SELECT id, vector <=> %s::vector AS distance, payload FROM mem0 WHERE payload->>%s = %s"
    " ORDER BY distance LIMIT %s"
)
_NEAREST = (
    "SELECT key FROM store_vectors WHERE prefix = %s"
    " ORDER BY embedding <=> %s::halfvec LIMIT %s"
)


class _FixedVector(Embedder):
    """Returns `vector` for every text."""

    def __init__(self) -> None:
        nowhere = openai.AsyncOpenAI(api_key="none", base_url="http://127.0.0.1:9")
        super().__init__(nowhere, _SPACE)
        self.vector: list[float] = []

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [self.vector for _ in texts]


def _load(address: str, first: int, last: int) -> None:
    with psycopg.connect(address, autocommit=True) as owner:
        owner.execute(_LOAD, (first, last))
        if last <= _INDEXED:
            owner.execute(_LOAD_MEM0)
        owner.execute("VACUUM ANALYZE")


async def measure(testbed: Testbed, plan: Plan) -> dict[str, float]:
    """Load memories up to each size, and measure the app's search and mem0's statement."""
    address = testbed.database("search")
    migrate(address, _SPACE, migrations())
    found: dict[str, float] = {}
    loaded = 0
    for count in plan.memories:
        await asyncio.to_thread(_load, address, loaded + 1, count)
        found |= await _ask(address, count, plan.questions)
        loaded = count
    return found


async def _ask(address: str, count: int, questions: int) -> dict[str, float]:
    embedder = _FixedVector()
    chance = random.Random(7)
    first, *others = [_random_vector(chance) for _ in range(questions + 1)]
    found: dict[str, float] = {}
    async with (
        create_pool(address, min_size=1, max_size=2, timeout=60) as pool,
        await psycopg.AsyncConnection.connect(address) as owner,
    ):

        async def ours(user: str, vector: list[float]) -> list[str]:
            embedder.vector = vector
            view = memory_view(Person(TEAM, user).namespace(DM))
            nearest = await search_memories(
                pool, embedder, view, "the question", WANTED
            )
            return [one.key for one in nearest]

        async def theirs(user: str, vector: list[float]) -> list[str]:
            cursor = await owner.execute(_MEM0, (vector, "user_id", user, WANTED))
            return [str(row[0]) for row in await cursor.fetchall()]

        async def nearest(user: str, vector: list[float]) -> list[str]:
            cursor = await owner.execute(
                _NEAREST, (f"chat.{TEAM}.{user}.dm", vector, WANTED)
            )
            return [row[0] for row in await cursor.fetchall()]

        ways = {"": ours}
        if count <= _INDEXED:
            ways["mem0_"] = theirs
        for (way, search), user in itertools.product(ways.items(), OWNERS):
            times: list[float] = []
            shares: list[float] = []
            await search(user, first)
            for vector in others:
                began = time.perf_counter()
                keys = await search(user, vector)
                times.append((time.perf_counter() - began) * 1000)
                right = set(await nearest(user, vector)) & set(keys)
                shares.append(len(right) / WANTED)
            name = f"{_NAMES[count]}_{OWNERS[user]}"
            recall = statistics.fmean(shares)
            found[f"{way}search_recall_at_{WANTED}_{name}"] = round(recall, 3)
            found[f"{way}search_ms_p50_{name}"] = round(statistics.median(times), 2)
            found[f"{way}search_ms_p95_{name}"] = round(percentile_95(times), 2)
    return found


def _random_vector(chance: random.Random) -> list[float]:
    return [chance.gauss() for _ in range(_SPACE.dimensions)]
