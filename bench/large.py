"""A person with thousands of memories: what they take up, what reaches the prompt, the Home tab."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from array import array
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import psycopg
from psycopg import sql

from bench.costs import asked, tokens
from bench.ground import SPACE, Ground
from bench.plan import Plan
from bench.replies import Replies
from bench.results import quantile, spread
from bench.side_by_side import Progress, prefix
from bench.systems import PEERS, QUESTION, open_systems
from openai_double.embeddings import embed

HOME_MEMORIES = 1_000
_THINGS = ("Go", "Rust", "Kubernetes", "PostgreSQL", "Terraform", "GraphQL", "Elixir", "Redis")
_ASPECTS = ("運用の自動化", "テストの書き方", "性能の測り方", "障害からの復旧", "設計の進め方")
_SHOWN = re.compile(r"<(memories|preferences|episodes)>\n(.*?)\n?</\1>", re.S)
_HOME_SECONDS = 20.0
_TABLES = {"app": ("store", "store_vectors"), "articles": ("store", "store_vectors")}
_MEM0_TABLES = ("mem0",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A made memory; `vector` is its sentence's embedding as pgvector writes it."""

    key: str
    topic: str
    text: str
    vector: str


def memories(count: int) -> Iterator[Memory]:
    """Yield made memories, all different."""
    for number in range(count):
        topic = f"{_THINGS[number % len(_THINGS)]} {number}"
        aspect = _ASPECTS[number // len(_THINGS) % len(_ASPECTS)]
        text = f"{topic}の{aspect}に関心があり、業務の{number}番目の課題で使っている"
        key = str(uuid.UUID(int=number + 1))
        yield Memory(key=key, topic=topic, text=text, vector=vector(text))


def vector(text: str) -> str:
    """Return the stand-in's embedding of a text as pgvector writes it."""
    floats = array("f")
    floats.frombytes(embed(text, SPACE.dimensions))
    return "[" + ",".join(f"{number:.6g}" for number in floats) + "]"


async def store_layout(address: str, prefix_: str, made: Sequence[Memory]) -> None:
    """Load memories as LangGraph stores what LangMem writes."""
    async with await psycopg.AsyncConnection.connect(address) as connection:
        cursor = connection.cursor()
        async with cursor.copy("COPY store (prefix, key, value) FROM STDIN") as copy:
            for one in made:
                content = {"topic": one.topic, "description": one.text}
                value = {"kind": "UserTechInterest", "content": content}
                await copy.write_row((prefix_, one.key, json.dumps(value, ensure_ascii=False)))
        statement = "COPY store_vectors (prefix, key, field_name, embedding) FROM STDIN"
        async with cursor.copy(statement) as copy:
            for one in made:
                await copy.write_row((prefix_, one.key, "content", one.vector))
    await _analyze(address)


async def mem0_layout(address: str, person: str, made: Sequence[Memory]) -> None:
    """Load memories as mem0 writes them."""
    async with await psycopg.AsyncConnection.connect(address) as connection:
        cursor = connection.cursor()
        async with cursor.copy("COPY mem0 (id, vector, payload) FROM STDIN") as copy:
            for one in made:
                payload = {"data": one.text, "user_id": person, "text_lemmatized": one.text}
                row = (one.key, one.vector, json.dumps(payload, ensure_ascii=False))
                await copy.write_row(row)
    await _analyze(address)


async def _analyze(address: str) -> None:
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        await connection.execute("ANALYZE")


async def size(address: str, tables: Sequence[str]) -> int:
    """Return the bytes of tables with their indexes."""
    async with await psycopg.AsyncConnection.connect(address) as connection:
        total = 0
        for table in tables:
            query = sql.SQL("SELECT pg_total_relation_size({})").format(sql.Literal(table))
            row = await (await connection.execute(query)).fetchone()
            total += int(row[0]) if row else 0
        return total


async def measure(ground: Ground, plan: Plan, progress: Progress) -> dict[str, float]:
    """Measure with `plan.memories` of one person in each system."""
    found: dict[str, float] = {}
    made = await asyncio.to_thread(lambda: list(memories(plan.memories)))
    async with AsyncExitStack() as stack:
        systems = await stack.enter_async_context(open_systems(ground, "large"))
        await systems.warm(1)
        person, team = await ground.person("Many"), ground.info["team_id"]
        for done, name in enumerate(("app", *PEERS)):
            address, tables = systems.addresses[name], _TABLES.get(name, _MEM0_TABLES)
            before = await size(address, tables)
            if name == "mem0":
                await mem0_layout(address, person, made)
            else:
                place = f"chat.{team}.{person}.dm" if name == "app" else f"chat.{person}"
                await store_layout(address, place, made)
            grown = await size(address, tables) - before
            found[f"{prefix(name)}db_bytes_per_memory"] = round(grown / len(made))
            await asked(ground)
            times = []
            for number in range(plan.questions):
                question = f"{QUESTION}({_THINGS[number % len(_THINGS)]} {number}について)"
                times += await systems.turns(name, [(person, question)])
            ready = [one.ready for one in times if one is not None]
            if ready:
                found |= spread(f"{prefix(name)}reply_ready_ms_{plan.memories}_memories", ready)
            shown = await _memory_tokens(ground)
            if shown:
                found[f"{prefix(name)}prompt_memory_tokens_p95"] = quantile(shown, 0.95)
            progress(done + 1, len(PEERS) + 2)
        found["prompt_memory_tokens_memories"] = plan.memories
        found |= await home(ground, systems.addresses["app"], made[:HOME_MEMORIES], plan)
    progress(len(PEERS) + 2, len(PEERS) + 2)
    return found


async def _memory_tokens(ground: Ground) -> list[float]:
    entries = (await ground.model("journal"))["entries"]
    found: list[float] = []
    for entry in entries:
        body = entry["body"]
        said = body.get("input") or body.get("messages") or []
        if entry["kind"] != "reply" or entry["endpoint"] not in ("responses", "chat"):
            continue
        texts = [
            str(one.get("content"))
            for one in said
            if isinstance(one, dict) and one.get("role") in ("developer", "system")
        ]
        shown = [match[2] for text in texts for match in _SHOWN.finditer(text)]
        found.append(sum(map(tokens, shown)))
    return found


async def home(
    ground: Ground, address: str, made: Sequence[Memory], plan: Plan
) -> dict[str, float]:
    """Time the Home tab of somebody with so many memories: opened until it is published.

    A memory goes before each opening, because a Home that shows the same is not published again.
    """
    person, team = await ground.person("Home"), ground.info["team_id"]
    replies = await Replies.from_now(ground)
    await replies.of([await replies.ask(person, "ok thanks")])
    place = f"chat.{team}.{person}.dm"
    await store_layout(address, place, made)
    times = []
    for number in range(plan.questions):
        await _delete(address, place, made[number])
        since = (await ground.slack("calls?since=999999999"))["last"]
        began = time.time()
        await ground.slack("home/open", {"user": person})
        times.append(await _published(ground, since, person) - began)
    return spread("home_ms_1000_memories", [1000 * seconds for seconds in times])


async def _delete(address: str, place: str, memory: Memory) -> None:
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        await connection.execute(
            "DELETE FROM store WHERE prefix = %s AND key = %s", (place, memory.key)
        )


async def _published(ground: Ground, since: int, person: str) -> float:
    deadline = time.monotonic() + _HOME_SECONDS
    while time.monotonic() < deadline:
        path = f"calls?since={since}&method=views.publish"
        for call in (await ground.slack(path))["calls"]:
            if call["outcome"] == "ok" and call["args"]["user_id"] == person:
                return float(call["time"] + call["ms"] / 1000)
        await asyncio.sleep(0.02)
    raise TimeoutError("The Home tab was not published in time.")
