"""The time until a reply is ready, by the number of memories that a system has of the person.

Kioku is also asked in a channel for which forty lines are kept, which it reads and shows the model.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import defaultdict
from collections.abc import Mapping

import psycopg

from bench.plan import Plan
from bench.results import spread
from bench.side_by_side import SYSTEMS, prefix
from bench.systems import EMBEDDING_FLOOR, PEERS, Systems, open_systems
from bench.testbed import Testbed

SIZES = (5, 200, 2_000)
SIZES_BESIDE_KEPT = (5, 200)
_TOPICS = (
    "Rust",
    "Go",
    "Kubernetes",
    "PostgreSQL",
    "Kotlin",
    "Elixir",
    "GraphQL",
    "Redis",
)
# The model answers at once, however many memories it is shown, to compare only the systems.
_SCRIPT = {
    "endpoint": "responses",
    "times": -1,
    "pattern": r"について、\d+番目の質問です",
    "output": {"text": "はい、まとめるとこうなります。" * 6},
}
_VECTOR = (
    "(SELECT array_agg(random() - 0.5)"
    " FROM generate_series(1, 1536) WHERE made.n > 0)::vector"
)
# Memories by number, in each system's own tables; vectors are random.
_LOAD = {
    "app": f"""
WITH made AS (
    SELECT n,
        (SELECT regexp_replace(prefix, '^(chat[.][^.]+).*', '\\1') FROM store LIMIT 1)
            || '.' || %(person)s || '.public' AS prefix,
        md5(%(person)s || n)::uuid::text AS key
    FROM generate_series(1, %(size)s::int) AS n
), stored AS (
    INSERT INTO store (prefix, key, value)
    SELECT prefix, key, jsonb_build_object('kind', 'UserFact', 'content', jsonb_build_object(
        'fact', 'I read ' || n || ' pages of a novel on the way to work'), 'said_on', '2026-11-01')
    FROM made
    ON CONFLICT DO NOTHING
)
INSERT INTO store_vectors (prefix, key, field_name, embedding)
SELECT prefix, key, 'content', {_VECTOR} FROM made ON CONFLICT DO NOTHING
""",
    "articles": f"""
WITH made AS (
    SELECT n, 'chat.' || %(person)s AS prefix, md5(%(person)s || n)::uuid::text AS key
    FROM generate_series(1, %(size)s::int) AS n
), stored AS (
    INSERT INTO store (prefix, key, value)
    SELECT prefix, key, jsonb_build_object('kind', 'UserTechInterest', 'content',
        jsonb_build_object('topic', 'I read ' || n || ' pages of a novel on the way to work'))
    FROM made
    ON CONFLICT DO NOTHING
)
INSERT INTO store_vectors (prefix, key, field_name, embedding)
SELECT prefix, key, '$', {_VECTOR} FROM made ON CONFLICT DO NOTHING
""",
    "mem0": f"""
INSERT INTO mem0 (id, vector, payload)
SELECT md5(%(person)s || n)::uuid, {_VECTOR}, jsonb_build_object('data',
    'I read ' || n || ' pages of a novel on the way to work', 'user_id', %(person)s,
    'hash', md5(n::text), 'created_at', now())
FROM generate_series(1, %(size)s::int) AS made (n)
""",
}


# Forty lines that four people have kept for a channel, all that a prompt shows.
_KEEP = """
INSERT INTO kept (team_id, user_id, channel_id, ts, thread_ts, text, decision)
SELECT %(team)s, (%(authors)s::text[])[1 + n %% 4], %(channel)s, n || '.1', n || '.1',
    'The runbook of service ' || n || ' is in the wiki, and its owner is asked before a restart',
    false
