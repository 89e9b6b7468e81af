"""Recall and latency of each search method, by table size."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import psycopg

from bench.ground import Ground
from bench.plan import Plan
from bench.results import quantile
from bench.search import rows
from bench.search.systems import Search, make_hnsw_store, open_mem0, open_ours, open_store
from bench.side_by_side import Progress
from bot.queue.migrations import migrations
from memory import EmbeddingSpace, migrate

NEARBY = EmbeddingSpace("kioku-stand-in-embedding", 256)
FULL_SIZE = EmbeddingSpace("text-embedding-3-small", 1_536)
_WANTED = 10
_NAMES = {10_000: "10k", 100_000: "100k", 1_000_000: "1m"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Numbers of rows, the largest one for which an index is built, and number of questions."""

    rows: tuple[int, ...]
    indexed: int
    questions: int
    full_size_rows: int


SIZES = {
    "quick": Sizes(rows=(10_000,), indexed=10_000, questions=5, full_size_rows=0),
    "usual": Sizes(
        rows=(10_000, 100_000, 1_000_000), indexed=100_000, questions=10, full_size_rows=20_000
    ),
    "full": Sizes(
        rows=(10_000, 100_000, 1_000_000),
        indexed=1_000_000,
        questions=50,
        full_size_rows=1_000_000,
    ),
}


@dataclass(slots=True)
class Found:
    """The milliseconds of some searches, and the share of the truly nearest that each found."""

    ms: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)


async def measure(ground: Ground, plan: Plan, progress: Progress) -> dict[str, float]:
    """Load, ask and load more; every way is asked the same, in shuffled order."""
    sizes = SIZES[plan.name]
    steps = [("", NEARBY, count, count <= sizes.indexed) for count in sizes.rows]
    if sizes.full_size_rows:
        steps.append(("_1536d", FULL_SIZE, sizes.full_size_rows, False))
    metrics: dict[str, float] = {}
    tables: dict[str, _Tables] = {}
    for done, (suffix, space, count, indexed) in enumerate(steps):
        progress(done, len(steps))
        if suffix not in tables:
            tables[suffix] = _Tables(ground, space, f"search{suffix}")
        here = tables[suffix]
        a_second = await asyncio.to_thread(here.grow, count, indexed=indexed)
        metrics[f"load_rows_per_s_{_size(count)}{suffix}"] = round(a_second)
        metrics |= await _ask(here, count, suffix, sizes.questions, indexed=indexed)
    progress(len(steps), len(steps))
    return metrics


def _size(count: int) -> str:
    return _NAMES.get(count, f"{count // 1_000}k")


class _Tables:
    """The tables of one number of dimensions, in databases of their own for each layout."""

    def __init__(self, ground: Ground, space: EmbeddingSpace, name: str) -> None:
        self.space = space
        self.vectors = rows.Vectors(space.dimensions)
        self.ours = ground.database(name)
        migrate(self.ours, space, migrations())
        self.hnsw = ground.database(f"{name}_hnsw")
        make_hnsw_store(self.hnsw, space)
        self.mem0 = ground.database(f"{name}_mem0")
        with psycopg.connect(self.mem0, autocommit=True) as owner:
            rows.make_mem0(owner, space.dimensions)
        self.loaded = self.indexed = 0

    def grow(self, count: int, *, indexed: bool) -> float:
        """Load until there are `count` memories; those with an index too where `indexed`.

        Returns how many a second the app's own tables took in.
        """
        began = time.monotonic()
        with psycopg.connect(self.ours, autocommit=True) as owner:
            rows.load_store(owner, self.vectors, self.loaded, count)
        a_second = (count - self.loaded) / (time.monotonic() - began)
        self.loaded = count
        if indexed:
            self._grow_indexed(count)
            self.indexed = count
        return a_second

    def _grow_indexed(self, count: int) -> None:
        with psycopg.connect(self.hnsw, autocommit=True) as owner:
            owner.execute("SET maintenance_work_mem = '1GB'")
            owner.execute("DROP INDEX IF EXISTS store_vectors_embedding_idx")
            rows.load_store(owner, self.vectors, self.indexed, count)
            owner.execute(
                "CREATE INDEX store_vectors_embedding_idx ON store_vectors"
                " USING hnsw (embedding vector_cosine_ops)"
            )
            owner.execute("ANALYZE store_vectors")
        with psycopg.connect(self.mem0, autocommit=True) as owner:
            owner.execute("SET maintenance_work_mem = '1GB'")
            owner.execute("DROP INDEX IF EXISTS mem0_vector_idx")
            rows.load_mem0(owner, self.vectors, self.indexed, count)
            rows.index_mem0(owner)


async def _ask(
    tables: _Tables, count: int, suffix: str, questions: int, *, indexed: bool
) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        ways: dict[str, Search] = {
            "": await enter(open_ours(tables.ours, tables.space)),
            "store_": await enter(open_store(tables.ours, tables.space, kind="flat")),
        }
        if indexed:
            ways["hnsw_"] = await enter(open_store(tables.hnsw, tables.space, kind="hnsw"))
            ways["mem0_"] = await enter(open_mem0(tables.mem0))
        found = {(way, user): Found() for way in ways for user in rows.OWNERS}
        mine = {
            user: [one for one in rows.generated_memories(0, 7_000) if one.user == user]
            for user in rows.OWNERS
        }
        asked = [(way, user, n) for way in ways for user in rows.OWNERS for n in range(questions)]
        random.Random(count).shuffle(asked)
        for way, user in found:
            await ways[way](user, tables.vectors.asked(-1), _WANTED)
        truth = {
            (user, n): tables.vectors.nearest(tables.vectors.asked(n), mine[user], _WANTED)
            for user in rows.OWNERS
            for n in range(questions)
        }
        for way, user, number in asked:
            vector = tables.vectors.asked(number)
            began = time.perf_counter()
            keys = await ways[way](user, vector, _WANTED)
            found[way, user].ms.append((time.perf_counter() - began) * 1000)
            true = truth[user, number]
            # What comes whole, unordered, holds them all; else the first so many count.
            seen = keys if len(keys) == rows.OWNERS[user] else keys[:_WANTED]
            found[way, user].shares.append(len(set(true) & set(seen)) / len(true))
    return _metrics(found, _size(count), suffix)


def _metrics(found: dict[tuple[str, str], Found], size: str, suffix: str) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for (way, user), measured in found.items():
        name = f"{size}_{rows.OWNERS[user]}{suffix}"
        metrics[f"{way}search_ms_p50_{name}"] = round(statistics.median(measured.ms), 2)
        metrics[f"{way}search_ms_p95_{name}"] = round(quantile(measured.ms, 0.95), 2)
        recall = round(statistics.fmean(measured.shares), 3)
        metrics[f"{way}search_recall_at_{_WANTED}_{name}"] = recall
    return metrics
