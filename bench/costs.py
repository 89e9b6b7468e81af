"""The cost of a message: model calls, embeddings, prompt tokens, SQL statements."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from bench.plan import Plan
from bench.side_by_side import prefix
from bench.systems import PEERS, QUESTION, Systems, open_systems
from bench.testbed import Testbed

TOPICS = (
    "Go",
    "Kubernetes",
    "Terraform",
    "PostgreSQL",
    "Kotlin",
    "Elixir",
    "GraphQL",
    "Redis",
)
# Long enough for all answers of a burst to come first, so that the burst is formed once.
_DELAY_SECONDS = 3
BURST = 10
# The app's maintenance job runs at the start of each minute, and not between these seconds.
_BETWEEN_JOBS = (10.0, 55.0)


async def count_requests(testbed: Testbed) -> Counter[str]:
    """Return the model calls, embedding calls and characters sent since the last call of this."""
    journal = await testbed.model("journal")
    await testbed.model("journal", method="DELETE")
    counts = Counter[str]()
    for entry in journal["entries"]:
        if entry["endpoint"] in ("responses", "chat"):
            body = json.dumps(entry["body"], ensure_ascii=False)
            counts["calls"] += 1
            counts["characters"] += len(body)
        elif entry["endpoint"] == "embeddings":
            counts["embeddings"] += 1
    return counts


def work(count: int) -> list[str]:
    """Return messages, alternately something to remember and a question."""
    texts = []
    for number in range(count):
        text = QUESTION
        if number % 2 == 0:
            topic = TOPICS[number % len(TOPICS)]
            text = f"{topic}に興味があります。技術トピックの{number}番目です。"
        texts.append(text)
    return texts


async def measure(testbed: Testbed, plan: Plan) -> dict[str, float]:
    """Count what every system sends at rest, for messages, for a burst and for thanks."""
    found: dict[str, float] = {}
    async with open_systems(
        testbed, "costs", counting=True, delay=_DELAY_SECONDS
    ) as systems:
        await systems.warm(1)
        await _until_second(_BETWEEN_JOBS[0])
        before = {name: Counter(sent) for name, sent in systems.traffic.items()}
        seconds = _BETWEEN_JOBS[1] - _BETWEEN_JOBS[0]
        await asyncio.sleep(seconds)
        after = {name: Counter(sent) for name, sent in systems.traffic.items()}
        for name in ("app", *PEERS):
            at_rest = after[name] - before[name]
            idle = {what: sent / seconds for what, sent in at_rest.items()}
            counts = await _count(systems, name, idle, plan.counted)
            for metric, value in counts.items():
                found[f"{prefix(name)}{metric}"] = value
    return found


async def _until_second(second: float) -> None:
    await asyncio.sleep((second - time.time()) % 60)


async def _count(
    systems: Systems, name: str, idle: Mapping[str, float], count: int
) -> dict[str, float]:
    """Return the metrics of a system; `count` messages are sent one by one.

    Memories are formed from each message before the next is sent. `idle` is what the system sends
    to PostgreSQL per second at rest, which is subtracted. The tokens of a request are a quarter of
    its characters, tools included; requests for embeddings do not count.
    """
    testbed = systems.testbed
    person = systems.people[0]
    traffic = systems.traffic[name]

    async def say(*texts: str, by: str = person) -> Counter[str]:
        """Send these texts at the same moment; return what `count_requests` returns for them."""
        replies = await systems.turns(name, [(by, text) for text in texts])
        if any(one.ready is None for one in replies):
            raise RuntimeError(f"A turn of {name} failed: see its log.")
        return await count_requests(testbed)

    async def one_by_one(texts: Sequence[str]) -> Counter[str]:
        counts = Counter[str]()
        for text in texts:
            counts += await say(text)
        return counts

    if name == "app":
        await _until_second(_BETWEEN_JOBS[0])
    await count_requests(testbed)
    began = time.monotonic()
    before = Counter(traffic)
    model = await one_by_one(work(count))
    seconds = time.monotonic() - began
    used = traffic - before
    somebody = await testbed.person(f"New{name}")
    teaching = await say(f"{TOPICS[0]}に興味があります", by=somebody)
    plain = await say(QUESTION, by=somebody)
    if name == "app":
        burst = await say(*work(BURST))
    else:
        burst = await one_by_one(work(BURST))
    thanks = await say("ok thanks")
    sql: dict[str, float] = {}
    for what, sent in used.items():
        idle_sent = idle.get(what, 0.0) * seconds
        sql[what] = max(0.0, sent - idle_sent)

    return {
        "model_calls_per_message": round(model["calls"] / count, 2),
        "embedding_calls_per_message": round(model["embeddings"] / count, 2),
        "sql_statements_per_message": round(sql.get("statements", 0) / count, 2),
        "sql_round_trips_per_message": round(sql.get("round_trips", 0) / count, 2),
        "sql_connections_per_message": round(used["connections"] / count, 2),
        "sql_statements_per_second_idle": round(idle.get("statements", 0.0), 2),
        "sql_messages_per_second_idle": round(idle.get("round_trips", 0.0), 2),
        "sent_tokens_teaching": teaching["characters"] // 4,
        "sent_tokens_plain": plain["characters"] // 4,
        "model_calls_burst_10": burst["calls"],
        "model_calls_thanks": thanks["calls"],
    }
