"""``python -m bench.needed``: whether the memory that a question needs is in the prompt.

Twenty-four of a person's memories matter; the others are about everyday life. Each of the
twenty-four answers two questions that do not name it, in English and in Japanese. The questions go
through the small multilingual sentence encoder of `bench.public` and the app's own recall.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from bench.public import SPACE, STORE, STORE_VECTOR, SentenceEncoder
from bench.search import TEAM
from bench.testbed import open_testbed
from bot.queue.queue import migrations
from memory import (
    DM,
    Embedder,
    Person,
    create_pool,
    memory_view,
    migrate,
    recall_memories,
)

SIZES = (50, 200, 1_000)
_DATA = tomllib.loads(Path(__file__).with_name("needed.toml").read_text("utf-8"))


def everyday(count: int) -> list[str]:
    """Return `count` different sentences that no question is about."""
    chance = random.Random(7)
    words: dict[str, list[str]] = _DATA["words"]
    found: dict[str, None] = {}
    while len(found) < count:
        pattern = chance.choice(_DATA["everyday"])
        chosen = {name: chance.choice(values) for name, values in words.items()}
        found[pattern.format(number=chance.randint(1, 400), **chosen)] = None
    return list(found)


async def store(address: str, embedder: Embedder, person: Person, size: int) -> None:
    """Store `size` memories of a person in random order; their keys are their texts."""
    needed = {one["memory"]: bool(one.get("may_harm")) for one in _DATA["needed"]}
    texts = [*needed, *everyday(size - len(needed))]
    random.Random(size).shuffle(texts)
    prefix = person.namespace(DM).prefix
    vectors = await embedder.embed(texts)
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as owner:
        for text, vector in zip(texts, vectors, strict=True):
            value: dict[str, Any] = {
                "kind": "UserFact",
                "content": {"fact": text},
                "said_on": "2026-11-01",
            }
            if needed.get(text):
                value["may_harm"] = True
            await owner.execute(STORE, (prefix, text, Jsonb(value)))
            await owner.execute(STORE_VECTOR, (prefix, text, vector))


async def missed_questions(
    address: str, embedder: Embedder, person: Person
) -> tuple[list[str], int]:
    """Return the questions whose memory is not recalled, and the number of all questions."""
    view = memory_view(person.namespace(DM))
    missed = []
    questions = 0
    async with create_pool(address, min_size=1, max_size=2, timeout=60) as pool:
        for one in _DATA["needed"]:
            for question in one["questions"]:
                recalled = await recall_memories(pool, embedder, view, question)
                questions += 1
                if one["memory"] not in {memory.key for memory in recalled.memories}:
                    missed.append(f"{question} → {one['memory']}")
    return missed, questions


async def measure(sizes: Sequence[int] = SIZES) -> None:
    """Print the share of questions whose memory is in the prompt, by the number of memories."""
    embedder = SentenceEncoder()
    with tempfile.TemporaryDirectory(prefix="kb-") as place:
        async with open_testbed(Path(place)) as testbed:
            address = testbed.database("needed")
            migrate(address, SPACE, migrations())
            for size in sizes:
                person = Person(TEAM, f"U{size}")
                await store(address, embedder, person, size)
                missed, questions = await missed_questions(address, embedder, person)
                print(f"{size:6,} memories: {questions - len(missed)} of {questions}")
                for line in missed:
                    print(f"         {line}")


if __name__ == "__main__":
    asyncio.run(measure())
