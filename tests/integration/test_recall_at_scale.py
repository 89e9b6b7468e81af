"""Recall among a hundred thousand memories: by the person's prefix, and in exact order."""

from __future__ import annotations

import json
import random
from array import array
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from memory import (
    DM,
    PUBLIC,
    EmbeddedPostgres,
    Embedder,
    Person,
    Pool,
    create_pool,
    memory_view,
    recall_memories,
)
from memory.recall.search import MAX_INSTRUCTIONS, NEAREST
from tests.databases import SPACE, fresh_database, login_of
from tests.integration.counted import count_statements
from tests.integration.scripted_model import vector as vector_of
from tests.integration.test_recall import distance

pytestmark = pytest.mark.slow

PEOPLE = 475  # with 200 memories each
OF_EACH = 200
MANY = 5_000  # of one person more
OWNER_OF_MANY = Person("T1", "U7")
WISHES = 30
QUESTION = "what do I like to eat?"
START = datetime(2026, 1, 1, tzinfo=UTC)


def audience_of(number: int) -> str:
    """Return where memory `number` was said: half in the DM, a quarter in public, one group."""
    return (DM, PUBLIC, DM, "G1")[number % 4]


def stored_rows() -> Iterator[tuple[str, str, Jsonb, datetime]]:
    """Yield prefix, key, value and moment of each memory; the many are among the others."""
    fact = Jsonb({"kind": "UserTechInterest", "content": {"topic": "something"}})
    wish = Jsonb({"kind": "UserInstruction", "content": {"instruction": "Be brief."}})
    for i in range(PEOPLE * OF_EACH):
        # U70 to U79 are the neighbours of U7.
        person = Person("T1", f"U{i % PEOPLE + 10}")
        yield person.namespace(audience_of(i // PEOPLE)).prefix, f"k{i}", fact, START
        if i % 19 == 0:
            number = i // 19
            value = wish if number < WISHES else fact
            prefix = OWNER_OF_MANY.namespace(audience_of(number)).prefix
            yield prefix, f"many{number}", value, START + timedelta(seconds=number)


def windows(seed: int) -> Iterator[bytes]:
    """Yield random vectors as pgvector sends them: windows onto one long row of numbers."""
    numbers = random.Random(seed)
    floats = array("f", (numbers.uniform(-1, 1) for _ in range(200_000)))
    floats.byteswap()
    row = floats.tobytes()
    head = SPACE.dimensions.to_bytes(2, "big") + b"\0\0"
    while True:
        at = numbers.randrange(len(floats) - SPACE.dimensions) * 4
        yield head + row[at : at + 4 * SPACE.dimensions]


def load(owner: psycopg.Connection[Any]) -> None:
    """Store all memories, with vectors, and let PostgreSQL count them."""
    # What refers to what is right by construction: not asked a hundred thousand times.
    owner.execute("SET session_replication_role = replica")
    places: list[tuple[str, str]] = []
    with owner.cursor().copy(
        "COPY store (prefix, key, value, created_at, updated_at) FROM STDIN"
    ) as copy:
        for prefix, key, value, at in stored_rows():
            copy.write_row((prefix, key, value, at, at))
            places.append((prefix, key))
    with owner.cursor().copy(
        "COPY store_vectors (prefix, key, field_name, embedding) FROM STDIN (FORMAT binary)"
    ) as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        for (prefix, key), made in zip(places, windows(7), strict=False):
            values = (prefix.encode(), key.encode(), b"content", made)
            fields = b"".join(len(value).to_bytes(4, "big") + value for value in values)
            copy.write(b"\0\4" + fields)
        copy.write(b"\xff\xff")
    owner.execute("ANALYZE store, store_vectors")


@pytest.fixture(scope="module")
def database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database with 100,000 memories of 476 people."""
    with fresh_database(postgres) as conninfo:
        with psycopg.connect(conninfo, autocommit=True) as owner:
            load(owner)
        yield conninfo


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """The application's pool, whose connections note what they send."""
    opened = create_pool(login_of(database), min_size=1, max_size=2, timeout=10)
    count_statements(opened)
    async with opened:
        yield opened


VIEWS = {
    "dm": (memory_view(OWNER_OF_MANY.namespace(DM)), {DM, PUBLIC, "G1"}),
    "public": (memory_view(OWNER_OF_MANY.namespace(PUBLIC)), {PUBLIC}),
    "group": (memory_view(OWNER_OF_MANY.namespace("G1")), {PUBLIC, "G1"}),
    "connect": (memory_view(OWNER_OF_MANY.namespace("G1"), shared=True), {"G1"}),
}


@pytest.mark.parametrize("place", VIEWS)
async def test_the_order_is_exact(
    pool: Pool, model_embedder: Embedder, database: str, place: str
) -> None:
    """Of 5,000 memories the nearest come in the order that arithmetic without an index finds."""
    seen_from, audiences = VIEWS[place]
    found = await recall_memories(pool, model_embedder, seen_from, QUESTION)
    prefixes = [OWNER_OF_MANY.namespace(audience).prefix for audience in audiences]
    with psycopg.connect(database) as owner:
        stored = {
            key: json.loads(text)
            for key, text in owner.execute(
                "SELECT key, embedding::text FROM store_vectors WHERE prefix = ANY(%s)", (prefixes,)
            ).fetchall()
        }
    asked = vector_of(QUESTION)
    distances = {key: distance(asked, vector) for key, vector in stored.items()}
    wishes = sorted((n for n in range(WISHES) if audience_of(n) in audiences), reverse=True)
    first = [f"many{number}" for number in wishes[:MAX_INSTRUCTIONS]]
    keys = [memory.key for memory in found.memories]
    assert keys[: len(first)] == first
    nearest = sorted((key for key in distances), key=distances.__getitem__)[:NEAREST]
    expected = [distances[key] for key in nearest if key not in first]
    assert [distances[key] for key in keys[len(first) :]] == pytest.approx(expected, abs=1e-6)
