"""The cost of metrics: the same turns with and without them, round by round."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median

import aiohttp

from bench.ground import Ground, free_port
from bench.plan import Plan
from bench.replies import Replies
from bench.side_by_side import Progress
from bench.systems import QUESTION

_SCRAPE_SECONDS = 1.0
_CROWD = 20
_LEAST_ROUNDS = 3


async def measure(ground: Ground, plan: Plan, progress: Progress) -> dict[str, float]:
    """Let people ask one by one, then twenty at once, in an app of its own for each round.

    The metrics of the observed app are scraped each second.
    """
    ready: dict[bool, list[float]] = {False: [], True: []}
    cpu: dict[bool, list[float]] = {False: [], True: []}
    rounds = max(plan.rounds, _LEAST_ROUNDS)
    for number in range(rounds):
        # Which is first changes, so that neither has the warmer machine.
        for observed in (number % 2 == 0, number % 2 == 1):
            port = free_port()
            metrics_port = str(port) if observed else "0"
            address = ground.app_database(f"observed_{observed}".lower())
            async with (
                ground.app(address, KIOKU_METRICS_PORT=metrics_port) as [app],
                _scraped(port if observed else None),
            ):
                replies = await Replies.from_now(ground)
                people = [await ground.person(f"O{number}-{n}") for n in range(_CROWD)]
                await _asked(replies, people[:1])
                for _ in range(plan.singles * 2):
                    ready[observed] += await _asked(replies, people[:1])
                await ground.formed(address)
                before = app.cpu_seconds()
                await _asked(replies, people)
                await ground.formed(address)
                cpu[observed].append((app.cpu_seconds() - before) * 1000 / _CROWD)
        progress(number + 1, rounds)
    return {
        "observed_reply_ready_ratio": round(median(ready[True]) / median(ready[False]), 3),
        "observed_reply_ready_ms_p50": round(median(ready[True]), 2),
        "unobserved_reply_ready_ms_p50": round(median(ready[False]), 2),
        "observed_cpu_ms_per_message": round(median(cpu[True]), 2),
        "unobserved_cpu_ms_per_message": round(median(cpu[False]), 2),
    }


async def _asked(replies: Replies, people: list[str]) -> list[float]:
    asked = await asyncio.gather(*(replies.ask(who, QUESTION) for who in people))
    return [one.ready for one in await replies.of(asked) if one.ready is not None]


@asynccontextmanager
async def _scraped(port: int | None) -> AsyncIterator[None]:
    """Ask for the metrics each second, if there are any."""

    async def scrape() -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                        await answer.read()
                await asyncio.sleep(_SCRAPE_SECONDS)

    scraping = asyncio.create_task(scrape()) if port is not None else None
    try:
        yield
    finally:
        if scraping is not None:
            scraping.cancel()
            await asyncio.gather(scraping, return_exceptions=True)
