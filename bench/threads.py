"""How soon the next message of a thread begins, and how long one waits beside eighty others."""

from __future__ import annotations

import asyncio

from bench.plan import Plan
from bench.replies import Replies
from bench.results import percentile_95
from bench.systems import QUESTION
from bench.testbed import Json, Testbed

_THREADS = 12  # in each round; of 60 threads the 95th percentile is not the slowest one
_MANY = 80
_POLL_SECONDS = 0.2
_SECONDS = 60.0


async def measure(testbed: Testbed, plan: Plan) -> dict[str, float]:
    """Let people write twice in a thread; let one person write eighty messages and another one."""
    address = testbed.app_database("threads")
    async with testbed.app(address):
        gaps = [await _gap(testbed, number) for number in range(_THREADS * plan.rounds)]
        waits = [await _beside_many(testbed, number) for number in range(plan.rounds)]
    return {
        "next_in_thread_ms_p95": round(percentile_95(gaps), 1),
        "beside_eighty_s": round(max(waits) / 1000, 2),
    }


async def _gap(testbed: Testbed, number: int) -> float:
    """Return the milliseconds from the end of an answer to the request for the next one."""
    person = await testbed.person(f"Twice{number}")
    journal = await testbed.model("journal?since=999999999")
    since = journal["last"]
    message = {"user": person, "channel": "dm", "text": QUESTION}
    first = await testbed.slack("messages", message)
    await testbed.slack("messages", {**message, "thread_ts": first["ts"]})
    async with asyncio.timeout(_SECONDS):
        while len(begun := await _requests(testbed, since)) < 2:  # noqa: ASYNC110 - asked over HTTP
            await asyncio.sleep(_POLL_SECONDS)
    first_ended = begun[0]["time"] + begun[0]["ms"] / 1000
    return float(begun[1]["time"] - first_ended) * 1000


async def _requests(testbed: Testbed, since: int) -> list[Json]:
    """Return the requests for replies that have ended."""
    journal = await testbed.model(f"journal?since={since}")
    entries: list[Json] = journal["entries"]
    return [one for one in entries if one["kind"] == "reply"]


async def _beside_many(testbed: Testbed, number: int) -> float:
    """Return how many milliseconds one person waits while eighty of another's are answered."""
    busy = await testbed.person(f"Busy{number}")
    other = await testbed.person(f"Beside{number}")
    async with Replies.opened(testbed, poll_seconds=_POLL_SECONDS) as replies:
        many = [asyncio.create_task(replies.ask(busy, QUESTION)) for _ in range(_MANY)]
        await asyncio.sleep(_POLL_SECONDS)
        reply = await replies.ask(other, QUESTION, seconds=_SECONDS)
        await asyncio.gather(*many)
    return reply.ready or 0.0
