"""Recall: small sets whole, larger ones exactly, each place its own."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from psycopg.types.json import Jsonb

from memory import (
    DM,
    PUBLIC,
    EmbeddedPostgres,
    Embedder,
    EmbeddingsUnavailable,
    Memory,
    Person,
    Pool,
    create_pool,
    memory_view,
    recall_memories,
)
from memory.embeddings.embedder import literal
from memory.postgres import execute_queries, person_transaction
from memory.recall import large_set_query
from memory.recall.lines import line_tokens
from memory.recall.search import NEAREST, Recalled, nearest_memories, search_memories
from tests.databases import fresh_database, login_of, owner_rows
from tests.integration.scripted_model import ScriptedModel, vector

START = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A migrated database; each test has people of its own."""
    with fresh_database(postgres) as conninfo:
        yield conninfo


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """The application's pool."""
    async with create_pool(
        login_of(database), min_size=1, max_size=4, timeout=10
    ) as opened:
        yield opened


def texts(memories: Sequence[Memory]) -> list[str]:
    """Return what the memories say."""
    return [str(m.content["topic"]) for m in memories]


async def remember(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    topics: Sequence[str],
    *,
    audience: str = DM,
) -> None:
    """Store memories as formation does, the last the newest; keys are topics."""
    prefix = person.namespace(audience).prefix
    vectors = await embedder.embed(topics)
    async with person_transaction(pool, person) as transaction:
        for number, (topic, vector) in enumerate(zip(topics, vectors, strict=True)):
            moment = START + timedelta(seconds=number)
            value = {"kind": "UserTechInterest", "content": {"topic": topic}}
            await transaction.connection.execute(
                "INSERT INTO store (prefix, key, value, created_at, updated_at)"
                " VALUES (%s, %s, %s, %s, %s)",
                (prefix, topic, Jsonb(value), moment, moment),
            )
            await transaction.connection.execute(
                "INSERT INTO store_vectors (prefix, key, field_name, embedding)"
                " VALUES (%s, %s, 'content.topic', %s)",
                (prefix, topic, literal(vector)),
            )


def distance(one: Sequence[float], two: Sequence[float]) -> float:
    """Return the cosine distance of two vectors."""
    dot = sum(a * b for a, b in zip(one, two, strict=True))
    return 1 - dot / math.dist(one, [0] * len(one)) / math.dist(two, [0] * len(two))


async def test_a_set_within_the_budget_comes_whole_and_costs_no_embedding(
    pool: Pool, model_embedder: Embedder, model: ScriptedModel
) -> None:
    """All memories come, oldest first, as long as their lines are within the budget."""
    person = Person("T1", "SMALL")
    view = memory_view(person.namespace(DM))
    topics = [f"topic {i}" for i in range(200)]
    await remember(pool, model_embedder, person, topics)
    model.embedding_requests.clear()
    found = await recall_memories(pool, model_embedder, view, "anything")
    assert texts(found.always) == topics
    assert (found.nearest, found.newest_only) == ((), False)
    assert model.embedding_requests == []
    tokens = sum(map(line_tokens, found.always))
    assert (
        await recall_memories(pool, model_embedder, view, "?", budget=tokens)
    ).always
    assert model.embedding_requests == []
    less = await recall_memories(pool, model_embedder, view, "?", budget=tokens - 1)
    assert (less.always, len(less.nearest)) == ((), NEAREST)


async def test_nothing_is_recalled_of_somebody_new(
    pool: Pool, model_embedder: Embedder
) -> None:
    """Neither memories nor a sign that some are missing."""
    view = memory_view(Person("T1", "NEW").namespace(DM))
    assert await recall_memories(pool, model_embedder, view, "anything") == Recalled()