FROM generate_series(1, 40) AS n
"""


async def measure(testbed: Testbed, plan: Plan) -> dict[str, float]:
    """Let one person for each number of memories ask every system, with new questions each time."""
    times = defaultdict[str, list[float]](list)
    numbers = itertools.count(1)
    shuffled = random.Random(plan.rounds)
    await testbed.model("script", _SCRIPT)
    async with open_systems(testbed, "known") as systems:
        await systems.warm(len(SIZES))
        people = dict(zip(SIZES, systems.people, strict=True))
        for size, person in people.items():
            await _load(systems, person, size)
        channels = {
            size: await _channel(systems, people[size]) for size in SIZES_BESIDE_KEPT
        }
        for at in range(plan.known_questions + 1):
            for size in shuffled.sample(SIZES, len(SIZES)):
                number = next(numbers)
                topic = _TOPICS[at % len(_TOPICS)]
                question = f"{topic}について、{number}番目の質問です"
                ready: dict[str, float] = {}
                if size in SIZES_BESIDE_KEPT:
                    channel = channels[size]
                    ready["kept"] = await _ready_in(
                        systems, people[size], channel, question
                    )
                asked = [*SYSTEMS, EMBEDDING_FLOOR]
                for system in shuffled.sample(asked, len(asked)):
                    turn = (people[size], question)
                    ready[system] = await _ready(systems, system, turn)
                if at == 0:
                    continue
                floor = ready["floor"]
                for system in ("app", *PEERS):
                    name = f"{prefix(system)}turn_overhead_ms_knowing_{size}"
                    times[name].append(ready[system] - floor)
                if "kept" in ready:
                    name = f"turn_overhead_ms_knowing_{size}_beside_40_kept"
                    times[name].append(ready["kept"] - floor)
                embedding_floor = ready[EMBEDDING_FLOOR]
                times["floor_embedding_ms"].append(embedding_floor - floor)
                # Kioku calls the embedding model for the largest set only.
                if size == max(SIZES):
                    beyond = ready["app"] - embedding_floor
                    times[f"turn_beyond_embedding_ms_knowing_{size}"].append(beyond)
    found: dict[str, float] = {}
    for name, values in times.items():
        found |= spread(name, values)
    return found


async def _ready(systems: Systems, system: str, turn: tuple[str, str]) -> float:
    [reply] = await systems.turns(system, [turn])
    if reply.ready is None:
        raise RuntimeError(f"A turn of {system} failed: see its log.")
    return reply.ready


async def _ready_in(
    systems: Systems, person: str, channel: str, question: str
) -> float:
    """Return when the reply is ready to a question that a person asks Kioku in a channel."""
    text = f"<@{systems.testbed.info['bot_user_id']}> {question}"
    reply = await systems.replies.ask(person, text, channel=channel)
    await systems.testbed.formed(systems.app_address)
    if reply.ready is None:
        raise RuntimeError("A turn of the app in a channel failed: see its log.")
    return reply.ready


async def _channel(systems: Systems, person: str) -> str:
    """Return a channel of a person for which forty lines are kept."""
    testbed = systems.testbed
    authors = [await testbed.person(f"Author{n}") for n in range(4)]
    made = {"kind": "public", "name": f"of-{person.lower()}"}
    made = await testbed.slack("channels", {**made, "members": [person, *authors]})
    channel = str(made["id"])
    team = str(testbed.info["team_id"])
    values = {"team": team, "channel": channel, "authors": authors}
    address = testbed.database("app_known")
    await asyncio.to_thread(_execute, address, _KEEP, values)
    return channel


async def _load(systems: Systems, person: str, size: int) -> None:
    """Store `size` memories of a person in each system."""
    values = {"person": person, "size": size}
    for system, statement in _LOAD.items():
        address = systems.testbed.database(f"{system}_known")
        await asyncio.to_thread(_execute, address, statement, values)


def _execute(address: str, statement: str, values: Mapping[str, object]) -> None:
    with psycopg.connect(address, autocommit=True) as owner:
        owner.execute(statement.encode(), values)
        owner.execute("VACUUM ANALYZE")