@pytest.mark.parametrize("count", [3, 600], ids=["whole", "large"])
@pytest.mark.parametrize("down", [False, True], ids=["exact", "newest"])
async def test_how_to_answer_and_what_may_harm_is_always_recalled(
    pool: Pool,
    database: str,
    model_embedder: Embedder,
    model: ScriptedModel,
    count: int,
    down: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """However old and whatever the question, and once."""
    person = Person("T1", f"WISH{count}{down}".upper())
    topics = [f"topic {i}" for i in range(count)]
    await remember(pool, model_embedder, person, topics)
    marks = {"topic 0": {"kind": "UserInstruction"}, "topic 1": {"may_harm": True}}
    for key, mark in marks.items():
        owner_rows(
            database,
            "UPDATE store SET value = value || %s WHERE prefix = %s AND key = %s",
            Jsonb(mark),
            person.namespace(DM).prefix,
            key,
        )
    model.embeddings_status = 500 if down else 200
    own = memory_view(person.namespace(DM))
    found = await recall_memories(pool, model_embedder, own, "the topic 0")
    assert texts(found.always)[:2] == ["topic 0", "topic 1"]
    assert len(set(texts(found.memories))) == len(found.memories) > 2
    assert found.newest_only == (down and count > 3)
    [[size]] = await execute_queries(
        pool, [large_set_query(own)], scope=person.settings
    )
    assert size["is_large"] == (count > 3)
    if size["is_large"]:
        at_once = await recall_memories(
            pool, model_embedder, own, "the topic 0", is_large=True
        )
        assert at_once == found
    warning = (
        "memories were recalled without a search: The embedding model"
        f" {model_embedder.space.model} did not answer (HTTP 500): check"
        " KIOKU_EMBEDDING_MODEL, and its server's address and key."
    )
    assert (warning in caplog.messages) == found.newest_only
    with pytest.raises(EmbeddingsUnavailable) if down else nullcontext():
        assert await nearest_memories(pool, model_embedder, own, ["unheard of"], 9)
    if found.newest_only:
        assert texts(found.nearest) == topics[: -NEAREST - 1 : -1]


@pytest.mark.parametrize("down", [False, True], ids=["nearest", "newest"])
@pytest.mark.parametrize("count", [15, 60], ids=["whole", "large"])
@pytest.mark.parametrize(("own", "said"), [(DM, "G1"), ("G1", PUBLIC)])
async def test_a_search_finds_the_nearest(
    pool: Pool,
    model_embedder: Embedder,
    model: ScriptedModel,
    down: bool,
    count: int,
    own: str,
    said: str,
) -> None:
    """As many memories as asked for, wherever they were said; the newest without embeddings."""
    limit = 20
    person = Person("T1", f"SEARCH{count}{down}{own}".upper())
    topics = [f"topic {i}" for i in range(count)]
    await remember(pool, model_embedder, person, topics, audience=said)
    model.embeddings_status = 500 if down else 200
    view = memory_view(person.namespace(own))
    found = await search_memories(pool, model_embedder, view, "topic 2!", limit)
    newest_first = topics[::-1][:limit]
    if count <= limit or down:
        assert texts(found) == newest_first
    else:
        assert (texts(found)[0], len(found)) == ("topic 2", limit)


# Where it is asked, whether its kind is unknown, and whose memories are searched.
VIEWS = {
    "dm": (DM, False, {DM, PUBLIC, "G1"}),
    "public": (PUBLIC, False, {PUBLIC}),
    "group": ("G1", False, {PUBLIC, "G1"}),
    "unknown": ("G1", True, {"G1"}),
}


@pytest.mark.parametrize("place", VIEWS)
async def test_nearest_of_many_memories_come_in_exact_order(
    pool: Pool, database: str, model_embedder: Embedder, place: str
) -> None:
    """Among all that the conversation sees, as arithmetic finds them, and nobody else's."""
    own, only_own, audiences = VIEWS[place]
    person, question = Person("T5", place.upper()), "what do I like to eat?"
    await remember(pool, model_embedder, Person("T5", f"{place.upper()}2"), [question])
    for audience in (DM, PUBLIC, "G1"):
        topics = [f"{audience} {number} {number**3}" for number in range(400)]
        await remember(pool, model_embedder, person, topics, audience=audience)
    view = memory_view(person.namespace(own), only_own=only_own)
    found = await recall_memories(pool, model_embedder, view, question)
    rows = owner_rows(
        database,
        "SELECT key, embedding::text AS vector FROM store_vectors WHERE prefix = ANY(%s)",
        [person.namespace(audience).prefix for audience in audiences],
    )
    asked = vector(question)
    distances = {row["key"]: distance(asked, json.loads(row["vector"])) for row in rows}
    assert [distances[memory.key] for memory in found.nearest] == pytest.approx(
        sorted(distances.values())[:NEAREST], abs=1e-6
    )
